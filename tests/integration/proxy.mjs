// A TCP proxy that does to connections what networks do: cuts them, also in the middle of a message,
// swallows everything without a word, and is not there at all.
import net from 'node:net';

const silence = 2000; // in milliseconds: browsers have but few connections to a host

export class Proxy {
    #pairs = new Set();
    #server;
    #silent = false;

    /** Listens on a free port in front of target, a port. */
    static async start(t, target) {
        const proxy = new Proxy();
        proxy.target = target;
        proxy.accepted = 0;
        proxy.budget = () => Infinity; // bytes that the next connection may carry back to the client
        // For each piece, (bytes, toClient): { pass, how } ends the connection behind so many of its bytes;
        // how: 'reset', 'closed', or 'silent', when nothing comes through any more and nobody is told for a while.
        proxy.fault = () => null;
        await proxy.listen();
        t.after(() => proxy.stop());
        return proxy;
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    async listen() {
        this.#server = net.createServer((client) => this.#accept(client));
        await new Promise((resolve, reject) => {
            this.#server.once('error', reject);
            this.#server.listen(this.port ?? 0, '127.0.0.1', resolve);
        });
        this.port = this.#server.address().port;
    }

    #accept(client) {
        const upstream = net.connect(this.target, '127.0.0.1');
        const pair = { client, upstream };
        const end = () => {
            this.#pairs.delete(pair);
            client.destroy();
            upstream.destroy();
        };
        let left = this.budget();
        let swallows = false;
        const passes = (to, bytes) => {
            if (swallows || this.#silent) return false;
            const fault = this.fault(bytes, to === client);
            if (!fault) return true;
            swallows = true;
            const cut = () => {
                if (fault.how === 'silent') setTimeout(end, silence);
                if (fault.how === 'closed') [client, upstream].forEach((socket) => socket.destroySoon());
                if (fault.how === 'reset') [client, upstream].forEach((socket) => socket.resetAndDestroy());
            };
            if (fault.pass) to.write(bytes.subarray(0, fault.pass), cut);
            else cut();
            return false;
        };
        this.accepted++;
        this.#pairs.add(pair);
        for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
        client.on('data', (bytes) => passes(upstream, bytes) && upstream.write(bytes));
        upstream.on('data', (bytes) => {
            if (!passes(client, bytes)) return;
            client.write(bytes.subarray(0, left), () => left <= 0 && end());
            left -= bytes.length;
        });
    }

    /** Cuts all connections. */
    cut() {
        for (const { client, upstream } of this.#pairs) {
            client.resetAndDestroy();
            upstream.destroy();
        }
    }

    /** From now on nothing comes through, and nobody is told. */
    silence(silent = true) {
        this.#silent = silent;
    }

    get connections() {
        return this.#pairs.size;
    }

    stop() {
        this.#server.close();
        this.cut();
    }
}
