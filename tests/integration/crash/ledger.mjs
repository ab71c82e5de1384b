// What is true about a run of crashes: which event stands at which offset of which topic.
//
// Whoever sees an event - a publisher's acknowledgement, a reader, history - claims it here. Two claims
// that contradict each other are the server's lie, and end the run at once.

/** Random numbers that a seed repeats (mulberry32). */
export class Random {
    #state;

    constructor(seed) {
        this.#state = seed >>> 0;
    }

    /** In [0, 1). */
    fraction() {
        this.#state = (this.#state + 0x6d2b79f5) >>> 0;
        let t = this.#state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    }

    /** A whole number from low up to, but without, high. */
    between(low, high) {
        return low + Math.floor(this.fraction() * (high - low));
    }

    /** True once in `n` times. */
    once(n) {
        return this.between(0, n) === 0;
    }

    pick(list) {
        return list[this.between(0, list.length)];
    }

    /** Another sequence, so that one part's draws do not shift another's. */
    fork() {
        return new Random(this.between(0, 2 ** 32));
    }
}

/** The durable topics: the first claim of a place counts, all others have to agree. */
export class Ledger {
    constructor(fail) {
        this.fail = fail; // called with an Error
        this.topics = new Map(); // name → { epoch, ids: [undefined, id of offset 1, …], places: id → offset }
        this.events = new Map(); // id → event, as it was published
        this.acknowledged = 0;
        this.repeated = 0; // acknowledged after a retry although the first attempt had been stored
    }

    /** The topic's record; it is made when it is first spoken of. */
    topic(name) {
        let topic = this.topics.get(name);
        if (!topic) {
            topic = { name, epoch: undefined, ids: [undefined], places: new Map() };
            this.topics.set(name, topic);
        }
        return topic;
    }

    /** The last offset that anybody has seen. */
    head(name) {
        return this.topic(name).ids.length - 1;
    }

    published(event) {
        this.events.set(event.id, event);
    }

    /** `who` says that event `id` stands at this offset. */
    claim(name, offset, id, who, epoch) {
        const topic = this.topic(name);
        const wrong = (text) => this.fail(new Error(`${who}: ${name} #${offset} (${id}): ${text}`));
        const event = this.events.get(id);
        if (!Number.isInteger(offset) || offset < 1) return wrong('no offset of an event');
        if (!event) return wrong('nobody published that event');
        if (!event.topics.includes(name)) return wrong(`published to ${event.topics} only`);
        if (epoch !== undefined) {
            topic.epoch ??= epoch;
            if (epoch !== topic.epoch) return wrong(`the epoch was ${topic.epoch} and is ${epoch}`);
        }
        const known = topic.ids[offset];
        if (known === undefined) topic.ids[offset] = id;
        else if (known !== id) return wrong(`another event has stood there: ${known}`);
        const place = topic.places.get(id);
        if (place === undefined) topic.places.set(id, offset);
        else if (place !== offset) return wrong(`that event has stood at #${place}`);
    }

    /** A publisher got its answer: the event's places, one for each of its durable topics. */
    acknowledge(event, places, who) {
        if (event.acknowledged) this.fail(new Error(`${who}: ${event.id} was acknowledged twice`));
        event.acknowledged = true;
        this.acknowledged++;
        if (event.sent > 1 && places.some((place) => place.duplicate)) this.repeated++;
        for (const topic of event.topics) {
            const place = places.find((answer) => answer.topic === topic);
            if (!place) this.fail(new Error(`${who}: ${event.id}: no place in ${topic}: ${JSON.stringify(places)}`));
            else if (isDurable(topic)) this.claim(topic, place.offset, event.id, who, place.epoch);
        }
    }

    /** At the end: every offset is taken, every event has all its places, publishers' order was kept. */
    check() {
        for (const topic of this.topics.values()) {
            const last = new Map();
            for (let offset = 1; offset < topic.ids.length; offset++) {
                const id = topic.ids[offset];
                if (id === undefined) throw new Error(`${topic.name}: nobody ever saw #${offset} of ${topic.ids.length - 1}`);
                const { publisher, n, refused } = this.events.get(id);
                const before = last.get(publisher) ?? -1;
                if (n <= before && !refused) {
                    throw new Error(`${topic.name} #${offset}: ${publisher} published ${n} before ${before}`);
                }
                last.set(publisher, Math.max(n, before));
            }
        }
        for (const event of this.events.values()) {
            if (!event.acknowledged) continue;
            for (const topic of event.topics.filter(isDurable)) {
                if (!this.topic(topic).places.has(event.id)) throw new Error(`${topic}: ${event.id} is nowhere`);
            }
        }
    }
}

/** Channels are not durable; with them only what a life of the server promises holds. */
export const isDurable = (topic) => !topic.startsWith('channel:');
