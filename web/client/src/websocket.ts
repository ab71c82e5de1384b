/* The build dialect's WebSocket: one session, events in full. */
import { FanfareError } from './errors.ts';
import { deliver, type Dial, type Listener, type Transport } from './transport.ts';
import type { WebSocketLike } from './types.ts';

/** The server's close code for a token that was not renewed. */
const EXPIRED = 4401;

export function openWebSocket(dial: Dial, listener: Listener): Transport {
    const id = dial.topics[0]!.slice('session:'.length);
    const url = new URL(`api/build/stream/${encodeURIComponent(id)}`, dial.base.replace(/^http/, 'ws'));
    url.search = `events=full&${dial.query}`;
    // A browser cannot send headers here: the token goes as a subprotocol, out of the logs of proxies.
    const protocols = dial.token ? ['fanfare', `fanfare.token.${dial.token}`] : [];
    let socket: WebSocketLike | undefined;
    let over = false;
    const end = (code?: number, reason?: unknown): void => {
        if (over) return;
        over = true;
        listener.ended(code === EXPIRED
            ? new FanfareError(401, 'token_expired', 'the token has expired')
            : new FanfareError(0, 'closed', `the WebSocket was closed: ${[code, reason].filter(Boolean).join(' ') || 'no reason'}`));
    };
    try {
        socket = new dial.WebSocket!(url.href, protocols);
        socket.onmessage = ({ data }) => {
            if (over) return;
            listener.heard();
            deliver(listener, String(data));
        };
        socket.onclose = ({ code, reason }) => end(code, reason);
        socket.onerror = () => {}; // close follows, and says as much
    } catch (error) {
        // A token that is no subprotocol, or a page that may not open WebSockets.
        queueMicrotask(() => end(0, error));
    }
    return {
        name: 'websocket',
        send: (text) => socket!.send(text),
        close() {
            over = true;
            socket?.close();
        },
    };
}
