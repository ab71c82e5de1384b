// Who may reach a server that has no key: this machine's programs, and pages that belong to it.
import assert from 'node:assert/strict';
import { expectRefused, Client, openWs, runProgram, startServer, test, uniqueName, waitFor } from './harness.mjs';
import { developmentKey, mint } from './tokens.mjs';

const server = await startServer();
const stream = () => `/api/build/stream/${uniqueName()}`;
const event = () => ({ topic: `session:${uniqueName()}`, type: 'tick', data: {} });

const preflight = (target, origin, on = server) => on.request(target, {
    method: 'OPTIONS',
    headers: { Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' },
});

async function expectOpens(on, target, options) {
    const client = await openWs(on.ws(target), options);
    assert.ok(client instanceof Client);
    client.terminate();
}

test('start-up says that everything on this machine is let in', async () => {
    await waitFor(() => /open mode/i.test(server.stdout() + server.stderr()), 'the mode in the log');
});

// ---- Origins ----

test('pages of this machine may connect and publish', async () => {
    for (const origin of ['http://localhost:5173', 'http://127.0.0.1:3000', 'http://localhost', server.url]) {
        await expectOpens(server, stream(), { headers: { Origin: origin } });
        const answer = await server.post('/api/v1/publish', event(), { Origin: origin });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['access-control-allow-origin'], origin);
        assert.equal(answer.headers['access-control-expose-headers'], 'ETag, Location, Retry-After');
        assert.match(answer.headers.vary ?? '', /origin/i);
    }
});

test('foreign pages are refused at the handshake and for whatever changes something', async () => {
    for (const origin of ['https://evil.example', 'http://localhost.evil.example', 'http://evil.example:8000',
        'https://127.0.0.1.evil.example', 'http://xlocalhost', 'file://']) {
        await expectRefused(server, stream(), 403, { headers: { Origin: origin } });
        assert.equal((await server.post('/api/v1/publish', event(), { Origin: origin })).status, 403, origin);
        assert.equal((await server.post('/demo/send-update', '', { Origin: origin })).status, 403, origin);
        const read = await server.get('/api/v1/topics', { Origin: origin });
        assert.equal(read.headers['access-control-allow-origin'], undefined, origin);
    }
});

test('a page from a file is refused, and the log names what helps', async () => {
    await expectRefused(server, stream(), 403, { headers: { Origin: 'null' } });
    await waitFor(() => /origin is null.*token.*cors_origins/i.test(server.stderr()), 'both remedies in the log');
});

test('programs without an Origin are let in', async () => {
    await expectOpens(server, stream());
    assert.equal((await server.post('/api/v1/publish', event())).status, 200);
});

test('preflights are answered for own origins only', async () => {
    const good = await preflight('/api/v1/publish', 'http://localhost:5173');
    assert.ok([200, 204].includes(good.status));
    assert.equal(good.headers['access-control-allow-origin'], 'http://localhost:5173');
    assert.match(good.headers['access-control-allow-methods'], /POST/);
    assert.match(good.headers['access-control-allow-headers'], /content-type/i);
    const bad = await preflight('/api/v1/publish', 'https://evil.example');
    assert.equal(bad.headers['access-control-allow-origin'], undefined);
});

for (const [form, CORS_ORIGINS] of [
    ['commas', 'https://app.example, https://*.preview.example,vscode-webview://*,null'],
    ['a JSON list', '["https://app.example","https://*.preview.example","vscode-webview://*","null"]'],
]) {
    test(`CORS_ORIGINS with ${form} adds origins, patterns and schemes`, async (t) => {
        const other = await startServer({ t, env: { CORS_ORIGINS } });
        for (const origin of ['https://app.example', 'https://a.preview.example', 'vscode-webview://x1y2', 'null']) {
            await expectOpens(other, stream(), { headers: { Origin: origin } });
        }
        for (const origin of ['https://app.example.evil', 'http://app.example', 'https://preview.example.evil']) {
            await expectRefused(other, stream(), 403, { headers: { Origin: origin } });
        }
    });
}

test('public_url is an own origin and an own host', async (t) => {
    const other = await startServer({ t, args: ['--public-url', 'https://live.example.com'] });
    await expectOpens(other, stream(), { headers: { Origin: 'https://live.example.com', Host: 'live.example.com' } });
    await expectRefused(other, stream(), 403, { headers: { Origin: 'https://example.com' } });
});

// ---- Hosts and proxies ----

test('only names of this machine are its host, but health answers everybody', async () => {
    for (const host of ['localhost', 'localhost:1', '127.0.0.1', '127.0.0.1:9', '[::1]', '[::1]:8000']) {
        assert.equal((await server.get('/api/v1/topics', { Host: host })).status, 200, host);
    }
    for (const host of ['rebound.example', 'rebound.example:8000', '10.0.0.1', 'localhost.evil.example']) {
        assert.equal((await server.get('/api/v1/topics', { Host: host })).status, 403, host);
        await expectRefused(server, stream(), 403, { headers: { Host: host } });
        assert.equal((await server.get('/health', { Host: host })).status, 200, host);
    }
});

test('a request that came through a proxy is refused', async () => {
    for (const headers of [{ 'X-Forwarded-For': '203.0.113.7' }, { Forwarded: 'for=203.0.113.7' }]) {
        const answer = await server.get('/api/v1/topics', headers);
        assert.equal(answer.status, 403, JSON.stringify(headers));
        assert.match(answer.text, /prox|forward/i);
        await expectRefused(server, stream(), 403, { headers });
    }
});

test('listening to other machines needs a key or --insecure', async () => {
    for (const address of ['0.0.0.0:0', '[::]:0']) {
        const { code, stdout, stderr } = await runProgram(['serve', '--listen', address]);
        assert.notEqual(code, 0);
        assert.equal(stdout, '');
        assert.match(stderr, /--insecure/);
    }
});

// ---- Logs ----

test('a connection is one line at its beginning and one at its end', async (t) => {
    const other = await startServer({ t });
    const session = uniqueName();
    developmentKey(other.directory);
    const token = mint({ sub: 'ada' });
    const client = await other.build(session, `?token=${token}`);
    const id = client.greeting.connection_id;
    await client.close();
    await other.stop();
    const lines = other.stderr().split('\n').filter((line) => line.includes(id));
    assert.equal(lines.length, 2, other.stderr());
    for (const line of lines) {
        assert.match(line, /websocket/i);
        assert.match(line, /build/);
        assert.match(line, /127\.0\.0\.1/);
        assert.match(line, /user=ada/);
    }
    for (const piece of token.split('.')) assert.ok(!other.stderr().includes(piece));
});

test('a refusal is logged with its reason, event data never', async (t) => {
    const other = await startServer({ t });
    await expectRefused(other, stream(), 403, { headers: { Origin: 'https://evil.example' } });
    await other.publish({ topic: 'session:a', type: 'terminal_output', data: { output: 'confidential-output' } });
    await other.stop();
    assert.match(other.stderr(), /evil\.example/);
    assert.doesNotMatch(other.stderr() + other.stdout(), /confidential-output/);
});
