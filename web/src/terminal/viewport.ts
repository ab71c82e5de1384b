/*
 * Which part of the rows is on the screen, and why: the end, as long as the reader follows it, else
 * the line that the reader scrolled to, wherever folding, wrapping or trimming has moved it.
 *
 * Browsers end their pages at some 17 million pixels; a longer transcript scrolls in proportion.
 */
import type { Layout } from './layout.ts';
import type { Transcript } from './transcript.ts';

const TALLEST = 15_000_000;
/** Rows drawn beyond each edge, so that scrolling does not run into white. */
const SPARE_ROWS = 15;

interface Anchor {
    readonly line: number;
    readonly part: number;
    /** How far above the edge its row begins. */
    readonly pixels: number;
}

export interface Placement {
    /** The rows to draw. */
    readonly from: number;
    readonly to: number;
    /** Where they begin in the scrolled element, and how tall and far scrolled it is. */
    readonly offset: number;
    readonly height: number;
    readonly scrollTop: number;
}

export class Viewport {
    readonly #layout: Layout;
    readonly #transcript: Pick<Transcript, 'lines'>;
    rowHeight = 20;
    height = 600;
    #following = true;
    #linesThen = 0;
    #anchor: Anchor = { line: 0, part: 0, pixels: 0 };
    #top = 0;
    #most = 0;
    #ratio = 1;

    constructor(layout: Layout, transcript: Pick<Transcript, 'lines'>) {
        this.#layout = layout;
        this.#transcript = transcript;
    }

    get following(): boolean {
        return this.#following;
    }

    /** Whether the end is in view, followed or not. */
    get showsEnd(): boolean {
        return this.#following || this.#top >= this.#most - 2;
    }

    #setFollowing(on: boolean): void {
        if (this.#following && !on) this.#linesThen = this.#transcript.lines;
        this.#following = on;
    }

    /** Lines that came since the reader stopped following. */
    get newLines(): number {
        return this.#following ? 0 : Math.max(0, this.#transcript.lines - this.#linesThen);
    }

    /** How far scrolled, in pixels of rows. */
    get top(): number {
        return this.#top;
    }

    /** Places the rows that the layout has now. */
    place(): Placement {
        const total = this.#layout.rows * this.rowHeight;
        this.#most = Math.max(0, total - this.height);
        const { line, part, pixels } = this.#anchor;
        const wanted = this.#following ? this.#most : (this.#layout.rowOf(line) + part) * this.rowHeight + pixels;
        this.#top = Math.max(0, Math.min(wanted, this.#most));
        const height = Math.min(total, TALLEST);
        this.#ratio = total > TALLEST ? this.#most / (height - this.height) : 1;
        const scrollTop = this.#top / this.#ratio;
        const from = Math.max(0, Math.floor(this.#top / this.rowHeight) - SPARE_ROWS);
        const to = Math.ceil((this.#top + this.height) / this.rowHeight) + SPARE_ROWS;
        return { from, to, offset: scrollTop + from * this.rowHeight - this.#top, height, scrollTop };
    }

    /** The reader scrolled the element to here. */
    scrolled(scrollTop: number): void {
        const top = scrollTop * this.#ratio;
        this.#setFollowing(top >= this.#most - 2);
        this.#hold(top);
    }

    #hold(top: number): void {
        const row = Math.floor(top / this.rowHeight);
        const at = this.#layout.slice(row, row + 1)[0];
        if (at) this.#anchor = { ...at, pixels: top - row * this.rowHeight };
    }

    /** Stops following, where it is. */
    hold(): void {
        if (!this.#following) return;
        this.#setFollowing(false);
        this.#hold(this.#top);
    }

    follow(): void {
        this.#setFollowing(true);
    }

    /** Begins with this line, instead of following the end. */
    stay(line: number): void {
        this.#setFollowing(false);
        this.#anchor = { line, part: 0, pixels: 0 };
    }

    /** Scrolls by so many pixels. */
    scrollBy(pixels: number): void {
        const top = Math.max(0, Math.min(this.#top + pixels, this.#most));
        this.#setFollowing(pixels > 0 && top >= this.#most - 2);
        this.#hold(top);
        this.#top = top;
    }

    /** Brings a line into view: if it is not there already, into the middle. */
    show(line: number, part = 0): void {
        const top = (this.#layout.rowOf(line) + part) * this.rowHeight;
        const inView = top >= this.#top + this.rowHeight && top <= this.#top + this.height - 2 * this.rowHeight;
        this.hold();
        if (inView) return;
        const wanted = Math.max(0, top - Math.floor(this.height / this.rowHeight / 2) * this.rowHeight);
        this.#hold(wanted);
    }

    /** The first line in view. */
    get firstLine(): number {
        return this.#layout.slice(Math.ceil(this.#top / this.rowHeight), Math.ceil(this.#top / this.rowHeight) + 1)[0]?.line ?? 0;
    }
}
