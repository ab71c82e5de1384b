// The agent platform's REST side: projects, agents, workflows, suggestions, and who hears of what.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { io } from 'socket.io-client';
import { RawConnection, range, startServer, temporaryDirectory, test, waitFor, within } from './harness.mjs';
import { bearer, mint, secret } from './tokens.mjs';

const server = await startServer({ args: ['--workers', '2'] });
const keyed = await startServer({ env: { JWT_SECRET_KEY: secret } });
const as = (sub, claims = {}) => bearer(mint({ sub, publish: ['*'], ...claims }));

const send = (where, method, target, body, headers = {}) => where.request(target, { method, body, headers });
const projects = '/api/v1/projects';

async function make(fields = {}, where = server, headers = {}) {
    const answer = await send(where, 'POST', projects, { project_name: 'P', ...fields }, headers);
    assert.equal(answer.status, 201, answer.text);
    return answer.json;
}

async function history(topic, where = server, headers = {}) {
    const { status, json } = await where.get(`/api/v1/topics/${encodeURIComponent(topic)}/history`, headers);
    return status === 404 ? [] : json.events;
}

/** A Socket.IO client in its rooms; all events in `events`. */
async function connect(t, where, rooms, token) {
    const socket = io(`${where.url}/ws`,
        { transports: ['websocket'], forceNew: true, reconnection: false, auth: { token } });
    socket.events = [];
    socket.onAny((name, event) => socket.events.push({ name, event }));
    t.after(() => socket.disconnect());
    await within(once(socket, 'connect'), 'Socket.IO to connect');
    for (const room of rooms) {
        const { status } = await within(socket.emitWithAck('subscribe', { room }), `room ${room}`);
        assert.equal(status, 'success');
    }
    return socket;
}

const hear = (socket, name) =>
    waitFor(() => socket.events.find((each) => each.name === name)?.event, `event ${name}`);

// ---- Projects ----

test('a project is made, read, listed, changed and removed', async () => {
    const made = await send(server, 'POST', projects,
        { project_name: 'Engine', repository_url: 'https://github.com/ada/engine', status: 'planned', more: 1 });
    assert.equal(made.status, 201);
    const { id } = made.json;
    assert.equal(made.json.project_id, id);
    assert.equal(made.headers.location, `${server.url}${projects}/${id}`);
    assert.match(made.json.created_at, /^\d{4}-.*Z$/);
    const { created_at, updated_at, ...rest } = made.json;
    assert.deepEqual(rest, {
        id, project_id: id, project_name: 'Engine', repository_url: 'https://github.com/ada/engine',
        status: 'planned', updated_by: 'anonymous',
    });
    assert.equal(created_at, updated_at);
    assert.deepEqual((await server.get(`${projects}/${id}`)).json, made.json);
    assert.deepEqual((await server.get(`${projects}/${id.toUpperCase()}`)).json, made.json);
    assert.ok((await server.get(`${projects}?limit=1000`)).json.projects.some((each) => each.id === id));

    const changed = await send(server, 'PUT', `${projects}/${id}`, { status: 'active', project_name: 'Engine' });
    assert.equal(changed.status, 200);
    assert.deepEqual(changed.json.changes, { status: 'active' });
    assert.equal(changed.json.project_name, 'Engine');

    assert.equal((await send(server, 'DELETE', `${projects}/${id}`)).status, 204);
    assert.equal((await server.get(`${projects}/${id}`)).status, 404);
    assert.equal((await send(server, 'DELETE', `${projects}/${id}`)).status, 404);
    const told = await history(`project:${id}`);
    assert.deepEqual(told.map((event) => event.type), ['project.updated', 'project.deleted']);
    assert.deepEqual(told[1].data, { project_id: id, deleted_by: 'anonymous' });
});

