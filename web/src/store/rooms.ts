import { computed, signal } from '@preact/signals';
import { matches } from './arrange.ts';
import { learnNames, names } from './names.ts';
import { partsOf } from './parts.ts';
import { pauseAfter, poll, troubleText } from './poll.ts';
import { ask } from './server.ts';

/* The list of rooms, that is, of all topics but sessions, asked for again while someone looks at it. */

export interface TopicSummary {
    topic: string;
    subscribers: number;
    /** How many events there were. */
    offset: number;
    /** Events per second, smoothed. */
    rate: number;
}

export const roomKinds = ['global', 'project', 'agent', 'user', 'channel'] as const;
export type RoomKind = (typeof roomKinds)[number];

const interval = 2_000;
const failedInterval = 4_000;
const samplesMost = 40;

const isRoom = ({ topic }: TopicSummary) => (roomKinds as readonly string[]).includes(partsOf(topic).kind);

/** null: not known yet. */
export const rooms = signal<TopicSummary[] | null>(null);
/** Why the list could not be had; null: it could. */
export const roomsTrouble = signal<string | null>(null);
export const roomSearch = signal('');
export const roomFilter = signal<RoomKind | 'all'>('all');
export type RoomOrder = 'kind' | 'busiest' | 'people' | 'events';
export const roomOrder = signal<RoomOrder>('kind');

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const rankOf = ({ topic }: TopicSummary) => roomKinds.indexOf(partsOf(topic).kind as RoomKind);
const byKind = (a: TopicSummary, b: TopicSummary) => rankOf(a) - rankOf(b) || collator.compare(a.topic, b.topic);

const orders: Record<RoomOrder, (a: TopicSummary, b: TopicSummary) => number> = {
    kind: byKind,
    busiest: (a, b) => b.rate - a.rate || byKind(a, b),
    people: (a, b) => b.subscribers - a.subscribers || byKind(a, b),
    events: (a, b) => b.offset - a.offset || byKind(a, b),
};

export const shownRooms = computed(() =>
    (rooms.value ?? [])
        .filter(
            ({ topic }) =>
                (roomFilter.value === 'all' || partsOf(topic).kind === roomFilter.value) &&
                matches(`${topic} ${names.value.get(topic) ?? ''}`, roomSearch.value),
        )
        .sort(orders[roomOrder.value]),
);

export const kindCounts = computed(() => {
    const counts: Record<string, number> = { all: 0 };
    for (const { topic } of rooms.value ?? []) {
        const { kind } = partsOf(topic);
        counts.all!++;
        counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
});

/** Of the whole server. null: not known yet. */
export const stats = signal<{ connections: number; events_per_second: number } | null>(null);

let rates = new Map<string, readonly number[]>();

/** The rates of the last minute or so, oldest first. */
export function ratesOf(topic: string): readonly number[] {
    return rates.get(topic) ?? [];
}

function remember(list: readonly TopicSummary[]): void {
    const next = new Map<string, readonly number[]>();
    for (const { topic, rate } of list) next.set(topic, [...ratesOf(topic), rate].slice(-samplesMost));
    rates = next;
}

async function refresh(aborted: AbortSignal): Promise<number> {
    const begun = performance.now();
    try {
        const [{ topics }, counted] = await Promise.all([
            ask<{ topics: TopicSummary[] }>('api/v1/topics', { signal: aborted }),
            ask<NonNullable<typeof stats.value>>('api/v1/websocket/stats', { signal: aborted }),
        ]);
        const list = topics.filter(isRoom);
        stats.value = counted;
        remember(list);
        rooms.value = list;
        void learnNames(shownRooms.peek());
        roomsTrouble.value = null;
        return pauseAfter(begun, interval);
    } catch (error) {
        if (aborted.aborted) return 0;
        roomsTrouble.value = troubleText(error);
        return failedInterval;
    }
}

/** Until the returned function is called. */
export function followRooms(): () => void {
    return poll(refresh);
}
