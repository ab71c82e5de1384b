// The command line: help, usage, exit codes, configuration, and the client commands against a real
// server and against servers that break off.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { WebSocketServer } from 'ws';
import { binary, projectRoot, range, runProgram, startServer, temporaryDirectory, test, uniqueName, waitFor, within }
    from './harness.mjs';

const commands = JSON.parse((await runProgram(['help', '--json'])).stdout).commands.map((c) => c.name);
const lines = (text) => text.split('\n').filter((line) => line !== '');
const has = (program) => {
    try {
        execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
};

/** Starts the program and collects its output: { child, stdout(), stderr(), ended }. */
function start(t, args, { env = {} } = {}) {
    const child = spawn(binary, args, { env: { PATH: process.env.PATH, ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.stdin.on('error', () => {});
    const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }));
    t.after(() => child.kill('SIGKILL'));
    return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** A server of the test's own; resolves with its port. */
async function listen(t, server) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
        server.closeAllConnections?.();
        server.close();
    });
    return server.address().port;
}

// ---- Help and usage ----

test('help names every command, and each command has examples', async () => {
    const { code, stdout, stderr } = await runProgram(['--help']);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    for (const command of commands) {
        assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
        for (const args of [[command, '--help'], ['help', command]]) {
            const help = await runProgram(args);
            assert.equal(help.code, 0, help.stderr);
            assert.match(help.stdout, /\nUsage:\n  fanfare /);
            assert.match(help.stdout, /\nExamples:\n/);
            assert.doesNotMatch(help.stdout, /\x1b/, 'no colours without a terminal');
        }
    }
});

test('wrong usage is 2, with a suggestion, and nothing on stdout', async () => {
    const cases = [
        [[], /Usage:/],
        [['srve'], /no command "srve"; did you mean "fanfare serve"\?/],
        [['pub'], /expected TOPIC TYPE/],
        [['pub', '--tocken', 'x', 'session:a', 'b'], /unknown option --tocken; did you mean --token\?/],
        [['pub', '--url'], /--url needs a value: URL$/m],
        [['pub', '--url', '--json', 'session:a', 'b'], /--url needs a value: URL; if --json is it, write --url=--json$/m],
        [['pub', '--timeout=--json', 'session:a', 'b'], /--timeout: expected a time/],
        [['run', '--url', '--', 'true'], /--url needs a value: URL; if -- is it, write --url=--/],
        [['serve', '--listen', '--workers', '2'], /--listen: needs a value; if --workers is it, write --listen=--workers/],
        [['pub', '--url', 'ftp://x', 'session:a', 'b'], /unknown scheme/],
        [['pub', '--json=1', 'session:a', 'b'], /--json takes no value/],
        [['pub', '-x'], /unknown option -x/],
        [['pub', '--timeout', 'soon', 'session:a', 'b'], /--timeout: expected a time/],
        [['pub', '--id', 'x', '-'], /--id is for one event/],
        [['sub'], /expected a TOPIC/],
        [['sub', '--count', '0', 'session:x'], /--count: expected a number above 0/],
        [['sub', '--token', 'a b', 'session:x'], /--token: it has characters/],
        [['watch'], /expected the PATH/],
        [['watch', '--session', 'a b', '.'], /--session: expected 1 to 128/],
        [['config'], /expected one of --check, --print, --docs/],
        [['config', '--check', '--wrkers', '2'], /unknown option --wrkers \(did you mean --workers\?\)/],
        [['serve', '--lissten', 'x'], /did you mean --listen\?/],
        [['serve', '--listen', 'here'], /--listen: expected HOST:PORT/],
        [['serve', 'now'], /unexpected argument "now"/],
        [['help', 'nothing'], /no command "nothing"/],
        [['help', '--completion', 'csh'], /expected bash, zsh or fish/],
        [['version', 'x'], /unexpected argument/],
    ];
    for (const [args, message] of cases) {
        const { code, stdout, stderr } = await runProgram(args);
        assert.equal(code, 2, `${args}: ${stderr}`);
        assert.equal(stdout, '', String(args));
        assert.match(stderr, message, String(args));
    }
});

