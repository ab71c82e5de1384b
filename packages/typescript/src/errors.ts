// What can go wrong. All are FanfareError.

/** The base of all errors of this package. */
export class FanfareError extends Error {
    constructor(message: string) {
        super(message);
        this.name = new.target.name;
    }
}

/** A URL, token or option that cannot work; the message says what was expected. */
export class ConfigurationError extends FanfareError {}

/**
 * An event is not as it has to be, found before sending or said by the server. It was not published
 * and will not be. The message names the field, what it must be and what it was.
 */
export class EventRefused extends FanfareError {
    constructor(
        message: string,
        readonly field?: string,
        readonly status: number = 422,
        readonly code: string = 'invalid_event',
    ) {
        super(message);
    }
}

/**
 * The server does not take requests of this program: no good token (401), no right (403), no such
 * address (404). The event was not published and will not be.
 */
export class AccessDenied extends FanfareError {
    constructor(message: string, readonly status: number) {
        super(message);
    }
}

/** The event was not accepted because the spool is full. */
export class SpoolFull extends FanfareError {}

/** The publisher was closed before this call, or before the event was acknowledged. */
export class PublisherClosed extends FanfareError {}

/**
 * No answer, or one that asks to come again later. Never leaves this package: a server that is away
 * is no error of the program's.
 */
export class Unreachable extends Error {
    constructor(
        message: string,
        /** Milliseconds that the server asks to wait. */
        readonly retryAfter = 0,
        /** Whether the request may have reached the server. */
        readonly sent = false,
    ) {
        super(message);
    }
}
