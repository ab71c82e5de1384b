// The build dialect as its clients see it: greeting, events, filters, status, resuming, errors.
import assert from 'node:assert/strict';
import {
    expectRefused, ms, range, rawHttp, RawConnection, startServer, test, uniqueName, upgradeHead,
} from './harness.mjs';

const server = await startServer();
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const publish = (session, type, data, more = {}) =>
    server.publish({ topic: `session:${session}`, type, data, ...more });

const component = (session, id, progress) =>
    publish(session, 'component_update', { component_id: id, status: 'in_progress', progress });

/** What a filtered or unfiltered client is sent until a marker, which every filter lets through. */
async function deliveredNow(client, session) {
    const marker = uniqueName('marker');
    await publish(session, 'error', { error_message: marker });
    const messages = await client.until((m) => m.error_message === marker);
    return messages.slice(0, -1);
}

// ---- Greeting ----

test('the greeting names the session, the connection and the position', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const { greeting } = client;
    assert.equal(greeting.status, 'connected');
    assert.equal(greeting.session_id, session);
    assert.match(greeting.timestamp, rfc3339);
    assert.equal(greeting.offset, 0);
    for (const field of ['connection_id', 'epoch', 'cursor']) {
        assert.equal(typeof greeting[field], 'string', field);
        assert.notEqual(greeting[field], '', field);
    }
    const other = await server.build(session);
    assert.notEqual(other.greeting.connection_id, greeting.connection_id);
    assert.equal(other.greeting.epoch, greeting.epoch);
});

test('the greeting of a session that has events carries the last offset', async () => {
    const session = uniqueName();
    await component(session, 'a', 1);
    const answer = await component(session, 'a', 2);
    const { greeting } = await server.build(session);
    assert.equal(greeting.offset, 2);
    assert.equal(greeting.epoch, answer.epoch);
});

test('?state=1 sends the status right behind the greeting', async () => {
    const session = uniqueName();
    await component(session, 'auth', 45.5);
    const client = await server.build(session, '?state=1');
    const status = await client.next();
    assert.equal(status.type, 'build_status');
    assert.equal(status.offset, 1);
    assert.equal(status.status.components.auth.progress, 45.5);
});

test('session ids are percent-decoded, and refused when they are no identifiers', async () => {
    const client = await server.open('/api/build/stream/team%2Fweb.1:%40x_y-z');
    assert.equal((await client.next()).session_id, 'team/web.1:@x_y-z');
    const longest = 'x'.repeat(128);
    const long = await server.open(`/api/build/stream/${longest}`);
    assert.equal((await long.next()).session_id, longest);
    for (const id of ['a%20b', 'x'.repeat(129), 'a%00', '%C3%A9', 'a%2', 'a%22']) {
        await expectRefused(server, `/api/build/stream/${id}`, 400);
    }
});

test('a handshake that breaks RFC 6455 is refused and says why', async () => {
    const target = `/api/build/stream/${uniqueName()}`;
    const head = upgradeHead(target, server.port, 'Connection: close\r\n');
    const noKey = await rawHttp(server, head.replace(/Sec-WebSocket-Key: .*\r\n/, ''));
    assert.match(noKey, /^HTTP\/1\.1 400 /);
    const badKey = await rawHttp(server, head.replace(/(Sec-WebSocket-Key: ).*\r\n/, '$1short\r\n'));
    assert.match(badKey, /^HTTP\/1\.1 400 /);
    const old = await rawHttp(server, head.replace('Version: 13', 'Version: 8'));
    assert.match(old, /^HTTP\/1\.1 426 [^]*Sec-WebSocket-Version: 13/i);
    const plain = await server.get(target);
    assert.equal(plain.status, 426);
});

// ---- Events ----

