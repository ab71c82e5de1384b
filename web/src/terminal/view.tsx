/*
 * The terminal as it is seen. Only the rows on the screen are in the document: Layout says which row
 * shows what, Viewport which rows are on the screen. State that a frame needs, and that changes with
 * the transcript, lives in those objects; Preact draws what they say.
 */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { Announcer } from './announcer.tsx';
import { LineFlag } from './archive.ts';
import { characterAt } from './cells.ts';
import { exportLines, type Place } from './export.ts';
import { Layout, type Row as LayoutRow } from './layout.ts';
import { addressOf, marksOf, type Marks } from './marks.ts';
import type { Group } from './outline.ts';
import { Row, clockOf } from './row.tsx';
import { ScreenView } from './screen_view.tsx';
import { Search, type Query } from './search.ts';
import { SearchBar } from './search_bar.tsx';
import { Selection } from './selection.ts';
import { Toolbar, plural, type Switches } from './toolbar.tsx';
import type { Line, Transcript } from './transcript.ts';
import { Viewport, type Placement } from './viewport.ts';
import './terminal.css';

export interface TerminalViewProps {
    readonly transcript: Transcript;
    /**
     * The marked lines: an address ("12.3") or two ("12.3-14.0"). When it changes, the view goes
     * there, as soon as the line has arrived.
     */
    readonly selected?: string | undefined;
    /** The reader marked lines by their numbers (or none): put it into the page's address. */
    readonly onSelect?: ((selected: string | undefined) => void) | undefined;
    /** What a link to a line looks like; without it, `#` and the address. */
    readonly href?: ((selected: string) => string) | undefined;
    /** Names downloaded files. */
    readonly name?: string | undefined;
    /** What screen readers call it. */
    readonly label?: string | undefined;
}

/** Lines shown around each problem. */
const CONTEXT = 2;
/** A row that is not wrapped draws so many columns around those in view. */
const DRAWN_COLUMNS = 1000;
const CLOCK_CELLS = 13;

interface Metrics {
    readonly rowHeight: number;
    readonly cellWidth: number;
    readonly width: number;
    readonly height: number;
}

