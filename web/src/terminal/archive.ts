/*
 * The lines that no program can change any more, kept compactly: half a million of them in some
 * tens of megabytes. Lines live in blocks; a sealed block is one string and a few typed arrays.
 * Line numbers only grow: when the archive is full, its oldest blocks go and `first` moves up.
 */

export const BLOCK_LINES = 512;

export const LineFlag = {
    stderr: 1,
    warning: 2,
    error: 4,
    /** A line of the transcript's own: the header of a run. */
    run: 8,
    /** A line of the transcript's own: a remark. */
    notice: 16,
    /** It closes a group and shows nothing. */
    hidden: 32,
    /** It goes on where the line before it, too long for one, was cut. */
    continued: 64,
    /** It is the header of a group. */
    header: 128,
} as const;

/** What is known of a line beside its text. */
export interface LineFacts {
    /** The event in which it began, and the line feeds of that event before it. */
    offset: number;
    number: number;
    /** Milliseconds since 1970, NaN when unknown. */
    time: number;
    flags: number;
    /** The innermost group it is in, -1 for none. */
    group: number;
    /** In cells: a wide character counts 2. */
    width: number;
}

class Block {
    text = '';
    texts: string[] | undefined = [];
    runs: Uint32Array | number[] = [];
    count = 0;
    readonly textEnds = new Uint32Array(BLOCK_LINES);
    readonly runEnds = new Uint32Array(BLOCK_LINES);
    readonly offsets = new Float64Array(BLOCK_LINES);
    readonly numbers = new Uint32Array(BLOCK_LINES);
    readonly times = new Float64Array(BLOCK_LINES);
    readonly flags = new Uint8Array(BLOCK_LINES);
    readonly groups = new Int32Array(BLOCK_LINES);
    readonly widths = new Uint32Array(BLOCK_LINES);

    get characters(): number {
        return this.count ? this.textEnds[this.count - 1]! : 0;
    }

    append(text: string, runs: ArrayLike<number>, facts: LineFacts): void {
        const i = this.count++;
        this.texts!.push(text);
        this.textEnds[i] = (i ? this.textEnds[i - 1]! : 0) + text.length;
        const all = this.runs as number[];
        for (let r = 0; r < runs.length; r++) all.push(runs[r]!);
        this.runEnds[i] = all.length;
        this.offsets[i] = facts.offset;
        this.numbers[i] = facts.number;
        this.times[i] = facts.time;
        this.flags[i] = facts.flags;
        this.groups[i] = facts.group;
        this.widths[i] = facts.width;
        if (this.count === BLOCK_LINES) this.#seal();
    }

    /** join makes one flat string, where concatenation would keep a tree of all the parts. */
    #seal(): void {
        this.text = this.texts!.join('');
        this.texts = undefined;
        this.runs = Uint32Array.from(this.runs);
    }

    line(i: number): string {
        return this.texts ? this.texts[i]! : this.text.slice(i ? this.textEnds[i - 1]! : 0, this.textEnds[i]!);
    }

    lineRuns(i: number): ArrayLike<number> {
        const from = i ? this.runEnds[i - 1]! : 0;
        return this.runs.slice(from, this.runEnds[i]!);
    }
}

export interface ArchiveLimits {
    /** Both are exceeded by at most one block. */
    readonly lines: number;
    readonly characters: number;
}

export class Archive {
    readonly #limits: ArchiveLimits;
    #blocks: Block[] = [];
    #first = 0;
    #end = 0;
    #characters = 0;

    constructor(limits: ArchiveLimits) {
        this.#limits = limits;
    }

    /** The oldest line that is still here. */
    get first(): number {
        return this.#first;
    }

    /** The line after the newest. */
    get end(): number {
        return this.#end;
    }

    /** `runs` are pairs: the character from which on, the style. Without any, all is plain. */
    append(text: string, runs: ArrayLike<number>, facts: LineFacts): void {
        let block = this.#blocks.at(-1);
        if (!block || block.count === BLOCK_LINES) {
            block = new Block();
            this.#blocks.push(block);
        }
        block.append(text, runs, facts);
        this.#end++;
        this.#characters += text.length;
        if (this.#end - this.#first > this.#limits.lines || this.#characters > this.#limits.characters)
            this.#dropOldest();
    }

    #dropOldest(): void {
        if (this.#blocks.length < 2) return;
        const block = this.#blocks.shift()!;
        this.#first += block.count;
        this.#characters -= block.characters;
    }

    text(index: number): string {
        return this.#at(index).line(index % BLOCK_LINES);
    }

    runs(index: number): ArrayLike<number> {
        return this.#at(index).lineRuns(index % BLOCK_LINES);
    }

    facts(index: number): LineFacts {
        const block = this.#at(index);
        const i = index % BLOCK_LINES;
        return {
            offset: block.offsets[i]!, number: block.numbers[i]!, time: block.times[i]!,
            flags: block.flags[i]!, group: block.groups[i]!, width: block.widths[i]!,
        };
    }

    flags(index: number): number {
        return this.#at(index).flags[index % BLOCK_LINES]!;
    }

    group(index: number): number {
        return this.#at(index).groups[index % BLOCK_LINES]!;
    }

    width(index: number): number {
        return this.#at(index).widths[index % BLOCK_LINES]!;
    }

    /** The last line that began at this place of the log or before it; -1 when all are newer. */
    lastAtOrBefore(offset: number, number: number): number {
        let low = this.#first;
        let high = this.#end;
        while (low < high) {
            const middle = (low + high) >>> 1;
            const block = this.#at(middle);
            const i = middle % BLOCK_LINES;
            const its = block.offsets[i]!;
            if (its < offset || (its === offset && block.numbers[i]! <= number)) low = middle + 1;
            else high = middle;
        }
        return low === this.#first ? -1 : low - 1;
    }

    /* Blocks are full but for the last, and dropped whole: the position follows from the number. */
    #at(index: number): Block {
        return this.#blocks[Math.floor(index / BLOCK_LINES) - this.#first / BLOCK_LINES]!;
    }

    clear(): void {
        this.#blocks = [];
        this.#first = this.#end = this.#characters = 0;
    }
}
