/** An event as the page folds it, wherever it came from: the live stream or the history. */
export interface BuildEvent {
    type: string;
    /** RFC 3339. */
    time: string;
    data: Record<string, unknown>;
    /** Its number in the session; ephemeral events have none and change no state. */
    offset?: number;
}

export function text(value: unknown): string | null {
    return typeof value === 'string' ? value : null;
}

export function number(value: unknown): number | null {
    return typeof value === 'number' ? value : null;
}

export function object(value: unknown): Record<string, unknown> | null {
    return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? (value as Record<string, unknown>)
        : null;
}

export function list(value: unknown): unknown[] | null {
    return Array.isArray(value) ? value : null;
}