export function TerminalView({ transcript, selected, onSelect, href, name = 'terminal', label = 'Terminal' }: TerminalViewProps): JSX.Element {
    const [, redraw] = useReducer((drawn: number) => drawn + 1, 0);
    const draw = (): void => redraw(undefined);
    const [switches, setSwitches] = useState<Switches>({ problems: false, wrap: false, times: false });
    const [query, setQuery] = useState<Query | undefined>();
    const [showLines, setShowLines] = useState(false);
    const [said, setSaid] = useState('');
    const [metrics, setMetrics] = useState<Metrics>({ rowHeight: 20, cellWidth: 8, width: 800, height: 600 });
    const root = useRef<HTMLElement>(null);
    const scroller = useRef<HTMLDivElement>(null);
    const probe = useRef<HTMLSpanElement>(null);
    const input = useRef<HTMLInputElement>(null);
    /** Values that outlive a drawing without causing one. */
    const state = useRef({
        scrollTop: 0, scrollLeft: 0, fromEnd: undefined as number | undefined, current: -1, searchFrom: 'last' as number | 'last', wanted: undefined as number | 'last' | undefined,
        shown: undefined as string | undefined, widest: 0,
    }).current;

    // Another transcript of the same session, one that goes back further, say, ends alike: the view
    // stays as far from its end.
    const { layout, viewport, selection, search } = useMemo(() => {
        const layout = new Layout(transcript);
        const viewport = new Viewport(layout, transcript);
        const search = new Search(transcript, draw);
        layout.update();
        if (state.fromEnd !== undefined) viewport.stay(Math.max(transcript.first, transcript.lines - state.fromEnd));
        if (query) search.start(query);
        state.current = -1;
        return { layout, viewport, search, selection: new Selection(transcript) };
    }, [transcript]);
    useEffect(() => transcript.subscribe(draw), [transcript]);
    useMetrics(scroller, probe, setMetrics);

    const digits = Math.max(3, String(transcript.lines).length);
    const gutter = digits + 2 + (switches.times ? CLOCK_CELLS : 0);
    const wrapAt = switches.wrap ? Math.max(10, Math.floor(metrics.width / metrics.cellWidth - gutter - 1)) : 0;
    layout.configure({ wrapAt, problems: switches.problems ? { context: CONTEXT } : undefined });
    layout.update();
    search.update();
    viewport.rowHeight = metrics.rowHeight;
    viewport.height = metrics.height;

    const go = (line: number): void => {
        if (!layout.isShown(line) && switches.problems) {
            setSwitches({ ...switches, problems: false });
            layout.configure({ wrapAt, problems: undefined });
        }
        layout.reveal(line);
        layout.update();
        viewport.show(line);
        draw();
    };

    const marks = marksOf(transcript, selected);
    if (selected !== state.shown && (marks || !selected)) {
        state.shown = selected;
        if (marks) {
            layout.reveal(marks.first);
            layout.update();
            viewport.show(marks.first);
        }
    }
    const first = state.wanted === undefined ? undefined : firstMatch(search, state.wanted);
    if (first !== undefined) {
        state.current = first;
        state.wanted = undefined;
        const { line } = search.at(first)!;
        layout.reveal(line);
        layout.update();
        if (layout.isShown(line)) viewport.show(line);
    }
    const placement = viewport.place();
    const rows = layout.slice(placement.from, placement.to);
    state.fromEnd = viewport.following ? undefined : transcript.lines - viewport.firstLine;

    useLayoutEffect(() => {
        const element = scroller.current;
        if (!element) return;
        if (Math.abs(element.scrollTop - placement.scrollTop) > 0.5) element.scrollTop = placement.scrollTop;
        state.scrollTop = element.scrollTop;
    });

    const scrolled = (element: HTMLDivElement): void => {
        const sideways = element.scrollLeft !== state.scrollLeft;
        state.scrollLeft = element.scrollLeft;
        if (Math.abs(element.scrollTop - state.scrollTop) > 0.5) {
            state.scrollTop = element.scrollTop;
            viewport.scrolled(element.scrollTop);
        } else if (!sideways) return;
        draw();
    };

    const follow = (): void => {
        viewport.follow();
        scroller.current?.focus({ preventScroll: true });
        draw();
    };

    const switchTo = (change: Partial<Switches>): void => {
        setSwitches({ ...switches, ...change });
    };

    const find = (): void => {
        if (!query) {
            setQuery({ text: '', matchCase: false, regex: false });
            // Who follows the end looks for the newest. Each letter typed starts from there again.
            state.searchFrom = viewport.following ? 'last' : viewport.firstLine;
        }
        requestAnimationFrame(() => input.current?.select());
    };

    const setSearch = (next: Query | undefined): void => {
        setQuery(next);
        search.start(next ?? { text: '', matchCase: false, regex: false });
        state.current = -1;
        state.wanted = next?.text ? state.searchFrom : undefined;
        if (!next) scroller.current?.focus({ preventScroll: true });
        draw();
    };

    const step = (forward: boolean): void => {
        if (search.count === 0) return;
        state.current = (state.current + (forward ? 1 : -1) + search.count) % search.count;
        const found = search.at(state.current)!;
        state.searchFrom = found.line;
        go(found.line);
        bringIntoView(scroller.current, found.from, metrics.cellWidth, switches.wrap);
    };

    /* The next error after the marked or first visible line, or the one before it. */
    const stepProblem = (forward: boolean): void => {
        const at = marks?.first ?? viewport.firstLine - (forward ? 1 : 0);
        const line = nextError(transcript, at, forward);
        if (line === undefined) {
            setSaid(forward ? 'No error after this' : 'No error before this');
            return;
        }
        mark({ first: line, last: line });
        go(line);
    };

    const mark = (next: Marks | undefined): void => {
        const address = next && addressOf(transcript, next);
        state.shown = address; // it is in view already
        onSelect?.(address);
    };

    const markStep = (by: number, extend: boolean): void => {
        const from = marks ? (by < 0 ? marks.first : marks.last) : viewport.firstLine - by;
        let line = from + by;
        while (line >= transcript.first && line < transcript.lines && !layout.isShown(line)) line += by;
        if (line < transcript.first || line >= transcript.lines) return;
        mark(extend && marks ? { first: Math.min(marks.first, line), last: Math.max(marks.last, line) } : { first: line, last: line });
        viewport.show(line);
        draw();
    };

    const clicked = (event: MouseEvent): void => {
        const target = event.target as Element;
        const number = target.closest('.terminal-number');
        const row = target.closest<HTMLElement>('.terminal-row');
        if (!row || (!number && !(switches.problems && !selection.ends && !target.closest('a, button')))) return;
        if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's: another tab, say
        event.preventDefault();
        const line = Number(row.dataset.line);
        if (event.shiftKey && marks) mark({ first: Math.min(line, marks.first), last: Math.max(line, marks.first) });
        else if (marks?.first === line && marks.last === line && !switches.problems) mark(undefined);
        else mark({ first: line, last: line });
        if (!switches.problems) return;
        setSwitches({ ...switches, problems: false });
        layout.configure({ wrapAt, problems: undefined });
        go(line);
    };

    const copyAll = async (): Promise<void> => {
        selection.selectAll();
        scroller.current?.focus({ preventScroll: true });
        draw();
        const done = await copyText(selection.text);
        setSaid(done ? `${plural(transcript.lines - transcript.first, 'line')} copied` : 'The browser did not allow it: press Ctrl+C');
    };

    const save = async (colors: boolean): Promise<void> => {
        setSaid('Writing the file…');
        download(await exportLines(transcript, colors), `${name}.${colors ? 'ansi' : 'txt'}`);
        setSaid('');
    };

    const copied = (event: ClipboardEvent): void => {
        if (event.target instanceof HTMLInputElement || !selection.ends) return;
        event.clipboardData?.setData('text/plain', selection.text);
        event.preventDefault();
    };

    const key = (event: KeyboardEvent): void => {
        const inInput = event.target instanceof HTMLInputElement;
        const command = event.ctrlKey || event.metaKey;
        if (command && !event.altKey && event.key.toLowerCase() === 'f' && !inInput) find();
        else if (inInput) return;
        else if (command && event.key.toLowerCase() === 'a') {
            selection.selectAll();
            draw();
        } else if (event.altKey && !command && event.key === 'ArrowDown') markStep(1, event.shiftKey);
        else if (event.altKey && !command && event.key === 'ArrowUp') markStep(-1, event.shiftKey);
        else if (command || event.altKey) return;
        else if (event.key === '/') find();
        else if (event.key === 'F3') step(!event.shiftKey);
        else if (event.key === 'End') follow();
        else if (event.key === 'w') switchTo({ wrap: !switches.wrap });
        else if (event.key === 't') switchTo({ times: !switches.times });
        else if (event.key.toLowerCase() === 'e') stepProblem(!event.shiftKey);
        else if (event.key === 'Escape' && (selection.ends || query)) {
            if (selection.ends) selection.clear();
            else setSearch(undefined);
            draw();
        } else return;
        event.preventDefault();
    };

    /* The place under the pointer; beyond the edges of the view, the nearest. */
    const placeAt = (x: number, y: number): Place | undefined => {
        const box = scroller.current!.getBoundingClientRect();
        const row = Math.floor((Math.max(0, Math.min(y - box.top, metrics.height)) + viewport.top) / metrics.rowHeight);
        const at = layout.slice(row, row + 1)[0] ?? layout.slice(layout.rows - 1, layout.rows)[0];
        const line = at && transcript.line(at.line);
        if (!at || !line) return undefined;
        const column = Math.round((x - box.left + state.scrollLeft) / metrics.cellWidth - gutter) + at.part * wrapAt;
        return { line: at.line, character: characterAt(line, transcript.styles, Math.max(0, column)) };
    };
    const drag = usePointer(selection, placeAt, (pixels) => {
        viewport.scrollBy(pixels);
        draw();
    }, draw);

    const fold = (group: Group, folded: boolean): void => {
        viewport.hold();
        layout.fold(group.id, folded);
        draw();
    };
    const foldAll = (folded: boolean): void => {
        layout.foldAll(folded);
        draw();
    };

    const { screen } = transcript;
    return (
        <section class="terminal" aria-label={label} ref={root} onKeyDown={key} onCopy={copied}>
            <Toolbar transcript={transcript} switches={switches} onSwitch={switchTo} onFind={find} said={said}
                onFoldAll={foldAll} onCopyAll={() => void copyAll()} onSave={(colors) => void save(colors)} />
            {query && <SearchBar input={input} search={search} query={query} current={state.current}
                onQuery={setSearch} onStep={step} onClose={() => setSearch(undefined)} />}
            {screen && (
                <p class="terminal-note">
                    {showLines ? 'A full-screen program is up.' : `A full-screen program, ${screen.columns} × ${screen.rows.length}.`}{' '}
                    <button type="button" onClick={() => setShowLines(!showLines)}>{showLines ? 'Show it' : 'Show the lines before it'}</button>
                </p>
            )}
            <Notes transcript={transcript} selected={selected} found={marks !== undefined} />
            {screen && !showLines ? <ScreenView screen={screen} styles={transcript.styles} /> : (
                <div class="terminal-body">
                    <div class={`terminal-scroll${switches.wrap ? ' is-wrapped' : ''}`} ref={scroller} tabIndex={0} role="group"
                        aria-label={`Lines of ${label}`} onScroll={(event) => scrolled(event.currentTarget)} onClick={clicked} {...drag}>
                        <Rows transcript={transcript} rows={rows} placement={placement} layout={layout} search={search} selection={selection}
                            current={state.current} marks={marks} href={href} switches={switches} wrapAt={wrapAt} digits={digits}
                            firstColumn={Math.max(0, Math.floor(state.scrollLeft / metrics.cellWidth) - DRAWN_COLUMNS)}
                            columns={Math.ceil(metrics.width / metrics.cellWidth) + 2 * DRAWN_COLUMNS} onFold={fold} state={state} />
                        {layout.rows === 0 && <p class="terminal-empty">{emptyText(transcript, switches)}</p>}
                    </div>
                    {!viewport.showsEnd && (
                        <button type="button" class="terminal-jump" onClick={follow}>
                            Jump to the end{viewport.newLines > 0 && ` · ${plural(viewport.newLines, 'new line')}`}
                        </button>
                    )}
                </div>
            )}
            <span class="terminal-probe" ref={probe} aria-hidden="true">{'0'.repeat(100)}</span>
            <Announcer transcript={transcript} />
        </section>
    );
}

