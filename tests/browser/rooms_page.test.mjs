// The page's rooms: the list, who is where, and one room live, with its token.
import assert from 'node:assert/strict';
import { ms, range, startServer, waitFor } from '../integration/harness.mjs';
import { Proxy } from '../integration/proxy.mjs';
import { mint, secret } from '../integration/tokens.mjs';
import { findings, keepScreenshot, pageTest, phone, whileAway } from './browser.mjs';
import { join, platform, progress, project, publishTo } from './platform.mjs';

const room = `project:${project}`;
const env = { JWT_SECRET_KEY: secret };

/** Gives the page a token before its first request. */
const withToken = (page, token) => page.addInitScript((text) => sessionStorage.setItem('fanfare.token', text), token);
const admin = mint({ sub: 'platform', role: 'admin' });

/** A page of the server, seen by an administrator. */
async function openAs(open, server, path, { token = admin, ...options } = {}) {
    const page = await open('about:blank', options);
    await withToken(page, token);
    await page.goto(`${server.url}/${path}`);
    return page;
}

const rowNames = (page) => page.locator('[data-room]').evaluateAll((all) => all.map((each) => each.dataset.room));

pageTest('without a room the page tells how to begin, and shows one as soon as there is one', async ({ t, open }) => {
    const server = await startServer({ t });
    const page = await open(server.url);
    await page.getByRole('link', { name: 'Rooms' }).click();
    await page.getByText('No room is in use yet').waitFor();
    assert.equal(new URL(page.url()).search, '?rooms');
    await server.publish({ topic: 'project:first', type: 'hello', data: { from: 'me' } });
    await page.locator('[data-room="project:first"]').click();
    await page.getByText('from: me').waitFor();
    assert.equal(new URL(page.url()).search, '?room=project:first');
    assert.equal(await page.title(), 'project:first · Fanfare');
});

pageTest('rooms are listed by kind, searched, filtered and ordered', async ({ t, open }) => {
    const server = await startServer({ t, env });
    await platform(t, server);
    const page = await openAs(open, server, '?rooms');
    await page.locator('[data-room=global]').waitFor();
    const names = await rowNames(page);
    assert.equal(names[0], 'global');
    assert.ok(names.includes('user:ada') && names.includes('channel:deploys'));
    assert.ok(!names.some((name) => name.startsWith('session:')), 'sessions have a list of their own');
    const link = page.getByRole('link', { name: new RegExp(`^AI Agent Framework, ${room}, 3 connections, \\d+ events`) });
    await link.waitFor();
    await page.locator(`[data-room="${room}"]`).getByText('AI Agent Framework').waitFor();
    await page.locator('[data-room$="000000000002"]').getByText('Scout').waitFor();
    await page.getByText(/^5 connections, [\d.]+ events a second$/).waitFor();
    await page.getByRole('button', { name: /^Agents 2/ }).click();
    assert.equal((await rowNames(page)).length, 2);
    await page.getByRole('button', { name: /^All/ }).click();
    await page.getByLabel('Order').selectOption({ label: 'Most connections' });
    assert.deepEqual((await rowNames(page)).slice(0, 2), ['global', room]);
    await page.keyboard.press('/');
    await page.keyboard.type('deploys');
    assert.deepEqual(await rowNames(page), ['channel:deploys']);
    await publishTo(server, range(30).map((n) => ['channel:deploys', 'deploy.step', { n }]));
    await waitFor(async () => !/^0\b/.test(await page.locator('.room-row .room-rate').textContent()), 'the rate to be told');
    await page.keyboard.press('Enter');
    await page.locator('[data-type="deploy.step"]').first().waitFor();
});

pageTest('a project that is on record is called by its name, before anything happened in it', async ({ t, open }) => {
    const server = await startServer({ t });
    const { json } = await server.post('/api/v1/projects', { project_name: 'On record', status: 'active' });
    await join(t, server, null, [`project:${json.project_id}`]);
    const page = await open(`${server.url}/?rooms`);
    await page.getByRole('link', { name: `On record, project:${json.project_id}, 1 connection, 0 events` }).waitFor();
});

