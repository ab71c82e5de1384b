// Slow readers of many topics at once, under all policies, with history trimmed under their feet:
// nobody gets anything twice or out of order, and whatever is missing was told.
//
// What a run does follows from its seed (the timing aside); MIXTURE_SEED repeats one.
import assert from 'node:assert/strict';
import { ms, openEvents, range, startServer, test } from './harness.mjs';

const kinds = ['session', 'project', 'agent'];
const topics = kinds.flatMap((kind) => [`${kind}:0`, `${kind}:1`]);

/** Numbers below n, the same ones for the same seed. */
function numbersFrom(seed) {
    let state = seed;
    return (n) => {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
        return (state >> 8) % n;
    };
}

function drawConfig(draw) {
    const policies = { session: 'catch-up', project: 'latest', agent: ['catch-up', 'latest'][draw(2)] };
    return {
        topics: Object.fromEntries(kinds.map((kind) => [kind, { slow: policies[kind], count: [50, 300, 100000][draw(3)] }])),
        limits: { queue: ['16KiB', '64KiB'][draw(2)] },
    };
}

function drawEvent(draw, n) {
    const several = draw(10) === 0 ? [topics[draw(6)], topics[draw(6)]] : [];
    return {
        topics: [...new Set([topics[draw(6)], ...several])],
        type: draw(2) ? 'wanted' : 'other',
        key: draw(2) ? `key-${draw(4)}` : undefined,
        data: { n, pad: 'x'.repeat(draw(5) === 0 ? 20000 : 2000) },
    };
}

/** Publishes them all; each event's offset in each of its topics follows from the order. */
async function publishAll(server, events) {
    const publisher = await server.open('/api/v1/publish?ack=batch');
    let accepted = 0;
    for (const [n, event] of events.entries()) {
        publisher.send(event);
        while (n - accepted > 50) accepted += (await publisher.next()).published;
    }
    while (accepted < events.length) accepted += (await publisher.next()).published;
    for (const topic of topics) await server.publish({ topic, type: 'error', data: { error_message: 'the end' } });
    const logs = Object.fromEntries(topics.map((topic) => [topic, []]));
    for (const event of events) for (const topic of event.topics) logs[topic].push(event);
    return logs;
}

async function readToTheEnd({ stream, mine }) {
    const seen = [];
    for (const open = new Set(mine); open.size > 0;) {
        const { json } = await stream.next(undefined, ms(40000));
        if (json.type === 'error') open.delete(json.topic);
        else seen.push(json);
    }
    return seen;
}

function expectGrowing(numbers, what) {
    for (let i = 1; i < numbers.length; i++) {
        assert.ok(numbers[i] > numbers[i - 1], `${what}: ${numbers[i]} behind ${numbers[i - 1]}`);
    }
}

function check({ mine, filtered }, seen, logs, config) {
    const events = seen.filter((message) => message.data);
    const got = new Set(events.map((event) => event.data.n));
    assert.equal(got.size, events.length, 'an event came twice');
    const policies = new Set(mine.map((topic) => config.topics[topic.split(':')[0]].slow));
    if (!policies.has('latest')) expectGrowing(events.map((event) => event.data.n), 'the node\'s order');
    for (const topic of mine) {
        expectGrowing(events.filter((event) => event.topic === topic).map((event) => event.offset), topic);
        const gaps = seen.filter((message) => message.type === 'gap' && message.topic === topic);
        const told = new Set(gaps.flatMap(({ from, to }) => range(to - from + 1).map((n) => from + n)));
        for (const [i, event] of logs[topic].entries()) {
            if (filtered && event.type === 'other') assert.ok(!got.has(event.data.n), 'the filter lets something pass');
            else assert.ok(got.has(event.data.n) || told.has(i + 1), `${topic} ${i + 1} is missing and no gap tells it`);
        }
    }
}

const seeds = process.env.MIXTURE_SEED ? [Number(process.env.MIXTURE_SEED)] : range(3).map(() => Math.floor(Math.random() * 1e6));

for (const seed of seeds) {
    test(`any mixture of slow readers, topics and policies (seed ${seed})`, { timeout: 90000 }, async (t) => {
        const draw = numbersFrom(seed);
        const config = drawConfig(draw);
        const server = await startServer({
            t, config, args: ['--workers', `${1 + draw(4)}`, '--flush', ['send', 'auto'][draw(2)]],
        });
        const readers = [];
        for (const _ of range(14)) {
            const mine = topics.filter(() => draw(2));
            if (mine.length === 0) mine.push(topics[draw(6)]);
            const filtered = draw(3) === 0;
            const stream = await openEvents(t, server, `${mine.map((topic) => `topic=${topic}`).join('&')}${filtered ? '&types=wanted' : ''}`);
            readers.push({ stream, mine, filtered });
        }
        const turning = setInterval(() => {
            for (const reader of readers) {
                if (draw(3)) continue;
                reader.pausing = !reader.pausing;
                if (reader.pausing) reader.stream.incoming.pause();
                else reader.stream.incoming.resume();
            }
        }, 30);
        t.after(() => clearInterval(turning));
        const logs = await publishAll(server, range(4000).map((n) => drawEvent(draw, n)));
        clearInterval(turning);
        for (const reader of readers) reader.stream.incoming.resume();
        for (const reader of readers) check(reader, await readToTheEnd(reader), logs, config);
        t.diagnostic(`${await server.metric('fanfare_slow_readers_total')} times slow, ` +
            `${await server.metric('fanfare_gaps_total')} gaps`);
    });
}
