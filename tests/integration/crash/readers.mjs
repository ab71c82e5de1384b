// Readers of every dialect that come back where they were. Each checks what it gets as it comes: no hole,
// no double, nothing out of order; the ledger checks that all of them tell the same story.
import { EventSource } from 'eventsource';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { EventStream } from '../harness.mjs';
import { isDurable } from './ledger.mjs';

const idOf = (data) => data.id ?? data.metadata?.id;

/** What all readers have in common. */
class Reader {
    constructor(load, name, topics) {
        Object.assign(this, { load, name, topics, random: load.random.fork() });
        this.at = new Map(topics.map((topic) => [topic, 0]));
        this.received = 0;
        this.joined = true; // so far that publishing may begin
        this.stopping = false;
        this.story = []; // what happened to it last, for when something is wrong
    }

    note(text) {
        this.story.push(text);
        if (this.story.length > 60) this.story.shift();
    }

    wrong(text) {
        this.load.fail(new Error(`${this.name}: ${text}\nbefore that: ${this.story.join(', ')}`));
    }

    /** An event of a reader of one topic: always the next one. */
    next(topic, offset, id, epoch) {
        const at = this.at.get(topic);
        this.note(`#${offset}`);
        if (offset !== at + 1) this.wrong(`${topic} #${offset} (${id}) came behind #${at}`);
        this.at.set(topic, offset);
        this.received++;
        this.load.ledger.claim(topic, offset, id, this.name, epoch);
    }

    /** Whether it has everything there is. */
    done() {
        return this.topics.every((topic) => !isDurable(topic) || this.at.get(topic) === this.load.ledger.head(topic));
    }

    progress() {
        return [...this.at].map(([topic, at]) => `${topic} #${at} of ${this.load.ledger.head(topic)}`).join(', ');
    }

    /** At the end; readers of several topics compare with the ledger here. */
    check() {}

    /** After how many events it drops its own connection, for the sake of it. */
    patience() {
        return this.random.between(...this.load.options.stay);
    }
}

/** One session, followed over one way after the other; each goes on where the last one ended. */
export class SessionReader extends Reader {
    constructor(load, name, session, ways) {
        super(load, name, [`session:${session}`]);
        this.session = session;
        this.ways = ways;
        this.epoch = undefined;
        this.greeted = 0; // what the last greeting said is the topic's last event
        // Cursors stand for positions that greetings named; one can be used once all up to it has come.
        this.cursors = [];
        this.cursor = undefined;
    }

    get position() {
        return this.at.get(this.topics[0]);
    }

    async run() {
        for (let turn = 0; !this.stopping; turn++) {
            await this.load.node.up();
            this.left = this.patience();
            await this.ways[turn % this.ways.length](this);
            this.load.count('connections');
        }
    }

    /** A greeting, or an answer that says where the topic is. */
    learn({ epoch, offset, cursor }) {
        this.note(`greeted at #${offset}, has #${this.position}`);
        if (this.epoch !== undefined && epoch !== this.epoch) this.wrong(`the epoch was ${this.epoch} and is ${epoch}`);
        this.epoch = epoch;
        this.greeted = offset;
        this.cursors.push({ offset, cursor });
    }

    /** An event; `cursor` where the dialect tells one with each. */
    take(offset, id, cursor) {
        this.next(this.topics[0], offset, id);
        if (cursor) this.cursor = { offset, cursor };
        else while (this.cursors[0]?.offset <= offset) this.cursor = this.cursors.shift();
        // Not before it has what it missed: resuming with a greeting's cursor it would never get on.
        if (--this.left <= 0 && offset >= this.greeted) this.drop();
    }

    /** Where to resume with a cursor. What came behind it comes again. */
    rewind() {
        if (!this.cursor) return undefined;
        this.at.set(this.topics[0], this.cursor.offset);
        return this.cursor.cursor;
    }

    drop() {
        this.leave?.();
    }

    stop() {
        this.stopping = true;
        this.leave?.();
    }

