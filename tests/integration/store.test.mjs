// fanfare store: check, stats, export and import of a data directory.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { range, runProgram, startServer, temporaryDirectory, test } from './harness.mjs';

const store = (directory, args, options) =>
    runProgram(['store', args[0], '--data', path.join(directory, 'data'), ...args.slice(1)], options);

const lines = (text) => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));

const history = async (server, topic) =>
    (await server.get(`/api/v1/topics/${encodeURIComponent(topic)}/history?since=0&limit=1000`)).json;

/** A directory in which a server has kept events of two sessions and one for both and everybody. */
async function filled(t, { running = false } = {}) {
    const server = await startServer({ t, args: ['--engine', 'sqlite'] });
    for (const n of range(5)) await server.publish({ topic: 'session:a', type: 'tick', id: `a-${n}`, data: { n, text: 'ä"\\\u0001', mark: `mark-${n}` } });
    await server.publish({ topics: ['session:b', 'session:a', 'global'], type: 'shared', source: 'somebody', data: {} });
    await server.publish({ topic: 'session:b', type: 'component_update', time: '2026-01-31T12:00:00.123Z', data: { component_id: 'auth', status: 'completed', progress: 100, metadata: {} } });
    await server.publish({ topic: 'channel:notes', type: 'tick', data: {} });
    if (!running) await server.stop();
    return server;
}

test('a directory that is whole', async (t) => {
    const { directory } = await filled(t);
    const human = await store(directory, ['check']);
    assert.deepEqual([human.code, human.stderr], [0, '']);
    assert.match(human.stdout, /fanfare\.db: all is well\n$/);
    const { code, stdout } = await store(directory, ['check', '--json']);
    assert.equal(code, 0);
    const { path: file, ...verdict } = JSON.parse(stdout);
    assert.match(file, /fanfare\.db$/);
    assert.deepEqual(verdict, { problems: [], count: 0, ok: true });
});

test('all but import work beside a running server; import is refused', async (t) => {
    const server = await filled(t, { running: true });
    assert.equal((await store(server.directory, ['check'])).code, 0);
    assert.equal(lines((await store(server.directory, ['export', 'session:a'])).stdout).length, 6);
    assert.equal(JSON.parse((await store(server.directory, ['stats', '--json'])).stdout).events, 9);
    const refused = await store(server.directory, ['import', '-'], { input: '' });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /another server uses the data directory/);
});

test('stats', async (t) => {
    const { directory } = await filled(t);
    const { code, stdout } = await store(directory, ['stats', '--json']);
    assert.equal(code, 0);
    const stats = JSON.parse(stdout);
    assert.deepEqual(stats.topics.map(({ topic, events, first_offset: first, offset }) => [topic, events, first, offset]),
        [['global', 1, 1, 1], ['session:a', 6, 1, 6], ['session:b', 2, 1, 2]]);
    assert.deepEqual([stats.topic_count, stats.events], [3, 9]);
    assert.ok(stats.file_bytes > 0 && stats.event_bytes > 0);
    assert.ok(Math.abs(Date.parse(stats.oldest) - Date.now()) < 60000);
    const human = await store(directory, ['stats', 'session:*']);
    assert.match(human.stdout, /2 topics, 8 events/);
    assert.match(human.stdout, /^TOPIC +EVENTS +FIRST +LAST/m);
    assert.match(human.stdout, /^session:a +6 +1 +6/m);
    assert.doesNotMatch(human.stdout, /global/);
});

test('an export is in order, tells each event once, and is what history says', async (t) => {
    const server = await filled(t, { running: true });
    const a = await history(server, 'session:a');
    const b = await history(server, 'session:b');
    await server.stop();
    const all = await store(server.directory, ['export']);
    assert.deepEqual([all.code, all.stderr], [0, '']);
    const events = lines(all.stdout);
    assert.deepEqual(events.map((event) => event.type), ['tick', 'tick', 'tick', 'tick', 'tick', 'shared', 'component_update']);
    const shared = events[5];
    assert.deepEqual(shared.topics, ['session:b', 'session:a', 'global']);
    assert.equal(shared.source, 'somebody');
    assert.deepEqual(lines((await store(server.directory, ['export', 'session:a'])).stdout), a.events);
    assert.deepEqual(lines((await store(server.directory, ['export', 'session:b'])).stdout), b.events);
    assert.deepEqual(lines((await store(server.directory, ['export', 'session:none'])).stdout), []);
});

test('what was exported is imported: ids, times, order and, into an empty directory, offsets', async (t) => {
    const { directory } = await filled(t);
    const { stdout } = await store(directory, ['export']);
    const elsewhere = temporaryDirectory();
    const first = await store(elsewhere, ['import', '--json', '-'], { input: stdout });
    assert.deepEqual([first.code, first.stderr], [0, '']);
    assert.deepEqual(JSON.parse(first.stdout), { imported: 7, repeated: 0, refused: 0 });
    assert.equal((await store(elsewhere, ['export'])).stdout, stdout);
    const file = path.join(elsewhere, 'again.ndjson');
    fs.writeFileSync(file, stdout);
    const again = await store(elsewhere, ['import', file]);
    assert.equal(again.stdout, 'imported 0, there already 7, refused 0\n');
    const server = await startServer({ t, directory: elsewhere, args: ['--engine', 'sqlite'] });
    const { events } = await history(server, 'session:a');
    assert.deepEqual(events.map((event) => event.offset), [1, 2, 3, 4, 5, 6]);
    assert.equal((await server.publish({ topic: 'session:a', type: 'tick', id: 'a-2', data: {} })).duplicate, true);
    const { json } = await server.get('/api/build/status/b');
    assert.equal(json.components.auth.status, 'completed');
    await server.stop();
    assert.equal((await store(elsewhere, ['check'])).code, 0);
});

