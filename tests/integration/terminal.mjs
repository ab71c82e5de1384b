// Programs that run beside a test, and programs on a terminal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { binary, temporaryDirectory, waitFor } from './harness.mjs';

/** Starts fanfare and collects its output: { child, stdout(), stderr(), ended }. */
export function startProgram(t, args, { env = {}, cwd, command = binary } = {}) {
    const child = spawn(command, args, { cwd, env: { PATH: process.env.PATH, LANG: 'C.UTF-8', ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.stdin.on('error', () => {});
    const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }));
    t.after(() => child.kill('SIGKILL'));
    return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

export const enterScreen = '\x1b[?1049h';
export const leaveScreen = '\x1b[?1049l';

/**
 * Runs fanfare on a terminal of its own (util-linux's script makes it). The terminal's settings are
 * written before and after, so that a test sees whether they are the same.
 */
export async function openTerminal(t, args, { rows = 24, columns = 80, env = {} } = {}) {
    const file = path.join(temporaryDirectory(), 'about');
    const quoted = [binary, ...args].map((word) => `'${word}'`).join(' ');
    // The inner shell becomes the program, so that its process id is known.
    const run = `stty rows ${rows} cols ${columns}; tty >${file}; stty -g >>${file}; ` +
        `sh -c 'echo $$ >>${file}; exec "$@"' - ${quoted}; echo "code=$?" >>${file}; stty -g >>${file}`;
    const script = startProgram(t, ['-qfec', run, '/dev/null'],
        { command: 'script', env: { TERM: 'xterm', SHELL: '/bin/sh', ...env } });
    const about = () => fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : [];
    await waitFor(() => about().length > 3, 'the program to run on its terminal');
    const [device, before, pid] = about();
    t.after(() => {
        try {
            process.kill(Number(pid), 'SIGKILL');
        } catch {
            // it has ended
        }
    });
    return {
        text: () => script.stdout(),
        press: (keys) => script.child.stdin.write(keys),
        kill: (signal) => process.kill(Number(pid), signal),
        resize: (r, c) => once(spawn('stty', ['-F', device, 'rows', r, 'cols', c]), 'close'),
        state: () => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0],
        /** The lines of the last picture, without styles; [] before the first. */
        lines: () => {
            const frames = script.stdout().split('\x1b[?2026h\x1b[H').slice(1).filter((f) => f.includes('\x1b[?2026l'));
            const [picture] = (frames.at(-1) ?? '').split('\x1b[?2026l');
            return picture === '' ? [] : picture.replace(/\x1b\[[0-9;]*[mKJ]/g, '').split('\r\n');
        },
        /** Waits for the end: the exit code, and whether the terminal is as it was. */
        end: async () => {
            await script.ended;
            const [, , , code, after] = about();
            return { code: Number(code.replace('code=', '')), restored: after === before };
        },
    };
}
