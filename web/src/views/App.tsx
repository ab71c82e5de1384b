import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { roomTopic, route, sessionId } from '../store/route.ts';
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
 * What a session or a room needs is a file of its own: the list of sessions is there without it. It is
 * asked for at once where it is opened, and otherwise when the browser has nothing better to do.
 */
function lazy<Module>(fetchIt: () => Promise<Module>) {
    const module = signal<Module | 'failed' | null>(null);
    const load = async (): Promise<void> => {
        if (module.peek() === 'failed') module.value = null;
        try {
            module.value ??= await fetchIt();
        } catch {
            module.value = 'failed';
        }
    };
    return { module, load };
}

const sessionFile = lazy(() => import('./SessionPage.tsx'));
const roomsFile = lazy(() => import('./RoomsPage.tsx'));
const showsRooms = () => roomTopic.value !== null || (!sessionId.value && route.value.list !== 'sessions');

if (sessionId.peek()) void sessionFile.load();
else if (showsRooms()) void roomsFile.load();
setTimeout(() => {
    void sessionFile.load();
    void roomsFile.load();
}, 1000);

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
    const { session: id, room, list } = route.value;
    const isFirst = useRef(true);
    // Another page without a load: who reads it by ear or key begins at its top.
    useEffect(() => {
        if (isFirst.current) isFirst.current = false;
        else focusMain();
    }, [id, room, list]);
    if (tokenWanted.value)
        return (
            <>
                <TopBar />
                <TokenBox />
            </>
        );
    if (id)
        return (
            <Lazy key={id} file={sessionFile}>
                {({ SessionPage }) => <SessionPage key={`${id} ${token.value}`} id={id} />}
            </Lazy>
        );
    if (room)
        return (
            <Lazy key={room} file={roomsFile}>
                {({ RoomPage }) => <RoomPage key={`${room} ${token.value}`} topic={room} />}
            </Lazy>
        );
    if (list === 'sessions') return <SessionList />;
    return (
        <Lazy key={list} file={roomsFile}>
            {({ RoomList, PeopleList }) => (list === 'rooms' ? <RoomList /> : <PeopleList />)}
        </Lazy>
    );
}

interface LazyProps<Module> {
    file: ReturnType<typeof lazy<Module>>;
    children(module: Module): ComponentChildren;
}

function Lazy<Module>({ file, children }: LazyProps<Module>) {
    const module = file.module.value;
    useEffect(() => void file.load(), []);
    if (module === null || module === 'failed')
        return (
            <>
                <TopBar />
                <Loading failed={module === 'failed'} />
            </>
        );
    return <>{children(module)}</>;
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