const events = {
    component_update: { component_id: 'auth', status: 'in_progress', progress: 45.5, metadata: { a: [1, null] } },
    feature_update: { feature_id: 'login', status: 'completed', progress: 100, metadata: {} },
    terminal_output: { output: 'Compiling…\r\n\u001b[32mok\u001b[0m\n', output_type: 'stdout', source: 'builder' },
    checkpoint_update: { checkpoint_id: 'c1', phase: 'build_1', tasks_completed: ['t'], files_created: ['a.py'], metadata: {} },
    build_progress: { total: 10, completed: 7, percent: 70 },
    file_change: { file_path: 'src/a.c', change_type: 'modified', content: 'int x;\n' },
    error: { error_message: 'it broke', error_type: 'compile', traceback: 'at line 1' },
    'lint.finding_2': { anything: { goes: true }, nothing: null },
};

for (const [type, data] of Object.entries(events)) {
    test(`${type} arrives flat, with offset and time`, async () => {
        const session = uniqueName();
        const client = await server.build(session);
        const answer = await publish(session, type, data);
        const { timestamp, ...message } = await client.next();
        assert.match(timestamp, rfc3339);
        assert.equal(timestamp, answer.time);
        assert.equal(answer.topic, `session:${session}`);
        assert.deepEqual(message, { type, session_id: session, offset: 1, ...data });
    });
}

test('everybody in a session gets its events, nobody else does', async () => {
    const [session, other] = [uniqueName(), uniqueName()];
    const clients = await Promise.all(range(5).map(() => server.build(session)));
    const stranger = await server.build(other);
    await component(session, 'a', 10);
    for (const client of clients) {
        assert.equal((await client.next()).component_id, 'a');
    }
    assert.deepEqual(await deliveredNow(stranger, other), []);
});

test('an optional field that is absent stays absent, null stays null', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    await publish(session, 'component_update', { component_id: 'a', status: 'pending', metadata: null });
    const message = await client.next();
    assert.equal(message.metadata, null);
    assert.ok(!('progress' in message));
});

test('build_progress computes the percentage that was left out', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    await publish(session, 'build_progress', { total: 8, completed: 2 });
    assert.equal((await client.next()).percent, 25);
    await publish(session, 'build_progress', { total: 0, completed: 0 });
    assert.equal(typeof (await client.next()).percent, 'number');
});

test('file content above 64 KiB is left out and marked', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const data = { file_path: 'a', change_type: 'modified' };
    await publish(session, 'file_change', { ...data, content: 'x'.repeat(64 * 1024) });
    assert.equal((await client.next()).content.length, 64 * 1024);
    await publish(session, 'file_change', { ...data, content: 'x'.repeat(64 * 1024 + 1) });
    const { content, truncated } = await client.next();
    assert.deepEqual([content, truncated], [undefined, true]);
});

test('an unknown component status passes as it is', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    await publish(session, 'component_update', { component_id: 'a', status: 'meditating', progress: 1 });
    assert.equal((await client.next()).status, 'meditating');
});

const refused = [
    ['component_update', { component_id: '', status: 'pending', progress: 0 }, 'component_id'],
    ['component_update', { status: 'pending', progress: 0 }, 'component_id'],
    ['component_update', { component_id: 7, status: 'pending' }, 'component_id'],
    ['component_update', { component_id: 'a', status: 'pending', progress: 100.1 }, 'progress'],
    ['component_update', { component_id: 'a', status: 'pending', progress: -1 }, 'progress'],
    ['component_update', { component_id: 'a', status: 'pending', progress: '45' }, 'progress'],
    ['component_update', { component_id: 'a', status: 5, progress: 1 }, 'status'],
    ['feature_update', { feature_id: '', status: 'pending', progress: 0 }, 'feature_id'],
    ['feature_update', { feature_id: 'f', status: 'pending', progress: 200 }, 'progress'],
    ['terminal_output', { output: 5 }, 'output'],
    ['terminal_output', { output: 'x', output_type: 'stdlog' }, 'output_type'],
    ['checkpoint_update', { checkpoint_id: 'c', phase: 'p', tasks_completed: 'one' }, 'tasks_completed'],
    ['checkpoint_update', { checkpoint_id: 'c', phase: 'p', files_created: ['a', 1] }, 'files_created'],
    ['build_progress', { total: 10, completed: 11 }, 'completed'],
    ['build_progress', { total: 10, completed: -1 }, 'completed'],
    ['build_progress', { total: 10, completed: 1, percent: 101 }, 'percent'],
    ['file_change', { file_path: 'a', change_type: 'exploded' }, 'change_type'],
    ['file_change', { file_path: 5, change_type: 'created' }, 'file_path'],
    ['error', { error_message: 5 }, 'error_message'],
    ...['type', 'session_id', 'timestamp', 'offset'].map((field) =>
        ['component_update', { component_id: 'a', status: 'pending', progress: 0, [field]: 'x' }, field]),
];