test('version and its features', async () => {
    assert.match((await runProgram(['--version'])).stdout, /^fanfare \d+\.\d+\.\d+\n$/);
    const { code, stdout } = await runProgram(['version', '--features', '--json']);
    assert.equal(code, 0);
    const { features } = JSON.parse(stdout);
    for (const name of ['io_uring', 'tls', 'deflate', 'engine memory', 'bubblewrap']) {
        const feature = features.find((f) => f.name === name);
        assert.equal(typeof feature.available, 'boolean', name);
    }
});

test('manual pages pass mandoc', { skip: !has('mandoc') }, async () => {
    const directory = temporaryDirectory();
    assert.equal((await runProgram(['help', '--man-pages', directory])).code, 0);
    execFileSync('sh', ['-c', `mandoc -T lint -W warning ${directory}/*.1`]);
});

test('manual pages are troff without complaints', { skip: !has('groff') }, async () => {
    const directory = temporaryDirectory();
    const { code, stderr } = await runProgram(['help', '--man-pages', directory]);
    assert.equal(code, 0, stderr);
    const pages = fs.readdirSync(directory).sort();
    assert.deepEqual(pages, ['fanfare.1', ...commands.map((c) => `fanfare-${c}.1`)].sort());
    for (const page of pages) {
        const child = spawn('groff', ['-man', '-Kutf8', '-Tutf8', '-ww', '-rF0', path.join(directory, page)]);
        let [text, warnings] = ['', ''];
        child.stdout.on('data', (piece) => (text += piece));
        child.stderr.on('data', (piece) => (warnings += piece));
        await once(child, 'close');
        assert.equal(warnings, '', page);
        assert.match(text.replace(/.\x08/g, ''), /^NAME\n +fanfare/m);
    }
    const failed = await runProgram(['help', '--man-pages', '/no/such/directory']);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /No such file/);
});

test('completion scripts are valid', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
        const { code, stdout } = await runProgram(['help', '--completion', shell]);
        assert.equal(code, 0);
        assert.match(stdout, /help --complete -- /);
        if (!has(shell)) continue;
        const file = path.join(temporaryDirectory(), 'script');
        fs.writeFileSync(file, stdout);
        execFileSync(shell, ['-n', file]);
    }
});

// ---- Configuration ----

test('config --check names file, line and reason', async () => {
    const cwd = temporaryDirectory();
    fs.writeFileSync(path.join(cwd, 'fanfare.yaml'), '# mine\nlimit: 5\nworkers: many\n');
    const bad = await runProgram(['config', '--check'], { cwd });
    assert.equal(bad.code, 1);
    assert.deepEqual(lines(bad.stderr), [
        'fanfare.yaml:2: unknown key "limit" (did you mean "limits"?)',
        'fanfare.yaml:3: workers: expected a whole number from 0 to 64, got "many"',
    ]);
    const json = await runProgram(['config', '--check', '--json'], { cwd });
    assert.equal(json.code, 1);
    assert.equal(JSON.parse(json.stdout).problems.length, 2);
    const serve = await runProgram(['serve'], { cwd });
    assert.equal(serve.code, 1);
    assert.equal(serve.stderr, bad.stderr);
    fs.writeFileSync(path.join(cwd, 'fanfare.yaml'), 'workers: 2\n');
    const good = await runProgram(['config', '--check'], { cwd });
    assert.equal(good.code, 0, good.stderr);
    const missing = await runProgram(['config', '--check', '--config', 'nowhere.yaml'], { cwd });
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^nowhere.yaml: cannot be read/);
});

