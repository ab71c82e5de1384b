import { useEffect } from 'preact/hooks';
import { declareShortcuts, type Shortcut } from '../store/shortcuts.ts';

/** Declares shortcuts while the view is there; `act` may change from one drawing to the next. */
export function useShortcuts(title: string, list: readonly Shortcut[], depends: readonly unknown[] = []): void {
    useEffect(() => declareShortcuts({ title, list }), depends as unknown[]);
}
