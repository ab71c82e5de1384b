// The dialect `channels`: subscriptions and patterns, ids, positions, requests, what is checked and what is refused.
import assert from 'node:assert/strict';
import { flood, ms, range, startServer, test, uniqueName, waitFor } from './harness.mjs';

const server = await startServer();

async function connect(target = '/ws', from = server) {
    const client = await from.open(target);
    client.greeting = await client.next();
    return client;
}

const isEvent = (message) => message.type === 'event';
const publish = (channel, data, more = {}) => server.publish({ topic: `channel:${channel}`, data, ...more });

async function subscribe(client, channel, more = {}) {
    const id = uniqueName('sub');
    client.send({ id, type: 'subscribe', channel, ...more });
    return (await client.next((message) => message.id === id)).data;
}

async function ask(client, handler, data) {
    const id = uniqueName('ask');
    client.send({ id, type: 'request', handler, data });
    const { type, ...answer } = await client.next((message) => message.id === id);
    assert.equal(type, 'response');
    return answer;
}

test('the greeting is a response without an id', async () => {
    const client = await connect();
    assert.deepEqual(Object.keys(client.greeting), ['type', 'data']);
    assert.equal(client.greeting.type, 'response');
    const { status, connectionId, cwd } = client.greeting.data;
    assert.equal(status, 'connected');
    assert.match(connectionId, /^conn-[0-9a-f]{16}$/);
    assert.equal(cwd, null, 'there is no workspace');
});

test('subscribe answers with the place in the channel, and events follow', async () => {
    const channel = uniqueName('custom');
    const client = await connect();
    await publish(channel, { n: 1 });
    client.send({ id: 7, type: 'subscribe', channel });
    const { type, id, data } = await client.next();
    assert.equal(type, 'response');
    assert.equal(id, 7);
    assert.equal(data.status, 'subscribed');
    assert.equal(data.channel, channel);
    assert.equal(data.offset, 1);
    assert.match(data.epoch, /^[\w-]{11}$/);
    assert.match(data.cursor, /^[\w-]+$/);
    const { time } = await publish(channel, { n: 2 });
    assert.deepEqual(await client.next(), { type: 'event', channel, data: { n: 2 }, timestamp: time, offset: 2 });
    await publish(channel, { n: 3 }, { type: 'deploy.done' });
    const named = await client.next();
    assert.equal(named.type, 'event');
    assert.equal(named.event, 'deploy.done');
    await publish(channel, { n: 4 }, { ephemeral: true });
    const ephemeral = await client.next();
    assert.ok(!('offset' in ephemeral));
});

test('subscribing twice is not an error, and delivers once', async () => {
    const channel = uniqueName('custom');
    const client = await connect();
    await publish(channel, {});
    const first = await subscribe(client, channel);
    assert.deepEqual(await subscribe(client, channel), first);
    await publish(channel, { n: 1 });
    await publish(channel, { n: 2 });
    const got = [await client.next(isEvent), await client.next(isEvent)];
    assert.deepEqual(got.map(({ data }) => data.n), [1, 2]);
});

test('unsubscribe ends it; also of what was never subscribed', async () => {
    const [a, b] = [uniqueName('custom'), uniqueName('custom')];
    const client = await connect();
    await subscribe(client, a);
    await subscribe(client, b);
    client.send({ id: 'x', type: 'unsubscribe', channel: a });
    assert.deepEqual(await client.next(), { type: 'response', id: 'x', data: { status: 'unsubscribed', channel: a } });
    await publish(a, { n: 1 });
    await publish(b, { n: 2 });
    assert.equal((await client.next(isEvent)).data.n, 2);
    client.send({ type: 'unsubscribe', channel: a });
    assert.equal((await client.next()).data.status, 'unsubscribed');
});

