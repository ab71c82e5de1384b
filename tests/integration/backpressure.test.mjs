// Those who read slower than events come, or not at all: what they get, what they are told, and what
// they cost.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import {
    flood, ms, openEvents, range, RawConnection, slowness, startServer, temporaryDirectory, test, uniqueName,
    upgradeHead, waitFor, within,
} from './harness.mjs';

const MiB = 1024 * 1024;
const offsets = (count) => range(count).map((n) => n + 1);

/** Sanitizers keep freed memory for a while, so only a plain build is measured. */
function expectGrowth(server, before, most) {
    const grown = server.residentMemory() - before;
    if (slowness === 1) assert.ok(grown < most, `grew by ${Math.round(grown / MiB)} MiB`);
}

/** Checks that offsets only grow and that every hole lies in a gap that was told; returns the gaps. */
function expectExplained(messages, last) {
    const gaps = messages.filter((m) => m.type === 'gap');
    const seen = messages.filter((m) => m.offset && m.type !== 'build_status' && m.type !== 'gap').map((m) => m.offset);
    const told = new Set(gaps.flatMap(({ from, to }) => range(to - from + 1).map((n) => from + n)));
    let at = 0;
    for (const offset of seen) {
        assert.ok(offset > at, `offset ${offset} behind ${at}`);
        while (++at < offset) assert.ok(told.has(at), `offset ${at} is missing and no gap tells it`);
    }
    assert.equal(at, last);
    return gaps;
}

// ---- latest ----

const latest = { topics: { session: { slow: 'latest' } }, limits: { queue: '64KiB' } };

test('latest: a slow reader gets the newest of each key, and a gap for the rest', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: latest });
    const session = uniqueName();
    const client = await server.build(session);
    client.socket.pause();
    const [count, keys] = [4000, 7];
    await flood(server, `session:${session}`, count, 4096, (n) => ({ key: `key-${n % keys}` }));
    client.socket.resume();
    const messages = await client.until((m) => m.offset === count, ms(30000));
    const gaps = expectExplained(messages, count);
    assert.ok(gaps.length > 0);
    assert.ok(gaps.every(({ reason }) => reason === 'superseded'), JSON.stringify(gaps));
    assert.ok(messages.length < count / 2, `${messages.length} of ${count} messages came`);
    const newest = messages.filter((m) => m.type === 'flood').slice(-keys).map((m) => m.n);
    assert.deepEqual(newest, range(keys).map((n) => count - keys + n));
    assert.ok(await server.metric('fanfare_dropped_events_total', 'superseded') > 0);

    await server.publish({ topic: `session:${session}`, type: 'tick', data: {} });
    assert.equal((await client.next('tick')).offset, count + 1, 'live again');
});

test('latest: components, features and progress are their own keys, output has none', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: latest });
    const session = uniqueName();
    const client = await server.build(session);
    client.socket.pause();
    const count = 3000;
    const metadata = { pad: 'x'.repeat(4096) };
    const kinds = [
        (n) => ({ type: 'component_update', data: { component_id: `c${n % 2}`, status: 'in_progress', progress: 1, metadata } }),
        (n) => ({ type: 'build_progress', data: { total: count, completed: n, metadata } }),
        (n) => ({ type: 'terminal_output', data: { output: `line ${n}\n`, output_type: 'stdout' } }),
        (n) => ({ type: 'feature_update', data: { feature_id: 'f', status: 'in_progress', progress: n % 100, metadata } }),
    ];
    await flood(server, `session:${session}`, count, 0, (n) => kinds[n % 4](n));
    client.socket.resume();
    const messages = await client.until((m) => m.offset === count, ms(30000));
    expectExplained(messages, count);
    const output = messages.filter((m) => m.type === 'terminal_output').map((m) => m.output);
    assert.deepEqual(output, range(count / 4).map((n) => `line ${4 * n + 2}\n`), 'what has no key is not superseded');
    const progress = messages.filter((m) => m.type === 'build_progress');
    assert.ok(progress.length < count / 8);
    assert.equal(progress.at(-1).completed, count - 3);
});

