/*
 * The link of a stream to its server: one connection at a time, and a new one when it is lost.
 *
 * Each connection has a number; what an older one still says is not heard. Of a failed WebSocket handshake
 * nobody says why, so an event stream is tried in its place: its answer has a status, and where it works
 * while WebSockets never did, it stays.
 */
import { Backoff } from './backoff.ts';
import { errorFrom, FanfareError } from './errors.ts';
import { watchPage } from './page.ts';
import { openEventStream } from './sse.ts';
import type { Dial, Listener, Transport } from './transport.ts';
import type { Connection, FanfareOptions, Token, WebSocketConstructor } from './types.ts';
import { openWebSocket } from './websocket.ts';

/** What is the same for all links to a server. */
export interface Server {
    /** Its address, with a slash at its end. */
    base: string;
    options: FanfareOptions;
    fetch: typeof fetch;
}

/** Whom a link serves. */
export interface LinkOwner {
    topics: string[];
    /** Whether the build dialect's WebSocket can carry it: it is one session. */
    session: boolean;
    /** What to ask for, from now on. */
    query(webSocket: boolean): URLSearchParams;
    /** A message came in, as this text. */
    seen(text: string): void;
    receive(message: any): void;
    ping(): void;
    changed(connection: Connection): void;
    objected(error: FanfareError): void;
}

/** A connection that lasted so long was a good one: the next wait is a short one again. */
const LASTED = 5000;
/** So often in a row a WebSocket that worked before may fail until an event stream replaces it. */
const PATIENCE = 2;

export const freshToken = async (token: Token): Promise<string | undefined> => (typeof token === 'function' ? token() : token);

export class Link {
    connection: Connection = { phase: 'connecting', attempt: 0 };

    readonly #server: Server;
    readonly #owner: LinkOwner;
    readonly #webSocket: WebSocketConstructor | undefined;
    readonly #backoff: Backoff;
    readonly #heartbeat: number;
    readonly #holders = new Set<unknown>();
    #transport: Transport | undefined;
    #number = 0;
    #heardAt = 0;
    #openedAt = 0;
    /** When an answer to the ping is overdue. */
    #deadline = Infinity;
    #patience = 0;
    #handshakeError: FanfareError | undefined;
    #retry: ReturnType<typeof setTimeout> | undefined;
    #watch: ReturnType<typeof setInterval> | undefined;
    #unwatchPage: (() => void) | undefined;

    constructor(server: Server, owner: LinkOwner) {
        const { transport, WebSocket = globalThis.WebSocket, backoff, heartbeat = 20000 } = server.options;
        this.#server = server;
        this.#owner = owner;
        this.#webSocket = owner.session && transport !== 'sse' ? WebSocket : undefined;
        this.#backoff = new Backoff(backoff);
        this.#heartbeat = heartbeat;
        if (owner.session && transport === 'websocket' && !WebSocket) {
            throw new FanfareError(0, 'no_websocket', "there is no WebSocket here: pass that of 'ws' as the option WebSocket, or use transport: 'auto'");
        }
    }

