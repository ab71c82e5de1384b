import { toneOf } from './StatusIcon.tsx';

interface BarProps {
    percent: number;
    status: string;
    label: string;
    /** What a screen reader says instead of the number. */
    valueText?: string;
    class?: string;
    /** Nobody says how far it is: it moves while it goes on, and is whole, in the outcome's colour, at the end. */
    unknown?: boolean;
    /** Per cent that have failed already, while the rest goes on. */
    failed?: number;
}

export function Bar({
    percent,
    status,
    label,
    valueText,
    class: className = '',
    unknown = false,
    failed = 0,
}: BarProps) {
    const value = Math.round(percent * 10) / 10;
    return (
        <div
            class={`bar is-${toneOf(status)} ${unknown ? 'unknown' : ''} ${className}`}
            role="progressbar"
            aria-label={label}
            aria-valuemin={0}
            aria-valuemax={100}
            {...(unknown ? {} : { 'aria-valuenow': value })}
            {...(valueText ? { 'aria-valuetext': valueText } : {})}
        >
            <div class="bar-fill" style={unknown ? undefined : { transform: `scaleX(${value / 100})` }} />
            {failed > 0 && <div class="bar-failed" style={{ width: `${Math.max(failed, 1)}%` }} />}
        </div>
    );
}
