/*
 * Finds a text in every line, in slices of time. What can change no more is searched once; the live
 * lines again after each change, so their matches stand apart.
 */
import { SLICE, soon } from './schedule.ts';
import type { Transcript } from './transcript.ts';

export interface Query {
    readonly text: string;
    readonly matchCase: boolean;
    readonly regex: boolean;
}

export interface Found {
    readonly line: number;
    readonly from: number;
    readonly to: number;
}

/** More matches than this help nobody, and would take more memory than the lines. */
export const MOST_MATCHES = 1_000_000;

/** The pattern of a query; a sentence that says what is wrong with it; undefined when it is empty. */
export function patternOf(query: Query): RegExp | string | undefined {
    if (query.text === '') return undefined;
    const source = query.regex ? query.text : query.text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    try {
        return new RegExp(source, `g${query.matchCase ? '' : 'i'}${query.regex ? 'u' : ''}`);
    } catch (error) {
        return error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : String(error);
    }
}

export class Search {
    readonly #transcript: Transcript;
    readonly #changed: () => void;
    #pattern: RegExp | undefined;
    #problem: string | undefined;
    /** Triples of line, from, to. */
    #settled = new Uint32Array(3072);
    #count = 0;
    #live: Found[] = [];
    #liveVersion = -1;
    #next = 0;
    #generation = -1;
    #working = false;
    #serial = 0;

    /** `changed` is called when there are more matches. */
    constructor(transcript: Transcript, changed: () => void) {
        this.#transcript = transcript;
        this.#changed = changed;
    }

    start(query: Query): void {
        const pattern = patternOf(query);
        this.#pattern = typeof pattern === 'string' ? undefined : pattern;
        this.#problem = typeof pattern === 'string' ? pattern : undefined;
        this.#restart();
        this.update();
    }

    #restart(): void {
        this.#generation = this.#transcript.generation;
        this.#serial++;
        this.#working = false;
        this.#count = 0;
        this.#live = [];
        this.#liveVersion = -1;
        this.#next = this.#transcript.first;
    }

    /** What is wrong with the query, undefined if nothing is. */
    get problem(): string | undefined {
        return this.#problem;
    }

    get active(): boolean {
        return this.#pattern !== undefined;
    }

    /** Whether all lines have been searched. */
    get complete(): boolean {
        return !this.#pattern || this.#next >= this.#transcript.settledLines || this.#count >= MOST_MATCHES;
    }

    get count(): number {
        return this.#count + this.#live.length;
    }

    at(index: number): Found | undefined {
        if (index >= this.#count) return this.#live[index - this.#count];
        const [line, from, to] = this.#settled.subarray(3 * index, 3 * index + 3);
        return line === undefined ? undefined : { line, from: from!, to: to! };
    }

    /** Takes in new lines. */
    update(): void {
        if (this.#generation !== this.#transcript.generation) this.#restart();
        if (!this.#pattern) return;
        if (!this.complete && !this.#working) {
            this.#working = true;
            const serial = this.#serial;
            soon(() => this.#work(serial));
        }
        if (this.#liveVersion === this.#transcript.version) return;
        this.#liveVersion = this.#transcript.version;
        this.#live = [];
        for (let line = Math.max(this.#next, this.#transcript.settledLines); line < this.#transcript.lines; line++)
            this.#find(line, (from, to) => this.#live.push({ line, from, to }));
    }

    #work(serial: number): void {
        if (serial !== this.#serial) return; // another search has begun
        this.#working = false;
        const until = performance.now() + SLICE;
        this.#next = Math.max(this.#next, this.#transcript.first);
        while (!this.complete) {
            const line = this.#next++;
            this.#find(line, (from, to) => this.#add(line, from, to));
            if (line % 64 === 0 && performance.now() > until) break;
        }
        this.#changed();
        this.update();
    }

    #find(line: number, found: (from: number, to: number) => void): void {
        const text = this.#transcript.text(line);
        const pattern = this.#pattern!;
        pattern.lastIndex = 0;
        for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
            if (match[0] === '') pattern.lastIndex++;
            else found(match.index, match.index + match[0].length);
        }
    }

    #add(line: number, from: number, to: number): void {
        if (3 * this.#count + 3 > this.#settled.length) {
            const larger = new Uint32Array(2 * this.#settled.length);
            larger.set(this.#settled);
            this.#settled = larger;
        }
        this.#settled.set([line, from, to], 3 * this.#count++);
    }

    /** The first match in this line or after it; `count` when there is none. */
    firstFrom(line: number): number {
        let [low, high] = [0, this.#count];
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (this.#settled[3 * middle]! < line) low = middle + 1;
            else high = middle;
        }
        if (low < this.#count) return low;
        const live = this.#live.findIndex((each) => each.line >= line);
        return live < 0 ? this.count : this.#count + live;
    }

    /** Those of one line, in order, with the number of the first. */
    inLine(line: number): { readonly first: number; readonly found: readonly Found[] } {
        const first = this.firstFrom(line);
        const found: Found[] = [];
        for (let i = first; i < this.count; i++) {
            const match = this.at(i)!;
            if (match.line !== line || found.length > 1000) break;
            found.push(match);
        }
        return { first, found };
    }
}
