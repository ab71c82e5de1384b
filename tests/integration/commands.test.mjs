// What all commands have in common, checked for each in the table that the program itself tells.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { binary, runProgram, startServer, temporaryDirectory, test, uniqueName, waitFor } from './harness.mjs';
import { openTerminal, startProgram } from './terminal.mjs';

const { commands } = JSON.parse((await runProgram(['help', '--json'])).stdout);
/** The options of a command; config takes those of serve, too. */
const optionsOf = (command) => command.name !== 'config' ? command.options
    : [...command.options, ...commands.find((c) => c.name === 'serve').options.filter((o) => !['config', 'json'].includes(o.name))];
const has = (program) => {
    try {
        execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
};

test('the table has every command once, with all that help needs', () => {
    const names = commands.map((c) => c.name);
    assert.equal(new Set(names).size, names.length);
    for (const name of ['serve', 'pub', 'sub', 'run', 'replay', 'top', 'bench', 'watch', 'checkpoint', 'config', 'version', 'help']) {
        assert.ok(names.includes(name), name);
    }
    for (const command of commands) {
        assert.match(command.summary, /^\S.*[^.]$/, `${command.name}: a phrase without a full stop`);
        assert.ok(command.synopsis.length > 0, command.name);
        assert.ok(command.examples.length > 0, command.name);
        for (const { line, meaning } of command.examples) {
            assert.match(line, /\bfanfare\b/, command.name);
            assert.match(meaning, /^\S.*[^.]$/, command.name);
        }
        for (const option of command.options) {
            assert.match(option.name, /^[a-z][a-z0-9-]*$/, command.name);
            assert.match(option.help, /\.( \[[^\]]+\])?$/, `${command.name} --${option.name}: sentences`);
        }
        const options = command.options.map((o) => o.name);
        assert.equal(new Set(options).size, options.length, `${command.name}: each option once`);
    }
});

test('each command prints help with its options and examples', async () => {
    for (const { name, summary, options, examples } of commands) {
        const { code, stdout, stderr } = await runProgram([name, '--help']);
        assert.deepEqual([code, stderr], [0, ''], name);
        assert.ok(stdout.startsWith(`fanfare ${name}: ${summary}\n\nUsage:\n`), stdout);
        for (const option of options) assert.match(stdout, new RegExp(`^  --${option.name}\\b`, 'm'), name);
        for (const example of examples) assert.ok(stdout.includes(`  # ${example.meaning}\n  ${example.line}\n`), name);
        assert.doesNotMatch(stdout, /\x1b/, `${name}: no escape codes without a terminal`);
        assert.equal((await runProgram(['help', name])).stdout, stdout);
        assert.deepEqual(JSON.parse((await runProgram(['help', '--json', name])).stdout).name, name);
    }
});

test('the examples use options that exist', () => {
    for (const { name, examples } of commands) {
        for (const { line } of examples) {
            const called = [...line.matchAll(/fanfare ([a-z]+)/g)].map(([, c]) => commands.find((k) => k.name === c));
            assert.ok(called.length > 0 && called.every(Boolean), `${name}: ${line}`);
            const known = called.flatMap(optionsOf).map((o) => o.name);
            for (const [, option] of line.split(' -- ')[0].matchAll(/ --([a-z][a-z-]*)/g)) {
                assert.ok(known.includes(option), `${name}: ${line}: --${option}`);
            }
        }
    }
});

test('a mistyped option is named, with the nearest one, and the exit code is 2', async () => {
    for (const { name, options } of commands) {
        for (const option of options.filter((o) => o.name.length > 4).slice(0, 3)) {
            const wrong = `--${option.name.slice(0, -2)}x${option.name.slice(-2)}`;
            const { code, stdout, stderr } = await runProgram([name, wrong]);
            assert.deepEqual([code, stdout], [2, ''], `${name} ${wrong}: ${stderr}`);
            assert.ok(stderr.includes(wrong), `${name}: ${stderr}`);
            assert.match(stderr, /did you mean --[a-z-]+\?/, `${name} ${wrong}`);
            assert.match(stderr, name === 'config' ? /--help|did you mean/ : new RegExp(`fanfare ${name} --help`), name);
            assert.doesNotMatch(stderr, /\x1b/, name);
        }
    }
});

