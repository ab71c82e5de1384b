// Server-Sent Events: the bytes themselves, npm's eventsource, and curl.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventSource } from 'eventsource';
import { ms, openEvents, range, startServer, test, uniqueName, waitFor } from './harness.mjs';

const server = await startServer();

const tick = (topic, n, more = {}) => server.publish({ topic, type: 'tick', data: { n }, ...more });

const numbers = (blocks) => blocks.map((block) => block.json.data.n);

test('the head is that of an event stream nobody may store', async (t) => {
    const stream = await openEvents(t, server, `topic=session:${uniqueName()}`);
    const { headers } = stream.incoming;
    assert.match(headers['content-type'], /^text\/event-stream\b/);
    assert.match(headers['cache-control'], /no-cache|no-store/);
    const first = await stream.next((block) => block.retry !== undefined);
    assert.match(first.retry, /^\d+$/);
});

test('an event is its JSON with a cursor as id and no event name', async (t) => {
    const topic = `session:${uniqueName()}`;
    const stream = await openEvents(t, server, `topic=${topic}`);
    const answer = await tick(topic, 1, { source: 'me', id: 'mine' });
    const block = await stream.next();
    assert.equal(typeof block.id, 'string');
    assert.notEqual(block.id, '');
    assert.equal(block.event, undefined);
    assert.deepEqual(block.json,
        { topic, type: 'tick', time: answer.time, offset: 1, id: 'mine', source: 'me', data: { n: 1 } });
});

test('output with line breaks stays one event', async (t) => {
    const topic = `session:${uniqueName()}`;
    const stream = await openEvents(t, server, `topic=${topic}`);
    const output = 'a\r\nb\n\nc\u2028d\n';
    await server.publish({ topic, type: 'terminal_output', data: { output } });
    assert.equal((await stream.next()).json.data.output, output);
});

test('Last-Event-ID goes on exactly behind that event', async (t) => {
    const topic = `session:${uniqueName()}`;
    const first = await openEvents(t, server, `topic=${topic}`);
    for (const n of range(5)) await tick(topic, n);
    const seen = await first.take(5);
    first.close();
    for (const n of [5, 6]) await tick(topic, n);
    const again = await openEvents(t, server, `topic=${topic}`, { 'Last-Event-ID': seen[2].id });
    assert.deepEqual(numbers(await again.take(4)), [3, 4, 5, 6]);
    await tick(topic, 7);
    assert.equal((await again.next()).json.data.n, 7);
});

test('Last-Event-ID counts before since, since=0 is the beginning', async (t) => {
    const topic = `session:${uniqueName()}`;
    for (const n of range(3)) await tick(topic, n);
    const all = await openEvents(t, server, `topic=${topic}&since=0`);
    const blocks = await all.take(3);
    assert.deepEqual(numbers(blocks), [0, 1, 2]);
    const since = await openEvents(t, server, `topic=${topic}&since=${blocks[0].id}`);
    assert.deepEqual(numbers(await since.take(2)), [1, 2]);
    const both = await openEvents(t, server, `topic=${topic}&since=${blocks[0].id}`, { 'Last-Event-ID': blocks[1].id });
    assert.deepEqual(numbers(await both.take(1)), [2]);
});

test('a comment stands between the past and the present', async (t) => {
    const topic = `session:${uniqueName()}`;
    await tick(topic, 0);
    const stream = await openEvents(t, server, `topic=${topic}&since=0`);
    assert.deepEqual(numbers(await stream.take(1)), [0]);
    const { comment } = await stream.next(() => true);
    assert.equal(comment, 'live');
    await tick(topic, 1);
    assert.deepEqual(numbers(await stream.take(1)), [1]);
});

