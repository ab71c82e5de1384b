// The channels of a code editor: files, diagnostics, ai-response, search, validation, git.
import { Publisher, type PublisherOptions } from './publisher.js';

export type FileEvent = 'add' | 'change' | 'unlink' | 'addDir' | 'unlinkDir';
export type Severity = 'error' | 'warning' | 'info' | 'hint';

export interface FileChangeEvent {
    file: string;
    event: FileEvent;
    timestamp: string;
}

export interface Diagnostic {
    file: string;
    line: number;
    column: number;
    message: string;
    severity: Severity;
    source?: string;
}

export interface DiagnosticsUpdateEvent {
    diagnostics: readonly Diagnostic[];
    /** There are none any more. */
    cleared: boolean;
    timestamp: string;
}

export interface AIChunkEvent {
    id: string;
    chunk: string;
    index: number;
    finished: boolean;
    timestamp: string;
}

export interface SearchResult {
    file: string;
    line: number;
    column: number;
    match: string;
    context?: string;
}

export interface SearchProgressEvent {
    query: string;
    completed: number;
    /** null as long as it is not known. */
    total: number | null;
    results: readonly SearchResult[];
    timestamp: string;
}

export interface ValidationError {
    file: string;
    line: number;
    column: number;
    message: string;
    rule?: string;
}

export interface ValidationResult {
    type: 'lint' | 'typecheck' | 'format';
    passed: boolean;
    errors: readonly ValidationError[];
}

export interface ValidationCompleteEvent {
    validation: ValidationResult;
    timestamp: string;
}

export type GitEventType = 'status' | 'commit' | 'push' | 'pull' | 'branch';

export interface GitStatus {
    branch: string;
    ahead: number;
    behind: number;
    staged: readonly string[] | number;
    modified: readonly string[] | number;
    untracked: readonly string[] | number;
    deleted: readonly string[] | number;
}

export interface GitEvent {
    type: GitEventType;
    message: string;
    status?: GitStatus;
    timestamp: string;
}

/** Whatever takes the events: a Publisher, or a connection manager of your own. */
export interface Broadcasting<Result = unknown> {
    broadcast(channel: string, data: object): Result;
}

/** What a method returns: with a Publisher a promise, see there; else what your manager returns. */
type Target = Publisher | PublisherOptions | string | Broadcasting;

const now = (): string => new Date().toISOString();

/**
 * Broadcasts on the channels of a code editor.
 *
 *     const broadcaster = new EventBroadcaster('http://127.0.0.1:8000');
 *     broadcaster.fileChanged('src/main.ts', 'change');
 *
 * target: a Publisher, its options or a URL; or any object with broadcast(channel, data). No method
 * has to be awaited.
 */
export class EventBroadcaster<Result = ReturnType<Publisher['broadcast']>> {
    /** Where the events go; a publisher that was made here is to be closed by the caller. */
    readonly target: Broadcasting<Result>;

    constructor(target?: Publisher | PublisherOptions | string);
    constructor(target: Broadcasting<Result>);
    constructor(target: Target = {}) {
        const takes = typeof target === 'object' && 'broadcast' in target;
        this.target = (takes ? target : new Publisher(target as PublisherOptions | string)) as Broadcasting<Result>;
    }

    /** A file of the workspace changed. */
    fileChanged(file: string, event: FileEvent): Result {
        return this.#emit<FileChangeEvent>('files', { file, event, timestamp: now() });
    }

    /** What linters and type checkers say now. */
    diagnosticsUpdated(diagnostics: readonly Diagnostic[], cleared = diagnostics.length === 0): Result {
        return this.#emit<DiagnosticsUpdateEvent>('diagnostics', { diagnostics, cleared, timestamp: now() });
    }

    /** A piece of an AI's answer. */
    aiChunk(id: string, chunk: string, index: number, finished: boolean): Result {
        return this.#emit<AIChunkEvent>('ai-response', { id, chunk, index, finished, timestamp: now() });
    }

    /** What a search has found so far; total as soon as it is known. */
    searchProgress(
        query: string, completed: number, total: number | null = null, results: readonly SearchResult[] = [],
    ): Result {
        return this.#emit<SearchProgressEvent>('search', { query, completed, total, results, timestamp: now() });
    }

    /** A validation has ended. */
    validationComplete(validation: ValidationResult): Result {
        return this.#emit<ValidationCompleteEvent>('validation', { validation, timestamp: now() });
    }

    /** Something happened in the repository. */
    gitEvent(type: GitEventType, message: string, status?: GitStatus): Result {
        return this.#emit<GitEvent>('git', { type, message, ...(status ? { status } : {}), timestamp: now() });
    }

    /** An event on a channel of your own. */
    custom(channel: string, data: object): Result {
        return this.#emit(channel, { timestamp: now(), ...data });
    }

    #emit<Data extends object>(channel: string, data: Data): Result {
        return this.target.broadcast(channel, data);
    }
}
