import { signal } from '@preact/signals';
import type { Picture } from './session.ts';
import { nextTask } from './backfill.ts';
import { client } from './client.ts';
import type { BuildEvent } from './event.ts';
import { SessionState } from './state.ts';
import { commandText, Story } from './story.ts';
import { Transcripts, writeTo } from './transcripts.ts';
import { Transcript } from '../terminal/index.ts';

/*
 * A session's past, to be looked at again: its history is read once, then any moment of it is the fold of
 * exactly the events up to there. Going forward folds on; going back folds from the beginning, which takes
 * less than the eye notices. The terminal's text follows as soon as it is worked off.
 */

export const speeds = [1, 2, 5, 10, 20, 50] as const;
export type Speed = (typeof speeds)[number];

/** A place on the way that one may want to go to. */
export interface Mark {
    /** How many events there are up to it. */
    readonly at: number;
    readonly kind: 'checkpoint' | 'error' | 'run';
    readonly title: string;
}

const pageSize = 5_000;
const unitsMost = 256 * 1024 * 1024;
const marksMost = 400;
const pieceMs = 8;
/** Pauses of the recording are cut to this, before the speed counts. */
export const longestPauseMs = 5_000;

function markOf(event: BuildEvent, at: number): Mark | null {
    const { type, data } = event;
    if (type === 'error') return { at, kind: 'error', title: String(data.error_message ?? 'error') };
    if (type === 'checkpoint_update')
        return { at, kind: 'checkpoint', title: String(data.phase ?? data.checkpoint_id ?? 'checkpoint') };
    if (type === 'run_started') return { at, kind: 'run', title: commandText(data.command) || 'command' };
    return null;
}

/** When each event is due, ms from the first one: publishers' times may go back, playing does not. */
export function scheduleOf(times: readonly number[]): number[] {
    let due = 0;
    let last = times[0] ?? 0;
    return times.map((time) => {
        if (Number.isFinite(time) && time > last) {
            due += Math.min(time - last, longestPauseMs);
            last = time;
        }
        return due;
    });
}

/** At most as many as can be told apart; errors are the last to go. */
function thinned(marks: readonly Mark[]): Mark[] {
    const errors = marks.filter(({ kind }) => kind === 'error').slice(-marksMost);
    const others = marks.filter(({ kind }) => kind !== 'error');
    const room = marksMost - errors.length;
    const step = Math.max(1, Math.ceil(others.length / Math.max(room, 1)));
    const kept = room > 0 ? others.filter((_, i) => i % step === 0) : [];
    return [...errors, ...kept].sort((a, b) => a.at - b.at);
}

export class Playback {
    readonly phase = signal<'reading' | 'ready' | 'failed'>('reading');
    /** Why it failed. */
    readonly trouble = signal('');
    /** Of reading: per cent. */
    readonly read = signal(0);
    /** How many events there are in all. */
    readonly length = signal(0);
    /** How many of them are in the picture. */
    readonly position = signal(0);
    readonly playing = signal(false);
    readonly speed = signal<Speed>(1);
    readonly marks = signal<readonly Mark[]>([]);
    /** Events before this one are no longer kept, so the picture does not know what they said. */
    readonly firstOffset = signal(1);
    readonly picture: Picture = {
        state: new SessionState(),
        story: new Story(),
        transcripts: new Transcripts(),
        offset: 0,
    };

    #changed: () => void;
    #events: BuildEvent[] = [];
    #due: number[] = [];
    #closed = false;
    #frame: ReturnType<typeof setTimeout> | undefined;
    /** Where playing began: the clock's time, and the recording's. */
    #began = { clock: 0, due: 0 };
    /** The terminal's text is being written anew; which of these writings it is. */
    #rewriting = false;
    #turn = 0;

    /** Reads the events up to and with `until`; calls `changed` whenever the picture is another. */
    constructor(id: string, until: number, changed: () => void) {
        this.#changed = changed;
        this.picture.transcripts.begin('', 0);
        void this.#readAll(id, until);
    }

    close(): void {
        this.#closed = true;
        this.pause();
        this.picture.transcripts.dispose();
    }

    // ---- Reading ----

