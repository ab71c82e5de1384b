// permessage-deflate turned on: what holds for plain connections holds for compressed ones, and a
// frame is compressed once for all who share it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
    flood, ms, range, startServer, test, uniqueName, waitFor, within,
} from './harness.mjs';

const config = { deflate: { build: true, ide: true, channels: true } };
const server = await startServer({ config, args: ['--workers', '1'] });
const compressed = { perMessageDeflate: { threshold: 0 } };
const fresh = { perMessageDeflate: { threshold: 0, clientNoContextTakeover: true } };
const text = (n) => `${n} the same words again and again `.repeat(100);
const offsets = (count) => range(count).map((n) => n + 1);

async function open(session, options = compressed, query = '', on = server) {
    const client = await on.build(session, query, options);
    assert.match(client.socket.extensions, /permessage-deflate/);
    return client;
}

const say = (session, n, more = {}) => server.publish({
    topic: `session:${session}`, type: 'terminal_output', data: { output: text(n), output_type: 'stdout' }, ...more,
});

/** How much counters grow while act runs. */
async function growth(on, act) {
    const names = ['fanfare_encoded_frames_total', 'fanfare_compressed_frames_total'];
    const read = async () => Promise.all(names.map((name) => on.metric(name)));
    const before = await read();
    await act();
    const after = await read();
    return { encoded: after[0] - before[0], compressed: after[1] - before[1] };
}

test('events in full are compressed, too', async () => {
    const session = uniqueName();
    const client = await open(session, compressed, '?events=full');
    const { compressed: grown } = await growth(server, () => say(session, 1));
    const { data, cursor } = await client.next('terminal_output');
    assert.equal(data.output, text(1));
    assert.ok(cursor);
    assert.equal(grown, 1);
});

test('the dialects of the IDE and the editor compress, too, once for all', async () => {
    const session = uniqueName();
    const clients = [];
    for (const target of [`/ws/${session}`, `/ws/${session}`, '/ws', '/ws']) {
        const client = await server.open(target, compressed);
        assert.match(client.socket.extensions, /permessage-deflate/);
        await client.next();
        clients.push(client);
    }
    for (const [i, client] of clients.slice(2).entries()) {
        client.send({ type: 'subscribe', channel: i ? `${session}/*` : `${session}/a` });
        await client.next();
    }
    const topics = [`session:${session}`, `channel:${session}/a`];
    const { encoded, compressed: grown } = await growth(server, async () => {
        await server.publish({ topics, type: 'note', data: { output: text(1) } });
        for (const client of clients) assert.equal((await client.next()).data.output, text(1));
    });
    assert.deepEqual({ encoded, grown }, { encoded: 2, grown: 2 });
    clients[0].send({ type: 'session_update', data: { text: text(2) } });
    assert.equal((await clients[0].next()).data.original_message.data.text, text(2), 'the echo, too');
    assert.equal((await clients[1].next()).data.text, text(2));
});

test('events, answers, filters and the state arrive as without', async () => {
    const session = uniqueName();
    const client = await open(session);
    await say(session, 1);
    assert.equal((await client.next('terminal_output')).output, text(1));
    assert.deepEqual((await client.ask({ type: 'subscribe', topics: ['progress'] }, 'subscribed')).topics, ['build_progress']);
    await say(session, 2);
    await server.publish({ topic: `session:${session}`, type: 'build_progress', data: { total: 2, completed: 1, pad: text(0) } });
    assert.equal((await client.next()).type, 'build_progress');
    const { status, offset } = await client.ask({ type: 'request_status' }, 'build_status');
    assert.equal(offset, 3);
    assert.equal(status.terminal_tail, text(1) + text(2));
    await client.ask({ type: 'subscribe', topics: ['*'] }, 'subscribed');
    await server.publish({ topic: `session:${session}`, type: 'note', data: { type: 'x', pad: text(0) } });
    assert.equal((await client.next('note')).data.pad, text(0));
    await client.ask('{"type":', 'error');
    assert.equal((await client.close()).code, 1000);
});

for (const [what, options] of Object.entries({ 'as they like': compressed, 'each message anew': fresh })) {
    test(`clients compress ${what}`, async () => {
        const client = await open(uniqueName(), options);
        const { params } = client.socket._extensions['permessage-deflate'];
        assert.equal(params.server_no_context_takeover, true);
        for (const n of range(30)) {
            client.send({ type: 'subscribe', topics: [`type_${n}`, `padding_${'x'.repeat(n)}`] });
            assert.deepEqual((await client.next('subscribed')).topics, [`type_${n}`, `padding_${'x'.repeat(n)}`]);
        }
        // One in fragments, one of no compression at all between them.
        client.socket.send('{"type":"p', { fin: false, compress: true });
        client.socket.send('ing"}', { fin: true });
        await client.next('pong');
        client.socket.send('{"type":"ping"}', { compress: false });
        await client.next('pong');
        client.socket.send('{"type":"ping"}', { compress: true });
        await client.next('pong');
    });
}

test('large messages go both ways; what inflates to more than 1 MiB closes with 1009', async () => {
    const session = uniqueName();
    const client = await open(session);
    const pad = range(20000).map((n) => `${n} ${Math.sin(n)}`).join(' ').slice(0, 500000);
    await server.publish({ topic: `session:${session}`, type: 'large', data: { pad } });
    assert.equal((await client.next('large')).pad, pad);
    client.send({ type: 'ping', pad: 'é'.repeat(500000) });
    await client.next('pong');
    client.send({ type: 'ping', pad: 'x'.repeat(1024 * 1024) });
    assert.equal((await client.expectClose()).code, 1009);
});

