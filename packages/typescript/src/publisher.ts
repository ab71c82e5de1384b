// Publishing over HTTP, with a spool for the time when the server is away.
//
// A call encodes an event and puts it into the spool. One request is under way at a time; all that
// has gathered meanwhile goes out with the next (NDJSON, see POST /api/v1/publish), so batches grow
// with the load and an idle publisher sends at once. Every event has an id: after a connection broke
// its batch is sent once more, and the server publishes what it knows already only once.
//
// While the server cannot be reached it is tried again, with pauses that grow from a quarter of a
// second to 15 s and are shortened at random, so that many publishers do not come back in step.
import { randomBytes } from 'node:crypto';

import { readAnswers, type Answers } from './answers.js';
import {
    AccessDenied, ConfigurationError, EventRefused, FanfareError, PublisherClosed, SpoolFull, Unreachable,
} from './errors.js';
import * as events from './events.js';
import { Entry, Spool, type Outcome, type Receipt } from './spool.js';
import { checkToken, defaultUrl, errorText, Link, parseUrl, retryAfter, type Response } from './target.js';

const batchEvents = 5000;
const batchBytes = 1024 * 1024;
const pauseFirst = 250;
const pauseMost = 15_000;

const policies = ['drop-oldest', 'drop-newest', 'reject'] as const;
export type Policy = (typeof policies)[number];

/** What a publisher reports to onProblem. */
export interface Problem {
    /**
     * unreachable: it tries again by itself; told once for each reason. denied: mostly only another
     * token or URL helps. refused: one event, for good. dropped: the spool was full, or the publisher
     * closed. recovered: the server is there again.
     */
    readonly kind: 'unreachable' | 'denied' | 'refused' | 'dropped' | 'recovered';
    readonly message: string;
    /** HTTP's; 0 when there was no answer. */
    readonly status: number;
    /** How many events it is about. */
    readonly events: number;
}

export interface PublisherOptions {
    /** http://HOST:PORT, https://HOST/BASE or unix:PATH; else FANFARE_URL, else port 8000 of this machine. */
    url?: string | undefined;
    /** A token, or a function asked before each request; else FANFARE_TOKEN. */
    token?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
    /** `source` of events that name none. */
    source?: string | undefined;
    /** PEM file of trusted authorities instead of the system's. */
    caFile?: string | undefined;
    /** How much may wait, in bytes. Default 16 MiB. */
    spoolBytes?: number | undefined;
    /**
     * When the spool is full: drop-oldest (the default: the newest state arrives in the end),
     * drop-newest (what waits stays), reject (the call rejects with SpoolFull).
     */
    policy?: Policy | undefined;
    /** How long a promise waits for a server that is there, in milliseconds. Default 1000. */
    confirmTimeout?: number | undefined;
    /** After which a request has failed, in milliseconds. Default 10000. */
    timeout?: number | undefined;
    /** false: a server that denies access (401, 403, 404) counts as away. Default true. */
    rejectDenied?: boolean | undefined;
    /** Called with each problem. Default: console.warn, except for recovered. */
    onProblem?: ((problem: Problem) => void) | undefined;
}

export interface PublishOptions {
    /** Publishing the same id again within 10 minutes publishes nothing. */
    id?: string | undefined;
    /** Readers that are slow may get only the newest of each key. */
    key?: string | undefined;
    /** RFC 3339. */
    time?: string | undefined;
    source?: string | undefined;
    /** Neither kept nor replayed. */
    ephemeral?: boolean | undefined;
}

/** A publisher's counters since it was made. */
export interface Stats {
    /** As far as is known. */
    readonly reachable: boolean;
    readonly accepted: number;
    readonly acknowledged: number;
    readonly refused: number;
    readonly dropped: number;
    readonly resent: number;
    readonly spoolEvents: number;
    readonly spoolBytes: number;
}

/** What every call returns; see Publisher. */
export type Published = Promise<Receipt | undefined>;

const plural = (count: number) => (count === 1 ? '1 event' : `${count} events`);

function warn(problem: Problem): void {
    if (problem.kind !== 'recovered') console.warn(`fanfare: ${problem.message}`);
}

