// Engine.IO protocol 4 and Socket.IO protocol 5, section by section, against the example that says back what
// it is told (examples/socketio_echo.c). docs/conformance-socketio.md says which section each test is for.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { arrived, binary, ms, range, Server, startServer, temporaryDirectory, test, waitFor, within } from './harness.mjs';

async function startEcho(t) {
    const program = path.join(path.dirname(binary), 'examples', 'socketio_echo');
    const directory = temporaryDirectory();
    const child = spawn(program, ['--port', '0'], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new Server(child, directory);
    t.after(() => server.finish());
    await server.started();
    return server;
}

/** A session on a WebSocket; all but pings, which it answers unless told not to, is in `packets`. */
async function open(server, target = '/socket.io/', { sid, pongs = true } = {}) {
    const ws = new WebSocket(server.ws(`${target}?EIO=4&transport=websocket${sid ? `&sid=${sid}` : ''}`));
    ws.packets = [];
    ws.pings = 0;
    ws.on('error', (error) => (ws.error = error));
    ws.on('message', (data, isBinary) => {
        if (isBinary || data.toString() !== '2') return ws.packets.push(isBinary ? data : data.toString());
        ws.pings++;
        if (pongs && ws.readyState === WebSocket.OPEN) ws.send('3');
    });
    ws.closed = new Promise((resolve) => ws.on('close', resolve));
    ws.taken = 0;
    ws.next = async () => {
        await waitFor(() => ws.packets.length > ws.taken || ws.readyState === WebSocket.CLOSED, 'a packet');
        assert.ok(ws.packets.length > ws.taken, 'the session was closed instead');
        return ws.packets[ws.taken++];
    };
    if (!sid) ws.handshake = JSON.parse((await ws.next()).slice(1));
    return ws;
}

/** The same, let into a namespace. */
async function enter(server, space = '') {
    const ws = await open(server);
    ws.send(`40${space}`);
    await ws.next();
    await ws.next();
    return ws;
}

const ends = (ws) => within(ws.closed, 'the end of the session');
const query = (sid) => `?EIO=4&transport=polling${sid ? `&sid=${sid}` : ''}`;
const poll = (server, sid, target = '/socket.io/') => server.get(target + query(sid));
const post = (server, sid, body, target = '/socket.io/') => server.post(target + query(sid), body, { 'Content-Type': 'text/plain;charset=UTF-8' });
/** A poll that has arrived at the server, and waits there; its answer is in `answer`. */
const pollAhead = (server, sid, target) => arrived(server, () => poll(server, sid, target));
const handshake = async (server, target) => JSON.parse((await poll(server, undefined, target)).text.slice(1));
const unknown = { code: 1, message: 'Session ID unknown' };

// ---- Engine.IO ----

for (const target of ['/engine.io/', '/socket.io/']) {
    test(`a handshake by polling at ${target}`, async (t) => {
        const server = await startEcho(t);
        const { status, text, headers } = await poll(server, undefined, target);
        assert.equal(status, 200);
        assert.match(headers['content-type'], /^text\/plain; charset=UTF-8/i);
        assert.equal(text[0], '0');
        const { sid, ...rest } = JSON.parse(text.slice(1));
        assert.match(sid, /^.{20}$/);
        assert.deepEqual(rest, { upgrades: ['websocket'], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 });
    });

    test(`a handshake by WebSocket at ${target}`, async (t) => {
        const ws = await open(await startEcho(t), target);
        const { sid, ...rest } = ws.handshake;
        assert.match(sid, /^.{20}$/);
        assert.deepEqual(rest, { upgrades: [], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 });
        ws.close();
    });

    test(`a handshake without what it needs gets 400 at ${target}`, async (t) => {
        const server = await startEcho(t);
        for (const wrong of ['', '?transport=polling', '?EIO=abc&transport=polling', '?EIO=4', '?EIO=4&transport=abc', '?EIO=3&transport=polling']) {
            assert.equal((await server.get(target + wrong)).status, 400, wrong);
            const ws = new WebSocket(server.ws(target + wrong));
            const [error] = await once(ws, 'error');
            assert.match(error.message, /400/, wrong);
        }
        for (const method of ['POST', 'PUT']) assert.equal((await server.request(target + query(), { method })).status, 400, method);
    });

    test(`pings are sent and answered on polling at ${target}`, async (t) => {
        const server = await startEcho(t);
        const { sid } = await handshake(server, target);
        if (target === '/socket.io/') await post(server, sid, '40', target);
        for (const _ of range(4)) {
            let packets = [];
            while (!packets.includes('2')) packets = (await poll(server, sid, target)).text.split('\x1e');
            assert.equal((await post(server, sid, '3', target)).text, 'ok');
        }
    });

    test(`pings are sent and answered on a WebSocket at ${target}`, async (t) => {
        const ws = await open(await startEcho(t), target);
        if (target === '/socket.io/') ws.send('40');
        await waitFor(() => ws.pings >= 4, 'four pings');
        assert.equal(ws.readyState, WebSocket.OPEN);
        ws.close();
    });

    test(`a silent polling session is gone 500 ms after its handshake at ${target}`, async (t) => {
        const server = await startEcho(t);
        for (const _ of range(3)) {
            const { sid } = await handshake(server, target);
            await new Promise((resolve) => setTimeout(resolve, 500)); // the client's own clock is what is tested
            assert.deepEqual((await poll(server, sid, target)).json, unknown);
        }
    });

    test(`a WebSocket that answers no ping is closed at ${target}`, async (t) => {
        const begun = Date.now();
        const ws = await open(await startEcho(t), target, { pongs: false });
        await ends(ws);
        assert.equal(ws.pings, 1);
        assert.ok(Date.now() - begun < ms(2000));
    });

    test(`the client closes a polling session at ${target}`, async (t) => {
        const server = await startEcho(t);
        const { sid } = await handshake(server, target);
        const waiting = await pollAhead(server, sid, target);
        assert.equal((await post(server, sid, '1', target)).text, 'ok');
        assert.equal((await waiting.answer).text, '6');
        assert.equal((await poll(server, sid, target)).status, 400);
    });

    test(`the client closes a session on a WebSocket at ${target}`, async (t) => {
        const ws = await open(await startEcho(t), target);
        ws.send('1');
        await ends(ws);
    });

    test(`an upgrade at ${target}`, async (t) => {
        const server = await startEcho(t);
        const { sid } = await handshake(server, target);
        const ws = await open(server, target, { sid });
        await once(ws, 'open');
        const waiting = poll(server, sid, target);
        ws.send('2probe');
        assert.equal(await ws.next(), '3probe');
        assert.equal((await waiting).text, '6', 'the poll that waited is ended');
        ws.send('5');
        ws.send(target === '/engine.io/' ? '4hello' : '40');
        assert.match(await ws.next(), target === '/engine.io/' ? /^4hello$/ : /^40\{"sid"/);
        assert.equal((await poll(server, sid, target)).status, 400, 'polling is over');
        assert.equal((await post(server, sid, '4x', target)).status, 400);
        const late = await open(server, target, { sid });
        await ends(late);
        assert.equal(ws.readyState, WebSocket.OPEN);
        ws.close();
    });
}

test('messages by polling, text and binary, come back', async (t) => {
    const server = await startEcho(t);
    const { sid } = await handshake(server, '/engine.io/');
    for (const payload of ['4hello', '4one\x1e4two\x1e4three', '4hello\x1ebAQIDBA==', '4\u{1f600} ä', '4', 'b']) {
        assert.equal((await post(server, sid, payload, '/engine.io/')).text, 'ok');
        assert.equal((await poll(server, sid, '/engine.io/')).text, payload);
    }
});

test('messages on a WebSocket, text and binary, come back', async (t) => {
    const ws = await open(await startEcho(t), '/engine.io/');
    for (const text of ['4hello', '4', `4${'x'.repeat(900000)}`]) {
        ws.send(text);
        assert.equal(await ws.next(), text);
    }
    for (const bytes of [Buffer.from([1, 2, 3, 4]), Buffer.alloc(0), Buffer.alloc(900000, 7)]) {
        ws.send(bytes);
        assert.deepEqual(await ws.next(), bytes);
    }
    ws.close();
});

test('a payload that is none ends the polling session', async (t) => {
    const server = await startEcho(t);
    for (const payload of ['abc', '', '4a\x1e', 'b!', '9']) {
        const { sid } = await handshake(server, '/engine.io/');
        assert.equal((await post(server, sid, payload, '/engine.io/')).status, 400);
        assert.equal((await poll(server, sid, '/engine.io/')).status, 400);
    }
});

test('a packet that is none ends the WebSocket', async (t) => {
    const server = await startEcho(t);
    for (const packet of ['abc', '', '7', '2', '5', '0{}']) {
        const ws = await open(server, '/engine.io/');
        ws.send(packet);
        await ends(ws);
    }
});

test('a second poll ends the session and both', async (t) => {
    const server = await startEcho(t);
    const { sid } = await handshake(server, '/engine.io/');
    const first = await pollAhead(server, sid, '/engine.io/');
    assert.equal((await poll(server, sid, '/engine.io/')).status, 400);
    assert.equal((await first.answer).text, '1');
    assert.deepEqual((await poll(server, sid, '/engine.io/')).json, unknown);
});

test('a poll that is cancelled ends the session', async (t) => {
    const server = await startEcho(t);
    const { sid } = await handshake(server, '/engine.io/');
    const { answer: given } = await arrived(server, () => http.get(`${server.url}/engine.io/${query(sid)}`));
    given.on('error', () => {});
    given.destroy();
    await waitFor(async () => (await poll(server, sid, '/engine.io/')).status === 400, 'the end of the session');
});

test('a session that is not known gets 400', async (t) => {
    const server = await startEcho(t);
    for (const sid of ['x', '', '00aaaaaaaaaaaaaaaaaa', 'zz'.repeat(10)]) {
        assert.deepEqual((await poll(server, sid || '%00')).json, unknown);
        assert.deepEqual((await post(server, sid || '%00', '40')).json, unknown);
    }
});

test('of two WebSockets that want to upgrade a session one may', async (t) => {
    const server = await startEcho(t);
    const { sid } = await handshake(server, '/engine.io/');
    const first = await open(server, '/engine.io/', { sid });
    await once(first, 'open');
    const second = await open(server, '/engine.io/', { sid });
    await ends(second);
    first.send('2probe');
    assert.equal(await first.next(), '3probe');
    first.send('5');
    first.send('4mine');
    assert.equal(await first.next(), '4mine');
    first.close();
});

test('an upgrade that is given up leaves the session on polling', async (t) => {
    const server = await startEcho(t);
    const { sid } = await handshake(server, '/engine.io/');
    for (const _ of range(2)) {
        const ws = await open(server, '/engine.io/', { sid });
        await once(ws, 'open');
        ws.send('2probe');
        assert.equal(await ws.next(), '3probe');
        ws.terminate();
        await post(server, sid, '4still here', '/engine.io/');
        const { text } = await poll(server, sid, '/engine.io/');
        assert.match(text, /^(6|4still here)$/);
        if (text === '6') assert.equal((await poll(server, sid, '/engine.io/')).text, '4still here');
    }
});

test('cross-origin requests of pages are answered, with credentials', async (t) => {
    const server = await startEcho(t);
    const origin = 'http://localhost:5173';
    const { headers } = await server.get(`/socket.io/${query()}`, { Origin: origin });
    assert.equal(headers['access-control-allow-origin'], origin);
    assert.equal(headers['access-control-allow-credentials'], 'true');
    const preflight = await server.request(`/socket.io/${query()}`, { method: 'OPTIONS', headers: { Origin: origin } });
    assert.equal(preflight.status, 204);
});

test('nobody else has /engine.io/', async (t) => {
    const plain = await startServer({ t });
    assert.equal((await plain.get(`/engine.io/${query()}`)).status, 404);
});

// ---- Socket.IO: to a namespace and out of it ----

for (const [space, head] of [['', ''], ['/custom,', '/custom,']]) {
    test(`CONNECT to ${space || '/'} is answered with a sid alone, then auth`, async (t) => {
        const server = await startEcho(t);
        for (const [auth, shown] of [['', '{}'], ['{"token":"123"}', '{"token":"123"}'], ['{"__proto__":{"a":[null,1.5]}}', '{"__proto__":{"a":[null,1.5]}}']]) {
            const ws = await open(server);
            ws.send(`40${space}${auth}`);
            const answer = await ws.next();
            assert.ok(answer.startsWith(`40${head}{`), answer);
            const { sid, ...rest } = JSON.parse(answer.slice(2 + head.length));
            assert.equal(sid.length, 20);
            assert.notEqual(sid, ws.handshake.sid);
            assert.deepEqual(rest, {});
            assert.equal(await ws.next(), `42${head}["auth",${shown}]`);
            ws.close();
        }
    });
}

test('an unknown namespace gets CONNECT_ERROR', async (t) => {
    const ws = await open(await startEcho(t));
    ws.send('40/random');
    assert.equal(await ws.next(), '44/random,{"message":"Invalid namespace"}');
    ws.send('40/ws,');
    assert.equal(await ws.next(), '44/ws,{"message":"Invalid namespace"}');
    ws.close();
});

test('a session that does not begin with CONNECT is closed', async (t) => {
    const server = await startEcho(t);
    for (const packet of ['4abc', '42["message"]', '430[]', '44{"message":"x"}', '451-["a",{"_placeholder":true,"num":0}]']) {
        const ws = await open(server);
        ws.send(packet);
        if (packet.startsWith('45')) ws.send(Buffer.from([1]));
        await ends(ws);
    }
});

test('a session that never sends CONNECT is closed', async (t) => {
    const begun = Date.now();
    const ws = await open(await startEcho(t));
    await ends(ws);
    assert.ok(Date.now() - begun >= 900, 'after the connect timeout of a second');
});

test('DISCONNECT leaves the namespace, and the session goes on', async (t) => {
    const ws = await enter(await startEcho(t));
    ws.send('41');
    const before = ws.pings;
    await waitFor(() => ws.pings > before, 'a ping');
    ws.send('40/custom,');
    assert.match(await ws.next(), /^40\/custom,/);
    ws.close();
});

test('one of two namespaces is left, the other goes on', async (t) => {
    const ws = await enter(await startEcho(t));
    ws.send('40/custom');
    assert.match(await ws.next(), /^40\/custom,\{"sid"/);
    assert.equal(await ws.next(), '42/custom,["auth",{}]');
    ws.send('42/custom,["message","there"]');
    assert.equal(await ws.next(), '42/custom,["message-back","there"]');
    ws.send('41/custom');
    ws.send('42["message","here"]');
    assert.equal(await ws.next(), '42["message-back","here"]');
    ws.close();
});

// ---- Socket.IO: events and acknowledgements ----

const attachments = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])];
const two = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

