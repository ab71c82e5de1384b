import { now } from '../store/clock.ts';
import { identity } from '../store/identity.ts';
import { groupPeople, nameOf } from '../store/people.ts';
import { watchers } from '../store/presence.ts';
import type { Room } from '../store/room.ts';
import type { Agent, Workflow } from '../store/roomNow.ts';
import { agoText, countText, percentText } from '../text/format.ts';
import { stepText } from '../text/summary.ts';
import { Bar } from './Bar.tsx';
import { dialects } from './Presence.tsx';
import { StatusIcon } from './StatusIcon.tsx';

const peopleMost = 200;

/** A workflow's states as the page's own. */
const statuses: Record<string, string> = {
    pending: 'pending',
    running: 'in_progress',
    completed: 'completed',
    failed: 'failed',
};

/** Beside the events: what goes on in the room, and who is in it. */
export function RoomSide({ room }: { room: Room }) {
    room.changed.value;
    const { workflows, agents } = room.now;
    return (
        <div class="pane-scroll room-side" tabIndex={0} role="group" aria-label="In the room">
            {workflows.size > 0 && (
                <section>
                    <h2>
                        Workflows <span class="count num">{countText(workflows.size)}</span>
                    </h2>
                    <ul>
                        {[...workflows.values()].reverse().map((each) => (
                            <WorkflowRow key={each.id} workflow={each} />
                        ))}
                    </ul>
                </section>
            )}
            {agents.size > 0 && (
                <section>
                    <h2>
                        Agents <span class="count num">{countText(agents.size)}</span>
                    </h2>
                    <ul>
                        {[...agents.values()].reverse().map((each) => (
                            <AgentRow key={each.id} agent={each} />
                        ))}
                    </ul>
                </section>
            )}
            <People />
        </div>
    );
}

function WorkflowRow({ workflow: { id, status, progress, step, total } }: { workflow: Workflow }) {
    const known = statuses[status] ?? 'other';
    const name = step ?? `Workflow ${id.slice(0, 8)}`;
    return (
        <li class="now-row" data-workflow={id}>
            <StatusIcon status={known} label={status} />
            <span class="now-name" title={`Workflow ${id}`}>
                {stepText(name, total)}
            </span>
            <span class="now-value num">{percentText(progress)}</span>
            <Bar percent={progress} status={known} label={`Progress of workflow ${name}`} class="now-bar" />
        </li>
    );
}

function AgentRow({ agent: { id, name, status, availability } }: { agent: Agent }) {
    return (
        <li class="now-row" data-agent={id}>
            <span class={`agent-dot is-${status}`} aria-hidden="true" />
            <span class="now-name" title={`Agent ${id}`}>
                {name}
            </span>
            <span class="now-value num">
                {status}
                {availability !== null && <span class="faint"> · {percentText(availability)}</span>}
            </span>
        </li>
    );
}

function People() {
    const all = watchers.value;
    const people = groupPeople([['', all ?? []]]);
    const you = identity.value?.user;
    return (
        <section>
            <h2>
                Who is here <span class="count num">{all ? countText(people.length) : ''}</span>
            </h2>
            {all?.length === 0 && <p class="faint">Nobody.</p>}
            <ul>
                {people.slice(0, peopleMost).map((person) => {
                    const { user, connections } = person;
                    const [first] = connections.values();
                    return (
                        <li key={user ?? ''} class="now-row" data-person={user ?? ''}>
                            <span class="person-sign small" aria-hidden="true">
                                {nameOf(person).slice(0, 1).toUpperCase()}
                            </span>
                            <span class="now-name">
                                {nameOf(person)}
                                {user !== null && user === you && <span class="faint"> (you)</span>}
                            </span>
                            <span class="now-value faint num">
                                {connections.size > 1
                                    ? `${countText(connections.size)} connections`
                                    : `${dialects[first!.dialect] ?? first!.dialect} · ${agoText(now.value - Date.parse(first!.since))}`}
                            </span>
                        </li>
                    );
                })}
            </ul>
            {people.length > peopleMost && <p class="faint">and {countText(people.length - peopleMost)} more</p>}
        </section>
    );
}
