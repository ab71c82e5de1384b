import { refine, route } from '../store/route.ts';
import type { Session } from '../store/session.ts';
import { TerminalView, terminalKeys } from '../terminal/index.ts';
import { useShortcuts } from './useShortcuts.ts';

const inHelp = terminalKeys.map(({ keys, does }) => ({ key: keys, does }));

/** The terminal, with the selected lines in the page's address: #L12.3, or #L12.3-14.0. */
export function TerminalPane({ session }: { session: Session }) {
    useShortcuts('Terminal, when it has the focus', inHelp);
    session.playback.value; // the past has a transcript of its own
    const { transcripts } = session;
    const { fragment } = route.value;
    const selected = fragment.startsWith('L') ? fragment.slice(1) : undefined;
    // Lines have an address that means the same to everybody once the history has been read.
    const onSelect = transcripts.isWhole.value
        ? (address: string | undefined) => refine({ view: 'terminal', fragment: address ? `L${address}` : '' })
        : undefined;
    return (
        <TerminalView
            transcript={transcripts.current.value}
            name={session.id}
            selected={selected}
            onSelect={onSelect}
        />
    );
}
