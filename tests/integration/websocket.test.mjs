// The WebSocket protocol on the wire (RFC 6455 and RFC 7692), byte by byte over bare sockets, and
// once more with the client `ws`. docs/conformance.md refers to these tests by their titles.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import zlib from 'node:zlib';
import WebSocket from 'ws';
import { runProgram, startServer, test, uniqueName, within } from './harness.mjs';

const key = 'dGhlIHNhbXBsZSBub25jZQ=='; // with its answer in RFC 6455, 1.3
const acceptOfKey = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const FIN = 0x80;
const RSV1 = 0x40;

const plain = await startServer(); // as it is by default
const deflating = await startServer({ config: { deflate: { build: true, threshold: 64 } } });

const stream = () => `/api/build/stream/${uniqueName()}`;

// ---- A client that does as it is told ----

/** The lines of a correct handshake; `changes` replaces headers by name, null leaves one out. */
function handshake(server, changes = {}, { method = 'GET', target = stream(), version = '1.1' } = {}) {
    const headers = {
        Host: `127.0.0.1:${server.port}`,
        Upgrade: 'websocket',
        Connection: 'Upgrade',
        'Sec-WebSocket-Key': key,
        'Sec-WebSocket-Version': '13',
        ...changes,
    };
    const lines = Object.entries(headers)
        .flatMap(([name, value]) => [value].flat().map((one) => (one === null ? '' : `${name}: ${one}\r\n`)));
    return `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`;
}

/** A client's frame: masked, unless told otherwise; `first` is its first byte. */
function frame(first, payload = '', { mask = crypto.randomBytes(4) } = {}) {
    const data = Buffer.from(payload);
    const size = data.length < 126 ? [data.length]
        : data.length < 65536 ? [126, data.length >> 8, data.length & 255]
            : [127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (data.length >> shift) & 255)];
    if (mask === null) return Buffer.concat([Buffer.from([first, ...size]), data]);
    size[0] |= 0x80;
    return Buffer.concat([Buffer.from([first, ...size]), mask, data.map((byte, i) => byte ^ mask[i & 3])]);
}

class RawClient {
    #bytes = Buffer.alloc(0);
    #waiters = new Set();
    ended = false;

    constructor(t, server) {
        this.socket = net.connect(server.port, '127.0.0.1');
        this.socket.setNoDelay(true);
        this.socket.on('data', (chunk) => {
            this.#bytes = Buffer.concat([this.#bytes, chunk]);
            this.#wake();
        });
        this.socket.on('error', () => {});
        for (const event of ['end', 'close']) {
            this.socket.on(event, () => {
                this.ended = true;
                this.#wake();
            });
        }
        t.after(() => this.socket.destroy());
    }

    #wake() {
        for (const waiter of this.#waiters) waiter();
    }

    /** Waits until read() returns something, trying whenever bytes have come. */
    async #until(read, what) {
        let attempt;
        const found = new Promise((resolve, reject) => {
            attempt = () => {
                const result = read();
                if (result !== undefined) resolve(result);
                else if (this.ended) reject(new Error(`the connection ended while waiting for ${what}`));
            };
            this.#waiters.add(attempt);
            attempt();
        });
        return within(found, what).finally(() => this.#waiters.delete(attempt));
    }