interface RowsProps {
    readonly transcript: Transcript;
    readonly rows: readonly LayoutRow[];
    readonly placement: Placement;
    readonly layout: Layout;
    readonly search: Search;
    readonly selection: Selection;
    readonly current: number;
    readonly marks: Marks | undefined;
    readonly href: ((selected: string) => string) | undefined;
    readonly switches: Switches;
    readonly wrapAt: number;
    readonly digits: number;
    readonly firstColumn: number;
    readonly columns: number;
    readonly onFold: (group: Group, folded: boolean) => void;
    readonly state: { widest: number };
}

function Rows(props: RowsProps): JSX.Element {
    const { transcript, rows, placement, switches, digits, state } = props;
    if (!switches.wrap) for (const { line } of rows) state.widest = Math.max(state.widest, transcript.width(line));
    const gutter = digits + 2 + (switches.times ? CLOCK_CELLS : 0);
    return (
        <div class="terminal-rows" style={{ height: `${placement.height}px` }}>
            <div class="terminal-window" style={{
                transform: `translateY(${placement.offset}px)`,
                minWidth: switches.wrap ? '100%' : `max(100%, ${gutter + state.widest + 1}ch)`,
                '--terminal-digits': String(digits),
            }}>
                {rows.map((row, i) => <OneRow key={`${row.line}.${row.part}`} {...props} row={row} before={rows[i - 1]} />)}
            </div>
        </div>
    );
}

