// What the server answers to a batch of events.
import { EventRefused, Unreachable } from './errors.js';
import type { Receipt } from './spool.js';

/** A pause that the server asked for without saying how long, in milliseconds. */
const later = 1000;

export interface Refusal {
    readonly error: EventRefused;
    /** It is about the moment, not about the event. */
    readonly passing: boolean;
}

export interface Answers {
    /** By line, from 1. */
    readonly refusals: ReadonlyMap<number, Refusal>;
    /** Of each line, when they were asked for. */
    readonly receipts: readonly (Receipt | undefined)[];
    /** Milliseconds to wait, when something is to be sent again. */
    readonly pause: number;
}

interface Place {
    topic: string;
    offset?: number;
    epoch: string;
    time: string;
    duplicate?: boolean;
}

interface Failure {
    status?: number;
    code?: string;
    message?: string;
    field?: string;
    retry_after?: number;
}

type Line = Place & { results?: Place[]; error?: Failure; line?: number };

function readReceipt(places: readonly Place[]): Receipt {
    const [first, ...others] = places.map(({ topic, offset, epoch, time, duplicate = false }): Receipt =>
        ({ topic, epoch, time, duplicate, others: [], ...(offset === undefined ? {} : { offset }) }));
    return { ...first!, others };
}

function readRefusal(error: Failure): Refusal {
    const status = error.status ?? 422;
    return {
        error: new EventRefused(error.message ?? JSON.stringify(error), error.field, status, error.code),
        passing: status === 429 || status === 503,
    };
}

/**
 * Reads the answer to count lines; each: every line was to be answered. Throws Unreachable when the
 * answer is not whole, after which nothing is known.
 */
export function readAnswers(body: string, count: number, each: boolean): Answers {
    const refusals = new Map<number, Refusal>();
    const receipts: (Receipt | undefined)[] = [];
    let pause = 0;
    let lines: Line[];
    let sum: { published: number; failed: number };
    try {
        lines = body.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Line);
        sum = lines.pop() as unknown as typeof sum;
        for (const answer of lines) {
            if (!answer.error) {
                receipts.push(readReceipt(answer.results ?? [answer]));
                continue;
            }
            const refusal = readRefusal(answer.error);
            receipts.push(undefined);
            refusals.set(Number(answer.line), refusal);
            const wanted = answer.error.retry_after;
            if (refusal.passing) pause = Math.max(pause, wanted === undefined ? later : wanted * 1000);
        }
    } catch {
        throw new Unreachable("the answer broke off or is not this server's", 0, true);
    }
    const strange = [...refusals.keys()].some((line) => !(line >= 1 && line <= count));
    if (sum?.published + sum?.failed !== count || strange || (each && receipts.length !== count)) {
        throw new Unreachable('the answer is not about the events that were sent', 0, true);
    }
    return { refusals, receipts: each ? receipts : [], pause };
}