test('config --print shows values, origins, and no secrets', async () => {
    const env = { JWT_SECRET_KEY: 'hush-hush', CORS_ORIGINS: '["https://a.example"]', FANFARE_DRAIN: '3s' };
    const { code, stdout } = await runProgram(['config', '--print', '--workers', '2'], { env });
    assert.equal(code, 0);
    assert.match(stdout, /^workers: 2 +# --workers$/m);
    assert.match(stdout, /^drain: 3s +# FANFARE_DRAIN$/m);
    assert.match(stdout, /^cors_origins: \["https:\/\/a.example"\] +# CORS_ORIGINS$/m);
    const json = await runProgram(['config', '--print', '--json'], { env });
    const values = JSON.parse(json.stdout);
    assert.equal(values['limits.queue'].value, 1048576);
    assert.equal(values['jwt.key'].origin, 'JWT_SECRET_KEY');
    for (const text of [stdout, json.stdout]) assert.doesNotMatch(text, /hush/);
});

test('a build without Redis refuses REDIS_URL rather than ignore it', async () => {
    const { features } = JSON.parse((await runProgram(['version', '--features', '--json'])).stdout);
    if (features.find((f) => f.name === 'engine redis').available) return;
    for (const command of [['serve'], ['config', '--check']]) {
        const { code, stderr } = await runProgram(command, { env: { REDIS_URL: 'redis://:hush@localhost' } });
        assert.equal(code, 1);
        assert.match(stderr, /this build has no Redis engine/);
        assert.doesNotMatch(stderr, /hush/);
    }
});

// ---- One event ----

/** A server that takes events over HTTP and answers with what `answer` returns. */
async function publishServer(t, answer, make = (handler) => http.createServer(handler)) {
    const requests = [];
    const server = make((incoming, outgoing) => {
        let body = '';
        incoming.setEncoding('utf8').on('data', (piece) => (body += piece));
        incoming.on('end', () => {
            requests.push({ url: incoming.url, headers: incoming.headers, body });
            const { status, json } = answer(body);
            outgoing.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(json));
        });
    });
    return { port: await listen(t, server), requests };
}

test('pub sends one event and prints where it went', async (t) => {
    const { port, requests } = await publishServer(t, () => (
        { status: 200, json: { topic: 'session:a', offset: 41, epoch: 'e', time: 't' } }));
    const env = { FANFARE_URL: `http://127.0.0.1:${port}/live/`, FANFARE_TOKEN: 'tok.en' };
    const human = await runProgram(['pub', 'session:a', 'tick', '{"n": 1}', '--id', 'i"1', '--ephemeral'], { env });
    assert.deepEqual([human.code, human.stdout], [0, 'session:a: offset 41\n']);
    assert.equal(requests[0].url, '/live/api/v1/publish');
    assert.equal(requests[0].headers.authorization, 'Bearer tok.en');
    assert.deepEqual(JSON.parse(requests[0].body),
        { topic: 'session:a', type: 'tick', id: 'i"1', ephemeral: true, data: { n: 1 } });
    const json = await runProgram(['pub', '--json', 'session:a', 'tick', '-'], { env, input: '{"from":"stdin"}' });
    assert.equal(JSON.parse(json.stdout).offset, 41);
    assert.deepEqual(JSON.parse(requests[1].body).data, { from: 'stdin' });
});

test('pub says why it failed', async (t) => {
    const { port } = await publishServer(t, () => (
        { status: 422, json: { error: { status: 422, message: 'type: expected a name' } } }));
    const url = `http://127.0.0.1:${port}`;
    const refused = await runProgram(['pub', '--url', url, 'session:a', '!', '{}']);
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /refused \(422\): type: expected a name/);
    const broken = await runProgram(['pub', '--url', url, 'session:a', 'tick', '{"a":\n nul}']);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /not JSON: .*line 2/);
    const list = await runProgram(['pub', '--url', url, 'session:a', 'tick', '[1]']);
    assert.match(list.stderr, /must be a JSON object, it is an array/);
    const nobody = await runProgram(['pub', '--url', 'http://127.0.0.1:1', 'session:a', 'tick']);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /^fanfare pub: nothing listens at http:\/\/127.0.0.1:1; start one with: fanfare serve --listen 127.0.0.1:1\n$/);
});

