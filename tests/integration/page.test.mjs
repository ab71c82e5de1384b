// The test client page in a real browser, where one is installed.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ms, projectRoot, startServer, temporaryDirectory, test, within } from './harness.mjs';

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
    try {
        return execFileSync('sh', ['-c', `command -v ${name}`]);
    } catch {
        return false;
    }
});
const options = { skip: browser ? false : 'no Chromium is installed', timeout: 60000 };

/** Loads a page, lets it run for three seconds, and returns its document and the console. */
async function load(t, url) {
    const child = spawn(browser, ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
        `--user-data-dir=${temporaryDirectory()}`, '--enable-logging=stderr', '--virtual-time-budget=3000',
        '--dump-dom', url], { stdio: ['ignore', 'pipe', 'pipe'] });
    t.after(() => child.kill('SIGKILL'));
    let [dom, log] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (dom += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
    await within(once(child, 'close'), 'the browser', ms(40000));
    const messages = log.split('\n').filter((line) => line.includes('CONSOLE'));
    return { dom, messages };
}

async function fill(server) {
    await server.publish({ topic: 'session:demo', type: 'component_update',
        data: { component_id: 'auth_service', status: 'in_progress', progress: 45 } });
    await server.publish({ topic: 'session:demo', type: 'terminal_output',
        data: { output: '\u001b[32m<b>Compiling</b>\u001b[0m\n' } });
}

function expectPicture(dom, messages) {
    assert.match(dom, /data-state="open"[^>]*>connected</);
    assert.match(dom, /auth_service/);
    assert.match(dom, /45 %/);
    assert.match(dom, /&lt;b&gt;Compiling&lt;\/b&gt;/);
    assert.deepEqual(messages, []);
}

test('the served page shows the session under its content security policy', options, async (t) => {
    const server = await startServer({ t });
    await fill(server);
    const { dom, messages } = await load(t, `${server.url}/examples/websocket_client.html?session=demo`);
    expectPicture(dom, messages);
});

test('the page works from disk, where the origin null is let in', options, async (t) => {
    const server = await startServer({ t, env: { CORS_ORIGINS: 'null' } });
    await fill(server);
    const file = pathToFileURL(path.join(projectRoot, 'examples/websocket_client.html'));
    const { dom, messages } = await load(t, `${file}?session=demo&url=${server.url}`);
    expectPicture(dom, messages);
});

test('from disk, without that, the page says what helps', options, async (t) => {
    const server = await startServer({ t });
    const file = pathToFileURL(path.join(projectRoot, 'examples/websocket_client.html'));
    const { dom } = await load(t, `${file}?session=demo&url=${server.url}`);
    assert.match(dom, /token/);
    assert.match(dom, /--cors-origins null/);
});
