import { computed, signal } from '@preact/signals';

/*
 * The address bar is the page's state that others can be sent: ?session=ID&view=timeline#L120. All
 * addresses are relative to the page's own, so that it works below any path.
 */

export const views = ['components', 'terminal', 'timeline', 'errors', 'runs', 'messages'] as const;
export type View = (typeof views)[number];

export interface Route {
    session: string | null;
    view: View | null;
    /** What follows #, without it. */
    fragment: string;
}

function read(): Route {
    const query = new URLSearchParams(location.search);
    const view = query.get('view') as View | null;
    return {
        session: query.get('session') || null,
        view: view && views.includes(view) ? view : null,
        fragment: location.hash.slice(1),
    };
}

export const route = signal<Route>(read());
export const sessionId = computed(() => route.value.session);

/** The address of a place of the page, relative to the page. */
export function addressOf({ session, view, fragment }: Partial<Route>): string {
    const query = new URLSearchParams();
    if (session) query.set('session', session);
    if (view) query.set('view', view);
    // A slash, a colon and an at sign may stand in a query as they are, and read better so.
    const text = query.toString().replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%40/g, '@');
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
