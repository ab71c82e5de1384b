// fanfare run: what passes through the command's streams, its terminal and its signals; what is
// published; and servers that are away, come back, or say no. Terminals are made by script(1).
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { binary, ms, range, runProgram, startServer, temporaryDirectory, test, uniqueName, waitFor, within }
    from './harness.mjs';

const nowhere = 'http://127.0.0.1:1'; // nothing listens on tcpmux
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Starts a program with piped streams: { child, stdout(), stderr(), ended }; stdout as latin1. */
function start(t, command, args, { env = {}, cwd = temporaryDirectory() } = {}) {
    const child = spawn(command, args, { cwd, env: { PATH: process.env.PATH, HOME: cwd, LANG: 'C.UTF-8', TERM: 'xterm', ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('latin1').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.stdin.on('error', () => {});
    const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }));
    t.after(() => child.kill('SIGKILL'));
    return { child, stdout: () => stdout, stderr: () => stderr, ended: (what = 'the end') => within(ended, what, ms(20000)) };
}

/** `fanfare run` for a session of a server; SIGINT is not ignored even when it is here. */
const run = (t, server, session, command, options = {}) =>
    start(t, 'env', ['--default-signal=INT', binary, 'run', '--url', server?.url ?? nowhere, '--session', session,
        ...(options.args ?? []), '--', ...command], options);

/** A shell on a terminal of its own, whose keys and screen are the returned streams. */
async function terminal(t, { rows = 30, columns = 100, program = 'bash --norc --noprofile --noediting', ...options } = {}) {
    const shell = start(t, 'env', ['--default-signal=INT', 'script', '-qfec', `exec ${program}`, '/dev/null'],
        { ...options, env: { PS1: '', ...options.env } });
    let seen = 0;
    shell.type = (keys) => shell.child.stdin.write(keys);
    /** Waits until the pattern appears behind what was expected before. */
    shell.expect = async (pattern, limit) => {
        const found = await waitFor(() => pattern.exec(shell.stdout().slice(seen)), `${pattern} on the screen`, limit)
            .catch((error) => {
                throw new Error(`${error.message}; there is:\n${shell.stdout().slice(seen)}`);
            });
        seen += found.index + found[0].length;
        return found;
    };
    // What is typed appears, too: results are told from it by the quotes.
    shell.type(`PS1=; stty rows ${rows} cols ${columns}; echo rea""dy $(tty)\n`);
    shell.tty = (await shell.expect(/ready (\/dev\/\S+)/))[1];
    return shell;
}

/** What to type to run a command; its exit code is shown in the end. Keys that are typed while it ends may be lost. */
const inTerminal = (server, session, command, options = '') =>
    `${quote(binary)} run --url ${server?.url ?? nowhere} --session ${session} ${options} -- ${command}; echo co""de \${PIPESTATUS[@]}\n`;

async function history(server, session) {
    const events = [];
    for (;;) {
        const since = events.at(-1)?.offset ?? 0;
        const { json } = await server.get(`/api/v1/topics/${encodeURIComponent(`session:${session}`)}/history?since=${since}`);
        if (!json?.events?.length) return events;
        events.push(...json.events);
    }
}

/** The session's events, once the run is over. */
const finished = (server, session) => waitFor(async () => {
    const events = await history(server, session);
    return events.some((event) => event.type === 'run_finished') && events;
}, 'run_finished');

const ofType = (events, type) => events.filter((event) => event.type === type).map((event) => event.data);
const outputOf = (events, stream) => ofType(events, 'terminal_output')
    .filter((data) => data.source !== 'fanfare' && (!stream || data.output_type === stream))
    .map((data) => data.output).join('');

// ---- Passing through ----

