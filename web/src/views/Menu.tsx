import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface MenuProps {
    /** What is always there and opens the menu. */
    summary: ComponentChildren;
    label: string;
    class?: string;
    /** A sign that is named by the label alone. */
    quiet?: boolean;
    children: ComponentChildren;
}

/** Something that opens below a button; a click elsewhere and Escape close it. */
export function Menu({ summary, label, class: className = '', quiet = false, children }: MenuProps) {
    const box = useRef<HTMLDetailsElement>(null);
    useEffect(() => {
        const close = (event: Event) => {
            const menu = box.current;
            if (!menu?.open || (event.type === 'pointerdown' && menu.contains(event.target as Node))) return;
            if (event instanceof KeyboardEvent) {
                if (event.key !== 'Escape') return;
                menu.querySelector('summary')?.focus();
            }
            menu.open = false;
        };
        addEventListener('pointerdown', close);
        addEventListener('keydown', close);
        return () => {
            removeEventListener('pointerdown', close);
            removeEventListener('keydown', close);
        };
    }, []);
    return (
        <details ref={box} class={`menu ${className}`}>
            <summary class={`button ${quiet ? 'quiet' : ''}`} title={label} {...(quiet ? { 'aria-label': label } : {})}>
                {summary}
            </summary>
            {children}
        </details>
    );
}
