/* The buttons above the lines. */
import type { ComponentChildren, JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { ViewModel } from './view_model.ts';

export interface ToolbarProps {
    readonly model: ViewModel;
    readonly onFind: () => void;
    readonly onCopyAll: () => void;
    readonly onSave: (colors: boolean) => void;
}

export function Toolbar({ model, onFind, onCopyAll, onSave }: ToolbarProps): JSX.Element {
    const { transcript, switches } = model;
    const hasGroups = transcript.groups.length > 0;
    return (
        <div class="terminal-bar" role="group" aria-label="What the terminal shows">
            <span class="terminal-size">{plural(transcript.lines, 'line')}</span>
            <Problems model={model} />
            <span class="terminal-said" role="status">{model.said}</span>
            <Switch on={switches.wrap} onChange={(wrap) => model.switchTo({ wrap })} title="Continue long lines in the next row (w)">Wrap</Switch>
            <Switch on={switches.times} onChange={(times) => model.switchTo({ times })} title="When each line was written (s)">Times</Switch>
            {hasGroups && <button type="button" title="Show the headers of groups only" onClick={() => model.foldAll(true)}>Fold</button>}
            {hasGroups && <button type="button" title="Show what is in all groups" onClick={() => model.foldAll(false)}>Unfold</button>}
            <button type="button" title="Search all lines (/ or Ctrl+F)" onClick={onFind}>Find</button>
            <button type="button" title="Copy all lines" onClick={onCopyAll}>Copy all</button>
            <Save onSave={onSave} />
        </div>
    );
}

function Problems({ model }: { model: ViewModel }): JSX.Element {
    const { errors, warnings } = model.transcript;
    return (
        <Switch on={model.switches.problems} onChange={(problems) => model.switchTo({ problems })}
            title="Only errors, warnings and what was written to stderr (j: next error, k: the one before)">
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
