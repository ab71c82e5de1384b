// Dialect `rooms` on HTTP long-polling when connections break: requests that something below the client
// sends again, and the stock client, cut off at every point of an exchange.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { Cuts, Traffic } from './cuts.mjs';
import { arrived, ms, range, startServer, test, waitFor, within } from './harness.mjs';
import { Proxy } from './proxy.mjs';
import { bearer, mint, secret } from './tokens.mjs';

const server = await startServer({ args: ['--workers', '2'] });

/** One request to a session, called `t`, on a connection of its own or the agent's: { outgoing, answer }. */
function ask(where, sid, t, { body, agent = false } = {}) {
    const target = `${where.url}/socket.io/?EIO=4&transport=polling${t ? `&t=${t}` : ''}${sid ? `&sid=${sid}` : ''}`;
    const headers = body === undefined ? {} : { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body) };
    const outgoing = http.request(target, { method: body === undefined ? 'GET' : 'POST', headers, agent });
    const answer = new Promise((resolve, reject) => {
        outgoing.on('error', reject);
        outgoing.on('response', async (incoming) => {
            let text = '';
            for await (const piece of incoming.setEncoding('utf8')) text += piece;
            resolve({ status: incoming.statusCode, text });
        });
    });
    answer.catch(() => {});
    outgoing.end(body);
    return { outgoing, answer };
}
const answerOf = (...args) => within(ask(...args).answer, 'an answer');
const poll = (sid, t, options) => answerOf(server, sid, t, options);
const post = (sid, t, body) => answerOf(server, sid, t, { body });

/** A session that is in /ws and has got what it gets at first. */
async function begin(where = server) {
    const { sid } = JSON.parse((await answerOf(where, undefined, 'h')).text.slice(1));
    assert.equal((await answerOf(where, sid, 'c', { body: '40/ws,' })).text, 'ok');
    assert.match((await answerOf(where, sid, 'p')).text, /connection_established/);
    return sid;
}

/** A poll that has reached the server, which has nothing to say to it. */
const waiting = async (where, sid, t) => (await arrived(where, () => ask(where, sid, t))).answer;

const gone = { status: 400, text: '{"code":1,"message":"Session ID unknown"}' };
const acks = (text, id) => [...text.matchAll(new RegExp(`43/ws,${id}\\[`, 'g'))].length;

// ---- What an answer sets free ----

/** A connection on which requests go out without waiting for answers. */
async function pipeline(t, where) {
    const socket = net.connect(where.port, '127.0.0.1');
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    socket.text = '';
    socket.setEncoding('utf8').on('data', (text) => (socket.text += text));
    socket.request = (sid, t, body) => {
        const head = `${body === undefined ? 'GET' : 'POST'} /socket.io/?EIO=4&transport=polling&sid=${sid}&t=${t} HTTP/1.1\r\nHost: 127.0.0.1:${where.port}\r\n`;
        socket.write(body === undefined ? `${head}\r\n` : `${head}Content-Length: ${body.length}\r\n\r\n${body}`);
    };
    return socket;
}

test('requests behind a poll on its connection are taken when it has been answered, each on its own', async (t) => {
    const sid = await begin();
    const socket = await pipeline(t, server);
    for (const n of range(20)) {
        socket.text = '';
        socket.request(sid, `w${n}`);
        socket.request(sid, `x${n}`, `42/ws,${n}["debug:rooms"]`);
        socket.request(sid, `y${n}`);
        assert.equal((await post(sid, `z${n}`, '42/ws,99["ping"]')).text, 'ok');
        await waitFor(() => acks(socket.text, n) && /ok/.test(socket.text), 'the three answers');
        assert.equal(acks(socket.text, 99), 1);
        assert.equal(acks((await poll(sid, `y${n}`)).text, n), 1, 'what is kept is the last answer');
        await post(sid, `s${n}`, '42/ws,98["ping"]');
        await poll(sid, `t${n}`);
    }
});

