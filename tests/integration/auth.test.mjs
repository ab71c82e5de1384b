// With a key: whose a request is, what it may do, and the end of a token.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {
    Client, binary, expectRefused, openEvents, openWs, projectRoot, range, request, runProgram, startServer, temporaryDirectory, test, uniqueName, waitFor,
} from './harness.mjs';
import { bearer, jwk, keyPairs, mint, mintRaw, now, pem, secret } from './tokens.mjs';

const env = { JWT_SECRET_KEY: secret };
const server = await startServer({ env });
const admin = bearer(mint({ sub: 'root', role: 'admin' }));
const stream = (session, token) => `/api/build/stream/${session}${token ? `?token=${token}` : ''}`;

/** A server whose requests carry an admin's token. */
async function publish(on, event) {
    const answer = await on.post('/api/v1/publish', event, admin);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
}

async function expectOpens(on, target, options) {
    const client = await openWs(on.ws(target), options);
    assert.ok(client instanceof Client);
    client.terminate();
    return client;
}

// ---- Who is let in ----

test('start-up says that tokens are needed', () => waitFor(() => /every request needs a token/.test(server.stderr()), 'the mode'));

test('without a token all is 401 before any upgrade, but for what is open', async () => {
    for (const target of ['/api/v1/topics', '/api/v1/topics/session:a/history', '/api/v1/topics/global/presence',
        '/api/build/sessions', '/api/build/status/a', '/events?topic=session:a', '/nowhere', '/api/build/stream/a']) {
        const answer = await server.get(target);
        assert.equal(answer.status, 401, target);
        assert.equal(answer.json.error.code, 'token_missing');
        assert.match(answer.headers['www-authenticate'], /^Bearer/);
    }
    for (const target of ['/api/v1/publish', '/demo/send-update']) {
        assert.equal((await server.post(target, { topic: 'global', type: 'x', data: {} })).status, 401, target);
    }
    for (const target of ['/api/build/stream/a', '/api/v1/publish']) await expectRefused(server, target, 401);
    for (const target of ['/health', '/', '/docs', '/icon.svg', '/fanfare.js', '/metrics', '/openapi.json']) {
        assert.equal((await server.get(target)).status, 200, target);
        assert.equal((await server.get(target, bearer('nonsense'))).status, 200, target);
    }
    const preflight = await server.request('/api/v1/publish', { method: 'OPTIONS', headers: { Origin: 'https://x.example', 'Access-Control-Request-Method': 'POST' } });
    assert.equal(preflight.status, 204);
});

test('a token may come as header, in the query, or as subprotocol', async () => {
    const token = mint({ sub: 'alice' });
    for (const [target, headers] of [['/api/v1/topics', bearer(token)], ['/api/v1/topics', { Authorization: `bearer   ${token}` }],
        [`/api/v1/topics?token=${token}`], [`/api/v1/topics?x=1&token=${token}`, { Authorization: 'Basic eDp5' }]]) {
        assert.equal((await server.get(target, headers)).status, 200, target);
    }
    await expectOpens(server, stream('a'), { headers: bearer(token) });
    await expectOpens(server, stream('a', token));
    assert.equal((await openWs(server.ws(stream('a')), { protocols: ['fanfare', `fanfare.token.${token}`] })).socket.protocol, 'fanfare');
    assert.equal((await openWs(server.ws(stream('a')), { protocols: [`fanfare.token.${token}`] })).socket.protocol, `fanfare.token.${token}`);
    const publisher = bearer(mint({ sub: 'p', publish: ['*'] })).Authorization.slice(7);
    assert.equal((await openWs(server.ws('/api/v1/publish'), { protocols: [`fanfare.token.${publisher}`] })).socket.protocol, `fanfare.token.${publisher}`);
    for (const empty of ['', 'null']) assert.equal((await server.get(`/api/v1/topics?token=${empty}`)).json.error.code, 'token_missing');
    assert.equal((await server.get('/api/v1/topics', { Authorization: token })).json.error.code, 'token_missing', 'Bearer is missing');
});

