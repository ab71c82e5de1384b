// What can be asked over HTTP, and what the server says of itself.
import assert from 'node:assert/strict';
import { openEvents, range, rawHttp, RawConnection, startServer, test, uniqueName, waitFor } from './harness.mjs';

const server = await startServer();
const publish = (topic, type, data) => server.publish({ topic, type, data });
const enc = encodeURIComponent;

// ---- Topics ----

test('topics are listed with their readers and position', async (t) => {
    const session = uniqueName();
    const topic = `session:${session}`;
    await publish(topic, 'tick', {});
    await publish(topic, 'tick', {});
    await server.build(session);
    await openEvents(t, server, `topic=${topic}`);
    const { json } = await server.get('/api/v1/topics');
    const entry = json.topics.find((each) => each.topic === topic);
    assert.deepEqual([entry.offset, entry.subscribers], [2, 2]);
    assert.equal(typeof entry.epoch, 'string');
    assert.equal(typeof entry.rate, 'number');
});

test('history gives the events above since, at most limit', async () => {
    const topic = `session:${uniqueName()}`;
    for (const n of range(10)) await publish(topic, 'tick', { n });
    const path = `/api/v1/topics/${enc(topic)}/history`;
    const all = (await server.get(path)).json;
    assert.deepEqual(all.events.map((e) => e.offset), range(10).map((n) => n + 1));
    assert.equal(all.offset, 10);
    assert.equal(typeof all.epoch, 'string');
    assert.deepEqual(Object.keys(all.events[0]).sort(),
        ['data', 'id', 'offset', 'source', 'time', 'topic', 'type'].filter((k) => k in all.events[0]).sort());
    const part = (await server.get(`${path}?since=3&limit=2`)).json;
    assert.deepEqual(part.events.map((e) => e.offset), [4, 5]);
    assert.deepEqual((await server.get(`${path}?since=10`)).json.events, []);
    for (const query of ['since=-1', 'since=x', 'limit=0', 'limit=x']) {
        const answer = await server.get(`${path}?${query}`);
        assert.ok([400, 422].includes(answer.status), `${query}: ${answer.status}`);
        assert.match(answer.text, new RegExp(query.split('=')[0]));
    }
});

test('presence tells who is there', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const path = `/api/v1/topics/${enc(`session:${session}`)}/presence`;
    const { json } = await server.get(path);
    assert.equal(json.topic, `session:${session}`);
    assert.equal(json.count, 1);
    const [entry] = json.connections;
    assert.equal(entry.connection_id, client.greeting.connection_id);
    assert.equal(entry.dialect, 'build');
    assert.ok('user_id' in entry);
    assert.ok(!Number.isNaN(Date.parse(entry.since)));
    await client.close();
    await waitFor(async () => (await server.get(path)).json.count === 0, 'the presence to end');
});

// ---- Build sessions ----

test('sessions are listed, and a status can be asked for', async () => {
    const session = uniqueName('team/app');
    await publish(`session:${session}`, 'component_update', { component_id: 'a', status: 'completed', progress: 100 });
    await publish(`session:${session}`, 'run_started', { command: 'make' });
    const { sessions } = (await server.get('/api/build/sessions')).json;
    const summary = sessions.find((each) => each.session_id === session);
    const status = (await server.get(`/api/build/status/${enc(session)}`)).json;
    assert.equal(status.session_id, session);
    assert.equal(status.components.a.status, 'completed');
    assert.equal(status.component_stats.completed, 1);
    for (const name of ['status', 'run', 'component_stats', 'feature_stats', 'overall_progress', 'build_progress', 'offset'])
        assert.deepEqual(summary[name], status[name], name);
    assert.equal(summary.run, 'running');
});

test('a session that never was is 404', async () => {
    const answer = await server.get(`/api/build/status/${uniqueName()}`);
    assert.equal(answer.status, 404);
    assert.equal(typeof answer.json.error, 'object');
});

test('the demo publishes one update of each type to the session that is named', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const answer = await server.post(`/demo/send-update?session=${session}`, '');
    assert.equal(answer.status, 200, answer.text);
    const types = ['component_update', 'feature_update', 'terminal_output', 'checkpoint_update',
        'build_progress', 'file_change', 'error'];
    const seen = new Set();
    await client.until((m) => (seen.add(m.type), types.every((type) => seen.has(type))));
});

