/*
 * The model of a session's terminal: what was written, as lines.
 *
 * Output goes through an emulator, so carriage returns, cursor movements and colours mean what they
 * mean in a terminal. Lines that leave the emulator's screen can change no more and go to the
 * archive; those still on it ("live" lines) are read from it whenever somebody looks. Line numbers
 * count both, without a break between them.
 *
 * Each line has an address, "offset.number": the event in which it began, and how many line feeds of
 * that event came before. It depends on nothing but the log, so it means the same line to a reader
 * who saw everything and to one who joined late.
 *
 * Nothing here blocks: writing queues, and the queue is worked off in slices of time.
 */
import { Archive, LineFlag, type LineFacts } from './archive.ts';
import { Emulator, loadEmulator, type EmulatedLine, type OutputEvent, type TerminalConstructor } from './emulator.ts';
import { Outline, type Group } from './outline.ts';
import { SLICE, onFrame, soon } from './schedule.ts';
import { severityOf } from './severity.ts';
import { StyleTable } from './style.ts';

export interface EventMeta {
    /** The event's place in the session's log. */
    readonly offset: number;
    /** RFC 3339. */
    readonly time?: string | undefined;
    readonly source?: string | undefined;
}

export interface OutputMeta extends EventMeta {
    readonly stream: 'stdout' | 'stderr';
}

/** The data of `run_started`; what is missing or of another type is ignored. */
export interface RunStarted {
    readonly command?: unknown;
    readonly cwd?: unknown;
    readonly pid?: unknown;
    /** Whether it writes to a terminal of its own, and the size of that; a size alone says so, too. */
    readonly pty?: unknown;
    readonly cols?: unknown;
    readonly rows?: unknown;
}

/** The data of `run_finished`. */
export interface RunFinished {
    readonly exit_code?: unknown;
    readonly signal?: unknown;
    readonly duration?: unknown;
    readonly pid?: unknown;
}

export interface Line {
    readonly index: number;
    readonly text: string;
    /** Pairs: the character from which on, the style. Before the first all is plain. */
    readonly runs: ArrayLike<number>;
    /** In cells. */
    readonly width: number;
    /** Bits of LineFlag. */
    readonly flags: number;
    /** The innermost group it is in, -1 for none. */
    readonly group: number;
    /** "offset.number"; undefined for a remark, which is in no log. */
    readonly address: string | undefined;
    /** Milliseconds since 1970, NaN when unknown. */
    readonly time: number;
}

/** What a full-screen program shows. */
export interface Screen {
    readonly columns: number;
    readonly rows: readonly Pick<Line, 'text' | 'runs' | 'width'>[];
    readonly cursor: { readonly x: number; readonly y: number } | undefined;
}

export interface TranscriptOptions {
    /** The size of a terminal of which nothing is known. */
    readonly columns?: number;
    readonly rows?: number;
    /** How much is kept; the oldest lines go first. */
    readonly maxLines?: number;
    readonly maxCharacters?: number;
    /** How much may wait to be processed. Beyond it the oldest is skipped, and a remark says so. */
    readonly maxPending?: number;
}

export type TranscriptState = 'idle' | 'loading' | 'ready' | 'failed';

type Item =
    | { kind: 'output'; text: string; at: number; readonly event: OutputEvent }
    | { kind: 'started'; readonly data: RunStarted; readonly meta: EventMeta }
    | { kind: 'finished'; readonly data: RunFinished; readonly meta: EventMeta }
    | { kind: 'notice'; text: string; skipped: number }
    | { kind: 'done' };

interface LiveLine {
    readonly text: string;
    readonly runs: readonly number[];
    readonly facts: LineFacts;
}

/** Above this, `write` asks for a pause; below a quarter of it, `drained` ends the pause. */
const HIGH_WATER = 8 * 1024 * 1024;

/** With more characters waiting than this, changes are told less often: after so many milliseconds. */
const FLOOD = 512 * 1024;
const FLOOD_PAUSE = 90;

const defaults = {
    columns: 240, rows: 50, maxLines: 1_000_000, maxCharacters: 256 * 1024 * 1024, maxPending: 64 * 1024 * 1024,
};

