import { useEffect, useMemo } from 'preact/hooks';
import { announce } from '../store/announce.ts';
import { now, serverNow } from '../store/clock.ts';
import { followPresence, watchers } from '../store/presence.ts';
import { Room } from '../store/room.ts';
import { absoluteAddressOf, go, refine, route, type RoomView } from '../store/route.ts';
import { askForToken } from '../store/server.ts';
import { resetTab } from '../store/tab.ts';
import { countText, plural, rateText } from '../text/format.ts';
import { CloseButton } from './CloseButton.tsx';
import { ConnectionBadge } from './ConnectionBadge.tsx';
import { CopyButton, copyText } from './CopyButton.tsx';
import { Icon } from './Icon.tsx';
import { MessageList } from './MessageList.tsx';
import { RoomEvents } from './RoomEvents.tsx';
import { RoomName, RoomSign } from './RoomName.tsx';
import { RoomSide } from './RoomSide.tsx';
import { Sparkline } from './Sparkline.tsx';
import { panelId, type Tab, tabId, Tabs } from './Tabs.tsx';
import { TokenMenu } from './TokenMenu.tsx';
import { TopBar } from './TopBar.tsx';
import { useIsWide } from './useIsWide.ts';
import { useShortcuts } from './useShortcuts.ts';

declare global {
    /** For the browser's console, and for tests: the room that is shown. */
    var fanfareRoom: Room | undefined;
}

const viewKeys: Record<string, RoomView> = { 1: 'events', 2: 'messages', 3: 'people' };

/** One room: who is in it, what its agents and workflows are at, and what happens, as it happens. */
export function RoomPage({ topic }: { topic: string }) {
    const room = useMemo(() => new Room(topic), [topic]);
    useEffect(() => {
        globalThis.fanfareRoom = room;
        return () => room.close();
    }, [room]);
    const isOpen = room.connection.value.phase === 'open';
    // Asked anew when the connection comes, so that its own is among them.
    useEffect(() => followPresence(topic), [topic, isOpen]);
    useEffect(() => resetTab(`${topic} · Fanfare`), [topic]);
    useConnectionWords(room);
    const wide = useIsWide();
    const { roomView } = route.value;
    const chosen: RoomView = roomView && !(wide && roomView === 'people') ? roomView : 'events';
    const choose = (view: RoomView) => refine({ roomView: view });
    const link = () => absoluteAddressOf(route.peek());
    const { log } = room;
    useShortcuts(
        'Room',
        [
            ...Object.entries(viewKeys)
                .filter(([, view]) => !(wide && view === 'people'))
                .map(([key, view]) => ({ key, does: `Show ${view}`, act: () => choose(view) })),
            {
                key: 'p',
                does: 'Hold the events still, or go on',
                act: () => (log.paused.peek() ? log.goOn() : log.pause()),
            },
            {
                key: 'l',
                does: 'Copy a link to the room',
                act: async () =>
                    announce((await copyText(link())) ? 'Link copied.' : 'The browser does not allow copying.'),
            },
            { key: 'r', does: 'Connect again now', act: () => room.reconnect() },
            { key: 'u', does: 'All rooms', act: () => go({ list: 'rooms' }) },
        ],
        [room, wide],
    );
    return (
        <>
            <TopBar>
                <ConnectionBadge session={room} />
                <TokenMenu />
                <CopyButton
                    text={link}
                    icon="link"
                    label="Copy a link to the room (l)"
                    caption="Copy link"
                    class="button copy-link"
                />
            </TopBar>
            <main id="main" class={`session room ${wide ? 'with-side' : ''}`}>
                <RoomHead room={room} />
                <RoomNotices room={room} />
                <div class="panes">
                    {wide && (
                        <aside class="pane" aria-label="In the room">
                            <RoomSide room={room} />
                        </aside>
                    )}
                    <section class="pane main-pane" aria-label="Views of the room">
                        <RoomTabs room={room} wide={wide} chosen={chosen} onChoose={choose} />
                        <div
                            key={chosen}
                            id={panelId(chosen)}
                            class="panel"
                            role="tabpanel"
                            aria-labelledby={tabId(chosen)}
                        >
                            {chosen === 'events' && <RoomEvents room={room} />}
                            {chosen === 'messages' && (
                                <MessageList messages={room.messages} changed={room.messagesChanged} />
                            )}
                            {chosen === 'people' && <RoomSide room={room} />}
                        </div>
                    </section>
                </div>
            </main>
        </>
    );
}

