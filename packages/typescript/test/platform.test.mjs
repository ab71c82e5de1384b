// The events of an agent platform: each goes where it belongs, with its fields, and is checked.
import assert from 'node:assert/strict';
import { ms, startServer, test } from '../../../tests/integration/harness.mjs';
import { EventRefused, getBroadcaster, PlatformBroadcaster, Publisher } from '../dist/index.js';
import { platformFields } from '../dist/platform.js';

const project = '550e8400-e29b-41d4-a716-446655440000';
const agent = '660e8400-e29b-41d4-a716-446655440001';

const publisherFor = (t, server) => {
    const publisher = new Publisher({ url: server.url, confirmTimeout: ms(8000), onProblem: () => {} });
    t.after(() => publisher.close());
    return publisher;
};

test('every event goes where it belongs', async (t) => {
    const server = await startServer({ t });
    const broadcaster = new PlatformBroadcaster(publisherFor(t, server));
    const topics = ({ topic, others }) => [topic, ...others.map((other) => other.topic)];
    for (const [name, fields, ...expected] of [
        ['project_updated', { project_id: project, status: 'active', updated_by: 'ada', changes: { status: 'active' } },
            `project:${project}`, 'user:ada'],
        ['project_deleted', { project_id: project, deleted_by: null }, `project:${project}`],
        ['agent_status_changed', { agent_id: agent, status: 'busy', availability: 85 }, `agent:${agent}`, 'global'],
        ['agent_connected', { agent_id: agent }, `agent:${agent}`, 'global'],
        ['agent_disconnected', { agent_id: agent }, `agent:${agent}`, 'global'],
        ['workflow_started', { workflow_id: agent, status: 'pending' }, 'global'],
        ['workflow_progress', { workflow_id: agent, project_id: project, progress: 50 }, `project:${project}`],
        ['workflow_completed', { workflow_id: agent, logs: ['a'] }, 'global'],
        ['workflow_failed', { workflow_id: agent, errors: ['a'] }, 'global'],
        ['pr_created', { pr_id: 42, project_id: project, title: 'Fix' }, `project:${project}`],
        ['pr_updated', { pr_id: '42' }, 'global'],
        ['pr_closed', { pr_id: '42' }, 'global'],
        ['issue_created', { issue_id: 7, assigned_to: 'bob' }, 'user:bob'],
        ['issue_updated', { issue_id: 7, project_id: project, assigned_to: 'bob' }, `project:${project}`, 'user:bob'],
        ['issue_closed', { issue_id: 7 }, 'global'],
        ['ai_suggestion', { suggestion_id: agent, confidence: 0.9, severity: 'info' }, 'global'],
        ['ai_analysis_complete', { analysis_id: 'a1', project_id: project }, `project:${project}`],
    ]) {
        assert.deepEqual(topics(await broadcaster[`broadcast_${name}`](fields)), expected, name);
    }
    const { json } = await server.get(`/api/v1/topics/project:${project}/history`);
    assert.equal(json.events[0].type, 'project.updated');
    assert.deepEqual(json.events[0].data,
        { project_id: project, status: 'active', updated_by: 'ada', changes: { status: 'active' } });
});

test('mistakes name the field, and nothing is published', async (t) => {
    const server = await startServer({ t });
    const publisher = publisherFor(t, server);
    const broadcaster = new PlatformBroadcaster(publisher);
    for (const [name, fields, field, said] of [
        ['project_updated', { project_id: 'seven' }, 'project_id', /must be a UUID, got "seven"/],
        ['project_updated', {}, 'project_id', /must be a UUID, got nothing/],
        ['project_updated', { project_id: project, changes: [] }, 'changes', /an object/],
        ['agent_connected', { agent_id: agent, availability: 101 }, 'availability', /from 0 to 100, got 101/],
        ['workflow_started', { workflow_id: agent, status: 'done' }, 'status', /one of pending/],
        ['workflow_started', { workflow_id: agent, total_steps: 1.5 }, 'total_steps', /a whole number/],
        ['workflow_started', { workflow_id: agent, logs: 'x' }, 'logs', /a list/],
        ['pr_created', { pr_id: '' }, 'pr_id', /not empty/],
        ['ai_suggestion', { suggestion_id: agent, confidence: NaN }, 'confidence', /from 0 to 1/],
        ['issue_created', undefined, undefined, /must be an object/],
    ]) {
        await assert.rejects(broadcaster[`broadcast_${name}`](fields), (error) => {
            assert.ok(error instanceof EventRefused);
            assert.equal(error.field, field);
            assert.match(error.message, said);
            return true;
        });
    }
    assert.equal(publisher.stats.accepted, 0);
});

test('the fields are those of the catalogue', async (t) => {
    const server = await startServer({ t });
    const { json: { components: { schemas } } } = await server.get('/openapi.json');
    const rooms = /^event_((project|agent|workflow|pr|issue|ai)\..*)$/;
    const names = Object.keys(schemas).flatMap((name) => rooms.exec(name)?.[1] ?? []);
    assert.deepEqual(Object.keys(platformFields).sort(), names.sort());
    const broadcaster = new PlatformBroadcaster(publisherFor(t, server));
    for (const name of names) {
        const { properties, required } = schemas[`event_${name}`];
        assert.deepEqual(Object.keys(platformFields[name]).sort(), Object.keys(properties).sort(), name);
        assert.deepEqual(required, Object.keys(platformFields[name]).slice(0, 1), name);
        assert.equal(typeof broadcaster[`broadcast_${name.replace('.', '_')}`], 'function');
    }
});

test('one broadcaster for the whole program', () => {
    assert.equal(getBroadcaster(), getBroadcaster());
});
