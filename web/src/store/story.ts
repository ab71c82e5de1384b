import { type BuildEvent, list, number, object, text } from './event.ts';
import type { SessionState } from './state.ts';

/*
 * What happened in a session, as far as its current picture does not tell: the timeline, the runs,
 * the errors, and the progress over time. Everything is
 * bounded; entries hold a summary, the whole event is asked for by its offset when someone looks.
 */

export type EntryKind = 'checkpoint' | 'file' | 'error' | 'run';

export interface Entry {
    readonly offset: number;
    readonly kind: EntryKind;
    /** Milliseconds since 1970. */
    readonly time: number;
    readonly title: string;
    readonly note: string;
    /** What happened to a file, how a run ended; decides the colour. */
    readonly tone: 'created' | 'modified' | 'deleted' | 'moved' | 'good' | 'bad' | 'plain';
    /** Of a checkpoint: its phase, when it is another than before. */
    readonly phase?: string;
}

export interface BuildError {
    /** Its place, also in the terminal's output; null until the history is read. */
    readonly offset: number | null;
    readonly time: number;
    readonly message: string;
    readonly type: string | null;
    readonly traceback: string | null;
}

export interface RunRecord {
    readonly offset: number;
    readonly started: number;
    readonly command: string;
    readonly cwd: string | null;
    readonly pid: number | null;
    finished: number | null;
    exitCode: number | null;
    signal: string | null;
    /** Seconds. */
    duration: number | null;
}

export interface Sample {
    time: number;
    /** 0 to 100. */
    percent: number;
}

const entriesMost = 20_000;
const errorsMost = 500;
const runsMost = 500;
const samplesMost = 2_000;
const restartDrop = 25; // per cent by which progress falls when a build begins anew

/** A command as one would type it. */
export function commandText(command: unknown): string {
    if (typeof command === 'string') return command;
    if (!Array.isArray(command)) return command === undefined || command === null ? '' : JSON.stringify(command);
    return command
        .map((part) =>
            /^[\w@%+=:,./-]+$/.test(String(part)) ? String(part) : `'${String(part).replaceAll("'", "'\\''")}'`,
        )
        .join(' ');
}

/** What ended the run, in words. */
export function outcome(run: Pick<RunRecord, 'finished' | 'exitCode' | 'signal'>): string {
    if (run.finished === null) return 'running';
    if (run.signal !== null) return `ended by ${run.signal}`;
    return run.exitCode === null ? 'ended' : `exit ${run.exitCode}`;
}

export function hasFailed(run: Pick<RunRecord, 'exitCode' | 'signal'>): boolean {
    return run.signal !== null || (run.exitCode ?? 0) !== 0;
}

function signalText(value: unknown): string | null {
    if (value === null || value === undefined || value === 0) return null;
    return typeof value === 'number' ? `signal ${value}` : String(value);
}

export class Story {
    /** Oldest first. */
    entries: Entry[] = [];
    errors: BuildError[] = [];
    runs: RunRecord[] = [];
    /** Progress since the build began, oldest first, only where it changed. */
    samples: Sample[] = [];
    /** When the build that goes on, or went last, began; ms since 1970. */
    began: number | null = null;
    /** Entries that were left out at the front. */
    dropped = 0;
    files = 0;
    #phase: string | null = null;
    #peak = 0;

    /** After `state` took the same event in. */
    fold(event: BuildEvent, state: SessionState): void {
        if (event.offset === undefined) return;
        const time = Date.parse(event.time);
        this.began ??= time;
        switch (event.type) {
            case 'checkpoint_update':
                this.#checkpoint(event, time);
                break;
            case 'file_change':
                this.#file(event, time);
                break;
            case 'error':
                this.#error(event, time);
                break;
            case 'run_started':
                this.#runStarted(event, time);
                break;
            case 'run_finished':
                this.#runFinished(event, time);
                break;
        }
        if (event.type !== 'terminal_output') this.sample(time, state.percentage);
    }

