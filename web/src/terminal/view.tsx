import type { JSX } from 'preact';
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { Layout } from './layout.ts';
import type { Transcript } from './transcript.ts';
import './terminal.css';

export interface TerminalViewProps {
    readonly transcript: Transcript;
    /** The line or lines to show as selected: an address ("12.3") or two ("12.3-14.0"). A change
     * scrolls there, as soon as the line has arrived. */
    readonly selected?: string | undefined;
    /** The reader selected lines by their numbers: put it into the page's address. */
    readonly onSelect?: ((selected: string | undefined) => void) | undefined;
    /** Names downloaded files. */
    readonly name?: string | undefined;
    /** What screen readers call it. */
    readonly label?: string | undefined;
}

const ROW = 20;

export function TerminalView({ transcript, label = 'Terminal' }: TerminalViewProps): JSX.Element {
    const [, redraw] = useReducer((count: number) => count + 1, 0);
    useEffect(() => transcript.subscribe(() => redraw(undefined)), [transcript]);
    const layout = useMemo(() => new Layout(transcript), [transcript]);
    const scroller = useRef<HTMLDivElement>(null);
    const [top, setTop] = useState(0);
    layout.update();
    const { rows } = layout;
    const height = scroller.current?.clientHeight ?? 600;
    const from = Math.max(0, Math.floor(top / ROW) - 10);
    const shown = layout.slice(from, from + Math.ceil(height / ROW) + 20);
    return (
        <section class="terminal" aria-label={label}>
            <div class="terminal-scroll" ref={scroller} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
                <div class="terminal-rows" style={{ height: `${rows * ROW}px` }}>
                    <div class="terminal-window" style={{ top: `${from * ROW}px` }}>
                        {shown.map(({ line }) => <div class="terminal-row" key={line}>{transcript.text(line)}</div>)}
                    </div>
                </div>
            </div>
        </section>
    );
}
