// Clients as they were written for the build monitor whose dialect the server speaks: their lines
// run here as they are, only host and port are replaced, and its messages come out as it sent them.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import WebSocket from 'ws';
import { startServer, test, waitFor, within } from './harness.mjs';

const server = await startServer();
const here = `127.0.0.1:${server.port}`;

/** Runs a client's lines; returns its `ws` and what it printed. */
function run(t, lines, session = 'session_id') {
    const printed = [];
    const code = `${lines.replaceAll('localhost:8000', here).replaceAll('session_id', session)}\nreturn ws;`;
    const ws = new Function('WebSocket', 'console', code)(WebSocket, { log: (...words) => printed.push(words) });
    t.after(() => ws.terminate());
    return { ws, printed, received: () => printed.map(([, data]) => data) };
}

const connecting = `
const ws = new WebSocket('ws://localhost:8000/api/build/stream/session_id');

ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    console.log('Received:', data);
};
`;

const sending = `
// Ping
ws.send(JSON.stringify({ type: 'ping' }));

// Subscribe to topics
ws.send(JSON.stringify({
    type: 'subscribe',
    topics: ['component_update', 'terminal_output']
}));
`;

// Its messages as its documents show them, session by session.
const messages = [
    { type: 'component_update', session_id: 'build_123', component_id: 'auth_service', status: 'in_progress', progress: 45.5, metadata: {} },
    { type: 'terminal_output', session_id: 'build_123', output: 'Building...\n', output_type: 'stdout', source: 'builder' },
    { type: 'build_progress', session_id: 'build_123', total: 10, completed: 7, percent: 70.0 },
    {
        type: 'checkpoint_update', session_id: 'build_123', checkpoint_id: 'checkpoint_123', phase: 'build_phase_1',
        tasks_completed: ['task1', 'task2'], files_created: ['file1.py'],
    },
    { type: 'component_update', session_id: 'session_123', component_id: 'auth_service', status: 'in_progress', progress: 45.5 },
    {
        type: 'checkpoint_update', session_id: 'session_123', checkpoint_id: 'checkpoint_123', phase: 'build_phase_1',
        tasks_completed: ['task1'], files_created: ['file1.py'],
    },
    { type: 'terminal_output', session_id: 'session_123', output: 'Building component...\n', output_type: 'stdout' },
];

const publish = ({ type, session_id: session, ...data }) => server.publish({ topic: `session:${session}`, type, data });

test('connecting: the first message is the greeting', async (t) => {
    const { printed, received } = run(t, connecting, 'session_123');
    await waitFor(() => printed.length === 1, 'the greeting');
    assert.equal(printed[0][0], 'Received:');
    const [{ type, status, session_id: session }] = received();
    assert.deepEqual({ type, status, session_id: session },
        { type: 'connection', status: 'connected', session_id: 'session_123' });
});

test('its own test page\'s way: messages may be sent as soon as it is open', async (t) => {
    const { printed, received } = run(t, `${connecting}\nws.onopen = () => {${sending}};`, 'quick');
    await waitFor(() => printed.length >= 3, 'the answers');
    const [, pong, subscribed] = received();
    assert.equal(pong.type, 'pong');
    assert.match(pong.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(subscribed.type, 'subscribed');
    assert.deepEqual(subscribed.topics, ['component_update', 'terminal_output']);
    for (const message of messages) await publish({ ...message, session_id: 'quick' });
    await publish({ type: 'error', session_id: 'quick', error_message: 'the end', error_type: 'test' });
    await waitFor(() => received().at(-1).type === 'error', 'the last event');
    assert.deepEqual(received().slice(3).map(({ type }) => type),
        ['component_update', 'terminal_output', 'component_update', 'terminal_output', 'error']);
});

for (const message of messages) {
    test(`${message.type} of ${message.session_id} is what the monitor sent`, async (t) => {
        const { printed, received } = run(t, connecting, message.session_id);
        await waitFor(() => printed.length === 1);
        await publish(message);
        await waitFor(() => printed.length === 2, 'the event');
        const { timestamp, offset, ...rest } = received()[1];
        assert.deepEqual(rest, message, 'the same fields, and only timestamp and offset beside them');
        assert.match(timestamp, /Z$/);
        assert.ok(offset >= 1);
    });
}

test('curl -X POST /demo/send-update sends something to who is connected', async (t) => {
    const { printed, received } = run(t, connecting, 'watched_by_page');
    await waitFor(() => printed.length === 1);
    const { stdout } = await within(new Promise((resolve, reject) => {
        execFile('curl', ['-sS', '-X', 'POST', `http://${here}/demo/send-update`],
            (error, out, err) => (error ? reject(error) : resolve({ stdout: out, stderr: err })));
    }), 'curl');
    assert.equal(JSON.parse(stdout).status, 'sent');
    await waitFor(() => printed.length >= 8, 'the demo updates');
    assert.deepEqual(new Set(received().slice(1).map(({ type }) => type)), new Set([
        'component_update', 'feature_update', 'terminal_output', 'checkpoint_update', 'build_progress', 'file_change', 'error',
    ]));
});

test('a line-oriented WebSocket tool sees one JSON text a message', async (t) => {
    const script = `
        import WebSocket from ${JSON.stringify(import.meta.resolve('ws'))};
        const socket = new WebSocket('ws://${here}/api/build/stream/session_123');
        socket.on('message', (data, isBinary) => console.log(isBinary ? 'BINARY' : data.toString()));
        process.stdin.on('data', (line) => socket.send(line.toString().trimEnd()));`;
    const tool = spawn(process.execPath, ['--input-type=module', '-e', script]);
    t.after(() => tool.kill('SIGKILL'));
    let output = '';
    tool.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    await waitFor(() => output.includes('\n'), 'the greeting');
    tool.stdin.write('{"type": "ping"}\n');
    await waitFor(() => output.split('\n').length > 2, 'the pong');
    assert.deepEqual(output.trimEnd().split('\n').map((line) => JSON.parse(line).type), ['connection', 'pong']);
});

test('the pages that the guide opens are there', async () => {
    for (const page of ['/', '/docs', '/examples/websocket_client.html']) {
        const answer = await server.get(page);
        assert.equal(answer.status, 200, page);
        assert.match(answer.headers['content-type'], /^text\/html/);
    }
});