const good = { sub: 'alice', exp: now() + 3600 };
for (const [what, code, token] of [
    ['no token at all', 'token_malformed', 'nonsense'],
    ['two parts', 'token_malformed', 'eyJhbGciOiJIUzI1NiJ9.e30'],
    ['four parts', 'token_malformed', `${mint({ sub: 'a' })}.x`],
    ['an empty signature', 'token_malformed', mint({ sub: 'a' }, { alg: 'none' })],
    ['the algorithm none', 'token_bad_signature', `${mint({ sub: 'a' }, { alg: 'none' })}x-xx`],
    ['padding', 'token_malformed', `${mint({ sub: 'a' })}==`],
    ['a header that is no JSON', 'token_malformed', mintRaw('{"alg":', good)],
    ['a header without alg', 'token_malformed', mintRaw({ typ: 'JWT' }, good)],
    ['critical extensions', 'token_malformed', mintRaw({ alg: 'HS256', crit: ['b64'], b64: true }, good)],
    ['claims that are a list', 'token_malformed', mintRaw({ alg: 'HS256' }, [])],
    ['a claim twice', 'token_malformed', mintRaw({ alg: 'HS256' }, '{"sub":"bob","sub":"alice"}')],
    ['a claim twice, once escaped', 'token_malformed', mintRaw({ alg: 'HS256' }, '{"sub":"bob","s\\u0075b":"alice"}')],
    ['alg twice', 'token_malformed', mintRaw('{"alg":"none","alg":"HS256"}', good)],
    ['no sub', 'token_malformed', mintRaw({ alg: 'HS256' }, {})],
    ['an empty sub', 'token_malformed', mint({ sub: '' })],
    ['a sub that is a number', 'token_malformed', mint({ sub: 7 })],
    ['a huge sub', 'token_malformed', mint({ sub: 'ü'.repeat(200) })],
    ['rooms that are text', 'token_malformed', mint({ sub: 'a', rooms: 'session:*' })],
    ['rooms with a number', 'token_malformed', mint({ sub: 'a', rooms: [1] })],
    ['rooms with no pattern', 'token_malformed', mint({ sub: 'a', rooms: ['session:a b'] })],
    ['execute that is text', 'token_malformed', mint({ sub: 'a', execute: 'true' })],
    ['exp that is text', 'token_malformed', mint({ sub: 'a', exp: '99999999999' })],
    ['a token of 9000 bytes', 'token_malformed', mint({ sub: 'a', pad: 'x'.repeat(9000) })],
    ['another secret', 'token_bad_signature', mint(good, { key: `${secret}x` })],
    ['another algorithm', 'token_bad_signature', mint(good, { alg: 'RS256', key: keyPairs.RS256().privateKey })],
    ['a changed payload', 'token_bad_signature', mint(good).replace(/\..*\./, `.${Buffer.from('{"sub":"root","role":"admin"}').toString('base64url')}.`)],
    ['a token that expired', 'token_expired', mint({ sub: 'a', exp: now() - 7 })],
    ['exp 0', 'token_expired', mint({ sub: 'a', exp: 0 })],
    ['a token of the future', 'token_not_yet_valid', mint({ sub: 'a', nbf: now() + 60 })],
    ['a refresh token', 'token_wrong_type', mint({ sub: 'a', token_type: 'refresh' })],
]) {
    test(`401: ${what}`, async () => {
        const answer = await server.get('/api/v1/topics', bearer(token));
        assert.equal(answer.status, 401);
        assert.equal(answer.json.error.code, code, answer.text);
        assert.ok(!answer.text.includes(token), 'the answer does not show the token');
        assert.match(answer.headers['www-authenticate'], /invalid_token/);
        if (token.length > 4000) return;
        await expectRefused(server, stream('a', token), 401);
        assert.equal((await server.get('/events?topic=session:a', bearer(token))).status, 401);
    });
}

test('clocks may differ by five seconds', async () => {
    for (const claims of [{ exp: now() - 2 }, { nbf: now() + 3 }, { exp: now() + 0.5, nbf: now() - 0.5 }]) {
        assert.equal((await server.get('/api/v1/topics', bearer(mint({ sub: 'a', ...claims })))).status, 200);
    }
});

// ---- Keys ----

for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    test(`${alg} with a public key`, async (t) => {
        const { publicKey, privateKey } = keyPairs[alg]();
        const file = path.join(temporaryDirectory(), 'public.pem');
        fs.writeFileSync(file, pem(publicKey));
        const other = await startServer({ t, args: ['--jwt-public-key', file] });
        const status = async (token) => (await other.get('/api/v1/topics', bearer(token))).status;
        assert.equal(await status(mint({ sub: 'a' }, { alg, key: privateKey })), 200);
        assert.equal(await status(mint({ sub: 'a' }, { alg, key: privateKey, header: { kid: 'any' } })), 200);
        assert.equal(await status(mint({ sub: 'a' }, { alg, key: keyPairs[alg]().privateKey })), 401);
        // The public key is no secret, so it must not be taken for one.
        for (const key of [pem(publicKey), publicKey.export({ type: 'spki', format: 'der' }), '']) {
            assert.equal(await status(mint({ sub: 'a' }, { key })), 401);
        }
        // Nor does a key count that the token brings along.
        const own = keyPairs[alg]();
        assert.equal(await status(mint({ sub: 'a' }, { alg, key: own.privateKey, header: { jwk: jwk(own.publicKey) } })), 401);
    });
}

test('a JWKS file: keys by kid, rotated while the server runs', async (t) => {
    const [old, fresh, odd] = [keyPairs.ES256(), keyPairs.RS256(), keyPairs.EdDSA()];
    const file = path.join(temporaryDirectory(), 'jwks.json');
    const write = (...keys) => {
        fs.writeFileSync(`${file}.new`, JSON.stringify({ keys }));
        fs.renameSync(`${file}.new`, file);
    };
    const unusable = { kty: 'EC', crv: 'P-384', kid: 'other', x: 'AA', y: 'AA' };
    write(unusable, jwk(old.publicKey, { kid: 'old', use: 'sig' }), jwk(odd.publicKey, { kid: 'enc', use: 'enc' }));
    const other = await startServer({ t, args: ['--jwt-jwks', file] });
    const status = async (token) => (await other.get('/api/v1/topics', bearer(token))).status;
    const by = (pair, alg, kid) => mint({ sub: 'a' }, { alg, key: pair.privateKey, header: kid ? { kid } : {} });
    assert.equal(await status(by(old, 'ES256', 'old')), 200);
    assert.equal(await status(by(old, 'ES256')), 200, 'a token without kid tries all');
    assert.equal(await status(by(old, 'ES256', 'unknown')), 401);
    assert.equal(await status(by(odd, 'EdDSA', 'enc')), 401, 'a key for encryption');
    assert.equal(await status(by(fresh, 'RS256', 'fresh')), 401);
    const follower = await other.open(stream('a', by(old, 'ES256', 'old')));
    write(jwk(old.publicKey, { kid: 'old' }), jwk(fresh.publicKey, { kid: 'fresh', alg: 'RS256' }));
    assert.equal(await status(by(fresh, 'RS256', 'fresh')), 200, 'at once');
    assert.equal(await status(by(fresh, 'RS256', 'old')), 401, 'the kid chooses');
    write(jwk(fresh.publicKey, { kid: 'fresh' }));
    await waitFor(async () => (await status(by(old, 'ES256', 'old'))) === 401, 'the old key to be forgotten');
    assert.equal(await status(by(fresh, 'RS256', 'fresh')), 200);
    fs.writeFileSync(file, '{"keys":');
    await waitFor(() => /the keys in force stay.*jwks\.json/.test(other.stderr()), 'the mistake in the log');
    assert.equal(await status(by(fresh, 'RS256', 'fresh')), 200);
    assert.equal((await follower.ask({ type: 'ping' }, 'pong')).type, 'pong', 'who is connected stays');
});

