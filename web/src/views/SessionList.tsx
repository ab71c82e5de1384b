import { useEffect, useRef } from 'preact/hooks';
import { now } from '../store/clock.ts';
import { goesOn, type Outlook, outlookWord, shownPercentage } from '../store/outlook.ts';
import { addressOf, go } from '../store/route.ts';
import {
    failedShare,
    followSessions,
    knowsProgress,
    listFilter,
    type ListFilter,
    listSearch,
    listTrouble,
    outlookOf,
    sessions,
    type SessionSummary,
    shownSessions,
    statusCounts,
} from '../store/sessions.ts';
import { resetTab } from '../store/tab.ts';
import { agoText, countText, elapsedText, fullTimeText, percentText } from '../text/format.ts';
import { Bar } from './Bar.tsx';
import { Icon } from './Icon.tsx';
import { followLink } from './Link.tsx';
import { ListEmpty } from './ListEmpty.tsx';
import { ListRows } from './ListRows.tsx';
import { SearchField } from './SearchField.tsx';
import { Segments } from './Segments.tsx';
import { StatusIcon } from './StatusIcon.tsx';
import { TopBar } from './TopBar.tsx';
import { useListKeys } from './useListKeys.ts';

const filters: [ListFilter, string][] = [
    ['all', 'All'],
    ['in_progress', 'Running'],
    ['failed', 'Failed'],
    ['completed', 'Passed'],
];

function durationOf(session: SessionSummary): string {
    const { started, updated } = session;
    if (!started || !updated) return '–';
    const end = goesOn(outlookOf(session)) ? Math.max(now.value, Date.parse(updated)) : Date.parse(updated);
    return elapsedText(end - Date.parse(started));
}

function stepsOf({ build_progress: { total, completed } }: SessionSummary): string {
    return total > 0 ? `${countText(completed)} / ${countText(total)}` : '';
}

/** The phase; the state in its place where there is none, and before it where its sign tells half of it. */
function Phase({ phase, outlook }: { phase: string | null; outlook: Outlook }) {
    if (!(outlook.status === 'failed' && goesOn(outlook))) return <>{phase ?? outlookWord(outlook)}</>;
    return (
        <>
            <span class="is-failed">{outlookWord(outlook)}</span>
            {phase && ` · ${phase}`}
        </>
    );
}

function SessionRow({ session }: { session: SessionSummary }) {
    const { session_id: id, status, phase, updated, started, connections } = session;
    const outlook = outlookOf(session);
    const running = goesOn(outlook);
    const word = outlookWord(outlook);
    const percent = shownPercentage(outlook);
    const told = knowsProgress(session);
    const place = { session: id };
    const said = [
        id,
        word,
        phase,
        told && percentText(percent),
        started && `started ${agoText(now.value - Date.parse(started))}`,
        updated && `changed ${agoText(now.value - Date.parse(updated))}`,
        connections > 0 && `${connections} watching`,
    ]
        .filter(Boolean)
        .join(', ');
    return (
        <li class="session-row">
            <a
                class="session-link"
                href={addressOf(place)}
                onClick={followLink(() => go(place))}
                data-session={id}
                aria-label={said}
            >
                <StatusIcon status={status} />
                <span class="session-names">
                    <span class="session-name">{id}</span>
                    <span class="session-phase">
                        {session.offset === 0 ? 'nothing published yet' : <Phase phase={phase} outlook={outlook} />}
                    </span>
                </span>
                <span class="session-progress">
                    <Bar
                        percent={percent}
                        status={status === 'failed' && running ? 'in_progress' : status}
                        failed={running ? failedShare(session) : 0}
                        label={`Progress of ${id}`}
                        unknown={!told}
                        valueText={told ? `${percentText(percent)}, ${word}` : word}
                    />
                    <span class="session-percent num">{told && percentText(percent)}</span>
                </span>
                <span class="session-steps num">{stepsOf(session)}</span>
                <span class="session-started num" title={started ? fullTimeText(Date.parse(started)) : ''}>
                    {started ? agoText(now.value - Date.parse(started)) : ''}
                </span>
                <span class="session-duration num">{durationOf(session)}</span>
                <span class="session-age num" title={updated ? fullTimeText(Date.parse(updated)) : ''}>
                    {updated ? agoText(now.value - Date.parse(updated)) : ''}
                </span>
                <span class="session-watching num" title={`${connections} watching`}>
                    {connections > 0 && (
                        <>
                            <Icon name="people" />
                            <span>{connections}</span>
                        </>
                    )}
                </span>
            </a>
        </li>
    );
}

export function SessionList() {
    useEffect(() => followSessions(), []);
    useEffect(() => resetTab('Sessions · Fanfare'), []);
    const search = useRef<HTMLInputElement>(null);
    const list = useRef<HTMLUListElement>(null);
    const shown = shownSessions.value;
    const known = sessions.value !== null;
    const isEmpty = sessions.value?.length === 0;

    const focusRow = useListKeys('Sessions', 'session', { list, links: 'a.session-link', search });
    const searchKey = ({ key }: KeyboardEvent) => {
        if (key === 'ArrowDown') focusRow(1);
        if (key === 'Enter' && shown[0]) go({ session: shown[0].session_id });
    };

    return (
        <>
            <TopBar>{listTrouble.value && <ListTrouble text={listTrouble.value} />}</TopBar>
            <main id="main" class="list-page">
                <div class="list-head">
                    <h1>Sessions</h1>
                    {known && !isEmpty && (
                        <>
                            <Segments
                                label="Show"
                                segments={filters.map(([value, name]) => ({
                                    value,
                                    name,
                                    count: statusCounts.value[value],
                                }))}
                                isOn={(value) => listFilter.value === value}
                                onPress={(value) => (listFilter.value = value)}
                            />
                            <SearchField
                                label="Search sessions"
                                value={listSearch}
                                input={search}
                                shortcut="/"
                                onKeyDown={searchKey}
                            />
                        </>
                    )}
                </div>
                {!known && <ListWaiting />}
                {isEmpty && <ListEmpty />}
                {known && !isEmpty && (
                    <div class="card session-table">
                        <div class="session-columns" aria-hidden="true">
                            <span />
                            <span>Session</span>
                            <span>Progress</span>
                            <span>Steps</span>
                            <span>Started</span>
                            <span>Duration</span>
                            <span>Last change</span>
                            <span />
                        </div>
                        <ListRows
                            rows={shown}
                            list={list}
                            class="session-rows"
                            label={`${shown.length} sessions`}
                            none="No session fits."
                            onShowAll={() => ((listSearch.value = ''), (listFilter.value = 'all'))}
                        >
                            {(session) => <SessionRow key={session.session_id} session={session} />}
                        </ListRows>
                    </div>
                )}
            </main>
        </>
    );
}

export function ListTrouble({ text }: { text: string }) {
    return (
        <span class="connection is-away" role="status">
            <span class="connection-dot" />
            {text} Trying again.
        </span>
    );
}

export function ListWaiting({ what = 'the sessions' }: { what?: string }) {
    return (
        <div class="card session-table" aria-busy="true" role="status" aria-label={`Asking for ${what}`}>
            {[0, 1, 2].map((i) => (
                <div key={i} class="skeleton-row">
                    <span class="skeleton" />
                    <span class="skeleton" />
                    <span class="skeleton" />
                </div>
            ))}
        </div>
    );
}
