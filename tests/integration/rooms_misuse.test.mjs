// Dialect `rooms` under strain: what attackers and networks do to it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { ms, range, slowness, startServer, test, waitFor, within } from './harness.mjs';
import { Proxy } from './proxy.mjs';
import { bearer, mint, secret } from './tokens.mjs';

const server = await startServer({ args: ['--workers', '2'] });

/** A client; what comes is in `events`, by name and argument. */
async function connect(t, url, { token, ...options } = {}) {
    const socket = io(`${url}/ws`, { transports: ['websocket'], forceNew: true, reconnection: false, auth: { token }, ...options });
    socket.events = [];
    socket.onAny((name, event) => socket.events.push({ name, event }));
    t.after(() => socket.disconnect());
    await within(once(socket, 'connect'), 'Socket.IO to connect');
    return socket;
}

const ask = (socket, name, ...args) => within(socket.emitWithAck(name, ...args), `the answer to ${name}`);
const numbers = (socket, name) => socket.events.filter((each) => each.name === name).map(({ event }) => event.data.n);

async function raw(where, { auth = '', options, head = '/ws,' } = {}) {
    const ws = new WebSocket(where.ws('/socket.io/?EIO=4&transport=websocket'), options);
    ws.packets = [];
    ws.on('message', (data, binary) => ws.packets.push(binary ? data : data.toString()));
    ws.on('error', () => {});
    ws.ended = new Promise((resolve) => ws.on('close', (code) => resolve(code)));
    await within(once(ws, 'open'), 'the WebSocket');
    ws.send(`40${head}${auth}`);
    await waitFor(() => ws.packets.length > 1, 'the answer to CONNECT');
    return ws;
}

const query = (sid) => `/socket.io/?EIO=4&transport=polling${sid ? `&sid=${sid}` : ''}`;
const poll = (where, sid) => where.get(query(sid));
const post = (where, sid, body) => where.post(query(sid), body, { 'Content-Type': 'text/plain' });
const handshake = async (where) => JSON.parse((await poll(where)).text.slice(1)).sid;

// ---- Limits ----

const burst = (count) => range(count).map((n) => `42/ws,${n}["ping"]`).join('\x1e');

