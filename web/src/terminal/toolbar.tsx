/* The buttons above the lines. */
import type { ComponentChildren, JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { Transcript } from './transcript.ts';

export interface Switches {
    readonly problems: boolean;
    readonly wrap: boolean;
    readonly times: boolean;
}

export interface ToolbarProps {
    readonly transcript: Transcript;
    readonly switches: Switches;
    readonly onSwitch: (change: Partial<Switches>) => void;
    readonly onFind: () => void;
    readonly onFoldAll: (folded: boolean) => void;
    readonly onCopyAll: () => void;
    readonly onSave: (colors: boolean) => void;
    readonly said: string;
}

export function Toolbar(props: ToolbarProps): JSX.Element {
    const { transcript, switches, onSwitch, onFoldAll } = props;
    const hasGroups = transcript.groups.length > 0;
    return (
        <div class="terminal-bar" role="toolbar" aria-label="Terminal">
            <span class="terminal-size">{plural(transcript.lines, 'line')}</span>
            <Problems {...props} />
            <span class="terminal-said" role="status">{props.said}</span>
            <Switch on={switches.wrap} onChange={(wrap) => onSwitch({ wrap })} title="Continue long lines in the next row (w)">Wrap</Switch>
            <Switch on={switches.times} onChange={(times) => onSwitch({ times })} title="When each line was written (t)">Times</Switch>
            {hasGroups && <button type="button" title="Show the headers of groups only" onClick={() => onFoldAll(true)}>Fold</button>}
            {hasGroups && <button type="button" title="Show what is in all groups" onClick={() => onFoldAll(false)}>Unfold</button>}
            <button type="button" title="Search all lines (/ or Ctrl+F)" onClick={props.onFind}>Find</button>
            <button type="button" title="Copy all lines" onClick={props.onCopyAll}>Copy all</button>
            <Save onSave={props.onSave} />
        </div>
    );
}

function Problems({ transcript, switches, onSwitch }: ToolbarProps): JSX.Element {
    const { errors, warnings } = transcript;
    return (
        <Switch on={switches.problems} onChange={(problems) => onSwitch({ problems })}
            title="Only errors, warnings and what was written to stderr (e: next error, Shift+E: previous)">
            <span class={errors ? 'terminal-errors' : undefined}>{plural(errors, 'error')}</span>
            {warnings > 0 && <span class="terminal-warnings">{plural(warnings, 'warning')}</span>}
        </Switch>
    );
}

function Switch({ on, onChange, title, children }: {
    on: boolean; onChange: (on: boolean) => void; title: string; children: ComponentChildren;
}): JSX.Element {
    return <button type="button" class="terminal-switch" aria-pressed={on} title={title} onClick={() => onChange(!on)}>{children}</button>;
}

function Save({ onSave }: { onSave: (colors: boolean) => void }): JSX.Element {
    const menu = useRef<HTMLDetailsElement>(null);
    const save = (colors: boolean): void => {
        onSave(colors);
        menu.current!.open = false;
        menu.current!.querySelector('summary')!.focus();
    };
    const close = (event: KeyboardEvent): void => {
        if (event.key !== 'Escape' || !menu.current!.open) return;
        event.stopPropagation();
        menu.current!.open = false;
        menu.current!.querySelector('summary')!.focus();
    };
    const leave = (event: FocusEvent): void => {
        if (!menu.current!.contains(event.relatedTarget as Node | null)) menu.current!.open = false;
    };
    return (
        <details class="terminal-menu" ref={menu} onKeyDown={close} onFocusOut={leave}>
            <summary title="Download all lines">Save</summary>
            <div>
                <button type="button" onClick={() => save(false)}>As text</button>
                <button type="button" onClick={() => save(true)}>With colours (for cat or less -R)</button>
            </div>
        </details>
    );
}

export function plural(count: number, what: string): string {
    return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}
