// The end of a server, and changing its mind without one.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { ms, openEvents, range, RawConnection, request, startServer, temporaryDirectory, test, uniqueName, waitFor, within } from './harness.mjs';

for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`${signal} closes everybody with 1001 and exits 0`, async (t) => {
        const server = await startServer({ t });
        const clients = await Promise.all(range(20).map(() => server.build(uniqueName())));
        const exit = server.stop(signal);
        for (const client of clients) assert.equal((await client.expectClose()).code, 1001);
        assert.deepEqual(await exit, { code: 0, signal: null });
    });
}

test('closing is spread over the drain, while nobody new is let in', async (t) => {
    const server = await startServer({ t, args: ['--drain', '2s'] });
    const clients = await Promise.all(range(40).map(() => server.build(uniqueName())));
    const exit = server.stop();
    const times = await Promise.all(clients.map(async (client) => {
        assert.equal((await client.expectClose()).code, 1001);
        return Date.now();
    }));
    const spread = Math.max(...times) - Math.min(...times);
    assert.ok(spread > 800, `all were closed within ${spread} ms`);
    const late = new RawConnection(server.port);
    await late.expectClose();
    assert.equal(late.text, '');
    assert.deepEqual(await exit, { code: 0, signal: null });
});

test('what was accepted is delivered before the close', async (t) => {
    const server = await startServer({ t });
    const client = await server.build('s');
    const publisher = await server.open('/api/v1/publish?ack=batch');
    const count = 2000;
    const events = range(count).map((n) => ({ topic: 'session:s', type: 'tick', data: { n, pad: 'x'.repeat(500) } }));
    for (let at = 0; at < count; at += 500) publisher.send(events.slice(at, at + 500));
    for (let published = 0; published < count;) published += (await publisher.next()).published;
    const exit = server.stop();
    const messages = await client.take(count, ms(15000));
    assert.deepEqual(messages.map((m) => m.offset), range(count).map((n) => n + 1));
    assert.equal((await client.expectClose()).code, 1001);
    assert.equal((await exit).code, 0);
});

test('event streams end, and clients that never read or vanished hold nothing up', async (t) => {
    const server = await startServer({ t });
    const stream = await openEvents(t, server, 'topic=session:a');
    const stuck = new RawConnection(server.port);
    t.after(() => stuck.destroy());
    stuck.write('POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
    const deaf = await server.build('a');
    deaf.socket.pause();
    for (const n of range(200)) {
        await server.publish({ topic: 'session:a', type: 'tick', data: { n, pad: 'x'.repeat(50000) } });
    }
    assert.equal((await server.stop('SIGTERM', ms(20000))).code, 0);
    await waitFor(() => stream.ended);
});

test('sessions on HTTP long-polling, asking or not, hold nothing up', async (t) => {
    const server = await startServer({ t });
    const session = async () => {
        const opened = await request(`${server.url}/socket.io/?EIO=4&transport=polling`);
        return `${server.url}/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(opened.text.slice(1)).sid}`;
    };
    await session();
    const asking = await session();
    assert.equal((await request(asking, { method: 'POST', body: '40' })).text, 'ok');
    await request(asking); // the answer to CONNECT
    const poll = request(asking).catch(() => null);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    await poll;
    assert.doesNotMatch(server.stderr(), /did not go/);
});

test('the port is free at once for the next server', async (t) => {
    const first = await startServer({ t });
    await first.build('a');
    await first.stop();
    const second = await startServer({ t, listen: `127.0.0.1:${first.port}` });
    assert.equal(second.port, first.port);
});

test('SIGHUP reloads what can be and says what cannot', async (t) => {
    const directory = temporaryDirectory();
    const file = path.join(directory, 'fanfare.yaml');
    const server = await startServer({ t, directory, config: { workers: 1, limits: { message_size: '64KiB' } } });
    const reload = async (config, pattern) => {
        const before = server.stderr().length;
        fs.writeFileSync(file, config);
        server.child.kill('SIGHUP');
        await waitFor(() => pattern.test(server.stderr().slice(before)), `${pattern} in the log after SIGHUP`);
    };
    await reload('workers: 2\nlimits: {message_size: 4KiB}\n', /workers/);
    const client = await server.build(uniqueName());
    client.send({ type: 'ping', pad: 'x'.repeat(5000) });
    assert.equal((await client.expectClose()).code, 1009);

    await reload('limits: {message_size: 8KiB}\nnonsense: 1\n', /fanfare\.yaml.*2|nonsense/);
    const other = await server.build(uniqueName());
    other.send({ type: 'ping', pad: 'x'.repeat(5000) });
    assert.equal((await other.expectClose()).code, 1009, 'a file with a mistake must change nothing');
});

test('SIGHUP opens the log file anew and keeps connections', async (t) => {
    const directory = temporaryDirectory();
    const log = path.join(directory, 'fanfare.log');
    const server = await startServer({ t, directory, args: ['--log-file', log] });
    const client = await server.build(uniqueName());
    await waitFor(() => fs.readFileSync(log, 'utf8').includes(client.greeting.connection_id));
    fs.renameSync(log, `${log}.1`);
    server.child.kill('SIGHUP');
    await waitFor(() => fs.existsSync(log), 'the new log file');
    await client.ask({ type: 'ping' }, 'pong');
    const other = await server.build(uniqueName());
    await waitFor(() => fs.readFileSync(log, 'utf8').includes(other.greeting.connection_id));
});

test('a port that is taken is an error that says so', async (t) => {
    const first = await startServer({ t });
    const second = startServer({ t: { after() {} }, listen: `127.0.0.1:${first.port}` });
    await assert.rejects(within(second, 'the second server'), new RegExp(`${first.port}.*in use|in use.*${first.port}`, 's'));
});
