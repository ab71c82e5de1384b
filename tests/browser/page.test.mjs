// The page in a real browser: what it shows, to whom, and on which screens.
import assert from 'node:assert/strict';
import { ms, startServer, waitFor } from '../integration/harness.mjs';
import { bearer, mint, secret } from '../integration/tokens.mjs';
import { findings, keepScreenshot, pageTest, phone } from './browser.mjs';
import { build, busyServer, publishAll } from './builds.mjs';

pageTest('the empty server tells how to begin, and shows a session as soon as there is one', async ({ t, open }) => {
    const server = await startServer({ t });
    const page = await open(server.url);
    await page.getByText('Nothing has been published yet').waitFor();
    await page.getByText(`fanfare run --url ${server.url} -- make`).waitFor();
    await keepScreenshot(page, 'empty');
    await publishAll(server, 'first', [['build_progress', { total: 10, completed: 3 }]]);
    await page.locator('[data-session=first]').getByText('30 %').waitFor();
    assert.equal(await page.title(), 'Sessions · Fanfare');
});

pageTest('a command that tells no progress has an outcome, not 0 %', async ({ t, open }) => {
    const server = await startServer({ t });
    const run = { command: 'true', cwd: '/', pid: 7, pty: false };
    await publishAll(server, 'quiet', [['run_started', run]]);
    const page = await open(`${server.url}/?session=quiet`);
    const bar = page.getByRole('progressbar', { name: 'Overall progress' });
    await page.locator('.badge[data-status=in_progress]').waitFor();
    assert.equal(await page.title(), 'quiet · Fanfare');
    const part = () => bar.evaluate((each) => each.firstElementChild.offsetWidth / each.offsetWidth);
    assert.equal(await part(), 1, 'without motion no part of the bar is shown, which would look like progress');
    await publishAll(server, 'quiet', [['run_finished', { exit_code: 0, signal: null, duration: 1, pid: 7 }]]);
    await page.locator('.badge[data-status=completed]').waitFor();
    assert.equal(await page.locator('.head-percent').count(), 0);
    assert.equal(await bar.getAttribute('aria-valuetext'), 'Passed');
    assert.equal(await bar.getAttribute('aria-valuenow'), null);

    await page.keyboard.press('?');
    const empty = page.locator('.help section').filter({ hasNot: page.locator('dt') });
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
    assert.equal(await empty.count(), 0, 'no heading without shortcuts');
    await page.keyboard.press('Escape');

    await page.getByRole('link', { name: 'Sessions', exact: true }).click();
    const row = page.locator('[data-session=quiet]');
    await row.waitFor();
    assert.equal(await row.locator('.session-percent').textContent(), '');
});