test('a change is told to the room and to its maker, once to a socket in both', async (t) => {
    const ada = mint({ sub: 'ada', publish: ['*'] });
    const { id } = await make({ project_name: 'Told', status: 'active' }, keyed, bearer(ada));
    const inBoth = await connect(t, keyed, [`project:${id}`], ada);
    const other = await connect(t, keyed, [`project:${id}`], mint({ sub: 'bob' }));
    const maker = await connect(t, keyed, [], ada);
    const stranger = await connect(t, keyed, [], mint({ sub: 'bob' }));
    await send(keyed, 'PUT', `${projects}/${id}`,
        { status: 'archived', repository_url: 'https://github.com/ada/told' }, bearer(ada));
    for (const [socket, room] of [[inBoth, 'user:ada'], [other, `project:${id}`], [maker, 'user:ada']]) {
        const event = await hear(socket, 'project.updated');
        assert.ok(room === event.room || event.room === `project:${id}`);
        assert.equal(event.source, 'project_service');
        assert.deepEqual(event.data, {
            project_id: id, project_name: 'Told', repository_url: 'https://github.com/ada/told', status: 'archived',
            updated_by: 'ada', changes: { repository_url: 'https://github.com/ada/told', status: 'archived' },
        });
    }
    await keyed.request('/api/v1/publish',
        { method: 'POST', body: { topic: 'global', type: 'marker', data: {} }, headers: bearer(ada) });
    for (const socket of [inBoth, other, maker, stranger]) await hear(socket, 'marker');
    const heard = (socket) => socket.events.filter((each) => each.name === 'project.updated').length;
    assert.deepEqual([inBoth, other, maker, stranger].map(heard), [1, 1, 1, 0]);
});

test('what is not new is no change, and nobody is told', async () => {
    const { id } = await make({ status: 'active' });
    const { json, status } = await send(server, 'PUT', `${projects}/${id}`, { project_name: 'P', status: 'active' });
    assert.equal(status, 200);
    assert.deepEqual(json.changes, {});
    assert.deepEqual(await history(`project:${id}`), []);
});

test('null and "" take a repository away', async () => {
    const { id } = await make({ repository_url: 'https://github.com/a/b' });
    const { json } = await send(server, 'PUT', `${projects}/${id}`, { repository_url: null });
    assert.deepEqual(json.changes, { repository_url: null });
    assert.equal(json.repository_url, null);
    assert.deepEqual((await send(server, 'PUT', `${projects}/${id}`, { repository_url: '' })).json.changes, {});
});

test('mistakes name the field', async () => {
    const { id } = await make();
    for (const [method, target, body, status, field, said] of [
        ['POST', projects, {}, 422, 'project_name', /project_name must be there/],
        ['POST', projects, { project_name: '' }, 422, 'project_name', /1 to 200 bytes/],
        ['POST', projects, { project_name: 'x'.repeat(201) }, 422, 'project_name', /1 to 200 bytes/],
        ['POST', projects, { project_name: null }, 422, 'project_name', /must be a string/],
        ['POST', projects, { project_name: 'P', repository_url: 5 }, 422, 'repository_url', /or null/],
        ['POST', projects, { project_name: 'P', status: {} }, 422, 'status', /1 to 64 bytes/],
        ['POST', projects, { project_name: 'P', project_id: '7' }, 422, 'project_id', /must be a UUID/],
        ['POST', projects, { project_name: 'P', project_id: id }, 409, 'project_id', /there is a project/],
        ['POST', projects, [], 422, undefined, /JSON object/],
        ['POST', projects, '{', 400, undefined, /invalid JSON at byte 1/],
        ['POST', projects, undefined, 400, undefined, /invalid JSON at byte 0/],
        ['PUT', `${projects}/${id}`, { project_id: randomUUID() }, 422, 'project_id', /same as in the path/],
        ['PUT', `${projects}/${id}`, { project_name: null }, 422, 'project_name', /must be a string/],
        ['PUT', `${projects}/${randomUUID()}`, {}, 404, undefined, /there is no project/],
        ['PUT', `${projects}/seven`, {}, 422, 'project_id', /must be a UUID, got "seven"/],
        ['GET', `${projects}/seven`, undefined, 422, 'project_id', /must be a UUID/],
        ['GET', `${projects}?limit=0`, undefined, 422, undefined, /limit must be a whole number from 1 to 1000/],
        ['GET', `${projects}?after=x`, undefined, 422, undefined, /after must be/],
    ]) {
        const { status: got, json } = await send(server, method, target, body);
        const what = `${method} ${target} ${JSON.stringify(body)}`;
        assert.equal(got, status, what);
        assert.equal(json.error.field, field, what);
        assert.match(json.error.message, said, what);
    }
    const large = await send(server, 'POST', projects, { project_name: 'P', more: 'x'.repeat(300_000) });
    assert.equal(large.status, 413);
    const patch = await send(server, 'PATCH', `${projects}/${id}`, {});
    assert.ok([404, 405].includes(patch.status) || patch.status === 400);
    const post = await send(server, 'POST', `${projects}/${id}`, {});
    assert.equal(post.status, 405);
    assert.equal(post.headers.allow, 'GET, HEAD, PUT, DELETE, OPTIONS');
    assert.deepEqual(await history(`project:${id}`), []);
});

