/* How many came in each of the last seconds. */

const second = 1000;

export class RateMeter {
    readonly #length: number;
    #counts: number[] = [];
    /** The second that the last count is of. */
    #newest = 0;

    /** length: of how many seconds. */
    constructor(length = 60) {
        this.#length = length;
    }

    count(now: number): void {
        this.#roll(now);
        this.#counts[this.#counts.length - 1]!++;
    }

    /** By second, oldest first; the last one is not over yet. */
    bars(now: number): readonly number[] {
        this.#roll(now);
        return this.#counts;
    }

    /** Per second, over the last seconds that are over. */
    perSecond(now: number, seconds = 5): number {
        const whole = this.bars(now).slice(-1 - seconds, -1);
        return whole.reduce((sum, each) => sum + each, 0) / seconds;
    }

    #roll(now: number): void {
        const at = Math.floor(now / second);
        const steps = this.#counts.length ? Math.min(Math.max(at - this.#newest, 0), this.#length) : this.#length;
        for (let i = 0; i < steps; i++) this.#counts.push(0);
        if (this.#counts.length > this.#length) this.#counts.splice(0, this.#counts.length - this.#length);
        this.#newest = Math.max(at, this.#newest);
    }
}
