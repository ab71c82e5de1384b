import { leftText, secondsLeft } from '../store/eta.ts';
import { outlookWord, shownPercentage } from '../store/outlook.ts';
import type { Session } from '../store/session.ts';
import { hasFailed, outcome } from '../store/story.ts';
import { countText, durationText, elapsedText, fullTimeText, percentText } from '../text/format.ts';
import { Bar } from './Bar.tsx';
import { CopyButton } from './CopyButton.tsx';
import { StatusIcon } from './StatusIcon.tsx';

/** When the build began that goes on or went last, and how long it took so far. */
export function elapsedOf(session: Session): { since: number; ms: number; over: boolean } | null {
    const { state, story } = session;
    const run = story.runs.at(-1);
    if (run && run.finished !== null) return { since: run.started, ms: (run.duration ?? 0) * 1000, over: true };
    const since = run?.started ?? story.began;
    if (since === null || !state.updated) return null;
    const over = !state.isRunning && state.status !== 'pending' && state.status !== 'in_progress';
    return {
        since,
        ms: (over ? Date.parse(state.updated) : Math.max(session.time, Date.parse(state.updated))) - since,
        over,
    };
}

/** Minor ones give way on small screens. */
function Fact({ name, minor, children }: { name: string; minor?: boolean; children: preact.ComponentChildren }) {
    return (
        <div class={minor ? 'fact minor' : 'fact'}>
            <dt>{name}</dt>
            <dd>{children}</dd>
        </div>
    );
}

export function SessionHead({ session }: { session: Session }) {
    session.headChanged.value;
    session.storyChanged.value;
    const { state, story } = session;
    const known = session.known.value;
    const { status, phase, outlook } = state;
    const running = state.isRunning;
    const word = outlookWord(outlook);
    const percentage = shownPercentage(outlook);
    const left = running ? secondsLeft(story.samples, session.time) : null;
    const elapsed = elapsedOf(session);
    const failed = running && state.leading.size ? (100 * state.leading.counts.failed) / state.leading.size : 0;
    const isUnknown = !state.knowsProgress;
    return (
        <section class="head" aria-label="Progress">
            <div class="head-line">
                <span class={`badge is-${status}`} data-status={status}>
                    <StatusIcon status={status} />
                    {known ? word : 'Connecting'}
                </span>
                <h1 class="head-name" title={session.id}>
                    {session.id}
                </h1>
                {phase && (
                    <span class="phase" title="Phase of the last checkpoint">
                        {phase}
                    </span>
                )}
                <span class="head-times num">
                    {left !== null && <span class="head-left">{leftText(left)}</span>}
                    {elapsed && (
                        <span class="head-elapsed" title={`Began ${fullTimeText(elapsed.since)}`}>
                            {elapsed.over ? durationText(elapsed.ms) : elapsedText(elapsed.ms)}
                        </span>
                    )}
                    {known && !isUnknown && <strong class="head-percent">{percentText(percentage)}</strong>}
                </span>
            </div>
            <Bar
                class="overall"
                percent={percentage}
                status={status === 'failed' && running ? 'in_progress' : status}
                failed={failed}
                label="Overall progress"
                unknown={isUnknown}
                valueText={[!isUnknown && percentText(percentage), word, left !== null && leftText(left)]
                    .filter(Boolean)
                    .join(', ')}
            />
            <RunLine session={session} />
            {known && <Facts session={session} />}
        </section>
    );
}

function RunLine({ session }: { session: Session }) {
    const run = session.story.runs.at(-1);
    if (!run?.command) return null;
    return (
        <p class="run-line">
            <code class="run-command" title={run.command}>
                <span class="prompt" aria-hidden="true">
                    ${' '}
                </span>
                {run.command}
            </code>
            <CopyButton text={run.command} label="Copy the command" />
            {run.cwd && (
                <span class="run-where" title={run.cwd}>
                    {run.cwd}
                </span>
            )}
            {run.finished !== null && (
                <span class={`run-outcome ${hasFailed(run) ? 'is-failed' : 'is-completed'}`}>{outcome(run)}</span>
            )}
        </p>
    );
}

function Facts({ session }: { session: Session }) {
    const { state, story } = session;
    const { components, features } = state;
    const share = (items: typeof components) => (
        <>
            {countText(items.counts.completed)} / {countText(items.size)}
            {items.counts.failed > 0 && <span class="is-failed"> · {countText(items.counts.failed)} failed</span>}
            {items.counts.in_progress > 0 && (
                <span class="is-in_progress"> · {countText(items.counts.in_progress)} running</span>
            )}
        </>
    );
    return (
        <dl class="facts num">
            {state.total > 0 && (
                <Fact name="Steps">
                    {countText(state.completed)} / {countText(state.total)}
                </Fact>
            )}
            {components.size > 0 && <Fact name="Components">{share(components)}</Fact>}
            {features.size > 0 && <Fact name="Features">{share(features)}</Fact>}
            {state.filesCreated > 0 && (
                <Fact name="Files created" minor>
                    {countText(state.filesCreated)}
                </Fact>
            )}
            {state.tasksCompleted > 0 && (
                <Fact name="Tasks" minor>
                    {countText(state.tasksCompleted)}
                </Fact>
            )}
            {story.files > 0 && (
                <Fact name="File changes" minor>
                    {countText(story.files)}
                </Fact>
            )}
            <Fact name="Events" minor>
                {countText(session.offset)}
            </Fact>
        </dl>
    );
}
