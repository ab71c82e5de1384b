// POST /webhooks/github: signatures, redeliveries, and what becomes of pull requests and issues.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { RawConnection, startServer, temporaryDirectory, test, waitFor } from './harness.mjs';
import { bearer, mint, secret as key } from './tokens.mjs';

const secret = 'hush';
const env = { GITHUB_WEBHOOK_SECRET: secret };
const server = await startServer({ env });

const sign = (body, with_ = secret) =>
    `sha256=${crypto.createHmac('sha256', with_).update(body).digest('hex')}`;

function deliver(where, event, payload, headers = {}) {
    const body = Buffer.isBuffer(payload) || typeof payload === 'string' ? payload : JSON.stringify(payload);
    return where.post('/webhooks/github', Buffer.from(body), {
        'Content-Type': 'application/json',
        'X-GitHub-Event': event,
        'X-GitHub-Delivery': crypto.randomUUID(),
        'X-Hub-Signature-256': sign(body),
        ...headers,
    });
}

async function makeProject(repository_url, where = server, headers = {}) {
    const { json } = await where.post('/api/v1/projects', { project_name: 'P', repository_url }, headers);
    return json.id;
}

async function history(id, where = server) {
    const { status, json } = await where.get(`/api/v1/topics/project:${id}/history`);
    return status === 404 ? [] : json.events;
}

const pullRequest = (repository, action = 'opened', more = {}) => ({
    action,
    pull_request: {
        number: 42, title: 'Fix the login', body: 'It was broken.', state: 'open', merged: false,
        user: { login: 'ada' }, head: { ref: 'fix-login' }, created_at: '2026-01-31T12:00:00Z',
        html_url: `https://github.com/${repository}/pull/42`, ...more,
    },
    repository: { html_url: `https://github.com/${repository}`, clone_url: `https://github.com/${repository}.git` },
});

test('a pull request goes to the project of its repository', async () => {
    const id = await makeProject('git@github.com:Ada/Engine.git');
    for (const [action, type, more, status] of [
        ['opened', 'pr.created', {}, 'open'], ['synchronize', 'pr.updated', {}, 'open'],
        ['closed', 'pr.closed', { state: 'closed', merged: true }, 'merged'],
    ]) {
        const { status: code, json } = await deliver(server, 'pull_request', pullRequest('ada/engine', action, more));
        assert.equal(code, 200);
        assert.deepEqual(json, { status: 'published', type, projects: [id] });
        const event = (await history(id)).at(-1);
        assert.equal(event.type, type);
        assert.equal(event.source, 'github');
        assert.deepEqual(event.data, {
            pr_id: '42', project_id: id, title: 'Fix the login', description: 'It was broken.', author: 'ada',
            branch: 'fix-login', github_url: 'https://github.com/ada/engine/pull/42',
            created_at: '2026-01-31T12:00:00Z', status,
        });
    }
});

test('an issue goes to the project and to its assignee', async () => {
    const id = await makeProject('https://github.com/ada/issues');
    const payload = {
        action: 'opened', repository: { html_url: 'https://github.com/Ada/Issues' },
        issue: { number: 7, title: 'Login fails', body: null, state: 'open', assignee: { login: 'bob' },
            updated_at: '2026-01-31T12:00:00Z' },
    };
    assert.equal((await deliver(server, 'issues', payload)).json.type, 'issue.created');
    assert.equal((await deliver(server, 'issues', { ...payload, action: 'closed' })).json.type, 'issue.closed');
    const { json } = await server.get('/api/v1/topics/user:bob/history');
    assert.deepEqual(json.events.map((event) => event.type), ['issue.created', 'issue.closed']);
    assert.deepEqual(json.events[0].data, {
        issue_id: '7', project_id: id, title: 'Login fails', assigned_to: 'bob',
        updated_at: '2026-01-31T12:00:00Z', status: 'open',
    });
    assert.equal((await history(id)).length, 2);
});

