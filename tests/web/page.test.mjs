// The parts of the page that need no browser: time left, order of components, what happened, messages.
import assert from 'node:assert/strict';
import { range, test } from '../integration/harness.mjs';
import { load } from './load.mjs';

const {
    secondsLeft,
    leftText,
    arrange,
    matches,
    Items,
    Story,
    SessionState,
    outcome,
    commandText,
    filterMessages,
    typeOf,
    durationText,
    elapsedText,
    agoText,
    percentText,
    bytesText,
    cut,
    byteLength,
    fits,
    Recent,
} = await load(
    'store/eta.ts',
    'store/arrange.ts',
    'store/items.ts',
    'store/story.ts',
    'store/state.ts',
    'store/messageFilter.ts',
    'store/bytes.ts',
    'store/recent.ts',
    'text/format.ts',
);

const start = Date.parse('2026-01-31T12:00:00Z');
const at = (seconds, percent) => ({ time: start + seconds * 1000, percent });

// ---- The time left ----

test('an even pace gives the time left', () => {
    const samples = range(11).map((i) => at(i * 6, i * 5)); // 50 % after a minute
    assert.ok(Math.abs(secondsLeft(samples, start + 60_000) - 60) < 1);
    assert.ok(secondsLeft(samples, start + 63_000) < 60, 'it counts down between two steps');
});

test('a build that gets slower takes longer than its average says', () => {
    const fast = range(11).map((i) => at(i, i * 5)); // 50 % in 10 s
    const slow = range(20).map((i) => at(10 + (i + 1) * 5, 50 + i + 1)); // then 1 % in 5 s
    const left = secondsLeft([...fast, ...slow], start + 110_000);
    assert.ok(left > 55 && left < 160, `${left} s`);
});

test('the time left is not told when it is not known', () => {
    assert.equal(secondsLeft([], start), null);
    assert.equal(secondsLeft([at(0, 0), at(5, 50)], start + 5000), null, 'two steps');
    assert.equal(secondsLeft([at(0, 0), at(0.5, 10), at(1, 20)], start + 1000), null, 'a second');
    assert.equal(secondsLeft([at(0, 0), at(30, 0.4), at(60, 0.9)], start + 60_000), null, 'hardly any progress');
    const samples = range(11).map((i) => at(i * 2, i * 5));
    assert.equal(secondsLeft(samples, start + 120_000), null, 'nothing has moved for long');
    assert.equal(secondsLeft([...samples, at(21, 100)], start + 21_000), null, 'it is done');
    assert.equal(secondsLeft([at(0, 0), at(40000, 1), at(80000, 2.1)], start + 80_000_000), null, 'days');
});

test('samples at the same time, and progress that falls a little, give no nonsense', () => {
    const samples = [at(0, 0), at(0, 5), at(0, 9), at(5, 20), at(6, 18), at(10, 30), at(10, 31)];
    const left = secondsLeft(samples, start + 10_000);
    assert.ok(left > 5 && left < 120, `${left} s`);
});

test('the time left in words gets coarser', () => {
    assert.deepEqual([3, 31, 59, 61, 95, 119, 700, 3500, 5000].map(leftText), [
        'a few seconds left',
        'about 35 s left',
        'about 60 s left',
        'about 1 min 10 s left',
        'about 1 min 40 s left',
        'about 2 min left',
        'about 12 min left',
        'about 58 min left',
        'about 1 h 25 min left',
    ]);
});

// ---- Components in order ----

function items(...all) {
    const list = new Items();
    all.forEach(([id, status, progress], i) =>
        list.update(id, { status, progress }, `2026-01-31T12:00:${String(i).padStart(2, '0')}Z`),
    );
    return list;
}
const some = items(
    ['zeta', 'completed', 100],
    ['auth-10', 'in_progress', 40],
    ['auth-9', 'pending', 0],
    ['db', 'failed', 70],
    ['odd', 'blocked', 10],
    ['alpha', 'completed', 100],
);
const names = (rows) => rows.map((row) => ('heading' in row ? `= ${row.heading} ${row.count}` : row.item.id));
const everything = { search: '', status: null, order: 'status' };

test('failures come first, then what goes on; what was done last stands above what was done before', () => {
    assert.deepEqual(names(arrange(some, everything)), [
        '= failed 1',
        'db',
        '= in_progress 1',
        'auth-10',
        '= other 1',
        'odd',
        '= pending 1',
        'auth-9',
        '= completed 2',
        'alpha',
        'zeta',
    ]);
});