test('a pattern matches at any depth, also channels that are made later', async () => {
    const root = uniqueName('root');
    const client = await connect();
    await publish(`${root}/old`, { n: 0 });
    const { status, channel, cursor, offset } = await subscribe(client, `${root}/*`);
    assert.deepEqual({ status, channel, offset }, { status: 'subscribed', channel: `${root}/*`, offset: undefined });
    assert.match(cursor, /^[\w-]+$/);
    await publish(`${root}/old`, { n: 1 });
    await publish(root, { n: 2 });
    await publish(`${root}beside/x`, { n: 3 });
    await publish(`${root}/new/deep/er`, { n: 4 });
    await publish(`${root}/new`, { n: 5 });
    const got = [];
    while (got.length < 3) got.push(await client.next(isEvent));
    assert.deepEqual(got.map((e) => [e.channel, e.data.n, e.offset]),
        [[`${root}/old`, 1, 2], [`${root}/new/deep/er`, 4, 1], [`${root}/new`, 5, 1]]);
    client.send({ type: 'unsubscribe', channel: `${root}/*` });
    await client.next('response');
    await publish(`${root}/old`, { n: 6 });
    await subscribe(client, root);
    await publish(root, { n: 7 });
    assert.equal((await client.next(isEvent)).data.n, 7);
});

test('what overlaps delivers once', async () => {
    const root = uniqueName('root');
    const client = await connect();
    for (const channel of ['*', `${root}/*`, `${root}/a/*`, `${root}/a/b`]) await subscribe(client, channel);
    for (const n of range(5)) await publish(`${root}/a/b`, { n });
    await server.publish({ topics: [`channel:${root}/a/b`, `channel:${root}/c`], data: { n: 5 } });
    await publish(`${root}/a/b`, { n: 6 });
    const got = await client.until((m) => isEvent(m) && m.data.n === 6);
    assert.deepEqual(got.filter((e) => isEvent(e) && e.channel.startsWith(root)).map(({ data }) => data.n), [0, 1, 2, 3, 4, 5, 6]);
});

test('resuming a channel by offset, cursor, and from its beginning', async () => {
    const channel = uniqueName('custom');
    const first = await connect();
    const { epoch } = await subscribe(first, channel);
    for (const n of range(5)) await publish(channel, { n });
    const { cursor } = await subscribe(first, uniqueName('other'));
    await first.close();
    for (const n of [5, 6]) await publish(channel, { n });
    for (const [position, expected] of [
        [{ since: 3, epoch }, [3, 4, 5, 6]], [{ cursor }, [5, 6]], [{ since: 0 }, [0, 1, 2, 3, 4, 5, 6]], [{ since: 7, epoch }, []],
    ]) {
        const client = await connect();
        const answer = await subscribe(client, channel, position);
        assert.equal(answer.offset, 7);
        const got = [];
        for (const _ of expected) got.push((await client.next(isEvent)).data.n);
        assert.deepEqual(got, expected, JSON.stringify(position));
        await client.close();
    }
});

test('resuming a pattern by cursor', async () => {
    const root = uniqueName('root');
    const first = await connect();
    const { cursor } = await subscribe(first, `${root}/*`);
    for (const n of range(6)) await publish(`${root}/${n % 3}`, { n });
    const client = await connect();
    await subscribe(client, `${root}/*`, { cursor });
    for (const n of range(6)) assert.equal((await client.next(isEvent)).data.n, n);
    await publish(`${root}/9`, { n: 6 });
    assert.equal((await client.next(isEvent)).data.n, 6);
    const late = await connect();
    await subscribe(late, `${root}/*`, { since: 0 });
    for (const n of range(7)) assert.equal((await late.next(isEvent)).data.n, n);
});

