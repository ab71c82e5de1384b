// What is live stays true: late joiners, lost connections, servers that die, and much at once.
import assert from 'node:assert/strict';
import { ms, openWs, range, startServer, waitFor } from '../integration/harness.mjs';
import { keepScreenshot, pageTest, whileAway } from './browser.mjs';
import { build, publishAll } from './builds.mjs';

/** Waits until the page has folded up to an offset and read the history before. */
async function caughtUp(page, offset, limit) {
    await waitFor(
        () =>
            page.evaluate((wanted) => {
                const session = globalThis.fanfareSession;
                return (
                    session &&
                    session.offset >= wanted &&
                    /whole|trimmed/.test(session.history.value.phase) &&
                    session.transcripts.isWhole.value
                );
            }, offset),
        `the page to be at event ${offset}`,
        limit,
    );
}

/** All that the page knows of its session: its state, what happened, and every line of the terminal with its address. */
function knowledge(page) {
    return page.evaluate(async () => {
        const { state, story, transcripts, offset } = globalThis.fanfareSession;
        const transcript = transcripts.current.value;
        await transcript.settled();
        const lines = [];
        for (let i = transcript.first; i < transcript.lines; i++)
            lines.push(`${transcript.line(i).address} ${transcript.text(i)}`);
        const { entries, errors, runs, samples, began } = story;
        return JSON.parse(JSON.stringify({ offset, state, entries, errors, runs, samples, began, lines }));
    });
}

async function serverState(server, session) {
    const { json } = await server.get(`/api/build/status/${encodeURIComponent(session)}`);
    // The page shows builds: what web IDE sessions have beside them it leaves out.
    const { session_id, terminal_tail, connections, executions, chat, files, updates, ...state } = json;
    return state;
}

pageTest(
    'who joins late knows what who watched from the start knows, and what the server knows',
    async ({ t, open }) => {
        const server = await startServer({ t });
        const early = await open(`${server.url}/?session=demo`);
        await early.getByText('Waiting for the first event').waitFor();
        const events = build({ steps: 70 });
        for (let i = 0; i < events.length; i += 40) await publishAll(server, 'demo', events.slice(i, i + 40));
        const offset = events.length;
        await caughtUp(early, offset);
        const late = await open(`${server.url}/?session=demo`);
        await caughtUp(late, offset);
        // The live tail meets the history of a page that is already there.
        const more = build({ steps: 20, broken: true });
        await publishAll(server, 'demo', more);
        await caughtUp(early, offset + more.length);
        await caughtUp(late, offset + more.length);
        const [a, b] = [await knowledge(early), await knowledge(late)];
        assert.deepEqual(a, b);
        const { offset: at, ...state } = await serverState(server, 'demo');
        assert.equal(at, a.offset);
        assert.deepEqual(a.state, state);
        assert.ok(a.lines.length > 100);
    },
);

pageTest('a late joiner of a session that goes on without a pause misses and doubles nothing', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(
        server,
        'busy',
        range(6000).map((i) => ['terminal_output', { output: `line ${i}\n` }]),
    );
    const publisher = await openWs(server.ws('/api/v1/publish?ack=none'));
    t.after(() => publisher.terminate());
    let next = 6000;
    const timer = setInterval(() => {
        for (const _ of range(40))
            publisher.send({ topic: 'session:busy', type: 'terminal_output', data: { output: `line ${next++}\n` } });
    }, 10);
    t.after(() => clearInterval(timer));
    const page = await open(`${server.url}/?session=busy`);
    await caughtUp(page, 6500, ms(20000));
    clearInterval(timer);
    await publishAll(server, 'busy', [['terminal_output', { output: 'the end\n' }]]);
    await waitFor(async () => (await serverState(server, 'busy')).offset === next + 1, 'all to be published');
    await caughtUp(page, next + 1, ms(20000));
    const { lines } = await knowledge(page);
    assert.deepEqual(
        lines.filter((line) => / line \d/.test(line)).map((line) => line.replace(/^\S+ /, '')),
        range(next).map((i) => `line ${i}`),
    );
});