function OneRow({ row, before, ...props }: RowsProps & { row: LayoutRow; before: LayoutRow | undefined }): JSX.Element | null {
    const { transcript, layout, marks, switches, search } = props;
    const line = transcript.line(row.line);
    if (!line) return null;
    const group = line.flags & LineFlag.header ? transcript.headedBy(row.line) : undefined;
    const { first, found } = search.active ? search.inLine(row.line) : { first: 0, found: [] };
    const address = line.address;
    return (
        <Row line={line} styles={transcript.styles} {...part(props, line, row)} isContinued={row.part > 0}
            group={group} folded={group !== undefined && layout.isFolded(group)} onFold={props.onFold}
            href={address === undefined ? undefined : props.href?.(address) ?? `#${address}`}
            matches={found.map((each, i) => ({ ...each, current: first + i === props.current }))}
            selection={props.selection.inLine(row.line)} marked={marks !== undefined && row.line >= marks.first && row.line <= marks.last}
            afterGap={switches.problems && before !== undefined && row.line > before.line + 1} jumps={switches.problems}
            time={switches.times ? clockOf(line.time) : undefined} />
    );
}

/* The characters that a row draws: a part of a wrapped line; of a very long one, what is near. */
function part({ wrapAt, firstColumn, columns, transcript }: RowsProps, line: Line, row: LayoutRow): { from: number; to: number; indent: number } {
    const at = (column: number): number => characterAt(line, transcript.styles, column);
    if (wrapAt > 0 && !(line.flags & (LineFlag.header | LineFlag.notice)))
        return { from: at(row.part * wrapAt), to: at((row.part + 1) * wrapAt), indent: 0 };
    if (line.width <= columns) return { from: 0, to: line.text.length, indent: 0 };
    return { from: at(firstColumn), to: at(firstColumn + columns), indent: Math.min(firstColumn, line.width) };
}

