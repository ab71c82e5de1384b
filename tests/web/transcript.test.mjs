// The transcript's own part: addresses, groups, runs, what is kept, and that writing never blocks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { load } from './load.mjs';

const { Transcript, LineFlag, Archive, StyleTable, PLAIN } =
    await load('terminal/transcript.ts', 'terminal/archive.ts', 'terminal/style.ts');

async function written(outputs, options) {
    const transcript = new Transcript({ columns: 40, rows: 8, ...options });
    outputs.forEach((output, i) => transcript.write(output, { offset: i + 1, stream: 'stdout' }));
    await transcript.settled();
    return transcript;
}

const all = (transcript) =>
    Array.from({ length: transcript.lines - transcript.first }, (_, i) => transcript.line(transcript.first + i));
const addresses = (transcript) => all(transcript).map(({ address, text }) => `${address} ${text}`);

test('an address names the event in which a line began, and the lines before it in there', async () => {
    const transcript = await written(['one\ntwo\nthr', 'ee\nfour\n', '\nsix', '\n', 'seven\r\n']);
    assert.deepEqual(addresses(transcript), ['1.0 one', '1.1 two', '1.2 three', '2.1 four', '3.0 ', '3.1 six', '5.0 seven']);
    assert.equal(transcript.find('1.2'), 2);
    assert.equal(transcript.find('2.0'), 2, 'the line that event 2 went on with');
    assert.equal(transcript.find('4.0'), 5);
    assert.equal(transcript.find('5'), 6);
    assert.equal(transcript.find('6.0'), undefined, 'not here yet');
    for (const wrong of ['', '1.x', '-1', '1.0.0', 'x', '99999999999999999999']) assert.equal(transcript.find(wrong), undefined, wrong);
});

test('an address means the same line to a reader who joined late', async () => {
    for (let seed = 1; seed <= 25; seed++) {
        let state = seed;
        const next = (below) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0, (state >>> 8) % below);
        const parts = ['line of text', '\n', '\n', '\r\n', 'x'.repeat(55), '\x1b[31m', '\x1b[m', '日本', '50%\r', ' ', '::group::g\n', 'error: e\n'];
        let text = '';
        for (let i = 0; i < 400; i++) text += parts[next(parts.length)];
        const outputs = [];
        for (let at = 0; at < text.length;) {
            const length = 1 + next(60);
            outputs.push(text.slice(at, at + length));
            at += length;
        }
        const full = await written(outputs);
        const from = 2 + next(outputs.length - 2);
        const late = new Transcript({ columns: 40, rows: 8 });
        outputs.forEach((output, i) => i + 1 >= from && late.write(output, { offset: i + 1, stream: 'stdout' }));
        await late.settled();
        const known = all(late);
        assert.ok(full.text(full.find(known[0].address)).length >= 0, `seed ${seed}`);
        for (const { address, text: its } of known.slice(1)) {
            const index = full.find(address);
            assert.equal(full.line(index).address, address, `seed ${seed}, address ${address}`);
            assert.equal(full.text(index), its, `seed ${seed}, address ${address}`);
        }
        assert.equal(full.lines - full.find(known[0].address), late.lines, `seed ${seed}`);
    }
});

test('addresses are unique and ascend', async () => {
    const transcript = await written(['a\nb\nc\x1b[2Ad\n', '\x1b[H\x1b[2Jnew\nscreen\n', 'more\n'.repeat(30)]);
    const seen = all(transcript).map(({ address }) => address.split('.').map(Number));
    for (let i = 1; i < seen.length; i++)
        assert.ok(seen[i][0] > seen[i - 1][0] || (seen[i][0] === seen[i - 1][0] && seen[i][1] > seen[i - 1][1]), `line ${i}: ${seen[i]} after ${seen[i - 1]}`);
});

test('what was written to stderr is marked, and when', async () => {
    const transcript = new Transcript();
    const time = '2026-01-31T12:00:00.123Z';
    transcript.write('out\nbegun ', { offset: 1, stream: 'stdout', time });
    transcript.write('with errors\nall\n', { offset: 2, stream: 'stderr', time });
    transcript.write('out\n', { offset: 3, stream: 'stdout' });
    transcript.write('whole', { offset: 4, stream: 'stdout' });
    transcript.write('\nerr\n', { offset: 5, stream: 'stderr' });
    await transcript.settled();
    const marked = all(transcript).map(({ flags }) => Boolean(flags & LineFlag.stderr));
    assert.deepEqual(marked, [false, true, true, false, false, true]);
    assert.equal(transcript.line(0).time, Date.parse(time));
    assert.ok(Number.isNaN(transcript.line(3).time));
});