pageTest('where WebSockets do not come through, event streams do as well', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'demo', build({ steps: 40 }));
    const publisher = await openWs(server.ws('/api/v1/publish?ack=none'));
    t.after(() => publisher.terminate());
    let sent = 0;
    const timer = setInterval(() => {
        for (const _ of range(5)) {
            publisher.send({ topic: 'session:demo', type: 'terminal_output', data: { output: `late ${sent++}\r\n` } });
        }
    }, 5);
    t.after(() => clearInterval(timer));
    const page = await open(`${server.url}/docs`);
    await page.addInitScript(() => delete globalThis.WebSocket);
    await page.goto(`${server.url}/?session=demo`);
    await caughtUp(page, 300, ms(20000));
    clearInterval(timer);
    await publishAll(server, 'demo', [['error', { error_message: 'the end' }]]);
    await page.locator('.error-strip').getByText('the end').waitFor();
    const { lines, state, offset: at } = await knowledge(page);
    const { offset, ...expected } = await serverState(server, 'demo');
    assert.equal(at, offset);
    assert.deepEqual(state, expected);
    const late = lines.filter((line) => line.includes(' late ')).map((line) => line.replace(/^\S+ /, ''));
    assert.deepEqual(
        late,
        range(sent).map((i) => `late ${i}`),
    );
    await page.getByText('Live', { exact: true }).waitFor();
});

pageTest(
    'while the server is away the page says so, and comes back by itself with nothing doubled',
    async ({ t, open }) => {
        const first = await startServer({ t });
        first.mayEndBadly = true;
        await publishAll(first, 'demo', build({ steps: 30 }));
        const page = await open(`${first.url}/?session=demo`, { mayComplain: whileAway });
        await caughtUp(page, 100);
        await page.locator('[data-item=configuration]').waitFor();
        await first.stop('SIGKILL');
        await page
            .locator('.connection.is-away')
            .getByText(/Server away/)
            .waitFor();
        await page.getByRole('button', { name: 'Retry now' }).waitFor();
        await keepScreenshot(page, 'server-away');
        assert.match(await page.title(), /^… /);
        const second = await startServer({ t, listen: `127.0.0.1:${first.port}` });
        await publishAll(second, 'demo', [
            ['component_update', { component_id: 'after_restart', status: 'completed', progress: 100 }],
            ['terminal_output', { output: 'anew\n' }],
        ]);
        await page.locator('[data-item=after_restart]').waitFor({ timeout: ms(20000) });
        // Sooner than the list of watchers is asked for by itself.
        await page.getByLabel('1 connection watching').waitFor({ timeout: ms(4000) });
        await page.getByText(/The server was started anew and no longer has what came before/).waitFor();
        await caughtUp(page, 2);
        assert.equal(await page.locator('[data-item]').count(), 1, 'only what the server still knows');
        const { lines } = await knowledge(page);
        assert.deepEqual(lines.map((line) => line.replace(/^\S+ /, '')).filter(Boolean), ['anew']);
        await keepScreenshot(page, 'server-restarted');
    },
);

pageTest('a connection that breaks is resumed: what came meanwhile is there once', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'demo', build({ steps: 12 }));
    const page = await open(`${server.url}/?session=demo`, { mayComplain: whileAway });
    await caughtUp(page, 40);
    const before = await page.evaluate(() => globalThis.fanfareSession.offset);
    await page.context().setOffline(true);
    await page.evaluate(() => globalThis.fanfareSession.reconnect());
    await page.locator('.connection.is-away').waitFor();
    await publishAll(
        server,
        'demo',
        range(50).map((i) => ['terminal_output', { output: `meanwhile ${i}\n` }]),
    );
    await page.context().setOffline(false);
    await caughtUp(page, before + 50, ms(20000));
    const { lines } = await knowledge(page);
    assert.equal(lines.filter((line) => line.includes('meanwhile')).length, 50);
    await page.getByText('Live', { exact: true }).waitFor();
    assert.equal(await page.locator('.notice').count(), 0, 'nothing was lost, so nothing is said');
});

pageTest('who was away for longer than the server keeps is told what is missing', async ({ t, open }) => {
    const server = await startServer({ t, config: { topics: { session: { count: 200 } } } });
    await publishAll(server, 'demo', build({ steps: 12 }));
    const page = await open(`${server.url}/?session=demo`, { mayComplain: whileAway });
    await caughtUp(page, 40);
    const before = await page.evaluate(() => globalThis.fanfareSession.offset);
    await page.context().setOffline(true);
    await page.evaluate(() => globalThis.fanfareSession.reconnect());
    await page.locator('.connection.is-away').waitFor();
    await publishAll(
        server,
        'demo',
        range(1000).map((i) => ['terminal_output', { output: `meanwhile ${i}\n` }]),
    );
    await page.context().setOffline(false);
    await caughtUp(page, before + 1000, ms(20000));
    await page.getByText('no longer keeps everything that came while the connection was away').waitFor();
    const { lines, state } = await knowledge(page);
    const { offset, ...expected } = await serverState(server, 'demo');
    assert.equal(offset, before + 1000);
    assert.deepEqual(state, expected);
    const meanwhile = lines.filter((line) => line.includes('meanwhile'));
    assert.match(meanwhile.at(-1), /meanwhile 999$/);
    assert.equal(new Set(meanwhile).size, meanwhile.length, 'none twice');
    await page.getByRole('button', { name: 'Dismiss' }).click();
    assert.equal(await page.locator('.notice').count(), 0);
});

