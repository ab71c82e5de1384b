// Dialect `rooms`: stock Socket.IO clients, and what no client would send.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { arrived, flood, ms, range, startServer, test, waitFor, within } from './harness.mjs';
import { mint, now, secret } from './tokens.mjs';

const server = await startServer();
const workers = await startServer({ args: ['--workers', '4'] });
const keyed = await startServer({ env: { JWT_SECRET_KEY: secret } });
const project = '550e8400-e29b-41d4-a716-446655440000';

/** A connected client; everything that comes is in `events`, by name. */
async function connect(t, where = server, { space = '/ws', token, ...options } = {}) {
    const socket = io(`${where.url}${space}`, {
        transports: ['websocket'], forceNew: true, reconnection: false, auth: { token }, ...options,
    });
    socket.events = [];
    socket.onAny((name, ...args) => socket.events.push({ name, args }));
    t.after(() => socket.disconnect());
    await within(Promise.race([
        once(socket, 'connect'),
        once(socket, 'connect_error').then(([error]) => { throw error; }),
    ]), 'Socket.IO to connect');
    return socket;
}

const ask = (socket, name, ...args) => within(socket.emitWithAck(name, ...args), `the answer to ${name}`);
const named = (socket, name) => socket.events.filter((event) => event.name === name);
const hear = (socket, name, count = 1) =>
    waitFor(() => named(socket, name).length >= count && named(socket, name), `event ${name}`);

/** An Engine.IO session on a WebSocket, without a client library: its packets are in `packets`. */
async function raw(where = server, query = '') {
    const ws = new WebSocket(where.ws(`/socket.io/?EIO=4&transport=websocket${query}`));
    ws.packets = [];
    ws.on('message', (data, binary) => ws.packets.push(binary ? data : data.toString()));
    ws.ended = new Promise((resolve) => ws.on('close', (code) => resolve(code)));
    await waitFor(() => ws.packets.length > 0, 'the handshake');
    ws.handshake = JSON.parse(ws.packets[0].slice(1));
    return ws;
}

/** The close code. */
const end = (ws) => within(ws.ended, 'the end of the session');

for (const space of ['/ws', '/']) {
    test(`a client connects to ${space} and is greeted`, async (t) => {
        const socket = await connect(t, server, { space });
        assert.equal(socket.id.length, 20);
        const [{ args: [greeting] }] = await hear(socket, 'connection_established');
        assert.equal(greeting.type, 'connection.established');
        assert.equal(greeting.source, 'websocket');
        assert.match(greeting.timestamp, /^\d{4}-.*Z$/);
        assert.equal(greeting.data.user_id, 'anonymous');
        assert.deepEqual(greeting.data.rooms, ['user:anonymous', 'global']);
        const rooms = await ask(socket, 'debug:rooms', {});
        assert.equal(rooms.status, 'success');
        assert.equal(rooms.connection_id, greeting.data.connection_id);
        assert.deepEqual(rooms.rooms.sort(), ['global', 'user:anonymous']);
    });
}

for (const path of ['/socket.io/', '/ws/socket.io/', '/ws']) {
    test(`Engine.IO answers at ${path}`, async (t) => {
        const socket = await connect(t, server, { path, addTrailingSlash: path.endsWith('/') });
        assert.ok(socket.connected);
    });
}

test('subscribe, an event, unsubscribe', async (t) => {
    const socket = await connect(t);
    const room = `project:${project}`;
    const answer = await ask(socket, 'subscribe', { room });
    assert.equal(answer.status, 'success');
    assert.equal(answer.room, room);
    assert.equal(answer.message, `Subscribed to ${room}`);
    assert.equal(answer.offset, 0);
    assert.ok(answer.epoch);
    await server.publish({ topic: room, type: 'made.up', source: 'a "test"', data: { n: 1 } });
    const [{ args: [event] }] = await hear(socket, 'made.up');
    assert.equal(event.type, 'made.up');
    assert.equal(event.room, room);
    assert.equal(event.offset, 1);
    assert.equal(event.source, 'a "test"');
    assert.deepEqual(event.data, { n: 1 });
    assert.deepEqual(Object.keys(event), ['type', 'timestamp', 'source', 'room', 'offset', 'data']);
    assert.equal((await ask(socket, 'unsubscribe', { room })).status, 'success');
    await server.publish({ topic: room, type: 'made.up', data: { n: 2 } });
    await server.publish({ topic: 'global', type: 'marker', data: {} });
    await hear(socket, 'marker');
    assert.equal(named(socket, 'made.up').length, 1);
});

test('an event for several rooms comes once', async (t) => {
    const socket = await connect(t);
    await ask(socket, 'subscribe', { room: 'project:several' });
    await ask(socket, 'subscribe', { room: 'session:several' });
    await server.publish({ topics: ['session:several', 'project:several', 'global'], type: 'once', data: {} });
    await server.publish({ topic: 'global', type: 'after.once', data: {} });
    await hear(socket, 'after.once');
    assert.equal(named(socket, 'once').length, 1);
    assert.equal(named(socket, 'once')[0].args[0].room, 'session:several');
});