test('the exit code is the command\'s, and the events tell the story', async (t) => {
    const server = await startServer({ t });
    const cases = [
        [['true'], 0, { exit_code: 0, signal: null }],
        [['sh', '-c', 'echo out; echo error >&2; exit 3'], 3, { exit_code: 3, signal: null }],
        [['sh', '-c', 'kill -TERM $$'], 143, { exit_code: null, signal: 'SIGTERM' }],
    ];
    for (const [command, code, end] of cases) {
        const session = uniqueName();
        const done = await runProgram(['run', '--session', session, '--', ...command], { env: { FANFARE_URL: server.url } });
        assert.equal(done.code, code, done.stderr);
        const events = await finished(server, session);
        const [begin] = ofType(events, 'run_started');
        assert.equal(events[0].type, 'run_started');
        assert.equal(begin.command, command.length > 1 ? `sh -c ${quote(command[2])}` : 'true');
        assert.ok(begin.pid > 0 && path.isAbsolute(begin.cwd) && begin.pty === false, JSON.stringify(begin));
        const { duration, pid, ...rest } = ofType(events, 'run_finished')[0];
        assert.deepEqual(rest, { ...end, command: begin.command, cwd: begin.cwd });
        assert.ok(duration >= 0 && duration < 60 && pid === begin.pid);
        assert.equal(events.at(-1).type, 'run_finished');
        if (code !== 3) continue;
        assert.equal(done.stdout, 'out\n');
        assert.equal(done.stderr, 'error\n');
        assert.equal(outputOf(events, 'stdout'), 'out\n');
        assert.equal(outputOf(events, 'stderr'), 'error\n');
    }
});

test('127 when there is no such command, 126 when it cannot be started; both are published', async (t) => {
    const server = await startServer({ t });
    const directory = temporaryDirectory();
    fs.writeFileSync(path.join(directory, 'plain'), 'no program');
    for (const [command, code, reason] of [['no-such-command', 127, /No such file/], ['./plain', 126, /Permission denied/]]) {
        const session = uniqueName();
        const done = await runProgram(['run', '--url', server.url, '--session', session, '--', command], { cwd: directory });
        assert.equal(done.code, code);
        assert.match(done.stderr, new RegExp(`^fanfare run: ${command.replace('.', '\\.')}: `));
        assert.match(done.stderr, reason);
        const events = await finished(server, session);
        assert.deepEqual(events.map((event) => event.type), ['error', 'run_finished']);
        assert.equal(events[0].data.error_type, 'command_not_started');
        assert.equal(events[1].data.exit_code, code);
        assert.deepEqual([events[1].data.command, events[1].data.cwd], [command, fs.realpathSync(directory)]);
    }
});

test('wrong usage is 2, and what follows the command is the command\'s', async () => {
    for (const [args, reason] of [
        [[], /expected a COMMAND/], [['--session', 'a b', '--', 'true'], /--session: expected .*, got "a b"\n/],
        [['--pty', '--no-pty', 'true'], /exclude each other/], [['--wait', 'long', 'true'], /--wait: expected a time/],
        [['--sesion', 'x', 'true'], /did you mean --session/], [['--url', 'ftp://x', 'true'], /unknown scheme/],
    ]) {
        const { code, stdout, stderr } = await runProgram(['run', ...args]);
        assert.equal(code, 2, stderr);
        assert.equal(stdout, '');
        assert.match(stderr, reason);
    }
    const { stderr } = await runProgram(['run', 'true'], { env: { FANFARE_SESSION: 'my job' } });
    assert.match(stderr, /got "my job" \(FANFARE_SESSION\)\n/);
    const args = ['run', '--quiet', '--url', nowhere, '--wait', '0', 'echo', '--help', '-x', '--', '--session'];
    assert.deepEqual(await runProgram(args), { code: 0, signal: null, stdout: '--help -x -- --session\n', stderr: '' });
});

// ---- For programs ----

const objects = (text) => text.trimEnd().split('\n').map((line) => JSON.parse(line));

