/* Lines marked by their addresses, as a link names them: "12.3", or "12.3-14.0" for a range. */
import type { Transcript } from './transcript.ts';

export interface Marks {
    readonly first: number;
    readonly last: number;
}

/** The marked lines; undefined while they are not in the transcript. */
export function marksOf(transcript: Transcript, selected: string | undefined): Marks | undefined {
    if (!selected) return undefined;
    const [from, to = from] = selected.split('-');
    const [first, last] = [transcript.find(from!), transcript.find(to!)];
    if (first === undefined || last === undefined) return undefined;
    return { first: Math.min(first, last), last: Math.max(first, last) };
}

/** The address of these lines; undefined when the first has none. */
export function addressOf(transcript: Transcript, { first, last }: Marks): string | undefined {
    const from = transcript.line(first)?.address;
    const to = transcript.line(last)?.address;
    if (from === undefined || to === undefined || from === to) return from;
    return `${from}-${to}`;
}