/**
 * Publishes events to a server.
 *
 *     const p = new Publisher({ url: 'http://127.0.0.1:8000' });
 *     await p.componentUpdate('build_123', 'auth', 'in_progress', 45.5);
 *     await p.close();
 *
 * Every call takes the event into the spool at once, in the order of the calls. Its promise becomes a
 * Receipt when the server has acknowledged the event, and rejects with EventRefused or AccessDenied
 * when that will never be. It does not wait for a server that is away or slow: then it becomes
 * undefined, at once or after confirmTimeout, and the event is sent when the server is back.
 *
 * A promise that nobody looks at is no unhandled rejection: what is refused is told to onProblem too.
 */
export class Publisher {
    readonly url: string;
    readonly #token: PublisherOptions['token'];
    readonly #source: string | undefined;
    readonly #policy: Policy;
    readonly #confirmTimeout: number;
    readonly #rejectDenied: boolean;
    readonly #onProblem: (problem: Problem) => void;
    readonly #link: Link;
    readonly #spool: Spool;
    readonly #idPrefix = randomBytes(8).toString('hex');
    readonly #counts = { acknowledged: 0, refused: 0, dropped: 0, resent: 0 };
    readonly #changed = new Set<() => void>(); // who waits in flush and pauses
    #idNumber = 0;
    #running = false;
    #away = false; // the last attempt failed, or acknowledgements are late
    #denied: AccessDenied | undefined;
    #deniedUntil = 0;
    #reported = ''; // the outage that was reported last
    #dropping = 0; // dropped since that was reported
    #failures = 0;
    #closing = false;
    #closeDeadline = 0;
    #lost = false; // something was left when it was closed

    constructor(options: PublisherOptions | string = {}) {
        const {
            url, token, source, caFile, spoolBytes = 16 * 1024 * 1024, policy = 'drop-oldest',
            confirmTimeout = 1000, timeout = 10_000, rejectDenied = true, onProblem = warn,
        } = typeof options === 'string' ? { url: options } as PublisherOptions : options;
        if (!policies.includes(policy)) {
            throw new ConfigurationError(`policy must be one of ${policies.join(', ')}, got ${String(policy)}`);
        }
        if (!(spoolBytes >= 1024) || !(timeout > 0) || !(confirmTimeout >= 0)) {
            throw new ConfigurationError(
                'spoolBytes must be at least 1024, timeout more than 0, confirmTimeout at least 0');
        }
        this.url = url || process.env['FANFARE_URL'] || defaultUrl;
        this.#token = token ?? process.env['FANFARE_TOKEN'];
        if (typeof this.#token === 'string') checkToken(this.#token);
        this.#source = source;
        this.#policy = policy;
        this.#confirmTimeout = confirmTimeout;
        this.#rejectDenied = rejectDenied;
        this.#onProblem = onProblem;
        this.#link = new Link(parseUrl(this.url), caFile, timeout);
        this.#spool = new Spool(spoolBytes);
        Publisher.#watchExit(this);
    }

    // ---- Publishing ----

    /** Publishes one event to a topic, or to several at once. type may be left out for channel: topics. */
    publish(
        topic: string | readonly string[], type?: string, data: events.Data = {}, options?: PublishOptions,
    ): Published {
        const place = typeof topic === 'string' ? { topic } : { topics: topic };
        return this.#send(() => [{ ...place, type, data }, options]);
    }

    /**
     * Publishes an event whose topics the server knows by its type: those of an agent platform, see
     * PlatformBroadcaster. build gives its data, and may throw EventRefused.
     */
    publishRouted(type: string, build: () => events.Data): Published {
        return this.#send(() => [{ routed: true, type, data: build() }]);
    }

    /** Publishes to a channel: topic `channel:<name>`. */
    broadcast(channel: string, data: events.Data = {}): Published {
        return this.publish(`channel:${channel}`, undefined, data);
    }

    componentUpdate(...args: Parameters<typeof events.componentUpdate>): Published {
        return this.#send(() => [events.componentUpdate(...args)]);
    }

    featureUpdate(...args: Parameters<typeof events.featureUpdate>): Published {
        return this.#send(() => [events.featureUpdate(...args)]);
    }

    terminalOutput(...args: Parameters<typeof events.terminalOutput>): Published {
        return this.#send(() => [events.terminalOutput(...args)]);
    }

    checkpointUpdate(...args: Parameters<typeof events.checkpointUpdate>): Published {
        return this.#send(() => [events.checkpointUpdate(...args)]);
    }

    buildProgress(...args: Parameters<typeof events.buildProgress>): Published {
        return this.#send(() => [events.buildProgress(...args)]);
    }

    fileChange(...args: Parameters<typeof events.fileChange>): Published {
        return this.#send(() => [events.fileChange(...args)]);
    }

    error(...args: Parameters<typeof events.error>): Published {
        return this.#send(() => [events.error(...args)]);
    }

    #send(build: () => [Fields, (PublishOptions | undefined)?]): Published {
        const published = new Promise<Receipt | undefined>((resolve, reject) => {
            const [line, label] = this.#line(build);
            const limit = setTimeout(() => this.#stopWaiting(entry), this.#confirmTimeout);
            const entry = new Entry(line, label, (outcome: Outcome) => {
                clearTimeout(limit);
                if (outcome instanceof FanfareError) reject(outcome);
                else resolve(outcome);
            });
            try {
                this.#accept(entry);
            } catch (error) {
                entry.settle(error as FanfareError);
            }
        });
        published.catch(() => {}); // nobody has to look at it
        return published;
    }

    /**
     * The event as a line of NDJSON, and what to call it. A mistake in it rejects the promise, and is
     * reported in case that nobody looks at that.
     */
    #line(build: () => [Fields, (PublishOptions | undefined)?]): [string, string] {
        try {
            const [fields, options = {}] = build();
            checkFields(fields);
            const line = encode({
                id: options.id ?? `${this.#idPrefix}-${++this.#idNumber}`,
                source: options.source ?? this.#source,
                key: options.key,
                time: options.time,
                ephemeral: options.ephemeral || undefined,
                ...fields,
                routed: undefined,
            });
            const place = fields.routed ? '' : `${String(fields.topic ?? fields.topics)} `;
            return [line, place + (fields.type ?? 'event')];
        } catch (error) {
            if (error instanceof EventRefused) this.#report('refused', error.message, error.status, 1);
            throw error;
        }
    }

