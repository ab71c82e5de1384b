/*
 * A stream of events that outlives its connections.
 *
 * Where the stream is, is the cursor of the last event; the next connection resumes there, on either
 * transport, so nothing is lost or doubled. A loss that the server reports becomes `gap`, and for a session
 * its state follows.
 */
import { errorFrom, FanfareError } from './errors.ts';
import { Link, type Server } from './link.ts';
import { eventQueue } from './queue.ts';
import type {
    Connection, Cursor, EventType, FanfareEvent, SessionOptions, SessionState, StreamEvents,
} from './types.ts';

/** What a stream needs of its Fanfare. @internal */
export interface StreamServer extends Server {
    state(session: string): Promise<SessionState | undefined>;
    token(): Promise<string | undefined>;
}

interface Ping {
    resolve(): void;
    reject(error: FanfareError): void;
}

export class Stream implements AsyncIterable<FanfareEvent> {
    /** Where the stream is: behind this, the next connection goes on. */
    cursor: Cursor | undefined;

    readonly #server: StreamServer;
    readonly #session: string | undefined;
    readonly #link: Link;
    readonly #handlers = new Map<string, Set<(detail: any) => void>>();
    #types: EventType[] | undefined;
    #stateIsDue: boolean;
    #replaying = false;
    /** Where this connection's live tail begins, in case that it cannot resume. */
    #tail: { cursor: Cursor; offset?: number } | undefined;
    #pings: Ping[] = [];

