// The dialect `ide`: envelope, greeting and farewell, state, what clients publish, resuming, errors, and HTTP beside it.
import assert from 'node:assert/strict';
import { expectRefused, flood, ms, range, startServer, test, uniqueName, waitFor } from './harness.mjs';

const server = await startServer();
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function connect(session, query = '', from = server) {
    const client = await from.open(`/ws/${encodeURIComponent(session)}${query}`);
    client.greeting = await client.next();
    assert.equal(client.greeting.type, 'connect');
    return client;
}

const publish = (session, type, data, more = {}) => server.publish({ topic: `session:${session}`, type, data, ...more });

test('every message has type, timestamp, session_id and data', async () => {
    const session = uniqueName('a/b');
    const client = await connect(session);
    const { type, timestamp, session_id: id, data, ...rest } = client.greeting;
    assert.deepEqual({ type, id, rest }, { type: 'connect', id: session, rest: {} });
    assert.match(timestamp, time);
    assert.equal(data.status, 'connected');
    assert.match(data.connection_id, /^conn-[0-9a-f]{16}$/);
    assert.equal(data.offset, 0);
    assert.match(data.epoch, /^[\w-]{11}$/);
    assert.match(data.cursor, /^[\w-]+$/);
});

const examples = {
    execution_start: { execution_id: 'e', language: 'python', code_preview: "print('hello')" },
    execution_output: { execution_id: 'e', output: 'Hello, World!', stream: 'stdout' },
    execution_complete: {
        execution_id: 'e',
        result: { stdout: 'hi', stderr: '', exit_code: 0, execution_time: 0.1, signal: null, timed_out: false, memory_bytes: 1, truncated: false },
    },
    execution_error: { execution_id: 'e', error: 'too slow', error_type: 'timeout', result: { stdout: 'so far' } },
    ai_typing: { is_typing: true },
    ai_response: { message: { id: 'm', content: 'x', sender: 'ghost', timestamp: '2023-10-01T12:00:00Z' } },
    ai_chunk: { id: 'm', chunk: 'x', index: 0, finished: false },
    ai_error: { error: 'no', error_type: 'timeout' },
    hook_triggered: { hook_type: 'on_run', context: { execution_id: 'e' } },
    session_update: { type: 'cursor', offset: 5, anything: [1] },
    file_saved: { file_id: 'f', file_name: 'a.py', language: 'python' },
    component_update: { component_id: 'auth', status: 'in_progress', progress: 45.5, metadata: {} },
    'custom.type': { type: 'x', session_id: 'y' },
};

test('what is published arrives in the envelope, byte for byte', async () => {
    const session = uniqueName();
    const client = await connect(session);
    const raw = [];
    client.socket.on('message', (text) => raw.push(text.toString()));
    let offset = 0;
    for (const [type, data] of Object.entries(examples)) {
        const answer = await publish(session, type, data);
        await client.next();
        assert.equal(raw.at(-1), `{"type":"${type}","timestamp":"${answer.time}","session_id":"${session}","offset":${++offset},"data":${JSON.stringify(data)}}`);
    }
    await publish(session, 'ai_typing', { is_typing: false }, { ephemeral: true });
    assert.ok(!('offset' in await client.next()));
});

test('an error of a build reads in the words of the IDE', async () => {
    const session = uniqueName();
    const client = await connect(session);
    await publish(session, 'error', { error_message: 'm', error_type: 'link', traceback: 'at 1' });
    assert.deepEqual((await client.next()).data, { error: 'm', detail: 'at 1', code: 'link' });
    await publish(session, 'error', { error_message: 'm' });
    assert.deepEqual((await client.next()).data, { error: 'm' });
});

for (const [type, data, message] of [
    ['execution_start', { language: 'c' }, 'execution_id is missing: it must be a string that is not empty'],
    ['execution_output', { execution_id: 'e', output: 'x', stream: 'stdin' }, 'stream must be one of stdout, stderr, got "stdin"'],
    ['execution_complete', { execution_id: 'e', result: { exit_code: 'x' } }, 'result.exit_code must be a whole number, got "x"'],
    ['ai_typing', { is_typing: 1 }, 'is_typing must be true or false, got 1'],
    ['ai_response', { message: { content: 'x' } }, 'message.id is missing: it must be a string that is not empty'],
    ['hook_triggered', { hook_type: 'on_exit' }, 'hook_type must be one of on_run, on_error, on_save, got "on_exit"'],
    ['file_saved', { file_id: '' }, 'file_id must be a string that is not empty, got ""'],
]) {
    test(`refused at publishing: ${type}: ${message}`, async () => {
        const answer = await server.post('/api/v1/publish', { topic: `session:${uniqueName()}`, type, data });
        assert.equal(answer.status, 422);
        assert.equal(answer.json.error.message, message);
    });
}

