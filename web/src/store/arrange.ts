import { type Item, type Items, isKnown, type KnownStatus } from './items.ts';

/* Which components are shown, in which order and under which headings. */

export type Order = 'status' | 'name' | 'progress' | 'slowest' | 'recent' | 'arrival';

export interface Arrangement {
    /** Text that the id must contain; several words: all of them. */
    search: string;
    /** null: every status. */
    status: KnownStatus | 'other' | null;
    order: Order;
}

export type Row = { heading: KnownStatus | 'other'; count: number } | { item: Item };

/** Failures first, then what goes on, what waits, what is done. */
const rank: Record<KnownStatus | 'other', number> = { failed: 0, in_progress: 1, other: 2, pending: 3, completed: 4 };

export const groupNames: Record<KnownStatus | 'other', string> = {
    failed: 'Failed',
    in_progress: 'In progress',
    other: 'Other',
    pending: 'Waiting',
    completed: 'Done',
};

export function groupOf(item: Item): KnownStatus | 'other' {
    return isKnown(item.status) ? item.status : 'other';
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const byName = (a: Item, b: Item) => collator.compare(a.id, b.id);
const byRecency = (a: Item, b: Item) => (a.updated < b.updated ? 1 : a.updated > b.updated ? -1 : 0);

/** What is done comes newest first, what goes on farthest first: what moves stays on top. */
function byStatus(a: Item, b: Item): number {
    const group = groupOf(a);
    const difference = rank[group] - rank[groupOf(b)];
    if (difference) return difference;
    if (group === 'completed') return byRecency(a, b);
    return 0;
}

const comparisons: Record<Exclude<Order, 'arrival'>, (a: Item, b: Item) => number> = {
    status: byStatus,
    name: byName,
    progress: (a, b) => b.progress - a.progress,
    slowest: (a, b) => (b.took ?? -1) - (a.took ?? -1),
    recent: byRecency,
};

export function matches(id: string, search: string): boolean {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const where = id.toLowerCase();
    return words.every((word) => where.includes(word));
}

export function arrange(items: Items, { search, status, order }: Arrangement): Row[] {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen: Item[] = [];
    for (const item of items.byId.values()) {
        if (status !== null && groupOf(item) !== status) continue;
        if (words.length && !words.every((word) => item.id.toLowerCase().includes(word))) continue;
        chosen.push(item);
    }
    if (order !== 'arrival') chosen.sort(comparisons[order]);
    return order === 'status' ? withHeadings(chosen) : chosen.map((item) => ({ item }));
}

function withHeadings(sorted: Item[]): Row[] {
    const rows: Row[] = [];
    let heading: { heading: KnownStatus | 'other'; count: number } | undefined;
    for (const item of sorted) {
        const group = groupOf(item);
        if (heading?.heading !== group) rows.push((heading = { heading: group, count: 0 }));
        heading.count++;
        rows.push({ item });
    }
    return rows;
}