test('latest: much that has no key costs bounded memory', { timeout: 120000 }, async (t) => {
    const server = await startServer({ t, config: latest });
    const session = uniqueName();
    const readers = await Promise.all(range(12).map(() => server.build(session)));
    for (const reader of readers) reader.socket.pause();
    const [count, size] = [1500, 32 * 1024];
    await flood(server, `session:${session}`, count, size);
    const before = server.residentMemory();
    // Each takes a little and stops again: enough for the server to read on for it.
    for (const reader of readers) {
        reader.socket.on('message', () => reader.received === 700 && reader.socket.pause());
        reader.socket.resume();
    }
    await waitFor(() => readers.every((reader) => reader.received >= 700), 'a part of it', ms(30000));
    assert.ok(readers.every((reader) => reader.received < count), 'all came at once; the test is too gentle');
    expectGrowth(server, before, 60 * MiB);
    for (const reader of readers) reader.socket.resume();
    for (const reader of readers) {
        const messages = await reader.until((m) => m.offset === count, ms(60000));
        assert.deepEqual(messages.map((m) => m.offset), offsets(count));
    }
});

test('latest: what history lost meanwhile is told, too', { timeout: 60000 }, async (t) => {
    const server = await startServer({
        t, config: { ...latest, topics: { session: { slow: 'latest', count: 500 } } },
    });
    const session = uniqueName();
    const client = await server.build(session);
    client.socket.pause();
    const count = 3000;
    await flood(server, `session:${session}`, count, 8192, (n) => (n % 100 ? { key: 'k' } : { key: `once-${n}` }));
    client.socket.resume();
    const messages = await client.until((m) => m.type === 'flood' && m.offset === count, ms(30000));
    const gaps = expectExplained(messages, count);
    assert.deepEqual([...new Set(gaps.map((gap) => gap.reason))].sort(), ['superseded', 'trimmed']);
});

test('latest: the channels search and diagnostics by default, others catch up', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { limits: { queue: '64KiB' } } });
    const payloads = {
        search: { query: 'q', completed: 1, results: [] },
        diagnostics: { diagnostics: [] },
        files: { file: 'a', event: 'change' },
    };
    const read = async (channel) => {
        const stream = await openEvents(t, server, `topic=channel:${channel}`);
        stream.incoming.pause();
        await flood(server, `channel:${channel}`, 900, 32768, () => ({ key: 'k', data: payloads[channel] }));
        stream.incoming.resume();
        const blocks = [];
        while (blocks.at(-1)?.json.offset !== 900) blocks.push(await stream.next());
        return blocks.map((block) => block.json);
    };
    for (const channel of ['search', 'diagnostics']) {
        const seen = await read(channel);
        const gap = seen.find((m) => m.type === 'gap');
        assert.equal(gap?.reason, 'superseded');
        assert.equal(gap.topic, `channel:${channel}`);
        assert.ok(seen.length < 800, `${seen.length}`);
    }
    const all = await read('files');
    assert.deepEqual(all.map((m) => m.offset), offsets(900));
});

// ---- disconnect ----

test('disconnect: the cursor in the reason resumes exactly', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { topics: { session: { slow: 'disconnect' } } } });
    const session = uniqueName();
    const client = await server.build(session);
    client.socket.pause();
    const count = 800;
    await flood(server, `session:${session}`, count, 16384);
    client.socket.resume();
    const { code, reason } = await client.expectClose(ms(20000));
    assert.equal(code, 1013);
    const cursor = /cursor (\S+)$/.exec(reason)?.[1];
    assert.ok(cursor, reason);
    const before = client.queued.map((m) => m.offset);
    assert.ok(before.length > 0 && before.length < count, `${before.length} came`);
    const again = await server.build(session, `?cursor=${cursor}`);
    const missed = await again.until('resumed', ms(20000));
    assert.deepEqual([...before, ...missed.slice(0, -1).map((m) => m.offset)], offsets(count));
    assert.equal(missed.at(-1).missed, count - before.length);
    assert.ok(await server.metric('fanfare_slow_readers_closed_total') >= 1);
});

test('disconnect: an event stream ends, and its last id resumes exactly', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { topics: { session: { slow: 'disconnect' } } } });
    const topic = `session:${uniqueName()}`;
    const stream = await openEvents(t, server, `topic=${topic}`);
    stream.incoming.pause();
    await flood(server, topic, 800, 16384);
    stream.incoming.resume();
    await waitFor(() => stream.ended, 'the end of the stream', ms(20000));
    const before = stream.blocks.filter((block) => block.data);
    assert.ok(before.length < 800);
    const again = await openEvents(t, server, `topic=${topic}`, { 'Last-Event-ID': before.at(-1).id });
    const rest = await again.take(800 - before.length);
    assert.deepEqual([...before, ...rest].map((block) => block.json.offset), offsets(800));
});

// ---- catch-up ----

