import { shownPercentage } from '../store/outlook.ts';
import type { Session } from '../store/session.ts';
import type { Entry } from '../store/story.ts';
import { clockText, elapsedText } from '../text/format.ts';

/* The progress over time with what happened on the way: checkpoints, phases, errors, file changes. */

const width = 1000;
const height = 100;
const bins = 160;

export function ProgressChart({ session }: { session: Session }) {
    session.storyChanged.value;
    const { story, state } = session;
    const { samples, began } = story;
    const from = began ?? samples[0]?.time;
    const last = state.updated ? Date.parse(state.updated) : undefined;
    if (from === undefined || last === undefined || samples.length < 2) return null;
    const to = Math.max(state.status === 'in_progress' ? Math.max(session.time, last) : last, from + 1000);
    const x = (time: number) => ((Math.min(Math.max(time, from), to) - from) / (to - from)) * width;
    const y = (percent: number) => height - percent * (height / 100);
    const entries = story.entries.filter((entry) => entry.time >= from);
    const line = samples
        .map(({ time, percent }, i) => `${i ? 'L' : 'M'}${x(time).toFixed(1)} ${y(percent).toFixed(1)}`)
        .join('');
    const done = shownPercentage({ status: state.status, percentage: samples.at(-1)!.percent });
    const end = `L${x(to).toFixed(1)} ${y(done).toFixed(1)}`;
    const phases = entries.filter((entry) => entry.phase);
    return (
        <figure class={`chart is-${state.status}`} aria-label={`Progress over ${elapsedText(to - from)}`}>
            <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
                {[25, 50, 75].map((percent) => (
                    <line key={percent} class="chart-grid" x1="0" x2={width} y1={y(percent)} y2={y(percent)} />
                ))}
                <FileBars entries={entries} from={from} to={to} />
                {phases.map((entry) => (
                    <line
                        key={entry.offset}
                        class="chart-phase"
                        x1={x(entry.time)}
                        x2={x(entry.time)}
                        y1="0"
                        y2={height}
                    />
                ))}
                <path
                    class="chart-area"
                    d={`${line}${end}L${x(to).toFixed(1)} ${height}L${x(samples[0]!.time).toFixed(1)} ${height}Z`}
                />
                <path class="chart-line" d={line + end} />
                {entries
                    .filter(({ kind }) => kind === 'error')
                    .map((entry) => (
                        <line
                            key={entry.offset}
                            class="chart-error"
                            x1={x(entry.time)}
                            x2={x(entry.time)}
                            y1="0"
                            y2={height}
                        />
                    ))}
            </svg>
            <div class="chart-phases" aria-hidden="true">
                {phases.slice(-12).map((entry) => (
                    <span
                        key={entry.offset}
                        style={{ left: `${x(entry.time) / (width / 100)}%` }}
                        title={`${entry.phase} from ${clockText(entry.time)}`}
                    >
                        {entry.phase}
                    </span>
                ))}
            </div>
            <figcaption class="num">
                <span>{clockText(from)}</span>
                <span>{elapsedText(to - from)}</span>
                <span>{clockText(to)}</span>
            </figcaption>
        </figure>
    );
}

function FileBars({ entries, from, to }: { entries: readonly Entry[]; from: number; to: number }) {
    const counts = new Float64Array(bins);
    for (const { kind, time } of entries)
        if (kind === 'file') counts[Math.min(Math.floor(((time - from) / (to - from)) * bins), bins - 1)]!++;
    const most = Math.max(...counts, 4);
    let path = '';
    counts.forEach((count, i) => {
        if (count)
            path += `M${(i * width) / bins} ${height}v${(-count / most) * height * 0.3}h${width / bins - 1}V${height}z`;
    });
    return <path class="chart-files" d={path} />;
}
