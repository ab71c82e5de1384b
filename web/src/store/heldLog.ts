import { signal } from '@preact/signals';

export interface LogBounds<T> {
    /** How many are kept. */
    readonly count: number;
    /** How large they may be together, in units of UTF-16. */
    readonly units: number;
    readonly sizeOf: (entry: T) => number;
}

/** The newest entries of something, oldest first, in bounds; the view of them can be held still. */
export class HeldLog<T> {
    all: T[] = [];
    /** How many were let go of. */
    dropped = 0;
    readonly paused = signal(false);
    /** How many came since the view was held. */
    held = 0;
    #units = 0;
    #shown: T[] | null = null;
    readonly #bounds: LogBounds<T>;

    constructor(bounds: LogBounds<T>) {
        this.#bounds = bounds;
    }

    push(entry: T): void {
        const { count, units, sizeOf } = this.#bounds;
        this.all.push(entry);
        this.#units += sizeOf(entry);
        if (this.paused.peek()) this.held++;
        if (this.all.length > count * 1.2 || this.#units > units * 1.2) this.#trim();
    }

    /** What was there before the first that came, oldest first; none of them may be here already. */
    putBefore(entries: readonly T[]): void {
        for (const entry of entries) this.#units += this.#bounds.sizeOf(entry);
        this.all = [...entries, ...this.all];
        if (this.#shown) this.#shown = [...entries, ...this.#shown];
        this.#trim();
    }

    /** What the view shows: what there was when it was held, or what there is. */
    get shown(): readonly T[] {
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
        const { count, units, sizeOf } = this.#bounds;
        let from = Math.max(0, this.all.length - count);
        for (let i = 0; i < from; i++) this.#units -= sizeOf(this.all[i]!);
        while (this.#units > units && from < this.all.length - 1) this.#units -= sizeOf(this.all[from++]!);
        this.dropped += from;
        this.all = this.all.slice(from);
    }
}
