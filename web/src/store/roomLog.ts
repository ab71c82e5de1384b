import { signal } from '@preact/signals';
import { number, object, text } from './event.ts';

/* The newest events of a room, oldest first, in bounds; the view of them can be held still. */

const countMost = 5_000;
const unitsMost = 16 * 1024 * 1024;

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

export class RoomLog {
    all: RoomEvent[] = [];
    /** How many were let go of. */
    dropped = 0;
    readonly paused = signal(false);
    /** How many came since the view was held. */
    held = 0;
    #units = 0;
    #shown: RoomEvent[] | null = null;

    push(event: RoomEvent): void {
        this.all.push(event);
        this.#units += event.size;
        if (this.paused.peek()) this.held++;
        if (this.all.length > countMost * 1.2 || this.#units > unitsMost * 1.2) this.#trim();
    }

    /** What was there before the first that came, oldest first; none of them may be here already. */
    putBefore(events: readonly RoomEvent[]): void {
        for (const event of events) this.#units += event.size;
        this.all = [...events, ...this.all];
        if (this.#shown) this.#shown = [...events, ...this.#shown];
        this.#trim();
    }

    get shown(): readonly RoomEvent[] {
        return this.#shown ?? this.all;
    }

    pause(): void {
        this.#shown = this.all.slice();
        this.held = 0;
        this.paused.value = true;
    }

    goOn(): void {
        this.#shown = null;
        this.held = 0;
        this.paused.value = false;
    }

    clear(): void {
        this.dropped += this.all.length;
        this.all = [];
        this.#units = 0;
        if (this.#shown) this.#shown = [];
    }

    #trim(): void {
        let from = Math.max(0, this.all.length - countMost);
        for (let i = 0; i < from; i++) this.#units -= this.all[i]!.size;
        while (this.#units > unitsMost && from < this.all.length - 1) this.#units -= this.all[from++]!.size;
        this.dropped += from;
        this.all = this.all.slice(from);
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
