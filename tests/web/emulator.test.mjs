// What the transcript makes of a terminal's output, against the emulator's own public interface.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { load } from './load.mjs';

const { Terminal } = createRequire(new URL('../../web/package.json', import.meta.url))('@xterm/headless');
const { Transcript, LineFlag, withEmoji } = await load('terminal/transcript.ts', 'terminal/archive.ts', 'terminal/widths.ts');

const columns = 20;
const rows = 6;

/** The same numbers for the same seed, so that a failure can be seen again. */
function random(seed) {
    let state = seed >>> 0;
    return (below) => {
        state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
        mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
        return ((mixed ^ (mixed >>> 15)) >>> 0) % below;
    };
}

/* Everything a program may send but for what a transcript deliberately takes otherwise: erasing the
   screen or its history, and the full reset, keep what was there. Nor erasing above the cursor, by
   which the emulator's version 5.5 changes a line far up in its history. */
function stream(next, length) {
    const parts = [
        () => 'abc '.repeat(1 + next(9)), () => 'x'.repeat(next(70)), () => '\n', () => '\n', () => '\r\n', () => '\r',
        () => '日本語'.slice(next(3)), () => 'e\u0301é👍🏽ß', () => '\t', () => '\b\b', () => '\u00a0|',
        () => `\x1b[${next(50)}m`, () => `\x1b[38;5;${next(256)};48;5;${next(256)}m`, () => '\x1b[m',
        () => `\x1b[38;2;${next(256)};${next(256)};9m`, () => `\x1b[4:${next(6)}m\x1b[58;5;${next(256)}m`,
        () => `\x1b[${next(8)}${'ABCDEFG'[next(7)]}`, () => `\x1b[${1 + next(7)};${1 + next(22)}H`,
        () => `\x1b[${next(3)}K`, () => '\x1b[J', () => `\x1b[${next(4)}${'@LMPXSTb'[next(8)]}`,
        () => `\x1b[${1 + next(3)};${4 + next(3)}r`, () => '\x1b[r', () => '\x1b7', () => '\x1b8', () => '\x1bM', () => '\x1bD', () => '\x1bE',
        () => `\x1b]8;;https://example.org/${next(9)}\x1b\\link\x1b]8;;\x1b\\`, () => '\x1b]0;title\x07',
        () => (next(20) ? '' : '\x1b[?1049hfull screen\x1b[?1049l'), () => '\x1b[?7l\x1b[?7h', () => 'ordinary line of output\n'.repeat(next(5)),
    ];
    let text = '';
    while (text.length < length) text += parts[next(parts.length)]();
    return text;
}

const attributes = ['isBold', 'isDim', 'isItalic', 'isInverse', 'isInvisible', 'isStrikethrough', 'isOverline'];

/** The lines of the whole buffer through the public interface: each a list of [characters, looks]. */
function expectedLines(terminal) {
    const buffer = terminal.buffer.normal;
    const lines = [];
    for (let y = 0; y < buffer.length; y++) {
        const row = buffer.getLine(y);
        const cells = [];
        for (let x = 0; x < row.length; x++) {
            const cell = row.getCell(x);
            if (cell.getWidth() === 0) continue;
            const foreground = cell.isFgDefault() ? '-' : `${cell.isFgRGB() ? 'rgb' : 'p'}${cell.getFgColor()}`;
            const background = cell.isBgDefault() ? '-' : `${cell.isBgRGB() ? 'rgb' : 'p'}${cell.getBgColor()}`;
            cells.push({
                text: cell.getChars(), width: cell.getWidth(), blank: cell.getChars() === '' && background === '-',
                looks: [foreground, background, ...attributes.filter((each) => cell[each]())].join(' '),
            });
        }
        const next = buffer.getLine(y + 1);
        if (next?.isWrapped) {
            if (cells.at(-1).text === '' && cells.at(-1).width === 1 && next.getCell(0).getWidth() === 2) cells.pop();
        } else while (cells.at(-1)?.blank) cells.pop();
        if (row.isWrapped && lines.length) lines.at(-1).push(...cells);
        else lines.push(cells);
    }
    return lines.map((cells) => cells.map(({ text, looks }) => ({ text: text || ' ', looks })));
}

