// The events that wait to be acknowledged, in order and bounded.
import type { FanfareError } from './errors.js';

/** What an entry takes besides its line, about: the object, its place in the queue. */
export const entryCost = 200;

/** Where an acknowledged event stands. */
export interface Receipt {
    readonly topic: string;
    /** In its topic; left out for an ephemeral event. */
    readonly offset?: number;
    readonly epoch: string;
    readonly time: string;
    /** The id was known: this is the first one's place, and nothing was published. */
    readonly duplicate: boolean;
    /** The places in the second topic and after. */
    readonly others: readonly Receipt[];
}

/**
 * What a waiter hears: the receipt, why there will be none, or undefined: not known yet, the event
 * stays in the spool and is sent when the server can be reached.
 */
export type Outcome = Receipt | FanfareError | undefined;

/** One event in the spool. */
export class Entry {
    number = 0;
    readonly cost: number;
    #waiter: ((outcome: Outcome) => void) | undefined;

    constructor(readonly line: string, readonly label: string, waiter: (outcome: Outcome) => void) {
        // A line's bytes are not known before it is sent; most are ASCII.
        this.cost = line.length + entryCost;
        this.#waiter = waiter;
    }

    get isAwaited(): boolean {
        return this.#waiter !== undefined;
    }

    /** Tells who waits, unless somebody has. */
    settle(outcome: Outcome): void {
        const waiter = this.#waiter;
        this.#waiter = undefined;
        waiter?.(outcome);
    }
}

/** Entries in the order in which they were accepted: those on their way, then the rest. */
export class Spool {
    bytes = 0;
    /** Also the number of the last entry. */
    accepted = 0;
    #unsent: Entry[] = [];
    #first = 0; // of #unsent: what is before it has been taken
    #inFlight: Entry[] = [];

    constructor(readonly limit: number) {}

    get count(): number {
        return this.#unsent.length - this.#first + this.#inFlight.length;
    }

    get inFlight(): number {
        return this.#inFlight.length;
    }

    get hasUnsent(): boolean {
        return this.#first < this.#unsent.length;
    }

    fits(cost: number): boolean {
        return this.bytes + cost <= this.limit;
    }

    add(entry: Entry): void {
        entry.number = ++this.accepted;
        this.bytes += entry.cost;
        this.#unsent.push(entry);
    }

    #shift(): Entry | undefined {
        const entry = this.#unsent[this.#first];
        if (entry === undefined) return undefined;
        this.#first++;
        if (this.#first > 1024 && this.#first * 2 > this.#unsent.length) {
            this.#unsent.splice(0, this.#first);
            this.#first = 0;
        }
        return entry;
    }

    /** Removes the oldest entry that is not on its way; undefined when all are. */
    dropOldest(): Entry | undefined {
        const entry = this.#shift();
        if (entry) this.bytes -= entry.cost;
        return entry;
    }

    /** Sends the oldest entries on their way: at least one, when there is any. */
    take(most: number, mostCost: number): Entry[] {
        const batch: Entry[] = [];
        let cost = 0;
        while (this.hasUnsent && batch.length < most) {
            cost += this.#unsent[this.#first]!.cost;
            if (batch.length > 0 && cost > mostCost) break;
            batch.push(this.#shift()!);
        }
        this.#inFlight = batch;
        return batch;
    }

    /** What was on its way is done, except for some that go back to the front. */
    arrived(again: readonly Entry[]): void {
        for (const entry of this.#inFlight) this.bytes -= entry.cost;
        for (const entry of again) this.bytes += entry.cost;
        this.#inFlight = [];
        if (again.length > 0) {
            this.#unsent = [...again, ...this.#unsent.slice(this.#first)];
            this.#first = 0;
        }
    }

    /** Nothing is known of what was on its way: it is sent once more. */
    putBack(): void {
        this.arrived(this.#inFlight);
    }

    /**
     * Puts back what was on its way, and removes all entries whose waiters are to be told that they
     * will not be sent.
     */
    withdrawAwaited(): Entry[] {
        this.putBack();
        const all = this.#unsent.slice(this.#first);
        const awaited = all.filter((entry) => entry.isAwaited);
        this.#unsent = all.filter((entry) => !entry.isAwaited);
        this.#first = 0;
        for (const entry of awaited) this.bytes -= entry.cost;
        return awaited;
    }

    /** The number of the oldest entry; one more than the last when there is none. */
    oldest(): number {
        return (this.#inFlight[0] ?? this.#unsent[this.#first])?.number ?? this.accepted + 1;
    }

    all(): Entry[] {
        return [...this.#inFlight, ...this.#unsent.slice(this.#first)];
    }

    clear(): void {
        this.bytes = 0;
        this.#unsent = [];
        this.#first = 0;
        this.#inFlight = [];
    }
}
