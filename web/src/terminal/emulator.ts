/*
 * The terminal emulator: @xterm/headless, and all that is known here about its inside.
 *
 * Its public interface writes asynchronously on timers of its own and reads cell by cell through
 * objects, which makes time slices and half a million lines impossible, and it does not tell where
 * OSC 8 links lead. So this file uses the core below that interface; `Core` and what follows it
 * names all that is used. package.json holds the version exactly; tests/web/emulator.test.mjs
 * compares the result with the public interface and fails when a new version differs.
 */
import type {
    Terminal as HeadlessTerminal, ITerminalInitOnlyOptions, ITerminalOptions, IUnicodeVersionProvider,
} from '@xterm/headless';
import { TRUE_COLOR, type Color, type Style, type StyleTable, type Underline } from './style.ts';
import { withEmoji } from './widths.ts';

interface Core {
    writeSync(data: string): void;
    resize(columns: number, rows: number): void;
    reset(): void;
    readonly buffers: { readonly normal: ScreenBuffer; readonly alt: ScreenBuffer; readonly active: ScreenBuffer };
    readonly coreService: { readonly isCursorHidden: boolean };
    readonly unicodeService: { readonly _activeProvider: IUnicodeVersionProvider };
    readonly _oscLinkService: { getLinkData(id: number): { uri: string } | undefined };
}

interface ScreenBuffer {
    readonly lines: RowList;
    x: number;
    y: number;
    ybase: number;
    ydisp: number;
    savedY: number;
    getBlankLine(attributes: object): Row;
    readonly markers: { readonly length: number };
}

interface RowList {
    readonly length: number;
    get(index: number): Row | undefined;
    set(index: number, row: Row): void;
    trimStart(count: number): void;
    onTrim(listener: (count: number) => void): void;
}

interface Row {
    readonly length: number;
    isWrapped: boolean;
    getCodePoint(x: number): number;
    getString(x: number): string;
    getWidth(x: number): number;
    getFg(x: number): number;
    getBg(x: number): number;
    isCombined(x: number): number;
    hasContent(x: number): number;
    getTrimmedLength(): number;
    getNoBgTrimmedLength(): number;
    loadCell(x: number, cell: Cell): Cell;
}

interface Cell {
    readonly fg: number;
    readonly bg: number;
    readonly extended: { readonly urlId: number; readonly underlineStyle: number };
    isFgDefault(): boolean;
    isFgRGB(): boolean;
    getFgColor(): number;
    isBgDefault(): boolean;
    isBgRGB(): boolean;
    getBgColor(): number;
    isBold(): number;
    isDim(): number;
    isItalic(): number;
    isUnderline(): number;
    isInverse(): number;
    isInvisible(): number;
    isStrikethrough(): number;
    isOverline(): number;
    isUnderlineColorDefault(): boolean;
    isUnderlineColorRGB(): boolean;
    getUnderlineColor(): number;
}

/** A cell's background word says here that more about it stands in `extended`. */
const HAS_EXTENDED = 0x10000000;
/** In its foreground word. */
const UNDERLINE = 0x10000000;

export type TerminalConstructor = new (options?: ITerminalOptions & ITerminalInitOnlyOptions) => HeadlessTerminal;

/** The emulator's code is large, and loaded when the first output arrives. */
export async function loadEmulator(): Promise<TerminalConstructor> {
    const loaded = (await import('@xterm/headless')) as unknown as
        { Terminal?: TerminalConstructor; default?: { Terminal: TerminalConstructor } };
    return loaded.Terminal ?? loaded.default!.Terminal;
}

/** An event as far as its lines need to know it. */
export interface OutputEvent {
    readonly offset: number;
    readonly time: number;
    readonly stderr: boolean;
}

/** GitLab's marker, which erases itself: it stood in a row before what the row shows now. */
export interface SectionMark {
    readonly start: boolean;
    readonly name: string;
    readonly collapsed: boolean;
}

/** Where a row came from. Rows of a wrapped line after its first have none. */
export interface Origin {
    readonly event: OutputEvent;
    /** Line feeds of the event before the row. */
    readonly number: number;
    stderr: boolean;
    sections: SectionMark[] | undefined;
}

/** A line as read from the emulator; valid until the next is read. */
export interface EmulatedLine {
    text: string;
    /** Pairs: the character from which on, the style. */
    runs: number[];
    width: number;
    origin: Origin | undefined;
    /** It goes on where the line before it was cut. */
    continued: boolean;
}

export type LineSink = (line: EmulatedLine) => void;

