import { useSignal } from '@preact/signals';
import { absoluteAddressOf, refine } from '../store/route.ts';
import type { Session } from '../store/session.ts';
import type { BuildError } from '../store/story.ts';
import { clockText, countText, fullTimeText, plural } from '../text/format.ts';
import { CloseButton } from './CloseButton.tsx';
import { CopyButton } from './CopyButton.tsx';
import { Icon } from './Icon.tsx';
import { useShortcuts } from './useShortcuts.ts';

/** Shows the place of the terminal's output at which the error came. */
export function showInTerminal(error: BuildError): void {
    if (error.offset !== null) refine({ view: 'terminal', fragment: `L${error.offset}` });
}

function errorText({ type, message, traceback }: BuildError): string {
    return `${type ? `${type}: ` : ''}${message}${traceback ? `\n\n${traceback}` : ''}`;
}

function ErrorTools({ session, error }: { session: Session; error: BuildError }) {
    return (
        <span class="error-tools">
            {error.offset !== null && (
                <button type="button" class="button" onClick={() => showInTerminal(error)}>
                    <Icon name="terminal" />
                    <span>Show in terminal</span>
                </button>
            )}
            <CopyButton class="button" text={errorText(error)} label="Copy the error" caption="Copy" />
            {error.offset !== null && (
                <CopyButton
                    class="button"
                    icon="link"
                    text={absoluteAddressOf({ session: session.id, view: 'terminal', fragment: `L${error.offset}` })}
                    label="Copy a link to this place"
                    caption="Link"
                />
            )}
        </span>
    );
}

/** The newest errors, above everything else. */
export function ErrorStrip({ session }: { session: Session }) {
    session.storyChanged.value;
    const errors = session.currentErrors;
    const back = useSignal(0); // how many errors before the newest one
    const open = useSignal(false);
    const closed = useSignal(0); // how many there were when it was closed
    const at = Math.min(back.value, errors.length - 1);
    const step = (by: number) => (back.value = Math.min(Math.max(at + by, 0), errors.length - 1));
    const error = errors[errors.length - 1 - at];
    useShortcuts(
        'Errors',
        errors.length
            ? [
                  { key: 'e', does: 'The error before', act: () => step(1) },
                  { key: 'E', does: 'The error after', act: () => step(-1) },
                  { key: 'x', does: 'Show the error in the terminal', act: () => error && showInTerminal(error) },
              ]
            : [],
        [errors.length, at, error],
    );
    if (!error || closed.value >= errors.length) return null;
    return (
        <section class="error-strip" aria-label={plural(errors.length, 'error')}>
            <div class="error-line">
                <Icon name="warn" class="is-failed" />
                <button
                    type="button"
                    class="error-summary"
                    aria-expanded={open.value}
                    onClick={() => (open.value = !open.value)}
                >
                    <Icon name="chevron" class={open.value ? 'turned' : ''} />
                    {error.type && <span class="error-type">{error.type}</span>}
                    <span class="error-message">{error.message}</span>
                </button>
                {errors.length > 1 && (
                    <span class="error-steps">
                        <button
                            type="button"
                            class="button quiet"
                            onClick={() => step(1)}
                            disabled={at >= errors.length - 1}
                            aria-label="The error before"
                            title="The error before (e)"
                        >
                            <Icon name="back" />
                        </button>
                        <span class="num">
                            {countText(errors.length - at)} of {countText(errors.length)}
                        </span>
                        <button
                            type="button"
                            class="button quiet"
                            onClick={() => step(-1)}
                            disabled={at === 0}
                            aria-label="The error after"
                            title="The error after (E)"
                        >
                            <Icon name="chevron" />
                        </button>
                    </span>
                )}
                <time class="faint num" title={fullTimeText(error.time)}>
                    {clockText(error.time)}
                </time>
                {error.offset !== null && (
                    <button
                        type="button"
                        class="button"
                        onClick={() => showInTerminal(error)}
                        title="Show in terminal (x)"
                    >
                        <Icon name="terminal" />
                        <span>Show in terminal</span>
                    </button>
                )}
                <CloseButton label="Hide until there is another error" onClose={() => (closed.value = errors.length)} />
            </div>
            {open.value && (
                <div class="error-open">
                    <pre class="traceback" tabIndex={0} aria-label="Traceback">
                        {error.traceback ?? error.message}
                    </pre>
                    <CopyButton class="button" text={errorText(error)} label="Copy the error" caption="Copy" />
                </div>
            )}
        </section>
    );
}

const shownAtOnce = 100;

export function ErrorsPane({ session }: { session: Session }) {
    session.storyChanged.value;
    const { errors } = session.story;
    const newest = errors.slice(-shownAtOnce).reverse();
    return (
        <div class="pane-scroll errors-pane">
            {errors.length === 0 && <p class="nothing">No errors so far.</p>}
            <ol class="errors" aria-label="Errors, newest first">
                {newest.map((error, i) => (
                    <li key={error.offset ?? `${error.time}-${i}`} class="error-card card">
                        <div class="error-card-head">
                            <Icon name="warn" class="is-failed" />
                            <h3>{error.message}</h3>
                            <time class="faint num" title={fullTimeText(error.time)}>
                                {clockText(error.time)}
                            </time>
                        </div>
                        {error.type && <p class="error-type">{error.type}</p>}
                        {error.traceback && (
                            <pre class="traceback" tabIndex={0} aria-label="Traceback">
                                {error.traceback}
                            </pre>
                        )}
                        <ErrorTools session={session} error={error} />
                    </li>
                ))}
            </ol>
            {errors.length > shownAtOnce && (
                <p class="faint nothing">{countText(errors.length - shownAtOnce)} older ones are on the timeline.</p>
            )}
        </div>
    );
}