test('only the configured algorithms count', async (t) => {
    const pair = keyPairs.RS256();
    const file = path.join(temporaryDirectory(), 'public.pem');
    fs.writeFileSync(file, pem(pair.publicKey));
    const other = await startServer({ t, env: { ...env, JWT_ALGORITHM: 'RS256' }, args: ['--jwt-public-key', file] });
    const answer = await other.get('/api/v1/topics', bearer(mint({ sub: 'a' })));
    assert.equal(answer.status, 401);
    assert.match(answer.text, /HS256 does not count here \(accepted: RS256\)/);
    assert.equal((await other.get('/api/v1/topics', bearer(mint({ sub: 'a' }, { alg: 'RS256', key: pair.privateKey })))).status, 200);
});

test('issuer and audience, when they are configured', async (t) => {
    const other = await startServer({ t, env, config: { jwt: { issuer: 'https://id.example', audience: 'fanfare' } } });
    const status = async (claims) => (await other.get('/api/v1/topics', bearer(mint({ sub: 'a', ...claims })))).status;
    assert.equal(await status({ iss: 'https://id.example', aud: ['other', 'fanfare'] }), 200);
    assert.equal(await status({ iss: 'https://id.example', aud: 'fanfare' }), 200);
    assert.equal(await status({ iss: 'https://id.example', aud: 'other' }), 401);
    assert.equal(await status({ iss: 'https://evil.example', aud: 'fanfare' }), 401);
    assert.equal(await status({}), 401);
});

for (const [what, args, variables, message] of [
    ['an algorithm that does not exist', [], { JWT_SECRET_KEY: secret, JWT_ALGORITHM: 'none' }, /HS256, RS256, ES256 or EdDSA/],
    ['an algorithm without its key', [], { JWT_SECRET_KEY: secret, JWT_ALGORITHM: 'RS256' }, /no key for it: name one with jwt\.public_key/],
    ['a PEM file as secret', [], { JWT_SECRET_KEY: pem(keyPairs.ES256().publicKey) }, /name the file of a public key with jwt\.public_key/],
    ['a key file that is not there', ['--jwt-public-key', 'nowhere.pem'], {}, /nowhere\.pem/],
    ['a key file without a key', ['--jwt-jwks', '/dev/null'], {}, /invalid JSON/],
]) {
    test(`no start: ${what}`, async () => {
        const { code, stdout, stderr } = await runProgram(['serve', '--listen', '127.0.0.1:0', ...args], { env: variables });
        assert.notEqual(code, 0);
        assert.equal(stdout, '');
        assert.match(stderr, message);
    });
}

test('with a key the server listens beyond this machine, and proxies may pass requests on', async (t) => {
    const other = await startServer({ t, env, listen: ['127.0.0.1:0', '0.0.0.0:0'] });
    assert.equal(other.urls.length, 2);
    const headers = { ...admin, 'X-Forwarded-For': '203.0.113.7', Host: 'anything.example' };
    assert.equal((await other.get('/api/v1/topics', headers)).status, 200);
    assert.equal((await other.get('/metrics', { 'X-Forwarded-For': '203.0.113.7' })).status, 403);
    assert.equal((await other.get('/metrics', headers)).status, 200, 'admins read metrics from anywhere');
});

test('with a key this machine\'s pages are nothing special; hosts are checked when public_url says them', async (t) => {
    const token = mint({ sub: 'a' });
    await expectRefused(server, stream('a', token), 403, { headers: { Origin: 'http://localhost:5173' } });
    await expectOpens(server, stream('a', token), { headers: { Origin: server.url } });
    await expectOpens(server, stream('a', token), { headers: { Origin: 'null' } });
    await expectRefused(server, stream('a', 'nonsense'), 403, { headers: { Origin: 'null' } });
    const other = await startServer({ t, env, args: ['--public-url', 'https://live.example.com'] });
    assert.equal((await other.get('/api/v1/topics', { ...admin, Host: 'live.example.com' })).status, 200);
    assert.equal((await other.get('/api/v1/topics', { ...admin, Host: 'rebound.example' })).status, 403);
    const answer = await other.get('/api/v1/topics', { Origin: 'https://live.example.com', Host: 'live.example.com' });
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['access-control-allow-origin'], 'https://live.example.com', 'own pages can read why');
});

// ---- Reading ----

const readers = (topic) => [
    `/api/v1/topics/${encodeURIComponent(topic)}/history`, `/api/v1/topics/${encodeURIComponent(topic)}/presence`,
    `/events?topic=${encodeURIComponent(topic)}`];

async function expectMayRead(on, claims, topic, may) {
    const token = mint(claims);
    for (const target of readers(topic)) {
        const answer = await requestHead(on, target, token);
        if (may) assert.ok([200, 404].includes(answer.status), `${target}: ${answer.status}`);
        else assert.equal(answer.status, 403, `${target} as ${claims.sub}`);
    }
    if (!topic.startsWith('session:')) return;
    const id = topic.slice('session:'.length);
    if (may) await expectOpens(on, stream(id, token));
    else await expectRefused(on, stream(id, token), 403);
    const status = await on.get(`/api/build/status/${id}`, bearer(token));
    assert.ok(may ? [200, 404].includes(status.status) : status.status === 403, `status: ${status.status}`);
}

