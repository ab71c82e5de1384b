import { partsOf } from '../store/rooms.ts';
import { visibleName } from '../text/names.ts';
import { Icon, type IconName } from './Icon.tsx';

export const kindIcons: Record<string, IconName> = {
    global: 'globe',
    project: 'folder',
    agent: 'bolt',
    user: 'person',
    channel: 'hash',
    session: 'terminal',
};

export function RoomSign({ topic }: { topic: string }) {
    const { kind } = partsOf(topic);
    return (
        <span class={`room-sign kind-${kind}`}>
            <Icon name={kindIcons[kind] ?? 'hash'} />
        </span>
    );
}

/** A topic, of which the kind stands back. */
export function RoomName({ topic }: { topic: string }) {
    const { kind, id } = partsOf(topic);
    return (
        <span class="room-name" title={topic}>
            {topic.includes(':') && <span class="faint">{kind}:</span>}
            {visibleName(id)}
        </span>
    );
}
