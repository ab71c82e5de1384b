// The publisher against real servers: there, away at first, restarted, refusing.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
    ms, range, startServer, temporaryDirectory, test, uniqueName, waitFor,
} from '../../../tests/integration/harness.mjs';
import {
    AccessDenied, ConfigurationError, EventRefused, Publisher, PublisherClosed, SpoolFull,
} from '../dist/index.js';

delete process.env.FANFARE_URL;
delete process.env.FANFARE_TOKEN;
const patience = ms(8000);
const server = await startServer();

/** A publisher whose problems are kept in p.problems. */
function publisher(t, url, options = {}) {
    const problems = [];
    const p = new Publisher({ url, confirmTimeout: patience, onProblem: (problem) => problems.push(problem), ...options });
    p.problems = problems;
    p.of = (kind) => problems.filter((problem) => problem.kind === kind);
    t.after(() => p.close(0));
    return p;
}

async function history(from, topic) {
    const { json } = await from.get(`/api/v1/topics/${encodeURIComponent(topic)}/history?since=0&limit=10000`);
    return json.events ?? [];
}

const numbers = async (from, topic) => (await history(from, topic)).map((event) => event.data.n);

/** A server on a Unix socket, which keeps its address while it is down. */
function unixServer(t) {
    const directory = temporaryDirectory();
    const url = `unix:${directory}/s`;
    return { url, start: () => startServer({ t, listen: url, directory }) };
}

const nobody = () => `unix:${temporaryDirectory()}/nobody`;

/** Stops a server in its tracks, as a machine that hangs does; resolves when it stands. */
async function freeze({ child }) {
    child.kill('SIGSTOP');
    const tasks = `/proc/${child.pid}/task`;
    const stands = (task) => fs.readFileSync(`${tasks}/${task}/stat`, 'utf8').split(') ').at(-1)[0] === 'T';
    await waitFor(() => fs.readdirSync(tasks).every(stands), 'the server to stand still');
}

/** A listener before `target` that can swallow answers, and answer in the server's place. */
async function wire(t, target) {
    const self = { swallow: 0, answer: undefined, url: `unix:${temporaryDirectory()}/w` };
    const sockets = new Set();
    const listener = net.createServer((client) => {
        const upstream = net.connect(new URL(target.url).port, '127.0.0.1');
        for (const socket of [client, upstream]) {
            sockets.add(socket);
            socket.on('error', () => {});
            socket.on('close', () => (client.destroy(), upstream.destroy()));
        }
        client.on('data', (data) => {
            if (!self.answer) return upstream.write(data);
            if (data.includes('\n', data.length - 1)) client.end(self.answer);
        });
        upstream.on('data', (data) => (self.swallow-- > 0 ? client.destroy() : client.write(data)));
    }).listen(self.url.slice('unix:'.length));
    await once(listener, 'listening');
    t.after(() => {
        listener.close();
        for (const socket of sockets) socket.destroy();
    });
    return self;
}

const unauthorized = 'HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n' +
    '{"error":{"status":401,"code":"unauthorized","message":"a token is needed"}}';

// ---- There ----