test('catch-up: an event stream whose position was trimmed is told the exact gap', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { topics: { session: { count: 100 } } } });
    const topic = `session:${uniqueName()}`;
    const stream = await openEvents(t, server, `topic=${topic}`);
    stream.incoming.pause();
    await flood(server, topic, 1500, 32 * 1024);
    stream.incoming.resume();
    const seen = [];
    while (seen.at(-1)?.offset !== 1500) seen.push((await stream.next()).json);
    const gaps = expectExplained(seen, 1500);
    assert.ok(gaps.length > 0 && gaps.every(({ reason, topic: of }) => reason === 'trimmed' && of === topic));
    for (const gap of gaps) {
        assert.equal(seen[seen.indexOf(gap) - 1]?.offset, gap.from - 1);
        assert.equal(seen[seen.indexOf(gap) + 1].offset, gap.to + 1);
    }
});

test('catch-up: a filter holds, and pauses of any length repeat', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { limits: { queue: '64KiB' } } });
    const session = uniqueName();
    const client = await server.build(session);
    await client.ask({ type: 'subscribe', topics: ['wanted'] }, 'subscribed');
    const count = 3000;
    const publishing = flood(server, `session:${session}`, count, 8192, (n) => ({ type: n % 3 ? 'flood' : 'wanted' }));
    const pausing = setInterval(() => (client.socket.isPaused ? client.socket.resume() : client.socket.pause()), 40);
    t.after(() => clearInterval(pausing));
    await publishing;
    clearInterval(pausing);
    client.socket.resume();
    const messages = await client.take(count / 3, ms(30000));
    assert.deepEqual(messages.map((m) => m.n), range(count / 3).map((n) => 3 * n));
    assert.ok(await server.metric('fanfare_slow_readers_total') > 0);
});

test('catch-up: answers come at once in the middle of it', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { limits: { queue: '64KiB' } } });
    const session = uniqueName();
    const client = await server.build(session);
    client.socket.pause();
    await flood(server, `session:${session}`, 1500, 16384);
    client.send({ type: 'ping' }).send({ type: 'request_status' });
    client.socket.resume();
    const messages = await client.until((m) => m.offset === 1500 && m.type === 'flood', ms(30000));
    const place = (type) => messages.findIndex((m) => m.type === type);
    assert.ok(place('pong') > 0 && place('pong') < messages.length - 1, 'the pong waited for history');
    assert.ok(place('build_status') > 0);
    assert.deepEqual(messages.filter((m) => m.type === 'flood').map((m) => m.offset), offsets(1500));
});

// ---- Answers that nobody reads ----

const unlimited = { limits: { messages: 1000000, burst: 10000000 } };

/** A raw WebSocket that does not read; writes are repeated until the server closes or stops reading. */
async function deafWriter(t, server, target, frame) {
    const raw = new RawConnection(server.port);
    t.after(() => raw.destroy());
    raw.write(upgradeHead(target, server.port));
    await raw.expect(/101 Switching/);
    raw.socket.pause();
    const many = Buffer.concat(range(Math.ceil(65536 / frame.length)).map(() => frame));
    let stopped = false;
    const done = (async () => {
        while (!stopped && !raw.isClosed && !raw.socket.destroyed) {
            if (!raw.socket.write(many)) {
                await Promise.race([new Promise((r) => raw.socket.once('drain', r)), new Promise((r) => setTimeout(r, 100))]);
            }
            await new Promise((r) => setImmediate(r));
        }
    })();
    return { raw, stop: () => ((stopped = true), done) };
}

/** A masked frame of a client. */
function frame(opcode, text) {
    const payload = Buffer.from(text);
    assert.ok(payload.length < 65536);
    const head = payload.length < 126 ? Buffer.from([0x80 | opcode, 0x80 | payload.length])
        : Buffer.from([0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 255]);
    return Buffer.concat([head, Buffer.alloc(4), payload]);
}

for (const [what, bytes] of [['pings', frame(9, 'x'.repeat(125))], ['messages', frame(1, '{"type":"ping"}')], ['questions for the state', frame(1, '{"type":"request_status"}')]]) {
    test(`a client that sends ${what} without reading is closed with 1013`, { timeout: 60000 }, async (t) => {
        const server = await startServer({ t, config: unlimited });
        const session = uniqueName();
        await server.publish({ topic: `session:${session}`, type: 'terminal_output', data: { output: 'x'.repeat(60000), output_type: 'stdout' } });
        const neighbour = await server.build(session);
        const before = server.residentMemory();
        const { raw, stop } = await deafWriter(t, server, `/api/build/stream/${session}`, bytes);
        await waitFor(() => server.metric('fanfare_control_overflows_total'), 'the overflow', ms(20000));
        await stop();
        expectGrowth(server, before, 20 * MiB);
        await neighbour.ask({ type: 'ping' }, 'pong');
        raw.socket.resume();
        await raw.expectClose(ms(20000));
        const close = raw.bytes.lastIndexOf(Buffer.from([0x88]));
        assert.ok(close >= 0);
        if (raw.bytes.subarray(-200).includes(Buffer.from([0x03, 0xf5]))) return; // 1013
        assert.equal(raw.error?.code, 'ECONNRESET', 'neither 1013 nor a reset');
    });
}