test('events whose fields are wrong are refused with 422 naming the field', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    for (const [type, data, field] of refused) {
        const answer = await server.post('/api/v1/publish', { topic: `session:${session}`, type, data });
        assert.equal(answer.status, 422, `${type} ${JSON.stringify(data)}: ${answer.text}`);
        assert.match(answer.text, new RegExp(`\\b${field}\\b`), `${type} ${JSON.stringify(data)}`);
    }
    assert.deepEqual(await deliveredNow(client, session), []);
});

test('a custom type whose data has a reserved name keeps its data nested', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const data = { offset: 'mine', type: 'also mine' };
    await publish(session, 'editor.cursor', data);
    const { timestamp, ...message } = await client.next();
    assert.deepEqual(message, { type: 'editor.cursor', session_id: session, offset: 1, data });
});

test('names of control messages and malformed names are no event types', async () => {
    const names = ['connect', 'disconnect', 'connect_error', 'pong', 'connection', 'subscribed',
        'resumed', 'gap', 'build_status', 'Upper', '1st', 'a b', '', 'x'.repeat(65)];
    for (const type of names) {
        const answer = await server.post('/api/v1/publish',
            { topic: `session:${uniqueName()}`, type, data: {} });
        assert.equal(answer.status, 422, `${type}: ${answer.text}`);
        assert.match(answer.text, /type/);
    }
    await publish(uniqueName(), 'x'.repeat(64), {});
});

test('UTF-8, escapes and unusual JSON survive byte for byte in meaning', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const data = { text: '\u0000\u0001"\\/\u2028\u{1F389}', big: 12345678901234567, tiny: 1e-7, deep: [[[[[{}]]]]] };
    await publish(session, 'odd', data);
    const message = await client.next();
    assert.deepEqual({ ...message, timestamp: 0 },
        { type: 'odd', session_id: session, offset: 1, timestamp: 0, ...data });
});

// ---- Client messages ----

test('ping is answered with pong', async () => {
    const client = await server.build(uniqueName());
    const pong = await client.ask({ type: 'ping', extra: [1] }, 'pong');
    assert.match(pong.timestamp, rfc3339);
});

test('a message may come in fragments with a control frame between', async () => {
    const client = await server.build(uniqueName());
    client.socket.send('{"type":', { fin: false });
    client.socket.ping('between');
    client.socket.send('"ping"}', { fin: true });
    await client.next('pong');
});

test('subscribe filters by type, errors always pass, the next one replaces it', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const answer = await client.ask({ type: 'subscribe', topics: ['terminal_output', 'feature_update'] }, 'subscribed');
    assert.deepEqual([...answer.topics].sort(), ['feature_update', 'terminal_output']);
    for (const [type, data] of Object.entries(events)) await publish(session, type, data);
    const types = (await deliveredNow(client, session)).map((m) => m.type);
    assert.deepEqual(types, ['feature_update', 'terminal_output', 'error']);

    await client.ask({ type: 'subscribe', topics: ['lint.finding_2'] }, 'subscribed');
    for (const [type, data] of Object.entries(events)) await publish(session, type, data);
    assert.deepEqual((await deliveredNow(client, session)).map((m) => m.type), ['error', 'lint.finding_2']);

    await client.ask({ type: 'subscribe', topics: ['*'] }, 'subscribed');
    for (const [type, data] of Object.entries(events)) await publish(session, type, data);
    assert.deepEqual((await deliveredNow(client, session)).map((m) => m.type), Object.keys(events));
});

