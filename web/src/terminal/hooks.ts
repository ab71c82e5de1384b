/* What the view needs of the browser: sizes, and a mouse that selects. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Metrics, ViewModel } from './view_model.ts';

interface Ref<T> {
    readonly current: T | null;
}

/** Keeps the model's metrics: of the scrolled element, and of a hundred characters. */
export function useMetrics(scroller: Ref<HTMLElement>, probe: Ref<HTMLElement>, model: ViewModel): void {
    useLayoutEffect(() => {
        const measure = (): void => {
            const box = probe.current!.getBoundingClientRect();
            if (!box.width || !scroller.current) return; // not shown
            const { clientWidth: width, clientHeight: height } = scroller.current;
            const metrics: Metrics = { rowHeight: box.height, cellWidth: box.width / 100, width, height };
            if ((Object.keys(metrics) as (keyof Metrics)[]).every((each) => metrics[each] === model.metrics[each])) return;
            model.metrics = metrics;
            model.draw();
        };
        const observer = new ResizeObserver(measure);
        observer.observe(probe.current!);
        if (scroller.current) observer.observe(scroller.current);
        measure();
        return () => observer.disconnect();
    }, [scroller.current, model]);
}

type PointerHandlers = Pick<JSX.HTMLAttributes<HTMLDivElement>, 'onPointerDown' | 'onMouseDown' | 'onPointerMove' | 'onPointerUp' | 'onPointerCancel'>;

/** Where the mouse is while its button is held. */
interface Drag {
    readonly element: HTMLElement;
    x: number;
    y: number;
    frame: number;
}

/** Selecting with the mouse, which scrolls when it leaves the view. Fingers scroll. */
export function useMouse(model: ViewModel): PointerHandlers {
    const drag = useRef<Drag | undefined>();
    const pointer = useRef<PointerEvent>();
    const end = (): void => {
        if (drag.current) cancelAnimationFrame(drag.current.frame);
        drag.current = undefined;
    };
    useEffect(() => end, [model]);
    return {
        onPointerDown: (event) => {
            pointer.current = event;
        },
        // Unlike a pointer's, a mouse's event counts clicks.
        onMouseDown: (event) => {
            const element = event.currentTarget;
            if (event.button !== 0 || pointer.current?.pointerType === 'touch' || !isText(event, element)) return;
            const box = element.getBoundingClientRect();
            const place = model.placeAt(event.clientX - box.left, event.clientY - box.top);
            if (!place) return;
            if (event.shiftKey) model.selection.extend(place);
            else model.selection.start(place, event.detail);
            drag.current = { element, x: event.clientX, y: event.clientY, frame: 0 };
            scrollOn(drag.current, model);
            model.draw();
        },
        onPointerMove: (event) => {
            if (!drag.current) return;
            // Not before it moves: a click must reach what is under it.
            event.currentTarget.setPointerCapture(event.pointerId);
            Object.assign(drag.current, { x: event.clientX, y: event.clientY });
            extend(drag.current, model);
        },
        onPointerUp: end,
        onPointerCancel: end,
    };
}

function extend({ element, x, y }: Drag, model: ViewModel): void {
    const box = element.getBoundingClientRect();
    const place = model.placeAt(x - box.left, y - box.top);
    if (place) model.selection.extend(place);
    model.draw();
}

/* Scrolls with every frame, the faster the farther the mouse is beyond the edge. */
function scrollOn(drag: Drag, model: ViewModel): void {
    const { top, bottom } = drag.element.getBoundingClientRect();
    const beyond = drag.y < top ? drag.y - top : Math.max(0, drag.y - bottom);
    if (beyond) {
        model.scrollBy(beyond);
        extend(drag, model);
    }
    drag.frame = requestAnimationFrame(() => scrollOn(drag, model));
}

/* Whether the mouse is neither over something that acts nor over a scrollbar. */
function isText(event: MouseEvent, element: HTMLElement): boolean {
    const box = element.getBoundingClientRect();
    const inside = event.clientX - box.left < element.clientWidth && event.clientY - box.top < element.clientHeight;
    return inside && !(event.target as Element).closest('a, button');
}
