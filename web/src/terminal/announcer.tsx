/*
 * Tells those who listen to the page what arrives: the rows themselves come and go while scrolling,
 * so they are not announced. A flood is summed up instead of read out.
 */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { LineFlag } from './archive.ts';
import type { Transcript } from './transcript.ts';

const PAUSE = 3000;
const MOST_LINES = 4;

export function Announcer({ transcript }: { transcript: Transcript }): JSX.Element {
    const [said, setSaid] = useState<readonly string[]>([]);
    useEffect(() => {
        let heard = transcript.lines;
        let timer: ReturnType<typeof setTimeout> | undefined;
        const say = (): void => {
            timer = undefined;
            const { lines } = transcript;
            if (lines > heard) setSaid(summary(transcript, heard, lines));
            heard = lines;
        };
        const end = transcript.subscribe(() => {
            if (transcript.lines < heard) heard = transcript.lines;
            if (transcript.lines > heard) timer ??= setTimeout(say, PAUSE);
        });
        return () => {
            end();
            clearTimeout(timer);
        };
    }, [transcript]);
    return (
        <div class="terminal-unseen" role="log" aria-live="polite" aria-label="New output">
            {said.map((text, i) => <p key={i}>{text}</p>)}
        </div>
    );
}

function summary(transcript: Transcript, from: number, to: number): string[] {
    const visible: string[] = [];
    for (let index = Math.max(from, to - 50); index < to; index++)
        if (!(transcript.flags(index) & LineFlag.hidden) && transcript.text(index).trim()) visible.push(transcript.text(index).slice(0, 200));
    const last = visible.slice(-MOST_LINES);
    return to - from > MOST_LINES ? [`${to - from} new lines, the last of them:`, ...last] : last;
}