test('an option without its value, and a switch with one, are wrong usage', async () => {
    for (const { name, options } of commands) {
        if (['serve', 'config'].includes(name)) continue; // the configuration's parser has tests of its own
        const valued = options.find((o) => o.argument);
        if (valued) {
            const { code, stderr } = await runProgram([name, `--${valued.name}`]);
            assert.equal(code, 2, name);
            assert.ok(stderr.includes(`--${valued.name} needs a value`), stderr);
        }
        const on = options.find((o) => !o.argument);
        if (on) {
            const { code, stderr } = await runProgram([name, `--${on.name}=1`]);
            assert.equal(code, 2, name);
            assert.ok(stderr.includes(`--${on.name} takes no value`), stderr);
        }
    }
});

test('a mistyped command is 2, with the nearest', async () => {
    for (const { name } of commands.filter((c) => c.name.length > 3)) {
        const { code, stdout, stderr } = await runProgram([`${name}e`]);
        assert.deepEqual([code, stdout], [2, ''], name);
        assert.match(stderr, new RegExp(`did you mean "fanfare ${name}"\\?`), stderr);
    }
    const help = await runProgram(['help', 'replai']);
    assert.match(help.stderr, /did you mean "replay"\?/);
});

// For each command a call with --json that ends by itself; the lines of serve and run, which tell about
// something that goes on, have tests of their own below.
const jsonCalls = {
    serve: () => ['serve', '--json', '--listen', '192.0.2.1:1', '--log-level', 'off'], // no such address here
    run: () => ['run', '--json', '--session', 'web', '--', 'sh', '-c', 'exit 0'],
    pub: (topic) => ['pub', '--json', topic, 'tick'],
    sub: (topic) => ['sub', '--json', '--since', '0', '--count', '1', topic],
    replay: (topic) => ['replay', '--json', '--speed', 'max', topic],
    top: () => ['top', '--json', '--interval', '100ms', '--once'],
    bench: () => ['bench', '--json', '--quick', '--scenario', 'fanout-1', '--connections', '3', '--messages', '5'],
    watch: (_, directory) => ['watch', directory, '--list', '--json'],
    checkpoint: (_, directory) => ['checkpoint', path.join(directory, '.buildrunner/checkpoints/one.json'), '--json'],
    token: (_, directory) => ['token', 'mint', '--sub', 'ada', '--json', '--data', directory],
    store: (_, directory) => ['store', 'import', '--json', '--data', path.join(directory, 'store'), '-'],
    config: () => ['config', '--print', '--json'],
    version: () => ['version', '--features', '--json'],
    help: () => ['help', '--json'],
};

test('what --json prints is JSON, without escape codes', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    const directory = temporaryDirectory();
    fs.mkdirSync(path.join(directory, '.buildrunner/checkpoints'), { recursive: true });
    fs.writeFileSync(path.join(directory, '.buildrunner/checkpoints/one.json'),
        JSON.stringify({ checkpoint_id: 'one', timestamp: '2026-01-01T00:00:00Z', phase: 'p', components: [], features: [] }));
    for (const { name, options } of commands.filter((c) => c.options.some((o) => o.name === 'json'))) {
        assert.ok(options.length && jsonCalls[name], `${name}: how is its --json called?`);
        const { code, stdout, stderr } = await runProgram(jsonCalls[name](topic, directory), { env: { FANFARE_URL: server.url } });
        assert.equal(code, name === 'serve' ? 1 : 0, `${name}: ${stderr}`);
        assert.doesNotMatch(stdout + stderr, /\x1b/, name);
        const lines = (name === 'run' ? stderr : stdout).trimEnd().split('\n');
        assert.ok(lines.length > 0, name);
        for (const line of lines) assert.equal(typeof JSON.parse(line), 'object', `${name}: ${line}`);
    }
    const without = commands.filter((c) => !c.options.some((o) => o.name === 'json')).map((c) => c.name);
    assert.deepEqual(without, []);
});

const objects = (text) => text.trimEnd().split('\n').map((line) => JSON.parse(line));

