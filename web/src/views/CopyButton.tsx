import { useRef, useState } from 'preact/hooks';
import { announce } from '../store/announce.ts';
import { Icon, type IconName } from './Icon.tsx';

/** navigator.clipboard exists in secure contexts only; the old way works everywhere. */
export async function copyText(text: string): Promise<boolean> {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        const area = document.createElement('textarea');
        area.value = text;
        area.className = 'visually-hidden';
        document.body.append(area);
        area.select();
        const copied = document.execCommand('copy');
        area.remove();
        return copied;
    }
}

interface CopyButtonProps {
    /** What is copied, asked for when the button is pressed. */
    text: string | (() => string);
    label: string;
    /** Shown beside the sign; without it the label is for screen readers alone. */
    caption?: string;
    icon?: IconName;
    class?: string;
    id?: string;
}

export function CopyButton({
    text,
    label,
    caption,
    icon = 'copy',
    class: className = 'button quiet',
    id,
}: CopyButtonProps) {
    const [copied, setCopied] = useState(false);
    const timer = useRef<ReturnType<typeof setTimeout>>();
    const copy = async () => {
        const done = await copyText(typeof text === 'string' ? text : text());
        announce(done ? 'Copied.' : 'The browser does not allow copying.');
        if (!done) return;
        setCopied(true);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => setCopied(false), 1500);
    };
    return (
        <button
            type="button"
            class={className}
            onClick={copy}
            title={label}
            aria-label={caption ? undefined : label}
            {...(id ? { id } : {})}
        >
            <Icon name={copied ? 'check' : icon} class={copied ? 'is-completed' : ''} />
            {caption && <span>{copied ? 'Copied' : caption}</span>}
        </button>
    );
}
