// What people stumbled over who saw the page for the first time.
import assert from 'node:assert/strict';
import { range, startServer, waitFor } from '../integration/harness.mjs';
import { keepScreenshot, pageTest } from './browser.mjs';
import { build, publishAll } from './builds.mjs';

const run = { command: 'make', cwd: '/', pid: 7, pty: false };

pageTest('a build that goes on after a failure is failing, in the list as on its own page', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'torn', [
        ['run_started', run],
        ['checkpoint_update', { checkpoint_id: 'c', phase: 'build_2', tasks_completed: [], files_created: [] }],
        ['component_update', { component_id: 'api', status: 'failed', progress: 40 }],
        ['component_update', { component_id: 'web', status: 'in_progress', progress: 40 }],
    ]);
    await publishAll(server, 'over', [['run_started', run], ['run_finished', { exit_code: 1, signal: null }]]);
    const page = await open(server.url);
    const row = page.getByRole('link', { name: /^torn, Failing/ });
    await row.waitFor();
    await row.getByText('Failing · build_2').waitFor();
    await row.locator('.bar.is-in_progress .bar-failed').waitFor();
    await page.getByRole('link', { name: /^over, Failed/ }).waitFor();
    assert.equal(await page.locator('.session-row').first().locator('.session-name').textContent(), 'torn', 'what goes on comes first');
    await page.getByRole('button', { name: 'Running 1' }).click();
    await waitFor(async () => (await page.locator('.session-row').count()) === 1, 'those that go on');
    await page.getByRole('button', { name: 'Failed 2' }).click();
    await waitFor(async () => (await page.locator('.session-row').count()) === 2, 'those that failed');
    await row.click();
    await page.locator('.badge[data-status=failed]').getByText('Failing').waitFor();
});

pageTest('a run that has passed is done, wherever its counting stopped', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'half', [
        ['run_started', run],
        ['build_progress', { total: 2, completed: 1, percent: 50 }],
    ]);
    const page = await open(server.url);
    const row = page.locator('[data-session=half]');
    await row.getByText('50 %').waitFor();
    await publishAll(server, 'half', [['run_finished', { exit_code: 0, signal: null, duration: 3, pid: 7 }]]);
    await row.getByText('100 %').waitFor();
    assert.equal(await row.getByRole('progressbar').getAttribute('aria-valuetext'), '100 %, Passed');
    assert.equal(await row.getByRole('progressbar').getAttribute('aria-valuenow'), '100');
    await row.click();
    await page.locator('.badge[data-status=completed]').waitFor();
    assert.equal(await page.locator('.head-percent').textContent(), '100 %');
    const bar = page.getByRole('progressbar', { name: 'Overall progress' });
    assert.equal(await bar.getAttribute('aria-valuetext'), '100 %, Passed');
    await page.getByText('1 / 2').waitFor();
});

pageTest('a name of nothing but spaces can be seen', async ({ t, open }) => {
    const server = await startServer({ t });
    const names = ['   ', ' led', 'zero\u200bwidth', 'plain name'];
    await publishAll(server, 'odd', names.map((id) => ['component_update', { component_id: id, status: 'in_progress', progress: 5 }]));
    const page = await open(`${server.url}/?session=odd`);
    for (const shown of ['“   ”', '“ led”', '“zero\\u{200b}width”', 'plain name'])
        await waitFor(async () => (await page.locator('.item-name').allTextContents()).includes(shown), shown);
    const blank = page.locator('[data-item="   "]');
    const width = await blank.locator('.item-last').evaluate((each) => each.getBoundingClientRect().width);
    assert.ok(width > 15, `the spaces have their width: ${width}`);
    await blank.getByRole('button').click();
    await page.getByRole('region', { name: 'Details of “   ”' }).waitFor();
});

for (const [zoom, size] of [
    [200, { width: 720, height: 450 }],
    [250, { width: 576, height: 360 }],
    [100, { width: 1440, height: 900 }],
]) {
    pageTest(`the line that a link leads to is in sight at ${zoom} %`, async ({ t, open }) => {
        const server = await startServer({ t });
        await publishAll(server, 'long', [
            ...build({ steps: 40, broken: true }),
            ...range(200).map((n) => ['terminal_output', { output: `line ${n}\n` }]),
        ]);
        const { events } = (await server.get('/api/v1/topics/session:long/history?limit=10000')).json;
        const { offset } = events.find(({ data }) => data.output === 'line 90\n');
        const page = await open(`${server.url}/?session=long#L${offset}`, { size });
        await page.locator('.terminal-row.is-marked').waitFor();
        const place = () =>
            page.locator('.terminal-row.is-marked').evaluate((row) => {
                const { top, bottom } = row.getBoundingClientRect();
                const x = row.getBoundingClientRect().left + 60;
                return {
                    top,
                    bottom,
                    seen: [top + 2, bottom - 2].every((y) => row.contains(document.elementFromPoint(x, y))),
                };
            });
        await waitFor(async () => (await place()).seen, 'the line to be in sight').catch(async (error) => {
            throw new Error(`${error.message}: ${JSON.stringify(await place())}`);
        });
        await keepScreenshot(page, `linked-line-${zoom}`);
    });
}
