// The terminal in a browser: drawing, scrolling, selecting, searching, with mouse and with keys.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { waitFor } from '../integration/harness.mjs';
import { keepScreenshot, pageTest, phone } from './browser.mjs';
import { serveTerminal } from './terminal_page.mjs';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Writes events, each `[output, stream]` or `{ started }`, `{ finished }`, `{ notice }`, and waits until they are lines. */
async function write(page, ...events) {
    await page.evaluate(async (all) => {
        const transcript = window.terminal.transcript.value;
        window.terminal.offset ??= 0;
        for (const event of all) {
            const offset = ++window.terminal.offset;
            const time = '2026-01-31T12:00:00.123Z';
            if (typeof event === 'string') transcript.write(event, { offset, stream: 'stdout', time });
            else if (event.stderr) transcript.write(event.stderr, { offset, stream: 'stderr', time });
            else if (event.started) transcript.runStarted(event.started, { offset, time });
            else if (event.finished) transcript.runFinished(event.finished, { offset, time });
            else transcript.addNotice(event.notice);
        }
        await transcript.settled();
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    }, events);
}

const numbered = (count, from = 0) => Array.from({ length: count }, (_, i) => `line ${from + i}\n`).join('');

/** What the rows in view show. */
const visible = (page) => page.evaluate(() => {
    const box = document.querySelector('.terminal-scroll').getBoundingClientRect();
    return [...document.querySelectorAll('.terminal-row')].filter((row) => {
        const { top, bottom } = row.getBoundingClientRect();
        return top >= box.top - 1 && bottom <= box.bottom + 1;
    }).map((row) => row.querySelector('.terminal-text').textContent);
});

/** There may be no rows for a moment. */
const until = (page, condition, what) => waitFor(async () => {
    const texts = await visible(page);
    return texts.length > 0 && condition(texts);
}, what);
const selectedAddress = (page) => page.evaluate(() => window.terminal.selected.value);
const row = (page, line) => page.locator(`.terminal-row[data-line="${line}"]`);
const copied = (page) => page.evaluate(() => navigator.clipboard.readText());
const clipboard = { permissions: ['clipboard-read', 'clipboard-write'] };

pageTest('only what is in view is drawn, and the end is followed until the reader scrolls away', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, numbered(5000));
    assert.ok((await visible(page)).includes('line 4999'));
    assert.ok(await page.locator('.terminal-row').count() < 150);
    await write(page, numbered(10, 5000));
    assert.ok((await visible(page)).includes('line 5009'));
    await page.mouse.move(400, 400);
    await page.mouse.wheel(0, -2000);
    await until(page, (texts) => !texts.includes('line 5009'), 'scrolling up');
    const before = await visible(page);
    await write(page, numbered(300, 5010));
    assert.deepEqual(await visible(page), before, 'what is read stays where it is');
    const jump = page.getByRole('button', { name: /Jump to the end · 300 new lines/ });
    await jump.click();
    await until(page, (texts) => texts.includes('line 5309'), 'the end');
    assert.equal(await page.locator('.terminal-jump').count(), 0);
    await write(page, numbered(10, 5310));
    assert.ok((await visible(page)).includes('line 5319'), 'it follows again');
});

pageTest('wrapping and folding keep the reader at the same line', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, Array.from({ length: 500 }, (_, i) => `line ${i} ${'word '.repeat(i % 90)}\n`).join(''));
    await page.locator('.terminal-scroll').evaluate((element) => { element.scrollTop = 200 * 20; });
    await until(page, (texts) => texts[0].startsWith('line 200 '), 'line 200');
    await page.getByRole('button', { name: 'Wrap' }).click();
    await until(page, (texts) => texts[0].startsWith('line 200 ') && texts[1].startsWith('line 201 '), 'the same line');
    const [heights, sideways] = await page.evaluate(() => [
        [...document.querySelectorAll('.terminal-row')].map((each) => each.getBoundingClientRect().height),
        document.querySelector('.terminal-scroll').scrollWidth - document.querySelector('.terminal-scroll').clientWidth]);
    assert.ok(heights.every((height) => Math.abs(height - heights[0]) < 0.01), 'all rows are as high');
    assert.ok(sideways <= 0, 'nothing sticks out');
    const joined = await page.evaluate(() => [...document.querySelectorAll('.terminal-row[data-line="220"] .terminal-text')].map((each) => each.textContent).join(''));
    assert.equal(joined, `line 220 ${'word '.repeat(220 % 90)}`);
    await page.getByRole('button', { name: 'Wrap' }).click();
    await until(page, (texts) => texts[0].startsWith('line 200 '), 'the same line again');
});