function Notes({ transcript, selected, found }: { transcript: Transcript; selected: string | undefined; found: boolean }): JSX.Element | null {
    if (transcript.state === 'failed') {
        return (
            <p class="terminal-note is-failed" role="alert">
                The part of this page that reads terminal output could not be loaded.{' '}
                <button type="button" onClick={() => transcript.retry()}>Try again</button>
            </p>
        );
    }
    if (!selected || found || transcript.pending > 0 || transcript.lines === 0) return null;
    return <p class="terminal-note" role="status">The marked line ({selected}) is not here: it is older than what is kept, or has not come yet.</p>;
}

function emptyText(transcript: Transcript, switches: Switches): string {
    if (transcript.pending > 0 || transcript.state === 'loading') return 'Reading…';
    return switches.problems && transcript.lines > 0 ? 'No errors, no warnings, nothing on stderr.' : 'Nothing was written yet.';
}

/* The match to show first, once it is known: from a line on, else from the start. */
function firstMatch(search: Search, from: number | 'last'): number | undefined {
    if (from === 'last') return search.complete && search.count > 0 ? search.count - 1 : undefined;
    const next = search.firstFrom(from);
    if (next < search.count) return next;
    return search.complete && search.count > 0 ? 0 : undefined;
}

function nextError(transcript: Transcript, from: number, forward: boolean): number | undefined {
    const by = forward ? 1 : -1;
    for (let line = from + by; line >= transcript.first && line < transcript.lines; line += by)
        if (transcript.flags(line) & LineFlag.error) return line;
    return undefined;
}

/* Browsers have the clipboard's interface only where the page came over a secure connection. */
async function copyText(text: string): Promise<boolean> {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        const box = document.createElement('textarea');
        box.value = text;
        box.className = 'terminal-unseen';
        document.body.append(box);
        box.select();
        const done = document.execCommand('copy');
        box.remove();
        return done;
    }
}

