import type { Mark, Playback, Speed } from '../store/playback.ts';
import { longestPauseMs, speeds } from '../store/playback.ts';
import type { Session } from '../store/session.ts';
import { countText, fullTimeText } from '../text/format.ts';
import { CloseButton } from './CloseButton.tsx';
import { Icon } from './Icon.tsx';
import { useShortcuts } from './useShortcuts.ts';

/** Goes through the session's past: play, pause, any moment by the slider, and back to the present. */
export function PlaybackBar({ session, playback }: { session: Session; playback: Playback }) {
    const close = () => session.playBack(false);
    useShortcuts(
        'Playing back',
        [
            { key: ' ', does: 'Play, pause', act: () => playback.toggle() },
            { key: ',', does: 'One event back', act: () => playback.step(-1) },
            { key: '.', does: 'One event on', act: () => playback.step(1) },
            { key: '[', does: 'To the checkpoint, run or error before', act: () => playback.jump(false) },
            { key: ']', does: 'To the next checkpoint, run or error', act: () => playback.jump(true) },
            { key: '<', does: 'Slower', act: () => playback.slower() },
            { key: '>', does: 'Faster', act: () => playback.faster() },
        ],
        [playback],
    );
    return (
        <section class="playback" aria-label="Playing back">
            {playback.phase.value === 'ready' ? <Controls session={session} playback={playback} /> : <Reading playback={playback} />}
            <CloseButton label="Back to the present (v)" onClose={close} />
        </section>
    );
}

function Reading({ playback }: { playback: Playback }) {
    return (
        <p class="playback-note" role="status">
            {playback.phase.value === 'failed'
                ? `The history could not be read: ${playback.trouble.value}.`
                : `Reading the history, ${playback.read.value} %`}
        </p>
    );
}

function Controls({ session, playback }: { session: Session; playback: Playback }) {
    session.headChanged.value;
    const playing = playback.playing.value;
    const length = playback.length.value;
    const position = playback.position.value;
    const { updated } = session.state;
    const moment = updated && position ? fullTimeText(Date.parse(updated)) : 'before the first event';
    return (
        <>
            <button
                type="button"
                class="button quiet"
                aria-label={playing ? 'Pause' : 'Play'}
                title={playing ? 'Pause (space)' : 'Play (space)'}
                onClick={() => playback.toggle()}
            >
                <Icon name={playing ? 'pause' : 'play'} />
            </button>
            <div class="playback-way">
                <Marks marks={playback.marks.value} length={length} />
                <input
                    type="range"
                    class="playback-slider"
                    aria-label="Moment"
                    aria-valuetext={`Event ${position} of ${length}, ${moment}`}
                    min={0}
                    max={length}
                    step={1}
                    value={position}
                    onInput={(event) => playback.seek(event.currentTarget.valueAsNumber)}
                />
            </div>
            <span class="playback-moment num">
                <span class="playback-time">{moment}</span>
                <span class="faint">
                    {countText(position)} / {countText(length)}
                </span>
            </span>
            <label class="playback-speed" title={`Pauses of more than ${longestPauseMs / 1000} seconds are cut short`}>
                <span class="visually-hidden">Speed</span>
                <select
                    class="select"
                    value={playback.speed.value}
                    onChange={(event) => playback.setSpeed(Number(event.currentTarget.value) as Speed)}
                >
                    {speeds.map((speed) => (
                        <option key={speed} value={speed}>
                            {speed} ×
                        </option>
                    ))}
                </select>
            </label>
            {playback.firstOffset.value > 1 && (
                <p class="playback-note">
                    Events before {countText(playback.firstOffset.value)} are no longer kept; what they said is missing
                    here.
                </p>
            )}
        </>
    );
}

/** What the slider goes past; the shortcuts [ and ] go from one to the next. */
function Marks({ marks, length }: { marks: readonly Mark[]; length: number }) {
    return (
        <svg class="playback-marks" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">
            {marks.map(({ at, kind, title }) => (
                <rect
                    key={at}
                    class={`mark-${kind}`}
                    x={(1000 * at) / Math.max(length, 1) - 1.5}
                    y={kind === 'error' ? 0 : 4}
                    width="3"
                    height={kind === 'error' ? 10 : 6}
                >
                    <title>{title}</title>
                </rect>
            ))}
        </svg>
    );
}