/** The head of an answer that may go on for ever. */
async function requestHead(on, target, token) {
    if (!target.startsWith('/events')) return on.get(target, bearer(token));
    const response = await fetch(`${on.url}${target}`, { headers: bearer(token) });
    await response.body.cancel();
    return response;
}

test('rooms says what may be read, beside global and the user\'s own topic', async () => {
    const claims = { sub: 'alice', rooms: ['session:web-*', 'project:550e*', 'channel:files'] };
    for (const topic of ['session:web-1', 'session:web-', 'project:550e8400', 'channel:files', 'global', 'user:alice']) {
        await expectMayRead(server, claims, topic, true);
    }
    for (const topic of ['session:web', 'session:api', 'project:660e', 'agent:a', 'channel:filesystem', 'user:bob', 'user:alice2']) {
        await expectMayRead(server, claims, topic, false);
    }
    await expectMayRead(server, { sub: 'alice', rooms: [] }, 'session:a', false);
    await expectMayRead(server, { sub: 'alice', rooms: ['*'] }, 'session:a', true);
    await expectMayRead(server, { sub: 'alice', rooms: ['*', 'user:*'] }, 'user:bob', false);
    await expectMayRead(server, { sub: 'alice', rooms: ['*'] }, 'user:alice', true);
});

test('without rooms access.default decides', async (t) => {
    const strict = await startServer({ t, env, config: { access: { default: 'strict' } } });
    for (const topic of ['session:a', 'project:a', 'agent:a', 'channel:a']) {
        await expectMayRead(server, { sub: 'alice' }, topic, true);
        await expectMayRead(strict, { sub: 'alice' }, topic, false);
        await expectMayRead(strict, { sub: 'root', role: 'admin' }, topic, true);
        await expectMayRead(strict, { sub: 'fake', role: 'administrator' }, topic, false);
    }
    for (const on of [server, strict]) {
        await expectMayRead(on, { sub: 'alice' }, 'global', true);
        await expectMayRead(on, { sub: 'alice' }, 'user:alice', true);
        await expectMayRead(on, { sub: 'alice' }, 'user:bob', false);
        await expectMayRead(on, { sub: 'root', role: 'admin' }, 'user:bob', true);
    }
});

test('a sub of any characters has a topic of its own', async () => {
    const claims = { sub: 'Ada Löve|auth0%' };
    await expectMayRead(server, claims, 'user:Ada%20L%C3%B6ve%7Cauth0%25', true);
    await expectMayRead(server, claims, 'user:Ada', false);
    const client = await server.build(uniqueName(), `?token=${mint(claims)}`);
    const topic = encodeURIComponent(`session:${client.greeting.session_id}`);
    const { json } = await server.get(`/api/v1/topics/${topic}/presence`, admin);
    assert.deepEqual(json.connections.map(({ user_id }) => user_id), [claims.sub]);
});

test('an event stream of several topics needs the right to all of them', async () => {
    const token = mint({ sub: 'alice', rooms: ['session:a'] });
    const answer = await server.get('/events?topic=session:a&topic=session:b', bearer(token));
    assert.equal(answer.status, 403);
    assert.match(answer.json.error.message, /alice may not read session:b: no pattern of the claim rooms fits it/);
});

test('lists show what may be read', async (t) => {
    const other = await startServer({ t, env });
    for (const topic of ['session:a', 'session:b', 'project:p', 'user:alice', 'user:bob', 'global']) {
        await publish(other, { topic, type: 'tick', data: {} });
    }
    const list = async (claims) => {
        const headers = bearer(mint(claims));
        const { topics } = (await other.get('/api/v1/topics', headers)).json;
        const { sessions } = (await other.get('/api/build/sessions', headers)).json;
        return [...topics.map(({ topic }) => topic), ...sessions.map(({ session_id }) => session_id)].sort();
    };
    assert.deepEqual(await list({ sub: 'alice' }), ['a', 'b', 'global', 'project:p', 'session:a', 'session:b', 'user:alice']);
    assert.deepEqual(await list({ sub: 'bob', rooms: ['session:b'] }), ['b', 'global', 'session:b', 'user:bob']);
    assert.deepEqual(await list({ sub: 'root', role: 'admin' }), ['a', 'b', 'global', 'project:p', 'session:a', 'session:b', 'user:alice', 'user:bob']);
});

// ---- Publishing ----

const event = (topic) => ({ topic, type: 'tick', data: {} });

test('publishing needs the claim publish', async () => {
    const headers = bearer(mint({ sub: 'alice', publish: ['session:web-*'] }));
    assert.equal((await server.post('/api/v1/publish', event('session:web-1'), headers)).status, 200);
    const refused = await server.post('/api/v1/publish', event('session:api'), headers);
    assert.equal(refused.status, 403);
    assert.deepEqual([refused.json.error.code, refused.json.error.field], ['forbidden', 'topic']);
    const several = await server.post('/api/v1/publish', { topics: ['session:web-1', 'session:api'], type: 'tick', data: {} }, headers);
    assert.equal(several.status, 403, 'all or nothing');
    assert.equal((await server.get('/api/v1/topics/session:web-1/history', admin)).json.offset, 1);
    const reader = mint({ sub: 'bob', rooms: ['*'] });
    assert.equal((await server.post('/api/v1/publish', event('session:web-1'), bearer(reader))).status, 403);
    await expectRefused(server, `/api/v1/publish?token=${reader}`, 403);
});

