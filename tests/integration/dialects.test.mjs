// One hub, every dialect: the same event in each envelope, once, in one order; and clients as they were written for
// the web IDE and the editor whose dialects the server speaks.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { ms, openEvents, range, startServer, test, uniqueName, waitFor } from './harness.mjs';

const server = await startServer({ args: ['--workers', '2'] });

async function open(target, from = server) {
    const client = await from.open(target);
    client.raw = [];
    client.socket.on('message', (text) => client.raw.push(text.toString()));
    client.greeting = await client.next();
    return client;
}

test('one publish is seen by every dialect at once, each byte as its envelope has it', async (t) => {
    const session = uniqueName('abc');
    const channel = uniqueName('files');
    const topics = [`session:${session}`, `channel:${channel}`];
    const [build, ide, channels] = [await open(`/api/build/stream/${session}`), await open(`/ws/${session}`), await open('/ws')];
    const stream = await openEvents(t, server, `topic=session:${session}`);
    channels.send({ id: 1, type: 'subscribe', channel });
    await channels.next((m) => m.id === 1);
    const data = { component_id: 'auth', status: 'in_progress', progress: 45.5, metadata: {} };
    const { results: [{ time, offset }] } = await server.publish({ topics, type: 'component_update', data, source: 's', id: 'e1' });
    await Promise.all([build.next(), ide.next(), channels.next()]);
    const inner = JSON.stringify(data);
    assert.equal(build.raw.at(-1), `{"type":"component_update","session_id":"${session}","timestamp":"${time}","offset":${offset},${inner.slice(1)}`);
    assert.equal(ide.raw.at(-1), `{"type":"component_update","timestamp":"${time}","session_id":"${session}","offset":${offset},"data":${inner}}`);
    assert.equal(channels.raw.at(-1),
        `{"type":"event","channel":"${channel}","event":"component_update","data":${inner},"timestamp":"${time}","offset":${offset}}`);
    assert.equal((await stream.next()).data,
        `{"topic":"session:${session}","type":"component_update","time":"${time}","offset":${offset},"id":"e1","source":"s","key":"auth","data":${inner}}`);
});

test('a channel\'s event is what the editor knows', async () => {
    const client = await open('/ws');
    client.send({ type: 'subscribe', channel: 'files' });
    await client.next();
    const timestamp = '2026-01-31T12:00:00.123Z';
    await server.publish({ topic: 'channel:files', data: { file: 'src/a.c', event: 'change' }, time: timestamp });
    const { offset } = await client.next();
    assert.equal(client.raw.at(-1),
        `{"type":"event","channel":"files","data":{"file":"src/a.c","event":"change","timestamp":"${timestamp}"},"timestamp":"${timestamp}","offset":${offset}}`);
});

test('an event is encoded once per dialect, however many clients there are', async (t) => {
    const own = await startServer({ t, args: ['--workers', '1'] });
    const targets = { build: '/api/build/stream/s', ide: '/ws/s', channels: '/ws' };
    const clients = [];
    for (const target of Object.values(targets)) for (const _ of range(20)) clients.push(await open(target, own));
    for (const [i, client] of clients.slice(40).entries()) {
        client.send({ type: 'subscribe', channel: ['c', '*', 'c/*'][i % 3] });
        await client.next();
    }
    const count = async () => Object.fromEntries(await Promise.all(Object.keys(targets).map(async (name) =>
        [name, await own.metric('fanfare_encoded_frames_total', `dialect="${name}"`)])));
    const before = await count();
    for (const n of range(10)) await own.publish({ topics: ['session:s', 'channel:c'], type: 'tick', data: { n } });
    for (const [i, client] of clients.entries()) if (i < 40 || i % 3 !== 0) await client.next((m) => m.offset === 10);
    const after = await count();
    assert.deepEqual(Object.keys(targets).map((name) => after[name] - before[name]), [10, 10, 10]);
    assert.equal(await own.metric('fanfare_clients', 'dialect="ide"'), 20);
});

test('an event for several topics reaches a connection once, under the first that it follows', async (t) => {
    const [a, b, c] = range(3).map(() => uniqueName('c'));
    const client = await open('/ws');
    for (const channel of [c, b]) {
        client.send({ type: 'subscribe', channel });
        await client.next();
    }
    const stream = await openEvents(t, server, `topic=channel:${a}&topic=channel:${b}&topic=channel:${c}`);
    await server.publish({ topics: [a, b, c].map((name) => `channel:${name}`), data: { n: 1 } });
    await server.publish({ topic: `channel:${c}`, data: { n: 2 } });
    assert.deepEqual((await client.take(2)).map((m) => [m.channel, m.data.n]), [[b, 1], [c, 2]]);
    assert.deepEqual((await stream.take(2)).map(({ json }) => [json.topic, json.data.n]), [[`channel:${a}`, 1], [`channel:${c}`, 2]]);
});