    // ---- Into the spool ----

    #accept(entry: Entry): void {
        if (this.#closing) throw new PublisherClosed('the publisher is closed');
        if (entry.cost > this.#spool.limit) {
            throw new SpoolFull(`the event has ${entry.line.length} bytes, more than fit into the spool ` +
                `(${this.#spool.limit} bytes); raise spoolBytes`);
        }
        if (this.#denied && Date.now() < this.#deniedUntil) {
            throw new AccessDenied(this.#denied.message, this.#denied.status);
        }
        if (!this.#spool.fits(entry.cost) && !this.#makeRoom(entry)) return;
        if (this.#away && !this.#denied) entry.settle(undefined);
        this.#spool.add(entry);
        if (!this.#running) void this.#run();
    }

    /** Does what the policy says when there is no room. False: the entry is not to be added. */
    #makeRoom(entry: Entry): boolean {
        let dropped = 0;
        while (this.#policy === 'drop-oldest' && !this.#spool.fits(entry.cost)) {
            const oldest = this.#spool.dropOldest();
            if (!oldest) break;
            oldest.settle(undefined);
            dropped++;
        }
        const fits = this.#spool.fits(entry.cost);
        if (!fits) dropped++;
        const first = this.#dropping === 0;
        this.#dropping += dropped;
        this.#counts.dropped += dropped;
        this.#wake();
        const full = `the spool is full (${this.#spool.limit} bytes)`;
        if (first) {
            const which = this.#policy === 'drop-oldest' ? 'oldest' : 'newest';
            this.#report('dropped', `${full}: the ${which} events are dropped from now on`, 0, dropped);
        }
        if (!fits) entry.settle(this.#policy === 'reject' ? new SpoolFull(full) : undefined);
        return fits;
    }

    /** An acknowledgement is late: until one comes, nobody waits for any. */
    #stopWaiting(entry: Entry): void {
        this.#away = true;
        entry.settle(undefined);
    }

    #wake(): void {
        for (const wake of this.#changed) wake();
    }

    // ---- Sending ----

    async #run(): Promise<void> {
        this.#running = true;
        await undefined; // what is published in the same turn goes out together
        while (this.#spool.hasUnsent) {
            // What is on its way cannot make room for what is newer: most of the spool stays home.
            const batch = this.#spool.take(batchEvents, Math.min(batchBytes, this.#spool.limit / 4));
            let more = true;
            try {
                const asked = await this.#sendBatch(batch);
                if (asked > 0) more = await this.#pause(asked, this.#closeDeadline);
            } catch (error) {
                more = await this.#pause(this.#onFailure(error as Error));
            }
            if (!more) break;
        }
        this.#running = false;
        this.#wake();
    }

    async #headers(): Promise<Record<string, string>> {
        const given = typeof this.#token === 'function' ? await this.#token() : this.#token;
        const token = checkToken(given);
        return {
            'Content-Type': 'application/x-ndjson',
            'User-Agent': 'fanfare-publisher',
            ...(token ? { Authorization: `Bearer ${token}` } : {}),
        };
    }

    /** Sends a batch and settles its entries. Returns a pause that the server asked for. */
    async #sendBatch(batch: readonly Entry[]): Promise<number> {
        const each = batch.some((entry) => entry.isAwaited);
        const body = Buffer.from(batch.map((entry) => entry.line).join('\n') + '\n');
        const path = `/api/v1/publish?ack=${each ? 'each' : 'batch'}`;
        const response = await this.#link.request('POST', path, body, await this.#headers());
        checkStatus(response);
        const answers = readAnswers(response.body, batch.length, each);
        this.#settle(batch, answers);
        return answers.pause;
    }