pageTest('a link to a line shows that line to whoever opens it', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'demo', [
        ['run_started', { command: 'make' }],
        ...range(300).map((i) => ['terminal_output', { output: `first ${i}\nsecond ${i}\nthird ${i}\n` }]),
    ]);
    const page = await open(`${server.url}/?session=demo#L120.1`);
    await caughtUp(page, 301);
    await page.locator('.terminal').getByText('second 118', { exact: true }).first().waitFor();
    const box = await page.locator('.terminal').getByText('second 118', { exact: true }).first().boundingBox();
    assert.ok(box.y > 100 && box.y < 900, 'it is in sight');
});

pageTest('what the server no longer keeps is told, and the rest is there', async ({ t, open }) => {
    const server = await startServer({ t, config: { topics: { session: { count: 400 } } } });
    await publishAll(server, 'demo', [
        ['run_started', { command: 'make' }],
        ...range(2000).map((i) => ['terminal_output', { output: `line ${i}\n` }]),
    ]);
    const page = await open(`${server.url}/?session=demo`);
    await caughtUp(page, 2001);
    assert.equal(await page.evaluate(() => globalThis.fanfareSession.history.value.phase), 'trimmed');
    const { lines, state } = await knowledge(page);
    const texts = lines.map((line) => line.replace(/^\S+ /, ''));
    assert.match(texts[0], /no longer kept/);
    assert.equal(texts.filter((text) => text.startsWith('line ')).at(-1), 'line 1999');
    assert.ok(
        texts.length >= 400 && new Set(texts.filter(Boolean)).size === texts.filter(Boolean).length,
        'none twice',
    );
    assert.equal(state.run, 'running', 'what the picture says of the beginning stays');
});

pageTest('who looks elsewhere is told when a build ends, if he wants that', async ({ t, open }) => {
    const server = await startServer({ t });
    await publishAll(server, 'demo', build({ steps: 30 }));
    const page = await open(`${server.url}/docs`);
    await page.context().grantPermissions(['notifications']);
    await page.addInitScript(() => {
        globalThis.notified = [];
        globalThis.Notification = class {
            static permission = 'granted';
            static requestPermission = async () => 'granted';
            constructor(title, { body }) {
                globalThis.notified.push(`${title}: ${body}`);
            }
        };
        document.hasFocus = () => false;
    });
    await page.goto(`${server.url}/?session=demo`);
    await caughtUp(page, 100);
    const switchOn = page.getByRole('button', { name: 'Notify me when a build ends' });
    await switchOn.click();
    await waitFor(async () => (await switchOn.getAttribute('aria-pressed')) === 'true', 'the switch to be on');
    await publishAll(server, 'demo', [
        ['error', { error_message: 'it broke' }],
        ['run_finished', { exit_code: 1 }],
    ]);
    await waitFor(() => page.evaluate(() => globalThis.notified.length), 'a notification');
    assert.deepEqual(await page.evaluate(() => globalThis.notified), ['demo has failed: it broke']);
    await page.locator('[aria-live=polite]').getByText('demo has failed').waitFor({ state: 'attached' });
});

/**
 * Asks the page to answer a click, over and over, while `busy` goes on: the longest and the median wait in
 * ms, as the test sees them, and the longest task, which is how long the page did not listen.
 */
