// What networks and machines do to a server: vanishing and deaf peers, garbage, crowds, want of
// files and memory.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { execFileSync } from 'node:child_process';
import {
    flood, ms, openEvents, range, RawConnection, slowness, startServer, test, uniqueName, upgradeHead, waitFor,
} from './harness.mjs';

const MiB = 1024 * 1024;

async function presence(server, session) {
    const { json } = await server.get(`/api/v1/topics/session:${session}/presence`);
    return json?.count ?? 0;
}

async function expectHealthy(server) {
    const session = uniqueName();
    const client = await server.build(session);
    await server.publish({ topic: `session:${session}`, type: 'tick', data: {} });
    await client.next('tick');
    await client.close();
}

test('a client that vanishes without a word is forgotten', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const clients = await Promise.all(range(50).map(() => server.build(session)));
    await waitFor(async () => (await presence(server, session)) === 50);
    for (const client of clients) client.socket._socket.resetAndDestroy();
    await waitFor(async () => (await presence(server, session)) === 0, 'all to be forgotten');
    await expectHealthy(server);
});

test('clients that never read cost bounded memory, harm nobody, and later get everything',
    { timeout: 120000 }, async (t) => {
        const server = await startServer({ t });
        const session = uniqueName();
        const topic = `session:${session}`;
        const deaf = await Promise.all(range(20).map(() => server.build(session)));
        for (const client of deaf) client.socket.pause();
        const reader = await server.build(session);
        const [count, size] = [1000, 32 * 1024];
        let seen = 0;
        reader.socket.on('message', () => seen++);

        const before = server.residentMemory();
        await flood(server, topic, count, size);
        await waitFor(() => seen >= count, 'the reading client to have everything');
        const grown = server.residentMemory() - before;
        // History holds the events once; each connection may queue 1 MiB, shared or not.
        const allowed = count * size * 1.5 + 21 * MiB + 40 * MiB * (slowness > 1 ? 4 : 1);
        assert.ok(grown < allowed, `grew by ${Math.round(grown / MiB)} MiB`);

        for (const client of deaf) client.socket.resume();
        for (const client of deaf) {
            const messages = await client.take(count, ms(30000));
            assert.deepEqual(messages.map((m) => m.offset), range(count).map((n) => n + 1));
        }
    });

test('a deaf client whose position was trimmed is told the gap, gets the state and goes on',
    { timeout: 60000 }, async (t) => {
        const server = await startServer({ t, config: { topics: { session: { count: 100 } } } });
        const session = uniqueName();
        const client = await server.build(session);
        client.socket.pause();
        const count = 1500;
        await flood(server, `session:${session}`, count, 32 * 1024);
        client.socket.resume();
        const messages = await client.until((m) => m.offset === count && m.type === 'flood', ms(30000));
        let at = 0;
        let gaps = 0;
        for (const [i, message] of messages.entries()) {
            if (message.type === 'gap') {
                assert.equal(message.reason, 'trimmed');
                assert.equal(message.from, at + 1);
                assert.ok(message.to >= message.from);
                assert.equal(messages[i + 1].type, 'build_status', 'the state follows a gap');
                at = message.to;
                gaps++;
            } else if (message.type === 'flood') {
                assert.equal(message.offset, at + 1, 'a hole that no gap explained');
                at = message.offset;
            }
        }
        assert.ok(gaps > 0, 'nothing was trimmed; the test is too gentle');
        await client.ask({ type: 'ping' }, 'pong');
    });

test('a slow reader of a kind with policy disconnect is closed with 1013', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { topics: { session: { slow: 'disconnect' } } } });
    const session = uniqueName();
    const client = await server.build(session);
    client.socket.pause();
    await flood(server, `session:${session}`, 1000, 32 * 1024);
    client.socket.resume();
    const { code, reason } = await client.expectClose(ms(20000));
    assert.equal(code, 1013);
    assert.notEqual(reason, '', 'a cursor to resume from');
});

test('a deaf event stream catches up, too', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    const stream = await openEvents(t, server, `topic=${topic}`);
    stream.incoming.pause();
    const count = 800;
    await flood(server, topic, count, 32 * 1024);
    stream.incoming.resume();
    const blocks = await stream.take(count);
    assert.deepEqual(blocks.map((block) => block.json.offset), range(count).map((n) => n + 1));
});

test('garbage is answered or dropped, before and after the handshake', async (t) => {
    const server = await startServer({ t });
    for (const round of range(60)) {
        const raw = new RawConnection(server.port);
        if (round % 2) {
            raw.write(upgradeHead(`/api/build/stream/${uniqueName()}`, server.port));
            await raw.expect(/"cursor"/);
        }
        raw.write(crypto.randomBytes(1 + crypto.randomInt(8000)));
        raw.socket.end();
        await raw.expectClose();
    }
    await expectHealthy(server);
});

