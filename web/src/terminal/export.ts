/*
 * A transcript as a file: plain text, or with its colours as the escape sequences of a terminal, so
 * that `cat` and `less -R` show it as it was.
 */
import { SLICE, soon } from './schedule.ts';
import { TRUE_COLOR, type Color, type Style, type StyleTable } from './style.ts';
import type { Line, Transcript } from './transcript.ts';

const underlines = { solid: '4', double: '4:2', wavy: '4:3', dotted: '4:4', dashed: '4:5' } as const;

function colorCodes(color: Color, base: 30 | 40 | 58): string[] {
    if (color === undefined) return [];
    if (color >= TRUE_COLOR) return [`${base === 58 ? 58 : base + 8}`, '2', `${(color >> 16) & 255}`, `${(color >> 8) & 255}`, `${color & 255}`];
    if (color >= 16 || base === 58) return [`${base === 58 ? 58 : base + 8}`, '5', `${color}`];
    return [`${color < 8 ? base + color : base + 52 + color}`]; // 90–97 and 100–107 are the bright ones
}

/** The escape sequences that switch from anything to a style. */
export function sequenceOf(style: Style): string {
    const codes = [
        '', ...(style.bold ? ['1'] : []), ...(style.dim ? ['2'] : []), ...(style.italic ? ['3'] : []),
        ...(style.underline ? [underlines[style.underline]] : []), ...(style.inverse ? ['7'] : []),
        ...(style.invisible ? ['8'] : []), ...(style.strike ? ['9'] : []), ...(style.overline ? ['53'] : []),
        ...colorCodes(style.foreground, 30), ...colorCodes(style.background, 40), ...colorCodes(style.underlineColor, 58),
    ];
    return `\x1b[${codes.join(';')}m`;
}

/** A line with the escape sequences of its styles and links. */
export function withSequences(line: Pick<Line, 'text' | 'runs'>, styles: StyleTable): string {
    const { text, runs } = line;
    if (runs.length === 0) return text;
    let written = text.slice(0, runs[0]);
    let before: Style = styles.get(0);
    const go = (style: Style): void => {
        if (style.link !== before.link) written += `\x1b]8;;${style.link ?? ''}\x1b\\`;
        const sequence = sequenceOf(style);
        if (sequence !== sequenceOf(before)) written += sequence;
        before = style;
    };
    for (let i = 0; i < runs.length; i += 2) {
        go(styles.get(runs[i + 1]!));
        written += text.slice(runs[i]!, runs[i + 2]);
    }
    go(styles.get(0));
    return written;
}

/** All lines, as parts of a file; made in slices of time. */
export async function exportLines(transcript: Transcript, colors: boolean): Promise<string[]> {
    const parts: string[] = [];
    let part: string[] = [];
    let until = performance.now() + SLICE;
    for (let index = transcript.first; index < transcript.lines; index++) {
        const line = colors ? transcript.line(index) : undefined;
        part.push(line ? withSequences(line, transcript.styles) : transcript.text(index));
        if (index % 64 !== 0 || performance.now() < until) continue;
        parts.push(`${part.join('\n')}\n`);
        part = [];
        await new Promise<void>((resolve) => soon(resolve));
        until = performance.now() + SLICE;
    }
    if (part.length) parts.push(`${part.join('\n')}\n`);
    return parts;
}

/** The text between two places, the second not included. */
export function textBetween(transcript: Transcript, from: Place, to: Place): string {
    const lines: string[] = [];
    for (let index = Math.max(from.line, transcript.first); index <= to.line && index < transcript.lines; index++) {
        const text = transcript.text(index);
        lines.push(text.slice(index === from.line ? from.character : 0, index === to.line ? to.character : undefined));
    }
    return lines.join('\n');
}

/** Between two characters of a line. */
export interface Place {
    readonly line: number;
    readonly character: number;
}

export function isBefore(one: Place, other: Place): boolean {
    return one.line < other.line || (one.line === other.line && one.character < other.character);
}
