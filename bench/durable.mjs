// What durability costs publishers that wait for each answer: 1, 8 and 64 of them over WebSocket, and one at a
// steady pace. One table; engines interleaved, medians of REPETITIONS runs of two seconds.
//
//   node bench/durable.mjs [REPETITIONS]
import { range, startServer } from '../tests/integration/harness.mjs';

const seconds = 2;
const engines = {
    memory: ['--engine', 'memory'],
    full: ['--engine', 'sqlite'],
    normal: ['--engine', 'sqlite', '--store-synchronous', 'normal'],
};
const pad = 'x'.repeat(150); // an event of about 200 bytes
const event = (i) => ({ topic: `session:s${i % 100}`, type: 'bench', data: { pad } });
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

/** Each publisher sends its next event when it has the answer to the one before. */
async function inStep(server, publishers) {
    const clients = await Promise.all(range(publishers).map(() => server.open('/api/v1/publish')));
    const times = [];
    const end = performance.now() + seconds * 1000;
    await Promise.all(clients.map(async (client, k) => {
        for (let i = k; performance.now() < end; i += publishers) {
            const began = performance.now();
            client.send(event(i));
            await client.next();
            times.push(performance.now() - began);
        }
    }));
    return { rate: times.length / seconds, times };
}

/** 33,000 events a second in messages of 66, one each 2 ms, whatever the answers do. */
async function atPace(server) {
    const client = await server.open('/api/v1/publish?ack=batch');
    const due = [];
    const times = [];
    let published = 0;
    const total = Math.floor(seconds * 500);
    const reading = (async () => {
        while (times.length < total) {
            published += (await client.next()).published ?? 0;
            while ((times.length + 1) * 66 <= published) times.push(performance.now() - due[times.length]);
        }
    })();
    const start = performance.now();
    for (let i = 0; i < total;) {
        if (performance.now() < start + i * 2) {
            await new Promise((resolve) => setImmediate(resolve));
            continue;
        }
        due.push(start + i * 2);
        client.send(range(66).map((k) => event(i * 66 + k)));
        i++;
    }
    await reading;
    return { rate: total * 66 / seconds, times };
}

const shapes = {
    '1 publisher, one event at a time': (server) => inStep(server, 1),
    '8 publishers': (server) => inStep(server, 8),
    '64 publishers': (server) => inStep(server, 64),
    '33,000 events a second, 66 in a message': atPace,
};

const results = new Map();
for (let repetition = 0; repetition < Number(process.argv[2] ?? 3); repetition++) {
    for (const [name, run] of Object.entries(shapes)) {
        for (const [engine, args] of Object.entries(engines)) {
            const server = await startServer({
                t: { after() {} }, // finished below
                args: [...args, '--workers', '1', '--log-level', 'error', '--limits-messages', '1000000'],
            });
            const { rate, times } = await run(server);
            const sorted = times.sort((a, b) => a - b);
            const key = `| ${name} | ${engine} |`;
            results.set(key, [...results.get(key) ?? [], { rate, half: at(sorted, 0.5), most: at(sorted, 0.99) }]);
            await server.finish();
        }
    }
}
console.log('| | engine | events/s | answered within, ms: half | 99 % |\n| --- | --- | --- | --- | --- |');
for (const [key, runs] of results) {
    const of = (name, digits) => median(runs.map((each) => each[name])).toFixed(digits);
    console.log(`${key} ${of('rate', 0)} | ${of('half', 2)} | ${of('most', 2)} |`);
}
process.exit();
