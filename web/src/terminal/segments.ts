/*
 * A line cut into pieces that look the same throughout: where its style changes, a link, a match of
 * the search or the selection starts or ends.
 */
import type { StyleTable } from './style.ts';
import type { Line } from './transcript.ts';

export interface Range {
    readonly from: number;
    readonly to: number;
}

export interface Match extends Range {
    readonly current: boolean;
}

export interface Segment {
    readonly text: string;
    readonly style: number;
    readonly href: string | undefined;
    readonly match: 'match' | 'current' | undefined;
    readonly selected: boolean;
}

const address = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f\u007f-\u009f]+/gi;

/** Whether a link may be followed: other schemes run code or programs. */
export function isSafeLink(href: string): boolean {
    try {
        const { protocol } = new URL(href);
        return protocol === 'http:' || protocol === 'https:';
    } catch {
        return false;
    }
}

/** Web addresses in a text, without the punctuation of the sentence around them. */
export function addressesIn(text: string): Range[] {
    if (!text.includes('://')) return [];
    const found: Range[] = [];
    for (const { 0: raw, index } of text.matchAll(address)) {
        let end = raw.replace(/[.,;:!?*_~]+$/, '');
        for (const [open, close] of [['(', ')'], ['[', ']'], ['{', '}']] as const)
            while (end.endsWith(close) && end.split(close).length > end.split(open).length)
                end = end.slice(0, -1).replace(/[.,;:!?]+$/, '');
        if (isSafeLink(end)) found.push({ from: index, to: index + end.length });
    }
    return found;
}

/** The pieces of the characters from..to-1. */
export function segmentsOf(
    line: Pick<Line, 'text' | 'runs'>, styles: StyleTable, from: number, to: number,
    matches: readonly Match[] = [], selection?: Range,
): Segment[] {
    const { text, runs } = line;
    const addresses = addressesIn(text);
    const cuts = new Set([from, to]);
    const cut = (at: number): unknown => at > from && at < to && cuts.add(at);
    for (let i = 0; i < runs.length; i += 2) cut(runs[i]!);
    for (const range of [...addresses, ...matches, ...(selection ? [selection] : [])]) {
        cut(range.from);
        cut(range.to);
    }
    const sorted = [...cuts].sort((a, b) => a - b);
    const segments: Segment[] = [];
    let run = -2;
    for (let i = 0; i + 1 < sorted.length; i++) {
        const [start, end] = [sorted[i]!, sorted[i + 1]!];
        while (run + 2 < runs.length && runs[run + 2]! <= start) run += 2;
        const style = run < 0 ? 0 : runs[run + 1]!;
        const within = (range: Range): boolean => range.from <= start && start < range.to;
        const match = matches.find(within);
        const { link } = styles.get(style);
        const plain = link === undefined ? addresses.find(within) : undefined;
        segments.push({
            text: text.slice(start, end), style,
            href: link !== undefined ? (isSafeLink(link) ? link : undefined) : plain && text.slice(plain.from, plain.to),
            match: match && (match.current ? 'current' : 'match'),
            selected: selection !== undefined && within(selection),
        });
    }
    return segments;
}
