// What `fanfare run` costs a command that prints 200 MB: the same command with and without it, in turn; and up
// to which rate all of the output is published.
//
//   node bench/run_output.mjs [REPETITIONS, 7]
//
// Without it the output goes where it goes with it: through a pipe to `cat`, or through a terminal that
// script(1) makes. A server and no reader; the second of two cores is the server's and the publisher's.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const binary = process.env.FANFARE_BIN ?? new URL('../build/release/fanfare', import.meta.url).pathname;
const repetitions = Number(process.argv[2] ?? 7);
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fanfare-output-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
const file = path.join(directory, 'output');
const report = path.join(directory, 'report');
const total = 200e6;

function writeOutput() {
    let text = '';
    for (let i = 0; text.length < 1 << 20; i++) {
        text += `[${i}/9999] Building C object CMakeFiles/fanfare_net.dir/src/net/part${i * 7919 % 997}.c.o\n`;
    }
    fs.writeFileSync(file, text.repeat(Math.ceil(total / text.length)).slice(0, total));
}

const server = spawn(binary, ['serve', '--listen', '127.0.0.1:0', '--data', path.join(directory, 'data'), '--log-level', 'warn'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
const url = String(await once(server.stdout, 'data')).trim();
process.on('exit', () => server.kill());

let sessions = 0;
const run = (options, command) => [binary, 'run', '--quiet', ...options, '--url', url, '--session', `s${sessions++}`,
    '--report', report, '--', ...command];
const shell = (text) => ['sh', '-c', text];

// Programs that do nothing but print: as a script does, line by line, and as fast as can be.
const printing = ['python3', '-c', `for i in range(${total / 100}): print("[%d/9999] %s" % (i % 9999, "${'x'.repeat(88)}"))`];
const quoted = (command) => command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
const cases = [
    ['python, pipe', shell(`${quoted(printing)} | cat`), () => run([], printing)],
    ['cat, pipe', shell(`cat ${file} | cat`), () => run([], ['cat', file])],
    ['python, terminal', ['script', '-qec', quoted(printing), '/dev/null'], () => run(['--pty'], printing)],
    ['cat, terminal', ['script', '-qec', `cat ${file}`, '/dev/null'], () => run(['--pty'], ['cat', file])],
];

const finished = () => JSON.parse(fs.readFileSync(report, 'utf8').trimEnd().split('\n').at(-1));

/** Seconds from the start to the end of the command; what follows is the wait for the server. */
function seconds(command, watched) {
    const began = performance.now();
    const { status, stderr } = spawnSync(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
    if (status !== 0) throw new Error(`${command.join(' ')}: ${status} ${stderr}`);
    return watched ? finished().duration : (performance.now() - began) / 1000;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const MB = (bytes) => `${Math.round(bytes / 1e6)} MB`;

/** The most memory that fanfare run had, looked at while it runs. */
async function memory(command) {
    const child = spawn(command[0], command.slice(1), { stdio: 'ignore' });
    let [most, over] = [0, false];
    once(child, 'close').then(() => (over = true));
    while (!over) {
        try {
            most = Math.max(most, Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0));
        } catch {
            // it has just ended
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return most * 1024;
}

writeOutput();
console.log(`${os.cpus().length} cores, ${MB(total)}, medians of ${repetitions}`);
console.log('command           without     with  slower   left out  memory');
for (const [name, without, watched] of cases) {
    const [plain, ours, leftOut] = [[], [], []];
    for (let i = 0; i < repetitions; i++) {
        plain.push(seconds(without, false));
        ours.push(seconds(watched(), true));
        leftOut.push(finished().left_out);
    }
    const slower = (median(ours) / median(plain) - 1) * 100;
    console.log(`${name.padEnd(17)} ${median(plain).toFixed(2).padStart(5)} s  ${median(ours).toFixed(2).padStart(5)} s  ` +
        `${slower.toFixed(0).padStart(4)} %  ${MB(median(leftOut)).padStart(9)}  ${MB(await memory(watched()))}`);
}

// A program that writes at a rate of its own.
const paced = path.join(directory, 'paced.mjs');
fs.writeFileSync(paced, `import fs from 'node:fs';
const [rate, step] = [Number(process.argv[2]) * 1e6, 32768];
const [data, began] = [fs.readFileSync(${JSON.stringify(file)}), performance.now()];
for (let at = 0; at < data.length;) {
    const ahead = at / rate * 1000 - (performance.now() - began);
    if (ahead > 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ahead);
    at += fs.writeSync(1, data, at, Math.min(step, data.length - at));
}
`);
console.log('\nleft out of 200 MB at a rate of…');
for (const [name, options] of [['pipe', []], ['terminal', ['--pty']]]) {
    for (const rate of [25, 50, 100, 200, 400]) {
        const results = [];
        for (let i = 0; i < 3; i++) {
            const [program, ...args] = run(options, [process.execPath, paced, String(rate)]);
            execFileSync(program, args, { stdio: 'ignore' });
            const { bytes, left_out: leftOut, duration } = finished();
            results.push(`${MB(leftOut)} (${Math.round(bytes / duration / 1e6)} MB/s)`);
        }
        console.log(`${name.padEnd(9)} ${String(rate).padStart(4)} MB/s: ${results.join(', ')}`);
    }
}
server.kill();
