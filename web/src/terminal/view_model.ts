/*
 * What a view of a transcript shows, and what the reader can do with it; without a document. The
 * view draws a `Frame` and hands on what happens to it.
 */
import { LineFlag } from './archive.ts';
import { characterAt } from './cells.ts';
import type { Place } from './export.ts';
import { Layout, type Row } from './layout.ts';
import { addressOf, marksOf, type Marks } from './marks.ts';
import type { Group } from './outline.ts';
import { Search, type Query } from './search.ts';
import { Selection } from './selection.ts';
import type { Transcript } from './transcript.ts';
import { Viewport, type Placement } from './viewport.ts';

export interface Switches {
    /** Only errors, warnings and stderr. */
    readonly problems: boolean;
    readonly wrap: boolean;
    readonly times: boolean;
}

/** In pixels. */
export interface Metrics {
    readonly rowHeight: number;
    readonly cellWidth: number;
    readonly width: number;
    readonly height: number;
}

/** All that one drawing needs. */
export interface Frame {
    readonly rows: readonly Row[];
    readonly placement: Placement;
    readonly marks: Marks | undefined;
    /** Cells of the widest line that was in view so far. */
    readonly widest: number;
    /** Columns to draw of a line that is not wrapped. */
    readonly columns: { readonly from: number; readonly count: number };
    readonly wrapAt: number;
    /** Of line numbers. */
    readonly digits: number;
}

/** Lines shown around each problem. */
const CONTEXT = 2;
/** A line that is not wrapped is drawn so many columns beyond the edges. */
const SPARE_COLUMNS = 1000;
/** The width of a time of day, with the space after it. */
const CLOCK_CELLS = 13;
const LEAST_WRAP = 10;

const emptyQuery: Query = { text: '', matchCase: false, regex: false };

export class ViewModel {
    readonly transcript: Transcript;
    readonly layout: Layout;
    readonly viewport: Viewport;
    readonly selection: Selection;
    readonly search: Search;
    readonly draw: () => void;
    onSelect: ((selected: string | undefined) => void) | undefined;
    switches: Switches = { problems: false, wrap: false, times: false };
    metrics: Metrics = { rowHeight: 20, cellWidth: 8, width: 800, height: 600 };
    /** undefined: the search is closed. */
    query: Query | undefined;
    /** The number of the match that is shown, -1 for none. */
    match = -1;
    /** What was done last, in words. */
    said = '';
    scrollLeft = 0;
    /** How many times marked lines were gone to. */
    revealed = 0;
    #searchFrom: number | 'last' = 'last';
    #searching = false;
    #marks: Marks | undefined;
    #shown: string | undefined;
    #widest = 0;
    /** Lines from the reader's place to the end, undefined while the end is followed. */
    #fromEnd: number | undefined;

    /**
     * `before` showed another transcript of the same session, one that did not go back as far, say.
     * They end alike, so the view stays as far from the end as it was.
     */
    constructor(transcript: Transcript, draw: () => void, before?: ViewModel) {
        this.transcript = transcript;
        this.draw = draw;
        this.layout = new Layout(transcript);
        this.viewport = new Viewport(this.layout, transcript);
        this.selection = new Selection(transcript);
        this.search = new Search(transcript, draw);
        if (before) this.#takeOver(before);
    }

    #takeOver(before: ViewModel): void {
        this.switches = before.switches;
        this.metrics = before.metrics;
        this.query = before.query;
        this.#searchFrom = before.#searchFrom;
        this.#shown = before.#shown;
        if (this.query) this.search.start(this.query);
        if (before.#fromEnd === undefined) return;
        this.layout.update();
        this.viewport.stay(Math.max(this.transcript.first, this.transcript.lines - before.#fromEnd));
    }

    /* ---- drawing ---- */

    get #digits(): number {
        return Math.max(3, String(this.transcript.lines).length);
    }

    /** The cells left of the text. */
    get gutter(): number {
        return this.#digits + 2 + (this.switches.times ? CLOCK_CELLS : 0);
    }

    get #wrapAt(): number {
        if (!this.switches.wrap) return 0;
        return Math.max(LEAST_WRAP, Math.floor(this.metrics.width / this.metrics.cellWidth - this.gutter - 1));
    }

