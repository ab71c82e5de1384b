import { byteLength, cut, fits } from './bytes.ts';
import { type BuildEvent, list, number, object, text } from './event.ts';
import { Items, type ItemJson, type KnownStatus, type Stats } from './items.ts';
import { goesOn, type Outlook } from './outlook.ts';

/*
 * The current picture of a session, folded from its events exactly as the server folds it, so that
 * the page needs no snapshot but the first. What the server also keeps and the page has elsewhere:
 * the end of the terminal's output (the transcript), the number of connections (presence).
 */

export interface ErrorJson {
    error_message: string | null;
    error_type: string | null;
    traceback: string | null;
    timestamp: string;
}

export interface CheckpointJson {
    checkpoint_id: string | null;
    phase: string | null;
    tasks_completed: unknown[];
    files_created: unknown[];
    metadata: Record<string, unknown> | null;
    timestamp: string;
    truncated?: true;
}

export type Run = 'running' | 'succeeded' | 'failed' | null;

export interface StateJson {
    phase: string | null;
    status: KnownStatus;
    components: Record<string, ItemJson>;
    features: Record<string, ItemJson>;
    build_progress: { total: number; completed: number; percent: number };
    component_stats: Stats;
    feature_stats: Stats;
    overall_progress: {
        tasks_completed: number;
        files_created: number;
        completion_percentage: number;
        status: KnownStatus;
    };
    last_checkpoint: CheckpointJson | null;
    errors: ErrorJson[];
    unresolved_error: boolean;
    run: Run;
    started: string | null;
    updated: string | null;
}

const errorsMost = 20;
const listBytesMost = 64 * 1024;
const metadataBytesMost = 16 * 1024;
const idBytesMost = 512;

export class SessionState {
    components = new Items();
    features = new Items();
    total = 0;
    completed = 0;
    percent = 0;
    checkpoint: CheckpointJson | null = null;
    errors: ErrorJson[] = [];
    started: string | null = null;
    updated: string | null = null;
    /** What `fanfare run` said last. */
    run: Run = null;
    /** An error, not yet followed by a new checkpoint or run. */
    unresolved = false;
    #progressKnown = false;
    #tasks = 0;
    #files = 0;

    /** Events must come in their order, each once. */
    fold(event: BuildEvent): void {
        if (event.offset === undefined) return;
        this.started ??= event.time;
        this.updated = event.time;
        this.#folds[event.type]?.(event);
    }

