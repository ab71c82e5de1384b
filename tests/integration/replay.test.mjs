// fanfare replay: history and recordings, to stdout and to another topic, in time.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { flood, openEvents, range, runProgram, startServer, temporaryDirectory, test, uniqueName, waitFor } from './harness.mjs';
import { openTerminal, startProgram } from './terminal.mjs';

const hasScript = (() => {
    try {
        execFileSync('sh', ['-c', 'command -v script'], { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
})();

const lines = (text) => text.split('\n').filter((line) => line !== '');
const events = (text) => lines(text).map((line) => JSON.parse(line));
const at = (ms) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();

/** Publishes events of type tick, at these milliseconds of a day long ago. */
async function record(server, topic, times) {
    for (const [n, ms] of times.entries()) await server.publish({ topic, type: 'tick', time: at(ms), data: { n } });
}

const replay = (server, args, options = {}) =>
    runProgram(['replay', ...args], { ...options, env: { FANFARE_URL: server.url, ...options.env } });

async function history(server, topic) {
    const { json } = await server.get(`/api/v1/topics/${encodeURIComponent(topic)}/history?since=0&limit=10000`);
    return json.events;
}

// ---- From the server's history ----

test('history is printed as sub prints it', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await record(server, topic, [0, 5, 9]);
    const env = { FANFARE_URL: server.url };
    const human = await replay(server, ['--speed', 'max', topic]);
    assert.deepEqual([human.code, human.stderr], [0, '']);
    assert.equal(human.stdout, (await runProgram(['sub', '--since', '0', '--count', '3', topic], { env })).stdout);
    const json = await replay(server, ['--speed', 'max', '--json', topic]);
    assert.equal(json.stdout, (await runProgram(['sub', '--json', '--since', '0', '--count', '3', topic], { env })).stdout);
});

test('--since takes an offset or a cursor', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await record(server, topic, [0, 1, 2, 3]);
    await server.publish({ topic: 'session:other', type: 'tick', data: {} });
    await record(server, topic, [4]);
    const offsets = async (since) => events((await replay(server, ['--speed', 'max', '--json', '--since', since, topic])).stdout).map((e) => e.offset);
    assert.deepEqual(await offsets('0'), [1, 2, 3, 4, 5]);
    assert.deepEqual(await offsets('3'), [4, 5]);
    assert.deepEqual(await offsets('99'), []);
    const stream = await openEvents(t, server, `topic=${topic}&since=0`);
    const cursors = (await stream.take(5)).map((block) => block.id);
    for (const n of range(5)) assert.deepEqual(await offsets(cursors[n]), range(4 - n).map((i) => n + 2 + i));
    const direct = await server.get(`/api/v1/topics/${encodeURIComponent(topic)}/history?cursor=${cursors[3]}`);
    assert.deepEqual(direct.json.events.map((e) => e.offset), [5]);
});

test('cursors that cannot be used are named', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await record(server, topic, [0]);
    const stream = await openEvents(t, server, `topic=${topic}&since=0`);
    const { id } = await stream.next();
    for (const [args, message] of [
        [['--since', 'nonsense', topic], /cursor must be one as it came with an event/],
        [['--since', `${id[0] === 'A' ? 'B' : 'A'}${id.slice(1)}`, topic], /what the cursor counts in was lost/],
        [['--since', id, 'session:nowhere'], /there is no topic "session:nowhere"; `fanfare top` shows/],
        [['session:nowhere'], /there is no topic "session:nowhere"; `fanfare top` shows the topics that there are/],
        [['no:where'], /a topic is session:<id>/],
    ]) {
        const { code, stdout, stderr } = await replay(server, args);
        assert.deepEqual([code, stdout], [1, ''], String(args));
        assert.match(stderr, message);
    }
});

test('history of many pages comes whole and in order', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await flood(server, topic, 1234, 100);
    const { code, stdout } = await replay(server, ['--speed', 'max', '--json', topic]);
    assert.equal(code, 0);
    assert.deepEqual(events(stdout).map((e) => e.data.n), range(1234));
});

