// Dialect `rooms`: sockets and users that come back, to several rooms, to a server that was killed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { range, startServer, test, waitFor, within } from './harness.mjs';
import { bearer, mint, secret } from './tokens.mjs';

/** Ends the server at once and starts another on its directory and port. */
async function kill(t, server, options = {}) {
    server.mayEndBadly = true;
    await server.stop('SIGKILL');
    return startServer({ t, directory: server.directory, listen: `127.0.0.1:${server.port}`, ...options });
}

// ---- A client by hand, which loses what the test wants to be lost ----

const query = (sid) => `/socket.io/?EIO=4&transport=polling${sid ? `&sid=${sid}` : ''}`;

/** A Socket.IO client on polling: it gets what it polls for, and knows the offset behind it. */
class Client {
    offset = undefined;
    pid = undefined;
    numbers = []; // of the events, as they came
    acks = 0;

    constructor(server) {
        this.server = server;
    }

    async #post(body) {
        const { text } = await this.server.post(query(this.sid), body, { 'Content-Type': 'text/plain' });
        assert.equal(text, 'ok');
    }

    #take(text) {
        for (const packet of text.split('\x1e')) {
            if (packet.startsWith('40/ws,')) {
                const { pid } = JSON.parse(packet.slice('40/ws,'.length));
                this.recovered = pid === this.pid;
                this.pid = pid;
            } else if (packet.startsWith('43/ws,')) {
                assert.match(packet, /"status":"success"/);
                this.acks++;
            } else if (packet.startsWith('42/ws,')) {
                const [name, event, offset] = JSON.parse(packet.slice('42/ws,'.length));
                assert.notEqual(name, 'gap', packet);
                if (name === 'step') this.numbers.push(event.data.n);
                if (offset) this.offset = offset;
            }
        }
    }

    async poll({ lost = false } = {}) {
        const { text, status } = await this.server.get(query(this.sid));
        assert.equal(status, 200, text);
        if (!lost) this.#take(text);
    }

    async connect() {
        const { text } = await this.server.get(query());
        this.sid = JSON.parse(text.slice(1)).sid;
        const known = this.pid ? { pid: this.pid, offset: this.offset } : {};
        await this.#post(`40/ws,${JSON.stringify({ recovery: true, ...known })}`);
        this.recovered = undefined;
        while (this.recovered === undefined) await this.poll();
    }

    subscribe(room, since) {
        return this.#post(`42/ws,1${JSON.stringify(['subscribe', { room, since }])}`);
    }
}

/** Numbers from 0 on that are the same each time. */
function randomOf(seed) {
    let state = seed * 2654435761 % 2 ** 32;
    return (below) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor(state / 2 ** 32 * below);
    };
}

const filling = 'x'.repeat(1500); // a poll gives some 80 events

/**
 * A client follows three rooms one after the other from their beginning, while events come to them,
 * some to two rooms, and is cut off again and again; answers to polls are lost with that. Every
 * event comes once. sure: it waits until it knows that it is in a room.
 */
async function wander(server, seed, { cut, sure = false }) {
    const random = randomOf(seed);
    const rooms = ['a', 'b', 'c'].map((name) => `project:${name}${seed}`);
    let n = 0;
    const publish = async (count) => {
        const lines = range(count).map(() => {
            const room = random(3);
            const topics = random(4) ? [rooms[room]] : [rooms[room], rooms[(room + 1) % 3]];
            return JSON.stringify({ topics, type: 'step', data: { n: n++, filling } });
        });
        const { status } = await server.post('/api/v1/publish', lines.join('\n'), { 'Content-Type': 'application/x-ndjson' });
        assert.equal(status, 200);
    };
    await publish(300);
    const client = new Client(server);
    await client.connect();
    const left = [...rooms];
    const joined = () => left.length === 0;
    /** Something that the client gets, so that its poll is answered. */
    const stir = () => (joined() && random(2) ? publish(1) : server.publish({ topic: 'global', type: 'tick', data: {} }));
    for (let step = 0; step < 24 || !joined(); step++) {
        const what = random(7);
        if (what === 0) await publish(random(30));
        if (what === 1 && left.length) {
            const { acks } = client;
            await client.subscribe(left.shift(), 0);
            while (sure && client.acks === acks) await client.poll();
        }
        if (what === 2 || what === 3) await stir().then(() => client.poll());
        if (what >= 4) {
            if (random(2)) await stir().then(() => client.poll({ lost: true }));
            server = client.server = await cut(server);
            await client.connect();
            assert.equal(client.recovered, true);
        }
    }
    const got = () => new Set(client.numbers).size;
    await publish(1);
    while (got() < n) await client.poll();
    assert.equal(client.numbers.length, n, `doubles: ${client.numbers.filter((each, i) => client.numbers.indexOf(each) !== i)}`);
    return server;
}

