/*
 * A stream of events that outlives its connections.
 *
 * One connection at a time is open, under a number: what an older one still says is not heard. Where the
 * stream is, is the cursor of the last event; the next connection resumes there, on either transport, so
 * nothing is lost or doubled. A loss that the server reports becomes `gap`, and for a session its new state.
 */
import { Backoff } from './backoff.ts';
import { errorFrom, FanfareError } from './errors.ts';
import { eventQueue } from './queue.ts';
import { watchPage } from './page.ts';
import { openEventStream, requestEvents } from './sse.ts';
import type { Dial, Listener, Transport } from './transport.ts';
import type {
    Connection, Cursor, EventType, FanfareEvent, FanfareOptions, SessionState, StreamEvents, SubscribeOptions,
} from './types.ts';
import { openWebSocket } from './websocket.ts';

/** What a stream needs of its Fanfare. */
export interface StreamContext {
    base: string;
    options: FanfareOptions;
    fetch: typeof fetch;
    token(): Promise<string | undefined>;
    state(session: string): Promise<SessionState | undefined>;
}

type Handler<Name extends keyof StreamEvents> = (detail: StreamEvents[Name]) => void;

const OPENING_LIMIT = 10000;
const PROBE_LIMIT = 5000;
/** A connection that lasted so long was a good one: the next wait is a short one again. */
const LASTED = 5000;

export class Stream implements AsyncIterable<FanfareEvent> {
    /** Where the stream is: behind this, the next connection goes on. */
    cursor: Cursor | undefined;
    connection: Connection = { phase: 'connecting', attempt: 0 };

    readonly #context: StreamContext;
    readonly #topics: string[];
    readonly #session: string | undefined;
    readonly #backoff: Backoff;
    readonly #heartbeat: number;
    readonly #handlers = new Map<string, Set<(detail: any) => void>>();
    readonly #holders = new Set<unknown>();
    readonly #pings: (() => void)[] = [];
    readonly #unwatchPage: () => void;
    #types: EventType[] | undefined;
    #wantsState: boolean;
    #transport: Transport | undefined;
    #number = 0;
    #openedAt = 0;
    #heardAt = 0;
    #pinged = false;
    #replaying = false;
    #liveCursor: Cursor | undefined;
    #webSocketWorked = false;
    #webSocketFailed = false;
    #timer: ReturnType<typeof setTimeout> | undefined;
    #watch: ReturnType<typeof setInterval> | undefined;