    /** Opens a WebSocket and gives each message to `on`, until it ends. */
    async follow(target, on, begin = () => {}) {
        const socket = new WebSocket(this.load.node.url.replace(/^http/, 'ws') + target);
        let leaving = false;
        this.leave = () => {
            leaving = true;
            socket.terminate();
        };
        await new Promise((resolve) => {
            socket.on('message', (data) => { if (!leaving) on(JSON.parse(data.toString()), socket); });
            socket.on('open', () => begin(socket)).on('error', () => {}).on('close', resolve);
        });
        this.leave = undefined;
        this.cursors.length = 0;
    }
}

// Where a reader that has nothing yet begins.
const byOffset = (reader) => (reader.epoch ? `?epoch=${reader.epoch}&since=${reader.position}` : '?since=0');

const byCursor = (reader) => {
    const cursor = reader.rewind();
    return cursor ? `?cursor=${cursor}` : byOffset(reader);
};

const isControl = (type) => ['connection', 'connect', 'disconnect', 'resumed', 'resume_failed', 'gap', 'build_status', 'error'].includes(type);

/** Greetings are learnt from, losses reported; what is left are events. */
function control(reader, type, fields) {
    if (type === 'connection' || type === 'connect') reader.learn(fields);
    else if (type === 'resume_failed' || type === 'gap' || type === 'error') reader.wrong(`was told ${type}: ${JSON.stringify(fields)}`);
}

const build = (where) => (reader) => reader.follow(`/api/build/stream/${reader.session}${where(reader)}`, (message) => {
    if (isControl(message.type)) control(reader, message.type, message);
    else reader.take(message.offset, idOf(message));
});

const ide = (where) => (reader) => reader.follow(`/ws/${reader.session}${where(reader)}`, (message) => {
    if (isControl(message.type)) control(reader, message.type, message.data);
    else reader.take(message.offset, idOf(message.data));
});

/** Live first, and the missed events by a message: what comes before `resumed` is put in order. */
async function buildByMessage(reader) {
    const early = [];
    let resumed = false;
    await reader.follow(`/api/build/stream/${reader.session}${reader.epoch ? '' : '?since=0'}`, (message, socket) => {
        if (isControl(message.type)) {
            const first = message.type === 'connection';
            if (first && reader.epoch) socket.send(JSON.stringify({ type: 'resume', epoch: reader.epoch, offset: reader.position }));
            control(reader, message.type, message);
            if (message.type !== 'resumed') return;
            resumed = true;
            early.sort((a, b) => a.offset - b.offset);
            for (const event of early.splice(0)) reader.take(event.offset, idOf(event));
        } else if (resumed) {
            reader.take(message.offset, idOf(message));
        } else {
            early.push(message);
        }
    });
}

async function sse(reader) {
    const cursor = reader.rewind();
    const topic = encodeURIComponent(reader.topics[0]);
    const stream = new EventStream(`${reader.load.node.url}/events?topic=${topic}&since=0`, cursor ? { 'Last-Event-ID': cursor } : {});
    let leaving = false;
    reader.leave = () => {
        leaving = true;
        stream.close();
    };
    if (!cursor) reader.at.set(reader.topics[0], 0);
    try {
        const response = await stream.response;
        if (response.statusCode !== 200) reader.wrong(`/events answered ${response.statusCode}`);
        for (;;) {
            const { id, json } = await stream.next(undefined, 2 ** 31 - 1);
            if (leaving) break;
            if (id) reader.take(json.offset, idOf(json.data), id);
            else reader.wrong(`was told ${JSON.stringify(json)}`);
        }
    } catch {
        // The stream ended; the next way goes on.
    }
    reader.leave = undefined;
}

export const ways = {
    buildByOffset: build(byOffset),
    buildByCursor: build(byCursor),
    buildByMessage,
    ideByOffset: ide(byOffset),
    ideByCursor: ide(byCursor),
    sse,
};

