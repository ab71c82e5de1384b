/* Names that come from outside: any text at all, and still to be told apart on the screen. */

// The joiner of emoji has no shape of its own, and belongs to theirs.
const invisible = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const needsQuotes = /^[\s\u200d]*$|^\s|\s$|\s\s|(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** As it is where that shows; in quotes, with what has no shape written out, where it would not. */
export function visibleName(name: string): string {
    if (!needsQuotes.test(name)) return name;
    const written = name.replace(invisible, (each) => `\\u{${each.codePointAt(0)!.toString(16)}}`);
    return `“${written}”`;
}