for (const head of ['', '/custom,']) {
    test(`events and acknowledgements in ${head || '/'}`, async (t) => {
        const ws = await enter(await startEcho(t), head);
        ws.send(`42${head}["message",1,"2",{"3":[true]}]`);
        assert.equal(await ws.next(), `42${head}["message-back",1,"2",{"3":[true]}]`);
        ws.send(`42${head}["message"]`);
        assert.equal(await ws.next(), `42${head}["message-back"]`);
        ws.send(`42${head} [ "message" , null ]`);
        assert.equal(await ws.next(), `42${head}["message-back",null]`);
        ws.send(`42${head}456["message-with-ack",1,"2",{"3":[false]}]`);
        assert.equal(await ws.next(), `43${head}456[1,"2",{"3":[false]}]`);
        ws.send(`42${head}0["message-with-ack"]`);
        assert.equal(await ws.next(), `43${head}0[]`);
        ws.close();
    });

    test(`events and acknowledgements with attachments in ${head || '/'}`, async (t) => {
        const ws = await enter(await startEcho(t), head);
        const say = (text) => [text, ...attachments].forEach((each) => ws.send(each));
        const hear = async (text) => {
            assert.equal(await ws.next(), text);
            for (const each of attachments) assert.deepEqual(await ws.next(), each);
        };
        say(`452-${head}["message",${two}]`);
        await hear(`452-${head}["message-back",${two}]`);
        say(`452-${head}789["message-with-ack",${two}]`);
        await hear(`462-${head}789[${two}]`);
        ws.send(`450-${head}["message"]`);
        assert.equal(await ws.next(), `42${head}["message-back"]`, 'none are announced, none come');
        ws.close();
    });
}