test('a reader that lost its connection before the first event comes back to where it began', async (t) => {
    const [one, two] = [`session:${uniqueName()}`, `session:${uniqueName()}`];
    for (const n of range(3)) await tick(n % 2 ? two : one, n);
    const idOf = async (query, headers) => {
        const stream = await openEvents(t, server, query, headers);
        const { id } = await stream.next((block) => block.id !== undefined);
        assert.notEqual(id, '');
        stream.close();
        return id;
    };
    const live = await idOf(`topic=${one}&topic=${two}`);
    await tick(two, 3);
    const resumed = await idOf(`topic=${one}&topic=${two}`, { 'Last-Event-ID': live });
    for (const id of [live, resumed]) {
        const again = await openEvents(t, server, `topic=${one}&topic=${two}`, { 'Last-Event-ID': id });
        assert.deepEqual(numbers([await again.next()]), [3], 'neither the past nor a hole');
    }
    const beginning = await idOf(`topic=${one}&topic=${two}&since=0`);
    const all = await openEvents(t, server, `topic=${one}&topic=${two}&since=0`, { 'Last-Event-ID': beginning });
    assert.deepEqual(numbers(await all.take(4)), [0, 1, 2, 3]);
});

test('one cursor stands for a position in several topics', async (t) => {
    const [a, b] = [`session:${uniqueName()}`, `channel:${uniqueName()}`];
    await tick(a, 1);
    await tick(b, 2);
    await tick(a, 3);
    await tick(b, 4);
    const stream = await openEvents(t, server, `topic=${a}&topic=${b}&since=0`);
    const blocks = await stream.take(4);
    assert.deepEqual(numbers(blocks), [1, 2, 3, 4]);
    const again = await openEvents(t, server, `topic=${a}&topic=${b}&since=${blocks[1].id}`);
    assert.deepEqual(numbers(await again.take(2)), [3, 4]);
});

test('a cursor of a WebSocket greeting holds here too', async (t) => {
    const session = uniqueName();
    const topic = `session:${session}`;
    await tick(topic, 1);
    const { greeting } = await server.build(session);
    await tick(topic, 2);
    const stream = await openEvents(t, server, `topic=${topic}&since=${encodeURIComponent(greeting.cursor)}`);
    assert.equal((await stream.next()).json.data.n, 2);
});

test('types filters', async (t) => {
    const topic = `session:${uniqueName()}`;
    const stream = await openEvents(t, server, `topic=${topic}&types=lint,terminal_output`);
    await tick(topic, 1);
    await server.publish({ topic, type: 'lint', data: {} });
    await tick(topic, 2);
    await server.publish({ topic, type: 'terminal_output', data: { output: 'x' } });
    assert.deepEqual((await stream.take(2)).map((block) => block.json.type), ['lint', 'terminal_output']);
});

test('named=1 names events, and those that EventSource keeps for itself get a prefix', async (t) => {
    const topic = `session:${uniqueName()}`;
    const stream = await openEvents(t, server, `topic=${topic}&named=1`);
    for (const type of ['lint', 'error', 'open', 'message']) {
        await server.publish({ topic, type, data: type === 'error' ? { error_message: 'x' } : {} });
    }
    assert.deepEqual((await stream.take(4)).map((block) => block.event),
        ['lint', 'event.error', 'event.open', 'event.message']);
});

test('a malformed cursor is 400, a missing or bad topic too', async () => {
    const topic = `session:${uniqueName()}`;
    for (const cursor of ['nonsense', '-1', '7', '%00', 'A'.repeat(21)]) {
        const answer = await server.get(`/events?topic=${topic}&since=${cursor}`);
        assert.equal(answer.status, 400, cursor);
        assert.match(answer.text, /cursor|since/);
    }
    const header = await server.get(`/events?topic=${topic}`, { 'Last-Event-ID': 'nonsense' });
    assert.equal(header.status, 400);
    for (const query of ['', 'topic=', 'topic=a%20b', 'topic=nowhere:x']) {
        const answer = await server.get(`/events?${query}`);
        assert.equal(answer.status, 400, query);
        assert.match(answer.text, /topic/);
    }
});

test('a position that history lost is told first, then comes the live tail', async (t) => {
    const small = await startServer({ t, config: { topics: { session: { count: 10 } } } });
    const topic = 'session:s';
    const publish = (n) => small.publish({ topic, type: 'tick', data: { n } });
    const first = await openEvents(t, small, `topic=${topic}`);
    await publish(1);
    const { id } = await first.next();
    first.close();
    for (const n of range(50)) await publish(n + 2);
    const stream = await openEvents(t, small, `topic=${topic}`, { 'Last-Event-ID': id });
    const failed = (await stream.next()).json;
    assert.deepEqual([failed.type, failed.reason], ['resume_failed', 'trimmed']);
    assert.ok(failed.from <= 2, `from ${failed.from}`); // the events that a cursor counts are gone
    await publish(99);
    const tail = await stream.next();
    assert.equal(tail.json.offset, failed.to + 1, 'what the range does not name is delivered');
});

