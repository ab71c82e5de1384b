// Publishing over HTTP, as an NDJSON stream and over a WebSocket.
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { ms, range, rawHttp, RawConnection, runProgram, startServer, test, uniqueName, waitFor, within } from './harness.mjs';

const server = await startServer();
const url = '/api/v1/publish';
const ndjson = { 'Content-Type': 'application/x-ndjson' };

const tick = (topic, n, more = {}) => ({ topic, type: 'tick', data: { n }, ...more });

const lines = (text) => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));

const history = async (topic, since = 0) =>
    (await server.get(`/api/v1/topics/${encodeURIComponent(topic)}/history?since=${since}`)).json;

const offsetOf = async (topic) => (await history(topic)).offset ?? 0;

async function expectNothingPublished(topic) {
    const answer = await server.get(`/api/v1/topics/${encodeURIComponent(topic)}/history?since=0`);
    if (answer.status === 404) return;
    assert.deepEqual(answer.json.events, []);
}

// ---- One event ----

test('an event is answered with its place', async () => {
    const topic = `session:${uniqueName()}`;
    const first = await server.publish(tick(topic, 1));
    assert.deepEqual(Object.keys(first).sort(), ['epoch', 'offset', 'time', 'topic']);
    assert.equal(first.topic, topic);
    assert.equal(first.offset, 1);
    assert.match(first.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const second = await server.publish(tick(topic, 2, { source: 'me', time: '2026-01-31T12:00:00.123Z' }));
    assert.equal(second.offset, 2);
    assert.equal(second.epoch, first.epoch);
    assert.equal(second.time, '2026-01-31T12:00:00.123Z');
});

for (const topic of ['session:', 'project:', 'agent:', 'channel:']) {
    test(`${topic} topics take events`, async () => {
        const name = topic + uniqueName();
        assert.equal((await server.publish(tick(name, 1))).offset, 1);
    });
}

test('global takes events, and identifiers may hold all their characters', async () => {
    assert.equal((await server.publish(tick('global', 1))).topic, 'global');
    const topic = 'session:a.b_c:d@e/f-G9';
    assert.equal((await server.publish(tick(topic, 1))).topic, topic);
});

test('several topics get the same event, each with its own offset', async () => {
    const [a, b] = [`session:${uniqueName()}`, `project:${uniqueName()}`];
    await server.publish(tick(a, 0));
    const { topic, ...event } = tick('', 1);
    const { results } = await server.publish({ ...event, topics: [a, b] });
    assert.deepEqual(results.map((r) => [r.topic, r.offset]), [[a, 2], [b, 1]]);
    const [inA, inB] = [(await history(a)).events.at(-1), (await history(b)).events.at(-1)];
    assert.equal(inA.id, inB.id);
    assert.deepEqual(inA.data, { n: 1 });
});

test('someone who follows several topics of an event gets it once', async () => {
    const [a, b] = [`session:${uniqueName()}`, `session:${uniqueName()}`];
    const response = new AbortController();
    const stream = await fetch(`${server.url}/events?topic=${a}&topic=${b}&format=json`,
        { signal: response.signal });
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    await server.publish({ topics: [b, a], type: 'tick', data: { n: 1 } });
    await server.publish(tick(a, 2));
    while (!text.includes('"n":2')) text += (await within(reader.read(), 'the stream')).value;
    response.abort();
    const seen = lines(text).filter((e) => e.type === 'tick');
    assert.deepEqual(seen.map((e) => [e.topic, e.data.n]), [[b, 1], [a, 2]]);
});

test('several topics are all or nothing', async () => {
    const good = `session:${uniqueName()}`;
    const answer = await server.post(url, { topics: [good, 'nonsense'], type: 'tick', data: {} });
    assert.equal(answer.status, 422);
    assert.match(answer.text, /topics/);
    await expectNothingPublished(good);
});

test('an ephemeral event is delivered but neither numbered nor kept', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const answer = await server.publish(tick(`session:${session}`, 1, { ephemeral: true }));
    assert.equal(answer.offset ?? null, null);
    const message = await client.next();
    assert.equal(message.type, 'tick');
    assert.ok(!('offset' in message));
    assert.equal((await server.publish(tick(`session:${session}`, 2))).offset, 1);
    assert.equal((await history(`session:${session}`)).events.length, 1);
});

test('?durability=memory is accepted', async () => {
    const topic = `session:${uniqueName()}`;
    assert.equal((await server.publish(tick(topic, 1), '?durability=memory')).topic, topic);
    const answer = await server.post(`${url}?durability=paper`, tick(topic, 2));
    assert.equal(answer.status, 422);
});