for (const engine of ['memory', 'sqlite']) {
    test(`several rooms that were resumed come whole, whenever one is cut off (${engine})`, { timeout: 120000 }, async (t) => {
        const server = await startServer({ t, args: ['--workers', '2', '--engine', engine] });
        for (const seed of range(12)) await wander(server, seed, { cut: async (same) => same });
    });
}

test('several rooms that were resumed come whole, though the server is killed each time', { timeout: 120000 }, async (t) => {
    let server = await startServer({ t });
    for (const seed of range(4)) server = await wander(server, seed + 100, { cut: (before) => kill(t, before), sure: true });
});

// ---- Stock clients ----

async function connect(t, server, { token, ...options } = {}) {
    const socket = io(`${server.url}/ws`, {
        transports: ['websocket'], forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50, auth: { token }, ...options,
    });
    socket.steps = [];
    socket.replays = [];
    socket.on('step', ({ data, replayed }) => (replayed ? socket.replays : socket.steps).push(data.n));
    t.after(() => socket.disconnect());
    await within(once(socket, 'connect'), 'Socket.IO to connect');
    return socket;
}

const ask = (socket, name, ...args) => within(socket.emitWithAck(name, ...args), `the answer to ${name}`);

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    test(`a client on ${transports} is in its rooms again after the server was killed`, async (t) => {
        let server = await startServer({ t });
        const socket = await connect(t, server, { transports });
        const { id } = socket;
        await Promise.all(range(20).map((n) => ask(socket, 'subscribe', { room: `project:${n}` })));
        await ask(socket, 'unsubscribe', { room: 'project:7' });
        const back = once(socket, 'connect');
        server = await kill(t, server); // nothing has come yet
        await server.publish({ topic: 'project:3', type: 'step', data: { n: 0 } });
        await within(back, 'the reconnect');
        assert.equal(socket.recovered, true);
        assert.equal(socket.id, id);
        for (const n of range(20)) await server.publish({ topic: `project:${n}`, type: 'step', data: { n: n + 1 } });
        await waitFor(() => socket.steps.length >= 20, 'the steps');
        assert.deepEqual(socket.steps, range(21).filter((n) => n !== 8));
        const { rooms } = await ask(socket, 'debug:rooms', {});
        assert.equal(rooms.length, 19 + 2);
    });
}

test('a client that was away when the server was killed recovers from the next one', async (t) => {
    let server = await startServer({ t });
    const socket = await connect(t, server, { reconnection: false });
    await ask(socket, 'subscribe', { room: 'project:x' });
    await server.publish({ topic: 'project:x', type: 'step', data: { n: 0 } });
    await waitFor(() => socket.steps.length, 'the first step');
    socket.io.engine.close();
    await waitFor(async () => (await server.metric('fanfare_clients', 'rooms')) === 0, 'the end of the socket');
    await server.publish({ topic: 'project:x', type: 'step', data: { n: 1 } });
    server = await kill(t, server);
    socket.connect();
    await within(once(socket, 'connect'), 'the reconnect');
    assert.equal(socket.recovered, true);
    await waitFor(() => socket.steps.length > 1, 'the missed step');
    assert.deepEqual(socket.steps, [0, 1]);
});

test('whoever left, or comes too late, begins anew after a restart', async (t) => {
    const options = { config: { rooms: { recovery_window: '1s' } } };
    let server = await startServer({ t, ...options });
    const [left, late] = [new Client(server), new Client(server)];
    for (const client of [left, late]) await client.connect();
    const { pid, offset } = left;
    await server.post(query(left.sid), '41/ws,', { 'Content-Type': 'text/plain' });
    await ask(await connect(t, server, { reconnection: false }), 'ping'); // what came before is done
    server = await kill(t, server, options);
    Object.assign(left, { server, pid, offset });
    late.server = server;
    await left.connect();
    assert.equal(left.recovered, false);
    const begun = Date.now();
    await waitFor(() => Date.now() - begun > 1100, 'the window to pass');
    await late.connect();
    assert.equal(late.recovered, false);
});

test('what came to a user is kept over a restart, marked, for every kind of client', async (t) => {
    const options = { env: { JWT_SECRET_KEY: secret } };
    let server = await startServer({ t, ...options });
    const admin = bearer(mint({ sub: 'root', role: 'admin' }));
    const send = (n) => server.post('/api/v1/publish', { topic: 'user:ida', type: 'step', data: { n } }, admin);
    const ida = () => connect(t, server, { reconnection: false, auth: { token: mint({ sub: 'ida' }), recovery: false } });
    const first = await ida();
    await server.post('/api/v1/publish', { topic: 'project:x', type: 'step', data: {} }, admin); // which ends behind what was written of ida
    server = await kill(t, server, options); // it was never connected before, and had got nothing
    await send(0);
    const second = await ida();
    await waitFor(() => second.replays.length, 'what came meanwhile');
    assert.deepEqual(second.replays, [0]);
    second.disconnect();
    await waitFor(async () => (await server.request('/api/v1/topics/user:ida/presence', { headers: admin })).json.connections.length === 0, 'it to be gone');
    await send(1);
    server = await kill(t, server, options);
    await send(2);
    const third = await ida();
    await waitFor(() => third.replays.length === 2, 'what came since');
    assert.deepEqual(third.replays, [1, 2]);
});

