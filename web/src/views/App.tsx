import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { sessionId } from '../store/route.ts';
import { token, tokenWanted } from '../store/server.ts';
import { nextTheme } from '../store/settings.ts';
import { helpOpen } from '../store/shortcuts.ts';
import { Announcer } from './Announcer.tsx';
import { Help } from './Help.tsx';
import { switchNotifications } from './NotifyButton.tsx';
import { SessionList } from './SessionList.tsx';
import { TokenBox } from './TokenBox.tsx';
import { TopBar } from './TopBar.tsx';
import { useShortcuts } from './useShortcuts.ts';

/*
 * What a session needs is a file of its own: the list is there without it. It is asked for at once
 * where a session is opened, and otherwise when the browser has nothing better to do.
 */
type SessionModule = typeof import('./SessionPage.tsx');
const sessionModule = signal<SessionModule | 'failed' | null>(null);

async function loadSessionModule(): Promise<void> {
    if (sessionModule.peek() === 'failed') sessionModule.value = null;
    try {
        sessionModule.value ??= await import('./SessionPage.tsx');
    } catch {
        sessionModule.value = 'failed';
    }
}

if (sessionId.peek()) void loadSessionModule();
else setTimeout(loadSessionModule, 1000);

export function App() {
    useShortcuts('Everywhere', [
        { key: 't', does: 'Light, dark or as the system', act: nextTheme },
        { key: 'n', does: 'Notifications when a build ends', act: () => void switchNotifications() },
        { key: '?', does: 'This help', act: () => (helpOpen.value = !helpOpen.value) },
    ]);
    return (
        <>
            <a class="skip" href="#main" onClick={skipToMain}>
                Skip to the content
            </a>
            <Page />
            <Help />
            <Announcer />
        </>
    );
}

/** Not by the address: what follows # there is a line of the terminal. */
function skipToMain(event: Event): void {
    event.preventDefault();
    focusMain();
}

function focusMain(): void {
    const main = document.getElementById('main');
    main?.setAttribute('tabindex', '-1');
    main?.focus();
}

function Page() {
    const id = sessionId.value;
    const isFirst = useRef(true);
    // Another page without a load: who reads it by ear or key begins at its top.
    useEffect(() => {
        if (isFirst.current) isFirst.current = false;
        else focusMain();
    }, [id]);
    if (tokenWanted.value)
        return (
            <>
                <TopBar />
                <TokenBox />
            </>
        );
    return id ? <LazySession id={id} /> : <SessionList />;
}

function LazySession({ id }: { id: string }) {
    const module = sessionModule.value;
    useEffect(() => void loadSessionModule(), [id]);
    if (module === null || module === 'failed')
        return (
            <>
                <TopBar />
                <Loading failed={module === 'failed'} />
            </>
        );
    return <module.SessionPage key={`${id} ${token.value}`} id={id} />;
}

/* A file that could not be had is asked for again under the same name by a new page only. */
function Loading({ failed }: { failed: boolean }) {
    return (
        <main id="main" class="session" aria-busy={!failed}>
            {failed && (
                <p class="nothing" role="alert">
                    The server does not answer.{' '}
                    <button type="button" class="link" onClick={() => location.reload()}>
                        Load the page again
                    </button>
                </p>
            )}
        </main>
    );
}