test('https needs a certificate that is good for the host', { skip: !has('openssl') }, async (t) => {
    const directory = temporaryDirectory();
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(directory, name));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
        '-subj', '/CN=test', '-addext', 'subjectAltName=DNS:localhost', '-days', '2', '-keyout', key, '-out', cert],
    { stdio: 'ignore' });
    const options = { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
    const { port } = await publishServer(t, () => ({ status: 200, json: { offset: 7 } }),
        (handler) => https.createServer(options, handler));
    const pub = (...args) => runProgram(['pub', ...args, 'session:a', 'tick', JSON.stringify({ x: 'y'.repeat(100000) })]);
    const good = await pub('--url', `https://localhost:${port}`, '--ca', cert);
    assert.deepEqual([good.code, good.stdout], [0, 'session:a: offset 7\n'], good.stderr);
    const secure = https.createServer(options);
    new WebSocketServer({ server: secure }).on('connection', (socket) => {
        socket.on('message', () => acknowledge(socket, 1));
        socket.on('error', () => {});
    });
    const event = JSON.stringify({ topic: 'session:a', type: 'tick', data: { x: 'y'.repeat(50000) } });
    const stream = await runProgram(['pub', '--url', `wss://localhost:${await listen(t, secure)}`, '--ca', cert, '-'],
        { input: `${event}\n`.repeat(100) });
    assert.equal(stream.code, 0, stream.stderr);
    assert.match(stream.stderr, /published 100, failed 0/);
    const unknown = await pub('--url', `https://localhost:${port}`);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /certificate is not good/);
    const otherHost = await pub('--url', `https://127.0.0.1:${port}`, '--ca', cert);
    assert.equal(otherHost.code, 1);
    assert.match(otherHost.stderr, /certificate is not good: IP address mismatch/);
    const plain = await pub('--url', `http://localhost:${port}`);
    assert.equal(plain.code, 1);
});

// ---- Many events ----

/** A publish WebSocket: `play(socket, n)` sees connection n. Collects the events by id. */
async function ingest(t, play) {
    const server = http.createServer((_, outgoing) => outgoing.writeHead(404).end());
    const sockets = new WebSocketServer({ server });
    let connections = 0;
    sockets.on('connection', (socket, request) => {
        socket.on('error', () => {});
        play(socket, ++connections, request);
    });
    t.after(() => sockets.clients.forEach((socket) => socket.terminate()));
    return listen(t, server);
}

const acknowledge = (socket, published, failed = 0) =>
    socket.send(JSON.stringify({ published, failed, topics: {} }));

test('pub - survives broken connections without loss', async (t) => {
    const published = new Map();
    const port = await ingest(t, (socket, n) => {
        let seen = 0;
        socket.on('message', (data) => {
            const event = JSON.parse(data);
            if (!published.has(event.id)) published.set(event.id, event);
            if (n > 3) acknowledge(socket, 1);
            else if (++seen === 25) socket.terminate();
            else if (seen % 10 === 0) acknowledge(socket, 10);
        });
    });
    const pub = start(t, ['pub', '--url', `http://127.0.0.1:${port}`, '-']);
    for (const n of range(200)) {
        pub.child.stdin.write(`${JSON.stringify({ topic: 'session:a', type: 'tick', data: { n } })}\n`);
    }
    pub.child.stdin.end();
    const { code, stderr } = await pub.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /published 200, failed 0\n$/);
    assert.deepEqual([...published.values()].map((e) => e.data.n), range(200));
});

test('pub - names the lines that failed', async (t) => {
    const port = await ingest(t, (socket) => {
        let line = 0;
        socket.on('message', (data) => {
            line++;
            const bad = JSON.parse(data).type === 'bad';
            if (bad) socket.send(JSON.stringify({ error: { status: 422, message: 'type: not good' }, line }));
            acknowledge(socket, bad ? 0 : 1, bad ? 1 : 0);
        });
    });
    const url = `http://127.0.0.1:${port}`;
    const input = '{"topic":"session:a","type":"good"}\n\n{"topic":\n{"topic":"session:a","type":"bad"}\n[]\n' +
        '{"topic":"session:a","type":"good"}'; // the last newline is optional
    const human = await runProgram(['pub', '--url', url, '-'], { input });
    assert.equal(human.code, 1);
    assert.equal(human.stdout, '');
    const said = lines(human.stderr).sort();
    assert.match(said[0], /^line 3: .* at byte 9$/);
    assert.equal(said[1], 'line 4: type: not good');
    assert.match(said[2], /^line 5: expected a JSON object at byte 0$/);
    assert.equal(said[3], 'published 2, failed 3');
    const json = await runProgram(['pub', '--url', url, '--json', '-'], { input });
    const answers = lines(json.stdout).map((line) => JSON.parse(line));
    assert.deepEqual(answers.filter((a) => a.error).map((a) => a.line).sort(), [3, 4, 5]);
    assert.deepEqual(answers.at(-1), { published: 2, failed: 3, unacknowledged: 0 });
});

