import { computed, signal } from '@preact/signals';

/*
 * The address bar is the page's state that others can be sent: ?session=ID&view=timeline#L120, ?rooms,
 * ?room=project:ID. All addresses are relative to the page's own, so that it works below any path.
 */

export const views = ['components', 'terminal', 'timeline', 'errors', 'runs', 'messages'] as const;
export type View = (typeof views)[number];

export const roomViews = ['events', 'messages', 'people'] as const;
export type RoomView = (typeof roomViews)[number];

/** The lists; one of them is shown where neither a session nor a room is. */
export const lists = ['sessions', 'rooms', 'people'] as const;
export type List = (typeof lists)[number];

export interface Route {
    session: string | null;
    view: View | null;
    room: string | null;
    roomView: RoomView | null;
    list: List;
    /** What follows #, without it. */
    fragment: string;
}

function read(): Route {
    const query = new URLSearchParams(location.search);
    const session = query.get('session') || null;
    const room = (!session && query.get('room')) || null;
    const view = query.get('view');
    const oneOf = <T extends string>(known: readonly T[]) => known.find((each) => each === view) ?? null;
    return {
        session,
        view: oneOf(views),
        room,
        roomView: room ? oneOf(roomViews) : null,
        list: lists.find((each) => query.has(each)) ?? (room ? 'rooms' : 'sessions'),
        fragment: location.hash.slice(1),
    };
}

export const route = signal<Route>(read());
export const sessionId = computed(() => route.value.session);
export const roomTopic = computed(() => route.value.room);

/** The address of a place of the page, relative to the page. */
export function addressOf({ session, view, room, roomView, list, fragment }: Partial<Route>): string {
    const query = new URLSearchParams();
    if (session) query.set('session', session);
    else if (room) query.set('room', room);
    else if (list && list !== 'sessions') query.set(list, '');
    const shown = session ? view : room ? roomView : null;
    if (shown) query.set('view', shown);
    // A slash, a colon and an at sign may stand in a query as they are, and read better so.
    const text = query.toString().replace(/=$/, '').replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%40/g, '@');
    return `${text ? `?${text}` : './'}${fragment ? `#${fragment}` : ''}`;
}

export function absoluteAddressOf(place: Partial<Route>): string {
    return new URL(addressOf(place), new URL('.', location.href)).href;
}

/** Another page in the browser's history. */
export function go(place: Partial<Route>): void {
    history.pushState(null, '', absoluteAddressOf(place));
    route.value = read();
    scrollTo(0, 0);
}

/** The same page, told more precisely. */
export function refine(change: Partial<Route>): void {
    history.replaceState(null, '', absoluteAddressOf({ ...route.value, ...change }));
    route.value = read();
}

addEventListener('popstate', () => (route.value = read()));
addEventListener('hashchange', () => (route.value = read()));