test('every typed function is published', async (t) => {
    const session = uniqueName();
    const p = publisher(t, server.url, { source: 'tests' });
    p.componentUpdate(session, 'auth', 'in_progress', 45.5, { step: 'compile' });
    p.featureUpdate(session, 'login', 'completed', 100);
    p.terminalOutput(session, 'caf\u00e9 \ud800\n', 'stderr', 'make');
    p.checkpointUpdate(session, 'c1', 'build_1', ['t'], ['f.ts'], { by: 'me' });
    p.buildProgress(session, 10, 7);
    p.fileChange(session, 'a.md', 'created', '# A\n');
    p.fileChange(session, 'b.md', 'modified', 'x'.repeat(70_000));
    p.error(session, Object.assign(new TypeError('no'), { stack: 'line 1' }));
    assert.equal(await p.flush(patience), true);
    const found = await history(server, `session:${session}`);
    assert.deepEqual(found.map(({ type, data }) => [type, data]), [
        ['component_update', { component_id: 'auth', status: 'in_progress', progress: 45.5, metadata: { step: 'compile' } }],
        ['feature_update', { feature_id: 'login', status: 'completed', progress: 100, metadata: {} }],
        ['terminal_output', { output: 'caf\u00e9 \ufffd\n', output_type: 'stderr', source: 'make' }],
        ['checkpoint_update', { checkpoint_id: 'c1', phase: 'build_1', tasks_completed: ['t'], files_created: ['f.ts'], metadata: { by: 'me' } }],
        ['build_progress', { total: 10, completed: 7, percent: 70 }],
        ['file_change', { file_path: 'a.md', change_type: 'created', content: '# A\n' }],
        ['file_change', { file_path: 'b.md', change_type: 'modified', truncated: true }],
        ['error', { error_message: 'no', error_type: 'TypeError', traceback: 'line 1' }],
    ]);
    assert.deepEqual(new Set(found.map((event) => event.source)), new Set(['tests']));
    assert.deepEqual(p.problems, []);
});

test('a receipt tells the place', async (t) => {
    const [a, b] = [`session:${uniqueName()}`, `project:${uniqueName()}`];
    const p = publisher(t, server.url);
    const first = await p.publish(a, 'tick', { n: 1 }, { id: 'one' });
    assert.deepEqual([first.topic, first.offset, first.duplicate], [a, 1, false]);
    const again = await p.publish(a, 'tick', { n: 1 }, { id: 'one' });
    assert.deepEqual([again.offset, again.duplicate], [1, true]);
    const both = await p.publish([a, b], 'tick', { n: 2 }, { key: 'k', time: '2026-01-31T12:00:00.123Z' });
    assert.deepEqual([both.offset, both.others[0].topic, both.others[0].offset], [2, b, 1]);
    assert.equal(both.time, '2026-01-31T12:00:00.123Z');
    assert.equal((await p.publish(a, 'tick', {}, { ephemeral: true })).offset, undefined);
});

test('every kind of URL', async (t) => {
    const unix = unixServer(t);
    await unix.start();
    for (const url of [unix.url, server.url, `${server.url}/`, server.url.replace('http:', 'ws:'), server.url.slice(7)]) {
        assert.ok(await publisher(t, url).publish('session:url', 'tick'), url);
    }
});

test('the order of the calls is the order of the events', async (t) => {
    const topic = `session:${uniqueName()}`;
    const p = publisher(t, server.url);
    for (const n of range(9000)) p.publish(topic, 'tick', { n });
    assert.equal(await p.flush(patience), true);
    const found = await numbers(server, topic);
    assert.deepEqual(found, range(9000).slice(-found.length));
    assert.equal(p.stats.acknowledged, 9000);
});

test('https asks for a certificate that is trusted', async (t) => {
    const directory = temporaryDirectory();
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(directory, name));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
        '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2', '-keyout', key, '-out', cert],
    { stdio: 'ignore' });
    const secure = await startServer({ t, args: ['--tls-cert', cert, '--tls-key', key] });
    assert.equal((await publisher(t, secure.url, { caFile: cert }).publish('session:a', 'tick')).offset, 1);
    const distrustful = publisher(t, secure.url);
    assert.equal(await distrustful.publish('session:a', 'tick'), undefined);
    assert.match(distrustful.problems[0].message, /self-signed certificate/);
});

// ---- Refused ----