test('an id of one\'s own is kept', async () => {
    const id = randomUUID();
    assert.equal((await make({ project_id: id.toUpperCase() })).id, id);
});

test('a list comes in pages', async () => {
    const ids = [];
    for (let i = 0; i < 5; i++) ids.push((await make({ project_name: `page ${i}` })).id);
    const found = [];
    let after = 0;
    do {
        const { json } = await server.get(`${projects}?limit=2&after=${after}`);
        assert.ok(json.projects.length <= 2);
        found.push(...json.projects.map((each) => each.id));
        after = json.next;
    } while (after !== null);
    assert.deepEqual(found.slice(-5), ids);
    assert.equal(new Set(found).size, found.length);
});

test('conditions: If-None-Match, If-Match', async () => {
    const { id } = await make();
    const target = `${projects}/${id}`;
    const { headers: { etag } } = await server.get(target);
    assert.equal((await server.get(target, { 'If-None-Match': etag })).status, 304);
    assert.equal((await server.get(target, { 'If-None-Match': '"x"' })).status, 200);
    const late = await send(server, 'PUT', target, { status: 'a' }, { 'If-Match': '"x", "1-0"' });
    assert.equal(late.status, 412);
    const first = await send(server, 'PUT', target, { status: 'a' }, { 'If-Match': etag });
    assert.equal(first.status, 200);
    assert.notEqual(first.headers.etag, etag);
    assert.equal((await send(server, 'PUT', target, { status: 'b' }, { 'If-Match': etag })).status, 412);
    assert.equal((await send(server, 'DELETE', target, undefined, { 'If-Match': etag })).status, 412);
    assert.equal((await send(server, 'DELETE', target, undefined, { 'If-Match': first.headers.etag })).status, 204);
    assert.deepEqual((await history(`project:${id}`)).map((event) => event.data.status), ['a', undefined]);
});

test('without a token, and outside its rights', async () => {
    const { id } = await make({}, keyed, as('ada'));
    const { id: hidden } = await make({}, keyed, as('ada'));
    const target = `${projects}/${id}`;
    for (const [method, where] of [['GET', projects], ['POST', projects], ['GET', target], ['PUT', target],
        ['DELETE', target], ['PUT', `/api/v1/agents/${id}/status`], ['GET', '/api/v1/websocket/stats'],
        ['POST', `/api/v1/workflows/${id}/progress`], ['POST', '/api/v1/ai/suggestions']]) {
        const { status } = await send(keyed, method, where, method === 'GET' ? undefined : {});
        assert.equal(status, 401, `${method} ${where}`);
    }
    const narrow = as('bob', { rooms: [`project:${id}`], publish: [] });
    const list = await keyed.get(`${projects}?limit=1000`, narrow);
    assert.deepEqual(list.json.projects.map((each) => each.id), [id]);
    assert.equal((await keyed.get(target, narrow)).status, 200);
    assert.equal((await keyed.get(`${projects}/${hidden}`, narrow)).status, 403);
    assert.equal((await send(keyed, 'PUT', target, { status: 'x' }, narrow)).status, 403);
    assert.equal((await send(keyed, 'DELETE', target, undefined, narrow)).status, 403);
    assert.equal((await send(keyed, 'POST', projects, { project_name: 'P' }, narrow)).status, 403);
    const own = as('bob', { publish: [`project:${id}`] });
    assert.equal((await send(keyed, 'PUT', target, { status: 'x' }, own)).status, 200);
    const other = await send(keyed, 'POST', projects, { project_name: 'P' }, own);
    assert.equal(other.status, 403);
    assert.match(other.json.error.message, /bob may not publish to project:/);
    const agent = await send(keyed, 'PUT', `/api/v1/agents/${id}/status`, { status: 'busy' }, own);
    assert.equal(agent.status, 403);
    assert.match(agent.json.error.message, /may not publish to agent:/);
    assert.equal((await history(`project:${id}`, keyed, as('ada'))).at(-1).data.updated_by, 'bob');
});