test('serve --json tells where it listens, that it goes down, and that it has stopped', async (t) => {
    const socket = path.join(temporaryDirectory(), 'one.sock');
    const cwd = temporaryDirectory();
    const serve = startProgram(t, ['serve', '--json', '--listen', '127.0.0.1:0', '--listen', `unix:${socket}`,
        '--base-path', '/live', '--drain', '0s', '--data', cwd], { cwd });
    await waitFor(() => serve.stdout().includes('\n'), 'the first line');
    const [listening] = objects(serve.stdout());
    assert.deepEqual({ ...listening, urls: 0, engine: 0, flush: 0, workers: 0, version: 0 },
        { event: 'listening', urls: 0, mode: 'open', engine: 0, flush: 0, workers: 0, version: 0, pid: serve.child.pid });
    assert.match(listening.urls[0], /^http:\/\/127\.0\.0\.1:\d+\/live$/);
    assert.equal(listening.urls[1], `unix:${socket}`);
    assert.equal((await fetch(`${listening.urls[0]}/health`)).status, 200);
    serve.child.kill('SIGTERM');
    const { code, stdout } = await serve.ended;
    assert.equal(code, 0);
    assert.deepEqual(objects(stdout).slice(1).map((o) => o.event), ['draining', 'stopped']);
    const refused = await runProgram(['serve', '--json', '--listen', '192.0.2.1:1']);
    assert.deepEqual(objects(refused.stdout), [{ event: 'failed', message: refused.stderr.replace(/^fanfare: |\n$/g, '') }]);
    const wrong = await runProgram(['serve', '--json', '--workers', 'many']);
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
    assert.match(wrong.stderr, /^--workers: expected /);
});

test('serve --json tells in which mode it is', async (t) => {
    for (const [mode, args, env] of [['token', [], { JWT_SECRET_KEY: 'a key of thirty-two bytes or more' }],
        ['insecure', ['--insecure', '--listen', '0.0.0.0:0'], {}]]) {
        const cwd = temporaryDirectory();
        const serve = startProgram(t, ['serve', '--json', '--listen', '127.0.0.1:0', ...args, '--drain', '0s', '--data', cwd], { cwd, env });
        await waitFor(() => serve.stdout().includes('\n'), 'the first line');
        assert.equal(objects(serve.stdout())[0].mode, mode);
        serve.child.kill('SIGTERM');
        assert.equal((await serve.ended).code, 0);
    }
});

test('a name that is no topic is taken for a session\'s, and the message says which topic that is', async () => {
    const known = 'a topic is session:<id>, project:<id>, agent:<id>, user:<id>, channel:<name> or global';
    for (const [args, wrong] of [[['sub', 'web'], 'web'], [['sub', 'session:a', 'web'], 'web'], [['replay', 'web'], 'web'],
        [['replay', '--to', 'again', 'session:a'], 'again'], [['pub', 'web', 'tick'], 'web']]) {
        const { code, stdout, stderr } = await runProgram([args[0], '--url', 'http://127.0.0.1:1', ...args.slice(1)]);
        assert.deepEqual([code, stdout], [2, ''], String(args));
        assert.equal(stderr, `fanfare ${args[0]}: topic "${wrong}": ${known}; did you mean session:${wrong}?\nTry: fanfare ${args[0]} --help\n`);
    }
    const impossible = await runProgram(['sub', 'a b']);
    assert.equal(impossible.stderr, `fanfare sub: topic "a b": ${known}\nTry: fanfare sub --help\n`);
});

test('output for people has no escape codes when it is piped', async (t) => {
    const server = await startServer({ t });
    const topic = `session:${uniqueName()}`;
    const env = { FANFARE_URL: server.url, TERM: 'xterm' };
    await server.publish({ topic, type: 'terminal_output', data: { output: '\x1b[31mred\n', output_type: 'stdout' } });
    for (const args of [['sub', '--since', '0', '--count', '1', topic], ['replay', '--speed', 'max', topic],
        ['top', '--once', '--interval', '100ms'], ['top', '--interval', '100ms'], ['version', '--features'], ['config', '--print']]) {
        const { code, stdout, stderr } = await runProgram(args, { env });
        assert.equal(code, 0, `${args}: ${stderr}`);
        assert.notEqual(stdout, '', String(args));
        assert.doesNotMatch(stdout + stderr, /\x1b/, String(args));
    }
});