    /** Connects, unless that began already; soon, so that whoever listens can finish saying so. */
    start(): void {
        queueMicrotask(() => this.#number === 0 && this.reconnect());
    }

    /** Whether messages can be sent now. */
    get takesMessages(): boolean {
        return this.connection.phase === 'open' && this.#transport?.send !== undefined;
    }

    send(text: string): void {
        this.#transport!.send!(text);
    }

    reconnect(): void {
        this.#backoff.reset();
        this.#handshakeError = undefined;
        this.#drop();
        this.#watch ??= setInterval(() => this.#look(), this.#heartbeat / 8);
        this.#unwatchPage ??= watchPage({ wake: () => this.#wake(), sleep: () => this.hold(watchPage) });
        void this.#connect(1);
    }

    close(error?: FanfareError): void {
        if (this.connection.phase === 'closed') return;
        this.#drop(); // counts, so that a start that is on its way does nothing
        this.#holders.clear();
        clearInterval(this.#watch);
        this.#unwatchPage?.();
        this.#watch = this.#unwatchPage = undefined;
        this.#show({ phase: 'closed', attempt: this.connection.attempt, ...(error && { error }) });
    }

    /** Lets the connection go until the holder releases it. Nothing is lost: the stream resumes. */
    hold(holder: unknown): void {
        if (this.connection.phase === 'closed' || this.#holders.has(holder)) return;
        this.#holders.add(holder);
        this.#drop();
        this.#show({ phase: 'waiting', attempt: 0 });
    }

    release(holder: unknown): void {
        if (this.#holders.delete(holder) && this.connection.phase !== 'closed') this.reconnect();
    }

    /** The server has greeted. */
    opened(): boolean {
        const webSocket = this.#transport?.name === 'websocket';
        if (webSocket) this.#patience = PATIENCE;
        else if (this.#handshakeError && (this.#server.options.transport === 'websocket' || this.#patience-- > 0)) {
            this.#lost(this.#handshakeError);
            return false;
        }
        this.#openedAt = Date.now();
        this.#show({ phase: 'open', attempt: this.connection.attempt });
        return true;
    }

    // ---- Connecting ----

    async #connect(attempt: number): Promise<void> {
        if (this.#holders.size) return;
        const number = ++this.#number;
        this.#heardAt = Infinity; // a token may take its time: somebody logs in, perhaps
        this.#show({ phase: 'connecting', attempt });
        try {
            const token = await freshToken(this.#server.options.token);
            if (number === this.#number) this.#open(this.#handshakeError ? undefined : this.#webSocket, token);
        } catch (error) {
            if (number === this.#number) this.#lost(errorFrom(error, 'token'));
        }
    }

    #open(WebSocket: WebSocketConstructor | undefined, token: string | undefined): void {
        const { base, fetch } = this.#server;
        const { topics } = this.#owner;
        const dial: Dial = { base, topics, query: this.#owner.query(WebSocket !== undefined), token, fetch, WebSocket };
        this.#heardAt = Date.now();
        this.#transport = (WebSocket ? openWebSocket : openEventStream)(dial, this.#listener(this.#number));
    }

    #listener(number: number): Listener {
        const ifCurrent = <Args extends unknown[]>(handle: (...args: Args) => void) => (...args: Args): void => {
            if (number === this.#number) handle(...args);
        };
        return {
            heard: ifCurrent(() => {
                this.#heardAt = Date.now();
                this.#deadline = Infinity;
            }),
            message: ifCurrent((message, text) => {
                if (text) this.#owner.seen(text);
                if (number === this.#number) this.#owner.receive(message);
            }),
            malformed: ifCurrent((text) => this.#owner.objected(new FanfareError(0, 'malformed', `this message is no JSON object: ${text.slice(0, 100)}`))),
            ended: ifCurrent((error) => this.#failed(error)),
        };
    }

    /** Forgets the connection, without a word to anybody. */
    #drop(): void {
        this.#number++;
        clearTimeout(this.#retry);
        this.#transport?.close();
        this.#transport = undefined;
        this.#openedAt = 0;
        this.#deadline = Infinity;
    }

    #failed(error: FanfareError): void {
        if (this.#openedAt || this.#transport?.name !== 'websocket') return this.#lost(error);
        this.#handshakeError = error;
        this.#drop();
        void this.#connect(this.connection.attempt);
    }

    /** The connection is gone: another one later, unless that makes no sense. */
    #lost(error: FanfareError): void {
        const lasted = this.#openedAt > 0 && Date.now() - this.#openedAt > LASTED;
        const renewable = error.status === 401 && lasted && typeof this.#server.options.token === 'function';
        if (!error.temporary && !renewable) return this.close(error);
        if (lasted) this.#backoff.reset();
        // The event stream that stands in for WebSockets was no help or is not wanted.
        if (!this.#openedAt) this.#handshakeError = undefined;
        this.#drop();
        const attempt = lasted ? 0 : this.connection.attempt;
        const wait = this.#backoff.next(error.retryAfter);
        this.#retry = setTimeout(() => this.#connect(attempt + 1), wait);
        this.#show({ phase: 'waiting', attempt, retryAt: Date.now() + wait, error });
    }

    #show(connection: Connection): void {
        this.connection = this.#transport ? { ...connection, transport: this.#transport.name } : connection;
        this.#owner.changed(this.connection);
    }

    // ---- Whether somebody is there ----

    /** A peer that went without a word is noticed by its silence. A WebSocket is asked first: timers of
     * hidden pages run late, and the server's own pings are not seen here. */
    #look(): void {
        const { phase } = this.connection;
        const now = Date.now();
        const silence = now - this.#heardAt;
        const dead = phase === 'connecting' ? silence > this.#heartbeat / 2
            : this.takesMessages ? now > this.#deadline
            : phase === 'open' && silence > this.#heartbeat * 2;
        if (dead) this.#failed(new FanfareError(0, 'timeout', `nothing was heard from the server for ${Math.round(silence / 100) / 10} s`));
        else if (this.takesMessages && silence >= this.#heartbeat) this.#probe(this.#heartbeat);
    }

    #probe(limit: number): void {
        if (this.#deadline === Infinity) this.#owner.ping();
        this.#deadline = Math.min(this.#deadline, Date.now() + limit);
    }

    /** The page is back, or has a network again. */
    #wake(): void {
        if (this.#holders.delete(watchPage) || this.connection.phase === 'waiting') this.reconnect();
        else if (this.takesMessages) this.#probe(this.#heartbeat / 4);
        else this.#look();
    }
}