test('subscribe resumes with since and epoch, also in a room that one is in', async (t) => {
    const socket = await connect(t);
    const room = 'project:resumed';
    for (let n = 1; n <= 3; n++) await server.publish({ topic: room, type: 'step', data: { n } });
    const { epoch } = await ask(socket, 'subscribe', { room });
    const again = await ask(socket, 'subscribe', { room, since: 1, epoch });
    assert.equal(again.offset, 3);
    const steps = await hear(socket, 'step', 2);
    assert.deepEqual(steps.map(({ args: [event] }) => event.data.n), [2, 3]);
    const fromStart = await connect(t);
    await ask(fromStart, 'subscribe', { room, since: 0 });
    assert.equal((await hear(fromStart, 'step', 3)).length, 3);
    await ask(fromStart, 'subscribe', { room: 'project:resumed', since: 1, epoch: 'AAAAAAAAAAE' });
    const [{ args: [gap] }] = await hear(fromStart, 'gap');
    assert.equal(gap.room, room);
    assert.deepEqual(gap.data, { from: 1, to: 3, reason: 'epoch_changed' });
});

test('subscribe resumes with the cursor of an answer or of an event', async (t) => {
    const socket = await connect(t);
    const room = 'project:by-cursor';
    await server.publish({ topic: room, type: 'step', data: { n: 1 } });
    const { cursor } = await ask(socket, 'subscribe', { room });
    for (const n of [2, 3]) await server.publish({ topic: room, type: 'step', data: { n } });
    const behind = async (position) => {
        const other = await connect(t);
        assert.equal((await ask(other, 'subscribe', { room, cursor: position })).status, 'success');
        await server.publish({ topic: room, type: 'marker', data: {} });
        await hear(other, 'marker');
        return named(other, 'step').map(({ args: [event] }) => event.data.n);
    };
    assert.deepEqual(await behind(cursor), [2, 3]);
    const [{ args: [, eventCursor] }] = await hear(socket, 'step', 2);
    assert.deepEqual(await behind(eventCursor), [3]);
    assert.equal((await ask(socket, 'subscribe', { room, cursor: 'nonsense' })).code, 'INVALID_POSITION');
});

test('what makes no sense is refused by its acknowledgement, or as event error', async (t) => {
    const socket = await connect(t);
    const code = async (...args) => (await ask(socket, ...args)).code;
    assert.equal(await code('subscribe', { room: 'planet:mars' }), 'INVALID_ROOM');
    assert.equal(await code('subscribe', { room: 7 }), 'INVALID_ROOM');
    assert.equal(await code('subscribe', 'global'), 'INVALID_ROOM');
    assert.equal(await code('subscribe'), 'INVALID_ROOM');
    assert.equal(await code('subscribe', { room: 'global', since: -1, epoch: 'x' }), 'INVALID_POSITION');
    assert.equal(await code('__proto__', { __proto__: 1 }), 'UNKNOWN_EVENT');
    assert.equal(await code('binary', Buffer.from([1, 2, 3])), 'UNKNOWN_EVENT');
    socket.emit('subscribe', { room: 'planet:mars' });
    const [{ args: [error] }] = await hear(socket, 'error');
    assert.equal(error.type, 'error');
    assert.equal(error.data.code, 'INVALID_ROOM');
    assert.match(error.data.message, /session/);
});

test('the events of the agent platform are checked when they are published', async (t) => {
    const socket = await connect(t);
    const refused = async (type, data) => {
        const { status, json } = await server.post('/api/v1/publish', { topic: 'global', type, data });
        assert.equal(status, 422, `${type} ${JSON.stringify(data)}`);
        return json.error.message;
    };
    assert.match(await refused('project.updated', { project_id: 'not-a-uuid' }), /project_id must be a UUID/);
    assert.match(await refused('agent.status_changed', { agent_id: project, availability: 101 }), /availability/);
    assert.match(await refused('workflow.progress', { workflow_id: project, status: 'idle' }), /status/);
    assert.match(await refused('ai.suggestion', { suggestion_id: project, confidence: 2 }), /confidence/);
    assert.match(await refused('pr.created', { title: 'x' }), /pr_id/);
    const data = { project_id: project, project_name: 'P', status: 'active', updated_by: 'ada', changes: { status: 'updated' } };
    await server.publish({ topic: 'global', type: 'project.updated', source: 'project_service', data });
    const [{ args: [event] }] = await hear(socket, 'project.updated');
    assert.deepEqual(event.data, data);
});

test('more rooms than limits.subscriptions are refused', async (t) => {
    const small = await startServer({ t, config: { limits: { subscriptions: 3 } } });
    const socket = await connect(t, small);
    assert.equal((await ask(socket, 'subscribe', { room: 'project:1' })).status, 'success');
    assert.equal((await ask(socket, 'subscribe', { room: 'project:2' })).code, 'LIMIT');
    await ask(socket, 'unsubscribe', { room: 'project:1' });
    assert.equal((await ask(socket, 'subscribe', { room: 'project:2' })).status, 'success');
});

