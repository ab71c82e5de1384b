import type { Session } from '../store/session.ts';
import { CloseButton } from './CloseButton.tsx';
import { Icon } from './Icon.tsx';

/** What the reader must know of the connection: gaps, limits, a history that could not be read. */
export function Notices({ session }: { session: Session }) {
    const { types, history, notices } = session;
    const { phase, error } = session.connection.value;
    return (
        <div class="notices">
            {phase === 'closed' && error && (
                <p class="notice" role="alert">
                    <Icon name="warn" />
                    <span>The server refuses the connection: {error.message}</span>
                    <button type="button" class="button" onClick={() => session.reconnect()}>
                        Try again
                    </button>
                </p>
            )}
            {types.value && (
                <p class="notice">
                    <Icon name="warn" />
                    <span>
                        You limited this connection to {types.value.join(', ') || 'errors'}; the rest of the page stands
                        still.
                    </span>
                    <button type="button" class="button" onClick={() => session.limitTo(null)}>
                        Get everything
                    </button>
                </p>
            )}
            {history.value.phase === 'failed' && (
                <p class="notice">
                    <Icon name="warn" />
                    <span>What came before you joined could not be read: {history.value.error}.</span>
                    <button type="button" class="button" onClick={() => session.readHistoryAgain()}>
                        Try again
                    </button>
                </p>
            )}
            {notices.value.map((notice) => (
                <p key={notice.id} class={`notice is-${notice.tone}`} role="status">
                    <Icon name="warn" />
                    <span>{notice.text}</span>
                    <CloseButton label="Dismiss" onClose={() => session.dismiss(notice)} />
                </p>
            ))}
        </div>
    );
}
