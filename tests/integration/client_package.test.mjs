// The client library as it is published: what is in the package, its size, its types, and the examples of
// its documents, run as written against a server.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { ms, projectRoot, startServer, temporaryDirectory, test, waitFor } from './harness.mjs';

const run = promisify(execFile);
const clientDirectory = path.join(projectRoot, 'web/client');
const read = (...names) => fs.readFileSync(path.join(projectRoot, ...names), 'utf8');

const server = await startServer();
const project = temporaryDirectory();

/** npm without the user's settings and without the network. */
const npm = (args, cwd) => run('npm', [...args, '--offline', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd, env: { PATH: process.env.PATH, HOME: project } });

// A project with the package installed from its archive, and ws beside it.
await npm(['run', 'build'], clientDirectory);
const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', project], clientDirectory);
const [pack] = JSON.parse(stdout);
fs.writeFileSync(path.join(project, 'package.json'), '{"private":true,"type":"module"}');
await npm(['install', `./${pack.filename}`], project);
fs.symlinkSync(path.join(projectRoot, 'tests/node_modules/ws'), path.join(project, 'node_modules/ws'));

test('the package holds the module, its types and nothing else', () => {
    assert.deepEqual(pack.files.map((each) => each.path).sort(), [
        'LICENSE', 'README.md', 'dist/fanfare.js',
        ...['backoff', 'errors', 'events', 'fanfare', 'stream', 'types'].map((name) => `dist/types/${name}.d.ts`),
        'package.json',
    ]);
    const manifest = JSON.parse(read('web/client/package.json'));
    assert.equal(manifest.dependencies, undefined);
    assert.equal(manifest.sideEffects, false);
    assert.equal(manifest.version, /project\(fanfare VERSION ([\d.]+)/.exec(read('CMakeLists.txt'))[1]);
    assert.equal(read('web/client/LICENSE'), read('LICENSE'));
});

test('the module has at most 5 KB compressed, and is the one that the server serves', async () => {
    const module = read('web/client/dist/fanfare.js');
    const size = zlib.gzipSync(module, { level: 9 }).length;
    assert.ok(size <= 5000, `${size} bytes`);
    assert.equal((await server.get('/fanfare.js')).text, module);
});

// ---- Types ----

const consumer = `
import { Fanfare, FanfareError, type AnyEvent, type EventData, type FanfareEvent, type Stream } from 'fanfare-client';

declare module 'fanfare-client' {
    interface EventData { 'deploy.started': { target: string } }
}

const fanfare = new Fanfare('http://a', { token: async () => 'x', backoff: { max: 1 }, fetch });
const stream: Stream = fanfare.session('a', { state: true, types: ['build_progress', 'custom'] });
stream.on('event', (event) => {
    if (event.type === 'build_progress') { const n: number = event.data.total; void n; }
    if (event.type === 'deploy.started') { const s: string = event.data.target; void s; }
    // @ts-expect-error: output is terminal_output's
    if (event.type === 'build_progress') { const s: string = event.data.output; void s; }
    const any: AnyEvent = event; void any;
});
stream.on('state', (state) => { const n: number = state.offset; void n; });
stream.on('connection', ({ error }) => { const e: FanfareError | undefined = error; void e; });
// @ts-expect-error: there is no such event
stream.on('evnet', () => {});
async function loop() { for await (const event of stream) { const e: FanfareEvent = event; void e; } }
void fanfare.publish('session:a', 'deploy.started', { target: 'x' });
void fanfare.publish('session:a', 'custom', { anything: 1 });
// @ts-expect-error: completed is missing
void fanfare.publish('session:a', 'build_progress', { total: 1 });
const types: (keyof EventData)[] = ['component_update']; void types; void loop;
`;

for (const [module, moduleResolution] of [['esnext', 'bundler'], ['node16', 'node16']]) {
    test(`the types say what is right and wrong (${moduleResolution})`, { timeout: 60000 }, async () => {
        const directory = path.join(project, moduleResolution);
        fs.mkdirSync(directory);
        fs.writeFileSync(path.join(directory, 'consumer.ts'), consumer);
        fs.writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({
            compilerOptions: {
                module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom'], types: [],
                strict: true, noEmit: true, exactOptionalPropertyTypes: true,
            },
        }));
        const tsc = path.join(projectRoot, 'web/node_modules/.bin/tsc');
        const outcome = await run(tsc, ['-p', directory]).catch((error) => error);
        assert.equal(outcome.stdout, '');
    });
}

