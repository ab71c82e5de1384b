import type { Signal } from '@preact/signals';
import type { HeldLog } from '../store/heldLog.ts';
import { countText } from '../text/format.ts';
import { Icon } from './Icon.tsx';

/* Tools above a list of what came: which types are shown, and holding it still. */

export function TypeSelect({ types, value }: { types: readonly string[]; value: Signal<string> }) {
    return (
        <select
            class="select"
            aria-label="Type"
            value={value.value}
            onChange={(event) => (value.value = event.currentTarget.value)}
        >
            <option value="">Every type</option>
            {types.map((each) => (
                <option key={each}>{each}</option>
            ))}
        </select>
    );
}

type Holdable = Pick<HeldLog<unknown>, 'paused' | 'pause' | 'goOn'>;

/** held: the log's; it is no signal. */
export function HoldButton({ log, held, title }: { log: Holdable; held: number; title?: string }) {
    const paused = log.paused.value;
    return (
        <button
            type="button"
            class="button"
            aria-pressed={paused}
            title={title}
            onClick={() => (paused ? log.goOn() : log.pause())}
        >
            <Icon name={paused ? 'play' : 'pause'} />
            <span>{paused ? `Go on${held ? ` (${countText(held)} new)` : ''}` : 'Pause'}</span>
        </button>
    );
}