test('errors and warnings are counted, on the screen as well as in the archive', async () => {
    const transcript = await written(['a.c:1:1: error: x\nwarning: y\n', 'ok\n'.repeat(20), 'b.c:1:1: error: x\n']);
    assert.deepEqual([transcript.errors, transcript.warnings], [2, 1]);
});

test('groups of GitHub and Azure nest and hide their ends', async () => {
    const transcript = await written([
        '::group::Outer\nin\n##[group]Inner\ndeep\n##[endgroup]\nin again\n::endgroup::\nout\n::endgroup::\n',
        '2026-01-31T12:00:00.0000000Z ##[group]Run make\nlast\n',
    ]);
    const [outer, inner, open] = transcript.groups;
    assert.deepEqual([outer.title, outer.header, outer.end, outer.parent, outer.depth], ['Outer', 0, 7, -1, 0]);
    assert.deepEqual([inner.title, inner.header, inner.end, inner.parent, inner.depth], ['Inner', 2, 5, 0, 1]);
    assert.deepEqual([open.title, open.end], ['Run make', undefined]);
    assert.deepEqual(all(transcript).map(({ group }) => group), [-1, 0, 0, 1, 1, 0, 0, -1, -1, -1, 2]);
    assert.equal(transcript.flags(4) & LineFlag.hidden, LineFlag.hidden);
    assert.equal(transcript.flags(8) & LineFlag.hidden, 0, 'an end without a start is an ordinary line');
    assert.equal(transcript.headedBy(2).id, 1);
    assert.equal(transcript.headedBy(3), undefined);
});

test("GitLab's sections, however their markers were split", async () => {
    const log = '\x1b[0Ksection_start:1560896352:build_it[collapsed=true]\r\x1b[0K\x1b[1mBuild it\x1b[0m\n$ make\n' +
        'section_end:1560896353:build_it\r\x1b[0Ksection_start:1560896354:test\r\x1b[0KTest\nrunning\n' +
        'section_end:1560896355:test\r\x1b[0K\nsection_end:1:never\r\x1b[0K\ndone\n';
    for (const size of [1, 7, 1000]) {
        const transcript = await written(log.match(new RegExp(`[^]{1,${size}}`, 'g')), { columns: 80 });
        const texts = all(transcript).filter(({ flags }) => !(flags & LineFlag.hidden)).map(({ text }) => text);
        assert.deepEqual(texts, ['Build it', '$ make', 'Test', 'running', '', 'done'], `in pieces of ${size}`);
        assert.deepEqual(transcript.groups.map(({ title, header, end, collapsed, kind }) => [title, header, end, collapsed, kind]),
            [['Build it', 0, 2, true, 'section'], ['Test', 2, 5, false, 'section']], `in pieces of ${size}`);
    }
});

test('groups on the screen stay the same when they scroll into the archive', async () => {
    const transcript = new Transcript({ columns: 40, rows: 8 });
    const seen = [];
    for (const [i, output] of ['::group::A\n', 'a\n', '::endgroup::\n', '::group::B\n', ...Array(20).fill('b\n')].entries()) {
        transcript.write(output, { offset: i + 1, stream: 'stdout' });
        await transcript.settled();
        seen.push(transcript.groups.map(({ title, header, end }) => [title, header, end]));
    }
    assert.deepEqual(seen[1], [['A', 0, undefined]]);
    assert.deepEqual(seen[2], [['A', 0, 3]]);
    assert.deepEqual(seen.at(-1), [['A', 0, 3], ['B', 3, undefined]]);
    assert.ok(transcript.settledLines > 4);
});

test('a flood of groups is bounded', async () => {
    const transcript = await written([`${'::group::deep\n'.repeat(100)}`, '::group::x\n::endgroup::\n'.repeat(10)]);
    assert.equal(Math.max(...transcript.groups.map(({ depth }) => depth)), 31);
});

