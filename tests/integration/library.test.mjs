// The C library as programs use it: the examples, which know only the public headers, driven by
// real clients.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import WebSocket from 'ws';
import { binary, ms, RawConnection, Server, startServer, temporaryDirectory, test,
    uniqueName, upgradeHead, waitFor, within } from './harness.mjs';

const example = (name) => path.join(path.dirname(binary), 'examples', name);

/** Starts an example that is a server; its first line is its URL. */
async function startExample(t, name, args, directory = temporaryDirectory()) {
    const child = spawn(example(name), args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new Server(child, directory);
    t.after(() => server.finish());
    await server.started();
    return server;
}

const startEcho = (t, ...args) => startExample(t, 'echo', ['--port', '0', ...args]);

/** Runs an example to its end: { code, stdout, stderr }. */
async function runExample(name, args, input = '') {
    const child = spawn(example(name), args, { cwd: temporaryDirectory() });
    let stdout = '', stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [code] = await within(once(child, 'close'), `${name} to end`).finally(() => child.kill('SIGKILL'));
    return { code, stdout, stderr };
}

// ---- Echo ----

/** A bare `ws` socket and what comes back for a message. */
async function openEcho(server, options = {}, target = '/any/path?and=query') {
    const socket = new WebSocket(server.ws(target), options.protocols ?? [], { perMessageDeflate: false, ...options });
    await within(once(socket, 'open'), 'the handshake');
    const echo = async (message, sending) => {
        socket.send(message, sending);
        const [data, isBinary] = await within(once(socket, 'message'), 'the echo');
        return isBinary ? data : data.toString('utf8');
    };
    return { socket, echo };
}

const compressible = 'the same again '.repeat(70000);
const messages = {
    'a text': 'grüße, 世界, 👋',
    'an empty text': '',
    'a text of 125, 126, 65535 and 65536 bytes': [125, 126, 65535, 65536].map((n) => 'x'.repeat(n)),
    'a binary message': Buffer.from([0, 1, 2, 255, 254]),
    'an empty binary message': Buffer.alloc(0),
    'a text of 1 MiB': compressible,
    'a binary message of 1 MiB': Buffer.from(compressible),
};

const ways = {
    'without compression': [[], {}],
    'compression offered and not wanted': [[], { perMessageDeflate: true }],
    'compressed, the client keeping its context': [['--deflate'], { perMessageDeflate: { threshold: 0 } }],
    'compressed, the client without context': [['--deflate'], { perMessageDeflate: { threshold: 0, clientNoContextTakeover: true } }],
    'compressed with the smallest windows': [['--deflate'],
        { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9 } }],
};

for (const [way, [args, options]] of Object.entries(ways)) {
    test(`echo, ${way}: text comes back as text, binary as binary`, async (t) => {
        const server = await startEcho(t, ...args);
        const { socket, echo } = await openEcho(server, options);
        assert.equal(socket.extensions, args.length ? 'permessage-deflate' : '');
        for (let round = 0; round < 2; round++) {
            for (const [name, message] of Object.entries(messages)) {
                for (const one of [message].flat()) assert.deepEqual(await echo(one), one, name);
            }
        }
        socket.close(4001, 'enough');
        const [code] = await within(once(socket, 'close'), 'the close');
        assert.equal(code, 4001);
    });

    test(`echo, ${way}: fragments come back as one message`, async (t) => {
        const server = await startEcho(t, ...args);
        const { socket } = await openEcho(server, options);
        socket.send('one, ', { fin: false });
        socket.send('two, ', { fin: false });
        socket.ping();
        socket.send('', { fin: false });
        socket.send('three', { fin: true });
        const [data, isBinary] = await within(once(socket, 'message'), 'the echo');
        assert.equal(isBinary, false);
        assert.equal(data.toString(), 'one, two, three');
        socket.terminate();
    });

    test(`echo, ${way}: many messages in advance come back in order`, async (t) => {
        const server = await startEcho(t, ...args);
        const { socket } = await openEcho(server, options);
        const count = 3000;
        let next = 0;
        const all = new Promise((resolve, reject) => {
            socket.on('message', (data) => {
                const expected = `message ${next} ${'-'.repeat(next % 500)}`;
                if (data.toString() !== expected) reject(new Error(`expected ${expected}`));
                if (++next === count) resolve();
            });
        });
        for (let i = 0; i < count; i++) socket.send(`message ${i} ${'-'.repeat(i % 500)}`);
        await within(all, 'all messages', ms(20000));
        socket.terminate();
    });
}

test('echo: the subprotocol is selected when it is offered', async (t) => {
    const server = await startEcho(t);
    const { socket } = await openEcho(server, { protocols: ['other', 'echo'] });
    assert.equal(socket.protocol, 'echo');
    socket.terminate();
    const plain = await openEcho(server);
    assert.equal(plain.socket.protocol, '');
    plain.socket.terminate();
});