test('--json makes the notices on stderr JSON; stdout stays the command\'s', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const link = `${server.url}/?session=${session}`;
    const args = ['run', '--json', '--url', server.url, '--session', session, '--'];
    const cwd = temporaryDirectory();
    const { code, stdout, stderr } = await runProgram([...args, 'sh', '-c', 'seq 1000; kill -TERM $$'], { cwd });
    assert.equal(code, 143);
    assert.equal(stdout, range(1000).map((i) => `${i + 1}\n`).join(''));
    const [started, finished, ...more] = objects(stderr);
    const common = { session, url: link, command: `sh -c 'seq 1000; kill -TERM $$'`, cwd: fs.realpathSync(cwd), pid: started.pid };
    assert.deepEqual(started, { event: 'started', ...common, pty: false });
    assert.deepEqual({ ...finished, duration: 0 }, { event: 'finished', ...common, exit_code: null, signal: 'SIGTERM', duration: 0,
        lines: 1000, bytes: stdout.length, delivered: true, left_out: 0, undelivered: 0, refused: 0 });
    assert.deepEqual(more, []);
    const missing = objects((await runProgram([...args, 'no-such-command'])).stderr);
    assert.deepEqual(missing.map((o) => o.event), ['not_started', 'finished']);
    assert.equal(missing[0].message, 'no-such-command: No such file or directory');
    assert.equal(missing[1].exit_code, 127);
});

test('--report writes the same to a file or a descriptor, apart from the command\'s stderr', async (t) => {
    const cwd = temporaryDirectory();
    const file = path.join(cwd, 'report');
    fs.writeFileSync(file, 'what was there before');
    const script = `${quote(binary)} run --report report --url ${nowhere} -- sh -c 'echo error >&2; exit 3'; echo $?; ` +
        `${quote(binary)} run --quiet --report /dev/fd/3 --url ${nowhere} -- sh -c 'echo more >&2; exit 4' 3>&1 >/dev/null; echo $?`;
    const { stdout, stderr } = await start(t, 'sh', ['-c', script], { cwd }).ended();
    const lines = stdout.trimEnd().split('\n');
    assert.deepEqual([lines.shift(), lines.pop()], ['3', '4']);
    for (const [story, code] of [[objects(fs.readFileSync(file, 'utf8')), 3], [objects(lines.join('\n')), 4]]) {
        assert.deepEqual(story.map((o) => o.event), ['started', 'unreachable', 'undelivered', 'finished']);
        assert.ok(story.at(-1).exit_code === code && !story.at(-1).delivered && story.at(-1).undelivered > 0, JSON.stringify(story));
    }
    assert.match(stderr, /^error\n|\nerror\n/);
    assert.match(stderr, /cannot be reached: /, 'people are still told');
    assert.equal(stderr.match(/more/g).length, 1);
    const nowhereToWrite = await runProgram(['run', '--report', '/no/such/directory/x', 'true']);
    assert.deepEqual(nowhereToWrite, { code: 1, signal: null, stdout: '', stderr: 'fanfare run: --report: /no/such/directory/x: No such file or directory\n' });
    const full = await runProgram(['run', '--quiet', '--url', nowhere, '--report', '/dev/full', 'sh', '-c', 'exit 5']);
    assert.deepEqual([full.code, full.stderr], [5, 'fanfare run: --report: No space left on device; nothing more is written there\n']);
});

test('every byte passes in and out as it is', async (t) => {
    const server = await startServer({ t });
    const cwd = temporaryDirectory();
    const bytes = Buffer.concat([randomBytes(1 << 20), Buffer.from('\n\r\n\x03\x04\x1a\0'), randomBytes(99)]);
    fs.writeFileSync(path.join(cwd, 'in'), bytes);
    const fanfare = `${quote(binary)} run --quiet --url ${server.url} --session ${uniqueName()}`;
    for (const command of [
        `${fanfare} -- cat < in > out`, // files
        `cat in | ${fanfare} -- cat | cat > out`, // pipes
        `cat in | ${fanfare} -- sh -c 'cat >&2' 2> out`,
        `cat in | ${fanfare} --pty -- cat | cat > out`, // a terminal that only takes output
    ]) {
        execFileSync('bash', ['-c', `set -o pipefail; ${command}`], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
        assert.ok(fs.readFileSync(path.join(cwd, 'out')).equals(bytes), command);
        fs.rmSync(path.join(cwd, 'out'));
    }
});

test('streams that go to the same place keep their order', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const script = 'for i in 1 2 3 4 5; do echo out $i; echo error $i >&2; done';
    const all = execFileSync('sh', ['-c', `${quote(binary)} run --url ${server.url} --session ${session} -- sh -c ${quote(script)} 2>&1`]);
    const expected = range(5).map((i) => `out ${i + 1}\nerror ${i + 1}\n`).join('');
    assert.equal(all.toString(), expected);
    assert.equal(outputOf(await finished(server, session)), expected);
});

