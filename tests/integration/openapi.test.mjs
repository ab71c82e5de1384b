// The OpenAPI document against what the server really answers.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { startServer, test, uniqueName } from './harness.mjs';

const server = await startServer({ args: ['--watch', '.=watched'] });
const { json: openapi } = await server.get('/openapi.json');
const ajv = new Ajv({ strict: false, allErrors: true });
formats(ajv);
ajv.addSchema({ $id: 'api', ...openapi });

/** Checks an answer against what the document says of this operation and status. */
function conforms(method, path, answer) {
    const operation = openapi.paths[path]?.[method];
    assert.ok(operation, `${method} ${path} is not described`);
    const described = operation.responses[answer.status];
    assert.ok(described, `${method} ${path}: ${answer.status} is not described`);
    const pointer = ['paths', path, method, 'responses', answer.status, 'content', 'application/json', 'schema']
        .map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1')).map(encodeURIComponent).join('/');
    const validate = ajv.getSchema(`api#/${pointer}`);
    assert.ok(validate, `${method} ${path}: ${answer.status} has no schema`);
    assert.ok(validate(answer.json), `${method} ${path}: ${JSON.stringify(validate.errors)} in ${answer.text.slice(0, 400)}`);
}

test('answers are what the document says', async () => {
    const session = uniqueName();
    const topic = `session:${session}`;
    const component = { component_id: 'a', status: 'in_progress', progress: 45.5, metadata: {} };
    await server.build(session);
    const publish = (event) => server.post('/api/v1/publish', event);
    conforms('post', '/api/v1/publish', await publish({ topic, type: 'component_update', data: component }));
    conforms('post', '/api/v1/publish', await publish({ topics: [topic, 'global'], type: 'tick', id: 'x', key: 'k', source: 's' }));
    conforms('post', '/api/v1/publish', await publish({ topics: [topic, 'global'], type: 'tick', id: 'x' }));
    conforms('post', '/api/v1/publish', await publish({ topic, type: 'tick', ephemeral: true }));
    conforms('post', '/demo/send-update', await server.post(`/demo/send-update?session=${session}`, ''));
    for (const [path, target] of [
        ['/api/v1/topics', '/api/v1/topics'],
        ['/api/v1/topics/{topic}/history', `/api/v1/topics/${topic}/history`],
        ['/api/v1/topics/{topic}/presence', `/api/v1/topics/${topic}/presence`],
        ['/api/build/sessions', '/api/build/sessions'],
        ['/api/build/status/{session_id}', `/api/build/status/${session}`],
        ['/ws/status', '/ws/status'],
        ['/ws/sessions/{session_id}/connections', `/ws/sessions/${session}/connections`],
        ['/health', '/health'],
    ]) {
        conforms('get', path, await server.get(target));
    }
});

test('answers about projects, reports and webhooks are what the document says', async () => {
    const [one, id] = ['/api/v1/projects/{project_id}', crypto.randomUUID()];
    const send = (method, target, body) => server.request(target, { method, body });
    const made = await send('POST', '/api/v1/projects', { project_name: 'P', project_id: id });
    conforms('post', '/api/v1/projects', made);
    conforms('post', '/api/v1/projects', await send('POST', '/api/v1/projects', { project_name: 'P', project_id: id }));
    conforms('post', '/api/v1/projects', await send('POST', '/api/v1/projects', {}));
    conforms('get', '/api/v1/projects', await server.get('/api/v1/projects'));
    conforms('get', one, await server.get(`/api/v1/projects/${id}`));
    conforms('get', one, await server.get('/api/v1/projects/x'));
    conforms('put', one, await send('PUT', `/api/v1/projects/${id}`, { status: 'x' }));
    conforms('delete', one, await send('DELETE', `/api/v1/projects/${crypto.randomUUID()}`));
    for (const [method, path, target, body] of [
        ['put', '/api/v1/agents/{agent_id}/status', `/api/v1/agents/${id}/status`, { status: 'busy' }],
        ['get', '/api/v1/agents/{agent_id}/status', `/api/v1/agents/${id}/status`],
        ['post', '/api/v1/workflows/{workflow_id}/progress', `/api/v1/workflows/${id}/progress`, { progress: 5 }],
        ['post', '/api/v1/workflows/{workflow_id}/progress', `/api/v1/workflows/${id}/progress`, { progress: -5 }],
        ['get', '/api/v1/workflows/{workflow_id}/progress', `/api/v1/workflows/${id}/progress`],
        ['get', '/api/v1/workflows/{workflow_id}/progress', `/api/v1/workflows/${crypto.randomUUID()}/progress`],
        ['post', '/api/v1/ai/suggestions', '/api/v1/ai/suggestions', { title: 'x' }],
        ['get', '/api/v1/ai/suggestions', '/api/v1/ai/suggestions'],
        ['post', '/webhooks/github', '/webhooks/github', {}],
        ['get', '/api/v1/websocket/stats', '/api/v1/websocket/stats'],
    ]) {
        conforms(method, path, await send(method.toUpperCase(), target, body));
    }
});

test('refusals are what the document says', async () => {
    const topic = `session:${uniqueName()}`;
    const publish = (body) => server.post('/api/v1/publish', body, { 'Content-Type': 'application/json' });
    conforms('post', '/api/v1/publish', await publish('{'));
    conforms('post', '/api/v1/publish', await publish(JSON.stringify({ topic, type: 'build_progress', data: { total: 'x' } })));
    conforms('post', '/api/v1/publish', await publish(JSON.stringify({ topic, type: 'tick', data: { x: 'y'.repeat(1024 * 1024) } })));
    conforms('get', '/events', await server.get('/events'));
    conforms('get', '/events', await server.get('/events?topic=nonsense'));
    conforms('get', '/api/v1/topics/{topic}/history', await server.get('/api/v1/topics/nonsense/history'));
    conforms('get', '/api/v1/topics/{topic}/history', await server.get(`/api/v1/topics/${topic}/history`));
    conforms('get', '/api/v1/topics/{topic}/history', await server.get(`/api/v1/topics/${topic}/history?limit=x`));
    conforms('get', '/api/build/status/{session_id}', await server.get(`/api/build/status/${uniqueName()}`));
    conforms('get', '/api/build/status/{session_id}', await server.get('/api/build/status/a%20b'));
    conforms('post', '/demo/send-update', await server.post('/demo/send-update?session=a%20b', ''));
    conforms('get', '/ws/sessions/{session_id}/connections', await server.get('/ws/sessions/a%20b/connections'));
    conforms('post', '/api/v1/execution/execute', await server.post('/api/v1/execution/execute', {}));
    conforms('post', '/api/v1/sessions/{session_id}/ai/chat', await server.post('/api/v1/sessions/s/ai/chat', {}));
    conforms('get', '/socket.io/', await server.get('/socket.io/?EIO=3'));
});

test('the examples of the document are valid', () => {
    for (const [name, schema] of Object.entries(openapi.components.schemas)) {
        const validate = ajv.getSchema(`api#/components/schemas/${name}`);
        for (const example of schema.examples ?? []) {
            assert.ok(validate(example), `${name}: ${JSON.stringify(validate.errors)}`);
        }
    }
});
