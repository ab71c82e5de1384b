// Limits: each has a clear error, and never touches the neighbours.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import {
    expectRefused, flood, ms, range, RawConnection, slowness, startServer, temporaryDirectory, test, uniqueName, upgradeHead,
    waitFor,
} from './harness.mjs';

const stream = () => `/api/build/stream/${uniqueName()}`;

test('messages beyond the rate wait, and nobody else waits with them', async (t) => {
    const server = await startServer({ t, config: { limits: { messages: 100, burst: 100 } } });
    const [fast, calm] = [await server.build(uniqueName()), await server.build(uniqueName())];
    const begun = Date.now();
    for (const i of range(250)) fast.send({ type: 'ping', i });
    await calm.ask({ type: 'ping' }, 'pong');
    assert.ok(Date.now() - begun < ms(1000), 'the calm client had to wait');
    // What came in one read is handled; the next read waits until the debt is paid.
    const answers = await fast.take(250, ms(10000));
    assert.ok(answers.every((m) => m.type === 'pong'));
    await fast.ask({ type: 'ping' }, 'pong');
    const took = Date.now() - begun;
    assert.ok(took > 1200, `251 messages at 100/s after a burst of 100 took only ${took} ms`);
});

test('connections from one address are limited, as a trusted proxy reports it', async (t) => {
    const server = await startServer({
        t, config: { insecure: true, trusted_proxies: ['127.0.0.1'], limits: { connections_per_address: 3 } },
    });
    const from = (address) => ({ headers: { 'X-Forwarded-For': address } });
    const three = [];
    for (const _ of range(3)) three.push(await server.open(stream(), from('203.0.113.7')));
    const refused = await expectRefused(server, stream(), 429, from('203.0.113.7'));
    assert.match(refused.text, /connections/);
    await server.open(stream(), from('203.0.113.8'));
    // What a client says of itself in front of the proxy's entry does not count.
    await expectRefused(server, stream(), 429, from('198.51.100.1, 203.0.113.7'));
    await three[0].close();
    await waitFor(() => server.open(stream(), from('203.0.113.7')).catch(() => null), 'room again');
});

test('connections from loopback itself are not counted', async (t) => {
    const server = await startServer({ t, config: { limits: { connections_per_address: 3 } } });
    for (const _ of range(10)) await server.open(stream());
});

test('connections in all are limited with 503', async (t) => {
    const server = await startServer({ t, config: { limits: { connections: 5 } } });
    const clients = [];
    for (const _ of range(5)) clients.push(await server.open(stream()));
    const refused = await expectRefused(server, stream(), 503);
    assert.ok(refused.headers['retry-after']);
    await clients[0].close();
    await waitFor(() => server.open(stream()).catch(() => null), 'room again');
});

test('subscriptions of a connection are limited', async (t) => {
    const server = await startServer({ t, config: { limits: { subscriptions: 3 } } });
    const topics = (n) => range(n).map((i) => `topic=session:${uniqueName()}${i}`).join('&');
    const answer = await server.get(`/events?${topics(4)}`);
    assert.ok([400, 429].includes(answer.status), `${answer.status}`);
    assert.match(answer.text, /subscriptions|topics/);
});

test('the size of messages is limited', async (t) => {
    const server = await startServer({ t, config: { limits: { message_size: '4KiB' } } });
    const client = await server.build(uniqueName());
    await client.ask({ type: 'ping', pad: 'x'.repeat(4000) }, 'pong');
    client.send({ type: 'ping', pad: 'x'.repeat(4100) });
    assert.equal((await client.expectClose()).code, 1009);
    const answer = await server.post('/api/v1/publish',
        { topic: 'session:a', type: 'big', data: { pad: 'x'.repeat(4100) } });
    assert.equal(answer.status, 413);
});

test('publishing can be limited', async (t) => {
    const server = await startServer({ t, config: { limits: { publish: 100 } } });
    const client = await server.open('/api/v1/publish');
    const begun = Date.now();
    for (const n of range(300)) client.send({ topic: 'session:a', type: 'tick', data: { n } });
    const answers = await client.take(300, ms(15000));
    assert.deepEqual(answers.map((a) => a.offset), range(300).map((n) => n + 1));
    client.send({ topic: 'session:a', type: 'tick', data: {} });
    await client.next((answer) => answer.offset === 301);
    assert.ok(Date.now() - begun > 900, 'no backpressure was felt');
});

test('a handshake has limited time, however slowly it trickles', async (t) => {
    const server = await startServer({ t, config: { limits: { handshake: '500ms' } } });
    const silent = new RawConnection(server.port);
    const loris = new RawConnection(server.port);
    t.after(() => (silent.destroy(), loris.destroy()));
    const head = upgradeHead(stream(), server.port);
    let at = 0;
    const trickle = setInterval(() => loris.write(head[at++ % 20]), 20);
    t.after(() => clearInterval(trickle));
    await Promise.all([silent.expectClose(ms(4000)), loris.expectClose(ms(4000))]);
    // A connection whose handshake is done, or which rests between requests, is not meant.
    const client = await server.build(uniqueName());
    await client.ask({ type: 'ping' }, 'pong');
});