test('a reader that goes away ends the command as it would without us', async () => {
    const script = `${quote(binary)} run --quiet --url ${nowhere} --wait 0 -- yes | head -n 1; echo "\${PIPESTATUS[0]}"`;
    assert.equal(execFileSync('bash', ['-c', script]).toString(), 'y\n141\n');
    const pty = execFileSync('bash', ['-c', script.replace('--quiet', '--quiet --pty')], { stdio: ['ignore', 'pipe', 'ignore'] });
    assert.equal(pty.toString(), 'y\n1\n'); // an error when it writes
});

test('standard error stays apart from the output', async (t) => {
    const cwd = temporaryDirectory();
    for (const option of ['', '--pty', '--no-pty']) {
        const command = `${quote(binary)} run --quiet --wait 0 --url ${nowhere} ${option} -- sh -c 'echo out; echo error >&2'`;
        execFileSync('sh', ['-c', `${command} > out 2> error`], { cwd });
        assert.equal(fs.readFileSync(path.join(cwd, 'out'), 'utf8'), 'out\n');
        assert.equal(fs.readFileSync(path.join(cwd, 'error'), 'utf8'), 'error\n');
        const shell = await terminal(t, { cwd });
        shell.type(`${command} > out\n`);
        await shell.expect(/\nerror\r\n/);
        assert.equal(fs.readFileSync(path.join(cwd, 'out'), 'utf8'), 'out\n');
    }
});

test('a process left in the background does not hold us up', async (t) => {
    const server = await startServer({ t });
    const child = run(t, server, uniqueName(), ['sh', '-c', 'sleep 1000 & echo $!']);
    const { code } = await child.ended();
    assert.equal(code, 0);
    process.kill(Number(child.stdout()), 'SIGKILL'); // and it lives on
});

test('signals are passed on', async (t) => {
    const server = await startServer({ t });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) {
        const session = uniqueName();
        const script = `trap 'echo got ${signal}; exit 9' ${signal.slice(3)}; echo ready; while :; do sleep 0.02; done`;
        const child = run(t, server, session, ['sh', '-c', script]);
        await waitFor(() => child.stdout() === 'ready\n', 'the command to be ready');
        child.child.kill(signal);
        const { code, stdout } = await child.ended(`the command after ${signal}`);
        assert.equal(stdout, `ready\ngot ${signal}\n`);
        assert.equal(code, 9);
    }
    const child = run(t, server, uniqueName(), ['sh', '-c', 'echo ready; exec sleep 1000']);
    await waitFor(() => child.stdout() === 'ready\n', 'the command to be ready');
    child.child.kill('SIGINT');
    assert.equal((await child.ended()).code, 130);
});

test('programs that the command starts find the session', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const script = `${quote(binary)} pub "session:$FANFARE_SESSION" component_update '{"component_id":"a","status":"completed"}'`;
    assert.equal((await run(t, server, session, ['sh', '-c', script]).ended()).code, 0);
    assert.equal(ofType(await finished(server, session), 'component_update')[0].component_id, 'a');
    const cwd = path.join(temporaryDirectory(), 'my project');
    fs.mkdirSync(cwd);
    await runProgram(['run', '--', 'true'], { cwd, env: { FANFARE_URL: server.url } });
    await finished(server, 'my-project'); // the directory's name
});

// ---- What is published ----

