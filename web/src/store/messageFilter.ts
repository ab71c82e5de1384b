/* Raw messages, and which of them are shown. */

export interface RawMessage {
    readonly number: number;
    readonly direction: 'in' | 'out';
    readonly text: string;
    readonly time: number;
    readonly type: string;
}

/** The type without parsing all of a message that may be large: it stands first in what the server writes. */
export function typeOf(text: string): string {
    const match = /^\s*\{\s*(?:"topic"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"([^"\\]*)"/.exec(text.length > 300 ? text.slice(0, 300) : text);
    if (match) return match[1]!;
    try {
        const { type } = JSON.parse(text) as { type?: unknown };
        return typeof type === 'string' ? type : 'message';
    } catch {
        return 'text';
    }
}

export interface MessageFilter {
    search: string;
    direction: 'both' | 'in' | 'out';
    /** '': all. */
    type: string;
}

export function filterMessages(
    messages: readonly RawMessage[],
    { search, direction, type }: MessageFilter,
): RawMessage[] {
    const wanted = search.toLowerCase();
    const found: RawMessage[] = [];
    // Newest first: that is what one looks for.
    for (let i = messages.length - 1; i >= 0; i--) {
        const message = messages[i]!;
        if (direction !== 'both' && message.direction !== direction) continue;
        if (type && message.type !== type) continue;
        if (wanted && !message.text.toLowerCase().includes(wanted)) continue;
        found.push(message);
    }
    return found;
}
