import { signal } from '@preact/signals';
import type { BuildEvent } from './event.ts';

/** Stand-in until the terminal is there. */
export interface Transcript {
    write(event: BuildEvent): void;
    drained(): Promise<void>;
    dispose(): void;
}

export class Transcripts {
    readonly current = signal<Transcript | null>(null);
    begin(_tail: string, _offset: number): void {}
    write(_event: BuildEvent): void {}
    prepare(): Transcript {
        return { write() {}, drained: async () => {}, dispose() {} };
    }
    adopt(_transcript: Transcript | null): void {}
    dispose(): void {}
}