    #settle(batch: readonly Entry[], { refusals, receipts }: Answers): void {
        const again: Entry[] = [];
        let refused = 0;
        for (const [line, refusal] of refusals) {
            const entry = batch[line - 1]!;
            if (refusal.passing) again.push(entry);
            else refused++;
        }
        this.#spool.arrived(again);
        this.#counts.resent += again.length;
        this.#counts.refused += refused;
        this.#counts.acknowledged += batch.length - again.length - refused;
        const back = this.#away;
        this.#away = false;
        this.#denied = undefined;
        this.#failures = 0;
        batch.forEach((entry, i) => {
            const refusal = refusals.get(i + 1);
            if (refusal && !refusal.passing) {
                this.#report('refused', `${entry.label}: ${refusal.error.message}`, refusal.error.status, 1);
            }
            entry.settle(refusal?.passing ? undefined : refusal?.error ?? receipts[i]);
        });
        this.#wake();
        if (back) this.#onRecovery();
    }

    // ---- When the server is away ----

    /** Keeps everything, and lets nobody wait. Returns the pause before the next attempt. */
    #onFailure(error: Error): number {
        const denied = error instanceof AccessDenied ? error : undefined;
        const reason = denied ? `the server refuses: ${denied.message}` : error.message;
        if (denied && this.#rejectDenied) {
            const awaited = this.#spool.withdrawAwaited();
            this.#counts.refused += awaited.length;
            for (const entry of awaited) entry.settle(denied);
        }
        const unreachable = error instanceof Unreachable ? error : undefined;
        if (unreachable?.sent) this.#counts.resent += this.#spool.inFlight;
        this.#spool.putBack();
        this.#away = true;
        this.#denied = this.#rejectDenied ? denied : undefined;
        const full = Math.min(pauseFirst * 2 ** Math.min(this.#failures++, 16), pauseMost);
        const pause = Math.max(full * (0.5 + Math.random() / 2), unreachable?.retryAfter ?? 0);
        this.#deniedUntil = Date.now() + pause;
        for (const entry of this.#spool.all()) entry.settle(undefined);
        this.#wake();
        if (this.#reported !== reason) {
            this.#reported = reason;
            this.#report(denied ? 'denied' : 'unreachable', `${this.url}: ${reason}; trying again`,
                denied?.status ?? 0, this.#spool.count);
        }
        return pause;
    }

    #onRecovery(): void {
        const reported = this.#reported;
        const dropped = this.#dropping;
        this.#reported = '';
        this.#dropping = 0;
        if (dropped) {
            this.#report('dropped', `${plural(dropped)} dropped in all while the spool was full`, 0, dropped);
        }
        if (reported) this.#report('recovered', `${this.url}: the server is there again`);
    }

    #report(kind: Problem['kind'], message: string, status = 0, count = 0): void {
        try {
            this.#onProblem({ kind, message, status, events: count });
        } catch (error) {
            console.error('fanfare: onProblem failed:', error);
        }
    }

    /**
     * Waits before the next attempt; while the publisher is closing, only until the deadline. False:
     * there is no next attempt. A program that has nothing else to do may end meanwhile.
     */
    async #pause(milliseconds: number, deadline = 0): Promise<boolean> {
        const limit = this.#closing ? Math.min(milliseconds, deadline - Date.now()) : milliseconds;
        if (limit <= 0) return !this.#closing;
        const closed = this.#closing;
        await this.#until(() => this.#closing !== closed, limit, false);
        return true;
    }

    /** Waits for a condition of the publisher, at most so long. Returns whether it holds. */
    async #until(condition: () => boolean, milliseconds: number, hold = true): Promise<boolean> {
        if (condition()) return true;
        return new Promise((resolve) => {
            const finish = () => {
                clearTimeout(timer);
                this.#changed.delete(look);
                resolve(condition());
            };
            const look = () => {
                if (condition()) finish();
            };
            const timer = setTimeout(finish, Math.min(milliseconds, 2 ** 31 - 1));
            if (!hold) timer.unref();
            this.#changed.add(look);
        });
    }

    // ---- Waiting and ending ----

    /**
     * Waits until everything that was published before the call is acknowledged, refused or dropped.
     * False: the time (milliseconds) was over before.
     */
    async flush(timeout = 5000): Promise<boolean> {
        const wanted = this.#spool.accepted;
        return await this.#until(() => this.#spool.oldest() > wanted, timeout) && !this.#lost;
    }

    /**
     * Sends what is left, at most for timeout milliseconds; when the server is away, with one more
     * attempt. What could not be sent is dropped and reported. True: nothing was. May be called again.
     */
    async close(timeout = 5000): Promise<boolean> {
        this.#closing = true;
        this.#closeDeadline = Date.now() + timeout;
        this.#wake();
        await this.#until(() => !this.#running, timeout);
        this.#link.close();
        const left = this.#spool.all();
        this.#spool.clear();
        this.#lost ||= left.length > 0;
        this.#counts.dropped += left.length;
        for (const entry of left) {
            entry.settle(new PublisherClosed('the publisher was closed before the event was acknowledged'));
        }
        this.#wake();
        if (left.length > 0) {
            this.#report('dropped', `${this.url}: ${plural(left.length)} could not be sent before the publisher ` +
                'was closed', 0, left.length);
        }
        return !this.#lost;
    }

    /** The counters, as they are now. */
    get stats(): Stats {
        return {
            reachable: !this.#away,
            accepted: this.#spool.accepted,
            ...this.#counts,
            spoolEvents: this.#spool.count,
            spoolBytes: this.#spool.bytes,
        };
    }

    // ---- The program's end ----

    static readonly #all = new Set<WeakRef<Publisher>>();

    /** What was not sent when the program ends is lost, and that is said. */
    static #watchExit(publisher: Publisher): void {
        if (Publisher.#all.size === 0) {
            process.once('exit', () => {
                for (const each of Publisher.#all) {
                    const left = each.deref();
                    if (left) left.#reportLoss();
                }
            });
        }
        for (const each of Publisher.#all) if (!each.deref()) Publisher.#all.delete(each);
        Publisher.#all.add(new WeakRef(publisher));
    }

    #reportLoss(): void {
        const count = this.#spool.count;
        if (count > 0) {
            this.#report('dropped', `${this.url}: ${plural(count)} could not be sent before the program ended; ` +
                'await close() gives them time', 0, count);
        }
    }
}