test('a CONNECT behind a poll that ends because the session moves', async (t) => {
    for (const worker of range(4)) {
        const { sid } = JSON.parse((await answerOf(server, undefined, `h${worker}`)).text.slice(1));
        await post(sid, 'a', '40{"recovery":true}');
        const [, offset] = (await poll(sid, 'b')).text.match(/"([\w-]{22})"\]$/);
        const ws = new WebSocket(server.ws(`/socket.io/?EIO=4&transport=websocket&sid=${sid}`));
        t.after(() => ws.terminate());
        await within(once(ws, 'open'), 'the WebSocket');
        const told = within(once(ws, 'message'), 'the answer to the probe');
        ws.send('2probe');
        assert.equal((await told)[0].toString(), '3probe');
        const socket = await pipeline(t, server);
        socket.request(sid, 'c');
        socket.request(sid, 'd', `40/ws,${JSON.stringify({ recovery: true, pid: 'A'.repeat(20), offset })}`);
        ws.send('5');
        await waitFor(() => /Session ID unknown|ok/.test(socket.text), 'both answers');
    }
    await begin();
});

test('a session that has left its namespace goes over to a WebSocket', async (t) => {
    const { sid } = JSON.parse((await answerOf(server, undefined, 'h')).text.slice(1));
    await post(sid, 'a', '40{"recovery":true}');
    await poll(sid, 'b');
    await post(sid, 'c', '41');
    const ws = new WebSocket(server.ws(`/socket.io/?EIO=4&transport=websocket&sid=${sid}`));
    t.after(() => ws.terminate());
    const packets = [];
    ws.on('message', (data) => packets.push(data.toString()));
    await within(once(ws, 'open'), 'the WebSocket');
    ws.send('2probe');
    await waitFor(() => packets.includes('3probe'), 'the answer to the probe');
    ws.send('5');
    ws.send('40/ws,');
    await waitFor(() => packets.some((each) => each.startsWith('42/ws,["connection_established"')), 'the greeting');
});

// ---- Requests that are sent again ----

test('a poll whose answer was lost is answered the same again, until the next one', async () => {
    const sid = await begin();
    await post(sid, 'a', '42/ws,1["ping"]');
    const first = await poll(sid, 'x');
    assert.equal(acks(first.text, 1), 1);
    await post(sid, 'b', '42/ws,2["ping"]');
    assert.deepEqual(await poll(sid, 'x'), first, 'what came meanwhile is for the next poll');
    assert.deepEqual(await poll(sid, 'x'), first);
    const second = await poll(sid, 'y');
    assert.deepEqual([acks(second.text, 1), acks(second.text, 2)], [0, 1]);
    await post(sid, 'c', '42/ws,3["ping"]');
    const third = await poll(sid, 'x');
    assert.deepEqual([acks(third.text, 1), acks(third.text, 3)], [0, 1], 'a name that is long gone is as good as a new one');
});

test('a poll that waits and is sent again waits on both connections', async (t) => {
    const alone = await startServer({ t });
    const sid = await begin(alone);
    const copies = [];
    for (const _ of range(3)) copies.push(await waiting(alone, sid, 'x'));
    copies[0].outgoing.destroy();
    await answerOf(alone, sid, 'a', { body: '42/ws,1["ping"]' });
    const [one, two] = await Promise.all(copies.slice(1).map(({ answer }) => answer));
    assert.equal(acks(one.text, 1), 1);
    assert.deepEqual(one, two);
    assert.equal((await answerOf(alone, sid, 'b', { body: '42/ws,2["ping"]' })).text, 'ok', 'the session is well');
    assert.equal(acks((await answerOf(alone, sid, 'y')).text, 2), 1);
});

test('a poll may break off and be sent again', async (t) => {
    const alone = await startServer({ t });
    const sid = await begin(alone);
    for (const _ of range(3)) (await waiting(alone, sid, 'x')).outgoing.destroy();
    await answerOf(alone, sid, 'a', { body: '42/ws,1["ping"]' });
    assert.equal(acks((await answerOf(alone, sid, 'x')).text, 1), 1);
});