for (const type of ['connect', 'disconnect', 'pong', 'session_state', 'execute_code', 'save_file', 'response', 'request']) {
    test(`${type} cannot be published`, async () => {
        assert.equal((await server.post('/api/v1/publish', { topic: 'session:x', type, data: {} })).status, 422);
    });
}

// ---- Client messages ----

test('ping brings back its timestamp', async () => {
    const client = await connect(uniqueName());
    client.send({ type: 'ping', timestamp: '2023-10-01T12:00:00Z' });
    const pong = await client.next();
    assert.equal(pong.type, 'pong');
    assert.deepEqual(pong.data, { timestamp: '2023-10-01T12:00:00Z' });
    client.send({ type: 'ping' });
    assert.match((await client.next()).data.timestamp, time);
});

test('session_update reaches the others, and its sender as an echo in its place', async () => {
    const session = uniqueName();
    const [a, b] = [await connect(session), await connect(session)];
    const build = await server.build(session);
    await publish(session, 'tick', { n: 1 });
    const message = { type: 'session_update', data: { theme: 'dark', nested: { a: [1] } } };
    a.send(message);
    await a.next('tick');
    const echo = await a.next();
    await publish(session, 'tick', { n: 3 });
    assert.deepEqual(echo.data, { echo: true, original_message: message });
    assert.equal(echo.offset, 2);
    const other = await b.next('session_update');
    assert.deepEqual(other.data, message.data);
    assert.equal(other.offset, 2);
    assert.equal(other.timestamp, echo.timestamp);
    const flat = await build.next('session_update');
    assert.equal(flat.theme, 'dark');
    assert.equal((await a.next()).offset, 3);
    b.send({ type: 'session_update' });
    assert.deepEqual((await b.next('session_update')).data, { echo: true, original_message: { type: 'session_update', data: {} } });
    assert.deepEqual((await a.next()).data, {});
});

test('on resuming, too, the echo stands in its place', async () => {
    const session = uniqueName();
    const a = await connect(session);
    const { connection_id: id, epoch } = a.greeting.data;
    a.send({ type: 'session_update', data: { n: 1 } });
    await a.next('session_update');
    await a.close();
    const other = await connect(session, `?epoch=${epoch}&since=0`);
    assert.deepEqual((await other.next()).data, { n: 1 }, 'to anybody else it is an event');
    const again = await connect(session, `?epoch=${epoch}&since=0&connection_id=${id}`);
    const echo = await again.next();
    assert.deepEqual([echo.offset, echo.data.echo, echo.data.original_message.data], [1, true, { n: 1 }]);
    assert.equal((await again.next()).type, 'resumed');
    const byMessage = await connect(session);
    byMessage.send({ type: 'resume', data: { epoch, offset: 0, connection_id: id } });
    assert.equal((await byMessage.next('session_update')).data.echo, true);
});

test('a slow sender gets its echoes from history', async (t) => {
    const own = await startServer({ t, config: { limits: { queue: '64KiB' } } });
    const session = uniqueName();
    const a = await connect(session, '', own);
    a.socket.pause();
    for (const n of range(50)) a.send({ type: 'session_update', data: { n } });
    await flood(own, `session:${session}`, 4000, 400);
    await waitFor(async () => (await own.get(`/api/v1/topics/session:${session}/history?limit=1`)).json.offset >= 4050, 'all to be published');
    a.socket.resume();
    const all = await a.until((m) => m.offset === 4050, ms(20000));
    assert.deepEqual(all.map(({ offset }) => offset), range(4050).map((n) => n + 1));
    const echoes = all.filter(({ type }) => type === 'session_update');
    assert.ok(echoes.every(({ data }) => data.echo));
    assert.deepEqual(echoes.map(({ data }) => data.original_message.data.n), range(50));
});