test('NO_COLOR turns colours off on a terminal', { skip: !has('script') }, async (t) => {
    const coloured = await openTerminal(t, ['version', '--features']);
    assert.equal((await coloured.end()).code, 0);
    assert.match(coloured.text(), /\x1b\[3[0-9]m/);
    const plain = await openTerminal(t, ['version', '--features'], { env: { NO_COLOR: '1' } });
    assert.equal((await plain.end()).code, 0);
    assert.doesNotMatch(plain.text(), /\x1b/);
    const dumb = await openTerminal(t, ['version', '--features'], { env: { TERM: 'dumb' } });
    assert.equal((await dumb.end()).code, 0);
    assert.doesNotMatch(dumb.text(), /\x1b/);
});

test('when nothing listens, the message names the command that helps', async () => {
    const url = 'http://127.0.0.1:1';
    for (const args of [['pub', 'session:a', 'tick'], ['sub', '--no-retry', 'session:a'], ['replay', 'session:a'], ['top'], ['top', '--json']]) {
        const { code, stdout, stderr } = await runProgram([args[0], '--url', url, ...args.slice(1)]);
        assert.deepEqual([code, stdout], [1, ''], String(args));
        assert.equal(stderr, `fanfare ${args[0]}: nothing listens at ${url}; start one with: fanfare serve --listen 127.0.0.1:1\n`);
    }
    const socket = path.join(temporaryDirectory(), 'none.sock');
    const unix = await runProgram(['pub', '--url', `unix:${socket}`, 'session:a', 'tick']);
    assert.match(unix.stderr, new RegExp(`nothing listens at unix:${socket}; start one with: fanfare serve --listen unix:${socket}\n`));
    const base = await runProgram(['top', '--url', 'https://127.0.0.1:1/live']);
    assert.match(base.stderr, /nothing listens at https:\/\/127.0.0.1:1\/live; does the server run there\?/);
});

test('watch --json shows what it publishes', async (t) => {
    const server = await startServer({ t });
    const directory = temporaryDirectory();
    const checkpoints = path.join(directory, '.buildrunner/checkpoints');
    fs.mkdirSync(checkpoints, { recursive: true });
    const session = uniqueName();
    const watch = startProgram(t, ['watch', directory, '--session', session, '--json'], { env: { FANFARE_URL: server.url } });
    await waitFor(() => watch.stderr().includes('watching'), 'watch to watch');
    fs.writeFileSync(path.join(checkpoints, 'c.json'), JSON.stringify(
        { checkpoint_id: 'c', timestamp: '2026-01-01T00:00:00Z', phase: 'p', components: [{ id: 'auth', status: 'completed' }], features: [] }));
    await waitFor(() => watch.stdout().includes('component_update'), 'the event to be shown');
    watch.child.kill('SIGINT');
    const { code, stdout } = await watch.ended;
    assert.equal(code, 0);
    const events = stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.ok(events.every((e) => e.topic === `session:${session}` && typeof e.data === 'object'));
    assert.ok(events.some((e) => e.type === 'component_update' && e.data.component_id === 'auth'));
});

// ---- Completion ----

const complete = async (words, env = {}) => {
    const { code, stdout, stderr } = await runProgram(['help', '--complete', '--', ...words], { env: { FANFARE_URL: 'http://127.0.0.1:1', ...env } });
    assert.deepEqual([code, stderr], [0, ''], String(words));
    return stdout.trimEnd().split('\n').filter((line) => line !== '').map((line) => line.split('\t')[0]);
};

test('what can stand next comes from the table', async () => {
    assert.deepEqual(await complete(['']), commands.map((c) => c.name));
    assert.deepEqual(await complete(['--v']), ['--version']);
    for (const command of commands) {
        const { name } = command;
        const options = optionsOf(command);
        const offered = await complete([name, '--']);
        assert.deepEqual(offered.sort(), [...options.map((o) => `--${o.name}`), '--help'].sort(), name);
        for (const { name: option, argument } of options) {
            const literals = (argument ?? '').replace(/,…$/, '').split('|').filter((word) => /^[a-z]/.test(word));
            if (literals.length === 0 || name === 'run') continue;
            assert.deepEqual(await complete([name, `--${option}`, '']), literals, `${name} --${option}`);
            assert.deepEqual(await complete([name, `--${option}=${literals[0]}`]),
                literals.filter((l) => l.startsWith(literals[0])).map((l) => `--${option}=${l}`));
        }
    }
});

test('what can stand next: files, types, lists, commands, nothing', async () => {
    const cases = [
        [['serve', '--engine', ''], ['memory', 'sqlite', 'redis']],
        [['serve', '--tls-cert', ''], [':files']],
        [['serve', '--data', ''], [':directories']],
        [['checkpoint', ''], [':files']],
        [['checkpoint', '--json', 'x'], [':files']],
        [['watch', ''], [':directories']],
        [['replay', '--from', ''], [':files']],
        [['replay', '--speed', 'm'], ['max']],
        [['help', 'ch'], ['checkpoint']],
        [['help', '--completion', 'z'], ['zsh']],
        [['pub', 'session:a', 'build_'], ['build_progress']],
        [['pub', '--json', 'session:a', 'build_p'], ['build_progress']],
        [['sub', '--types', 'x,build_p'], ['x,build_progress']],
        [['bench', '--scenario', 'latency,top'], ['latency,topics']],
        [['sub', '--count', ''], []],
        [['version', ''], []],
        [['nothing', ''], []],
        [['nothing', '--'], []],
        [['sub', '--', '--'], []],
        [['run', ''], [':commands']],
        [['run', '--quiet', '--', 'ninj'], [':commands']],
        [['run', 'ninja', '--'], [':files']],
        [['run', '--session', 'web', '--', 'make', ''], [':files']],
        [['top', '--sort', 'r', '--fi'], ['--filter']],
    ];
    for (const [words, expected] of cases) assert.deepEqual(await complete(words), expected, words.join(' '));
});

test('topics and sessions come from the running server, and silence from one that is not there', async (t) => {
    const server = await startServer({ t });
    for (const topic of ['session:web', 'session:web2', 'project:app']) await server.publish({ topic, type: 'tick', data: {} });
    const env = { FANFARE_URL: server.url };
    assert.deepEqual((await complete(['sub', ''], env)).sort(), ['project:app', 'session:web', 'session:web2']);
    assert.deepEqual(await complete(['sub', 'session:web', 'pro'], env), ['project:app']);
    assert.deepEqual((await complete(['replay', '--to', 'ses'], env)).sort(), ['session:web', 'session:web2']);
    assert.deepEqual(await complete(['replay', '--to=pro'], env), ['--to=project:app']);
    assert.deepEqual((await complete(['watch', '.', '--session', 'w'], env)).sort(), ['web', 'web2']);
    assert.deepEqual((await complete(['sub', '--url', server.url, 'pro'])), ['project:app']);
    assert.deepEqual(await complete(['sub', 's']), []);
    assert.deepEqual(await complete(['sub', '--url', 'ftp://nonsense', 's'], env), []);
});

/** A directory with fanfare in it, to stand in the PATH, and the script for a shell. */
async function shellSetting(shell) {
    const directory = temporaryDirectory();
    fs.symlinkSync(binary, path.join(directory, 'fanfare'));
    const { stdout } = await runProgram(['help', '--completion', shell]);
    const script = path.join(directory, shell === 'zsh' ? '_fanfare' : `completion.${shell}`);
    fs.writeFileSync(script, stdout);
    fs.writeFileSync(path.join(directory, 'recording.ndjson'), '');
    return { directory, script };
}

async function runShell(command, args, { directory, env }) {
    const child = spawn(command, args, { cwd: directory, env: { HOME: directory, TERM: 'xterm', LANG: 'C.UTF-8', ...env, PATH: `${directory}:${process.env.PATH}` } });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (piece) => (stdout += piece));
    child.stderr.on('data', (piece) => (stderr += piece));
    const [code] = await once(child, 'close');
    assert.equal(code, 0, stderr);
    return { stdout, stderr };
}

