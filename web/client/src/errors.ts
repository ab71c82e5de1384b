/** What went wrong, for people (`message`) and for programs (`status`, `code`). */
export class FanfareError extends Error {
    override readonly name = 'FanfareError';
    /** The HTTP status, or 0 when no answer came. */
    readonly status: number;
    /** A word for programs: the server's, or `network`, `timeout`, `handshake`, `closed`, … */
    readonly code: string;
    /** The member of a published event that was refused. */
    readonly field: string | undefined;
    /** After how many milliseconds the server wants to be asked again. */
    readonly retryAfter: number | undefined;

    constructor(status: number, code: string, message: string, more: { field?: string; retryAfter?: number; cause?: unknown } = {}) {
        super(message, { cause: more.cause });
        this.status = status;
        this.code = code;
        this.field = more.field;
        this.retryAfter = more.retryAfter;
    }

    /** Whether the same request can succeed later: not when the server found it wrong or forbidden. */
    get temporary(): boolean {
        return this.status < 400 || this.status >= 500 || [408, 425, 429].includes(this.status);
    }
}

/** From an HTTP answer that is no success; reads its body. */
export async function errorFromResponse(response: Response): Promise<FanfareError> {
    const { status } = response;
    const body = await response.json().catch(() => ({}));
    const { code = `http_${status}`, message = `the server answered ${status}`, field } = body?.error ?? {};
    const seconds = Number(response.headers.get('Retry-After') || NaN);
    return new FanfareError(status, code, message, {
        ...(field && { field }),
        ...(seconds >= 0 && { retryAfter: seconds * 1000 }),
    });
}

/** Whatever was thrown, as a FanfareError: without an answer it was the network. */
export function errorFrom(cause: unknown, code = 'network'): FanfareError {
    if (cause instanceof FanfareError) return cause;
    const timedOut = (cause as Error | undefined)?.name === 'TimeoutError';
    return new FanfareError(0, timedOut ? 'timeout' : code, `no answer from the server: ${(cause as Error)?.message ?? cause}`, { cause });
}
