// Publishers and readers of every kind around a server that is killed again and again, and the proof that
// nothing was lost: see crash() at the end.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ms, waitFor } from '../harness.mjs';
import { developmentKey, mint } from '../tokens.mjs';
import { isDurable, Ledger, Random } from './ledger.mjs';
import { Node } from './node.mjs';
import { HttpPublisher, NdjsonPublisher, SocketPublisher } from './publishers.mjs';
import { ChannelReader, EventSourceReader, RoomsReader, SessionReader, UserReader, ways } from './readers.mjs';

const keepAll = { count: 10000000, age: '7d', bytes: '4GiB' };

const defaults = {
    seed: 1,
    kills: 0,
    signals: ['SIGKILL'], // drawn from at each kill
    events: 500, // that are acknowledged at least, in all
    life: [0, 700], // ms that a server lives
    pause: 60, // ms between the bursts of a publisher, at most
    stay: [100, 1500], // events after which a reader drops its own connection
    engine: 'sqlite',
    users: true, // whether a user's own topic is kept for them while they are away
    server: {}, // more options of startServer
    log: () => {},
};

class Load {
    #fail;

    constructor(options) {
        this.options = { ...defaults, ...options };
        this.random = new Random(this.options.seed);
        this.counts = new Map();
        this.failed = new Promise((_, reject) => (this.#fail = reject));
        this.failed.catch(() => {});
        this.ledger = new Ledger((error) => this.fail(error));
        const { args = [], config, ...rest } = this.options.server;
        this.node = new Node(this.random.fork(), {
            args: ['--engine', this.options.engine, '--workers', '2', ...args],
            // The history is compared with all that ever happened, so all of it is kept.
            config: { topics: { session: keepAll, project: keepAll, agent: keepAll, global: keepAll, user: keepAll }, ...config },
            ...rest,
        });
        developmentKey(this.node.options.directory); // with which mint() signs
        this.publishers = this.#makePublishers();
        this.readers = this.#makeReaders();
        this.audited = new Map(); // durable topic → up to which offset history has been read
    }

    /** The first failure ends the run. */
    fail(error) {
        this.broken ??= error;
        this.#fail(this.broken);
    }

    count(what) {
        this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    }

    #makePublishers() {
        const [a, b, project, agent, channel, ada] = ['session:a', 'session:b', 'project:p', 'agent:g', 'channel:c', 'user:ada'];
        const either = (random) => [random.pick([a, b])];
        const several = (random) => random.pick([[a], [a, project], [b, a], [agent, 'global'], ['global'], [ada, b], [ada], [project]]);
        const mixed = (random) => random.pick([[channel], [channel], [b], [b, channel]]);
        return [
            new HttpPublisher(this, 'http', either),
            new HttpPublisher(this, 'http-several', several),
            new NdjsonPublisher(this, 'ndjson', either),
            new SocketPublisher(this, 'socket', several),
            new SocketPublisher(this, 'socket-mixed', mixed),
        ];
    }

    #makeReaders() {
        const { buildByOffset, buildByCursor, buildByMessage, ideByOffset, ideByCursor, sse } = ways;
        const session = (name, id, list) => new SessionReader(this, name, id, list);
        const token = mint({ sub: 'ada' });
        return [
            session('build-offset', 'a', [buildByOffset]),
            session('build-cursor', 'b', [buildByCursor]),
            session('build-message', 'a', [buildByMessage]),
            session('ide', 'b', [ideByOffset, ideByCursor]),
            session('sse', 'a', [sse]),
            session('wanderer', 'a', [buildByOffset, sse, ideByCursor, buildByMessage, buildByCursor, ideByOffset]),
            new EventSourceReader(this, 'eventsource', ['session:b', 'global', 'agent:g']),
            new RoomsReader(this, 'rooms', ['session:a'], { transports: ['websocket'] }),
            new RoomsReader(this, 'rooms-polling', ['session:b'], { transports: ['polling'] }),
            new RoomsReader(this, 'rooms-plain', ['project:p'], { recovery: false }),
            new RoomsReader(this, 'rooms-several', ['project:p', 'session:a'], { again: this.options.kills > 0 }),
            ...(this.options.users ? [new UserReader(this, 'rooms-user', ['user:ada'], { transports: ['websocket'], token })] : []),
            new ChannelReader(this, 'channels', 'c'),
        ];
    }

    // ---- What history says ----

    /**
     * Reads each durable topic's history behind what was read before, or all of it. Everything that
     * anybody has seen by now must be there.
     */
    async audit({ whole = false } = {}) {
        for (const name of [...this.ledger.topics.keys()].filter(isDurable)) {
            const seen = this.ledger.head(name);
            const begin = whole ? 0 : (this.audited.get(name) ?? 0);
            const end = await this.#readHistory(name, begin);
            if (end < seen) throw new Error(`history of ${name} ends with #${end}; somebody has seen #${seen}`);
            this.audited.set(name, end);
        }
        for (const session of ['a', 'b']) await this.#auditState(session);
    }

