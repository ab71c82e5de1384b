import { countText } from '../text/format.ts';
import { Icon, type IconName } from './Icon.tsx';

export interface Segment<T> {
    value: T;
    name: string;
    count?: number;
    icon?: IconName;
}

interface SegmentsProps<T> {
    label: string;
    segments: Segment<T>[];
    isOn(value: T): boolean;
    onPress(value: T): void;
}

/** Buttons side by side that stay pressed: one of them, or several. */
export function Segments<T extends string>({ label, segments, isOn, onPress }: SegmentsProps<T>) {
    return (
        <div class="segments" role="group" aria-label={label}>
            {segments.map(({ value, name, count, icon }) => (
                <button
                    key={value}
                    type="button"
                    class="segment"
                    aria-pressed={isOn(value)}
                    onClick={() => onPress(value)}
                >
                    {icon && <Icon name={icon} />}
                    {name}
                    {count !== undefined && (
                        <>
                            {' '}
                            <span class="count num">{countText(count)}</span>
                        </>
                    )}
                </button>
            ))}
        </div>
    );
}
