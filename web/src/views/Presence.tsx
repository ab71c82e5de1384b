import { now } from '../store/clock.ts';
import { type Watcher, watchers } from '../store/presence.ts';
import type { Session } from '../store/session.ts';
import { agoText, plural } from '../text/format.ts';
import { Icon } from './Icon.tsx';
import { Menu } from './Menu.tsx';

const shownMost = 50;
export const dialects: Record<string, string> = {
    build: 'Page or tool',
    sse: 'Event stream',
    ide: 'Editor',
    rooms: 'Socket.IO client',
    channels: 'Editor',
};

export function watcherName({ user_id: user, dialect }: Watcher): string {
    return user && user !== 'anonymous' ? user : (dialects[dialect] ?? dialect);
}

/** How many connections follow the session, and what they are. */
export function Presence({ session }: { session: Session }) {
    const all = watchers.value;
    if (!all) return null;
    const own = session.connectionId.value;
    const summary = (
        <>
            <Icon name="people" />
            <span class="num">{all.length}</span>
        </>
    );
    return (
        <Menu summary={summary} label={`${plural(all.length, 'connection')} watching`} class="presence" quiet>
            <div class="menu-body">
                <h2 class="menu-title">Watching now</h2>
                <ul class="watchers">
                    {all.slice(0, shownMost).map((each) => (
                        <li key={each.connection_id}>
                            <span>
                                {watcherName(each)}
                                {each.connection_id === own && <span class="faint"> (you)</span>}
                            </span>
                            <span class="faint num">{agoText(now.value - Date.parse(each.since))}</span>
                        </li>
                    ))}
                </ul>
                {all.length > shownMost && <p class="faint">and {all.length - shownMost} more</p>}
            </div>
        </Menu>
    );
}
