import type { BuildEvent } from './event.ts';

/** The newest live events, in bounds: where reading the history and the live tail meet. */
const countMost = 4_000;
const unitsMost = 4 * 1024 * 1024;

function sizeOf(event: BuildEvent): number {
    const output = event.data.output;
    return typeof output === 'string' ? output.length + 100 : 400;
}

export class Recent {
    #events: BuildEvent[] = [];
    #units = 0;
    #before = 0;

    /** Nothing is here; the next event is the one after this offset. */
    clear(offset: number): void {
        this.#events = [];
        this.#units = 0;
        this.#before = offset;
    }

    push(event: BuildEvent): void {
        this.#events.push(event);
        this.#units += sizeOf(event);
        if (this.#events.length <= countMost * 1.5 && this.#units <= unitsMost * 1.5) return;
        let from = 0;
        while (this.#events.length - from > countMost || (this.#units > unitsMost && from < this.#events.length - 1)) {
            this.#units -= sizeOf(this.#events[from++]!);
        }
        this.#before = this.#events[from - 1]!.offset!;
        this.#events = this.#events.slice(from);
    }

    /** All events after an offset; null: some of them are no longer here. */
    after(offset: number): readonly BuildEvent[] | null {
        if (offset < this.#before) return null;
        let low = 0;
        let high = this.#events.length;
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (this.#events[middle]!.offset! <= offset) low = middle + 1;
            else high = middle;
        }
        return this.#events.slice(low);
    }
}