test('pub - gives up when the server does, or refuses it', async (t) => {
    const input = '{"topic":"session:a","type":"tick"}\n';
    const nobody = await runProgram(['pub', '--url', 'http://127.0.0.1:1', '--timeout', '500ms', '-'], { input });
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /nothing listens at .*; trying again/);
    assert.match(nobody.stderr, /published 0, failed 0, not acknowledged 1\n$/);
    const server = http.createServer();
    server.on('upgrade', (request, socket) => socket.end(
        'HTTP/1.1 401 Unauthorized\r\nContent-Length: 29\r\n\r\n{"error":"a token is needed"}'));
    const refused = await listen(t, server);
    const denied = await runProgram(['pub', '--url', `http://127.0.0.1:${refused}`, '-'], { input });
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /the server refuses the connection: a token is needed/);
});

test('pub - does not keep more than it may while the server is slow', async (t) => {
    const port = await ingest(t, (socket) => {
        let waiting = 0;
        socket.on('message', () => {
            if (++waiting === 100) {
                acknowledge(socket, waiting);
                waiting = 0;
            }
        });
    });
    const event = JSON.stringify({ topic: 'session:a', type: 'tick', data: { pad: 'x'.repeat(2000) } });
    const { code, stderr } = await runProgram(['pub', '--url', `http://127.0.0.1:${port}`, '-'],
        { input: `${event}\n`.repeat(20000) });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /published 20000, failed 0/);
});

// ---- Following ----

test('sub goes on with the last cursor after a break', async (t) => {
    const requests = [];
    const server = http.createServer((incoming, outgoing) => {
        requests.push(incoming.url);
        outgoing.writeHead(200, { 'Content-Type': 'text/event-stream' });
        const event = (n) => outgoing.write(
            `id: c${n}\ndata: ${JSON.stringify({ topic: 'session:a', type: 'tick', time: '2026-01-31T12:00:00.123Z', offset: n, data: { n } })}\n\n`);
        outgoing.write('retry: 100\n\n');
        if (requests.length === 1) {
            event(1);
            event(2);
            setImmediate(() => outgoing.destroy());
        } else {
            outgoing.write('data: {"type":"resume_failed","topic":"session:a","reason":"trimmed","from":3,"to":3}\n\n');
            event(4);
        }
    });
    const port = await listen(t, server);
    const url = `http://127.0.0.1:${port}`;
    const human = await runProgram(['sub', '--url', url, '--count', '3', '--since', '0', 'session:a', 'session:b/c']);
    assert.equal(human.code, 0, human.stderr);
    assert.deepEqual(lines(human.stdout), [1, 2, 4].map((n) => `12:00:00.123 session:a #${n} tick {"n":${n}}`));
    assert.match(human.stderr, /(nothing listens at|cannot reach) .*; trying again in \d\.\d s/);
    assert.match(human.stderr, /connected again/);
    assert.match(human.stderr, /resume_failed .*trimmed/);
    assert.equal(requests[0], '/events?topic=session%3Aa&topic=session%3Ab%2Fc&since=0');
    assert.equal(requests[1], '/events?topic=session%3Aa&topic=session%3Ab%2Fc&since=c2');
});

test('sub shows no control characters of others, ends on Ctrl-C and when nobody reads', async (t) => {
    const server = http.createServer((_, outgoing) => {
        outgoing.writeHead(200, { 'Content-Type': 'text/event-stream' });
        outgoing.write('data: {"topic":"session:a","type":"tick","data":{"x":"\u009b31m\u007f"}}\n\n');
        t.after(() => outgoing.destroy());
    });
    const url = `http://127.0.0.1:${await listen(t, server)}`;
    const sub = start(t, ['sub', '--url', url, 'session:a']);
    await waitFor(() => sub.stdout().includes('\n'));
    assert.equal(sub.stdout(), 'session:a tick {"x":"\\u009b31m\\u007f"}\n');
    sub.child.kill('SIGINT');
    assert.deepEqual((await sub.ended).code, 0);
    // No further event comes: it has to notice by itself that its reader is gone.
    const piped = spawn('bash', ['-c', `"${binary}" sub --url ${url} session:a | head -1; echo "\${PIPESTATUS[0]}"`]);
    t.after(() => piped.kill('SIGKILL'));
    let shown = '';
    piped.stdout.setEncoding('utf8').on('data', (text) => (shown += text));
    await within(once(piped, 'close'), 'sub to notice that nobody reads');
    assert.match(shown, /^session:a tick .*\n1\n$/);
    const refused = await runProgram(['sub', '--url', 'http://127.0.0.1:1', '--no-retry', 'session:a']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /nothing listens at http:\/\/127.0.0.1:1; start one with: /);
});