    async #readHistory(name, begin) {
        let at = begin;
        const headers = { Authorization: `Bearer ${mint({ sub: 'auditor', role: 'admin' })}` };
        for (;;) {
            const target = `/api/v1/topics/${encodeURIComponent(name)}/history?since=${at}&limit=1000`;
            const { status, json, text } = await this.node.get(target, headers);
            if (status !== 200) throw new Error(`GET ${target}: ${status} ${text}`);
            for (const { offset, id } of json.events) {
                if (offset !== at + 1) throw new Error(`history of ${name}: #${offset} stands behind #${at}`);
                this.ledger.claim(name, offset, id, 'history', json.epoch);
                at = offset;
            }
            if (at >= json.offset) return at;
            if (json.events.length === 0) throw new Error(`history of ${name} has nothing behind #${at} of ${json.offset}`);
        }
    }

    /** The session's state is the fold of exactly the events up to the offset that it names. */
    async #auditState(session) {
        const name = `session:${session}`;
        const { status, json, text } = await this.node.get(`/api/build/status/${session}`);
        if (status === 404 && this.ledger.head(name) === 0) return;
        assert.equal(status, 200, text);
        if (json.offset > this.audited.get(name)) this.audited.set(name, await this.#readHistory(name, this.audited.get(name)));
        const { ids } = this.ledger.topic(name);
        const wanted = {};
        for (let offset = 1; offset <= json.offset; offset++) {
            const { component, id } = this.ledger.events.get(ids[offset]);
            if (component) wanted[component] = id;
        }
        const found = Object.fromEntries(Object.entries(json.components).map(([key, { metadata }]) => [key, metadata.id]));
        assert.deepEqual(found, wanted, `the state of ${name} at #${json.offset}`);
    }

    // ---- The run ----

    /** One life of the server, and its end. */
    async #killOnce(number) {
        const { options, random, node } = this;
        await new Promise((resolve) => setTimeout(resolve, random.between(...options.life)));
        const signal = random.pick(options.signals);
        await node.end(signal);
        if (signal === 'SIGKILL' && random.once(8)) await node.startInVain(random.between(0, 40));
        await node.start();
        await this.audit();
        if (number % 50 === 0) options.log(`${number} kills: ${this.summary()}`);
    }

    async #killAndPublish() {
        for (let number = 1; number <= this.options.kills && !this.broken; number++) await this.#killOnce(number);
        await waitFor(() => this.broken || this.ledger.acknowledged >= this.options.events, 'the events', ms(120000));
    }

    /** Ends the publishers when all that they sent is acknowledged, and the readers when they have it. */
    async #settle(publishing) {
        for (const publisher of this.publishers) publisher.stop();
        await publishing;
        const begun = performance.now();
        const late = () => this.readers.filter((reader) => !reader.done());
        await waitFor(() => this.broken || late().length === 0, 'the readers', ms(30000)).catch(() => {
            throw new Error(`these readers never got everything: ${late().map((r) => `${r.name} (${r.progress()})`).join('; ')}`);
        });
        this.settledIn = performance.now() - begun;
    }

    async #run() {
        await this.node.start();
        const reading = Promise.all(this.readers.map((reader) => reader.run()));
        reading.catch((error) => this.fail(error));
        await waitFor(() => this.readers.every((reader) => reader.joined), 'the readers to join');
        const publishing = Promise.all(this.publishers.map((publisher) => publisher.run()));
        publishing.catch((error) => this.fail(error));
        await this.#killAndPublish();
        await this.#settle(publishing);
        for (const reader of this.readers) reader.stop();
        await this.audit({ whole: true });
        for (const reader of this.readers) reader.check();
        this.ledger.check();
        await this.node.end('SIGTERM');
        if (this.broken) throw this.broken;
    }

    summary() {
        const starts = this.node.startedIn.toSorted((a, b) => a - b);
        const deliveries = this.readers.reduce((sum, reader) => sum + reader.received, 0);
        return [
            `${this.node.starts} starts (median ${Math.round(starts[starts.length >> 1])} ms, longest ${Math.round(starts.at(-1))} ms)`,
            `${this.ledger.acknowledged} events acknowledged, ${this.ledger.repeated} of them after they had been stored unheard`,
            `${deliveries} deliveries`,
            ...[...this.counts].map(([what, count]) => `${count} ${what}`),
        ].join(', ');
    }

    async run() {
        try {
            await Promise.race([this.#run(), this.failed]);
        } catch (error) {
            error.message = `${error.message}\n(seed ${this.options.seed}, ${this.summary()}; the server's data: ${this.#keepData()})`;
            throw error;
        } finally {
            for (const part of [...this.publishers, ...this.readers]) part.stop();
            await this.node.cease();
        }
        return this.summary();
    }

    /** After a failure one wants to look at the database. */
    #keepData() {
        const kept = fs.mkdtempSync(path.join(os.tmpdir(), 'fanfare-crash-'));
        fs.cpSync(this.node.options.directory, kept, { recursive: true });
        return kept;
    }
}

/**
 * Publishes over every way in and reads over every dialect while the server is killed `kills` times; see
 * `defaults` for the options. Rejects at the first event that is lost, doubled, out of order or changed.
 * Resolves with a summary for people.
 */
export function crash(options) {
    return new Load(options).run();
}