test('mistakes reject and name the field', async (t) => {
    const p = publisher(t, nobody());
    const cases = [
        [() => p.componentUpdate('s', 'a', 'completed', 140), 'progress', /progress must be a number from 0 to 100, got 140/],
        [() => p.componentUpdate('s', '', 'completed'), 'componentId', /not empty/],
        [() => p.componentUpdate('s', 'a', 'completed', NaN), 'progress', /NaN/],
        [() => p.componentUpdate('s', 'a', 'completed', 1, ['x']), 'metadata', /an object/],
        [() => p.componentUpdate('s', 'a', 'completed', 1, { x: 1n }), 'data', /BigInt/],
        [() => p.terminalOutput('s', 'x', 'stdin'), 'outputType', /"stdout" or "stderr", got "stdin"/],
        [() => p.terminalOutput('s', Buffer.from('x')), 'output', /a string/],
        [() => p.buildProgress('s', 3, 4), 'completed', /from 0 to total \(3\), got 4/],
        [() => p.checkpointUpdate('s', 'c', 'p', 'task'), 'tasks', /a list of strings/],
        [() => p.fileChange('s', 'f', 'touched'), 'changeType', /created/],
        [() => p.publish('session:a', 'tick', [1]), 'data', /an object/],
        [() => p.publish('session:a', 7), 'type', /a string/],
        [() => p.publish(undefined, 'tick'), 'topic', /session:build_123/],
    ];
    for (const [call, field, words] of cases) {
        await assert.rejects(call(), (error) => {
            assert.ok(error instanceof EventRefused);
            assert.deepEqual([error.field, error.name], [field, 'EventRefused']);
            assert.match(error.message, words);
            return true;
        });
    }
    assert.equal(p.of('refused').length, cases.length, 'told also to who looks at no promise');
    assert.equal(p.stats.accepted, 0);
});

test('what the server refuses rejects, and the others are published', async (t) => {
    const topic = `session:${uniqueName()}`;
    const p = publisher(t, server.url);
    const results = await Promise.allSettled([
        p.publish(topic, 'tick', { n: 1 }),
        p.publish(topic, 'Not A Type', { n: 2 }),
        p.publish('planet:x', 'tick', { n: 3 }),
        p.publish(topic, 'tick', { pad: 'x'.repeat(1_200_000) }),
        p.publish(topic, 'tick', { n: 4 }),
    ]);
    assert.deepEqual(results.map((r) => r.value?.offset ?? [r.reason.field, r.reason.status]),
        [1, ['type', 422], ['topic', 422], [results[3].reason.field, 413], 2]);
    assert.deepEqual(await numbers(server, topic), [1, 4]);
    assert.equal(p.of('refused').length, 3);
    assert.match(p.problems[0].message, /Not A Type: type must be/);
});

test('configuration that cannot work', () => {
    for (const [options, words] of [
        [{ url: 'ftp://x' }, /unknown scheme/], [{ url: 'unix:' }, /path is empty/], [{ url: 'http://' }, /expected http/],
        [{ url: 'http://x:99999' }, /expected http/], [{ url: 'http://u@x' }, /no user/], [{ token: 'a\nb' }, /cannot carry/],
        [{ policy: 'panic' }, /drop-oldest/], [{ spoolBytes: 1 }, /spoolBytes/], [{ caFile: '/nowhere' }, /\/nowhere/],
    ]) {
        assert.throws(() => new Publisher(options), (error) => error instanceof ConfigurationError && words.test(error.message));
    }
});

// ---- Denied ----

test('access denied rejects who waits; other events stay until it is given', async (t) => {
    const topic = `session:${uniqueName()}`;
    const between = await wire(t, server);
    between.answer = unauthorized;
    const p = publisher(t, between.url, { rejectDenied: true, token: async () => (between.answer ? 't' : undefined) });
    await assert.rejects(p.publish(topic, 'tick', { n: 0 }), (error) => error instanceof AccessDenied && error.status === 401);
    const begun = Date.now();
    for (const n of range(20)) await assert.rejects(p.publish(topic, 'tick', { n }), AccessDenied);
    assert.ok(Date.now() - begun < patience / 2);
    assert.equal(p.of('denied').length, 1);
    between.answer = undefined;
    await waitFor(() => p.publish(topic, 'tick', { n: 1 }).catch(() => undefined), 'access');
    assert.deepEqual(await numbers(server, topic), [1]);
});