pageTest('groups and runs fold by mouse and by keys', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, { started: { command: ['make', 'all'] } }, `::group::Compile\n${numbered(3)}::endgroup::\nafter\n`,
        { finished: { exit_code: 2, duration: 75 } }, { notice: 'something is missing' }, { started: { command: 'sleep' } });
    const run = page.getByRole('button', { name: '$ make all' });
    assert.equal(await run.getAttribute('aria-expanded'), 'true');
    assert.match(await row(page, 0).textContent(), /exit 2 in 1 min 15 s/);
    await page.getByRole('button', { name: 'Compile' }).click();
    await until(page, (texts) => !texts.includes('line 1') && texts.includes('after'), 'the folded group');
    assert.match(await row(page, 1).textContent(), /4 lines/);
    await run.focus();
    await page.keyboard.press('Enter');
    await until(page, (texts) => texts.length === 3, 'the folded run');
    assert.match((await visible(page))[2], /sleep.*running/);
    await page.getByRole('button', { name: 'Unfold', exact: true }).click();
    await until(page, (texts) => texts.includes('line 1'), 'all');
    await page.getByRole('button', { name: 'Fold', exact: true }).click();
    await until(page, (texts) => texts.length === 3, 'headers only');
});

pageTest('lines are selected by their numbers, by keys, and by an address that was given', async ({ t, open }) => {
    const url = await serveTerminal(t);
    const page = await open(`${url}#2.50-2.52`);
    await write(page, 'first\n');
    assert.match(await page.locator('.terminal-note').textContent(), /2\.50-2\.52.*is not here/);
    await write(page, numbered(200));
    await until(page, (texts) => texts.includes('line 50') && !texts.includes('line 199'), 'the given line');
    assert.equal(await page.locator('.terminal-row.is-marked').count(), 3);
    await row(page, 60).locator('.terminal-number').click();
    assert.equal(await selectedAddress(page), '2.59');
    await row(page, 57).locator('.terminal-number').click({ modifiers: ['Shift'] });
    assert.equal(await selectedAddress(page), '2.56-2.59');
    await page.locator('.terminal-scroll').focus();
    await page.keyboard.press('Alt+ArrowDown');
    assert.equal(await selectedAddress(page), '2.60');
    await page.keyboard.press('Alt+Shift+ArrowUp');
    assert.equal(await selectedAddress(page), '2.59-2.60');
    await row(page, 60).locator('.terminal-number').click();
    await row(page, 60).locator('.terminal-number').click();
    assert.equal(await selectedAddress(page), undefined);
    assert.equal(await row(page, 60).locator('.terminal-number').getAttribute('href'), '#2.59');
});

pageTest('text is selected over rows that are not drawn, and copied', async ({ t, open }) => {
    const page = await open(await serveTerminal(t), clipboard);
    await write(page, numbered(1000), 'src/hub.c:12 \x1b[31merror\x1b[0m 日本\n');
    await page.locator('.terminal-scroll').evaluate((element) => { element.scrollTop = 0; });
    await until(page, (texts) => texts[0] === 'line 0', 'the start');
    const from = await row(page, 2).locator('.terminal-text').boundingBox();
    const cell = await page.evaluate(() => document.querySelector('.terminal-probe').getBoundingClientRect().width / 100);
    await page.mouse.move(from.x + 5 * cell, from.y + 10);
    await page.mouse.down();
    await page.mouse.move(from.x + 2 * cell, from.y + 50, { steps: 4 });
    await page.mouse.up();
    await page.keyboard.press('Control+c');
    assert.equal(await copied(page), '2\nline 3\nli');
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Control+c');
    assert.equal((await copied(page)).split('\n').length, 1001);
    await page.keyboard.press('Escape');
    await page.keyboard.press('End');
    await until(page, (texts) => texts.at(-1).includes('日本'), 'the end');
    const last = await row(page, 1000).locator('.terminal-text').boundingBox();
    await page.mouse.dblclick(last.x + 3 * cell, last.y + 10);
    await page.keyboard.press('Control+c');
    assert.equal(await copied(page), 'src/hub.c');
    await page.getByRole('button', { name: 'Copy all' }).click();
    assert.equal((await copied(page)).split('\n').at(-1), 'src/hub.c:12 error 日本');
    await page.mouse.move(last.x + 3 * cell, last.y - 200); // dragging beyond the edge scrolls
    await page.mouse.down();
    await page.mouse.move(last.x, 2, { steps: 2 });
    await until(page, (texts) => !texts.includes('line 999'), 'scrolling while selecting');
    await page.mouse.up();
});