export class Transcript {
    readonly styles = new StyleTable();
    readonly #options: Required<TranscriptOptions>;
    readonly #archive: Archive;
    readonly #outline = new Outline();
    readonly #listeners = new Set<() => void>();
    #waiting: { readonly below: number; readonly resolve: () => void }[] = [];
    #terminal: TerminalConstructor | undefined;
    #emulator: Emulator | undefined;
    #state: TranscriptState = 'idle';
    #queue: Item[] = [];
    #head = 0;
    #pending = 0;
    #working = false;
    #announced = false;
    #live: LiveLine[] | undefined;
    #place = { offset: 0, number: 0 };
    #newest = -1;
    #errors = 0;
    #warnings = 0;
    #version = 0;
    #generation = 0;
    #disposed = false;

    constructor(options: TranscriptOptions = {}) {
        this.#options = { ...defaults, ...options };
        this.#archive = new Archive({ lines: this.#options.maxLines, characters: this.#options.maxCharacters });
    }

    /* ---- writing ---- */

    /**
     * Queues the output of an event. False when much is waiting: whoever can pause should await
     * `drained()` before going on.
     */
    write(output: string, meta: OutputMeta): boolean {
        const event = { offset: meta.offset, time: timeOf(meta.time), stderr: meta.stream === 'stderr' };
        this.#enqueue({ kind: 'output', text: output, at: 0, event }, output.length);
        if (this.#pending > this.#options.maxPending) this.#skipOldest();
        return this.#pending < HIGH_WATER;
    }

    runStarted(data: RunStarted, meta: EventMeta): void {
        this.#enqueue({ kind: 'started', data, meta }, 0);
    }

    runFinished(data: RunFinished, meta: EventMeta): void {
        this.#enqueue({ kind: 'finished', data, meta }, 0);
    }

    /** A remark between the lines, such as that some are missing. */
    addNotice(text: string): void {
        this.#enqueue({ kind: 'notice', text, skipped: 0 }, 0);
    }

    /** Forgets everything, as before a session is shown from its start. */
    reset(): void {
        this.#queue = [];
        this.#head = this.#pending = 0;
        this.#emulator?.dispose();
        this.#emulator = undefined;
        this.#archive.clear();
        this.#outline.clear();
        this.#live = undefined;
        this.#place = { offset: 0, number: 0 };
        this.#newest = -1;
        this.#errors = this.#warnings = 0;
        this.#generation++;
        this.#changed();
        this.#release();
    }

    /** Changes when `reset` was called: line numbers mean other lines from then on. */
    get generation(): number {
        return this.#generation;
    }

    dispose(): void {
        this.reset();
        this.#disposed = true;
        this.#listeners.clear();
    }

    /** Characters that wait to be processed. */
    get pending(): number {
        return this.#pending;
    }

    /** When so little is waiting that writing may go on. */
    drained(): Promise<void> {
        return this.#until(HIGH_WATER / 4);
    }

    /** When all that was written has become lines. */
    settled(): Promise<void> {
        return this.#until(0);
    }

    #until(below: number): Promise<void> {
        if (this.#isBelow(below)) return Promise.resolve();
        return new Promise((resolve) => this.#waiting.push({ below, resolve }));
    }

    #isBelow(below: number): boolean {
        return below > 0 ? this.#pending < below : this.#head === this.#queue.length;
    }

    #release(): void {
        const ready = this.#waiting.filter((each) => this.#isBelow(each.below));
        this.#waiting = this.#waiting.filter((each) => !ready.includes(each));
        for (const each of ready) each.resolve();
    }

    #enqueue(item: Item, size: number): void {
        if (this.#disposed) return;
        this.#queue.push(item);
        this.#pending += size;
        this.#start();
    }