test('ping is acknowledged, and answered with pong', async (t) => {
    const socket = await connect(t);
    const answer = await ask(socket, 'ping', { any: 'thing' });
    assert.equal(answer.status, 'success');
    assert.match(answer.timestamp, /Z$/);
    await hear(socket, 'pong');
});

// ---- HTTP long-polling, and the way to a WebSocket ----

test('a session on polling, whatever worker its requests come to', async (t) => {
    const socket = await connect(t, workers, { transports: ['polling'] });
    await hear(socket, 'connection_established');
    const room = 'project:polled';
    assert.equal((await ask(socket, 'subscribe', { room })).status, 'success');
    for (const n of range(20)) await workers.publish({ topic: room, type: 'step', data: { n, text: 'a"\u001e\u{1f600}' } });
    const steps = await hear(socket, 'step', 20);
    assert.deepEqual(steps.map(({ args: [event] }) => event.data.n), range(20));
    assert.equal(steps[0].args[0].data.text, 'a"\u001e\u{1f600}');
    assert.equal((await ask(socket, 'binary', Buffer.from([1, 2, 3]))).code, 'UNKNOWN_EVENT');
    assert.equal(socket.io.engine.transport.name, 'polling');
});

for (const round of range(4)) {
    test(`nothing is lost or doubled when a session moves to a WebSocket (${round})`, async (t) => {
        const room = `project:moved${round}`;
        const socket = io(`${workers.url}/ws`, { forceNew: true, reconnection: false });
        t.after(() => socket.disconnect());
        const steps = [];
        socket.on('step', (event) => steps.push(event.data.n));
        socket.on('connect', () => socket.emit('subscribe', { room, since: 0 }));
        const upgraded = new Promise((resolve) => socket.io.engine.once('upgrade', resolve));
        let n = 0;
        let moved = false;
        upgraded.then(() => (moved = true));
        const late = Date.now() + 8000;
        while ((!moved || n < 50) && Date.now() < late) await workers.publish({ topic: room, type: 'step', data: { n: n++ } });
        await within(upgraded, 'the upgrade');
        for (const _ of range(10)) await workers.publish({ topic: room, type: 'step', data: { n: n++ } });
        await waitFor(() => steps.length >= n, 'all steps');
        assert.deepEqual(steps, range(n));
        assert.equal(socket.io.engine.transport.name, 'websocket');
        const rooms = await ask(socket, 'debug:rooms', {});
        assert.deepEqual(rooms.rooms.sort(), ['global', room, 'user:anonymous']);
        assert.equal((await ask(socket, 'ping')).status, 'success');
    });
}

const poll = (where, sid) => where.get(`/socket.io/?EIO=4&transport=polling&sid=${sid}`);
const post = (where, sid, body) => where.post(`/socket.io/?EIO=4&transport=polling&sid=${sid}`, body, { 'Content-Type': 'text/plain' });
async function handshake(where = server) {
    const answer = await where.get('/socket.io/?EIO=4&transport=polling');
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^text\/plain/);
    return JSON.parse(answer.text.slice(1));
}