test('data that does not compress survives', async () => {
    const session = uniqueName();
    const client = await open(session);
    for (const size of [1024, 65535, 65536, 300000]) {
        const pad = Array.from({ length: size }, () => String.fromCharCode(32 + Math.random() * 0xd000)).join('').slice(0, size / 3);
        await server.publish({ topic: `session:${session}`, type: 'noise', data: { pad } });
        assert.equal((await client.next('noise')).pad, pad);
    }
});

test('resuming by URL and by message is exact', async () => {
    const session = uniqueName();
    const first = await open(session);
    for (const n of range(10)) await say(session, n);
    const seen = await first.take(4);
    first.terminate();
    const { epoch } = first.greeting;
    const again = await open(session, compressed, `?epoch=${epoch}&since=${seen.at(-1).offset}`);
    const missed = await again.until('resumed');
    assert.deepEqual(missed.slice(0, -1).map((m) => m.output), range(6).map((n) => text(n + 4)));
    const late = await open(session);
    late.send({ type: 'resume', epoch, offset: 7 });
    const replayed = await late.until('resumed');
    assert.deepEqual(replayed.slice(0, -1).map((m) => m.offset), [8, 9, 10]);
    await say(session, 10);
    assert.equal((await late.next()).offset, 11);
    assert.equal((await again.next()).offset, 11);
});

test('a slow reader catches up', { timeout: 60000 }, async (t) => {
    const other = await startServer({ t, config: { ...config, limits: { queue: '64KiB' } } });
    const session = uniqueName();
    const client = await open(session, compressed, '', other);
    client.socket.pause();
    const noise = () => Array.from({ length: 12000 }, () => String.fromCharCode(33 + Math.random() * 90)).join('');
    await flood(other, `session:${session}`, 1500, 0, () => ({ data: { pad: noise() } }));
    assert.ok(await other.metric('fanfare_slow_readers_total') > 0, 'nobody was slow; the test is too gentle');
    client.socket.resume();
    const messages = await client.take(1500, ms(30000));
    assert.deepEqual(messages.map((m) => m.offset), offsets(1500));
    await client.ask({ type: 'ping' }, 'pong');
});

test('a frame is built and compressed once for all, filtered or not', async () => {
    const session = uniqueName();
    const crowd = await Promise.all(range(40).map((n) => open(session, n % 2 ? compressed : fresh)));
    for (const client of crowd.slice(0, 10)) await client.ask({ type: 'subscribe', topics: ['terminal'] }, 'subscribed');
    const everybody = (n) => Promise.all(crowd.map(async (client) => {
        assert.equal((await client.next('terminal_output')).output, text(n));
    }));
    assert.deepEqual(await growth(server, () => say(session, 1).then(() => everybody(1))), { encoded: 1, compressed: 1 });
    const plain = await Promise.all(range(10).map(() => server.build(session)));
    crowd.push(...plain);
    assert.deepEqual(await growth(server, () => say(session, 2).then(() => everybody(2))), { encoded: 2, compressed: 1 });
});

test('once for each worker', async (t) => {
    const other = await startServer({ t, config, args: ['--workers', '2'] });
    const session = uniqueName();
    const crowd = await Promise.all(range(40).map(() => open(session, compressed, '', other)));
    const grown = await growth(other, async () => {
        await other.publish({ topic: `session:${session}`, type: 'terminal_output', data: { output: text(1) } });
        await Promise.all(crowd.map((client) => client.next('terminal_output')));
    });
    assert.deepEqual(grown, { encoded: 2, compressed: 2 });
});

test('small messages are not compressed, from the threshold on they are', async (t) => {
    const other = await startServer({ t, config: { deflate: { build: true, threshold: '4KiB' } }, args: ['--workers', '1'] });
    const session = uniqueName();
    const client = await open(session, compressed, '', other);
    const sizes = { 100: 0, 3500: 0, 4500: 1, 100000: 1 };
    for (const [size, count] of Object.entries(sizes)) {
        const grown = await growth(other, async () => {
            await other.publish({ topic: `session:${session}`, type: 'sized', data: { pad: 'x'.repeat(size) } });
            assert.equal((await client.next('sized')).pad.length, Number(size));
        });
        assert.deepEqual(grown, { encoded: 1, compressed: count }, `${size} bytes`);
    }
    const wire = client.socket._socket.bytesRead;
    await other.publish({ topic: `session:${session}`, type: 'sized', data: { pad: 'x'.repeat(900000) } });
    await client.next('sized');
    assert.ok(client.socket._socket.bytesRead - wire < 20000, 'it was not compressed on the wire');
});

test('connections that were compressed once leave nothing behind', async (t) => {
    const other = await startServer({ t, config, args: ['--workers', '1'] });
    const round = async () => {
        const clients = await Promise.all(range(150).map((n) => open(uniqueName(), n % 2 ? compressed : fresh, '', other)));
        for (const client of clients) await client.ask({ type: 'ping', pad: text(1) }, 'pong');
        await Promise.all(clients.map((client) => client.close()));
        await waitFor(async () => (await other.metric('fanfare_clients')) === 0, 'all to be gone');
        return other.residentMemory();
    };
    const sizes = [];
    for (const _ of range(4)) sizes.push(await round());
    assert.ok(sizes[3] - sizes[1] < 3 * 1024 * 1024 || process.env.FANFARE_TEST_SLOWNESS, `${sizes.join(' ')}`);
});

test('a client that asks for no compression gets none', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    assert.equal(client.socket.extensions, '');
    const grown = await growth(server, async () => {
        await say(session, 1);
        await within(once(client.socket, 'message'), 'the event');
    });
    assert.deepEqual(grown, { encoded: 1, compressed: 0 });
});
