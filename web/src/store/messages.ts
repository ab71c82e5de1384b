import { signal } from '@preact/signals';

/* The raw messages of the connection, as they went over the wire: the newest ones, in bounds. */

export interface RawMessage {
    readonly number: number;
    readonly direction: 'in' | 'out';
    readonly text: string;
    readonly time: number;
    readonly type: string;
}

const countMost = 5_000;
const unitsMost = 8 * 1024 * 1024;

/** The type without parsing all of a message that may be large: it stands first in what the server writes. */
export function typeOf(text: string): string {
    const match = /^\s*\{\s*"type"\s*:\s*"([^"\\]*)"/.exec(text.length > 300 ? text.slice(0, 300) : text);
    if (match) return match[1]!;
    try {
        const { type } = JSON.parse(text) as { type?: unknown };
        return typeof type === 'string' ? type : 'message';
    } catch {
        return 'text';
    }
}

export class Messages {
    /** Oldest first. */
    all: RawMessage[] = [];
    /** How many there were before the first of these. */
    dropped = 0;
    readonly paused = signal(false);
    /** How many came since the view was paused. */
    held = 0;
    #units = 0;
    #shown: RawMessage[] | null = null;

    push(direction: 'in' | 'out', text: string, time: number): void {
        const previous = this.all.at(-1);
        const number = (previous?.number ?? this.dropped) + 1;
        this.all.push({ number, direction, text, time, type: typeOf(text) });
        this.#units += text.length;
        if (this.paused.peek()) this.held++;
        if (this.all.length > countMost * 1.2 || this.#units > unitsMost * 1.2) this.#trim();
    }

    /** What the view shows: what there was when it was paused, or what there is. */
    get shown(): readonly RawMessage[] {
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
        this.dropped = this.all.at(-1)?.number ?? this.dropped;
        this.all = [];
        this.#units = 0;
        if (this.#shown) this.#shown = [];
    }

    #trim(): void {
        let from = Math.max(0, this.all.length - countMost);
        for (let i = 0; i < from; i++) this.#units -= this.all[i]!.text.length;
        while (this.#units > unitsMost && from < this.all.length - 1) this.#units -= this.all[from++]!.text.length;
        this.dropped = this.all[from]!.number - 1;
        this.all = this.all.slice(from);
    }
}

export interface MessageFilter {
    search: string;
    direction: 'both' | 'in' | 'out';
    /** '': all. */
    type: string;
}

export function filterMessages(messages: readonly RawMessage[], { search, direction, type }: MessageFilter): RawMessage[] {
    const wanted = search.toLowerCase();
    const found: RawMessage[] = [];
    // Newest first: that is what one looks for.
    for (let i = messages.length - 1; i >= 0; i--) {
        const message = messages[i]!;
        if (direction !== 'both' && message.direction !== direction) continue;
        if (type && message.type !== type) continue;
        if (wanted && !message.text.toLowerCase().includes(wanted)) continue;
        found.push(message);
    }
    return found;
}