const shellCases = [
    ['fanfare che', ['checkpoint']],
    ['fanfare pub --eph', ['--ephemeral']],
    ['fanfare top --sort ', ['offset', 'rate', 'subscribers', 'topic']],
    ['fanfare replay --from rec', ['recording.ndjson']],
    ['fanfare serve --limits-message-s', ['--limits-message-size']],
];

test('completion in bash', async (t) => {
    const server = await startServer({ t });
    await server.publish({ topic: 'session:web', type: 'tick', data: {} });
    const { directory, script } = await shellSetting('bash');
    // Behind the last ':' or '=' only, as readline replaces no more.
    const cases = [...shellCases, ['fanfare sub session:w', ['web']], ['fanfare sub ses', ['session:web']],
        ['fanfare top --sort=r', ['rate']], ['fanfare replay --from=rec', ['recording.ndjson']],
        ['fanfare sub *', []]];
    const calls = cases.map(([line]) => `COMP_LINE='${line}' COMP_POINT=${line.length}; _fanfare; echo "\${COMPREPLY[*]}"`);
    const { stdout } = await runShell('bash', ['--norc', '-c', `source ${script}; ${calls.join('; ')}`],
        { directory, env: { FANFARE_URL: server.url } });
    stdout.split('\n').slice(0, cases.length).forEach((line, i) => {
        assert.deepEqual(line.split(' ').filter(Boolean).sort(), cases[i][1], cases[i][0]);
    });
});

