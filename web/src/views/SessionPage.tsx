import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { announce } from '../store/announce.ts';
import { followPresence } from '../store/presence.ts';
import { absoluteAddressOf, go, refine, route, type View } from '../store/route.ts';
import { Session } from '../store/session.ts';
import { followOutcome } from '../store/outcome.ts';
import { side } from '../store/settings.ts';
import { countText } from '../text/format.ts';
import { ConnectionBadge } from './ConnectionBadge.tsx';
import { CopyButton, copyText } from './CopyButton.tsx';
import { ErrorsPane, ErrorStrip } from './Errors.tsx';
import { Icon } from './Icon.tsx';
import { ItemsPane } from './ItemsPane.tsx';
import { Command, urlOption } from './ListEmpty.tsx';
import { Messages } from './Messages.tsx';
import { Notices } from './Notices.tsx';
import { PlaybackBar } from './PlaybackBar.tsx';
import { Presence } from './Presence.tsx';
import { Runs } from './Runs.tsx';
import { SessionHead } from './SessionHead.tsx';
import { panelId, type Tab, tabId, Tabs } from './Tabs.tsx';
import { TerminalPane } from './TerminalPane.tsx';
import { Timeline } from './Timeline.tsx';
import { TopBar } from './TopBar.tsx';
import { useIsWide } from './useIsWide.ts';
import { useShortcuts } from './useShortcuts.ts';

declare global {
    /** For the browser's console, and for tests: the session that is shown. */
    var fanfareSession: Session | undefined;
}

const viewKeys: Record<string, View> = {
    1: 'terminal',
    2: 'timeline',
    3: 'errors',
    4: 'runs',
    5: 'messages',
    0: 'components',
};

export function SessionPage({ id }: { id: string }) {
    const session = useMemo(() => new Session(id), [id]);
    useEffect(() => {
        globalThis.fanfareSession = session;
        return () => session.close();
    }, [session]);
    // Asked anew with each connection, so that the list has this page's own.
    const connection = session.connectionId.value;
    useEffect(() => followPresence(`session:${id}`), [id, connection]);
    useEffect(() => followOutcome(session), [session]);
    const wide = useIsWide();
    // Whether the session has components or features, without drawing all again at each of their changes.
    const hasItems = useComputed(
        () => session.itemsChanged.value >= 0 && session.state.components.size + session.state.features.size > 0,
    );
    const withSide = wide && hasItems.value && side.value === 'open';

    const chosen = chosenView(withSide, hasItems.value, wide);
    // A link to what is shown: the view, and the line when one is selected.
    const sessionLink = () => absoluteAddressOf({ ...route.peek(), session: id });
    const choose = (view: View) => refine({ view, fragment: view === 'terminal' ? route.peek().fragment : '' });
    useShortcuts(
        'Session',
        [
            ...Object.entries(viewKeys)
                .filter(([, view]) => !(withSide && view === 'components'))
                .map(([key, view]) => ({ key, does: `Show ${view}`, act: () => choose(view) })),
            ...(wide ? [{ key: 'c', does: 'Components beside the terminal, or not', act: toggleSide }] : []),
            {
                key: 'l',
                does: 'Copy a link to what is shown',
                act: async () =>
                    announce((await copyText(sessionLink())) ? 'Link copied.' : 'The browser does not allow copying.'),
            },
            {
                key: 'p',
                does: 'Ping the server',
                act: () =>
                    void session.ping().then(
                        (took) => announce(`${Math.round(took)} milliseconds.`),
                        () => announce('There is no connection.'),
                    ),
            },
            { key: 'r', does: 'Connect again now', act: () => session.reconnect() },
            {
                key: 'v',
                does: 'Play the session back, or go back to the present',
                act: () => session.playBack(session.playback.peek() === null),
            },
            { key: 'u', does: 'All sessions', act: () => go({}) },
        ],
        [session, wide, withSide],
    );

    return (
        <>
            <TopBar>
                <ConnectionBadge session={session} />
                <Presence session={session} />
                <CopyButton
                    text={sessionLink}
                    icon="link"
                    label="Copy a link to what is shown (l)"
                    caption="Copy link"
                    class="button copy-link"
                />
            </TopBar>
            <main id="main" class={`session ${withSide ? 'with-side' : ''}`}>
                <SessionHead session={session} />
                {session.playback.value && <PlaybackBar session={session} playback={session.playback.value} />}
                <Notices session={session} />
                {chosen !== 'errors' && <ErrorStrip session={session} />}
                <Body
                    session={session}
                    wide={wide}
                    withSide={withSide}
                    hasItems={hasItems.value}
                    chosen={chosen}
                    onChoose={choose}
                />
            </main>
        </>
    );
}

function toggleSide(): void {
    side.value = side.value === 'open' ? 'closed' : 'open';
}