pageTest('search goes through all lines and shows where it is', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, `needle at the start\n${numbered(3000)}the Needle\n::group::g\nhidden needle\n::endgroup::\n${numbered(100)}`);
    await page.getByRole('button', { name: 'Fold', exact: true }).click();
    await page.locator('.terminal-scroll').focus();
    await page.keyboard.press('/');
    const input = page.getByRole('searchbox', { name: 'Search the terminal' });
    await input.pressSequentially('needle');
    const state = page.locator('.terminal-found');
    await waitFor(async () => /3 of 3$/.test(await state.textContent()), 'the newest match, as the end was followed');
    await until(page, (texts) => texts.includes('hidden needle'), 'the group that hides it unfolds');
    await input.press('Enter');
    await until(page, (texts) => texts[0] === 'needle at the start', 'the first match');
    assert.equal(await page.locator('mark.is-current').textContent(), 'needle');
    await input.press('Shift+Enter');
    assert.match(await state.textContent(), /3 of 3/);
    await page.getByRole('button', { name: 'Match case' }).click();
    await waitFor(async () => /of 2$/.test(await state.textContent()), 'only the lower case');
    await page.getByRole('button', { name: 'Regular expression' }).click();
    await input.fill('line 29\\d+(');
    await waitFor(async () => /group/i.test(await state.textContent()), 'what is wrong');
    await input.fill('^line 29\\d\\d$');
    await waitFor(async () => /of 100$/.test(await state.textContent()), 'a hundred');
    await input.fill('nowhere');
    await waitFor(async () => /Nothing found/.test(await state.textContent()), 'nothing');
    await input.press('Escape');
    assert.equal(await input.count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement.className), 'terminal-scroll');
});

pageTest('the view of problems leads to the place of each', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, numbered(500), 'a.c:1:1: error: one\n', numbered(500), 'a.c:2:2: warning: two\n', numbered(500), { stderr: 'three\n' }, numbered(100));
    await page.getByRole('button', { name: /1 error.*1 warning/ }).click();
    await until(page, (texts) => texts.length === 15, 'three problems with two lines around each');
    await page.getByText('warning: two').click();
    await until(page, (texts) => texts.includes('line 499') && texts.includes('a.c:2:2: warning: two') && texts.length > 20, 'the place');
    assert.equal(await selectedAddress(page), '4.0');
    await page.locator('.terminal-scroll').focus();
    await page.keyboard.press('k');
    await until(page, (texts) => texts.includes('a.c:1:1: error: one'), 'the error before');
    await page.keyboard.press('j');
    await waitFor(async () => /No error after/.test(await page.locator('.terminal-said').textContent()), 'there is no other');
});

pageTest('colours, links and times', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, '\x1b[31mred\x1b[0m \x1b[1;4mbold\x1b[0m \x1b[38;2;1;2;3mdark\x1b[0m see https://example.org/a. \x1b]8;;javascript:alert(1)\x1b\\bad\x1b]8;;\x1b\\ \x1b]8;;https://x.y/\x1b\\good\x1b]8;;\x1b\\\n<b>no markup</b>\n');
    const color = (text) => page.getByText(text, { exact: true }).evaluate((element) => getComputedStyle(element).color);
    assert.equal(await color('red'), 'rgb(207, 34, 46)');
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.equal(await color('red'), 'rgb(255, 123, 114)');
    const links = page.locator('.terminal-text a');
    assert.deepEqual(await links.evaluateAll((all) => all.map(({ href, rel, target }) => [href, rel, target])),
        [['https://example.org/a', 'noopener noreferrer', '_blank'], ['https://x.y/', 'noopener noreferrer', '_blank']]);
    assert.equal((await visible(page))[1], '<b>no markup</b>');
    assert.equal(await page.locator('time').count(), 0);
    await page.getByRole('button', { name: 'Times' }).click();
    assert.match(await page.locator('time').first().textContent(), /^\d\d:00:00\.123$/);
});