test('with rejectDenied false it is an outage', async (t) => {
    const topic = `session:${uniqueName()}`;
    const between = await wire(t, server);
    between.answer = unauthorized;
    const p = publisher(t, between.url, { rejectDenied: false });
    assert.equal(await p.publish(topic, 'tick', { n: 1 }), undefined);
    assert.deepEqual(p.problems.map(({ kind, status }) => [kind, status]), [['denied', 401]]);
    between.answer = undefined;
    assert.equal(await p.flush(patience), true);
    assert.deepEqual(await numbers(server, topic), [1]);
});

test('a server that asks to come later is obeyed', async (t) => {
    const between = await wire(t, server);
    between.answer = 'HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nConnection: close\r\n\r\n';
    const p = publisher(t, between.url);
    const begun = Date.now();
    assert.equal(await p.publish('session:later', 'tick'), undefined);
    between.answer = undefined;
    assert.equal(await p.flush(patience), true);
    assert.ok(Date.now() - begun >= 990);
});

// ---- Away ----

test('down at first, then up', async (t) => {
    const place = unixServer(t);
    const p = publisher(t, place.url);
    const receipts = await Promise.all(range(100).map((n) => p.publish('session:a', 'tick', { n })));
    assert.deepEqual(new Set(receipts), new Set([undefined]));
    assert.match(p.problems[0].message, /does `fanfare serve` run there\?/);
    const up = await place.start();
    assert.equal(await p.flush(patience), true);
    assert.deepEqual(await numbers(up, 'session:a'), range(100));
    assert.deepEqual(p.problems.map(({ kind }) => kind), ['unreachable', 'recovered']);
});

test('restarted in the middle', async (t) => {
    const place = unixServer(t);
    const first = await place.start();
    const p = publisher(t, place.url);
    let sent = 0;
    const publish = (count) => range(count).forEach(() => p.publish('session:a', 'tick', { n: sent++ }));
    publish(100);
    assert.equal(await p.flush(patience), true);
    await first.stop();
    publish(100);
    await waitFor(() => !p.stats.reachable, 'the outage');
    const second = await place.start();
    publish(100);
    assert.equal(await p.flush(patience), true);
    assert.deepEqual(await numbers(second, 'session:a'), range(300));
    assert.equal(p.stats.acknowledged, 300);
});

test('an idle connection that the server closed is no outage', async (t) => {
    const place = unixServer(t);
    const first = await place.start();
    const p = publisher(t, place.url);
    await p.publish('session:a', 'tick');
    await first.stop();
    await place.start();
    assert.equal((await p.publish('session:a', 'tick')).offset, 2);
    assert.deepEqual(p.problems, []);
});

test('an answer that is lost doubles nothing', async (t) => {
    const topic = `session:${uniqueName()}`;
    const between = await wire(t, server);
    between.swallow = 2;
    const p = publisher(t, between.url);
    for (const n of range(50)) p.publish(topic, 'tick', { n });
    assert.equal(await p.flush(patience), true);
    assert.deepEqual(await numbers(server, topic), range(50));
    assert.ok(p.stats.resent > 0);
});

test('a server that hangs costs one wait', async (t) => {
    const place = unixServer(t);
    const hanging = await place.start();
    const p = publisher(t, place.url, { confirmTimeout: 200, timeout: patience });
    await p.publish('session:a', 'tick', { n: 0 });
    await freeze(hanging);
    t.after(() => hanging.child.kill('SIGCONT'));
    const begun = Date.now();
    for (const n of range(50)) assert.equal(await p.publish('session:a', 'tick', { n: n + 1 }), undefined);
    assert.ok(Date.now() - begun < ms(2000));
    hanging.child.kill('SIGCONT');
    assert.equal(await p.flush(patience), true);
    assert.deepEqual(await numbers(hanging, 'session:a'), range(51));
});

