// On what the protocols travel: TLS, unix sockets, several addresses at once, a base path, IPv6,
// and every way in which deliveries reach the kernel.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import {
    flood, ms, openEvents, openWs, range, RawConnection, rawHttp, request, runProgram, Server, startServer,
    temporaryDirectory, test, uniqueName, waitFor, within,
} from './harness.mjs';

const MiB = 1024 * 1024;
const has = (program, ...args) => spawnSync(program, args).status === 0;
const hasOpenssl = has('openssl', 'version');
const hasIpv6 = Object.values(os.networkInterfaces()).flat().some(({ address }) => address === '::1');

const offsets = (count) => range(count).map((n) => n + 1);

/** What must hold however the bytes travel: publishing, the build dialect, SSE, resuming, size. */
async function expectEverything(t, server) {
    const session = uniqueName();
    const topic = `session:${session}`;
    const reader = await server.build(session);
    const stream = await openEvents(t, server, `topic=${topic}`);
    const first = await server.publish({ topic, type: 'tick', data: { n: 1 } });
    assert.equal(first.offset, 1);
    assert.equal((await reader.next('tick')).n, 1);
    assert.deepEqual((await stream.next()).json.data, { n: 1 });

    const text = 'aé€𝄞'.repeat(100000); // 1,000,000 bytes
    reader.send({ type: 'ping', pad: text });
    await reader.next('pong');
    await server.publish({ topic, type: 'terminal_output', data: { output: text } });
    assert.equal((await reader.next('terminal_output')).output, text);
    assert.equal((await stream.next()).json.data.output, text);

    await flood(server, topic, 2000, 10);
    const messages = await reader.take(2000);
    assert.deepEqual(messages.map((m) => m.n), range(2000));
    assert.deepEqual((await stream.take(2000)).map((block) => block.json.offset), range(2000).map((n) => n + 3));

    const late = await server.build(session, `?cursor=${reader.greeting.cursor}`);
    const missed = await late.until('resumed');
    assert.deepEqual(missed.slice(0, -1).map((m) => m.offset), offsets(2002));
    assert.equal(missed.at(-1).missed, 2002);
    assert.equal((await late.close()).code, 1000);
    await reader.close();
    stream.close();
    assert.equal((await server.get('/health')).status, 200);
}

/** One that stops reading gets everything later, in order. */
async function expectCatchUp(server, { count = 600, size = 32 * 1024 } = {}) {
    const session = uniqueName();
    const deaf = await server.build(session);
    deaf.socket.pause();
    const reader = await server.build(session);
    await flood(server, `session:${session}`, count, size);
    assert.deepEqual((await reader.take(count, ms(30000))).map((m) => m.offset), offsets(count));
    assert.ok(await server.metric('fanfare_slow_readers_total') > 0, 'nobody was slow; the test is too gentle');
    deaf.socket.resume();
    const messages = await deaf.take(count, ms(30000));
    assert.deepEqual(messages.map((m) => m.offset), offsets(count));
    assert.ok(messages.every((m) => m.pad.length === size));
    await deaf.ask({ type: 'ping' }, 'pong');
}

// ---- TLS ----

function makeCertificate(directory, name = 'server') {
    const [key, cert] = ['key', 'cert'].map((kind) => path.join(directory, `${name}-${kind}.pem`));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
        '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2',
        '-keyout', key, '-out', cert], { stdio: 'ignore' });
    return { key, cert, ca: fs.readFileSync(cert) };
}

async function startTls(t, options = {}) {
    const directory = temporaryDirectory();
    const files = makeCertificate(directory);
    const server = await startServer({
        t, directory, ca: files.ca, args: ['--tls-cert', files.cert, '--tls-key', files.key, ...options.args ?? []], ...options.more,
    });
    return { server, directory, ...files };
}

const withTls = { skip: !hasOpenssl && 'openssl is not installed', timeout: 60000 };