test('a position that never was is told to be invalid, one of another server to be of another epoch', async (t) => {
    const topic = `session:${uniqueName()}`;
    await tick(topic, 1);
    const { id } = await (await openEvents(t, server, `topic=${topic}&since=0`)).next();
    const changed = (at) => {
        const bytes = Buffer.from(id, 'base64url');
        assert.equal(bytes.length, 16, 'a cursor is an epoch and a position');
        bytes[at] ^= 0x40;
        return bytes.toString('base64url');
    };
    for (const [at, reason] of [[8, 'invalid'], [0, 'epoch_changed']]) {
        const stream = await openEvents(t, server, `topic=${topic}`, { 'Last-Event-ID': changed(at) });
        const { type, reason: told } = (await stream.next()).json;
        assert.deepEqual([type, told], ['resume_failed', reason]);
        await tick(topic, 2);
        assert.equal((await stream.next()).json.data.n, 2, 'then the live tail');
    }
});

test('format=json is NDJSON', async () => {
    const topic = `session:${uniqueName()}`;
    const controller = new AbortController();
    const answer = await fetch(`${server.url}/events?topic=${topic}&format=json`, { signal: controller.signal });
    assert.match(answer.headers.get('content-type'), /ndjson/);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    await tick(topic, 1);
    let text = '';
    while (!text.includes('\n')) text += (await reader.read()).value;
    controller.abort();
    const event = JSON.parse(text);
    assert.deepEqual([event.topic, event.type, event.offset], [topic, 'tick', 1]);
});

test('a quiet stream carries a comment every 15 s', { timeout: 40000 }, async (t) => {
    const stream = await openEvents(t, server, `topic=session:${uniqueName()}`);
    await stream.next((block) => block.retry !== undefined);
    await stream.next((block) => block.comment !== undefined, ms(20000));
});

test('npm eventsource receives, and resumes by itself when the connection breaks', async (t) => {
    const topic = `session:${uniqueName()}`;
    const breakable = [];
    const source = new EventSource(`${server.url}/events?topic=${topic}`, {
        fetch: async (url, init) => {
            const controller = new AbortController();
            breakable.push(controller);
            init.signal?.addEventListener('abort', () => controller.abort());
            const response = await fetch(url, { ...init, signal: controller.signal });
            return response;
        },
    });
    t.after(() => source.close());
    const seen = [];
    source.onmessage = (message) => seen.push(JSON.parse(message.data).data.n);
    await waitFor(() => source.readyState === EventSource.OPEN);
    for (const n of range(3)) await tick(topic, n);
    await waitFor(() => seen.length === 3);
    breakable[0].abort(new TypeError('broken on purpose'));
    for (const n of range(3)) await tick(topic, n + 3);
    await waitFor(() => seen.length >= 6, 'the rest after reconnecting', ms(15000));
    assert.deepEqual(seen, range(6));
});

test('curl reads it as a tail', async (t) => {
    const topic = `session:${uniqueName()}`;
    await tick(topic, 1);
    const curl = spawn('curl', ['-sN', `${server.url}/events?topic=${topic}&format=json&since=0`]);
    t.after(() => curl.kill('SIGKILL'));
    let text = '';
    curl.stdout.on('data', (piece) => (text += piece));
    await waitFor(() => text.includes('"n":1'));
    await tick(topic, 2);
    await waitFor(() => text.includes('"n":2'));
    assert.equal(text.trimEnd().split('\n').length, 2);
});

test('curl may speak HTTP/1.0, to which nothing is chunked', async (t) => {
    const topic = `session:${uniqueName()}`;
    await tick(topic, 1);
    const curl = spawn('curl', ['-sN0i', `${server.url}/events?topic=${topic}&since=0`]);
    t.after(() => curl.kill('SIGKILL'));
    let text = '';
    curl.stdout.on('data', (piece) => (text += piece));
    await waitFor(() => text.includes('"n":1'));
    assert.doesNotMatch(text, /transfer-encoding/i);
});
