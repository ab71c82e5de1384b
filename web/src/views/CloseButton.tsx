import { Icon } from './Icon.tsx';

export function CloseButton({
    label = 'Close the details',
    title,
    onClose,
}: {
    label?: string;
    title?: string;
    onClose(): void;
}) {
    return (
        <button type="button" class="button quiet" aria-label={label} title={title ?? label} onClick={onClose}>
            <Icon name="cross" />
        </button>
    );
}