pageTest('the transcript is saved as text and with its colours', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, '\x1b[31mred\x1b[0m\nplain\n');
    for (const [button, name, content] of [['As text', 'test.txt', 'red\nplain\n'], [/With colours/, 'test.ansi', '\x1b[;31mred\x1b[m\nplain\n']]) {
        await page.locator('summary').click();
        const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
        assert.equal(file.suggestedFilename(), name);
        assert.equal(fs.readFileSync(await file.path(), 'utf8'), content);
    }
});

pageTest('a full-screen program is the whole view while it is up', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, 'before\n', { started: { command: 'top', pty: true, cols: 40, rows: 8 } }, '\x1b[?1049h\x1b[H\x1b[7mPID COMMAND\x1b[0m\x1b[3;5H');
    assert.equal(await page.locator('.terminal-screen-row').count(), 8);
    assert.equal(await page.locator('.terminal-screen-row').first().textContent(), 'PID COMMAND');
    assert.equal(await page.locator('.terminal-cursor').count(), 1);
    await page.getByRole('button', { name: 'Show the lines before it' }).click();
    await until(page, (texts) => texts.includes('before'), 'the lines');
    await page.getByRole('button', { name: 'Show it' }).click();
    await write(page, '\x1b[?1049lafter\n');
    await until(page, (texts) => texts.includes('after'), 'the lines again');
    assert.equal(await page.locator('.terminal-screen').count(), 0);
});

pageTest('a transcript that goes back further takes over without moving the reader', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, numbered(300, 700));
    await page.locator('.terminal-scroll').evaluate((element) => { element.scrollTop = 100 * 20; });
    await until(page, (texts) => texts[0] === 'line 800', 'line 800');
    await page.evaluate(async (output) => {
        const { transcript, Transcript } = window.terminal;
        const whole = new Transcript();
        whole.write(output, { offset: 1, stream: 'stdout' });
        await whole.settled();
        const before = transcript.value;
        transcript.value = whole;
        before.dispose();
    }, numbered(1000));
    await waitFor(async () => /1,000 lines/.test(await page.locator('.terminal-size').textContent()), 'the whole');
    await until(page, (texts) => texts[0] === 'line 800', 'the same line');
});

pageTest('what arrives is told to screen readers without flooding them', async ({ t, open }) => {
    const page = await open(await serveTerminal(t));
    await write(page, numbered(500));
    const log = page.getByRole('log');
    await waitFor(async () => /500 new lines.*line 496.*line 499/s.test(await log.textContent()), 'a summary');
    assert.equal(await log.locator('p').count(), 5);
});

for (const [scheme, size] of [['light', undefined], ['dark', phone]]) {
    pageTest(`nothing for an accessibility checker to find, in ${scheme}${size ? ', on a phone' : ''}`, async ({ t, open }) => {
        const page = await open(await serveTerminal(t), { colorScheme: scheme, ...(size && { size, hasTouch: true, isMobile: true }), bypassCSP: true });
        const palette = [30, 40, 90, 100].map((base) => `${Array.from({ length: 8 }, (_, i) => `\x1b[${base + i}mcolour\x1b[0m `).join('')}\n`).join('');
        await write(page, { started: { command: 'make' } }, palette, '\x1b[2mdim\x1b[0m \x1b[7minverse\x1b[0m 日本\n', 'a.c:1:1: error: x\n', { finished: { exit_code: 1 } },
            { notice: 'gap' }, { started: { command: 'npm test' } }, '::group::g\nin\n');
        await page.keyboard.press('Tab');
        await page.locator('.terminal-scroll').focus();
        await page.keyboard.press('/');
        await page.keyboard.type('colour');
        await row(page, 2).locator('.terminal-number').click();
        await page.addScriptTag({ path: axe });
        const { violations } = await page.evaluate(() => window.axe.run());
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html.slice(0, 200)} ${node.any[0]?.message ?? ''}`).join('\n')}`), []);
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(sideways <= 0, 'the page itself does not scroll sideways');
        await keepScreenshot(page, `terminal-${scheme}`);
    });
}
