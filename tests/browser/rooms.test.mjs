// The agent platform's clients in a real browser, as they were written, and the stock Socket.IO client over
// each transport. Names are resolved to the test's own ports: no line is changed, not even an address.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { io } from 'socket.io-client';
import { Cuts, Traffic } from '../integration/cuts.mjs';
import { ms, range, startServer, waitFor, within } from '../integration/harness.mjs';
import { Proxy } from '../integration/proxy.mjs';
import * as snippets from '../integration/rooms_snippets.mjs';
import { bearer, mint, now, secret } from '../integration/tokens.mjs';
import { pageTest, whileAway } from './browser.mjs';

const project = '550e8400-e29b-41d4-a716-446655440000';
const other = '660e8400-e29b-41d4-a716-446655440001';
const room = `project:${project}`;
const admin = bearer(mint({ sub: 'platform', role: 'admin' }));
const keyed = { JWT_SECRET_KEY: secret, CORS_ORIGINS: '["http://localhost:3000"]' };

/**
 * A development server's page with this script, at http://localhost:3000, and Fanfare behind a proxy at
 * http://localhost:8000. `before` runs ahead of the script: what the page has in its storage, say.
 */
async function site(t, open, script, { before = () => {}, given, env = keyed, config, ...options } = {}) {
    const server = await startServer({ t, env, config });
    const proxy = await Proxy.start(t, server.port);
    const who = env.JWT_SECRET_KEY ? admin : {};
    const pages = http.createServer((request, response) => {
        response.setHeader('Content-Type', request.url === '/app.js' ? 'text/javascript' : 'text/html');
        response.end(request.url === '/app.js' ? script
            : `<!doctype html><title>${request.url}</title><link rel="icon" href="data:,"><div id="root"></div><script src="/app.js"></script>`);
    });
    pages.listen(0, '127.0.0.1');
    await once(pages, 'listening');
    t.after(() => pages.close());
    const rules = `MAP localhost:8000 127.0.0.1:${proxy.port}, MAP localhost:3000 127.0.0.1:${pages.address().port}`;
    const page = await open('about:blank', { args: [`--host-resolver-rules=${rules}`], ...options });
    await page.addInitScript(before, given);
    await page.goto('http://localhost:3000/');
    const publish = async (topic, type, data) => {
        const answer = await server.post('/api/v1/publish', { topic, type, data }, who);
        assert.equal(answer.status, 200, answer.text);
    };
    const inRoom = async (topic) =>
        (await server.get(`/api/v1/topics/${encodeURIComponent(topic)}/presence`, who)).json?.count ?? 0;
    const until = (topic, count) => waitFor(async () => (await inRoom(topic)) === count, `${count} in ${topic}`);
    return { server, proxy, page, publish, inRoom, until };
}

const storeToken = (token) => localStorage.setItem('jwt_token', token);
const updated = (name, id = project) => ({ project_id: id, project_name: name, status: 'active', updated_by: other, changes: { status: 'updated' } });

const app = `
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
${snippets.reactHook}
const Project = ({ id }) => {
    const project = useProjectUpdates(id);
    return createElement('h1', {}, project ? project.project_name : 'nothing yet');
};
const root = createRoot(document.getElementById('root'));
globalThis.show = (id) => root.render(id && createElement(Project, { id }));
show('${project}');
`;

pageTest('the React hook shows a project, then another', async ({ t, open }) => {
    const { page, publish, until } = await site(t, open, await snippets.bundle(app), {
        before: storeToken, given: mint({ sub: 'grace' }),
        mayComplain: /WebSocket is closed before/, // a component that goes while it connects
    });
    await page.getByRole('heading', { name: 'nothing yet' }).waitFor();
    await until(room, 1);
    await publish(room, 'project.updated', updated('AI Agent Framework'));
    await page.getByRole('heading', { name: 'AI Agent Framework' }).waitFor();
    await page.evaluate((id) => globalThis.show(id), other);
    await until(`project:${other}`, 1);
    await until(room, 0);
    await publish(`project:${other}`, 'project.updated', updated('Another', other));
    await page.getByRole('heading', { name: 'Another' }).waitFor();
    await page.evaluate(() => globalThis.show(null));
    await until(`project:${other}`, 0);
});

// The quick start's lines one after the other, with what a page around them has.
const client = (lines) => `
import io from "socket.io-client";
globalThis.told = [];
globalThis.steps = [];
const token = localStorage.getItem("jwt_token");
const socket = globalThis.socket = io("http://localhost:8000/ws", { auth: { token }, reconnectionDelay: 20 });
const console = { log: (...words) => told.push(words) };
const refreshToken = () => globalThis.refreshToken();
socket.on("step", (event) => steps.push(event.data.n));
${lines}
`;