test('in a stream and over a WebSocket each event is judged', async () => {
    const token = mint({ sub: 'alice', publish: ['session:mixed'] });
    const lines = [event('session:mixed'), event('session:other'), event('session:mixed')].map((e) => JSON.stringify(e)).join('\n');
    const answer = await server.post('/api/v1/publish', lines, { ...bearer(token), 'Content-Type': 'application/x-ndjson' });
    const [error, sum] = answer.text.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual([error.error.status, error.line], [403, 2]);
    assert.deepEqual([sum.published, sum.failed], [2, 1]);
    const socket = await server.open(`/api/v1/publish?token=${token}`);
    socket.send([event('session:mixed'), event('session:other')]);
    const [first, second] = await socket.next();
    assert.equal(first.offset, 3);
    assert.equal(second.error.code, 'forbidden');
});

test('access.publish lets everybody with a token publish', async (t) => {
    const other = await startServer({ t, env, config: { access: { publish: ['channel:*'] } } });
    const headers = bearer(mint({ sub: 'alice' }));
    assert.equal((await other.post('/api/v1/publish', event('channel:chat'), headers)).status, 200);
    assert.equal((await other.post('/api/v1/publish', event('session:a'), headers)).status, 403);
    assert.equal((await other.post('/api/v1/publish', event('channel:chat'))).status, 401);
});

test('demo updates are for admins', async () => {
    assert.equal((await server.post('/demo/send-update', '', bearer(mint({ sub: 'alice', publish: ['*'] })))).status, 403);
    assert.equal((await server.post('/demo/send-update?session=d', '', admin)).status, 200);
});

test('limits.publish is one token\'s, not everybody\'s', async (t) => {
    const other = await startServer({ t, env, args: ['--limits-publish', '10'] });
    const many = range(60).map(() => JSON.stringify(event('session:a'))).join('\n');
    const busy = bearer(mint({ sub: 'busy', publish: ['*'] }));
    await other.post('/api/v1/publish', many, { ...busy, 'Content-Type': 'application/x-ndjson' });
    const refused = await other.post('/api/v1/publish', event('session:a'), busy);
    assert.equal(refused.status, 429);
    assert.equal((await other.post('/api/v1/publish', event('session:a'), bearer(mint({ sub: 'calm', publish: ['*'] })))).status, 200);
});

// ---- Web IDE sessions and editor channels ----

test('a web IDE session: reading, publishing, running code and AI each need their right', async () => {
    const session = uniqueName();
    const target = (claims) => `/ws/${session}?token=${mint(claims)}`;
    await expectRefused(server, `/ws/${session}`, 401);
    await expectRefused(server, target({ sub: 'a', rooms: [] }), 403);
    const reader = await server.open(target({ sub: 'reader' }));
    const refused = async (message) => (await reader.ask(message, 'error')).data;
    for (const type of ['session_update', 'hook_event']) {
        const { code, detail } = await refused({ type, data: { x: 1 } });
        assert.equal(code, 'forbidden');
        assert.match(detail, /reader may not publish to session:.*there is no claim publish/);
    }
    assert.match((await refused({ type: 'execute_code', data: { code: '1', language: 'python' } })).detail, /may not run code: there is no claim execute/);
    assert.match((await refused({ type: 'ghost_chat', data: { message: 'hi' } })).detail, /may not use AI: there is no claim ai/);
    const writer = await server.open(target({ sub: 'writer', publish: ['session:*'], execute: true, ai: true }));
    writer.send({ type: 'session_update', data: { x: 1 } });
    assert.equal((await reader.next('session_update')).data.x, 1);
    assert.equal((await writer.ask({ type: 'execute_code', data: { code: '1', language: 'python' } }, 'execution_error')).data.error_type, 'sandbox_unavailable');
    assert.equal((await writer.ask({ type: 'ghost_chat', data: { message: 'hi' } }, 'ai_error')).data.error_type, 'not_configured');
    const list = async (claims) => (await server.get('/ws/status', bearer(mint(claims)))).json.active_sessions;
    assert.ok((await list({ sub: 'a' })).includes(session));
    assert.deepEqual(await list({ sub: 'a', rooms: [] }), []);
    assert.equal((await server.get(`/ws/sessions/${session}/connections`, bearer(mint({ sub: 'a', rooms: [] })))).status, 403);
    assert.equal((await server.post('/api/v1/execution/execute', { code: '1', language: 'python' }, bearer(mint({ sub: 'a' })))).status, 403);
    assert.equal((await server.post('/api/v1/execution/execute', { code: '1', language: 'python' }, bearer(mint({ sub: 'a', execute: true })))).status, 501);
});

test('a web IDE session learns of the end of its token and takes a fresh one', async () => {
    const client = await server.open(`/ws/${uniqueName()}?token=${mint({ sub: 'a', exp: now() - 3 })}`);
    assert.equal((await client.next('error')).data.code, 'token_expired');
    assert.equal((await client.ask({ type: 'refresh_token', data: { token: mint({ sub: 'b' }) } }, 'error')).data.code, 'token_malformed');
    const exp = now() + 60;
    const answer = await client.ask({ type: 'refresh_token', data: { token: mint({ sub: 'a', exp }) } }, 'token_refreshed');
    assert.equal(answer.data.expires, new Date(exp * 1000).toISOString());
});

test('an editor\'s channels: those that the token may read, patterns included', async () => {
    await expectRefused(server, '/ws', 401);
    const client = await server.open(`/ws?token=${mint({ sub: 'ed', rooms: ['channel:files/*', 'channel:git'] })}`);
    await client.next();
    let ids = 0;
    const ask = async (message) => {
        const id = ++ids;
        return client.ask({ id, ...message }, (m) => m.id === id);
    };
    for (const [channel, may] of [['git', true], ['files/a', true], ['files/*', true], ['files/src/*', true],
        ['search', false], ['*', false], ['file', false], ['gi/*', false]]) {
        const answer = await ask({ type: 'subscribe', channel });
        if (may) assert.equal(answer.data.status, 'subscribed', channel);
        else assert.equal(answer.error, 'forbidden', channel);
    }
    for (const handler of ['history', 'presence']) {
        assert.equal((await ask({ type: 'request', handler, data: { channel: 'search' } })).error, 'forbidden');
        assert.equal((await ask({ type: 'request', handler, data: { channel: 'git' } })).data.channel, 'git');
    }
    await publish(server, { topic: 'channel:elsewhere', data: {} });
    await publish(server, { topic: 'channel:files/src/x', data: { n: 1 } });
    assert.equal((await client.next('event')).channel, 'files/src/x');
});