test('the short names of topics mean their event types', async () => {
    const short = {
        components: 'component_update', features: 'feature_update', terminal: 'terminal_output',
        checkpoints: 'checkpoint_update', tasks: 'checkpoint_update', progress: 'build_progress',
        files: 'file_change',
    };
    const session = uniqueName();
    const client = await server.build(session);
    for (const [name, type] of Object.entries(short)) {
        await client.ask({ type: 'subscribe', topics: [name] }, 'subscribed');
        for (const [each, data] of Object.entries(events)) {
            if (each !== 'error') await publish(session, each, data);
        }
        assert.deepEqual((await deliveredNow(client, session)).map((m) => m.type), [type], name);
    }
    await client.ask({ type: 'subscribe', topics: ['errors'] }, 'subscribed');
    await component(session, 'a', 1);
    assert.deepEqual(await deliveredNow(client, session), []);
});

test('unsubscribe tells what is left', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    await client.ask({ type: 'subscribe', topics: ['component_update', 'file_change'] }, 'subscribed');
    const left = await client.ask({ type: 'unsubscribe', topics: ['file_change'] }, 'unsubscribed');
    assert.deepEqual(left.topics, ['component_update']);
    await publish(session, 'file_change', events.file_change);
    await component(session, 'a', 1);
    assert.deepEqual((await deliveredNow(client, session)).map((m) => m.type), ['component_update']);
});

test('unsubscribe without a filter before it means everything but these', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const left = await client.ask({ type: 'unsubscribe', topics: ['terminal_output'] }, 'unsubscribed');
    assert.deepEqual(left.topics, ['*']);
    assert.deepEqual(left.except, ['terminal_output']);
    for (const [type, data] of Object.entries(events)) await publish(session, type, data);
    assert.deepEqual((await deliveredNow(client, session)).map((m) => m.type),
        Object.keys(events).filter((type) => type !== 'terminal_output'));
});

test('a subscribe of the wrong shape is an error and changes nothing', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    await client.ask({ type: 'subscribe', topics: ['build_progress'] }, 'subscribed');
    for (const topics of ['component_update', 5, null, [1], undefined]) {
        const error = await client.ask({ type: 'subscribe', topics }, 'error');
        assert.match(error.error_message, /topics/);
    }
    await component(session, 'a', 1);
    assert.deepEqual(await deliveredNow(client, session), []);
});

test('request_status and get_status give the folded state after exactly N events', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    for (const [type, data] of Object.entries(events)) await publish(session, type, data);
    for (const type of ['request_status', 'get_status']) {
        const answer = await client.ask({ type }, 'build_status');
        assert.equal(answer.session_id, session);
        assert.equal(answer.offset, Object.keys(events).length);
        const { status } = answer;
        assert.equal(status.session_id, session);
        assert.equal(status.phase, 'build_1');
        assert.deepEqual(status.build_progress, { total: 10, completed: 7, percent: 70 });
        assert.equal(status.components.auth.status, 'in_progress');
        assert.equal(status.components.auth.progress, 45.5);
        assert.deepEqual(status.components.auth.metadata, { a: [1, null] });
        assert.match(status.components.auth.updated, rfc3339);
        assert.equal(status.features.login.status, 'completed');
        assert.equal(status.component_stats.total, 1);
        assert.equal(status.feature_stats.completed, 1);
        assert.match(status.terminal_tail, /Compiling…/);
        assert.equal(status.errors.length, 1);
        assert.equal(status.errors[0].error_message, 'it broke');
        assert.equal(status.connections, 1);
        assert.match(status.started, rfc3339);
        assert.match(status.updated, rfc3339);
    }
});