test('limits.messages holds on polling: the answer to a post waits', async (t) => {
    const slow = await startServer({ t, config: { limits: { messages: 100, burst: 100 } } });
    const sid = await handshake(slow);
    await post(slow, sid, '40/ws,');
    const begun = Date.now();
    assert.equal((await post(slow, sid, burst(90))).text, 'ok');
    assert.ok(Date.now() - begun < ms(800), 'within the burst it is answered at once');
    assert.equal((await post(slow, sid, burst(100))).text, 'ok');
    assert.ok(Date.now() - begun >= 700, `90 more than the burst take most of a second, not ${Date.now() - begun} ms`);
    const { text } = await poll(slow, sid);
    assert.equal(text.match(/43\/ws,\d+\[/g).length, 190, 'nothing was dropped');
    assert.ok(await slow.metric('fanfare_rate_limited_total') > 0);
});

test('a second post while the first one waits ends the session', async (t) => {
    const slow = await startServer({ t, config: { limits: { messages: 10, burst: 10 } } });
    const sid = await handshake(slow);
    await post(slow, sid, '40/ws,');
    const first = post(slow, sid, burst(200));
    await waitFor(async () => await slow.metric('fanfare_rate_limited_total') > 0, 'the first one to wait');
    assert.equal((await post(slow, sid, '42/ws,["ping"]')).status, 400);
    assert.equal((await first).status, 400);
    assert.equal((await poll(slow, sid)).json.code, 1);
});

test('100,000 joins by one attacker cost the others nothing', { timeout: 120000 }, async (t) => {
    const open = await startServer({ t, args: ['--workers', '1'], config: { limits: { messages: 1000000, burst: 1000000, subscriptions: 100 } } });
    const friend = await connect(t, open.url);
    const attacker = await raw(open);
    await waitFor(() => attacker.packets.length > 2, 'the greeting');
    const before = open.residentMemory();
    const answers = { success: 0, LIMIT: 0 };
    attacker.removeAllListeners('message');
    attacker.on('message', (data) => {
        const text = data.toString();
        if (text === '2') return attacker.send('3');
        const [answer] = JSON.parse(text.slice(text.indexOf('[')));
        answers[answer.code ?? answer.status]++;
    });
    for (let n = 0; n < 100000; n++) {
        attacker.send(`42/ws,${n}["subscribe",{"room":"project:${n}"}]`);
        if (n % 500 === 499) await waitFor(() => answers.success + answers.LIMIT > n - 500, 'the answers');
    }
    await waitFor(() => answers.success + answers.LIMIT === 100000, 'all answers', ms(30000));
    assert.deepEqual(answers, { success: 98, LIMIT: 99902 });
    const begun = Date.now();
    assert.equal((await ask(friend, 'ping')).status, 'success');
    assert.ok(Date.now() - begun < ms(1000));
    const grown = open.residentMemory() - before; // sanitizers keep what was freed
    assert.ok(grown < 16 << 20 || slowness > 1, `${grown} bytes more`);
    attacker.terminate();
});

test('sessions that are opened and left cost nothing for long', async (t) => {
    const quick = await startServer({ t, config: { rooms: { ping_interval: '100ms', ping_timeout: '100ms' } } });
    await Promise.all(range(200).map(() => handshake(quick)));
    await waitFor(async () => await quick.metric('fanfare_clients', 'rooms') === 0, 'their end');
});

test('members called __proto__ are data like others', async () => {
    const ws = await raw(server, { auth: '{"__proto__":{"token":"x"},"constructor":1}' });
    assert.match(ws.packets[1], /^40\/ws,\{"sid"/);
    for (const [n, event] of ['["subscribe",{"__proto__":{"room":"global"}}]', '["__proto__",{"__proto__":1}]', '["constructor"]',
        '["subscribe",{"room":"project:__proto__"}]'].entries()) ws.send(`42/ws,${n}${event}`);
    const answer = async (n) => JSON.parse((await waitFor(() => ws.packets.find((text) => text.startsWith?.(`43/ws,${n}[`)), `answer ${n}`)).slice(`43/ws,${n}`.length))[0];
    assert.equal((await answer(0)).code, 'INVALID_ROOM');
    assert.equal((await answer(1)).code, 'UNKNOWN_EVENT');
    assert.equal((await answer(2)).code, 'UNKNOWN_EVENT');
    assert.equal((await answer(3)).room, 'project:__proto__');
    ws.terminate();
});

for (const [what, packets] of [
    ['a placeholder behind the last attachment', ['451-/ws,["x",{"_placeholder":true,"num":1}]', Buffer.from([1])]],
    ['more attachments than were announced', ['451-/ws,["x",{"_placeholder":true,"num":0}]', Buffer.from([1]), Buffer.from([2])]],
    ['a packet in between', ['452-/ws,["x"]', Buffer.from([1]), '42/ws,["ping"]']],
    ['65 of them', ['4565-/ws,["x"]']],
    ['more bytes than rooms.max_payload together', ['452-/ws,["x"]', Buffer.alloc(600000), Buffer.alloc(600000)]],
    ['an acknowledgement of nothing, malformed', ['43/ws,1{}']],
]) {
    test(`attachments: ${what} ends the session`, async () => {
        const ws = await raw(server);
        for (const packet of packets) ws.send(packet);
        assert.equal(await within(ws.ended, 'the end'), 1002);
    });
}

test('an acknowledgement that nobody asked for is ignored', async () => {
    const ws = await raw(server);
    ws.send('43/ws,99["x"]');
    ws.send('42/ws,1["ping"]');
    await waitFor(() => ws.packets.some((text) => text.startsWith('43/ws,1[')), 'the answer to ping');
    ws.terminate();
});

for (const transports of [['websocket'], ['polling']]) {
    test(`payloads of a megabyte, both ways (${transports})`, async (t) => {
        const socket = await connect(t, server.url, { transports });
        const room = `session:large-${transports}`;
        await ask(socket, 'subscribe', { room });
        const text = 'ä'.repeat(490000);
        await server.publish({ topic: room, type: 'large', data: { text } });
        await waitFor(() => socket.events.some(({ name }) => name === 'large'), 'the event', ms(15000));
        assert.equal(socket.events.find(({ name }) => name === 'large').event.data.text, text);
        const sent = await ask(socket, 'publish', { room, event: 'back', data: { text } });
        assert.equal(sent.status, 'success', JSON.stringify(sent));
        await waitFor(() => socket.events.some(({ name }) => name === 'back'), 'the event', ms(15000));
        assert.equal(socket.events.find(({ name }) => name === 'back').event.data.text, text);
        assert.equal((await ask(socket, 'nothing', Buffer.alloc(400000), { deep: Buffer.alloc(400000) })).code, 'UNKNOWN_EVENT');
    });
}

// ---- Compression ----

test('deflate.rooms compresses events where clients offer it, and is off by default', async (t) => {
    const small = await startServer({ t, config: { deflate: { rooms: true } } });
    const compressed = await raw(small, { options: { perMessageDeflate: true } });
    const plain = await raw(small, { options: { perMessageDeflate: false } });
    assert.match(compressed.extensions, /permessage-deflate/);
    assert.equal(plain.extensions, '');
    assert.equal((await raw(server, { options: { perMessageDeflate: true } })).extensions, '');
    const text = 'the same again and again '.repeat(4000);
    const before = [compressed, plain].map((ws) => ws._socket.bytesRead);
    await small.publish({ topic: 'global', type: 'long', data: { text } });
    for (const ws of [compressed, plain]) {
        const packet = await waitFor(() => ws.packets.find((each) => each.startsWith('42/ws,["long"')), 'the event');
        assert.equal(JSON.parse(packet.slice('42/ws,'.length))[1].data.text, text);
    }
    const [few, many] = [compressed, plain].map((ws, i) => ws._socket.bytesRead - before[i]);
    assert.ok(few < many / 10, `${few} of ${many} bytes`);
    const socket = await connect(t, small.url, { transports: ['polling', 'websocket'], perMessageDeflate: {} });
    await waitFor(() => socket.io.engine.transport.name === 'websocket', 'the upgrade');
    await small.publish({ topic: 'global', type: 'long', data: { text } });
    await waitFor(() => socket.events.some(({ name }) => name === 'long'), 'the event');
    assert.equal(socket.events.find(({ name }) => name === 'long').event.data.text, text);
});

// ---- Connections that are cut ----

const keyed = await startServer({ env: { JWT_SECRET_KEY: secret }, args: ['--workers', '2'] });
const admin = bearer(mint({ sub: 'root', role: 'admin' }));
const tell = (topic, type, n) => keyed.post('/api/v1/publish', { topic, type, data: { n } }, admin);

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    test(`cut off under traffic, a client recovers with nothing lost or doubled (${transports})`, { timeout: 90000 }, async (t) => {
        const proxy = await Proxy.start(t, keyed.port);
        const user = `cut-${transports.join('-')}`;
        const room = `project:${user}`;
        const socket = await connect(t, proxy.url, {
            transports, token: mint({ sub: user }), reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50,
        });
        await ask(socket, 'subscribe', { room });
        const recovered = [];
        socket.on('connect', () => recovered.push(socket.recovered));
        let n = 0;
        let publishing = true;
        const traffic = (async () => {
            while (publishing) {
                for (const answer of await Promise.all([tell(room, 'step', n), tell(`user:${user}`, 'note', n)])) assert.equal(answer.status, 200);
                n++;
            }
        })();
        // On polling a cut may fall between two requests, and then nothing has to be recovered.
        for (let round = 0; recovered.length < 5 && round < 60; round++) {
            const seen = numbers(socket, 'step').length;
            await waitFor(() => numbers(socket, 'step').length > seen + 5, 'traffic', ms(15000));
            proxy.cut();
        }
        publishing = false;
        await traffic;
        await waitFor(() => numbers(socket, 'step').length >= n && numbers(socket, 'note').length >= n, 'all events', ms(15000));
        assert.ok(recovered.length >= 5, `came back ${recovered.length} times`);
        assert.deepEqual(recovered, recovered.map(() => true));
        assert.deepEqual(numbers(socket, 'step'), range(n));
        assert.deepEqual(numbers(socket, 'note'), range(n));
        assert.ok(socket.events.every(({ event }) => !event.replayed), 'nothing came by way of the user\'s replay');
    });
}

test('a client that comes back while its old connection looks alive recovers', async (t) => {
    const proxy = await Proxy.start(t, keyed.port);
    const auth = { token: mint({ sub: 'half-open' }) };
    const packet = (ws, head) => waitFor(() => ws.packets.find((text) => text.startsWith(head)), head);
    const old = await raw({ ws: (target) => proxy.url.replace('http', 'ws') + target }, { auth: JSON.stringify(auth) });
    const { sid, pid } = JSON.parse((await packet(old, '40/ws,')).slice('40/ws,'.length));
    const [, , offset] = JSON.parse((await packet(old, '42/ws,["connection_est')).slice('42/ws,'.length));
    old.send('42/ws,1["subscribe",{"room":"project:half"}]');
    await packet(old, '43/ws,1');
    proxy.silence();
    await tell('project:half', 'step', 1);
    const back = await raw(keyed, { auth: JSON.stringify({ ...auth, pid, offset }) });
    assert.deepEqual(JSON.parse((await packet(back, '40/ws,')).slice('40/ws,'.length)), { sid, pid });
    assert.match(await packet(back, '42/ws,["step"'), /"n":1/);
    const eve = await raw(keyed, { auth: JSON.stringify({ token: mint({ sub: 'eve' }), pid, offset }) });
    assert.notEqual(JSON.parse((await packet(eve, '40/ws,')).slice('40/ws,'.length)).pid, pid, 'others do not take it over');
    back.send('42/ws,2["ping"]');
    await packet(back, '43/ws,2');
    for (const ws of [back, eve]) ws.terminate();
});

test('what a cut swallowed of a user\'s own topic is replayed', async (t) => {
    const proxy = await Proxy.start(t, keyed.port);
    const through = { ws: (target) => proxy.url.replace('http', 'ws') + target };
    const auth = JSON.stringify({ token: mint({ sub: 'kim' }), recovery: false });
    const notes = (ws) => ws.packets.filter((text) => text.startsWith?.('42/ws,["note"')).map((text) => JSON.parse(text.slice('42/ws,'.length))[1]);
    const first = await raw(through, { auth });
    await tell('user:kim', 'note', 0);
    await waitFor(() => notes(first).length === 1, 'the first note');
    proxy.silence(); // the system takes what is sent, and nobody gets it
    for (const n of [1, 2, 3]) await tell('user:kim', 'note', n);
    proxy.cut();
    proxy.silence(false);
    await waitFor(async () => (await keyed.request('/api/v1/topics/user:kim/presence', { headers: admin })).json.connections.length === 0, 'its end');
    const second = await raw(through, { auth });
    await waitFor(() => notes(second).some(({ data }) => data.n === 3), 'the replay');
    const swallowed = notes(second).filter(({ data }) => data.n > 0);
    assert.deepEqual(swallowed.map(({ data, replayed }) => [data.n, replayed]), [[1, true], [2, true], [3, true]]);
    second.send('41/ws,');
    second.close();
    await within(second.ended, 'its goodbye');
    await waitFor(async () => (await keyed.request('/api/v1/topics/user:kim/presence', { headers: admin })).json.connections.length === 0, 'its end');
    const third = await raw(keyed, { auth });
    await tell('user:kim', 'note', 4);
    await waitFor(() => notes(third).length, 'the next note');
    assert.deepEqual(notes(third).map(({ data }) => data.n), [4], 'after a goodbye nothing comes again');
    third.terminate();
});

// ---- Python, asynchronous ----

const script = fileURLToPath(new URL('rooms_async_bytes.py', import.meta.url));

for (const transports of ['polling', 'websocket', 'polling,websocket']) {
    test(`an asynchronous client in Python over ${transports}`, async (t) => {
        const room = `project:async-${transports.replace(',', '-')}`;
        const child = spawn('/usr/bin/python3', [script, server.url, transports, room], { stdio: ['ignore', 'pipe', 'inherit'] });
        t.after(() => child.kill());
        const said = [];
        createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)));
        const ended = new Promise((resolve) => child.on('close', resolve));
        const saw = (what) => waitFor(() => said.find((line) => line.what === what), what);
        assert.equal((await saw('answer')).answer.status, 'success');
        assert.equal((await saw('established')).event.type, 'connection.established');
        await server.publish({ topic: room, type: 'made.up', data: { text: 'ä' } });
        assert.deepEqual((await saw('event')).event.data, { text: 'ä' });
        assert.equal((await saw('transport')).name, transports.split(',').at(-1));
        assert.equal(await within(ended, 'its end'), 0);
    });
}