// ---- What waits for the disk ----

/** A socket by hand, in /: what it is sent, in order, is in `packets`. */
async function raw(t, server) {
    const ws = new WebSocket(server.ws('/socket.io/?EIO=4&transport=websocket'));
    t.after(() => ws.terminate());
    ws.packets = [];
    ws.on('message', (data) => ws.packets.push(data.toString()));
    await within(once(ws, 'open'), 'the WebSocket');
    /** Sends them together. */
    ws.say = (...packets) => {
        ws._socket.cork();
        for (const packet of packets) ws.send(packet);
        ws._socket.uncork();
    };
    ws.at = async (head) => {
        await waitFor(() => ws.packets.some((packet) => packet.startsWith(head)), head);
        return ws.packets.findIndex((packet) => packet.startsWith(head));
    };
    ws.say('40{"recovery":true}');
    await ws.at('42["connection_established"');
    return ws;
}
const packet = (id, name, data) => `42${id}${JSON.stringify([name, data])}`;

test('answers to subscribe come in order, also to whoever is in the room already', async (t) => {
    const ws = await raw(t, await startServer({ t }));
    ws.say(packet(1, 'subscribe', { room: 'project:a' }), packet(2, 'subscribe', { room: 'project:a' }), packet(3, 'unsubscribe', { room: 'project:a' }));
    assert.ok(await ws.at('431[') < await ws.at('432['));
    assert.ok(await ws.at('432[') < await ws.at('433['));
});

test('a room that is resumed comes behind the answer, also when it is the only one', async (t) => {
    const server = await startServer({ t });
    const ws = await raw(t, server);
    await server.publish({ topic: 'project:a', type: 'step', data: {} });
    ws.say(packet(1, 'unsubscribe', { room: 'global' }), packet(2, 'unsubscribe', { room: 'user:anonymous' }), packet(3, 'subscribe', { room: 'project:a' }));
    await ws.at('433[');
    ws.say(packet(4, 'subscribe', { room: 'project:a', since: 0 }));
    assert.ok(await ws.at('434[') < await ws.at('42["step"'));
});

test('an answer is not given to the socket that comes behind the one that asked', async (t) => {
    const ws = await raw(t, await startServer({ t }));
    ws.say(packet(1, 'subscribe', { room: 'project:a' }), '41', '40{"recovery":true}', packet(2, 'subscribe', { room: 'project:b' }));
    await ws.at('432[');
    assert.ok(!ws.packets.some((each) => each.startsWith('431[')));
});

test('whoever joins rooms misses nothing ephemeral of the others', async (t) => {
    const server = await startServer({ t });
    const ws = await raw(t, server);
    ws.say(packet('', 'subscribe', { room: 'channel:a' }), packet(1, 'subscribe', { room: 'project:a' }));
    await ws.at('431[');
    for (const n of range(50)) {
        ws.say(packet('', 'subscribe', { room: `project:${n}` }));
        await server.publish({ topic: 'channel:a', type: 'tick', data: { n }, ephemeral: true });
    }
    await ws.at('42["tick",{"type":"tick"');
    await waitFor(() => ws.packets.filter((each) => each.startsWith('42["tick"')).length === 50, 'all ticks');
});

test('notes that were damaged keep nobody from starting', async (t) => {
    let server = await startServer({ t });
    const socket = await connect(t, server, { reconnection: false });
    await ask(socket, 'subscribe', { room: 'project:x' });
    await server.publish({ topic: 'project:x', type: 'step', data: { n: 0 } });
    socket.disconnect();
    await server.stop();
    const file = path.join(server.directory, 'data/fanfare.db');
    const root = Number(execFileSync('sqlite3', [file, "SELECT rootpage FROM sqlite_schema WHERE name = 'notes'"]).toString());
    const handle = fs.openSync(file, 'r+');
    fs.writeSync(handle, Buffer.alloc(4096, 0x5a), 0, 4096, (root - 1) * 4096);
    fs.closeSync(handle);
    server = await startServer({ t, directory: server.directory });
    assert.equal((await server.get('/api/v1/topics/project:x/history')).json.offset, 1);
    assert.match(server.stderr(), /not all sockets and users can be read/);
});