test('completion in fish', { skip: !has('fish') }, async (t) => {
    const server = await startServer({ t });
    await server.publish({ topic: 'session:web', type: 'tick', data: {} });
    const { directory, script } = await shellSetting('fish');
    const cases = [...shellCases, ['fanfare sub session:w', ['session:web']], ['fanfare top --sort=r', ['--sort=rate']]];
    const calls = cases.map(([line]) => `complete -C "${line}"; echo ==`);
    const { stdout } = await runShell('fish', ['--no-config', '-c', `source ${script}; ${calls.join('; ')}`],
        { directory, env: { FANFARE_URL: server.url } });
    stdout.split('==\n').slice(0, cases.length).forEach((block, i) => {
        assert.deepEqual(block.split('\n').filter(Boolean).map((l) => l.split('\t')[0]).sort(), cases[i][1], cases[i][0]);
    });
});

test('completion in zsh', { skip: !has('zsh') }, async (t) => {
    const server = await startServer({ t });
    await server.publish({ topic: 'session:web', type: 'tick', data: {} });
    const { directory } = await shellSetting('zsh');
    // A zsh on a terminal, whose line is typed, completed, and printed instead of run.
    const cases = [['fanfare che', 'fanfare checkpoint'], ['fanfare pub --eph', 'fanfare pub --ephemeral'],
        ['fanfare sub ses', 'fanfare sub session:web'], ['fanfare top --sort=r', 'fanfare top --sort=rate'],
        ['fanfare replay --from rec', 'fanfare replay --from recording.ndjson']];
    const driver = path.join(directory, 'driver.zsh');
    fs.writeFileSync(driver, `
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PROMPT=; fpath=(${directory} $fpath); autoload -Uz compinit; compinit -u -D
            accept() { print -r -- "LINE[$BUFFER]"; BUFFER=; zle reset-prompt }; zle -N accept; bindkey "^X" accept; print REA''DY'
        expect() { local out chunk; while [[ $out != *$1* ]] && zpty -r shell chunk; do out+=$chunk; done; print -r -- "$out" }
        expect READY
        ${cases.map(([line]) => `zpty -n -w shell $'${line}\\t\\x18'; expect 'LINE['`).join('\n')}
        zpty -n -w shell $'\\x18'; expect 'LINE['
        zpty -d shell\n`);
    const { stdout } = await runShell('zsh', ['-f', driver], { directory, env: { FANFARE_URL: server.url } });
    const lines = [...stdout.matchAll(/LINE\[([^\]]*)\]/g)].map(([, line]) => line.trim());
    cases.forEach(([typed, expected]) => assert.ok(lines.includes(expected), `${typed}: ${JSON.stringify(lines)}`));
});