/**
 * A reader of several topics at once. An event that stands in two of them comes once, so numbers have
 * holes that are no loss: what is missing shows at the end.
 */
class ManyTopicsReader extends Reader {
    constructor(...rest) {
        super(...rest);
        this.seen = new Map(); // id → where it was shown
    }

    take(topic, offset, id) {
        const at = this.at.get(topic);
        this.note(`${topic} #${offset}`);
        if (this.seen.has(id)) return this.wrong(`${topic} #${offset} (${id}) came already, as ${this.seen.get(id)}`);
        if (offset <= at) this.wrong(`${topic} #${offset} (${id}) came behind #${at}`);
        this.seen.set(id, `${topic} #${offset}`);
        this.at.set(topic, offset);
        this.received++;
        this.load.ledger.claim(topic, offset, id, this.name);
    }

    #wanted() {
        return new Set(this.topics.flatMap((topic) => this.load.ledger.topic(topic).ids.slice(1)));
    }

    done() {
        return this.seen.size === this.#wanted().size;
    }

    progress() {
        const missing = [...this.#wanted()].filter((id) => !this.seen.has(id));
        return `${super.progress()}, without ${missing.length}, such as ${missing.slice(0, 5).map((id) => this.#whereIs(id))}`;
    }

    #whereIs(id) {
        const topics = this.topics.map((name) => this.load.ledger.topic(name)).filter(({ places }) => places.has(id));
        return `${id} (${topics.map(({ name, places }) => `${name} #${places.get(id)}`)})`;
    }

    check() {
        if (!this.done()) this.wrong(this.progress());
    }
}

/** The EventSource that browsers have: it reconnects by itself, with Last-Event-ID. */
export class EventSourceReader extends ManyTopicsReader {
    async run() {
        const query = this.topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
        this.source = new EventSource(`${this.load.node.url}/events?${query}&since=0`);
        this.source.onmessage = ({ data, lastEventId }) => {
            const event = JSON.parse(data);
            if (event.id === undefined || !lastEventId) this.wrong(`was told ${data}`);
            else this.take(event.topic, event.offset, idOf(event.data));
        };
        this.source.onopen = () => this.load.count('connections');
    }

    stop() {
        this.source.close();
    }
}

/**
 * Rooms with the stock Socket.IO client. It reconnects by itself; where the server could not recover it,
 * it subscribes again behind the last event: by the cursor that came with it, or, with several rooms or
 * without cursors (recovery: false), by each room's offset. Offsets do not say that an event which was
 * shown in one room stands in another one, too: with option `again` such events may come again then.
 */
export class RoomsReader extends ManyTopicsReader {
    constructor(load, name, topics, { token, recovery, again = false, ...options } = {}) {
        super(load, name, topics);
        this.again = again;
        this.options = { auth: { token, recovery }, ...options };
        this.epochs = new Map();
        this.left = this.patience();
    }

    async run() {
        this.socket = io(`${this.load.node.url}/ws`, {
            forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 200, ...this.options,
        });
        this.socket.on('connect', () => this.join());
        this.socket.on('disconnect', (reason) => this.note(reason));
        this.socket.on('connect_error', () => {});
        this.socket.onAny((name, event, cursor) => {
            if (name === 'gap' || name === 'error') this.wrong(`was told ${JSON.stringify(event)}`);
            if (!this.at.has(event?.room)) return; // `global`, which everybody is in
            if (cursor) this.cursor = cursor;
            this.hear(event);
            this.#endure();
        });
    }