test('the demo without a session goes to every session with a build client', async () => {
    const clients = await Promise.all([server.build(uniqueName()), server.build(uniqueName())]);
    assert.equal((await server.post('/demo/send-update', '')).status, 200);
    for (const client of clients) await client.next('component_update');
});

// ---- Health and metrics ----

test('health names engine, flush path and sources', async () => {
    const answer = await server.get('/health');
    assert.equal(answer.status, 200);
    assert.equal(answer.json.status, 'healthy');
    assert.match(answer.text, /"engine":[^}]*"sqlite"/);
    assert.match(answer.text, /"flush":[^}]*"(io_uring|uring|send)"/);
    assert.match(answer.text, /"sources":/);
});

test('metrics are Prometheus text and count what happens', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    await publish(`session:${session}`, 'tick', {});
    await client.next('tick');
    const answer = await server.get('/metrics');
    assert.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    const described = new Set();
    for (const line of answer.text.trimEnd().split('\n')) {
        const help = /^# (?:HELP|TYPE) ([a-zA-Z_:][\w:]*) \S/.exec(line);
        if (help) {
            described.add(help[1]);
            continue;
        }
        const sample = /^([a-zA-Z_:][\w:]*)(\{([a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})? (-?[\d.eE+-]+|[+-]Inf|NaN)$/.exec(line);
        assert.ok(sample, `no sample: ${line}`);
        const family = sample[1].replace(/_(bucket|sum|count)$/, '');
        assert.ok(described.has(sample[1]) || described.has(family), `not described: ${line}`);
        assert.match(sample[1], /^(fanfare|process)_/);
    }
    assert.ok(answer.text.includes('# TYPE fanfare_'), answer.text.slice(0, 200));
});

// ---- Documents ----

test('openapi.json describes routes that exist', async () => {
    const { json } = await server.get('/openapi.json');
    assert.match(json.openapi, /^3\./);
    for (const path of ['/api/v1/publish', '/events', '/api/v1/topics', '/health', '/metrics', '/demo/send-update']) {
        assert.ok(json.paths[path], `${path} is missing`);
    }
    for (const [path, operations] of Object.entries(json.paths)) {
        for (const method of Object.keys(operations)) {
            if (!['get', 'post', 'put', 'delete'].includes(method)) continue;
            assert.ok(operations[method].responses, `${method} ${path} has no responses`);
            // A method that no route has is answered 405; the method of the document must not be.
            const target = path.replace(/\{[^}]+\}/g, 'x');
            const head = await headOf(method.toUpperCase(), target);
            assert.doesNotMatch(head, /^HTTP\/1\.1 405/, `${method} ${path}`);
            const other = await headOf('PATCH', target);
            // Engine.IO has errors of its own.
            const refusal = path.endsWith('/socket.io/') ? /^HTTP\/1\.1 400/ : /^HTTP\/1\.1 (405|501)/;
            assert.match(other, refusal, `PATCH ${path}`);
        }
    }
});

/** The status line of a request without a body; does not wait for the end of a stream. */
async function headOf(method, target) {
    const raw = new RawConnection(server.port);
    raw.write(`${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n`);
    const text = await raw.expect(/\r\n\r\n/);
    raw.destroy();
    return text;
}

test('asyncapi.json describes every type of event', async () => {
    const answer = await server.get('/asyncapi.json');
    assert.match(answer.json.asyncapi, /^[23]\./);
    for (const type of ['component_update', 'feature_update', 'terminal_output', 'checkpoint_update',
        'build_progress', 'file_change', 'error', 'connection', 'subscribed', 'resume_failed', 'pong']) {
        assert.ok(answer.text.includes(`"${type}"`), type);
    }
});

