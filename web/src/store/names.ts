import { signal } from '@preact/signals';
import { client } from './client.ts';
import { partsOf } from './parts.ts';
import { roomEvent } from './roomLog.ts';
import { RoomNow } from './roomNow.ts';
import { ask } from './server.ts';

/*
 * How the projects and agents behind the rooms are called: their ids say nothing to people. The server's
 * records of projects do, or the room's last events, or else its first ones. Each is asked once, one after the
 * other, in the order of the list.
 */

const eventsLooked = 50;
const roomsMost = 200;

export const names = signal<ReadonlyMap<string, string>>(new Map());

const asked = new Set<string>();
let asking = false;
let recordsAsked = false;

export function learnName(topic: string, name: string | null | undefined): void {
    if (name && names.peek().get(topic) !== name) names.value = new Map([...names.peek(), [topic, name]]);
}

/** What the events of the room call it. */
export function nameIn(now: RoomNow, topic: string): string | null {
    const { kind, id } = partsOf(topic);
    if (kind === 'project') return now.name;
    const name = kind === 'agent' ? now.agents.get(id)?.name : null;
    return name && name !== id ? name : null;
}

async function askRecords(): Promise<void> {
    const { projects } = await ask<{ projects: { project_id: string; project_name: string }[] }>('api/v1/projects');
    for (const { project_id, project_name } of projects) learnName(`project:${project_id}`, project_name);
}

async function askEvents(topic: string, offset: number): Promise<void> {
    for (const since of new Set([Math.max(0, offset - eventsLooked), 0])) {
        const { events } = await client.peek().history(topic, { since, limit: eventsLooked });
        const now = new RoomNow();
        for (const [i, event] of events.entries()) now.fold(roomEvent(event, i));
        const name = nameIn(now, topic);
        if (name) return learnName(topic, name);
    }
}

export async function learnNames(topics: readonly { topic: string; offset: number }[]): Promise<void> {
    if (asking) return;
    asking = true;
    if (!recordsAsked && topics.some(({ topic }) => topic.startsWith('project:'))) {
        recordsAsked = true;
        await askRecords().catch(() => {}); // a server without its records has the events
    }
    for (const { topic, offset } of topics) {
        if (offset === 0 || !/^(project|agent):/.test(topic)) continue;
        if (names.peek().has(topic) || asked.has(topic) || asked.size >= roomsMost) continue;
        asked.add(topic);
        await askEvents(topic, offset).catch(() => {}); // it may be gone by now; it goes without a name
    }
    asking = false;
}
