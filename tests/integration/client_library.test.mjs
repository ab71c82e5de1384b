// The client library, as the server serves it, against the server: streams that lose nothing.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import WebSocket from 'ws';
import {
    flood, ms, range, startServer, temporaryDirectory, test, uniqueName, waitFor, within,
} from './harness.mjs';
import { Proxy } from './proxy.mjs';

const transports = ['websocket', 'sse'];
const backoff = { min: 5, max: 40 };
const server = await startServer();
const file = path.join(temporaryDirectory(), 'fanfare.mjs');
fs.writeFileSync(file, (await server.get('/fanfare.js')).text);
const { Fanfare, FanfareError } = await import(pathToFileURL(file));

/** A client of the server behind a URL, with short waits. */
const connect = (url, options = {}) => new Fanfare(url, { WebSocket, backoff, ...options });

/** Follows a stream: what it said is in lists under the names of its events. */
function follow(t, stream) {
    const seen = { stream };
    for (const name of ['event', 'state', 'connection', 'gap', 'message', 'error']) {
        seen[name] = [];
        stream.on(name, (detail) => seen[name].push(detail));
    }
    t.after(() => stream.close());
    return seen;
}

const isOpen = (stream) => waitFor(() => stream.connection.phase === 'open', 'the stream to open', ms(10000));
const offsets = (events) => events.map((event) => event.offset);
const upTo = (count) => range(count).map((n) => n + 1);
const phases = (seen) => seen.connection.map(({ phase }) => phase);

test('pages of any origin may load the module', async () => {
    const allowed = async (origin) => (await server.get('/fanfare.js', { Origin: origin })).headers['access-control-allow-origin'];
    assert.equal(await allowed('https://elsewhere.example'), '*');
    assert.equal(await allowed('http://localhost:5173'), 'http://localhost:5173');
});

// ---- Following ----

