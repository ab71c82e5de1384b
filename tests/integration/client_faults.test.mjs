// The client library against servers and networks that misbehave, and in pages that sleep. The server
// here is made of node:http and ws, to say what the real one says seldom or never.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import WebSocket, { WebSocketServer } from 'ws';
import { ms, range, startServer, temporaryDirectory, test, uniqueName, waitFor } from './harness.mjs';
import { Proxy } from './proxy.mjs';

const backoff = { min: 5, max: 40 };
const server = await startServer();
const file = path.join(temporaryDirectory(), 'fanfare.mjs');
fs.writeFileSync(file, (await server.get('/fanfare.js')).text);
const { Fanfare } = await import(pathToFileURL(file));

/** An HTTP server that answers with respond(request, response), and WebSockets with greet(socket, request). */
async function pretend(t, respond, greet) {
    const pretender = http.createServer(respond);
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] });
    if (greet) {
        pretender.on('upgrade', (request, socket, head) =>
            sockets.handleUpgrade(request, socket, head, (accepted) => greet(accepted, request)));
    }
    await new Promise((resolve) => pretender.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        pretender.close();
        pretender.closeAllConnections();
        for (const socket of sockets.clients) socket.terminate();
    });
    return `http://127.0.0.1:${pretender.address().port}`;
}

