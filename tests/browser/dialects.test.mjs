// Pages that were written for a web IDE and for a code editor, as they are, in a real browser. They come
// from a server of their own, as a development server's do.
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { startServer, waitFor } from '../integration/harness.mjs';
import { pageTest } from './browser.mjs';

/** Serves a page with this script; the addresses in it lead to the server. */
async function serve(t, server, script) {
    const html = `<!doctype html><title>client</title><link rel="icon" href="data:,"><script>
const told = [];
class Redirected extends WebSocket {
    constructor(url) { super(url.replace(/localhost:\\d+/, '127.0.0.1:${server.port}')); }
}
globalThis.WebSocket = Redirected;
${script}
</script>`;
    const pages = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(html));
    pages.listen(0, '127.0.0.1');
    await once(pages, 'listening');
    t.after(() => pages.close());
    return `http://localhost:${pages.address().port}/`;
}

const told = (page) => page.evaluate('told');

pageTest('the web IDE\'s client', async ({ t, open }) => {
    const server = await startServer({ t });
    const page = await open(await serve(t, server, `
const sessionId = 'session_123', handleWebSocketMessage = (message) => told.push(message);
const ws = new WebSocket(\`ws://localhost:8000/ws/\${sessionId}\`);

ws.onopen = function(event) {
    console.log('Connected to WebSocket');
};

ws.onmessage = function(event) {
    const message = JSON.parse(event.data);
    handleWebSocketMessage(message);
};
`));
    await waitFor(async () => (await told(page)).length === 1, 'the greeting');
    const topic = 'session:session_123';
    await server.publish({ topic, type: 'execution_start', data: { execution_id: 'e', language: 'python', code_preview: "print('hello')" } });
    await page.evaluate(`ws.send(JSON.stringify({ type: 'session_update', data: { theme: 'dark' } }))`);
    await page.evaluate(`ws.send(JSON.stringify({ type: 'ping', timestamp: '2023-10-01T12:00:00Z' }))`);
    await waitFor(async () => (await told(page)).length === 4, 'the rest');
    const messages = await told(page);
    assert.deepEqual(messages.map(({ type }) => type).sort(), ['connect', 'execution_start', 'pong', 'session_update']);
    const update = messages.find(({ type }) => type === 'session_update');
    assert.deepEqual(update.data, { echo: true, original_message: { type: 'session_update', data: { theme: 'dark' } } });
});

pageTest('the editor\'s client', async ({ t, open }) => {
    const server = await startServer({ t });
    const page = await open(await serve(t, server, `
const handleFileChange = (data) => told.push(data);
const ws = new WebSocket('ws://localhost:3000/ws')

ws.addEventListener('open', () => {
  ws.send(JSON.stringify({
    type: 'subscribe',
    channel: 'files'
  }))
})

ws.addEventListener('message', (event) => {
  const msg = JSON.parse(event.data)
  if (msg.type === 'event' && msg.channel === 'files') {
    handleFileChange(msg.data)
  }
})
`));
    await waitFor(async () => (await server.get('/api/v1/topics/channel%3Afiles/presence')).json?.count === 1, 'the subscription');
    const data = { file: 'src/main.ts', event: 'change', timestamp: '2024-12-09T15:30:45.123Z' };
    await server.publish({ topic: 'channel:files', data });
    await waitFor(async () => (await told(page)).length === 1, 'the change');
    assert.deepEqual(await told(page), [data]);
});
