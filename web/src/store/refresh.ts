/*
 * Redrawing at the pace of the screen, and slower where drawing is slow: however fast events come,
 * the page keeps most of its time for its reader.
 */

const hiddenPause = 500;
const share = 3; // drawing may take a fourth of the time

export class Refresh {
    #draw: () => void;
    #planned = false;
    #earliest = 0;

    constructor(draw: () => void) {
        this.#draw = draw;
    }

    soon(): void {
        if (this.#planned) return;
        this.#planned = true;
        if (document.visibilityState === 'hidden') {
            setTimeout(this.#now, hiddenPause);
            return;
        }
        const pause = this.#earliest - performance.now();
        if (pause > 16) setTimeout(() => requestAnimationFrame(this.#now), pause);
        else this.#frame();
    }

    /** A page that gets hidden between draws no more frames: a timer stands in. */
    #frame(): void {
        const stand = setTimeout(() => {
            cancelAnimationFrame(frame);
            this.#now();
        }, hiddenPause);
        const frame = requestAnimationFrame(() => {
            clearTimeout(stand);
            this.#now();
        });
    }

    #now = (): void => {
        const begun = performance.now();
        this.#planned = false;
        this.#draw();
        // Preact draws in a microtask after this; what it took shows when the next task runs.
        setTimeout(() => {
            const took = performance.now() - begun;
            this.#earliest = performance.now() + Math.min(took * share, 1000);
        });
    };
}