test('the state keeps the last 64 KiB of the terminal and the last 20 errors', async () => {
    const session = uniqueName();
    for (const i of range(5)) {
        await publish(session, 'terminal_output', { output: String(i).repeat(20000) });
    }
    for (const i of range(25)) await publish(session, 'error', { error_message: `e${i}` });
    const { json: status } = await server.get(`/api/build/status/${session}`);
    assert.ok(Buffer.byteLength(status.terminal_tail) <= 64 * 1024);
    assert.ok(status.terminal_tail.endsWith('4'.repeat(20000)));
    assert.deepEqual(status.errors.map((e) => e.error_message), range(20).map((i) => `e${i + 5}`));
});

// ---- Resuming ----

test('resuming in the URL by offset and by cursor is exact', async () => {
    const session = uniqueName();
    const first = await server.build(session);
    for (const i of range(3)) await component(session, 'a', i);
    await first.take(3);
    const { epoch, cursor } = first.greeting;
    await first.close();
    for (const i of range(3)) await component(session, 'b', i);

    const byOffset = await server.build(session, `?epoch=${encodeURIComponent(epoch)}&since=3`);
    const missed = await byOffset.until('resumed');
    assert.deepEqual(missed.slice(0, -1).map((m) => [m.offset, m.component_id]), [[4, 'b'], [5, 'b'], [6, 'b']]);
    assert.equal(missed.at(-1).offset, 6);
    assert.equal(missed.at(-1).missed, 3);

    const byCursor = await server.build(session, `?cursor=${encodeURIComponent(cursor)}`);
    const all = await byCursor.until('resumed');
    assert.deepEqual(all.slice(0, -1).map((m) => m.offset), [1, 2, 3, 4, 5, 6]);

    await component(session, 'c', 1);
    for (const client of [byOffset, byCursor]) {
        assert.equal((await client.next()).offset, 7);
    }
});

test('since=0 in the URL is the beginning; any other offset needs its epoch', async () => {
    const session = uniqueName();
    for (const i of range(3)) await component(session, 'a', i);
    const all = await (await server.build(session, '?since=0')).until('resumed');
    assert.deepEqual(all.map((m) => m.offset), [1, 2, 3, 3]);
    const invalid = await server.build(session, '?since=1');
    assert.equal((await invalid.next()).reason, 'invalid');
});

test('types in the URL hold from the first event on, and for what is replayed', async () => {
    const session = uniqueName();
    for (const type of ['a', 'build_progress', 'b', 'error']) {
        await publish(session, type, type === 'error' ? { error_message: 'x' } : { total: 1, completed: 1 });
    }
    const client = await server.build(session, '?types=progress,b&since=0');
    const missed = await client.until('resumed');
    assert.deepEqual(missed.map((m) => m.type), ['build_progress', 'b', 'error', 'resumed']);
    await publish(session, 'a', {});
    await publish(session, 'b', {});
    assert.equal((await client.next()).type, 'b');
    for (const types of ['No', 'a,,b', '%zz']) {
        const { json } = await expectRefused(server, `/api/build/stream/${session}?types=${types}`, 400);
        assert.equal(json.error.code, 'invalid_types', types);
    }
});

test('events=full shows events as event streams do, each with the cursor behind it', async () => {
    const session = uniqueName();
    const full = await server.build(session, '?events=full');
    const flat = await server.build(session);
    await server.publish({ topic: `session:${session}`, type: 'tick', data: { type: 'nested', n: 1 }, id: 'i', source: 's', key: 'k' });
    await server.publish({ topic: `session:${session}`, type: 'tick', data: {}, ephemeral: true });
    await server.publish({ topic: `session:${session}`, type: 'tick', data: { n: 2 } });
    const [first, ephemeral, second] = await full.take(3);
    const { cursor, time, ...rest } = first;
    assert.deepEqual(rest, { topic: `session:${session}`, type: 'tick', offset: 1, id: 'i', source: 's', key: 'k', data: { type: 'nested', n: 1 } });
    assert.equal(time, (await flat.next()).timestamp);
    assert.deepEqual([ephemeral.ephemeral, ephemeral.cursor, ephemeral.offset], [true, undefined, undefined]);
    assert.notEqual(second.cursor, cursor);
    const again = await server.build(session, `?events=full&cursor=${cursor}`);
    assert.deepEqual((await again.until('resumed')).map((m) => m.offset), [2, 2]);
});