    /** What to draw now. `selected` names the marked lines; when it is new, the view goes there. */
    frame(selected: string | undefined): Frame {
        const { layout, viewport, metrics, transcript } = this;
        this.#update();
        this.search.update();
        this.#marks = marksOf(transcript, selected);
        if (selected !== this.#shown && (this.#marks || !selected)) {
            this.#shown = selected;
            if (this.#marks) {
                this.#reveal(this.#marks.first);
                this.revealed++;
            }
        }
        if (this.#searching) this.#showFirstMatch();
        const placement = viewport.place();
        const rows = layout.slice(placement.from, placement.to);
        this.#fromEnd = viewport.following ? undefined : transcript.lines - viewport.firstLine;
        if (!this.switches.wrap) for (const { line } of rows) this.#widest = Math.max(this.#widest, transcript.width(line));
        return {
            rows, placement, marks: this.#marks, widest: this.#widest, wrapAt: this.#wrapAt, digits: this.#digits,
            columns: {
                from: Math.max(0, Math.floor(this.scrollLeft / metrics.cellWidth) - SPARE_COLUMNS),
                count: Math.ceil(metrics.width / metrics.cellWidth) + 2 * SPARE_COLUMNS,
            },
        };
    }

    #update(): void {
        this.viewport.rowHeight = this.metrics.rowHeight;
        this.viewport.height = this.metrics.height;
        this.layout.configure({ wrapAt: this.#wrapAt, problems: this.switches.problems ? { context: CONTEXT } : undefined });
        this.layout.update();
    }

    /** Unfolds what hides a line, and brings it into view. */
    #reveal(line: number): void {
        this.layout.reveal(line);
        this.layout.update();
        this.viewport.show(line);
    }

    /* ---- moving ---- */

    scrolled(scrollTop: number): void {
        this.viewport.scrolled(scrollTop);
        this.draw();
    }

    scrollBy(pixels: number): void {
        this.viewport.scrollBy(pixels);
        this.draw();
    }

    follow(): void {
        this.viewport.follow();
        this.draw();
    }

    /** Goes to a line; the view of problems gives way to all lines, if it does not show it. */
    go(line: number): void {
        if (this.switches.problems && !this.layout.isShown(line)) this.switchTo({ problems: false });
        this.#reveal(line);
        this.draw();
    }

    switchTo(change: Partial<Switches>): void {
        this.switches = { ...this.switches, ...change };
        this.#update();
        this.draw();
    }

    fold(group: Group, folded: boolean): void {
        this.viewport.hold(); // the header stays under the pointer
        this.layout.fold(group.id, folded);
        this.draw();
    }

    foldAll(folded: boolean): void {
        this.layout.foldAll(folded);
        this.draw();
    }

    /* ---- marking lines ---- */

    #mark(marks: Marks | undefined): void {
        const address = marks && addressOf(this.transcript, marks);
        this.#shown = address; // it is in view already
        this.onSelect?.(address);
    }

    /** The reader clicked at a line; in the view of problems that leads to its place. */
    pick(line: number, extend: boolean): void {
        const marks = this.#marks;
        const { problems } = this.switches;
        if (extend && marks) this.#mark({ first: Math.min(line, marks.first), last: Math.max(line, marks.first) });
        else if (!problems && marks?.first === line && marks.last === line) this.#mark(undefined);
        else this.#mark({ first: line, last: line });
        if (!problems) return;
        this.switchTo({ problems: false });
        this.go(line);
    }