pageTest('first paint and first event come at once', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'demo', build());
    const page = await open(`${server.url}/?session=demo`);
    await page.locator('.badge[data-status=in_progress]').waitFor();
    const { painted, weights } = await page.evaluate(() => ({
        painted: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
        weights: Object.fromEntries(
            performance
                .getEntriesByType('resource')
                .map(({ name, encodedBodySize }) => [name.replace(/.*\//, ''), encodedBodySize]),
        ),
    }));
    assert.ok(painted < ms(2000), `painted after ${painted} ms`);
    assert.ok(
        weights['page.js'] < 30 * 1024 && weights['session.js'] < 60 * 1024,
        `the page weighs ${JSON.stringify(weights)}`,
    );
    const begun = performance.now();
    await server.publish({
        topic: 'session:demo',
        type: 'component_update',
        data: { component_id: 'brand_new', status: 'in_progress', progress: 5 },
    });
    await page.locator('[data-item=brand_new]').waitFor();
    t.diagnostic(
        `first paint ${Math.round(painted)} ms, an event on the screen after ${Math.round(performance.now() - begun)} ms, ${['page.js', 'session.js', 'page.css'].map((name) => `${name} ${weights[name]}`).join(', ')} bytes`,
    );
    assert.match(await page.title(), /^\d+ % · demo · Fanfare$/);
    assert.match(await page.locator('link[rel=icon]').getAttribute('href'), /^data:image\/svg\+xml/);
});

pageTest('sessions are searched, filtered and opened', async ({ t, open }) => {
    const server = await startServer({ t });
    await busyServer(server);
    const page = await open(server.url);
    await page.locator('.session-row').nth(5).waitFor();
    assert.match(
        await page.locator('.session-row').first().innerText(),
        /harbour\/main|nightly-fuzz/,
        'what runs comes first',
    );
    await page.getByRole('button', { name: /^Failed/ }).click();
    assert.equal(await page.locator('.session-row').count(), 1);
    await page.getByRole('button', { name: /^All/ }).click();
    await page.getByRole('searchbox').fill('harb 479');
    await page.getByRole('link', { name: /harbour\/pull-479/ }).click();
    await page.getByRole('heading', { level: 1, name: 'harbour/pull-479' }).waitFor();
    assert.equal(new URL(page.url()).search, '?session=harbour/pull-479');
    await page.locator('.badge[data-status=completed]').waitFor();
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Sessions' }).waitFor();
});

pageTest('below a base path all addresses hold', async ({ t, open }) => {
    const server = await startServer({ t, args: ['--base-path', '/live/fanfare'] });
    const origin = new URL(server.url).origin;
    await server.request.call({ url: `${origin}/live/fanfare` }, '/api/v1/publish', {
        method: 'POST',
        body: { topic: 'session:demo', type: 'component_update', data: { component_id: 'auth', status: 'completed' } },
    });
    const page = await open(`${origin}/live/fanfare/`);
    await page.locator('[data-session=demo]').click();
    await page.locator('[data-item=auth]').waitFor();
    assert.ok(page.url().startsWith(`${origin}/live/fanfare/?session=demo`));
    await page.getByText('Live', { exact: true }).waitFor();
});

pageTest('errors stand first, with their traceback and their place in the terminal', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'broken', build({ steps: 29, broken: true }));
    const page = await open(`${server.url}/?session=broken`);
    const strip = page.locator('.error-strip');
    await strip.getByText('undefined reference to `session_close').waitFor();
    await strip.locator('.error-summary').click();
    await strip.getByText('in function handle_logout').waitFor();
    await keepScreenshot(page, 'errors-strip');
    assert.match(await page.title(), /^\(2\) ✗ broken/);
    await strip.getByRole('button', { name: 'The error before' }).click();
    await strip.getByText('assertion failed').first().waitFor();
    await page.getByRole('tab', { name: /Errors/ }).click();
    assert.equal(await page.locator('.error-card').count(), 2);
    await keepScreenshot(page, 'errors');
    await page.locator('.error-card').first().getByRole('button', { name: 'Show in terminal' }).click();
    await page.getByRole('tab', { name: 'Terminal', selected: true }).waitFor();
    assert.match(new URL(page.url()).hash, /^#L\d+$/);
    assert.equal(
        await page.locator('.item-row').first().getAttribute('data-item'),
        'auth_service',
        'the failed component is on top',
    );
});

pageTest('the timeline shows checkpoints, files, runs and errors, and each of them whole', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'demo', build({ steps: 62, broken: true }));
    const page = await open(`${server.url}/?session=demo&view=timeline`);
    await page.locator('.chart-line').waitFor();
    const row = page.locator('.entry-row', { hasText: 'artifacts/' }).first();
    await row.click();
    await page.getByText(/^object of src/).waitFor();
    await keepScreenshot(page, 'timeline');
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    await waitFor(
        async () => (await page.locator('.entry-row', { hasText: 'artifacts/' }).count()) === 0,
        'files to be left out',
    );
    await page.getByRole('tab', { name: /Runs/ }).click();
    await page.locator('.runs').getByText('exit 2').waitFor();
    await keepScreenshot(page, 'runs');
});

