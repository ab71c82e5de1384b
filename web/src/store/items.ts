import { byteLength, cut, fits } from './bytes.ts';
import { number, object, text } from './event.ts';

/* Components and features of a session, as the server folds them: see SessionState. */

export const statuses = ['failed', 'in_progress', 'pending', 'completed'] as const;
export type KnownStatus = (typeof statuses)[number];

export interface Item {
    readonly id: string;
    /** One of the known ones, or another that passes as it is. */
    status: string;
    /** Millionths of a per cent, so that sums stay exact. */
    progress: number;
    metadata: Record<string, unknown> | null;
    metadataBytes: number;
    /** RFC 3339. */
    updated: string;
    /** When it was first seen in progress, ms since 1970; null: not known. For the page alone. */
    began: number | null;
    /** From then until it was done or had failed, ms; null: not known, or it goes on. */
    took: number | null;
}

export interface Stats extends Record<KnownStatus, number> {
    total: number;
    completion_percentage: number;
}

export interface ItemJson {
    status: string;
    progress: number;
    metadata: Record<string, unknown> | null;
    updated: string;
}

const millionths = 1e6;
const itemsMost = 10_000;
const idBytesMost = 512;
const statusBytesMost = 64;
const metadataBytesMost = 16 * 1024;
const metadataBytesOfAll = 4 * 1024 * 1024;

export function percentOf(item: Item): number {
    return item.progress / millionths;
}

export function isKnown(status: string): status is KnownStatus {
    return (statuses as readonly string[]).includes(status);
}

export class Items {
    readonly byId = new Map<string, Item>();
    /** Counts by status; what is none of the known ones counts under 'other'. */
    readonly counts: Record<KnownStatus | 'other', number> = {
        pending: 0,
        in_progress: 0,
        completed: 0,
        failed: 0,
        other: 0,
    };
    #progressSum = 0;
    #metadataBytes = 0;
    /** Least recently updated first. */
    #byUpdate = new Map<string, Item>();

    get size(): number {
        return this.byId.size;
    }

    /** Mean progress, one decimal; 0 when there are none. */
    get percentage(): number {
        if (this.byId.size === 0) return 0;
        return Math.round((this.#progressSum / millionths / this.byId.size) * 10) / 10;
    }

    get stats(): Stats {
        const { completed, in_progress, pending, failed } = this.counts;
        return {
            total: this.byId.size,
            completed,
            in_progress,
            pending,
            failed,
            completion_percentage: this.percentage,
        };
    }

    /** Takes an event's data, or an item of a snapshot. */
    update(id: unknown, data: Record<string, unknown>, time: string): void {
        if (typeof id !== 'string' || !fits(id, idBytesMost)) return;
        const item = this.byId.get(id) ?? this.#add(id, time);
        this.#count(item, -1);
        const status = text(data.status);
        if (status !== null) this.#measure(item, status, time);
        if (status !== null) item.status = isKnown(status) ? status : cut(status, statusBytesMost);
        this.#setProgress(item, number(data.progress));
        this.#count(item, 1);
        if (data.metadata !== undefined && data.metadata !== null) this.#setMetadata(item, data.metadata);
        item.updated = time;
        this.#byUpdate.delete(id);
        this.#byUpdate.set(id, item);
    }

    load(snapshot: unknown): void {
        for (const [id, value] of Object.entries(object(snapshot) ?? {})) {
            const item = object(value);
            if (!item) continue;
            this.update(id, item, text(item.updated) ?? '');
            this.byId.get(id)!.began = null; // it may have been in progress for long
        }
    }

    toJSON(): Record<string, ItemJson> {
        const all: [string, ItemJson][] = [];
        for (const item of this.byId.values()) {
            const { status, metadata, updated } = item;
            all.push([item.id, { status, progress: percentOf(item), metadata, updated }]);
        }
        return Object.fromEntries(all);
    }

    #add(id: string, time: string): Item {
        const item: Item = {
            id,
            status: 'pending',
            progress: 0,
            metadata: null,
            metadataBytes: 0,
            updated: time,
            began: null,
            took: null,
        };
        if (this.byId.size >= itemsMost) this.#dropOldest();
        this.byId.set(id, item);
        this.#count(item, 1);
        return item;
    }

    #dropOldest(): void {
        const oldest = this.#byUpdate.values().next().value;
        if (!oldest) return;
        this.#count(oldest, -1);
        this.#metadataBytes -= oldest.metadataBytes;
        this.byId.delete(oldest.id);
        this.#byUpdate.delete(oldest.id);
    }

    /** Only what is seen from its beginning has a duration. */
    #measure(item: Item, status: string, time: string): void {
        if (status === item.status) return;
        if (status === 'in_progress' || status === 'pending') {
            item.began = status === 'in_progress' ? Date.parse(time) : null;
            item.took = null;
        } else if (item.began !== null && item.took === null) item.took = Date.parse(time) - item.began;
    }

    #count(item: Item, sign: 1 | -1): void {
        this.counts[isKnown(item.status) ? item.status : 'other'] += sign;
        this.#progressSum += sign * item.progress;
    }

    /** An update that says nothing of progress leaves it where it was, unless the status settles it. */
    #setProgress(item: Item, progress: number | null): void {
        if (progress !== null) item.progress = Math.round(Math.min(Math.max(progress, 0), 100) * millionths);
        else if (item.status === 'completed') item.progress = 100 * millionths;
        else if (item.status === 'pending') item.progress = 0;
    }

    #setMetadata(item: Item, value: unknown): void {
        const others = this.#metadataBytes - item.metadataBytes;
        const bytes = byteLength(JSON.stringify(value));
        const kept = bytes <= metadataBytesMost && others + bytes <= metadataBytesOfAll;
        item.metadata = kept ? (value as Record<string, unknown>) : null;
        item.metadataBytes = kept ? bytes : 0;
        this.#metadataBytes = others + item.metadataBytes;
    }
}