    #take(count) {
        const taken = this.#bytes.subarray(0, count);
        this.#bytes = this.#bytes.subarray(count);
        return taken;
    }

    send(data) {
        this.socket.write(data);
        return this;
    }

    /** The head of an HTTP answer: { status, headers (names in lower case) }. */
    head() {
        return this.#until(() => {
            const end = this.#bytes.indexOf('\r\n\r\n');
            if (end < 0) return undefined;
            const [line, ...lines] = this.#take(end + 4).toString('latin1').trimEnd().split('\r\n');
            const headers = {};
            for (const one of lines) {
                const colon = one.indexOf(':');
                headers[one.slice(0, colon).toLowerCase()] = one.slice(colon + 1).trim();
            }
            return { status: Number(line.split(' ')[1]), headers };
        }, 'the head of an answer');
    }

    /** The next frame: { fin, rsv, opcode, masked, payload }. */
    frame() {
        return this.#until(() => {
            const b = this.#bytes;
            if (b.length < 2) return undefined;
            const code = b[1] & 127;
            const start = code === 126 ? 4 : code === 127 ? 10 : 2;
            if (b.length < start) return undefined;
            const size = code === 126 ? b.readUInt16BE(2) : code === 127 ? Number(b.readBigUInt64BE(2)) : code;
            if (b.length < start + size) return undefined;
            const bytes = this.#take(start + size);
            return {
                fin: bytes[0] >> 7, rsv: (bytes[0] >> 4) & 7, opcode: bytes[0] & 15, masked: bytes[1] >> 7,
                payload: bytes.subarray(start),
            };
        }, 'a frame');
    }

    /** The next frame with that opcode; those before it are dropped. */
    async frameOf(opcode) {
        for (;;) {
            const next = await this.frame();
            if (next.opcode === opcode) return next;
        }
    }

    /** The next text message as an object. */
    async message() {
        return JSON.parse((await this.frameOf(opcodes.text)).payload.toString('utf8'));
    }

    /** The server's close frame: its code, null without one. */
    async closeCode() {
        const { payload } = await this.frameOf(opcodes.close);
        return payload.length === 0 ? null : payload.readUInt16BE(0);
    }

    /** Waits for the end of the connection; what came before it and was not read. */
    async rest() {
        await this.#until(() => (this.ended ? true : undefined), 'the end of the connection');
        return this.#take(this.#bytes.length);
    }
}

/** Sends a handshake with changes and returns the answer's head. */
async function answerTo(t, server, changes, options) {
    return new RawClient(t, server).send(handshake(server, changes, options)).head();
}

/** An open connection whose greeting is read. */
async function open(t, server = plain, changes = {}) {
    const client = new RawClient(t, server).send(handshake(server, changes));
    const head = await client.head();
    assert.equal(head.status, 101);
    client.extensions = head.headers['sec-websocket-extensions'];
    const greeting = await client.frame();
    client.session = JSON.parse(greeting.payload.toString('utf8')).session_id;
    return client;
}

const ask = frame(FIN | opcodes.text, '{"type":"ping"}'); // the dialect's own ping

/** Shows that the connection works: the dialect answers. */
async function stillWorks(client) {
    client.send(ask);
    assert.equal((await client.message()).type, 'pong');
}

// ---- The handshake ----

test('a handshake is answered with 101, Upgrade, Connection and the value that belongs to the key', async (t) => {
    const { status, headers } = await answerTo(t, plain);
    assert.equal(status, 101);
    assert.equal(headers.upgrade.toLowerCase(), 'websocket');
    assert.equal(headers.connection.toLowerCase(), 'upgrade');
    assert.equal(headers['sec-websocket-accept'], acceptOfKey);
});

test('what was not offered is not in the answer', async (t) => {
    for (const server of [plain, deflating]) {
        const { headers } = await answerTo(t, server);
        assert.equal(headers['sec-websocket-extensions'], undefined);
        assert.equal(headers['sec-websocket-protocol'], undefined);
    }
});

test('Upgrade and Connection are read without regard to case, and in lists', async (t) => {
    for (const changes of [
        { Upgrade: 'WebSocket' },
        { Connection: 'keep-alive, Upgrade' },
        { Connection: 'UPGRADE' },
        { Connection: ['keep-alive', 'upgrade'] },
        { Upgrade: 'foo, websocket' },
    ]) {
        assert.equal((await answerTo(t, plain, changes)).status, 101, JSON.stringify(changes));
    }
});

test('header names are read without regard to case', async (t) => {
    const head = handshake(plain).replace(/^[A-Za-z-]+:/gm, (name) => name.toUpperCase());
    assert.equal((await new RawClient(t, plain).send(head).head()).status, 101);
});

test('a handshake that is no GET of HTTP/1.1 or later is refused with 400', async (t) => {
    assert.equal((await answerTo(t, plain, { Connection: 'Upgrade' }, { version: '1.0' })).status, 400);
    const { status } = await answerTo(t, plain, { 'Content-Length': '0' }, { method: 'POST' });
    assert.ok([400, 405].includes(status), `${status}`);
});

test('a handshake without Host, or with two, is refused with 400', async (t) => {
    assert.equal((await answerTo(t, plain, { Host: null })).status, 400);
    assert.equal((await answerTo(t, plain, { Host: ['127.0.0.1', '127.0.0.1'] })).status, 400);
});