test('TLS: publishing, the build dialect and SSE as without', withTls, async (t) => {
    const { server } = await startTls(t);
    assert.match(server.url, /^https:/);
    assert.match(server.ws('/'), /^wss:/);
    assert.equal((await server.get('/health')).json.tls, true);
    await expectEverything(t, server);
});

test('TLS: 1 MiB both ways, one byte more closes with 1009', withTls, async (t) => {
    const { server } = await startTls(t);
    const session = uniqueName();
    const client = await server.build(session);
    const frame = (size) => `{"type":"ping","pad":"${'x'.repeat(size - 24)}"}`;
    assert.equal(frame(MiB).length, MiB);
    for (const _ of range(5)) await client.ask(frame(MiB), 'pong');
    const data = { pad: 'y'.repeat(MiB - 10) };
    await server.publish({ topic: `session:${session}`, type: 'large', data });
    assert.equal((await client.next('large')).pad.length, MiB - 10);
    client.send(frame(MiB + 1));
    assert.equal((await client.expectClose()).code, 1009);
});

test('TLS: a slow reader gets everything later', withTls, async (t) => {
    const { server } = await startTls(t);
    await expectCatchUp(server);
});

// Frames of all sizes, so that the queue overflows with a TLS record in every state.
test('TLS: slow readers of frames of any size lose and mix up nothing', { ...withTls, timeout: 120000 }, async (t) => {
    const { server } = await startTls(t, { args: ['--limits-queue', '64KiB'] });
    for (const size of [100, 3000, 16000, 70000, 300000]) {
        await expectCatchUp(server, { count: Math.min(20000, Math.ceil(12 * MiB / size)), size });
    }
});

test('TLS: a slow event stream gets everything later', withTls, async (t) => {
    const { server } = await startTls(t);
    const topic = `session:${uniqueName()}`;
    const stream = await openEvents(t, server, `topic=${topic}`);
    stream.incoming.pause();
    await flood(server, topic, 500, 32 * 1024);
    stream.incoming.resume();
    assert.deepEqual((await stream.take(500)).map((block) => block.json.offset), offsets(500));
});

test('TLS: a policy of disconnect closes with a cursor, control overflow with 1013', withTls, async (t) => {
    const { server } = await startTls(t, { args: ['--topics-session-slow', 'disconnect'] });
    const session = uniqueName();
    const deaf = await server.build(session);
    deaf.socket.pause();
    await flood(server, `session:${session}`, 500, 32 * 1024);
    deaf.socket.resume();
    const { code, reason } = await deaf.expectClose();
    assert.equal(code, 1013);
    assert.match(reason, /cursor/);
});

