import { computed, signal } from '@preact/signals';
import { serverNow } from './clock.ts';
import type { KnownStatus, Stats } from './items.ts';
import { matches } from './arrange.ts';
import { goesOn, type Outlook } from './outlook.ts';
import { pauseAfter, poll, troubleText } from './poll.ts';
import { ask } from './server.ts';

/* The list of sessions, asked for again while someone looks at it. */

export interface SessionSummary {
    session_id: string;
    offset: number;
    connections: number;
    phase: string | null;
    status: KnownStatus;
    build_progress: { total: number; completed: number; percent: number };
    component_stats: Stats;
    feature_stats: Stats;
    overall_progress: {
        tasks_completed: number;
        files_created: number;
        completion_percentage: number;
        status: KnownStatus;
    };
    run: Outlook['run'];
    started: string | null;
    updated: string | null;
}

function leadingStats({ component_stats, feature_stats }: SessionSummary): Stats {
    return component_stats.total ? component_stats : feature_stats;
}

export function outlookOf(summary: SessionSummary): Outlook {
    const { status, run, overall_progress } = summary;
    const percentage = overall_progress.completion_percentage;
    return { status, run, percentage, inProgress: leadingStats(summary).in_progress };
}

/** Per cent of the components that have failed. */
export function failedShare(summary: SessionSummary): number {
    const { failed, total } = leadingStats(summary);
    return total ? (100 * failed) / total : 0;
}

/** As SessionState's knowsProgress, from what the list tells. */
export function knowsProgress(summary: SessionSummary): boolean {
    const { build_progress, overall_progress } = summary;
    return overall_progress.completion_percentage > 0 || leadingStats(summary).total > 0 || build_progress.total > 0;
}

export type ListFilter = 'all' | 'in_progress' | 'failed' | 'completed';

const busyInterval = 2_000;
const quietInterval = 5_000;
const failedInterval = 4_000;
const busyFor = 30_000;

/** null: not known yet. */
export const sessions = signal<SessionSummary[] | null>(null);
/** Why the list could not be had; null: it could. */
export const listTrouble = signal<string | null>(null);
export const listSearch = signal('');
export const listFilter = signal<ListFilter>('all');

/** A build that goes on although something has failed is both. */
function fits(summary: SessionSummary, filter: ListFilter): boolean {
    if (filter === 'in_progress') return goesOn(outlookOf(summary));
    return filter === 'all' || summary.status === filter;
}

/** What goes on first, then by the last change. */
function compare(a: SessionSummary, b: SessionSummary): number {
    const running = Number(fits(b, 'in_progress')) - Number(fits(a, 'in_progress'));
    if (running) return running;
    return (b.updated ?? '').localeCompare(a.updated ?? '') || a.session_id.localeCompare(b.session_id);
}

export const shownSessions = computed(() => {
    const all = sessions.value ?? [];
    const chosen = all.filter(
        (each) => fits(each, listFilter.value) && matches(`${each.session_id} ${each.phase ?? ''}`, listSearch.value),
    );
    return chosen.sort(compare);
});

export const statusCounts = computed(() => {
    const counts: Record<ListFilter, number> = { all: 0, in_progress: 0, failed: 0, completed: 0 };
    for (const each of sessions.value ?? [])
        for (const filter of Object.keys(counts) as ListFilter[]) counts[filter] += Number(fits(each, filter));
    return counts;
});

let last = '';

/** Returns after how many ms to ask again: a long list that takes long is asked for rarely. */
async function refresh(aborted: AbortSignal): Promise<number> {
    const begun = performance.now();
    try {
        const { sessions: list } = await ask<{ sessions: SessionSummary[] }>('api/build/sessions', { signal: aborted });
        // Nothing is drawn again when nothing has changed.
        const text = JSON.stringify(list);
        if (text !== last || sessions.peek() === null) sessions.value = list;
        last = text;
        listTrouble.value = null;
        const newest = Math.max(0, ...list.slice(0, 1000).map((each) => Date.parse(each.updated ?? '') || 0));
        return list.length === 0 || serverNow() - newest < busyFor
            ? pauseAfter(begun, busyInterval)
            : pauseAfter(begun, quietInterval);
    } catch (error) {
        if (aborted.aborted) return 0;
        listTrouble.value = troubleText(error);
        return failedInterval;
    }
}

/** Follows the list until the returned function is called. */
export function followSessions(): () => void {
    return poll(refresh);
}
