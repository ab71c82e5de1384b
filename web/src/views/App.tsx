import { sessionId } from '../store/route.ts';
import { token, tokenWanted } from '../store/server.ts';
import { helpOpen } from '../store/shortcuts.ts';
import { Announcer } from './Announcer.tsx';
import { Help } from './Help.tsx';
import { SessionList } from './SessionList.tsx';
import { everywhere, SessionPage } from './SessionPage.tsx';
import { TokenBox } from './TokenBox.tsx';
import { TopBar } from './TopBar.tsx';
import { useShortcuts } from './useShortcuts.ts';

export function App() {
    useShortcuts('Everywhere', [...everywhere, { key: '?', does: 'This help', act: () => (helpOpen.value = !helpOpen.value) }]);
    return (
        <>
            <a class="skip" href="#main" onClick={skipToMain}>Skip to the content</a>
            <Page />
            <Help />
            <Announcer />
        </>
    );
}

/** Not by the address: what follows # there is a line of the terminal. */
function skipToMain(event: Event): void {
    event.preventDefault();
    const main = document.getElementById('main');
    main?.setAttribute('tabindex', '-1');
    main?.focus();
}

function Page() {
    if (tokenWanted.value) return <><TopBar /><TokenBox /></>;
    const id = sessionId.value;
    return id ? <SessionPage key={`${id} ${token.value}`} id={id} /> : <SessionList />;
}
