import { effect } from '@preact/signals';
import { announce } from './announce.ts';
import { notify } from './notify.ts';
import type { Session } from './session.ts';
import { showTab } from './tab.ts';

/* What is told to who does not look: the tab's title and sign, notifications, screen readers. */

const words = { pending: 'is waiting', in_progress: 'is running', completed: 'has passed', failed: 'has failed' };

/** Until the returned function is called. */
export function followOutcome(session: Session): () => void {
    let status: keyof typeof words | null = null;
    let quarter = 0;
    const endTab = effect(() => {
        session.headChanged.value;
        session.storyChanged.value;
        const { state, story } = session.live; // whatever moment is shown
        showTab({
            session: session.id,
            status: state.status,
            percent: state.knowsProgress ? state.percentage : null,
            errors: session.currentErrorsOf(session.live).length,
            away: session.away.value,
        });
        if (!session.known.value) return;
        if (status !== null && status !== state.status) {
            announce(`${session.id} ${words[state.status]}.`);
            if (status === 'in_progress' && state.status !== 'pending') {
                const error = story.errors.at(-1)?.message;
                notify(
                    `${session.id} ${words[state.status]}`,
                    state.status === 'failed' ? (error ?? (state.knowsProgress ? `${state.percentage} %` : '')) : '',
                    session.id,
                );
            }
        }
        status = state.status;
        const now = Math.floor(state.percentage / 25);
        if (now > quarter && now < 4 && status === 'in_progress') announce(`${now * 25} per cent.`);
        quarter = now;
    });
    let phase = '';
    const endConnection = effect(() => {
        const { phase: next } = session.connection.value;
        if (next === 'waiting' && phase === 'open')
            announce('The connection to the server is lost. It is tried again.');
        if (next === 'open' && phase && phase !== 'open') announce('Connected again.');
        if (next === 'open' || next === 'waiting') phase = next;
    });
    return () => {
        endTab();
        endConnection();
    };
}