for (const [policy, kept] of [
    ['drop-oldest', (dropped) => range(200).slice(dropped)],
    ['drop-newest', (dropped) => range(200 - dropped)],
    ['reject', (dropped) => range(200 - dropped)],
]) {
    test(`a full spool: ${policy}`, async (t) => {
        const place = unixServer(t);
        const p = publisher(t, place.url, { spoolBytes: 10_000, policy });
        const results = await Promise.allSettled(range(200).map((n) => p.publish('session:a', 'tick', { n })));
        const { dropped, spoolBytes } = p.stats;
        assert.ok(spoolBytes <= 10_000 && dropped > 0);
        assert.equal(results.filter(({ reason }) => reason instanceof SpoolFull).length, policy === 'reject' ? dropped : 0);
        assert.equal(p.of('dropped').length, 1);
        const up = await place.start();
        assert.equal(await p.flush(patience), true);
        assert.deepEqual(await numbers(up, 'session:a'), kept(dropped));
        assert.equal(p.of('dropped')[1].events, dropped);
    });
}

test('an event that could never fit', async (t) => {
    const p = publisher(t, nobody(), { spoolBytes: 2000 });
    await assert.rejects(p.publish('session:a', 'tick', { pad: 'x'.repeat(3000) }), /raise spoolBytes/);
});

// ---- The end ----

test('close sends what is left', async (t) => {
    const topic = `session:${uniqueName()}`;
    const p = publisher(t, server.url);
    for (const n of range(1000)) p.publish(topic, 'tick', { n });
    assert.equal(await p.close(patience), true);
    assert.deepEqual(await numbers(server, topic), range(1000));
    assert.equal(await p.close(), true);
    await assert.rejects(p.publish(topic, 'tick'), PublisherClosed);
});

test('close does not wait for a server that is away', async (t) => {
    const p = publisher(t, nobody());
    p.publish('session:a', 'tick');
    p.publish('session:a', 'tick');
    const begun = Date.now();
    assert.equal(await p.close(60_000), false);
    assert.ok(Date.now() - begun < 30_000);
    assert.equal(p.stats.dropped, 2);
    assert.match(p.problems.at(-1).message, /2 events could not be sent/);
    assert.equal(await p.flush(0), false);
});

test('flush has a limit', async (t) => {
    const p = publisher(t, nobody());
    p.publish('session:a', 'tick');
    assert.equal(await p.flush(50), false);
});

test('a callback that fails hurts nobody', async (t) => {
    t.mock?.method(console, 'error', () => {});
    const p = new Publisher({ url: server.url, onProblem: () => { throw new Error('mine'); } });
    t.after(() => p.close(0));
    await assert.rejects(p.publish('session:a', 'Not A Type'), EventRefused);
    assert.ok(await p.publish('session:a', 'tick'));
});

/** Runs a program that has `Publisher`, to its end. */
async function program(text, env = {}) {
    const index = path.join(path.dirname(fileURLToPath(import.meta.url)), '../dist/index.js');
    const child = spawn(process.execPath, ['--input-type=module', '-e', `import { Publisher } from '${index}';\n${text}`],
        { env: { ...process.env, ...env } });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (more) => (stderr += more));
    const [code] = await once(child, 'close');
    return { code, stderr };
}

test('a program that just ends has sent its events', async () => {
    const session = uniqueName();
    const { code, stderr } = await program(
        `const p = new Publisher(); for (let n = 0; n < 500; n++) p.publish('session:${session}', 'tick', { n });`,
        { FANFARE_URL: server.url });
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(await numbers(server, `session:${session}`), range(500));
});

test('a program ends also without a server, and nobody looking at its promises', async () => {
    const { code, stderr } = await program(
        `const p = new Publisher('${nobody()}'); p.publish('session:a', 'tick'); p.publish('session:a', 7);`);
    assert.equal(code, 0);
    assert.match(stderr, /type must be a string/);
    assert.match(stderr, /1 event could not be sent before the program ended/);
});
