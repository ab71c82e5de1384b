// A TCP proxy that does to connections what networks do: cuts them, also in the middle of a message,
// swallows everything without a word, and is not there at all.
import net from 'node:net';

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
        proxy.fault = () => null; // for each piece, (bytes, toClient): { pass, reset } cuts behind so many of its bytes
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
        const passes = (from, to, bytes) => {
            const fault = this.fault(bytes, to === client);
            if (!fault) return true;
            this.#pairs.delete(pair);
            from.removeAllListeners('data').resume();
            const cut = () => {
                for (const socket of [client, upstream]) fault.reset ? socket.resetAndDestroy() : socket.destroySoon();
            };
            if (fault.pass) to.write(bytes.subarray(0, fault.pass), cut);
            else cut();
            return false;
        };
        this.accepted++;
        this.#pairs.add(pair);
        for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
        client.on('data', (bytes) => !this.#silent && passes(client, upstream, bytes) && upstream.write(bytes));
        upstream.on('data', (bytes) => {
            if (this.#silent || !passes(upstream, client, bytes)) return;
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