test('order and offsets agree in all dialects under 10,000 events a second from 8 publishers', { timeout: 60000 }, async (t) => {
    const own = await startServer({ t, args: ['--workers', '2'] });
    const each = 1250;
    const total = 8 * each;
    const readers = [];
    for (const target of ['/api/build/stream/s', '/ws/s', '/api/build/stream/s', '/ws/s']) readers.push(await open(target, own));
    for (const channel of ['c', '*']) {
        const client = await open('/ws', own);
        client.send({ type: 'subscribe', channel });
        await client.next();
        readers.push(client);
    }
    const stream = await openEvents(t, own, 'topic=session:s');
    const publishers = await Promise.all(range(8).map(() => own.open('/api/v1/publish?ack=none')));
    const start = Date.now();
    for (const n of range(each)) {
        for (const [p, publisher] of publishers.entries()) {
            publisher.send({ topics: ['session:s', 'channel:c'], type: 'tick', data: { p, n } });
        }
        const ahead = n * 0.8 - (Date.now() - start); // 1,250 in a second
        if (ahead > 5) await new Promise((resolve) => setTimeout(resolve, ahead));
    }
    const seen = await Promise.all(readers.map((reader) => reader.take(total, ms(30000))));
    const blocks = await stream.take(total);
    const place = (data, offset) => `${offset}:${data.p}:${data.n}`;
    const wanted = blocks.map(({ json }) => place(json.data, json.offset));
    assert.deepEqual(blocks.map(({ json }) => json.offset), range(total).map((n) => n + 1));
    for (const messages of seen) {
        assert.deepEqual(messages.map((m) => place(m.data ?? m, m.offset)), wanted);
    }
    const next = range(8).map(() => 0);
    for (const { json: { data } } of blocks) assert.equal(data.n, next[data.p]++, 'each publisher\'s own order');
});

test('keep-alive, filters and resuming are the same in the dialects of sessions', async () => {
    for (const [target, fields] of [['/api/build/stream/', (m) => m], ['/ws/', (m) => ({ type: m.type, data: m })]]) {
        const session = uniqueName();
        const client = await open(`${target}${session}`);
        const told = client.greeting.data ?? client.greeting;
        client.send(fields({ type: 'ping' }));
        assert.equal((await client.next()).type, 'pong');
        client.send(fields({ type: 'subscribe', topics: ['tick'] }));
        assert.equal((await client.next()).type, 'subscribed');
        for (const type of ['tick', 'tock', 'tick']) await server.publish({ topic: `session:${session}`, type });
        assert.deepEqual((await client.take(2)).map(({ offset }) => offset), [1, 3]);
        const again = await open(`${target}${session}`);
        again.send(fields({ type: 'resume', epoch: told.epoch, offset: 0 }));
        const [...missed] = await again.until('resumed');
        assert.deepEqual(missed.slice(0, -1).map(({ offset }) => offset), [1, 2, 3]);
    }
});

// ---- Clients as they were written for other servers ----

/** Runs a page's script with a WebSocket that takes its host to the server. */
function run(t, lines, names, values) {
    const sockets = [];
    class Browser extends WebSocket {
        constructor(url) {
            super(url.replace(/localhost:\d+/, `127.0.0.1:${server.port}`), { origin: `http://localhost:${server.port}` });
            sockets.push(this);
        }
    }
    const printed = [];
    new Function('WebSocket', 'console', ...names, lines)(Browser, { log: (...words) => printed.push(words) }, ...values);
    t.after(() => sockets.forEach((socket) => socket.terminate()));
    return { socket: sockets[0], printed };
}

test('the web IDE\'s client runs as written', async (t) => {
    const sessionId = uniqueName('session');
    const messages = [];
    const { printed, socket } = run(t, `
const ws = new WebSocket(\`ws://localhost:8000/ws/\${sessionId}\`);

ws.onopen = function(event) {
    console.log('Connected to WebSocket');
};

ws.onmessage = function(event) {
    const message = JSON.parse(event.data);
    handleWebSocketMessage(message);
};
`, ['sessionId', 'handleWebSocketMessage'], [sessionId, (message) => messages.push(message)]);
    await waitFor(() => messages.length === 1, 'the greeting');
    assert.deepEqual(printed, [['Connected to WebSocket']]);
    assert.deepEqual(Object.keys(messages[0]), ['type', 'timestamp', 'session_id', 'data']);
    await server.publish({ topic: `session:${sessionId}`, type: 'execution_start', data: { execution_id: 'e', language: 'python', code_preview: "print('hello')" } });
    await server.publish({ topic: `session:${sessionId}`, type: 'execution_output', data: { execution_id: 'e', output: 'Hello, World!', stream: 'stdout' } });
    socket.send(JSON.stringify({ type: 'ping', timestamp: '2023-10-01T12:00:00Z', session_id: sessionId, data: {} }));
    await waitFor(() => messages.length === 4, 'the rest');
    assert.deepEqual(messages.map(({ type }) => type), ['connect', 'execution_start', 'execution_output', 'pong']);
});

test('the editor\'s client runs as written', async (t) => {
    const changes = [];
    const { socket } = run(t, `
const ws = new WebSocket('ws://localhost:3000/ws')

ws.addEventListener('open', () => {
  ws.send(JSON.stringify({
    type: 'subscribe',
    channel: 'files'
  }))
})

ws.addEventListener('message', (event) => {
  const msg = JSON.parse(event.data)
  if (msg.type === 'event' && msg.channel === 'files') {
    handleFileChange(msg.data)
  }
})
`, ['handleFileChange'], [(data) => changes.push(data)]);
    const answers = [];
    socket.on('message', (text) => answers.push(JSON.parse(text)));
    await waitFor(() => answers.some((m) => m.data?.status === 'subscribed'), 'the subscription');
    const data = { file: 'src/main.ts', event: 'change', timestamp: '2024-12-09T15:30:45.123Z' };
    await server.publish({ topic: 'channel:files', data, time: data.timestamp });
    await waitFor(() => changes.length === 1, 'the change');
    assert.deepEqual(changes, [data]);
    const { type, channel, timestamp } = answers.at(-1);
    assert.deepEqual({ type, channel, timestamp }, { type: 'event', channel: 'files', timestamp: data.timestamp });
});