test('a request that does not ask for an upgrade to WebSocket gets 426', async (t) => {
    for (const changes of [{ Upgrade: null }, { Connection: null }, { Upgrade: 'h2c' }, { Connection: 'close' }]) {
        const { status, headers } = await answerTo(t, plain, changes);
        assert.equal(status, 426, JSON.stringify(changes));
        assert.equal(headers.upgrade.toLowerCase(), 'websocket');
        assert.equal(headers['sec-websocket-version'], '13');
    }
});

test('a missing, repeated or malformed key is refused with 400', async (t) => {
    for (const bad of [
        null, [key, key], '', 'dGhlIHNhbXBsZSBub25jZQ=', 'dGhlIHNhbXBsZSBub25jZWFi', 'dGhlIHNhbXBsZQ==', '!'.repeat(24),
    ]) {
        assert.equal((await answerTo(t, plain, { 'Sec-WebSocket-Key': bad })).status, 400, String(bad));
    }
});

test('a version other than 13 gets 426 with the version that is spoken', async (t) => {
    for (const version of ['8', '7', '14', '0', '', '13x', null]) {
        const { status, headers } = await answerTo(t, plain, { 'Sec-WebSocket-Version': version });
        assert.equal(status, 426, String(version));
        assert.equal(headers['sec-websocket-version'], '13');
    }
});

test('a foreign Origin is refused with 403, one of this machine and none at all are let in', async (t) => {
    assert.equal((await answerTo(t, plain, { Origin: 'https://evil.example' })).status, 403);
    assert.equal((await answerTo(t, plain, { Origin: 'null' })).status, 403);
    assert.equal((await answerTo(t, plain, { Origin: `http://127.0.0.1:${plain.port}` })).status, 101);
    assert.equal((await answerTo(t, plain)).status, 101);
});

test('the subprotocol fanfare is selected when it is offered, another never', async (t) => {
    const selected = async (offer) =>
        (await answerTo(t, plain, { 'Sec-WebSocket-Protocol': offer })).headers['sec-websocket-protocol'];
    assert.equal(await selected('fanfare'), 'fanfare');
    assert.equal(await selected('chat, fanfare'), 'fanfare');
    assert.equal(await selected(['chat', 'fanfare']), 'fanfare');
    assert.equal(await selected('chat'), undefined);
});

test('unknown extensions are ignored, a malformed list is refused with 400', async (t) => {
    for (const server of [plain, deflating]) {
        const { status, headers } = await answerTo(t, server, { 'Sec-WebSocket-Extensions': 'foo; bar="1", x-baz' });
        assert.equal(status, 101);
        assert.equal(headers['sec-websocket-extensions'], undefined);
        for (const bad of ['permessage-deflate;', 'a b', ';', 'foo; bar="', 'foo; bar="a b"']) {
            const answer = await answerTo(t, server, { 'Sec-WebSocket-Extensions': bad });
            assert.equal(answer.status, 400, bad);
        }
    }
});

test('a handshake that comes byte by byte is understood', async (t) => {
    const client = new RawClient(t, plain);
    for (const byte of Buffer.from(handshake(plain))) client.send(Buffer.from([byte]));
    assert.equal((await client.head()).status, 101);
});

test('frames right behind the handshake are read', async (t) => {
    const client = new RawClient(t, plain).send(Buffer.concat([Buffer.from(handshake(plain)), ask, ask]));
    assert.equal((await client.head()).status, 101);
    assert.equal((await client.message()).type, 'connection');
    assert.equal((await client.message()).type, 'pong');
    assert.equal((await client.message()).type, 'pong');
});

// ---- Frames ----

test('the server masks no frame, sets no reserved bit and sends each message in one frame', async (t) => {
    const client = new RawClient(t, plain).send(handshake(plain));
    await client.head();
    client.send(ask).send(frame(FIN | opcodes.ping, 'x'));
    for (let i = 0; i < 3; i++) {
        const { fin, rsv, masked } = await client.frame();
        assert.deepEqual({ fin, rsv, masked }, { fin: 1, rsv: 0, masked: 0 });
    }
});

test('lengths are written in their shortest form', async (t) => {
    const client = await open(t);
    const target = `session:${client.session}`;
    for (const length of [10, 300, 70000]) {
        await plain.publish({ topic: target, type: 'terminal_output', data: { output: 'x'.repeat(length) } });
        const head = await client.message(); // frame() reads by the length, so only a right one gives JSON
        assert.equal(head.output.length, length);
    }
});

