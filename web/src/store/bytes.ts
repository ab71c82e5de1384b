/* Sizes as the server counts them: bytes of UTF-8. */

/** Bytes of UTF-8 that the text takes. */
export function byteLength(text: string): number {
    let bytes = text.length;
    for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        if (unit >= 0xd800 && unit < 0xdc00) {
            bytes += 2; // a pair of units, four bytes
            i++;
        } else if (unit >= 0x800) bytes += 2;
        else if (unit >= 0x80) bytes += 1;
    }
    return bytes;
}

/** Whether the text takes at most so many bytes; looks at it only when it is near the limit. */
export function fits(text: string, most: number): boolean {
    return text.length * 3 <= most || (text.length <= most && byteLength(text) <= most);
}

/** The text, or what fits of it on a code point boundary and an ellipsis. */
export function cut(text: string, most: number): string {
    if (fits(text, most)) return text;
    let bytes = 0;
    let end = 0;
    for (const point of text) {
        bytes += byteLength(point);
        if (bytes > most) break;
        end += point.length;
    }
    return `${text.slice(0, end)}…`;
}
