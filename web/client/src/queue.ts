/* A stream's events for `for await`: a bounded queue that lets the connection go while its reader is behind. */
import type { Link } from './link.ts';
import type { Stream } from './stream.ts';
import type { FanfareEvent } from './types.ts';

const LIMIT = 1000;

export function eventQueue(stream: Stream, link: Link): AsyncIterator<FanfareEvent, undefined> {
    const events: FanfareEvent[] = [];
    const waiting: (() => void)[] = [];
    let left = false;
    const wake = (): void => waiting.splice(0).forEach((resolve) => resolve());
    const offEvent = stream.on('event', (event) => {
        if (events.push(event) >= LIMIT) link.hold(events);
        wake();
    });
    const offConnection = stream.on('connection', wake);
    const leave = (): { done: true; value: undefined } => {
        left = true;
        offEvent();
        offConnection();
        link.release(events);
        wake();
        return { done: true, value: undefined };
    };
    return {
        async next() {
            while (!left) {
                const event = events.shift();
                if (event) {
                    if (!events.length) link.release(events);
                    return { done: false, value: event };
                }
                const { phase, error } = stream.connection;
                if (phase === 'closed') {
                    leave();
                    if (error) throw error;
                } else {
                    await new Promise<void>((resolve) => waiting.push(resolve));
                }
            }
            return { done: true, value: undefined };
        },
        return: async () => leave(),
    };
}