const names = { bold: 'isBold', dim: 'isDim', italic: 'isItalic', inverse: 'isInverse', invisible: 'isInvisible', strike: 'isStrikethrough', overline: 'isOverline' };
const colorOf = (color) => (color === undefined ? '-' : color >= 0x1000000 ? `rgb${color & 0xffffff}` : `p${color}`);

function looksAt(transcript, line, position) {
    let id = 0;
    for (let i = 0; i < line.runs.length && line.runs[i] <= position; i += 2) id = line.runs[i + 1];
    const style = transcript.styles.get(id);
    return [colorOf(style.foreground), colorOf(style.background), ...Object.keys(names).filter((each) => style[each]).map((each) => names[each])
        .sort((a, b) => attributes.indexOf(a) - attributes.indexOf(b))].join(' ');
}

function joined(first, second) {
    const text = first.text + ' '.repeat((columns - (first.width % columns)) % columns);
    const runs = [...first.runs, first.text.length, 0, text.length, 0];
    for (let i = 0; i < second.runs.length; i += 2) runs.push(text.length + second.runs[i], second.runs[i + 1]);
    return { ...first, text: text + second.text, width: text.length + second.width, runs };
}

function compare(transcript, terminal, seed) {
    const expected = expectedLines(terminal);
    const textOf = (cells) => cells.map((each) => each.text).join('');
    while (expected.length && expected.at(-1).length === 0) expected.pop();
    // Deleting the first row of a wrapped line makes the emulator hang its rest on the line before,
    // which may be in the archive already.
    const actual = [];
    for (let i = 0; i < transcript.lines; i++) {
        const line = transcript.line(i);
        if (i && line.flags & LineFlag.continued) actual.push(joined(actual.pop(), line));
        else actual.push(line);
    }
    assert.deepEqual(actual.map((each) => each.text), expected.map(textOf), `text, seed ${seed}`);
    for (const [index, cells] of expected.entries()) {
        let position = 0;
        for (const { text, looks } of cells) {
            assert.equal(looksAt(transcript, actual[index], position), looks, `line ${index}, character ${position}, seed ${seed}`);
            position += text.length;
        }
    }
}

const emulate = (text, options) => new Promise((resolve) => {
    const terminal = new Terminal({ cols: columns, rows, scrollback: 1e6, convertEol: true, allowProposedApi: true, ...options });
    terminal.unicode.register(withEmoji(terminal._core.unicodeService._activeProvider));
    terminal.unicode.activeVersion = 'emoji';
    terminal.write(text, () => resolve(terminal));
});

/** Writes a text in events of random sizes. */
function writeInPieces(transcript, text, next) {
    for (let at = 0, offset = 1; at < text.length; offset++) {
        const length = 1 + next(next(4) ? 40 : 6000);
        transcript.write(text.slice(at, at + length), { offset, stream: 'stdout' });
        at += length;
    }
}

const seeds = process.env.FANFARE_TERMINAL_SEED ? [Number(process.env.FANFARE_TERMINAL_SEED)]
    : Array.from({ length: 60 }, (_, i) => i + 1);

test('lines and their looks are those of the emulator, however the output was split', async () => {
    for (const seed of seeds) {
        const next = random(seed);
        const text = stream(next, 200 + next(seed % 10 ? 3000 : 30000));
        const transcript = new Transcript({ columns, rows });
        writeInPieces(transcript, text, next);
        await transcript.settled();
        compare(transcript, await emulate(text), seed);
    }
});

test('looking at the live lines in between changes nothing', async () => {
    for (const seed of seeds.slice(0, 15)) {
        const next = random(seed);
        const text = stream(next, 3000);
        const transcript = new Transcript({ columns, rows });
        for (let at = 0, offset = 1; at < text.length; at += 97, offset++) {
            transcript.write(text.slice(at, at + 97), { offset, stream: 'stdout' });
            await transcript.settled();
            assert.ok(transcript.lines >= transcript.settledLines && transcript.errors >= 0);
        }
        compare(transcript, await emulate(text), seed);
    }
});

