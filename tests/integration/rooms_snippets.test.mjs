// The agent platform's clients as they were written, in Node: only the server's address is replaced.
// In a browser they run in tests/browser/rooms.test.mjs, where not even that is.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import React, { createElement } from 'react';
import renderer from 'react-test-renderer';
import { io } from 'socket.io-client';
import { ms, startServer, test, waitFor, within } from './harness.mjs';
import { Proxy } from './proxy.mjs';
import * as snippets from './rooms_snippets.mjs';
import { bearer, mint, now, secret } from './tokens.mjs';

const project = '550e8400-e29b-41d4-a716-446655440000';
const other = '660e8400-e29b-41d4-a716-446655440001';
const room = `project:${project}`;
const admin = bearer(mint({ sub: 'platform', role: 'admin' }));

const server = await startServer({ env: { JWT_SECRET_KEY: secret } });

async function publish(topic, type, data, where = server) {
    const answer = await where.post('/api/v1/publish', { topic, type, data, source: 'project_service' }, admin);
    assert.equal(answer.status, 200, answer.text);
}

const updated = (name, id = project) => publish(`project:${id}`, 'project.updated', {
    project_id: id, project_name: name, repository_url: 'https://github.com/user/ai-agent-framework', status: 'active',
    updated_by: other, changes: { status: 'updated', fields: ['status'] },
});

const inRoom = async (topic, where = server) =>
    (await where.get(`/api/v1/topics/${encodeURIComponent(topic)}/presence`, admin)).json?.count ?? 0;
const until = (topic, count, where) => waitFor(async () => (await inRoom(topic, where)) === count, `${count} in ${topic}`);

const here = (text, where = server) => text.replaceAll('http://localhost:8000', where.url);

/** Runs lines that know these names. */
function run(lines, names) {
    return new Function(...Object.keys(names), lines)(...Object.values(names));
}

/** A console that keeps what it is told. */
function keeper() {
    const told = [];
    return { told, log: (...words) => told.push(words) };
}

function connect(t, where, token, options = {}) {
    const socket = io(`${where.url}/ws`, { transports: ['websocket'], forceNew: true, reconnectionDelay: 20, auth: { token }, ...options });
    t.after(() => leave(socket));
    return socket;
}

const leave = (socket) => socket.removeAllListeners('disconnect').disconnect();

const connected = (socket) => within(once(socket, 'connect'), 'Socket.IO to connect');

test('connecting, subscribing, unsubscribing', async (t) => {
    const console = keeper();
    globalThis.snippetConsole = console;
    const { socket } = await snippets.load(here(snippets.connecting)
        .replace('your-jwt-token', mint({ sub: other })).replace('const socket', 'const console = snippetConsole;\nexport const socket'));
    t.after(() => socket.disconnect());
    await waitFor(() => console.told.length === 1, 'the greeting');
    assert.match(console.told[0].join(' '), /^Connected: \S+$/);
    run(snippets.subscribing, { socket, console });
    await waitFor(() => console.told.length === 2, 'the answer');
    assert.equal(console.told[1][0].status, 'success');
    await updated('Subscribed');
    await waitFor(() => console.told.length === 3, 'the update');
    assert.equal(console.told[2][0], 'Project updated:');
    assert.equal(console.told[2][1].project_name, 'Subscribed');
    run(snippets.debugRooms, { socket, console });
    await waitFor(() => console.told.length === 4, 'the rooms');
    assert.deepEqual(console.told[3][0].rooms.sort(), ['global', room, `user:${other}`]);
    run(snippets.unsubscribing, { socket });
    await until(room, 0);
    socket.disconnect();
    assert.deepEqual(console.told[4], ['Disconnected']);
});

test('several events, each with one argument', async (t) => {
    const console = keeper();
    const socket = connect(t, server, mint({ sub: 'ada' }));
    await connected(socket);
    run(snippets.severalEvents, { socket, console });
    await within(socket.emitWithAck('subscribe', { room }), 'the subscription');
    await updated('Several');
    const agent = { agent_id: other, agent_name: 'GPT-4', status: 'online', availability: 85 };
    await publish('global', 'agent.status_changed', agent);
    await publish(room, 'workflow.progress', { workflow_id: other, status: 'running', progress: 50, current_step: 'Step 2', total_steps: 5 });
    await waitFor(() => console.told.length === 3, 'all three');
    assert.deepEqual(console.told.map(([name]) => name), ['project.updated:', 'agent.status_changed:', 'workflow.progress:']);
    assert.deepEqual(console.told[1][1].data, agent);
    assert.equal(console.told[1][1].source, 'project_service');
});

// ---- React ----

globalThis.IS_REACT_ACT_ENVIRONMENT = false;

test('the React hook: updates, another project, the end', async (t) => {
    globalThis.localStorage = { getItem: (name) => (name === 'jwt_token' ? mint({ sub: 'grace' }) : null) };
    const { useProjectUpdates } = await snippets.load(here(snippets.reactHook));
    const seen = [];
    const Project = ({ id }) => {
        seen.push(useProjectUpdates(id));
        return null;
    };
    const root = renderer.create(createElement(Project, { id: project }));
    t.after(() => root.unmount());
    await until(room, 1);
    assert.equal(seen.at(-1), null);
    await updated('Hooked');
    await waitFor(() => seen.at(-1)?.project_name === 'Hooked', 'the update in the component');
    root.update(createElement(Project, { id: other }));
    await until(`project:${other}`, 1);
    await until(room, 0);
    await updated('Not looked at');
    await updated('The other one', other);
    await waitFor(() => seen.at(-1)?.project_name === 'The other one', 'the other project');
    assert.ok(!seen.some((each) => each?.project_name === 'Not looked at'));
    root.unmount();
    await until(`project:${other}`, 0);
});