// ---- Refusals ----

test('malformed JSON is 400 with the byte position', async () => {
    for (const [body, position] of [['{"topic":"session:a",}', 21], ['', 0], ['{"topic":"session:a"', 20], ['{} x', 3]]) {
        const answer = await server.post(url, body, { 'Content-Type': 'application/json' });
        assert.equal(answer.status, 400, `${body}: ${answer.text}`);
        assert.match(answer.text, new RegExp(`\\b${position}\\b`), `${body}: ${answer.text}`);
    }
});

test('what is wrong with an event is named with 422 and nothing of it is published', async () => {
    const topic = `session:${uniqueName()}`;
    const cases = [
        [{ type: 'tick', data: {} }, 'topic'],
        [{ topic: 'session:', type: 'tick', data: {} }, 'topic'],
        [{ topic: 'session:a b', type: 'tick', data: {} }, 'topic'],
        [{ topic: `session:${'x'.repeat(129)}`, type: 'tick', data: {} }, 'topic'],
        [{ topic: 'nowhere:a', type: 'tick', data: {} }, 'topic'],
        [{ topic: 5, type: 'tick', data: {} }, 'topic'],
        [{ topics: [], type: 'tick', data: {} }, 'topics'],
        [{ topics: 'session:a', type: 'tick', data: {} }, 'topics'],
        [{ topic, topics: [topic], type: 'tick', data: {} }, 'topic'],
        [{ topic, data: {} }, 'type'],
        [{ topic, type: 5, data: {} }, 'type'],
        [{ topic, type: 'tick', data: [] }, 'data'],
        [{ topic, type: 'tick', data: 'x' }, 'data'],
        [{ topic, type: 'tick', data: {}, source: 5 }, 'source'],
        [{ topic, type: 'tick', data: {}, time: 'yesterday' }, 'time'],
        [{ topic, type: 'tick', data: {}, id: 5 }, 'id'],
        [{ topic, type: 'tick', data: {}, key: 5 }, 'key'],
        [{ topic, type: 'tick', data: {}, ephemeral: 'yes' }, 'ephemeral'],
    ];
    for (const [event, field] of cases) {
        const answer = await server.post(url, event);
        assert.equal(answer.status, 422, `${JSON.stringify(event)}: ${answer.text}`);
        assert.match(answer.text, new RegExp(`\\b${field}\\b`), JSON.stringify(event));
        assert.equal(typeof answer.json.error, 'object');
    }
    for (const body of ['[]', '5', '"x"', 'null']) {
        const answer = await server.post(url, body, { 'Content-Type': 'application/json' });
        assert.ok([400, 422].includes(answer.status), `${body}: ${answer.status}`);
    }
    await expectNothingPublished(topic);
});

test('data up to 1 MiB is accepted, more is 413', async () => {
    const session = uniqueName();
    const client = await server.build(session);
    const topic = `session:${session}`;
    const pad = 'x'.repeat(1024 * 1024 - '{"pad":""}'.length);
    await server.publish({ topic, type: 'big', data: { pad } });
    assert.equal((await client.next()).pad.length, pad.length);
    const answer = await server.post(url, { topic, type: 'big', data: { pad: pad + 'x' } });
    assert.equal(answer.status, 413);
    assert.equal(await offsetOf(topic), 1);
});

test('a body that announces too much is refused before it is sent', async () => {
    const answer = await rawHttp(server, `POST ${url} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
        `Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 413 /);
});

test('Expect: 100-continue gets its answer before the body', async (t) => {
    const raw = new RawConnection(server.port);
    t.after(() => raw.destroy());
    const body = JSON.stringify(tick(`session:${uniqueName()}`, 1));
    raw.write(`POST ${url} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`);
    await raw.expect(/^HTTP\/1\.1 100 /);
    raw.write(body);
    await raw.expect(/HTTP\/1\.1 200 /);
});

