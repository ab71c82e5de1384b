import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';

export interface Tab<View extends string = string> {
    view: View;
    name: string;
    count?: ComponentChildren;
    tone?: 'bad' | 'plain';
}

interface TabsProps<View extends string> {
    tabs: readonly Tab<View>[];
    chosen: View;
    label: string;
    onChoose(view: View): void;
}

export const tabId = (view: string) => `tab-${view}`;
export const panelId = (view: string) => `panel-${view}`;

/** Tabs as the ARIA practices have them: one stop, arrows choose. */
export function Tabs<View extends string>({ tabs, chosen, label, onChoose }: TabsProps<View>) {
    const list = useRef<HTMLDivElement>(null);
    const move = (event: KeyboardEvent) => {
        const at = tabs.findIndex(({ view }) => view === chosen);
        const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        const next = tabs[(to + tabs.length) % tabs.length]!;
        onChoose(next.view);
        list.current?.querySelector<HTMLElement>(`#${tabId(next.view)}`)?.focus();
    };
    return (
        <div ref={list} class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
            {tabs.map(({ view, name, count, tone = 'plain' }) => (
                <button
                    key={view}
                    id={tabId(view)}
                    type="button"
                    role="tab"
                    class="tab"
                    aria-selected={view === chosen}
                    aria-controls={panelId(view)}
                    tabIndex={view === chosen ? 0 : -1}
                    onClick={() => onChoose(view)}
                >
                    {name}
                    {count !== undefined && <span class={`count num is-${tone}`}>{count}</span>}
                </button>
            ))}
        </div>
    );
}
