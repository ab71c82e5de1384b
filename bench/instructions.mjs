// Counts the server's instructions for fixed work, with valgrind's callgrind: unlike times, the counts
// are the same on a busy machine. Each figure is the difference of two runs that differ only in how
// often they do the thing, divided by that number, so start-up and shutdown fall out.
//
//   node bench/instructions.mjs           compares with bench/instructions.json; above +3 % it fails
//   node bench/instructions.mjs --record  writes what was counted there
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

process.env.FANFARE_TEST_SLOWNESS ??= '20';
const { projectRoot, startServer, temporaryDirectory } = await import('../tests/integration/harness.mjs');

const recordFile = path.join(projectRoot, 'bench/instructions.json');
const tolerance = 0.03;
const payload = 'x'.repeat(150); // an event of about 200 bytes

const event = (session = 'bench') => ({ topic: `session:${session}`, type: 'bench', data: { pad: payload } });

async function openReaders(server, count, query = '') {
    const readers = [];
    for (let i = 0; i < count; i++) readers.push(await server.build('bench', query));
    return readers;
}

/** Publishes one after the other, each when all readers have the one before. */
async function publishInStep(server, readers, messages, eventsPerMessage = 1) {
    const publisher = await server.open('/api/v1/publish');
    const events = Array.from({ length: eventsPerMessage }, () => event());
    for (let i = 0; i < messages; i++) {
        publisher.send(eventsPerMessage === 1 ? events[0] : events);
        await publisher.next();
        for (const reader of readers) for (const _ of events) await reader.next();
    }
}

const work = {
    handshake: { few: 100, many: 400, per: 1, run: (server, n) => openReaders(server, n) },
    publish: { few: 200, many: 1200, per: 1, run: (server, n) => publishInStep(server, [], n) },
    publish_http: {
        few: 100, many: 400, per: 1,
        run: async (server, n) => { for (let i = 0; i < n; i++) await server.publish(event()); },
    },
    delivery: {
        few: 20, many: 120, per: 200,
        run: async (server, n) => publishInStep(server, await openReaders(server, 200), n),
    },
    delivery_filtered: {
        few: 20, many: 120, per: 100,
        run: async (server, n) => {
            const readers = await openReaders(server, 100);
            for (const reader of readers) {
                reader.send({ type: 'subscribe', topics: ['bench'] });
                await reader.next();
            }
            await publishInStep(server, readers, n);
        },
    },
    delivery_of_64: {
        few: 5, many: 25, per: 100 * 64,
        run: async (server, n) => publishInStep(server, await openReaders(server, 100), n, 64),
    },
};

async function instructions({ run }, times) {
    const out = path.join(temporaryDirectory(), 'callgrind.out');
    const server = await startServer({
        t: { after() {} }, // finished below
        args: ['--workers', '1', '--engine', 'memory', '--log-level', 'error'],
        prefix: ['valgrind', '--tool=callgrind', `--callgrind-out-file=${out}`],
    });
    await run(server, times);
    await server.finish();
    const [, count] = /Collected\s*:\s*(\d+)/.exec(server.stderr()) ?? assert.fail(server.stderr());
    return Number(count);
}

async function count(each) {
    return Math.round((await instructions(each, each.many) - await instructions(each, each.few)) /
        ((each.many - each.few) * each.per));
}

const recorded = fs.existsSync(recordFile) ? JSON.parse(fs.readFileSync(recordFile)) : {};
const compiler = execFileSync('gcc', ['-dumpfullversion'], { encoding: 'utf8' }).trim();
const counted = {};
let failed = false;
console.log('Instructions of the server, in user space:');
for (const [name, each] of Object.entries(work)) {
    counted[name] = await count(each);
    const before = recorded.instructions?.[name];
    const change = before ? (counted[name] / before - 1) * 100 : 0;
    const worse = before !== undefined && change > tolerance * 100;
    failed ||= worse;
    console.log(`  ${name.padEnd(20)}${String(counted[name]).padStart(8)}` +
        `${before ? `${change >= 0 ? '+' : ''}${change.toFixed(1)} %`.padStart(10) : '       new'}${worse ? '  TOO MANY' : ''}`);
}
if (process.argv.includes('--record')) {
    fs.writeFileSync(recordFile, `${JSON.stringify({ compiler: `gcc ${compiler}`, instructions: counted }, null, 2)}\n`);
} else if (failed && recorded.compiler !== `gcc ${compiler}`) {
    console.log(`The record was made with ${recorded.compiler}, this is gcc ${compiler}: no verdict.`);
} else if (failed) {
    console.log('If this is worth its price, record it: node bench/instructions.mjs --record');
    process.exitCode = 1;
}
process.exit();