// ---- Examples ----

/** The block after <!-- example: NAME -->, with the server's address in it. */
function example(document, name) {
    const [, language, text] = new RegExp(`<!-- example: ${name} -->\n\`\`\`(\\w+)\n([^]*?)\`\`\``).exec(read(document)) ?? [];
    assert.ok(text, `${document}: there is no example ${name}`);
    return { language, text: text.replaceAll('http://127.0.0.1:8000', server.url) };
}

const fileOf = (name, text) => {
    const file = path.join(project, `${name}.mjs`);
    fs.writeFileSync(file, text);
    return file;
};

/** Runs it as a program to its end. */
const runExample = (document, name) => run(process.execPath, [fileOf(name, example(document, name).text)], { timeout: ms(20000) });

/** Runs it until its output matches. */
async function watchExample(t, name, text, pattern, meanwhile = () => {}) {
    const child = execFile(process.execPath, [fileOf(name, text)]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += piece));
    t.after(() => child.kill());
    await waitFor(async () => {
        await meanwhile(output);
        return pattern.test(output);
    }, `${pattern} from example ${name}`, ms(15000)).catch((error) => assert.fail(`${error.message}; it said:\n${output}`));
}

const guide = 'docs/client-library.md';
const readme = 'web/client/README.md';

test('README: publishing', async () => {
    const { stdout } = await runExample(readme, 'publish');
    assert.match(stdout, /^accepted as event \d+\n$/);
});

test('README: following', async (t) => {
    await server.publish({ topic: 'session:web', type: 'tick', data: {} });
    let published = false;
    await watchExample(t, 'follow', example(readme, 'follow').text, /offset \d+: \w+[^]*\d+ tick \{ n: 1 \}/, async (output) => {
        if (published || !/offset/.test(output)) return;
        published = true;
        await server.publish({ topic: 'session:web', type: 'tick', data: { n: 1 } });
    });
});

test('guide: in a page', async (t) => {
    const { language, text } = example(guide, 'page');
    assert.equal(language, 'html');
    const script = /<script type="module">([^]*)<\/script>/.exec(text)[1].replace(`'${server.url}/fanfare.js'`, `'fanfare-client'`);
    // As much of a page as the example uses.
    const page = `globalThis.location = { href: '${server.url}/' };
        globalThis.document = { baseURI: '${server.url}/', addEventListener() {}, body: { append: (text) => console.log(text) } };`;
    await watchExample(t, 'page', script.replace(/(import .*)/, `$1\n${page}`), /tick \{"n":2\}/,
        () => server.publish({ topic: 'session:web', type: 'tick', data: { n: 2 } }));
});

test('guide: a loop', async () => {
    await server.publish({ topic: 'session:web', type: 'run_finished', data: { exit_code: 0 } });
    const { stdout } = await runExample(guide, 'loop');
    assert.match(stdout, /run_finished \{ exit_code: 0 \}\n$/);
});

test('guide: the WebSocket of ws', async () => {
    const { stdout } = await runExample(guide, 'ws');
    assert.match(stdout, /^websocket: the server answers in [\d.]+ ms\n$/);
});

test('guide: a cursor kept', async () => {
    for (const n of [1, 2]) await server.publish({ topic: 'session:web', type: 'tick', data: { n } });
    const { stdout } = await runExample(guide, 'cursor');
    assert.equal(stdout, '1\n2\n');
});

test('guide: publishing', async () => {
    const { stdout } = await runExample(guide, 'publish');
    assert.match(stdout, /^422 \w+ .*total\n$/);
});
