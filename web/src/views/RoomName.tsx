import { names } from '../store/names.ts';
import { partsOf } from '../store/parts.ts';
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

/** A topic, of which the kind stands back; behind the name of what it is about, where that is known. */
export function RoomName({ topic }: { topic: string }) {
    const { kind, id } = partsOf(topic);
    const name = names.value.get(topic);
    if (name)
        return (
            <span class="room-name is-called" title={topic}>
                {visibleName(name)} <span class="faint room-topic">{topic}</span>
            </span>
        );
    return (
        <span class="room-name" title={topic}>
            {topic.includes(':') && <span class="faint">{kind}:</span>}
            {visibleName(id)}
        </span>
    );
}