test('TLS: who does not speak it does no harm', withTls, async (t) => {
    const { server } = await startTls(t);
    const client = await server.build('neighbour');
    const plain = await rawHttp(server, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.doesNotMatch(plain, /200 OK/);
    for (const bytes of ['\x16\x03\x01\x02\x00\x01\x00', '\x00'.repeat(5000), '\x80\x2e\x01\x00\x02']) {
        const raw = new RawConnection(server.port);
        raw.write(Buffer.from(bytes, 'latin1'));
        raw.socket.end();
        await raw.expectClose();
    }
    // Cut in the middle of a handshake, and in the middle of a record.
    const cut = tls.connect({ port: server.port, ca: server.ca, servername: 'localhost' });
    await once(cut, 'secureConnect');
    cut.write('GET /health HTTP/1.1\r\nHost: loc');
    cut._handle.close();
    await client.ask({ type: 'ping' }, 'pong');
    assert.equal((await server.get('/health')).status, 200);
});

test('TLS: a handshake has limited time', withTls, async (t) => {
    const { server } = await startTls(t, { args: ['--limits-handshake', '300ms'] });
    const raw = new RawConnection(server.port);
    await raw.expectClose(ms(5000));
    await server.build('neighbour');
});

test('TLS 1.2 is the oldest version', withTls, async (t) => {
    const { server } = await startTls(t);
    for (const [version, accepted] of [['TLSv1.1', false], ['TLSv1.2', true], ['TLSv1.3', true]]) {
        const socket = tls.connect({
            port: server.port, ca: server.ca, servername: 'localhost', minVersion: version, maxVersion: version,
            ciphers: 'DEFAULT@SECLEVEL=0',
        });
        const outcome = await once(socket, 'secureConnect').then(() => true, () => false);
        socket.destroy();
        assert.equal(outcome, accepted, version);
    }
});

test('TLS: files that are no certificate or key end the start with their name', withTls, async () => {
    const directory = temporaryDirectory();
    const good = makeCertificate(directory);
    const other = makeCertificate(directory, 'other');
    const garbage = path.join(directory, 'garbage.pem');
    const missing = path.join(directory, 'missing.pem');
    const locked = path.join(directory, 'locked.pem');
    fs.writeFileSync(garbage, 'no certificate');
    execFileSync('openssl', ['ec', '-in', good.key, '-out', locked, '-aes256', '-passout', 'pass:secret'], { stdio: 'ignore' });
    const cases = [
        [['--tls-cert', missing, '--tls-key', good.key], missing, /No such file/],
        [['--tls-cert', good.cert, '--tls-key', missing], missing, /No such file/],
        [['--tls-cert', garbage, '--tls-key', good.key], garbage, /PEM/],
        [['--tls-cert', good.cert, '--tls-key', garbage], garbage, /PEM/],
        [['--tls-cert', good.cert, '--tls-key', other.key], other.key, /mismatch|belong together/],
        [['--tls-cert', good.cert, '--tls-key', locked], locked, /pass phrase/],
        [['--tls-cert', directory, '--tls-key', good.key], directory, /PEM/],
        [['--tls-cert', good.cert], 'tls.key', /tls/],
        [['--tls-key', good.key], 'tls.cert', /tls/],
    ];
    for (const [args, named, reason] of cases) {
        const { code, stdout, stderr } = await runProgram(['serve', '--listen', '127.0.0.1:0', ...args]);
        assert.notEqual(code, 0, args.join(' '));
        assert.equal(stdout, '');
        assert.ok(stderr.includes(named), `${named} in: ${stderr}`);
        assert.match(stderr, reason);
        assert.doesNotMatch(stderr, /error:0/, 'a sentence, no code of OpenSSL');
    }
});

const peerName = async (server, ca) => {
    const socket = tls.connect({ port: server.port, ca, servername: 'localhost' });
    await within(once(socket, 'secureConnect'), 'a TLS handshake');
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
};

test('TLS: a certificate renewed on disk is served after SIGHUP, open connections stay', withTls, async (t) => {
    const { server, directory, cert, key, ca } = await startTls(t);
    const client = await server.build('stays');
    const renewed = makeCertificate(directory, 'renewed');
    fs.copyFileSync(renewed.cert, cert);
    fs.copyFileSync(renewed.key, key);
    assert.equal(await peerName(server, [ca, renewed.ca]), 'server', 'not before SIGHUP');
    server.child.kill('SIGHUP');
    await waitFor(async () => (await peerName(server, [ca, renewed.ca])) === 'renewed', 'the new certificate');
    await client.ask({ type: 'ping' }, 'pong');

    // A renewal that went wrong changes nothing, and the log names the file.
    fs.writeFileSync(cert, 'broken');
    server.child.kill('SIGHUP');
    await waitFor(() => server.stderr().includes('server-cert.pem'), 'the log to name the file');
    assert.equal(await peerName(server, renewed.ca), 'renewed');
    await client.ask({ type: 'ping' }, 'pong');
});

test('TLS: pages of the server itself may connect, by address and by name', withTls, async (t) => {
    const { server } = await startTls(t);
    const attempt = (host, origin) => openWs(server.ws('/api/build/stream/a'),
        { ca: server.ca, headers: { Host: host, Origin: origin } }).then((client) => (client.terminate(), 101), ({ status }) => status);
    for (const host of [`localhost:${server.port}`, `127.0.0.1:${server.port}`]) {
        assert.equal(await attempt(host, `https://${host}`), 101, host);
    }
    assert.equal(await attempt(`localhost:${server.port}`, 'https://localhost:1'), 403, 'another server of this machine');
    assert.equal(await attempt(`localhost:${server.port}`, 'https://localhost.example'), 403);
});

test('TLS: many reloads under traffic', withTls, async (t) => {
    const { server, ca } = await startTls(t);
    let reloads = 0;
    const reloading = setInterval(() => (reloads++, server.child.kill('SIGHUP')), 3);
    try {
        for (const _ of range(60)) assert.equal(await peerName(server, ca), 'server');
    } finally {
        clearInterval(reloading);
    }
    assert.ok(reloads > 5);
});

// ---- Unix sockets ----

const socketPath = (directory) => path.join(directory, 'fanfare.sock');

test('a unix socket carries everything, is private, and gone at the end', async (t) => {
    const directory = temporaryDirectory();
    const file = socketPath(directory);
    const server = await startServer({ t, directory, listen: `unix:${file}` });
    assert.deepEqual(server.urls, [`unix:${file}`]);
    assert.equal(fs.statSync(file).mode & 0o077, 0, 'others may not even connect');
    await expectEverything(t, server);
    assert.match(server.stderr(), /websocket.*address=unix/);
    await server.stop();
    assert.ok(!fs.existsSync(file), 'the socket is left behind');
});

test('a unix socket catches slow readers up', { timeout: 60000 }, async (t) => {
    const directory = temporaryDirectory();
    await expectCatchUp(await startServer({ t, directory, listen: `unix:${socketPath(directory)}` }));
});

test('all workers share a unix socket', async (t) => {
    const directory = temporaryDirectory();
    const server = await startServer({ t, directory, listen: `unix:${socketPath(directory)}`, args: ['--workers', '4'] });
    const clients = await Promise.all(range(200).map(() => server.build('shared')));
    await server.publish({ topic: 'session:shared', type: 'tick', data: {} });
    await Promise.all(clients.map((client) => client.next('tick')));
});

test('the socket that a dead server left is replaced, a living one refused', async (t) => {
    const directory = temporaryDirectory();
    const file = socketPath(directory);
    const dead = await startServer({ t, directory, listen: `unix:${file}` });
    dead.mayEndBadly = true;
    await dead.stop('SIGKILL');
    assert.ok(fs.existsSync(file));
    const living = await startServer({ t, directory, listen: `unix:${file}` });
    const { code, stderr } = await runProgram(['serve', '--listen', `unix:${file}`]);
    assert.equal(code, 1);
    assert.ok(stderr.includes(file), stderr);
    assert.match(stderr, /in use|another server/);
    assert.ok(fs.existsSync(file), 'the refused one took the socket away');
    await living.build('still-there');
});

test('a unix socket never replaces what is no socket', async () => {
    const directory = temporaryDirectory();
    const file = socketPath(directory);
    fs.writeFileSync(file, 'precious');
    const refused = await runProgram(['serve', '--listen', `unix:${file}`]);
    assert.equal(refused.code, 1);
    assert.ok(refused.stderr.includes(file), refused.stderr);
    assert.equal(fs.readFileSync(file, 'utf8'), 'precious');
    const nowhere = await runProgram(['serve', '--listen', `unix:${directory}/no/such/dir/s.sock`]);
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /No such file/);
    const long = await runProgram(['serve', '--listen', `unix:${directory}/${'x'.repeat(120)}`]);
    assert.equal(long.code === 0, false);
    assert.match(long.stderr, /at most 107 bytes/);
});