/** Opens count connections of the build dialect and waits until all are greeted. */
async function gather(server, count, session) {
    const head = upgradeHead(`/api/build/stream/${session}`, server.port);
    const crowd = [];
    while (crowd.length < count) {
        const some = range(Math.min(200, count - crowd.length)).map(() => new RawConnection(server.port).write(head));
        crowd.push(...some);
        await waitFor(() => some.every((raw) => raw.bytes.includes('"cursor"') || raw.isClosed), '200 handshakes', ms(20000));
    }
    assert.equal(crowd.filter((raw) => raw.isClosed).length, 0);
    return crowd;
}

test('a crowd of 10,000 idle connections is held and reached, costs little and leaves nothing', { timeout: 240000 }, async (t) => {
    const hard = Number(execFileSync('sh', ['-c', 'ulimit -Hn']).toString().replace('unlimited', '1000000'));
    const wanted = slowness === 1 ? 10000 : 2000;
    if (hard < wanted + 500) {
        t.skip(`RLIMIT_NOFILE allows ${hard} files; ${wanted + 500} are needed`);
        return;
    }
    const server = await startServer({ t });
    await expectHealthy(server);
    const start = server.residentMemory();
    const sizes = [];
    for (const round of ['first', 'second', 'third']) {
        const crowd = await gather(server, wanted, 'crowd');
        t.after(() => crowd.forEach((raw) => raw.destroy()));
        sizes.push(server.residentMemory());
        const each = (sizes[0] - start) / wanted;
        if (slowness === 1) assert.ok(each < 1024, `${Math.round(each)} bytes for each connection`);

        await server.publish({ topic: 'session:crowd', type: 'tick', data: { n: `all-of-the-${round}` } });
        await waitFor(() => crowd.every((raw) => raw.bytes.includes(`all-of-the-${round}`)), 'everybody to be reached', ms(20000));
        assert.equal(await presence(server, 'crowd'), wanted);
        for (const [i, raw] of crowd.entries()) {
            if (i % 2) raw.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
            else raw.destroy();
        }
        await waitFor(async () => (await presence(server, 'crowd')) === 0, 'everybody to be forgotten', ms(30000));
        for (const raw of crowd) if (!raw.isClosed) await raw.expectClose(ms(10000));
        await waitFor(async () => (await server.metric('fanfare_connections')) <= 1, 'all to be closed', ms(10000));
    }
    t.diagnostic(`resident KiB: ${[start, ...sizes].map((bytes) => bytes / 1024).join(' ')}`);
    if (slowness === 1) assert.ok(sizes[2] - sizes[1] < 2 * MiB, `resident bytes: ${sizes.join(' ')}`);
    await expectHealthy(server);
});

/** Processor time of a process so far, in clock ticks of 10 ms. */
function processorTicks(pid) {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return Number(fields[11]) + Number(fields[12]);
}

test('with no file descriptor left the server serves whom it has, and recovers', async (t) => {
    const server = await startServer({ t, prefix: ['prlimit', '--nofile=64:64'], args: ['--workers', '1'] });
    const held = await server.build('held');
    const crowd = range(120).map(() => new RawConnection(server.port));
    t.after(() => crowd.forEach((raw) => raw.destroy()));
    await Promise.all(crowd.map((raw) => raw.opened));
    await held.ask({ type: 'ping' }, 'pong');

    const before = processorTicks(server.child.pid);
    const begun = Date.now();
    for (let i = 0; Date.now() - begun < 1000; i++) await held.ask({ type: 'ping', i }, 'pong').then(() => new Promise((r) => setTimeout(r, 20)));
    const used = processorTicks(server.child.pid) - before;
    assert.ok(used * 10 < 600 * Math.max(1, slowness / 2), `used ${used * 10} ms of 1000 while nothing could be done`);

    for (const raw of crowd) raw.destroy();
    await waitFor(() => expectHealthy(server).then(() => true, () => false), 'new connections to be served', ms(15000));
    await held.ask({ type: 'ping' }, 'pong');
});

test('want of memory for what a peer sends costs that peer only', async (t) => {
    const server = await startServer({ t, env: { FANFARE_TEST_ALLOC_MAX: '65536' } });
    const neighbour = await server.build('a');
    const greedy = await server.build('b');
    greedy.send({ type: 'ping', pad: 'x'.repeat(300000) });
    const { code } = await greedy.expectClose();
    assert.ok([1009, 1011, 1013].includes(code), `closed with ${code}`);
    const answer = await server.post('/api/v1/publish',
        { topic: 'session:a', type: 'big', data: { pad: 'x'.repeat(300000) } }).catch(() => ({ status: 'closed' }));
    assert.ok([413, 503, 'closed'].includes(answer.status), `${answer.status}`);
    await server.publish({ topic: 'session:a', type: 'tick', data: {} });
    await neighbour.next('tick');
});

test('connections may come and go all at once', async (t) => {
    const server = await startServer({ t });
    for (const _ of range(5)) {
        const clients = await Promise.all(range(100).map(() => server.build(uniqueName())));
        for (const [i, client] of clients.entries()) {
            if (i % 3 === 0) client.terminate();
            else if (i % 3 === 1) client.socket.close(1000);
            else client.send('x'), client.socket._socket.end();
        }
    }
    await expectHealthy(server);
});
