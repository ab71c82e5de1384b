import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { announce } from '../store/announce.ts';
import { now } from '../store/clock.ts';
import type { Room } from '../store/room.ts';
import { filterEvents, type RoomEvent } from '../store/roomLog.ts';
import { agoText, clockText, countText, fullTimeText } from '../text/format.ts';
import { familyOf, summaryOf, toneOfEvent } from '../text/summary.ts';
import { CloseButton } from './CloseButton.tsx';
import { CopyButton } from './CopyButton.tsx';
import { Icon } from './Icon.tsx';
import { Command, urlOption } from './ListEmpty.tsx';
import { HoldButton, TypeSelect } from './logTools.tsx';
import { SearchField } from './SearchField.tsx';
import { useIsNarrow } from './useIsWide.ts';
import { useShortcuts } from './useShortcuts.ts';
import { VirtualList } from './VirtualList.tsx';

const rowHeight = 34;
const twoLines = 50;

function shownJson({ type, time, source, offset, id, data }: RoomEvent): string {
    const written = Number.isFinite(time) ? new Date(time).toISOString() : null;
    const event = { type, time: written, source, offset, id, data };
    const told = Object.entries(event).filter(([, value]) => value !== null);
    return JSON.stringify(Object.fromEntries(told), null, 2);
}

/** What happened in the room, newest first. */
export function RoomEvents({ room }: { room: Room }) {
    room.changed.value;
    const { log } = room;
    log.paused.value;
    const search = useSignal('');
    const type = useSignal('');
    const open = useSignal<RoomEvent | null>(null);
    const input = useRef<HTMLInputElement>(null);
    const narrow = useIsNarrow();
    useShortcuts('Events', [{ key: '/', does: 'Search in the events', act: () => input.current?.focus() }]);
    const types = [...new Set(log.shown.map((event) => event.type))].sort();
    const shown = filterEvents(log.shown, { search: search.value, type: type.value });
    return (
        <div class="pane-fill room-events-pane">
            <div class="pane-tools">
                <TypeSelect types={types} value={type} />
                <SearchField label="Search in the events" value={search} input={input} shortcut="/" />
                <span class="faint num messages-count">{countText(shown.length)}</span>
                <HoldButton log={log} held={log.held} title="Hold the events still (p)" />
                <CopyButton
                    class="button"
                    label="Copy what is shown as JSON, one event a line"
                    caption="Copy"
                    text={() =>
                        [...shown]
                            .reverse()
                            .map((event) => JSON.stringify(JSON.parse(shownJson(event))))
                            .join('\n')
                    }
                />
                <button
                    type="button"
                    class="button quiet"
                    aria-label="Clear the events"
                    title="Clear"
                    onClick={() => {
                        log.clear();
                        room.changed.value++;
                        announce('Cleared.');
                    }}
                >
                    <Icon name="trash" />
                </button>
            </div>
            {shown.length === 0 ? (
                <NoEvents room={room} />
            ) : (
                <VirtualList
                    count={shown.length}
                    rowHeight={narrow ? twoLines : rowHeight}
                    label="Events, newest first"
                    row={(index, position) => {
                        const event = shown[index]!;
                        const isOpen = open.value === event;
                        return (
                            <EventRow
                                key={event.number}
                                event={event}
                                open={isOpen}
                                position={position}
                                onOpen={() => (open.value = isOpen ? null : event)}
                            />
                        );
                    }}
                />
            )}
            {open.value && <EventDetail event={open.value} onClose={() => (open.value = null)} />}
        </div>
    );
}

interface EventRowProps {
    event: RoomEvent;
    open: boolean;
    position: { 'aria-setsize': number; 'aria-posinset': number };
    onOpen(): void;
}

function EventRow({ event, open, position, onOpen }: EventRowProps) {
    const { type, time, data, offset, number } = event;
    return (
        <div
            class={`entry-row room-event ${open ? 'open' : ''} ${number < 0 ? 'is-old' : ''}`}
            role="listitem"
            {...position}
        >
            <button type="button" class="entry-button" onClick={onOpen} aria-expanded={open} data-type={type}>
                <time class="num" title={fullTimeText(time)}>
                    {clockText(time)}
                </time>
                <span class={`event-type family-${familyOf(type)}`}>{type}</span>
                <span class={`entry-title tone-${toneOfEvent(type, data)}`}>{summaryOf(type, data)}</span>
                <span class="entry-note num">{offset === null ? 'ephemeral' : `#${countText(offset)}`}</span>
            </button>
        </div>
    );
}

function EventDetail({ event, onClose }: { event: RoomEvent; onClose(): void }) {
    const text = shownJson(event);
    return (
        <section class="detail tall" aria-label={`Event ${event.type}`}>
            <div class="detail-head">
                <h3>
                    {event.type}{' '}
                    <span class="faint">
                        {agoText(now.value - event.time)}
                        {event.source && ` · from ${event.source}`}
                    </span>
                </h3>
                <CopyButton class="button" text={text} label="Copy the event" caption="Copy" />
                <CloseButton onClose={onClose} />
            </div>
            <pre class="json" tabIndex={0} aria-label="Event as JSON">
                {text}
            </pre>
        </section>
    );
}

function NoEvents({ room }: { room: Room }) {
    const { log, connection, historyRead } = room;
    if (log.all.length > 0) return <p class="nothing">No event fits the filter.</p>;
    if (connection.value.phase === 'closed') return <p class="nothing">There is no connection.</p>;
    if (!historyRead.value) return <p class="nothing">Reading what came last…</p>;
    return (
        <div class="nothing">
            <p>Nothing has happened here yet. What is published to this room appears at once:</p>
            <Command text={`fanfare pub${urlOption()} ${room.topic} hello '{"from":"me"}'`} />
        </div>
    );
}
