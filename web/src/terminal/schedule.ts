/*
 * When work happens: in slices that leave the page time to answer, and once per frame for what is
 * seen. Where there are no frames (tests, hidden pages), timers stand in.
 */

/** The longest that a slice may keep the page from answering, in milliseconds. */
export const SLICE = 8;

/** Calls back as soon as the page had a chance to do other things. Unlike timers it is not throttled. */
export function soon(callback: () => void): void {
    if (typeof MessageChannel === 'undefined') {
        setTimeout(callback);
        return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
        port1.close();
        callback();
    };
    port2.postMessage(undefined);
}

/** Calls back with the next picture. A hidden page draws none: a second is soon enough for it. */
export function onFrame(callback: () => void): void {
    if (typeof requestAnimationFrame === 'undefined') {
        soon(callback);
        return;
    }
    let done = false;
    const once = (): void => {
        if (done) return;
        done = true;
        clearTimeout(timer);
        cancelAnimationFrame(frame);
        callback();
    };
    const timer = setTimeout(once, 1000);
    const frame = requestAnimationFrame(once);
}