pageTest('messages are shown raw, filtered, paused; and the server answers what is asked', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'demo', build({ steps: 10 }));
    const page = await open(`${server.url}/?session=demo&view=messages`);
    await page.locator('.message-row', { hasText: 'build_status' }).waitFor();
    await page.getByRole('button', { name: 'Ping' }).click();
    await page.getByText(/Round trip [\d.]+ ms/).waitFor();
    await page.locator('.message-row', { hasText: 'pong' }).waitFor();
    await page.getByRole('button', { name: 'Demo update' }).click();
    await page.locator('.message-row', { hasText: 'checkpoint_demo' }).waitFor();
    await page.getByLabel('Type', { exact: true }).selectOption('pong');
    await waitFor(async () => (await page.locator('.message-row').count()) === 1, 'only pong to be shown');
    await page.locator('.message-row').click();
    await page
        .getByRole('region', { name: /^Message/ })
        .getByText('"pong"')
        .waitFor();
    await page.getByLabel('Type', { exact: true }).selectOption('');
    await page.getByRole('button', { name: 'Pause' }).click();
    const shown = await page.locator('.messages-count').innerText();
    await server.publish({ topic: 'session:demo', type: 'lint.done', data: { held: true } });
    await page.getByRole('button', { name: /Go on \(1 new\)/ }).waitFor();
    assert.equal(await page.locator('.messages-count').innerText(), shown);
    await page.getByRole('button', { name: /Go on/ }).click();
    await page.locator('.message-row', { hasText: 'lint.done' }).waitFor();
    await keepScreenshot(page, 'messages');
});

pageTest('a limited subscription is told, and everything is made good when it ends', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'demo', build({ steps: 10 }));
    const page = await open(`${server.url}/?session=demo&view=messages`);
    await page.locator('.message-row', { hasText: 'build_status' }).waitFor();
    await page.getByText('Subscribe', { exact: true }).click();
    await page.getByRole('checkbox', { name: 'component_update' }).uncheck();
    await page.locator('.message-row', { hasText: '"subscribed"' }).waitFor();
    await page.getByText('You limited this connection').waitFor();
    await publishAll(server, 'demo', [
        ['component_update', { component_id: 'unseen', status: 'failed' }],
        ['lint.done', {}],
    ]);
    await page.getByRole('button', { name: 'Get everything' }).click();
    await page.locator('[data-item=unseen]').waitFor();
    await waitFor(
        async () => page.evaluate(() => globalThis.fanfareSession.history.value.phase === 'whole'),
        'the history to be read again',
    );
});

pageTest('where the server wants a token, the page asks for one and sends it', async ({ t, open }) => {
    const server = await startServer({ t, env: { JWT_SECRET_KEY: secret } });
    const publisher = bearer(mint({ sub: 'ci', publish: ['session:*'] }));
    const authorized = { post: (path, body, headers) => server.post(path, body, { ...headers, ...publisher }) };
    await publishAll(authorized, 'demo', build({ steps: 5 }));
    const page = await open(server.url, { mayComplain: /401/ });
    await page.getByRole('heading', { name: 'Token needed' }).waitFor();
    await page.getByLabel('Token').fill('bad');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('does not accept this token').waitFor();
    await page.getByLabel('Token').fill(mint({ sub: 'ada', rooms: ['session:*'] }));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('[data-session=demo]').waitFor();
    await page.reload();
    await page.locator('[data-session=demo]').click();
    await page.getByText('Building C object').first().waitFor();
});

for (const colorScheme of ['light', 'dark']) {
    pageTest(`accessible and well-behaved, ${colorScheme}`, async ({ t, open }) => {
        const server = await startServer({ t });
        await busyServer(server);
        const page = await open(server.url, { colorScheme });
        await page.locator('.session-row').nth(5).waitFor();
        assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
        assert.deepEqual(await findings(page), []);
        await keepScreenshot(page, `list-${colorScheme}`);
        await page.goto(`${server.url}/?session=harbour/main`);
        await page.locator('[data-item=rest_api]').waitFor();
        await waitFor(
            () => page.evaluate(() => document.querySelector('.terminal')?.innerText.includes('Building C object')),
            'the output',
        );
        assert.deepEqual(await findings(page), []);
        await keepScreenshot(page, `session-${colorScheme}`);
        for (const view of ['timeline', 'errors', 'runs', 'messages']) {
            await page.goto(`${server.url}/?session=harbour/pull-481&view=${view}`);
            await page.locator('.error-card, .entry-row, .message-row, .runs').first().waitFor();
            assert.deepEqual(await findings(page), [], view);
            if (colorScheme === 'dark') await keepScreenshot(page, `${view}-dark`);
        }
        await page.keyboard.press('?');
        await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
        assert.deepEqual(await findings(page), [], 'help');
        await keepScreenshot(page, `help-${colorScheme}`);
    });
}