    async join() {
        this.load.count('connections');
        this.note(this.socket.recovered ? 'recovered' : 'connected');
        if (this.socket.recovered) return this.load.count('recovered');
        const { id } = this.socket;
        this.left = this.patience(); // recovery takes over when all rooms are joined
        const answers = await Promise.all(this.topics.map((room) =>
            this.socket.timeout(20000).emitWithAck('subscribe', this.#position(room)).catch(() => undefined)));
        this.note('joined');
        if (this.socket.id !== id) return; // gone again: the next connection joins
        for (const [i, answer] of answers.entries()) {
            if (answer?.status !== 'success') return this.wrong(`${this.topics[i]}: ${JSON.stringify(answer)}`);
            this.epochs.set(this.topics[i], answer.epoch);
        }
    }

    #position(room) {
        const epoch = this.epochs.get(room);
        if (this.cursor && this.topics.length === 1) return { room, cursor: this.cursor };
        return epoch ? { room, since: this.at.get(room), epoch } : { room, since: 0 };
    }

    hear({ room, offset, data }) {
        const id = idOf(data);
        const shared = this.load.ledger.events.get(id)?.topics.length > 1;
        if (this.again && shared && this.seen.has(id)) this.load.count('shown again in another room');
        else this.take(room, offset, id);
    }

    /**
     * Drops its connection now and then; the client comes back by itself. Not from inside a listener:
     * the client would keep what it has read already for later, and still ask for it again.
     */
    #endure() {
        if (--this.left > 0) return;
        this.left = this.patience();
        setImmediate(() => this.socket.io.engine?.close());
    }

    stop() {
        this.socket.disconnect();
    }
}

/**
 * A user who is given, on connecting, what came to them while they were away: at least once, and in
 * order but for what comes again.
 */
export class UserReader extends RoomsReader {
    constructor(...rest) {
        super(...rest);
        this.joined = false; // nothing is kept for a user who has never been there
    }

    async join() {
        this.load.count('connections');
        this.joined = true;
    }

    hear({ room, offset, data, replayed }) {
        const id = idOf(data);
        if (!replayed || !this.seen.has(id)) return this.take(room, offset, id);
        this.received++;
        return this.load.ledger.claim(room, offset, id, this.name);
    }
}

/** A channel: in order and without holes as long as the server lives; a new life is said. */
export class ChannelReader extends Reader {
    constructor(load, name, channel) {
        super(load, name, [`channel:${channel}`]);
        this.channel = channel;
    }

    async run() {
        while (!this.stopping) {
            await this.load.node.up();
            await this.#follow();
            this.load.count('connections');
        }
    }

    async #follow() {
        const socket = new WebSocket(`${this.load.node.url.replace(/^http/, 'ws')}/ws`);
        let left = this.patience();
        this.leave = () => socket.terminate();
        const wish = { since: this.offset ?? 0, epoch: this.epoch };
        const subscribe = { id: 1, type: 'subscribe', channel: this.channel, ...wish };
        await new Promise((resolve) => {
            socket.on('open', () => socket.send(JSON.stringify(subscribe)));
            socket.on('message', (data) => {
                const message = JSON.parse(data.toString());
                if (message.id === 1) this.#joined(message.data, wish);
                else if (message.type === 'gap') this.#gap(message, wish);
                else if (message.type === 'event') this.#take(message);
                if (message.type === 'event' && --left <= 0) socket.terminate();
            });
            socket.on('error', () => {}).on('close', resolve);
        });
        this.leave = undefined;
    }

    #joined({ status, epoch, offset }, wish) {
        if (status !== 'subscribed') return this.wrong('was not subscribed');
        this.renewed = wish.epoch !== undefined && wish.epoch !== epoch;
        if (this.renewed) this.offset = offset; // and the gap follows
        this.epoch = epoch;
    }

    #gap(message) {
        if (!this.renewed || message.reason !== 'epoch_changed') this.wrong(`was told ${JSON.stringify(message)}`);
        this.renewed = false;
        this.load.count('new lives of channels');
    }

    #take({ offset, data }) {
        if (this.renewed) this.wrong(`nobody said that the channel is a new one, and #${offset} came`);
        const at = this.offset ?? 0;
        if (offset !== at + 1) this.wrong(`${this.channel} #${offset} (${idOf(data)}) came behind #${at}`);
        this.offset = offset;
        this.received++;
    }

    progress() {
        return `${this.channel} #${this.offset}`;
    }

    stop() {
        this.stopping = true;
        this.leave?.();
    }
}