test('resuming by message replays what this connection has not been sent', async () => {
    const session = uniqueName();
    for (const i of range(4)) await component(session, 'a', i);
    const client = await server.build(session);
    assert.equal(client.greeting.offset, 4);
    client.send({ type: 'resume', epoch: client.greeting.epoch, offset: 1 });
    const messages = await client.until('resumed');
    assert.deepEqual(messages.slice(0, -1).map((m) => m.offset), [2, 3, 4]);
    assert.deepEqual([messages.at(-1).offset, messages.at(-1).missed], [4, 3]);
    await component(session, 'b', 1);
    assert.equal((await client.next()).offset, 5);
});

test('resuming where nothing was missed says so', async () => {
    const session = uniqueName();
    const { epoch } = await component(session, 'a', 1);
    const client = await server.build(session, `?epoch=${encodeURIComponent(epoch)}&since=1`);
    const resumed = await client.next();
    assert.deepEqual([resumed.type, resumed.offset, resumed.missed], ['resumed', 1, 0]);
});

test('the filter holds for resumed events', async () => {
    const session = uniqueName();
    await component(session, 'a', 1);
    await publish(session, 'terminal_output', { output: 'x' });
    await component(session, 'a', 2);
    const client = await server.build(session);
    await client.ask({ type: 'subscribe', topics: ['terminal'] }, 'subscribed');
    client.send({ type: 'resume', epoch: client.greeting.epoch, offset: 0 });
    const messages = await client.until('resumed');
    assert.deepEqual(messages.slice(0, -1).map((m) => m.type), ['terminal_output']);
});

test('another epoch cannot be resumed and says so', async () => {
    const session = uniqueName();
    await component(session, 'a', 1);
    const client = await server.build(session, '?epoch=AAAAAAAAAAA&since=0');
    const failed = await client.next();
    assert.deepEqual([failed.type, failed.reason], ['resume_failed', 'epoch_changed']);
    const status = await client.next();
    assert.equal(status.type, 'build_status');
    assert.equal(status.offset, 1);
});

test('an offset of the future, below 0 or of the wrong type is invalid', async () => {
    const session = uniqueName();
    const { epoch } = await component(session, 'a', 1);
    const client = await server.build(session);
    for (const offset of [2, -1, 'one', 1.5, null]) {
        const failed = await client.ask({ type: 'resume', epoch, offset }, 'resume_failed');
        assert.equal(failed.reason, 'invalid', `offset ${offset}`);
    }
    const byUrl = await server.build(session, `?epoch=${encodeURIComponent(epoch)}&since=99`);
    assert.equal((await byUrl.next('resume_failed')).reason, 'invalid');
});

test('a position that history lost is told with what is available, then the status', async (t) => {
    const small = await startServer({ t, config: { topics: { session: { count: 10 } } } });
    const { epoch } = await small.publish({ topic: 'session:s', type: 'tick', data: {} });
    for (const n of range(49)) await small.publish({ topic: 'session:s', type: 'tick', data: { n } });
    const client = await small.build('s', `?epoch=${encodeURIComponent(epoch)}&since=3`);
    const failed = await client.next();
    assert.deepEqual([failed.type, failed.reason], ['resume_failed', 'trimmed']);
    assert.ok(failed.available_from > 4 && failed.available_from <= 41, `${failed.available_from}`);
    const status = await client.next();
    assert.deepEqual([status.type, status.offset], ['build_status', 50]);
    await small.publish({ topic: 'session:s', type: 'tick', data: {} });
    assert.equal((await client.next()).offset, 51);
});

// ---- Mistakes of clients ----

