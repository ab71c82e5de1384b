import { useEffect, useRef, useState } from 'preact/hooks';
import { now } from '../store/clock.ts';
import { identity } from '../store/identity.ts';
import { partsOf } from '../store/parts.ts';
import {
    followPeople,
    nameOf,
    people,
    peopleSearch,
    peopleTrouble,
    type Person,
    shownPeople,
} from '../store/people.ts';
import { addressOf, go } from '../store/route.ts';
import { resetTab } from '../store/tab.ts';
import { agoText, countText, plural } from '../text/format.ts';
import { followLink } from './Link.tsx';
import { ListRows } from './ListRows.tsx';
import { dialects } from './Presence.tsx';
import { RoomName, RoomSign } from './RoomName.tsx';
import { SearchField } from './SearchField.tsx';
import { ListTrouble, ListWaiting } from './SessionList.tsx';
import { TokenMenu } from './TokenMenu.tsx';
import { TopBar } from './TopBar.tsx';
import { useListKeys } from './useListKeys.ts';

const topicsShown = 12;

function placeOf(topic: string) {
    const { kind, id } = partsOf(topic);
    return kind === 'session' ? { session: id } : { room: topic };
}

/** How somebody is connected: "2 Socket.IO clients, Event stream". */
function connectionText({ connections }: Person): string {
    const counts = new Map<string, number>();
    for (const { dialect } of connections.values()) counts.set(dialect, (counts.get(dialect) ?? 0) + 1);
    return [...counts]
        .map(([dialect, count]) => `${count > 1 ? `${countText(count)} × ` : ''}${dialects[dialect] ?? dialect}`)
        .join(', ');
}

function PersonRow({ person }: { person: Person }) {
    const [all, setAll] = useState(false);
    const { topics, connections } = person;
    const own = identity.value?.user === person.user && person.user !== null;
    const since = Math.min(...[...connections.values()].map((each) => Date.parse(each.since)));
    const shown = all ? topics : topics.slice(0, topicsShown);
    return (
        <li class="person-row" data-person={person.user ?? ''}>
            <span class="person-sign" aria-hidden="true">
                {nameOf(person).slice(0, 1).toUpperCase()}
            </span>
            <span class="person-names">
                <span class="person-name">
                    {nameOf(person)}
                    {own && <span class="faint"> (you)</span>}
                </span>
                <span class="faint">
                    {connectionText(person)} · {agoText(now.value - since)}
                </span>
            </span>
            <ul class="person-topics" aria-label={`Where ${nameOf(person)} is`}>
                {shown.map((topic) => (
                    <li key={topic}>
                        <a class="chip" href={addressOf(placeOf(topic))} onClick={followLink(() => go(placeOf(topic)))}>
                            <RoomSign topic={topic} />
                            <RoomName topic={topic} />
                        </a>
                    </li>
                ))}
                {shown.length < topics.length && (
                    <li>
                        <button type="button" class="link" onClick={() => setAll(true)}>
                            {countText(topics.length - shown.length)} more
                        </button>
                    </li>
                )}
            </ul>
        </li>
    );
}

/** Who is connected, and what they follow. */
export function PeopleList() {
    useEffect(() => followPeople(), []);
    useEffect(() => resetTab('People · Fanfare'), []);
    const search = useRef<HTMLInputElement>(null);
    const list = useRef<HTMLUListElement>(null);
    const known = people.value;
    const shown = shownPeople.value;
    useListKeys('People', 'place', { list, links: 'a.chip', search });
    return (
        <>
            <TopBar>
                {peopleTrouble.value && <ListTrouble text={peopleTrouble.value} />}
                <TokenMenu />
            </TopBar>
            <main id="main" class="list-page">
                <div class="list-head">
                    <h1>People</h1>
                    {known && known.list.length > 0 && (
                        <SearchField label="Search people and rooms" value={peopleSearch} input={search} shortcut="/" />
                    )}
                </div>
                {!known && <ListWaiting what="who is where" />}
                {known && known.list.length === 0 && (
                    <section class="card empty">
                        <h2>Nobody is connected</h2>
                        <p>Who follows a session or a room stands here, with all that they follow.</p>
                    </section>
                )}
                {known && known.list.length > 0 && (
                    <div class="card">
                        <ListRows
                            rows={shown}
                            list={list}
                            class="person-rows"
                            label={plural(shown.length, 'person', 'people')}
                            none="Nobody fits."
                            onShowAll={() => (peopleSearch.value = '')}
                        >
                            {(person) => <PersonRow key={person.user ?? ''} person={person} />}
                        </ListRows>
                    </div>
                )}
                {known && known.looked < known.followed && (
                    <p class="faint list-note">
                        From the {countText(known.looked)} topics that most follow, of {countText(known.followed)}.
                    </p>
                )}
            </main>
        </>
    );
}