test('polls and posts by hand', async () => {
    const { sid, upgrades } = await handshake(workers);
    assert.deepEqual(upgrades, ['websocket']);
    assert.equal((await post(workers, sid, '40/ws,')).text, 'ok');
    const { text } = await poll(workers, sid);
    assert.match(text, /^40\/ws,\{"sid":"\w{20}","pid":"\w{20}"\}\x1e42\/ws,\["connection_established",/);
    const waiting = await arrived(workers, () => poll(workers, sid));
    assert.equal((await post(workers, sid, '42/ws,1["ping"]\x1e42/ws,2["nothing"]')).text, 'ok');
    assert.match((await waiting.answer).text, /^43\/ws,1\[.*\]\x1e42\/ws,\["pong",.*\]\x1e43\/ws,2\[.*UNKNOWN_EVENT.*\]$/);
    const last = await arrived(workers, () => poll(workers, sid));
    assert.equal((await post(workers, sid, '1')).text, 'ok');
    assert.equal((await last.answer).text, '6');
    assert.deepEqual((await poll(workers, sid)).json, { code: 1, message: 'Session ID unknown' });
});

test('two polls at once end the session', async () => {
    const { sid } = await handshake();
    const answers = await Promise.all([poll(server, sid), poll(server, sid)]);
    answers.sort((a, b) => a.status - b.status);
    assert.deepEqual(answers.map(({ status }) => status), [200, 400]);
    assert.equal(answers[0].text, '1', 'the first one is told that the session closes');
    assert.equal((await poll(server, sid)).json.code, 1);
});

for (const [what, body] of [['empty', ''], ['of unknown type', '9'], ['of broken base64', 'bA'], ['with an empty packet', '40\x1e']]) {
    test(`a payload ${what} is refused and ends the session`, async () => {
        const { sid } = await handshake();
        const answer = await post(server, sid, body);
        assert.equal(answer.status, 400);
        assert.equal(answer.json.code, 3);
        assert.equal((await poll(server, sid)).json.code, 1);
    });
}

test('a payload above rooms.max_payload is refused', async (t) => {
    const small = await startServer({ t, config: { rooms: { max_payload: 2048 } } });
    const { sid } = await handshake(small);
    assert.equal((await post(small, sid, `42["ping","${'x'.repeat(4000)}"]`)).status, 413);
});

test('a session that nobody polls ends', async (t) => {
    const quick = await startServer({ t, config: { rooms: { ping_interval: '100ms', ping_timeout: '200ms' } } });
    const { sid } = await handshake(quick);
    await waitFor(async () => (await quick.metric('fanfare_clients', 'rooms')) === 0, 'the end of the session');
    assert.equal((await poll(quick, sid)).json.code, 1);
});

test('a poll that is given up ends the session', async (t) => {
    const alone = await startServer({ t });
    const { sid } = await handshake(alone);
    await post(alone, sid, '40');
    await poll(alone, sid);
    const { answer: given } = await arrived(alone, () => http.get(`${alone.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`));
    given.on('error', () => {});
    given.destroy();
    await waitFor(async () => (await alone.metric('fanfare_clients', 'rooms')) === 0, 'the end of the session');
    assert.equal((await poll(alone, sid)).json.code, 1);
});

for (const [what, packets] of [['something else than a probe', ['2']], ['an upgrade without a probe', ['5']], ['events', ['2probe', '42["ping"]']]]) {
    test(`a probing WebSocket that sends ${what} is closed, and polling goes on`, async () => {
        const { sid } = await handshake(workers);
        const ws = new WebSocket(workers.ws(`/socket.io/?EIO=4&transport=websocket&sid=${sid}`));
        const ended = new Promise((resolve) => ws.on('close', resolve));
        await once(ws, 'open');
        for (const packet of packets) ws.send(packet);
        assert.equal(await within(ended, 'the close'), 1002);
        assert.equal((await post(workers, sid, '40')).text, 'ok');
        let text = (await poll(workers, sid)).text;
        if (text === '6') text = (await poll(workers, sid)).text; // the probe ended one poll
        assert.match(text, /^40\{/);
    });
}

// ---- Tokens ----

const token = (claims) => mint({ sub: 'ada', ...claims });

test('a refused token is a CONNECT_ERROR that says why', async (t) => {
    const refused = (auth) => connect(t, keyed, { auth }).then(
        () => assert.fail('was let in'), (error) => error);
    const reason = async (auth) => {
        const { message, data } = await refused(auth);
        assert.equal(message, 'Authentication failed');
        assert.equal(data.code, 'AUTH_FAILED');
        assert.equal(data.content.code, 'AUTH_FAILED');
        return data.content.reason;
    };
    assert.equal(await reason({}), 'token missing');
    assert.equal(await reason({ token: null }), 'token missing');
    assert.equal(await reason({ token: 7 }), 'token malformed');
    assert.equal(await reason({ token: 'x' }), 'token malformed');
    assert.equal(await reason({ token: mint({ sub: 'ada' }, { key: 'another secret of thirty-two bytes or so' }) }), 'bad signature');
    assert.equal(await reason({ token: token({ exp: now() - 3600 }) }), 'token expired');
    assert.equal(await reason({ token: token({ token_type: 'refresh' }) }), 'wrong token type');
    assert.equal(await reason({ token: token({ nbf: now() + 3600 }) }), 'token not yet valid');
});

// ---- Several namespaces on one connection ----

/** A further namespace on the connection of a client. */
async function also(t, socket, space, auth) {
    const before = socket.io.nsps[space];
    if (before) before.auth = auth ?? {};
    const second = socket.io.socket(space, { auth: auth ?? {} });
    second.events = [];
    second.onAny((name, ...args) => second.events.push({ name, args }));
    t.after(() => second.disconnect());
    const in_ = Promise.race([
        once(second, 'connect'),
        once(second, 'connect_error').then(([error]) => { throw error; }),
    ]);
    await within(in_, `${space} to connect`);
    return second;
}

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    test(`several namespaces on one connection (${transports})`, async (t) => {
        const spaces = await startServer({ t, args: ['--workers', '2'], config: { rooms: { namespaces: ['/ws', '/', '/third'] } } });
        const socket = await connect(t, spaces, { transports });
        const main = await also(t, socket, '/');
        const third = await also(t, socket, '/third');
        assert.equal(new Set([socket.id, main.id, third.id]).size, 3, 'each has an id of its own');
        const room = 'project:mine';
        assert.equal((await ask(main, 'subscribe', { room })).status, 'success');
        assert.equal((await ask(third, 'subscribe', { room })).status, 'success');
        assert.deepEqual((await ask(socket, 'debug:rooms', {})).rooms.sort(), ['global', 'user:anonymous']);
        if (transports.length > 1) await waitFor(() => socket.io.engine.transport.name === 'websocket', 'the upgrade');
        for (const n of range(200)) await spaces.publish({ topic: room, type: 'step', data: { n } });
        for (const each of [main, third]) {
            const steps = await hear(each, 'step', 200);
            assert.deepEqual(steps.map(({ args: [event] }) => event.data.n), range(200));
        }
        await spaces.publish({ topic: 'global', type: 'for.all', data: {} });
        for (const each of [socket, main, third]) await hear(each, 'for.all');
        assert.equal(named(socket, 'step').length, 0);
        main.disconnect();
        await spaces.publish({ topic: room, type: 'late', data: {} });
        await hear(third, 'late');
        assert.equal((await ask(socket, 'ping')).status, 'success', 'the others stay');
        assert.equal(named(main, 'late').length, 0);
        socket.disconnect();
        const back = await also(t, third, '/ws');
        assert.equal((await ask(back, 'ping')).status, 'success', 'and it may come back');
        assert.equal(await spaces.metric('fanfare_clients', 'rooms'), 2);
    });
}

test('each namespace recovers its own socket', async (t) => {
    const socket = await connect(t, workers, { reconnection: true, reconnectionDelay: 20 });
    const main = await also(t, socket, '/');
    await ask(socket, 'subscribe', { room: 'project:left' });
    await ask(main, 'subscribe', { room: 'project:right' });
    await workers.publish({ topics: ['project:left', 'project:right'], type: 'step', data: { n: 0 } });
    await hear(socket, 'step');
    await hear(main, 'step');
    const ids = [socket.id, main.id];
    const both = Promise.all([once(socket, 'connect'), once(main, 'connect')]);
    socket.io.engine.close();
    await workers.publish({ topic: 'project:left', type: 'step', data: { n: 1 } });
    await workers.publish({ topic: 'project:right', type: 'step', data: { n: 2 } });
    await within(both, 'both to come back');
    assert.deepEqual([socket.recovered, main.recovered], [true, true]);
    assert.deepEqual([socket.id, main.id], ids);
    const seen = async (each) => (await hear(each, 'step', 2)).map(({ args: [event] }) => event.data.n);
    assert.deepEqual(await seen(socket), [0, 1]);
    assert.deepEqual(await seen(main), [0, 2]);
});

test('a namespace without recovery gives no pid and no positions', async (t) => {
    const plain = await startServer({ t, config: { rooms: { without_recovery: ['/'] } } });
    const ws = await raw(plain);
    ws.send('40');
    ws.send('40/ws,');
    await waitFor(() => ws.packets.length > 4, 'both answers');
    assert.match(ws.packets[1], /^40\{"sid":"\w{20}"\}$/);
    const greeting = (head) => JSON.parse(ws.packets.find((text) => text.startsWith(`${head}["connection_est`)).slice(head.length));
    assert.equal(greeting('42').length, 2);
    assert.equal(greeting('42/ws,').length, 3);
    assert.match(ws.packets.find((text) => text.startsWith('40/ws,')), /"pid":/);
    ws.terminate();
});

test('each namespace has a token of its own; one that is refused leaves the others alone', async (t) => {
    const socket = await connect(t, keyed, { token: token() });
    await assert.rejects(also(t, socket, '/', {}), (error) => error.data.content.reason === 'token missing');
    await assert.rejects(also(t, socket, '/', { token: 'x' }), (error) => error.data.content.reason === 'token malformed');
    await assert.rejects(also(t, socket, '/nowhere', {}), { message: 'Invalid namespace' });
    const eve = await also(t, socket, '/', { token: token({ sub: 'eve' }) });
    assert.equal((await ask(eve, 'debug:rooms', {})).user_id, 'eve');
    assert.equal((await ask(socket, 'debug:rooms', {})).user_id, 'ada');
    assert.equal((await ask(eve, 'subscribe', { room: 'user:ada' })).code, 'FORBIDDEN');
});

test('the token of one namespace ends, the other goes on', async (t) => {
    const strict = await startServer({ t, env: { JWT_SECRET_KEY: secret }, config: { jwt: { grace: '1s' } } });
    const socket = await connect(t, strict, { token: token({ exp: now() - 3 }) });
    const other = await also(t, socket, '/', { token: token({ sub: 'eve' }) });
    const [reason] = await within(once(socket, 'disconnect'), 'the end of the first');
    assert.equal(reason, 'io server disconnect');
    assert.equal((await ask(other, 'ping')).status, 'success');
    assert.ok(other.connected);
});

test('a second CONNECT to a namespace is refused', async () => {
    const ws = await raw();
    ws.send('40');
    ws.send('40');
    await waitFor(() => ws.packets.some((text) => text.startsWith('44')), 'the refusal');
    assert.ok(ws.packets.includes('44{"message":"already connected to this namespace"}'));
    ws.terminate();
});

test('a namespace that reads slowly misses nothing, nor does the other', async (t) => {
    const small = await startServer({ t, config: { limits: { queue: '64KiB' } } });
    const ws = await raw(small);
    const steps = (head) => ws.packets.filter((text) => text.startsWith(`${head}["flood"`))
        .map((text) => JSON.parse(text.slice(head.length))[1].data.n);
    for (const head of ['', '/ws,']) {
        ws.send(`40${head}`);
        ws.send(`42${head}1["subscribe",{"room":"session:flood"}]`);
        await waitFor(() => ws.packets.some((text) => text.startsWith(`43${head}1`)), 'the answer');
    }
    ws.pause();
    await flood(small, 'session:flood', 4000, 1500);
    ws.resume();
    for (const head of ['42', '42/ws,']) {
        await waitFor(() => steps(head).length >= 4000, `all events of ${head}`, ms(20000));
        assert.deepEqual(steps(head), range(4000));
    }
    ws.terminate();
});

test('an unknown namespace is refused', async (t) => {
    await assert.rejects(connect(t, server, { space: '/nowhere' }), { message: 'Invalid namespace' });
});

test('claims decide about rooms and publishing', async (t) => {
    const socket = await connect(t, keyed, { token: token({ rooms: ['project:a*'], publish: ['project:a1'] }) });
    const [{ args: [greeting] }] = await hear(socket, 'connection_established');
    assert.deepEqual(greeting.data.rooms, ['user:ada', 'global']);
    assert.equal(greeting.data.user_id, 'ada');
    assert.equal((await ask(socket, 'subscribe', { room: 'project:a1' })).status, 'success');
    assert.equal((await ask(socket, 'subscribe', { room: 'project:b' })).code, 'FORBIDDEN');
    assert.equal((await ask(socket, 'subscribe', { room: 'user:eve' })).code, 'FORBIDDEN');
    const sent = await ask(socket, 'publish', { room: 'project:a1', event: 'note', data: { n: 1 } });
    assert.equal(sent.status, 'success');
    const [{ args: [note] }] = await hear(socket, 'note');
    assert.deepEqual(note.data, { n: 1 });
    assert.equal((await ask(socket, 'publish', { room: 'project:a2', event: 'note' })).code, 'FORBIDDEN');
    assert.equal((await ask(socket, 'publish', { room: 'project:a1', event: 'Not A Type' })).code, 'INVALID_EVENT');
    assert.equal((await ask(socket, 'publish', { room: 'project:a1' })).code, 'INVALID_EVENT');
});

test('an expired token is told, a fresh one goes on, else DISCONNECT', async (t) => {
    const strict = await startServer({ t, env: { JWT_SECRET_KEY: secret }, config: { jwt: { grace: '1s' } } });
    const soon = () => now() - 3; // with 5 s of leeway: in a second or two
    const socket = await connect(t, strict, { token: token({ exp: soon() }) });
    await hear(socket, 'token_expired');
    assert.equal((await ask(socket, 'refresh_token', { token: token({ sub: 'eve' }) })).status, 'error');
    const fresh = await ask(socket, 'refresh_token', { token: token({ exp: soon() + 1 }) });
    assert.equal(fresh.status, 'success');
    assert.match(fresh.expires, /Z$/);
    const [reason] = await within(once(socket, 'disconnect'), 'the end');
    assert.equal(reason, 'io server disconnect');
    socket.auth = { token: token() };
    const back = once(socket, 'connect');
    socket.connect();
    await within(back, 'the client to come back');
    assert.equal(socket.recovered, true);
});

// ---- Coming back ----

/** Cuts the transport and waits until the client is back. */
async function cut(socket, meanwhile) {
    const back = once(socket, 'connect');
    const gone = once(socket, 'disconnect');
    socket.io.engine.close();
    await gone;
    await meanwhile();
    await within(back, 'the client to come back');
}

for (const transports of [['websocket'], ['polling']]) {
    test(`a client that drops out goes on where it was (${transports})`, async (t) => {
        const room = `project:recovered-${transports}`;
        await workers.publish({ topic: room, type: 'step', data: { n: 0 } }); // before it was in the room
        const socket = await connect(t, workers, { transports, reconnection: true, reconnectionDelay: 20 });
        await hear(socket, 'connection_established');
        await workers.publish({ topic: room, type: 'step', data: { n: 1 } });
        await ask(socket, 'subscribe', { room });
        await workers.publish({ topic: 'global', type: 'other', data: {} });
        const { id } = socket;
        await hear(socket, 'other');
        await cut(socket, async () => {
            for (const n of [2, 3]) await workers.publish({ topic: room, type: 'step', data: { n } });
        });
        assert.equal(socket.recovered, true);
        assert.equal(socket.id, id);
        await workers.publish({ topic: room, type: 'step', data: { n: 4 } });
        const steps = await hear(socket, 'step', 3);
        assert.deepEqual(steps.map(({ args: [event] }) => event.data.n), [2, 3, 4]);
        assert.equal(named(socket, 'other').length, 1);
        const { rooms } = await ask(socket, 'debug:rooms', {});
        assert.deepEqual(rooms.sort(), ['global', room, 'user:anonymous']);
        await cut(socket, async () => {});
        assert.equal(socket.recovered, true, 'and once more');
    });
}

test('nothing is recovered after a disconnect, for another user, or without the window', async (t) => {
    const attempt = async (where, auth) => {
        const ws = await raw(where);
        ws.send(`40/ws,${JSON.stringify(auth)}`);
        await waitFor(() => ws.packets.length > 1, 'the answer to CONNECT');
        const data = JSON.parse(ws.packets[1].slice('40/ws,'.length));
        await waitFor(() => ws.packets.length > 2, 'the greeting');
        return { ws, ...data, offset: JSON.parse(ws.packets[2].slice('42/ws,'.length))[2] };
    };
    const ada = await attempt(keyed, { token: token() });
    assert.match(ada.pid, /^\w{20}$/);
    assert.match(ada.offset, /^[\w-]{22}$/);
    ada.ws.terminate();
    await waitFor(async () => (await keyed.get('/metrics')).text.includes('fanfare_clients{dialect="rooms"} 0'), 'the end');
    const back = { pid: ada.pid, offset: ada.offset };
    assert.notEqual((await attempt(keyed, { token: token({ sub: 'eve' }), ...back })).pid, ada.pid);
    assert.notEqual((await attempt(keyed, { token: token(), ...back, offset: 'x' })).pid, ada.pid);
    const again = await attempt(keyed, { token: token(), ...back });
    assert.equal(again.pid, ada.pid);
    assert.equal(again.sid, ada.sid);
    again.ws.send('41/ws,');
    again.ws.close();
    await end(again.ws);
    assert.notEqual((await attempt(keyed, { token: token(), ...back })).pid, ada.pid);
    assert.equal((await attempt(keyed, { token: token(), recovery: false })).pid, undefined);
});

test('what came to a user while they were away is marked', async (t) => {
    const admin = { Authorization: `Bearer ${token({ role: 'admin' })}` };
    const send = (n) => keyed.post('/api/v1/publish', { topic: 'user:ida', type: 'note', data: { n } }, admin);
    const ida = () => connect(t, keyed, { token: token({ sub: 'ida' }) });
    await send(0); // before their first connection
    const first = await ida();
    await hear(first, 'connection_established');
    await send(1);
    await hear(first, 'note');
    first.disconnect();
    const probe = await connect(t, keyed, { token: token({ sub: 'ida', role: 'admin' }) });
    await waitFor(async () => (await keyed.get('/api/v1/topics/user:ida/presence', admin)).json.connections.length === 1, 'it to be gone');
    probe.disconnect();
    await waitFor(async () => (await keyed.get('/api/v1/topics/user:ida/presence', admin)).json.connections.length === 0, 'all to be gone');
    await send(2);
    await send(3);
    const second = await ida();
    await send(4);
    const notes = await hear(second, 'note', 3);
    assert.deepEqual(notes.map(({ args: [event] }) => [event.data.n, event.replayed]), [[2, true], [3, true], [4, undefined]]);
});

// ---- Python ----

const script = fileURLToPath(new URL('rooms_client.py', import.meta.url));

/** Debian's python-socketio; what it says is in `said`. */
function python(t, where, ...args) {
    const child = spawn('/usr/bin/python3', [script, where.url, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill());
    child.said = [];
    createInterface({ input: child.stdout }).on('line', (line) => child.said.push(JSON.parse(line)));
    child.ended = new Promise((resolve) => child.on('close', resolve));
    return child;
}

for (const [transports, last] of [['polling', 'polling'], ['websocket', 'websocket'], ['polling,websocket', 'websocket']]) {
    test(`a client in Python over ${transports}`, async (t) => {
        const room = `project:python-${transports.replace(',', '-')}`;
        const child = python(t, workers, transports, room);
        const saw = (what) => waitFor(() => child.said.find((line) => line.what === what), what);
        assert.equal((await saw('answer')).answer.status, 'success');
        assert.equal((await saw('established')).args.length, 1);
        await workers.publish({ topic: room, type: 'made.up', data: { text: 'ä' } });
        const { args } = await saw('event');
        assert.equal(args.length, 1, 'no argument more than the event');
        assert.deepEqual(args[0].data, { text: 'ä' });
        assert.equal((await saw('transport')).name, last);
        assert.equal(await within(child.ended, 'its end'), 0);
    });
}

test('a client in Python with a bad token', async (t) => {
    const child = python(t, keyed, 'websocket', 'global', 'x');
    assert.equal(await within(child.ended, 'its end'), 3);
    assert.equal(child.said[0].data.data.content.reason, 'token malformed');
});

// ---- Slow readers ----

const numbers = (packets) => packets.filter((text) => text.startsWith('42/ws,["flood"'))
    .map((text) => JSON.parse(text.slice('42/ws,'.length))[1].data.n);

test('a WebSocket that reads slowly misses nothing', async (t) => {
    const small = await startServer({ t, config: { limits: { queue: '64KiB' } } });
    const ws = await raw(small);
    ws.send('40/ws,');
    ws.send('42/ws,1["subscribe",{"room":"session:flood"}]');
    await waitFor(() => ws.packets.some((text) => text.startsWith('43/ws,1')), 'the answer');
    ws.pause();
    await flood(small, 'session:flood', 6000, 1500);
    ws.resume();
    await waitFor(() => numbers(ws.packets).length >= 6000, 'all events', ms(20000));
    assert.deepEqual(numbers(ws.packets), range(6000));
    ws.terminate();
});

test('a session that is polled seldom misses nothing', async (t) => {
    const small = await startServer({ t, config: { limits: { queue: '64KiB' } } });
    const { sid } = await handshake(small);
    await post(small, sid, '40/ws,\x1e42/ws,1["subscribe",{"room":"session:flood"}]');
    await flood(small, 'session:flood', 1000, 1000);
    const seen = [];
    while (seen.length < 1000) seen.push(...numbers((await poll(small, sid)).text.split('\x1e')));
    assert.deepEqual(seen, range(1000));
});

// ---- Transport ----

test('pings are answered by the client, and whoever does not is gone', async (t) => {
    const quick = await startServer({ t, config: { rooms: { ping_interval: '100ms', ping_timeout: '300ms' } } });
    const socket = await connect(t, quick);
    const ws = await raw(quick);
    assert.equal(ws.handshake.pingInterval, 100);
    assert.equal(ws.handshake.pingTimeout, 300);
    ws.send('40');
    await end(ws);
    assert.ok(socket.connected);
});

test('who connects to no namespace is closed', async (t) => {
    const quick = await startServer({ t, config: { rooms: { connect_timeout: '100ms' } } });
    const ws = await raw(quick);
    assert.equal(await end(ws), 1000);
});

for (const [what, text] of [
    ['an unknown Engine.IO packet', '9'], ['an empty message', ''], ['a ping', '2'], ['an upgrade', '5'],
    ['an unknown Socket.IO packet', '4abc'], ['malformed JSON', '42["a'], ['an event without a name', '42{}'],
    ['an event before CONNECT', '42["subscribe",{"room":"global"}]'], ['a reserved event', '42["disconnect"]'],
    ['a malformed id', '421a["x"]'], ['attachments without end', '499999-["a"]'],
]) {
    test(`${what} ends the connection`, async () => {
        const ws = await raw();
        ws.send(text);
        assert.equal(await end(ws), 1002);
    });
}

test('attachments that were not announced end the connection', async () => {
    const ws = await raw();
    ws.send('40');
    ws.send(Buffer.from([1]));
    assert.equal(await end(ws), 1002);
});

test('a message above rooms.max_payload is refused', async (t) => {
    const small = await startServer({ t, config: { rooms: { max_payload: 2048 } } });
    const ws = await raw(small);
    assert.equal(ws.handshake.maxPayload, 2048);
    ws.send(`42["ping","${'x'.repeat(4000)}"]`);
    assert.equal(await end(ws), 1009);
});

test('handshakes that are none get an error of Engine.IO', async () => {
    const refused = async (query) => {
        const { status, json } = await server.get(`/socket.io/?${query}`);
        assert.equal(status, 400);
        return json;
    };
    assert.deepEqual(await refused('EIO=3&transport=websocket'), { code: 5, message: 'Unsupported protocol version' });
    assert.deepEqual(await refused('transport=websocket'), { code: 5, message: 'Unsupported protocol version' });
    assert.deepEqual(await refused('EIO=4&transport=pigeon'), { code: 0, message: 'Transport unknown' });
    assert.deepEqual(await refused('EIO=4'), { code: 0, message: 'Transport unknown' });
    assert.deepEqual(await refused('EIO=4&transport=websocket'), { code: 3, message: 'Bad request' });
    assert.deepEqual(await refused('EIO=4&transport=polling&sid=nobody'), { code: 1, message: 'Session ID unknown' });
    assert.deepEqual(await refused('EIO=4&transport=polling&sid=ff345678901234567890'), { code: 1, message: 'Session ID unknown' });
    const answer = await server.request('/socket.io/?EIO=4&transport=polling', { method: 'PUT' });
    assert.deepEqual(answer.json, { code: 2, message: 'Bad handshake method' });
});

test('a plain WebSocket at /ws is still a channels client', async () => {
    const ws = await server.open('/ws');
    assert.equal((await ws.next()).type, 'response');
});

test('the server goes: the transport ends, so that clients come back', async (t) => {
    const going = await startServer({ t });
    const socket = await connect(t, going);
    const gone = once(socket, 'disconnect');
    going.stop();
    const [reason] = await within(gone, 'the disconnect');
    assert.equal(reason, 'transport close');
});
