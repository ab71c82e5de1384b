// Durable topics: what was acknowledged is there again after the server ended, however it ended.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {
    flood, ms, openEvents, range, runProgram, startServer, temporaryDirectory, test, uniqueName,
    waitFor,
} from './harness.mjs';

const component = (id, progress) => ({
    type: 'component_update', data: { component_id: id, status: 'in_progress', progress },
});
const history = async (server, topic, since = 0) =>
    (await server.get(`/api/v1/topics/${topic}/history?since=${since}&limit=10000`)).json;

const serveOn = (directory) => runProgram(['serve', '--listen', '127.0.0.1:0', '--data', directory]);

/** Ends the server and starts another on its directory. */
async function restart(t, server, signal, options = {}) {
    if (signal === 'SIGKILL') server.mayEndBadly = true;
    await server.stop(signal);
    return startServer({ t, directory: server.directory, ...options });
}

for (const signal of ['SIGTERM', 'SIGKILL']) {
    test(`${signal}: offsets, epochs, events, ids and states are there again`, async (t) => {
        let server = await startServer({ t });
        const session = uniqueName();
        const topic = `session:${session}`;
        const first = await server.publish({ topic, id: 'one', ...component('auth', 10) });
        await server.publish({ topics: [topic, 'user:bob', 'global'], type: 'note', data: { n: 2 }, id: 'two' });
        const before = await history(server, topic);
        const listed = async () => {
            const { sessions } = (await server.get('/api/build/sessions')).json;
            return sessions.find((one) => one.session_id === session);
        };
        const list = await listed();
        const state = (await server.build(session, '?state=1'));
        const { status } = await state.next('build_status');
        assert.deepEqual(Object.keys(status.components), ['auth']);

        server = await restart(t, server, signal);
        assert.deepEqual(await history(server, topic), before);
        assert.equal((await history(server, 'user:bob')).offset, 1);
        const again = await server.publish({ topic, id: 'one', ...component('auth', 10) });
        assert.deepEqual([again.offset, again.epoch, again.duplicate], [1, first.epoch, true]);
        assert.deepEqual(await listed(), list);
        const third = await server.publish({ topic, ...component('auth', 50) });
        assert.deepEqual([third.offset, third.epoch], [3, first.epoch]);
        const late = await server.build(session, '?state=1');
        assert.equal(late.greeting.epoch, first.epoch);
        const picture = (await late.next('build_status')).status;
        assert.deepEqual(Object.values(picture.components).map((c) => c.progress), [50]);
    });

    test(`${signal}: every client resumes where it was`, async (t) => {
        let server = await startServer({ t });
        const session = uniqueName();
        const topic = `session:${session}`;
        const socket = await server.build(session);
        const stream = await openEvents(t, server, `topic=${topic}&topic=global`);
        for (const n of range(5)) await server.publish({ topic, type: 'step', data: { n } });
        await socket.until((m) => m.data?.n === 4 || m.n === 4);
        const seen = (await stream.take(5)).at(-1);
        assert.equal(seen.json.data.n, 4);
        await server.publish({ topic, type: 'step', data: { n: 5 } });
        await server.publish({ topic: 'global', type: 'step', data: { n: 6 } });

        server = await restart(t, server, signal);
        const resumed = await openEvents(t, server, `topic=${topic}&topic=global`, { 'Last-Event-ID': seen.id });
        assert.deepEqual((await resumed.take(2)).map((block) => block.json.data.n), [5, 6]);
        const byOffset = await server.build(session, `?since=5&epoch=${socket.greeting.epoch}`);
        assert.equal((await byOffset.next('step')).offset, 6);
        const byCursor = await server.build(session, `?cursor=${seen.id}`);
        assert.equal((await byCursor.next('step')).offset, 6);
        await server.publish({ topic, type: 'step', data: { n: 7 } });
        assert.equal((await resumed.take(1))[0].json.data.n, 7);
        for (const client of [byOffset, byCursor]) assert.equal((await client.next('step')).offset, 7);
    });
}