test('changes at the same time are told in the order in which they are kept', async () => {
    const { id } = await make();
    await Promise.all(range(40).map((n) => send(server, 'PUT', `${projects}/${id}`, { status: `s${n}` })));
    const told = await history(`project:${id}`);
    assert.equal(told.length, 40);
    assert.equal(told.at(-1).data.status, (await server.get(`${projects}/${id}`)).json.status);
});

test('projects survive a restart, unless there is no data directory', async (t) => {
    const directory = temporaryDirectory();
    const first = await startServer({ t, directory });
    const { id } = await make({ project_name: 'Stays' }, first);
    await first.stop();
    const second = await startServer({ t, directory });
    assert.equal((await second.get(`${projects}/${id}`)).json.project_name, 'Stays');
    assert.ok(fs.existsSync(path.join(directory, 'data/projects.db')));
});

test('a server that nobody asks for projects makes no file', async (t) => {
    const directory = temporaryDirectory();
    const quiet = await startServer({ t, directory });
    await quiet.get('/health');
    assert.ok(!fs.existsSync(path.join(directory, 'data/projects.db')));
});

test('records that cannot be opened are said to be, and come back', async (t) => {
    const directory = temporaryDirectory();
    const file = path.join(directory, 'data/projects.db');
    fs.mkdirSync(path.dirname(file));
    fs.writeFileSync(file, 'no database at all, only text that is long enough to be looked at\n'.repeat(20));
    const broken = await startServer({ t, directory });
    const { status, json, headers } = await broken.get(projects);
    assert.equal(status, 503);
    assert.equal(headers['retry-after'], '1');
    assert.match(json.error.message, /projects\.db: file is not a database/);
    fs.unlinkSync(file);
    assert.equal((await broken.get(projects)).status, 200);
});

