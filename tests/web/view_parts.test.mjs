// What the view is made of, without a document: where rows are, what is found, how it looks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const {
    Transcript, Layout, Viewport, Search, patternOf, segmentsOf, addressesIn, isSafeLink, characterAt, columnOf, gridParts,
    light, dark, contrast, resolve, cssOf, rgb, exportLines, withSequences, textBetween, Selection, marksOf, addressOf,
    StyleTable, TRUE_COLOR,
} = await load(...['transcript', 'layout', 'viewport', 'search', 'segments', 'cells', 'colors', 'export', 'selection', 'marks', 'style']
    .map((each) => `terminal/${each}.ts`));

async function written(output, options) {
    const transcript = new Transcript({ columns: 100, rows: 10, ...options });
    transcript.write(output, { offset: 1, stream: 'stdout' });
    await transcript.settled();
    return transcript;
}

const numbered = (count, text = (i) => `line ${i}`) => Array.from({ length: count }, (_, i) => `${text(i)}\n`).join('');

/** The rows of a layout, found the slow way. */
function slowRows(transcript, wrapAt, isShown) {
    const rows = [];
    for (let line = transcript.first; line < transcript.lines; line++) {
        if (!isShown(line)) continue;
        const parts = wrapAt ? Math.max(1, Math.ceil(transcript.width(line) / wrapAt)) : 1;
        for (let part = 0; part < parts; part++) rows.push({ line, part });
    }
    return rows;
}

function check(layout, expected, what) {
    assert.equal(layout.rows, expected.length, what);
    assert.deepEqual(layout.slice(0, expected.length), expected, what);
    for (let row = 0; row < expected.length; row += 97) {
        assert.deepEqual(layout.slice(row, row + 3), expected.slice(row, row + 3), `${what}, row ${row}`);
        assert.equal(layout.rowOf(expected[row].line) + expected[row].part, row, `${what}, row of line ${expected[row].line}`);
    }
    assert.deepEqual(layout.slice(expected.length, expected.length + 5), []);
}

test('rows of lines, also wrapped, as the transcript grows', async () => {
    const transcript = new Transcript({ columns: 100, rows: 10 });
    const [plain, wrapped] = [new Layout(transcript), new Layout(transcript)];
    wrapped.configure({ wrapAt: 30, problems: undefined });
    for (let offset = 1; offset < 20; offset++) {
        transcript.write(numbered(150, (i) => 'x'.repeat((i * 7 + offset) % 200)), { offset, stream: 'stdout' });
        await transcript.settled();
        plain.update();
        wrapped.update();
    }
    check(plain, slowRows(transcript, 0, () => true), 'plain');
    check(wrapped, slowRows(transcript, 30, () => true), 'wrapped');
    wrapped.configure({ wrapAt: 50, problems: undefined });
    wrapped.update();
    check(wrapped, slowRows(transcript, 50, () => true), 'another width');
});

test('folding hides what is inside, and unfolding shows again what was not folded itself', async () => {
    const transcript = await written(`${numbered(600)}::group::A\n${numbered(700)}::group::B\n${numbered(5)}::endgroup::\n::endgroup::\nend\n`);
    const layout = new Layout(transcript);
    layout.update();
    const hidden = (line) => transcript.text(line) === '::endgroup::';
    check(layout, slowRows(transcript, 0, (line) => !hidden(line)), 'all open');
    const [a, b] = transcript.groups;
    layout.fold(b.id, true);
    layout.update();
    check(layout, slowRows(transcript, 0, (line) => !hidden(line) && !(line > b.header && line < b.end)), 'inner folded');
    layout.fold(a.id, true);
    layout.update();
    check(layout, slowRows(transcript, 0, (line) => line <= a.header || line >= a.end), 'outer folded');
    layout.fold(a.id, false);
    layout.update();
    assert.equal(layout.isShown(b.header + 1), false);
    layout.reveal(b.header + 1);
    layout.update();
    assert.equal(layout.isShown(b.header + 1), true);
    layout.foldAll(true);
    layout.update();
    assert.equal(layout.rows, 602);
    layout.foldAll(false);
    layout.update();
    assert.equal(layout.rows, transcript.lines - 2);
});

test('a section that says so starts folded', async () => {
    const layout = new Layout(await written('section_start:1:a[collapsed=true]\r\x1b[0KA\nhidden\nsection_end:1:a\r\x1b[0K\nend\n'));
    layout.update();
    assert.equal(layout.rows, 2);
});