test('GitHub\'s default, a form, is understood', async () => {
    const id = await makeProject('https://github.com/ada/form');
    const body = new URLSearchParams({ payload: JSON.stringify(pullRequest('ada/form')) }).toString();
    const { json } = await deliver(server, 'pull_request', body,
        { 'Content-Type': 'application/x-www-form-urlencoded' });
    assert.equal(json.status, 'published');
    assert.equal((await history(id))[0].data.title, 'Fix the login');
});

test('several projects of one repository hear of it', async () => {
    const ids = [await makeProject('https://github.com/ada/mono'), await makeProject('ssh://git@github.com/ada/mono.git')];
    const { json } = await deliver(server, 'pull_request', pullRequest('ada/mono'));
    assert.deepEqual(json.projects, ids);
    for (const id of ids) assert.equal((await history(id))[0].data.project_id, id);
});

test('a redelivery is published once, after a restart, too', async (t) => {
    const directory = temporaryDirectory();
    const durable = { t, directory, env, args: ['--engine', 'sqlite'] };
    const first = await startServer(durable);
    const id = await makeProject('https://github.com/ada/again', first);
    const delivery = { 'X-GitHub-Delivery': 'c1a9-1' };
    assert.equal((await deliver(first, 'pull_request', pullRequest('ada/again'), delivery)).json.status, 'published');
    const again = await deliver(first, 'pull_request', pullRequest('ada/again'), delivery);
    assert.deepEqual([again.status, again.json.status], [200, 'duplicate']);
    assert.equal((await history(id, first)).length, 1);
    await first.stop();
    const second = await startServer(durable);
    assert.equal((await deliver(second, 'pull_request', pullRequest('ada/again'), delivery)).json.status, 'duplicate');
    assert.equal((await history(id, second)).length, 1);
});

test('redeliveries at the same time are published once', async () => {
    const id = await makeProject('https://github.com/ada/race');
    const delivery = { 'X-GitHub-Delivery': 'race-1' };
    const answers = await Promise.all(Array.from({ length: 8 }, () =>
        deliver(server, 'pull_request', pullRequest('ada/race'), delivery)));
    assert.deepEqual(answers.map(({ json }) => json.status).sort(), [...Array(7).fill('duplicate'), 'published']);
    assert.equal((await history(id)).length, 1);
});

test('a repository without a project is left, and its delivery is not remembered', async () => {
    const delivery = { 'X-GitHub-Delivery': 'early-1' };
    const { json } = await deliver(server, 'pull_request', pullRequest('ada/unknown'), delivery);
    assert.equal(json.status, 'ignored');
    await makeProject('https://github.com/ada/unknown');
    assert.equal((await deliver(server, 'pull_request', pullRequest('ada/unknown'), delivery)).json.status, 'published');
});

test('ping is answered, others are 204, both only when they are signed', async () => {
    const ping = await deliver(server, 'ping', { zen: 'Keep it logically awesome.' });
    assert.deepEqual([ping.status, ping.json], [200, { status: 'pong' }]);
    const push = await deliver(server, 'push', { ref: 'x'.repeat(5_000_000) });
    assert.equal(push.status, 204);
    assert.equal((await deliver(server, 'star', 'not even JSON')).status, 204);
    for (const event of ['ping', 'push', 'pull_request']) {
        const { status } = await deliver(server, event, '{}', { 'X-Hub-Signature-256': sign('{}', 'wrong') });
        assert.equal(status, 401);
    }
});

test('signatures that are none', async () => {
    const id = await makeProject('https://github.com/ada/forged');
    const payload = pullRequest('ada/forged');
    const good = sign(JSON.stringify(payload));
    for (const signature of ['', 'sha256=', 'sha1=abc', good.slice(0, -1), `${good}0`, good.slice(7), good.replace(/.$/, 'g'),
        sign(`${JSON.stringify(payload)} `), sign(JSON.stringify(payload), '')]) {
        const { status, json } = await deliver(server, 'pull_request', payload, { 'X-Hub-Signature-256': signature });
        assert.equal(status, 401, signature);
        assert.equal(json.error.code, 'bad_signature');
    }
    const body = JSON.stringify(payload);
    const unsigned = await server.post('/webhooks/github', body,
        { 'X-GitHub-Event': 'pull_request', 'X-GitHub-Delivery': 'a' });
    assert.equal(unsigned.status, 401);
    assert.deepEqual(await history(id), []);
});