    #folds: Record<string, (event: BuildEvent) => void> = {
        __proto__: null as never,
        component_update: ({ data, time }) => this.components.update(data.component_id, data, time),
        feature_update: ({ data, time }) => this.features.update(data.feature_id, data, time),
        checkpoint_update: (event) => this.#foldCheckpoint(event),
        build_progress: ({ data }) => this.#setBuildProgress(data),
        error: (event) => this.#foldError(event),
        run_started: () => {
            this.unresolved = false;
            this.run = 'running';
        },
        run_finished: ({ data }) => {
            const badExit = (number(data.exit_code) ?? 0) !== 0;
            const killed = data.signal !== undefined && data.signal !== null && data.signal !== 0;
            this.run = badExit || killed ? 'failed' : 'succeeded';
        },
    };

    /** What the picture of the whole is drawn from: the components where there are any. */
    get leading(): Items {
        return this.components.size ? this.components : this.features;
    }

    get percentage(): number {
        if (this.leading.size) return this.leading.percentage;
        return Math.round(Math.min(Math.max(this.percent, 0), 100) * 10) / 10;
    }

    /** The first rule that applies. */
    get status(): KnownStatus {
        const { size, counts } = this.leading;
        if (this.unresolved || counts.failed || this.run === 'failed') return 'failed';
        if (this.run === 'running') return 'in_progress';
        if ((size && counts.completed === size) || this.percentage >= 100) return 'completed';
        if (counts.in_progress) return 'in_progress';
        if (this.run === 'succeeded') return 'completed';
        return this.phase?.startsWith('build_') || this.#progressKnown ? 'in_progress' : 'pending';
    }

    /** How many the last checkpoint lists, also of a list that is too long to be kept. */
    get tasksCompleted(): number {
        return this.#tasks;
    }

    get filesCreated(): number {
        return this.#files;
    }

    get outlook(): Outlook {
        const { status, run, percentage } = this;
        return { status, run, percentage, inProgress: this.leading.counts.in_progress };
    }

    get isRunning(): boolean {
        return goesOn(this.outlook);
    }

    /** Somebody said how far it is; otherwise the percentage is no news. */
    get knowsProgress(): boolean {
        return this.percentage > 0 || this.leading.size > 0 || this.total > 0;
    }

    get phase(): string | null {
        return this.checkpoint?.phase ?? null;
    }

    #setBuildProgress(data: Record<string, unknown>): void {
        this.total = number(data.total) ?? this.total;
        this.completed = number(data.completed) ?? this.completed;
        this.percent = number(data.percent) ?? this.percent;
        this.#progressKnown = this.total > 0 || this.percent > 0;
    }

    #foldError({ data, time }: BuildEvent): void {
        const bounded = (value: unknown, most: number) => (typeof value === 'string' ? cut(value, most) : null);
        this.unresolved = true;
        this.errors.push({
            error_message: bounded(data.error_message, 4096),
            error_type: bounded(data.error_type, 256),
            traceback: bounded(data.traceback, 16 * 1024),
            timestamp: time,
        });
        if (this.errors.length > errorsMost) this.errors.shift();
    }

    #foldCheckpoint({ data, time }: BuildEvent): void {
        this.unresolved = false;
        const id = text(data.checkpoint_id);
        if (id === null) return;
        let whole = fits(id, idBytesMost);
        const bounded = (value: unknown) => {
            const all = list(value) ?? [];
            if (byteLength(JSON.stringify(all)) <= listBytesMost) return all;
            whole = false;
            return [];
        };
        const phase = text(data.phase);
        let metadata = object(data.metadata);
        if (metadata && byteLength(JSON.stringify(metadata)) > metadataBytesMost) {
            metadata = null;
            whole = false;
        }
        this.#tasks = list(data.tasks_completed)?.length ?? 0;
        this.#files = list(data.files_created)?.length ?? 0;
        this.checkpoint = {
            checkpoint_id: fits(id, idBytesMost) ? id : null,
            phase: phase === null ? null : cut(phase, 1024),
            tasks_completed: bounded(data.tasks_completed),
            files_created: bounded(data.files_created),
            metadata,
            timestamp: time,
        };
        if (!whole) this.checkpoint.truncated = true;
    }

    /** From what the server says. */
    static load(snapshot: Record<string, unknown>): SessionState {
        const state = new SessionState();
        state.components.load(snapshot.components);
        state.features.load(snapshot.features);
        state.#setBuildProgress(object(snapshot.build_progress) ?? {});
        state.checkpoint = object(snapshot.last_checkpoint) as CheckpointJson | null;
        state.errors = (list(snapshot.errors) ?? []).slice(-errorsMost) as ErrorJson[];
        state.started = text(snapshot.started);
        state.updated = text(snapshot.updated);
        const overall = object(snapshot.overall_progress) ?? {};
        state.#tasks = number(overall.tasks_completed) ?? 0;
        state.#files = number(overall.files_created) ?? 0;
        const { run } = snapshot;
        if (run === 'running' || run === 'succeeded' || run === 'failed') state.run = run;
        state.unresolved = snapshot.unresolved_error === true;
        return state;
    }

    /** As the server shows it, without what the page keeps elsewhere. */
    toJSON(): StateJson {
        return {
            phase: this.phase,
            status: this.status,
            components: this.components.toJSON(),
            features: this.features.toJSON(),
            build_progress: { total: this.total, completed: this.completed, percent: this.percent },
            component_stats: this.components.stats,
            feature_stats: this.features.stats,
            overall_progress: {
                tasks_completed: this.#tasks,
                files_created: this.#files,
                completion_percentage: this.percentage,
                status: this.status,
            },
            last_checkpoint: this.checkpoint,
            errors: this.errors,
            unresolved_error: this.unresolved,
            run: this.run,
            started: this.started,
            updated: this.updated,
        };
    }
}
