import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/*
 * A list of rows of one height, of which only those in sight exist: as quick with 20,000 rows as
 * with ten. Screen readers are told how many there are and which these are.
 */

interface VirtualListProps {
    count: number;
    rowHeight: number;
    label: string;
    /** Called for the rows in sight. Rows take `position`, which is for screen readers. */
    row(index: number, position: { 'aria-setsize': number; 'aria-posinset': number }): ComponentChildren;
}

const overscan = 6;

export function VirtualList({ count, rowHeight, label, row }: VirtualListProps) {
    const box = useRef<HTMLDivElement>(null);
    const [place, setPlace] = useState({ top: 0, height: 600 });

    const look = () => {
        const element = box.current;
        if (!element) return;
        const top = Math.floor(element.scrollTop / rowHeight) * rowHeight;
        const height = element.clientHeight;
        setPlace((before) => (before.top === top && before.height === height ? before : { top, height }));
    };

    useLayoutEffect(look, [count]);
    useEffect(() => {
        const observer = new ResizeObserver(look);
        observer.observe(box.current!);
        return () => observer.disconnect();
    }, []);

    const first = Math.max(Math.floor(place.top / rowHeight) - overscan, 0);
    const last = Math.min(Math.ceil((place.top + place.height) / rowHeight) + overscan, count);
    const rows: ComponentChildren[] = [];
    for (let i = first; i < last; i++) rows.push(row(i, { 'aria-setsize': count, 'aria-posinset': i + 1 }));

    return (
        <div ref={box} class="virtual" onScroll={look} tabIndex={0} role="list" aria-label={label}>
            <div class="virtual-all" role="presentation" style={{ height: `${count * rowHeight}px` }}>
                <div
                    class="virtual-shown"
                    role="presentation"
                    style={{ transform: `translateY(${first * rowHeight}px)` }}
                >
                    {rows}
                </div>
            </div>
        </div>
    );
}