function chosenView(withSide: boolean, hasItems: boolean, wide: boolean): View {
    const { view, fragment } = route.value;
    if (view && !(view === 'components' && (withSide || !hasItems))) return view;
    return !wide && hasItems && !fragment.startsWith('L') ? 'components' : 'terminal';
}

interface BodyProps {
    session: Session;
    wide: boolean;
    /** The components stand beside the other views. */
    withSide: boolean;
    hasItems: boolean;
    chosen: View;
    onChoose(view: View): void;
}

function Body(props: BodyProps) {
    const { session, withSide, chosen } = props;
    // The terminal stays once it was there: its place and its selection outlive a look at another tab.
    const terminalSeen = useSignal(false);
    if (chosen === 'terminal') terminalSeen.value = true;
    const isWaiting = useComputed(
        () => session.headChanged.value >= 0 && session.known.value && session.live.offset === 0,
    ).value;
    return (
        <div class="panes">
            {withSide && <ItemsPane session={session} />}
            <section class="pane main-pane" aria-label="Views of the session">
                <SessionTabs {...props} />
                {terminalSeen.value && (
                    <Panel view="terminal" hidden={chosen !== 'terminal'}>
                        {isWaiting ? <Waiting session={session} /> : <TerminalPane session={session} />}
                    </Panel>
                )}
                {chosen !== 'terminal' && <Panel view={chosen}>{contentOf(chosen, session)}</Panel>}
            </section>
        </div>
    );
}

function Panel({
    view,
    hidden = false,
    children,
}: {
    view: View;
    hidden?: boolean;
    children: preact.ComponentChildren;
}) {
    return (
        <div key={view} id={panelId(view)} class="panel" role="tabpanel" aria-labelledby={tabId(view)} hidden={hidden}>
            {children}
        </div>
    );
}

function contentOf(view: View, session: Session) {
    switch (view) {
        case 'components':
            return <ItemsPane session={session} />;
        case 'timeline':
            return <Timeline session={session} />;
        case 'errors':
            return <ErrorsPane session={session} />;
        case 'runs':
            return <Runs session={session} />;
        case 'messages':
            return <Messages session={session} />;
        case 'terminal':
            return null;
    }
}

function SessionTabs({ session, wide, withSide, hasItems, chosen, onChoose }: BodyProps) {
    session.storyChanged.value;
    const { story } = session;
    const some = (count: number) => (count ? { count: countText(count) } : {});
    const tabs: Tab<View>[] = [
        ...(!withSide && hasItems ? [{ view: 'components' as const, name: 'Components' }] : []),
        { view: 'terminal', name: 'Terminal' },
        { view: 'timeline', name: 'Timeline', ...some(story.entries.length + story.dropped) },
        { view: 'errors', name: 'Errors', ...some(story.errors.length), tone: 'bad' },
        { view: 'runs', name: 'Runs', ...some(story.runs.length) },
        { view: 'messages', name: 'Messages' },
    ];
    return (
        <div class="tab-bar">
            {wide && hasItems && (
                <button
                    type="button"
                    class="button quiet"
                    aria-pressed={withSide}
                    aria-label="Components beside the terminal"
                    title="Components beside the terminal (c)"
                    onClick={toggleSide}
                >
                    <Icon name="side" />
                </button>
            )}
            <Tabs tabs={tabs} chosen={chosen} label="Views" onChoose={onChoose} />
            <HistoryNote session={session} />
            <PlayBackButton session={session} />
        </div>
    );
}

function PlayBackButton({ session }: { session: Session }) {
    const on = session.playback.value !== null;
    return (
        <button
            type="button"
            class={`button quiet play-back ${on ? 'on' : ''}`}
            aria-pressed={on}
            aria-label="Play back"
            title="Play back (v)"
            disabled={!session.known.value || session.live.offset === 0}
            onClick={() => session.playBack(!on)}
        >
            <Icon name="rewind" />
        </button>
    );
}

function HistoryNote({ session }: { session: Session }) {
    const { phase, read, of } = session.history.value;
    if (phase !== 'reading' || of < 500) return null;
    return (
        <span class="history-note faint num">Reading the history, {Math.floor((100 * read) / Math.max(of, 1))} %</span>
    );
}

function Waiting({ session }: { session: Session }) {
    const url = urlOption();
    return (
        <section class="empty waiting" aria-labelledby="waiting-title">
            <h2 id="waiting-title">Waiting for the first event</h2>
            <p>You are connected; what happens in this session appears at once. To begin:</p>
            <Command text={`fanfare run${url} --session ${session.id} -- make`} />
            <Command text={`fanfare pub${url} session:${session.id} terminal_output '{"output":"hello\\n"}'`} />
        </section>
    );
}
