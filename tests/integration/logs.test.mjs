// The log: its forms, levels and files, and that every connection and refusal has its line.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {
    expectRefused, openEvents, range, rawHttp, runProgram, startServer, temporaryDirectory, test, uniqueName, waitFor,
} from './harness.mjs';
import { developmentKey, mint } from './tokens.mjs';

const json = { log: { format: 'json' } };
const stream = () => `/api/build/stream/${uniqueName()}`;

/** The lines so far, parsed. */
const lines = (server) => server.stderr().split('\n').slice(0, -1).map((line) => JSON.parse(line));

async function lineOf(server, predicate, what) {
    return waitFor(() => lines(server).find(predicate), `a line: ${what}`);
}

test('JSON lines have time, level, topic, message and fields', async (t) => {
    const server = await startServer({ t, config: json });
    const client = await server.build('a');
    await client.close();
    await server.stop();
    const all = lines(server);
    for (const line of all) {
        assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.match(line.level, /^(debug|info|warn|error)$/);
        assert.equal(typeof line.message, 'string');
    }
    assert.match(all[0].message, /open mode/);
    assert.equal(typeof all[0].workers, 'number');
    const [opened, closed] = all.filter((line) => line.connection === client.greeting.connection_id);
    const common = { topic: 'websocket', dialect: 'build', address: '127.0.0.1', user: 'anonymous', level: 'info' };
    for (const [line, message] of [[opened, 'connect'], [closed, 'close']]) {
        for (const [name, value] of Object.entries({ ...common, message })) assert.equal(line[name], value, name);
    }
    assert.equal(opened.path, '/api/build/stream/a');
    assert.equal(closed.reason, 'closed by client');
});