// ---- Addresses ----

test('several addresses at once, one hub behind them', async (t) => {
    const directory = temporaryDirectory();
    const listen = ['127.0.0.1:0', '127.0.0.1:0', `unix:${socketPath(directory)}`];
    const server = await startServer({ t, directory, listen });
    assert.equal(server.urls.length, 3);
    assert.notEqual(server.urls[0], server.urls[1]);
    const session = uniqueName();
    const clients = [
        await server.build(session),
        await openWs(`${server.urls[1].replace('http', 'ws')}/api/build/stream/${session}`),
        await openWs(`ws+${server.urls[2]}:/api/build/stream/${session}`),
    ];
    t.after(() => clients.forEach((client) => client.terminate()));
    await request(`${server.urls[1]}/api/v1/publish`,
        { method: 'POST', body: { topic: `session:${session}`, type: 'tick', data: {} } });
    for (const client of clients) await client.next('tick');
    await server.stop();
    assert.ok(!fs.existsSync(socketPath(directory)));
});

test('one address that cannot be had ends the start, and nothing is left behind', async () => {
    const directory = temporaryDirectory();
    const taken = net.createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address();
    const { code, stdout, stderr } = await runProgram(
        ['serve', '--listen', `unix:${socketPath(directory)}`, '--listen', `127.0.0.1:${port}`]);
    taken.close();
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.ok(stderr.includes(`127.0.0.1:${port}`), stderr);
    assert.ok(!fs.existsSync(socketPath(directory)));
});

