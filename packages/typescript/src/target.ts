// The server: its URL, and requests to it over one connection that is kept open.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import { ConfigurationError, Unreachable } from './errors.js';

export const defaultUrl = 'http://127.0.0.1:8000';

/** What an answer may have at most; a batch of events is answered with far less. */
const answerMax = 16 * 1024 * 1024;

/** A server's address, taken apart. */
export interface Target {
    readonly secure: boolean;
    readonly host: string;
    readonly port: number;
    /** A Unix socket's path, instead of host and port. */
    readonly socketPath?: string;
    /** The path before /api, without a slash at its end. */
    readonly base: string;
}

export interface Response {
    readonly status: number;
    readonly headers: http.IncomingHttpHeaders;
    readonly body: string;
}

const schemes: Record<string, boolean> = { 'http:': false, 'ws:': false, 'https:': true, 'wss:': true };

/** Takes http://HOST[:PORT][/BASE], https://… and unix:PATH apart; ws and wss mean http and https. */
export function parseUrl(text: string): Target {
    const refuse = (reason: string) =>
        new ConfigurationError(`"${text}": ${reason}; expected http://HOST:PORT, https://HOST or unix:PATH`);
    if (typeof text !== 'string') throw refuse('no string');
    if (text.startsWith('unix:')) {
        const socketPath = text.slice('unix:'.length);
        if (socketPath === '' || Buffer.byteLength(socketPath) > 107) {
            throw refuse("the socket's path is empty or too long");
        }
        return { secure: false, host: 'localhost', port: 0, socketPath, base: '' };
    }
    let url: URL;
    try {
        url = new URL(text.includes('://') ? text : `http://${text}`);
    } catch {
        throw refuse('no valid host and port');
    }
    const secure = schemes[url.protocol];
    if (secure === undefined) throw refuse('unknown scheme');
    if (url.username || url.password || url.search || url.hash) {
        throw refuse("a server's URL has no user, query or fragment");
    }
    return {
        secure,
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: Number(url.port) || (secure ? 443 : 80),
        base: url.pathname.replace(/\/+$/, ''),
    };
}

/** The token, or undefined for an empty one. It goes into a header: what could end that is refused. */
export function checkToken(token: string | undefined): string | undefined {
    if (!token) return undefined;
    if (!/^[!-~]+$/.test(token)) throw new ConfigurationError('the token has characters that a header cannot carry');
    return token;
}

function readCertificates(file: string): Buffer {
    try {
        return fs.readFileSync(file);
    } catch (error) {
        throw new ConfigurationError(`${file}: the file with certificates cannot be read: ${(error as Error).message}`);
    }
}

/** One connection to a server, made when it is needed. For one request at a time. */
export class Link {
    readonly #target: Target;
    readonly #agent: http.Agent;
    readonly #timeout: number;
    readonly #request: typeof http.request;

    constructor(target: Target, caFile: string | undefined, timeout: number) {
        const ca = caFile === undefined ? undefined : readCertificates(caFile);
        const options = { keepAlive: true, maxSockets: 1, noDelay: true };
        this.#target = target;
        this.#timeout = timeout;
        this.#agent = target.secure ? new https.Agent(ca ? { ...options, ca } : options) : new http.Agent(options);
        this.#request = target.secure ? https.request : http.request;
    }

    /**
     * One request and its whole answer; rejects with Unreachable. A connection that the server closed
     * while it was idle is made again at once; what is sent here may be sent twice.
     */
    async request(method: string, path: string, body: Buffer | undefined, headers: http.OutgoingHttpHeaders) {
        try {
            return await this.#exchange(method, path, body, headers);
        } catch (error) {
            if (!(error as Failure).wasIdle) throw asUnreachable(error as Failure);
        }
        try {
            return await this.#exchange(method, path, body, headers);
        } catch (error) {
            throw asUnreachable(error as Failure);
        }
    }

    #exchange(method: string, path: string, body: Buffer | undefined, headers: http.OutgoingHttpHeaders) {
        const { host, port, socketPath, base } = this.#target;
        const place = socketPath === undefined ? { host, port } : { socketPath };
        return new Promise<Response>((resolve, reject) => {
            const outgoing = this.#request({
                ...place, method, path: base + path, agent: this.#agent,
                headers: { ...headers, 'Content-Length': body?.length ?? 0 },
            });
            let sent = false;
            let late = false;
            const limit = setTimeout(() => {
                late = true;
                outgoing.destroy(new Error('no answer in time'));
            }, this.#timeout);
            const fail = (error: Error) => {
                clearTimeout(limit);
                reject(Object.assign(error, { sent, wasIdle: outgoing.reusedSocket && !late }));
            };
            outgoing.on('socket', (socket) => {
                if (socket.connecting) socket.once('connect', () => (sent = true));
                else sent = true;
            });
            outgoing.on('error', fail);
            outgoing.on('response', (incoming) => {
                const chunks: Buffer[] = [];
                let size = 0;
                incoming.on('data', (chunk: Buffer) => {
                    chunks.push(chunk);
                    size += chunk.length;
                    if (size > answerMax) outgoing.destroy(new Error('the answer is too large'));
                });
                incoming.on('error', fail);
                incoming.on('end', () => {
                    clearTimeout(limit);
                    resolve({
                        status: incoming.statusCode ?? 0,
                        headers: incoming.headers,
                        body: Buffer.concat(chunks).toString('utf8'),
                    });
                });
            });
            outgoing.end(body);
        });
    }

    close(): void {
        this.#agent.destroy();
    }
}

interface Failure extends NodeJS.ErrnoException {
    sent?: boolean;
    wasIdle?: boolean;
}

function asUnreachable(error: Failure): Unreachable {
    const reasons: Record<string, string> = {
        ECONNREFUSED: 'connection refused (does `fanfare serve` run there?)',
        ENOENT: 'there is no such socket (does `fanfare serve` run there?)',
        ECONNRESET: 'the server closed the connection',
    };
    return new Unreachable(reasons[error.code ?? ''] ?? error.message, 0, error.sent);
}

/** The milliseconds of Retry-After, at most an hour; 0 without one. */
export function retryAfter(headers: http.IncomingHttpHeaders): number {
    const text = headers['retry-after'] ?? '';
    return /^\d+$/.test(text) ? Math.min(Number(text), 3600) * 1000 : 0;
}

/** What a refusal says, in words. */
export function errorText(response: Response): string {
    try {
        const { error } = JSON.parse(response.body) as { error: { message?: string } | string };
        return typeof error === 'string' ? error : error.message ?? JSON.stringify(error);
    } catch {
        return `HTTP status ${response.status}`;
    }
}