test('code points that are split between two reads stay whole, invalid bytes become U+FFFD', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const client = await server.build(session);
    const child = run(t, server, session, ['sh', '-c', `printf 'A\\303'; read x; printf '\\251B\\377C'; read x; printf 'D\\342\\202'`]);
    assert.equal((await client.next('terminal_output')).output, 'A');
    child.child.stdin.write('\n');
    assert.equal((await client.next('terminal_output')).output, '\u00e9B\ufffdC');
    child.child.stdin.write('\n');
    const rest = (await client.until('run_finished')).filter((m) => m.type === 'terminal_output');
    assert.equal(rest.map((m) => m.output).join(''), 'D\ufffd');
    assert.equal((await child.ended()).stdout, 'A\xc3\xa9B\xffCD\xe2\x82');
});

test('output is published while the command runs, in one event when it comes at once', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const client = await server.build(session);
    const child = run(t, server, session, ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9; do echo $i; done; read x']);
    assert.equal((await client.next('run_started')).type, 'run_started');
    const first = await client.next('terminal_output');
    assert.ok(first.output.startsWith('1\n2\n') && first.source === 'sh' && first.output_type === 'stdout', first.output);
    child.child.stdin.end();
    await client.next('run_finished');
});

test('a real ninja build tells its progress, up to the last step', async (t) => {
    const server = await startServer({ t });
    const cwd = temporaryDirectory();
    fs.writeFileSync(path.join(cwd, 'build.ninja'), 'rule touch\n  command = touch $out\n' +
        range(40).map((i) => `build out${i}: touch${i ? ` out${i - 1}` : ''}\n`).join(''));
    const session = uniqueName();
    const { code } = await run(t, server, session, ['ninja'], { cwd }).ended();
    assert.equal(code, 0);
    const progress = ofType(await finished(server, session), 'build_progress');
    assert.deepEqual(progress.at(-1), { total: 40, completed: 40, percent: 100 });
    assert.ok(progress.length <= 20, `${progress.length} events of progress`);
    const completed = progress.map((p) => p.completed);
    assert.deepEqual(completed, completed.toSorted?.((a, b) => a - b) ?? completed);
    const { json } = await server.get(`/api/build/status/${session}`);
    assert.equal(json.build_progress.completed, 40);
});

// ---- On a terminal ----

