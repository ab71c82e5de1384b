import type { BuildEvent } from './event.ts';
import { client } from './client.ts';
import type { Session } from './session.ts';
import { SessionState } from './state.ts';
import { Story } from './story.ts';
import { writeTo } from './transcripts.ts';
import { Transcript } from '../terminal/index.ts';

/*
 * Reads a session's history from its beginning, in pages and in short pieces of work, until it
 * meets the live tail; then its picture takes the place of the one that began with a snapshot. The
 * two meet at one offset, in one task, so that nothing is missing and nothing stands twice.
 */

const pageLeast = 50;
const pageMost = 5_000;
const pageUnitsWanted = 512 * 1024;
const pieceMs = 8;
const retriesMost = 5;

export const nextTask = (): Promise<void> =>
    new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
            port1.close();
            resolve();
        };
        port2.postMessage(null);
    });

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class Backfill {
    #session: Session;
    #stopped = false;
    #state = new SessionState();
    #story = new Story();
    #transcript: Transcript | null = null;
    #at = 0;
    #first: number | null = null;
    #limit = 300;

    constructor(session: Session) {
        this.#session = session;
    }

    stop(): void {
        this.#stopped = true;
        this.#transcript?.dispose();
        this.#transcript = null;
    }

    async run(): Promise<void> {
        const session = this.#session;
        if (session.live.offset === 0) {
            session.history.value = { phase: 'whole', read: 0, of: 0 };
            return;
        }
        this.#tell();
        this.#transcript = new Transcript();
        for (let failures = 0; !this.#stopped; ) {
            try {
                if (await this.#readPage()) return;
                failures = 0;
            } catch (error) {
                if (this.#stopped) return;
                if (++failures > retriesMost) {
                    session.history.value = {
                        phase: 'failed',
                        read: this.#at,
                        of: session.live.offset,
                        error: (error as Error).message,
                    };
                    this.stop();
                    return;
                }
                await pause(500 * 2 ** failures);
            }
        }
    }

    #tell(): void {
        this.#session.history.value = { phase: 'reading', read: this.#at, of: this.#session.live.offset };
    }

    /** Whether the live tail is reached. */
    async #readPage(): Promise<boolean> {
        const session = this.#session;
        const page = await client.peek().history(`session:${session.id}`, { since: this.#at, limit: this.#limit });
        if (this.#stopped) return true;
        this.#first ??= page.first_offset;
        if (this.#at < this.#first - 1) {
            this.#at = this.#first - 1;
            this.#transcript?.addNotice('Earlier output is no longer kept by the server.');
        }
        let units = 0;
        let due = performance.now() + pieceMs;
        for (const event of page.events as unknown as BuildEvent[]) {
            if (performance.now() > due) {
                await this.#transcript?.drained();
                await nextTask();
                if (this.#stopped) return true;
                due = performance.now() + pieceMs;
            }
            if (event.offset! > session.live.offset) break; // the live tail has yet to bring it
            this.#take(event);
            units += typeof event.data.output === 'string' ? event.data.output.length + 150 : 400;
        }
        if (page.events.length) {
            const factor = pageUnitsWanted / Math.max(units, 1);
            this.#limit = Math.round(Math.min(Math.max(this.#limit * Math.min(factor, 3), pageLeast), pageMost));
        }
        this.#tell();
        const rest = session.recent.after(this.#at);
        if (rest === null && page.events.length === 0) throw new Error('the history ends before the live events begin');
        return rest !== null && this.#meet(rest);
    }

    #take(event: BuildEvent): void {
        if (event.offset! <= this.#at) return;
        this.#at = event.offset!;
        this.#state.fold(event);
        this.#story.fold(event, this.#state);
        if (this.#transcript) writeTo(this.#transcript, event);
    }

    /** From here to the end nothing waits: the live tail stands still meanwhile. */
    #meet(rest: readonly BuildEvent[]): boolean {
        const session = this.#session;
        for (const event of rest) this.#take(event);
        if (this.#at !== session.live.offset) return false;
        const whole = (this.#first ?? 1) <= 1;
        void session.live.transcripts.adopt(this.#transcript!);
        this.#transcript = null;
        session.adopt(whole ? this.#state : null, this.#story);
        session.history.value = { phase: whole ? 'whole' : 'trimmed', read: this.#at, of: this.#at };
        return true;
    }
}
