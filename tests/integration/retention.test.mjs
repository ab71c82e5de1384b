// What is kept, for how long, and what is said about what is not.
import assert from 'node:assert/strict';
import {
    flood, ms, openEvents, range, startServer, test, uniqueName, waitFor,
} from './harness.mjs';

const history = async (server, topic) => (await server.get(`/api/v1/topics/${topic}/history?limit=10000`)).json;
const topicInfo = async (server, topic) =>
    (await server.get('/api/v1/topics')).json.topics.find((info) => info.topic === topic);

test('count: the oldest events of a topic go first, its numbers stay', async (t) => {
    const server = await startServer({ t, config: { topics: { session: { count: 50 }, project: { count: 20 } } } });
    for (const [topic, kept] of [['session:a', 50], ['project:a', 20], ['agent:a', 120]]) {
        await flood(server, topic, 120, 10);
        const { events, offset, first_offset: first } = await history(server, topic);
        assert.deepEqual(events.map((event) => event.offset), range(kept).map((n) => 121 - kept + n), topic);
        assert.deepEqual([offset, first], [120, 121 - kept]);
    }
    assert.equal(await server.metric('fanfare_trimmed_events_total', 'reason="count"'), 170);
});

test('bytes: a topic keeps so much', async (t) => {
    const server = await startServer({ t, config: { topics: { session: { bytes: '100KiB' } } } });
    await flood(server, 'session:a', 100, 5000);
    await flood(server, 'session:b', 5, 5000);
    const kept = (await history(server, 'session:a')).events.length;
    assert.ok(kept >= 17 && kept <= 20, `${kept} of 5 KB each in 100 KiB`);
    assert.equal((await history(server, 'session:b')).events.length, 5);
    // A single event may be larger than all that is kept: it is, alone.
    await server.publish({ topic: 'session:a', type: 'large', data: { pad: 'x'.repeat(300000) } });
    assert.deepEqual((await history(server, 'session:a')).events.map((event) => event.offset), [101]);
});

test('age: events go when they are old, by the server\'s clock', async (t) => {
    const server = await startServer({ t, config: { topics: { session: { age: '1500ms' } } } });
    const session = uniqueName();
    const topic = `session:${session}`;
    await server.publish({ topic, type: 'build_progress', data: { total: 4, completed: 1 } });
    await server.publish({ topic, type: 'old', data: {}, time: '2001-01-01T00:00:00Z' });
    assert.equal((await history(server, topic)).events.length, 2, 'what a publisher says of the time does not age it');
    await waitFor(async () => (await history(server, topic)).events.length === 0, 'the events to age', ms(15000));
    const { offset, epoch } = await history(server, topic);
    assert.equal(offset, 2);
    const client = await server.build(session, '?state=1');
    assert.deepEqual([client.greeting.offset, client.greeting.epoch], [2, epoch]);
    const { status } = await client.next('build_status');
    assert.equal(status.build_progress.completed, 1, 'the state does not age with the events');
    assert.equal((await server.publish({ topic, type: 'tick', data: {} })).offset, 3);
    const late = await server.build(session, `?epoch=${epoch}&since=1`);
    const failed = await late.next('resume_failed');
    assert.deepEqual([failed.reason, failed.from, failed.to, failed.available_from], ['trimmed', 2, 2, 3]);
});

test('memory.limit: all topics together, the oldest event of all first', async (t) => {
    const server = await startServer({ t, args: ['--engine', 'memory'], config: { memory: { limit: '1500KiB' } } });
    for (const topic of ['session:a', 'session:b', 'session:c']) await flood(server, topic, 100, 10000);
    const kept = await Promise.all(['session:a', 'session:b', 'session:c'].map((topic) => history(server, topic)));
    const counts = kept.map(({ events }) => events.length);
    assert.equal(counts[0], 0);
    assert.equal(counts[2], 100);
    assert.ok(counts[1] > 40 && counts[1] < 100, `${counts}`);
    assert.ok(await server.metric('fanfare_history_bytes') <= 1500 * 1024);
    assert.ok(await server.metric('fanfare_trimmed_events_total', 'reason="memory"') > 100);
    assert.deepEqual(kept.map(({ offset }) => offset), [100, 100, 100]);
});

test('a channel that nobody uses is forgotten, and says so by a new epoch', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { topics: { channel: { idle: '1s' }, session: { idle: '1s' } } } });
    for (const n of [1, 2]) await server.publish({ topic: 'channel:idle', data: { n } });
    await server.publish({ topic: 'channel:read', data: { n: 1 } });
    await server.publish({ topic: 'session:kept', type: 'tick', data: {} });
    const { epoch } = await topicInfo(server, 'channel:idle');
    const reader = await openEvents(t, server, 'topic=channel:read');
    const away = await openEvents(t, server, 'topic=channel:idle&since=0');
    const [seen, last] = await away.take(2);
    away.close();
    await waitFor(async () => !(await topicInfo(server, 'channel:idle')), 'the channel to be forgotten', ms(20000));
    assert.ok(await topicInfo(server, 'channel:read'), 'somebody follows this one');
    assert.ok(await topicInfo(server, 'session:kept'), 'this kind is kept');
    assert.equal((await server.get('/api/v1/topics/channel:idle/history')).status, 404);

    const answer = await server.publish({ topic: 'channel:idle', data: { n: 2 } });
    assert.equal(answer.offset, 1);
    assert.notEqual(answer.epoch, epoch);
    const again = await openEvents(t, server, 'topic=channel:idle', { 'Last-Event-ID': seen.id });
    const first = (await again.next()).json;
    assert.equal(first.type, 'resume_failed', JSON.stringify(first));
    const complete = await openEvents(t, server, 'topic=channel:idle', { 'Last-Event-ID': last.id });
    assert.equal((await complete.next()).json.offset, 1, 'who had seen all of it has lost nothing');
    assert.equal((await reader.response).statusCode, 200);
    assert.ok(await server.metric('fanfare_topics_dropped_total') >= 1);
});

test('a session that was only looked at leaves nothing behind', { timeout: 60000 }, async (t) => {
    const server = await startServer({ t, config: { topics: { session: { idle: '1s' } } } });
    const client = await server.build('curious');
    const { epoch } = client.greeting;
    await client.close();
    await waitFor(async () => !(await topicInfo(server, 'session:curious')), 'the topic to be forgotten', ms(20000));
    // Nothing was lost with it, so who saw its beginning may go on.
    const again = await server.build('curious', `?epoch=${epoch}&since=0`);
    assert.deepEqual([(await again.next()).type, again.greeting.offset], ['resumed', 0]);
});