test('an editor learns of the end of its token and takes a fresh one', async () => {
    const client = await server.open(`/ws?token=${mint({ sub: 'ed', exp: now() - 3 })}`);
    const expired = await client.next((m) => m.error);
    assert.equal(expired.error, 'token_expired');
    const exp = now() + 60;
    const refresh = (token) => client.ask({ id: 7, type: 'request', handler: 'refresh-token', data: { token } }, (m) => m.id === 7);
    assert.equal((await refresh(mint({ sub: 'other' }))).error, 'token_malformed');
    assert.deepEqual((await refresh(mint({ sub: 'ed', exp }))).data, { status: 'token_refreshed', expires: new Date(exp * 1000).toISOString() });
});

// ---- Anonymous readers ----

test('access.anonymous opens topics to those without a token, to read', async (t) => {
    const other = await startServer({ t, env, config: { access: { anonymous: ['session:*', 'user:*'] } } });
    await publish(other, event('session:a'));
    await publish(other, event('project:p'));
    await expectOpens(other, stream('a'));
    assert.equal((await other.get('/api/v1/topics/session:a/history')).status, 200);
    assert.deepEqual((await other.get('/api/v1/topics')).json.topics.map(({ topic }) => topic), ['session:a']);
    for (const topic of ['project:p', 'global', 'user:alice']) {
        assert.equal((await other.get(`/api/v1/topics/${topic}/history`)).status, 401, topic);
        assert.equal((await other.get(`/events?topic=${topic}`)).status, 401, topic);
    }
    assert.equal((await other.post('/api/v1/publish', event('session:a'))).status, 401);
    assert.equal((await other.post('/demo/send-update', '')).status, 401);
    await expectRefused(other, '/api/v1/publish', 401);
    await expectRefused(other, stream('a', 'nonsense'), 401);
    const narrow = bearer(mint({ sub: 'alice', rooms: ['project:p'] }));
    assert.equal((await other.get('/api/v1/topics/session:a/history', narrow)).status, 200, 'a token never means less');
});

// ---- The end of a token ----

const brief = (sub, more) => mint({ sub, exp: now() - 3, ...more }); // counts for one to two seconds more

test('a connection whose token expires is told, and goes on with a fresh one', async () => {
    const session = uniqueName();
    const client = await server.build(session, `?token=${brief('alice')}`);
    const expired = await client.next('error');
    assert.equal(expired.error_type, 'token_expired');
    assert.match(expired.error_message, /refresh_token/);
    for (const [token, code] of [[mint({ sub: 'bob' }), 'token_malformed'], ['nonsense', 'token_malformed'], [undefined, 'token_missing'],
        [mint({ sub: 'alice', exp: now() - 60 }), 'token_expired'], [mint({ sub: 'alice' }, { key: 'x' }), 'token_bad_signature']]) {
        assert.equal((await client.ask({ type: 'refresh_token', token }, 'error')).error_type, code);
    }
    const exp = now() + 600;
    const answer = await client.ask({ type: 'refresh_token', token: mint({ sub: 'alice', exp }) }, 'token_refreshed');
    assert.equal(answer.expires, new Date(exp * 1000).toISOString());
    assert.equal(answer.session_id, session);
    await publish(server, event(`session:${session}`));
    assert.equal((await client.next('tick')).offset, 1);
    const forever = await client.ask({ type: 'refresh_token', token: mint({ sub: 'alice', exp: undefined }) }, 'token_refreshed');
    assert.equal(forever.expires, null);
});

test('a token may be refreshed before it expires, and its new end counts', async (t) => {
    const other = await startServer({ t, env, args: ['--jwt-grace', '0s'] });
    const client = await other.build(uniqueName(), `?token=${mint({ sub: 'alice' })}`);
    await client.ask({ type: 'refresh_token', token: brief('alice') }, 'token_refreshed');
    assert.equal((await client.next('error')).error_type, 'token_expired');
    assert.equal((await client.expectClose()).code, 4401);
});

test('without a fresh token the connection is closed with 4401', async (t) => {
    const other = await startServer({ t, env, args: ['--jwt-grace', '1s'] });
    const client = await other.build(uniqueName(), `?token=${brief('alice')}`);
    await client.next((m) => m.error_type === 'token_expired');
    const { code, reason } = await client.expectClose();
    assert.deepEqual([code, reason], [4401, 'token expired']);
    await waitFor(() => /close .*user=alice.*token expired/.test(other.stderr()), 'the reason in the log');
});

test('by default there are 30 seconds for it', async () => {
    const { stdout } = await runProgram(['config', '--print', '--json']);
    assert.equal(JSON.parse(stdout)['jwt.grace'].value, 30000);
});

test('an event stream ends with its token, after an event that says so', async (t) => {
    for (const format of ['', '&format=json']) {
        const token = brief('alice');
        const answer = await server.request(`/events?topic=session:a${format}`, { headers: bearer(token) });
        assert.equal(answer.status, 200);
        assert.match(answer.text, /\{"type":"token_expired","message":"the token has expired"\}\n+$/);
    }
    const lasting = await openEvents(t, server, 'topic=session:lasting', bearer(mint({ sub: 'alice' })));
    await publish(server, event('session:lasting'));
    assert.equal((await lasting.next()).json.type, 'tick');
});

