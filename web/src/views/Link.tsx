/** Follows a link inside the page; a click that asks for a new tab or window stays the browser's. */
export function followLink(act: () => void) {
    return (event: MouseEvent) => {
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        act();
    };
}
