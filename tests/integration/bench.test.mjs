// fanfare bench: its figures, its server, and that it does not take a wrong delivery for a right one.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { WebSocketServer } from 'ws';
import { ms, runProgram, startServer, test, waitFor } from './harness.mjs';
import { startProgram } from './terminal.mjs';

const small = ['--quick', '--connections', '20', '--messages', '30'];
const bench = (...args) => runProgram(['bench', ...args]);

test('all scenarios, small, as a table and as JSON', { timeout: 60000 }, async () => {
    const begun = performance.now();
    const table = await bench(...small);
    assert.equal(table.code, 0, table.stderr);
    assert.ok(performance.now() - begun < ms(15000), 'within the time that is promised for --quick');
    assert.match(table.stdout, /^fanfare \d.*, engine memory, flush (io_uring|send), 1 worker/);
    assert.match(table.stdout, /, TCP [a-z]/);
    assert.match(table.stdout, /^SCENARIO +OF A +SERVER CPU +RATE +P50 +P99 +MEMORY +SERVER +LOAD$/m);
    assert.match(table.stdout, /^1 topic × 20 readers, one at a time +delivery +[\d.]+ µs +\d+k?\/s/m);
    assert.match(table.stdout, /^2 topics × 10 readers, 64 in flight +delivery /m);
    assert.match(table.stdout, /^1 topic × 20 readers, 30 messages\/s +delivery .* [\d.]+ ms +[\d.]+ ms/m);
    assert.match(table.stdout, /^publishing, acknowledged, 1000 in flight +event +[\d.]+ µs/m);
    assert.match(table.stdout, /^20 idle connections +handshake +[\d.]+ µs/m);
    const { code, stdout } = await bench(...small, '--json', '--size', '300');
    assert.equal(code, 0);
    const { server, machine, scenarios, size, quick, other_programs_share: others } = JSON.parse(stdout);
    assert.ok(others >= 0 && others <= 1.05, String(others));
    assert.deepEqual([server.engine, server.workers, size, quick], ['memory', 1, 300, true]);
    assert.equal(machine.tcp_congestion_control, fs.readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim());
    assert.ok(machine.server_core === null || machine.server_core !== machine.load_core);
    assert.deepEqual(scenarios.map((s) => s.name), ['fanout-1', 'fanout-64', 'topics', 'latency', 'publish', 'connections']);
    for (const s of scenarios) {
        assert.ok(s.server_cpu_us > 0 && s.per_second > 0, s.name);
        const fans = s.unit === 'delivery';
        assert.equal(s.deliveries, fans ? 30 * (s.name === 'topics' ? 10 : 20) : 0, s.name);
        assert.equal(s.p99_ms !== null, s.name === 'latency');
        if (s.p99_ms !== null) assert.ok(s.p99_ms >= s.p50_ms && s.p50_ms > 0);
    }
});

test('--scenario chooses, also several', async () => {
    const names = async (list) => JSON.parse((await bench(...small, '--json', '--scenario', list)).stdout).scenarios.map((s) => s.name);
    assert.deepEqual(await names('publish'), ['publish']);
    assert.deepEqual(await names('latency, fanout-1'), ['fanout-1', 'latency']);
});

test('--url measures a running server, and leaves it running', async (t) => {
    const server = await startServer({ t });
    const { code, stdout, stderr } = await bench(...small, '--json', '--url', server.url, '--scenario', 'fanout-64,connections');
    assert.equal(code, 0, stderr);
    const { scenarios, machine } = JSON.parse(stdout);
    assert.equal(scenarios[0].deliveries, 600);
    assert.equal(machine.server_core, null, 'where that server runs is not ours to say');
    assert.equal(await server.metric('fanfare_published_total') >= 30, true);
    await waitFor(async () => (await server.get('/health')).json.connections === 1, 'all connections to be closed');
});

test('the environment does not change what is measured', async () => {
    const { code, stdout, stderr } = await runProgram(['bench', ...small, '--json', '--scenario', 'fanout-1'],
        { env: { FANFARE_WORKERS: '2', FANFARE_LISTEN: '127.0.0.1:1', FANFARE_URL: 'http://127.0.0.1:1', FANFARE_LIMITS_CONNECTIONS: '5' } });
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).server.workers, 1);
});

