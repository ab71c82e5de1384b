/* A stream's events for `for await`: bounded, by letting the connection go while the reader is behind. */
import type { Stream } from './stream.ts';
import type { FanfareEvent } from './types.ts';

const LIMIT = 1000;

export function eventQueue(stream: Stream, hold: (queue: unknown) => void, release: (queue: unknown) => void): AsyncIterator<FanfareEvent, undefined> {
    const events: FanfareEvent[] = [];
    let wake = (): void => {};
    const offEvent = stream.on('event', (event) => {
        if (events.push(event) >= LIMIT) hold(events);
        wake();
    });
    const offConnection = stream.on('connection', () => wake());
    const leave = (): void => {
        offEvent();
        offConnection();
        release(events);
    };
    return {
        async next() {
            for (;;) {
                const event = events.shift();
                if (events.length === 0) release(events);
                if (event) return { done: false, value: event };
                const { phase, error } = stream.connection;
                if (phase === 'closed') {
                    leave();
                    if (error) throw error;
                    return { done: true, value: undefined };
                }
                await new Promise<void>((resolve) => (wake = resolve));
            }
        },
        async return() {
            leave();
            return { done: true, value: undefined };
        },
    };
}