test('what history no longer has is said', async (t) => {
    const server = await startServer({ t, config: { topics: { session: { count: 10 } } } });
    const topic = `session:${uniqueName()}`;
    await flood(server, topic, 25, 10);
    const { code, stdout, stderr } = await replay(server, ['--speed', 'max', '--json', '--since', '3', topic]);
    assert.equal(code, 0);
    const offsets = events(stdout).map((e) => e.offset);
    assert.equal(offsets.at(-1), 25);
    assert.equal(stderr, `fanfare replay: #4 to #${offsets[0] - 1} are no longer kept: going on with #${offsets[0]}\n`);
    // A cursor from before all of it: of the same epoch, at the beginning of the order.
    const { id } = await (await openEvents(t, server, `topic=${topic}&since=0`)).next((block) => block.id !== undefined);
    const bytes = Buffer.from(id, 'base64url').fill(0, 8);
    const old = await replay(server, ['--speed', 'max', '--json', '--since', bytes.toString('base64url'), topic]);
    assert.equal(events(old.stdout)[0].offset, offsets[0]);
    assert.match(old.stderr, new RegExp(`^fanfare replay: #1 to #${offsets[0] - 1} are no longer kept`));
});

// ---- Time ----

test('pauses are those of the recording, times the speed', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await record(server, topic, [0, 400, 1000]);
    const took = async (...args) => {
        const begun = performance.now();
        const { code, stdout } = await replay(server, [...args, '--json', topic]);
        assert.deepEqual([code, lines(stdout).length], [0, 3]);
        return performance.now() - begun;
    };
    assert.ok(await took() >= 990);
    assert.ok(await took('--speed', '2') >= 490);
    assert.ok(await took('--speed', '0.5', '--max-idle', '100ms') >= 390);
    const program = startProgram(t, ['replay', '--json', topic], { env: { FANFARE_URL: server.url } });
    await waitFor(() => lines(program.stdout()).length === 1, 'the first event');
    const first = performance.now();
    await waitFor(() => lines(program.stdout()).length === 2, 'the second event');
    assert.ok(performance.now() - first >= 350, 'the second event does not come with the first');
    assert.equal((await program.ended).code, 0);
});

test('idle hours are skipped, and times that go back cost nothing', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await record(server, topic, [0, 7200000, 3600000, 7200010]);
    const { code, stdout } = await replay(server, ['--json', '--max-idle', '20ms', topic]);
    assert.equal(code, 0);
    assert.deepEqual(events(stdout).map((e) => e.data.n), [0, 1, 2, 3]);
});

test('Ctrl-C ends it at once', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await record(server, topic, [0, 3600000]);
    const program = startProgram(t, ['replay', '--json', topic], { env: { FANFARE_URL: server.url } });
    await waitFor(() => lines(program.stdout()).length === 1);
    program.child.kill('SIGINT');
    const { code, stdout } = await program.ended;
    assert.deepEqual([code, lines(stdout).length], [0, 1]);
});

// ---- To another topic ----

test('--to publishes anew: same types and data, own ids, times and offsets', async (t) => {
    const server = await startServer({ t });
    const [topic, copy] = [`session:${uniqueName()}`, `session:${uniqueName()}`];
    await server.publish({ topic, type: 'component_update', key: 'k', source: 's', time: at(0), data: { component_id: 'auth', status: 'in_progress', progress: 45.5 } });
    await server.publish({ topic, type: 'tick', id: 'mine', time: at(5), data: { text: 'grüße "du"\n', list: [1, { a: null }] } });
    const page = await server.build(copy.slice('session:'.length));
    for (const round of [1, 2]) { // the second time, too: ids of their own
        const { code, stdout, stderr } = await replay(server, ['--speed', 'max', '--to', copy, topic]);
        assert.deepEqual([code, stdout, stderr], [0, `${copy}: published 2\n`, ''], String(round));
    }
    const [before, after] = [await history(server, topic), await history(server, copy)];
    assert.equal(after.length, 4);
    const content = ({ type, key, source, data }) => ({ type, key, source, data });
    assert.deepEqual(after.slice(0, 2).map(content), before.map(content));
    assert.deepEqual(after.slice(2).map(content), before.map(content));
    assert.ok(after.every((e) => e.time > at(86400000) && e.topic === copy));
    assert.equal(new Set([...before, ...after].map((e) => e.id)).size, 6);
    assert.equal((await page.next('component_update')).component_id, 'auth');
    const json = await replay(server, ['--speed', 'max', '--json', '--to', copy, topic]);
    assert.deepEqual(JSON.parse(json.stdout), { topic: copy, published: 2, failed: 0 });
});

