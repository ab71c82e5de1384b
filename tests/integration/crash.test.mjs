// Nothing is lost: publishers and readers of every kind while the server is killed again and again.
//
// FANFARE_CRASH_KILLS=1000 makes it as long as one wants (`make soak`), FANFARE_CRASH_SEED=7 draws the same
// moments and the same events again.
import { crash } from './crash/load.mjs';
import { slowness, test } from './harness.mjs';

const seed = Number(process.env.FANFARE_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31));
const kills = Number(process.env.FANFARE_CRASH_KILLS ?? (slowness > 1 ? 10 : 30));

/** One run as a test; what it did is told. */
const run = (name, options, timeout = 120000) => test(name, { timeout }, async (t) => {
    t.diagnostic(`FANFARE_CRASH_SEED=${seed}`);
    t.diagnostic(await crash({ seed, log: (text) => t.diagnostic(text), ...options }));
});

run('readers of every kind get every event once, in order, also when they drop out', { engine: 'memory', events: 3000 });

run('and with the disk below it', { events: 3000 });

run('the server ends in order and starts again', { kills: 3, signals: ['SIGTERM'] });

run(`the server is killed at any moment (${kills} times)`, { kills, life: [0, 1500] }, 120000 + kills * 6000);
