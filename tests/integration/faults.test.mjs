// What a failing disk does: durable topics are refused with the reason, everything else goes on, and so
// does the server when the disk does. The disk is tests/faults/faults.c, preloaded.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { binary, ms, openEvents, range, runProgram, startServer, temporaryDirectory, test, uniqueName, waitFor } from './harness.mjs';

const shim = path.join(path.dirname(binary), 'fanfare_faults.so');
const skip = fs.existsSync(shim) ? false : `${shim} is missing: build the target fanfare_faults`;

/** A sanitizer's runtime has to be loaded before the shim, if the program has one. */
function runtime() {
    const libraries = execFileSync('ldd', [binary], { encoding: 'utf8' });
    return libraries.match(/\S*\/lib[at]san\.so\S*/)?.[0] ?? '';
}
const preloaded = skip ? '' : `${runtime()} ${shim}`.trim();

/** A server whose disk does what fault() says: '', 'full', 'read-only', 'error', 'sync-error', 'slow N'. */
async function faultyServer(t, options = {}) {
    const directory = temporaryDirectory();
    const control = path.join(directory, 'fault');
    fs.writeFileSync(control, '');
    const server = await startServer({
        t, directory, args: ['--engine', 'sqlite'],
        env: { LD_PRELOAD: preloaded, FANFARE_FAULT_DIR: path.join(directory, 'data'), FANFARE_FAULT_CONTROL: control },
        ...options,
    });
    server.fault = (what) => {
        fs.writeFileSync(`${control}.new`, what); // never half a word
        fs.renameSync(`${control}.new`, control);
    };
    return server;
}

const publish = (server, event) => server.post('/api/v1/publish', { type: 'tick', ...event });
const health = async (server) => (await server.get('/health')).json.engine;
const count = (text, pattern) => text.match(new RegExp(pattern, 'g'))?.length ?? 0;

const offsets = async (server, topic) =>
    (await server.get(`/api/v1/topics/${topic}/history?since=0&limit=1000`)).json.events.map((event) => [event.offset, event.data.n]);

for (const [fault, reason] of [
    ['full', /disk is full/], ['read-only', /read-only|input\/output error|cannot be opened/], ['error', /input\/output error/], ['sync-error', /input\/output error/],
]) {
    test(`disk ${fault}: durable topics are refused with the reason, the rest goes on, and all of it later`,
        { skip, timeout: 60000 }, async (t) => {
            const server = await faultyServer(t);
            const topic = `session:${uniqueName()}`;
            const durable = await openEvents(t, server, `topic=${topic}`);
            const channel = await openEvents(t, server, 'topic=channel:notes');
            assert.equal((await publish(server, { topic, data: { n: 1 } })).json.offset, 1);
            await durable.next();

            server.fault(fault);
            for (const n of range(3)) {
                const refused = await publish(server, { topic, data: { n: `refused ${n}` }, id: 'the one' });
                assert.equal(refused.status, 503, refused.text);
                assert.match(refused.json.error.message, reason);
                assert.ok(Number(refused.headers['retry-after']) >= 1, 'Retry-After');
            }
            const mixed = await publish(server, { topics: [topic, 'channel:notes'], data: { n: 'both or none' } });
            assert.equal(mixed.status, 503);
            assert.equal((await publish(server, { topic: 'channel:notes', data: { n: 'channel' } })).status, 200);
            assert.equal((await publish(server, { topic, ephemeral: true, data: { n: 'ephemeral' } })).status, 200);
            assert.equal((await channel.next()).json.data.n, 'channel');
            assert.equal((await durable.next()).json.data.n, 'ephemeral', 'nobody saw what was refused');
            const ill = await health(server);
            assert.equal(ill.status, 'degraded');
            assert.match(ill.reason, reason);
            assert.equal(await server.metric('fanfare_store_failures_total') > 0, true);

            server.fault('');
            await waitFor(async () => (await health(server)).status === 'ok', 'the store to recover');
            assert.equal((await publish(server, { topic, data: { n: 2 }, id: 'the one' })).json.offset, 2);
            assert.equal((await durable.next()).json.data.n, 2);
            assert.deepEqual(await offsets(server, topic), [[1, 1], [2, 2]]);
            // Once for each reason: what is read-only is an error at first, and found to be so then.
            const reports = count(server.stderr(), 'cannot be written and are refused');
            assert.ok(reports === 1 || (reports === 2 && fault === 'read-only'), server.stderr());
            assert.equal(count(server.stderr(), 'are written again'), 1, server.stderr());
        });
}

test('a publisher that repeats what was refused loses nothing and keeps its order', { skip, timeout: 60000 }, async (t) => {
    const server = await faultyServer(t);
    const topic = `session:${uniqueName()}`;
    const reader = await openEvents(t, server, `topic=${topic}`);
    const flicker = setInterval(() => server.fault(['', 'full', '', 'error', '', 'sync-error'][Math.floor(Date.now() / 40) % 6]), 20);
    t.after(() => clearInterval(flicker));
    let refusals = 0;
    for (const n of range(150)) {
        for (;;) {
            const { status, json, text } = await publish(server, { topic, id: `event-${n}`, data: { n } });
            if (status === 200) {
                assert.equal(json.offset, n + 1);
                break;
            }
            assert.equal(status, 503, text);
            refusals++;
        }
    }
    clearInterval(flicker);
    server.fault('');
    const blocks = await reader.take(150);
    assert.deepEqual(blocks.map(({ json }) => [json.offset, json.data.n]), range(150).map((n) => [n + 1, n]));
    t.diagnostic(`${refusals} refusals`);
    assert.ok(refusals > 0, 'the disk never failed; the test is too gentle');
});