    /** session: its id, when topics is just that session. @internal */
    constructor(server: StreamServer, topics: string[], { types, since, state = false }: SessionOptions, session?: string) {
        this.#server = server;
        this.#session = session;
        this.#types = types;
        this.#stateIsDue = state;
        this.cursor = since;
        this.#link = new Link(server, {
            topics,
            session: session !== undefined,
            query: (webSocket) => this.#query(webSocket),
            seen: (text) => this.#raw('in', text),
            receive: (message) => this.#receive(message),
            ping: () => void this.ping().catch(() => {}),
            changed: (connection) => this.#changed(connection),
            objected: (error) => this.#emit('error', error),
        });
    }

    /** How the connection is. */
    get connection(): Connection {
        return this.#link.connection;
    }

    /** Calls the handler each time; returns what ends that. The stream begins when somebody listens. */
    on<Name extends keyof StreamEvents>(name: Name, handler: (detail: StreamEvents[Name]) => void): () => void {
        const handlers = this.#handlers.get(name) ?? new Set();
        this.#handlers.set(name, handlers.add(handler));
        this.#link.start();
        return () => void handlers.delete(handler);
    }

    /** Sends a message of the build dialect; only an open WebSocket takes one. */
    send(message: object): void {
        if (!this.#link.takesMessages) {
            throw new FanfareError(0, 'not_open', 'messages can be sent only while a WebSocket is open; see stream.connection');
        }
        const text = JSON.stringify(message);
        this.#raw('out', text);
        this.#link.send(text);
    }

    /** Resolves with the milliseconds that an answer took; rejects when the connection is lost before. */
    async ping(): Promise<number> {
        const begun = performance.now();
        this.send({ type: 'ping' });
        await new Promise<void>((resolve, reject) => this.#pings.push({ resolve, reject }));
        return performance.now() - begun;
    }

    /** From now on only these event types; without any, everything. */
    setTypes(types?: EventType[]): void {
        this.#types = types;
        if (this.#link.takesMessages) this.send({ type: 'subscribe', topics: types?.length ? types : ['*'] });
        else if (this.connection.phase !== 'closed') this.reconnect();
    }

    /** Asks for the session's state, which comes as `state`. */
    requestState(): void {
        if (this.#session === undefined) throw new FanfareError(0, 'no_session', 'only a stream of fanfare.session has a state');
        if (this.#link.takesMessages) this.send({ type: 'request_status' });
        else void this.#fetchState();
    }

    /** Begins a new connection at once; also after the stream was closed. */
    reconnect(): void {
        this.#link.reconnect();
    }

    close(): void {
        this.#link.close();
    }

    /** Events from now on. A reader that is behind costs bounded memory: the connection waits for it. */
    [Symbol.asyncIterator](): AsyncIterator<FanfareEvent, undefined> {
        return eventQueue(this, this.#link);
    }

    // ---- The connection ----

    #query(webSocket: boolean): URLSearchParams {
        const query = new URLSearchParams();
        const since = this.cursor;
        if (this.#types?.length) query.set('types', this.#types.join());
        if (since) query.set(webSocket && since !== '0' ? 'cursor' : 'since', since);
        if (webSocket && this.#stateIsDue) query.set('state', '1');
        this.#replaying = since !== undefined;
        return query;
    }

    #changed(connection: Connection): void {
        if (connection.phase !== 'open') {
            const lost = connection.error ?? new FanfareError(0, 'closed', 'the connection was closed');
            for (const { reject } of this.#pings.splice(0)) reject(lost);
        }
        this.#emit('connection', connection);
    }

    // ---- Messages ----

    #receive(message: any): void {
        switch (message.type) {
            case 'connection': return this.#greeted(message);
            case 'resumed': this.#replaying = false; return;
            case 'resume_failed': return this.#resumeFailed(message);
            case 'gap': return this.#gap(message, message.reason === 'trimmed');
            case 'build_status': return this.#state({ ...message.status, offset: message.offset });
            case 'pong': return this.#pings.shift()?.resolve();
        }
        if (message.topic) this.#event(message);
        else if (message.type === 'error') this.#objection(message);
    }

    /** An event stream's cursor is where it will go on; a WebSocket's is where its live tail begins. */
    #greeted(position: { cursor: Cursor; offset?: number }): void {
        this.#tail = position;
        if (!this.#link.opened()) return;
        if (this.cursor === undefined || !this.#link.takesMessages) this.cursor = position.cursor;
        this.#fetchDueState();
    }

    #event(event: any): void {
        if (event.cursor) {
            if (event.cursor === this.cursor) return;
            this.cursor = event.cursor;
        }
        event.replayed = this.#replaying;
        this.#emit('event', event);
    }

    /** What is left of a beginning is still sent; otherwise the live tail follows, and all before it is
     * missed: event streams say so, the build dialect tells only what is trimmed. */
    #resumeFailed(message: any): void {
        if (this.cursor !== '0') {
            this.#replaying = false;
            if (this.#link.takesMessages) {
                this.cursor = this.#tail!.cursor;
                message.to = this.#tail!.offset;
            }
        }
        this.#gap({ ...message, from: message.from || 1 }, true);
    }

    #gap({ topic = `session:${this.#session}`, reason, from, to, available_from: availableFrom }: any, eventsAreLost: boolean): void {
        this.#emit('gap', { topic, reason, from, to, availableFrom });
        if (!eventsAreLost || this.#session === undefined) return;
        this.#stateIsDue = true;
        this.#fetchDueState();
    }

    /** Over a WebSocket it comes by itself. */
    #fetchDueState(): void {
        if (this.#stateIsDue && this.connection.phase === 'open' && !this.#link.takesMessages) void this.#fetchState();
    }

    async #fetchState(): Promise<void> {
        try {
            const state = await this.#server.state(this.#session!);
            if (state) this.#state(state);
        } catch (error) {
            this.#emit('error', errorFrom(error));
        }
    }

    #state(state: SessionState): void {
        this.#stateIsDue = false;
        this.#emit('state', state);
    }

    #objection({ error_type: code, error_message: text }: any): void {
        if (code === 'token_expired' && typeof this.#server.options.token === 'function') void this.#refreshToken();
        else this.#emit('error', new FanfareError(0, code, text));
    }

    async #refreshToken(): Promise<void> {
        try {
            this.send({ type: 'refresh_token', token: await this.#server.token() });
        } catch (error) {
            this.#emit('error', errorFrom(error, 'token'));
        }
    }

    #raw(direction: 'in' | 'out', text: string): void {
        this.#emit('message', { direction, text, time: Date.now() });
    }

    #emit<Name extends keyof StreamEvents>(name: Name, detail: StreamEvents[Name]): void {
        for (const handler of [...(this.#handlers.get(name) ?? [])]) {
            try {
                handler(detail);
            } catch (error) {
                // Its author has to hear of it; the stream does not stop for it.
                queueMicrotask(() => { throw error; });
            }
        }
    }
}
