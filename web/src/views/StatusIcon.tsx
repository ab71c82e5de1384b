import { statusWords } from '../store/outlook.ts';

/* What state something is in, as a sign; the words stand beside it or in its label. */

/** A class for the colour: other states than the known ones have their own. */
export function toneOf(status: string): string {
    return status in statusWords ? status : 'other';
}

export function StatusIcon({ status, label }: { status: string; label?: string }) {
    const said = label === undefined ? { 'aria-hidden': true as const } : { role: 'img' as const, 'aria-label': label };
    return (
        <svg
            class={`status-icon is-${toneOf(status)}`}
            viewBox="0 0 16 16"
            width="16"
            height="16"
            focusable="false"
            {...said}
        >
            {shape(status)}
        </svg>
    );
}

function shape(status: string) {
    switch (status) {
        case 'completed':
            return (
                <>
                    <circle class="fill" cx="8" cy="8" r="7" />
                    <path class="mark" d="M4.800 8.200l2.200 2.200 4.200-4.600" />
                </>
            );
        case 'failed':
            return (
                <>
                    <circle class="fill" cx="8" cy="8" r="7" />
                    <path class="mark" d="M5.500 5.500l5 5m0-5l-5 5" />
                </>
            );
        case 'in_progress':
            return (
                <>
                    <circle class="track" cx="8" cy="8" r="6" />
                    <path class="turn" d="M8 2a6 6 0 0 1 6 6" />
                </>
            );
        case 'pending':
            return <circle class="dashes" cx="8" cy="8" r="6" />;
        default:
            return (
                <>
                    <circle class="track strong" cx="8" cy="8" r="6" />
                    <circle class="dot" cx="8" cy="8" r="2" />
                </>
            );
    }
}
