/*
 * How characters look, interned: a transcript of half a million lines knows a few dozen styles,
 * so a run of characters carries a small number instead of an object.
 */

/** `undefined`: the default colour. Below 256: an entry of the palette. Else TRUE_COLOR | 0xRRGGBB. */
export type Color = number | undefined;

export const TRUE_COLOR = 0x1000000;

export interface Style {
    readonly foreground?: Color;
    readonly background?: Color;
    readonly bold?: boolean;
    readonly dim?: boolean;
    readonly italic?: boolean;
    readonly underline?: Underline;
    readonly underlineColor?: Color;
    readonly inverse?: boolean;
    readonly invisible?: boolean;
    readonly strike?: boolean;
    readonly overline?: boolean;
    /** Its characters take two cells each. */
    readonly wide?: boolean;
    /** Where an OSC 8 hyperlink leads, as the program wrote it: check it before use. */
    readonly link?: string;
}

export type Underline = 'solid' | 'double' | 'wavy' | 'dotted' | 'dashed';

export const PLAIN: Style = {};

/**
 * A program may use 16 million colours and as many links; the table must not grow with them.
 * Beyond its limit, new styles are reduced: links are dropped and true colours take the nearest of
 * 4096. What still does not fit is plain.
 */
export class StyleTable {
    readonly #styles: Style[] = [PLAIN];
    readonly #ids = new Map<string, number>([[keyOf(PLAIN), 0]]);
    readonly #limit: number;

    constructor(limit = 0x8000) {
        this.#limit = limit;
    }

    get size(): number {
        return this.#styles.length;
    }

    get(id: number): Style {
        return this.#styles[id] ?? PLAIN;
    }

    /** The number of a style; 0 is the plain one. */
    intern(style: Style): number {
        const known = this.#ids.get(keyOf(style));
        if (known !== undefined) return known;
        if (this.#styles.length < this.#limit) return this.#add(style);
        const reduced = reduce(style);
        const again = this.#ids.get(keyOf(reduced));
        if (again !== undefined) return again;
        return this.#styles.length < 2 * this.#limit ? this.#add(reduced) : 0;
    }

    #add(style: Style): number {
        const id = this.#styles.push(Object.freeze({ ...style })) - 1;
        this.#ids.set(keyOf(style), id);
        return id;
    }
}

function keyOf(style: Style): string {
    return [
        style.foreground, style.background, style.bold, style.dim, style.italic, style.underline,
        style.underlineColor, style.inverse, style.invisible, style.strike, style.overline, style.wide, style.link,
    ].map((each) => (each === undefined || each === false ? '' : String(each))).join('|');
}

function reduce(style: Style): Style {
    const { link: _, ...rest } = style;
    return {
        ...rest,
        foreground: reduceColor(style.foreground),
        background: reduceColor(style.background),
        underlineColor: reduceColor(style.underlineColor),
    };
}

function reduceColor(color: Color): Color {
    if (color === undefined || color < TRUE_COLOR) return color;
    return TRUE_COLOR | ((color & 0xf0f0f0) | ((color & 0xf0f0f0) >>> 4));
}
