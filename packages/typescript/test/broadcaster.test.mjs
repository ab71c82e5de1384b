// The channels of a code editor.
import assert from 'node:assert/strict';
import { ms, startServer, test } from '../../../tests/integration/harness.mjs';
import { EventBroadcaster, Publisher } from '../dist/index.js';

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function last(server, channel) {
    const { json } = await server.get(`/api/v1/topics/channel:${channel}/history?since=0`);
    const { type, data } = json.events.at(-1);
    assert.match(data.timestamp, timestamp);
    delete data.timestamp;
    return [type, data];
}

test('every method publishes to its channel', async (t) => {
    const server = await startServer({ t });
    const publisher = new Publisher({ url: server.url, confirmTimeout: ms(8000) });
    t.after(() => publisher.close());
    const broadcaster = new EventBroadcaster(publisher);
    const diagnostic = { file: 'a.ts', line: 1, column: 2, message: 'no', severity: 'error', source: 'tsc' };
    const result = { file: 'a.ts', line: 3, column: 4, match: 'x', context: 'let x' };
    const validation = { type: 'lint', passed: false, errors: [{ file: 'a.ts', line: 5, column: 6, message: 'no', rule: 'r' }] };
    const status = { branch: 'main', ahead: 1, behind: 0, staged: [], modified: ['a.ts'], untracked: [], deleted: [] };
    for (const [call, channel, data] of [
        [() => broadcaster.fileChanged('src/main.ts', 'change'), 'files', { file: 'src/main.ts', event: 'change' }],
        [() => broadcaster.diagnosticsUpdated([diagnostic]), 'diagnostics', { diagnostics: [diagnostic], cleared: false }],
        [() => broadcaster.diagnosticsUpdated([]), 'diagnostics', { diagnostics: [], cleared: true }],
        [() => broadcaster.aiChunk('r1', 'Hel', 0, false), 'ai-response', { id: 'r1', chunk: 'Hel', index: 0, finished: false }],
        [() => broadcaster.searchProgress('x', 1, 3, [result]), 'search', { query: 'x', completed: 1, total: 3, results: [result] }],
        [() => broadcaster.searchProgress('x', 1), 'search', { query: 'x', completed: 1, total: null, results: [] }],
        [() => broadcaster.validationComplete(validation), 'validation', { validation }],
        [() => broadcaster.gitEvent('commit', 'a message'), 'git', { type: 'commit', message: 'a message' }],
        [() => broadcaster.gitEvent('status', 'changed', status), 'git', { type: 'status', message: 'changed', status }],
        [() => broadcaster.custom('deploys', { to: 'staging' }), 'deploys', { to: 'staging' }],
    ]) {
        assert.equal((await call()).topic, `channel:${channel}`);
        assert.deepEqual(await last(server, channel), ['event', data]);
    }
});

test('it is made of a URL, of options, of the environment', async (t) => {
    const server = await startServer({ t });
    process.env.FANFARE_URL = server.url;
    t.after(() => delete process.env.FANFARE_URL);
    for (const target of [server.url, { url: server.url, source: 'me' }, undefined]) {
        const broadcaster = new EventBroadcaster(target);
        t.after(() => broadcaster.target.close());
        assert.ok(await broadcaster.fileChanged('a', 'add'));
    }
});

test('a manager of the program’s own gets what it got before', () => {
    const calls = [];
    const broadcaster = new EventBroadcaster({ broadcast: (...call) => calls.push(call) });
    assert.equal(broadcaster.fileChanged('test.ts', 'unlink'), 1);
    const [[channel, { timestamp: time, ...data }]] = calls;
    assert.deepEqual([channel, data], ['files', { file: 'test.ts', event: 'unlink' }]);
    assert.match(time, timestamp);
});