pageTest('a room is live: events, who is there, what goes on', async ({ t, open }) => {
    const server = await startServer({ t, env });
    await platform(t, server);
    const page = await openAs(open, server, `?room=${room}`);
    await page.getByRole('heading', { level: 1, name: /AI Agent Framework/ }).waitFor();
    const first = page.locator('.room-event').first();
    await first.getByText('Simplify function').waitFor();
    assert.equal(await page.locator('[data-type="pr.created"] .entry-title').textContent(), 'Fix the login · open · by grace · fix-login');
    for (const name of ['ada', 'grace', 'platform']) await page.locator(`aside [data-person=${name}]`).waitFor();
    await page.locator('aside [data-person=platform]').getByText('(you)').waitFor();
    await page.locator('aside [data-person=ada]').getByText('2 connections').waitFor();
    await page.locator('[data-agent]').filter({ hasText: 'GPT-4' }).getByText('busy').waitFor();
    const running = page.locator('aside [data-workflow$="1"]');
    assert.equal(await running.getByRole('progressbar').getAttribute('aria-valuenow'), '50');

    await publishTo(server, progress([75]));
    await first.getByText('75 %').waitFor();
    await waitFor(async () => (await running.getByRole('progressbar').getAttribute('aria-valuenow')) === '75', 'the workflow to move');
    const socket = await join(t, server, 'hedy', [room]);
    await page.locator('aside [data-person=hedy]').waitFor({ timeout: 20000 });
    socket.disconnect();

    await page.getByLabel('Type').selectOption('workflow.failed');
    await waitFor(async () => (await page.locator('.room-event').count()) === 1, 'the filter by type');
    await page.locator('.room-event button').click();
    await page.getByRole('region', { name: 'Event workflow.failed' }).getByText('"current_step": "Run the tests"').waitFor();
    await page.getByLabel('Type').selectOption('');
    await page.keyboard.press('/');
    await page.keyboard.type('safari');
    await waitFor(async () => (await page.locator('.room-event').count()) === 1, 'the search');
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Pause' }).click();
    await publishTo(server, progress([80, 81]));
    await page.getByRole('button', { name: 'Go on (2 new)' }).click();
    await first.getByText('81 %').waitFor();
    await page.getByRole('button', { name: 'Clear the events' }).click();
    await page.getByText('Nothing has happened here yet').waitFor();
});