test('an unmasked frame closes with 1002', async (t) => {
    const client = await open(t);
    client.send(frame(FIN | opcodes.text, '{"type":"ping"}', { mask: null }));
    assert.equal(await client.closeCode(), 1002);
    await client.rest();
});

const refusals = {
    'RSV1 without an extension': [frame(FIN | RSV1 | opcodes.text, 'x'), 1002],
    'RSV2': [frame(FIN | 0x20 | opcodes.text, 'x'), 1002],
    'RSV3': [frame(FIN | 0x10 | opcodes.ping), 1002],
    'a reserved data opcode': [frame(FIN | 3, 'x'), 1002],
    'a reserved control opcode': [frame(FIN | 11), 1002],
    'a fragmented ping': [frame(opcodes.ping, 'x'), 1002],
    'a fragmented close': [frame(opcodes.close, Buffer.from([3, 0xe8])), 1002],
    'a ping of 126 bytes': [frame(FIN | opcodes.ping, 'x'.repeat(126)), 1002],
    'a continuation of nothing': [frame(FIN | opcodes.continuation, 'x'), 1002],
    'a message inside a message': [
        Buffer.concat([frame(opcodes.text, 'a'), frame(FIN | opcodes.text, 'b')]), 1002],
    'a length in 16 bits that fits in 7': [Buffer.from([0x81, 0xfe, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4, 5]), 1002],
    'a length in 64 bits that fits in 16': [Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 255, 255]), 1002],
    'a length with its highest bit set': [Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), 1002],
    'a close frame of one byte': [frame(FIN | opcodes.close, '\x03'), 1002],
    'a close frame with code 1005': [frame(FIN | opcodes.close, Buffer.from([3, 0xed])), 1002],
    'a close frame with code 999': [frame(FIN | opcodes.close, Buffer.from([3, 0xe7])), 1002],
    'a close frame with code 5000': [frame(FIN | opcodes.close, Buffer.from([0x13, 0x88])), 1002],
    'a close reason that is no UTF-8': [frame(FIN | opcodes.close, Buffer.from([3, 0xe8, 0xff])), 1007],
    'a text that is no UTF-8': [frame(FIN | opcodes.text, Buffer.from([0xce, 0xba, 0xed, 0xa0, 0x80])), 1007],
    'a binary message': [frame(FIN | opcodes.binary, 'x'), 1003],
};

for (const [what, [bytes, code]] of Object.entries(refusals)) {
    test(`${what} closes with ${code}`, async (t) => {
        const client = await open(t);
        client.send(bytes);
        assert.equal(await client.closeCode(), code);
        if (code === 1003) client.send(frame(FIN | opcodes.close, Buffer.from([3, 0xeb])));
        assert.equal((await client.rest()).length, 0, 'nothing follows the close frame');
    });
}

test('invalid UTF-8 closes in mid-frame, before the rest of it has come', async (t) => {
    const client = await open(t);
    const whole = frame(FIN | opcodes.text, Buffer.concat([Buffer.from([0x61, 0xf4, 0x90]), Buffer.alloc(100, 0x61)]));
    client.send(whole.subarray(0, 6 + 3));
    assert.equal(await client.closeCode(), 1007);
    await client.rest();
});

test('a message in fragments, with control frames between them, is one message', async (t) => {
    const client = await open(t);
    client.send(frame(opcodes.text, '{"type":'));
    client.send(frame(FIN | opcodes.ping, 'between'));
    assert.equal((await client.frame()).payload.toString(), 'between');
    client.send(frame(opcodes.continuation, ''));
    client.send(frame(FIN | opcodes.pong, 'unasked'));
    client.send(frame(FIN | opcodes.continuation, '"ping"}'));
    assert.equal((await client.message()).type, 'pong');
});

test('frames that come byte by byte are understood', async (t) => {
    const client = await open(t);
    for (const byte of Buffer.concat([frame(FIN | opcodes.ping, 'slow'), ask])) client.send(Buffer.from([byte]));
    assert.equal((await client.frameOf(opcodes.pong)).payload.toString(), 'slow');
    assert.equal((await client.message()).type, 'pong');
});

// ---- Limits ----