    /** Marks the next line (1) or the one before (-1), or adds it to the marked ones. */
    pickNext(by: 1 | -1, extend: boolean): void {
        const { transcript, viewport } = this;
        const marks = this.#marks;
        let line = marks ? (by < 0 ? marks.first : marks.last) + by : viewport.firstLine;
        const exists = (): boolean => line >= transcript.first && line < transcript.lines;
        while (exists() && !this.layout.isShown(line)) line += by;
        if (!exists()) return;
        this.#mark(extend && marks ? { first: Math.min(marks.first, line), last: Math.max(marks.last, line) } : { first: line, last: line });
        viewport.show(line);
        this.draw();
    }

    /** Goes to the next error after the marked or first visible line, or to the one before it. */
    stepError(forward: boolean): void {
        const { transcript } = this;
        const by = forward ? 1 : -1;
        let line = this.#marks ? this.#marks.first + by : this.viewport.firstLine - (forward ? 0 : 1);
        while (line >= transcript.first && line < transcript.lines && !(transcript.flags(line) & LineFlag.error)) line += by;
        if (line < transcript.first || line >= transcript.lines) {
            this.say(forward ? 'No error after this' : 'No error before this');
            return;
        }
        this.#mark({ first: line, last: line });
        this.go(line);
    }

    say(what: string): void {
        this.said = what;
        this.draw();
    }

    /* ---- searching ---- */

    openSearch(): void {
        if (this.query) return;
        this.query = emptyQuery;
        // Who follows the end looks for the newest. Each letter typed starts from there again.
        this.#searchFrom = this.viewport.following ? 'last' : this.viewport.firstLine;
        this.draw();
    }

    /** Searches for this; undefined closes the search. */
    setQuery(query: Query | undefined): void {
        this.query = query;
        this.search.start(query ?? emptyQuery);
        this.match = -1;
        this.#searching = query !== undefined && query.text !== '';
        this.draw();
    }

    #showFirstMatch(): void {
        const first = this.#firstMatch();
        if (first === undefined) return;
        this.#searching = false;
        this.match = first;
        const { line } = this.search.at(first)!;
        if (!this.switches.problems || this.layout.isShown(line)) this.#reveal(line);
    }

    /* The match to show first, once it is known: from where the search began, else from the start. */
    #firstMatch(): number | undefined {
        const { search } = this;
        const any = search.complete && search.count > 0;
        if (this.#searchFrom === 'last') return any ? search.count - 1 : undefined;
        const next = search.firstFrom(this.#searchFrom);
        if (next < search.count) return next;
        return any ? 0 : undefined;
    }

    /** Goes to the next match or the one before, round and round; returns its first column. */
    stepMatch(forward: boolean): number | undefined {
        const { search } = this;
        if (search.count === 0) return undefined;
        this.match = (this.match + (forward ? 1 : -1) + search.count) % search.count;
        const { line, from } = search.at(this.match)!;
        this.#searchFrom = line;
        this.go(line);
        return from;
    }

    /* ---- selecting text ---- */

    selectAll(): void {
        this.selection.selectAll();
        this.draw();
    }

    /** What Escape ends: the selection, else the search. False when there is neither. */
    escape(): boolean {
        if (this.selection.ends) this.selection.clear();
        else if (this.query) this.setQuery(undefined);
        else return false;
        this.draw();
        return true;
    }

    /** The place at a point of the view, in pixels; beyond its edges, the nearest. */
    placeAt(x: number, y: number): Place | undefined {
        const { layout, metrics, transcript } = this;
        const row = Math.floor((Math.max(0, Math.min(y, metrics.height)) + this.viewport.top) / metrics.rowHeight);
        const at = layout.slice(row, row + 1)[0] ?? layout.slice(layout.rows - 1, layout.rows)[0];
        const line = at && transcript.line(at.line);
        if (!at || !line) return undefined;
        const column = Math.round((x + this.scrollLeft) / metrics.cellWidth - this.gutter) + at.part * this.#wrapAt;
        return { line: at.line, character: characterAt(line, transcript.styles, Math.max(0, column)) };
    }
}
