// An agent platform at work: rooms, people in them, and what happens there, for the tests of the page.
import { io } from 'socket.io-client';
import { range, within } from '../integration/harness.mjs';
import { bearer, mint } from '../integration/tokens.mjs';

export const project = '550e8400-e29b-41d4-a716-446655440000';
const agents = ['6f1c2e34-0000-4000-8000-000000000001', '6f1c2e34-0000-4000-8000-000000000002'];
const workflows = range(3).map((n) => `a3b1c2d4-0000-4000-8000-00000000000${n}`);

export const admin = () => bearer(mint({ sub: 'platform', role: 'admin' }));

/** Publishes [topics, type, data, seconds ago] one after the other. */
export async function publishTo(server, events) {
    const now = Date.now();
    const lines = events.map(([topics, type, data, ago = 0]) =>
        JSON.stringify({ topics: [topics].flat(), type, data, source: 'platform', time: new Date(now - ago * 1000).toISOString() }),
    );
    const answer = await server.post('/api/v1/publish', lines.join('\n'), { 'Content-Type': 'application/x-ndjson', ...admin() });
    const { failed } = JSON.parse(answer.text.trim().split('\n').at(-1));
    if (answer.status !== 200 || failed) throw new Error(`publishing failed: ${answer.status} ${answer.text.slice(0, 500)}`);
}

/** A Socket.IO client in these rooms, until the test ends. */
export async function join(t, server, user, rooms) {
    const socket = io(`${server.url}/ws`, {
        transports: ['websocket'],
        forceNew: true,
        reconnection: false,
        auth: user ? { token: mint({ sub: user }) } : {},
    });
    t.after(() => socket.disconnect());
    await within(new Promise((resolve, reject) => socket.on('connect', resolve).on('connect_error', reject)), 'Socket.IO');
    for (const room of rooms) await within(socket.emitWithAck('subscribe', { room }), `subscribing to ${room}`);
    return socket;
}

const workflow = (n, status, progress, step) => ({
    workflow_id: workflows[n], project_id: project, status, progress, current_step: step, total_steps: 5,
});

/** Rooms of all kinds with some history, and five people in them. */
export async function platform(t, server) {
    const room = `project:${project}`;
    const status = (n, name, state, availability) => [
        [`agent:${agents[n]}`, 'global'], 'agent.status_changed', { agent_id: agents[n], agent_name: name, status: state, availability },
    ];
    await publishTo(server, [
        [[room, 'user:ada'], 'project.updated', {
            project_id: project, project_name: 'AI Agent Framework', repository_url: 'https://github.com/user/ai-agent-framework',
            status: 'active', updated_by: 'ada', changes: { status: 'updated' },
        }, 300],
        [room, 'workflow.started', workflow(0, 'running', 0, 'Plan'), 240],
        [room, 'workflow.completed', workflow(0, 'completed', 100, 'Release'), 200],
        [room, 'pr.created', { pr_id: '42', project_id: project, title: 'Fix the login', author: 'grace', branch: 'fix-login', status: 'open' }, 120],
        [[room, 'user:grace'], 'issue.created', { issue_id: '7', project_id: project, title: 'Login fails on Safari', status: 'open', priority: 'high', assigned_to: 'grace' }, 110],
        [...status(0, 'GPT-4', 'busy', 15), 90],
        [...status(1, 'Scout', 'online', 85), 80],
        [[room, `agent:${agents[1]}`], 'agent.status_changed', { agent_id: agents[1], agent_name: 'Scout', status: 'online', availability: 85 }, 80],
        [[room, `agent:${agents[0]}`], 'agent.status_changed', { agent_id: agents[0], agent_name: 'GPT-4', status: 'busy', availability: 15 }, 79],
        [room, 'workflow.progress', workflow(1, 'running', 50, 'Step 2'), 60],
        [room, 'workflow.failed', workflow(2, 'failed', 62, 'Run the tests'), 40],
        [room, 'ai.suggestion', {
            suggestion_id: agents[0], target_type: 'pr', target_id: project, category: 'optimization', title: 'Simplify function',
            description: 'Two loops can be one.', severity: 'warning', confidence: 0.92,
        }, 20],
        ['channel:deploys', 'deploy.started', { to: 'staging' }, 15],
        ['project:legacy', 'note', { text: 'archived' }, 5000],
        ['session:web', 'build_progress', { total: 10, completed: 3 }, 30],
    ]);
    await join(t, server, 'ada', [room, `agent:${agents[0]}`]);
    await join(t, server, 'ada', [room]);
    await join(t, server, 'grace', [room, 'channel:deploys', 'session:web']);
    await join(t, server, 'linus', [`agent:${agents[1]}`]);
    await join(t, server, 'margaret', ['channel:deploys', 'project:legacy']);
    return room;
}

/** Progress of the running workflow, one event for each per cent. */
export const progress = (percents) => percents.map((percent) => [`project:${project}`, 'workflow.progress', workflow(1, 'running', percent, 'Step 3')]);