pageTest('light and dark are switched and remembered', async ({ t, open }) => {
    const server = await startServer({ t });
    const page = await open(server.url, { colorScheme: 'light' });
    await page.getByRole('button', { name: /^Colours/ }).click();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await page.reload();
    await page.getByRole('button', { name: /^Colours: dark/ }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
});

pageTest('a phone of 360 pixels shows all of it without scrolling sideways', async ({ t, open }) => {
    const server = await startServer({ t });
    await busyServer(server);
    const page = await open(server.url, { size: phone, hasTouch: true, isMobile: true });
    await page.locator('.session-row').nth(5).waitFor();
    await keepScreenshot(page, 'phone-list');
    const isNarrow = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    assert.ok(await isNarrow(), 'the list');
    await page.locator('[data-session="harbour/pull-481"]').tap();
    await page.locator('[data-item=auth_service]').waitFor();
    await keepScreenshot(page, 'phone-session');
    for (const name of ['Terminal', 'Timeline', 'Errors', 'Runs', 'Messages', 'Components']) {
        await page.getByRole('tab', { name: new RegExp(`^${name}`) }).tap();
        assert.ok(await isNarrow(), name);
        assert.ok((await page.locator('[role=tabpanel]:not([hidden])').boundingBox()).height > 200, `${name} has room`);
        if (name === 'Terminal') await keepScreenshot(page, 'phone-terminal');
        if (name === 'Timeline') await keepScreenshot(page, 'phone-timeline');
    }
    assert.deepEqual(await findings(page), []);
});

pageTest('everything works from the keyboard', async ({ t, open }) => {
    const server = await startServer({ t });
    await busyServer(server);
    const page = await open(server.url);
    await page.locator('.session-row').nth(5).waitFor();
    const focused = () =>
        page.evaluate(
            () =>
                document.activeElement?.getAttribute('data-session') ??
                document.activeElement?.getAttribute('aria-label') ??
                document.activeElement?.textContent,
        );
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'Skip to the content');
    await page.keyboard.press('/');
    await page.keyboard.type('pull');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('j');
    assert.match(await focused(), /pull-4/);
    await page.keyboard.press('Enter');
    await page.locator('.badge').waitFor();
    for (const [key, name] of [
        ['2', /^Timeline/],
        ['3', /^Errors/],
        ['4', /^Runs/],
        ['5', /^Messages/],
        ['1', /^Terminal/],
    ]) {
        await page.keyboard.press(key);
        await page.getByRole('tab', { name, selected: true }).waitFor();
    }
    await page.getByRole('tab', { name: /^Terminal/ }).focus();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('tab', { name: /^Timeline/, selected: true }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'tab-timeline');
    await page.keyboard.press('/');
    await page.keyboard.type('auth');
    assert.equal(await page.locator('.item-row').count(), 1);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
    await page.getByLabel(/Shortcuts of a single key/).uncheck();
    const closeHelp = async () => {
        await page.keyboard.press('Escape');
        await waitFor(async () => !(await page.locator('dialog[open]').count()), 'help to close');
    };
    await closeHelp();
    await page.keyboard.press('4');
    await page.keyboard.press('?');
    await page.getByLabel(/Shortcuts of a single key/).check();
    assert.ok(
        await page.getByRole('tab', { name: /^Timeline/, selected: true, includeHidden: true }).count(),
        '4 did nothing meanwhile',
    );
    await closeHelp();
    await page.keyboard.press('u');
    await page.getByRole('heading', { level: 1, name: 'Sessions' }).waitFor();
});