test('other orders and filters', () => {
    assert.deepEqual(names(arrange(some, { ...everything, order: 'name' })), [
        'alpha',
        'auth-9',
        'auth-10',
        'db',
        'odd',
        'zeta',
    ]);
    assert.deepEqual(names(arrange(some, { ...everything, order: 'arrival', search: 'AU 1' })), ['auth-10']);
    assert.deepEqual(names(arrange(some, { ...everything, order: 'recent' }))[0], 'alpha');
    assert.deepEqual(names(arrange(some, { ...everything, order: 'progress', status: 'completed' })), [
        'zeta',
        'alpha',
    ]);
    assert.deepEqual(names(arrange(some, { ...everything, status: 'other' })), ['= other 1', 'odd']);
    assert.ok(matches('harbour/Main build_1', 'main 1'));
});

test('five thousand components are arranged in a few milliseconds', () => {
    const many = items(
        ...range(5000).map((i) => [
            `component_${i}`,
            ['pending', 'in_progress', 'completed', 'failed'][i % 4],
            i % 100,
        ]),
    );
    const begun = performance.now();
    for (const order of ['status', 'name', 'progress', 'recent']) arrange(many, { ...everything, order });
    assert.ok(performance.now() - begun < 600);
});

test('what is seen from its beginning has a duration, and nothing else has', () => {
    const list = new Items();
    const update = (id, status, second) => list.update(id, { status }, `2026-01-31T12:00:${second}Z`);
    list.load({ joined: { status: 'in_progress', progress: 10, updated: '2026-01-31T11:00:00Z' } });
    update('seen', 'in_progress', '01');
    update('seen', 'in_progress', '05');
    update('seen', 'completed', '09');
    update('joined', 'completed', '10');
    update('again', 'in_progress', '11');
    update('again', 'failed', '12');
    update('again', 'in_progress', '20');
    assert.deepEqual(
        ['seen', 'joined', 'again'].map((id) => list.byId.get(id).took),
        [8000, null, null],
    );
    update('again', 'completed', '21');
    assert.equal(list.byId.get('again').took, 1000);
    assert.deepEqual(names(arrange(list, { ...everything, order: 'slowest' })), ['seen', 'again', 'joined']);
});

// ---- What happened ----

function told(...events) {
    const state = new SessionState();
    const story = new Story();
    events.forEach(([type, data], i) => {
        const event = { type, data, offset: i + 1, time: new Date(start + i * 1000).toISOString() };
        state.fold(event);
        story.fold(event, state);
    });
    return story;
}

test('runs begin, end, and say how', () => {
    const { runs, began } = told(
        ['run_started', { command: ['make', '-j4', "it's"], cwd: '/w', pid: 7 }],
        ['terminal_output', { output: 'x' }],
        ['run_finished', { exit_code: 2, signal: null, duration: 1.5 }],
        ['run_started', { command: 'ninja' }],
        ['run_finished', { exit_code: null, signal: 'SIGKILL' }],
    );
    assert.deepEqual(
        runs.map((run) => [run.command, outcome(run), run.duration]),
        [
            ["make -j4 'it'\\''s'", 'exit 2', 1.5],
            ['ninja', 'ended by SIGKILL', 1],
        ],
    );
    assert.equal(began, start + 3000);
    assert.equal(commandText(undefined), '');
});

test('an end without a beginning is a run, too', () => {
    const { runs } = told(['run_finished', { exit_code: 0, signal: null, duration: 20 }]);
    assert.deepEqual([runs[0].started, outcome(runs[0])], [start - 20_000, 'exit 0']);
    const named = told(['run_finished', { exit_code: 2, signal: null, duration: 20, pid: 7, command: 'make -j4', cwd: '/w' }]);
    const [{ command, cwd, pid }] = named.runs;
    assert.deepEqual([command, cwd, pid, named.entries.at(-1).title], ['make -j4', '/w', 7, 'make -j4']);
});

test('phases are marked where they begin, and progress that falls begins another build', () => {
    const progress = (percent) => ['build_progress', { total: 100, completed: percent, percent }];
    const checkpoint = (id, phase) => [
        'checkpoint_update',
        { checkpoint_id: id, phase, tasks_completed: ['a'], files_created: [] },
    ];
    const story = told(
        progress(0),
        checkpoint('1', 'build_1'),
        checkpoint('2', 'build_1'),
        progress(50),
        checkpoint('3', 'build_2'),
        progress(100),
        progress(2),
        progress(4),
    );
    assert.deepEqual(
        story.entries.map((entry) => entry.phase),
        ['build_1', undefined, 'build_2'],
    );
    assert.equal(story.began, start + 6000);
    assert.deepEqual(
        story.samples.map((sample) => sample.percent),
        [2, 4],
    );
});