test('a commit that failed at its sync, and a kill: repeated with its id the event stands there once', { skip, timeout: 60000 }, async (t) => {
    const server = await faultyServer(t);
    const topic = `session:${uniqueName()}`;
    await publish(server, { topic, data: { n: 1 } });
    server.fault('sync-error');
    assert.equal((await publish(server, { topic, id: 'again', data: { n: 2 } })).status, 503);
    server.mayEndBadly = true;
    await server.stop('SIGKILL');
    // What the disk has of it nobody can tell; the publisher does not know either, and repeats it.
    const next = await startServer({ t, directory: server.directory, args: ['--engine', 'sqlite'] });
    assert.equal((await publish(next, { topic, id: 'again', data: { n: 2 } })).json.offset, 2);
    assert.equal((await publish(next, { topic, data: { n: 3 } })).json.offset, 3);
    assert.deepEqual(await offsets(next, topic), [[1, 1], [2, 2], [3, 3]]);
});

test('a slow disk slows durable topics only', { skip, timeout: 60000 }, async (t) => {
    const server = await faultyServer(t);
    const topic = `session:${uniqueName()}`;
    const durable = await openEvents(t, server, `topic=${topic}`);
    const channel = await openEvents(t, server, 'topic=channel:notes');
    await publish(server, { topic, data: { n: 0 } });
    await durable.next();
    server.fault('slow 1500');
    let written = false;
    const begun = performance.now();
    const slow = publish(server, { topic, data: { n: 1 } }).then((answer) => {
        written = true;
        return answer;
    });
    for (const n of range(20)) {
        assert.equal((await publish(server, { topic: 'channel:notes', data: { n } })).status, 200);
        assert.equal((await channel.next()).json.data.n, n);
        assert.equal((await server.get('/health')).status, 200);
    }
    assert.equal(written, false, 'the channel waited for the disk');
    assert.equal(durable.blocks.filter((block) => block.data).length, 0, 'shown before it was on the disk');
    assert.equal((await slow).json.offset, 2);
    assert.ok(performance.now() - begun >= 1400);
    assert.equal((await durable.next()).json.data.n, 1);
    server.fault('');
});

test('a disk that is full from the start is a clear refusal to start', { skip }, async (t) => {
    const directory = temporaryDirectory();
    const control = path.join(directory, 'fault');
    fs.writeFileSync(control, 'full');
    const env = { LD_PRELOAD: preloaded, FANFARE_FAULT_DIR: path.join(directory, 'data'), FANFARE_FAULT_CONTROL: control };
    await assert.rejects(startServer({ t: { after() {} }, directory, args: ['--engine', 'sqlite'], env }), /fanfare\.db.*full/s);
});

// ---- Pages that went bad ----

/** Overwrites the database's bytes wherever a text stands: pages also hold remains of what was moved. */
function damage(directory, text) {
    const file = path.join(directory, 'data', 'fanfare.db');
    const bytes = fs.readFileSync(file);
    assert.ok(bytes.includes(text), `"${text}" is not in the database`);
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text)) bytes.fill('#', at, at + text.length);
    fs.writeFileSync(file, bytes);
}

/** A server that has stored one event in each of `count` commits, ended in order. */
async function storedEvents(t, topic, events) {
    const server = await startServer({ t, args: ['--engine', 'sqlite'] });
    for (const n of range(events)) await server.publish({ topic, type: 'tick', data: { n: n + 1, mark: `mark-${n + 1}-of-${events}` } });
    const { greeting } = await server.build(topic.slice('session:'.length));
    await server.stop();
    return { directory: server.directory, epoch: greeting.epoch };
}

test('events on a damaged page are never served: readers are told the range', { timeout: 60000 }, async (t) => {
    const session = uniqueName();
    const topic = `session:${session}`;
    const { directory, epoch } = await storedEvents(t, topic, 9);
    damage(directory, 'mark-5-of-9');
    const server = await startServer({ t, directory, args: ['--engine', 'sqlite'] });
    const client = await server.open(`/api/build/stream/${session}?epoch=${epoch}&since=2`);
    await client.next('connection');
    await server.publish({ topic, type: 'tick', data: { n: 10, mark: 'new' } });
    const messages = await client.until((message) => message.n === 10, ms(10000));
    const told = messages.find((message) => message.type === 'gap' || message.type === 'resume_failed');
    assert.equal(told?.reason, 'trimmed', JSON.stringify(messages));
    const seen = messages.filter((message) => message.type === 'tick').map((message) => message.n);
    assert.ok(!seen.includes(5), 'the damaged event was served');
    for (const { n, mark } of messages.filter((message) => message.type === 'tick' && message.n < 10)) {
        assert.equal(mark, `mark-${n}-of-9`);
    }
    const { events } = (await server.get(`/api/v1/topics/${topic}/history?since=0`)).json;
    assert.ok(events.every((event) => event.data.n !== 5));
    assert.match(server.stderr(), /damaged/);
    assert.match(server.stderr(), new RegExp(topic));
    assert.ok(await server.metric('fanfare_store_damaged_total') > 0);
});