test('what cannot be resumed is told as a gap', async (t) => {
    const small = await startServer({ t, config: { topics: { channel: { count: 3 } } } });
    const client = await connect('/ws', small);
    const { epoch, cursor } = await subscribe(client, 'x');
    for (const n of range(10)) await small.publish({ topic: 'channel:x', data: { n } });
    const gap = async (channel, position) => {
        const other = await connect('/ws', small);
        await subscribe(other, channel, position);
        return other.next('gap');
    };
    assert.deepEqual(await gap('x', { since: 2, epoch }), { type: 'gap', channel: 'x', from: 3, to: 10, reason: 'trimmed' });
    assert.deepEqual(await gap('x', { since: 0 }), { type: 'gap', channel: 'x', from: 1, to: 7, reason: 'trimmed' });
    assert.deepEqual(await gap('x', { since: 2, epoch: 'another' }), { type: 'gap', channel: 'x', from: 1, to: 10, reason: 'epoch_changed' });
    assert.deepEqual(await gap('x', { since: 99, epoch }), { type: 'gap', channel: 'x', from: 1, to: 10, reason: 'invalid' });
    const foreign = `AAAAAAAAAAA${cursor.slice(11)}`;
    assert.equal((await gap('*', { cursor: foreign })).reason, 'epoch_changed');
});

test('unsubscribing while history is read ends it', async () => {
    const [a, b] = [uniqueName('long'), uniqueName('long')];
    const pad = 'x'.repeat(8000);
    for (const n of range(400)) await publish(n % 2 ? a : b, { n, pad });
    const client = await connect();
    client.socket.pause();
    client.send({ type: 'subscribe', channel: a, since: 0 });
    client.send({ type: 'subscribe', channel: b, since: 0 });
    client.send({ id: 'off', type: 'unsubscribe', channel: a });
    client.socket.resume();
    const before = await client.until((m) => m.id === 'off');
    const after = [];
    await publish(b, { n: 'end' });
    do after.push(await client.next(isEvent)); while (after.at(-1).data.n !== 'end');
    assert.ok(after.every(({ channel }) => channel === b));
    const all = [...before, ...after].filter((m) => m.channel === b && isEvent(m));
    assert.deepEqual(all.map(({ data }) => data.n), [...range(200).map((i) => 2 * i), 'end'], 'nothing of the other is missing or twice');
});

test('1,000 subscriptions, and not one more', async () => {
    const client = await connect();
    const root = uniqueName('many');
    for (const n of range(1000)) client.send({ id: n, type: 'subscribe', channel: n % 10 ? `${root}/${n}` : `${root}/${n}/*` });
    const answers = await client.take(1000, ms(20000));
    assert.ok(answers.every(({ data }) => data.status === 'subscribed'));
    const refused = await subscribe(client, `${root}/more`);
    assert.match(refused.error, /too many subscriptions: at most 1000 \(limits.subscriptions\)/);
    assert.equal((await subscribe(client, `${root}/1`)).status, 'subscribed', 'again what it has');
    client.send({ type: 'unsubscribe', channel: `${root}/1` });
    await client.next('response');
    assert.equal((await subscribe(client, `${root}/more`)).status, 'subscribed');
    await publish(`${root}/999`, { n: 1 });
    assert.equal((await client.next(isEvent)).channel, `${root}/999`);
});

// ---- Payloads ----

const good = {
    files: { file: 'src/a.c', event: 'change' },
    diagnostics: { diagnostics: [{ file: 'a.c', line: 1, column: 2, message: 'bad', severity: 'error', source: 'cc' }] },
    'ai-response': { id: 'm', chunk: 'x', index: 0, finished: false },
    search: { query: 'q', completed: 1, total: null, results: [{ file: 'a', line: 1, column: 1, match: 'q' }] },
    validation: { validation: { type: 'lint', passed: false, errors: [{ file: 'a', line: 1, column: 1, message: 'm', rule: 'r' }] } },
    git: { type: 'commit', message: 'm', status: { branch: 'main', ahead: 0, behind: 0, staged: [], modified: [], untracked: [], deleted: [] } },
};

for (const [channel, data] of Object.entries(good)) {
    test(`events of the channel ${channel} carry their timestamp`, async () => {
        const client = await connect();
        await subscribe(client, channel);
        const { time } = await publish(channel, data);
        const event = await client.next((m) => isEvent(m) && m.channel === channel);
        assert.deepEqual(event.data, { ...data, timestamp: time });
        assert.equal(event.timestamp, time);
        await publish(channel, { ...data, timestamp: '2024-12-09T15:30:45.123Z' });
        assert.equal((await client.next(isEvent)).data.timestamp, '2024-12-09T15:30:45.123Z');
    });
}