test('--to a topic that cannot be: refused, once', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    await record(server, topic, [0, 1, 2]);
    const { code, stdout, stderr } = await replay(server, ['--speed', 'max', '--to', 'no:where', topic]);
    assert.equal(code, 1);
    assert.equal(stdout, 'no:where: published 0, failed 3\n');
    assert.match(stderr, /^fanfare replay: the server refuses events: .*topic.*\n$/);
});

test('a large recording is published whole', async (t) => {
    const server = await startServer({ t });
    const [topic, copy] = [`session:${uniqueName()}`, `session:${uniqueName()}`];
    await flood(server, topic, 3000, 500);
    const { code, stdout } = await replay(server, ['--speed', 'max', '--to', copy, topic]);
    assert.deepEqual([code, stdout], [0, `${copy}: published 3000\n`]);
    assert.deepEqual((await history(server, copy)).map((e) => e.data.n), range(3000));
});

// ---- Recordings ----

test('what sub records, replay plays', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    const env = { FANFARE_URL: server.url };
    await record(server, topic, [0, 100, 60000]);
    await server.publish({ topic, type: 'terminal_output', data: { output: '\x1b[31m“red”\x1b[0m\r\n', output_type: 'stdout' } });
    const cwd = temporaryDirectory();
    const { stdout: recording } = await runProgram(['sub', '--json', '--since', '0', '--count', '4', topic], { env });
    fs.writeFileSync(path.join(cwd, 'build.ndjson'), recording);
    const nobody = { FANFARE_URL: 'http://127.0.0.1:1' }; // a recording needs no server
    const fromFile = await replay(server, ['--speed', 'max', '--json', '--from', 'build.ndjson'], { cwd, env: nobody });
    assert.deepEqual([fromFile.code, fromFile.stdout, fromFile.stderr], [0, recording, '']);
    const fromStdin = await replay(server, ['--speed', 'max', '--json', '--from', '-'], { input: recording.trimEnd(), env: nobody });
    assert.equal(fromStdin.stdout, recording);
    const copy = `session:${uniqueName()}`;
    const published = await replay(server, ['--speed', 'max', '--from', 'build.ndjson', '--to', copy], { cwd });
    assert.equal(published.stdout, `${copy}: published 4\n`);
    const content = ({ type, data }) => ({ type, data });
    assert.deepEqual((await history(server, copy)).map(content), events(recording).map(content));
    const again = await runProgram(['sub', '--json', '--since', '0', '--count', '4', copy], { env });
    assert.equal((await replay(server, ['--speed', 'max', '--json', '--from', '-'], { input: again.stdout })).stdout, again.stdout);
});

