import { useEffect, useRef } from 'preact/hooks';
import { names } from '../store/names.ts';
import {
    followRooms,
    kindCounts,
    ratesOf,
    roomFilter,
    roomKinds,
    type RoomOrder,
    roomOrder,
    rooms,
    roomSearch,
    roomsTrouble,
    shownRooms,
    stats,
    type TopicSummary,
} from '../store/rooms.ts';
import { addressOf, go } from '../store/route.ts';
import { resetTab } from '../store/tab.ts';
import { countText, plural, rateText } from '../text/format.ts';
import { Icon } from './Icon.tsx';
import { followLink } from './Link.tsx';
import { Command, urlOption } from './ListEmpty.tsx';
import { ListRows } from './ListRows.tsx';
import { RoomName, RoomSign } from './RoomName.tsx';
import { SearchField } from './SearchField.tsx';
import { Segments } from './Segments.tsx';
import { ListTrouble, ListWaiting } from './SessionList.tsx';
import { Sparkline } from './Sparkline.tsx';
import { TokenMenu } from './TokenMenu.tsx';
import { TopBar } from './TopBar.tsx';
import { useListKeys } from './useListKeys.ts';

const samplesShown = 40;
const filterNames = {
    all: 'All',
    global: 'Global',
    project: 'Projects',
    agent: 'Agents',
    user: 'Users',
    channel: 'Channels',
};
const orders: [RoomOrder, string][] = [
    ['kind', 'By kind and name'],
    ['busiest', 'Busiest first'],
    ['people', 'Most connections'],
    ['events', 'Most events'],
];

function RoomRow({ room: { topic, subscribers, offset, rate } }: { room: TopicSummary }) {
    const place = { room: topic };
    const name = names.value.get(topic);
    const said = [
        name ? `${name}, ${topic}` : topic,
        plural(subscribers, 'connection'),
        plural(offset, 'event'),
        `${rateText(rate)} a second`,
    ].join(', ');
    return (
        <li class="room-row">
            <a
                class="room-link"
                href={addressOf(place)}
                onClick={followLink(() => go(place))}
                data-room={topic}
                aria-label={said}
            >
                <RoomSign topic={topic} />
                <RoomName topic={topic} />
                <Sparkline values={ratesOf(topic)} length={samplesShown} class="room-spark" />
                <span class={`room-rate num ${rate >= 0.05 ? '' : 'faint'}`}>
                    {rateText(rate)}
                    <span class="faint"> /s</span>
                </span>
                <span class={`room-count num ${subscribers ? '' : 'faint'}`} title={plural(subscribers, 'connection')}>
                    <Icon name="people" />
                    {countText(subscribers)}
                </span>
                <span class="room-events num" title={plural(offset, 'event')}>
                    {countText(offset)}
                </span>
            </a>
        </li>
    );
}

/** All rooms, with who follows them and how busy they are. */
export function RoomList() {
    useEffect(() => followRooms(), []);
    useEffect(() => resetTab('Rooms · Fanfare'), []);
    const search = useRef<HTMLInputElement>(null);
    const list = useRef<HTMLUListElement>(null);
    const shown = shownRooms.value;
    const all = rooms.value;
    const counts = kindCounts.value;
    const move = useListKeys('Rooms', 'room', { list, links: 'a.room-link', search });
    const searchKey = ({ key }: KeyboardEvent) => {
        if (key === 'ArrowDown') move(1);
        if (key === 'Enter' && shown[0]) go({ room: shown[0].topic });
    };
    return (
        <>
            <TopBar>
                {roomsTrouble.value && <ListTrouble text={roomsTrouble.value} />}
                <TokenMenu />
            </TopBar>
            <main id="main" class="list-page">
                <div class="list-head">
                    <h1>Rooms</h1>
                    {all && all.length > 0 && (
                        <>
                            {stats.value && (
                                <p class="list-sum num faint">
                                    {plural(stats.value.connections, 'connection')},{' '}
                                    {rateText(stats.value.events_per_second)} events a second
                                </p>
                            )}
                            <SearchField
                                label="Search rooms"
                                value={roomSearch}
                                input={search}
                                shortcut="/"
                                onKeyDown={searchKey}
                            />
                        </>
                    )}
                </div>
                {all && all.length > 0 && (
                    <div class="list-tools">
                        <Segments
                            label="Show"
                            segments={(['all', ...roomKinds] as const)
                                .filter((kind) => kind === 'all' || counts[kind])
                                .map((kind) => ({ value: kind, name: filterNames[kind], count: counts[kind] ?? 0 }))}
                            isOn={(kind) => roomFilter.value === kind}
                            onPress={(kind) => (roomFilter.value = kind)}
                        />
                        <select
                            class="select"
                            aria-label="Order"
                            value={roomOrder.value}
                            onChange={(event) => (roomOrder.value = event.currentTarget.value as RoomOrder)}
                        >
                            {orders.map(([value, name]) => (
                                <option key={value} value={value}>
                                    {name}
                                </option>
                            ))}
                        </select>
                    </div>
                )}
                {!all && <ListWaiting what="the rooms" />}
                {all?.length === 0 && <NoRooms />}
                {all && all.length > 0 && (
                    <div class="card room-table">
                        <div class="room-columns" aria-hidden="true">
                            <span />
                            <span>Room</span>
                            <span class="room-spark">Last minute</span>
                            <span class="room-rate">Rate</span>
                            <span class="room-count">Who</span>
                            <span class="room-events">Events</span>
                        </div>
                        <ListRows
                            rows={shown}
                            list={list}
                            label={plural(shown.length, 'room')}
                            none="No room fits."
                            onShowAll={() => ((roomSearch.value = ''), (roomFilter.value = 'all'))}
                        >
                            {(room) => <RoomRow key={room.topic} room={room} />}
                        </ListRows>
                    </div>
                )}
            </main>
        </>
    );
}

function NoRooms() {
    const url = urlOption();
    return (
        <section class="card empty" aria-labelledby="no-rooms">
            <h2 id="no-rooms">No room is in use yet</h2>
            <p>
                A room is a topic: <code>project:…</code>, <code>agent:…</code>, <code>user:…</code>,{' '}
                <code>channel:…</code> or <code>global</code>. It appears here as soon as somebody follows it or
                something is published to it.
            </p>
            <ul class="ways">
                <li>
                    <h3>Connect a Socket.IO client</h3>
                    <p>Any stock client, version 4; nothing of it has to change but the address.</p>
                    <Command text={`io('${location.origin}/ws').emit('subscribe', { room: 'global' })`} plain />
                </li>
                <li>
                    <h3>Publish an event</h3>
                    <p>From a script, in any language that can start a program.</p>
                    <Command text={`fanfare pub${url} global hello '{"from":"me"}'`} />
                </li>
            </ul>
        </section>
    );
}
