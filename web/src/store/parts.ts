/** The kind of a topic, before the colon, and what follows it. */
export function partsOf(topic: string): { kind: string; id: string } {
    const colon = topic.indexOf(':');
    return colon < 0 ? { kind: topic, id: topic } : { kind: topic.slice(0, colon), id: topic.slice(colon + 1) };
}
