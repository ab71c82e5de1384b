// Measures a running server: memory of idle connections, handshakes, and fan-out.
//
//   node bench/fanout.mjs URL PID [SECONDS]
//
// The readers are bare sockets that count frames, and the figure that matters is the server's own
// processor time for each delivery: it holds even when this client is what limits the rate. Every
// delivery is counted; a run that lost or doubled one fails.
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';

const [url, pid, seconds = '3'] = process.argv.slice(2);
if (!pid) {
    console.error('usage: node bench/fanout.mjs URL PID [SECONDS]');
    process.exit(2);
}
const { port } = new URL(url);
const ticksPerSecond = 100;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Processor time of the server so far, in microseconds. */
function serverTime() {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 1e6 / ticksPerSecond;
}

function residentBytes() {
    return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

// ---- Readers ----

/** A WebSocket that only counts the messages it is sent. */
class Reader {
    constructor(path, onMessages) {
        this.onMessages = onMessages;
        this.rest = null;
        this.count = 0;
        this.ready = new Promise((resolve, reject) => {
            this.socket = net.connect(port, '127.0.0.1');
            this.socket.on('error', reject);
            this.socket.once('data', (data) => {
                if (!data.toString('latin1').startsWith('HTTP/1.1 101')) return reject(new Error(data.toString()));
                const end = data.indexOf('\r\n\r\n') + 4;
                this.socket.on('data', (more) => this.take(more));
                this.take(data.subarray(end));
                resolve(this);
            });
            this.socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\n` +
                `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
                `Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
        });
    }

    take(data) {
        const bytes = this.rest ? Buffer.concat([this.rest, data]) : data;
        let at = 0;
        let messages = 0;
        while (bytes.length - at >= 2) {
            let length = bytes[at + 1];
            let head = 2;
            if (length === 126) [length, head] = bytes.length - at >= 4 ? [bytes.readUInt16BE(at + 2), 4] : [Infinity, 4];
            else if (length === 127) [length, head] = [Number(bytes.readBigUInt64BE(at + 2)), 10];
            if (bytes.length - at < head + length) break;
            if ((bytes[at] & 0x0f) === 1) messages++;
            at += head + length;
        }
        this.rest = at < bytes.length ? bytes.subarray(at) : null;
        this.count += messages;
        if (messages) this.onMessages(messages);
    }
}

async function openReaders(count, path, onMessages) {
    const readers = [];
    while (readers.length < count) {
        const some = Array.from({ length: Math.min(200, count - readers.length) },
            (_, i) => new Reader(path(readers.length + i), onMessages));
        await Promise.all(some.map((reader) => reader.ready));
        readers.push(...some);
    }
    while (readers.some((reader) => reader.count < 1)) await sleep(5); // the greetings
    return readers;
}

async function close(readers) {
    for (const reader of readers) reader.socket.destroy();
    await sleep(500);
}

// ---- Publisher ----

/** A client's text frame, masked with zeros so that the text stays as it is. */
function frame(text) {
    const body = Buffer.from(text);
    const head = body.length < 126 ? Buffer.from([0x81, 0x80 | body.length])
        : Buffer.from([0x81, 0xfe, body.length >> 8, body.length & 255]);
    return Buffer.concat([head, Buffer.alloc(4), body]);
}

const pad = 'x'.repeat(150);
const event = (topic, n) => frame(JSON.stringify({
    topic: `session:${topic}`, type: 'bench', data: { n: 1e9 + n, pad },
}));

// ---- Scenarios ----

async function idle(count) {
    const [memory, time] = [residentBytes(), serverTime()];
    const readers = await openReaders(count, (i) => `/api/build/stream/idle${i % 100}`, () => {});
    const result = {
        scenario: `${count} idle connections`,
        'bytes each': Math.round((residentBytes() - memory) / count),
        'us each handshake': ((serverTime() - time) / count).toFixed(1),
    };
    await close(readers);
    return result;
}

/** Closed loop: at most `window` messages published and not yet delivered to everybody. */
async function fan(readers, topics, window) {
    const each = readers / topics;
    const run = `${process.pid}-${readers}-${topics}-${window}`;
    let delivered = 0;
    let published = 0;
    let running = false;
    const all = await openReaders(readers, (i) => `/api/build/stream/${run}-${i % topics}`, (n) => {
        delivered += n;
        if (running) refill();
    });
    const publisher = new Reader('/api/v1/publish?ack=none', () => {});
    await publisher.ready;
    delivered = 0;
    function refill() {
        const frames = [];
        while (published * each - delivered < window * each) frames.push(event(`${run}-${published % topics}`, published++));
        if (frames.length) publisher.socket.write(Buffer.concat(frames));
    }
    running = true;
    refill();
    await sleep(500);
    const [time, count, begun] = [serverTime(), delivered, performance.now()];
    await sleep(Number(seconds) * 1000);
    const [used, done, took] = [serverTime() - time, delivered - count, (performance.now() - begun) / 1000];
    running = false;
    for (let waited = 0; delivered < published * each && waited < 5000; waited += 10) await sleep(10);
    const exact = delivered === published * each;
    await close([...all, publisher]);
    if (!exact) process.exitCode = 1;
    return {
        scenario: `${topics} topic${topics > 1 ? 's' : ''}, ${each} readers each, ${window} in flight`,
        'us each delivery': (used / done).toFixed(2),
        'deliveries/s': Math.round(done / took),
        'server CPU %': Math.round(used / 1e4 / took),
        exact,
    };
}

const results = [await idle(5000)];
for (const [readers, topics, window] of [[1000, 1, 1], [1000, 1, 64], [5000, 500, 64]]) {
    results.push(await fan(readers, topics, window));
}
for (const result of results) {
    const { scenario, ...figures } = result;
    console.log(scenario);
    for (const [name, value] of Object.entries(figures)) console.log(`    ${name.padEnd(20)} ${value}`);
}
