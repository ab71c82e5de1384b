/* The build dialect's WebSocket: one session, events in full. */
import { FanfareError } from './errors.ts';
import { deliver, type Dial, type Listener, type Transport } from './transport.ts';

export function openWebSocket(dial: Dial, listener: Listener): Transport {
    const id = dial.topics[0]!.slice('session:'.length);
    const url = new URL(`api/build/stream/${encodeURIComponent(id)}`, dial.base.replace(/^http/, 'ws'));
    url.search = `events=full&${dial.query}`;
    // A browser cannot send headers here: the token goes as a subprotocol, out of the logs of proxies.
    const protocols = dial.token ? ['fanfare', `fanfare.token.${dial.token}`] : [];
    const socket = new dial.WebSocket!(url.href, protocols);
    let over = false;
    const end = (code?: number, reason = ''): void => {
        if (over) return;
        over = true;
        listener.ended(code === 4401
            ? new FanfareError(401, 'token_expired', 'the token has expired')
            : new FanfareError(0, 'closed', `the connection was closed${code ? ` (${code})` : ''}${reason && `: ${reason}`}`));
    };
    socket.onmessage = ({ data }) => {
        if (over) return;
        listener.heard();
        deliver(listener, String(data));
    };
    socket.onclose = ({ code, reason }) => end(code, reason);
    socket.onerror = () => {}; // close follows and says as much
    return {
        name: 'websocket',
        send: (text) => socket.send(text),
        close() {
            over = true;
            socket.close();
        },
    };
}
