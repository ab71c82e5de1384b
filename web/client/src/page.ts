/* What happens to a page around its connections: it sleeps, is put aside, loses the network. */

export interface PageEvents {
    /** It is looked at again, or there is a network again. */
    wake(): void;
    /** It goes to the back/forward cache, which takes no page that has a connection. */
    sleep(): void;
}

/** Returns what ends the watching. In Node.js there is no page and nothing happens. */
export function watchPage({ wake, sleep }: PageEvents): () => void {
    const page = globalThis.document;
    const listeners: [EventTarget | undefined, string, (event: any) => void][] = [
        [globalThis, 'online', wake],
        [globalThis, 'pageshow', ({ persisted }) => persisted && wake()],
        [globalThis, 'pagehide', ({ persisted }) => persisted && sleep()],
        [page, 'resume', wake],
        [page, 'visibilitychange', () => page.visibilityState === 'visible' && wake()],
    ];
    for (const [target, name, handler] of listeners) target?.addEventListener?.(name, handler);
    return () => {
        for (const [target, name, handler] of listeners) target?.removeEventListener?.(name, handler);
    };
}