test('many events are imported, and a recording of `sub --json`', async (t) => {
    const directory = temporaryDirectory();
    const input = range(3000).map((n) => JSON.stringify({ topic: `session:${n % 7}`, type: 'tick', data: { n } })).join('\n');
    assert.match((await store(directory, ['import', '-'], { input })).stdout, /^imported 3000,/);
    assert.deepEqual(lines((await store(directory, ['export'])).stdout).map((event) => event.data.n), range(3000));
    const server = await startServer({ t, directory, args: ['--engine', 'sqlite'] });
    const recording = await runProgram(['sub', '--json', '--since', '0', '--count', '10', 'session:1'], { env: { FANFARE_URL: server.url } });
    const other = temporaryDirectory();
    assert.match((await store(other, ['import', '-'], { input: recording.stdout })).stdout, /^imported 10,/);
});

test('lines that cannot be imported are named, and the others are imported', async () => {
    const directory = temporaryDirectory();
    const input = [
        '{"topic":"session:a","type":"tick","data":{}}',
        '{"topic":"planet:mars","type":"tick","data":{}}',
        '{"topic":"session:a","type":"Not A Type","data":{}}',
        '{"topic":"channel:notes","type":"tick","data":{}}',
        '{"topic":"session:a","type":"component_update","data":{"component_id":""}}',
        '{"topics":[],"type":"tick","data":{}}',
        '{"type":"resume_failed","reason":"trimmed"}',
        '{"topic":"session:a","type":"tick","ephemeral":true,"data":{}}',
        '',
        '{"topic":"session:a","type":"tick","data":{"last":true}}',
    ].join('\n');
    const { code, stdout, stderr } = await store(directory, ['import', '-'], { input });
    assert.equal(code, 1);
    assert.equal(stdout, 'imported 2, there already 0, refused 6\n');
    const said = stderr.trimEnd().split('\n');
    assert.equal(said.length, 6);
    for (const [i, [line, what]] of [[2, /planet:mars/], [3, /type/], [4, /not durable/], [5, /component_id/], [6, /topics/], [7, /expected an event/]].entries()) {
        assert.match(said[i], new RegExp(`^fanfare store: stdin:${line}: `));
        assert.match(said[i], what);
    }
    const broken = await store(directory, ['import', '-'], { input: '{"topic":"session:a","type":"tick","data":{}}\n{oops\n' });
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /stdin:2: not JSON/);
    assert.match(broken.stdout, /^imported 1,/);
});

test('wrong usage, and directories without a database', async () => {
    const directory = temporaryDirectory();
    for (const [args, code, message] of [
        [[''], 2, /expected check, stats, export or import, got ""/],
        [['chek'], 2, /expected check, stats, export or import, got "chek"/],
        [['check', 'session:a'], 2, /check takes no argument "session:a"/],
        [['import'], 2, /import expects one FILE/],
        [['check'], 1, /fanfare\.db: No such file.*--data DIR/],
        [['stats'], 1, /fanfare\.db: No such file/],
        [['export'], 1, /fanfare\.db: No such file/],
        [['import', '/nonexistent/file'], 1, /\/nonexistent\/file: No such file/],
    ]) {
        const outcome = await store(directory, args);
        assert.equal(outcome.code, code, `${args}: ${outcome.stderr}`);
        assert.match(outcome.stderr, message);
    }
    assert.equal((await runProgram(['store'])).code, 2);
    fs.mkdirSync(path.join(directory, 'data'), { recursive: true });
    fs.writeFileSync(path.join(directory, 'data/fanfare.db'), 'no database at all, whatever its name says');
    const outcome = await store(directory, ['check']);
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, /damaged|not a database/);
});

/** Overwrites the database's bytes wherever a text stands: pages also hold remains of what was moved. */
function damage(directory, text) {
    const file = path.join(directory, 'data', 'fanfare.db');
    const bytes = fs.readFileSync(file);
    assert.ok(bytes.includes(text), `"${text}" is not in the database`);
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text)) bytes.fill('#', at, at + text.length);
    fs.writeFileSync(file, bytes);
}

test('a damaged run is found, and left out of an export', async (t) => {
    const { directory } = await filled(t);
    damage(directory, 'mark-3');
    const { code, stdout } = await store(directory, ['check']);
    assert.equal(code, 1);
    assert.match(stdout, /^session:a: the run of #4 to #4 is damaged: its checksum is wrong\n/);
    assert.match(stdout, /1 problem\n$/);
    const verdict = JSON.parse((await store(directory, ['check', '--json'])).stdout);
    assert.deepEqual([verdict.ok, verdict.count, verdict.problems.length], [false, 1, 1]);
    const rest = await store(directory, ['export']);
    assert.equal(rest.code, 1);
    assert.match(rest.stderr, /session:a: #4 to #4 are damaged and left out/);
    assert.deepEqual(lines(rest.stdout).map((event) => event.data.n ?? event.type), [0, 1, 2, 4, 'shared', 'component_update']);
});