    constructor(context: StreamContext, topics: string[], { types, since, state = false }: SubscribeOptions & { state?: boolean }, session?: string) {
        this.#context = context;
        this.#topics = topics;
        this.#session = session;
        this.#types = types;
        this.cursor = since;
        this.#wantsState = state;
        this.#backoff = new Backoff(context.options.backoff);
        this.#heartbeat = context.options.heartbeat ?? 20000;
        this.#unwatchPage = watchPage({ wake: () => this.#wake(), sleep: () => this.#hold(watchPage), });
        queueMicrotask(() => this.#connect());
    }

    /** Calls the handler at each; returns what ends that. */
    on<Name extends keyof StreamEvents>(name: Name, handler: Handler<Name>): () => void {
        const handlers = this.#handlers.get(name) ?? new Set();
        this.#handlers.set(name, handlers.add(handler));
        return () => handlers.delete(handler);
    }

    /** Sends a message of the dialect; only a WebSocket takes one. */
    send(message: object): void {
        if (!this.#transport?.send || this.connection.phase !== 'open') {
            throw new FanfareError(0, 'not_open', 'messages can be sent only while a WebSocket is open');
        }
        const text = JSON.stringify(message);
        this.#emit('message', { direction: 'out', text, time: Date.now() });
        this.#transport.send(text);
    }

    /** Resolves with the milliseconds that an answer took. */
    async ping(): Promise<number> {
        const begun = performance.now();
        await new Promise<void>((resolve, reject) => {
            this.send({ type: 'ping' });
            this.#pings.push(resolve);
            this.#onceLost = [...this.#onceLost, reject];
        });
        return performance.now() - begun;
    }
    #onceLost: ((error: FanfareError) => void)[] = [];

    /** From now on only these event types; without any, everything. */
    setTypes(types?: EventType[]): void {
        this.#types = types;
        if (this.connection.phase !== 'open') return;
        if (this.#transport?.send) this.send({ type: 'subscribe', topics: types?.length ? types : ['*'] });
        else this.reconnect();
    }

    /** Asks for the session's state, which comes as `state`. */
    requestState(): void {
        if (!this.#session) throw new FanfareError(0, 'no_session', 'only a session has a state');
        if (this.#transport?.send && this.connection.phase === 'open') this.send({ type: 'request_status' });
        else void this.#fetchState();
    }

    /** Begins a new connection at once, also after the stream was given up. */
    reconnect(): void {
        this.#drop();
        this.#backoff.reset();
        void this.#connect();
    }

    /** Ends the stream. */
    close(): void {
        this.#stop();
    }

    [Symbol.asyncIterator](): AsyncIterator<FanfareEvent, undefined> {
        return eventQueue(this, (queue) => this.#hold(queue), (queue) => this.#release(queue));
    }

    // ---- Connections ----

    async #connect(): Promise<void> {
        if (this.#holders.size) return;
        const number = ++this.#number;
        const attempt = this.connection.attempt + 1;
        this.#openedAt = 0;
        this.#heardAt = Date.now();
        this.#watch ??= setInterval(() => this.#look(), this.#heartbeat / 8);
        this.#show({ phase: 'connecting', attempt });
        try {
            const token = await this.#context.token();
            if (number === this.#number) this.#open(number, token);
        } catch (error) {
            if (number === this.#number) this.#lost(errorFrom(error, 'token'));
        }
    }

    #open(number: number, token: string | undefined): void {
        const { options, base, fetch } = this.#context;
        const webSocket = options.WebSocket ?? (globalThis.WebSocket as any);
        const useWebSocket = this.#session !== undefined && options.transport !== 'sse' && webSocket && !this.#webSocketFailed;
        const since = this.cursor;
        const query = new URLSearchParams();
        if (this.#types?.length) query.set('types', this.#types.join());
        if (since) query.set(useWebSocket && since !== '0' ? 'cursor' : 'since', since);
        if (useWebSocket && this.#wantsState) query.set('state', '1');
        this.#replaying = since !== undefined;
        const dial: Dial = { base, topics: this.#topics, query, token, fetch, WebSocket: webSocket };
        const listener = this.#listener(number, useWebSocket ? dial : undefined);
        this.#transport = useWebSocket ? openWebSocket(dial, listener) : openEventStream(dial, listener);
    }

    #listener(number: number, webSocketDial?: Dial): Listener {
        const current = (): boolean => number === this.#number;
        return {
            heard: () => {
                if (!current()) return;
                this.#heardAt = Date.now();
                this.#pinged = false;
            },
            message: (message, text) => {
                if (!current()) return;
                if (text) this.#emit('message', { direction: 'in', text, time: Date.now() });
                if (current()) this.#receive(message);
            },
            malformed: (text) => {
                if (!current()) return;
                this.#emit('error', new FanfareError(0, 'malformed', `a message that is no JSON object: ${text.slice(0, 100)}`));
            },
            ended: (error) => {
                if (!current()) return;
                if (webSocketDial && !this.#openedAt) void this.#explain(number, error);
                else this.#lost(error);
            },
        };
    }

    /** A handshake failed, and a WebSocket never says why: a plain request shows the status, and whether
     * events come where WebSockets do not. */
    async #explain(number: number, error: FanfareError): Promise<void> {
        const { options, base, fetch } = this.#context;
        const abort = new AbortController();
        try {
            const token = await this.#context.token();
            await requestEvents({ base, topics: this.#topics, query: new URLSearchParams(), token, fetch, WebSocket: undefined }, abort.signal);
            if (options.transport !== 'websocket' && !this.#webSocketWorked) this.#webSocketFailed = true;
        } catch (cause) {
            error = errorFrom(cause);
        }
        abort.abort();
        if (number !== this.#number) return;
        if (this.#webSocketFailed) void this.#connect();
        else this.#lost(error);
    }

    /** Tells nobody; what the old connection still says is not heard. */
    #drop(): void {
        this.#number++;
        clearTimeout(this.#timer);
        this.#transport?.close();
        this.#transport = undefined;
        this.#pinged = false;
        this.#pings.length = 0;
    }

    /** The connection is gone: waits and tries again, unless that makes no sense. */
    #lost(error: FanfareError): void {
        const lasted = this.#openedAt && Date.now() - this.#openedAt > LASTED;
        const renewable = error.status === 401 && lasted && typeof this.#context.options.token === 'function';
        if (!error.temporary && !renewable) return this.#stop(error);
        this.#drop();
        if (lasted) this.#backoff.reset();
        const wait = this.#backoff.next(error.retryAfter);
        this.#timer = setTimeout(() => this.#connect(), wait);
        this.#show({ phase: 'waiting', attempt: lasted ? 0 : this.connection.attempt, retryAt: Date.now() + wait, error });
    }

    #stop(error?: FanfareError): void {
        if (this.connection.phase === 'closed') return;
        this.#drop();
        this.#unwatchPage();
        clearInterval(this.#watch);
        this.#watch = undefined;
        this.#show({ phase: 'closed', attempt: this.connection.attempt, ...(error && { error }) });
    }

    #show(connection: Connection): void {
        const name = this.#transport?.name;
        this.connection = name ? { ...connection, transport: name } : connection;
        this.#emit('connection', this.connection);
    }

    // ---- Whether somebody is there ----

    /** A peer that went without a word is noticed by its silence. */
    #look(): void {
        const { phase } = this.connection;
        const silence = Date.now() - this.#heardAt;
        if (phase === 'connecting' && silence > OPENING_LIMIT) this.#lost(new FanfareError(0, 'timeout', `no answer within ${OPENING_LIMIT / 1000} s`));
        if (phase !== 'open') return;
        if (silence > 2 * this.#heartbeat) this.#lost(new FanfareError(0, 'timeout', `nothing was heard for ${Math.round(silence / 1000)} s`));
        else if (silence >= this.#heartbeat) this.#probe();
    }

    #probe(): void {
        if (this.#pinged || !this.#transport?.send) return;
        this.#pinged = true;
        this.send({ type: 'ping' });
    }

    /** The machine is back from sleep, or has a network again. */
    #wake(): void {
        if (this.#holders.delete(watchPage) || this.connection.phase === 'waiting') return this.reconnect();
        if (this.connection.phase !== 'open') return;
        this.#heardAt = Math.min(this.#heardAt, Date.now() - 2 * this.#heartbeat + PROBE_LIMIT);
        this.#probe();
    }

    /** Lets the connection go until the holder has released it; nothing is lost, the stream resumes. */
    #hold(holder: unknown): void {
        if (this.connection.phase === 'closed' || this.#holders.has(holder)) return;
        this.#holders.add(holder);
        this.#drop();
        this.#show({ phase: 'waiting', attempt: 0 });
    }

    #release(holder: unknown): void {
        if (this.#holders.delete(holder)) this.reconnect();
    }

    // ---- Messages ----

    #receive(message: any): void {
        switch (message.type) {
            case 'connection': return this.#greeted(message.cursor);
            case 'resumed': this.#replaying = false; return;
            case 'resume_failed': return this.#gap(message, true);
            case 'gap': return this.#gap(message, message.reason === 'trimmed');
            case 'build_status': return this.#emit('state', { ...message.status, offset: message.offset });
            case 'pong': return this.#pings.shift()?.();
            case 'error': if (message.topic) break; return this.#objection(message);
            default: if (!message.topic) return;
        }
        this.#event(message);
    }

    #greeted(cursor: Cursor): void {
        this.#openedAt = Date.now();
        this.#liveCursor = cursor;
        this.#webSocketWorked ||= this.#transport?.name === 'websocket';
        const fresh = this.cursor === undefined;
        if (fresh) this.cursor = cursor;
        this.#show({ phase: 'open', attempt: this.connection.attempt });
        if (this.#wantsState && !this.#transport?.send) void this.#fetchState();
        this.#wantsState = false;
    }

    #event(event: any): void {
        if (event.cursor) {
            if (event.cursor === this.cursor) return;
            this.cursor = event.cursor;
        }
        event.replayed = this.#replaying;
        this.#emit('event', event);
    }

    #gap({ topic = this.#topics[0]!, reason, from, to, available_from: availableFrom }: any, stateIsDue: boolean): void {
        this.#replaying = false;
        if (stateIsDue && this.#liveCursor) this.cursor = this.#liveCursor;
        this.#emit('gap', { topic, reason, from, to, availableFrom });
        if (stateIsDue && this.#session && !this.#transport?.send) void this.#fetchState();
    }

    #objection({ error_type: code, error_message: text }: any): void {
        if (code === 'token_expired') void this.#refreshToken();
        this.#emit('error', new FanfareError(0, code, text));
    }

    async #refreshToken(): Promise<void> {
        const token = await this.#context.token();
        if (typeof this.#context.options.token === 'function') this.send({ type: 'refresh_token', token });
    }

    async #fetchState(): Promise<void> {
        const number = this.#number;
        try {
            const state = await this.#context.state(this.#session!);
            if (state && number === this.#number) this.#emit('state', state);
        } catch (error) {
            this.#emit('error', errorFrom(error));
        }
    }

    #emit<Name extends keyof StreamEvents>(name: Name, detail: StreamEvents[Name]): void {
        for (const handler of [...(this.#handlers.get(name) ?? [])]) {
            try {
                handler(detail);
            } catch (error) {
                // Its author has to hear of it, the stream does not stop for it.
                queueMicrotask(() => { throw error; });
            }
        }
    }
}
