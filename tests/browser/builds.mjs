// What builds publish: realistic sessions for the tests of the page.
import { range } from '../integration/harness.mjs';

/** Publishes events to a session in one request, each [type, data] or [type, data, seconds ago]. */
export async function publishAll(server, session, events) {
    const now = Date.now();
    const lines = events.map(([type, data, ago]) =>
        JSON.stringify({
            topic: `session:${session}`,
            type,
            data,
            ...(ago === undefined ? {} : { time: new Date(now - ago * 1000).toISOString() }),
        }),
    );
    const answer = await server.post('/api/v1/publish', `${lines.join('\n')}\n`, {
        'Content-Type': 'application/x-ndjson',
    });
    const [summary] = answer.text.trim().split('\n').slice(-1);
    const { failed, published } = JSON.parse(summary);
    if (answer.status !== 200 || failed)
        throw new Error(`publishing failed: ${answer.status} ${answer.text.slice(0, 500)}`);
    return published;
}

const components = [
    'configuration',
    'logging',
    'database',
    'auth_service',
    'user_service',
    'payment_service',
    'notification_service',
    'rest_api',
    'websocket_gateway',
    'web_dashboard',
    'integration_tests',
    'packaging',
];
const phases = ['build_1_foundation', 'build_2_services', 'build_3_interfaces', 'build_4_delivery'];
const files = ['model', 'store', 'routes', 'validate', 'encode', 'metrics', 'errors', 'tests'];

const green = (text) => `\u001b[32m${text}\u001b[0m`;
const yellow = (text) => `\u001b[1;33m${text}\u001b[0m`;
const red = (text) => `\u001b[1;31m${text}\u001b[0m`;

/**
 * A build as make and a checkpoint writer would report it, `seconds` long and still going on after
 * `steps` of its 96 steps; with an error when `broken`.
 */
export function build({ steps = 60, seconds = 140, broken = false, command = 'make -j4 all' } = {}) {
    const events = [];
    const all = components.length * files.length;
    const ago = (step) => seconds * (1 - step / Math.max(steps, 1));
    const progress = components.map(() => 0);
    const created = [];
    events.push([
        'run_started',
        { command: command.split(' '), cwd: '/home/ada/projects/harbour', pid: 48213, cols: 120, rows: 40 },
        seconds,
    ]);
    const print = (output, step) =>
        events.push(['terminal_output', { output, output_type: 'stdout', source: 'make' }, ago(step)]);
    for (const name of components)
        events.push(['component_update', { component_id: name, status: 'pending', progress: 0 }, seconds]);
    for (const step of range(steps)) {
        const at = Math.floor(step / files.length);
        const [name, file] = [components[at], files[step % files.length]];
        const path = `src/${name}/${file}.c`;
        print(`${green(`[${step + 1}/${all}]`)} Building C object ${path}.o\r\n`, step);
        if (step % 17 === 11)
            print(
                `${path}:${40 + step}:17: ${yellow('warning:')} unused variable ‘retries’ [-Wunused-variable]\r\n   ${40 + step} |     int retries = 3;\r\n      |         ^~~~~~~\r\n`,
                step,
            );
        created.push(path);
        progress[at] = (100 * ((step % files.length) + 1)) / files.length;
        events.push([
            'component_update',
            {
                component_id: name,
                status: progress[at] === 100 ? 'completed' : 'in_progress',
                progress: progress[at],
                metadata: { step: file, objects: (step % files.length) + 1, of: files.length },
            },
            ago(step),
        ]);
        events.push(['build_progress', { total: all, completed: step + 1 }, ago(step)]);
        if (step % 5 === 4)
            events.push([
                'file_change',
                {
                    file_path: `artifacts/${name}/${file}.o`,
                    change_type: step % 10 === 9 ? 'modified' : 'created',
                    content: `object of ${path}\n`,
                },
                ago(step),
            ]);
        if (step % 8 === 7) {
            print(`\u001b[1m${name}\u001b[0m: ${20 + at * 7} tests passed\r\n`, step);
            events.push([
                'checkpoint_update',
                {
                    checkpoint_id: `checkpoint_${step}`,
                    phase: phases[Math.floor(at / 3)],
                    tasks_completed: components.slice(0, at + 1),
                    files_created: [...created],
                    metadata: { description: `${name} complete`, created_by: 'make' },
                },
                ago(step),
            ]);
            const share = (of) => of.reduce((sum, i) => sum + progress[i], 0) / of.length;
            for (const [feature, of] of [
                ['login', [3, 4, 9]],
                ['checkout', [5, 6, 7]],
                ['live_updates', [7, 8, 9]],
            ]) {
                const done = share(of);
                events.push([
                    'feature_update',
                    {
                        feature_id: feature,
                        status: done === 100 ? 'completed' : done ? 'in_progress' : 'pending',
                        progress: Math.round(done * 10) / 10,
                    },
                    ago(step),
                ]);
            }
        }
    }
    if (broken) events.push(...failure(components[Math.floor(steps / files.length)]));
    return events;
}

function failure(name) {
    const message = "undefined reference to `session_close'";
    return [
        [
            'terminal_output',
            {
                output: `/usr/bin/ld: src/${name}/routes.c.o: in function ‘handle_logout’:\r\nsrc/${name}/routes.c:118: ${red("undefined reference to `session_close'")}\r\ncollect2: ${red('error:')} ld returned 1 exit status\r\nmake: *** [Makefile:61: ${name}] Error 1\r\n`,
                output_type: 'stderr',
                source: 'make',
            },
            1,
        ],
        [
            'component_update',
            { component_id: name, status: 'failed', progress: 62.5, metadata: { step: 'link', exit_status: 1 } },
            1,
        ],
        [
            'error',
            {
                error_message: 'assertion failed: expected 3 sessions, found 2',
                error_type: 'test_failure',
                traceback: `tests/${name}/test_sessions.c:41: in test_counts_sessions\n    assert_int_equal(session_count(), 3);\nAssertionError: 3 != 2`,
            },
            1,
        ],
        [
            'error',
            {
                error_message: message,
                error_type: 'link_error',
                traceback: `src/${name}/routes.c:118: in function handle_logout\n    session_close(session);\n    ^~~~~~~~~~~~~\n/usr/bin/ld: ${message}\ncollect2: error: ld returned 1 exit status`,
            },
            0.6,
        ],
        ['run_finished', { exit_code: 2, signal: null, duration: 139.4 }, 0.4],
    ];
}

/** Several sessions in several states, as a busy server has them. */
export async function busyServer(server) {
    await publishAll(server, 'harbour/main', build({ steps: 62 }));
    await publishAll(server, 'harbour/pull-481', build({ steps: 29, seconds: 75, broken: true }));
    await publishAll(
        server,
        'harbour/pull-479',
        build({ steps: 96, seconds: 231 }).concat([
            ['run_finished', { exit_code: 0, signal: null, duration: 231.2 }, 0],
        ]),
    );
    await publishAll(server, 'nightly-fuzz', [
        ['run_started', { command: 'make fuzz' }, 3000],
        ['build_progress', { total: 3600, completed: 2980 }, 5],
    ]);
    await publishAll(server, 'docs', [
        ['build_progress', { total: 12, completed: 12 }, 4000],
        ['terminal_output', { output: 'done\n' }, 4000],
    ]);
    await publishAll(server, 'agent/refactor-billing', [
        ['checkpoint_update', { checkpoint_id: 'c1', phase: 'planning', tasks_completed: [], files_created: [] }, 90],
    ]);
}
