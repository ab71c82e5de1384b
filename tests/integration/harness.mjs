// What every integration test stands on: starts servers, opens real clients, waits for conditions.
//
// Nothing here sleeps to wait. To show that something does not happen, a test publishes a marker
// behind it (order holds per topic) and looks at what came before the marker.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test as nodeTest } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

export const projectRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const binary = process.env.FANFARE_BIN ?? path.join(projectRoot, 'build/release/fanfare');

// Sanitizers slow everything down; every limit of time is multiplied by this.
export const slowness = Number(process.env.FANFARE_TEST_SLOWNESS ?? 1);
export const ms = (milliseconds) => milliseconds * slowness;
const patience = ms(8000);

/** node:test's test with a time limit: test(name, [options], fn). */
export function test(name, options, fn) {
    if (typeof options === 'function') [fn, options] = [options, {}];
    return nodeTest(name, { ...options, timeout: ms(options.timeout ?? 30000) }, fn);
}

// ---- Waiting ----

/** Resolves with what condition() returns as soon as that is truthy; looks every few ms. */
export async function waitFor(condition, what = 'the condition', limit = patience) {
    const deadline = Date.now() + limit;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (Date.now() > deadline) {
            throw new Error(`waited ${limit} ms in vain for ${what}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}

/** Rejects with a sentence when the promise has not settled in time. */
export function within(promise, what, limit = patience) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`waited ${limit} ms in vain for ${what}`)), limit);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Sends a request that the server answers later, and waits until it has it: { answer }. It shows by the
 * server's count of requests, which each look adds one to.
 */
export async function arrived(server, send) {
    const before = await server.metric('fanfare_http_requests_total');
    const answer = send();
    let looks = 0;
    await waitFor(async () => (await server.metric('fanfare_http_requests_total')) - before > ++looks, 'the request to arrive');
    return { answer };
}

// ---- Temporary directories ----

const leftovers = new Set();

export function temporaryDirectory() {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fanfare-test-'));
    leftovers.add({ directory });
    return directory;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
process.on('exit', () => {
    for (const { child, directory } of leftovers) {
        if (child && child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
        if (directory) fs.rmSync(directory, { recursive: true, force: true });
    }
});

// ---- The program ----

const sanitizerReport = /(Address|Leak|Thread|Memory)Sanitizer|runtime error:/;

function environment(directory, env) {
    return {
        PATH: process.env.PATH,
        HOME: directory,
        TMPDIR: directory,
        LANG: 'C.UTF-8',
        ASAN_OPTIONS: 'detect_stack_use_after_return=1',
        UBSAN_OPTIONS: 'print_stacktrace=1',
        TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
        ...env,
    };
}

/** Runs the program to its end: { code, signal, stdout, stderr }. */
export async function runProgram(args, { env = {}, input = '', cwd } = {}) {
    const directory = cwd ?? temporaryDirectory();
    const child = spawn(binary, args, { cwd: directory, env: environment(directory, env) });
    leftovers.add({ child });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [code, signal] = await within(once(child, 'close'), `fanfare ${args[0]} to end`)
        .finally(() => child.kill('SIGKILL'));
    assert.doesNotMatch(stderr, sanitizerReport);
    return { code, signal, stdout, stderr };
}

/**
 * Starts `fanfare serve` on a free port with a directory of its own.
 *
 * options: t (the test that owns it; without one it lives as long as the test file), args, env,
 * config (an object, written as fanfare.yaml), listen (an address or several), ca (whom to trust when the
 * server speaks TLS), prefix (a command in front, as ['prlimit', …]), directory (to start again on the same
 * data), bin, spawned (is given the process before it is ready).
 */
export async function startServer(options = {}) {
    const { t, args = [], env = {}, config, prefix = [], bin = binary, spawned } = options;
    const directory = options.directory ?? temporaryDirectory();
    const addresses = [options.listen ?? '127.0.0.1:0'].flat().flatMap((address) => ['--listen', address]);
    const command = [...prefix, bin, 'serve', ...addresses, '--data', path.join(directory, 'data'),
        '--drain', '0s', ...args];
    if (config) {
        const file = path.join(directory, 'fanfare.yaml');
        fs.writeFileSync(file, JSON.stringify(config, null, 2) + '\n'); // JSON is YAML
        command.push('--config', file);
    }
    const child = spawn(command[0], command.slice(1),
        { cwd: directory, env: environment(directory, env), stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new Server(child, directory, options.ca);
    leftovers.add({ child });
    spawned?.(child);
    (t ? t.after.bind(t) : after)(() => server.finish());
    await server.started();
    return server;
}

export class Server {
    #stdout = '';
    #stderr = '';
    #clients = new Set();

    constructor(child, directory, ca) {
        this.child = child;
        this.directory = directory;
        this.ca = ca;
        child.stdout.setEncoding('utf8').on('data', (text) => (this.#stdout += text));
        child.stderr.setEncoding('utf8').on('data', (text) => (this.#stderr += text));
        // Settles when the process is gone and its output is read: { code, signal }.
        this.exited = new Promise((resolve) => {
            child.on('close', (code, signal) => resolve({ code, signal }));
            child.on('error', (error) => {
                this.#stderr += String(error);
                resolve({ code: -1, signal: null });
            });
        });
        this.alive = true;
        this.stopping = false;
        this.exited.then(() => (this.alive = false));
    }

    stdout() {
        return this.#stdout;
    }

    stderr() {
        return this.#stderr;
    }

    async started() {
        await waitFor(() => !this.alive || this.#stdout.includes('\n'), 'the server to start');
        const [line] = this.#stdout.split('\n');
        if (!this.alive) {
            throw new Error(`the server did not start:\n${this.#stdout}${this.#stderr}`);
        }
        assert.match(line, /^(https?:\/\/(127\.0\.0\.1|\[::1\]):\d+(\/.*)?|unix:\/.+)$/, 'first line on stdout is the URL');
        this.urls = this.#stdout.trimEnd().split('\n');
        this.url = line.replace(/\/$/, '');
        this.port = line.startsWith('unix:') ? 0 : Number(new URL(line).port);
    }

    /** The WebSocket address of a path. */
    ws(target) {
        if (this.url.startsWith('unix:')) return `ws+${this.url}:${target}`;
        return this.url.replace(/^http/, 'ws') + target;
    }

    /** Ends the process and returns { code, signal }. */
    async stop(signal = 'SIGTERM', limit = ms(15000)) {
        this.stopping = true;
        this.child.kill(signal);
        try {
            return await within(this.exited, `the server to end after ${signal}`, limit);
        } finally {
            this.child.kill('SIGKILL');
        }
    }

    /** At the end of a test: no sanitizer report, still alive unless stopped, orderly exit. */
    async finish() {
        const diedEarly = !this.alive && !this.stopping;
        for (const client of this.#clients) client.terminate();
        const { code, signal } = this.alive && !this.stopping ? await this.stop() : await this.exited;
        const story = `exit ${code ?? signal}\n${this.#stderr.slice(-6000)}`;
        assert.doesNotMatch(this.#stderr, sanitizerReport, 'the server printed a sanitizer report');
        assert.ok(!diedEarly, `the server died during the test: ${story}`);
        if (!this.mayEndBadly) {
            assert.deepEqual({ code, signal }, { code: 0, signal: null }, `the server's end: ${story}`);
        }
    }

    /** Resident memory in bytes. */
    residentMemory() {
        const status = fs.readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
        return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
    }

    /** Opens a WebSocket; see openWs. */
    async open(target, options) {
        const client = await openWs(this.ws(target), { ca: this.ca, ...options });
        this.#clients.add(client);
        return client;
    }

    /** A client of the build dialect, greeting taken: its fields are in client.greeting. */
    async build(session, query = '', options = {}) {
        const client = await this.open(`/api/build/stream/${encodeURIComponent(session)}${query}`, options);
        client.greeting = await client.next();
        assert.equal(client.greeting.type, 'connection');
        return client;
    }

    request(target, options) {
        if (!this.url.startsWith('unix:')) return request(`${this.url}${target}`, { ca: this.ca, ...options });
        return request(`http://localhost${target}`, { socketPath: this.url.slice('unix:'.length), ...options });
    }

    get(target, headers = {}) {
        return this.request(target, { headers });
    }

    post(target, body, headers = {}) {
        return this.request(target, { method: 'POST', body, headers });
    }

    /** Publishes one event and expects that it was accepted; returns the answer. */
    async publish(event, query = '') {
        const answer = await this.post(`/api/v1/publish${query}`, event);
        assert.equal(answer.status, 200, answer.text);
        return answer.json;
    }

    /** The sum of a counter over its labels, or of those series that contain `label`. */
    async metric(name, label = '') {
        const { text } = await this.get('/metrics');
        let sum = 0;
        for (const line of text.split('\n')) {
            if (!line.startsWith('#') && line.includes(label) && /^[\w:]+/.exec(line)?.[0] === name) {
                sum += Number(line.slice(line.lastIndexOf(' ')));
            }
        }
        return sum;
    }
}

// ---- HTTP ----

/** One request on a connection of its own: { status, headers, text, json }; `rest` is for node:http(s). */
export function request(url, { method = 'GET', headers = {}, body, ...rest } = {}) {
    const isObject = body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body);
    const payload = isObject ? JSON.stringify(body) : body;
    const all = isObject ? { 'Content-Type': 'application/json', ...headers } : { ...headers };
    if (payload !== undefined && !('Transfer-Encoding' in all)) {
        all['Content-Length'] = Buffer.byteLength(payload);
    }
    const done = new Promise((resolve, reject) => {
        const { request: begin } = url.startsWith('https:') ? https : http;
        const outgoing = begin(url, { ...rest, method, headers: all, agent: false }, (incoming) => {
            const chunks = [];
            incoming.on('data', (chunk) => chunks.push(chunk));
            incoming.on('error', reject);
            incoming.on('end', () => resolve(parseResponse(incoming, Buffer.concat(chunks))));
        });
        outgoing.on('error', reject);
        outgoing.end(payload);
    });
    return within(done, `the answer to ${method} ${url}`, 2 * patience);
}

function parseResponse(incoming, bytes) {
    const text = bytes.toString('utf8');
    let json;
    if (/json/.test(incoming.headers['content-type'] ?? '') && !/ndjson/.test(incoming.headers['content-type'])) {
        json = text === '' ? undefined : JSON.parse(text);
    }
    return { status: incoming.statusCode, headers: incoming.headers, text, json };
}

/** A bare TCP connection, for what no HTTP client would send. */
export class RawConnection {
    constructor(port, host = '127.0.0.1') {
        this.bytes = Buffer.alloc(0);
        this.socket = net.connect(port, host);
        this.socket.setNoDelay(true);
        this.socket.on('data', (chunk) => (this.bytes = Buffer.concat([this.bytes, chunk])));
        this.socket.on('error', (error) => (this.error = error));
        this.closed = new Promise((resolve) => this.socket.on('close', resolve));
        this.socket.on('close', () => (this.isClosed = true));
        this.opened = once(this.socket, 'connect');
        this.opened.catch(() => {}); // who waits for it hears of it, the others see isClosed
    }

    get text() {
        return this.bytes.toString('latin1');
    }

    write(data) {
        this.socket.write(data);
        return this;
    }

    /** Waits until the text received so far matches. */
    async expect(pattern, limit) {
        await waitFor(() => pattern.test(this.text) || this.isClosed, `${pattern} on a raw connection`, limit);
        assert.match(this.text, pattern);
        return this.text;
    }

    expectClose(limit = patience) {
        return within(this.closed, 'the server to close the raw connection', limit);
    }

    destroy() {
        this.socket.destroy();
    }
}

/** Sends text over a bare connection and resolves with everything until the server closes. */
export async function rawHttp(server, data, limit) {
    const connection = new RawConnection(server.port);
    await within(connection.opened, 'a TCP connection');
    connection.write(data);
    await connection.expectClose(limit);
    return connection.text;
}

export const upgradeHead = (target, port, extra = '') =>
    `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\n` +
    `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
    `${extra}\r\n`;

// ---- WebSocket ----

/** An open `ws` client with a queue of the parsed messages. */
export class Client {
    #arrivals = [];
    #waiters = new Set();

    constructor(socket) {
        this.socket = socket;
        this.received = 0;
        socket.on('message', (data, isBinary) => {
            this.received++;
            this.#arrivals.push(isBinary ? data : JSON.parse(data.toString('utf8')));
            this.#wake();
        });
        socket.on('error', (error) => (this.error = error));
        this.closed = new Promise((resolve) => {
            socket.on('close', (code, reason) => {
                this.closeCode = code;
                resolve({ code, reason: reason.toString('utf8') });
                this.#wake();
            });
        });
    }

    #wake() {
        for (const waiter of this.#waiters) waiter();
    }

    /** Sends an object as JSON, text as it is, a Buffer as a binary message. */
    send(message) {
        const isRaw = typeof message === 'string' || Buffer.isBuffer(message);
        this.socket.send(isRaw ? message : JSON.stringify(message));
        return this;
    }

    /**
     * The next message; with a predicate (a function, or a type's name) the next that matches,
     * dropping those before it.
     */
    async next(predicate = () => true, limit = patience) {
        const matches = typeof predicate === 'string' ? (m) => m.type === predicate : predicate;
        const messages = await this.until(matches, limit);
        return messages.at(-1);
    }

    /** All messages up to and with the one that matches (a type's name or a function). */
    async until(predicate, limit = patience) {
        const matches = typeof predicate === 'string' ? (m) => m.type === predicate : predicate;
        let seen = 0;
        let look;
        const found = new Promise((resolve, reject) => {
            look = () => {
                while (seen < this.#arrivals.length) {
                    if (!matches(this.#arrivals[seen++])) continue;
                    this.#waiters.delete(look); // more may arrive before the promise is looked at
                    return resolve(this.#arrivals.splice(0, seen));
                }
                if (this.closeCode !== undefined) {
                    reject(new Error(`closed with ${this.closeCode} while waiting for ${predicate}`));
                }
            };
            this.#waiters.add(look);
            look();
        });
        try {
            return await within(found, `a message: ${predicate}`, limit);
        } catch (error) {
            error.message += `; arrived instead: ${JSON.stringify(this.#arrivals.slice(0, 5))}`;
            throw error;
        } finally {
            this.#waiters.delete(look);
        }
    }

    /** The next `count` messages. */
    async take(count, limit = patience) {
        let taken = 0;
        return this.until(() => ++taken === count, limit);
    }

    /** What has arrived and was not taken yet. */
    get queued() {
        return this.#arrivals;
    }

    ask(message, answer) {
        this.send(message);
        return this.next(answer);
    }

    expectClose(limit = patience) {
        return within(this.closed, 'the server to close the WebSocket', limit);
    }

    async close(code = 1000) {
        this.socket.close(code);
        return this.expectClose();
    }

    terminate() {
        this.socket.terminate();
    }
}

/**
 * Opens a WebSocket. options: protocols, headers, perMessageDeflate, localAddress. A refused
 * handshake rejects with an error that has status, headers and text.
 */
export function openWs(url, { protocols = [], headers = {}, perMessageDeflate = false, ...rest } = {}) {
    const socket = new WebSocket(url, protocols, { headers, perMessageDeflate, ...rest });
    const client = new Client(socket);
    const opened = new Promise((resolve, reject) => {
        socket.on('open', () => resolve(client));
        socket.on('error', reject);
        socket.on('unexpected-response', (_, incoming) => {
            const chunks = [];
            incoming.on('data', (chunk) => chunks.push(chunk));
            incoming.on('end', () => {
                const answer = parseResponse(incoming, Buffer.concat(chunks));
                reject(Object.assign(new Error(`handshake refused: ${answer.status}`), answer));
            });
        });
    });
    return within(opened, `the WebSocket handshake of ${url}`);
}

/** Expects the handshake to be refused with a status; returns the answer. */
export async function expectRefused(server, target, status, options) {
    const outcome = await openWs(server.ws(target), options).catch((error) => error);
    if (outcome instanceof Client) outcome.terminate();
    assert.ok(outcome instanceof Error, `the handshake of ${target} was accepted`);
    assert.equal(outcome.status, status, outcome.message);
    return outcome;
}

// ---- Server-Sent Events ----

/** Reads an event stream byte by byte as the standard says, comments included. */
export class EventStream {
    #rest = '';
    #waiters = new Set();

    constructor(url, headers = {}, rest = {}) {
        this.blocks = []; // { id, event, data, retry, comment }, one for each block of lines
        this.response = new Promise((resolve, reject) => {
            const { get } = url.startsWith('https:') ? https : http;
            this.outgoing = get(url, { ...rest, headers, agent: false }, (incoming) => {
                this.incoming = incoming;
                incoming.setEncoding('utf8');
                incoming.on('data', (text) => this.#take(text));
                incoming.on('error', () => {});
                incoming.on('close', () => ((this.ended = true), this.#wake()));
                resolve(incoming);
            });
            this.outgoing.on('error', reject);
        });
        this.response.catch(() => {});
    }

    #wake() {
        for (const waiter of this.#waiters) waiter();
    }

    #take(text) {
        this.#rest += text;
        const pieces = this.#rest.split('\n\n');
        this.#rest = pieces.pop();
        for (const piece of pieces) this.blocks.push(parseBlock(piece));
        this.#wake();
    }

    /** The next block that is an event (has data), or that the predicate accepts. */
    async next(predicate = (block) => block.data !== undefined, limit = patience) {
        let look;
        const found = new Promise((resolve, reject) => {
            look = () => {
                while (this.blocks.length > 0) {
                    const block = this.blocks.shift();
                    if (!predicate(block)) continue;
                    this.#waiters.delete(look);
                    return resolve(block);
                }
                if (this.ended) reject(new Error('the event stream ended'));
            };
            this.#waiters.add(look);
            look();
        });
        return within(found, 'a block of the event stream', limit)
            .finally(() => this.#waiters.delete(look));
    }

    async take(count) {
        const blocks = [];
        while (blocks.length < count) blocks.push(await this.next());
        return blocks;
    }

    close() {
        this.outgoing.destroy();
    }
}

function parseBlock(text) {
    const block = {};
    for (const line of text.split('\n')) {
        if (line.startsWith(':')) {
            block.comment = line.slice(1).trim();
            continue;
        }
        const colon = line.indexOf(':');
        const name = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
        block[name] = name === 'data' && block.data !== undefined ? `${block.data}\n${value}` : value;
    }
    if (block.data !== undefined) block.json = JSON.parse(block.data);
    return block;
}

/** Opens /events; the response's head has arrived when this resolves. */
export async function openEvents(t, server, query, headers) {
    const unix = server.url.startsWith('unix:') ? server.url.slice('unix:'.length) : undefined;
    const stream = new EventStream(`${unix ? 'http://localhost' : server.url}/events?${query}`, headers,
        { ca: server.ca, socketPath: unix });
    t.after(() => stream.close());
    const response = await within(stream.response, 'the head of the event stream');
    assert.equal(response.statusCode, 200);
    return stream;
}

// ---- Load ----

/**
 * Publishes count events of type flood and about `size` bytes each over one WebSocket, in order.
 * `more(n)` gives further members of event n (key, type…); data is { n, pad } with what its data adds.
 */
export async function flood(server, topic, count, size, more = () => ({})) {
    const publisher = await server.open('/api/v1/publish?ack=batch');
    const pad = 'x'.repeat(size);
    let accepted = 0;
    for (const n of range(count)) {
        const { data, ...members } = more(n);
        publisher.send({ topic, type: 'flood', data: { n, pad, ...data }, ...members });
        while (n - accepted > 64) accepted += (await publisher.next()).published;
    }
    while (accepted < count) accepted += (await publisher.next()).published;
    await publisher.close();
}

// ---- Odds of every test ----

let names = 0;

/** A name that no other test of this file uses. */
export function uniqueName(stem = 'test') {
    return `${stem}-${process.pid}-${++names}`;
}

export const range = (count) => Array.from({ length: count }, (_, i) => i);
