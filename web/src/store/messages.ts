import { signal } from '@preact/signals';
import { type RawMessage, typeOf } from './messageFilter.ts';

/* The raw messages of the connection, as they went over the wire: the newest ones, in bounds. */

const countMost = 5_000;
const unitsMost = 8 * 1024 * 1024;

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