async function linesOf(output, options = {}) {
    const transcript = new Transcript({ columns, rows, ...options });
    transcript.write(output, { offset: 1, stream: 'stdout' });
    await transcript.settled();
    return texts(transcript);
}

function texts(transcript) {
    return Array.from({ length: transcript.lines - transcript.first }, (_, i) => transcript.text(transcript.first + i));
}

test('a progress bar leaves its last state, also when it is wider than the terminal has scrolled', async () => {
    const bar = Array.from({ length: 200 }, (_, i) => `\r${i}%\x1b[K`).join('');
    assert.deepEqual(await linesOf(`${'before\n'.repeat(9)}${bar}\rdone\x1b[K\nafter\n`), [...Array(9).fill('before'), 'done', 'after']);
});

test('wide characters are kept whole where a row ends', async () => {
    const line = `${'a'.repeat(columns - 1)}日本`;
    assert.deepEqual(await linesOf(`${line}\n`), [line]);
    const cut = new Transcript({ columns, rows });
    cut.write('a \ud83d', { offset: 1, stream: 'stdout' });
    cut.write('\udc4d b', { offset: 2, stream: 'stdout' });
    await cut.settled();
    assert.deepEqual(texts(cut), ['a 👍 b']);
    assert.equal(cut.width(0), 6);
});

test('one write of many more lines than the emulator keeps loses none', async () => {
    const count = 30000;
    const lines = await linesOf(Array.from({ length: count }, (_, i) => `${i}`).join('\n'));
    assert.equal(lines.length, count);
    assert.ok(lines.every((text, i) => text === `${i}`));
});

test('a line without an end is cut and kept', async () => {
    const text = Array.from({ length: 60000 }, (_, i) => String(i % 10)).join('');
    const lines = await linesOf(`${text}\nnext\n`);
    assert.equal(lines.slice(0, -1).join(''), text);
    assert.equal(lines.at(-1), 'next');
    assert.ok(lines.length > 2);
    const transcript = new Transcript({ columns, rows });
    transcript.write(text, { offset: 1, stream: 'stdout' });
    await transcript.settled();
    assert.equal(transcript.flags(0) & LineFlag.continued, 0);
    assert.ok(transcript.flags(1) & LineFlag.continued);
});

test('clearing the screen, its history or the terminal keeps what was there', async () => {
    for (const clear of ['\x1b[H\x1b[2J', '\x1b[H\x1b[2J\x1b[3J', '\x1b[3J\x1b[H\x1b[2J', '\x1bc'])
        assert.deepEqual(await linesOf(`first\nsecond${clear}third\n`), ['first', 'second', 'third'], JSON.stringify(clear));
});

test('a full-screen program is shown while it is up and leaves nothing behind', async () => {
    const transcript = new Transcript({ columns, rows });
    transcript.write('before\n\x1b[?1049h\x1b[2;3H\x1b[31mtop', { offset: 1, stream: 'stdout' });
    await transcript.settled();
    const { screen } = transcript;
    assert.equal(screen.rows.length, rows);
    assert.equal(screen.rows[1].text, '  top');
    assert.deepEqual(screen.cursor, { x: 5, y: 1 });
    transcript.write('\x1b[?25l', { offset: 2, stream: 'stdout' });
    await transcript.settled();
    assert.equal(transcript.screen.cursor, undefined);
    transcript.write('\x1b[?1049lafter\n', { offset: 3, stream: 'stdout' });
    await transcript.settled();
    assert.equal(transcript.screen, undefined);
    assert.deepEqual(texts(transcript), ['before', 'after']);
});

