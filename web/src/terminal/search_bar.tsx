/* Where to type what is searched, and how far the search is. */
import type { JSX, RefObject } from 'preact';
import { MOST_MATCHES, type Query, type Search } from './search.ts';
import type { ViewModel } from './view_model.ts';

export interface SearchBarProps {
    readonly input: RefObject<HTMLInputElement>;
    readonly model: ViewModel;
    readonly query: Query;
    readonly onStep: (forward: boolean) => void;
    readonly onClose: () => void;
}

export function SearchBar({ input, model, query, onStep, onClose }: SearchBarProps): JSX.Element {
    const { search } = model;
    const key = (event: KeyboardEvent): void => {
        const isEnter = event.key === 'Enter' && event.target === input.current; // a button's is its own
        if (isEnter || event.key === 'F3') {
            event.preventDefault();
            onStep(!event.shiftKey);
        } else if (event.key === 'Escape') {
            event.stopPropagation();
            onClose();
        }
    };
    return (
        <div class="terminal-search" role="search" onKeyDown={key}>
            <input ref={input} type="search" aria-label="Search the terminal" placeholder="Search" spellcheck={false}
                autocomplete="off" autocapitalize="off" value={query.text} aria-invalid={search.problem !== undefined}
                onInput={(event) => model.setQuery({ ...query, text: event.currentTarget.value })} />
            <button type="button" class="terminal-switch" aria-pressed={query.matchCase} aria-label="Match case" title="Match case"
                onClick={() => model.setQuery({ ...query, matchCase: !query.matchCase })}>Aa</button>
            <button type="button" class="terminal-switch" aria-pressed={query.regex} aria-label="Regular expression" title="Regular expression"
                onClick={() => model.setQuery({ ...query, regex: !query.regex })}>.*</button>
            <span class="terminal-found" role="status">{state(search, model.match)}</span>
            <button type="button" aria-label="Previous match" title="Previous match (Shift+Enter)" disabled={!search.count} onClick={() => onStep(false)}>↑</button>
            <button type="button" aria-label="Next match" title="Next match (Enter)" disabled={!search.count} onClick={() => onStep(true)}>↓</button>
            <button type="button" aria-label="Close the search" title="Close (Escape)" onClick={onClose}>✕</button>
        </div>
    );
}

function state(search: Search, current: number): string {
    if (search.problem !== undefined) return search.problem;
    if (!search.active) return '';
    const count = search.count.toLocaleString('en') + (search.count >= MOST_MATCHES || !search.complete ? '+' : '');
    if (search.count === 0) return search.complete ? 'Nothing found' : 'Searching…';
    return current < 0 ? count : `${(current + 1).toLocaleString('en')} of ${count}`;
}