test('requests sent in advance on one connection are answered in order', async (t) => {
    const raw = new RawConnection(server.port);
    t.after(() => raw.destroy());
    const topic = `session:${uniqueName()}`;
    raw.write(range(20).map((n) => {
        const body = JSON.stringify(tick(topic, n));
        return `POST ${url} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
            `Content-Length: ${body.length}\r\n\r\n${body}`;
    }).join(''));
    await raw.expect(/"offset":20\b/);
    assert.deepEqual([...raw.text.matchAll(/"offset":(\d+)/g)].map((m) => Number(m[1])), range(20).map((n) => n + 1));
});

// ---- Idempotency ----

test('the same id on the same topic returns the first place and publishes nothing', async () => {
    const [topic, other] = [`session:${uniqueName()}`, `session:${uniqueName()}`];
    const first = await server.publish(tick(topic, 1, { id: 'once' }));
    await server.publish(tick(topic, 2));
    const again = await server.publish(tick(topic, 1, { id: 'once' }));
    assert.deepEqual([again.offset, again.epoch], [first.offset, first.epoch]);
    assert.equal(await offsetOf(topic), 2);
    await server.publish(tick(other, 1, { id: 'once' }));
    assert.equal(await offsetOf(other), 1);
});

test('of many concurrent publishes with one id exactly one counts', async () => {
    const topic = `session:${uniqueName()}`;
    const answers = await Promise.all(range(30).map(() => server.publish(tick(topic, 1, { id: 'x' }))));
    assert.deepEqual([...new Set(answers.map((a) => a.offset))], [1]);
    assert.equal((await history(topic)).events.length, 1);
});

// ---- NDJSON ----

test('an NDJSON body is one event a line and one line at the end', async () => {
    const [a, b] = [`session:${uniqueName()}`, `session:${uniqueName()}`];
    const body = [tick(a, 1), tick(b, 1), tick(a, 2)].map((e) => JSON.stringify(e)).join('\n');
    for (const [text, round] of [[body, 1], [`${body}\n`, 2], [`${body}\r\n\n`, 3]]) {
        const answer = await server.post(url, text, ndjson);
        assert.equal(answer.status, 200);
        const [end, ...rest] = lines(answer.text);
        assert.deepEqual(rest, []);
        assert.equal(end.published, 3);
        assert.equal(end.failed, 0);
        assert.equal(end.topics[a].offset, 2 * round);
        assert.equal(end.topics[b].offset, round);
        assert.equal(typeof end.topics[a].epoch, 'string');
    }
});

test('a bad line is answered with its number and the stream goes on', async () => {
    const topic = `session:${uniqueName()}`;
    const body = [JSON.stringify(tick(topic, 1)), '{"topic":', JSON.stringify(tick('nowhere:a', 1)),
        JSON.stringify(tick(topic, 2))].join('\n');
    const answers = lines((await server.post(url, body, ndjson)).text);
    assert.deepEqual(answers.map((a) => a.line), [2, 3, undefined]);
    assert.equal(typeof answers[0].error, 'object');
    assert.deepEqual([answers[2].published, answers[2].failed], [2, 2]);
    assert.deepEqual((await history(topic)).events.map((e) => e.data.n), [1, 2]);
});

test('ack=each answers every line while the body is still being sent', async () => {
    const topic = `session:${uniqueName()}`;
    const outgoing = http.request(`${server.url}${url}?ack=each`,
        { method: 'POST', headers: ndjson, agent: false });
    let text = '';
    const response = once(outgoing, 'response');
    outgoing.flushHeaders();
    outgoing.write(`${JSON.stringify(tick(topic, 1))}\n`);
    const [incoming] = await within(response, 'the head of the answer');
    incoming.setEncoding('utf8').on('data', (piece) => (text += piece));
    await waitFor(() => lines(text).length === 1);
    assert.equal(lines(text)[0].offset, 1);
    const half = JSON.stringify(tick(topic, 2));
    outgoing.write(half.slice(0, 10));
    outgoing.write(`${half.slice(10)}\nnonsense\n`);
    await waitFor(() => lines(text).length === 3);
    assert.deepEqual(lines(text).map((a) => a.offset ?? a.line), [1, 2, 3]);
    outgoing.end();
    await within(once(incoming, 'end'), 'the end of the answer');
    assert.equal(lines(text).at(-1).published, 2);
});

test('a chunked stream longer than any single message is taken whole', async () => {
    const topic = `session:${uniqueName()}`;
    const count = 20000; // about 3 MB
    const outgoing = http.request(`${server.url}${url}`, { method: 'POST', headers: ndjson, agent: false });
    const response = once(outgoing, 'response');
    const pad = 'x'.repeat(100);
    let text = '';
    for (const n of range(count)) {
        text += `${JSON.stringify(tick(topic, n, { source: pad }))}\n`;
        if (text.length > 7777) {
            if (!outgoing.write(text)) await within(once(outgoing, 'drain'), 'room to send');
            text = '';
        }
    }
    outgoing.end(text);
    const [incoming] = await within(response, 'the answer', ms(20000));
    let answer = '';
    for await (const piece of incoming.setEncoding('utf8')) answer += piece;
    const [end] = lines(answer);
    assert.deepEqual([end.published, end.failed, end.topics[topic].offset], [count, 0, count]);
});

test('a line that is too long is refused and the stream goes on', async () => {
    const topic = `session:${uniqueName()}`;
    const long = JSON.stringify({ topic, type: 'big', data: { pad: 'x'.repeat(3 * 1024 * 1024) } });
    const body = `${long}\n${JSON.stringify(tick(topic, 1))}\n`;
    const answers = lines((await server.post(url, body, ndjson)).text);
    assert.equal(answers[0].line, 1);
    assert.deepEqual([answers.at(-1).published, answers.at(-1).failed], [1, 1]);
});

// ---- WebSocket ----

async function publisher(query = '') {
    return server.open(`${url}${query}`);
}

test('one event per WebSocket message is answered in order like over HTTP', async () => {
    const topic = `session:${uniqueName()}`;
    const client = await publisher();
    for (const n of range(100)) client.send(tick(topic, n));
    const answers = await client.take(100);
    assert.deepEqual(answers.map((a) => a.offset), range(100).map((n) => n + 1));
    assert.deepEqual(Object.keys(answers[0]).sort(), ['epoch', 'offset', 'time', 'topic']);
});

test('an array of events is answered with an array', async () => {
    const topic = `session:${uniqueName()}`;
    const client = await publisher();
    client.send([tick(topic, 1), tick(topic, 2), { topic, type: 'Bad', data: {} }]);
    const answers = await client.next();
    assert.deepEqual(answers.slice(0, 2).map((a) => a.offset), [1, 2]);
    assert.equal(typeof answers[2].error, 'object');
    client.send([]);
    assert.deepEqual(await client.next(), []);
});

test('an array of more than 10,000 events is refused whole', async () => {
    const topic = `session:${uniqueName()}`;
    const client = await publisher();
    client.send(range(10001).map(() => 0));
    assert.match((await client.next()).error.message, /10000/);
    client.send(tick(topic, 1));
    assert.equal((await client.next()).offset, 1);
});

test('errors over the WebSocket leave it open', async () => {
    const topic = `session:${uniqueName()}`;
    const client = await publisher();
    for (const text of ['{', JSON.stringify(tick('nowhere:x', 1)), '5']) {
        client.send(text);
        assert.equal(typeof (await client.next()).error, 'object', text);
    }
    client.send(tick(topic, 1));
    assert.equal((await client.next()).offset, 1);
});

test('ack=batch answers with sums', async () => {
    const topic = `session:${uniqueName()}`;
    const client = await publisher('?ack=batch');
    const count = 500;
    for (const n of range(count)) client.send(tick(topic, n));
    let published = 0;
    while (published < count) {
        const answer = await client.next();
        assert.equal(answer.failed, 0);
        published += answer.published;
        assert.equal(answer.topics[topic].offset, published);
    }
    assert.equal(published, count);
    assert.equal((await history(topic, count - 1)).offset, count);
});

test('ack=none answers only errors', async () => {
    const session = uniqueName();
    const topic = `session:${session}`;
    const client = await publisher('?ack=none');
    const reader = await server.build(session);
    client.send(tick(topic, 1));
    client.send('{"bad"');
    client.send(tick(topic, 2));
    assert.equal((await reader.next()).n, 1);
    assert.equal((await reader.next()).n, 2);
    assert.equal(typeof (await client.next()).error, 'object');
    assert.deepEqual(client.queued, []);
});

test('an ack mode that does not exist is refused at the handshake', async () => {
    await assert.rejects(publisher('?ack=maybe'), { status: 400 });
});

test('every way in meets in one order', async () => {
    const session = uniqueName();
    const topic = `session:${session}`;
    const reader = await server.build(session);
    const client = await publisher();
    client.send(tick(topic, 1));
    await client.next();
    await server.publish(tick(topic, 2));
    await server.post(url, JSON.stringify(tick(topic, 3)), ndjson);
    const { code, stderr } = await runProgram(['pub', '--url', server.url, topic, 'tick', '{"n":4}']);
    assert.equal(code, 0, stderr);
    assert.deepEqual((await reader.take(4)).map((m) => [m.offset, m.n]), [[1, 1], [2, 2], [3, 3], [4, 4]]);
});
