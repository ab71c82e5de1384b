// Publishers that lose nothing: what was not acknowledged is sent again with the same id, in the same
// order, as soon as there is a server again.
import http from 'node:http';
import WebSocket from 'ws';

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What all ways in have in common: making events, and taking answers in the order of the events. */
class Publisher {
    #made = 0;

    constructor(load, name, topics) {
        Object.assign(this, { load, name, random: load.random.fork() });
        this.topics = topics; // () → the topics of the next event
        this.waiting = []; // sent and not yet answered, oldest first
        this.stopping = false;
    }

    /** The next event, one in five of a kind that is folded into the session's state. */
    make() {
        const n = this.#made++;
        const id = `${this.name}-${n}`;
        const topics = this.topics(this.random);
        const folded = this.random.once(5) && topics.every((topic) => topic.startsWith('session:'));
        const pad = 'x'.repeat(this.random.once(50) ? this.random.between(0, 30000) : this.random.between(0, 300));
        const event = { id, n, publisher: this.name, topics, sent: 0 };
        const body = folded
            ? { type: 'component_update', data: { component_id: this.name, status: 'in_progress', progress: n % 100, metadata: { id } } }
            : { type: 'tick', data: { id, pad } };
        event.component = folded ? this.name : undefined;
        event.text = JSON.stringify({ id, ...(topics.length > 1 ? { topics } : { topic: topics[0] }), ...body });
        this.load.ledger.published(event);
        return event;
    }

    /** One answer, to the oldest event. Returns false when it was refused: it is to be sent again. */
    take(answer) {
        const event = this.waiting.shift();
        if (!event) return this.load.fail(new Error(`${this.name}: an answer to nothing: ${JSON.stringify(answer)}`));
        if (answer.error) {
            // Only what is busy or failing may be said; and it is no answer about the event's place.
            if (answer.error.status !== 503) {
                this.load.fail(new Error(`${this.name}: ${event.id}: ${JSON.stringify(answer)}`));
            }
            event.refused = true;
            this.load.count('refused');
            this.waiting.push(event);
            return false;
        }
        const places = answer.results ?? [answer];
        this.load.ledger.acknowledge(event, places, this.name);
        event.text = undefined; // is not sent again; a long run has many
        return true;
    }

    /** Events of a burst, no more than this many. */
    burst(most) {
        return Array.from({ length: this.random.between(1, most + 1) }, () => this.make());
    }

    /** Load that comes in bursts, as programs make it. */
    rest() {
        return pause(this.random.between(0, this.load.options.pause));
    }

    stop() {
        this.stopping = true;
    }
}

/** POST /api/v1/publish, one event at a time. */
export class HttpPublisher extends Publisher {
    async run() {
        const agent = new http.Agent({ keepAlive: true });
        while (!this.stopping) {
            this.waiting.push(this.make());
            while (this.waiting.length > 0) await this.#attempt(agent);
            await this.rest();
        }
        agent.destroy();
    }

    async #attempt(agent) {
        await this.load.node.up();
        const [event] = this.waiting;
        event.sent++;
        const answer = await this.#post(agent, event.text).catch(() => undefined);
        if (!answer) this.load.count('retries');
        else if (!this.take(answer)) await pause(20);
    }

    #post(agent, body) {
        return new Promise((resolve, reject) => {
            const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
            const request = http.request(`${this.load.node.url}/api/v1/publish`, { method: 'POST', agent, headers }, (response) => {
                let text = '';
                response.setEncoding('utf8').on('data', (piece) => (text += piece)).on('error', reject);
                response.on('end', () => (response.complete ? resolve(JSON.parse(text)) : reject(new Error('cut off'))));
            });
            request.on('error', reject);
            request.end(body);
        });
    }
}

/** What sends on while answers come: a window of events under way over one connection after the other. */
class StreamPublisher extends Publisher {
    #wake = () => {};

    async run() {
        while (!this.stopping || this.waiting.length > 0) {
            await this.load.node.up();
            const line = await this.connect().catch(() => undefined);
            if (!line) continue;
            if (this.waiting.length > 0) this.load.count('retries');
            this.#send(line, this.waiting);
            await this.#feed(line);
            line.end();
        }
    }

    #send(line, events) {
        for (const event of events) event.sent++;
        if (events.length > 0) line.send(events);
    }

    async #feed(line) {
        const life = line.events ?? Infinity;
        let sent = 0;
        while (!line.broken) {
            const closing = this.stopping || sent >= life;
            if (closing && this.waiting.length === 0) return;
            if (closing || this.waiting.length > 64) {
                await new Promise((resolve) => (this.#wake = resolve));
                continue;
            }
            const events = this.burst(30);
            this.waiting.push(...events);
            sent += events.length;
            this.#send(line, events);
            await this.rest();
        }
    }

    stop() {
        super.stop();
        this.#wake();
    }

    /** For connect(): an answer came over this line. */
    answered(line, answer) {
        if (!this.take(answer)) {
            const event = this.waiting.at(-1);
            setTimeout(() => { if (!line.broken && this.waiting.includes(event)) this.#send(line, [event]); }, 20);
        }
        this.#wake();
    }

    broke(line) {
        line.broken = true;
        this.#wake();
    }
}

/** One endless request of NDJSON, answered line by line; every few hundred events a new one. */
export class NdjsonPublisher extends StreamPublisher {
    async connect() {
        const options = { method: 'POST', agent: false, headers: { 'Content-Type': 'application/x-ndjson' } };
        const request = http.request(`${this.load.node.url}/api/v1/publish?ack=each`, options);
        const line = {
            events: this.random.between(100, 600),
            send: (events) => request.write(events.map((event) => `${event.text}\n`).join('')),
            end: () => request.end(),
        };
        request.on('error', () => this.broke(line));
        request.on('response', (response) => this.#read(line, response));
        request.flushHeaders();
        return line;
    }

    #read(line, response) {
        let rest = '';
        response.setEncoding('utf8').on('error', () => {}).on('close', () => this.broke(line));
        response.on('data', (piece) => {
            const lines = (rest + piece).split('\n');
            rest = lines.pop();
            for (const text of lines) {
                const answer = JSON.parse(text);
                if (!('published' in answer)) this.answered(line, answer); // else: the sum at the end
            }
        });
    }
}

/** The WebSocket for publishers, with events alone and in arrays. */
export class SocketPublisher extends StreamPublisher {
    async connect() {
        const socket = new WebSocket(`${this.load.node.url.replace(/^http/, 'ws')}/api/v1/publish`);
        const line = {
            send: (events) => this.#send(socket, events),
            end: () => socket.close(),
        };
        socket.on('message', (data) => {
            for (const answer of [JSON.parse(data.toString())].flat()) this.answered(line, answer);
        });
        await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
        socket.on('close', () => this.broke(line));
        return line;
    }

    #send(socket, events) {
        if (this.random.once(2)) socket.send(`[${events.map((event) => event.text).join(',')}]`);
        else for (const event of events) socket.send(event.text);
    }
}