test('a message that announces more than 1 MiB closes with 1009 before it is sent', async (t) => {
    const client = await open(t);
    client.send(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1])); // 1 MiB and a byte; no mask yet
    assert.equal(await client.closeCode(), 1009);
    await client.rest();
});

test('fragments that make up more than 1 MiB close with 1009', async (t) => {
    const client = await open(t);
    client.send(frame(opcodes.text, 'x'.repeat(1 << 19)));
    client.send(frame(opcodes.continuation, 'x'.repeat(1 << 19)));
    client.send(Buffer.from([0x80, 0x81]));
    assert.equal(await client.closeCode(), 1009);
    await client.rest();
});

// ---- Control frames and the end ----

test('a ping is answered by a pong with the same payload', async (t) => {
    const client = await open(t);
    for (const payload of ['', 'Hello', 'x'.repeat(125)]) {
        client.send(frame(FIN | opcodes.ping, payload));
        const pong = await client.frame();
        assert.equal(pong.opcode, opcodes.pong);
        assert.equal(pong.payload.toString(), payload);
    }
});

test('an unasked pong is taken in silence', async (t) => {
    const client = await open(t);
    client.send(frame(FIN | opcodes.pong, 'heartbeat')).send(frame(FIN | opcodes.pong));
    client.send(ask);
    assert.equal((await client.frame()).opcode, opcodes.text);
});

test('a close frame is answered with its code, then the server ends the connection', async (t) => {
    for (const code of [1000, 1001, 1011, 3000, 4999]) {
        const client = await open(t);
        client.send(frame(FIN | opcodes.close, Buffer.from([code >> 8, code & 255, 0x62, 0x79, 0x65])));
        assert.equal(await client.closeCode(), code);
        assert.equal((await client.rest()).length, 0);
    }
});

test('a close frame without a code is answered without one', async (t) => {
    const client = await open(t);
    client.send(frame(FIN | opcodes.close));
    assert.equal(await client.closeCode(), null);
    await client.rest();
});

test('what follows a close frame is ignored', async (t) => {
    const client = await open(t);
    client.send(Buffer.concat([frame(FIN | opcodes.close), frame(FIN | opcodes.ping, 'late'), ask]));
    assert.equal((await client.frame()).opcode, opcodes.close);
    assert.equal((await client.rest()).length, 0);
});

test('a connection that ends without a close frame harms nobody', async (t) => {
    const [leaving, staying] = [await open(t), await open(t)];
    leaving.send(frame(opcodes.text, 'half a mess').subarray(0, 9));
    leaving.socket.destroy();
    await stillWorks(staying);
});

test('when the server closes it waits for the answer and then ends the connection', async (t) => {
    const client = await open(t);
    client.send(frame(FIN | opcodes.binary, 'x')); // not accepted here: the server begins the close
    assert.equal(await client.closeCode(), 1003);
    assert.equal(client.ended, false, 'the connection ended before the close was answered');
    client.send(frame(FIN | opcodes.close, Buffer.from([3, 0xeb])));
    assert.equal((await client.rest()).length, 0);
});

test('the server that stops says 1001', async (t) => {
    const server = await startServer({ t });
    const client = await open(t, server);
    const stopped = server.stop();
    assert.equal(await client.closeCode(), 1001);
    client.send(frame(FIN | opcodes.close, Buffer.from([3, 0xe9])));
    await client.rest();
    assert.equal((await stopped).code, 0);
});

// ---- permessage-deflate ----

const deflateMessage = (text) => {
    const packed = zlib.deflateRawSync(Buffer.from(text), { finishFlush: zlib.constants.Z_SYNC_FLUSH });
    assert.equal(packed.subarray(-4).toString('hex'), '0000ffff');
    return packed.subarray(0, -4);
};

