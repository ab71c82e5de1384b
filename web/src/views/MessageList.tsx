import { type Signal, useSignal } from '@preact/signals';
import { announce } from '../store/announce.ts';
import { filterMessages, type RawMessage } from '../store/messageFilter.ts';
import type { Messages as Log } from '../store/messages.ts';
import { bytesText, clockText, countText } from '../text/format.ts';
import { CloseButton } from './CloseButton.tsx';
import { CopyButton } from './CopyButton.tsx';
import { Icon } from './Icon.tsx';
import { HoldButton, TypeSelect } from './logTools.tsx';
import { SearchField } from './SearchField.tsx';
import { type Segment, Segments } from './Segments.tsx';
import { VirtualList } from './VirtualList.tsx';

const rowHeight = 26;
type Direction = 'both' | 'in' | 'out';
const directions: Segment<Direction>[] = [
    { value: 'both', name: 'All' },
    { value: 'in', name: 'Received' },
    { value: 'out', name: 'Sent' },
];
const excerptLength = 400;
const formattedMost = 256 * 1024;

function formatted(text: string): string {
    if (text.length > formattedMost)
        return `${text.slice(0, formattedMost)}…\n(${bytesText(text.length)}; Copy takes all of it)`;
    try {
        return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
        return text;
    }
}

/** Raw messages, newest first: found by direction, type and text; held, copied, cleared. */
export function MessageList({ messages, changed }: { messages: Log; changed: Signal<number> }) {
    changed.value;
    messages.paused.value;
    const search = useSignal('');
    const direction = useSignal<Direction>('both');
    const type = useSignal('');
    const open = useSignal<RawMessage | null>(null);
    const types = [...new Set(messages.shown.map((message) => message.type))].sort();
    const shown = filterMessages(messages.shown, {
        search: search.value,
        direction: direction.value,
        type: type.value,
    });
    return (
        <>
            <div class="pane-tools">
                <Segments
                    label="Direction"
                    segments={directions}
                    isOn={(value) => direction.value === value}
                    onPress={(value) => (direction.value = value)}
                />
                <TypeSelect types={types} value={type} />
                <SearchField label="Search in messages" value={search} />
                <span class="faint num messages-count">
                    {countText(shown.length)}
                    {messages.dropped > 0 && ` (the newest; ${countText(messages.dropped)} older ones are gone)`}
                </span>
                <HoldButton log={messages} held={messages.held} />
                <CopyButton
                    class="button"
                    label="Copy what is shown, one message a line"
                    caption="Copy"
                    text={() =>
                        [...shown]
                            .reverse()
                            .map((message) => message.text)
                            .join('\n')
                    }
                />
                <button
                    type="button"
                    class="button quiet"
                    aria-label="Clear the messages"
                    title="Clear"
                    onClick={() => {
                        messages.clear();
                        changed.value++;
                        announce('Cleared.');
                    }}
                >
                    <Icon name="trash" />
                </button>
            </div>
            {shown.length === 0 ? (
                <p class="nothing">No message {messages.all.length ? 'fits the filter' : 'yet'}.</p>
            ) : (
                <VirtualList
                    count={shown.length}
                    rowHeight={rowHeight}
                    label="Messages, newest first"
                    row={(index, position) => {
                        const message = shown[index]!;
                        const isOpen = open.value === message;
                        return (
                            <div
                                key={message.number}
                                class={`message-row ${isOpen ? 'open' : ''}`}
                                role="listitem"
                                {...position}
                            >
                                <button
                                    type="button"
                                    class="message-button"
                                    aria-expanded={isOpen}
                                    onClick={() => (open.value = isOpen ? null : message)}
                                >
                                    <time class="num">{clockText(message.time)}</time>
                                    <span class={`direction is-${message.direction}`}>
                                        {message.direction === 'in' ? '↓' : '↑'}
                                        <span class="visually-hidden">
                                            {message.direction === 'in' ? 'received' : 'sent'}
                                        </span>
                                    </span>
                                    <span class="message-type">{message.type}</span>
                                    <span class="message-text mono">
                                        {message.text.length > excerptLength
                                            ? message.text.slice(0, excerptLength)
                                            : message.text}
                                    </span>
                                    <span class="num faint">{bytesText(message.text.length)}</span>
                                </button>
                            </div>
                        );
                    }}
                />
            )}
            {open.value && (
                <section class="detail tall" aria-label={`Message ${open.value.number}`}>
                    <div class="detail-head">
                        <h3>
                            {open.value.type}{' '}
                            <span class="faint">
                                {open.value.direction === 'in' ? 'received' : 'sent'} {clockText(open.value.time)}
                            </span>
                        </h3>
                        <CopyButton class="button" text={open.value.text} label="Copy the message" caption="Copy" />
                        <CloseButton onClose={() => (open.value = null)} />
                    </div>
                    <pre class="json" tabIndex={0} aria-label="Message">
                        {formatted(open.value.text)}
                    </pre>
                </section>
            )}
        </>
    );
}