test('a run is a group with its result; what it runs itself is inside', async () => {
    const transcript = new Transcript();
    transcript.write('before', { offset: 1, stream: 'stdout' });
    transcript.runStarted({ command: ['make', '-j 4', "it's"], cwd: '/src', pid: 7 }, { offset: 2, time: '2026-01-31T12:00:00Z' });
    transcript.write('outer\n', { offset: 3, stream: 'stdout' });
    transcript.runStarted({ command: 'npm  test' }, { offset: 4 });
    transcript.write('inner\n', { offset: 5, stream: 'stdout' });
    transcript.runFinished({ exit_code: null, signal: 'SIGKILL', duration: 2 }, { offset: 6 });
    transcript.write('outer again\n', { offset: 7, stream: 'stdout' });
    await transcript.settled();
    assert.equal(transcript.groups[0].run.finished, false);
    transcript.runFinished({ exit_code: 2, signal: null, duration: 12.5 }, { offset: 8 });
    transcript.runFinished({ exit_code: 0 }, { offset: 9 });
    transcript.write('after', { offset: 10, stream: 'stdout' });
    await transcript.settled();
    assert.deepEqual(addresses(transcript), ['1.0 before', "2.0 $ make '-j 4' 'it'\\''s'", '3.0 outer', '4.0 $ npm test', '5.0 inner', '7.0 outer again', '10.0 after']);
    const [outer, inner] = transcript.groups;
    assert.deepEqual([outer.header, outer.end, inner.header, inner.end, inner.parent], [1, 6, 3, 5, 0]);
    assert.deepEqual([outer.run.exitCode, outer.run.signal, outer.run.duration, outer.run.cwd], [2, undefined, 12.5, '/src']);
    assert.deepEqual([inner.run.exitCode, inner.run.signal], [undefined, 'SIGKILL']);
    assert.equal(transcript.find('4.0'), 3);
});

test('data of the wrong types does no harm', async () => {
    const transcript = new Transcript();
    transcript.runStarted({ command: { a: 1 }, cwd: 5, pid: 'x', cols: -3, rows: 1e9 }, { offset: 1, time: 'yesterday' });
    transcript.write('a\nb\n', { offset: 2, stream: 'stdout' });
    transcript.runFinished({ exit_code: 'no', signal: 9, duration: null }, { offset: 3 });
    transcript.runStarted({}, { offset: 4 });
    await transcript.settled();
    assert.deepEqual(all(transcript).map(({ text }) => text), ['$ command', 'a', 'b', '$ command']);
    assert.equal(transcript.groups[0].run.signal, '9');
});

test('a remark stands between the lines and has no address', async () => {
    const transcript = new Transcript();
    transcript.write('begun', { offset: 1, stream: 'stdout' });
    transcript.addNotice('3 events are missing');
    transcript.write('\x1b[1mgoes on\n', { offset: 5, stream: 'stdout' });
    await transcript.settled();
    assert.deepEqual(addresses(transcript), ['1.0 begun', 'undefined 3 events are missing', '5.0 goes on']);
    assert.ok(transcript.flags(1) & LineFlag.notice);
});

test('the oldest lines go when there are too many, and the others keep their numbers and addresses', async () => {
    const transcript = new Transcript({ maxLines: 2000 });
    for (let i = 1; i <= 100; i++) transcript.write(`event ${i}\n`.repeat(100), { offset: i, stream: 'stdout' });
    await transcript.settled();
    assert.equal(transcript.lines, 10000);
    assert.ok(transcript.lines - transcript.first <= 2600 && transcript.first % 512 === 0);
    assert.equal(transcript.line(transcript.first - 1), undefined);
    assert.equal(transcript.text(9000), 'event 91');
    assert.equal(transcript.find('91.0'), 9000);
    assert.equal(transcript.find('5.0'), undefined);
});

test('what waits is bounded: the oldest is skipped, and a remark says so', async () => {
    const transcript = new Transcript({ maxPending: 1000 });
    for (let i = 1; i <= 100; i++) transcript.write(`event ${i} ${'x'.repeat(40)}\n`, { offset: i, stream: 'stdout' });
    assert.ok(transcript.pending <= 1000);
    await transcript.settled();
    const lines = all(transcript);
    assert.equal(lines.filter(({ flags }) => flags & LineFlag.notice).length, 1);
    assert.match(lines[0].text, /not shown: they came faster than this page could take them/);
    assert.match(lines.at(-1).text, /^event 100 /);
});

test('writing asks for a pause, and goes on after it', async () => {
    const transcript = new Transcript();
    const much = `${'x'.repeat(79)}\n`.repeat(13000);
    let offset = 1;
    while (transcript.write(much, { offset: offset++, stream: 'stdout' }));
    assert.ok(transcript.pending >= 8 * 1024 * 1024);
    await transcript.drained();
    assert.ok(transcript.pending < 8 * 1024 * 1024);
    assert.ok(transcript.write('more', { offset, stream: 'stdout' }));
    transcript.reset();
    await transcript.settled();
    assert.equal(transcript.lines, 0);
});

