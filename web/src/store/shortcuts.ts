import { signal } from '@preact/signals';
import { shortcuts } from './settings.ts';

/*
 * Keyboard shortcuts: single keys, which can be turned off, and which stay out of the way wherever
 * text is typed. Each view declares its own while it is there.
 */

export interface Shortcut {
    /** As KeyboardEvent.key says it. */
    key: string;
    does: string;
    /** Without it somebody else listens: the key is only in the help. */
    act?(): void;
}

export interface ShortcutGroup {
    title: string;
    list: readonly Shortcut[];
}

export const helpOpen = signal(false);
export const groups = signal<readonly ShortcutGroup[]>([]);

/** Until the returned function is called. */
export function declareShortcuts(group: ShortcutGroup): () => void {
    groups.value = [...groups.peek(), group];
    return () => (groups.value = groups.peek().filter((each) => each !== group));
}

function isTyping(target: EventTarget | null): boolean {
    if (target instanceof HTMLInputElement) return !/^(checkbox|radio|button|range)$/.test(target.type);
    return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Keys that mean something to what has the focus are left to it. */
function isTaken(event: KeyboardEvent): boolean {
    if (event.key === ' ' && event.target instanceof Element && event.target.closest('a, button, summary, input'))
        return !(event.target instanceof HTMLInputElement && event.target.type === 'range');
    const role = event.target instanceof HTMLElement ? event.target.getAttribute('role') : null;
    return role === 'tab' && /^(Arrow|Home|End)/.test(event.key);
}

addEventListener('keydown', (event) => {
    if (
        event.defaultPrevented ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        isTyping(event.target) ||
        isTaken(event)
    )
        return;
    if (document.querySelector('dialog[open]')) return;
    if (shortcuts.peek() === 'off' && event.key !== '?') return;
    for (const group of [...groups.peek()].reverse()) {
        const found = group.list.find((each) => each.act && each.key === event.key);
        if (!found) continue;
        event.preventDefault();
        found.act?.();
        return;
    }
});
