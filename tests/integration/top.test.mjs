// fanfare top: snapshots, streams of them, and the terminal, with the server up, down and restarted.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import { once } from 'node:events';
import { range, runProgram, startServer, test, uniqueName, waitFor } from './harness.mjs';
import { enterScreen, leaveScreen, openTerminal, startProgram } from './terminal.mjs';

const hasScript = (() => {
    try {
        execFileSync('sh', ['-c', 'command -v script'], { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
})();

const top = (server, ...args) => runProgram(['top', '--interval', '100ms', ...args], { env: { FANFARE_URL: server.url } });
const publish = (server, topic, count = 1) => Promise.all(range(count).map((n) => server.publish({ topic, type: 'tick', data: { n } })));

// ---- Snapshots ----

test('one snapshot as a table and as JSON', async (t) => {
    const server = await startServer({ t, args: ['--workers', '1'] });
    await publish(server, 'session:few', 2);
    await publish(server, 'project:many', 5);
    const reader = await server.build('few');
    const table = await top(server);
    assert.deepEqual([table.code, table.stderr], [0, '']);
    const lines = table.stdout.split('\n');
    assert.match(lines[0], /^fanfare \d.* at http:.*healthy, up .*engine sqlite, flush (io_uring|send), 1 worker$/);
    assert.match(lines[1], /events\/s .* deliveries\/s .* cpu \d+ %$/);
    assert.match(lines[2], /^\d connections, 1 subscriptions, 2 topics   memory [\d.]+ MiB, history /);
    assert.match(table.stdout, /^TOPIC +SUBSCRIBERS +EVENTS\/S +OFFSET$/m);
    assert.match(table.stdout, /^session:few +1 +[\d.]+ +2$/m);
    assert.match(table.stdout, /^project:many +0 +[\d.]+ +5$/m);
    const { stdout } = await top(server, '--json', '--once', '--sort', 'offset');
    const snapshot = JSON.parse(stdout);
    assert.deepEqual(snapshot.topics.map((x) => [x.topic, x.subscribers, x.offset]), [['project:many', 0, 5], ['session:few', 1, 2]]);
    assert.equal(snapshot.url, server.url);
    assert.equal(snapshot.health.workers, 1);
    assert.equal(snapshot.totals.events, 7);
    assert.equal(snapshot.totals.subscriptions, 1);
    assert.equal(snapshot.totals.events_per_second, 0);
    assert.ok(snapshot.totals.resident_bytes > 1e6);
    assert.ok(Math.abs(Date.parse(snapshot.time) - Date.now()) < 60000);
    await reader.close();
});

test('--filter and --sort choose and order the topics', async (t) => {
    const server = await startServer({ t });
    for (const [topic, count] of [['session:a', 3], ['session:b', 1], ['project:c', 2]]) await publish(server, topic, count);
    const names = async (...args) => JSON.parse((await top(server, '--json', '--once', ...args)).stdout).topics.map((x) => x.topic);
    assert.deepEqual(await names('--sort', 'offset'), ['session:a', 'project:c', 'session:b']);
    assert.deepEqual(await names('--sort', 'topic', '--filter', 'SESSION:'), ['session:a', 'session:b']);
    assert.deepEqual(await names('--filter', 'nothing'), []);
    assert.match((await top(server, '--filter', 'nothing')).stdout, /no topic's name contains the filter/);
    const fresh = await startServer({ t });
    assert.match((await top(fresh)).stdout, /no topics yet/);
});

test('many topics: more than a small answer holds', async (t) => {
    const server = await startServer({ t });
    const publisher = await server.open('/api/v1/publish?ack=batch');
    const stem = 'x'.repeat(80);
    for (const n of range(2000)) publisher.send({ topic: `session:${stem}-${n}`, type: 'tick', data: {} });
    let accepted = 0;
    while (accepted < 2000) accepted += (await publisher.next()).published;
    const { stdout } = await top(server, '--json', '--once');
    assert.ok(stdout.length > 200000);
    assert.equal(JSON.parse(stdout).topics.length, 2000);
});

test('--json --interval prints snapshots with rates until Ctrl-C, over a restart', async (t) => {
    const server = await startServer({ t });
    const program = startProgram(t, ['top', '--json', '--interval', '100ms'], { env: { FANFARE_URL: server.url } });
    const snapshots = () => program.stdout().split('\n').slice(0, -1).map((line) => JSON.parse(line));
    await waitFor(() => snapshots().length >= 2, 'two snapshots');
    assert.equal(snapshots()[0].totals.events_per_second, null, 'one look has no rates');
    await publish(server, 'session:a', 20);
    await waitFor(() => snapshots().some((s) => s.totals.events_per_second > 0), 'a rate');
    await server.stop();
    await waitFor(() => snapshots().some((s) => /nothing listens at/.test(s.error)), 'word that it is gone');
    const before = snapshots().length;
    await startServer({ t, args: ['--listen', `127.0.0.1:${server.port}`] });
    const again = await waitFor(() => snapshots().slice(before).find((s) => !s.error), 'a snapshot of the new server');
    assert.equal(again.totals.events_per_second, null, 'no rate across two lives of the server');
    assert.deepEqual(again.topics, []);
    program.child.kill('SIGINT');
    const { code, stderr } = await program.ended;
    assert.deepEqual([code, stderr], [0, '']);
});

test('a reader that goes away ends it', async (t) => {
    const server = await startServer({ t });
    const program = startProgram(t, ['top', '--json', '--interval', '100ms'], { env: { FANFARE_URL: server.url } });
    await waitFor(() => program.stdout() !== '');
    program.child.stdout.destroy();
    assert.equal((await program.ended).code, 1);
});

// ---- Servers that are not there, closed, or something else ----

test('wrong usage', async () => {
    for (const [args, message] of [
        [['--interval', 'soon'], /--interval: expected a time of 100ms or more such as 2s, got "soon"/],
        [['--interval', '5ms'], /--interval: expected a time of 100ms/],
        [['--sort', 'size'], /--sort: expected rate, subscribers, offset or topic, got "size"/],
        [['--filter', 'x'.repeat(129)], /--filter: expected at most 128 characters/],
        [['session:a'], /unexpected argument "session:a"; for one topic: --filter session:a/],
    ]) {
        const { code, stdout, stderr } = await runProgram(['top', ...args]);
        assert.deepEqual([code, stdout], [2, ''], String(args));
        assert.match(stderr, message);
    }
});

test('something that is no Fanfare server', async (t) => {
    const other = http.createServer((_, outgoing) => outgoing.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>hi</h1>'));
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { code, stderr } = await top({ url: `http://127.0.0.1:${other.address().port}` });
    assert.equal(code, 1);
    assert.match(stderr, /the answer is not a Fanfare server's/);
});

test('figures that the server keeps to itself are left out', async (t) => {
    const answers = {
        '/health': [200, '{"status":"healthy","version":"9.9","uptime":5,"connections":4,"engine":{"name":"memory","status":"ok"},"flush":"send","workers":2}'],
        '/api/v1/topics': [200, '{"topics":[{"topic":"session:a","subscribers":1,"offset":2,"epoch":"e","rate":0.5}]}'],
        '/metrics': [403, '{"error":{"code":"forbidden","message":"for this machine only"}}'],
    };
    const headers = [];
    const remote = http.createServer((incoming, outgoing) => {
        headers.push(incoming.headers.authorization);
        const [status, body] = answers[incoming.url];
        outgoing.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
    });
    remote.listen(0, '127.0.0.1');
    await once(remote, 'listening');
    t.after(() => remote.close());
    const server = { url: `http://127.0.0.1:${remote.address().port}` };
    const { code, stdout } = await top(server, '--token', 'a.b.c');
    assert.equal(code, 0);
    assert.match(stdout, /^4 connections, the rest of the figures is for the server's own machine only$/m);
    assert.match(stdout, /^– events\/s/m);
    assert.ok(headers.every((header) => header === 'Bearer a.b.c'));
    const { totals } = JSON.parse((await top(server, '--json', '--once')).stdout);
    assert.deepEqual(totals, { events_per_second: null, deliveries_per_second: null, received_bytes_per_second: null, output_bytes_per_second: null, cpu: null });
    answers['/api/v1/topics'] = [401, '{"error":{"code":"unauthorized","message":"a token is needed"}}'];
    const refused = await top(server);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /a token is needed \(give a token with FANFARE_TOKEN or --token\)/);
});

// ---- On a terminal ----

test('on a terminal: keys, resize, restart, and the terminal afterwards as before', { skip: !hasScript }, async (t) => {
    const server = await startServer({ t });
    for (const topic of ['session:alpha', 'session:beta', 'project:gamma']) await publish(server, topic, topic.length - 9);
    const terminal = await openTerminal(t, ['top', '--interval', '100ms', '--url', server.url], { rows: 16, columns: 100 });
    const shows = (pattern, what = `${pattern} on the screen`) => waitFor(() => terminal.lines().some((l) => pattern.test(l)), what);
    const rows = () => terminal.lines().filter((l) => /^(session|project):/.test(l)).map((l) => l.split(' ')[0]);
    await shows(/^session:alpha /);
    assert.ok(terminal.text().includes(enterScreen));
    assert.equal(terminal.lines().length, 16);
    assert.match(terminal.lines().at(-1), /^q quit .*\/ filter/);
    terminal.press('o');
    await waitFor(() => rows()[0] === 'session:alpha' || rows()[0] === 'project:gamma');
    terminal.press('t');
    await waitFor(() => rows().join() === 'project:gamma,session:alpha,session:beta', 'topics by name');
    terminal.press('r');
    await waitFor(() => rows().join() === 'session:beta,session:alpha,project:gamma', 'topics by name, reversed');
    terminal.press('/BET');
    await shows(/^filter: BET_/);
    await waitFor(() => rows().join() === 'session:beta');
    terminal.press('\r');
    await shows(/^filter: BET   q quit/);
    terminal.press('\x1b');
    await waitFor(() => rows().length === 3);
    terminal.press('h');
    await shows(/^q quit   h keys$/);
    await publish(server, 'session:new');
    await shows(/^session:new /);
    terminal.press(' ');
    await shows(/^PAUSED/);
    terminal.press(' ');
    await terminal.resize(10, 60);
    await waitFor(() => terminal.lines().length === 10 && terminal.lines().every((l) => [...l].length <= 60), 'the new size');
    await server.stop();
    await shows(/reconnecting: nothing listens at/);
    assert.ok(rows().length > 0, 'what was known stays');
    await startServer({ t, args: ['--listen', `127.0.0.1:${server.port}`] });
    await shows(/no topics yet/, 'the new server');
    await waitFor(() => !terminal.lines().some((l) => /reconnecting/.test(l)));
    terminal.press('q');
    assert.deepEqual(await terminal.end(), { code: 0, restored: true });
    assert.ok(terminal.text().trimEnd().endsWith(leaveScreen));
});

test('however it ends, the terminal is given back', { skip: !hasScript }, async (t) => {
    const server = await startServer({ t });
    const open = async () => {
        const terminal = await openTerminal(t, ['top', '--interval', '100ms', '--url', server.url]);
        await waitFor(() => terminal.lines().length > 0, 'a picture');
        return terminal;
    };
    for (const [end, code] of [
        [(terminal) => terminal.press('\x03'), 0],
        [(terminal) => terminal.kill('SIGTERM'), 0],
        [(terminal) => terminal.kill('SIGHUP'), 0],
        [(terminal) => terminal.kill('SIGABRT'), 128 + 6],
    ]) {
        const terminal = await open();
        end(terminal);
        assert.deepEqual(await terminal.end(), { code, restored: true }, String(end));
        assert.ok(terminal.text().includes(leaveScreen), String(end));
    }
});

test('Ctrl-Z gives the terminal back, and takes it again when it goes on', { skip: !hasScript }, async (t) => {
    const server = await startServer({ t });
    const terminal = await openTerminal(t, ['top', '--interval', '100ms', '--url', server.url]);
    await waitFor(() => terminal.lines().length > 0, 'a picture');
    const entered = () => terminal.text().split(enterScreen).length - 1;
    assert.equal(entered(), 1);
    terminal.press('\x1a');
    await waitFor(() => terminal.state() === 'T', 'the program to stop');
    await waitFor(() => terminal.text().includes(leaveScreen), 'the screen to be given back');
    terminal.kill('SIGCONT');
    await waitFor(() => entered() >= 2, 'the screen to be taken again');
    terminal.press('q');
    assert.deepEqual(await terminal.end(), { code: 0, restored: true });
});

test('--once on a terminal prints and ends', { skip: !hasScript }, async (t) => {
    const server = await startServer({ t });
    await publish(server, `session:${uniqueName()}`);
    const terminal = await openTerminal(t, ['top', '--once', '--interval', '100ms', '--url', server.url]);
    assert.equal((await terminal.end()).code, 0);
    assert.ok(!terminal.text().includes(enterScreen));
    assert.match(terminal.text(), /\x1b\[1mTOPIC/);
});