    async #readAll(id: string, until: number): Promise<void> {
        try {
            await this.#readPages(id, until);
        } catch (error) {
            if (this.#closed) return;
            this.trouble.value = (error as Error).message;
            this.phase.value = 'failed';
            return;
        }
        if (this.#closed) return;
        this.#due = scheduleOf(this.#events.map(({ time }) => Date.parse(time)));
        this.marks.value = thinned(this.#events.flatMap((event, i) => markOf(event, i + 1) ?? []));
        this.length.value = this.#events.length;
        this.phase.value = 'ready';
        this.seek(this.length.peek());
    }

    async #readPages(id: string, until: number): Promise<void> {
        let at = 0;
        let units = 0;
        while (at < until && !this.#closed) {
            const page = await client.peek().history(`session:${id}`, { since: at, limit: pageSize });
            if (at === 0) this.firstOffset.value = Math.max(page.first_offset, 1);
            const events = page.events as unknown as BuildEvent[];
            if (events.length === 0) return;
            for (const event of events) {
                if (event.offset! > until) return;
                units += JSON.stringify(event.data).length;
                if (units > unitsMost) throw new Error('the session is too large to be played back');
                this.#events.push(event);
            }
            at = events.at(-1)!.offset!;
            this.read.value = Math.floor((100 * at) / until);
        }
    }

    // ---- The moment ----

    /** Shows the session as it was after so many of its events. */
    seek(position: number): void {
        if (this.phase.peek() !== 'ready') return;
        const to = Math.min(Math.max(Math.round(position), 0), this.length.peek());
        const from = this.position.peek();
        this.position.value = to;
        if (to < from || to - from > 2_000) this.#rebuild(to);
        else for (const event of this.#events.slice(from, to)) this.#fold(event, !this.#rewriting);
        this.#began = { clock: performance.now(), due: this.#due[to - 1] ?? 0 };
        this.#changed();
    }

    step(by: number): void {
        this.pause();
        this.seek(this.position.peek() + by);
    }

    /** To the next mark, or back to the one before. */
    jump(forward: boolean): void {
        const at = this.position.peek();
        const marks = this.marks.peek();
        const next = forward ? marks.find((mark) => mark.at > at) : marks.filter((mark) => mark.at < at).at(-1);
        this.seek(next?.at ?? (forward ? this.length.peek() : 0));
    }

    #fold(event: BuildEvent, withTerminal: boolean): void {
        this.picture.offset = event.offset!;
        this.picture.state.fold(event);
        this.picture.story.fold(event, this.picture.state);
        if (withTerminal) this.picture.transcripts.write(event);
    }

    /** From the beginning: the picture at once, the terminal's text in pieces. */
    #rebuild(to: number): void {
        this.picture.state = new SessionState();
        this.picture.story = new Story();
        this.picture.offset = 0;
        for (const event of this.#events.slice(0, to)) this.#fold(event, false);
        void this.#rewrite(++this.#turn);
    }

    async #rewrite(turn: number): Promise<void> {
        const transcript = new Transcript();
        this.#rewriting = true;
        let written = 0;
        let due = performance.now() + pieceMs;
        while (written < this.position.peek()) {
            writeTo(transcript, this.#events[written++]!);
            if (performance.now() < due) continue;
            await transcript.drained();
            await nextTask();
            if (turn !== this.#turn || this.#closed) return transcript.dispose();
            due = performance.now() + pieceMs;
        }
        // Nothing comes between the last look at the position and this: what follows is written to both.
        this.#rewriting = false;
        await this.picture.transcripts.adopt(transcript);
    }

    // ---- Playing ----

    play(): void {
        if (this.phase.peek() !== 'ready' || this.playing.peek()) return;
        if (this.position.peek() === this.length.peek()) this.seek(0);
        this.playing.value = true;
        this.#began = { clock: performance.now(), due: this.#due[this.position.peek() - 1] ?? 0 };
        this.#plan();
    }

    pause(): void {
        clearTimeout(this.#frame);
        this.playing.value = false;
    }

    toggle(): void {
        if (this.playing.peek()) this.pause();
        else this.play();
    }

    setSpeed(speed: Speed): void {
        this.#began = { clock: performance.now(), due: this.#now() };
        this.speed.value = speed;
        if (this.playing.peek()) this.#plan();
    }

    faster(): void {
        this.setSpeed(speeds[Math.min(speeds.indexOf(this.speed.peek()) + 1, speeds.length - 1)]!);
    }

    slower(): void {
        this.setSpeed(speeds[Math.max(speeds.indexOf(this.speed.peek()) - 1, 0)]!);
    }

    /** The recording's time that it is now. */
    #now(): number {
        return this.#began.due + (performance.now() - this.#began.clock) * this.speed.peek();
    }

    #plan(): void {
        clearTimeout(this.#frame);
        const next = this.#due[this.position.peek()];
        if (next === undefined) return this.pause();
        const wait = (next - this.#now()) / this.speed.peek();
        this.#frame = setTimeout(() => this.#advance(), Math.max(wait, 16));
    }

    /** Everything that is due by now. */
    #advance(): void {
        const began = this.#began;
        const now = this.#now();
        let to = this.position.peek();
        while (to < this.#due.length && this.#due[to]! <= now) to++;
        if (to > this.position.peek()) this.seek(to);
        this.#began = began; // time goes on as it did, whatever folding took
        this.#plan();
    }
}