test('a publisher\'s WebSocket: told, refreshed, closed', async (t) => {
    const other = await startServer({ t, env, args: ['--jwt-grace', '2s'] });
    const socket = await other.open('/api/v1/publish', { headers: bearer(brief('p', { publish: ['session:a'] })) });
    assert.equal((await socket.next()).error.code, 'token_expired');
    socket.send(event('session:a')).send({ type: 'refresh_token', token: mint({ sub: 'q', publish: ['*'] }) });
    assert.equal((await socket.next()).offset, 1, 'answers keep their order');
    assert.match((await socket.next()).error.message, /another user's/);
    const exp = now() - 1; // four to five seconds more
    socket.send({ type: 'refresh_token', token: mint({ sub: 'p', publish: ['session:b'], exp }) });
    assert.deepEqual(await socket.next(), { type: 'token_refreshed', expires: new Date(exp * 1000).toISOString() });
    socket.send([event('session:a'), event('session:b')]);
    const [before, after] = await socket.next();
    assert.equal(before.error.code, 'forbidden', 'the fresh token\'s rights count');
    assert.equal(after.offset, 1);
    assert.equal((await socket.next()).error.code, 'token_expired');
    assert.equal((await socket.expectClose()).code, 4401);
});

test('a stream of events ends with its token', async () => {
    const token = brief('p', { publish: ['*'] });
    const line = `${JSON.stringify(event('session:ended'))}\n`;
    const response = await fetch(`${server.url}/api/v1/publish`, {
        method: 'POST', duplex: 'half', headers: { ...bearer(token), 'Content-Type': 'application/x-ndjson' },
        body: new ReadableStream({
            async start(controller) {
                controller.enqueue(Buffer.from(line));
                await waitFor(async () => (await server.get('/api/v1/topics', bearer(token))).status === 401, 'the end of the token');
                controller.enqueue(Buffer.from(line));
                controller.close();
            },
        }),
    });
    const [error, sum] = (await response.text()).trim().split('\n').map((text) => JSON.parse(text));
    assert.equal(error.error.code, 'token_expired');
    assert.equal(sum.published, 1);
});

// ---- Reloading ----

test('SIGHUP takes other rules and keys over; the open mode is for good', async (t) => {
    const directory = temporaryDirectory();
    const file = path.join(directory, 'fanfare.yaml');
    const write = (config) => fs.writeFileSync(file, JSON.stringify(config));
    const other = await startServer({ t, directory, config: { jwt: { key: secret } } });
    const status = async (token, topic) => (await requestHead(other, `/events?topic=${topic}`, token)).status;
    const [first, second] = [mint({ sub: 'alice' }), mint({ sub: 'alice' }, { key: `${secret}-two` })];
    assert.equal(await status(first, 'session:a'), 200);
    write({ jwt: { key: secret }, access: { default: 'strict' } });
    other.child.kill('SIGHUP');
    await waitFor(async () => (await status(first, 'session:a')) === 403, 'the new rule');
    write({ jwt: { key: `${secret}-two` } });
    other.child.kill('SIGHUP');
    await waitFor(async () => (await status(first, 'session:a')) === 401, 'the new key');
    assert.equal(await status(second, 'session:a'), 200);
    write({});
    other.child.kill('SIGHUP');
    await waitFor(() => /open mode cannot be entered or left/.test(other.stderr()), 'the refusal in the log');
    assert.equal((await other.get('/api/v1/topics')).status, 401);
});

// ---- The open mode ----

test('in the open mode a token that is shown must be the development key\'s', async (t) => {
    const other = await startServer({ t });
    const data = path.join(other.directory, 'data');
    assert.equal((await other.get('/api/v1/topics')).status, 200);
    const refused = await other.get('/api/v1/topics', bearer(mint({ sub: 'alice' })));
    assert.equal(refused.status, 401);
    assert.match(refused.json.error.message, /no JWT_SECRET_KEY configured/);
    const minted = await runProgram(['token', 'mint', '--sub', 'alice', '--rooms', 'session:a', '--data', data]);
    assert.equal(minted.code, 0, minted.stderr);
    assert.equal(fs.statSync(path.join(data, 'dev.key')).mode & 0o777, 0o600);
    const token = minted.stdout.trim();
    await expectOpens(other, stream('a', token));
    await expectRefused(other, stream('b', token), 403);
    await expectOpens(other, stream('b'));
    await waitFor(() => /user=alice/.test(other.stderr()), 'the user in the log');
    fs.chmodSync(path.join(data, 'dev.key'), 0o644);
    await waitFor(() => /may be read by others/.test(other.stderr()), 'the warning');
    assert.equal((await other.get('/api/v1/topics', bearer(token))).status, 401);
});

// ---- The program ----

test('the program mints what the server takes, and its clients show it', async () => {
    const { stdout } = await runProgram(['token', 'mint', '--sub', 'ci', '--publish', 'session:ci-*', '--rooms', 'session:ci-*'], { env });
    const url = ['--url', server.url];
    const token = { FANFARE_TOKEN: stdout.trim() };
    const published = await runProgram(['pub', ...url, 'session:ci-1', 'tick', '{}'], { env: token });
    assert.equal(published.code, 0, published.stderr);
    const refused = await runProgram(['pub', ...url, 'session:other', 'tick', '{}'], { env: token });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /may not publish to session:other/);
    const nobody = await runProgram(['pub', ...url, 'session:ci-1', 'tick', '{}']);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /token/);
    const streamed = await runProgram(['pub', ...url, '-'], { env: token, input: `${JSON.stringify(event('session:ci-1'))}\n` });
    assert.equal(streamed.code, 0, streamed.stderr);
    const read = await runProgram(['sub', ...url, 'session:other'], { env: token });
    assert.equal(read.code, 1);
    assert.match(read.stderr, /may not read session:other/);
});

