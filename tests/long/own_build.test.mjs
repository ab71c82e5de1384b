// `fanfare run` on a real project: Fanfare's own clean build, in a clone, from beginning to end, with a reader
// that follows it, and the server killed and started again in the middle. A minute or two for each build;
// `make test-long` runs it.
//
// Three texts are compared: what the caller of `fanfare run` saw, and what the reader was told before and after
// the restart. With an engine that keeps events, also what history holds in the end.
//
//   FANFARE_LONG_PRESET=debug   the build that is watched
//   FANFARE_LONG_REPEATS=0      clean builds with and without `fanfare run`, in turn, to compare the times
//   FANFARE_LONG_SERVE=""       further options of the server, such as "--engine sqlite"
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { binary, projectRoot, startServer, temporaryDirectory, test, waitFor, within } from '../integration/harness.mjs';

const preset = process.env.FANFARE_LONG_PRESET ?? 'debug';
const repeats = Number(process.env.FANFARE_LONG_REPEATS ?? 0);
const serverArgs = (process.env.FANFARE_LONG_SERVE ?? '').split(' ').filter(Boolean);
const minute = 60_000;

// Every compilation is to take place: no compiler cache.
const env = { ...process.env, CMAKE_C_COMPILER_LAUNCHER: '', CCACHE_DISABLE: '1', TERM: 'xterm-256color' };
const clone = path.join(temporaryDirectory(), 'fanfare');
const ninja = ['ninja', '-C', path.join(clone, 'build', preset), '-j2', 'fanfare'];

function makeClone() {
    execFileSync('git', ['clone', '--quiet', '--no-hardlinks', projectRoot, clone]);
    const modules = path.join(projectRoot, 'web/node_modules');
    if (fs.existsSync(path.join(modules, '.installed'))) { // else the build installs them
        const copy = path.join(clone, 'web/node_modules');
        execFileSync('cp', ['-r', modules, copy]);
        fs.writeFileSync(path.join(copy, '.installed'), '');
    }
    execFileSync('cmake', ['--preset', preset], { cwd: clone, env, stdio: 'ignore' });
}

const clean = () => execFileSync('ninja', ['-C', path.join(clone, 'build', preset), '-t', 'clean'], { env, stdio: 'ignore' });

/**
 * Starts a program: { child, stdout(), stderr(), ended }; `ended` also has the seconds it took, and how many
 * seconds of processor time it and all it started had.
 */
function start(t, command, args) {
    const [began, directory] = [performance.now(), temporaryDirectory()];
    const child = spawn('bash', ['-c', 'TIMEFORMAT="%U %S"; exec 3>&2; { time "$@" 2>&3; } 2>time', '-', command, ...args],
        { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const cpu = () => fs.readFileSync(path.join(directory, 'time'), 'utf8').split(' ').reduce((sum, n) => sum + Number(n), 0);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr, seconds: (performance.now() - began) / 1000, cpu: cpu() }));
    t.after(() => child.exitCode ?? process.kill(-child.pid, 'SIGTERM')); // all that it started, too
    return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

const watched = (t, url, session, report) => start(t, binary,
    ['run', '--pty', '--url', url, '--session', session, '--report', report, '--', ...ninja]);

/** Without us, but on a terminal, too. */
const plain = (t) => start(t, 'script', ['-qfec', ninja.join(' '), '/dev/null']);

/** What went through a pipe has the line ends of a terminal when it is published. */
const published = (stdout) => stdout.replaceAll('\n', '\r\n');

const lastObject = (file) => JSON.parse(fs.readFileSync(file, 'utf8').trimEnd().split('\n').at(-1));
const historyOf = async (server, session, since = 0) => {
    const events = [];
    for (;;) {
        const { json } = await server.get(`/api/v1/topics/session:${session}/history?since=${events.at(-1)?.offset ?? since}`);
        if (!json?.events?.length) return events;
        events.push(...json.events.map(({ data, ...event }) => ({ ...event, ...data })));
    }
};

/**
 * Follows a session as a page does: over a WebSocket, from the beginning; when that breaks it comes back and
 * goes on where it was, and where that cannot be, because the history was lost, it begins again with the
 * history that there is. `texts`: the output of each life of the history, whole or from where the reader was.
 */
class Reader {
    texts = [];
    events = [];
    resumed = 0;
    #last = { epoch: undefined, offset: 0 };
    #stopped = false;

    constructor(t, servers, session) {
        this.servers = servers;
        this.session = session;
        this.done = this.#follow();
        t.after(() => this.stop());
    }

