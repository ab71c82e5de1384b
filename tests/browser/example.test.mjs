// The test client of examples/, served and from disk.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ms, projectRoot, startServer, waitFor } from '../integration/harness.mjs';
import { pageTest, whileAway } from './browser.mjs';
import { publishAll } from './builds.mjs';

const fromDisk = pathToFileURL(path.join(projectRoot, 'examples/websocket_client.html'));

const fill = (server) =>
    publishAll(server, 'demo', [
        ['component_update', { component_id: 'auth_service', status: 'in_progress', progress: 45 }],
        ['terminal_output', { output: '\u001b[32m<b>Compiling</b>\u001b[0m\n' }],
    ]);

const picture = [/^open /, /auth_service/, /45 %/, /<b>Compiling<\/b>/];

/** Waits until the text of the page, and its connection's state in front, match all patterns. */
async function expectOn(page, ...patterns) {
    let text = '';
    const matches = async () => {
        text = await page.evaluate(
            () => `${document.getElementById('state').dataset.state} ${document.body.textContent}`,
        );
        return patterns.every((pattern) => pattern.test(text));
    };
    await waitFor(matches, `${patterns} on the page`, ms(10000)).catch((error) => {
        throw new Error(`${error.message}; it shows: ${text.slice(0, 600)}`);
    });
}

pageTest('the served test client shows the session under its content security policy', async ({ t, open }) => {
    const server = await startServer({ t });
    await fill(server);
    const page = await open(`${server.url}/examples/websocket_client.html?session=demo`);
    await expectOn(page, ...picture);
    await publishAll(server, 'demo', [['file_change', { file_path: 'src/live.c', change_type: 'created' }]]);
    await expectOn(page, /src\/live\.c/);
});

pageTest('the test client works from disk, where the origin null is let in', async ({ t, open }) => {
    const server = await startServer({ t, env: { CORS_ORIGINS: 'null' } });
    await fill(server);
    const page = await open(`${fromDisk}?session=demo&url=${server.url}`);
    await expectOn(page, ...picture);
});

pageTest('from disk, without that, the test client says what helps', async ({ t, open }) => {
    const server = await startServer({ t });
    const page = await open(`${fromDisk}?session=demo&url=${server.url}`, { mayComplain: /403|CORS|ERR_FAILED/ });
    await expectOn(page, /^failed /, /token/, /--cors-origins null/);
});

pageTest('the test client comes back by itself when the server was away', async ({ t, open }) => {
    const first = await startServer({ t });
    await fill(first);
    const page = await open(`${first.url}/examples/websocket_client.html?session=demo`, { mayComplain: whileAway });
    await expectOn(page, ...picture);
    await first.stop();
    await expectOn(page, /^failed /);
    const second = await startServer({ t, listen: `127.0.0.1:${first.port}` });
    await publishAll(second, 'demo', [
        ['component_update', { component_id: 'after_restart', status: 'completed', progress: 100 }],
    ]);
    await expectOn(page, /^open /, /after_restart/);
});