test('hook_event is broadcast as hook_triggered', async () => {
    const session = uniqueName();
    const [a, b] = [await connect(session), await connect(session)];
    a.send({ type: 'hook_event', data: { hook_type: 'on_save', context: { file: 'x' } } });
    for (const client of [a, b]) {
        const { type, data, offset } = await client.next();
        assert.deepEqual({ type, data, offset }, { type: 'hook_triggered', data: { hook_type: 'on_save', context: { file: 'x' } }, offset: 1 });
    }
});

test('disconnect tells the others, who else not', async () => {
    const session = uniqueName();
    const [a, b] = [await connect(session), await connect(session)];
    const build = await server.build(session);
    a.send({ type: 'subscribe', data: { topics: ['errors'] } });
    await a.next('subscribed');
    await b.close();
    const { type, data, offset } = await a.next();
    assert.deepEqual({ type, data, offset },
        { type: 'disconnect', data: { connection_id: b.greeting.data.connection_id, reason: 'closed by client' }, offset: undefined });
    await publish(session, 'tick', {});
    assert.equal((await build.next()).type, 'tick');
});

test('save_file without a workspace is kept by the session', async () => {
    const session = uniqueName();
    const [a, b] = [await connect(session), await connect(session)];
    const file = { file_id: 'f1', file_name: 'main.py', language: 'python', content: "print('ä')\n" };
    a.send({ type: 'save_file', data: file });
    for (const client of [a, b]) {
        const [saved, hook] = await client.take(2);
        assert.equal(saved.type, 'file_saved');
        assert.equal(saved.data.file_id, 'f1');
        assert.equal(hook.type, 'hook_triggered');
        assert.deepEqual(hook.data, { hook_type: 'on_save', context: { file_id: 'f1', file_name: 'main.py', language: 'python' } });
    }
    const late = await connect(session, '?state=1');
    const { content, language } = (await late.next()).data.files.f1;
    assert.deepEqual({ content, language }, { content: file.content, language: 'python' });
    a.send({ type: 'save_file', data: { ...file, content: 'x'.repeat(300000) } });
    assert.match((await a.next('error')).data.detail, /at most 262144, and no workspace is configured/);
});

test('what needs services that are not there says so', async () => {
    const client = await connect(uniqueName());
    const answer = async (type, data) => {
        client.send({ type, data });
        const { type: answered, data: fields, offset } = await client.next();
        assert.equal(offset, undefined);
        return [answered, fields.error_type, fields.execution_id];
    };
    assert.deepEqual(await answer('execute_code', { code: 'x', language: 'python' }), ['execution_error', 'sandbox_unavailable', null]);
    assert.deepEqual(await answer('execution_input', { execution_id: 'e', input: 'x' }), ['execution_error', 'sandbox_unavailable', 'e']);
    assert.deepEqual(await answer('cancel_execution', { execution_id: 'e' }), ['execution_error', 'sandbox_unavailable', 'e']);
    assert.deepEqual(await answer('ghost_chat', { message: 'hi' }), ['ai_error', 'not_configured', undefined]);
    assert.deepEqual(await answer('cancel_ai', { id: 'm' }), ['ai_error', 'not_configured', undefined]);
    for (const [method, path] of [
        ['POST', '/api/v1/execution/execute'], ['POST', '/api/v1/execution/execute/websocket'], ['GET', '/api/v1/execution/languages'],
        ['GET', '/api/v1/execution/e1'], ['DELETE', '/api/v1/execution/e1'], ['POST', '/api/v1/execution/e1/input'],
        ['POST', '/api/v1/sessions/s/ai/chat'],
    ]) {
        const { status, json } = await server.request(path, { method, body: method === 'POST' ? {} : undefined });
        assert.equal(status, 501, path);
        assert.match(json.error.message, /this server (does not run code|has no model)/);
    }
});

// ---- State ----