/*
 * A chunk of this many characters makes at most so many rows. So with room for a chunk and for the
 * longest line that has not ended, no row leaves the emulator unread. Rows that were read stay until
 * their room is needed: using them again is much faster than making new ones.
 */
const CHUNK = 1024;
/** A line of more rows than this is cut: one that never ends must not pile up in the emulator. */
const LONGEST_LINE_ROWS = 512;
/** REP (CSI b) repeats a character, at most so often: more is nobody's picture. */
const MOST_REPEATED = 1024;
const SCROLLBACK = CHUNK + MOST_REPEATED + LONGEST_LINE_ROWS;
const MOST_LINKS = 1024;
/** And each link costs time whenever a row makes room: with so many, rows are not kept to be used again. */
const MANY_LINKS = 16;
/** Pairs of words whose style is remembered: true colours must not fill the memory. */
const MOST_KNOWN = 4096;

const section = /^section_(start|end):\d*:([^\s[\]:]+)(\[[^\]]*\])?/;

export class Emulator {
    static readonly chunk = CHUNK;

    readonly #terminal: HeadlessTerminal;
    readonly #core: Core;
    readonly #origins = new WeakMap<Row, Origin>();
    readonly #reader: RowReader;
    readonly #scrolled: LineSink;
    readonly #blank: object;
    /** Rows at the top of the normal screen's buffer that were handed out already. */
    #taken = 0;
    #trimmed: RowList | undefined;
    #event: OutputEvent = { offset: 0, time: NaN, stderr: false };
    #feeds = 0;