test('its server does not outlive it', async (t) => {
    const program = startProgram(t, ['bench', '--scenario', 'fanout-1', '--connections', '5']);
    const children = () => fs.readFileSync(`/proc/${program.child.pid}/task/${program.child.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    const [server] = await waitFor(() => children().length > 0 && children(), 'the server');
    program.child.kill('SIGKILL');
    await program.ended;
    await waitFor(() => !fs.existsSync(`/proc/${server}/cmdline`) || fs.readFileSync(`/proc/${server}/cmdline`, 'utf8') === '', 'the server to end');
});

test('wrong usage', async () => {
    for (const [args, message] of [
        [['now'], /unexpected argument "now"; for one part: --scenario/],
        [['--scenario', 'fanout-2'], /--scenario: there is no "fanout-2"; did you mean "fanout-1"\?/],
        [['--connections', '0'], /--connections: expected a whole number from 1 to 50000, got "0"/],
        [['--messages', 'many'], /--messages: expected a whole number/],
        [['--size', '5'], /--size: expected a whole number from 100 to 60000/],
        [['--url', 'https://localhost'], /--url: expected http:\/\/ or unix:, the load has no TLS/],
    ]) {
        const { code, stdout, stderr } = await bench(...args);
        assert.deepEqual([code, stdout], [2, ''], String(args));
        assert.match(stderr, message);
    }
});

test('what is in its way is named', async (t) => {
    const nobody = await bench('--url', 'http://127.0.0.1:1', '--scenario', 'publish');
    assert.deepEqual([nobody.code, nobody.stdout], [1, '']);
    assert.match(nobody.stderr, /^fanfare bench: publish: nothing listens at/);
    const narrow = await startServer({ t, config: { limits: { connections: 10 } } });
    const refused = await bench(...small, '--url', narrow.url, '--scenario', 'fanout-1');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^fanfare bench: fanout-1: the server (refused a handshake: HTTP\/1.1 503|closed a connection)/);
});

// ---- A server that delivers wrongly ----

/** Answers like a Fanfare server, and hands each event to all readers as `deliver` says. */
async function pretend(t, deliver) {
    const answers = {
        '/health': '{"status":"healthy","version":"0","uptime":1,"connections":1,"engine":{"name":"fake","status":"ok"},"flush":"none","workers":1}',
        '/api/v1/topics': '{"topics":[]}',
        '/metrics': '',
    };
    const server = http.createServer((incoming, outgoing) => outgoing.writeHead(200).end(answers[incoming.url]));
    const readers = [];
    new WebSocketServer({ server }).on('connection', (socket, request) => {
        socket.on('error', () => {});
        if (!request.url.startsWith('/api/v1/publish')) {
            readers.push(socket);
            socket.send('{"type":"connection"}');
            return;
        }
        let count = 0;
        socket.on('message', (message) => deliver(String(message), ++count, readers, socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
        readers.forEach((socket) => socket.terminate());
        server.closeAllConnections();
        server.close();
    });
    return `http://127.0.0.1:${server.address().port}`;
}

const wrongServers = {
    'in order: nothing to complain of': [(text, _, readers) => readers.forEach((r) => r.send(text)), null],
    lost: [(text, n, readers) => n !== 20 && readers.forEach((r) => r.send(text)), /got message \d+ where \d+ had to come|were not delivered/],
    doubled: [(text, n, readers) => readers.forEach((r) => (r.send(text), n === 20 && r.send(text))), /got message \d+ where \d+ had to come/],
    refused: [(text, n, readers, socket) => n >= 20 ? socket.send('{"error":{"message":"no more"}}') : readers.forEach((r) => r.send(text)),
        /the server refused an event: no more/],
    'closed on the way': [(text, n, readers) => n >= 20 ? readers[0].close(1013, 'slow reader') : readers.forEach((r) => r.send(text)),
        /the server closed a connection: 1013 slow reader/],
};

for (const [name, [deliver, message]] of Object.entries(wrongServers)) {
    test(`deliveries that are ${name}`, async (t) => {
        const url = await pretend(t, deliver);
        const { code, stdout, stderr } = await bench('--url', url, '--quick', '--connections', '3', '--messages', '40', '--json', '--scenario', 'fanout-64');
        if (message === null) {
            assert.equal(code, 0, stderr);
            assert.equal(JSON.parse(stdout).scenarios[0].server_cpu_us, null, 'a server that does not tell');
            return;
        }
        assert.deepEqual([code, stdout], [1, '']);
        assert.match(stderr, message);
    });
}