async function answersWhile(page, busy) {
    let done = false;
    await page.evaluate(() => {
        globalThis.longestTask = 0;
        new PerformanceObserver((list) =>
            list
                .getEntries()
                .forEach(({ duration }) => (globalThis.longestTask = Math.max(globalThis.longestTask, duration))),
        ).observe({ entryTypes: ['longtask'] });
    });
    const ended = busy.then(
        () => (done = true),
        (error) => {
            done = true;
            throw error;
        },
    );
    const waits = [];
    while (!done) {
        const begun = performance.now();
        const to = waits.length % 2 ? 'Terminal' : 'Timeline';
        await page.getByRole('tab', { name: new RegExp(`^${to}`) }).click();
        await page.getByRole('tab', { name: new RegExp(`^${to}`), selected: true }).waitFor();
        waits.push(performance.now() - begun);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await ended;
    waits.sort((a, b) => a - b);
    return {
        longest: waits.at(-1),
        median: waits[Math.floor(waits.length / 2)],
        clicks: waits.length,
        task: await page.evaluate(() => globalThis.longestTask),
    };
}

pageTest('half a million lines of output, and the page answers clicks meanwhile', async ({ t, open }) => {
    const server = await startServer({ t });
    const page = await open(`${server.url}/?session=flood`);
    await page.getByText('Waiting for the first event').waitFor();
    const perEvent = 50;
    const events = 10_000;
    const text = (n) =>
        range(perEvent)
            .map((i) => `\u001b[32m[${n * perEvent + i}]\u001b[0m cc -O2 -c src/module_${n}/file_${i}.c\n`)
            .join('');
    const flood = (async () => {
        for (let n = 0; n < events; n += 250) {
            await publishAll(
                server,
                'flood',
                range(250).map((i) => ['terminal_output', { output: text(n + i) }]),
            );
        }
        await caughtUp(page, events, ms(60000));
        await page.evaluate(() => globalThis.fanfareSession.transcripts.current.value.settled());
    })();
    await page.getByRole('tab', { name: 'Terminal' }).waitFor();
    const begun = performance.now();
    const { longest, median, clicks, task } = await answersWhile(page, flood);
    t.diagnostic(
        `500,000 lines in ${Math.round(performance.now() - begun)} ms; ${clicks} clicks meanwhile answered in ${Math.round(median)} ms (median), ${Math.round(longest)} ms (longest); longest task ${task} ms`,
    );
    assert.ok(median < ms(1000), `clicks took ${median} ms`);
    assert.ok(task < ms(500), `the page did not listen for ${task} ms`);
    const last = await page.evaluate(() => {
        const transcript = globalThis.fanfareSession.transcripts.current.value;
        return { lines: transcript.lines, text: [1, 2].map((n) => transcript.text(transcript.lines - n)).join('') };
    });
    assert.ok(last.lines >= 500_000, `${last.lines} lines`);
    assert.match(last.text, /\[499999\] cc/);
});

pageTest('five thousand components stay quick', async ({ t, open }) => {
    const server = await startServer({ t });
    const status = (i) =>
        i % 401 === 7 ? 'failed' : i % 3 === 0 ? 'completed' : i % 7 === 0 ? 'in_progress' : 'pending';
    const name = (i) =>
        `//services/${['auth', 'billing', 'search', 'gateway', 'ledger'][i % 5]}/module_${String(i).padStart(4, '0')}`;
    await publishAll(server, 'monorepo', [
        ['run_started', { command: 'bazel build //...', cwd: '/src/monorepo' }, 400],
        ...range(5000).map((i) => [
            'component_update',
            {
                component_id: name(i),
                status: status(i),
                progress: { failed: 40, completed: 100, in_progress: (i * 13) % 100, pending: 0 }[status(i)],
            },
            300 - i / 20,
        ]),
    ]);
    const page = await open(`${server.url}/?session=monorepo`);
    await page.locator('.item-row').first().waitFor();
    assert.ok((await page.locator('.item-row').count()) < 80, 'only what is in sight exists');
    assert.match(await page.locator('.item-row').first().innerText(), /module_\d+/);
    await keepScreenshot(page, 'components-5000');
    const updates = (async () => {
        for (const round of range(50)) {
            await publishAll(
                server,
                'monorepo',
                range(100).map((i) => [
                    'component_update',
                    { component_id: name(round * 100 + i), status: 'in_progress', progress: (round * 5 + i) % 100 },
                ]),
            );
            await caughtUp(page, 5001 + (round + 1) * 100);
        }
    })();
    const { longest, median, clicks, task } = await answersWhile(page, updates);
    t.diagnostic(
        `5,000 updates of 5,000 components; ${clicks} clicks meanwhile answered in ${Math.round(median)} ms (median), ${Math.round(longest)} ms (longest); longest task ${task} ms`,
    );
    assert.ok(median < ms(1000) && task < ms(500), `clicks took ${median} ms, a task ${task} ms`);
    const begun = performance.now();
    await page.getByRole('searchbox', { name: 'Filter by name' }).fill('ledger 4999');
    await waitFor(async () => (await page.locator('.item-row').count()) === 1, 'the filter');
    assert.ok(performance.now() - begun < ms(1500));
    await page.getByRole('searchbox', { name: 'Filter by name' }).fill('');
    await page.locator('.items-pane .virtual').evaluate((list) => (list.scrollTop = list.scrollHeight));
    await page.locator('.item-row[aria-posinset="5001"]').waitFor();
});
