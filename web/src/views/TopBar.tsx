import type { ComponentChildren } from 'preact';
import { addressOf, go, type List, lists, route } from '../store/route.ts';
import { isDark, nextTheme, theme } from '../store/settings.ts';
import { helpOpen } from '../store/shortcuts.ts';
import { Icon } from './Icon.tsx';
import { followLink } from './Link.tsx';
import { NotifyButton } from './NotifyButton.tsx';

const themeNames = { system: 'as the system', light: 'light', dark: 'dark' };

export function Logo() {
    return (
        <svg class="logo" viewBox="0 0 32 32" width="20" height="20" aria-hidden="true" focusable="false">
            <rect class="logo-ground" width="32" height="32" rx="8" />
            <path class="logo-horn" d="M7 13h4l12-6v18l-12-6H7z" />
            <path class="logo-wave" d="M26.500 12q2 4 0 8" />
        </svg>
    );
}

const listNames: Record<List, string> = { sessions: 'Sessions', rooms: 'Rooms', people: 'People' };

/** What leads back from a session or a room, and its name. */
function Trail({ list, name }: { list: List; name: string }) {
    return (
        <>
            <a class="crumb back" href={addressOf({ list })} onClick={followLink(() => go({ list }))}>
                {listNames[list]}
            </a>
            <span class="crumb-line" aria-hidden="true">
                /
            </span>
            <span class="crumb current" aria-current="page" title={name}>
                {name}
            </span>
        </>
    );
}

function ListLinks({ current }: { current: List }) {
    return (
        <ul class="places">
            {lists.map((list) => (
                <li key={list}>
                    <a
                        class={`crumb place ${list === current ? 'current' : ''}`}
                        href={addressOf({ list })}
                        onClick={followLink(() => go({ list }))}
                        {...(list === current ? { 'aria-current': 'page' as const } : {})}
                    >
                        {listNames[list]}
                    </a>
                </li>
            ))}
        </ul>
    );
}

/** The bar on every page; children: what belongs to the page that is open. */
export function TopBar({ children }: { children?: ComponentChildren }) {
    const { session, room, list } = route.value;
    const ThemeSign = theme.value === 'system' ? 'system' : isDark.value ? 'moon' : 'sun';
    return (
        <header class="top">
            <nav class="crumbs" aria-label="Place">
                <a
                    class="home"
                    href={addressOf({})}
                    onClick={followLink(() => go({}))}
                    aria-label={session || room || list !== 'sessions' ? 'Fanfare: all sessions' : 'Fanfare'}
                >
                    <Logo />
                    <span class="home-name">Fanfare</span>
                </a>
                <span class="crumb-line" aria-hidden="true">
                    /
                </span>
                {session && <Trail list="sessions" name={session} />}
                {room && <Trail list="rooms" name={room} />}
                {!session && !room && <ListLinks current={list} />}
            </nav>
            <div class="top-tools">
                {children}
                <NotifyButton />
                <button
                    type="button"
                    class="button quiet"
                    onClick={nextTheme}
                    aria-label={`Colours: ${themeNames[theme.value]}. Change`}
                    title={`Colours: ${themeNames[theme.value]} (t)`}
                >
                    <Icon name={ThemeSign} />
                </button>
                <button
                    type="button"
                    class="button quiet"
                    onClick={() => (helpOpen.value = true)}
                    aria-label="Help and keyboard shortcuts"
                    title="Help and keyboard shortcuts (?)"
                >
                    <Icon name="help" />
                </button>
            </div>
        </header>
    );
}