for (const transport of transports) {
    test(`${transport}: state, events and their fields`, async (t) => {
        const session = uniqueName();
        const fanfare = connect(server.url, { transport });
        await fanfare.publish(`session:${session}`, 'build_progress', { total: 4, completed: 1 });
        const seen = follow(t, fanfare.session(session, { state: true }));
        await waitFor(() => seen.state.length, 'the state');
        assert.equal(seen.state[0].offset, 1);
        assert.equal(seen.state[0].session_id, session);
        assert.deepEqual(seen.state[0].build_progress, { total: 4, completed: 1, percent: 25 });
        const answer = await fanfare.publish(`session:${session}`, 'tick', { type: 'x', n: 1 }, { id: 'once', key: 'k', source: 'me' });
        await waitFor(() => seen.event.length, 'the event');
        const { cursor, ...event } = seen.event[0];
        assert.deepEqual(event, {
            topic: `session:${session}`, type: 'tick', time: answer.time, offset: 2, id: 'once', source: 'me', key: 'k',
            data: { type: 'x', n: 1 }, replayed: false,
        });
        assert.equal(seen.stream.cursor, cursor);
        await fanfare.publish(`session:${session}`, 'tick', {}, { ephemeral: true });
        await waitFor(() => seen.event.length === 2, 'the ephemeral event');
        assert.equal(seen.event[1].ephemeral, true);
        assert.equal(seen.stream.cursor, cursor, 'it has no position');
        assert.deepEqual(phases(seen), ['connecting', 'open']);
        assert.equal(seen.connection[1].transport, transport);
        assert.ok(seen.message.every(({ direction, text, time }) => direction === 'in' && JSON.parse(text) && time > 0));
    });

    test(`${transport}: the beginning first, told apart from what happens now`, async (t) => {
        const session = uniqueName();
        const fanfare = connect(server.url, { transport });
        for (const n of range(3)) await fanfare.publish(`session:${session}`, 'tick', { n });
        const seen = follow(t, fanfare.session(session, { since: '0' }));
        await waitFor(() => seen.event.length === 3, 'the past');
        await isOpen(seen.stream);
        await fanfare.publish(`session:${session}`, 'tick', { n: 3 });
        await waitFor(() => seen.event.length === 4, 'the present');
        assert.deepEqual(offsets(seen.event), upTo(4));
        assert.deepEqual(seen.event.map(({ replayed }) => replayed), [true, true, true, false]);
    });

    test(`${transport}: nothing is lost or doubled when connections are cut, also mid-message`, { timeout: 60000 }, async (t) => {
        const session = uniqueName();
        const proxy = await Proxy.start(t, server.port);
        // An odd number of bytes each, so that the cut falls anywhere; some before the first event.
        let connection = 0;
        proxy.budget = () => 300 + (++connection * 7919) % 20000;
        const seen = follow(t, connect(proxy.url, { transport }).session(session, { since: '0' }));
        const count = 1500;
        await flood(server, `session:${session}`, count, 100);
        await waitFor(() => seen.event.length >= count, 'all events', ms(40000));
        assert.deepEqual(offsets(seen.event), upTo(count));
        assert.deepEqual(seen.gap, []);
        assert.deepEqual(seen.error, [], 'half a message is no message');
        assert.ok(proxy.accepted > 15, `${proxy.accepted} connections`);
        // The live tail goes on behind it.
        proxy.budget = () => Infinity;
        proxy.cut();
        await server.publish({ topic: `session:${session}`, type: 'tick', data: {} });
        await waitFor(() => seen.event.length === count + 1, 'the event behind');
        assert.equal(seen.event.at(-1).offset, count + 1);
    });

    test(`${transport}: cut before the first event, the stream goes on where it joined`, async (t) => {
        const session = uniqueName();
        const proxy = await Proxy.start(t, server.port);
        await server.publish({ topic: `session:${session}`, type: 'tick', data: {} });
        const seen = follow(t, connect(proxy.url, { transport }).session(session));
        await isOpen(seen.stream);
        proxy.stop();
        await waitFor(() => phases(seen).includes('waiting'));
        await server.publish({ topic: `session:${session}`, type: 'tick', data: {} });
        await proxy.listen();
        await waitFor(() => seen.event.length, 'the missed event');
        assert.deepEqual(offsets(seen.event), [2]);
        assert.equal(seen.event[0].replayed, true);
        const waiting = seen.connection.find(({ phase }) => phase === 'waiting');
        assert.ok(waiting.retryAt > 0 && waiting.error instanceof FanfareError);
    });

    test(`${transport}: a new life of the server is told as a gap, and its state follows`, async (t) => {
        const first = await startServer({ t, args: ['--engine', 'memory'] });
        const fanfare = connect(first.url, { transport });
        for (const n of range(5)) await fanfare.publish('session:a', 'tick', { n });
        const seen = follow(t, fanfare.session('a', { since: '0' }));
        await waitFor(() => seen.event.length === 5, 'the events');
        await first.stop();
        const second = await startServer({ t, args: ['--engine', 'memory'], listen: `127.0.0.1:${first.port}` });
        await waitFor(() => seen.gap.length && seen.state.length && seen.stream.connection.phase === 'open', 'gap and state', ms(15000));
        assert.deepEqual({ ...seen.gap[0], availableFrom: 0 }, { topic: 'session:a', reason: 'epoch_changed', from: 1, to: 0, availableFrom: 0 });
        await second.publish({ topic: 'session:a', type: 'component_update', data: { component_id: 'x', status: 'completed' } });
        await waitFor(() => seen.event.length === 6, 'an event of the new life');
        assert.equal(seen.event[5].offset, 1);
        // From here on the stream resumes in the new life.
        second.stopping = true;
        seen.stream.reconnect();
        await isOpen(seen.stream);
        assert.equal(seen.gap.length, 1);
        await second.stop();
    });

    test(`${transport}: trimmed history is a gap with its range, and the state`, async (t) => {
        const small = await startServer({ t, config: { topics: { session: { count: 50 } } } });
        const proxy = await Proxy.start(t, small.port);
        const seen = follow(t, connect(proxy.url, { transport }).session('a'));
        await isOpen(seen.stream);
        await small.publish({ topic: 'session:a', type: 'tick', data: {} });
        await waitFor(() => seen.event.length === 1);
        proxy.stop();
        await flood(small, 'session:a', 5000, 10);
        await proxy.listen();
        await waitFor(() => seen.gap.length && seen.state.length, 'gap and state', ms(10000));
        assert.equal(seen.gap[0].reason, 'trimmed');
        assert.equal(seen.gap[0].from, 2);
        assert.equal(seen.state[0].offset, 5001);
        await isOpen(seen.stream);
        await small.publish({ topic: 'session:a', type: 'tick', data: {} });
        await waitFor(() => seen.event.at(-1).offset === 5002, 'the live tail');
        // Every event was seen or is in the gap.
        const after = offsets(seen.event).slice(1);
        assert.deepEqual(after, range(after.length).map((n) => 5003 - after.length + n));
        assert.ok(seen.gap[0].to >= after[0] - 1);
    });

    test(`${transport}: filters hold for what is missed, too, and can be changed`, async (t) => {
        const session = uniqueName();
        const topic = `session:${session}`;
        const fanfare = connect(server.url, { transport });
        const seen = follow(t, fanfare.session(session, { types: ['wanted', 'build_progress'], since: '0' }));
        await fanfare.publish(topic, 'other', {});
        await fanfare.publish(topic, 'wanted', {});
        await waitFor(() => seen.event.length === 1);
        seen.stream.reconnect();
        await fanfare.publish(topic, 'other', {});
        await fanfare.publish(topic, 'error', { error_message: 'always' });
        await waitFor(() => seen.event.length === 2);
        await isOpen(seen.stream);
        seen.stream.setTypes(['other']);
        if (transport === 'websocket') await waitFor(() => seen.message.some(({ text }) => /"subscribed"/.test(text)));
        await fanfare.publish(topic, 'wanted', {});
        await fanfare.publish(topic, 'other', { n: 1 });
        await waitFor(() => seen.event.length === 3);
        await isOpen(seen.stream);
        seen.stream.setTypes();
        await isOpen(seen.stream);
        if (transport === 'websocket') await waitFor(() => seen.message.filter(({ text }) => /"subscribed"/.test(text)).length === 2);
        await fanfare.publish(topic, 'wanted', {});
        await waitFor(() => seen.event.length === 4);
        assert.deepEqual(seen.event.map(({ type }) => type), ['wanted', 'error', 'other', 'wanted']);
    });

    test(`${transport}: a reader that is behind costs no memory and misses nothing`, { timeout: 60000 }, async (t) => {
        const session = uniqueName();
        const proxy = await Proxy.start(t, server.port);
        const count = 6000;
        await flood(server, `session:${session}`, count, 50);
        const stream = connect(proxy.url, { transport }).session(session, { since: '0' });
        t.after(() => stream.close());
        const got = [];
        let waits = 0;
        stream.on('connection', ({ phase }) => (waits += phase === 'waiting'));
        for await (const event of stream) {
            got.push(event.offset);
            if (got.length % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
            if (got.length === count) break;
        }
        assert.deepEqual(got, upTo(count));
        assert.ok(waits > 0, 'the connection never had to wait; the test is too gentle');
    });

    test(`${transport}: a peer that fell silent without a word is noticed`, async (t) => {
        const session = uniqueName();
        const proxy = await Proxy.start(t, server.port);
        const seen = follow(t, connect(proxy.url, { transport, heartbeat: ms(200) }).session(session));
        await isOpen(seen.stream);
        proxy.silence();
        await waitFor(() => seen.connection.some(({ error }) => error?.code === 'timeout'), 'the silence to be noticed');
        await server.publish({ topic: `session:${session}`, type: 'tick', data: {} });
        proxy.silence(false);
        await waitFor(() => seen.event.length === 1, 'the event that was missed');
    });
}

test('a quiet WebSocket is asked for a sign of life, and stays', async (t) => {
    const seen = follow(t, connect(server.url, { heartbeat: ms(80) }).session(uniqueName()));
    await waitFor(() => seen.message.filter(({ text }) => /"pong"/.test(text)).length >= 3, 'three answers');
    assert.deepEqual(phases(seen), ['connecting', 'open']);
});

test('a cursor is good on either transport, in the middle of whatever happens', async (t) => {
    const session = uniqueName();
    const topic = `session:${session}`;
    const flooding = flood(server, topic, 900, 20);
    const got = [];
    let since = '0';
    for (const [i, until] of [[0, 100], [1, 300], [2, 600], [3, 900]]) {
        const stream = connect(server.url, { transport: transports[i % 2] }).session(session, { since });
        for await (const event of stream) {
            got.push(event.offset);
            since = event.cursor;
            if (got.length === until) break;
        }
        stream.close();
    }
    await flooding;
    assert.deepEqual(got, upTo(900));
});

test('several topics in one stream', async (t) => {
    const [a, b] = [`session:${uniqueName()}`, `channel:${uniqueName()}`];
    const fanfare = connect(server.url);
    const proxy = await Proxy.start(t, server.port);
    const seen = follow(t, connect(proxy.url).subscribe([a, b]));
    await isOpen(seen.stream);
    for (const n of range(20)) {
        await fanfare.publish(n % 2 ? a : b, 'tick', { n });
        if (n % 7 === 6) proxy.cut();
    }
    await waitFor(() => seen.event.length >= 20, 'all of them');
    assert.deepEqual(seen.event.map(({ data }) => data.n), range(20));
});

// ---- Talking ----

test('messages to the server: ping, state, objections', async (t) => {
    const session = uniqueName();
    const seen = follow(t, connect(server.url).session(session));
    assert.throws(() => seen.stream.send({ type: 'ping' }), { code: 'not_open' });
    await isOpen(seen.stream);
    assert.ok((await seen.stream.ping()) >= 0);
    seen.stream.requestState();
    await waitFor(() => seen.state.length, 'the state');
    seen.stream.send({ type: 'nonsense' });
    await waitFor(() => seen.error.length, 'the objection');
    assert.equal(seen.error[0].code, 'unknown_type');
    assert.match(seen.error[0].message, /nonsense/);
    assert.ok(seen.message.some(({ direction, text }) => direction === 'out' && text === '{"type":"nonsense"}'));
    assert.deepEqual(seen.event, [], 'an objection is no event');
    const ping = seen.stream.ping();
    seen.stream.close();
    await assert.rejects(ping, { name: 'FanfareError', code: 'closed' });
});

test('handlers can be taken away, and one that throws stops nobody else', async (t) => {
    const session = uniqueName();
    const fanfare = connect(server.url);
    const stream = fanfare.session(session, { since: '0' });
    t.after(() => stream.close());
    const uncaught = [];
    const listeners = process.rawListeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => uncaught.push(error.message));
    t.after(() => listeners.forEach((each) => process.on('uncaughtException', each)));
    const got = [];
    const off = stream.on('event', () => {
        off();
        throw new Error('from a handler');
    });
    stream.on('event', (event) => got.push(event.offset));
    await fanfare.publish(`session:${session}`, 'tick', {});
    await fanfare.publish(`session:${session}`, 'tick', {});
    await waitFor(() => got.length === 2, 'both events');
    assert.deepEqual(uncaught, ['from a handler']);
});

