// The test client page in a real browser, where one is installed.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import {
    ms, openWs, projectRoot, request, startServer, temporaryDirectory, test, waitFor,
} from './harness.mjs';

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
    try {
        return execFileSync('sh', ['-c', `command -v ${name}`]);
    } catch {
        return false;
    }
});
const options = { skip: browser ? false : 'no Chromium is installed', timeout: 60000 };

/** A page in a headless browser, spoken to over the DevTools protocol. */
class Page {
    #next = 0;
    messages = []; // what the page wrote to the console, refusals of its policy included

    static async open(t, url) {
        const child = spawn(browser, ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
            `--user-data-dir=${temporaryDirectory()}`, '--remote-debugging-port=0', 'about:blank'],
        { stdio: ['ignore', 'ignore', 'pipe'] });
        t.after(() => child.kill('SIGKILL'));
        let log = '';
        child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
        const [, port] = await waitFor(() => /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(log), 'the browser', ms(30000));
        const targets = await waitFor(async () => {
            const { json } = await request(`http://127.0.0.1:${port}/json`);
            return json.some((each) => each.type === 'page') && json;
        }, 'a page in the browser');
        const page = new Page();
        page.devtools = await openWs(targets.find((each) => each.type === 'page').webSocketDebuggerUrl);
        t.after(() => page.devtools.terminate());
        for (const domain of ['Runtime', 'Log', 'Page']) await page.call(`${domain}.enable`);
        await page.call('Page.navigate', { url });
        return page;
    }

    async call(method, params = {}) {
        const id = ++this.#next;
        this.devtools.send({ id, method, params });
        const arrived = await this.devtools.until((message) => message.id === id);
        for (const { method: event, params: { entry, args } = {} } of arrived) {
            if (event === 'Log.entryAdded') this.messages.push(entry.text);
            if (event === 'Runtime.consoleAPICalled') this.messages.push(args.map((each) => each.value).join(' '));
            if (event === 'Runtime.exceptionThrown') this.messages.push('an exception');
        }
        return arrived.at(-1).result;
    }

    /** Waits until the text of the page, and its connection's state in front, match all patterns. */
    async expect(...patterns) {
        const expression = 'document.readyState === "complete" ? ' +
            '`${document.getElementById("state").dataset.state} ${document.body.textContent}` : ""';
        let text = '';
        await waitFor(async () => {
            const { result } = await this.call('Runtime.evaluate', { expression });
            text = result.value ?? '';
            return patterns.every((pattern) => pattern.test(text));
        }, `${patterns} on the page`, ms(10000)).catch((error) => {
            throw new Error(`${error.message}; it shows: ${text.slice(0, 600)}`);
        });
    }
}

async function fill(server) {
    await server.publish({ topic: 'session:demo', type: 'component_update',
        data: { component_id: 'auth_service', status: 'in_progress', progress: 45 } });
    await server.publish({ topic: 'session:demo', type: 'terminal_output',
        data: { output: '\u001b[32m<b>Compiling</b>\u001b[0m\n' } });
}

const picture = [/^open /, /auth_service/, /45 %/, /<b>Compiling<\/b>/];

test('the served page shows the session under its content security policy', options, async (t) => {
    const server = await startServer({ t });
    await fill(server);
    const page = await Page.open(t, `${server.url}/examples/websocket_client.html?session=demo`);
    await page.expect(...picture);
    await server.publish({ topic: 'session:demo', type: 'file_change',
        data: { file_path: 'src/live.c', change_type: 'created' } });
    await page.expect(/src\/live\.c/);
    assert.deepEqual(page.messages, []);
});

const fromDisk = pathToFileURL(path.join(projectRoot, 'examples/websocket_client.html'));

test('the page works from disk, where the origin null is let in', options, async (t) => {
    const server = await startServer({ t, env: { CORS_ORIGINS: 'null' } });
    await fill(server);
    const page = await Page.open(t, `${fromDisk}?session=demo&url=${server.url}`);
    await page.expect(...picture);
    assert.deepEqual(page.messages, []);
});

test('from disk, without that, the page says what helps', options, async (t) => {
    const server = await startServer({ t });
    const page = await Page.open(t, `${fromDisk}?session=demo&url=${server.url}`);
    await page.expect(/^failed /, /token/, /--cors-origins null/);
});

test('the page comes back by itself when the server was away', options, async (t) => {
    const first = await startServer({ t });
    await fill(first);
    const page = await Page.open(t, `${first.url}/examples/websocket_client.html?session=demo`);
    await page.expect(...picture);
    await first.stop();
    await page.expect(/^failed /);
    const second = await startServer({ t, listen: `127.0.0.1:${first.port}` });
    await second.publish({ topic: 'session:demo', type: 'component_update',
        data: { component_id: 'after_restart', status: 'completed', progress: 100 } });
    await page.expect(/^open /, /after_restart/);
});