    /** `scrolled` gets each line that left the screen, in order, while the emulator writes. */
    constructor(
        Terminal: TerminalConstructor, columns: number, rows: number, convertEol: boolean,
        styles: StyleTable, scrolled: LineSink,
    ) {
        this.#terminal = new Terminal({
            cols: columns, rows, convertEol, scrollback: SCROLLBACK, allowProposedApi: true, logLevel: 'off',
        });
        this.#core = (this.#terminal as unknown as { _core: Core })._core;
        this.#terminal.unicode.register(withEmoji(this.#core.unicodeService._activeProvider));
        this.#terminal.unicode.activeVersion = 'emoji';
        // The public interface gives a cell of our own; the core's would be its scratch.
        const cell = this.#terminal.buffer.active.getNullCell() as unknown as Cell;
        this.#blank = { fg: 0, bg: 0, extended: cell.extended };
        this.#reader = new RowReader(styles, this.#core, cell);
        this.#scrolled = scrolled;
        this.#watchRows();
        this.#setOrigin(this.#normal.lines.get(0)!, 0);
        this.#terminal.onLineFeed(() => this.#lineFed());
        this.#listen();
    }

    dispose(): void {
        this.#terminal.dispose();
    }

    /* Made anew when the terminal is reset. */
    get #normal(): ScreenBuffer {
        return this.#core.buffers.normal;
    }

    /* What programs may ask for and a transcript must see, before the emulator does it. */
    #listen(): void {
        const parser = this.#terminal.parser;
        const erase = (params: (number | number[])[]): boolean => {
            if (params[0] === 2 && !this.alternate) this.takeAll(this.#scrolled);
            return params[0] === 3; // "erase the scrollback": that is the transcript, and it stays
        };
        parser.registerCsiHandler({ final: 'J' }, erase);
        parser.registerEscHandler({ final: 'c' }, () => {
            this.takeAll(this.#scrolled);
            return false;
        });
        // The buffers are new ones after a reset.
        this.#terminal.buffer.onBufferChange(() => this.#watchRows());
        parser.registerCsiHandler({ final: 'K' }, (params) => {
            if (params[0] === 0 || params[0] === 2) this.#noteSection();
            return false;
        });
        // A link costs a marker until its row scrolls out: one that is redrawn for ever must not add up.
        parser.registerOscHandler(8, () => this.#core.buffers.active.markers.length > MOST_LINKS);
        parser.registerCsiHandler({ final: 'b' }, (params) => {
            this.#takeScrolled(); // few characters make many rows: there is room for one of these
            return Number(params[0]) > MOST_REPEATED;
        });
    }

    /* When rows make room for others, those that are left move up. So does the saved cursor, as it
       does in a buffer that has room for all. */
    #watchRows(): void {
        const buffer = this.#normal;
        if (buffer.lines === this.#trimmed) return;
        this.#trimmed = buffer.lines;
        this.#taken = 0;
        buffer.lines.onTrim((count) => {
            this.#taken = Math.max(this.#taken - count, 0);
            buffer.savedY = Math.max(buffer.savedY - count, 0);
        });
    }

    get columns(): number {
        return this.#terminal.cols;
    }

    get rows(): number {
        return this.#terminal.rows;
    }

    resize(columns: number, rows: number): void {
        if (columns === this.columns && rows === this.rows) return;
        // The emulator cuts the cursor's own line to a smaller width.
        if (columns < this.columns && !this.alternate) this.breakHere(this.#scrolled);
        this.#takeScrolled();
        this.#trim(this.#taken);
        this.#terminal.resize(columns, rows);
        this.#takeScrolled();
    }

    /** All that is written from here on is this event's. */
    begin(event: OutputEvent, output: string): void {
        this.#event = event;
        this.#feeds = 0;
        if (this.alternate) return;
        const row = this.#lineStart();
        const origin = this.#origins.get(row);
        if (!origin || row.getTrimmedLength() === 0) this.#setOrigin(row, 0);
        else if (event.stderr && !/^\r?\n/.test(output)) origin.stderr = true;
    }

    /** Writes at most `Emulator.chunk` characters. */
    write(chunk: string): void {
        this.#core.writeSync(chunk);
        this.#takeScrolled();
    }

    /** Whether a full-screen program is up. */
    get alternate(): boolean {
        return this.#core.buffers.active !== this.#normal;
    }

    #lineFed(): void {
        this.#feeds++;
        if (this.alternate) return;
        const row = this.#normal.lines.get(this.#normal.ybase + this.#normal.y)!;
        if (!this.#origins.has(row) || row.getTrimmedLength() === 0) this.#setOrigin(row, this.#feeds);
    }

    #setOrigin(row: Row, number: number): void {
        const sections = this.#origins.get(row)?.sections;
        this.#origins.set(row, { event: this.#event, number, stderr: this.#event.stderr, sections });
    }

    /** The first row of the line in which the cursor is. */
    #lineStart(): Row {
        const { lines, ybase, y } = this.#normal;
        let index = ybase + y;
        while (index > this.#taken && lines.get(index)!.isWrapped) index--;
        return lines.get(index)!;
    }

    #noteSection(): void {
        if (this.alternate || this.#normal.x !== 0) return;
        const row = this.#normal.lines.get(this.#normal.ybase + this.#normal.y)!;
        if (row.getCodePoint(0) !== 0x73) return;
        const found = section.exec(this.#reader.text(row));
        if (!found) return;
        if (!this.#origins.has(row)) this.#setOrigin(row, this.#feeds);
        const origin = this.#origins.get(row)!;
        (origin.sections ??= []).push({
            start: found[1] === 'start', name: found[2]!, collapsed: /collapsed=true/.test(found[3] ?? ''),
        });
    }

    /* Hands out the whole lines above the screen. */
    #takeScrolled(): void {
        const { lines, ybase } = this.#normal;
        let end = ybase;
        while (end > this.#taken && lines.get(end)!.isWrapped) end--;
        if (ybase - end > LONGEST_LINE_ROWS) end = ybase;
        if (end === this.#taken) return;
        this.#read(this.#normal, this.#taken, end, this.#scrolled);
        for (let y = this.#taken; y < end; y++) this.#origins.delete(lines.get(y)!);
        this.#taken = end;
        if (this.#normal.markers.length > MANY_LINKS) this.#trim(end);
    }

    /* Removes rows at the top. */
    #trim(count: number): void {
        const buffer = this.#normal;
        if (count === 0) return;
        buffer.lines.trimStart(count);
        buffer.ybase -= count;
        buffer.ydisp = buffer.ybase;
    }

    #read(buffer: ScreenBuffer, from: number, to: number, sink: LineSink): void {
        for (let y = from; y < to;) {
            let next = y + 1;
            while (next < to && buffer.lines.get(next)!.isWrapped) next++;
            this.#reader.line.origin = this.#origins.get(buffer.lines.get(y)!);
            this.#reader.line.continued = buffer.lines.get(y)!.isWrapped;
            this.#reader.read(buffer.lines, y, next);
            sink(this.#reader.line);
            y = next;
        }
    }

    /* The row after the last that shows something or closes a section. */
    #usedEnd(): number {
        const { lines } = this.#normal;
        let end = lines.length;
        while (end > this.#taken) {
            const row = lines.get(end - 1)!;
            if (row.getNoBgTrimmedLength() > 0 || this.#origins.get(row)?.sections) break;
            end--;
        }
        return end;
    }

    /** Reads the lines that are still in the emulator; programs may change them. */
    readLive(sink: LineSink): void {
        this.#read(this.#normal, this.#taken, this.#usedEnd(), sink);
    }

    /** Hands out all lines, and leaves an empty screen with the cursor in its first row. */
    takeAll(sink: LineSink): void {
        const end = this.#usedEnd();
        this.#read(this.#normal, this.#taken, end, sink);
        this.#trim(this.#normal.ybase);
        this.#taken = 0;
        const buffer = this.#normal;
        for (let y = 0; y < Math.min(end, buffer.lines.length); y++)
            buffer.lines.set(y, buffer.getBlankLine(this.#blank));
        this.#setOrigin(this.#lineStart(), this.#feeds);
    }

    /** A remark stands between what was and what comes, which starts in a row of its own. */
    breakHere(sink: LineSink): void {
        this.#core.writeSync('\x18\x1b[m'); // ends an escape sequence that lacks its end, and colours
        this.takeAll(sink);
        this.#normal.x = this.#normal.y = 0;
        this.#setOrigin(this.#lineStart(), this.#feeds);
    }

    /** The screen of a full-screen program, row by row. */
    readScreen(sink: (line: EmulatedLine) => void): void {
        const { active } = this.#core.buffers;
        for (let y = 0; y < this.rows; y++) {
            this.#reader.line.origin = undefined;
            this.#reader.line.continued = false;
            this.#reader.read(active.lines, active.ybase + y, active.ybase + y + 1);
            sink(this.#reader.line);
        }
    }

    /** Where the cursor is on the screen, undefined when the program hides it. */
    get cursor(): { readonly x: number; readonly y: number } | undefined {
        const { active } = this.#core.buffers;
        if (this.#core.coreService.isCursorHidden) return undefined;
        return { x: Math.min(active.x, this.columns - 1), y: active.y };
    }
}

/** Reads rows of cells as text with runs of style. */
class RowReader {
    readonly line: EmulatedLine = { text: '', runs: [], width: 0, origin: undefined, continued: false };
    readonly #styles: StyleTable;
    readonly #core: Core;
    readonly #cell: Cell;
    /** Styles of cells without extended attributes, by their two words. */
    readonly #known = new Map<number, Map<number, number>>();
    readonly #knownWide = new Map<number, Map<number, number>>();
    #lastExtended = { extended: undefined as object | undefined, foreground: 0, background: 0, width: 1, style: 0 };
    #units = new Uint16Array(1024);
    #length = 0;
    #style = 0;
    #foreground = 0;
    #background = 0;
    #width = 1;

    constructor(styles: StyleTable, core: Core, cell: Cell) {
        this.#styles = styles;
        this.#core = core;
        this.#cell = cell;
    }

    text(row: Row): string {
        let text = '';
        const end = row.getTrimmedLength();
        for (let x = 0; x < end; x++) if (row.getWidth(x)) text += row.getString(x) || ' ';
        return text;
    }

    /** Joins the rows from..to-1, which are one line, into `line`. */
    read(rows: RowList, from: number, to: number): void {
        this.#length = this.line.width = 0;
        this.line.runs = [];
        this.#style = this.#foreground = this.#background = 0;
        this.#width = 1;
        for (let y = from; y < to; y++) this.#readRow(rows.get(y)!, y + 1 < to ? rows.get(y + 1) : undefined);
        this.line.text = this.#string();
    }

    #readRow(row: Row, next: Row | undefined): void {
        const end = next ? wrappedLength(row, next) : row.getNoBgTrimmedLength();
        if (this.#length + end * 2 > this.#units.length) this.#grow(end * 2);
        for (let x = 0; x < end; x++) {
            const width = row.getWidth(x);
            if (width === 0) continue; // the right half of a wide character
            const foreground = row.getFg(x);
            const background = row.getBg(x);
            if (foreground !== this.#foreground || background !== this.#background || width !== this.#width ||
                background & HAS_EXTENDED)
                this.#restyle(row, x, foreground, background, width);
            this.line.width += width;
            if (row.isCombined(x)) this.#put(row.getString(x));
            else this.#putCode(row.getCodePoint(x) || 0x20);
        }
    }

    #restyle(row: Row, x: number, foreground: number, background: number, width: number): void {
        this.#foreground = foreground;
        this.#background = background;
        this.#width = width;
        const style = this.#styleOf(row, x, foreground, background, width);
        if (style === this.#style) return;
        this.#style = style;
        this.line.runs.push(this.#length, style);
    }

    #styleOf(row: Row, x: number, foreground: number, background: number, width: number): number {
        const load = (): Cell => row.loadCell(x, this.#cell);
        if (background & HAS_EXTENDED) return this.#extendedStyle(load(), foreground, background, width);
        const known = width === 2 ? this.#knownWide : this.#known;
        let ofForeground = known.get(foreground);
        const found = ofForeground?.get(background);
        if (found !== undefined) return found;
        const style = this.#styles.intern(this.#describe(load(), width));
        if (known.size > MOST_KNOWN) known.clear();
        if (!ofForeground || !known.has(foreground)) known.set(foreground, (ofForeground = new Map()));
        if (ofForeground.size > MOST_KNOWN) ofForeground.clear();
        ofForeground.set(background, style);
        return style;
    }

    /* Neighbours share the object that holds their extended attributes. */
    #extendedStyle(cell: Cell, foreground: number, background: number, width: number): number {
        const { extended } = cell;
        const last = this.#lastExtended;
        if (last.extended !== extended || last.foreground !== foreground || last.background !== background || last.width !== width) {
            const style = this.#styles.intern(this.#describe(cell, width));
            this.#lastExtended = { extended, foreground, background, width, style };
        }
        return this.#lastExtended.style;
    }

    #describe(cell: Cell, width: number): Style {
        const style: { -readonly [key in keyof Style]: Style[key] } = {};
        if (width === 2) style.wide = true;
        const foreground = color(cell.isFgDefault(), cell.isFgRGB(), cell.getFgColor());
        const background = color(cell.isBgDefault(), cell.isBgRGB(), cell.getBgColor());
        if (foreground !== undefined) style.foreground = foreground;
        if (background !== undefined) style.background = background;
        if (cell.isBold()) style.bold = true;
        if (cell.isDim()) style.dim = true;
        if (cell.isItalic()) style.italic = true;
        if (cell.isInverse()) style.inverse = true;
        if (cell.isInvisible()) style.invisible = true;
        if (cell.isStrikethrough()) style.strike = true;
        if (cell.isOverline()) style.overline = true;
        // Without the flag, `extended` is what the cell read before had.
        const extended = cell.bg & HAS_EXTENDED ? cell.extended : undefined;
        const link = extended && this.#core._oscLinkService.getLinkData(extended.urlId)?.uri;
        if (link) style.link = link;
        // Links always claim a dashed underline; whether the program asked for one says the flag.
        if (extended?.urlId ? cell.fg & UNDERLINE : cell.isUnderline()) {
            style.underline = link ? 'solid' : underlines[extended?.underlineStyle ?? 1] ?? 'solid';
            if (extended && !cell.isUnderlineColorDefault())
                style.underlineColor = color(false, cell.isUnderlineColorRGB(), cell.getUnderlineColor());
        }
        return style;
    }

    #putCode(code: number): void {
        if (code > 0xffff) {
            this.#units[this.#length++] = 0xd800 + ((code - 0x10000) >> 10);
            this.#units[this.#length++] = 0xdc00 + ((code - 0x10000) & 0x3ff);
        } else this.#units[this.#length++] = code;
    }

    #put(text: string): void {
        if (this.#length + text.length + 1024 > this.#units.length) this.#grow(text.length + 1024);
        for (let i = 0; i < text.length; i++) this.#units[this.#length++] = text.charCodeAt(i);
    }

    #grow(by: number): void {
        const larger = new Uint16Array(Math.max(2 * this.#units.length, this.#length + by));
        larger.set(this.#units);
        this.#units = larger;
    }

    /* Made from code units, the string is flat, and Latin-1 takes a byte a character. */
    #string(): string {
        const most = 8192; // arguments of one call
        let text = '';
        for (let at = 0; at < this.#length; at += most)
            text += String.fromCharCode.apply(null, this.#units.subarray(at, Math.min(at + most, this.#length)) as unknown as number[]);
        return text;
    }
}

const underlines: readonly (Underline | undefined)[] = [undefined, 'solid', 'double', 'wavy', 'dotted', 'dashed'];

function color(isDefault: boolean, isTrueColor: boolean, value: number): Color {
    if (isDefault) return undefined;
    return isTrueColor ? TRUE_COLOR | value : value;
}

/* A wide character that did not fit leaves the last cell of the row before it empty. */
function wrappedLength(row: Row, next: Row): number {
    const last = row.length - 1;
    return !row.hasContent(last) && row.getWidth(last) === 1 && next.getWidth(0) === 2 ? last : row.length;
}