test('a peer that answers no ping is closed, one that does stays', { skip: slowness > 4 }, async (t) => {
    const server = await startServer({ t, config: { ping_interval: '1s' } });
    const alive = await server.build(uniqueName());
    const dead = new RawConnection(server.port);
    t.after(() => dead.destroy());
    const session = uniqueName();
    dead.write(upgradeHead(`/api/build/stream/${session}`, server.port));
    await dead.expect(/"cursor"/);
    await dead.expectClose(ms(6000));
    await waitFor(async () => {
        const { json } = await server.get(`/api/v1/topics/session:${session}/presence`);
        return !json?.count;
    }, 'the presence to end');
    await alive.ask({ type: 'ping' }, 'pong');
});

test('a client that is too fast is told so only after 30 s of it', { timeout: 90000 }, async (t) => {
    const server = await startServer({ t, config: { limits: { messages: 20, burst: 20 } }, args: ['--workers', '1'] });
    const client = await server.build(uniqueName());
    const begun = Date.now();
    let told;
    const sending = setInterval(() => {
        for (const _ of range(10)) client.send({ type: 'ping' });
    }, 100);
    t.after(() => clearInterval(sending));
    told = await client.next('error', ms(60000));
    clearInterval(sending);
    assert.equal(told.error_type, 'rate_limited');
    const after = Date.now() - begun;
    assert.ok(after > 28000, `told after ${after} ms`);
    assert.ok(await server.metric('fanfare_rate_limited_total') > 0);
    assert.equal(client.closeCode, undefined, 'the connection stays open');
});

test('a burst that the limit allows is answered whole, however small the answers\' queue', async (t) => {
    const server = await startServer({ t });
    const client = await server.build(uniqueName());
    client.socket._socket.cork(); // all at once
    for (const _ of range(9000)) client.send({ type: 'ping' });
    client.socket._socket.uncork();
    const answers = await client.take(9000, ms(20000));
    assert.ok(answers.every((m) => m.type === 'pong'));
    let pongs = 0;
    client.socket.on('pong', () => pongs++);
    for (const _ of range(900)) client.socket.ping('y'.repeat(125));
    await waitFor(() => pongs === 900, '900 pongs');
    assert.equal(await server.metric('fanfare_control_overflows_total'), 0);
});

test('publishing over HTTP is held back, too', async (t) => {
    const server = await startServer({ t, config: { limits: { publish: 500 } } });
    const line = `${JSON.stringify({ topic: 'session:a', type: 'tick', data: {} })}\n`;
    const begun = Date.now();
    let refusals = 0;
    for (let published = 0; published < 2500;) {
        const answer = await server.post('/api/v1/publish', line.repeat(500), { 'Content-Type': 'application/x-ndjson' });
        if (answer.status === 200) {
            assert.match(answer.text, /"published":500,"failed":0/);
            published += 500;
            continue;
        }
        refusals++;
        assert.equal(answer.status, 429);
        assert.match(answer.json.error.message, /limits\.publish/);
        assert.ok(Number(answer.headers['retry-after']) >= 1);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const took = Date.now() - begun;
    assert.ok(took > 1500 && took < ms(8000), `2500 events at 500/s took ${took} ms`);
    assert.ok(refusals > 0);

    // Who is refused pays nothing, so insisting does not lock the door for ever.
    const answers = await Promise.all(range(900).map(() => server.post('/api/v1/publish', { topic: 'session:b', type: 'tick', data: {} })));
    const accepted = answers.filter(({ status }) => status === 200).length;
    assert.ok(answers.every(({ status }) => status === 200 || status === 429));
    await waitFor(async () => (await server.post('/api/v1/publish', { topic: 'session:b', type: 'tick', data: {} })).status === 200, 'a turn', ms(4000));
    assert.equal((await server.get('/api/v1/topics/session:b/history?limit=10000')).json.offset, accepted + 1, 'of what was refused nothing is published');
});

// Over a unix socket, whose buffers are small: what is not read waits in the server.
test('a peer that answers no ping but takes what waits for it stays, until it takes no more', { timeout: 60000 }, async (t) => {
    const directory = temporaryDirectory();
    const socketPath = path.join(directory, 'fanfare.sock');
    const server = await startServer({ t, directory, listen: `unix:${socketPath}`, args: ['--ping-interval', '1s'] });
    const session = uniqueName();
    await flood(server, `session:${session}`, 2000, 16384);
    const { epoch } = await server.publish({ topic: `session:${session}`, type: 'tick', data: {} });
    const raw = net.connect(socketPath);
    t.after(() => raw.destroy());
    let bytes = 0;
    let closed = false;
    raw.on('data', (chunk) => (bytes += chunk.length));
    raw.on('close', () => (closed = true));
    raw.write(upgradeHead(`/api/build/stream/${session}?epoch=${epoch}&since=0`, 80).replace('127.0.0.1:80', 'localhost'));
    const steps = 40;
    for (const _ of range(steps)) { // much longer than two pings
        raw.resume();
        await new Promise((resolve) => raw.once('data', resolve));
        raw.pause();
        await new Promise((resolve) => setTimeout(resolve, 100));
        assert.ok(!closed, 'closed although it went on reading');
    }
    assert.ok(bytes < 30e6, 'all was read before the pings; the test is too gentle');
    await waitFor(() => server.metric('fanfare_keepalive_closed_total'), 'it to be closed', ms(10000));
});
