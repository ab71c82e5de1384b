/* One row of the view: number, time, text. */
import type { ComponentChildren, JSX } from 'preact';
import { LineFlag } from './archive.ts';
import { gridParts } from './cells.ts';
import { cssOf } from './colors.ts';
import type { Group } from './outline.ts';
import { segmentsOf, type Match, type Range, type Segment } from './segments.ts';
import type { StyleTable } from './style.ts';
import type { Line } from './transcript.ts';

export interface RowProps {
    readonly line: Line;
    readonly styles: StyleTable;
    /** The characters of the line that this row shows. */
    readonly from: number;
    readonly to: number;
    /** Columns left of `from` that are not drawn. */
    readonly indent: number;
    readonly isContinued: boolean;
    readonly group: Group | undefined;
    readonly folded: boolean;
    readonly onFold: (group: Group, folded: boolean) => void;
    readonly href: string | undefined;
    readonly matches: readonly Match[];
    readonly selection: Range | undefined;
    readonly marked: boolean;
    readonly afterGap: boolean;
    readonly jumps: boolean;
    readonly time: string | undefined;
}

export function Row(props: RowProps): JSX.Element {
    const { line, isContinued, href, jumps } = props;
    const number = isContinued ? undefined : String(line.index + 1);
    return (
        <div class={classOf(props)} data-line={line.index}>
            {href === undefined || isContinued ? <span class="terminal-number" data-number={number} /> : (
                <a class="terminal-number" href={href} tabIndex={jumps ? 0 : -1} data-number={number}
                    aria-label={`${jumps ? 'Show line' : 'Line'} ${number}${kindOf(line)}`} />
            )}
            {props.time !== undefined && <time class="terminal-time">{isContinued ? '' : props.time}</time>}
            <RowText {...props} />
        </div>
    );
}

/* For those who do not see the colour at the edge. */
function kindOf({ flags }: Line): string {
    if (flags & LineFlag.error) return ', an error';
    return flags & LineFlag.warning ? ', a warning' : '';
}

function classOf({ line, marked, afterGap, jumps }: RowProps): string {
    const classes = ['terminal-row'];
    if (line.flags & LineFlag.error) classes.push('is-error');
    else if (line.flags & LineFlag.warning) classes.push('is-warning');
    if (line.flags & LineFlag.stderr) classes.push('is-stderr');
    if (line.flags & LineFlag.notice) classes.push('is-notice');
    if (line.flags & LineFlag.header) classes.push('is-header');
    if (marked) classes.push('is-marked');
    if (afterGap) classes.push('is-after-gap');
    if (jumps) classes.push('is-jump');
    return classes.join(' ');
}

function RowText(props: RowProps): JSX.Element {
    const { line, styles, from, to, indent, group, matches, selection } = props;
    const segments = segmentsOf(line, styles, from, to, matches, selection);
    // A header is a button, in which links cannot be.
    const text = segments.map((each, i) => <Piece key={i} segment={group ? { ...each, href: undefined } : each} styles={styles} />);
    const ends = selection && selection.to > line.text.length && to >= line.text.length;
    if (!group || line.flags & LineFlag.continued) {
        return (
            <span class="terminal-text" style={indent ? { paddingInlineStart: `${indent}ch` } : undefined}>
                {text}{ends && <span class="is-selected"> </span>}
            </span>
        );
    }
    return <Header {...props} group={group}>{group.kind === 'group' && !matches.length ? group.title : text}</Header>;
}

function Header({ group, folded, onFold, children }: RowProps & { group: Group; children: ComponentChildren }): JSX.Element {
    const lines = group.end === undefined ? undefined : group.end - group.header - 1;
    return (
        <span class="terminal-text">
            <button type="button" class="terminal-fold" aria-expanded={!folded} data-depth={Math.min(group.depth, 8)}
                onClick={() => onFold(group, !folded)}>
                <span class="terminal-title">{children}</span>
            </button>
            {group.run && <Result group={group} />}
            {folded && lines !== undefined && <span class="terminal-count">{lines === 1 ? '1 line' : `${lines.toLocaleString('en')} lines`}</span>}
        </span>
    );
}

function Result({ group: { run } }: { group: Group }): JSX.Element {
    const { finished, exitCode, signal, duration } = run!;
    if (!finished) return <span class="terminal-result is-running">running</span>;
    const took = duration === undefined ? '' : ` in ${durationOf(duration)}`;
    if (signal !== undefined) return <span class="terminal-result is-failed">ended by {signal}{took}</span>;
    if (exitCode) return <span class="terminal-result is-failed">exit {exitCode}{took}</span>;
    return <span class="terminal-result is-done">done{took}</span>;
}

export function durationOf(seconds: number): string {
    if (seconds < 10) return `${seconds.toFixed(2)} s`;
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return parts[0] ? `${parts[0]} h ${parts[1]} min` : `${parts[1]} min ${parts[2]} s`;
}

const css = new WeakMap<object, Record<string, string> | null>();

function look(styles: StyleTable, id: number): Record<string, string> | undefined {
    if (id === 0) return undefined;
    const style = styles.get(id);
    let known = css.get(style);
    if (known === undefined) css.set(style, (known = cssOf(style) ?? null));
    return known ?? undefined;
}

export function Piece({ segment, styles }: { segment: Segment; styles: StyleTable }): JSX.Element | string {
    const { text, href, match, selected } = segment;
    let style = look(styles, segment.style);
    const parts = gridParts(text, styles.get(segment.style).wide ?? false);
    const content = parts.length === 1 && parts[0]!.cells === 0 ? text : parts.map((part, i) => (
        part.cells === 0 ? part.text : <span key={i} class={part.cells === 2 ? 'terminal-wide' : 'terminal-cell'}>{part.text}</span>
    ));
    if ((match || selected) && style) {
        const { color: _, backgroundColor: __, ...rest } = style; // marks have colours of their own
        style = rest;
    }
    const classes = [match && `is-${match}`, selected && 'is-selected', style?.backgroundColor && 'terminal-filled'].filter(Boolean).join(' ') || undefined;
    if (href !== undefined)
        return <a class={classes} style={style} href={href} target="_blank" rel="noopener noreferrer" tabIndex={-1}>{content}</a>;
    if (match) return <mark class={classes} style={style}>{content}</mark>;
    return classes || style ? <span class={classes} style={style}>{content}</span> : <>{content}</>;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** The time of day, here. */
export function clockOf(time: number): string {
    if (Number.isNaN(time)) return '';
    const date = new Date(time);
    return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
