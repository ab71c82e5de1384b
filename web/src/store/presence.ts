import { signal } from '@preact/signals';
import { ask } from './server.ts';

/* Who else follows a topic; asked for while someone looks at the page. */

export interface Watcher {
    connection_id: string;
    user_id: string | null;
    dialect: string;
    /** RFC 3339. */
    since: string;
}

const interval = 8_000;

export const watchers = signal<Watcher[] | null>(null);

export async function askPresence(topic: string, signal: AbortSignal): Promise<Watcher[]> {
    const path = `api/v1/topics/${encodeURIComponent(topic)}/presence`;
    return (await ask<{ connections: Watcher[] }>(path, { signal })).connections;
}

/** Until the returned function is called. */
export function followPresence(topic: string): () => void {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async () => {
        clearTimeout(timer);
        if (document.visibilityState === 'visible') {
            try {
                watchers.value = await askPresence(topic, ended.signal);
            } catch {
                if (!ended.signal.aborted) watchers.value = null;
            }
        }
        if (!ended.signal.aborted) timer = setTimeout(turn, interval);
    };
    document.addEventListener('visibilitychange', turn);
    timer = setTimeout(turn, 300);
    return () => {
        ended.abort();
        clearTimeout(timer);
        watchers.value = null;
        document.removeEventListener('visibilitychange', turn);
    };
}
