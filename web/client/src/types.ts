/* What users of the library see: options, events, and what a stream tells about itself. */
import type { BackoffOptions } from './backoff.ts';
import type { FanfareError } from './errors.ts';
import type { EventData } from './events.ts';

/** An opaque position behind an event, good for every transport and any set of topics. */
export type Cursor = string;

/** A name of the event table, or of your own events. */
export type EventType = keyof EventData | (string & {});

/** A token, or who has a fresh one: asked at each connection, and when the old one expires. */
export type Token = string | (() => string | undefined | Promise<string | undefined>) | undefined;

export interface FanfareOptions {
    token?: Token;
    /** `auto`: WebSocket for sessions where it works, else Server-Sent Events. */
    transport?: 'auto' | 'websocket' | 'sse';
    backoff?: BackoffOptions;
    /** After so many silent milliseconds a WebSocket is asked for a sign of life; after twice as many a
     * connection is given up. Default 20 000; event streams say something every 15 s. */
    heartbeat?: number;
    /** Instead of the global one, for Node.js before 22: the one of `ws`. */
    WebSocket?: WebSocketConstructor;
    /** Instead of the global one. */
    fetch?: typeof fetch;
}

/** What the library needs of a WebSocket: the browser's, and that of `ws`. */
export interface WebSocketLike {
    onopen: ((event: any) => void) | null;
    onmessage: ((event: any) => void) | null;
    onclose: ((event: any) => void) | null;
    onerror: ((event: any) => void) | null;
    send(text: string): void;
    close(code?: number): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** An event of whatever type. */
export interface AnyEvent<Type extends string = string, Data = Record<string, unknown>> {
    topic: string;
    type: Type;
    data: Data;
    /** When it was accepted, RFC 3339 in UTC. */
    time: string;
    /** Its number in its topic; ephemeral events have none. */
    offset?: number;
    /** The position behind it; ephemeral events have none. */
    cursor?: Cursor;
    id?: string;
    source?: string;
    key?: string;
    ephemeral?: true;
    /** Whether it happened before this connection was there. */
    replayed: boolean;
}

/**
 * The events of the table, told apart by `type`. Add yours:
 * `declare module 'fanfare-client' { interface EventData { my_event: { n: number } } }`
 */
export type FanfareEvent = { [Type in keyof EventData]: AnyEvent<Type, EventData[Type]> }[keyof EventData];

export interface SessionItem {
    status?: string;
    progress?: number;
    metadata?: Record<string, unknown> | null;
    updated?: string | null;
}

export interface Counts {
    total: number;
    completed: number;
    in_progress: number;
    pending: number;
    failed: number;
    completion_percentage: number;
}

export type SessionStatus = 'pending' | 'in_progress' | 'completed' | 'failed';

export interface Progress {
    total: number;
    completed: number;
    percent: number;
}

export interface OverallProgress {
    tasks_completed: number;
    files_created: number;
    completion_percentage: number;
    status: SessionStatus;
}

/** The session as its events up to `offset` have made it. Events up to there are in it already. */
export interface SessionState {
    session_id: string;
    offset: number;
    phase: string | null;
    status: SessionStatus;
    components: Record<string, SessionItem>;
    features: Record<string, SessionItem>;
    build_progress: Progress;
    component_stats: Counts;
    feature_stats: Counts;
    overall_progress: OverallProgress;
    last_checkpoint: Record<string, unknown> | null;
    terminal_tail: string;
    errors: Record<string, unknown>[];
    /** An error that no checkpoint or run has followed. */
    unresolved_error: boolean;
    /** What the last run came to. */
    run: 'running' | 'succeeded' | 'failed' | null;
    connections: number;
    started: string | null;
    updated: string | null;
    incomplete?: boolean;
}

/** Where a stream's connection is. */
export interface Connection {
    phase: 'connecting' | 'open' | 'waiting' | 'closed';
    /** How many connections were tried since the last one that lasted; 0 before the first. */
    attempt: number;
    transport?: 'websocket' | 'sse';
    /** When the next try is, in milliseconds since 1970; absent while something else is waited for. */
    retryAt?: number;
    /** Why it is not open. */
    error?: FanfareError;
}

/** Events that this stream will not get. */
export interface Gap {
    topic: string;
    reason: 'trimmed' | 'epoch_changed' | 'limit' | 'invalid' | 'superseded' | (string & {});
    /** Offsets of the first and last that are missing, where the server knows them. */
    from?: number;
    to?: number;
    /** The oldest offset that history still has. */
    availableFrom?: number;
}

/** A message as it went over the wire. */
export interface RawMessage {
    direction: 'in' | 'out';
    text: string;
    time: number;
}

/** What `stream.on` takes. */
export interface StreamEvents {
    event: FanfareEvent;
    /** The session's state: at the start if asked for, after a gap, and on `requestState`. */
    state: SessionState;
    connection: Connection;
    gap: Gap;
    message: RawMessage;
    /** What the server objected to, and messages that made no sense. The stream goes on. */
    error: FanfareError;
}

export interface SubscribeOptions {
    /** Only these event types; `error` always passes. */
    types?: EventType[];
    /** What came after this; `'0'`: from the beginning. Default: from now on. */
    since?: Cursor;
}

export interface SessionOptions extends SubscribeOptions {
    /** Begin with the session's state. */
    state?: boolean;
}

export interface PublishOptions {
    /** Makes repeating safe: the server takes an id once per topic within ten minutes. Default: made up. */
    id?: string;
    /** Where readers get the latest of each: which. */
    key?: string;
    ephemeral?: boolean;
    source?: string;
    /** How often it is tried again when the network or the server fails. Default 5. */
    retries?: number;
}

export interface Published {
    topic: string;
    /** Absent for an ephemeral event. */
    offset?: number;
    epoch?: string;
    time: string;
}

export interface SessionSummary {
    session_id: string;
    offset: number;
    connections: number;
    phase: string | null;
    status: SessionStatus;
    overall_progress: OverallProgress;
    build_progress: Progress;
    component_stats: Counts;
    feature_stats: Counts;
    /** What the last run came to. */
    run: 'running' | 'succeeded' | 'failed' | null;
    started: string | null;
    updated: string | null;
}

export interface History {
    events: AnyEvent[];
    epoch: string;
    /** The newest event's. */
    offset: number;
    /** The oldest one's that is kept. */
    first_offset: number;
}