test('echo: 16 MiB in one message, and several in advance', async (t) => {
    const server = await startEcho(t);
    const { socket, echo } = await openEcho(server, { maxPayload: 64 << 20 });
    const large = Buffer.alloc(16 << 20, 'large ');
    assert.ok((await echo(large)).equals(large));
    let came = 0;
    socket.on('message', (data) => (came += data.equals(large)));
    for (let i = 0; i < 4; i++) socket.send(large);
    await waitFor(() => came === 4, 'four large messages', ms(20000));
    socket.terminate();
});

/** Opens a raw connection whose handshake offers `offer`; resolves with connection and answer. */
async function negotiate(server, offer) {
    const raw = new RawConnection(server.port);
    await raw.opened;
    raw.write(upgradeHead('/', server.port, offer ? `Sec-WebSocket-Extensions: ${offer}\r\n` : ''));
    const head = await raw.expect(/\r\n\r\n/);
    raw.bytes = raw.bytes.subarray(Buffer.from(head, 'latin1').indexOf('\r\n\r\n') + 4);
    return { raw, status: Number(head.slice(9, 12)), extensions: /^Sec-WebSocket-Extensions: (.*)$/m.exec(head)?.[1].trim() };
}

function maskedFrame(first, payload) {
    assert.ok(payload.length < 126);
    return Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

const deflated = (text) => zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);

/** The next unmasked short frame: { first, payload }. */
async function nextFrame(raw) {
    await waitFor(() => raw.bytes.length >= 2 && raw.bytes.length >= 2 + raw.bytes[1], 'a frame');
    const frame = { first: raw.bytes[0], payload: raw.bytes.subarray(2, 2 + raw.bytes[1]) };
    raw.bytes = raw.bytes.subarray(2 + raw.bytes[1]);
    return frame;
}

const offers = {
    'permessage-deflate': 'permessage-deflate; server_no_context_takeover',
    'permessage-deflate; client_max_window_bits': 'permessage-deflate; server_no_context_takeover',
    'permessage-deflate; client_no_context_takeover':
        'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; server_max_window_bits=9':
        'permessage-deflate; server_no_context_takeover; server_max_window_bits=9',
    'permessage-deflate; server_max_window_bits=15':
        'permessage-deflate; server_no_context_takeover; server_max_window_bits=15',
    'permessage-deflate; server_max_window_bits=8, permessage-deflate': 'permessage-deflate; server_no_context_takeover',
    'permessage-deflate; unknown': undefined,
    'x-other': undefined,
    '': undefined,
};

test('echo --deflate: offers are answered as RFC 7692 has it', async (t) => {
    const server = await startEcho(t, '--deflate');
    for (const [offer, answer] of Object.entries(offers)) {
        const { raw, status, extensions } = await negotiate(server, offer);
        assert.equal(status, 101, offer);
        assert.equal(extensions, answer, offer);
        raw.destroy();
    }
    const { raw, status } = await negotiate(server, 'permessage-deflate; =');
    assert.equal(status, 400);
    raw.destroy();
});

test('echo --deflate: compressed messages are answered compressed', async (t) => {
    const server = await startEcho(t, '--deflate');
    const text = 'again and again and again and again';
    for (const offer of ['permessage-deflate', 'permessage-deflate; server_max_window_bits=9']) {
        const { raw } = await negotiate(server, offer);
        for (const [first, message] of [[0xc1, text], [0xc2, text], [0xc1, text]]) {
            raw.write(maskedFrame(first, deflated(message)));
            const frame = await nextFrame(raw);
            assert.equal(frame.first, first, 'RSV1 is set, the opcode the same');
            const inflated = zlib.inflateRawSync(Buffer.concat([frame.payload, Buffer.from([0, 0, 255, 255])]),
                { finishFlush: zlib.constants.Z_SYNC_FLUSH, windowBits: offer.includes('=9') ? 9 : 15 });
            assert.equal(inflated.toString(), message);
        }
        raw.write(maskedFrame(0x81, Buffer.from('x')));
        assert.deepEqual(await nextFrame(raw), { first: 0x81, payload: Buffer.from('x') });
        raw.destroy();
    }
});

test('echo: compressed messages without an agreement close with 1002', async (t) => {
    const server = await startEcho(t);
    const { raw, extensions } = await negotiate(server, 'permessage-deflate');
    assert.equal(extensions, undefined);
    raw.write(maskedFrame(0xc1, deflated('text')));
    const frame = await nextFrame(raw);
    assert.equal(frame.first, 0x88);
    assert.equal(frame.payload.readUInt16BE(), 1002);
    raw.destroy();
});