test('pages come with a strict content security policy and no foreign resources', async () => {
    for (const path of ['/', '/docs', '/examples/websocket_client.html']) {
        const answer = await server.get(path);
        assert.equal(answer.status, 200, path);
        assert.match(answer.headers['content-type'], /^text\/html; charset=utf-8/i, path);
        assert.equal(answer.headers['x-content-type-options'], 'nosniff', path);
        const policy = answer.headers['content-security-policy'];
        assert.match(policy, /default-src '(none|self)'/, path);
        assert.doesNotMatch(/script-src[^;]*/.exec(policy)?.[0] ?? '', /unsafe-inline|unsafe-eval|https?:/, path);
        assert.doesNotMatch(answer.text, /(src|href)="(https?:)?\/\//, `${path} loads from elsewhere`);
        assert.doesNotMatch(answer.text, /<[^>]+ on[a-z]+=/, `${path} has inline handlers`);
    }
});

// ---- HTTP itself ----

test('what does not exist is 404 as JSON, a wrong method 405 with Allow', async () => {
    const missing = await server.get('/nothing/here');
    assert.equal(missing.status, 404);
    assert.equal(typeof missing.json.error, 'object');
    const wrong = await server.request('/health', { method: 'DELETE' });
    assert.equal(wrong.status, 405);
    assert.match(wrong.headers.allow, /GET/);
});

test('Allow lists what an address takes', async () => {
    const allowed = {
        'PUT /health': 'GET, HEAD, OPTIONS',
        'HEAD /events?topic=session:a': 'GET, OPTIONS',
        'POST /api/build/stream/a': 'GET, OPTIONS',
        'GET /demo/send-update': 'POST, OPTIONS',
        'DELETE /api/v1/publish': 'GET, HEAD, POST, OPTIONS',
    };
    for (const [request, list] of Object.entries(allowed)) {
        const [method, target] = request.split(' ');
        const answer = await server.request(target, { method });
        assert.deepEqual([answer.status, answer.headers.allow], [405, list], request);
    }
});

test('metrics are for this machine, unless they are public', async (t) => {
    const config = { insecure: true, trusted_proxies: ['127.0.0.1'] };
    const elsewhere = { 'X-Forwarded-For': '203.0.113.7' };
    const closed = await startServer({ t, config });
    const refused = await closed.get('/metrics', elsewhere);
    assert.equal(refused.status, 403);
    assert.match(refused.text, /metrics\.public/);
    assert.equal((await closed.get('/metrics')).status, 200);
    assert.equal((await closed.get('/health', elsewhere)).status, 200);
    const open = await startServer({ t, config: { ...config, metrics: { public: true } } });
    assert.equal((await open.get('/metrics', elsewhere)).status, 200);
});

test('HEAD answers as GET without a body', async () => {
    for (const path of ['/health', '/metrics', '/docs', '/openapi.json']) {
        const answer = await server.request(path, { method: 'HEAD' });
        assert.equal(answer.status, 200, path);
        assert.equal(answer.text, '');
        assert.ok(Number(answer.headers['content-length']) > 0, path);
    }
});

for (const [what, request, status] of [
    ['no HTTP', 'HELLO\r\n\r\n', 400],
    ['no Host', 'GET /health HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', 'GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n', 400],
    ['both lengths', 'POST /demo/send-update HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['two lengths', 'POST /demo/send-update HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', 400],
    ['a bad chunk', 'POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
    ['a space before a colon', 'GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n', 400],
    ['a head without end', `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40000)}`, 431],
    ['too many headers', `GET /health HTTP/1.1\r\nHost: localhost\r\n${'X: y\r\n'.repeat(200)}\r\n`, 431],
    ['HTTP/3.7', 'GET /health HTTP/3.7\r\nHost: localhost\r\n\r\n', 505],
    ['an unknown coding', 'POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: pigeon, chunked\r\n\r\n', 501],
]) {
    test(`${what} is answered ${status} and the connection closed`, async () => {
        const text = await rawHttp(server, request);
        assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
        assert.equal(text.match(/^HTTP\/1\.1 \d/gm).length, 1, 'one answer');
    });
}

test('connections are kept alive, and closed when the client asks', async (t) => {
    const raw = new RawConnection(server.port);
    t.after(() => raw.destroy());
    const request = (extra) => `GET /health HTTP/1.1\r\nHost: localhost\r\n${extra}\r\n`;
    raw.write(request('')).write(request(''));
    await waitFor(() => raw.text.match(/HTTP\/1\.1 200/g)?.length === 2);
    raw.write(request('Connection: close\r\n'));
    await raw.expectClose();
    assert.equal(raw.text.match(/HTTP\/1\.1 200/g).length, 3);
});

test('a request in single bytes is understood', async (t) => {
    const raw = new RawConnection(server.port);
    t.after(() => raw.destroy());
    for (const byte of 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n') {
        raw.write(byte);
        await new Promise(setImmediate);
    }
    await raw.expect(/^HTTP\/1\.1 200 /);
});
