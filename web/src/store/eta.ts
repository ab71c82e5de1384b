import type { Sample } from './story.ts';

/*
 * The time left, from the progress over time. Builds go in fits and starts, so the speed is the
 * recent one, over a window that grows with the build, steadied by the one since the beginning; and
 * when there is too little to tell from, or nothing has moved for long, there is no estimate.
 */

const leastElapsed = 4_000;
const leastProgress = 2; // per cent
const leastSteps = 3;
const windowShare = 0.35;
const windowLeast = 10_000;
const windowMost = 10 * 60_000;
const recentWeight = 0.7;
const stallLeast = 20_000;
const longest = 24 * 3600;

/** Seconds left at `now`, ms since 1970; null: not known. */
export function secondsLeft(samples: readonly Sample[], now: number): number | null {
    const first = samples[0];
    const last = samples.at(-1);
    if (!first || !last || samples.length < leastSteps || last.percent >= 100) return null;
    const elapsed = last.time - first.time;
    const progress = last.percent - first.percent;
    if (elapsed < leastElapsed || progress < leastProgress) return null;
    const quiet = now - last.time;
    const usualStep = elapsed / (samples.length - 1);
    if (quiet > Math.max(stallLeast, 6 * usualStep)) return null;

    const overall = progress / elapsed;
    const window = Math.min(Math.max(elapsed * windowShare, windowLeast), windowMost);
    const from = percentAt(samples, last.time - window);
    const recent = Math.max(last.percent - from, 0) / Math.min(window, elapsed);
    // Time that passed since the last step speaks of a slower pace only once it is longer than a step.
    const speed = recentWeight * recent + (1 - recentWeight) * overall;
    const left = (100 - last.percent) / speed / 1000 - Math.min(quiet, usualStep) / 1000;
    if (!Number.isFinite(left) || left > longest) return null;
    return Math.max(left, 1);
}

/** The progress at a time between samples, on the line from one to the next. */
function percentAt(samples: readonly Sample[], time: number): number {
    let after = samples.findIndex((sample) => sample.time >= time);
    if (after < 0) after = samples.length - 1;
    const b = samples[after]!;
    const a = samples[after - 1];
    if (!a || b.time === a.time) return b.percent;
    return a.percent + ((b.percent - a.percent) * (time - a.time)) / (b.time - a.time);
}

/** As people say it: coarser the longer it is, so that the text does not jump about. */
export function leftText(seconds: number): string {
    if (seconds < 10) return 'a few seconds left';
    if (seconds < 60) return `about ${Math.ceil(seconds / 5) * 5} s left`;
    if (seconds < 10 * 60) {
        const tens = Math.ceil(seconds / 10) * 10;
        const rest = tens % 60;
        return `about ${Math.floor(tens / 60)} min${rest ? ` ${rest} s` : ''} left`;
    }
    if (seconds < 3600) return `about ${Math.round(seconds / 60)} min left`;
    const minutes = Math.round(seconds / 300) * 5;
    return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}