test('echo: wrong usage and a taken port are told', async (t) => {
    const server = await startEcho(t);
    const taken = await runExample('echo', ['--port', String(server.port)]);
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, new RegExp(`echo: .*127\\.0\\.0\\.1:${server.port}`));
    assert.equal((await runExample('echo', ['--port'])).code, 2);
    const nonsense = await runExample('echo', ['--port', 'http']);
    assert.equal(nonsense.code, 1);
    assert.match(nonsense.stderr, /listen: expected/);
});

test('echo: at its end clients are told to go', async (t) => {
    const server = await startEcho(t);
    const { socket } = await openEcho(server);
    const closed = once(socket, 'close');
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    assert.equal((await closed)[0], 1001);
});

// ---- The example server ----

const session = 'example_session';

test('example server: the demo arrives at a build client, and again at one that comes later', async (t) => {
    const server = await startExample(t, 'websocket_example', ['127.0.0.1:0']);
    const client = await server.build(session, '?epoch=0&since=0');
    const first = await client.next('component_update');
    assert.equal(first.component_id, 'database');
    assert.equal(first.session_id, session);
    const late = await server.build(session, '?state=1');
    const status = await late.next('build_status');
    assert.ok(status.status.components.database);
    assert.match(status.status.terminal_tail, /building database/);
    for (const type of ['build_progress', 'checkpoint_update']) await client.next(type, ms(20000));
});

test('example server: files written in its directory are published', async (t) => {
    const server = await startExample(t, 'websocket_example', ['127.0.0.1:0']);
    const client = await server.build(session);
    client.send({ type: 'subscribe', topics: ['files', 'checkpoints'] });
    await client.next('subscribed');
    const context = path.join(server.directory, '.buildrunner/context');
    fs.mkdirSync(context, { recursive: true });
    fs.writeFileSync(path.join(context, 'plan.md'), '# Plan\n');
    const change = await client.next('file_change');
    assert.equal(change.file_path, '.buildrunner/context/plan.md');
    assert.equal(change.content, '# Plan\n');
});

test('example server: offers what the program offers, and stops in order', async (t) => {
    const server = await startExample(t, 'websocket_example', ['127.0.0.1:0']);
    assert.equal((await server.get('/health')).status, 200);
    assert.equal((await server.get('/examples/websocket_client.html')).status, 200);
    const client = await server.build(session);
    const { code } = await server.stop('SIGINT');
    assert.equal(code, 0);
    assert.equal((await client.expectClose()).code, 1001);
});

// ---- The client, checkpoints, watching ----

test('publish: what it reads is published, split code points whole', async (t) => {
    const server = await startServer({ t });
    const name = uniqueName('build');
    const client = await server.build(name);
    const { code, stdout, stderr } = await runExample('publish', [server.url, name], 'one\ntwö\nlast');
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '3 events published\n', stderr: '' });
    const events = await client.take(3);
    assert.deepEqual(events.map((e) => e.output), ['one\n', 'twö\n', 'last']);
    assert.deepEqual([...new Set(events.map((e) => e.source))], ['publish']);
});

test('publish: what is wrong is told', async () => {
    assert.equal((await runExample('publish', [])).code, 2);
    const url = await runExample('publish', ['ftp://x', 'a']);
    assert.equal(url.code, 1);
    assert.match(url.stderr, /^publish: /);
    const name = await runExample('publish', ['http://127.0.0.1:1', 'not a session'], 'x\n');
    assert.equal(name.code, 1);
    assert.match(name.stderr, /session_id/);
});

test('checkpoint_summary: tells how far the build is, and what is wrong with a file', async () => {
    const directory = temporaryDirectory();
    const file = path.join(directory, 'one.json');
    fs.writeFileSync(file, JSON.stringify({ phase: 'build_1',
        components: [{ id: 'auth', status: 'in_progress', progress: 50 }, { id: 'db', status: 'completed' }] }));
    const { code, stdout } = await runExample('checkpoint_summary', [file]);
    assert.equal(code, 0);
    assert.match(stdout, /^one: in_progress, 75\.0 %\ncomponents: 1 of 2 completed, 1 in progress, 0 failed\n {2}auth +in_progress +50\.0 %\n/);
    fs.writeFileSync(file, '{"phase": }');
    const broken = await runExample('checkpoint_summary', [file]);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /one\.json:1:11: /);
});

test('watch_print: prints what happens', async (t) => {
    const directory = temporaryDirectory();
    const child = spawn(example('watch_print'), [directory]);
    t.after(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    await waitFor(() => output.startsWith('watching '), 'the watcher');
    fs.mkdirSync(path.join(directory, '.buildrunner/checkpoints'), { recursive: true });
    fs.writeFileSync(path.join(directory, '.buildrunner/checkpoints/one.json'), '{"phase":"build_1"}');
    await waitFor(() => /^checkpoint_update \{"checkpoint_id":"one"/m.test(output), 'the checkpoint');
    child.stdin.end();
    assert.equal((await within(once(child, 'close'), 'the end'))[0], 0);
});