const say = (socket, message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
const greeting = { type: 'connection', epoch: 'AAAAAAAAAAA', offset: 0, cursor: 'AAAAAAAAAAAAAAAAAAAAAA' };
const unavailable = (_, response) => response.writeHead(502).end();

function follow(t, fanfare, options) {
    const stream = fanfare.session('a', options);
    const seen = { stream };
    for (const name of ['event', 'state', 'connection', 'gap', 'message', 'error']) {
        seen[name] = [];
        stream.on(name, (detail) => seen[name].push(detail));
    }
    t.after(() => stream.close());
    return seen;
}

const isOpen = ({ stream }) => waitFor(() => stream.connection.phase === 'open', 'the stream to open', ms(10000));
const isClosed = ({ stream }) => waitFor(() => stream.connection.phase === 'closed', 'the stream to be given up');
const failure = (code, message, more = {}) => JSON.stringify({ error: { code, message, ...more } });

// ---- Refusals ----

for (const transport of ['auto', 'websocket', 'sse']) {
    for (const status of [400, 401, 403, 404]) {
        test(`${transport}: ${status} ends the stream and says why`, async (t) => {
            let requests = 0;
            const url = await pretend(t, (request, response) => {
                if (!request.headers.upgrade) requests++;
                response.writeHead(status, { 'Content-Type': 'application/json' }).end(failure('no', 'not for you'));
            });
            const seen = follow(t, new Fanfare(url, { WebSocket, backoff, transport }));
            const loop = seen.stream[Symbol.asyncIterator]();
            await assert.rejects(loop.next(), { name: 'FanfareError', status, code: 'no', message: 'not for you' });
            await isClosed(seen);
            assert.equal(seen.stream.connection.error.status, status);
            assert.equal(requests, 1);
        });
    }
}

test('what the server wants to wait, is waited', async (t) => {
    const times = [];
    const url = await pretend(t, (_, response) => {
        times.push(Date.now());
        response.writeHead(times.length % 2 ? 503 : 429, { 'Retry-After': '1' }).end();
    });
    const seen = follow(t, new Fanfare(url, { backoff, transport: 'sse' }));
    await waitFor(() => times.length === 3, 'three tries');
    for (const n of [1, 2]) assert.ok(times[n] - times[n - 1] >= 990, `${times[n] - times[n - 1]} ms`);
    const waits = seen.connection.filter(({ phase }) => phase === 'waiting');
    assert.deepEqual(waits.slice(0, 2).map(({ attempt, error }) => [attempt, error.status]), [[1, 503], [2, 429]]);
    seen.stream.close();
    times.length = 0;
    await assert.rejects(new Fanfare(url, { backoff }).publish('session:a', 'tick', {}, { retries: 1 }), { status: 429 });
    assert.ok(times[1] - times[0] >= 990);
});

test('waits grow, with chance in them, up to their bound', async (t) => {
    const url = await pretend(t, unavailable);
    const seen = follow(t, new Fanfare(url, { transport: 'sse', backoff: { min: 1, max: 32 } }));
    await waitFor(() => seen.connection.filter(({ phase }) => phase === 'waiting').length >= 40, '40 waits');
    const waits = seen.connection.filter(({ phase }) => phase === 'waiting');
    assert.deepEqual(waits.slice(0, 5).map(({ attempt }) => attempt), [1, 2, 3, 4, 5]);
    const lengths = waits.slice(10).map(({ retryAt }, i) => retryAt - waits[i + 9].retryAt);
    assert.ok(new Set(lengths).size > 3, 'chance');
});

test('where WebSockets do not pass, events come as an event stream', async (t) => {
    // A proxy that knows nothing of upgrades.
    const url = await pretend(t, (request, response) => {
        const upstream = http.request({ port: server.port, path: request.url, method: request.method, headers: request.headers }, (incoming) => {
            response.writeHead(incoming.statusCode, incoming.headers);
            incoming.pipe(response);
        });
        request.pipe(upstream);
    }, (socket) => socket.terminate());
    const seen = follow(t, new Fanfare(url, { WebSocket, backoff }), { state: true });
    await isOpen(seen);
    assert.equal(seen.stream.connection.transport, 'sse');
    await waitFor(() => seen.state.length, 'the state');
    await server.publish({ topic: 'session:a', type: 'tick', data: {} });
    await waitFor(() => seen.event.length, 'an event');
    // Who insists on a WebSocket is told that just this does not work.
    const strict = follow(t, new Fanfare(url, { WebSocket, backoff, transport: 'websocket' }));
    await waitFor(() => strict.connection.some(({ error }) => /WebSocket/.test(error?.message)), 'the reason');
    assert.ok(!strict.connection.some(({ phase }) => phase === 'open'));
});

test('a proxy that swallows handshakes is noticed, too', async (t) => {
    const deaf = await pretend(t, unavailable, () => {});
    const ends = http.createServer();
    ends.on('upgrade', () => {}); // never answered
    ends.on('request', (request, response) => http.get(`${server.url}${request.url}`, (incoming) => {
        response.writeHead(incoming.statusCode, incoming.headers);
        incoming.pipe(response);
    }));
    await new Promise((resolve) => ends.listen(0, '127.0.0.1', resolve));
    t.after(() => (ends.close(), ends.closeAllConnections()));
    const seen = follow(t, new Fanfare(`http://127.0.0.1:${ends.address().port}`, { WebSocket, backoff, heartbeat: ms(300) }));
    await isOpen(seen);
    assert.equal(seen.stream.connection.transport, 'sse');
    const silent = follow(t, new Fanfare(deaf, { WebSocket, backoff, heartbeat: ms(100) }));
    await waitFor(() => silent.connection.some(({ error }) => error?.status === 502), 'a greeting that never comes to be given up');
});

test('without a WebSocket in the program, event streams serve; insisting is an error', async (t) => {
    const global = globalThis.WebSocket;
    delete globalThis.WebSocket;
    t.after(() => global && (globalThis.WebSocket = global));
    const seen = follow(t, new Fanfare(server.url, { backoff }));
    await isOpen(seen);
    assert.equal(seen.stream.connection.transport, 'sse');
    assert.throws(() => new Fanfare(server.url, { transport: 'websocket' }).session('a'), { code: 'no_websocket', message: /'ws'/ });
});

test('in Node.js a server has to be named', () => {
    assert.throws(() => new Fanfare(), { code: 'no_url', message: /new Fanfare\('http/ });
    assert.equal(new Fanfare('http://a/base').url, 'http://a/base/');
    assert.equal(new Fanfare(new URL('http://a/base//')).url, 'http://a/base/');
});

// ---- Messages that make no sense ----

test('a malformed message is told, and the stream goes on', async (t) => {
    const bad = ['{"type":"tick","topic":"session:a"', '[1]', 'null', '"x"', '', '{}', '{"type":7}', '{"type":"future_control"}'];
    const url = await pretend(t, unavailable, (socket) => {
        say(socket, greeting);
        for (const text of bad) say(socket, text);
        socket.send(Buffer.from([1, 2, 3]), { binary: true });
        say(socket, { topic: 'session:a', type: 'tick', data: {}, offset: 1, cursor: 'c1' });
    });
    const seen = follow(t, new Fanfare(url, { WebSocket, backoff }));
    await waitFor(() => seen.event.length, 'the event behind');
    assert.deepEqual(seen.error.map(({ code }) => code), range(5).map(() => 'malformed'));
    assert.equal(seen.stream.connection.phase, 'open');
});

test('event streams: pieces of any size, comments, several data lines, unknown fields', async (t) => {
    const text = ': hello\nretry: 10\n\nid: c0\n\n:\n\nid: c1\nevent: tick\ndata: {"topic":"session:a",\ndata: "type":"tick","data":{"t":"ä€😀"}}\n\n' +
        'data: nonsense\n\nid: c2\ndata:{"topic":"session:a","type":"tick","data":{"t":2}}\n\n';
    const url = await pretend(t, async (_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        for (const byte of Buffer.from(text)) {
            response.write(Buffer.from([byte]));
            await new Promise(setImmediate);
        }
    });
    const seen = follow(t, new Fanfare(url, { transport: 'sse', backoff }));
    await waitFor(() => seen.event.length === 2, 'both events');
    assert.deepEqual(seen.event.map(({ data, cursor }) => [data.t, cursor]), [['ä€😀', 'c1'], [2, 'c2']]);
    assert.deepEqual(seen.error.map(({ code }) => code), ['malformed']);
});

// ---- Tokens ----

test('a token goes as a subprotocol, or as a header, and is asked for at each connection', async (t) => {
    const offered = [];
    const url = await pretend(t, (request, response) => {
        offered.push(request.headers.authorization);
        response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"sessions":[]}');
    }, (socket, request) => {
        offered.push(request.headers['sec-websocket-protocol']);
        say(socket, greeting);
        if (offered.length < 2) socket.close(1001);
    });
    let n = 0;
    const fanfare = new Fanfare(url, { WebSocket, backoff, token: async () => `t${++n}` });
    const seen = follow(t, fanfare);
    await waitFor(() => offered.length === 2, 'two connections');
    await isOpen(seen);
    await fanfare.sessions();
    assert.deepEqual(offered, ['fanfare,fanfare.token.t1', 'fanfare,fanfare.token.t2', 'Bearer t3']);
});

test('a token that is about to expire is renewed on the open connection', async (t) => {
    const got = [];
    const url = await pretend(t, unavailable, (socket) => {
        socket.on('message', (text) => got.push(JSON.parse(text)));
        say(socket, greeting);
        say(socket, { type: 'error', error_type: 'token_expired', error_message: 'expired' });
    });
    let n = 0;
    const seen = follow(t, new Fanfare(url, { WebSocket, backoff, token: () => `t${++n}` }));
    await waitFor(() => got.length, 'the fresh token');
    assert.deepEqual(got, [{ type: 'refresh_token', token: 't2' }]);
    assert.deepEqual(seen.error, []);
});

test('a token that nobody renews ends the stream with 401', async (t) => {
    const url = await pretend(t, unavailable, (socket) => {
        say(socket, greeting);
        say(socket, { type: 'error', error_type: 'token_expired', error_message: 'expired' });
        socket.close(4401);
    });
    const seen = follow(t, new Fanfare(url, { WebSocket, backoff, token: 'old' }));
    await isClosed(seen);
    assert.equal(seen.error[0].code, 'token_expired');
    assert.equal(seen.stream.connection.error.status, 401);
});

test('a token that cannot be had now is asked for again', async (t) => {
    let asked = 0;
    const token = async () => {
        if (++asked < 3) throw new Error('the login service is down');
    };
    const seen = follow(t, new Fanfare(server.url, { WebSocket, backoff, token }));
    await isOpen(seen);
    assert.equal(asked, 3);
    const { error } = seen.connection.find(({ phase }) => phase === 'waiting');
    assert.match(error.message, /the login service is down/);
    assert.equal(error.code, 'token');
});

// ---- Pages ----

/** Makes this program look like a page while the test runs; returns what fires an event. */
function asPage(t) {
    const [window, document] = [new EventTarget(), new EventTarget()];
    document.visibilityState = 'visible';
    const listening = new Set();
    globalThis.document = document;
    globalThis.addEventListener = (name, handler) => (listening.add(handler), window.addEventListener(name, handler));
    globalThis.removeEventListener = (name, handler) => (listening.delete(handler), window.removeEventListener(name, handler));
    t.after(() => {
        delete globalThis.document;
        delete globalThis.addEventListener;
        delete globalThis.removeEventListener;
    });
    const fire = (target, name, members = {}) => target.dispatchEvent(Object.assign(new Event(name), members));
    return { listening, window: (name, members) => fire(window, name, members), document: (name) => fire(document, name), state: document };
}

test('a page that comes back does not wait', async (t) => {
    const page = asPage(t);
    const proxy = await Proxy.start(t, server.port);
    proxy.stop();
    const wakes = [
        () => page.window('online'),
        () => page.document('visibilitychange'),
        () => page.document('resume'),
    ];
    for (const wake of wakes) {
        const seen = follow(t, new Fanfare(proxy.url, { WebSocket, backoff: { min: 1e8, max: 1e9 } }));
        await waitFor(() => seen.stream.connection.phase === 'waiting', 'the wait');
        await proxy.listen();
        wake();
        await isOpen(seen);
        proxy.stop();
        seen.stream.close();
    }
    assert.equal(page.listening.size, 0, 'closed streams listen to no page');
});

test('a page that comes back asks whether its connection is alive', async (t) => {
    const page = asPage(t);
    const proxy = await Proxy.start(t, server.port);
    const seen = follow(t, new Fanfare(proxy.url, { WebSocket, backoff, heartbeat: ms(4000) }));
    await isOpen(seen);
    page.document('visibilitychange');
    await waitFor(() => seen.message.some(({ text }) => /"pong"/.test(text)), 'the answer');
    proxy.silence();
    page.state.visibilityState = 'hidden';
    page.document('visibilitychange');
    page.state.visibilityState = 'visible';
    page.document('visibilitychange');
    const begun = Date.now();
    await waitFor(() => seen.connection.some(({ error }) => error?.code === 'timeout'), 'the silence to be noticed');
    assert.ok(Date.now() - begun < ms(3000), 'sooner than by the heartbeat');
});

test('a page that is put aside lets its connection go, and resumes', async (t) => {
    const page = asPage(t);
    const topic = 'session:a';
    const proxy = await Proxy.start(t, server.port);
    const seen = follow(t, new Fanfare(proxy.url, { WebSocket, backoff }));
    await isOpen(seen);
    page.window('pagehide', { persisted: true });
    assert.equal(seen.stream.connection.phase, 'waiting');
    await waitFor(() => proxy.connections === 0, 'the connection to go');
    const { offset } = await server.publish({ topic, type: 'tick', data: {} });
    page.window('pageshow', { persisted: true });
    await waitFor(() => seen.event.length === 1, 'what was missed');
    assert.equal(seen.event[0].offset, offset);
});