test('IPv6', { skip: !hasIpv6 && 'this machine has no ::1' }, async (t) => {
    const server = await startServer({ t, listen: '[::1]:0' });
    assert.match(server.url, /^http:\/\/\[::1\]:\d+$/);
    await expectEverything(t, server);
    assert.match(server.stderr(), /websocket.*address=::1/);
});

test('port 0 takes a free port each time, the URL on stdout tells it', async (t) => {
    const servers = await Promise.all(range(3).map(() => startServer({ t })));
    assert.equal(new Set(servers.map((server) => server.port)).size, 3);
    for (const server of servers) assert.ok(server.port > 0);
});

test('a base path stands in front of every route', async (t) => {
    const server = await startServer({ t, args: ['--base-path', '/live/x'] });
    assert.match(server.url, /\/live\/x$/);
    await expectEverything(t, server);
    const bare = server.url.replace('/live/x', '');
    for (const target of ['/health', '/api/v1/topics', '/live', '/live/xy/health', '/livex/health']) {
        assert.equal((await request(bare + target)).status, 404, target);
    }
    for (const target of ['/', '/docs', '/docs/docs.js', '/examples/websocket_client.html']) {
        assert.equal((await server.get(target)).status, 200, target);
    }
    const redirect = await server.get('?x=1');
    assert.deepEqual([redirect.status, redirect.headers.location], [308, '/live/x/?x=1']);
    const api = (await server.get('/openapi.json')).json;
    assert.ok(api.servers.some(({ url }) => url.endsWith('/live/x')), JSON.stringify(api.servers));
    assert.match(JSON.stringify((await server.get('/asyncapi.json')).json.servers), /"\/live\/x"/);
    for (const page of ['/', '/docs', '/examples/websocket_client.html']) {
        assert.doesNotMatch((await server.get(page)).text, /(href|src)="\//, `${page} leads out of the base path`);
    }
});

// ---- Ways to the kernel ----

const ways = ['send', 'uring'].flatMap((flush) => [1, 2, 4].map((workers) => ({ flush, workers })));
const hasUring = (await runProgram(['version', '--features'])).stdout.match(/yes +io_uring/) !== null;

for (const { flush, workers } of ways) {
    const skip = flush === 'uring' && !hasUring && 'no io_uring here';
    test(`deliveries by ${flush} with ${workers} workers`, { skip, timeout: 60000 }, async (t) => {
        const server = await startServer({ t, args: ['--flush', flush, '--workers', `${workers}`] });
        const { json } = await server.get('/health');
        assert.equal(json.workers, workers);
        assert.equal(json.flush, flush === 'uring' ? 'io_uring' : 'send');
        await expectEverything(t, server);
        await expectCatchUp(server);
        const crowd = await Promise.all(range(100).map(() => server.build('crowd')));
        await flood(server, 'session:crowd', 300, 50);
        for (const client of crowd) {
            assert.deepEqual((await client.take(300)).map((m) => m.offset), offsets(300));
        }
    });
}
