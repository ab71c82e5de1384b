// The page folds events exactly as the server does: compared after random ones, and after a reload.
import assert from 'node:assert/strict';
import { range, startServer, test, uniqueName } from '../integration/harness.mjs';
import { load } from './load.mjs';

const { SessionState } = await load('store/state.ts');

/** The server's state without what the page keeps elsewhere. */
async function serverState(server, session) {
    const { json } = await server.get(`/api/build/status/${encodeURIComponent(session)}`);
    const { session_id, terminal_tail, connections, offset, executions, chat, files, updates, ...state } = json;
    return state;
}

async function history(server, session) {
    const events = [];
    for (;;) {
        const since = events.at(-1)?.offset ?? 0;
        const { json } = await server.get(
            `/api/v1/topics/${encodeURIComponent(`session:${session}`)}/history?since=${since}&limit=10000`,
        );
        if (json.events.length === 0) return events;
        events.push(...json.events);
    }
}

/** Repeatable random numbers. */
function generator(seed) {
    return () => {
        seed = (seed * 1664525 + 1013904223) >>> 0;
        return seed / 2 ** 32;
    };
}

function randomEvent(random) {
    const pick = (...of) => of[Math.floor(random() * of.length)];
    const maybe = (name, value) => (random() < 0.6 ? { [name]: value } : {});
    const progress = pick(0, 12.3456789, 33.333333333, 50, 66.7, 99.95, 100, null);
    const status = pick(
        'pending',
        'in_progress',
        'in_progress',
        'completed',
        'completed',
        'failed',
        'blocked',
        'ü'.repeat(60),
    );
    const metadata = pick({}, { a: 1, b: [1, 'x'] }, null, { big: 'y'.repeat(17000) });
    const id = pick('auth', 'database', '17', 'ü/ø', 'x'.repeat(600), '__proto__');
    switch (Math.floor(random() * 9)) {
        case 0:
        case 1:
        case 2:
            return [
                'component_update',
                { component_id: id, status, ...maybe('progress', progress), ...maybe('metadata', metadata) },
            ];
        case 3:
            return ['feature_update', { feature_id: id, status, ...maybe('progress', progress) }];
        case 4:
            return [
                'build_progress',
                { total: pick(0, 10, 96), completed: 0, ...maybe('percent', pick(0, 12.34, 100)) },
            ];
        case 5:
            return [
                'checkpoint_update',
                {
                    checkpoint_id: pick('c1', 'c2', 'z'.repeat(600)),
                    ...maybe('phase', pick('build_1', 'planning', null, 'é'.repeat(700))),
                    ...maybe(
                        'tasks_completed',
                        pick(
                            [],
                            ['a', 'b'],
                            range(9000).map((i) => `task ${i}`),
                        ),
                    ),
                    ...maybe('files_created', ['x.c']),
                    ...maybe('metadata', metadata),
                },
            ];
        case 6:
            return [
                'error',
                {
                    error_message: pick('undefined reference', '€'.repeat(3000)),
                    ...maybe('error_type', 'link'),
                    ...maybe('traceback', pick(null, '𝄞'.repeat(5000))),
                },
            ];
        case 7:
            return pick(
                ['run_started', { command: ['make'] }],
                ['run_finished', { exit_code: pick(0, 2, null), signal: pick(null, 'SIGKILL', 9), duration: 1.5 }],
            );
        default:
            return pick(['terminal_output', { output: 'x\n' }], ['lint.done', { n: 1 }]);
    }
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`random events fold as in the server (seed ${seed})`, async (t) => {
        const server = await startServer({ t });
        const session = uniqueName('fold');
        const random = generator(seed * 7919);
        const lines = range(60 + seed * 90).map(() => {
            const [type, data] = randomEvent(random);
            return JSON.stringify({ topic: `session:${session}`, type, data });
        });
        const answer = await server.post('/api/v1/publish', lines.join('\n'), {
            'Content-Type': 'application/x-ndjson',
        });
        assert.equal(JSON.parse(answer.text.trim().split('\n').at(-1)).failed, 0, answer.text.slice(0, 300));
        const events = await history(server, session);
        const whole = new SessionState();
        for (const event of events) whole.fold(event);
        const expected = await serverState(server, session);
        assert.deepEqual(JSON.parse(JSON.stringify(whole)), expected);
    });
}

test('a picture and the events after it are as good as all events', async (t) => {
    const server = await startServer({ t });
    for (const seed of range(12)) {
        const session = uniqueName('late');
        const random = generator(seed * 104729 + 5);
        let joined;
        for (const n of range(50)) {
            const [type, data] = randomEvent(random);
            await server.publish({ topic: `session:${session}`, type, data });
            if (n === 30) joined = (await server.get(`/api/build/status/${session}`)).json;
        }
        const state = SessionState.load(joined);
        for (const event of (await history(server, session)).slice(31)) state.fold(event);
        assert.deepEqual(JSON.parse(JSON.stringify(state)), await serverState(server, session), `seed ${seed}`);
    }
});

test('more components than are kept: the least recently changed go', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName('many');
    const update = (n) =>
        JSON.stringify({
            topic: `session:${session}`,
            type: 'component_update',
            data: { component_id: `c${n}`, status: 'in_progress', progress: n % 100 },
        });
    const lines = [...range(10000), 3, ...range(500).map((n) => n + 20000)].map(update);
    await server.post('/api/v1/publish', lines.join('\n'), { 'Content-Type': 'application/x-ndjson' });
    const state = new SessionState();
    for (const event of await history(server, session)) state.fold(event);
    const expected = await serverState(server, session);
    assert.equal(expected.component_stats.total, 10000);
    assert.ok(expected.components.c3);
    assert.deepEqual(JSON.parse(JSON.stringify(state)), expected);
});

test('ephemeral events change no state', () => {
    const state = new SessionState();
    state.fold({
        type: 'component_update',
        time: '2026-01-31T12:00:00.123Z',
        data: { component_id: 'a', status: 'failed' },
    });
    assert.equal(state.status, 'pending');
    assert.equal(state.started, null);
});
