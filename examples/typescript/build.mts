// A build that tells how far it is: three components, compiled at the same time.
//
//     (cd ../../packages/typescript && npm ci && npm run build)
//     npm install ../../packages/typescript typescript@5 @types/node@18
//     npx tsc --target es2022 --module nodenext build.mts
//     fanfare serve &
//     node build.mjs         # and open http://127.0.0.1:8000/
import { setTimeout as sleep } from 'node:timers/promises';
import { Publisher } from 'fanfare-publisher';

const session = 'example';
const components = ['auth', 'database', 'web'];
const publisher = new Publisher();
let done = 0;

async function compile(name: string): Promise<void> {
    for (let percent = 0; percent < 100; percent += 20) {
        await publisher.componentUpdate(session, name, 'in_progress', percent);
        await publisher.terminalOutput(session, `[${name}] step ${percent / 20 + 1}/5\n`, 'stdout', name);
        await sleep(10 + 40 * Math.random());
    }
    await publisher.componentUpdate(session, name, 'completed', 100);
    await publisher.buildProgress(session, components.length, ++done);
}

await publisher.buildProgress(session, components.length, done);
await Promise.all(components.map(compile));
await publisher.checkpointUpdate(session, 'example_1', 'done', components);
await publisher.close();
