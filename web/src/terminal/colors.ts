/*
 * Terminal colours as the page shows them. Programs choose colours for a terminal they imagine; the
 * page is light or dark. So text keeps its hue and is moved towards black or white until it has the
 * contrast that WCAG AA asks for, against whatever is behind it.
 */
import { TRUE_COLOR, type Color, type Style } from './style.ts';

export type Rgb = readonly [red: number, green: number, blue: number];

export interface Theme {
    readonly foreground: Rgb;
    /** As --terminal-background in terminal.css. */
    readonly background: Rgb;
    /** The 16 colours as text. As backgrounds they are the same in both themes. */
    readonly text: readonly Rgb[];
}

/** WCAG 2 AA asks for 4.5; the rest is what rows lose that are marked, or under the pointer. */
export const LEAST_CONTRAST = 5.2;

export const light: Theme = {
    foreground: rgb(0x17171b),
    background: rgb(0xffffff),
    text: [
        0x17171b, 0xcf222e, 0x116329, 0x7d4e00, 0x0550ae, 0x8250df, 0x1b7c83, 0x6e7781,
        0x57606a, 0xa40e26, 0x1a7f37, 0x633c01, 0x0969da, 0x6639ba, 0x136a70, 0x424a53,
    ].map(rgb),
};

export const dark: Theme = {
    foreground: rgb(0xededf0),
    background: rgb(0x121214),
    text: [
        0x8b949e, 0xff7b72, 0x3fb950, 0xd29922, 0x58a6ff, 0xbc8cff, 0x39c5cf, 0xb1bac4,
        0x9198a1, 0xffa198, 0x56d364, 0xe3b341, 0x79c0ff, 0xd2a8ff, 0x56d4dd, 0xffffff,
    ].map(rgb),
};

const behind: readonly Rgb[] = [
    0x24292f, 0xcf222e, 0x1a7f37, 0xd4a72c, 0x0969da, 0x8250df, 0x1b7c83, 0xd0d7de,
    0x57606a, 0xff8182, 0x4ac26b, 0xeac54f, 0x54aeff, 0xc297ff, 0x76d9e6, 0xffffff,
].map(rgb);

export function rgb(value: number): Rgb {
    return [(value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
}

function luminance(color: Rgb): number {
    const [r, g, b] = color.map((each) => {
        const part = each / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

/** 1 for the same colour to 21 for black on white. */
export function contrast(one: Rgb, other: Rgb): number {
    const [a, b] = [luminance(one), luminance(other)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function mix(from: Rgb, to: Rgb, amount: number): Rgb {
    const part = (i: 0 | 1 | 2): number => Math.round(from[i] + (to[i] - from[i]) * amount);
    return [part(0), part(1), part(2)];
}

const black: Rgb = [0, 0, 0];
const white: Rgb = [255, 255, 255];

/** Black or white, whichever can be read better. */
function strongest(background: Rgb): Rgb {
    return contrast(white, background) > contrast(black, background) ? white : black;
}

/** The colour, or the nearest to it on the way to black or white that can be read. */
export function readable(color: Rgb, background: Rgb, least = LEAST_CONTRAST): Rgb {
    if (contrast(color, background) >= least) return color;
    const goal = strongest(background);
    let [low, high] = [0, 1];
    for (let i = 0; i < 8; i++) {
        const middle = (low + high) / 2;
        if (contrast(mix(color, goal, middle), background) >= least) high = middle;
        else low = middle;
    }
    return mix(color, goal, high);
}

function textColor(color: Color, theme: Theme): Rgb {
    if (color === undefined) return theme.foreground;
    return color < 16 ? theme.text[color]! : fixedColor(color);
}

function backgroundColor(color: Color, theme: Theme): Rgb {
    if (color === undefined) return theme.background;
    return color < 16 ? behind[color]! : fixedColor(color);
}

/* The colours above 16 mean the same everywhere: a cube of 6 steps, 24 greys, true colour. */
function fixedColor(color: number): Rgb {
    if (color >= TRUE_COLOR) return rgb(color);
    if (color >= 232) return [8 + (color - 232) * 10, 8 + (color - 232) * 10, 8 + (color - 232) * 10];
    const step = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
    const index = color - 16;
    return [step(Math.floor(index / 36)), step(Math.floor(index / 6) % 6), step(index % 6)];
}

export interface Resolved {
    readonly color: Rgb;
    /** undefined: what is behind the text anyway. */
    readonly background: Rgb | undefined;
}

/** What a style looks like in a theme. */
export function resolve(style: Style, theme: Theme): Resolved {
    let background = backgroundColor(style.background, theme);
    let color = textColor(style.foreground, theme);
    let hasBackground = style.background !== undefined;
    if (style.inverse) {
        color = style.background === undefined ? theme.background : backgroundColor(style.background, theme);
        background = style.foreground === undefined ? theme.foreground : backgroundColor(style.foreground, theme);
        hasBackground = true;
    }
    // Who chose no colour cares for no hue: black or white, rather than a grey that just does.
    else if (style.foreground === undefined && contrast(color, background) < LEAST_CONTRAST) color = strongest(background);
    if (style.dim) color = mix(color, background, 0.4);
    return { color: readable(color, background), background: hasBackground ? background : undefined };
}

const hex = (color: Rgb): string => `#${color.map((each) => each.toString(16).padStart(2, '0')).join('')}`;

const both = (inLight: Rgb, inDark: Rgb): string =>
    hex(inLight) === hex(inDark) ? hex(inLight) : `light-dark(${hex(inLight)}, ${hex(inDark)})`;

/** As CSS, which follows `color-scheme`; undefined where nothing differs from plain text. */
export function cssOf(style: Style): Record<string, string> | undefined {
    const css: Record<string, string> = {};
    const [inLight, inDark] = [resolve(style, light), resolve(style, dark)];
    if (style.foreground !== undefined || style.dim || style.inverse || style.background !== undefined)
        css.color = both(inLight.color, inDark.color);
    if (inLight.background && inDark.background) css.backgroundColor = both(inLight.background, inDark.background);
    if (style.invisible) css.color = 'transparent';
    if (style.bold) css.fontWeight = 'bold';
    if (style.italic) css.fontStyle = 'italic';
    const lines = [style.underline && 'underline', style.strike && 'line-through', style.overline && 'overline'];
    if (lines.some(Boolean)) css.textDecorationLine = lines.filter(Boolean).join(' ');
    if (style.underline && style.underline !== 'solid') css.textDecorationStyle = style.underline;
    if (style.underlineColor !== undefined)
        css.textDecorationColor = both(textColor(style.underlineColor, light), textColor(style.underlineColor, dark));
    return Object.keys(css).length ? css : undefined;
}