test('a topic chooses among those of a recording; blank lines and notices do no harm', async () => {
    const input = ['{"topic":"session:a","type":"x","data":{"n":1}}', '', '  \r',
        '{"topic":"session:b","type":"x","time":"2026-01-01T00:00:00Z","data":{"n":2}}',
        '{"type":"gap","from":3,"to":5,"reason":"trimmed"}', '{"topic":"session:a","type":"x","data":{"n":3}}'].join('\n');
    const all = await runProgram(['replay', '--from', '-'], { input });
    assert.equal(all.code, 0);
    assert.deepEqual(lines(all.stdout), ['session:a x {"n":1}', '2026-01-01T00:00:00Z session:b x {"n":2}', 'session:a x {"n":3}']);
    assert.match(all.stderr, /^gap \{/);
    const one = await runProgram(['replay', '--json', '--from', '-', 'session:a'], { input });
    assert.deepEqual(events(one.stdout).map((e) => e.data.n), [1, 3]);
});

test('what is no recording is named by file, line and reason', async () => {
    const cwd = temporaryDirectory();
    const good = '{"topic":"session:a","type":"x","data":{}}\n';
    for (const [content, message] of [
        [`${good}{"topic":`, /broken.ndjson:2: not JSON: .*column 10/],
        [`${good}${good}[1]\n`, /broken.ndjson:3: expected an event as `fanfare sub --json` writes it, a JSON object, not an array/],
        ['hello\n', /broken.ndjson:1: not JSON/],
    ]) {
        fs.writeFileSync(path.join(cwd, 'broken.ndjson'), content);
        const { code, stdout, stderr } = await runProgram(['replay', '--json', '--from', 'broken.ndjson'], { cwd });
        assert.equal(code, 1);
        assert.match(stderr, message);
        assert.equal(stdout, good.repeat(content.split(good).length - 1), 'what stands before is played');
    }
    const missing = await runProgram(['replay', '--from', 'nowhere.ndjson'], { cwd });
    assert.deepEqual([missing.code, missing.stderr], [1, 'fanfare replay: nowhere.ndjson: No such file or directory\n']);
    const directory = await runProgram(['replay', '--from', '.'], { cwd });
    assert.deepEqual([directory.code, directory.stderr], [1, 'fanfare replay: .: Is a directory\n']);
});

test('stdin that is slow is waited for, and Ctrl-C ends the waiting', async (t) => {
    const program = startProgram(t, ['replay', '--json', '--from', '-']);
    program.child.stdin.write('{"topic":"session:a","type":"x",');
    program.child.stdin.write('"data":{}}\n{"half":');
    await waitFor(() => lines(program.stdout()).length === 1, 'the first event');
    program.child.kill('SIGINT');
    assert.equal((await program.ended).code, 0);
});

// ---- The server's ups and downs ----

test('a server that is stopped is waited for; one that lost the history is named', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    // Longer than a page, whose last event comes only after an hour: enough time to stop the server.
    const publisher = await server.open('/api/v1/publish?ack=batch');
    for (const n of range(510)) publisher.send({ topic, type: 'tick', time: at(n < 499 ? 0 : 900), data: { n } });
    let accepted = 0;
    while (accepted < 510) accepted += (await publisher.next()).published;
    publisher.terminate();
    const program = startProgram(t, ['replay', '--json', topic], { env: { FANFARE_URL: server.url } });
    await waitFor(() => lines(program.stdout()).length === 499, 'the first page but for its last event');
    await server.stop();
    await waitFor(() => /nothing listens at .*; trying again/.test(program.stderr()), 'word that the server is gone');
    assert.equal(lines(program.stdout()).length, 500);
    const second = await startServer({ t, args: ['--listen', `127.0.0.1:${server.port}`] });
    const { code, stderr } = await program.ended;
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`${topic}: the server has lost its history; played up to #500 of 510\n$`));
    assert.ok(second.alive);
});

test('wrong usage', async () => {
    for (const [args, message] of [
        [[], /expected a TOPIC, for instance session:web, or --from FILE/],
        [['a', 'b'], /expected one TOPIC, got "b" too/],
        [['--speed', 'fast', 'a'], /--speed: expected how many times as fast, such as 2 or 0.5 .*, or max, got "fast"/],
        [['--speed', '0', 'a'], /--speed: expected/],
        [['--speed', '-1', 'a'], /--speed: expected/],
        [['--max-idle', 'long', 'a'], /--max-idle: expected a time such as 2s, got "long"/],
        [['--since', '', 'a'], /--since: expected an offset or a cursor/],
        [['--since', '9999999999999999', 'a'], /no offset is as large/],
        [['--since', '1', '--from', 'x'], /--since is for a server's history/],
        [['--to', 'a', 'a'], /--to: expected another topic/],
    ]) {
        const { code, stdout, stderr } = await runProgram(['replay', ...args]);
        assert.deepEqual([code, stdout], [2, ''], String(args));
        assert.match(stderr, message);
    }
});

// ---- On a terminal ----

test('on a terminal, output of terminals is shown as it was', { skip: !hasScript }, async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    const output = (text) => server.publish({ topic, type: 'terminal_output', data: { output: text, output_type: 'stdout' } });
    await output('\x1b[32mok\x1b[0m half');
    await output(' line');
    await server.publish({ topic, type: 'tick', data: { text: '\x1b[31m' } });
    await output('last\n');
    const terminal = await openTerminal(t, ['replay', '--speed', 'max', '--url', server.url, topic], { env: { NO_COLOR: '1' } });
    assert.deepEqual(await terminal.end(), { code: 0, restored: true });
    const text = terminal.text().replaceAll('\r', '');
    assert.match(text, /^\x1b\[32mok\x1b\[0m half line\n\d\d:\d\d:\d\d\.\d+ session:\S+ #3 tick \{"text":"\\u001b\[31m"\}\nlast\n\x1b\[0m$/);
});
