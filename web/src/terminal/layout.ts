/*
 * Which lines are shown, and where: lines to rows of equal height and back. A folded group hides
 * lines, the view of errors shows only some, and wrapping gives a long line several rows; since a
 * terminal's characters are all as wide, that number is known without drawing anything.
 *
 * Lines that can change no more are summed up in blocks, so that a row is found without visiting
 * every line; the few live lines are looked at each time.
 */
import { LineFlag } from './archive.ts';
import type { Group } from './outline.ts';
import type { Transcript } from './transcript.ts';

const BLOCK = 512;

export interface LayoutOptions {
    /** Columns after which a line goes on in the next row; 0 to leave lines whole. */
    readonly wrapAt: number;
    /** Only errors, warnings and what was written to stderr, with this many lines around each. */
    readonly problems: { readonly context: number } | undefined;
}

/** A row of the view: a line, or the part of a wrapped one that starts at this column. */
export interface Row {
    readonly line: number;
    readonly part: number;
}

export class Layout {
    readonly #transcript: Transcript;
    #options: LayoutOptions = { wrapAt: 0, problems: undefined };
    readonly #folds = new Map<number, boolean>();
    /** By group: whether what is directly in it is shown. */
    #inside: boolean[] = [];
    /** Groups whose headers can change no more. */
    #settledGroups = 0;
    /** Rows of each block of settled lines; the last may grow. */
    #sums: number[] = [];
    #firstBlock = 0;
    #counted = 0;
    #generation = -1;
    #liveRows: number[] = [];
    #liveStart = 0;
    /** In the view of problems: settled lines that are shown. */
    #shown = new Uint8Array(0);
    #reached = 0;

    constructor(transcript: Transcript) {
        this.#transcript = transcript;
    }

    get options(): LayoutOptions {
        return this.#options;
    }

    configure(options: LayoutOptions): void {
        const same = options.wrapAt === this.#options.wrapAt && options.problems?.context === this.#options.problems?.context;
        if (same) return;
        this.#options = options;
        this.#restart();
    }

    isFolded(group: Group): boolean {
        return this.#folds.get(group.id) ?? group.collapsed;
    }

    fold(id: number, folded: boolean): void {
        this.#folds.set(id, folded);
        this.#restart();
    }

    foldAll(folded: boolean): void {
        for (const { id } of this.#transcript.groups) this.#folds.set(id, folded);
        this.#restart();
    }

    /** Unfolds whatever hides the line. */
    reveal(line: number): void {
        const { groups } = this.#transcript;
        let changed = false;
        for (let id = this.#transcript.group(line); id >= 0; id = groups[id]!.parent) {
            if (!this.isFolded(groups[id]!)) continue;
            this.#folds.set(id, false);
            changed = true;
        }
        if (changed) this.#restart();
    }

    #restart(): void {
        this.#sums = [];
        this.#inside = [];
        this.#settledGroups = 0;
        this.#firstBlock = Math.floor(this.#transcript.first / BLOCK);
        this.#counted = this.#firstBlock * BLOCK;
        this.#shown = new Uint8Array(0);
        this.#reached = this.#counted;
    }

