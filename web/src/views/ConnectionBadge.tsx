import { now } from '../store/clock.ts';
import type { Session } from '../store/session.ts';

/** A session or a room: what has a connection of its own. */
type Connected = Pick<Session, 'connection' | 'away' | 'roundTrip' | 'reconnect'>;

/** Seconds until the next try, as the badge counts them down. */
function waitText(retryAt: number | undefined): string {
    now.value; // counts with the page's seconds
    if (retryAt === undefined) return '';
    const seconds = Math.ceil((retryAt - Date.now()) / 1000);
    return seconds > 0 ? `, trying again in ${seconds} s` : ', trying again';
}

export function connectionWords(session: Connected): { tone: 'open' | 'busy' | 'away'; text: string; detail: string } {
    const { phase, retryAt, error } = session.connection.value;
    const detail = error?.message ?? '';
    switch (phase) {
        case 'open':
            return { tone: 'open', text: 'Live', detail: 'Connected: what you see is what is happening' };
        case 'connecting':
            return session.away.value
                ? { tone: 'away', text: 'Server away, trying again', detail }
                : { tone: 'busy', text: 'Connecting', detail };
        case 'waiting':
            return {
                tone: 'away',
                text: `${navigator.onLine ? 'Server away' : 'No network'}${waitText(retryAt)}`,
                detail,
            };
        case 'closed':
            return { tone: 'away', text: 'Not connected', detail };
    }
}

export function ConnectionBadge({ session }: { session: Connected }) {
    const { tone, text, detail } = connectionWords(session);
    const { roundTrip } = session;
    return (
        <div class={`connection is-${tone}`} title={detail} data-phase={session.connection.value.phase}>
            <span class="connection-dot" aria-hidden="true" />
            <span class="connection-text">{text}</span>
            {tone === 'open' && roundTrip.value !== null && (
                <span class="connection-time num">
                    {roundTrip.value < 10 ? roundTrip.value.toFixed(1) : Math.round(roundTrip.value)} ms
                </span>
            )}
            {tone === 'away' && (
                <button type="button" class="link" onClick={() => session.reconnect()}>
                    Retry now
                </button>
            )}
        </div>
    );
}