for (const [channel, data, message] of [
    ['files', { event: 'change' }, 'file is missing: it must be a string that is not empty'],
    ['files', { file: 'a', event: 'touched' }, 'event must be one of add, change, unlink, addDir, unlinkDir, got "touched"'],
    ['diagnostics', { diagnostics: [{ file: 'a', message: 'm', severity: 'error' }, { file: 'a', message: 'm', severity: 'fatal' }] },
        'diagnostics[1].severity must be one of error, warning, info, hint, got "fatal"'],
    ['diagnostics', { diagnostics: [5] }, 'diagnostics[0] must be an object, got a number'],
    ['ai-response', { id: 'a', chunk: 'b', index: -1, finished: true }, 'index must be a whole number of at least 0, got -1'],
    ['search', { query: 'q', completed: 'all', results: [] }, 'completed must be a whole number of at least 0, got "all"'],
    ['validation', { validation: { type: 'spell', passed: true } }, 'validation.type must be one of lint, typecheck, format, got "spell"'],
    ['validation', { validation: { type: 'lint', passed: true, errors: [{ file: 'a' }] } },
        'validation.errors[0].message is missing: it must be a string'],
    ['git', { type: 'commit', message: 'm', status: { ahead: 'x' } }, 'status.ahead must be a whole number of at least 0, got "x"'],
]) {
    test(`refused on ${channel}: ${message}`, async () => {
        const answer = await server.post('/api/v1/publish', { topic: `channel:${channel}`, data });
        assert.equal(answer.status, 422);
        assert.equal(answer.json.error.message, message);
    });
}

// ---- Requests ----

test('get-status tells what this connection follows', async () => {
    const client = await connect();
    await subscribe(client, 'files');
    await subscribe(client, 'git/*');
    const { data } = await ask(client, 'get-status');
    assert.equal(data.connectionId, client.greeting.data.connectionId);
    assert.deepEqual(data.subscriptions, ['files', 'git/*']);
    assert.equal(data.sources.files, 'not configured');
});

test('presence counts followers on all workers, by pattern too', async () => {
    const channel = uniqueName('room');
    const clients = await Promise.all(range(6).map(() => connect()));
    for (const [i, client] of clients.entries()) await subscribe(client, i % 2 ? channel : '*');
    const { data } = await ask(clients[0], 'presence', { channel });
    assert.equal(data.channel, channel);
    assert.deepEqual(clients.map((c) => data.connections.some((x) => x.connection_id === c.greeting.data.connectionId)),
        range(6).map(() => true));
    assert.ok(data.count >= 6);
    assert.match((await ask(clients[0], 'presence', { channel: 'a b' })).error, /channel must be/);
    clients[1].send({ type: 'request', handler: 'presence', data: { channel } });
    clients[1].terminate(); // its answer finds nobody
    await waitFor(async () => (await ask(clients[0], 'presence', { channel })).data.connections
        .every((x) => x.connection_id !== clients[1].greeting.data.connectionId), 'it to be gone');
});

test('history reads back in the same envelope', async () => {
    const channel = uniqueName('room');
    for (const n of range(5)) await publish(channel, { n });
    const client = await connect();
    const { data } = await ask(client, 'history', { channel, since: 1, limit: 2 });
    assert.deepEqual(data.events.map((e) => [e.type, e.channel, e.data.n, e.offset]), [['event', channel, 1, 2], ['event', channel, 2, 3]]);
    assert.equal(data.offset, 5);
    assert.equal(data.available_from, 1);
    const none = await ask(client, 'history', { channel: uniqueName('none') });
    assert.deepEqual(none.data.events, []);
    assert.match((await ask(client, 'history', { channel, since: -1 })).error, /since must be a whole number/);
    assert.match((await ask(client, 'history', { channel, limit: 100000 })).error, /limit must be a whole number from 0 to 1000/);
});

