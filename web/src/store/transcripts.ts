import { signal } from '@preact/signals';
import { Transcript } from '../terminal/index.ts';
import type { BuildEvent } from './event.ts';

/*
 * The terminal's output of a session. Who joins late sees the end of it at once; when the history
 * is read, the transcript of all of it takes the place of that, as soon as it is worked off.
 */

const tailBytes = 64 * 1024;

/** Hands an event that belongs in the terminal on; the others are none of its business. */
export function writeTo(transcript: Transcript, { type, data, offset, time }: BuildEvent): void {
    const meta = { offset: offset!, time, source: typeof data.source === 'string' ? data.source : undefined };
    if (type === 'terminal_output') {
        if (typeof data.output !== 'string') return;
        transcript.write(data.output, { ...meta, stream: data.output_type === 'stderr' ? 'stderr' : 'stdout' });
    } else if (type === 'run_started') transcript.runStarted(data, meta);
    else if (type === 'run_finished') transcript.runFinished(data, meta);
}

/** What the server cut off in the middle of a line is shown from the next line on. */
function wholeLines(tail: string): string {
    if (tail.length * 3 < tailBytes) return tail;
    return tail.slice(tail.indexOf('\n') + 1);
}

export class Transcripts {
    readonly current = signal(new Transcript());
    /** Whether its lines have their final addresses. */
    readonly isWhole = signal(false);
    #next: Transcript | null = null;

    begin(tail: string, offset: number): void {
        this.#forgetNext();
        this.isWhole.value = offset === 0;
        const transcript = new Transcript();
        if (tail) transcript.write(wholeLines(tail), { offset, stream: 'stdout' });
        this.#show(transcript);
    }

    write(event: BuildEvent): void {
        writeTo(this.current.peek(), event);
        if (this.#next) writeTo(this.#next, event);
    }

    /** The history has been written to this one, up to where the live tail is. */
    async adopt(transcript: Transcript): Promise<void> {
        this.#forgetNext();
        this.#next = transcript;
        await transcript.settled();
        if (this.#next !== transcript) return;
        this.#next = null;
        this.isWhole.value = true;
        this.#show(transcript);
    }

    dispose(): void {
        this.#forgetNext();
        this.current.peek().dispose();
    }

    #show(transcript: Transcript): void {
        const before = this.current.peek();
        this.current.value = transcript;
        before.dispose();
    }

    #forgetNext(): void {
        this.#next?.dispose();
        this.#next = null;
    }
}
