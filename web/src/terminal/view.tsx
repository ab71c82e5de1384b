/*
 * The terminal as it is seen. Only the rows on the screen are in the document; which they are, and
 * everything that the reader changes, is the ViewModel's. This draws it, and translates what
 * happens in the browser into its terms.
 */
import type { JSX, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { Announcer } from './announcer.tsx';
import { exportLines } from './export.ts';
import { copyText, downloadText } from './handing_out.ts';
import { useMetrics, useMouse } from './hooks.ts';
import { Rows } from './rows.tsx';
import { ScreenView } from './screen_view.tsx';
import { SearchBar } from './search_bar.tsx';
import { Toolbar, plural } from './toolbar.tsx';
import type { Transcript } from './transcript.ts';
import { ViewModel, type Frame } from './view_model.ts';
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

export function TerminalView({ transcript, selected, onSelect, href, name = 'terminal', label = 'Terminal' }: TerminalViewProps): JSX.Element {
    const model = useModel(transcript);
    model.onSelect = onSelect;
    const [showsLines, setShowsLines] = useState(false);
    const scroller = useRef<HTMLDivElement>(null);
    const probe = useRef<HTMLSpanElement>(null);
    const input = useRef<HTMLInputElement>(null);
    useMetrics(scroller, probe, model);
    const frame = model.frame(selected);
    const actions = actionsOf(model, scroller, input, name);
    const { screen } = transcript;
    return (
        <section class="terminal" aria-label={label} onKeyDown={(event) => pressed(event, model, actions)}
            onCopy={(event) => copied(event, model)}>
            <Toolbar model={model} onFind={actions.find} onCopyAll={actions.copyAll} onSave={actions.save} />
            {model.query && <SearchBar input={input} model={model} query={model.query} onStep={actions.stepMatch} onClose={actions.closeSearch} />}
            {screen && (
                <p class="terminal-note">
                    {`A full-screen program is up, ${screen.columns} × ${screen.rows.length}. `}
                    <button type="button" onClick={() => setShowsLines(!showsLines)}>{showsLines ? 'Show it' : 'Show the lines before it'}</button>
                </p>
            )}
            <Notes transcript={transcript} selected={selected} found={frame.marks !== undefined} />
            {screen && !showsLines ? <ScreenView screen={screen} styles={transcript.styles} />
                : <Lines model={model} frame={frame} scroller={scroller} label={label} href={href} onFollow={actions.follow} />}
            <span class="terminal-probe" ref={probe} aria-hidden="true">{'0'.repeat(100)}</span>
            <Announcer transcript={transcript} />
        </section>
    );
}

/* The model of the transcript, drawn again when either changes. */
function useModel(transcript: Transcript): ViewModel {
    const [, redraw] = useReducer((drawn: number) => drawn + 1, 0);
    const before = useRef<ViewModel>();
    const model = useMemo(() => new ViewModel(transcript, () => redraw(undefined), before.current), [transcript]);
    before.current = model;
    useEffect(() => transcript.subscribe(model.draw), [model]);
    return model;
}

interface Actions {
    readonly find: () => void;
    readonly closeSearch: () => void;
    readonly stepMatch: (forward: boolean) => void;
    readonly follow: () => void;
    readonly copyAll: () => void;
    readonly save: (colors: boolean) => void;
}

/* What needs more than the model: the focus, the clipboard, files. */
function actionsOf(model: ViewModel, scroller: RefObject<HTMLDivElement>, input: RefObject<HTMLInputElement>, name: string): Actions {
    const focusLines = (): void => scroller.current?.focus({ preventScroll: true });
    const copyAll = async (): Promise<void> => {
        const { transcript } = model;
        model.selectAll();
        const done = await copyText(model.selection.text);
        focusLines();
        model.say(done ? `${plural(transcript.lines - transcript.first, 'line')} copied` : 'The browser did not allow it: press Ctrl+C');
    };
    const save = async (colors: boolean): Promise<void> => {
        model.say('Writing the file…');
        downloadText(await exportLines(model.transcript, colors), `${name}.${colors ? 'ansi' : 'txt'}`);
        model.say('');
    };
    return {
        find: () => {
            model.openSearch();
            requestAnimationFrame(() => input.current?.select());
        },
        closeSearch: () => {
            model.setQuery(undefined);
            focusLines();
        },
        stepMatch: (forward) => {
            const column = model.stepMatch(forward);
            if (column !== undefined && !model.switches.wrap) bringIntoView(scroller.current, column * model.metrics.cellWidth);
        },
        follow: () => {
            model.follow();
            focusLines();
        },
        copyAll: () => void copyAll(),
        save: (colors) => void save(colors),
    };
}

/* Scrolls sideways when these pixels are not in view. */
function bringIntoView(element: HTMLElement | null, at: number): void {
    if (!element) return;
    if (at < element.scrollLeft || at > element.scrollLeft + element.clientWidth * 0.7)
        element.scrollLeft = Math.max(0, at - element.clientWidth / 3);
}

/* On a window that is too low for the page, the page scrolls as well. */
function bringIntoWindow(row: Element): void {
    const { top, bottom } = row.getBoundingClientRect();
    if (top < window.innerHeight * 0.15 || bottom > window.innerHeight * 0.95) window.scrollBy(0, top - window.innerHeight / 2);
}

/** The keys of a terminal that has the focus, for a page's help. */
export const terminalKeys: readonly { readonly keys: string; readonly does: string }[] = [
    { keys: '/', does: 'Search (also Ctrl+F)' },
    { keys: 'F3', does: 'Next match; with Shift the one before' },
    { keys: 'j', does: 'Next line with an error' },
    { keys: 'k', does: 'The one before' },
    { keys: 'w', does: 'Wrap long lines' },
    { keys: 's', does: 'Show times' },
    { keys: 'End', does: 'Go to the end and follow it' },
    { keys: 'Alt+↓', does: 'Mark the next line; with Shift one more (Alt+↑: before)' },
    { keys: 'Ctrl+A', does: 'Select all lines' },
];

/* Each key that means something while the terminal has the focus, and what it does. */
function pressed(event: KeyboardEvent, model: ViewModel, actions: Actions): void {
    if (event.target instanceof HTMLInputElement) return; // there the second Ctrl+F is the browser's
    const { key, shiftKey, altKey } = event;
    const command = event.ctrlKey || event.metaKey;
    const chord = `${command ? 'Ctrl+' : ''}${altKey ? 'Alt+' : ''}${key.length === 1 ? key.toLowerCase() : key}`;
    const keys: Record<string, () => unknown> = {
        '/': actions.find,
        'Ctrl+f': actions.find,
        F3: () => actions.stepMatch(!shiftKey),
        'Ctrl+a': () => model.selectAll(),
        'Alt+ArrowDown': () => model.pickNext(1, shiftKey),
        'Alt+ArrowUp': () => model.pickNext(-1, shiftKey),
        End: actions.follow,
        j: () => model.stepError(true),
        k: () => model.stepError(false),
        w: () => model.switchTo({ wrap: !model.switches.wrap }),
        s: () => model.switchTo({ times: !model.switches.times }),
        Escape: () => model.escape(),
    };
    if (!Object.hasOwn(keys, chord) || keys[chord]!() === false) return;
    event.preventDefault();
    event.stopPropagation(); // the page may have the same keys
}

function copied(event: ClipboardEvent, model: ViewModel): void {
    if (event.target instanceof HTMLInputElement || !model.selection.ends) return;
    event.clipboardData?.setData('text/plain', model.selection.text);
    event.preventDefault();
}

interface LinesProps {
    readonly model: ViewModel;
    readonly frame: Frame;
    readonly scroller: RefObject<HTMLDivElement>;
    readonly label: string;
    readonly href: ((selected: string) => string) | undefined;
    readonly onFollow: () => void;
}

function Lines({ model, frame, scroller, label, href, onFollow }: LinesProps): JSX.Element {
    const { viewport, switches, layout } = model;
    const mouse = useMouse(model);
    /** Where the element was put: what differs is the reader's doing. */
    const put = useRef(0);
    useLayoutEffect(() => {
        const element = scroller.current!;
        if (Math.abs(element.scrollTop - frame.placement.scrollTop) > 0.5) element.scrollTop = frame.placement.scrollTop;
        put.current = element.scrollTop;
    });
    useLayoutEffect(() => {
        const row = model.revealed > 0 && scroller.current!.querySelector('.terminal-row.is-marked');
        if (row) bringIntoWindow(row);
    }, [model.revealed]);
    const scrolled = (element: HTMLElement): void => {
        const sideways = element.scrollLeft !== model.scrollLeft;
        model.scrollLeft = element.scrollLeft;
        if (Math.abs(element.scrollTop - put.current) > 0.5) model.scrolled(element.scrollTop);
        else if (sideways) model.draw();
    };
    return (
        <div class="terminal-body">
            <div class={`terminal-scroll${switches.wrap ? ' is-wrapped' : ''}`} ref={scroller} tabIndex={0} role="group" aria-label={`Lines of ${label}`}
                onScroll={(event) => scrolled(event.currentTarget)} onClick={(event) => clicked(event, model)} {...mouse}>
                <Rows model={model} frame={frame} href={href} />
                {layout.rows === 0 && <p class="terminal-empty">{emptyText(model)}</p>}
            </div>
            {!viewport.showsEnd && (
                <button type="button" class="terminal-jump" onClick={onFollow}>
                    Jump to the end{viewport.newLines > 0 && ` · ${plural(viewport.newLines, 'new line')}`}
                </button>
            )}
        </div>
    );
}

/* A line is picked by its number; among problems, anywhere. */
function clicked(event: MouseEvent, model: ViewModel): void {
    const target = event.target as Element;
    const row = target.closest<HTMLElement>('.terminal-row');
    const byText = model.switches.problems && !model.selection.ends && !target.closest('a, button');
    if (!row || !(target.closest('a.terminal-number') || byText)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's: another tab, say
    event.preventDefault();
    model.pick(Number(row.dataset.line), event.shiftKey);
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

function emptyText({ transcript, switches }: ViewModel): string {
    if (transcript.pending > 0 || transcript.state === 'loading') return 'Reading…';
    return switches.problems && transcript.lines > 0 ? 'No errors, no warnings, nothing on stderr.' : 'Nothing was written yet.';
}
