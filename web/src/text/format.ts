/* Times and numbers as the page writes them. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** 850 ms, 4.2 s, 2 m 05 s, 1 h 20 m. */
export function durationText(ms: number): string {
    if (!Number.isFinite(ms)) return '';
    if (ms < 0) ms = 0;
    if (ms < second) return `${Math.round(ms)} ms`;
    if (ms < 10 * second) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
    return elapsedText(ms);
}

/** Whole seconds: for what goes on. */
export function elapsedText(ms: number): string {
    const whole = Math.max(Math.floor(ms / second), 0);
    const two = (n: number) => String(n).padStart(2, '0');
    if (whole < 60) return `${whole} s`;
    if (ms < hour) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
    if (ms < day) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} m`;
    return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

/** now, 12 s ago, 3 min ago, 2 h ago, 5 d ago. */
export function agoText(ms: number): string {
    if (ms < 2 * second) return 'now';
    if (ms < minute) return `${Math.floor(ms / second)} s ago`;
    if (ms < hour) return `${Math.floor(ms / minute)} min ago`;
    if (ms < day) return `${Math.floor(ms / hour)} h ago`;
    return `${Math.floor(ms / day)} d ago`;
}

const clock = new Intl.DateTimeFormat(undefined, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

export function clockText(time: number): string {
    return Number.isFinite(time) ? clock.format(time) : '';
}

export function fullTimeText(time: number): string {
    return Number.isFinite(time) ? full.format(time) : '';
}

const grouped = new Intl.NumberFormat('en');

export function countText(n: number): string {
    return grouped.format(n);
}

export function plural(n: number, one: string, many = `${one}s`): string {
    return `${countText(n)} ${n === 1 ? one : many}`;
}

/** 45 %, 45.5 %: never 100 before it is done. */
export function percentText(percent: number): string {
    const shown = percent < 100 ? Math.min(percent, 99.9) : 100;
    return `${Number.isInteger(shown) ? shown : shown.toFixed(1)} %`;
}

/** Of something per second: 0, 0.4, 12, 1,234. */
export function rateText(rate: number): string {
    if (rate < 0.05) return '0';
    return rate < 9.95 ? rate.toFixed(1) : countText(Math.round(rate));
}

export function bytesText(bytes: number): string {
    if (bytes < 1024) return `${bytes} B`;
    if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(bytes < 10 * 1024 ? 1 : 0)} KiB`;
    return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