pageTest('subscribing, several events, the rooms, unsubscribing', async ({ t, open }) => {
    const lines = snippets.subscribing + snippets.severalEvents + snippets.debugRooms;
    const { page, publish, until } = await site(t, open, await snippets.bundle(client(lines)), {
        before: storeToken, given: mint({ sub: 'ada' }),
    });
    const told = () => page.evaluate('told');
    await waitFor(async () => (await told()).length === 2, 'both answers', ms(15000));
    const [[answer], [rooms]] = await told();
    assert.equal(answer.status, 'success');
    assert.deepEqual(rooms.rooms.sort(), ['global', room, 'user:ada']);
    await publish(room, 'project.updated', updated('Shown'));
    await waitFor(async () => (await told()).length === 4, 'the update, twice listened for');
    assert.deepEqual((await told()).slice(2).map(([name]) => name), ['Project updated:', 'project.updated:']);
    await page.evaluate(`socket.emit("unsubscribe", { room: "${room}" })`);
    await until(room, 0);
});

pageTest('auto-reconnect with a fresh token', async ({ t, open }) => {
    const lines = `socket.on("connect", () => socket.emit("subscribe", { room: "${room}" }));${snippets.autoReconnect}`;
    const { page, publish, until } = await site(t, open, await snippets.bundle(client(lines)), {
        config: { jwt: { grace: '200ms' } },
        before: ({ old, fresh }) => {
            localStorage.setItem('jwt_token', old);
            globalThis.refreshToken = async () => ((globalThis.refreshed = (globalThis.refreshed ?? 0) + 1), fresh);
        },
        given: { old: mint({ sub: 'ada', exp: now() - 2 }), fresh: mint({ sub: 'ada' }) },
        mayComplain: whileAway,
    });
    await until(room, 1);
    await publish(room, 'step', { n: 1 });
    await page.waitForFunction('globalThis.refreshed === 1 && socket.connected');
    assert.equal(await page.evaluate('localStorage.getItem("jwt_token") === socket.auth.token && socket.recovered'), true);
    await publish(room, 'step', { n: 2 });
    await page.waitForFunction('steps.length >= 2');
    assert.deepEqual(await page.evaluate('steps'), [1, 2]);
});

pageTest('a refused token leads to the login', async ({ t, open }) => {
    const { page } = await site(t, open, await snippets.bundle(client(snippets.connectionErrors)), {
        before: storeToken, given: 'no token', mayComplain: whileAway, // of what it leaves behind
    });
    await page.waitForURL('http://localhost:3000/login');
});

// ---- The stock client over each transport ----

const stock = await snippets.bundle(`import io from "socket.io-client"; globalThis.io = io;`);

/** In the page: connects and keeps what comes; resolves when the transport is the wanted one. */
async function connectInPage(page, space, transports, wanted, extra = {}) {
    await page.evaluate(async ({ space, transports, wanted, extra }) => {
        globalThis.steps = [];
        globalThis.sizes = [];
        const socket = (globalThis.socket = io(`http://localhost:8000${space}`, { transports, forceNew: true, reconnectionDelay: 20, ...extra }));
        socket.on('step', (event) => steps.push(event.data.n));
        socket.on('large', (event) => sizes.push(event.data.text.length));
        await new Promise((resolve, reject) => socket.on('connect', resolve).on('connect_error', reject));
        const { engine } = socket.io;
        if (engine.transport.name !== wanted) await new Promise((resolve) => engine.once('upgrade', resolve));
    }, { space, transports, wanted, extra });
}

for (const space of ['/ws', '/'])
    for (const [transports, wanted] of [[['polling'], 'polling'], [['websocket'], 'websocket'], [['polling', 'websocket'], 'websocket']])
        pageTest(`socket.io-client at ${space} over ${transports.join(' and ')}`, async ({ t, open }) => {
            const { page, publish } = await site(t, open, stock, { env: {} });
            await connectInPage(page, space, transports, wanted);
            const ask = (...args) => page.evaluate((list) => socket.emitWithAck(...list), args);
            assert.equal((await ask('subscribe', { room, since: 0 })).status, 'success');
            assert.equal((await ask('ping', { any: 'thing' })).status, 'success');
            assert.equal(await page.evaluate(() => socket.timeout(5000).emitWithAck('bytes', new Uint8Array([1, 2, 3]), { more: new ArrayBuffer(4) }).then(({ code }) => code)), 'UNKNOWN_EVENT');
            for (const n of range(20)) await publish(room, 'step', { n, text: 'ä😀' });
            const text = 'x'.repeat(900_000);
            await publish(room, 'large', { text });
            await page.waitForFunction('sizes.length === 1');
            assert.deepEqual(await page.evaluate('steps'), range(20));
            assert.equal(await page.evaluate('sizes[0]'), text.length);
            assert.equal(await page.evaluate('socket.io.engine.transport.name'), wanted);
        });