// ---- A real server ----

test('pub, pub - and sub with a server', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    const env = { FANFARE_URL: server.url };
    const sub = start(t, ['sub', '--json', '--since', '0', '--count', '5', topic], { env });
    assert.equal((await runProgram(['pub', topic, 'tick', '{"n":0}'], { env })).stdout, `${topic}: offset 1\n`);
    const input = range(3).map((n) => JSON.stringify({ topic, type: 'tick', data: { n: n + 1 } })).join('\n');
    const many = await runProgram(['pub', '-'], { env, input });
    assert.equal(many.code, 0, many.stderr);
    const mixed = await runProgram(['pub', '-'], { env, input: `{"topic":"nowhere","type":"x"}\n${JSON.stringify({ topic, type: 'tick', data: { n: 4 } })}\n` });
    assert.equal(mixed.code, 1);
    assert.match(mixed.stderr, /^line 1: .*topic/m);
    assert.match(mixed.stderr, /published 1, failed 1/);
    const { code, stdout } = await sub.ended;
    assert.equal(code, 0);
    assert.deepEqual(lines(stdout).map((line) => JSON.parse(line)).map((e) => [e.offset, e.data.n]),
        range(5).map((n) => [n + 1, n]));
});

test('pub - and sub go on when the server is started again', async (t) => {
    const first = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    const env = { FANFARE_URL: first.url };
    const pub = start(t, ['pub', '-'], { env });
    const send = (n) => pub.child.stdin.write(`${JSON.stringify({ topic, type: 'tick', data: { n } })}\n`);
    send(1);
    await waitFor(async () => (await first.get(`/api/v1/topics/${encodeURIComponent(topic)}/history?since=0`)).json?.offset === 1);
    await first.stop();
    send(2);
    const second = await startServer({ t, args: ['--listen', `127.0.0.1:${first.port}`] });
    send(3);
    pub.child.stdin.end();
    const { code, stderr } = await pub.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /published 3, failed 0/);
    const { json } = await second.get(`/api/v1/topics/${encodeURIComponent(topic)}/history?since=0`);
    assert.deepEqual(json.events.map((e) => e.data.n), [2, 3]);
});

// ---- The guide ----

/** The commands of a `console` block with the output that is shown for each. */
function consoleCommands(text) {
    const found = [];
    for (const [, block] of text.matchAll(/```console\n([^]*?)```/g)) {
        for (const line of block.split('\n')) {
            if (line.startsWith('$ ')) found.push({ command: line.slice(2), output: [] });
            else if (line !== '') found.at(-1).output.push(line);
        }
    }
    return found;
}

/** '…' in the guide stands for anything. */
const pattern = (line) => new RegExp(
    `^${line.split('…').map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);

for (const [guide, least] of [['README.md', 3], ['docs/cli.md', 8], ['docs/running-commands.md', 2]]) test(`the examples of ${guide} do what they show`, async (t) => {
    const server = await startServer({ t });
    const directory = temporaryDirectory();
    fs.symlinkSync(binary, path.join(directory, 'fanfare'));
    const env = { PATH: `${directory}:${process.env.PATH}`, FANFARE_URL: server.url, HOME: directory };
    const examples = consoleCommands(fs.readFileSync(path.join(projectRoot, guide), 'utf8'));
    assert.ok(examples.length > least);
    for (const { command, output } of examples) {
        const here = command.replaceAll('http://127.0.0.1:8000/', `${server.url}/`);
        const child = spawn('bash', ['-c', `{ ${here}\n} 2>&1`], { cwd: directory, env });
        let text = '';
        child.stdout.setEncoding('utf8').on('data', (piece) => (text += piece));
        t.after(() => child.kill('SIGKILL'));
        await once(child, 'close');
        const shown = lines(text);
        assert.equal(shown.length, output.length, `$ ${command}\n${text}`);
        output.forEach((line, i) => assert.match(shown[i], pattern(line), `$ ${command}`));
    }
});