test('payloads that make no sense', async () => {
    for (const [payload, status] of [['{', 400], ['[]', 400], ['', 400], ['payload=%7B', 400], ['{}', 422],
        [JSON.stringify({ action: 'opened', pull_request: {} }), 422],
        [JSON.stringify({ action: 'opened', pull_request: { number: 1 } }), 422]]) {
        assert.equal((await deliver(server, 'pull_request', payload)).status, status, payload);
    }
    const { status } = await deliver(server, 'pull_request', '{}', { 'X-GitHub-Event': '' });
    assert.equal(status, 400);
    assert.equal((await deliver(server, 'issues', '{}', { 'X-GitHub-Delivery': 'a b' })).status, 400);
    assert.equal((await deliver(server, 'issues', '{}', { 'X-GitHub-Delivery': 'x'.repeat(200) })).status, 400);
});

test('a payload that is too large is refused while it comes', async () => {
    const raw = new RawConnection(server.port);
    raw.write(`POST /webhooks/github HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nX-GitHub-Event: issues\r\n` +
        `X-GitHub-Delivery: large\r\nX-Hub-Signature-256: ${sign('')}\r\nContent-Length: 20000000\r\n\r\n`);
    for (let i = 0; i < 5; i++) raw.write(Buffer.alloc(1_000_000, 32));
    await raw.expect(/HTTP\/1.1 413/);
    raw.destroy();
    assert.equal((await deliver(server, 'ping', '{}')).status, 200);
});

test('who leaves in the middle does no harm', async () => {
    for (let i = 0; i < 5; i++) {
        const raw = new RawConnection(server.port);
        await raw.opened;
        raw.write(`POST /webhooks/github HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nX-GitHub-Event: issues\r\n` +
            `X-GitHub-Delivery: left\r\nX-Hub-Signature-256: ${sign('')}\r\nContent-Length: 100\r\n\r\n{"a"`);
        raw.destroy();
    }
    assert.equal((await deliver(server, 'ping', '{}')).status, 200);
});

test('without a secret there are no webhooks', async (t) => {
    const none = await startServer({ t });
    assert.equal((await deliver(none, 'ping', '{}')).status, 404);
});

test('with a key the signature takes the token\'s place', async (t) => {
    const keyed = await startServer({ t, env: { ...env, JWT_SECRET_KEY: key } });
    const admin = bearer(mint({ sub: 'ada', role: 'admin' }));
    const id = await makeProject('https://github.com/ada/keyed', keyed, admin);
    assert.equal((await deliver(keyed, 'pull_request', pullRequest('ada/keyed'))).json.status, 'published');
    const { json } = await keyed.get(`/api/v1/topics/project:${id}/history`, admin);
    assert.equal(json.events.length, 1);
});

test('the secret is never shown, and can be changed without a restart', async (t) => {
    const changing = await startServer({ t, config: { github: { webhook_secret: 'first' } } });
    const signed = (with_) => deliver(changing, 'ping', '{}', { 'X-Hub-Signature-256': sign('{}', with_) });
    assert.equal((await signed('first')).status, 200);
    const fs = await import('node:fs');
    fs.writeFileSync(`${changing.directory}/fanfare.yaml`, JSON.stringify({ github: { webhook_secret: 'second' } }));
    changing.child.kill('SIGHUP');
    await waitFor(async () => (await signed('second')).status === 200, 'the new secret');
    assert.equal((await signed('first')).status, 401);
    assert.doesNotMatch(changing.stderr(), /first|second/);
});