test('links say where they lead, and many of them cost no memory', async () => {
    const transcript = new Transcript({ columns: 80, rows });
    transcript.write('see \x1b]8;id=1;https://example.org/a\x1b\\\x1b[4mthis\x1b[m\x1b]8;;\x1b\\ and that\n', { offset: 1, stream: 'stdout' });
    const redrawn = Array.from({ length: 3000 }, (_, i) => `\r\x1b]8;;https://example.org/${i}\x1b\\go\x1b]8;;\x1b\\`).join('');
    transcript.write(redrawn, { offset: 2, stream: 'stdout' });
    await transcript.settled();
    const { runs } = transcript.line(0);
    assert.deepEqual({ ...transcript.styles.get(runs[1]) }, { link: 'https://example.org/a', underline: 'solid' });
    assert.deepEqual([runs[0], runs[2], runs[3]], [4, 8, 0]);
});

test('every line of a long list may have a link', async () => {
    const transcript = new Transcript({ columns: 80, rows });
    const count = 20000;
    for (let i = 0; i < count; i += 100) {
        const list = Array.from({ length: 100 }, (_, j) => `\x1b]8;;https://example.org/${(i + j) % 500}\x1b\\file ${i + j}\x1b]8;;\x1b\\\n`);
        transcript.write(list.join(''), { offset: i + 1, stream: 'stdout' });
    }
    await transcript.settled();
    assert.equal(transcript.lines, count);
    for (let i = 0; i < count; i++) {
        const { text, runs } = transcript.line(i);
        assert.equal(text, `file ${i}`);
        assert.equal(transcript.styles.get(runs[1]).link, `https://example.org/${i % 500}`);
    }
});

test('absurd repetitions are left out', async () => {
    assert.deepEqual(await linesOf('a\x1b[2000000000bz\nb\x1b[3b\n'), ['az', 'bbbb']);
    const lines = await linesOf('a\x1b[1000b'.repeat(300), { columns: 2 });
    assert.equal(lines.join(''), 'a'.repeat(300 * 1001), 'but nothing of what is merely much');
});

test('a run with a terminal gets its size, one without gets line ends', async () => {
    const transcript = new Transcript({ columns, rows });
    transcript.runStarted({ command: 'top', cols: 10, rows: 4 }, { offset: 1 });
    transcript.write('a\nb\r\n\x1b[?1049h', { offset: 2, stream: 'stdout' });
    await transcript.settled();
    assert.equal(transcript.screen.columns, 10);
    assert.equal(transcript.screen.rows.length, 4);
    transcript.runFinished({ exit_code: 0 }, { offset: 3 });
    transcript.runStarted({ command: 'cat' }, { offset: 4 });
    transcript.write('a\nb\n', { offset: 5, stream: 'stdout' });
    await transcript.settled();
    assert.equal(transcript.screen, undefined);
    assert.deepEqual(texts(transcript), ['$ top', 'a', ' b', '$ cat', 'a', 'b']);
});

test('a change of size in the middle loses nothing', async () => {
    for (const [from, to] of [[60, 20], [20, 60], [60, 7]]) {
        const transcript = new Transcript({ columns: 100, rows: 30 });
        const words = Array.from({ length: 40 }, (_, i) => `${i}:${'w'.repeat(i)}`);
        transcript.runStarted({ command: 'outer', cols: from, rows: 12 }, { offset: 1 });
        transcript.write(`${words.slice(0, 20).join('\r\n')}\r\nhalf a line ${'x'.repeat(30)}`, { offset: 2, stream: 'stdout' });
        transcript.runStarted({ command: 'inner', cols: to, rows: 5 }, { offset: 3 });
        transcript.write(`${words.slice(20).join('\r\n')}\r\n`, { offset: 4, stream: 'stdout' });
        await transcript.settled();
        assert.deepEqual(texts(transcript), ['$ outer', ...words.slice(0, 20), `half a line ${'x'.repeat(30)}`, '$ inner', ...words.slice(20)]);
    }
});

test('an escape sequence without an end does not swallow what comes after a remark', async () => {
    const transcript = new Transcript({ columns, rows });
    transcript.write('text\x1b]0;a title that never', { offset: 1, stream: 'stdout' });
    transcript.addNotice('lines are missing');
    transcript.write('ends?\n', { offset: 9, stream: 'stdout' });
    await transcript.settled();
    assert.deepEqual(texts(transcript), ['text', 'lines are missing', 'ends?']);
});
