import { useSignal } from '@preact/signals';
import { announce } from '../store/announce.ts';
import { ask } from '../store/server.ts';
import type { Session } from '../store/session.ts';
import { Icon } from './Icon.tsx';
import { Menu } from './Menu.tsx';

const types = [
    'component_update',
    'feature_update',
    'terminal_output',
    'checkpoint_update',
    'build_progress',
    'file_change',
    'error',
    'run_started',
    'run_finished',
];

/** What a client can ask of the server, to try it out and to see the answers below. */
export function ProtocolTools({ session }: { session: Session }) {
    const trouble = useSignal('');
    const isOpen = session.connection.value.phase === 'open';
    const act = (what: () => unknown) => async () => {
        trouble.value = '';
        try {
            await what();
        } catch (error) {
            trouble.value = (error as Error).message;
        }
    };
    const ping = act(async () => announce(`Answered after ${Math.round(await session.ping())} milliseconds.`));
    const demo = act(() => ask(`demo/send-update?session=${encodeURIComponent(session.id)}`, { method: 'POST' }));
    return (
        <div class="protocol">
            <button type="button" class="button" disabled={!isOpen} onClick={ping} title="Ping (p)">
                <Icon name="swap" />
                <span>Ping</span>
            </button>
            <button
                type="button"
                class="button"
                disabled={!isOpen}
                onClick={act(() => session.requestState())}
                title="Request status (r)"
            >
                <Icon name="down" />
                <span>Status</span>
            </button>
            <TypeFilter session={session} />
            <button
                type="button"
                class="button"
                onClick={demo}
                title="Publish one made-up update of each type to this session"
            >
                <Icon name="bolt" />
                <span>Demo update</span>
            </button>
            {session.roundTrip.value !== null && (
                <span class="faint num">Round trip {session.roundTrip.value.toFixed(1)} ms</span>
            )}
            {trouble.value && (
                <span class="is-failed" role="alert">
                    {trouble.value}
                </span>
            )}
        </div>
    );
}

function TypeFilter({ session }: { session: Session }) {
    const limited = session.types.value;
    const toggle = (type: string) => {
        const before = limited ?? types;
        const next = before.includes(type) ? before.filter((each) => each !== type) : [...before, type];
        session.limitTo(next.length === types.length ? null : next);
    };
    const isOpen = session.connection.value.phase === 'open';
    const summary = (
        <>
            <span>Subscribe{limited ? ` (${limited.length})` : ''}</span>
            <Icon name="down" />
        </>
    );
    return (
        <Menu summary={summary} label="Event types that the server sends">
            <fieldset class="menu-body" disabled={!isOpen}>
                <legend>Event types that the server sends</legend>
                {types.map((type) => (
                    <label key={type} class="check">
                        <input
                            type="checkbox"
                            checked={!limited || limited.includes(type)}
                            disabled={type === 'error'}
                            onChange={() => toggle(type)}
                        />
                        <span>{type}</span>
                    </label>
                ))}
                <button type="button" class="button wide" disabled={!limited} onClick={() => session.limitTo(null)}>
                    Everything
                </button>
            </fieldset>
        </Menu>
    );
}
