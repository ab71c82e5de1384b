import { token } from './server.ts';

/* Asking the server again and again while somebody looks. */

const restFactor = 10;

/** How long to wait after an answer that took since `begun` (performance.now()): what takes long is asked for rarely. */
export function pauseAfter(begun: number, least: number): number {
    return Math.max(least, (performance.now() - begun) * restFactor);
}

/**
 * Calls `turn` at once, and again after as many ms as it says, until the returned function is called.
 * Hidden pages ask nothing; who comes back, gets a network or has another token is told at once.
 */
export function poll(turn: (ended: AbortSignal) => Promise<number>): () => void {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking = false;
    const next = async () => {
        if (asking || document.visibilityState === 'hidden') return;
        asking = true;
        const pause = await turn(ended.signal);
        asking = false;
        if (!ended.signal.aborted) timer = setTimeout(next, pause);
    };
    const atOnce = () => {
        clearTimeout(timer);
        void next();
    };
    document.addEventListener('visibilitychange', atOnce);
    addEventListener('online', atOnce);
    const forgetToken = token.subscribe(atOnce);
    return () => {
        ended.abort();
        clearTimeout(timer);
        forgetToken();
        document.removeEventListener('visibilitychange', atOnce);
        removeEventListener('online', atOnce);
    };
}

/** Why a list could not be had, for its reader. */
export function troubleText(error: unknown): string {
    return error instanceof TypeError ? 'The server does not answer.' : (error as Error).message;
}
