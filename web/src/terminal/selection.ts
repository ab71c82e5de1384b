/*
 * Selecting text with the mouse. The browser's own selection ends where rows are not drawn, so the
 * view keeps one of its own, in lines and characters. Fingers keep the browser's.
 */
import { isBefore, textBetween, type Place } from './export.ts';
import type { Range } from './segments.ts';
import type { Transcript } from './transcript.ts';

const word = /[\p{L}\p{N}_./~@+%-]+|\s+|[^\s]/gu;

type Unit = 'character' | 'word' | 'line';

export class Selection {
    readonly #transcript: Transcript;
    #anchor: Place | undefined;
    #focus: Place | undefined;
    #unit: Unit = 'character';

    constructor(transcript: Transcript) {
        this.#transcript = transcript;
    }

    /** Both ends in order; undefined while nothing is selected. */
    get ends(): { readonly from: Place; readonly to: Place } | undefined {
        if (!this.#anchor || !this.#focus) return undefined;
        const [first, last] = isBefore(this.#focus, this.#anchor) ? [this.#focus, this.#anchor] : [this.#anchor, this.#focus];
        const from = this.#edge(first, false);
        const to = this.#edge(last, true);
        return isBefore(from, to) ? { from, to } : undefined;
    }

    /* Where the word or line around a place starts or ends. */
    #edge(place: Place, end: boolean): Place {
        if (this.#unit === 'character') return place;
        const text = this.#transcript.text(place.line);
        if (this.#unit === 'line') return end ? { line: place.line + 1, character: 0 } : { ...place, character: 0 };
        for (const { 0: found, index } of text.matchAll(word)) {
            if (place.character >= index + found.length && index + found.length < text.length) continue;
            return { ...place, character: end ? index + found.length : index };
        }
        return place;
    }

    /** `clicks`: one selects characters, two words, three lines. */
    start(place: Place, clicks: number): void {
        this.#unit = clicks >= 3 ? 'line' : clicks === 2 ? 'word' : 'character';
        this.#anchor = this.#focus = place;
    }

    extend(place: Place): void {
        this.#anchor ??= place;
        this.#focus = place;
    }

    selectAll(): void {
        this.#unit = 'character';
        this.#anchor = { line: this.#transcript.first, character: 0 };
        const last = Math.max(this.#transcript.lines - 1, 0);
        this.#focus = { line: last, character: this.#transcript.text(last).length };
    }

    clear(): void {
        this.#anchor = this.#focus = undefined;
    }

    get text(): string {
        const { ends } = this;
        return ends ? textBetween(this.#transcript, ends.from, ends.to) : '';
    }

    /** What of a line is selected; it goes beyond the text when the line's end is. */
    inLine(line: number): Range | undefined {
        const { ends } = this;
        if (!ends || line < ends.from.line || line > ends.to.line) return undefined;
        const from = line === ends.from.line ? ends.from.character : 0;
        const to = line === ends.to.line ? ends.to.character : this.#transcript.text(line).length + 1;
        return to > from ? { from, to } : undefined;
    }
}