test('the view of problems shows them with the lines around, as they come', async () => {
    const transcript = new Transcript({ columns: 100, rows: 10 });
    const layout = new Layout(transcript);
    layout.configure({ wrapAt: 0, problems: { context: 2 } });
    const isError = (line) => transcript.text(line).includes('error');
    const near = (line) => [-2, -1, 0, 1, 2].some((by) => line + by >= 0 && line + by < transcript.lines && isError(line + by));
    for (let offset = 1; offset < 40; offset++) {
        transcript.write(numbered(37, (i) => ((i * offset) % 31 === 30 ? 'error: x' : 'fine')), { offset, stream: 'stdout' });
        await transcript.settled();
        layout.update();
        check(layout, slowRows(transcript, 0, near), `after event ${offset}`);
    }
});

test('a layout follows a transcript that loses its start, and one that begins anew', async () => {
    const transcript = new Transcript({ columns: 100, rows: 10, maxLines: 2000 });
    const layout = new Layout(transcript);
    for (let offset = 1; offset < 60; offset++) {
        transcript.write(numbered(100), { offset, stream: 'stdout' });
        await transcript.settled();
        layout.update();
        check(layout, slowRows(transcript, 0, () => true), `after event ${offset}`);
    }
    assert.ok(transcript.first > 3000);
    transcript.reset();
    layout.update();
    assert.equal(layout.rows, 0);
});

test('the viewport follows the end until the reader scrolls away, and then keeps to the line', async () => {
    const transcript = await written(numbered(1000));
    const layout = new Layout(transcript);
    const viewport = new Viewport(layout, transcript);
    const place = () => {
        layout.update();
        return viewport.place();
    };
    viewport.height = 200;
    assert.equal(place().scrollTop, 1000 * 20 - 200);
    viewport.scrolled(5005);
    assert.equal(viewport.following, false);
    transcript.write(numbered(500), { offset: 2, stream: 'stdout' });
    await transcript.settled();
    assert.equal(place().scrollTop, 5005);
    assert.equal(viewport.newLines, 500);
    layout.configure({ wrapAt: 3, problems: undefined }); // each line now takes several rows
    const { scrollTop } = place();
    assert.deepEqual(layout.slice(Math.floor(scrollTop / 20), Math.floor(scrollTop / 20) + 1), [{ line: 250, part: 0 }]);
    layout.configure({ wrapAt: 0, problems: undefined });
    assert.equal(place().scrollTop, 5005);
    viewport.scrolled(1e9);
    assert.equal(viewport.following, true);
    assert.equal(viewport.newLines, 0);
    viewport.show(10);
    assert.equal(viewport.following, false);
    place();
    assert.ok(viewport.top <= 200 && viewport.top + viewport.height >= 220);
    viewport.follow();
    assert.equal(place().scrollTop, 1500 * 20 - 200);
});

test('more rows than a page can be tall are all reachable', async () => {
    const layout = { rows: 3_000_000, rowOf: (line) => line, slice: (from, to) => Array.from({ length: to - from }, (_, i) => ({ line: from + i, part: 0 })) };
    const viewport = new Viewport(layout, { lines: 3_000_000 });
    viewport.height = 1000;
    const end = viewport.place();
    assert.ok(end.height <= 15_000_000);
    assert.ok(end.to >= 3_000_000);
    assert.ok(Math.abs(end.scrollTop + viewport.height - end.height) < 1, 'the end of the page is the end of the rows');
    viewport.show(1_500_000);
    const middle = viewport.place();
    assert.ok(middle.from < 1_500_000 && middle.to > 1_500_000);
    assert.ok(middle.offset <= middle.scrollTop && middle.offset + (middle.to - middle.from) * 20 > middle.scrollTop + 1000, 'the drawn rows cover the view');
    viewport.scrolled(0);
    assert.equal(viewport.place().from, 0);
});

async function found(transcript, query) {
    const search = new Search(transcript, () => {});
    search.start({ matchCase: false, regex: false, ...query });
    while (!search.complete) await new Promise((resolve) => setImmediate(resolve));
    return search;
}