test('who does not send a poll again that broke off is gone soon', async (t) => {
    const alone = await startServer({ t });
    const sid = await begin(alone);
    (await waiting(alone, sid, 'x')).outgoing.destroy();
    await waitFor(async () => (await alone.metric('fanfare_clients', 'rooms')) === 0, 'the end of the session', ms(8000));
    assert.deepEqual(await answerOf(alone, sid, 'x'), gone);
});

const refusedOne = ['1', '{"code":3,"message":"Bad request"}'];

test('too many copies of a poll, and another one besides, end the session', async () => {
    for (const names of ['xxxxx', 'xy']) {
        const sid = await begin();
        const answers = await Promise.all([...names].map((name) => poll(sid, name)));
        assert.deepEqual([...new Set(answers.map(({ text }) => text))].sort(), refusedOne, names);
        assert.equal(answers.filter(({ status }) => status === 400).length, 1);
        assert.deepEqual(await poll(sid, 'z'), gone);
    }
});

test('where it cannot be told, or the answer was too large to be kept, the session ends', async (t) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const chance = await begin();
    await post(chance, 'a', '42/ws,1["ping"]');
    assert.equal(acks((await poll(chance, 'x', { agent })).text, 1), 1);
    assert.deepEqual(await poll(chance, 'x', { agent }), gone, 'on the connection that got the answer');
    assert.deepEqual(await poll(chance, 'y'), gone);
    await server.publish({ topic: 'project:large', type: 'large', data: { text: 'x'.repeat(70_000) } });
    const sid = await begin();
    await post(sid, 'a', '42/ws,1["subscribe",{"room":"project:large","since":0}]');
    let text = '';
    let n = 0;
    while (text.length < 70_000) ({ text } = await poll(sid, `n${n++}`));
    assert.deepEqual(await poll(sid, `n${n - 1}`), gone);
});

test('a post that is sent again is not taken again', async () => {
    const { sid } = JSON.parse((await poll(undefined, 'h')).text.slice(1));
    for (const _ of range(3)) assert.equal((await post(sid, 'a', '40/ws,')).text, 'ok');
    const { text } = await poll(sid, 'x');
    assert.equal([...text.matchAll(/40\/ws,/g)].length, 1);
    assert.doesNotMatch(text, /44\/ws,/, 'nor is it refused');
    for (const _ of range(3)) assert.equal((await post(sid, 'b', '42/ws,1["ping"]')).text, 'ok');
    assert.equal((await post(sid, 'b', '42/ws,2["ping"]')).text, 'ok', 'two of one millisecond may be called alike');
    const answers = await poll(sid, 'y');
    assert.deepEqual([acks(answers.text, 1), acks(answers.text, 2)], [1, 1]);
    for (const id of [3, 3]) assert.equal((await post(sid, '', `42/ws,${id}["ping"]`)).text, 'ok');
    assert.equal(acks((await poll(sid, 'z')).text, 3), 2, 'without a name each is another');
});

test('a post that is sent again while it waits for limits.messages waits again', async (t) => {
    const slow = await startServer({ t, config: { limits: { messages: 100, burst: 100 } } });
    const sid = await begin(slow);
    const body = range(160).map((n) => `42/ws,${n}["ping"]`).join('\x1e');
    const begun = Date.now();
    const copies = [ask(slow, sid, 'a', { body }), ask(slow, sid, 'a', { body })];
    for (const { answer } of copies) assert.equal((await within(answer, 'ok')).text, 'ok');
    assert.ok(Date.now() - begun >= 400, `60 above the burst take most of a second, not ${Date.now() - begun} ms`);
    let text = '';
    for (let n = 0; !acks(text, 159); n++) text += (await answerOf(slow, sid, `n${n}`)).text;
    for (const id of range(160)) assert.equal(acks(text, id), 1);
});

test('polls alone do not answer a ping', async (t) => {
    const quick = await startServer({ t, config: { rooms: { ping_interval: '100ms', ping_timeout: '200ms' } } });
    const sid = await begin(quick);
    const texts = [];
    for (let n = 0; ; n++) {
        const { status, text } = await answerOf(quick, sid, `n${n}`);
        if (status === 400) break;
        texts.push(text);
        if (n < 3) await answerOf(quick, sid, `p${n}`, { body: '3' });
    }
    assert.ok(texts.filter((text) => text === '2').length >= 4, 'it went on as long as they were answered');
});

