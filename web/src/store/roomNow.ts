import { number, text } from './event.ts';
import type { RoomEvent } from './roomLog.ts';

/* What the events of a room come to: where its workflows are, and how its agents are. In bounds. */

const most = 50;

export interface Workflow {
    id: string;
    status: string;
    progress: number;
    step: string | null;
    total: number | null;
    /** ms since 1970. */
    time: number;
}

export interface Agent {
    id: string;
    name: string;
    status: string;
    availability: number | null;
    time: number;
}

const settled: Record<string, string> = {
    'workflow.completed': 'completed',
    'workflow.failed': 'failed',
    'workflow.started': 'running',
    'agent.connected': 'online',
    'agent.disconnected': 'offline',
};

export class RoomNow {
    /** The one that changed last is last. */
    readonly workflows = new Map<string, Workflow>();
    readonly agents = new Map<string, Agent>();
    /** How the room is called by those who publish to it. */
    name: string | null = null;

    /** Events must come in their order. */
    fold(event: RoomEvent): void {
        const [family] = event.type.split('.');
        if (family === 'workflow') this.#foldWorkflow(event);
        else if (family === 'agent') this.#foldAgent(event);
        else if (event.type === 'project.updated') this.name = text(event.data.project_name) ?? this.name;
    }

    /** What came before all that was folded: it says only what is not known better. */
    foldBefore(events: readonly RoomEvent[]): void {
        const before = new RoomNow();
        for (const event of events) before.fold(event);
        this.name ??= before.name;
        putBefore(this.workflows, before.workflows);
        putBefore(this.agents, before.agents);
    }

    #foldWorkflow({ type, data, time }: RoomEvent): void {
        const id = text(data.workflow_id);
        if (id === null) return;
        const before = this.workflows.get(id);
        const status = text(data.status) ?? settled[type] ?? before?.status ?? 'running';
        renew(this.workflows, id, {
            id,
            status,
            progress: status === 'completed' ? 100 : (number(data.progress) ?? before?.progress ?? 0),
            step: text(data.current_step) ?? before?.step ?? null,
            total: number(data.total_steps) ?? before?.total ?? null,
            time,
        });
    }

    #foldAgent({ type, data, time }: RoomEvent): void {
        const id = text(data.agent_id);
        if (id === null) return;
        const before = this.agents.get(id);
        renew(this.agents, id, {
            id,
            name: text(data.agent_name) ?? before?.name ?? id,
            status: text(data.status) ?? settled[type] ?? before?.status ?? 'online',
            availability: number(data.availability) ?? before?.availability ?? null,
            time,
        });
    }
}

function renew<T>(map: Map<string, T>, id: string, value: T): void {
    map.delete(id);
    map.set(id, value);
    if (map.size > most) map.delete(map.keys().next().value!);
}

function putBefore<T>(map: Map<string, T>, older: ReadonlyMap<string, T>): void {
    const newer = [...map];
    map.clear();
    for (const [id, value] of [...older, ...newer]) renew(map, id, value);
}