test('search finds every occurrence in settled and live lines, and what comes later', async () => {
    const transcript = await written(numbered(3000, (i) => (i % 100 ? `line ${i}` : `Needle ${i} needle`)));
    const search = await found(transcript, { text: 'needle' });
    assert.equal(search.count, 60);
    assert.deepEqual(search.at(2), { line: 100, from: 0, to: 6 });
    assert.deepEqual(search.inLine(100), { first: 2, found: [{ line: 100, from: 0, to: 6 }, { line: 100, from: 11, to: 17 }] });
    assert.equal(search.firstFrom(101), 4);
    assert.equal(search.firstFrom(1e9), 60);
    transcript.write('\na needle at the end', { offset: 2, stream: 'stdout' });
    await transcript.settled();
    search.update();
    while (!search.complete) await new Promise((resolve) => setImmediate(resolve));
    search.update();
    assert.equal(search.count, 61);
    assert.equal(search.at(60).line, transcript.lines - 1);
    assert.equal((await found(transcript, { text: 'needle', matchCase: true })).count, 31);
    assert.equal((await found(transcript, { text: '^needle \\d+0 ', regex: true })).count, 29);
    assert.equal((await found(transcript, { text: 'x*', regex: true })).count, 0, 'matches of nothing do not count');
    assert.equal((await found(transcript, { text: '^needle' })).count, 0, 'a plain search has no special characters');
});

test('a pattern that cannot be read says why', async () => {
    assert.equal(patternOf({ text: '', matchCase: false, regex: true }), undefined);
    const search = await found(await written('x\n'), { text: '(', regex: true });
    assert.match(search.problem, /Unterminated group/);
    assert.equal(search.count, 0);
});

test('web addresses in text end where they end, and only http may be followed', () => {
    const cut = (text) => addressesIn(text).map(({ from, to }) => text.slice(from, to));
    assert.deepEqual(cut('see https://example.org/a?b=c#d.'), ['https://example.org/a?b=c#d']);
    assert.deepEqual(cut('(https://example.org/a_(b)) and <http://x.y/>'), ['https://example.org/a_(b)', 'http://x.y/']);
    assert.deepEqual(cut('"https://a.b", [https://c.d], https://e.f:80/!'), ['https://a.b', 'https://c.d', 'https://e.f:80/']);
    assert.deepEqual(cut('javascript://x ftp://y http:// xhttps://no'), []);
    for (const bad of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'vbscript:x', '//x.y', 'x', ' JaVaScRiPt:1'])
        assert.equal(isSafeLink(bad), false, bad);
});

test('a line is cut where its look changes', async () => {
    const transcript = await written('ab\x1b[31mcd\x1b[0mef \x1b]8;;javascript:alert(1)\x1b\\bad\x1b]8;;\x1b\\ \x1b]8;;https://x.y/\x1b\\good\x1b]8;;\x1b\\\n');
    const line = transcript.line(0);
    const segments = segmentsOf(line, transcript.styles, 0, line.text.length, [{ from: 1, to: 3, current: true }], { from: 5, to: 100 });
    assert.equal(segments.map(({ text }) => text).join(''), line.text);
    assert.deepEqual(segments.map(({ text, match, selected, href }) => [text, match, selected, href]), [
        ['a', undefined, false, undefined], ['b', 'current', false, undefined], ['c', 'current', false, undefined], ['d', undefined, false, undefined],
        ['e', undefined, false, undefined], ['f ', undefined, true, undefined], ['bad', undefined, true, undefined], [' ', undefined, true, undefined],
        ['good', undefined, true, 'https://x.y/'],
    ]);
    assert.deepEqual(transcript.styles.get(segments[2].style), { foreground: 1 });
    assert.equal(segmentsOf(line, transcript.styles, 3, 3).length, 0);
});

test('characters and columns of wide and joined characters', async () => {
    const transcript = await written('a日本b👍e\u0301z\n');
    const line = transcript.line(0);
    assert.equal(line.width, 10);
    const columns = [...'0123456789'].map((column) => characterAt(line, transcript.styles, Number(column)));
    assert.deepEqual(columns, [0, 1, 1, 2, 2, 3, 4, 4, 6, 8]);
    assert.equal(characterAt(line, transcript.styles, 50), line.text.length);
    assert.deepEqual([0, 1, 2, 3, 4, 6, 8].map((at) => columnOf(line, transcript.styles, at)), [0, 1, 3, 5, 6, 8, 9]);
    assert.deepEqual(gridParts('a✓b', false), [{ text: 'a', cells: 0 }, { text: '✓', cells: 1 }, { text: 'b', cells: 0 }]);
    assert.deepEqual(gridParts('日本', true), [{ text: '日', cells: 2 }, { text: '本', cells: 2 }]);
    assert.deepEqual(gridParts('│─ é', false), [{ text: '│─ é', cells: 0 }]);
});