test('tokens of all keys, by the program and for it', async () => {
    const directory = temporaryDirectory();
    for (const alg of ['RS256', 'ES256', 'EdDSA']) {
        const { publicKey, privateKey } = keyPairs[alg]();
        const [own, other] = ['private.pem', 'public.pem'].map((name) => path.join(directory, name));
        fs.writeFileSync(own, privateKey.export({ type: 'pkcs8', format: 'pem' }));
        fs.writeFileSync(other, pem(publicKey));
        const minted = await runProgram(['token', 'mint', '--sub', 'a', '--key-file', own, '--kid', 'k1', '--json']);
        const { token, claims, expires } = JSON.parse(minted.stdout);
        assert.equal(new Date(expires).getTime(), claims.exp * 1000);
        assert.equal(claims.exp - claims.iat, 3600);
        const { header, good: isGood } = JSON.parse((await runProgram(['token', 'inspect', token, '--key-file', other, '--json'])).stdout);
        assert.deepEqual([header.alg, header.kid, isGood], [alg, 'k1', true]);
        const foreign = await runProgram(['token', 'inspect', mint({ sub: 'n' }, { alg, key: privateKey }), '--key-file', other]);
        assert.equal(foreign.code, 0, foreign.stderr);
        assert.match(foreign.stdout, /^good\n/);
        assert.match((await runProgram(['token', 'mint', '--sub', 'a', '--key-file', other])).stderr, /a private one signs/);
    }
});

test('inspect says what is wrong; explain says why', async () => {
    const run = (...args) => runProgram(['token', ...args], { env });
    const expired = await run('inspect', mint({ sub: 'a', exp: now() - 3600 }));
    assert.equal(expired.code, 1);
    assert.match(expired.stdout, /^not good +token expired/);
    assert.match(expired.stdout, /59 minutes ago|60 minutes ago/);
    const token = mint({ sub: 'a', rooms: ['session:*'] });
    const yes = await run('explain', token, 'session:x');
    assert.equal(yes.code, 0);
    assert.match(yes.stdout, /may read session:x: yes, because the claim rooms has "session:\*"/);
    assert.match(yes.stdout, /may publish to session:x: no, because there is no claim publish/);
    const no = await run('explain', '--json', token, 'project:x');
    assert.equal(no.code, 1);
    assert.deepEqual(JSON.parse(no.stdout).read, { allowed: false, because: 'no pattern of the claim rooms fits it' });
    const bad = await runProgram(['token', 'explain', '-', 'session:x'], { env, input: mint({ sub: 'a' }, { key: 'x' }) });
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /no, because bad signature/);
    for (const args of [['mint'], ['mint', '--sub', ''], ['mint', '--sub', 'a', '--rooms', 'a b'], ['mint', '--sub', 'a', '--expires', 'soon'],
        ['mint', '--sub', 'a', '--role', 'king'], ['mint', '--sub', 'a', 'b'], ['inspect'], ['explain', token], ['explain', token, 'nonsense'], ['brew'], []]) {
        const wrong = await run(...args);
        assert.equal(wrong.code, 2, args.join(' '));
        assert.equal(wrong.stdout, '');
    }
});

// ---- Logs ----

test('the log names users and reasons, never tokens', async (t) => {
    const other = await startServer({ t, env, config: { log: { level: 'debug' } } });
    const tokens = [mint({ sub: 'alice' }), mint({ sub: 'mallory' }, { key: 'x' }), brief('brief')];
    for (const token of tokens) {
        await openWs(other.ws(stream('a', token)), { protocols: [`fanfare.token.${token}`] }).catch((error) => assert.equal(error.status, 401));
        await other.get(`/api/v1/topics?token=${token}`, bearer(token));
        await other.get(`/events?topic=user:x&token=${token}`);
        await request(`${other.url}/nowhere?token=${token}`, { headers: bearer(token) });
    }
    await other.stop();
    const log = other.stderr() + other.stdout();
    for (const token of tokens) for (const piece of token.split('.')) assert.ok(!log.includes(piece), 'a token\'s part is in the log');
    assert.ok(!log.includes(secret));
    assert.match(log, /user=alice/);
    assert.match(log, /bad signature/);
    assert.match(log, /alice may not read user:x/);
});

// ---- The guide ----

/** The example of that name in docs/authentication.md. */
function guideExample(name) {
    const text = fs.readFileSync(path.join(projectRoot, 'docs/authentication.md'), 'utf8');
    return new RegExp(`<!-- example: ${name} -->\n\`\`\`\\w+\n(.*?)\n\`\`\``, 's').exec(text)[1];
}

function runExample(command, args) {
    const directory = temporaryDirectory();
    fs.symlinkSync(binary, path.join(directory, 'fanfare'));
    return execFileSync(command, args, {
        cwd: directory, encoding: 'utf8',
        env: { ...env, PATH: `${directory}:${process.env.PATH}`, HOME: directory, FANFARE_URL: server.url },
    });
}

test('the guide\'s examples do what they say', async () => {
    const shown = runExample('bash', ['-euc', guideExample('tokens')]);
    assert.match(shown, /^good\n/);
    assert.match(shown, /may read session:web-1: yes/);
    assert.match(shown, /may read project:x: no/);
    assert.match(shown, /not that one/);
    assert.match(shown, /"topic":"session:web-1"/);
    const token = runExample(process.execPath, ['--input-type=module', '-e', guideExample('backend')]).trim();
    assert.equal((await server.get('/api/v1/topics/session:web-1/history', bearer(token))).status, 200);
    assert.equal((await server.get('/api/v1/topics/project:x/history', bearer(token))).status, 403);
});
