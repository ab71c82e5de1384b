// The examples of docs/rooms.md do what the guide says of them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ms, projectRoot, startServer, test, waitFor } from './harness.mjs';
import { Proxy } from './proxy.mjs';
import { bearer, mint, now, secret } from './tokens.mjs';

const guide = fs.readFileSync(path.join(projectRoot, 'docs/rooms.md'), 'utf8');
const room = 'project:550e8400-e29b-41d4-a716-446655440000';
const admin = bearer(mint({ sub: 'platform', role: 'admin' }));
const server = await startServer({ env: { JWT_SECRET_KEY: secret } });

/** Runs the example of that name; its lines are in `said`. */
function run(t, name, url, { login, token = mint({ sub: 'alice', publish: ['project:*', 'user:*'] }) } = {}) {
    const [, language, text] = new RegExp(`<!-- example: ${name} -->\n\`\`\`(\\w+)\n([^]*?)\`\`\``).exec(guide);
    const lines = text.replaceAll('http://localhost:8000', url).replaceAll('http://localhost:3000', login);
    const [command, args] = language === 'python' ? ['/usr/bin/python3', ['-c', lines]] : [process.execPath, ['--input-type=module', '-e', lines]];
    const child = spawn(command, args, { cwd: path.join(projectRoot, 'tests'), env: { PATH: process.env.PATH, TOKEN: token }, stdio: ['ignore', 'pipe', 'pipe'] });
    t.after(() => child.kill());
    child.said = [];
    child.complaints = '';
    for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', (line) => child.said.push(line));
    child.saw = (pattern, count = 1) =>
        waitFor(() => child.said.filter((line) => pattern.test(line)).length >= count, `${pattern} of ${name}`, ms(15000))
            .catch((error) => { throw new Error(`${error.message}; it said:\n${child.said.join('\n')}`); });
    return child;
}

const present = (topic = room) => waitFor(
    async () => (await server.get(`/api/v1/topics/${encodeURIComponent(topic)}/presence`, admin)).json?.count > 0, 'the client', ms(15000));

async function publish(type, data, where = server) {
    const answer = await where.post('/api/v1/publish', { topic: room, type, data }, admin);
    assert.equal(answer.status, 200, answer.text);
}

test('the clients in JavaScript and Python, and the backend that emits', async (t) => {
    const client = run(t, 'client', server.url);
    const python = run(t, 'python', server.url);
    await client.saw(/^I am alice in \[ 'user:alice', 'global' \]$/);
    await python.saw(/^success$/);
    await present();
    await waitFor(async () => (await server.get(`/api/v1/topics/${encodeURIComponent(room)}/presence`, admin)).json.count === 2, 'both');
    const backend = run(t, 'emit', server.url);
    await client.saw(/^project:550e8400\S* 1 AI Agent Framework$/);
    await python.saw(/^project:550e8400\S* AI Agent Framework$/);
    assert.deepEqual(backend.said, []);
    const forbidden = run(t, 'emit', server.url, { token: mint({ sub: 'eve' }) });
    await forbidden.saw(/eve may not publish/);
});

test('a refused token', async (t) => {
    const client = run(t, 'refused', server.url);
    await client.saw(/^log in again: token malformed$/);
    await waitFor(() => client.exitCode === 0, 'its end');
});

test('a token is refreshed while connected', async (t) => {
    let given = 0;
    // The first one ends in a second or two: there are five seconds of leeway.
    const logins = http.createServer((_, response) => response.end(mint({ sub: 'alice', exp: given++ ? now() + 3600 : now() - 3 })));
    logins.listen(0, '127.0.0.1');
    await once(logins, 'listening');
    t.after(() => logins.close());
    const client = run(t, 'refresh', server.url, { login: `http://127.0.0.1:${logins.address().port}` });
    await client.saw(/^token success \d{4}-.*Z$/);
    assert.equal(given, 2);
});

test('a client in Python that was cut off resumes: nothing lost, nothing doubled', async (t) => {
    // Its WebSockets say that they come from the address that they go to, which is the proxy's.
    const behind = await startServer({ t, env: { JWT_SECRET_KEY: secret, CORS_ORIGINS: 'http://127.0.0.1:*' } });
    const proxy = await Proxy.start(t, behind.port);
    const client = run(t, 'resume', proxy.url);
    await client.saw(/^subscribed$/);
    await publish('step', { n: 1 }, behind);
    await client.saw(/^step 1$/);
    for (let n = 2; n <= 4; n++) {
        proxy.cut();
        await publish('step', { n }, behind);
        await client.saw(/^subscribed$/, n);
        await client.saw(new RegExp(`^step ${n}$`));
    }
    await publish('step', { n: 5 }, behind);
    await client.saw(/^step 5$/);
    assert.deepEqual(client.said.filter((line) => line.startsWith('step')), ['step 1', 'step 2', 'step 3', 'step 4', 'step 5']);
});

test('the tables name options and codes that there are', async () => {
    const options = fs.readFileSync(path.join(projectRoot, 'docs/configuration.md'), 'utf8');
    for (const [option] of guide.matchAll(/(?<=`)(?:rooms|jwt)\.[a-z_]+(?=`)/g)) assert.ok(options.includes(`\`${option}\``), option);
});