test('changes are told once for many, and not after the end of a subscription', async () => {
    const transcript = new Transcript();
    let told = 0;
    const end = transcript.subscribe(() => told++);
    for (let i = 1; i <= 1000; i++) transcript.write('line\n', { offset: i, stream: 'stdout' });
    await transcript.settled();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(told >= 1 && told < 100, `${told} times`);
    end();
    const before = told;
    transcript.addNotice('more');
    await transcript.settled();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(told, before);
});

test('reset forgets everything, also what was on its way', async () => {
    const transcript = await written(['::group::g\nerror: x\n', '\x1b[?1049h']);
    transcript.write('on its way', { offset: 9, stream: 'stdout' });
    const { generation } = transcript;
    transcript.reset();
    await transcript.settled();
    assert.deepEqual([transcript.lines, transcript.errors, transcript.groups.length, transcript.screen, transcript.find('1.0')], [0, 0, 0, undefined, undefined]);
    assert.notEqual(transcript.generation, generation);
    transcript.write('new', { offset: 1, stream: 'stdout' });
    await transcript.settled();
    assert.deepEqual(addresses(transcript), ['1.0 new']);
});

test('the archive gives back what it was given', () => {
    const archive = new Archive({ lines: 1e6, characters: 1e9 });
    const made = (i) => ({ text: `line ${i} ${'é日'.repeat(i % 7)}`, runs: Array.from({ length: 2 * (i % 3) }, (_, j) => i + j),
        facts: { offset: Math.floor(i / 3), number: i % 3, time: i % 2 ? NaN : i, flags: i % 256, group: (i % 9) - 1, width: i } });
    for (let i = 0; i < 3000; i++) archive.append(made(i).text, made(i).runs, made(i).facts);
    for (const i of [0, 1, 511, 512, 513, 1023, 1024, 2559, 2560, 2999]) {
        assert.equal(archive.text(i), made(i).text);
        assert.deepEqual([...archive.runs(i)], made(i).runs);
        assert.deepEqual(archive.facts(i), made(i).facts);
        assert.equal(archive.lastAtOrBefore(made(i).facts.offset, made(i).facts.number), i);
    }
    assert.equal(archive.lastAtOrBefore(1e9, 0), 2999);
    assert.equal(new Archive({ lines: 9, characters: 9 }).lastAtOrBefore(1, 0), -1);
});

test('styles are numbered once, and a program that invents ever more of them is held back', () => {
    const table = new StyleTable(100);
    assert.equal(table.intern({}), 0);
    assert.equal(table.intern({ bold: true, foreground: 1 }), table.intern({ foreground: 1, bold: true }));
    assert.notEqual(table.intern({ foreground: 1 }), table.intern({ background: 1 }));
    for (let i = 0; i < 5000; i++) table.intern({ foreground: 0x1000000 | i * 997, link: `https://example.org/${i}` });
    assert.ok(table.size <= 200, `${table.size}`);
    const reduced = table.get(table.intern({ foreground: 0x1ffffff, italic: true, link: 'https://example.org/' }));
    assert.ok(reduced === PLAIN || reduced.link === undefined);
});

/* The tests' own runner starts Node without it. */
function collectGarbage() {
    setFlagsFromString('--expose_gc');
    runInNewContext('gc')();
}

test('half a million lines take modest memory, and the page answers meanwhile', async () => {
    collectGarbage();
    const before = process.memoryUsage();
    const transcript = new Transcript();
    const started = performance.now();
    let [longest, last, going] = [0, performance.now(), true];
    const tick = () => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
        if (going) setImmediate(tick);
    };
    setImmediate(tick);
    let batch = '';
    let offset = 1;
    for (let i = 0; i < 500_000; i++) {
        batch += `\x1b[32m[${i}/500000]\x1b[0m Compiling \x1b[1;34msrc/module_${i % 977}.c\x1b[0m with -O2\r\n`;
        if (batch.length < 8192 && i < 499_999) continue;
        if (!transcript.write(batch, { offset: offset++, stream: 'stdout' })) await transcript.drained();
        batch = '';
    }
    await transcript.settled();
    going = false;
    collectGarbage();
    const after = process.memoryUsage();
    assert.equal(transcript.lines, 500_000);
    assert.equal(transcript.text(499_999), '[499999/500000] Compiling src/module_752.c with -O2');
    assert.equal(transcript.find(transcript.line(250_000).address), 250_000);
    const used = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 1e6;
    console.log(`500000 lines: ${((performance.now() - started) / 1000).toFixed(1)} s, ${used.toFixed(0)} MB, longest without an answer ${longest.toFixed(0)} ms`);
    assert.ok(used < 200, `${used} MB`);
});