pageTest('a room is there at once, and weighs little', async ({ t, open }) => {
    const server = await startServer({ t });
    const page = await open(`${server.url}/?room=project:light`);
    await page.locator('.connection.is-open').waitFor();
    const begun = performance.now();
    await server.publish({ topic: 'project:light', type: 'hello', data: { n: 1 } });
    await page.getByText('n: 1').waitFor();
    const took = Math.round(performance.now() - begun);
    const { painted, weights } = await page.evaluate(() => ({
        painted: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
        weights: Object.fromEntries(
            performance.getEntriesByType('resource').map(({ name, encodedBodySize }) => [name.replace(/.*\//, ''), encodedBodySize]),
        ),
    }));
    t.diagnostic(`first paint ${Math.round(painted)} ms, an event on the screen after ${took} ms, rooms.js ${weights['rooms.js']}, common.js ${weights['common.js']} bytes`);
    assert.ok(painted < ms(2000), `painted after ${painted} ms`);
    assert.ok(weights['rooms.js'] < 16 * 1024 && weights['common.js'] < 16 * 1024, JSON.stringify(weights));
});

pageTest('the messages of a room are shown as they came', async ({ t, open }) => {
    const server = await startServer({ t, env });
    await platform(t, server);
    const page = await openAs(open, server, `?room=${room}&view=messages`);
    await page.locator('.connection.is-open').waitFor();
    await publishTo(server, progress([77]));
    const row = page.locator('.message-row').first();
    await row.getByText('workflow.progress').first().waitFor();
    assert.match(await row.locator('.message-text').textContent(), /^\{"topic":"project:.*"progress":77/);
    await row.getByRole('button').click();
    await page.getByRole('region', { name: 'Message 1' }).getByText('"current_step": "Step 3"').waitFor();
});

const shownNumbers = (page) => page.evaluate(() => fanfareRoom.log.all.map(({ data }) => data.n));

pageTest('nothing is missing or doubled when the connection is cut', async ({ t, open }) => {
    const server = await startServer({ t });
    const proxy = await Proxy.start(t, server.port);
    const step = (n) => server.publish({ topic: 'project:cut', type: 'step', data: { n } });
    await step(0);
    const page = await open(`${proxy.url}/?room=project:cut`, { mayComplain: whileAway });
    await page.locator('.connection.is-open').waitFor();
    await page.getByText('n: 0').waitFor();
    await step(1);
    await page.getByText('n: 1').waitFor();
    await proxy.stop();
    await page.locator('.connection.is-away').waitFor();
    for (const n of [2, 3]) await step(n);
    await proxy.listen();
    await page.keyboard.press('r');
    await page.locator('.connection.is-open').waitFor();
    await step(4);
    await page.getByText('n: 4').waitFor();
    assert.deepEqual(await shownNumbers(page), [0, 1, 2, 3, 4]);
});

pageTest('a server that was started anew is told apart from one that was away', async ({ t, open }) => {
    const first = await startServer({ t });
    const step = (server, n) => server.publish({ topic: 'project:anew', type: 'step', data: { n } });
    await step(first, 0);
    const page = await open(`${first.url}/?room=project:anew`, { mayComplain: whileAway });
    await page.getByText('n: 0').waitFor();
    await page.locator('.connection.is-open').waitFor();
    await first.stop();
    await page.locator('.connection.is-away').waitFor();
    const second = await startServer({ t, listen: `127.0.0.1:${first.port}` });
    await page.keyboard.press('r');
    await page.getByText(/are missing here: the server was started anew/).waitFor();
    await step(second, 1);
    await page.getByText('n: 1').waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    assert.equal(await page.locator('.notice').count(), 0);
});

pageTest('who is where', async ({ t, open }) => {
    const server = await startServer({ t, env });
    await platform(t, server);
    const page = await openAs(open, server, '?people');
    const grace = page.locator('[data-person=grace]');
    await grace.waitFor();
    const places = await grace.locator('.chip').evaluateAll((all) => all.map((each) => each.textContent).sort());
    assert.deepEqual(places, ['channel:deploys', 'global', places.find((each) => each.includes(room)), 'session:web', 'user:grace'].sort());
    await grace.getByRole('link', { name: 'AI Agent Framework' }).waitFor();
    await page.locator('[data-person=ada]').getByText('2 × Socket.IO client').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('legacy');
    await waitFor(async () => (await page.locator('.person-row').count()) === 1, 'the search');
    await page.locator('[data-person=margaret]').waitFor();
    await page.getByRole('searchbox').fill('');
    await grace.getByRole('link', { name: 'session:web' }).click();
    await page.getByRole('heading', { level: 1, name: 'web' }).waitFor();
});

pageTest('a room asks for its token, says why one does not do, and takes another', async ({ t, open }) => {
    const server = await startServer({ t, env });
    await platform(t, server);
    const page = await open(`${server.url}/?room=${room}`, { mayComplain: /40[13]/ });
    await page.getByRole('heading', { name: 'Token needed' }).waitFor();
    const enter = async (claims) => {
        await page.getByLabel('Token').fill(mint(claims));
        await page.getByRole('button', { name: 'Continue' }).click();
    };
    await enter({ sub: 'eve', rooms: ['project:other'] });
    await page.getByText(/eve may not read project:550e/).first().waitFor();
    await page.getByRole('button', { name: 'Use another token' }).first().click();
    await enter({ sub: 'ada', rooms: [room] });
    await page.locator('.connection.is-open').waitFor();
    await page.getByText('Simplify function').waitFor();
    await page.getByTitle('Token: ada').click();
    await page.getByText('You are ada').waitFor();
    await page.getByText(room, { exact: true }).last().waitFor();
    await page.getByRole('button', { name: 'Use another token' }).click();
    await page.getByRole('button', { name: 'Go back' }).click();
    await page.getByText('Simplify function').waitFor();
    await page.goto(`${server.url}/?rooms`);
    await page.locator('[data-room=global]').waitFor();
    assert.deepEqual((await rowNames(page)).sort(), ['global', room, 'user:ada'].sort(), 'the list has what the token may read');
});

for (const colorScheme of ['light', 'dark']) {
    pageTest(`rooms are accessible, ${colorScheme}`, async ({ t, open }) => {
        const server = await startServer({ t, env });
        await platform(t, server);
        const page = await openAs(open, server, '?rooms', { colorScheme });
        await page.locator('[data-room="user:ada"]').waitFor();
        await publishTo(server, progress(range(40)));
        await waitFor(async () => (await page.locator('.room-link[data-room^="project:550"] .sparkline path:last-child').getAttribute('d'))?.length > 0, 'a bar', ms(20000));
        assert.deepEqual(await findings(page), [], 'list');
        await keepScreenshot(page, `rooms-${colorScheme}`);
        await page.goto(`${server.url}/?people`);
        await page.locator('[data-person=grace]').waitFor();
        assert.deepEqual(await findings(page), [], 'people');
        await keepScreenshot(page, `people-${colorScheme}`);
        await page.goto(`${server.url}/?room=${room}`);
        await page.locator('aside [data-person=grace]').waitFor();
        await page.locator('.connection.is-open').waitFor();
        await publishTo(server, progress(range(30).map((n) => 50 + n)));
        await page.getByText('79 %').first().waitFor();
        assert.deepEqual(await findings(page), [], 'room');
        await keepScreenshot(page, `room-${colorScheme}`);
        await page.locator('[data-type="ai.suggestion"]').waitFor({ state: 'attached' }).catch(() => {});
        await page.locator('.room-event button').first().click();
        await page.getByRole('region', { name: 'Event workflow.progress' }).waitFor();
        await page.getByTitle('Token: platform').click();
        assert.deepEqual(await findings(page), [], 'an event and the token');
        await keepScreenshot(page, `room-event-${colorScheme}`);
    });
}

pageTest('rooms on a phone', async ({ t, open }) => {
    const server = await startServer({ t, env });
    await platform(t, server);
    const page = await openAs(open, server, '?rooms', { size: phone, hasTouch: true, isMobile: true });
    await page.locator('[data-room="user:ada"]').waitFor();
    const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    assert.ok(await fits(), 'the list');
    assert.deepEqual(await findings(page), []);
    await keepScreenshot(page, 'phone-rooms');
    await page.getByRole('link', { name: 'People' }).tap();
    await page.locator('[data-person=grace]').waitFor();
    assert.ok(await fits(), 'people');
    await keepScreenshot(page, 'phone-people');
    await page.locator('[data-person=grace]').getByRole('link', { name: /AI Agent|project:550/ }).tap();
    await page.locator('.room-event').first().waitFor();
    await page.locator('.connection.is-open').waitFor();
    assert.ok(await fits(), 'a room');
    await keepScreenshot(page, 'phone-room');
    await page.getByRole('tab', { name: /^In the room/ }).tap();
    await page.locator('[data-person=ada]').waitFor();
    assert.ok(await fits(), 'in the room');
    assert.deepEqual(await findings(page), []);
    await keepScreenshot(page, 'phone-room-people');
});

pageTest('rooms from the keyboard', async ({ t, open }) => {
    const server = await startServer({ t, env });
    await platform(t, server);
    const page = await openAs(open, server, '');
    await page.getByRole('heading', { level: 1, name: 'Sessions' }).waitFor();
    await page.keyboard.press('2');
    await page.locator('[data-room=global]').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.locator('.room-event').first().waitFor();
    await page.keyboard.press('2');
    await page.getByRole('tab', { name: 'Messages', selected: true }).waitFor();
    await page.keyboard.press('1');
    await page.getByRole('tab', { name: 'Events', selected: true }).waitFor();
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Go on' }).waitFor();
    await page.keyboard.press('p');
    await page.keyboard.press('?');
    await page.getByText('Hold the events still, or go on').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('u');
    await page.getByRole('heading', { level: 1, name: 'Rooms' }).waitFor();
    await page.keyboard.press('3');
    await page.getByRole('heading', { level: 1, name: 'People' }).waitFor();
    await page.locator('.person-row').first().waitFor();
    await page.keyboard.press('j');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'chip');
});