/** Rounds of events, something that breaks the transport, and events while the client is away; all must come. */
async function breakUnderTraffic(page, publish, transport, breakIt) {
    let n = 0;
    for (const _ of range(3)) {
        await page.waitForFunction((name) => socket.connected && socket.io.engine.transport.name === name, transport);
        await page.evaluate(() => {
            globalThis.back = new Promise((resolve) => socket.once('connect', () => resolve(socket.recovered)));
        });
        for (const __ of range(10)) await publish(room, 'step', { n: n++ });
        await breakIt();
        for (const __ of range(10)) await publish(room, 'step', { n: n++ });
        assert.equal(await page.evaluate('back'), true, 'recovered');
    }
    await page.waitForFunction((count) => steps.length >= count, n);
    assert.deepEqual(await page.evaluate('steps'), range(n));
}

for (const transports of [['websocket'], ['polling', 'websocket']])
    pageTest(`socket.recovered after a cut under traffic, over ${transports.join(' and ')}`, async ({ t, open }) => {
        const { page, publish, proxy } = await site(t, open, stock, { env: {}, mayComplain: whileAway });
        await connectInPage(page, '/ws', transports, 'websocket');
        await page.evaluate((room) => socket.emitWithAck('subscribe', { room }), room);
        await breakUnderTraffic(page, publish, 'websocket', () => proxy.cut());
    });

pageTest('socket.recovered after the client lost its transport, over polling', async ({ t, open }) => {
    const { page, publish } = await site(t, open, stock, { env: {}, mayComplain: whileAway });
    await connectInPage(page, '/ws', ['polling'], 'polling');
    await page.evaluate((room) => socket.emitWithAck('subscribe', { room }), room);
    await breakUnderTraffic(page, publish, 'polling', () => page.evaluate(() => void socket.io.engine.close()));
});

/** The numbers that come to a room as events `said`, as somebody gets them whom no cut reaches. */
async function hearing(t, server, said) {
    const socket = io(`${server.url}/ws`, { transports: ['websocket'], forceNew: true, auth: { token: mint({ sub: 'observer' }) } });
    t.after(() => socket.disconnect());
    const heard = [];
    socket.on('said', ({ data }) => heard.push(data.n));
    await once(socket, 'connect');
    await socket.emitWithAck('subscribe', { room: said });
    return heard;
}

/** In the page: says something every few milliseconds while it is connected, and keeps what was confirmed. */
const talk = (page, said) => page.evaluate((room) => {
    Object.assign(globalThis, { spoken: 0, confirmed: [], recovered: [] });
    socket.on('connect', () => recovered.push(socket.recovered));
    const say = (n) => socket.emit('publish', { room, event: 'said', data: { n } }, () => confirmed.push(n));
    globalThis.talking = setInterval(() => socket.connected && say(spoken++), 15);
}, said);

// A browser repeats by itself, on another connection, a request whose connection broke before the answer began.
for (const [origin, address, seed] of [['another', 'http://localhost:3000/', 1], ['the same', 'http://localhost:8000/health', 2]])
    pageTest(`over polling alone to ${origin} origin, cut at any point: nothing lost, nothing doubled, no standstill`, async ({ t, open }) => {
        const said = 'project:said';
        const { page, proxy, publish, server } = await site(t, open, stock, {
            env: { ...keyed, CORS_ORIGINS: '["http://localhost:3000","http://localhost:8000"]' },
            config: { rooms: { ping_interval: '400ms', ping_timeout: '400ms' } },
            mayComplain: /net::ERR_|Failed to load resource|CORS policy/, // a cut may leave CORS headers behind
        });
        if (page.url() !== address) {
            await page.goto(address);
            await page.evaluate(stock);
        }
        const heard = await hearing(t, server, said);
        const token = mint({ sub: 'ada', publish: [said] });
        await connectInPage(page, '/ws', ['polling'], 'polling', { reconnectionDelayMax: 50, auth: { token } });
        await page.evaluate((room) => socket.emitWithAck('subscribe', { room }), room);
        await talk(page, said);
        const traffic = new Traffic((n) => publish(room, 'step', { n, pad: n % 50 ? '' : 'x'.repeat(100_000) }));
        const cuts = new Cuts(proxy, seed);
        const seen = () => page.evaluate('[steps.length, confirmed.length]');
        for (const _ of range(40)) {
            await within(cuts.next(), 'a cut');
            const before = await seen();
            await waitFor(async () => (await seen()).every((count, i) => count > before[i] + 1), `traffic both ways after a cut ${cuts.last}`, ms(3000));
        }
        const count = await traffic.stop();
        await page.evaluate(() => clearInterval(talking));
        await waitFor(async () => (await seen())[0] >= count, 'all events');
        assert.deepEqual(await page.evaluate('steps'), range(count));
        const { recovered, confirmed } = await page.evaluate('({ recovered, confirmed })');
        assert.deepEqual(recovered, recovered.map(() => true));
        assert.equal(new Set(heard).size, heard.length, 'nothing that was said came twice');
        assert.deepEqual(confirmed.filter((n) => !heard.includes(n)), [], 'what was confirmed was heard');
    });