test('on a terminal the command has one, of the same size, and the link is shown once', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const shell = await terminal(t);
    shell.type(inTerminal(server, session, `sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size; ls --color=auto -d /; exit 7'`));
    await shell.expect(new RegExp(`fanfare run: watch it at ${server.url}/\\?session=${session}\r\n`));
    await shell.expect(/30 100\r\n\x1b\[0m\x1b\[01;34m\/\x1b\[0m\r\n/); // colours, and one \r
    await shell.expect(/code 7/);
    const events = await finished(server, session);
    const [begin] = ofType(events, 'run_started');
    assert.deepEqual([begin.pty, begin.cols, begin.rows], [true, 100, 30]);
    assert.match(outputOf(events), /30 100\r\n/);
});

test('the window\'s size is passed on', async (t) => {
    const server = await startServer({ t });
    const shell = await terminal(t);
    shell.type(inTerminal(server, uniqueName(), `bash -c 'trap "stty size; exit" WINCH; echo wai""ting; while :; do sleep 0.02; done'`));
    await shell.expect(/waiting/);
    execFileSync('stty', ['-F', shell.tty, 'rows', '50', 'cols', '120']);
    await shell.expect(/50 120/);
});

test('keys go to the command: Ctrl-C, Ctrl-D, and lines', async (t) => {
    const server = await startServer({ t });
    const shell = await terminal(t);
    shell.type(inTerminal(server, uniqueName(), 'cat'));
    await shell.expect(/watch it at[^\n]*\n/);
    shell.type('hello\n');
    await shell.expect(/hello\r\nhello\r\n/);
    shell.type('\x04');
    await shell.expect(/code 0/);
    shell.type(inTerminal(server, uniqueName(), `sh -c 'echo rea""dy; exec sleep 1000'`, '--quiet'));
    await shell.expect(/\nready/);
    shell.type('\x03');
    await waitFor(() => / icanon/.test(execFileSync('stty', ['-a', '-F', shell.tty]).toString()), 'the shell\'s terminal');
    shell.type('echo sta""tus $?\n');
    await shell.expect(/status 130/);
    assert.doesNotMatch(shell.stdout(), /code 130/, 'Ctrl-C ends the list that the command stands in');
});

test('Ctrl-Z stops the job, with the terminal as it was; fg and bg go on with it', async (t) => {
    const server = await startServer({ t });
    const shell = await terminal(t);
    shell.type(inTerminal(server, uniqueName(), `sh -c 'stty -echo; echo rea""dy; read x; echo "got <$x>"; read x; echo "and <$x>"'`));
    await shell.expect(/\nready/);
    shell.type('\x1a');
    await shell.expect(/Stopped/);
    shell.type('stty -a | grep -o -e "-\\?icanon" -e " -\\?echo "; jobs -s; echo sho""wn\n');
    assert.match((await shell.expect(/\n([^]*)shown/))[1], /^icanon\r\n echo \r\n\[1\]\+\s+Stopped/m);
    shell.type('bg\n');
    await shell.expect(/\[1\]\+ .* &/);
    shell.type('echo shell""-alive\n');
    await shell.expect(/shell-alive/);
    shell.type('fg; echo ba""ck\n');
    await shell.expect(/sh -c/);
    // The command is in the foreground again once a line reaches it; until then the shell's terminal echoes it.
    shell.type('one\n');
    await shell.expect(/got <one>/);
    shell.type('two\n');
    await shell.expect(/and <two>/);
    await shell.expect(/back/);
    shell.type('stty -a | grep -o -e "-\\?icanon"; echo sho""wn\n');
    assert.match((await shell.expect(/\n([^]*)shown/))[1], /^icanon/m);
});

test('bash inside has job control, and less and top work', async (t) => {
    const server = await startServer({ t });
    const shell = await terminal(t);
    shell.type(inTerminal(server, uniqueName(), `env PS1= bash --norc --noprofile`));
    shell.type('echo in""side; sleep 1000\n');
    await shell.expect(/inside/);
    await waitFor(() => execFileSync('ps', ['-eo', 'stat,args']).toString().match(/S\S*\+ +sleep 1000/), 'sleep in the foreground');
    shell.type('\x1a');
    await shell.expect(/Stopped +sleep 1000/);
    shell.type('exit 5\n');
    await shell.expect(/There are stopped jobs/);
    shell.type('exit 5\n');
    await shell.expect(/code 5/);
    shell.type(inTerminal(server, uniqueName(), 'top -d 100', '--quiet'));
    await shell.expect(/load average/);
    shell.type('q');
    await shell.expect(/code 0/);
});

test('vi edits a file', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const file = path.join(temporaryDirectory(), 'text');
    const shell = await terminal(t);
    shell.type(inTerminal(server, session, `vi -u NONE ${file}`));
    await shell.expect(/~/);
    shell.type('ihello from vi\x1b');
    await shell.expect(/hello from vi/);
    shell.type(':wq\r');
    await waitFor(() => fs.existsSync(file), 'the file to be written');
    await shell.expect(/code 0/);
    assert.equal(fs.readFileSync(file, 'utf8'), 'hello from vi\n');
    assert.deepEqual(ofType(await finished(server, session), 'build_progress'), []);
});

test('when we are killed the terminal is as before, and the command gets SIGHUP', async (t) => {
    const server = await startServer({ t });
    const shell = await terminal(t, { program: 'sh' }); // which leaves the terminal as it finds it
    const marker = path.join(temporaryDirectory(), 'hangup');
    shell.type(`${quote(binary)} run --url ${server.url} --session ${uniqueName()} -- sh -c 'trap "touch ${marker}; exit" HUP; echo pid $PPID; while :; do sleep 0.02; done'\n`);
    await shell.expect(/pid \d+/);
    const pids = execFileSync('pgrep', ['-f', `touch ${marker}`]).toString().split('\n').filter(Boolean).map(Number);
    process.kill(Math.min(...pids), 'SIGKILL'); // the oldest is fanfare, then the monitor, then sh
    await shell.expect(/Killed/);
    await waitFor(() => fs.existsSync(marker), 'SIGHUP');
    await waitFor(() => / icanon/.test(execFileSync('stty', ['-a', '-F', shell.tty]).toString()), 'the terminal to be set back');
    shell.type('echo sho""wn\n');
    await shell.expect(/shown/);
});

test('when the terminal goes away the command gets SIGHUP, too', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const shell = await terminal(t);
    shell.type(inTerminal(server, session, `sh -c 'echo rea""dy; exec sleep 1000'`));
    await shell.expect(/\nready/);
    shell.child.kill('SIGKILL');
    const [end] = ofType(await finished(server, session), 'run_finished');
    assert.equal(end.signal, 'SIGHUP');
});