test('history is deeper than memory, before and after a restart', { timeout: 60000 }, async (t) => {
    const options = { config: { memory: { limit: '1MiB' } } };
    let server = await startServer({ t, ...options });
    const topics = ['session:a', 'session:b'];
    for (const topic of topics) await flood(server, topic, 4000, 300);
    assert.ok(await server.metric('fanfare_history_bytes') <= 1024 * 1024);
    const query = topics.map((topic) => `topic=${topic}`).join('&');
    const whole = await (await openEvents(t, server, `${query}&since=0`)).take(8000);
    for (const topic of topics) {
        const offsets = whole.filter(({ json }) => json.topic === topic).map(({ json }) => json.offset);
        assert.deepEqual(offsets, range(4000).map((n) => n + 1), topic);
    }
    server = await restart(t, server, 'SIGKILL', options);
    const rest = await (await openEvents(t, server, `${query}&since=${whole[1000].id}`)).take(6999);
    assert.deepEqual(rest.map(({ id, data }) => [id, data]), whole.slice(1001).map(({ id, data }) => [id, data]));
    const { events } = await history(server, 'session:a', 500);
    assert.deepEqual(events.slice(0, 3).map(({ offset }) => offset), [501, 502, 503]);
    assert.ok(await server.metric('fanfare_store_reads_total') > 0);
});

test('resuming from disk goes over to the live tail without a gap, while events keep coming', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { memory: { limit: '1MiB' } } });
    await flood(server, 'session:a', 3000, 300);
    const reader = await openEvents(t, server, 'topic=session:a&since=0');
    await flood(server, 'session:a', 6000, 300);
    const offsets = (await reader.take(9000)).map(({ json }) => json.offset);
    assert.deepEqual(offsets, range(9000).map((n) => n + 1));
});

test('what retention trimmed is told with its range, also after a restart', { timeout: 60000 }, async (t) => {
    const options = { config: { topics: { session: { count: 500 } } } };
    let server = await startServer({ t, ...options });
    await flood(server, 'session:a', 3000, 100);
    server = await restart(t, server, 'SIGKILL', options);
    const { first_offset: first, offset, epoch } = await history(server, 'session:a');
    assert.deepEqual([first, offset], [2501, 3000]);
    const late = await server.build('a', `?since=100&epoch=${epoch}`);
    const { reason, from, to } = await late.next('resume_failed');
    assert.deepEqual({ reason, from, to }, { reason: 'trimmed', from: 101, to: 2500 });
});

test('an idle topic leaves memory and comes back, with its state', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { topics: { session: { idle: '1s' } } } });
    const session = uniqueName();
    await server.publish({ topic: `session:${session}`, ...component('auth', 10) });
    await waitFor(async () => await server.metric('fanfare_history_events') === 0, 'memory to be freed', ms(20000));
    await server.publish({ topic: `session:${session}`, ...component('db', 20) });
    const client = await server.build(session, '?state=1');
    const { status } = await client.next('build_status');
    assert.deepEqual(Object.keys(status.components).sort(), ['auth', 'db']);
    assert.deepEqual((await history(server, `session:${session}`)).events.map(({ offset }) => offset), [1, 2]);
});

/** Executions of each kind, output of several pieces and of both streams among them. */
const executions = [
    ['start', { execution_id: 'running', language: 'python', code_preview: 'print("ä")' }],
    ['output', { execution_id: 'running', output: 'so far\n', stream: 'stdout' }],
    ['output', { execution_id: 'running', output: 'a \u001b[31mwarning\u001b[0m\n', stream: 'stderr' }],
    ['start', { execution_id: 'done', language: 'c' }],
    ['output', { execution_id: 'done', output: 'hi', stream: 'stdout' }],
    ['complete', { execution_id: 'done', result: { stdout: 'hi', stderr: '', exit_code: 0, execution_time: 0.5 } }],
    ['start', { execution_id: 'long', language: 'c' }],
    ['output', { execution_id: 'long', output: 'x'.repeat(9000), stream: 'stdout' }],
    ['complete', { execution_id: 'long', result: { stdout: 'y'.repeat(70000), exit_code: 3 } }],
    ['start', { execution_id: 'failed', language: 'c' }],
    ['error', { execution_id: 'failed', error: 'too slow', error_type: 'timeout', result: { stdout: 'a part' } }],
    ['output', { execution_id: 'running', output: 'and more\n', stream: 'stdout' }],
];