// ---- The stock client, cut off ----

const keyed = await startServer({
    env: { JWT_SECRET_KEY: secret }, args: ['--workers', '2'],
    config: { rooms: { ping_interval: '400ms', ping_timeout: '400ms' } },
});
const admin = bearer(mint({ sub: 'root', role: 'admin' }));

async function tell(topic, type, data) {
    const answer = await keyed.post('/api/v1/publish', { topic, type, data }, admin);
    assert.equal(answer.status, 200, answer.text);
}

/** A client in project:<name>, which says something to project:<name>-said every few milliseconds. */
async function talker(t, url, name) {
    const token = mint({ sub: name, publish: [`project:${name}-said`] });
    const socket = io(`${url}/ws`, {
        transports: ['polling'], forceNew: true, auth: { token }, timeout: ms(1000), reconnectionDelay: 10, reconnectionDelayMax: 50,
    });
    t.after(() => socket.disconnect());
    const seen = { steps: [], notes: [], confirmed: [], recovered: [], replayed: 0 };
    socket.onAny((_, event) => (seen.replayed += event.replayed ? 1 : 0));
    socket.on('step', ({ data }) => seen.steps.push(data.n));
    socket.on('note', ({ data }) => seen.notes.push(data.n));
    await within(once(socket, 'connect'), 'Socket.IO to connect');
    assert.equal((await within(socket.emitWithAck('subscribe', { room: `project:${name}` }), 'the subscription')).status, 'success');
    socket.on('connect', () => seen.recovered.push(socket.recovered));
    let spoken = 0;
    const say = (n) => socket.emit('publish', { room: `project:${name}-said`, event: 'said', data: { n } }, () => seen.confirmed.push(n));
    const talking = setInterval(() => socket.connected && say(spoken++), 10);
    t.after(() => clearInterval(talking));
    seen.quiet = () => clearInterval(talking);
    return seen;
}

for (const seed of range(4)) {
    test(`cut off at any point of an exchange: nothing lost, nothing doubled, no standstill (${seed})`, { timeout: 90000 }, async (t) => {
        const name = `talker${seed}`;
        const heard = [];
        const observer = io(`${keyed.url}/ws`, { transports: ['websocket'], forceNew: true, auth: { token: mint({ sub: 'observer' }) } });
        t.after(() => observer.disconnect());
        observer.on('said', ({ data }) => heard.push(data.n));
        await within(once(observer, 'connect'), 'the observer');
        await within(observer.emitWithAck('subscribe', { room: `project:${name}-said` }), 'its room');
        const proxy = await Proxy.start(t, keyed.port);
        const seen = await talker(t, proxy.url, name);
        const traffic = new Traffic((n) => Promise.all([
            tell(`project:${name}`, 'step', { n, pad: n % 50 ? '' : 'x'.repeat(100_000) }), tell(`user:${name}`, 'note', { n }),
        ]));
        const cuts = new Cuts(proxy, seed);
        for (const _ of range(60)) {
            await within(cuts.next(), 'a cut');
            const [steps, confirmed] = [seen.steps.length, seen.confirmed.length];
            await waitFor(() => seen.steps.length > steps + 1 && seen.confirmed.length > confirmed + 1,
                `traffic both ways after a cut ${cuts.last}`, ms(4000));
        }
        const count = await traffic.stop();
        seen.quiet();
        await waitFor(() => seen.steps.length >= count && seen.notes.length >= count, 'all events');
        assert.deepEqual(seen.steps, range(count));
        assert.deepEqual(seen.notes, range(count));
        assert.ok(seen.recovered.length > 10);
        assert.deepEqual(seen.recovered, seen.recovered.map(() => true));
        assert.equal(seen.replayed, 0, 'nothing came by way of the user\'s replay');
        assert.equal(new Set(heard).size, heard.length, 'nothing that was said came twice');
        assert.deepEqual(seen.confirmed.filter((n) => !heard.includes(n)), [], 'what was confirmed was heard');
    });
}
