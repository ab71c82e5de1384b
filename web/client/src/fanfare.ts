/* The client library: subscribe to sessions and topics, publish, read history. See docs/client-library.md. */
import { Backoff } from './backoff.ts';
import { errorFrom, errorFromResponse, FanfareError } from './errors.ts';
import type { EventData } from './events.ts';
import { freshToken } from './link.ts';
import { Stream, type StreamServer } from './stream.ts';
import type {
    EventType, FanfareOptions, History, Published, PublishOptions, SessionOptions, SessionState, SessionSummary, SubscribeOptions,
} from './types.ts';

export { FanfareError } from './errors.ts';
export type { BackoffOptions } from './backoff.ts';
export type * from './events.ts';
export type * from './types.ts';
export type { Stream } from './stream.ts';

const REQUEST_LIMIT = 15000;

/** Where the server is when nobody says so: where this module came from, else where the page is. */
function ownAddress(): string {
    const module = import.meta.url;
    if (/^https?:.*\/fanfare\.js$/.test(module)) return module;
    if (globalThis.location) return globalThis.document?.baseURI ?? globalThis.location.href;
    throw new FanfareError(0, 'no_url', "where is the server? new Fanfare('http://127.0.0.1:8000')");
}

/** A server, and the right to use it. */
export class Fanfare {
    readonly url: string;
    readonly #options: FanfareOptions;
    readonly #server: StreamServer;

    /** url: the server's, with its base path; default: where this module came from. */
    constructor(url?: string | URL, options: FanfareOptions = {}) {
        this.url = url ? new URL(String(url).replace(/\/*$/, '/')).href : new URL('.', ownAddress()).href;
        this.#options = options;
        this.#server = {
            base: this.url,
            options,
            fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
            token: () => freshToken(options.token),
            state: (session) => this.state(session),
        };
    }

    /** Follows a session: over a WebSocket, or over Server-Sent Events where that does not work. */
    session(id: string, options: SessionOptions = {}): Stream {
        return new Stream(this.#server, [`session:${id}`], options, id);
    }

    /** Follows any topics, over Server-Sent Events. */
    subscribe(topics: string | string[], options: SubscribeOptions = {}): Stream {
        return new Stream(this.#server, [topics].flat(), options);
    }

    /** Publishes one event. Tries again when the network or the server fails; the server takes it once. */
    async publish<Type extends EventType>(
        topic: string, type: Type, data: Type extends keyof EventData ? EventData[Type] : object,
        { retries = 5, id = makeId(), ...more }: PublishOptions = {},
    ): Promise<Published> {
        const backoff = new Backoff(this.#options.backoff);
        const body = JSON.stringify({ topic, type, data, id, ...more });
        for (;;) {
            try {
                return await this.#request('api/v1/publish', { method: 'POST', body });
            } catch (cause) {
                const error = cause as FanfareError;
                if (retries-- <= 0 || !error.temporary) throw error;
                await new Promise((resolve) => setTimeout(resolve, backoff.next(error.retryAfter)));
            }
        }
    }

    /** The sessions there are. */
    async sessions(): Promise<SessionSummary[]> {
        return (await this.#request('api/build/sessions')).sessions;
    }

    /** A session's state now; undefined when there is no such session. */
    async state(session: string): Promise<SessionState | undefined> {
        return this.#request(`api/build/status/${encodeURIComponent(session)}`).catch((error) => {
            if (error.status !== 404) throw error;
        });
    }

    /** Events that the topic had, above an offset, oldest first. */
    async history(topic: string, { since = 0, limit = 1000 } = {}): Promise<History> {
        return this.#request(`api/v1/topics/${encodeURIComponent(topic)}/history?since=${since}&limit=${limit}`);
    }

    async #request(path: string, init: RequestInit = {}): Promise<any> {
        try {
            const token = await this.#server.token();
            const response = await this.#server.fetch(new URL(path, this.url), {
                signal: AbortSignal.timeout(REQUEST_LIMIT),
                ...init,
                headers: {
                    ...(init.body ? { 'Content-Type': 'application/json' } : {}),
                    ...(token && { Authorization: `Bearer ${token}` }),
                },
            });
            if (!response.ok) throw await errorFromResponse(response);
            return await response.json();
        } catch (error) {
            throw errorFrom(error);
        }
    }
}

/** Random enough; crypto.randomUUID is missing on pages without TLS, and in Node.js 18. */
function makeId(): string {
    const part = (): string => Math.random().toString(36).slice(2);
    return `js-${Date.now().toString(36)}-${part()}${part()}`;
}
