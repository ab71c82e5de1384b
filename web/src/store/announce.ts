import { signal } from '@preact/signals';

/* What screen readers are told: rarely, and never in floods. */

const leastPause = 700;

export const announcement = signal('');

let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

function sayNext(): void {
    timer = undefined;
    if (waiting.length === 0) return;
    // What has piled up is said in one breath, the newest last.
    announcement.value = waiting.slice(-3).join(' ');
    waiting = [];
    timer = setTimeout(sayNext, leastPause);
}

export function announce(text: string): void {
    if (waiting.at(-1) !== text) waiting.push(text);
    timer ??= setTimeout(sayNext, 50);
}
