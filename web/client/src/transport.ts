/* What both transports share: they open one connection, hand on its messages, and end once. */
import type { FanfareError } from './errors.ts';
import type { WebSocketConstructor } from './types.ts';

/** What a connection is opened with. */
export interface Dial {
    /** The server's address, with a slash at its end. */
    base: string;
    topics: string[];
    query: URLSearchParams;
    token: string | undefined;
    fetch: typeof fetch;
    WebSocket: WebSocketConstructor | undefined;
}

/** Who is told. Nothing is told after `ended`, nor after the connection was closed from here. */
export interface Listener {
    /** A sign of life: any bytes. */
    heard(): void;
    /** A message, and the text that it was; none when the transport made the message up. */
    message(message: any, text?: string): void;
    /** A message that is not JSON. */
    malformed(text: string): void;
    ended(error: FanfareError): void;
}

export interface Transport {
    readonly name: 'websocket' | 'sse';
    /** Only where the transport can. */
    send?(text: string): void;
    close(): void;
}

/** Hands a text on as the message that it is. */
export function deliver(listener: Listener, text: string, cursor?: string): void {
    let message;
    try {
        message = JSON.parse(text);
    } catch {
        return listener.malformed(text);
    }
    if (message === null || typeof message !== 'object') return listener.malformed(text);
    if (cursor) message.cursor = cursor;
    listener.message(message, text);
}
