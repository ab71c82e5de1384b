interface SparklineProps {
    /** Oldest first. */
    values: readonly number[];
    /** How many fill the width; fewer stand at its right. */
    length: number;
    /** What it shows, for screen readers; without it they pass over it. */
    label?: string;
    class?: string;
}

const width = 100;
const height = 20;

/** Small bars of how busy something was; its highest one fills the height. */
export function Sparkline({ values, length, label, class: className = '' }: SparklineProps) {
    const shown = values.slice(-length);
    const top = Math.max(...shown, 1);
    const step = width / length;
    const from = length - shown.length;
    const path = shown
        .map((value, i) => {
            const tall = value > 0 ? Math.max((value / top) * height, 1.5) : 0;
            return tall
                ? `M${((from + i) * step).toFixed(2)} ${height}v${(-tall).toFixed(2)}h${(step * 0.75).toFixed(2)}V${height}z`
                : '';
        })
        .join('');
    const said = label ? { role: 'img' as const, 'aria-label': label } : { 'aria-hidden': true as const };
    return (
        <svg
            class={`sparkline ${className}`}
            viewBox={`0 0 ${width} ${height}`}
            preserveAspectRatio="none"
            focusable="false"
            {...said}
        >
            <path class="sparkline-ground" d={`M0 ${height - 0.5}h${width}`} />
            <path d={path} />
        </svg>
    );
}