test('unsubscribing on cleanup', async (t) => {
    const socket = connect(t, server, mint({ sub: 'ada' }));
    await connected(socket);
    await within(socket.emitWithAck('subscribe', { room }), 'the subscription');
    assert.equal(await inRoom(room), 1);
    const Watcher = () => {
        run(snippets.unsubscribeOnCleanup, { useEffect: React.useEffect, socket, room });
        return null;
    };
    const root = renderer.create(createElement(Watcher));
    await waitFor(() => root.toJSON() === null, 'the component');
    // Effects run after the component is there; what comes behind them in order shows that they have.
    await new Promise((resolve) => setImmediate(resolve));
    root.unmount();
    await until(room, 0);
    assert.ok(socket.connected);
});

// ---- Coming back ----

test('auto-reconnect with a fresh token, when the old one has expired', async (t) => {
    const strict = await startServer({ t, env: { JWT_SECRET_KEY: secret }, config: { jwt: { grace: '200ms' } } });
    const socket = connect(t, strict, mint({ sub: 'ada', exp: now() - 3 })); // with 5 s of leeway: in a second or two
    const kept = new Map();
    const fresh = mint({ sub: 'ada' });
    const reasons = [];
    socket.on('disconnect', (reason) => reasons.push(reason));
    const steps = [];
    socket.on('step', (event) => steps.push(event.data.n));
    run(snippets.autoReconnect, {
        socket,
        refreshToken: async () => {
            await publish(room, 'step', { n: 2 }, strict);
            return fresh;
        },
        localStorage: { setItem: (name, value) => kept.set(name, value) },
    });
    await connected(socket);
    await within(socket.emitWithAck('subscribe', { room }), 'the subscription');
    await publish(room, 'step', { n: 1 }, strict);
    await connected(socket);
    assert.deepEqual(reasons, ['io server disconnect']);
    assert.equal(socket.recovered, true, 'its rooms are still its own');
    assert.equal(kept.get('jwt_token'), fresh);
    await publish(room, 'step', { n: 3 }, strict);
    await waitFor(() => steps.length >= 3, 'all steps');
    assert.deepEqual(steps, [1, 2, 3]);
    leave(socket); // before its server goes, which it would take for a reason to ask for a token
});

test('auto-reconnect when the connection is cut: one connection, nothing lost', async (t) => {
    const proxy = await Proxy.start(t, server.port);
    const socket = connect(t, proxy, mint({ sub: 'ada' }));
    const steps = [];
    socket.on('step', (event) => steps.push(event.data.n));
    let n = 0;
    run(snippets.autoReconnect, {
        socket,
        refreshToken: async () => {
            await publish('project:cut', 'step', { n: ++n });
            return mint({ sub: 'ada' });
        },
        localStorage: { setItem() {} },
    });
    await connected(socket);
    await within(socket.emitWithAck('subscribe', { room: 'project:cut' }), 'the subscription');
    for (let round = 0; round < 3; round++) {
        await publish('project:cut', 'step', { n: ++n });
        const back = connected(socket);
        proxy.cut();
        await back;
        assert.equal(socket.recovered, true);
        assert.equal(await inRoom('project:cut'), 1);
    }
    await waitFor(() => steps.length >= n, 'all steps');
    assert.deepEqual(steps, [1, 2, 3, 4, 5, 6]);
});

test('a refused token leads to the login', async (t) => {
    const window = { location: { href: '/' } };
    const socket = connect(t, server, 'no token at all', { reconnection: false });
    run(snippets.connectionErrors, { socket, window });
    await waitFor(() => window.location.href === '/login', 'the login');
});

// ---- Python, asynchronous ----

const script = fileURLToPath(new URL('rooms_async_client.py', import.meta.url));

for (const [transports, last] of [['polling', 'polling'], ['websocket', 'websocket'], ['polling,websocket', 'websocket']]) {
    test(`an asynchronous client in Python over ${transports}, whose handlers take one argument`, async (t) => {
        const topic = `project:async-${transports.replace(',', '-')}`;
        const child = spawn('/usr/bin/python3', [script, server.url, transports, topic, mint({ sub: 'ada' })], { stdio: ['ignore', 'pipe', 'pipe'] });
        t.after(() => child.kill());
        const said = [];
        let complaints = '';
        createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)));
        child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text));
        const ended = once(child, 'close');
        const saw = (what) => waitFor(() => said.find((line) => line.what === what), `${what}: ${complaints}`, ms(15000));
        assert.equal((await saw('established')).event.data.user_id, 'ada');
        assert.equal((await saw('answer')).answer.status, 'success');
        await publish(topic, 'made.up', { text: 'ä' });
        await publish('global', 'marker', {});
        const { event } = await saw('event');
        assert.equal(event.room, topic);
        assert.deepEqual(event.data, { text: 'ä' });
        assert.deepEqual((await saw('any')).event.type, 'marker');
        assert.equal((await saw('pong')).event.type, 'pong');
        assert.equal((await saw('transport')).name, last);
        assert.deepEqual(await within(ended, 'its end'), [0, null], complaints);
        assert.doesNotMatch(complaints, /TypeError|Traceback/);
    });
}

test('an asynchronous client in Python with a bad token', async (t) => {
    const child = spawn('/usr/bin/python3', [script, server.url, 'websocket', 'global', 'x'], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.after(() => child.kill());
    const said = [];
    createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)));
    assert.deepEqual(await within(once(child, 'close'), 'its end', ms(15000)), [3, null]);
    assert.equal(said[0].event.data.content.reason, 'token malformed');
});