for (const handler of ['list-files', 'read-file', 'search', 'git-status', 'run-validation', 'diagnostics']) {
    test(`${handler} answers that its source is not configured`, async () => {
        const client = await connect();
        const { data, error } = await ask(client, handler, {});
        assert.match(error, /^not configured: /);
        assert.equal(data.error, error);
    });
}

// ---- Bad input ----

test('what makes no sense is answered, and the connection stays', async () => {
    const client = await connect();
    const answer = async (message) => {
        client.send(message);
        return client.next();
    };
    const broken = await answer('{"type":');
    assert.equal(broken.type, 'response');
    assert.equal(broken.data.error, 'Failed to parse message');
    assert.equal((await answer('[]')).data.error, 'Failed to parse message');
    assert.match((await answer({ id: 1, type: 'shout' })).error, /Unknown message type: shout/);
    assert.equal((await answer({ id: 1, type: 'shout' })).id, 1);
    assert.match((await answer({ id: 2, type: 'subscribe' })).data.error, /channel must be/);
    for (const channel of ['', 'a b', 'a*', '*a', 'a/*/b', '/*', '**', 'x'.repeat(129), 5, null]) {
        assert.match((await answer({ type: 'subscribe', channel })).error, /channel must be/, String(channel));
    }
    assert.equal((await answer({ id: 3, type: 'ping' })).type, 'pong');
});

test('positions and handlers that make no sense', async () => {
    const client = await connect();
    for (const position of [{ since: 5 }, { since: -1, epoch: 'x' }, { since: 'x', epoch: 'x' }, { cursor: 'nonsense' }, { cursor: 5 }]) {
        assert.match((await subscribe(client, 'files', position)).error, /resume with since/, JSON.stringify(position));
    }
    assert.match((await subscribe(client, 'files/*', { since: 3, epoch: 'x' })).error, /a pattern resumes with a cursor/);
    assert.match((await ask(client, 'fly')).error, /handler must be one of get-status/);
    const { data } = await ask(client, 'get-status');
    assert.deepEqual(data.subscriptions, [], 'nothing was subscribed on the way');
});

test('20 bad messages within 10 s close with 1008', async () => {
    const client = await connect();
    for (const _ of range(20)) client.send('nonsense');
    assert.equal((await client.expectClose()).code, 1008);
});

// ---- Slow readers ----

test('a slow reader of a pattern misses nothing', async (t) => {
    const own = await startServer({ t, config: { limits: { queue: '64KiB' }, topics: { channel: { count: 100000 } } } });
    const client = await connect('/ws', own);
    await subscribe(client, 'flood/*');
    client.socket.pause();
    await Promise.all(range(4).map((i) => flood(own, `channel:flood/${i}`, 2000, 400)));
    client.socket.resume();
    const next = [0, 0, 0, 0];
    const isLast = () => next.every((n) => n === 2000);
    await client.until((m) => {
        assert.equal(m.type, 'event');
        assert.equal(m.data.n, next[m.channel.at(-1)]++, m.channel);
        return isLast();
    }, ms(20000));
    assert.ok(await own.metric('fanfare_slow_readers_total') > 0, 'it was slow indeed');
});

test('a slow reader of diagnostics gets the newest of each key', async (t) => {
    const own = await startServer({ t, config: { limits: { queue: '64KiB' } } });
    const client = await connect('/ws', own);
    await subscribe(client, 'diagnostics');
    client.socket.pause();
    const one = { diagnostics: [{ file: 'a', message: 'x'.repeat(2000), severity: 'error' }] };
    await flood(own, 'channel:diagnostics', 6000, 0, (n) => ({ key: `file${n % 5}`, data: { ...one, last: n >= 5995 } }));
    client.socket.resume();
    const seen = await client.until((m) => isEvent(m) && m.data.n === 5999, ms(20000));
    assert.ok(seen.some((m) => m.type === 'gap' && m.channel === 'diagnostics' && m.reason === 'superseded'));
    assert.equal(seen.filter((m) => isEvent(m) && m.data.last).length, 5);
    assert.ok(seen.length < 6000);
});
