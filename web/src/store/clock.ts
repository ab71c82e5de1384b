import { signal } from '@preact/signals';

/* The server's time, which is what events carry: the reader's clock may be wrong. */

let ahead = 0;

/** Ticks each second while someone looks. */
export const now = signal(Date.now());

export function serverNow(): number {
    return Date.now() + ahead;
}

/** Takes what the server says of the time; differences of a network's delay are left alone. */
export function learnTime(said: number): void {
    if (!Number.isFinite(said)) return;
    const difference = said - Date.now();
    ahead = Math.abs(difference) > 2000 ? difference : 0;
    now.value = serverNow();
}

setInterval(() => {
    if (document.visibilityState === 'visible') now.value = serverNow();
}, 1000);
document.addEventListener('visibilitychange', () => (now.value = serverNow()));