test('closing ends a loop, reconnecting begins again', async (t) => {
    const session = uniqueName();
    const fanfare = connect(server.url);
    const stream = fanfare.session(session, { since: '0' });
    await fanfare.publish(`session:${session}`, 'tick', {});
    assert.equal(stream.connection.attempt, 0, 'it begins when somebody listens');
    const got = [];
    for await (const event of stream) {
        got.push(event.offset);
        stream.close();
    }
    assert.equal(stream.connection.phase, 'closed');
    await fanfare.publish(`session:${session}`, 'tick', {});
    stream.reconnect();
    t.after(() => stream.close());
    for await (const event of stream) {
        got.push(event.offset);
        break;
    }
    assert.deepEqual(got, [1, 2]);
});

test('sessions, state and history', async () => {
    const session = uniqueName();
    const fanfare = connect(server.url);
    assert.equal(await fanfare.state(session), undefined);
    for (const n of range(5)) await fanfare.publish(`session:${session}`, 'tick', { n });
    assert.ok((await fanfare.sessions()).some((each) => each.session_id === session && each.offset === 5));
    assert.equal((await fanfare.state(session)).offset, 5);
    const history = await fanfare.history(`session:${session}`, { since: 2, limit: 2 });
    assert.deepEqual(offsets(history.events), [3, 4]);
    assert.equal(history.offset, 5);
    await assert.rejects(fanfare.history('session:never-was'), { name: 'FanfareError', status: 404, code: 'not_found' });
});