test('a damaged page of the database: found, reported everywhere, never served, and the rest is saved', { timeout: 90000 }, async (t) => {
    const session = uniqueName();
    const topic = `session:${session}`;
    const total = 300;
    const { directory, epoch } = await storedEvents(t, topic, total);
    const file = path.join(directory, 'data', 'fanfare.db');
    const bytes = fs.readFileSync(file);
    for (let at; (at = bytes.indexOf(`mark-100-of-${total}`)) >= 0;) {
        const page = at - at % 4096;
        bytes.fill(0xaa, page, page + 4096);
    }
    fs.writeFileSync(file, bytes);

    const server = await startServer({ t, directory, args: ['--engine', 'sqlite'] });
    const client = await server.open(`/api/build/stream/${session}?epoch=${epoch}&since=0`);
    await client.next('connection');
    await server.publish({ topic, type: 'tick', data: { n: total + 1, mark: 'new' } });
    const messages = await client.until((message) => message.n === total + 1, ms(10000));
    const seen = messages.filter(({ type }) => type === 'tick').slice(0, -1);
    for (const { n, mark, offset } of seen) assert.deepEqual([mark, offset], [`mark-${n}-of-${total}`, n]);
    const served = new Set(seen.map(({ n }) => n));
    const missing = range(total).map((n) => n + 1).filter((n) => !served.has(n));
    assert.ok(missing.includes(100) && missing.length < total / 2, `${missing}`);
    const told = messages.filter(({ type }) => type === 'gap' || type === 'resume_failed');
    const ranges = told.flatMap(({ from, to }) => range(to - from + 1).map((n) => from + n));
    assert.deepEqual(ranges, missing, JSON.stringify(told));
    const { events } = (await server.get(`/api/v1/topics/${topic}/history?since=0&limit=1000`)).json;
    assert.deepEqual(events.slice(0, -1).map(({ data }) => data.n), seen.map(({ n }) => n));

    assert.match(server.stderr(), new RegExp(`damaged and are not served.*${topic}`));
    const { status, reason } = await health(server);
    assert.equal(status, 'degraded');
    assert.match(reason, /damaged.*fanfare store check/);
    await server.stop();

    const data = ['--data', path.join(directory, 'data')];
    const check = await runProgram(['store', 'check', ...data]);
    assert.equal(check.code, 1);
    assert.match(check.stdout, new RegExp(`${topic}: #${missing[0]} to #${missing.at(-1)} cannot be read`));
    const saved = await runProgram(['store', 'export', ...data]);
    assert.equal(saved.code, 1);
    assert.match(saved.stderr, new RegExp(`${topic}: #${missing[0]} to #${missing.at(-1)} are damaged and left out`));
    const numbers = saved.stdout.trimEnd().split('\n').map((line) => JSON.parse(line).data.n);
    assert.deepEqual(numbers, [...served, total + 1]);
});

test('a database that cannot be opened any more: what is left of it can still be saved', { timeout: 60000 }, async (t) => {
    const topic = `session:${uniqueName()}`;
    const { directory } = await storedEvents(t, topic, 200);
    const file = path.join(directory, 'data', 'fanfare.db');
    const bytes = fs.readFileSync(file);
    // The newest events' page: the server cannot know any more which offsets it has given out.
    const at = bytes.lastIndexOf('mark-200-of-200');
    bytes.fill(0xaa, at - at % 4096, at - at % 4096 + 4096);
    fs.writeFileSync(file, bytes);
    await assert.rejects(startServer({ t: { after() {} }, directory, args: ['--engine', 'sqlite'] }),
        /database is damaged.*store check.*store export/s);
    const saved = await runProgram(['store', 'export', '--data', path.join(directory, 'data')]);
    assert.equal(saved.code, 1);
    assert.match(saved.stderr, /#\d+ to #200 are damaged and left out/);
    const elsewhere = temporaryDirectory();
    const imported = await runProgram(['store', 'import', '--data', elsewhere, '-'], { input: saved.stdout });
    assert.equal(imported.code, 0, imported.stderr);
    assert.match(imported.stdout, /^imported 1\d\d,/);
});


test('a file that is no database is a clear refusal to start', async (t) => {
    const { directory } = await storedEvents(t, `session:${uniqueName()}`, 1);
    const file = path.join(directory, 'data', 'fanfare.db');
    fs.writeFileSync(file, Buffer.alloc(32768, 'x'));
    for (const more of ['-wal', '-shm']) fs.rmSync(file + more, { force: true });
    await assert.rejects(startServer({ t: { after() {} }, directory, args: ['--engine', 'sqlite'] }), /fanfare\.db.*damaged/s);
});