test('bad messages are answered and the connection stays open', async () => {
    const client = await server.build(uniqueName());
    const unknown = await client.ask({ type: 'x' }, 'error');
    assert.equal(unknown.error_message, 'Unknown message type: x');
    assert.equal(unknown.error_type, 'unknown_type');
    assert.equal((await client.ask('{"type":', 'error')).error_type, 'invalid_json');
    assert.equal((await client.ask('', 'error')).error_type, 'invalid_json');
    for (const text of ['[]', '5', 'null', '{}', '{"type":5}']) {
        assert.equal((await client.ask(text, 'error')).type, 'error', text);
    }
    await client.ask({ type: 'ping' }, 'pong');
});

test('20 bad messages within 10 s close with 1008', async () => {
    const client = await server.build(uniqueName());
    for (const i of range(20)) client.send(`nonsense ${i}`);
    assert.equal((await client.expectClose()).code, 1008);
});

test('a binary message closes with 1003', async () => {
    const client = await server.build(uniqueName());
    client.send(Buffer.from('{"type":"ping"}'));
    assert.equal((await client.expectClose()).code, 1003);
});

test('invalid UTF-8 in a text message closes with 1007', async () => {
    const client = await server.build(uniqueName());
    client.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    assert.equal((await client.expectClose()).code, 1007);
});

test('1 MiB is accepted, one byte more closes with 1009', async () => {
    const client = await server.build(uniqueName());
    const empty = JSON.stringify({ type: 'ping', pad: '' }).length;
    client.send({ type: 'ping', pad: 'x'.repeat(1024 * 1024 - empty) });
    await client.next('pong');
    client.send({ type: 'ping', pad: 'x'.repeat(1024 * 1024 - empty + 1) });
    assert.equal((await client.expectClose()).code, 1009);
});

/** The close code in what a server sent over a raw connection, behind the handshake's head. */
function closeCode(bytes) {
    const at = bytes.lastIndexOf(Buffer.from([0x88]));
    return at < 0 ? undefined : bytes.readUInt16BE(at + 2);
}

test('a message that is too large is refused before it is there', async (t) => {
    const raw = new RawConnection(server.port);
    t.after(() => raw.destroy());
    raw.write(upgradeHead(`/api/build/stream/${uniqueName()}`, server.port));
    await raw.expect(/"cursor"/);
    const header = Buffer.alloc(14); // a masked text frame of 2^40 bytes, of which none follows
    header[0] = 0x81;
    header[1] = 0xff;
    header.writeBigUInt64BE(1n << 40n, 2);
    raw.write(header);
    await raw.expectClose();
    assert.equal(closeCode(raw.bytes), 1009);
});

for (const [what, frame] of Object.entries({
    'an unmasked frame': [0x81, 0x02, 0x7b, 0x7d],
    'a reserved opcode': [0x83, 0x80, 0, 0, 0, 0],
    'a reserved bit': [0xc1, 0x80, 0, 0, 0, 0],
    'a fragmented ping': [0x09, 0x80, 0, 0, 0, 0],
    'a ping longer than 125 bytes': [0x89, 0xfe, 0x00, 0x7e, 0, 0, 0, 0, ...new Array(126).fill(0)],
    'a continuation of nothing': [0x80, 0x80, 0, 0, 0, 0],
})) {
    test(`${what} closes with 1002`, async (t) => {
        const raw = new RawConnection(server.port);
        t.after(() => raw.destroy());
        raw.write(upgradeHead(`/api/build/stream/${uniqueName()}`, server.port));
        await raw.expect(/"cursor"/);
        raw.write(Buffer.from(frame));
        await raw.expectClose(ms(8000));
        assert.equal(closeCode(raw.bytes), 1002);
    });
}

test('permessage-deflate is declined by default', async () => {
    const client = await server.build(uniqueName(), '', { perMessageDeflate: true });
    assert.equal(client.socket.extensions, '');
    await client.ask({ type: 'ping' }, 'pong');
});
