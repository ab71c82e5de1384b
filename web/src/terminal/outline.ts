/*
 * What folds: runs (from run_started and run_finished), the groups that GitHub's and Azure's
 * markers open and close, and GitLab's sections. Groups nest. The last lines of a transcript may
 * still change, so what they opened and closed can be taken back.
 */
import type { SectionMark } from './emulator.ts';

export type GroupKind = 'run' | 'group' | 'section';

/** A command that `fanfare run` ran. */
export interface Run {
    readonly command: string;
    readonly cwd?: string | undefined;
    readonly pid?: number | undefined;
    /** Who published it. */
    readonly source?: string | undefined;
    /** Milliseconds since 1970, NaN when unknown. */
    readonly started: number;
    finished: boolean;
    exitCode?: number | undefined;
    signal?: string | undefined;
    /** Seconds. */
    duration?: number | undefined;
}

export interface Group {
    readonly id: number;
    readonly kind: GroupKind;
    title: string;
    /** Of a section: the name by which its end refers to it. */
    readonly name: string | undefined;
    /** Its header is this line, which is not itself inside. */
    readonly header: number;
    /** The line after its last; undefined while it is open. */
    end: number | undefined;
    /** The group around it, -1 for none. */
    readonly parent: number;
    readonly depth: number;
    /** Whether it starts folded. */
    readonly collapsed: boolean;
    readonly run?: Run | undefined;
}

/** What a line does to the outline. */
export interface LineRole {
    /** The group that the line is in, -1 for none; a header is in the group around its own. */
    group: number;
    /** It only closes a group: there is nothing to show. */
    hidden: boolean;
    /** The group of which it is the header. */
    opens: number | undefined;
}

/* Output decides how many groups there are and how deep; beyond these, markers are ordinary lines. */
const MOST_GROUPS = 100_000;
const DEEPEST = 32;

/* Logs that were downloaded from GitHub have a time before each line. */
const marker = /^(?:\d{4}-\d\d-\d\dT[\d:.]+Z )?(?:::(group|endgroup)::|##\[(group|endgroup)\])(.*)$/;

export class Outline {
    readonly groups: Group[] = [];
    /** Open groups, the innermost last. */
    #open: number[] = [];
    /** Closed by lines that may be taken back. */
    #closed: number[] = [];
    #unfinished: Group[] = [];
    #kept = 0;
    #keptOpen: number[] = [];

    /** The innermost open group, -1 for none. */
    get current(): number {
        return this.#open.at(-1) ?? -1;
    }

    /** What came up to now stays. */
    keep(): void {
        this.#kept = this.groups.length;
        this.#keptOpen = [...this.#open];
        this.#closed = [];
    }

    /** Forgets what came since `keep`. */
    rewind(): void {
        for (const id of this.#closed) if (id < this.#kept) this.groups[id]!.end = undefined;
        this.groups.length = this.#kept;
        this.#open = [...this.#keptOpen];
        this.#closed = [];
    }

    /** Reads a line of output: returns where it belongs. */
    line(index: number, text: string, sections: readonly SectionMark[] | undefined): LineRole {
        if (sections) return this.#sections(index, text, sections);
        const first = text.charCodeAt(0);
        // ':', '#' or a digit: all other lines are not looked at
        if (first !== 0x3a && first !== 0x23 && !(first >= 0x30 && first <= 0x39)) return this.#ordinary();
        const found = marker.exec(text);
        if (!found) return this.#ordinary();
        if ((found[1] ?? found[2]) === 'group') {
            const role = this.#ordinary();
            role.opens = this.#start('group', index, found[3]!.trim() || 'Group', undefined, false);
            return role;
        }
        const group = this.#innermost((each) => each.kind === 'group');
        if (group === undefined) return this.#ordinary();
        const role = { group, hidden: true, opens: undefined };
        this.#close(group, index + 1);
        return role;
    }

    #ordinary(): LineRole {
        return { group: this.current, hidden: false, opens: undefined };
    }

    #sections(index: number, text: string, sections: readonly SectionMark[]): LineRole {
        let role = this.#ordinary();
        for (const mark of sections) {
            if (mark.start) {
                role = this.#ordinary();
                role.opens = this.#start('section', index, text.trim() || mark.name, mark.name, mark.collapsed);
                continue;
            }
            const group = this.#innermost((each) => each.kind === 'section' && each.name === mark.name);
            if (group === undefined) continue;
            const alone = text.trim() === '';
            this.#close(group, alone ? index + 1 : index);
            role = alone ? { group, hidden: true, opens: undefined } : this.#ordinary();
        }
        return role;
    }

    /** Returns whether the run has a group. */
    startRun(index: number, run: Run): boolean {
        const id = this.#start('run', index, run.command, undefined, false, run);
        if (id !== undefined) this.#unfinished.push(this.groups[id]!);
        return id !== undefined;
    }

    /** The group with this header. */
    headedBy(index: number): Group | undefined {
        let [low, high] = [0, this.groups.length];
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (this.groups[middle]!.header <= index) low = middle + 1;
            else high = middle;
        }
        const group = this.groups[low - 1];
        return group?.header === index ? group : undefined;
    }

    /**
     * The newest run that has not finished and matches: runs that overlap are mostly nested. One
     * whose surroundings finished before it has no open group any more, but still a result.
     */
    finishRun(index: number, matches: (run: Run) => boolean, result: Partial<Run>): Group | undefined {
        const group = [...this.#unfinished].reverse().find((each) => matches(each.run!));
        if (!group) return undefined;
        this.#unfinished = this.#unfinished.filter((each) => each !== group);
        Object.assign(group.run!, result, { finished: true });
        if (this.#open.includes(group.id)) this.#close(group.id, index);
        return group;
    }

    /** Whether a run is going on. */
    get running(): boolean {
        return this.#unfinished.length > 0;
    }

    #innermost(matches: (group: Group) => boolean): number | undefined {
        for (let i = this.#open.length - 1; i >= 0; i--) {
            const group = this.groups[this.#open[i]!]!;
            if (matches(group)) return group.id;
            if (group.kind === 'run') return undefined; // what began before a run does not end in it
        }
        return undefined;
    }

    #start(
        kind: GroupKind, header: number, title: string, name: string | undefined, collapsed: boolean, run?: Run,
    ): number | undefined {
        if (this.groups.length >= MOST_GROUPS || this.#open.length >= DEEPEST) return undefined;
        const group: Group = {
            id: this.groups.length, kind, title, name, header, end: undefined,
            parent: this.current, depth: this.#open.length, collapsed, run,
        };
        this.groups.push(group);
        this.#open.push(group.id);
        return group.id;
    }

    /* Closes the group and whatever is still open in it. */
    #close(id: number, end: number): void {
        const at = this.#open.lastIndexOf(id);
        for (const inner of this.#open.splice(at)) {
            this.groups[inner]!.end = end;
            this.#closed.push(inner);
        }
    }

    clear(): void {
        this.groups.length = 0;
        this.#open = [];
        this.#unfinished = [];
        this.keep();
    }
}
