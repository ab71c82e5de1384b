/* Server-Sent Events, read with fetch: that takes a token as a header, shows the status, and is in Node.js. */
import { errorFrom, errorFromResponse, FanfareError } from './errors.ts';
import { deliver, type Dial, type Listener, type Transport } from './transport.ts';

/** Takes in pieces of a stream and hands on its blocks; one reader for one stream. */
export function eventReader(listener: Listener): (piece: string) => void {
    let rest = '';
    let data: string[] = [];
    let id: string | undefined;
    let greeted = false;
    const line = (text: string): void => {
        if (text.startsWith('data:')) data.push(text.slice(text[5] === ' ' ? 6 : 5));
        else if (text.startsWith('id:')) id = text.slice(3).trim();
        else if (text === ': live') listener.message({ type: 'resumed' });
        else if (text === '') {
            if (data.length) deliver(listener, data.join('\n'), id);
            else if (id && !greeted) listener.message({ type: 'connection', cursor: id });
            greeted ||= id !== undefined;
            data = [];
            id = undefined;
        }
    };
    return (piece) => {
        const lines = (rest + piece).split('\n');
        rest = lines.pop()!;
        lines.forEach(line);
    };
}

export function openEventStream(dial: Dial, listener: Listener): Transport {
    const abort = new AbortController();
    const query = new URLSearchParams(dial.query);
    for (const topic of dial.topics) query.append('topic', topic);
    const run = async (): Promise<void> => {
        const response = await dial.fetch(new URL(`events?${query}`, dial.base), {
            headers: dial.token ? { Authorization: `Bearer ${dial.token}` } : {},
            cache: 'no-store',
            signal: abort.signal,
        });
        if (!response.ok) throw await errorFromResponse(response);
        const bytes = response.body!.getReader();
        const text = new TextDecoder();
        const read = eventReader(listener);
        for (;;) {
            const { done, value } = await bytes.read();
            if (abort.signal.aborted) return;
            if (done) throw new FanfareError(0, 'closed', 'the server ended the stream');
            listener.heard();
            read(text.decode(value, { stream: true }));
        }
    };
    run().catch((error) => abort.signal.aborted || listener.ended(errorFrom(error)));
    return { name: 'sse', close: () => abort.abort() };
}