test('the state holds executions, chat, files and updates, after exactly its offset', async () => {
    const session = uniqueName();
    await publish(session, 'execution_start', { execution_id: 'e1', language: 'python', code_preview: 'x' });
    await publish(session, 'execution_output', { execution_id: 'e1', output: 'a', stream: 'stdout' });
    await publish(session, 'execution_output', { execution_id: 'e1', output: 'b', stream: 'stderr' });
    await publish(session, 'execution_output', { execution_id: 'e1', output: 'c' });
    await publish(session, 'execution_complete', { execution_id: 'e0', result: { stdout: 'done', exit_code: 0 } });
    await publish(session, 'execution_error', { execution_id: 'e2', error: 'no', error_type: 'timeout' });
    await publish(session, 'ai_response', { message: { id: 'm1', content: 'hello', sender: 'ghost' } });
    await publish(session, 'ai_chunk', { id: 'm2', chunk: 'Line ', index: 0 });
    await publish(session, 'ai_chunk', { id: 'm2', chunk: '3', index: 1 });
    await publish(session, 'session_update', { a: 1 });
    const client = await connect(session, '?state=1');
    const { type, data } = await client.next();
    assert.equal(type, 'session_state');
    assert.equal(data.offset, 10);
    const { e0, e1, e2 } = data.executions;
    assert.deepEqual([e1.status, e1.language, e1.stdout, e1.stderr], ['running', 'python', 'ac', 'b']);
    assert.deepEqual([e0.status, e0.result], ['completed', { stdout: 'done', exit_code: 0 }]);
    assert.deepEqual([e2.status, e2.error, e2.error_type], ['failed', 'no', 'timeout']);
    assert.deepEqual(data.chat.map(({ id, content, finished }) => [id, content, finished]), [['m1', 'hello', undefined], ['m2', 'Line 3', false]]);
    assert.deepEqual(data.updates.map((u) => u.data), [{ a: 1 }]);
    await publish(session, 'ai_response', { message: { id: 'm2', content: 'Line 3.' } });
    client.send({ type: 'get_state' });
    const later = (await client.next('session_state')).data;
    assert.equal(later.offset, 11);
    assert.deepEqual(later.chat.map(({ content }) => content), ['hello', 'Line 3.']);
    const build = (await server.get(`/api/build/status/${session}`)).json;
    assert.deepEqual(build.executions.e1, later.executions.e1, 'one state for all');
});

// ---- Resuming, filters ----

test('resuming by URL and by message, with fields in data', async () => {
    const session = uniqueName();
    const first = await connect(session);
    const { epoch } = first.greeting.data;
    for (const n of range(5)) await publish(session, 'tick', { n });
    const byUrl = await connect(session, `?epoch=${epoch}&since=2`);
    assert.deepEqual((await byUrl.take(3)).map(({ offset }) => offset), [3, 4, 5]);
    const resumed = await byUrl.next();
    assert.equal(resumed.type, 'resumed');
    assert.deepEqual([resumed.data.offset, resumed.data.missed, resumed.data.epoch], [5, 3, epoch]);
    const byMessage = await connect(session);
    byMessage.send({ type: 'resume', data: { epoch, offset: 3 } });
    assert.deepEqual((await byMessage.until('resumed')).map((m) => m.offset ?? m.data.missed), [4, 5, 2]);
    byMessage.send({ type: 'resume', data: { epoch, offset: 99 } });
    assert.equal((await byMessage.next('resume_failed')).data.reason, 'invalid');
    assert.equal((await byMessage.next()).type, 'session_state');
    const lost = await connect(session, '?epoch=other&since=1');
    const failed = await lost.next();
    assert.equal(failed.type, 'resume_failed');
    assert.equal(failed.data.reason, 'epoch_changed');
    assert.equal((await lost.next()).data.offset, 5);
});

test('a gap is told in the envelope, and the state follows', async (t) => {
    const own = await startServer({ t, config: { limits: { queue: '64KiB' }, topics: { session: { count: 100 } } } });
    const client = await connect('s', '', own);
    client.socket.pause();
    await flood(own, 'session:s', 6000, 400);
    client.socket.resume();
    const gap = await client.next('gap', ms(20000));
    assert.equal(gap.data.reason, 'trimmed');
    assert.ok(gap.data.from <= gap.data.to);
    assert.equal((await client.next()).type, 'session_state');
    await client.next((m) => m.offset === 6000);
});

