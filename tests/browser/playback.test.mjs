// The past of a session: any moment of it, exactly, and played at any speed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { ms, range, startServer, waitFor } from '../integration/harness.mjs';
import { load } from '../web/load.mjs';
import { keepScreenshot, pageTest, phone } from './browser.mjs';
import { build, publishAll } from './builds.mjs';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { SessionState } = await load('store/state.ts');

const history = async (server, session) =>
    (await server.get(`/api/v1/topics/session:${session}/history?since=0&limit=10000`)).json.events;

/** What the state is after so many events: folded without the page. */
function foldOf(events) {
    const state = new SessionState();
    for (const event of events) state.fold(event);
    return JSON.parse(JSON.stringify(state.toJSON()));
}

const shown = (page) => page.evaluate(() => JSON.parse(JSON.stringify(globalThis.fanfareSession.state.toJSON())));
const position = (page) => page.evaluate(() => globalThis.fanfareSession.playback.value.position.value);
const slider = (page) => page.getByRole('slider', { name: 'Moment' });

async function seek(page, to) {
    await slider(page).fill(String(to));
}

async function opened(open, server, session, options) {
    const page = await open(`${server.url}/?session=${session}`, options);
    await page.locator('.badge[data-status]').waitFor();
    await page.getByRole('button', { name: 'Play back' }).click();
    await slider(page).waitFor();
    return page;
}