test('text lines have the same words', async (t) => {
    const server = await startServer({ t });
    await (await server.build('a')).close();
    await expectRefused(server, stream(), 403, { headers: { Origin: 'https://with space.example"' } });
    await server.stop();
    const all = server.stderr().split('\n').slice(0, -1);
    for (const line of all) assert.match(line, /^\S+Z (info|warn) (server|websocket): \w/);
    const connect = all.find((line) => line.includes('websocket: connect'));
    assert.match(connect, /dialect=build address=127\.0\.0\.1 user=anonymous connection=conn-\w+ path=\/api\/build\/stream\/a$/);
    assert.match(all.find((line) => line.includes('refused')), /origin="https:\/\/with space\.example\\""/);
});

test('each kind of connection has a line at its beginning and one at its end', async (t) => {
    const server = await startServer({ t, config: json });
    const publisher = await server.open('/api/v1/publish');
    await publisher.close();
    const events = await openEvents(t, server, 'topic=session:a');
    events.close();
    const client = await server.build('a');
    client.terminate();
    for (const dialect of ['publish', 'sse', 'build']) {
        const opened = await lineOf(server, (line) => line.message === 'connect' && line.dialect === dialect, dialect);
        const closed = await lineOf(server, (line) => line.message === 'close' && line.dialect === dialect, dialect);
        assert.equal(opened.connection, closed.connection);
        assert.ok(closed.reason);
        assert.equal(opened.topic, 'websocket');
    }
});

test('the reason of a close says who closed and why', async (t) => {
    const server = await startServer({ t, config: { ...json, limits: { message_size: '4KiB' } } });
    const endings = {
        'closed by peer': (client) => client.terminate(),
        'binary messages are not accepted here': (client) => client.send(Buffer.from('x')),
        '20 malformed messages within 10 s': (client) => range(20).forEach(() => client.send('x')),
        'the message is larger than allowed': (client) => client.send('x'.repeat(5000)),
        'server stops': () => server.stop(),
    };
    for (const [reason, act] of Object.entries(endings)) {
        const client = await server.build(uniqueName());
        act(client);
        const line = await lineOf(server, (one) => one.message === 'close' && one.connection === client.greeting.connection_id, reason);
        assert.equal(line.reason, reason);
    }
});

test('each refusal has one line with its reason', async (t) => {
    const server = await startServer({ t, config: { ...json, limits: { subscriptions: 1 } } });
    const refusals = [
        [400, '/api/build/stream/a%20b', {}, /1 to 128 characters/],
        [400, '/api/build/stream/a%zz', {}, /percent escape/],
        [403, stream(), { Origin: 'https://evil.example' }, /origin/],
        [403, stream(), { Origin: 'null' }, /null/],
        [403, stream(), { Host: 'rebound.example' }, /Host/],
        [403, stream(), { Forwarded: 'for=192.0.2.1' }, /proxy/],
        [404, '/nowhere', {}, /nothing/],
        [400, '/api/v1/publish?ack=perhaps', {}, /ack/],
    ];
    let count = 0;
    for (const [status, target, headers, reason] of refusals) {
        await expectRefused(server, target, status, { headers });
        const refused = await waitFor(() => lines(server).filter((line) => line.message === 'refused')[count], target);
        count++;
        assert.equal(refused.topic, 'websocket');
        assert.equal(refused.level, 'warn');
        assert.equal(refused.status, status);
        assert.equal(refused.address, '127.0.0.1');
        assert.match(refused.reason, reason);
    }
    for (const [status, query, reason] of [[400, 'topic=nonsense', /topic/], [429, 'topic=session:a&topic=session:b', /subscriptions/], [400, 'topic=session:a&since=x', /cursor/]]) {
        assert.equal((await server.get(`/events?${query}`)).status, status);
        const refused = await waitFor(() => lines(server).filter((line) => line.message === 'refused')[count], query);
        count++;
        assert.deepEqual([refused.topic, refused.status], ['websocket', status]);
        assert.match(refused.reason, reason);
    }
    await rawHttp(server, `GET ${stream()} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    await lineOf(server, (line) => line.status === 426, 'a request that is no handshake');
    assert.equal((await server.post('/api/v1/publish', {}, { Origin: 'https://evil.example' })).status, 403);
    await lineOf(server, (line) => line.topic === 'http' && line.status === 403, 'a publish from elsewhere');
    assert.equal(lines(server).filter((line) => line.message === 'refused').length, count + 2);
});

test('connections beyond the limit have a line each', async (t) => {
    const server = await startServer({ t, config: { ...json, limits: { connections: 2 } } });
    const held = [await server.build('a'), await server.build('a')];
    for (const _ of range(3)) await expectRefused(server, stream(), 503);
    await waitFor(() => lines(server).filter((line) => line.message === 'refused').length === 3, 'three lines');
    assert.match(lines(server).at(-1).reason, /limits\.connections/);
    await held[0].ask({ type: 'ping' }, 'pong');
});

test('what peers send cannot break lines or forge them', async (t) => {
    const server = await startServer({ t, config: json });
    const long = 'x'.repeat(7000);
    const heads = [
        `Host: evil\r\nOrigin: https://a\xff\xc3(\xed\xa0\x80\xe2\x82.example`,
        `Host: evil\r\nOrigin: https://é€.example`,
        `Host: "}\\`,
        `Host: ${long}`,
        `Host: localhost\r\nOrigin: https://${'"'.repeat(3000)}`,
        `Host: localhost\r\nOrigin: https://${'é'.repeat(1500)}`,
    ];
    for (const head of heads) {
        await rawHttp(server, Buffer.from(`GET ${stream()} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${head}\r\n\r\n`, 'latin1'));
    }
    for (const pad of range(16)) await rawHttp(server, `GET /${long}${'y'.repeat(pad)} HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n`);
    await server.stop();
    const bytes = Buffer.from(server.stderr());
    assert.ok(!bytes.includes('\ufffd'), 'invalid UTF-8 in the log');
    assert.ok(lines(server).filter((line) => line.message === 'refused').length >= 16, server.stderr().slice(0, 3000));
    assert.ok(server.stderr().split('\n').every((line) => line.length <= 4096));
});

test('levels', async (t) => {
    for (const [level, expected] of [['info', ['info', 'warn']], ['warn', ['warn']], ['error', []], ['off', []]]) {
        const server = await startServer({ t, config: { log: { format: 'json', level } } });
        await (await server.build('a')).close();
        await expectRefused(server, stream(), 403, { headers: { Origin: 'https://evil.example' } });
        await server.stop();
        assert.deepEqual([...new Set(lines(server).map((line) => line.level))].sort(), expected, level);
    }
});

test('neither tokens nor data are ever logged', async (t) => {
    const server = await startServer({ t, config: { log: { format: 'json', level: 'debug' } } });
    developmentKey(server.directory);
    const secret = mint({ sub: 'ada' });
    const client = await server.build('a', `?token=${secret}`, { headers: { Authorization: `Bearer ${secret}` } });
    await server.open(`/api/build/stream/a?token=${secret}`, { protocols: ['fanfare', `fanfare.token.${secret}`] });
    await expectRefused(server, `/api/build/stream/a?token=${secret}`, 403, { headers: { Origin: 'https://evil.example', Authorization: `Bearer ${secret}` } });
    await server.get(`/events?topic=bad&token=${secret}`);
    await server.post(`/api/v1/publish?token=${secret}`, { topic: 'session:a', type: 'BAD', data: { it: 'confidential' } });
    client.send({ type: 'nonsense', it: 'confidential' });
    await client.next('error');
    await server.publish({ topic: 'session:a', type: 'terminal_output', data: { output: 'confidential' } });
    await server.stop();
    for (const piece of ['eyJ', ...secret.split('.')]) assert.ok(!(server.stderr() + server.stdout()).includes(piece));
    assert.ok(lines(server).filter(({ level }) => level !== 'debug').every((line) => !JSON.stringify(line).includes('confidential')));
});

test('a log file gets the lines, stderr none', async (t) => {
    const directory = temporaryDirectory();
    const file = path.join(directory, 'fanfare.log');
    fs.writeFileSync(file, 'what was there\n');
    const server = await startServer({ t, directory, config: json, args: ['--log-file', file] });
    await (await server.build('a')).close();
    await server.stop();
    const text = fs.readFileSync(file, 'utf8');
    assert.match(text, /^what was there\n\{/, 'it is appended to');
    const all = text.split('\n').slice(1, -1).map((line) => JSON.parse(line));
    assert.ok(all.some((line) => line.message === 'connect'));
    assert.equal(server.stderr(), '');

    const fresh = path.join(directory, 'fresh.log');
    await startServer({ t, args: ['--log-file', fresh] });
    assert.equal(fs.statSync(fresh).mode & 0o007, 0, 'a new file is not for everybody to read');
});

test('a full disk is said once and stops nobody', async (t) => {
    const server = await startServer({ t, args: ['--log-file', '/dev/full'] });
    for (const _ of range(3)) await (await server.build('a')).close();
    assert.equal((await server.get('/health')).status, 200);
    await server.stop();
    assert.match(server.stderr(), /^fanfare: .*log file.*No space left on device.*\n$/);
});

test('a log file that cannot be opened ends the start with its name', async () => {
    for (const file of ['/no/such/directory/fanfare.log', '/']) {
        const { code, stdout, stderr } = await runProgram(['serve', '--listen', '127.0.0.1:0', '--log-file', file]);
        assert.equal(code, 1);
        assert.equal(stdout, '');
        assert.ok(stderr.includes(file), stderr);
        assert.match(stderr, /No such file|Is a directory/);
    }
});