// ---- An event as a line ----

interface Fields {
    readonly topic?: string;
    readonly topics?: readonly string[];
    /** Its topics are the server's to find. */
    readonly routed?: true;
    readonly type?: string | undefined;
    readonly data: events.Data;
}

function checkFields({ topic, topics, routed, type, data }: Fields): void {
    if (!routed && typeof topic !== 'string' && !Array.isArray(topics)) {
        throw new EventRefused('topic must be a string such as "session:build_123", or a list of them', 'topic');
    }
    if (type !== undefined && typeof type !== 'string') throw new EventRefused('type must be a string', 'type');
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
        throw new EventRefused('data must be an object', 'data');
    }
}

const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** JSON without lone surrogates, which are no Unicode: each becomes U+FFFD. */
function encode(members: object): string {
    try {
        const line = JSON.stringify(members);
        if (!line.includes('\\ud')) return line;
        return JSON.stringify(members, (_, value: unknown) =>
            typeof value === 'string' ? value.replace(loneSurrogate, '\ufffd') : value);
    } catch (error) {
        throw new EventRefused(`data: ${(error as Error).message}`, 'data');
    }
}

function checkStatus(response: Response): void {
    const { status, headers } = response;
    if (status === 200) return;
    if (status === 408 || status === 429 || status >= 500) {
        throw new Unreachable(`the server answers ${status}: ${errorText(response)}`, retryAfter(headers));
    }
    const place = headers.location;
    throw new AccessDenied(place ? `it redirects to ${place}: use that as URL` : errorText(response), status);
}
