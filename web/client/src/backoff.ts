/** How long to wait before trying again, in milliseconds. */
export interface BackoffOptions {
    /** The bound of the first wait; it doubles with each further one. Default 250. */
    min?: number;
    /** No wait is longer, unless the server asks for it. Default 15 000. */
    max?: number;
}

/** Exponential back-off with full jitter: those who lost a server together do not come back together. */
export class Backoff {
    readonly #min: number;
    readonly #max: number;
    #tries = 0;

    constructor({ min = 250, max = 15000 }: BackoffOptions = {}) {
        this.#min = min;
        this.#max = max;
    }

    /** The next wait; at least what the server asked for. */
    next(atLeast = 0): number {
        const bound = Math.min(this.#max, this.#min * 2 ** this.#tries++);
        return atLeast + Math.random() * bound;
    }

    reset(): void {
        this.#tries = 0;
    }
}
