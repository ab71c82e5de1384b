import { useSignal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { refine } from '../store/route.ts';
import { client } from '../store/client.ts';
import type { Session } from '../store/session.ts';
import type { Entry, EntryKind } from '../store/story.ts';
import { clockText, countText, fullTimeText } from '../text/format.ts';
import { CloseButton } from './CloseButton.tsx';
import { CopyButton } from './CopyButton.tsx';
import { Icon, type IconName } from './Icon.tsx';
import { ProgressChart } from './ProgressChart.tsx';
import { SearchField } from './SearchField.tsx';
import { type Segment, Segments } from './Segments.tsx';
import { VirtualList } from './VirtualList.tsx';

const rowHeight = 32;
const signs: Record<EntryKind, IconName> = { checkpoint: 'flag', file: 'file', run: 'terminal', error: 'warn' };
const kinds: Segment<EntryKind>[] = [
    { value: 'checkpoint', name: 'Checkpoints', icon: signs.checkpoint },
    { value: 'file', name: 'Files', icon: signs.file },
    { value: 'run', name: 'Runs', icon: signs.run },
    { value: 'error', name: 'Errors', icon: signs.error },
];
const fileLetters: Record<string, string> = { created: 'A', modified: 'M', deleted: 'D', moved: 'R' };

export function Timeline({ session }: { session: Session }) {
    session.storyChanged.value;
    const hidden = useSignal<ReadonlySet<EntryKind>>(new Set());
    const search = useSignal('');
    const open = useSignal<number | null>(null);
    const { entries, dropped } = session.story;
    const wanted = search.value.toLowerCase();
    const shown: Entry[] = [];
    for (let i = entries.length - 1; i >= 0; i--) {
        const entry = entries[i]!;
        if (
            hidden.value.has(entry.kind) ||
            (wanted && !`${entry.title} ${entry.phase ?? ''}`.toLowerCase().includes(wanted))
        )
            continue;
        shown.push(entry);
    }
    const toggle = (kind: EntryKind) => {
        const next = new Set(hidden.value);
        if (!next.delete(kind)) next.add(kind);
        hidden.value = next;
    };
    const reading = session.history.value.phase === 'reading';
    return (
        <div class="pane-fill timeline">
            <ProgressChart session={session} />
            <div class="pane-tools">
                <Segments
                    label="Show"
                    segments={kinds}
                    isOn={(kind) => !hidden.value.has(kind)}
                    onPress={toggle}
                />
                <SearchField label="Search the timeline" value={search} />
            </div>
            {shown.length === 0 ? (
                <p class="nothing">
                    {reading ? 'Reading the history…' : 'No checkpoints, file changes, runs or errors so far.'}
                </p>
            ) : (
                <VirtualList
                    count={shown.length}
                    rowHeight={rowHeight}
                    label="Timeline, newest first"
                    row={(index, position) => {
                        const entry = shown[index]!;
                        return (
                            <EntryRow
                                key={entry.offset}
                                entry={entry}
                                position={position}
                                open={open.value === entry.offset}
                                onOpen={() => (open.value = open.value === entry.offset ? null : entry.offset)}
                            />
                        );
                    }}
                />
            )}
            {dropped > 0 && <p class="faint nothing">{countText(dropped)} older entries are left out.</p>}
            {open.value !== null && (
                <EventDetail session={session} offset={open.value} onClose={() => (open.value = null)} />
            )}
        </div>
    );
}

interface EntryRowProps {
    entry: Entry;
    open: boolean;
    position: { 'aria-setsize': number; 'aria-posinset': number };
    onOpen(): void;
}

function EntryRow({ entry, open, position, onOpen }: EntryRowProps) {
    const { kind, time, title, note, tone, phase } = entry;
    return (
        <div class={`entry-row ${open ? 'open' : ''}`} role="listitem" {...position}>
            <button type="button" class="entry-button" onClick={onOpen} aria-expanded={open}>
                <time class="num" title={fullTimeText(time)}>
                    {clockText(time)}
                </time>
                <span class={`entry-sign tone-${tone} kind-${kind}`}>
                    <Icon name={signs[kind]} />
                </span>
                {kind === 'file' && (
                    <span class={`letter tone-${tone}`} title={note}>
                        {fileLetters[note] ?? '?'}
                        <span class="visually-hidden">{note}</span>
                    </span>
                )}
                {phase && <span class="phase">{phase}</span>}
                <span class={`entry-title ${kind === 'file' || kind === 'run' ? 'mono' : ''}`}>{title}</span>
                {kind !== 'file' && <span class={`entry-note tone-${tone}`}>{note}</span>}
            </button>
        </div>
    );
}

/** The whole event, asked for when someone looks: the page keeps summaries only. */
export function EventDetail({ session, offset, onClose }: { session: Session; offset: number; onClose(): void }) {
    const [event, setEvent] = useState<{ type: string; time: string; data: Record<string, unknown> } | string | null>(
        null,
    );
    useEffect(() => {
        let gone = false;
        setEvent(null);
        client
            .peek()
            .history(`session:${session.id}`, { since: offset - 1, limit: 1 })
            .then(
                ({ events }) =>
                    !gone &&
                    setEvent(events[0]?.offset === offset ? events[0] : 'The server no longer keeps this event.'),
                (error: Error) => !gone && setEvent(error.message),
            );
        return () => void (gone = true);
    }, [session, offset]);
    const data = event !== null && typeof event !== 'string' ? event.data : null;
    const content = data?.content;
    const { content: _, ...rest } = data ?? {};
    return (
        <section class="detail tall" aria-label={`Event ${offset}`}>
            <div class="detail-head">
                <h3>
                    Event {offset}
                    {event !== null && typeof event !== 'string' && <span class="faint"> · {event.type}</span>}
                </h3>
                <button
                    type="button"
                    class="button"
                    onClick={() => refine({ view: 'terminal', fragment: `L${offset}` })}
                >
                    <Icon name="terminal" />
                    <span>Show in terminal</span>
                </button>
                {data && (
                    <CopyButton
                        class="button"
                        text={() => (typeof content === 'string' ? content : JSON.stringify(data, null, 2))}
                        label="Copy"
                        caption={typeof content === 'string' ? 'Copy content' : 'Copy'}
                    />
                )}
                <CloseButton onClose={onClose} />
            </div>
            {event === null && <p class="faint">Asking the server…</p>}
            {typeof event === 'string' && <p class="faint">{event}</p>}
            {data && (
                <pre class="json" tabIndex={0} aria-label="Data">
                    {JSON.stringify(rest, null, 2)}
                </pre>
            )}
            {typeof content === 'string' && (
                <pre class="content" tabIndex={0} aria-label="Content of the file">
                    {content}
                </pre>
            )}
        </section>
    );
}