// ---- Publishing ----

test('what is wrong with an event is said, and not tried again', async () => {
    const fanfare = connect(server.url);
    await assert.rejects(fanfare.publish('session:a', 'build_progress', { total: 'many', completed: 1 }), (error) => {
        assert.ok(error instanceof FanfareError);
        assert.equal(error.status, 422);
        assert.match(error.field, /total/);
        assert.match(error.message, /number/);
        return true;
    });
    await assert.rejects(fanfare.publish('nowhere', 'tick', {}), { status: 422 });
});

test('an answer that is lost leads to one event, not two', async (t) => {
    const session = uniqueName();
    const proxy = await Proxy.start(t, server.port);
    let connection = 0;
    proxy.budget = () => (++connection <= 2 ? 10 : Infinity); // the answer's first bytes, then nothing
    const answer = await connect(proxy.url).publish(`session:${session}`, 'tick', {});
    assert.equal(answer.offset, 1);
    assert.equal(proxy.accepted, 3);
    assert.equal((await connect(server.url).history(`session:${session}`)).events.length, 1);
});

test('publishing gives up after its tries', async (t) => {
    const proxy = await Proxy.start(t, server.port);
    proxy.budget = () => 0;
    await assert.rejects(connect(proxy.url).publish('session:a', 'tick', {}, { retries: 2 }),
        { name: 'FanfareError', status: 0, code: 'network' });
    assert.equal(proxy.accepted, 3);
});
