import { toneOf } from './StatusIcon.tsx';

interface BarProps {
    percent: number;
    status: string;
    label: string;
    /** What a screen reader says instead of the number. */
    valueText?: string;
    class?: string;
    /** It goes on, but nobody knows how far it is. */
    unknown?: boolean;
}

export function Bar({ percent, status, label, valueText, class: className = '', unknown = false }: BarProps) {
    const value = Math.round(percent * 10) / 10;
    return (
        <div class={`bar is-${toneOf(status)} ${unknown ? 'unknown' : ''} ${className}`} role="progressbar" aria-label={label}
            aria-valuemin={0} aria-valuemax={100} {...(unknown ? {} : { 'aria-valuenow': value })}
            {...(valueText ? { 'aria-valuetext': valueText } : {})}>
            <div class="bar-fill" style={unknown ? undefined : { transform: `scaleX(${value / 100})` }} />
        </div>
    );
}