function download(parts: readonly string[], name: string): void {
    const url = URL.createObjectURL(new Blob([...parts], { type: 'text/plain;charset=utf-8' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/* Scrolls sideways when the column is not in view. */
function bringIntoView(element: HTMLDivElement | null, column: number, cellWidth: number, wrapped: boolean): void {
    if (!element || wrapped) return;
    const at = column * cellWidth;
    if (at < element.scrollLeft || at > element.scrollLeft + element.clientWidth * 0.7)
        element.scrollLeft = Math.max(0, at - element.clientWidth / 3);
}

/* The size of the view and of a character. */
function useMetrics(
    scroller: { readonly current: HTMLDivElement | null }, probe: { readonly current: HTMLSpanElement | null },
    set: (change: (before: Metrics) => Metrics) => void,
): void {
    useLayoutEffect(() => {
        const measure = (): void => {
            const box = probe.current!.getBoundingClientRect();
            const element = scroller.current;
            if (!box.width) return;
            const next: Metrics = {
                rowHeight: box.height, cellWidth: box.width / 100,
                width: element?.clientWidth ?? 0, height: element?.clientHeight ?? 0,
            };
            set((before) => (Object.keys(next) as (keyof Metrics)[]).every((each) => before[each] === next[each]) ? before : next);
        };
        const observer = new ResizeObserver(measure);
        observer.observe(probe.current!);
        if (scroller.current) observer.observe(scroller.current);
        measure();
        return () => observer.disconnect();
    }, [scroller.current]);
}

/* Selecting with the mouse, which scrolls when it leaves the view. */
function usePointer(
    selection: Selection, placeAt: (x: number, y: number) => Place | undefined, scrollBy: (pixels: number) => void, draw: () => void,
): Pick<JSX.HTMLAttributes<HTMLDivElement>, 'onPointerDown' | 'onMouseDown' | 'onPointerMove' | 'onPointerUp' | 'onPointerCancel'> {
    const dragging = useRef<{ x: number; y: number; frame: number } | undefined>();
    const latest = useRef({ placeAt, scrollBy, draw });
    latest.current = { placeAt, scrollBy, draw };
    const extend = (): void => {
        const place = latest.current.placeAt(dragging.current!.x, dragging.current!.y);
        if (place) selection.extend(place);
        latest.current.draw();
    };
    const scrollOn = (element: HTMLElement): void => {
        const at = dragging.current;
        if (!at) return;
        const box = element.getBoundingClientRect();
        const beyond = at.y < box.top ? at.y - box.top : at.y > box.bottom ? at.y - box.bottom : 0;
        if (beyond) {
            latest.current.scrollBy(beyond);
            extend();
        }
        at.frame = requestAnimationFrame(() => scrollOn(element));
    };
    const end = (): void => {
        if (dragging.current) cancelAnimationFrame(dragging.current.frame);
        dragging.current = undefined;
    };
    useEffect(() => end, []);
    const pointer = useRef<PointerEvent>();
    return {
        onPointerDown: (event) => {
            pointer.current = event;
        },
        // Unlike a pointer's, a mouse's event counts clicks.
        onMouseDown: (event) => {
            const element = event.currentTarget;
            if (event.button !== 0 || pointer.current?.pointerType === 'touch' || !isText(event, element)) return;
            const place = placeAt(event.clientX, event.clientY);
            if (!place) return;
            if (event.shiftKey) selection.extend(place);
            else selection.start(place, event.detail);
            dragging.current = { x: event.clientX, y: event.clientY, frame: 0 };
            scrollOn(element);
            draw();
        },
        onPointerMove: (event) => {
            if (!dragging.current) return;
            // Not before it moves: a click must reach what is under it.
            event.currentTarget.setPointerCapture(event.pointerId);
            Object.assign(dragging.current, { x: event.clientX, y: event.clientY });
            extend();
        },
        onPointerUp: end,
        onPointerCancel: end,
    };
}

/* Whether the mouse is neither over something that acts nor over a scrollbar. */
function isText(event: MouseEvent, element: HTMLElement): boolean {
    const box = element.getBoundingClientRect();
    const inside = event.clientX - box.left < element.clientWidth && event.clientY - box.top < element.clientHeight;
    return inside && !(event.target as Element).closest('a, button');
}
