// What a delivery costs the server in other shapes than the plain one: large frames, compression, TLS, event
// streams, filters, many subscriptions on a connection, readers that do not read. One table, in microseconds of
// the server's processor time for each delivery; each row has a plain one beside it to compare with.
//
//   node bench/shapes.mjs [REPETITIONS] [WORD]     WORD: only the shapes whose names have it
//
// Fresh servers, interleaved, medians; the server on core 0, this client on core 1. Set
// net.ipv4.tcp_congestion_control to cubic before, and leave the machine alone.
import { execFileSync, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';

if (!process.env.SHAPES_PINNED) {
    const again = spawnSync('taskset', ['-c', '1', process.execPath, ...process.argv.slice(1)],
        { stdio: 'inherit', env: { ...process.env, SHAPES_PINNED: '1' } });
    process.exit(again.status ?? 1);
}

const { range, startServer, temporaryDirectory } = await import('../tests/integration/harness.mjs');

const secondsEach = 1.5;
const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** The server's processor time in microseconds. */
function processorTime(pid) {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 1e6 / ticks;
}

function certificate() {
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(temporaryDirectory(), name));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
        '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    return { cert, key };
}

/** A text frame, masked with zeros. */
function frameOf(message) {
    const text = Buffer.from(message);
    const mask = Buffer.alloc(4);
    const head = Buffer.alloc(text.length < 126 ? 2 : text.length < 65536 ? 4 : 10);
    head[0] = 0x81;
    head[1] = 0x80 | (head.length === 2 ? text.length : head.length === 4 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(text.length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(text.length), 2);
    return Buffer.concat([head, mask, text]);
}

// ---- A reader: counts frames, looks at nothing else ----

class Reader {
    frames = 0;
    #head = Buffer.alloc(0);
    #skip = 0;
    #open = false;

    constructor(socket, target, extra, stream) {
        this.socket = socket;
        this.stream = stream;
        this.opened = new Promise((resolve, reject) => {
            this.resolve = resolve;
            socket.once('error', reject);
        });
        socket.on('data', (data) => this.#take(data));
        const upgrade = stream ? '' : 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
            `Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n`;
        socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n${upgrade}${extra}\r\n`);
    }

    #take(data) {
        if (this.#open) return this.stream ? this.#countPieces(data) : this.#countFrames(data);
        this.#head = Buffer.concat([this.#head, data]);
        const end = this.#head.indexOf('\r\n\r\n');
        if (end < 0) return;
        const rest = this.#head.subarray(end + 4);
        if (!/^HTTP\/1.1 (101|200)/.test(this.#head)) throw new Error(this.#head.toString());
        this.#head = Buffer.alloc(0);
        this.#open = true;
        this.resolve();
        this.#take(rest);
    }

    #countPieces(data) {
        const all = this.#head.length ? Buffer.concat([this.#head, data]) : data;
        let at = 0;
        for (let next; (next = all.indexOf('\ndata: ', at)) >= 0; at = next + 7) this.frames++;
        this.#head = all.subarray(Math.max(at, all.length - 6));
    }

    #countFrames(data) {
        if (data.length <= this.#skip) {
            this.#skip -= data.length;
            if (this.#skip === 0 && data.length) this.frames++;
            return;
        }
        let all = data;
        if (this.#skip) {
            all = data.subarray(this.#skip);
            this.#skip = 0;
            this.frames++;
        }
        if (this.#head.length) all = Buffer.concat([this.#head, all]);
        let at = 0;
        for (;;) {
            if (all.length - at < 2) break;
            const short = all[at + 1];
            const size = short < 126 ? 2 : short === 126 ? 4 : 10;
            if (all.length - at < size) break;
            const length = short < 126 ? short
                : short === 126 ? all.readUInt16BE(at + 2) : Number(all.readBigUInt64BE(at + 2));
            if (all.length - at - size < length) {
                this.#skip = length - (all.length - at - size);
                at = all.length;
                break;
            }
            at += size + length;
            this.frames++;
        }
        this.#head = all.subarray(at);
    }
}

// ---- The shapes ----

const text = (size) => {
    let out = '';
    for (let i = 0; out.length < size; i++) out += `[${i}/999] cc -O2 -c src/module_${i % 37}.c -o build/m.o `;
    return out.slice(0, size);
};
const sessionEvent = (size, type = 'bench') => ({ topic: 'session:bench', type, data: { pad: text(size) } });
const channelEvent = (i) => ({ topic: `channel:c${i}`, data: { pad: text(150), timestamp: '2026-01-31T12:00:00.123Z' } });
const build = { target: '/api/build/stream/bench' };
const subscribe = (channels) => channels.map((channel) => JSON.stringify({ type: 'subscribe', channel }));
const filter = [JSON.stringify({ type: 'subscribe', topics: ['bench'] })];
const deflate = 'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n';

/* name, readers, events of one message; target, args, hello(i), extra, secure, stream, sleepers. */
const plain = (name, readers, count, size, more = {}) =>
    ({ name, readers, events: range(count).map(() => sessionEvent(size)), ...build, ...more });

const shapes = [
    plain('plain, one at a time', 1000, 1, 150),
    plain('1 % have a filter, one at a time', 1000, 1, 150, { hello: (i) => (i % 100 ? [] : filter) }),
    plain('all have a filter, one at a time', 1000, 1, 150, { hello: () => filter }),
    plain('plain, 64 at once', 1000, 64, 150),
    plain('1 % have a filter, 64 at once', 1000, 64, 150, { hello: (i) => (i % 100 ? [] : filter) }),
    plain('all have a filter, 64 at once', 1000, 64, 150, { hello: () => filter }),
    {
        name: '1 subscription, 50 at once', readers: 500, target: '/ws', hello: () => subscribe(['c0']),
        events: range(50).map(() => channelEvent(0)),
    },
    {
        name: '50 subscriptions, one on each at once', readers: 500, target: '/ws',
        hello: () => subscribe(range(50).map((i) => `c${i}`)), events: range(50).map(channelEvent),
    },
    plain('2 KiB', 500, 1, 2048),
    plain('2 KiB compressed', 500, 1, 2048, { args: ['--deflate-build'], extra: deflate }),
    plain('2 KiB compressed, 16 at once', 500, 16, 2048, { args: ['--deflate-build'], extra: deflate }),
    plain('16 KiB', 200, 1, 16384),
    plain('256 KiB', 50, 1, 262144),
    plain('plain, 200 readers', 200, 1, 150),
    plain('TLS, 200 readers', 200, 1, 150, { secure: true }),
    plain('TLS, 200 readers, 64 at once', 200, 64, 150, { secure: true }),
    plain('event stream', 1000, 1, 150, { target: '/events?topic=session:bench', stream: true }),
    plain('event stream, 64 at once', 1000, 64, 150, { target: '/events?topic=session:bench', stream: true }),
    plain('8 KiB, 8 at once, all read', 990, 8, 8192),
    plain('8 KiB, 8 at once, 10 more never read', 990, 8, 8192, { sleepers: 10 }),
];

function connect(server, shape, port, i) {
    const socket = shape.secure ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
        : net.connect({ port, host: '127.0.0.1' });
    const reader = new Reader(socket, shape.target, shape.extra ?? '', shape.stream);
    return reader.opened.then(() => {
        for (const message of shape.hello?.(i) ?? []) socket.write(frameOf(message));
        return reader;
    });
}

async function settle(readers) {
    for (let before = -1, now = 0; before !== now;) {
        before = now;
        await new Promise((resolve) => setTimeout(resolve, 150));
        now = readers.reduce((sum, reader) => sum + reader.frames, 0);
    }
}

async function measure(shape, keys) {
    const server = await startServer({
        t: { after() {} }, // finished below
        args: ['--workers', '1', '--engine', 'memory', '--log-level', 'error', '--limits-messages', '1000000',
            ...(shape.secure ? ['--tls-cert', keys.cert, '--tls-key', keys.key] : []), ...(shape.args ?? [])],
        prefix: ['taskset', '-c', '0'],
        ca: shape.secure ? fs.readFileSync(keys.cert) : undefined,
    });
    const port = new URL(server.url).port;
    const readers = [];
    for (let i = 0; i < shape.readers; i++) readers.push(await connect(server, shape, port, i));
    for (let i = 0; i < (shape.sleepers ?? 0); i++) (await connect(server, shape, port, i)).socket.pause();
    await settle(readers);
    const publisher = await connect(server, { ...shape, target: '/api/v1/publish?ack=none', extra: '', stream: false,
        hello: undefined }, port, 0);
    const frame = frameOf(JSON.stringify(shape.events.length === 1 ? shape.events[0] : shape.events));
    const frames = () => readers.reduce((sum, reader) => sum + reader.frames, 0);
    const round = async () => {
        const wanted = frames() + shape.readers * shape.events.length;
        publisher.socket.write(frame);
        for (const late = Date.now() + 20000; frames() < wanted;) {
            if (Date.now() > late) throw new Error(`${shape.name}: ${wanted - frames()} frames did not come`);
            await new Promise((resolve) => setImmediate(resolve));
        }
    };
    for (let i = 0; i < 10; i++) await round();
    const [from, began, delivered] = [processorTime(server.child.pid), Date.now(), frames()];
    while (Date.now() - began < secondsEach * 1000) await round();
    const cost = (processorTime(server.child.pid) - from) / (frames() - delivered);
    const rss = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1] / 1024;
    for (const { socket } of [...readers, publisher]) socket.destroy();
    await server.finish();
    return { cost, rss };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const [repetitions = '3', word = ''] = process.argv.slice(2);
const chosen = shapes.filter(({ name }) => name.includes(word));
const keys = certificate();
const results = chosen.map(() => []);
for (let i = 0; i < Number(repetitions); i++) {
    for (const [k, shape] of chosen.entries()) results[k].push(await measure(shape, keys));
}
console.log('| | µs per delivery | lowest–highest | MiB |\n| --- | --- | --- | --- |');
for (const [k, { name }] of chosen.entries()) {
    const costs = results[k].map(({ cost }) => cost);
    console.log(`| ${name} | ${median(costs).toFixed(2)} | ${Math.min(...costs).toFixed(2)}–` +
        `${Math.max(...costs).toFixed(2)} | ${median(results[k].map(({ rss }) => rss)).toFixed(0)} |`);
}
process.exit();
