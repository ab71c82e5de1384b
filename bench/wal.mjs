// Whether the write-ahead log stays short under a steady writer, while readers never let go of it: history pages
// below memory on four connections, `fanfare store export` read slowly again and again, and each minute
// `fanfare store check`, which alone holds one transaction for long. Prints its size over time.
//
//   node bench/wal.mjs [SECONDS] [EVENTS A SECOND]     600 and 20000
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { binary, range, startServer } from '../tests/integration/harness.mjs';

const [seconds = 600, rate = 20000] = process.argv.slice(2).map(Number);
const perMessage = 100;
const topics = range(100).map((i) => `session:s${i}`);
const pad = 'x'.repeat(150); // an event of about 200 bytes
const mebi = 1024 * 1024;

const server = await startServer({
    t: { after() {} }, // finished below
    args: ['--engine', 'sqlite', '--memory-limit', '1MiB', '--log-level', 'warn', '--limits-messages', '1000000'],
    config: { topics: { session: { count: 2000 } } },
});
const data = path.join(server.directory, 'data');
const sizeOf = (name) => fs.statSync(path.join(data, name), { throwIfNoEntry: false })?.size ?? 0;
const end = performance.now() + seconds * 1000;
const goesOn = () => performance.now() < end;
const pause = (milliseconds) => new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, Math.min(milliseconds, end - performance.now())));
});
const done = { published: 0, pages: 0, exports: 0, checks: 0, latency: [] };

async function write() {
    const client = await server.open('/api/v1/publish?ack=batch');
    const due = [];
    const reading = (async () => {
        for (let from = 0; goesOn();) {
            done.published += (await client.next()).published;
            for (; from < due.length && (from + 1) * perMessage <= done.published; from++) {
                done.latency.push(performance.now() - due[from]);
            }
        }
    })();
    const start = performance.now();
    for (let i = 0; goesOn(); i++) {
        const at = start + i * perMessage * 1000 / rate;
        while (performance.now() < at) await pause(1);
        while (due.length * perMessage - done.published > 50000 && goesOn()) await pause(1);
        due.push(at);
        client.send(range(perMessage).map((k) => ({ topic: topics[(i + k) % topics.length], type: 'bench', data: { pad } })));
    }
    await reading;
}

async function readPages(k) {
    for (let i = k; goesOn(); i += 4) {
        const topic = topics[i % topics.length];
        const { json } = await server.get(`/api/v1/topics/${topic}/history?since=0&limit=1`);
        for (let since = json?.first_offset ?? 0; goesOn();) {
            const page = (await server.get(`/api/v1/topics/${topic}/history?since=${since}&limit=1000`)).json;
            done.pages++;
            if (!page?.events?.length) break;
            since = page.events.at(-1).offset;
        }
    }
}

/** Runs a command of `fanfare store` again and again; `slowly` takes 64 KiB of its output each 20 ms. */
async function repeat(part, slowly) {
    while (goesOn()) {
        const child = spawn(binary, ['store', part, '--data', data], { stdio: ['ignore', 'pipe', 'ignore'] });
        const over = new Promise((resolve) => child.on('close', resolve));
        child.stdout.on('data', () => {
            if (!slowly) return;
            child.stdout.pause();
            setTimeout(() => child.stdout.resume(), 20);
        });
        const timer = setTimeout(() => child.kill(), Math.max(0, end - performance.now()));
        await over;
        clearTimeout(timer);
        done[`${part}s`]++;
        await pause(slowly ? 200 : 60000);
    }
}

let most = 0;
const watch = async () => {
    console.log('seconds  log file MiB  in use MiB  database MiB  events      answered in ms: half  99 %  all');
    for (let next = 0; goesOn(); next++) {
        for (const until = Math.min(end, end - seconds * 1000 + next * 10000); performance.now() < until;) {
            await pause(50);
            most = Math.max(most, sizeOf('fanfare.db-wal'));
        }
        const used = await server.metric('fanfare_store_log_bytes');
        const times = done.latency.splice(0).sort((a, b) => a - b);
        const at = (share) => (times[Math.floor((times.length - 1) * share)] ?? NaN).toFixed(0).padStart(5);
        console.log([String(next * 10).padStart(7), ...[sizeOf('fanfare.db-wal'), used, sizeOf('fanfare.db')]
            .map((bytes) => (bytes / mebi).toFixed(1).padStart(12)), String(done.published).padStart(10),
        `${' '.repeat(16)}${at(0.5)} ${at(0.99)} ${at(1)}`].join('  '));
    }
};

await Promise.all([write(), watch(), ...range(4).map(readPages), repeat('export', true), repeat('check', false)]);
console.log(`\nthe log's file was never longer than ${(most / mebi).toFixed(1)} MiB; ${done.published} events, ` +
    `${done.pages} pages of history, ${done.exports} exports, ${done.checks} checks`);
await server.finish();
process.exit();
