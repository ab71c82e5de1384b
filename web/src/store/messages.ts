import { HeldLog } from './heldLog.ts';
import { type RawMessage, typeOf } from './messageFilter.ts';

/** The raw messages of the connection, as they went over the wire: the newest ones. */
export class Messages extends HeldLog<RawMessage> {
    constructor() {
        super({ count: 5_000, units: 8 * 1024 * 1024, sizeOf: ({ text }) => text.length });
    }

    take(direction: 'in' | 'out', text: string, time: number): void {
        const number = this.dropped + this.all.length + 1;
        this.push({ number, direction, text, time, type: typeOf(text) });
    }
}