    async #follow() {
        while (!this.#stopped) {
            const server = this.servers.at(-1);
            try {
                await this.#connection(server);
            } catch (error) {
                if (!this.#stopped && server.alive && !server.stopping) throw error;
            }
            await waitFor(() => this.#stopped || this.servers.at(-1) !== server, 'the server to be there again', minute);
        }
    }

    async #connection(server) {
        const client = await server.build(this.session);
        this.client = client;
        const { epoch, offset } = client.greeting;
        if (epoch === this.#last.epoch) this.resumed++;
        else {
            this.#last = { epoch, offset: 0 };
            this.texts.push('');
        }
        // What was published before we came; what comes twice is told by its offset.
        if (offset > this.#last.offset) (await historyOf(server, this.session, this.#last.offset)).forEach((event) => this.#take(event));
        for (;;) this.#take(await client.next(undefined, 5 * minute));
    }

    #take(event) {
        if (!event.offset || event.offset <= this.#last.offset) return;
        assert.equal(event.offset, this.#last.offset + 1, 'no event is missing');
        this.#last.offset = event.offset;
        this.events.push(event);
        assert.equal(event.left_out, undefined, 'nothing had to be left out');
        if (event.type === 'terminal_output') this.texts[this.texts.length - 1] += event.output;
    }

    of(type) {
        return this.events.filter((event) => event.type === type);
    }

    stop() {
        this.#stopped = true;
        this.client?.terminate();
        return this.done;
    }
}

/** How many characters of the whole neither text has: `first` begins it, `second` ends it. */
function hole(whole, first, second) {
    assert.ok(whole.startsWith(first), 'what came before the restart begins the output');
    assert.ok(whole.endsWith(second), 'what came after the restart ends the output');
    return Math.max(0, whole.length - first.length - second.length);
}

test('a clone is made and configured', { timeout: 5 * minute }, () => makeClone());

test('a clean build, watched while the server is killed and comes back', { timeout: 14 * minute }, async (t) => {
    const directory = temporaryDirectory();
    const options = { t, args: serverArgs, directory };
    const servers = [await startServer(options)];
    const report = path.join(directory, 'report');
    const reader = new Reader(t, servers, 'demo');
    const build = watched(t, servers[0].url, 'demo', report);
    const percent = () => reader.of('build_progress').at(-1)?.percent ?? 0;
    await waitFor(() => percent() >= 40, '40 % of the build', 10 * minute);
    servers[0].mayEndBadly = true;
    await servers[0].stop('SIGKILL');
    const away = build.stdout().length;
    await waitFor(() => build.stdout().length > away + 2000, 'the build to go on without a server', 5 * minute);
    servers.push(await startServer({ ...options, listen: `127.0.0.1:${servers[0].port}` }));

    const { code, stderr, seconds, ...rest } = await within(build.ended, 'the end of the build', 12 * minute);
    const stdout = published(rest.stdout);
    assert.equal(code, 0, stdout.slice(-3000) + stderr);
    await waitFor(() => reader.of('run_finished').length, 'the end of the story');
    const finished = lastObject(report);
    assert.deepEqual([finished.exit_code, finished.delivered, finished.left_out], [0, true, 0]);
    assert.equal(reader.of('run_finished')[0].exit_code, 0);
    assert.match(reader.of('run_finished')[0].command, /^ninja -C /);
    assert.match(stderr, /cannot be reached: .*\nfanfare run: connected to /);
    const progress = reader.of('build_progress').at(-1);
    assert.deepEqual([progress.percent, progress.completed], [100, progress.total]);
    const { json: status } = await servers[1].get('/api/build/status/demo');
    assert.deepEqual([status.status, status.build_progress.percent], ['completed', 100]);

    let lost;
    if (reader.resumed) { // the engine keeps events: everything once, and all of it in the history
        lost = stdout.length - reader.texts[0].length;
        assert.equal(reader.texts.length, 1);
        assert.equal(reader.texts[0], stdout);
        const output = (await historyOf(servers[1], 'demo')).filter((event) => event.type === 'terminal_output');
        assert.equal(output.map((event) => event.output).join(''), stdout);
    } else {
        assert.equal(reader.texts.length, 2);
        lost = hole(stdout, ...reader.texts);
        assert.equal(lost, 0, `${lost} characters are in neither part`);
    }
    const repeated = reader.texts.join('').length - stdout.length + lost;
    t.diagnostic(`${progress.total} steps, ${finished.lines} lines, ${finished.bytes} bytes in ${seconds.toFixed(1)} s; ` +
        `${reader.events.length} events; ${lost} characters lost, ${repeated} seen twice; ` +
        (reader.resumed ? 'the whole history is there' : 'the history before the restart is gone, as the engine has it'));
});

test('a build that fails ends with ninja\'s exit code, and the page is told so', { timeout: 10 * minute }, async (t) => {
    const server = await startServer({ t, args: serverArgs });
    const report = path.join(server.directory, 'report');
    const file = path.join(clone, 'src/base/clock.c');
    const text = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(file, `${text}\nthis is no C\n`);
    const reader = new Reader(t, [server], 'broken');
    const without = await plain(t).ended;
    const { code, stdout } = await watched(t, server.url, 'broken', report).ended;
    fs.writeFileSync(file, text);
    assert.notEqual(code, 0);
    assert.equal(code, without.code);
    await waitFor(() => reader.of('run_finished').length, 'the end of the story');
    assert.equal(lastObject(report).exit_code, code);
    assert.equal(reader.of('run_finished')[0].exit_code, code);
    assert.equal(reader.texts.join(''), published(stdout));
    assert.match(stdout, /clock\.c:\d+:\d+: .*error: /);
    assert.equal((await server.get('/api/build/status/broken')).json.status, 'failed');
});

test('how long a clean build takes with and without', { timeout: 60 * minute, skip: repeats === 0 }, async (t) => {
    const server = await startServer({ t, args: serverArgs });
    const times = { plain: [], watched: [] };
    for (let i = 0; i < repeats; i++) {
        for (const kind of i % 2 ? ['watched', 'plain'] : ['plain', 'watched']) {
            clean();
            const build = kind === 'plain' ? plain(t) : watched(t, server.url, `time${i}`, path.join(server.directory, 'report'));
            const { code, ...took } = await build.ended;
            assert.equal(code, 0);
            times[kind].push(took);
        }
    }
    const of = (kind, what) => times[kind].map((each) => each[what]);
    const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
    for (const what of ['seconds', 'cpu']) {
        const more = (median(of('watched', what)) / median(of('plain', what)) - 1) * 100;
        t.diagnostic(`${what}: plain ${of('plain', what).map((s) => s.toFixed(1)).join(' ')}, ` +
            `watched ${of('watched', what).map((s) => s.toFixed(1)).join(' ')}; medians ${more.toFixed(1)} % apart`);
    }
});