    /** Takes in what the transcript has become. Call before the rest. */
    update(): void {
        const transcript = this.#transcript;
        if (transcript.generation !== this.#generation) {
            this.#generation = transcript.generation;
            this.#folds.clear();
            this.#restart();
        }
        this.#updateGroups();
        this.#dropTrimmed();
        if (this.#options.problems) this.#markProblems(this.#options.problems.context);
        const end = transcript.settledLines;
        for (; this.#counted < end; this.#counted++) this.#add(this.#counted, this.#rowsOf(this.#counted));
        this.#liveStart = end;
        this.#liveRows = [];
        for (let line = end; line < transcript.lines; line++) this.#liveRows.push(this.#rowsOf(line));
    }

    /* Groups of live lines may have become others under the same numbers. */
    #updateGroups(): void {
        const { groups, settledLines } = this.#transcript;
        this.#inside.length = Math.min(this.#inside.length, this.#settledGroups, groups.length);
        for (let id = this.#inside.length; id < groups.length; id++) {
            const group = groups[id]!;
            this.#inside[id] = !this.isFolded(group) && (group.parent < 0 || this.#inside[group.parent]!);
        }
        while (this.#settledGroups < groups.length && groups[this.#settledGroups]!.header < settledLines) this.#settledGroups++;
    }

    #dropTrimmed(): void {
        const first = Math.floor(this.#transcript.first / BLOCK);
        if (first <= this.#firstBlock) return;
        this.#sums.splice(0, first - this.#firstBlock);
        this.#firstBlock = first;
        this.#counted = Math.max(this.#counted, first * BLOCK);
    }

    #add(line: number, rows: number): void {
        const block = Math.floor(line / BLOCK) - this.#firstBlock;
        this.#sums[block] = (this.#sums[block] ?? 0) + rows;
    }

    /* A problem shows the lines around it, of which those before are counted already. */
    #markProblems(context: number): void {
        const transcript = this.#transcript;
        const end = transcript.lines;
        if (this.#shown.length < end + context) {
            const larger = new Uint8Array(2 * end + context + BLOCK);
            larger.set(this.#shown);
            this.#shown = larger;
        }
        for (let line = Math.max(this.#reached, transcript.first); line < end; line++) {
            if (!isProblem(transcript.flags(line))) continue;
            const from = Math.max(line - context, transcript.first);
            for (let near = from; near <= line + context; near++) {
                if (this.#shown[near]) continue;
                this.#shown[near] = 1;
                if (near < this.#counted) this.#add(near, this.#rowsOf(near));
            }
        }
        // Live lines may turn out to be none: they are looked at again.
        this.#reached = transcript.settledLines;
    }

    #rowsOf(line: number): number {
        const transcript = this.#transcript;
        const { wrapAt, problems } = this.#options;
        const flags = transcript.flags(line);
        if (flags & LineFlag.hidden) return 0;
        if (problems) {
            if (!this.#shown[line]) return 0;
        } else {
            const group = transcript.group(line);
            if (group >= 0 && !this.#inside[group]) return 0;
        }
        return wrapAt > 0 && !(flags & (LineFlag.header | LineFlag.notice)) ? Math.max(1, Math.ceil(transcript.width(line) / wrapAt)) : 1;
    }

    /** All rows. */
    get rows(): number {
        let rows = 0;
        for (const each of this.#sums) rows += each ?? 0;
        for (const each of this.#liveRows) rows += each;
        return rows;
    }

    /** The first row of a line; for a hidden line, of the next one that is shown. */
    rowOf(line: number): number {
        let rows = 0;
        const settled = Math.min(line, this.#liveStart);
        const block = Math.floor(settled / BLOCK) - this.#firstBlock;
        for (let i = 0; i < block; i++) rows += this.#sums[i] ?? 0;
        const start = Math.max((block + this.#firstBlock) * BLOCK, this.#transcript.first);
        for (let each = start; each < settled; each++) rows += this.#rowsOf(each);
        for (let each = this.#liveStart; each < line; each++) rows += this.#liveRows[each - this.#liveStart] ?? 0;
        return rows;
    }

    isShown(line: number): boolean {
        return line >= this.#transcript.first && line < this.#transcript.lines && this.#rowsOf(line) > 0;
    }

    /** The rows from..to-1, in order. */
    slice(from: number, to: number): Row[] {
        const found: Row[] = [];
        let row = 0;
        let block = 0;
        while (block < this.#sums.length && row + (this.#sums[block] ?? 0) <= from) row += this.#sums[block++] ?? 0;
        let line = Math.max((this.#firstBlock + block) * BLOCK, this.#transcript.first);
        if (block >= this.#sums.length) line = this.#liveStart;
        for (const end = this.#liveStart + this.#liveRows.length; line < end && row < to; line++) {
            const rows = this.#rowsOf(line);
            for (let part = 0; part < rows && row + part < to; part++)
                if (row + part >= from) found.push({ line, part });
            row += rows;
        }
        return found;
    }
}

export function isProblem(flags: number): boolean {
    return (flags & (LineFlag.stderr | LineFlag.error | LineFlag.warning)) !== 0;
}
