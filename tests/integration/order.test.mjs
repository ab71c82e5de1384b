// The promise of the whole program: per topic one order for everybody, without holes or doubles,
// however many publish, whoever comes back in the middle.
import assert from 'node:assert/strict';
import { ms, openEvents, range, startServer, test, uniqueName } from './harness.mjs';

const sequence = (count) => range(count).map((n) => n + 1);

/** One publisher: its events over one of the three ways in, in its own order. */
async function publishAll(server, topic, who, count) {
    const events = range(count).map((n) => ({ topic, type: 'tick', data: { who, n } }));
    if (who % 3 === 0) {
        const client = await server.open('/api/v1/publish?ack=none');
        for (const event of events) client.send(event);
        return; // closes at the end of the test
    }
    if (who % 3 === 1) {
        const body = events.map((event) => JSON.stringify(event)).join('\n');
        const answer = await server.post('/api/v1/publish', body, { 'Content-Type': 'application/x-ndjson' });
        assert.equal(answer.status, 200);
        return;
    }
    for (const event of events) await server.publish(event);
}

/** Publishes each event when the one before it is acknowledged, which leaves room for readers. */
async function publishOneByOne(server, topic, who, count) {
    const client = await server.open('/api/v1/publish');
    for (const n of range(count)) {
        await client.send({ topic, type: 'tick', data: { who, n } }).next();
    }
}

/** Checks one subscriber's view: offsets 1…, each publisher's events in its own order. */
function checkView(messages, publishers, count, what) {
    assert.deepEqual(messages.map((m) => m.offset), sequence(publishers * count), what);
    const next = new Array(publishers).fill(0);
    for (const { who, n } of messages) assert.equal(n, next[who]++, `${what}: publisher ${who} out of order`);
}

for (const workers of [1, 2, 4]) {
    test(`8 publishers and 20 subscribers on ${workers} workers see one order`, { timeout: 60000 }, async (t) => {
        const server = await startServer({ t, args: ['--workers', String(workers)] });
        const session = uniqueName();
        const topic = `session:${session}`;
        const [publishers, count] = [8, 300];
        const clients = await Promise.all(range(14).map(() => server.build(session)));
        const streams = await Promise.all(range(6).map(() => openEvents(t, server, `topic=${topic}`)));
        const publishing = Promise.all(range(publishers).map((who) => publishAll(server, topic, who, count)));
        const views = await Promise.all([
            ...clients.map((client) => client.take(publishers * count, ms(30000))),
            ...streams.map(async (stream) => (await stream.take(publishers * count))
                .map(({ json }) => ({ offset: json.offset, ...json.data }))),
        ]);
        await publishing;
        const reference = views[0].map((m) => `${m.who}/${m.n}`);
        for (const [i, view] of views.entries()) {
            checkView(view, publishers, count, `subscriber ${i}`);
            assert.deepEqual(view.map((m) => `${m.who}/${m.n}`), reference);
        }
    });

    test(`resuming in the middle of traffic is exact on ${workers} workers`, { timeout: 60000 }, async (t) => {
        const server = await startServer({ t, args: ['--workers', String(workers)] });
        const session = uniqueName();
        const topic = `session:${session}`;
        const [publishers, count] = [4, 500];
        const total = publishers * count;
        const { epoch } = (await server.build(session)).greeting;
        const publishing = Promise.all(range(publishers).map((who) => publishOneByOne(server, topic, who, count)));
        const views = await Promise.all(range(10).map((i) => restlessReader(server, session, epoch, total, i)));
        await publishing;
        for (const [i, offsets] of views.entries()) {
            assert.deepEqual(offsets, sequence(total), `reader ${i}`);
        }
    });
}

/** Reads to offset `total`, leaving and coming back by URL (even i) or by message (odd i). */
async function restlessReader(server, session, epoch, total, i) {
    const offsets = [];
    for (let stay = 20 + 7 * i; offsets.length < total; stay += 31) {
        const at = offsets.length;
        const byUrl = i % 2 === 0;
        const query = byUrl ? `?epoch=${encodeURIComponent(epoch)}&since=${at}` : '';
        const client = await server.open(`/api/build/stream/${session}${query}`);
        if (!byUrl) {
            // What comes before the answer to resume was sent live, ahead of the missed events.
            const greeting = await client.next('connection');
            client.send({ type: 'resume', epoch, offset: at });
            await resumeByMessage(client, offsets, greeting.offset);
        }
        while (offsets.length < total && offsets.length < at + stay) {
            const message = await client.next((m) => m.type === 'tick', ms(20000));
            offsets.push(message.offset);
        }
        client.terminate();
    }
    return offsets;
}

/** Sorts live events that overtook the resume behind the missed ones; their union must be exact. */
async function resumeByMessage(client, offsets, joinedAt) {
    const messages = await client.until((m) => m.type === 'resumed' || m.type === 'resume_failed', ms(20000));
    assert.equal(messages.at(-1).type, 'resumed');
    const ticks = messages.filter((m) => m.type === 'tick').map((m) => m.offset);
    const live = ticks.filter((offset) => offset > joinedAt);
    const missed = ticks.filter((offset) => offset <= joinedAt);
    offsets.push(...missed, ...live);
}

test('several topics keep the node\'s order for whoever follows them all', async (t) => {
    const server = await startServer({ t, args: ['--workers', '2'] });
    const topics = range(10).map(() => `session:${uniqueName()}`);
    const query = topics.map((topic) => `topic=${topic}`).join('&');
    const streams = await Promise.all(range(4).map(() => openEvents(t, server, query)));
    await Promise.all(topics.map(async (topic) => {
        for (const n of range(50)) await server.publish({ topic, type: 'tick', data: { n } });
    }));
    const views = await Promise.all(streams.map((stream) => stream.take(500)));
    const key = ({ json }) => `${json.topic} ${json.offset}`;
    for (const view of views) assert.deepEqual(view.map(key), views[0].map(key));
    for (const topic of topics) {
        assert.deepEqual(views[0].filter((b) => b.json.topic === topic).map((b) => b.json.offset), sequence(50));
    }
    // And from every point of it the rest can be had again.
    for (const at of [0, 123, 499]) {
        const again = await openEvents(t, server, query, { 'Last-Event-ID': views[0][at].id });
        const rest = await again.take(499 - at);
        assert.deepEqual(rest.map(key), views[0].slice(at + 1).map(key));
        again.close();
    }
});
