// What the page knows of rooms, without a browser: logs in bounds, rates, who is where, lines of events.
import assert from 'node:assert/strict';
import { range, test } from '../integration/harness.mjs';
import { load } from './load.mjs';

const {
    RoomLog, roomEvent, filterEvents, RateMeter, RoomNow, summaryOf, familyOf, toneOfEvent, visibleName, goesOn, outlookWord,
    shownPercentage, typeOf, rateText,
} = await load(
    'store/roomLog.ts', 'store/rate.ts', 'store/roomNow.ts', 'text/summary.ts', 'text/names.ts', 'store/outlook.ts',
    'store/messageFilter.ts', 'text/format.ts',
);

const event = (number, type = 'step', data = { n: number }, more = {}) =>
    roomEvent({ type, time: '2026-01-31T12:00:00.000Z', data, offset: number, ...more }, number);
const numbers = (events) => events.map((each) => each.number);

test('a log keeps the newest events, and says how many it let go', () => {
    const log = new RoomLog();
    for (const n of range(7000)) log.push(event(n));
    assert.equal(log.dropped + log.all.length, 7000);
    assert.ok(log.all.length >= 5000 && log.all.length <= 6000, `${log.all.length}`);
    assert.equal(log.all.at(-1).number, 6999);
});

test('a log of large events keeps few', () => {
    const log = new RoomLog();
    for (const n of range(60)) log.push(roomEvent({ type: 'large', time: '', data: {} }, n, 1024 * 1024));
    assert.ok(log.all.length < 20, `${log.all.length}`);
    assert.equal(log.dropped + log.all.length, 60);
});

test('a log held still does not move, and counts what comes', () => {
    const log = new RoomLog();
    log.push(event(1));
    log.pause();
    log.push(event(2));
    log.putBefore([event(-1)]);
    assert.deepEqual(numbers(log.shown), [-1, 1]);
    assert.equal(log.held, 1);
    log.goOn();
    assert.deepEqual(numbers(log.shown), [-1, 1, 2]);
    log.clear();
    assert.deepEqual(log.shown, []);
    assert.equal(log.dropped, 3);
});

test('events are found by type and by words anywhere in them', () => {
    const events = [event(1, 'pr.created', { title: 'Fix the Login' }), event(2, 'pr.closed', { title: 'Fix it' }), event(3, 'note', {})];
    assert.deepEqual(numbers(filterEvents(events, { search: '', type: '' })), [3, 2, 1]);
    assert.deepEqual(numbers(filterEvents(events, { search: 'login fix', type: '' })), [1]);
    assert.deepEqual(numbers(filterEvents(events, { search: 'pr.', type: 'pr.closed' })), [2]);
});

test('what an event lacks is null, whatever was published', () => {
    const bare = roomEvent({ type: 7, time: null, data: [1] }, 1);
    assert.deepEqual({ ...bare, time: null }, { number: 1, type: '', time: null, source: null, data: {}, offset: null, id: null, size: 3 });
});

test('a rate counts seconds, forgets old ones, and stands when nothing comes', () => {
    const meter = new RateMeter(10);
    for (const n of range(30)) meter.count(1_000_000 + n * 100); // three seconds
    assert.deepEqual([...meter.bars(1_002_999)].slice(-4), [0, 10, 10, 10]);
    assert.equal(meter.perSecond(1_003_000, 3), 10);
    assert.equal(meter.bars(1_003_000).length, 10);
    assert.equal(meter.perSecond(1_008_000, 3), 0);
    assert.ok(meter.bars(2_000_000).every((each) => each === 0));
    meter.count(1_999_000); // a clock that went back
    assert.equal(meter.bars(2_000_000).at(-1), 1);
});