test('a build whose components go back one by one is a new one, and old errors are not its own', () => {
    const update = (n, percent) => [
        'component_update',
        { component_id: `c${n}`, status: percent ? 'completed' : 'pending', progress: percent },
    ];
    const all = range(10);
    const story = told(
        ...all.map((n) => update(n, 100)),
        ['error', { error_message: 'of the first build' }],
        ...all.map((n) => update(n, 0)),
        ['error', { error_message: 'of the second' }],
        update(0, 100),
        update(1, 100),
    );
    assert.deepEqual(
        story.currentErrors.map(({ message }) => message),
        ['of the second'],
    );
    assert.equal(story.errors.length, 2);
    assert.deepEqual(
        story.samples.map(({ percent }) => percent),
        [0, 10, 20],
    );
});

test('the timeline and the samples are bounded', () => {
    const story = told(...range(30_000).map((i) => ['file_change', { file_path: `f${i}`, change_type: 'created' }]));
    assert.ok(story.entries.length <= 22_000);
    assert.equal(story.entries.length + story.dropped, 30_000);
    assert.equal(story.entries.at(-1).title, 'f29999');
    const moved = told(...range(9000).map((i) => ['build_progress', { total: 9000, completed: i, percent: i / 90 }]));
    assert.ok(moved.samples.length <= 2000);
    assert.ok(Math.abs(moved.samples.at(-1).percent - 99.9) < 0.2);
});

// ---- Messages ----

test('messages are filtered by direction, type and text, newest first', () => {
    const messages = [
        '{"type":"ping"}',
        '{"type":"pong","n":1}',
        '{"type":"component_update","component_id":"Auth"}',
    ].map((text, i) => ({ number: i + 1, direction: i ? 'in' : 'out', text, type: typeOf(text), time: start }));
    const numbers = (filter) =>
        filterMessages(messages, { search: '', direction: 'both', type: '', ...filter }).map(
            (message) => message.number,
        );
    assert.deepEqual(numbers({}), [3, 2, 1]);
    assert.deepEqual(numbers({ direction: 'out' }), [1]);
    assert.deepEqual(numbers({ search: 'auth' }), [3]);
    assert.deepEqual(numbers({ type: 'pong' }), [2]);
    assert.equal(typeOf('{"x":1,"type":"late"}'), 'late');
    assert.equal(typeOf('not json'), 'text');
});

test('the newest events are kept, in bounds, and found by offset', () => {
    const recent = new Recent();
    recent.clear(10);
    for (const i of range(20_000)) recent.push({ type: 't', time: '', data: {}, offset: 11 + i });
    assert.equal(recent.after(10), null, 'the oldest are gone');
    assert.equal(recent.after(20_000).length, 10);
    assert.deepEqual(recent.after(20_010), []);
});

// ---- Words and sizes ----

test('times, sizes and shares in words', () => {
    assert.deepEqual([350, 4250, 65_000, 3_725_000, 90_000_000].map(durationText), [
        '350 ms',
        '4.2 s',
        '1 m 05 s',
        '1 h 02 m',
        '1 d 1 h',
    ]);
    assert.equal(elapsedText(-5), '0 s');
    assert.deepEqual([500, 12_000, 200_000, 7_300_000, 200_000_000].map(agoText), [
        'now',
        '12 s ago',
        '3 min ago',
        '2 h ago',
        '2 d ago',
    ]);
    assert.deepEqual(
        [0, 45, 45.52, 99.97, 100].map(percentText),
        ['0 %', '45 %', '45.5 %', '99.9 %', '100 %'],
    );
    assert.deepEqual([10, 2048, 5_000_000].map(bytesText), ['10 B', '2.0 KiB', '4.8 MiB']);
});

test('sizes are bytes of UTF-8, and cutting keeps code points whole', () => {
    for (const text of ['abc', 'ünï', '€', '𝄞x']) assert.equal(byteLength(text), Buffer.byteLength(text));
    assert.equal(cut('ab€', 4), 'ab…');
    assert.equal(cut('𝄞𝄞', 7), '𝄞…');
    assert.ok(fits('€', 3) && !fits('€', 2));
});
