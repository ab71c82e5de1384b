import type { RefObject } from 'preact';
import { Icon } from './Icon.tsx';

interface SearchFieldProps {
    label: string;
    placeholder?: string;
    value: { value: string };
    input?: RefObject<HTMLInputElement>;
    /** The key that leads here. */
    shortcut?: string;
    onKeyDown?(event: KeyboardEvent): void;
}

/** A field whose text is a signal's; Escape empties and leaves it. */
export function SearchField({ label, placeholder = 'Search', value, input, shortcut, onKeyDown }: SearchFieldProps) {
    const keyDown = (event: KeyboardEvent & { currentTarget: HTMLInputElement }) => {
        if (event.key === 'Escape') {
            value.value = '';
            event.currentTarget.blur();
        }
        onKeyDown?.(event);
    };
    return (
        <label class="search">
            <Icon name="search" />
            <span class="visually-hidden">{label}</span>
            <input
                {...(input ? { ref: input } : {})}
                class="input"
                type="search"
                placeholder={placeholder}
                autocomplete="off"
                spellcheck={false}
                value={value.value}
                onInput={(event) => (value.value = event.currentTarget.value)}
                onKeyDown={keyDown}
            />
            {shortcut && <kbd aria-hidden="true">{shortcut}</kbd>}
        </label>
    );
}
