import { now } from '../store/clock.ts';
import { watchers } from '../store/presence.ts';
import { agoText } from '../text/format.ts';
import { Icon } from './Icon.tsx';

const dialects: Record<string, string> = {
    build: 'page or tool',
    sse: 'event stream',
    ide: 'editor',
    rooms: 'Socket.IO',
    channels: 'editor',
};

/** How many connections follow the session, and what they are. */
export function Presence() {
    const all = watchers.value;
    if (!all) return null;
    return (
        <details class="menu presence">
            <summary class="button quiet" aria-label={`${all.length} watching`} title={`${all.length} watching`}>
                <Icon name="people" />
                <span class="num">{all.length}</span>
            </summary>
            <div class="menu-body">
                <h2 class="menu-title">Watching now</h2>
                <ul class="watchers">
                    {all.slice(0, 50).map((each) => (
                        <li key={each.connection_id}>
                            <span>{each.user_id || dialects[each.dialect] || each.dialect}</span>
                            <span class="faint num">since {agoText(now.value - Date.parse(each.since))}</span>
                        </li>
                    ))}
                </ul>
                {all.length > 50 && <p class="faint">and {all.length - 50} more</p>}
            </div>
        </details>
    );
}
