import type { RefObject } from 'preact';
import { go, lists } from '../store/route.ts';
import { useShortcuts } from './useShortcuts.ts';

const listKeys = ['1', '2', '3'];

/** The keys of a list of links: search, up and down, and the other lists. Returns what moves the focus. */
export function useListKeys(
    title: string,
    thing: string,
    { list, links, search }: { list: RefObject<HTMLElement>; links: string; search: RefObject<HTMLInputElement> },
): (step: number) => void {
    const move = (step: number) => {
        const all = [...(list.current?.querySelectorAll<HTMLAnchorElement>(links) ?? [])];
        const at = all.indexOf(document.activeElement as HTMLAnchorElement);
        all[Math.min(Math.max(at + step, 0), all.length - 1)]?.focus();
    };
    useShortcuts(title, [
        { key: '/', does: 'Search', act: () => search.current?.focus() },
        ...['j', 'ArrowDown'].map((key) => ({ key, does: `Next ${thing}`, act: () => move(1) })),
        ...['k', 'ArrowUp'].map((key) => ({ key, does: `Previous ${thing}`, act: () => move(-1) })),
        ...lists.map((each, i) => ({ key: listKeys[i]!, does: `Show ${each}`, act: () => go({ list: each }) })),
    ]);
    return move;
}
