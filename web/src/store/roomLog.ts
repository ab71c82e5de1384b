import { number, object, text } from './event.ts';
import { HeldLog } from './heldLog.ts';

/* The newest events of a room. */

export interface RoomEvent {
    /** Counts what came to this page; what was there before has numbers below 0. */
    readonly number: number;
    readonly type: string;
    /** ms since 1970. */
    readonly time: number;
    readonly source: string | null;
    readonly data: Record<string, unknown>;
    /** null: ephemeral. */
    readonly offset: number | null;
    readonly id: string | null;
    /** How large it is, in units of UTF-16. */
    readonly size: number;
}

/** size: of its text, where that is known. */
export function roomEvent(event: object, numbered: number, size?: number): RoomEvent {
    const { type, time, source, data, offset, id } = event as Record<string, unknown>;
    return {
        number: numbered,
        type: text(type) ?? '',
        time: Date.parse(text(time) ?? ''),
        source: text(source),
        data: object(data) ?? {},
        offset: number(offset),
        id: text(id),
        size: size ?? JSON.stringify(data ?? null).length,
    };
}

export class RoomLog extends HeldLog<RoomEvent> {
    constructor() {
        super({ count: 5_000, units: 16 * 1024 * 1024, sizeOf: ({ size }) => size });
    }
}

export interface RoomFilter {
    search: string;
    /** '': all. */
    type: string;
}

/** Newest first. Several words: all of them, anywhere in the event. */
export function filterEvents(events: readonly RoomEvent[], { search, type }: RoomFilter): RoomEvent[] {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const found: RoomEvent[] = [];
    for (let i = events.length - 1; i >= 0; i--) {
        const event = events[i]!;
        if (type && event.type !== type) continue;
        if (words.length) {
            const where = `${event.type} ${event.source ?? ''} ${JSON.stringify(event.data)}`.toLowerCase();
            if (!words.every((word) => where.includes(word))) continue;
        }
        found.push(event);
    }
    return found;
}