test('in a pipeline the command stays in the job: stdin is piped, Ctrl-C reaches all', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName();
    const shell = await terminal(t);
    shell.type('echo da""ta | ' + inTerminal(server, session, `sh -c 'test -t 1 && test ! -t 0 && cat; echo e""nd'`, '--quiet'));
    await shell.expect(/\ndata\r\nend\r\n/);
    assert.equal(outputOf(await finished(server, session)), 'data\r\nend\r\n'); // as on a terminal
    shell.type('sleep 1000 | ' + inTerminal(server, uniqueName(), `sh -c 'echo rea""dy; exec cat'`, '--quiet'));
    await shell.expect(/\nready/);
    shell.type('\x03');
    await shell.expect(/\^C/); // what was typed before is thrown away
    shell.type('echo sta""tus $?\n');
    await shell.expect(/status 130/);
});

// ---- Servers that are away ----

test('without a server the command runs all the same; once is said why', async () => {
    const { code, stdout, stderr } = await runProgram(['run', '--url', nowhere, '--', 'sh', '-c', 'echo hello; exit 4']);
    assert.equal(code, 4);
    assert.equal(stdout, 'hello\n');
    assert.match(stderr, /^fanfare run: http:\/\/127\.0\.0\.1:1 cannot be reached: .*; the command goes on, and up to 16 MiB of its output are kept for later\nfanfare run: the server did not take the last events, about \d+ bytes, in time\n$/);
    const quiet = await runProgram(['run', '--quiet', '--url', nowhere, '--', 'sh', '-c', 'exit 4']);
    assert.deepEqual(quiet, { code: 4, signal: null, stdout: '', stderr: '' });
});