test('every colour can be read in light and in dark', () => {
    const some = [undefined, ...Array.from({ length: 256 }, (_, i) => i), ...[0, 0xffffff, 0x808080, 0xff0000, 0x00ff00, 0x0000ff, 0x767676, 0xffff00].map((each) => TRUE_COLOR | each)];
    for (const [name, theme] of [['light', light], ['dark', dark]]) {
        for (const foreground of some) {
            for (const background of foreground === undefined ? some : [undefined, 0, 1, 3, 7, 15, 100, 231, TRUE_COLOR | 0x777777]) {
                for (const more of [{}, { dim: true }, { inverse: true }]) {
                    const { color, background: behind = theme.background } = resolve({ foreground, background, ...more }, theme);
                    const ratio = contrast(color, behind);
                    // Grey allows neither black nor white more than that.
                    assert.ok(ratio >= (background === undefined && !more.inverse ? 5.2 : 4.5), `${name}: ${foreground} on ${background} ${JSON.stringify(more)}: ${ratio.toFixed(2)}`);
                }
            }
        }
    }
    assert.equal(contrast(rgb(0), rgb(0xffffff)), 21);
});

test('styles as CSS', () => {
    assert.equal(cssOf({}), undefined);
    assert.match(cssOf({ foreground: 1 }).color, /^light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)$/);
    assert.deepEqual(cssOf({ bold: true, italic: true, underline: 'wavy', strike: true }),
        { fontWeight: 'bold', fontStyle: 'italic', textDecorationLine: 'underline line-through', textDecorationStyle: 'wavy' });
    assert.equal(cssOf({ invisible: true }).color, 'transparent');
});

test('a file with colours looks the same when a terminal shows it', async () => {
    const output = 'plain \x1b[1;31mbold red\x1b[0m \x1b[38;5;200;48;2;1;2;3mmany\x1b[0m \x1b[4:3;58;5;9mwavy\x1b[0m \x1b[93;104mbright\x1b[0m ' +
        '\x1b[2;3;7;8;9;53mall\x1b[0m \x1b]8;;https://x.y/\x1b\\link\x1b]8;;\x1b\\ end\n日本 \x1b[32m日本\x1b[m\n';
    const first = await written(output);
    const parts = await exportLines(first, true);
    const second = await written(parts.join(''));
    assert.equal(second.lines, first.lines);
    for (let i = 0; i < first.lines; i++) {
        assert.equal(second.text(i), first.text(i));
        const looks = (transcript) => {
            const { runs } = transcript.line(i);
            return Array.from({ length: runs.length / 2 }, (_, j) => [runs[2 * j], transcript.styles.get(runs[2 * j + 1])]);
        };
        assert.deepEqual(looks(second), looks(first), `line ${i}`);
    }
    assert.equal((await exportLines(first, false)).join(''), `${first.text(0)}\n${first.text(1)}\n`);
    assert.equal(withSequences({ text: 'plain', runs: [] }, new StyleTable()), 'plain');
});

test('selecting characters, words, lines, everything', async () => {
    const transcript = await written('first line\nsecond/path.c:12 here\nthird\n');
    const selection = new Selection(transcript);
    const at = (line, character) => ({ line, character });
    selection.start(at(1, 7), 1);
    assert.equal(selection.ends, undefined);
    selection.extend(at(0, 6));
    assert.equal(selection.text, 'line\nsecond/');
    assert.deepEqual(selection.inLine(0), { from: 6, to: 11 });
    assert.deepEqual(selection.inLine(1), { from: 0, to: 7 });
    assert.equal(selection.inLine(2), undefined);
    selection.start(at(1, 3), 2);
    assert.equal(selection.text, 'second/path.c');
    selection.extend(at(1, 18));
    assert.equal(selection.text, 'second/path.c:12 here');
    selection.start(at(1, 3), 3);
    assert.equal(selection.text, 'second/path.c:12 here\n');
    selection.selectAll();
    assert.equal(selection.text, 'first line\nsecond/path.c:12 here\nthird');
    selection.clear();
    assert.equal(selection.text, '');
    assert.equal(textBetween(transcript, at(0, 0), at(9, 9)), 'first line\nsecond/path.c:12 here\nthird');
});

test('marked lines are named by addresses', async () => {
    const transcript = await written(numbered(10));
    assert.deepEqual(marksOf(transcript, '1.3'), { first: 3, last: 3 });
    assert.deepEqual(marksOf(transcript, '1.7-1.3'), { first: 3, last: 7 });
    for (const wrong of [undefined, '', '9.0', '1.3-9.0', 'nonsense', '-', '1.3-']) assert.equal(marksOf(transcript, wrong), undefined, wrong);
    assert.equal(addressOf(transcript, { first: 3, last: 7 }), '1.3-1.7');
    assert.equal(addressOf(transcript, { first: 3, last: 3 }), '1.3');
});