pageTest('every moment is the fold of exactly the events up to it', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'past', build({ steps: 70, broken: true }));
    const events = await history(server, 'past');
    const page = await opened(open, server, 'past');
    assert.equal(await slider(page).getAttribute('max'), String(events.length));
    for (const at of [events.length, 40, 41, 1, 0, 200, 199, events.length - 1, 120]) {
        await seek(page, at);
        assert.deepEqual(await shown(page), foldOf(events.slice(0, at)), `after ${at} events`);
        await waitFor(() => slider(page).getAttribute('aria-valuetext').then((text) => text.startsWith(`Event ${at} of ${events.length}`)), 'the slider to tell');
    }
    await page.locator('.fact', { hasText: 'Events' }).getByText('120', { exact: true }).waitFor();
    await page.locator('.run-command', { hasText: 'make -j4 all' }).waitFor();
    // The terminal has what had been printed by then, and nothing more.
    const step = ({ type, data }) => type === 'terminal_output' && data.output.match(/\[\d+\/\d+\]/)?.[0];
    await page.getByText(events.slice(0, 120).map(step).filter(Boolean).at(-1)).first().waitFor();
    assert.equal(await page.getByText(events.slice(120).map(step).find(Boolean)).count(), 0);
    await keepScreenshot(page, 'playback');
    const found = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ['violations'] })`);
    assert.deepEqual(found.violations.filter(({ impact }) => /serious|critical/.test(impact)).map(({ id, nodes }) => `${id} ${nodes[0].html}`), []);
});

pageTest('the session goes on behind its past, and is there again afterwards', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'goes-on', build({ steps: 50 }));
    const page = await opened(open, server, 'goes-on');
    await seek(page, 30);
    const before = await shown(page);
    await publishAll(server, 'goes-on', [['build_progress', { total: 7, completed: 7 }], ['run_finished', { exit_code: 1, signal: null, duration: 1, pid: 7 }]]);
    await waitFor(async () => (await page.title()).startsWith('✗'), 'the title to tell the present');
    assert.deepEqual(await shown(page), before);
    await page.getByRole('button', { name: 'Back to the present (v)' }).click();
    await page.locator('.badge[data-status=failed]').waitFor();
    assert.deepEqual(await shown(page), foldOf(await history(server, 'goes-on')));
    assert.equal(await slider(page).count(), 0);
});

pageTest('playing takes the time that it took, divided by the speed', async ({ t, open }) => {
    const server = await startServer({ t });
    const events = range(41).map((n) => ['build_progress', { total: 40, completed: n }, 300 - n]); // one each second
    events.push(['build_progress', { total: 40, completed: 40, percent: 100 }, 100]); // after a long pause
    await publishAll(server, 'speed', events);
    const page = await opened(open, server, 'speed');
    for (const [speed, seconds] of [[50, 45 / 50], [20, 45 / 20]]) {
        await page.getByRole('combobox', { name: 'Speed' }).selectOption(String(speed));
        await seek(page, 0);
        const begun = performance.now();
        await page.getByRole('button', { name: 'Play', exact: true }).click();
        await page.getByRole('button', { name: 'Play', exact: true }).waitFor({ timeout: ms(20000) });
        const took = (performance.now() - begun) / 1000;
        assert.equal(await position(page), 42);
        assert.ok(took >= seconds - 0.1 && took < seconds + ms(1200) / 1000, `${speed} ×: ${took} s instead of ${seconds} s`);
    }
});

pageTest('the keyboard plays, pauses, steps and goes from mark to mark', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'keys', [
        ['run_started', { command: 'make', cwd: '/', pid: 7, pty: false }, 60],
        ['build_progress', { total: 3, completed: 1 }, 50],
        ['error', { error_message: 'no' }, 40],
        ['build_progress', { total: 3, completed: 2 }, 30],
        ['checkpoint_update', { checkpoint_id: 'c', phase: 'build_1', tasks_completed: [], files_created: [], metadata: {} }, 20],
        ['build_progress', { total: 3, completed: 3 }, 10],
    ]);
    const page = await open(`${server.url}/?session=keys`);
    await page.locator('.play-back:enabled').waitFor();
    await page.keyboard.press('v');
    await slider(page).waitFor();
    const press = async (...keys) => {
        for (const key of keys) await page.keyboard.press(key);
        return position(page);
    };
    assert.equal(await position(page), 6);
    assert.equal(await press(','), 5);
    assert.equal(await press('['), 3);
    assert.equal(await press('['), 1);
    assert.equal(await press('[', '['), 0);
    assert.equal(await press(']', ']'), 3);
    assert.equal(await press('.'), 4);
    assert.equal(await press(']', ']'), 6);
    await press('>', '>', '>');
    assert.equal(await page.getByRole('combobox', { name: 'Speed' }).inputValue(), '10');
    await press('<');
    assert.equal(await page.getByRole('combobox', { name: 'Speed' }).inputValue(), '5');
    await press(' ');
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
    await press(' ');
    await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
    await slider(page).focus();
    await page.keyboard.press('Home');
    assert.equal(await position(page), 0);
    await page.keyboard.press('ArrowRight');
    assert.equal(await position(page), 1);
    assert.equal(await page.locator('.playback-marks rect').count(), 3);
    await page.keyboard.press('v');
    await waitFor(async () => (await slider(page).count()) === 0, 'the present');
});

pageTest('a session whose beginning is trimmed says so', async ({ t, open }) => {
    const server = await startServer({ t, config: { topics: { session: { count: 20 } } } });
    await publishAll(server, 'trimmed', range(60).map((n) => ['build_progress', { total: 60, completed: n }]));
    const page = await opened(open, server, 'trimmed');
    await page.getByText(/Events before \d+ are no longer kept/).waitFor();
});

pageTest('on a phone all of it can be reached', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'phone', build({ steps: 40 }));
    const page = await opened(open, server, 'phone', { size: phone });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= phone.width);
    for (const target of [slider(page), page.getByRole('combobox', { name: 'Speed' }), page.getByRole('button', { name: 'Play', exact: true }), page.getByRole('button', { name: 'Back to the present (v)' })]) {
        const box = await target.boundingBox();
        assert.ok(box.x >= 0 && box.x + box.width <= phone.width && box.height >= 20, JSON.stringify(box));
    }
    assert.ok((await slider(page).boundingBox()).width > 150);
    await keepScreenshot(page, 'playback-phone');
});
