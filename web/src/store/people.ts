import { computed, signal } from '@preact/signals';
import { matches } from './arrange.ts';
import { learnNames, names } from './names.ts';
import { pauseAfter, poll, troubleText } from './poll.ts';
import { askPresence, type Watcher } from './presence.ts';
import type { TopicSummary } from './rooms.ts';
import { ask } from './server.ts';

/* Who is where: the presence of all topics that somebody follows, turned round. */

export interface Person {
    /** null: they showed no token. */
    user: string | null;
    /** By connection: how it is connected, and since when (RFC 3339). */
    connections: Map<string, { dialect: string; since: string }>;
    /** What they follow, in the order of the topics that most follow. */
    topics: string[];
}

export interface People {
    list: Person[];
    /** How many topics were looked at, and how many somebody follows. */
    looked: number;
    followed: number;
}

const interval = 4_000;
const failedInterval = 4_000;
/** Each one asked for is a question to all of the server's workers. */
const topicsMost = 60;
const atOnce = 4;

/** null: not known yet. */
export const people = signal<People | null>(null);
export const peopleTrouble = signal<string | null>(null);
export const peopleSearch = signal('');

/** What somebody without a token is called. */
export function nameOf({ user }: Pick<Person, 'user'>): string {
    return user === null || user === 'anonymous' ? 'Without a token' : user;
}

const called = (topic: string) => `${topic} ${names.value.get(topic) ?? ''}`;
const isNamed = ({ user }: Person) => user !== null && user !== 'anonymous';

export const shownPeople = computed(() =>
    (people.value?.list ?? []).filter((person) =>
        matches(`${nameOf(person)} ${person.topics.map(called).join(' ')}`, peopleSearch.value),
    ),
);

/** Turns presence by topic into people; those who have a name first, by name. */
export function groupPeople(presence: readonly (readonly [string, readonly Watcher[]])[]): Person[] {
    const byUser = new Map<string, Person>();
    for (const [topic, watchers] of presence) {
        for (const { connection_id: id, user_id: user, dialect, since } of watchers) {
            const key = user ?? 'anonymous';
            const person: Person = byUser.get(key) ?? { user, connections: new Map(), topics: [] };
            byUser.set(key, person);
            const before = person.connections.get(id);
            if (!before || since < before.since) person.connections.set(id, { dialect, since });
            if (!person.topics.includes(topic)) person.topics.push(topic);
        }
    }
    return [...byUser.values()].sort(
        (a, b) => Number(isNamed(b)) - Number(isNamed(a)) || nameOf(a).localeCompare(nameOf(b)),
    );
}

/** A topic may have ended between the list and the question. */
async function presenceOf(topics: readonly string[], aborted: AbortSignal): Promise<[string, Watcher[]][]> {
    const answers: [string, Watcher[]][] = [];
    const rest = [...topics.entries()];
    const turn = async () => {
        for (let next = rest.shift(); next; next = rest.shift()) {
            const [at, topic] = next;
            answers[at] = [topic, await askPresence(topic, aborted).catch(() => [])];
        }
    };
    await Promise.all(Array.from({ length: atOnce }, turn));
    return answers;
}

async function refresh(aborted: AbortSignal): Promise<number> {
    const begun = performance.now();
    try {
        const { topics } = await ask<{ topics: TopicSummary[] }>('api/v1/topics', { signal: aborted });
        const followed = topics
            .filter(({ subscribers }) => subscribers > 0)
            .sort((a, b) => b.subscribers - a.subscribers || (a.topic < b.topic ? -1 : 1));
        const looked = followed.slice(0, topicsMost).map(({ topic }) => topic);
        const presence = await presenceOf(looked, aborted);
        if (aborted.aborted) return 0;
        people.value = { list: groupPeople(presence), looked: looked.length, followed: followed.length };
        peopleTrouble.value = null;
        void learnNames(followed.slice(0, topicsMost));
        return pauseAfter(begun, interval);
    } catch (error) {
        if (aborted.aborted) return 0;
        peopleTrouble.value = troubleText(error);
        return failedInterval;
    }
}

/** Until the returned function is called. */
export function followPeople(): () => void {
    return poll(refresh);
}