test('workflows and agents are what their last events say', () => {
    const now = new RoomNow();
    now.fold(event(5, 'workflow.progress', { workflow_id: 'w', status: 'running', progress: 40, current_step: 'Step 2', total_steps: 5 }));
    now.fold(event(6, 'workflow.completed', { workflow_id: 'w' }));
    assert.deepEqual({ ...now.workflows.get('w'), time: 0 }, { id: 'w', status: 'completed', progress: 100, step: 'Step 2', total: 5, time: 0 });
    now.fold(event(7, 'agent.disconnected', { agent_id: 'a', agent_name: 'GPT-4' }));
    assert.equal(now.agents.get('a').status, 'offline');
    now.foldBefore([
        event(1, 'agent.status_changed', { agent_id: 'a', status: 'busy' }),
        event(2, 'agent.connected', { agent_id: 'b' }),
        event(3, 'project.updated', { project_name: 'P' }),
        event(4, 'workflow.started', { workflow_id: 7 }),
    ]);
    assert.equal(now.agents.get('a').status, 'offline', 'what is older does not take the place of what is newer');
    assert.equal(now.agents.get('b').name, 'b');
    assert.equal(now.name, 'P');
    assert.equal(now.workflows.size, 1);
    for (const n of range(200)) now.fold(event(n, 'agent.connected', { agent_id: `x${n}` }));
    assert.equal(now.agents.size, 50);
    assert.ok(now.agents.has('x199'));
});

test('an event in a line', () => {
    assert.equal(
        summaryOf('workflow.progress', { workflow_id: 'a3b1c2d4-0000-4000-8000-000000000001', status: 'running', progress: 50, current_step: 'Step 2', total_steps: 5 }),
        'Step 2 of 5 · running · 50 % · workflow a3b1c2d4',
    );
    assert.equal(summaryOf('ai.suggestion', { severity: 'info', title: 'Simplify', confidence: 0.92 }), 'info · Simplify · 92 %');
    assert.equal(summaryOf('project.updated', { project_name: 'P', changes: { status: 'on', fields: [1] }, updated_by: 'ada' }), 'P · status: on, fields · by ada');
    assert.equal(summaryOf('made.up', { a: 1, b: 'two\nlines', c: { d: null } }), 'a: 1 · b: two lines · c: {"d":null}');
    assert.equal(summaryOf('pr.created', { title: 7 }), 'title: 7', 'what is not as it should be is shown as it is');
    assert.equal(summaryOf('constructor', {}), '');
    assert.equal(summaryOf('made.up', { a: 'x'.repeat(10_000) }).length, 300);
    assert.equal(familyOf('issue.closed'), 'issue');
    assert.equal(familyOf('constructor'), 'other');
    assert.equal(toneOfEvent('workflow.failed', {}), 'bad');
    assert.equal(toneOfEvent('ai.suggestion', { severity: 'warning' }), 'warn');
});

test('names that would not show are written out', () => {
    assert.equal(visibleName('plain name'), 'plain name');
    assert.equal(visibleName('\u{1f469}\u200d\u{1f4bb}'), '\u{1f469}\u200d\u{1f4bb}');
    assert.equal(visibleName('   '), '“   ”');
    assert.equal(visibleName(''), '“”');
    assert.equal(visibleName('a\u200bb'), '“a\\u{200b}b”');
    assert.equal(visibleName('two  spaces'), '“two  spaces”');
});

test('failing is what has failed and goes on', () => {
    const outlook = (status, run, inProgress = 0) => ({ status, run, inProgress, percentage: 40 });
    assert.equal(outlookWord(outlook('failed', 'running')), 'Failing');
    assert.equal(outlookWord(outlook('failed', null, 1)), 'Failing');
    assert.equal(outlookWord(outlook('failed', 'failed', 1)), 'Failed');
    assert.equal(outlookWord(outlook('in_progress', null)), 'Running');
    assert.equal(goesOn(outlook('completed', 'succeeded')), false);
    assert.equal(shownPercentage(outlook('completed', 'succeeded')), 100);
    assert.equal(shownPercentage(outlook('failed', 'failed')), 40);
});

test('the type of a raw message is found behind its topic', () => {
    assert.equal(typeOf('{"topic":"project:x","type":"a.b","data":{}}'), 'a.b');
    assert.equal(typeOf('{"type":"pong"}'), 'pong');
});

test('rates in a few letters', () => {
    assert.deepEqual([0, 0.04, 0.44, 9.94, 9.96, 1234.5].map(rateText), ['0', '0', '0.4', '9.9', '10', '1,235']);
});
