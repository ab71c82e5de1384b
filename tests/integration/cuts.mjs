// Cuts connections that carry HTTP at every point of an exchange, in an order that a seed decides.

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function random(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
}

const headEnd = (text) => text.indexOf('\r\n\r\n') + 4;
const isPost = (text) => text.startsWith('POST ');
const isRequest = (text) => isPost(text) || text.startsWith('GET ');
const isAnswer = (text) => text.startsWith('HTTP/1.1 ');
const middle = (text) => headEnd(text) + Math.ceil((text.length - headEnd(text)) / 2);

/** Where a connection may break: which way, in what piece, and how much of that still comes through. */
export const places = {
    'before a request': { toClient: false, matches: isRequest, pass: () => 0 },
    'in the midst of a request\'s head': { toClient: false, matches: isRequest, pass: (text) => text.length >> 2 },
    'in the midst of a post\'s body': { toClient: false, matches: isPost, pass: middle },
    'behind a request': { toClient: false, matches: isRequest, pass: (text) => text.length },
    'behind a post': { toClient: false, matches: isPost, pass: (text) => text.length },
    'before an answer': { toClient: true, matches: isAnswer, pass: () => 0 },
    'in the midst of an answer\'s head': { toClient: true, matches: isAnswer, pass: () => 30 },
    'behind an answer\'s head': { toClient: true, matches: isAnswer, pass: headEnd },
    'in the midst of an answer': { toClient: true, matches: isAnswer, pass: middle },
    'behind an answer': { toClient: true, matches: isAnswer, pass: (text) => text.length },
};

const ways = ['reset', 'reset', 'closed', 'closed', 'silent'];

export class Cuts {
    #armed = null;
    #proxy;
    #random;

    constructor(proxy, seed) {
        this.#proxy = proxy;
        this.#random = random(seed);
        this.made = [];
        proxy.fault = (bytes, toClient) => this.#decide(bytes.toString('latin1'), toClient);
    }

    #decide(text, toClient) {
        const armed = this.#armed;
        if (!armed || places[armed.place].toClient !== toClient || !places[armed.place].matches(text)) return null;
        if (armed.skip-- > 0) return null;
        this.#armed = null;
        this.made.push(armed);
        armed.done();
        return { pass: places[armed.place].pass(text), how: armed.how };
    }

    /** The last cut, in words. */
    get last() {
        const { place, how } = this.made.at(-1);
        return `${place}, ${how}`;
    }

    /** The next cut, decided by the seed; resolves when it was made. */
    async next() {
        const names = Object.keys(places);
        const place = names[Math.floor(this.#random() * names.length)];
        const how = ways[Math.floor(this.#random() * ways.length)];
        const skip = Math.floor(this.#random() * 4);
        await new Promise((done) => (this.#armed = { place, how, skip, done }));
    }
}

/** Events that are published one after the other, numbered from 0, until they are stopped. */
export class Traffic {
    #going = true;
    #loop;

    constructor(publish) {
        this.#loop = (async () => {
            let n = 0;
            for (; this.#going; n++) {
                await publish(n);
                await new Promise((resolve) => setTimeout(resolve, 3));
            }
            return n;
        })();
    }

    /** How many there were. */
    async stop() {
        this.#going = false;
        return this.#loop;
    }
}
