// Many clients that resume at once after the server was killed: how long each waits from the moment it begins to
// connect until it has everything that it missed. Each event is looked at afterwards: none missing, none twice.
//
//   node bench/resume.mjs [REPETITIONS] [CLIENTS] [MISSED]     3, 1000 and 500
//
// The server on core 0 with one worker, this client on core 1. Fresh directories; the slowest of all repetitions.
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import net from 'node:net';

if (!process.env.RESUME_PINNED) {
    const again = spawnSync('taskset', ['-c', '1', process.execPath, ...process.argv.slice(1)],
        { stdio: 'inherit', env: { ...process.env, RESUME_PINNED: '1' } });
    process.exit(again.status ?? 1);
}

const { range, startServer } = await import('../tests/integration/harness.mjs');

const [repetitions = 3, clients = 1000, missed = 500] = process.argv.slice(2).map(Number);
const pad = 'x'.repeat(150); // an event of about 200 bytes
const quiet = ['--engine', 'sqlite', '--workers', '1', '--log-level', 'error',
    '--limits-messages', '1000000'];

/** Publishes `count` events in turn on each of the topics, 100 in a message. */
async function publish(server, topics, count) {
    const client = await server.open('/api/v1/publish?ack=batch');
    const total = topics.length * count;
    let sent = 0;
    let accepted = 0;
    while (accepted < total) {
        while (sent < total && sent - accepted < 4000) {
            const part = range(Math.min(100, total - sent)).map((i) => sent + i);
            client.send(part.map((n) => (
                { topic: topics[n % topics.length], type: 'bench', data: { n: Math.floor(n / topics.length), pad } })));
            sent += part.length;
        }
        accepted += (await client.next()).published;
    }
    await client.close();
}

/** A WebSocket that keeps what comes, counts events, and knows when it had as many as it waits for. */
class Resumer {
    events = [];
    #rest = Buffer.alloc(0);

    constructor(port, target, wanted) {
        this.began = performance.now();
        this.wanted = wanted;
        this.socket = net.connect(port, '127.0.0.1');
        this.done = new Promise((resolve, reject) => {
            this.finish = resolve;
            this.socket.on('error', reject);
            this.socket.on('close', () => reject(new Error(`closed after ${this.events.length} events`)));
        });
        this.socket.on('data', (data) => this.#take(data));
        this.socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
            `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
    }

    #take(data) {
        const all = this.#rest.length ? Buffer.concat([this.#rest, data]) : data;
        let at = 0;
        if (!this.open) {
            at = all.indexOf('\r\n\r\n') + 4;
            this.open = at >= 4;
            if (!this.open) at = 0;
            else if (!all.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) throw new Error(all.toString());
        }
        for (; this.open && all.length - at >= 4;) {
            const short = all[at + 1];
            const size = short < 126 ? 2 : 4; // no frame here is of 64 KiB
            const length = short < 126 ? short : all.readUInt16BE(at + 2);
            if (all.length - at - size < length) break;
            this.events.push(all.subarray(at + size, at + size + length));
            at += size + length;
        }
        this.#rest = all.subarray(at);
        // The greeting comes first.
        if (!this.took && this.events.length > this.wanted) {
            this.took = performance.now() - this.began;
            this.finish();
        }
    }

    /** Whether exactly what was missed came, in order. */
    check(since) {
        const told = this.events.map((text) => JSON.parse(text));
        const offsets = told.filter(({ type }) => type === 'bench').map(({ offset }) => offset);
        const whole = offsets.length === this.wanted && offsets.every((offset, i) => offset === since + i + 1);
        if (!whole) throw new Error(`after ${since}: ${JSON.stringify(told.filter(({ type }) => type !== 'bench'))} and ${offsets}`);
    }
}

async function measure({ sessions, deep }) {
    const options = { t: { after() {} }, prefix: ['taskset', '-c', '0'],
        args: deep ? [...quiet, '--memory-limit', '1MiB'] : quiet };
    const before = 20; // what everybody has seen
    const topics = range(sessions).map((i) => `session:s${i}`);
    let server = await startServer(options);
    await publish(server, topics, before + missed);
    if (deep) await publish(server, ['session:other'], 10000);
    const epochs = [];
    for (const topic of topics) {
        epochs.push((await server.get(`/api/v1/topics/${topic}/history?since=0&limit=1`)).json.epoch);
    }
    server.mayEndBadly = true;
    await server.stop('SIGKILL');
    const killed = performance.now();
    server = await startServer({ ...options, directory: server.directory });
    const start = performance.now() - killed;
    const all = range(clients).map((i) => new Resumer(server.port,
        `/api/build/stream/s${i % sessions}?since=${before}&epoch=${epochs[i % sessions]}`, missed));
    await Promise.all(all.map((client) => client.done));
    const times = all.map(({ took }) => took).sort((a, b) => a - b);
    for (const client of all) client.check(before);
    const reads = await server.metric('fanfare_store_reads_total');
    for (const { socket } of all) socket.removeAllListeners('close').destroy();
    await server.finish();
    return { start, half: times[times.length >> 1], most: times.at(-1), reads };
}

const shapes = {
    'one session, from memory': { sessions: 1 },
    '100 sessions, from memory': { sessions: 100 },
    'one session, from the disk': { sessions: 1, deep: true },
    '100 sessions, from the disk': { sessions: 100, deep: true },
    'a session each, from the disk': { sessions: clients, deep: true },
};
const results = new Map(Object.keys(shapes).map((name) => [name, []]));
for (let i = 0; i < repetitions; i++) {
    for (const [name, shape] of Object.entries(shapes)) results.get(name).push(await measure(shape));
}
console.log(`${clients} clients that missed ${missed} events each:\n`);
console.log('| | start, ms | half of them have all after, ms | all of them | runs read from the disk |\n| --- | --- | --- | --- | --- |');
for (const [name, runs] of results) {
    const most = (field) => Math.max(...runs.map((run) => run[field])).toFixed(0);
    console.log(`| ${name} | ${most('start')} | ${most('half')} | ${most('most')} | ${most('reads')} |`);
}
process.exit();