test('who leaves before the answer does no harm', async () => {
    const { id } = await make();
    const body = JSON.stringify({ status: 'left' });
    for (let i = 0; i < 20; i++) {
        const raw = new RawConnection(server.port);
        raw.write(`PUT ${projects}/${id} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
            `Content-Length: ${body.length}\r\n\r\n${body}`);
        await once(raw.socket, 'connect');
        raw.destroy();
    }
    assert.equal((await server.get(`${projects}/${id}`)).status, 200);
});

test('requests in one connection are answered in their order', async () => {
    const { id } = await make();
    const raw = new RawConnection(server.port);
    const put = (status) => {
        const body = JSON.stringify({ status });
        return `PUT ${projects}/${id} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
            `Content-Length: ${body.length}\r\n\r\n${body}`;
    };
    raw.write(put('one') + put('two') + `GET ${projects}/${id} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
    const text = await raw.expect(/"status":"one"[^]*"changes":\{"status":"two"\}[^]*"updated_by":"anonymous"\}\n$/);
    assert.equal(text.match(/HTTP\/1.1 200/g).length, 3);
    raw.destroy();
});

// ---- Agents, workflows, suggestions ----

test('an agent\'s state is told to its room and to all, once, and kept', async (t) => {
    const id = randomUUID();
    const target = `/api/v1/agents/${id}/status`;
    const socket = await connect(t, server, [`agent:${id}`]);
    assert.equal((await server.get(target)).status, 404);
    const full = { agent_name: 'GPT-4', status: 'online', availability: 85, metadata: { model: 4 } };
    const answer = await send(server, 'PUT', target, full);
    assert.deepEqual(answer.json, { agent_id: id, ...full });
    const event = await hear(socket, 'agent.status_changed');
    assert.deepEqual(event.data, { agent_id: id, ...full });
    const busy = await send(server, 'PUT', target, { agent_id: id.toUpperCase(), status: 'busy' });
    assert.deepEqual(busy.json, { agent_id: id, ...full, status: 'busy' });
    await send(server, 'PUT', target, { status: 'busy' }); // which is known
    assert.deepEqual((await server.get(target)).json, { agent_id: id, ...full, status: 'busy' });
    await server.publish({ topic: 'global', type: 'marker', data: {} });
    await hear(socket, 'marker');
    assert.deepEqual(socket.events.filter((each) => each.name === 'agent.status_changed')
        .map((each) => each.event.data.status), ['online', 'busy']);
    assert.deepEqual((await history(`agent:${id}`)).map((each) => each.data.status), ['online', 'busy']);
});

test('a workflow\'s status says what its progress is published as, its project where', async () => {
    const id = randomUUID();
    const project = randomUUID();
    const target = `/api/v1/workflows/${id}/progress`;
    for (const fields of [{ status: 'pending', project_id: project, total_steps: 5 }, { status: 'running', progress: 20 },
        { progress: 50, current_step: 'Step 2' }, { status: 'completed', progress: 100 }, { status: 'failed' },
        { status: 'cancelled' }]) {
        assert.equal((await send(server, 'POST', target, fields)).status, 200);
    }
    const told = await history(`project:${project}`);
    assert.deepEqual(told.map((event) => event.type), ['workflow.started', 'workflow.progress', 'workflow.progress',
        'workflow.completed', 'workflow.failed', 'workflow.failed']);
    assert.deepEqual(told[2].data, {
        workflow_id: id, status: 'running', project_id: project, total_steps: 5, progress: 50, current_step: 'Step 2',
    });
    assert.equal((await server.get(target)).json.status, 'cancelled');
    const free = randomUUID();
    await send(server, 'POST', `/api/v1/workflows/${free}/progress`, { progress: 1 });
    assert.ok((await history('global')).some((event) => event.data.workflow_id === free));
});

test('suggestions go to their project, else to all, and are listed, newest first', async () => {
    const project = randomUUID();
    const first = await send(server, 'POST', '/api/v1/ai/suggestions',
        { title: 'Simplify', severity: 'info', confidence: 0.92, project_id: project });
    assert.equal(first.status, 201);
    assert.match(first.json.suggestion_id, /^[0-9a-f-]{36}$/);
    const id = randomUUID();
    await send(server, 'POST', '/api/v1/ai/suggestions', { suggestion_id: id, title: 'Second' });
    assert.equal((await history(`project:${project}`))[0].data.suggestion_id, first.json.suggestion_id);
    assert.ok((await history('global')).some((event) => event.data.suggestion_id === id));
    const { json } = await server.get('/api/v1/ai/suggestions?limit=1');
    assert.deepEqual(json.suggestions, [{ suggestion_id: id, title: 'Second' }]);
    const next = await server.get(`/api/v1/ai/suggestions?limit=1&after=${json.next}`);
    assert.equal(next.json.suggestions[0].suggestion_id, first.json.suggestion_id);
});

test('what a report must not say', async () => {
    const id = randomUUID();
    for (const [method, target, body, status, field, said] of [
        ['PUT', 'agents/7/status', {}, 422, 'agent_id', /must be a UUID/],
        ['PUT', `agents/${id}/status`, { availability: 101 }, 422, 'availability', /from 0 to 100, got 101/],
        ['PUT', `agents/${id}/status`, { agent_id: randomUUID() }, 422, 'agent_id', /same as in the path/],
        ['PUT', `agents/${id}/status`, { metadata: [] }, 422, 'metadata', /an object/],
        ['PUT', `agents/${id}/status`, [], 422, undefined, /JSON object/],
        ['PUT', `agents/${id}/status`, '{"a":', 400, undefined, /byte 5/],
        ['POST', `workflows/${id}/progress`, { status: 'done' }, 422, 'status', /one of pending/],
        ['POST', `workflows/${id}/progress`, { project_id: 'x' }, 422, 'project_id', /a UUID/],
        ['POST', `workflows/${id}/progress`, { progress: -1 }, 422, 'progress', /from 0 to 100/],
        ['POST', 'ai/suggestions', { severity: 'bad' }, 422, 'severity', /info, warning, critical/],
        ['POST', 'ai/suggestions', { confidence: 2 }, 422, 'confidence', /from 0 to 1/],
        ['POST', 'ai/suggestions', { suggestion_id: 'x' }, 422, 'suggestion_id', /a UUID/],
    ]) {
        const { status: got, json } = await send(server, method, `/api/v1/${target}`, body);
        const what = `${method} ${target} ${JSON.stringify(body)}`;
        assert.equal(got, status, what);
        assert.equal(json.error.field, field, what);
        assert.match(json.error.message, said, what);
    }
    assert.equal((await server.get(`/api/v1/agents/${id}/status`)).status, 404);
    assert.equal((await server.get(`/api/v1/workflows/${id}/progress`)).status, 404);
});

test('a report may be read where its topic may', async () => {
    const id = randomUUID();
    const project = randomUUID();
    await send(keyed, 'POST', `/api/v1/workflows/${id}/progress`, { project_id: project, progress: 5 }, as('ada'));
    await send(keyed, 'POST', '/api/v1/ai/suggestions', { project_id: project, title: 'Secret' }, as('ada'));
    const inside = as('bob', { rooms: [`project:${project}`] });
    const outside = as('bob', { rooms: ['session:*'] });
    assert.equal((await keyed.get(`/api/v1/workflows/${id}/progress`, inside)).status, 200);
    assert.equal((await keyed.get(`/api/v1/workflows/${id}/progress`, outside)).status, 403);
    assert.equal((await keyed.get('/api/v1/ai/suggestions', inside)).json.suggestions.length, 1);
    assert.equal((await keyed.get('/api/v1/ai/suggestions', outside)).json.suggestions.length, 0);
});

// ---- Publishing without a topic ----

test('events of the platform that are published without a topic go where they belong', async () => {
    const project = randomUUID();
    const { json } = await server.post('/api/v1/publish',
        { type: 'issue.created', data: { issue_id: '7', project_id: project, assigned_to: 'Ada L.' } });
    assert.deepEqual(json.results.map((each) => each.topic), [`project:${project}`, 'user:Ada%20L.']);
    const alone = await server.post('/api/v1/publish', { type: 'workflow.failed', data: { workflow_id: project } });
    assert.deepEqual(alone.json.results.map((each) => each.topic), ['global']);
    const named = await server.post('/api/v1/publish',
        { topic: 'project:x', type: 'workflow.failed', data: { workflow_id: project } });
    assert.equal(named.json.topic, 'project:x');
    const without = await server.post('/api/v1/publish', { type: 'tick', data: {} });
    assert.equal(without.status, 422);
    assert.equal(without.json.error.field, 'topic');
    const denied = await keyed.request('/api/v1/publish', {
        method: 'POST', headers: as('ada', { publish: ['project:*'] }),
        body: { type: 'issue.created', data: { issue_id: '7', project_id: project, assigned_to: 'bob' } },
    });
    assert.equal(denied.status, 403);
    assert.match(denied.json.error.message, /ada may not publish to user:bob/);
});

// ---- Stats ----

test('stats count clients, rooms and events', async (t) => {
    const quiet = await startServer({ t });
    const project = randomUUID();
    await connect(t, quiet, [`project:${project}`]);
    await quiet.build('s');
    const { json } = await quiet.get('/api/v1/websocket/stats');
    assert.equal(json.connections, 2);
    assert.equal(json.dialects.rooms, 1);
    assert.equal(json.dialects.build, 1);
    assert.equal(json.rooms, 4); // user:anonymous, global, the project, session:s
    assert.equal(json.subscriptions, 4);
    await waitFor(async () => {
        await quiet.publish({ topic: 'global', type: 'tick', data: {} });
        return (await quiet.get('/api/v1/websocket/stats')).json.events_per_second > 1;
    }, 'the rate of events');
});