test('filters are those of every dialect', async () => {
    const session = uniqueName();
    const client = await connect(session);
    client.send({ type: 'subscribe', data: { topics: ['hook_triggered', 'custom.one'] } });
    assert.deepEqual((await client.next()).data.topics, ['hook_triggered', 'custom.one']);
    await publish(session, 'tick', {});
    await publish(session, 'custom.one', {});
    assert.equal((await client.next()).type, 'custom.one');
    client.send({ type: 'subscribe', data: { topics: 5 } });
    assert.match((await client.next()).data.detail, /topics must be a list of strings/);
});

// ---- Bad input ----

test('what makes no sense is answered, and the connection stays', async () => {
    const session = uniqueName();
    const client = await connect(session);
    const detail = async (message) => {
        client.send(message);
        const { type, data } = await client.next();
        assert.equal(type, 'error');
        return data;
    };
    assert.deepEqual(await detail('{'),
        { error: 'Invalid message format', detail: 'Invalid JSON at byte 1: expected a member\'s name in quotes or \'}\'', code: 'invalid_json' });
    assert.equal((await detail('5')).error, 'Invalid message format');
    for (const [message, expected] of [
        [{ type: 'dance' }, /^Unknown message type: dance$/],
        [{}, /^Unknown message type: type must be a string$/],
        [{ type: 'ping', session_id: 'other' }, /^session_id must be "/],
        [{ type: 'ping', session_id: 5 }, /^session_id must be "/],
        [{ type: 'session_update', data: [] }, /^data must be an object, got an array$/],
        [{ type: 'hook_event', data: {} }, /^hook_type is missing/],
        [{ type: 'execute_code', data: { language: 'c' } }, /^code must be a string, got nothing$/],
        [{ type: 'execute_code', data: { code: '', language: '' } }, /^language must be a string that is not empty, got a string$/],
        [{ type: 'execution_input', data: {} }, /^execution_id must be/],
        [{ type: 'ghost_chat', data: { message: 5 } }, /^message must be a string that is not empty, got a number$/],
        [{ type: 'cancel_ai' }, /^id must be/],
        [{ type: 'save_file', data: { file_id: 'f' } }, /^file_name must be/],
        [{ type: 'save_file', data: { file_id: 'f', file_name: 'a', content: 5 } }, /^content must be a string, got a number$/],
    ]) {
        const data = await detail(message);
        assert.equal(data.error, 'Message processing error');
        assert.match(data.detail, expected);
    }
    client.send({ type: 'ping', session_id: session, timestamp: 'x' });
    assert.equal((await client.next()).type, 'pong');
});

test('20 bad messages within 10 s close with 1008; binary with 1003', async () => {
    const client = await connect(uniqueName());
    for (const _ of range(20)) client.send('nonsense');
    assert.equal((await client.expectClose()).code, 1008);
    const binary = await connect(uniqueName());
    binary.send(Buffer.from('{}'));
    assert.equal((await binary.expectClose()).code, 1003);
});

test('ids: reserved and malformed ones are refused', async () => {
    for (const id of ['status', 'sessions', 'a%20b', 'x'.repeat(129)]) await expectRefused(server, `/ws/${id}`, 400);
    assert.equal((await server.get('/ws/some_session')).status, 426);
});

// ---- HTTP ----

test('/ws/status and the connections of a session', async (t) => {
    const own = await startServer({ t });
    assert.deepEqual((await own.get('/ws/status')).json, { total_connections: 0, active_sessions: [], session_count: 0 });
    const clients = [await connect('s1', '', own), await connect('s1', '', own), await connect('s/2', '', own)];
    await own.build('s3');
    const { json } = await own.get('/ws/status');
    assert.deepEqual({ ...json, active_sessions: json.active_sessions.sort() },
        { total_connections: 3, active_sessions: ['s/2', 's1'], session_count: 2 });
    assert.deepEqual((await own.get('/ws/sessions/s1/connections')).json, { session_id: 's1', connection_count: 2, is_active: true });
    assert.deepEqual((await own.get('/ws/sessions/s%2F2/connections')).json, { session_id: 's/2', connection_count: 1, is_active: true });
    assert.deepEqual((await own.get('/ws/sessions/s3/connections')).json, { session_id: 's3', connection_count: 0, is_active: false });
    assert.equal((await own.get('/ws/sessions/a%20b/connections')).status, 400);
    await clients[0].close();
    await waitFor(async () => (await own.get('/ws/status')).json.total_connections === 2, 'it to be gone');
});