test('a client may ask for a large state and go on at once', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    await server.publish({ topic: `session:${session}`, type: 'terminal_output', data: { output: '\u0001'.repeat(65536), output_type: 'stdout' } });
    const client = await server.build(session, '?state=1');
    client.socket.pause(); // as on a slow network: answers wait in the server
    await flood(server, `session:${session}`, 300, 16384);
    for (const _ of range(3)) client.send({ type: 'request_status' }).send({ type: 'ping' });
    await server.publish({ topic: `session:${session}`, type: 'tick', data: {} });
    client.socket.resume();
    const messages = await client.until('tick', ms(20000));
    while (messages.filter((m) => m.type === 'pong').length < 3) messages.push(await client.next());
    assert.equal(messages.filter((m) => m.type === 'build_status').length, 4);
});

test('requests sent in advance without reading the answers cost bounded memory', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await flood(server, topic, 200, 16384);
    const before = server.residentMemory();
    const raw = new RawConnection(server.port);
    t.after(() => raw.destroy());
    raw.socket.pause();
    const ask = `GET /api/v1/topics/${topic}/history HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    raw.write(ask.repeat(300));
    await waitFor(async () => await server.metric('fanfare_backlogged_total') > 0);
    await waitFor(async () => (await server.get('/health')).status === 200);
    expectGrowth(server, before, 40 * MiB);
    // Later it gets them all.
    let answers = 0;
    let tail = '';
    raw.socket.removeAllListeners('data');
    raw.socket.on('data', (chunk) => {
        const text = tail + chunk.toString('latin1');
        answers += text.split('HTTP/1.1 200 OK').length - 1;
        tail = text.slice(-14);
    });
    raw.socket.resume();
    await waitFor(() => answers === 300, '300 answers', ms(30000));
});

// Over a unix socket, whose buffers are small: nearly all of the answer waits in the server.
test('a slow download is not cut off as long as it goes on', { timeout: 60000 }, async (t) => {
    const directory = temporaryDirectory();
    const socketPath = path.join(directory, 'fanfare.sock');
    const server = await startServer({ t, directory, listen: `unix:${socketPath}` });
    const topic = `session:${uniqueName()}`;
    await flood(server, topic, 480, 16384);
    for (const connection of ['close', 'keep-alive']) {
        const bytes = await within(new Promise((resolve, reject) => {
            const target = `/api/v1/topics/${topic}/history`;
            http.get({ socketPath, path: target, agent: false, headers: { Connection: connection } }, (incoming) => {
                let count = 0;
                incoming.on('error', reject);
                incoming.on('data', (chunk) => {
                    count += chunk.length;
                    incoming.pause();
                    setTimeout(() => incoming.resume(), 100);
                });
                incoming.on('end', () => resolve(count));
            }).on('error', reject);
        }), 'the whole answer', ms(40000));
        assert.ok(bytes > 480 * 16384, connection);
    }
});

test('publishers that do not read their answers are not read either', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t });
    const before = server.residentMemory();
    const topic = `session:${uniqueName()}`;
    const bad = JSON.stringify({ topic, type: 'tick', data: 7 });
    const socket = await deafWriter(t, server, '/api/v1/publish', frame(1, bad));
    const stream = new RawConnection(server.port);
    t.after(() => stream.destroy());
    stream.socket.pause();
    stream.write('POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000000\r\n\r\n');
    let streamed = 0;
    const lines = `${bad}\n`.repeat(1000);
    while (streamed < 90e6 && stream.socket.writableLength < 4 * MiB) {
        stream.write(lines);
        streamed += lines.length;
        await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(streamed < 90e6, 'the stream was read although its answers were not');
    await waitFor(() => socket.raw.socket.writableLength > MiB, 'the WebSocket to be no longer read', ms(20000));
    await socket.stop();
    expectGrowth(server, before, 60 * MiB);
    assert.equal((await server.get('/health')).status, 200);
});