    /** Progress that falls a lot, or below where it began, is that of another build. */
    sample(time: number, percent: number): void {
        const last = this.samples.at(-1);
        if (last?.percent === percent) return;
        if (last && (percent <= this.#peak - restartDrop || percent < this.samples[0]!.percent)) {
            this.samples = [];
            this.#peak = 0;
            if (this.runs.at(-1)?.finished !== null) this.began = time;
        }
        this.#peak = Math.max(this.#peak, percent);
        this.samples.push({ time, percent });
        if (this.samples.length > samplesMost) {
            this.samples = this.samples.filter((_, i) => i % 2 === 0 || i > samplesMost - 200);
        }
    }

    /** The errors of the build that goes on, or went last. */
    get currentErrors(): readonly BuildError[] {
        const { began } = this;
        return began === null ? this.errors : this.errors.filter(({ time }) => time >= began);
    }

    #add(entry: Entry): void {
        this.entries.push(entry);
        if (this.entries.length < entriesMost * 1.1) return;
        this.dropped += this.entries.length - entriesMost;
        this.entries = this.entries.slice(-entriesMost);
    }

    #checkpoint({ data, offset }: BuildEvent, time: number): void {
        const metadata = object(data.metadata);
        const phase = text(data.phase);
        const tasks = list(data.tasks_completed)?.length ?? 0;
        const files = list(data.files_created)?.length ?? 0;
        const counts = [
            tasks && `${tasks} ${tasks === 1 ? 'task' : 'tasks'}`,
            files && `${files} ${files === 1 ? 'file' : 'files'}`,
        ];
        const isNew = phase !== null && phase !== this.#phase;
        this.#phase = phase;
        this.#add({
            offset: offset!,
            kind: 'checkpoint',
            time,
            tone: 'plain',
            title: text(metadata?.description) || text(metadata?.name) || text(data.checkpoint_id) || 'checkpoint',
            note: counts.filter(Boolean).join(', '),
            ...(isNew ? { phase } : {}),
        });
    }

    #file({ data, offset }: BuildEvent, time: number): void {
        const change = text(data.change_type);
        const tone =
            change === 'created' || change === 'modified' || change === 'deleted' || change === 'moved'
                ? change
                : 'plain';
        this.files++;
        this.#add({ offset: offset!, kind: 'file', time, tone, title: text(data.file_path) ?? '', note: change ?? '' });
    }

    #error({ data, offset }: BuildEvent, time: number): void {
        const message = text(data.error_message) ?? 'error';
        const type = text(data.error_type);
        this.errors.push({ offset: offset!, time, message, type, traceback: text(data.traceback) });
        if (this.errors.length > errorsMost) this.errors.shift();
        this.#add({ offset: offset!, kind: 'error', time, tone: 'bad', title: message, note: type ?? '' });
    }

    #runStarted({ data, offset }: BuildEvent, time: number): void {
        const command = commandText(data.command);
        this.runs.push({
            offset: offset!,
            started: time,
            command,
            cwd: text(data.cwd),
            pid: number(data.pid),
            finished: null,
            exitCode: null,
            signal: null,
            duration: null,
        });
        if (this.runs.length > runsMost) this.runs.shift();
        this.began = time;
        this.samples = [];
        this.#peak = 0;
        this.#add({ offset: offset!, kind: 'run', time, tone: 'plain', title: command, note: 'started' });
    }

    #runFinished({ data, offset }: BuildEvent, time: number): void {
        let run = this.runs.at(-1);
        if (!run || run.finished !== null) {
            // Its beginning is not in the history any more; the end tells what ran.
            const seconds = number(data.duration) ?? 0;
            run = {
                offset: offset!,
                started: time - seconds * 1000,
                command: commandText(data.command),
                cwd: text(data.cwd),
                pid: number(data.pid),
                finished: null,
                exitCode: null,
                signal: null,
                duration: null,
            };
            this.runs.push(run);
        }
        run.finished = time;
        run.exitCode = number(data.exit_code);
        run.signal = signalText(data.signal);
        run.duration = number(data.duration) ?? (time - run.started) / 1000;
        this.#add({
            offset: offset!,
            kind: 'run',
            time,
            tone: hasFailed(run) ? 'bad' : 'good',
            title: run.command || 'command',
            note: outcome(run),
        });
    }

    /** For who joins late, until the history is read: what the snapshot tells. */
    static fromState(state: SessionState): Story {
        const story = new Story();
        story.began = state.started ? Date.parse(state.started) : null;
        story.#phase = state.phase;
        story.errors = state.errors.map((error) => ({
            offset: null,
            time: Date.parse(error.timestamp),
            message: error.error_message ?? 'error',
            type: error.error_type,
            traceback: error.traceback,
        }));
        if (state.updated) story.sample(Date.parse(state.updated), state.percentage);
        return story;
    }
}
