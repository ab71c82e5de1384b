/*
 * How many cells a character takes. The emulator brings the tables of Unicode 6, in which emoji are
 * narrow; today's terminals, and so the programs that write for them, give those two cells.
 */
import type { IUnicodeVersionProvider } from '@xterm/headless';

const emoji = /^\p{Emoji_Presentation}$/u;
/** Before it there are none. */
const FIRST_EMOJI = 0x231a;

/** The given provider's widths, but for emoji. */
export function withEmoji(base: IUnicodeVersionProvider): IUnicodeVersionProvider {
    const known = new Map<number, boolean>();
    const isEmoji = (code: number): boolean => {
        let is = known.get(code);
        if (is === undefined) known.set(code, (is = emoji.test(String.fromCodePoint(code))));
        return is;
    };
    const wcwidth = (code: number): 0 | 1 | 2 => {
        const width = base.wcwidth(code);
        return width === 1 && code >= FIRST_EMOJI && isEmoji(code) ? 2 : width;
    };
    // The emulator's packing: bit 0 joins the character to the one before, bits 1 and 2 are the width.
    const charProperties = (code: number, preceding: number): number => {
        const width = wcwidth(code);
        const before = (preceding >> 1) & 3;
        if (width === 0 && preceding !== 0 && before > 0) return (before << 1) | 1;
        return width << 1;
    };
    return { version: 'emoji', wcwidth, charProperties };
}
