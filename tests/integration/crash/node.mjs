// A server that is killed and started again, on the same port and data directory.
import net from 'node:net';
import { once } from 'node:events';
import { request, startServer, temporaryDirectory } from '../harness.mjs';

/**
 * A free port below those that the kernel gives to outgoing connections. Clients that keep trying a
 * port nobody listens at could otherwise, sooner or later, be connected to themselves there, and the
 * server could not come back.
 */
async function freePort(random) {
    for (;;) {
        const port = random.between(10240, 32768);
        const probe = net.createServer();
        probe.listen(port, '127.0.0.1');
        const outcome = await Promise.race([once(probe, 'listening').then(() => true), once(probe, 'error').then(() => false)]);
        if (!outcome) continue;
        probe.close();
        await once(probe, 'close');
        return port;
    }
}

export class Node {
    #ready;
    #open;
    #finish = async () => {};

    /** options: those of startServer. */
    constructor(random, options) {
        this.random = random;
        this.options = { directory: temporaryDirectory(), ...options };
        this.starts = 0;
        this.startedIn = []; // ms that each start took
        this.#close();
    }

    #close() {
        this.#ready = new Promise((resolve) => (this.#open = resolve));
    }

    /** Resolves when there is a server; at once while there is one. */
    up() {
        return this.#ready;
    }

    async start(spawned) {
        this.port ??= await freePort(this.random);
        this.url = `http://127.0.0.1:${this.port}`;
        const begun = performance.now();
        this.server = await startServer({
            listen: `127.0.0.1:${this.port}`,
            ...this.options,
            t: { after: (finish) => (this.#finish = finish) },
            spawned,
        });
        this.starts++;
        this.startedIn.push(performance.now() - begun);
        this.#open();
    }

    /** Ends it by a signal; what it printed is looked at, as after every test. */
    async end(signal) {
        this.#close();
        this.server.mayEndBadly = signal === 'SIGKILL';
        await this.server.stop(signal);
        await this.#finish();
    }

    /** A start that does not get far. */
    async startInVain(milliseconds) {
        const stillborn = this.start((child) => setTimeout(() => child.kill('SIGKILL'), milliseconds));
        await stillborn.then(() => this.end('SIGKILL'), () => {});
    }

    /** Whatever state it is in: no process is left behind. */
    async cease() {
        if (!this.server?.alive) return;
        this.server.mayEndBadly = true;
        await this.server.stop('SIGKILL');
    }

    get(target, headers) {
        return request(`${this.url}${target}`, { headers });
    }
}
