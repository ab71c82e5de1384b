import type { KnownStatus } from './items.ts';

/*
 * What is said of a session in a word and a number. The list has summaries and the session's page the
 * folded state: both come here, so that they never tell two stories.
 */

export interface Outlook {
    status: KnownStatus;
    /** What `fanfare run` said last. */
    run: 'running' | 'succeeded' | 'failed' | null;
    percentage: number;
    /** Of the components, or of the features where there are no components. */
    inProgress: number;
}

/** Something goes on, whatever has failed meanwhile. */
export function goesOn({ status, run, inProgress }: Pick<Outlook, 'status' | 'run' | 'inProgress'>): boolean {
    if (run !== null) return run === 'running';
    return status === 'in_progress' || (status === 'failed' && inProgress > 0);
}

/** What has passed is done, whatever was counted last: a build may stop counting before its end. */
export function shownPercentage({ status, percentage }: Pick<Outlook, 'status' | 'percentage'>): number {
    return status === 'completed' ? 100 : percentage;
}

export const statusWords: Record<string, string> = {
    pending: 'Waiting',
    in_progress: 'Running',
    completed: 'Passed',
    failed: 'Failed',
};

/** Components may have others than the known ones. */
export function statusWord(status: string): string {
    return statusWords[status] ?? status.replaceAll('_', ' ');
}

export function outlookWord(outlook: Pick<Outlook, 'status' | 'run' | 'inProgress'>): string {
    return outlook.status === 'failed' && goesOn(outlook) ? 'Failing' : statusWord(outlook.status);
}