const inflateMessage = (payload) =>
    zlib.inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 255, 255])]),
        { finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString('utf8');

test('permessage-deflate is declined where it is not configured', async (t) => {
    const { status, headers } = await answerTo(t, plain, { 'Sec-WebSocket-Extensions': 'permessage-deflate' });
    assert.equal(status, 101);
    assert.equal(headers['sec-websocket-extensions'], undefined);
});

test('offers of permessage-deflate are answered or declined by their parameters', async (t) => {
    const offers = {
        'permessage-deflate': true,
        'permessage-deflate; client_max_window_bits': true,
        'permessage-deflate; client_max_window_bits=10': true,
        'permessage-deflate; server_no_context_takeover; client_no_context_takeover': true,
        'permessage-deflate; server_max_window_bits=15': true,
        'permessage-deflate; server_max_window_bits=10': false,
        'permessage-deflate; server_max_window_bits=7': false,
        'permessage-deflate; client_max_window_bits=16': false,
        'permessage-deflate; server_no_context_takeover=1': false,
        'permessage-deflate; client_no_context_takeover; client_no_context_takeover': false,
        'permessage-deflate; unknown': false,
        'permessage-deflate; server_max_window_bits=10, permessage-deflate': true,
    };
    for (const [offer, accepted] of Object.entries(offers)) {
        const { status, headers } = await answerTo(t, deflating, { 'Sec-WebSocket-Extensions': offer });
        const answer = headers['sec-websocket-extensions'];
        assert.equal(status, 101, offer);
        assert.equal(answer !== undefined, accepted, `${offer} → ${answer}`);
        if (!accepted) continue;
        const [name, ...parameters] = answer.split(';').map((part) => part.trim());
        assert.equal(name, 'permessage-deflate');
        assert.ok(parameters.includes('server_no_context_takeover'), answer);
        assert.ok(parameters.every((one) => /^(server|client)_(no_context_takeover|max_window_bits=15)$/.test(one)), answer);
        assert.ok(!/client_max_window_bits/.test(answer) || /client_max_window_bits/.test(offer), answer);
        if (/server_max_window_bits=15/.test(offer)) assert.ok(parameters.includes('server_max_window_bits=15'), answer);
    }
});

const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };

test('events go out compressed, each on its own, with RSV1 on the message only', async (t) => {
    const client = await open(t, deflating, offer);
    const event = {
        topic: `session:${client.session}`, type: 'terminal_output', data: { output: 'the same words '.repeat(30) },
    };
    for (let i = 0; i < 2; i++) {
        await deflating.publish(event);
        const { fin, rsv, payload } = await client.frameOf(opcodes.text);
        assert.deepEqual({ fin, rsv }, { fin: 1, rsv: 4 });
        assert.equal(JSON.parse(inflateMessage(payload)).output, event.data.output); // no earlier message is needed
    }
    client.send(frame(FIN | opcodes.ping, 'x'.repeat(100)));
    assert.equal((await client.frameOf(opcodes.pong)).rsv, 0);
});

test('small messages may go out uncompressed after an agreement', async (t) => {
    const client = await open(t, deflating, offer);
    await deflating.publish({ topic: `session:${client.session}`, type: 'tick', data: {} });
    const { rsv, payload } = await client.frameOf(opcodes.text);
    const text = rsv ? inflateMessage(payload) : payload.toString('utf8');
    assert.equal(JSON.parse(text).type, 'tick');
});

test('compressed and uncompressed messages are read, whole and in fragments', async (t) => {
    const client = await open(t, deflating, offer);
    const packed = deflateMessage('{"type":"ping"}');
    client.send(frame(FIN | RSV1 | opcodes.text, packed));
    assert.equal((await client.message()).type, 'pong');
    client.send(ask);
    assert.equal((await client.message()).type, 'pong');
    client.send(frame(RSV1 | opcodes.text, packed.subarray(0, 3)));
    client.send(frame(FIN | opcodes.ping, 'between'));
    client.send(frame(opcodes.continuation, packed.subarray(3, 6)));
    client.send(frame(FIN | opcodes.continuation, packed.subarray(6)));
    assert.equal((await client.message()).type, 'pong');
});

const compressedRefusals = {
    'RSV1 on a continuation': [
        Buffer.concat([frame(RSV1 | opcodes.text, 'ab'), frame(FIN | RSV1 | opcodes.continuation, 'c')]), 1002],
    'RSV1 on a control frame': [frame(FIN | RSV1 | opcodes.ping), 1002],
    'broken compressed data': [frame(FIN | RSV1 | opcodes.text, Buffer.alloc(8, 255)), 1007],
    'compressed text that is no UTF-8': [
        frame(FIN | RSV1 | opcodes.text, deflateMessage(Buffer.from([0xed, 0xa0, 0x80]))), 1007],
    'a bomb of 64 MiB in 64 KiB': [
        frame(FIN | RSV1 | opcodes.text, deflateMessage(Buffer.alloc(64 << 20, 0x61))), 1009],
};

