import { base } from '../store/server.ts';
import { CopyButton } from './CopyButton.tsx';

/** plain: no shell's command, so without its prompt. */
export function Command({ text, plain = false }: { text: string; plain?: boolean }) {
    return (
        <div class="command">
            <code>
                {!plain && (
                    <span class="prompt" aria-hidden="true">
                        ${' '}
                    </span>
                )}
                {text}
            </code>
            <CopyButton text={text} label={`Copy: ${text}`} />
        </div>
    );
}

/** How to point the commands at this server, where it is not where they look by themselves. */
export function urlOption(): string {
    const url = base.href.replace(/\/$/, '');
    return url === 'http://127.0.0.1:8000' || url === 'http://localhost:8000' ? '' : ` --url ${url}`;
}

export function ListEmpty() {
    const url = urlOption();
    return (
        <section class="card empty" aria-labelledby="empty-title">
            <h2 id="empty-title">Nothing has been published yet</h2>
            <p>A session appears here as soon as something happens in it. Begin with one of these:</p>
            <ul class="ways">
                <li>
                    <h3>Run a command</h3>
                    <p>Its terminal, progress and outcome, live.</p>
                    <Command text={`fanfare run${url} -- make`} />
                </li>
                <li>
                    <h3>Publish an event</h3>
                    <p>From a script, in any language that can start a program.</p>
                    <Command text={`fanfare pub${url} session:web build_progress '{"total":10,"completed":3}'`} />
                </li>
                <li>
                    <h3>Watch a project</h3>
                    <p>Checkpoints, context files and artifacts that a build tool writes.</p>
                    <Command text={`fanfare watch${url} . --session web`} />
                </li>
            </ul>
            <p class="faint">
                Over HTTP: <a href="docs">the API, to try out</a>.
            </p>
        </section>
    );
}
