import { useComputed, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { arrange, groupNames, type Order } from '../store/arrange.ts';
import { type Item, percentOf } from '../store/items.ts';
import { statusWord } from '../store/outlook.ts';
import type { Session } from '../store/session.ts';
import { agoText, clockText, countText, durationText, elapsedText, fullTimeText, percentText } from '../text/format.ts';
import { visibleName } from '../text/names.ts';
import { Bar } from './Bar.tsx';
import { CloseButton } from './CloseButton.tsx';
import { SearchField } from './SearchField.tsx';
import { Segments } from './Segments.tsx';
import { StatusIcon, toneOf } from './StatusIcon.tsx';
import { useShortcuts } from './useShortcuts.ts';
import { VirtualList } from './VirtualList.tsx';

const rowHeight = 34;
const orders: [Order, string][] = [
    ['status', 'Failures first'],
    ['recent', 'Last changed'],
    ['progress', 'Progress'],
    ['slowest', 'Slowest first'],
    ['name', 'Name'],
    ['arrival', 'As they came'],
];

type Kind = 'components' | 'features';

export function ItemsPane({ session }: { session: Session }) {
    session.itemsChanged.value;
    const kind = useSignal<Kind>('components');
    const search = useSignal('');
    const order = useSignal<Order>('status');
    const status = useSignal<Parameters<typeof arrange>[1]['status']>(null);
    const open = useSignal<string | null>(null);
    const input = useRef<HTMLInputElement>(null);
    useShortcuts('Components', [{ key: '/', does: 'Filter components', act: () => input.current?.focus() }]);

    const { components, features } = session.state;
    const shownKind: Kind =
        components.size === 0 && features.size > 0 ? 'features' : features.size === 0 ? 'components' : kind.value;
    const items = session.state[shownKind];
    const rows = useComputed(() => {
        session.itemsChanged.value;
        return arrange(session.state[shownKind], { search: search.value, status: status.value, order: order.value });
    });
    const shownRows = rows.value;
    const chosen = open.value === null ? undefined : items.byId.get(open.value);

    return (
        <section class="pane items-pane" aria-labelledby="items-title">
            <div class="pane-head">
                <h2 id="items-title" class="visually-hidden">
                    Components and features
                </h2>
                {features.size === 0 || components.size === 0 ? (
                    <span class="pane-title">
                        {features.size ? 'Features' : 'Components'}{' '}
                        <span class="count num">{countText(items.size)}</span>
                    </span>
                ) : (
                    <Segments
                        label="Show"
                        segments={[
                            { value: 'components', name: 'Components', count: components.size },
                            { value: 'features', name: 'Features', count: features.size },
                        ]}
                        isOn={(value) => shownKind === value}
                        onPress={(value) => (kind.value = value)}
                    />
                )}
                <StatusFilter counts={{ ...items.counts }} status={status} />
            </div>
            <div class="pane-tools">
                <SearchField label="Filter by name" placeholder="Filter" value={search} input={input} shortcut="/" />
                <select
                    class="select"
                    aria-label="Order"
                    value={order.value}
                    onChange={(event) => (order.value = event.currentTarget.value as Order)}
                >
                    {orders.map(([value, name]) => (
                        <option key={value} value={value}>
                            {name}
                        </option>
                    ))}
                </select>
            </div>
            {shownRows.length === 0 ? (
                <p class="nothing">{items.size ? 'None fits the filter.' : 'No components have been reported.'}</p>
            ) : (
                <VirtualList
                    count={shownRows.length}
                    rowHeight={rowHeight}
                    label={shownKind}
                    row={(index, position) => {
                        const row = shownRows[index]!;
                        if ('heading' in row) {
                            return (
                                <div
                                    key={`=${row.heading}`}
                                    class={`group-row is-${row.heading}`}
                                    role="listitem"
                                    {...position}
                                >
                                    {groupNames[row.heading]} <span class="count num">{countText(row.count)}</span>
                                </div>
                            );
                        }
                        return (
                            <ItemRow
                                key={row.item.id}
                                item={row.item}
                                open={row.item.id === open.value}
                                position={position}
                                onOpen={() => (open.value = open.value === row.item.id ? null : row.item.id)}
                            />
                        );
                    }}
                />
            )}
            {chosen && <ItemDetail time={session.time} item={chosen} onClose={() => (open.value = null)} />}
        </section>
    );
}

const filterable = ['failed', 'in_progress', 'pending', 'completed'] as const;

function StatusFilter({ counts, status }: { counts: Record<string, number>; status: { value: string | null } }) {
    return (
        <div class="status-filter" role="group" aria-label="Only with the status">
            {filterable
                .filter((each) => counts[each])
                .map((each) => (
                    <button
                        key={each}
                        type="button"
                        class="status-chip"
                        aria-pressed={status.value === each}
                        title={`Only: ${groupNames[each]}`}
                        onClick={() => (status.value = status.value === each ? null : each)}
                    >
                        <StatusIcon status={each} label={groupNames[each]} />
                        <span class="num">{countText(counts[each]!)}</span>
                    </button>
                ))}
        </div>
    );
}

/** The end of a path tells more than its beginning: that is what gets shortened. */
function ItemName({ id: wholeId }: { id: string }) {
    const id = visibleName(wholeId);
    const cut = id.lastIndexOf('/', id.length - 2) + 1;
    return (
        <span class="item-name" title={id}>
            {cut > 0 && <span class="item-path">{id.slice(0, cut)}</span>}
            <span class="item-last">{id.slice(cut)}</span>
        </span>
    );
}

/** How long it took, or when it was done. */
function timeOf({ status, took, updated }: Item): string {
    if (status !== 'completed') return '';
    return took === null ? clockText(Date.parse(updated)) : durationText(took);
}

/** Where a bar would say nothing: what is done, and what has not begun. */
function isSettled({ status, progress }: Item): boolean {
    return status === 'completed' || (status === 'pending' && progress === 0);
}

interface ItemRowProps {
    item: Item;
    open: boolean;
    position: { 'aria-setsize': number; 'aria-posinset': number };
    onOpen(): void;
}

function ItemRow({ item, open, position, onOpen }: ItemRowProps) {
    const percent = percentOf(item);
    return (
        <div
            class={`item-row ${open ? 'open' : ''} ${isSettled(item) ? 'settled' : ''}`}
            role="listitem"
            {...position}
            data-item={item.id}
        >
            <button type="button" class="item-button" onClick={onOpen} aria-expanded={open}>
                <StatusIcon status={item.status} label={statusWord(item.status)} />
                <ItemName id={item.id} />
                {isSettled(item) ? (
                    <span class="item-time num">{timeOf(item)}</span>
                ) : (
                    <>
                        <Bar percent={percent} status={item.status} label={`Progress of ${visibleName(item.id)}`} />
                        <span class={`item-percent num is-${toneOf(item.status)}`}>{percentText(percent)}</span>
                    </>
                )}
            </button>
        </div>
    );
}

function ItemDetail({ item, time, onClose }: { item: Item; time: number; onClose(): void }) {
    const { metadata } = item;
    const updated = Date.parse(item.updated);
    return (
        <section class="detail" aria-label={`Details of ${visibleName(item.id)}`}>
            <div class="detail-head">
                <StatusIcon status={item.status} />
                <h3 class="item-title">{visibleName(item.id)}</h3>
                <CloseButton onClose={onClose} />
            </div>
            <p class="faint">
                {statusWord(item.status)} · {percentText(percentOf(item))} ·{' '}
                <span title={fullTimeText(updated)}>changed {agoText(time - updated)}</span>
                {item.took !== null && ` · took ${durationText(item.took)}`}
                {item.took === null && item.began !== null && ` · for ${elapsedText(time - item.began)}`}
            </p>
            {metadata && Object.keys(metadata).length > 0 ? (
                <dl class="metadata">
                    {Object.entries(metadata).map(([name, value]) => (
                        <div key={name}>
                            <dt>{name}</dt>
                            <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
                        </div>
                    ))}
                </dl>
            ) : (
                <p class="faint">No metadata.</p>
            )}
        </section>
    );
}