function useConnectionWords(room: Room): void {
    useEffect(() => {
        let phase = '';
        return room.connection.subscribe(({ phase: next }) => {
            if (next === 'waiting' && phase === 'open')
                announce('The connection to the server is lost. It is tried again.');
            if (next === 'open' && phase === 'waiting') announce('Connected again.');
            if (next === 'open' || next === 'waiting') phase = next;
        });
    }, [room]);
}

function RoomHead({ room }: { room: Room }) {
    room.changed.value;
    now.value; // the bars move on, also when nothing comes
    const perSecond = room.rate.perSecond(serverNow());
    const who = watchers.value;
    return (
        <section class="head" aria-label="Room">
            <div class="head-line room-head">
                <RoomSign topic={room.topic} />
                <h1 class="head-name">
                    <RoomName topic={room.topic} />
                </h1>
                <div class="room-pulse">
                    <Sparkline
                        values={room.rate.bars(serverNow())}
                        length={60}
                        class="room-bars"
                        label="Events in each second of the last minute"
                    />
                    <span class="num">
                        <strong>{rateText(perSecond)}</strong> <span class="faint">/s</span>
                    </span>
                </div>
            </div>
            <dl class="facts num">
                <div class="fact">
                    <dt>Events</dt>
                    <dd>{countText(room.offset)}</dd>
                </div>
                {who && (
                    <div class="fact">
                        <dt>Connections</dt>
                        <dd>{countText(who.length)}</dd>
                    </div>
                )}
            </dl>
        </section>
    );
}

function RoomNotices({ room }: { room: Room }) {
    const { phase, error } = room.connection.value;
    const trouble = room.historyTrouble.value;
    const refused = phase === 'closed' && error;
    return (
        <div class="notices">
            {refused && (
                <p class="notice" role="alert">
                    <Icon name="warn" />
                    <span>The server refuses the connection: {error.message}</span>
                    {error.status === 403 && (
                        <button type="button" class="button" onClick={() => askForToken()}>
                            Use another token
                        </button>
                    )}
                    <button type="button" class="button" onClick={() => room.reconnect()}>
                        Try again
                    </button>
                </p>
            )}
            {trouble !== null && !refused && (
                <p class="notice">
                    <Icon name="warn" />
                    <span>What came before you joined could not be read: {trouble}.</span>
                    <button type="button" class="button" onClick={() => room.readHistoryAgain()}>
                        Try again
                    </button>
                </p>
            )}
            {room.notices.value.map((notice) => (
                <p key={notice} class="notice is-bad" role="status">
                    <Icon name="warn" />
                    <span>{notice}</span>
                    <CloseButton label="Dismiss" onClose={() => room.dismiss(notice)} />
                </p>
            ))}
        </div>
    );
}

interface RoomTabsProps {
    room: Room;
    wide: boolean;
    chosen: RoomView;
    onChoose(view: RoomView): void;
}

function RoomTabs({ room, wide, chosen, onChoose }: RoomTabsProps) {
    room.changed.value;
    const all = watchers.value?.length ?? 0;
    const tabs: Tab<RoomView>[] = [
        { view: 'events', name: 'Events' },
        { view: 'messages', name: 'Messages' },
        ...(wide ? [] : [{ view: 'people' as const, name: 'In the room', ...(all ? { count: countText(all) } : {}) }]),
    ];
    return (
        <div class="tab-bar">
            <Tabs tabs={tabs} chosen={chosen} label="Views" onChoose={onChoose} />
            <span class="history-note faint num">{plural(room.log.all.length, 'event')} here</span>
        </div>
    );
}