test('attachments by polling', async (t) => {
    const server = await startEcho(t);
    const { sid } = await handshake(server);
    await post(server, sid, '40');
    let seen = '';
    while (!seen.endsWith('42["auth",{}]')) seen += (await poll(server, sid)).text;
    assert.match(seen, /^40\{/);
    await post(server, sid, `452-7["message-with-ack",${two}]\x1ebAQID\x1ebBAUG`);
    assert.equal((await poll(server, sid)).text, `462-7[${two}]\x1ebAQID\x1ebBAUG`);
});

for (const [what, packets] of [
    ['of an unknown type', ['4abc']], ['with an object as data', ['42{}']], ['without data', ['42']], ['with an empty array', ['42[]']],
    ['with a bad id', ['42abc["message"]']], ['with half of its JSON', ['42["message"']], ['with more behind its JSON', ['42["message"]]']],
    ['with a name of the library\'s own', ['42["connect"]']], ['with a name that is none', ['42[{}]']],
    ['with a placeholder of no attachment', ['451-["message",{"_placeholder":true,"num":1}]', Buffer.from([1])]],
    ['with a placeholder numbered by a text', ['451-["message",{"_placeholder":true,"num":"0"}]', Buffer.from([1])]],
    ['instead of its attachments', ['451-["message",{"_placeholder":true,"num":0}]', '42["message"]']],
    ['with too many attachments', ['465535-["message"]']], ['with a negative number of attachments', ['45-1-["message"]']],
    ['of attachments alone', [Buffer.from([1])]], ['with an acknowledgement that is no array', ['431{}']],
]) {
    test(`a packet ${what} closes the session`, async (t) => {
        const ws = await enter(await startEcho(t));
        for (const packet of packets) ws.send(packet);
        await ends(ws);
    });
}

// ---- The stock client against the example ----

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    test(`the JavaScript client, several namespaces and attachments (${transports})`, async (t) => {
        const server = await startEcho(t);
        const socket = io(`${server.url}/`, { transports, forceNew: true, reconnection: false, auth: { who: 'ada' } });
        const custom = socket.io.socket('/custom', { auth: { who: 'eve' } });
        t.after(() => socket.io.engine.close());
        const greetings = Promise.all([once(socket, 'auth'), once(custom, 'auth')]);
        assert.deepEqual(await within(greetings, 'auth'), [[{ who: 'ada' }], [{ who: 'eve' }]]);
        const bytes = [Buffer.alloc(1000, 1), Buffer.alloc(0), Buffer.alloc(200000, 3)];
        for (const each of [socket, custom]) {
            const back = once(each, 'message-back');
            each.emit('message', 'ä', { deep: [bytes[0], { bytes: bytes[1] }] }, bytes[2]);
            assert.deepEqual(await within(back, 'message-back'), ['ä', { deep: [bytes[0], { bytes: bytes[1] }] }, bytes[2]]);
            assert.deepEqual(await within(each.emitWithAck('message-with-ack', bytes[0]), 'the answer'), bytes[0]);
            assert.equal((await within(each.emitWithAck('message-with-ack', 'x'.repeat(900000)), 'a large answer')).length, 900000);
        }
        assert.ok(!socket.recovered);
        if (transports.length > 1) assert.equal(socket.io.engine.transport.name, 'websocket');
    });
}

test('an acknowledgement that never comes times out; what is volatile may be lost', async (t) => {
    const server = await startEcho(t);
    const socket = io(`${server.url}/`, { transports: ['websocket'], forceNew: true, reconnection: false });
    t.after(() => socket.disconnect());
    await within(once(socket, 'auth'), 'auth');
    await assert.rejects(socket.timeout(50).emitWithAck('nobody answers this'), /timed out/);
    assert.equal(await socket.timeout(ms(5000)).emitWithAck('message-with-ack', 7), 7);
    const back = once(socket, 'message-back');
    socket.volatile.emit('message', 'now');
    assert.deepEqual(await within(back, 'the volatile event'), ['now']);
    socket.disconnect();
    socket.volatile.emit('message', 'never');
    const again = once(socket, 'message-back');
    socket.connect();
    await within(once(socket, 'auth'), 'auth');
    socket.emit('message', 'later');
    assert.deepEqual(await within(again, 'what came next'), ['later']);
});
