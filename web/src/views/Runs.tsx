import { refine } from '../store/route.ts';
import type { Session } from '../store/session.ts';
import { hasFailed, outcome } from '../store/story.ts';
import { clockText, durationText, elapsedText, fullTimeText } from '../text/format.ts';
import { CopyButton } from './CopyButton.tsx';
import { Icon } from './Icon.tsx';
import { Command, urlOption } from './ListEmpty.tsx';
import { StatusIcon } from './StatusIcon.tsx';

export function Runs({ session }: { session: Session }) {
    session.storyChanged.value;
    const { runs } = session.story;
    if (runs.length === 0) {
        return (
            <div class="pane-scroll">
                <div class="nothing">
                    <p>No command has been run in this session.</p>
                    <Command text={`fanfare run${urlOption()} --session ${session.id} -- make`} />
                </div>
            </div>
        );
    }
    return (
        <div class="pane-scroll">
            <table class="runs">
                <caption class="visually-hidden">Runs, newest first</caption>
                <thead>
                    <tr>
                        <th scope="col">Command</th>
                        <th scope="col">Directory</th>
                        <th scope="col">Process</th>
                        <th scope="col">Started</th>
                        <th scope="col">Took</th>
                        <th scope="col">Outcome</th>
                        <th scope="col">
                            <span class="visually-hidden">Tools</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {[...runs].reverse().map((run) => {
                        const status = run.finished === null ? 'in_progress' : hasFailed(run) ? 'failed' : 'completed';
                        return (
                            <tr key={run.offset}>
                                <td class="mono run-cell">
                                    <StatusIcon status={status} label={outcome(run)} />
                                    <span title={run.command}>{run.command || '?'}</span>
                                </td>
                                <td class="mono faint">{run.cwd}</td>
                                <td class="num faint">{run.pid}</td>
                                <td class="num" title={fullTimeText(run.started)}>
                                    {clockText(run.started)}
                                </td>
                                <td class="num">
                                    {run.duration === null
                                        ? elapsedText(session.time - run.started)
                                        : durationText(run.duration * 1000)}
                                </td>
                                <td class={`is-${status}`}>{outcome(run)}</td>
                                <td class="run-tools">
                                    <CopyButton text={run.command} label="Copy the command" />
                                    <button
                                        type="button"
                                        class="button quiet"
                                        aria-label="Show in terminal"
                                        title="Show in terminal"
                                        onClick={() => refine({ view: 'terminal', fragment: `L${run.offset}` })}
                                    >
                                        <Icon name="terminal" />
                                    </button>
                                </td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}
