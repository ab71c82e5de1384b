// Nothing is lost: publishers and readers of every kind while the server is killed again and again.
//
// FANFARE_CRASH_KILLS=1000 makes it as long as one wants, FANFARE_CRASH_SEED=7 repeats a run's draws.
import { crash } from './crash/load.mjs';
import { test } from './harness.mjs';

const seed = Number(process.env.FANFARE_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31));

test('readers of every kind get every event once, in order, also when they drop out', { timeout: 120000 }, async (t) => {
    t.diagnostic(`seed ${seed}`);
    t.diagnostic(await crash({ seed, engine: 'memory', kills: 0, events: 3000, log: (text) => t.diagnostic(text) }));
});