/** The session's executions as every way of asking tells them. */
async function executionsOf(server, session) {
    const { executions: told } = (await server.get(`/api/build/status/${session}`)).json;
    const client = await server.open(`/ws/${session}`);
    client.send({ type: 'get_state' });
    assert.deepEqual((await client.next('session_state')).data.executions, told);
    await client.close();
    return told;
}

test('the record of executions survives a kill, a session that leaves memory, and both', { timeout: 90000 }, async (t) => {
    const options = { config: { topics: { session: { idle: '1s' } } } };
    let server = await startServer({ t, ...options });
    const session = uniqueName();
    const cold = () => waitFor(async () => await server.metric('fanfare_history_bytes') === 0, 'the session to leave memory', ms(20000));
    const publish = (part) => part.reduce((before, [what, data]) => before.then(() =>
        server.publish({ topic: `session:${session}`, type: `execution_${what}`, data })), Promise.resolve());
    await publish(executions.slice(0, -1));
    let told = await executionsOf(server, session);
    assert.deepEqual([told.running, told.done, told.long, told.failed].map(({ status }) => status), ['running', 'completed', 'completed', 'failed']);
    assert.deepEqual([told.running.stdout, told.long.result.truncated], ['so far\n', true]);
    server = await restart(t, server, 'SIGKILL', options);
    assert.deepEqual(await executionsOf(server, session), told, 'killed');
    await cold();
    assert.deepEqual(await executionsOf(server, session), told, 'left memory');
    await cold();
    await publish(executions.slice(-1)); // behind what is stored
    server = await restart(t, server, 'SIGKILL', options);
    told.running = { ...told.running, stdout: 'so far\nand more\n' };
    const later = await executionsOf(server, session);
    told.running.updated = later.running.updated;
    assert.deepEqual(later, told, 'left memory, went on, and was killed');
    server = await restart(t, server, 'SIGTERM', options);
    assert.deepEqual(await executionsOf(server, session), told, 'stopped');
});

test('relaxed: a kill on a machine that goes on changes no epoch', async (t) => {
    const options = { args: ['--store-synchronous', 'normal'] };
    let server = await startServer({ t, ...options });
    const first = await server.publish({ topic: 'session:a', type: 'tick', data: { n: 1 } });
    const { greeting } = await server.build('a');
    server = await restart(t, server, 'SIGKILL', options);
    const again = await server.build('a', `?cursor=${greeting.cursor}&since=1&epoch=${first.epoch}`);
    assert.equal(again.greeting.epoch, first.epoch);
    const second = await server.publish({ topic: 'session:a', type: 'tick', data: { n: 2 } });
    assert.deepEqual([second.offset, second.epoch], [2, first.epoch]);
    assert.equal((await again.next('tick')).offset, 2);
});

test('a directory is one server\'s at a time', async (t) => {
    const server = await startServer({ t });
    const { code, stderr } = await serveOn(path.join(server.directory, 'data'));
    assert.equal(code, 1);
    assert.match(stderr, /another server uses the data directory .*--data DIR/);
});

test('a data directory that cannot be used is a clear refusal', async (t) => {
    const directory = temporaryDirectory();
    fs.writeFileSync(path.join(directory, 'fanfare.db'), 'no database'.repeat(100));
    const { code, stderr } = await serveOn(directory);
    assert.equal(code, 1);
    assert.match(stderr, /fanfare\.db: the database is damaged/);
});