for (const [what, [bytes, code]] of Object.entries(compressedRefusals)) {
    test(`${what} closes with ${code}`, async (t) => {
        const client = await open(t, deflating, offer);
        client.send(bytes);
        assert.equal(await client.closeCode(), code);
        await client.rest();
    });
}

// ---- A client that others wrote ----

for (const perMessageDeflate of [false, true]) {
    test(`the client ws understands everything, ${perMessageDeflate ? 'compressed' : 'plain'}`, async (t) => {
        const session = uniqueName();
        const socket = new WebSocket(deflating.ws(`/api/build/stream/${session}`), ['fanfare'],
            { perMessageDeflate: perMessageDeflate && { threshold: 0 } });
        t.after(() => socket.terminate());
        const messages = [];
        socket.on('message', (data) => messages.push(JSON.parse(data.toString('utf8'))));
        await within(once(socket, 'open'), 'the handshake');
        assert.equal(socket.protocol, 'fanfare');
        assert.equal(socket.extensions.includes('permessage-deflate'), perMessageDeflate);
        for (const size of [0, 100, 1000, 70000, 300000]) {
            await deflating.publish({
                topic: `session:${session}`, type: 'terminal_output', data: { output: 'aé€𝄞'.repeat(size / 4) },
            });
        }
        const pong = once(socket, 'pong');
        socket.ping('are you there');
        assert.equal((await within(pong, 'a pong'))[0].toString(), 'are you there');
        const padding = 'x'.repeat(200000);
        socket.send(JSON.stringify({ type: 'ping', padding }));
        socket.send('{"type":', { fin: false });
        socket.send('"ping"}', { fin: true });
        const closed = once(socket, 'close');
        while (messages.filter((m) => m.type === 'pong').length < 2) await within(once(socket, 'message'), 'messages');
        assert.deepEqual(messages.filter((m) => m.output !== undefined).map((m) => m.output.length),
            [0, 125, 1250, 87500, 375000]);
        socket.close(4000, 'done');
        assert.equal((await within(closed, 'the close'))[0], 4000);
    });
}

// ---- Our own client: what `fanfare pub -` sends, seen by a server that answers as it is told ----

/** The frames in bytes, unmasked: { opcode, masked, mask, payload }; the rest is left over. */
function* framesIn(bytes) {
    for (let at = 0; at + 2 <= bytes.length;) {
        const code = bytes[at + 1] & 127;
        const start = at + (code === 126 ? 4 : code === 127 ? 10 : 2);
        if (start > bytes.length) return;
        const size = code === 126 ? bytes.readUInt16BE(at + 2) : code === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : code;
        const masked = bytes[at + 1] >> 7;
        const mask = bytes.subarray(start, start + 4 * masked);
        const end = start + 4 * masked + size;
        if (end > bytes.length) return;
        const payload = bytes.subarray(start + 4 * masked, end).map((byte, i) => (masked ? byte ^ mask[i & 3] : byte));
        yield { opcode: bytes[at] & 15, rsv: (bytes[at] >> 4) & 7, masked, mask: mask.toString('hex'), payload };
        at = end;
    }
}

/** Plays the server for the client: accept(key) gives the Accept value, first is sent behind the
 * head; each text message is acknowledged. Returns { url, connections: [{ head, bytes }] }. */
async function fakeServer(t, { accept, first = Buffer.alloc(0) } = {}) {
    const connections = [];
    const server = net.createServer((socket) => {
        const seen = { head: '', bytes: Buffer.alloc(0) };
        let acknowledged = 0;
        connections.push(seen);
        socket.on('error', () => {});
        socket.on('data', (chunk) => {
            seen.bytes = Buffer.concat([seen.bytes, chunk]);
            const end = seen.bytes.indexOf('\r\n\r\n');
            if (!seen.head && end >= 0) {
                seen.head = seen.bytes.subarray(0, end + 4).toString('latin1');
                seen.bytes = seen.bytes.subarray(end + 4);
                const ours = /^Sec-WebSocket-Key: (.*)\r$/im.exec(seen.head)?.[1];
                socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                    `Sec-WebSocket-Accept: ${(accept ?? acceptFor)(ours)}\r\n\r\n`);
                socket.write(first);
            }
            const texts = [...framesIn(seen.bytes)].filter((one) => one.opcode === opcodes.text).length;
            if (seen.head && texts > acknowledged) {
                const answer = JSON.stringify({ published: texts - acknowledged, failed: 0, topics: {} });
                socket.write(frame(FIN | opcodes.text, answer, { mask: null }));
                acknowledged = texts;
            }
        });
    });
    t.after(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { url: `http://127.0.0.1:${server.address().port}`, connections };
}