    /* What was skipped is gone for this page; the log still has it, and the remark says so. */
    #skipOldest(): void {
        let notice: Item & { kind: 'notice' } | undefined;
        for (let i = this.#head; i < this.#queue.length - 1 && this.#pending > this.#options.maxPending / 2; i++) {
            const item = this.#queue[i]!;
            if (item.kind === 'notice' && item.skipped) notice = item;
            if (item.kind !== 'output') continue;
            const size = item.text.length - item.at;
            this.#pending -= size;
            if (notice) this.#queue[i] = done;
            else this.#queue[i] = notice = { kind: 'notice', text: '', skipped: 0 };
            notice.skipped += size;
            notice.text = `${(notice.skipped / 1048576).toFixed(1)} MB of output are not shown: they came faster than this page could take them.`;
        }
    }

    /* ---- working off the queue ---- */

    get state(): TranscriptState {
        return this.#state;
    }

    /** Tries again to load the emulator, after `state` became "failed". */
    retry(): void {
        if (this.#state === 'failed') this.#state = 'idle';
        this.#start();
    }

    #start(): void {
        if (this.#state === 'idle') void this.#load();
        if (this.#state !== 'ready' || this.#working || this.#head === this.#queue.length) return;
        this.#working = true;
        soon(() => this.#work());
    }

    async #load(): Promise<void> {
        this.#state = 'loading';
        try {
            this.#terminal = await loadEmulator();
            this.#state = 'ready';
        } catch {
            this.#state = 'failed';
        }
        this.#changed();
        this.#start();
    }

    #work(): void {
        this.#working = false;
        if (this.#disposed) return;
        const until = performance.now() + SLICE;
        while (this.#head < this.#queue.length && performance.now() < until) this.#step();
        if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
            this.#queue = this.#queue.slice(this.#head);
            this.#head = 0;
        }
        this.#changed();
        this.#release();
        this.#start();
    }

    /** Does a small part of the oldest item. */
    #step(): void {
        const item = this.#queue[this.#head]!;
        this.#takeBackLive();
        if (item.kind === 'output') {
            this.#output(item);
            if (item.at < item.text.length) return;
        } else if (item.kind === 'started') this.#runStarts(item.data, item.meta);
        else if (item.kind === 'finished') this.#runEnds(item.data, item.meta);
        else if (item.kind === 'notice') this.#notice(item.text);
        // A hole, not a shift: shifting would move all that follow.
        this.#queue[this.#head++] = done;
        if (this.#head === this.#queue.length) {
            this.#queue = [];
            this.#head = 0;
        }
    }

    #output(item: Item & { kind: 'output' }): void {
        const emulator = (this.#emulator ??= this.#newEmulator());
        if (item.at === 0) {
            this.#newest = Math.max(this.#newest, item.event.offset);
            emulator.begin(item.event, item.text);
        }
        const end = Math.min(item.at + Emulator.chunk, item.text.length);
        emulator.write(item.at === 0 && end === item.text.length ? item.text : item.text.slice(item.at, end));
        this.#pending -= end - item.at;
        item.at = end;
    }

    #newEmulator(columns = this.#options.columns, rows = this.#options.rows, convertEol = true): Emulator {
        return new Emulator(this.#terminal!, columns, rows, convertEol, this.styles, this.#scrolled);
    }

    readonly #scrolled = (line: EmulatedLine): void => {
        const { facts } = this.#read(line, this.#archive.end);
        this.#append(line.text, line.runs, facts);
    };

    #append(text: string, runs: readonly number[], facts: LineFacts): void {
        if (facts.flags & LineFlag.error) this.#errors++;
        if (facts.flags & LineFlag.warning) this.#warnings++;
        this.#place = { offset: facts.offset, number: facts.number };
        this.#archive.append(text, runs, facts);
    }

    /* What a line of the emulator is in the transcript. Addresses never go back: rows that a program
       put in another order share the address of those before. */
    #read(line: EmulatedLine, index: number, before = this.#place): { facts: LineFacts } {
        const { origin } = line;
        const offset = origin?.event.offset ?? before.offset;
        const number = origin?.number ?? before.number;
        const later = offset > before.offset || (offset === before.offset && number > before.number);
        const role = this.#outline.line(index, line.text, origin?.sections);
        const severity = severityOf(line.text);
        return { facts: {
            offset: later ? offset : before.offset,
            number: later ? number : before.number,
            time: origin?.event.time ?? NaN,
            flags: (origin?.stderr ? LineFlag.stderr : 0) |
                (severity === 'error' ? LineFlag.error : severity === 'warning' ? LineFlag.warning : 0) |
                (role.hidden ? LineFlag.hidden : 0) | (role.opens !== undefined ? LineFlag.header : 0) | (line.continued ? LineFlag.continued : 0),
            group: role.group,
            width: line.width,
        } };
    }

    /* ---- runs and remarks ---- */

    /* All that was on the screen becomes history, and the next program gets a terminal of its own;
       but a run inside another shares the terminal. */
    #runStarts(data: RunStarted, meta: EventMeta): void {
        const [columns, rows] = [size(data.cols), size(data.rows)];
        this.#emulator?.breakHere(this.#scrolled);
        if (!this.#outline.running) {
            this.#emulator?.dispose();
            this.#emulator = this.#newEmulator(
                columns ?? this.#options.columns, rows ?? this.#options.rows, columns === undefined && data.pty !== true);
        } else if (columns && rows) this.#emulator?.resize(columns, rows);
        const command = commandOf(data.command);
        const time = timeOf(meta.time);
        const group = this.#outline.current;
        this.#newest = Math.max(this.#newest, meta.offset);
        const headed = this.#outline.startRun(this.#archive.end, {
            command, started: time, finished: false,
            cwd: typeof data.cwd === 'string' ? data.cwd : undefined,
            pid: typeof data.pid === 'number' ? data.pid : undefined,
            source: meta.source,
        });
        this.#append(`$ ${command}`, [], {
            offset: meta.offset, number: 0, time, flags: LineFlag.run | (headed ? LineFlag.header : 0), group, width: command.length + 2,
        });
    }

    #runEnds(data: RunFinished, meta: EventMeta): void {
        this.#emulator?.breakHere(this.#scrolled);
        this.#newest = Math.max(this.#newest, meta.offset);
        this.#outline.finishRun(this.#archive.end, (run) =>
            (typeof data.pid !== 'number' || run.pid === undefined || run.pid === data.pid) &&
            (meta.source === undefined || run.source === undefined || run.source === meta.source), {
            exitCode: typeof data.exit_code === 'number' ? data.exit_code : undefined,
            signal: data.signal ? String(data.signal) : undefined,
            duration: typeof data.duration === 'number' ? data.duration : undefined,
        });
        if (this.#outline.running) return;
        this.#emulator?.dispose();
        this.#emulator = undefined;
    }

    #notice(text: string): void {
        this.#emulator?.breakHere(this.#scrolled);
        this.#append(text, [], {
            ...this.#place, time: NaN, flags: LineFlag.notice, group: this.#outline.current, width: text.length,
        });
    }

    /* ---- reading ---- */

    /** Calls back at most once per frame after changes. Returns what ends it. */
    subscribe(listener: () => void): () => void {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    #changed(): void {
        this.#version++;
        if (this.#announced) return;
        this.#announced = true;
        const announce = (): void => {
            this.#announced = false;
            for (const each of [...this.#listeners]) each();
        };
        // In a flood nobody can read 60 pictures a second, and each takes time from the next lines.
        if (this.#pending > FLOOD) setTimeout(() => onFrame(announce), FLOOD_PAUSE);
        else onFrame(announce);
    }

    /** Grows with every change. */
    get version(): number {
        return this.#version;
    }

    /** The oldest line that is still kept; older ones had smaller numbers. */
    get first(): number {
        return this.#archive.first;
    }

    /** The lines from here on may still change; those before will not. */
    get settledLines(): number {
        return this.#archive.end;
    }

    /** The line after the newest, which is the number of lines that there ever were. */
    get lines(): number {
        return this.#archive.end + this.#liveLines().length;
    }

    /** Lines that look like errors. */
    get errors(): number {
        return this.#errors + this.#countLive(LineFlag.error);
    }

    get warnings(): number {
        return this.#warnings + this.#countLive(LineFlag.warning);
    }

    get groups(): readonly Group[] {
        this.#liveLines();
        return this.#outline.groups;
    }

    /** The group of which this line is the header. */
    headedBy(index: number): Group | undefined {
        this.#liveLines();
        return this.#outline.headedBy(index);
    }

    #countLive(flag: number): number {
        return this.#liveLines().filter((each) => each.facts.flags & flag).length;
    }

    #liveLines(): readonly LiveLine[] {
        if (this.#live) return this.#live;
        const live: LiveLine[] = [];
        this.#outline.keep();
        let before = this.#place;
        this.#emulator?.readLive((line) => {
            const { facts } = this.#read(line, this.#archive.end + live.length, before);
            before = { offset: facts.offset, number: facts.number };
            live.push({ text: line.text, runs: line.runs, facts });
        });
        return (this.#live = live);
    }

    #takeBackLive(): void {
        if (!this.#live) return;
        this.#live = undefined;
        this.#outline.rewind();
    }

    line(index: number): Line | undefined {
        if (index < this.#archive.first) return undefined;
        if (index < this.#archive.end)
            return describe(index, this.#archive.text(index), this.#archive.runs(index), this.#archive.facts(index));
        const live = this.#liveLines()[index - this.#archive.end];
        return live && describe(index, live.text, live.runs, live.facts);
    }

    /** As `line(index).text`, without the rest; '' where there is no line. */
    text(index: number): string {
        if (index < this.#archive.first) return '';
        if (index < this.#archive.end) return this.#archive.text(index);
        return this.#liveLines()[index - this.#archive.end]?.text ?? '';
    }

    flags(index: number): number {
        if (index < this.#archive.first) return 0;
        if (index < this.#archive.end) return this.#archive.flags(index);
        return this.#liveLines()[index - this.#archive.end]?.facts.flags ?? 0;
    }

    group(index: number): number {
        if (index < this.#archive.first) return -1;
        if (index < this.#archive.end) return this.#archive.group(index);
        return this.#liveLines()[index - this.#archive.end]?.facts.group ?? -1;
    }

    width(index: number): number {
        if (index < this.#archive.first) return 0;
        if (index < this.#archive.end) return this.#archive.width(index);
        return this.#liveLines()[index - this.#archive.end]?.facts.width ?? 0;
    }

    /** The line with this address, or the one that contains it; undefined when it is not here (yet). */
    find(address: string): number | undefined {
        const parsed = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(address);
        if (!parsed) return undefined;
        const [offset, number] = [Number(parsed[1]), Number(parsed[2] ?? 0)];
        if (offset > this.#newest) return undefined;
        const live = this.#liveLines();
        const isLater = (facts: LineFacts): boolean =>
            facts.offset > offset || (facts.offset === offset && facts.number > number);
        const firstLater = live.findIndex((each) => isLater(each.facts));
        const inLive = (firstLater < 0 ? live.length : firstLater) - 1;
        let index = inLive >= 0 ? this.#archive.end + inLive : this.#archive.lastAtOrBefore(offset, number);
        if (index < 0) return undefined;
        const { address: its } = this.line(index)!;
        for (let most = 10_000; most > 0 && index > this.first && this.line(index - 1)!.address === its; most--) index--;
        return index;
    }

    /** What the full-screen program shows that is up, if one is. */
    get screen(): Screen | undefined {
        const emulator = this.#emulator;
        if (!emulator?.alternate) return undefined;
        const rows: { text: string; runs: number[]; width: number }[] = [];
        emulator.readScreen(({ text, runs, width }) => rows.push({ text, runs, width }));
        return { columns: emulator.columns, rows, cursor: emulator.cursor };
    }
}

const done: Item = { kind: 'done' };

function describe(index: number, text: string, runs: ArrayLike<number>, facts: LineFacts): Line {
    const address = facts.flags & LineFlag.notice ? undefined : `${facts.offset}.${facts.number}`;
    return { index, text, runs, width: facts.width, flags: facts.flags, group: facts.group, address, time: facts.time };
}

function timeOf(time: string | undefined): number {
    return time === undefined ? NaN : Date.parse(time);
}

function size(value: unknown): number | undefined {
    return typeof value === 'number' && value >= 2 && value <= 1000 ? Math.floor(value) : undefined;
}

function commandOf(command: unknown): string {
    const text = Array.isArray(command) ? command.map(quote).join(' ') : typeof command === 'string' ? command : '';
    return text.replace(/\s+/g, ' ').trim() || 'command';
}

/* As it could be pasted into a shell. */
function quote(argument: unknown): string {
    const text = String(argument);
    return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