test('a server that refuses us is named, and not waited for', async (t) => {
    const server = http.createServer().on('upgrade', (request, socket) => {
        socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { code, stderr } = await runProgram(['run', '--url', `http://127.0.0.1:${server.address().port}`, '--wait', '1h', '--', 'sh', '-c', 'exit 4']);
    assert.equal(code, 4);
    assert.match(stderr, /refuses the connection: /);
});

/** A port on which a server can be started again. */
async function restartable(t, options = {}) {
    const first = await startServer({ t, ...options });
    const listen = `127.0.0.1:${first.port}`;
    return { first, url: first.url, again: () => startServer({ t, ...options, listen }) };
}

test('what was kept while the server was away is published when it comes', async (t) => {
    const { first, url, again } = await restartable(t);
    await first.stop();
    const session = uniqueName();
    const child = run(t, { url }, session, ['sh', '-c', 'seq 1 20000; read x; echo end']);
    await waitFor(() => child.stdout().endsWith('20000\n') && /cannot be reached/.test(child.stderr()), 'the outage');
    const server = await again();
    await waitFor(() => /connected to/.test(child.stderr()), 'the connection', ms(20000));
    child.child.stdin.end('\n');
    assert.equal((await child.ended()).code, 0);
    const events = await finished(server, session);
    assert.equal(outputOf(events), [...range(20000).map((i) => i + 1), 'end', ''].join('\n'));
    assert.equal(child.stderr().split('\n').length, 3, child.stderr()); // away, and back
});

test('the end of a short command waits for a server that is back in a moment', async (t) => {
    const { first, url, again } = await restartable(t);
    await first.stop();
    const session = uniqueName();
    const child = run(t, { url }, session, ['echo', 'hello'], { args: ['--wait', '1m'] });
    await waitFor(() => /cannot be reached/.test(child.stderr()), 'the outage');
    const server = await again();
    assert.equal((await child.ended()).code, 0);
    assert.equal(outputOf(await finished(server, session)), 'hello\n');
});

test('Ctrl-C ends the wait for the server', async (t) => {
    const child = run(t, undefined, uniqueName(), ['sh', '-c', 'trap "" INT; echo hello'], { args: ['--wait', '1h'] });
    await waitFor(() => /cannot be reached/.test(child.stderr()) && child.stdout() === 'hello\n', 'the outage');
    await waitFor(() => {
        child.child.kill('SIGINT');
        return child.child.exitCode !== null;
    }, 'the end');
    assert.equal((await child.ended()).code, 0);
});

test('a server that is restarted in the middle misses nothing, and nothing comes twice', async (t) => {
    const { first, url, again } = await restartable(t);
    const session = uniqueName();
    const reader = await first.build(session);
    const child = run(t, { url }, session, ['sh', '-c', 'i=0; while read x; do i=$((i+1)); echo line $i; done']);
    const lines = [];
    const take = async (client, last) => {
        while (!lines.includes(last)) {
            lines.push(...(await client.next('terminal_output')).output.trim().split('\n'));
        }
    };
    for (const n of range(50)) {
        child.child.stdin.write('\n');
        await take(reader, `line ${n + 1}`);
    }
    await first.stop();
    child.child.stdin.write('\n'.repeat(50));
    await waitFor(() => child.stdout().endsWith('line 100\n'), 'output during the outage');
    const server = await again();
    child.child.stdin.end();
    assert.equal((await child.ended()).code, 0);
    lines.push(...outputOf(await finished(server, session)).trim().split('\n'));
    assert.deepEqual(lines, range(100).map((i) => `line ${i + 1}`));
});

test('above 16 MiB the oldest is left out: the stream says how much, and so does the end', async (t) => {
    const { first, url, again } = await restartable(t);
    await first.stop();
    const session = uniqueName();
    const total = 40_000_000;
    const script = `yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c ${total - 5}; echo; echo end`;
    const child = run(t, { url }, session, ['sh', '-c', `${script}; read x`], { args: ['--wait', '1m'] });
    await waitFor(() => child.stdout().length === total && /cannot be reached/.test(child.stderr()), 'the output', ms(20000));
    const status = fs.readFileSync(`/proc/${child.child.pid}/status`, 'utf8');
    if (!process.env.FANFARE_TEST_SLOWNESS) assert.ok(Number(/VmHWM:\s+(\d+)/.exec(status)[1]) < 48 * 1024, status);
    const server = await again();
    child.child.stdin.end('\n');
    const { code, stderr } = await child.ended();
    assert.equal(code, 0);
    assert.match(stderr, /\d+ MiB of output were left out: the server did not take them in time/);
    const events = await finished(server, session);
    const gaps = ofType(events, 'terminal_output').filter((data) => data.left_out);
    const leftOut = gaps.reduce((sum, data) => sum + data.left_out, 0);
    assert.ok(gaps.length > 0 && gaps.every((data) => data.source === 'fanfare' && /output left out here/.test(data.output)));
    const published = outputOf(events);
    assert.equal(published.length + leftOut, total);
    assert.ok(published.length >= 14 * 1024 * 1024 && published.length <= 17 * 1024 * 1024, `${published.length} published`);
    assert.ok(published.endsWith('\nend\n'));
});
