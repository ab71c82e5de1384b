import type { ComponentChildren, RefObject } from 'preact';
import { useState } from 'preact/hooks';
import { countText } from '../text/format.ts';

const pageSize = 200;

interface ListRowsProps<T> {
    rows: T[];
    list: RefObject<HTMLUListElement>;
    label: string;
    class?: string;
    /** What is said where the filters leave nothing. */
    none: string;
    onShowAll(): void;
    children(row: T): ComponentChildren;
}

/** The rows of a list, the first 200 until more are asked for, and the way back to them where filters leave none. */
export function ListRows<T>({ rows, list, label, class: className = '', none, onShowAll, children }: ListRowsProps<T>) {
    const [limit, setLimit] = useState(pageSize);
    return (
        <>
            <ul ref={list} class={className} aria-label={label}>
                {rows.slice(0, limit).map(children)}
            </ul>
            {rows.length === 0 && (
                <p class="nothing">
                    {none}{' '}
                    <button type="button" class="link" onClick={onShowAll}>
                        Show all
                    </button>
                </p>
            )}
            {rows.length > limit && (
                <button type="button" class="button wide" onClick={() => setLimit(limit + pageSize)}>
                    Show more ({countText(rows.length - limit)} left)
                </button>
            )}
        </>
    );
}