const acceptFor = (ours) =>
    crypto.createHash('sha1').update(`${ours}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

const events = (count) => '{"topic":"session:a","type":"tick","data":{}}\n'.repeat(count);

test('our client sends a complete handshake with a fresh key each time', async (t) => {
    const { url, connections } = await fakeServer(t);
    for (let i = 0; i < 2; i++) {
        const { code, stderr } = await runProgram(['pub', '--url', url, '-'], { input: events(1) });
        assert.equal(code, 0, stderr);
    }
    const keys = connections.map(({ head }) => {
        assert.match(head, /^GET \/\S* HTTP\/1\.1\r\n/);
        assert.match(head, /^Host: 127\.0\.0\.1:\d+\r$/im);
        assert.match(head, /^Upgrade: websocket\r$/im);
        assert.match(head, /^Connection: Upgrade\r$/im);
        assert.match(head, /^Sec-WebSocket-Version: 13\r$/im);
        return /^Sec-WebSocket-Key: (.*)\r$/im.exec(head)[1];
    });
    assert.equal(keys.length, 2);
    for (const one of keys) {
        assert.equal(Buffer.from(one, 'base64').length, 16);
        assert.equal(Buffer.from(one, 'base64').toString('base64'), one);
    }
    assert.notEqual(keys[0], keys[1]);
});

test('our client masks every frame, each with a mask of its own', async (t) => {
    const { url, connections } = await fakeServer(t, { first: frame(FIN | opcodes.ping, 'are you there', { mask: null }) });
    const { code, stderr } = await runProgram(['pub', '--url', url, '-'], { input: events(50) });
    assert.equal(code, 0, stderr);
    const frames = [...framesIn(connections[0].bytes)];
    assert.ok(frames.every((one) => one.masked === 1 && one.rsv === 0));
    assert.equal(frames.filter((one) => one.opcode === opcodes.text).length, 50);
    assert.ok(new Set(frames.map((one) => one.mask)).size >= frames.length - 1, 'masks are used twice');
    const pong = frames.find((one) => one.opcode === opcodes.pong);
    assert.equal(Buffer.from(pong.payload).toString(), 'are you there');
    assert.equal(frames.at(-1).opcode, opcodes.close);
});

test('our client sends nothing to a server whose Accept value is wrong', async (t) => {
    const { url, connections } = await fakeServer(t, { accept: () => acceptOfKey });
    const { code } = await runProgram(['pub', '--url', url, '--timeout', '500ms', '-'], { input: events(1) });
    assert.equal(code, 1);
    assert.ok(connections.length >= 1);
    assert.ok(connections.every(({ bytes }) => bytes.length === 0));
});

test('our client leaves a server that masks its frames', async (t) => {
    const { url, connections } = await fakeServer(t, { first: frame(FIN | opcodes.text, '{}') });
    const { code, stderr } = await runProgram(['pub', '--url', url, '--timeout', '500ms', '-'], { input: events(1) });
    assert.equal(code, 1);
    assert.match(stderr, /masked/);
    assert.ok(connections.length >= 1);
});

test('our client waits longer before each new attempt', async (t) => {
    const attempts = [];
    const server = net.createServer((socket) => {
        attempts.push(performance.now());
        socket.on('error', () => {});
        socket.destroy();
    });
    t.after(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${server.address().port}`;
    await runProgram(['pub', '--url', url, '--timeout', '3s', '-'], { input: events(1) });
    assert.ok(attempts.length >= 3, `${attempts.length} attempts in 3 s`);
    const pauses = attempts.slice(1).map((time, i) => time - attempts[i]);
    // Half of each pause is random; what remains doubles: at least 125 ms, 250 ms, 500 ms, and then a second,
    // since the command only waits for what it still has to be sent.
    pauses.forEach((pause, i) => assert.ok(pause > Math.min(120 * 2 ** i, 950), `pause ${i} was ${pause} ms`));
});
