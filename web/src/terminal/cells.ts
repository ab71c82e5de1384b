/*
 * Characters and columns of a line. Mostly the same number; not where a character takes two
 * columns, two code units, or none as it joins the one before.
 */
import type { Line } from './transcript.ts';
import type { StyleTable } from './style.ts';

type Text = Pick<Line, 'text' | 'runs' | 'width'>;

const joins = /^[\p{M}\u200b-\u200d\ufe00-\ufe0f]$/u;

/** Calls back with each character that takes columns, until it returns true. */
function walk(line: Text, styles: StyleTable, visit: (at: number, length: number, column: number, width: number) => boolean): void {
    const { text, runs } = line;
    let [run, column, wide] = [0, 0, false];
    for (let at = 0; at < text.length;) {
        while (run < runs.length && runs[run]! <= at) {
            wide = styles.get(runs[run + 1]!).wide ?? false;
            run += 2;
        }
        let end = at + (text.codePointAt(at)! > 0xffff ? 2 : 1);
        while (end < text.length && text.charCodeAt(end) >= 0x300) {
            const next = String.fromCodePoint(text.codePointAt(end)!);
            if (!joins.test(next)) break;
            end += next.length;
        }
        const width = wide ? 2 : 1;
        if (visit(at, end - at, column, width)) return;
        column += width;
        at = end;
    }
}

/** The character at a column; the end of the text beyond it. */
export function characterAt(line: Text, styles: StyleTable, column: number): number {
    if (line.text.length === line.width) return Math.max(0, Math.min(column, line.width));
    let found = line.text.length;
    walk(line, styles, (at, _, start, width) => {
        if (start + width <= column) return false;
        found = at;
        return true;
    });
    return found;
}

/** The column in which a character starts. */
export function columnOf(line: Text, styles: StyleTable, character: number): number {
    if (line.text.length === line.width) return Math.max(0, Math.min(character, line.width));
    let found = line.width;
    walk(line, styles, (at, length, start) => {
        if (at + length <= character) return false;
        found = start;
        return true;
    });
    return found;
}

/* Scripts that every monospaced font has, all one cell wide, and lines and blocks that must join. */
const everyFont = /^[\u0020-\u058f\u1e00-\u1fff\u2010-\u2027\u2500-\u259f]*$/;
const characters = /[^\p{M}\u200b-\u200d\ufe00-\ufe0f][\p{M}\u200b-\u200d\ufe00-\ufe0f]*/gu;

/**
 * The parts of a piece of text that keep to the grid: plain text as it is, and each character that
 * a browser may take from another font on its own, to be given exactly its cells.
 */
export function gridParts(text: string, wide: boolean): { readonly text: string; readonly cells: 0 | 1 | 2 }[] {
    if (!wide && everyFont.test(text)) return [{ text, cells: 0 }];
    const parts: { text: string; cells: 0 | 1 | 2 }[] = [];
    for (const [character] of text.matchAll(characters)) {
        const last = parts.at(-1);
        if (wide) parts.push({ text: character, cells: 2 });
        else if (!everyFont.test(character)) parts.push({ text: character, cells: 1 });
        else if (last?.cells === 0) last.text += character;
        else parts.push({ text: character, cells: 0 });
    }
    return parts;
}
