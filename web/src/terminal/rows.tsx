/* The rows on the screen, where they belong in the height of all. */
import type { JSX } from 'preact';
import { LineFlag } from './archive.ts';
import { characterAt } from './cells.ts';
import type { Row as LayoutRow } from './layout.ts';
import { Row, clockOf } from './row.tsx';
import type { Line } from './transcript.ts';
import type { Frame, ViewModel } from './view_model.ts';

interface RowsProps {
    readonly model: ViewModel;
    readonly frame: Frame;
    readonly href: ((selected: string) => string) | undefined;
}

export function Rows(props: RowsProps): JSX.Element {
    const { model, frame: { placement, rows, widest, digits } } = props;
    const minWidth = model.switches.wrap ? '100%' : `max(100%, ${model.gutter + widest + 1}ch)`;
    return (
        <div class="terminal-rows" style={{ height: `${placement.height}px` }}>
            <div class="terminal-window"
                style={{ transform: `translateY(${placement.offset}px)`, minWidth, '--terminal-digits': String(digits) }}>
                {rows.map((row, i) => <OneRow key={`${row.line}.${row.part}`} {...props} row={row} before={rows[i - 1]} />)}
            </div>
        </div>
    );
}

function OneRow({ model, frame, href, row, before }: RowsProps & { row: LayoutRow; before: LayoutRow | undefined }): JSX.Element | null {
    const { transcript, layout, search, switches } = model;
    const line = transcript.line(row.line);
    if (!line) return null;
    const { address } = line;
    const { marks } = frame;
    const group = line.flags & LineFlag.header ? transcript.headedBy(row.line) : undefined;
    const { first, found } = search.active ? search.inLine(row.line) : { first: 0, found: [] };
    return (
        <Row line={line} styles={transcript.styles} {...charactersOf(model, frame, line, row)} isContinued={row.part > 0}
            group={group} folded={group !== undefined && layout.isFolded(group)} onFold={(which, folded) => model.fold(which, folded)}
            href={address === undefined ? undefined : href?.(address) ?? `#${address}`}
            matches={found.map((each, i) => ({ ...each, current: first + i === model.match }))}
            selection={model.selection.inLine(row.line)}
            marked={marks !== undefined && row.line >= marks.first && row.line <= marks.last}
            afterGap={switches.problems && before !== undefined && row.line > before.line + 1} jumps={switches.problems}
            time={switches.times ? clockOf(line.time) : undefined} />
    );
}

/* The characters that a row draws: a part of a wrapped line; of a very long one, what is near. */
function charactersOf(
    { transcript }: ViewModel, { wrapAt, columns }: Frame, line: Line, row: LayoutRow,
): { from: number; to: number; indent: number } {
    const at = (column: number): number => characterAt(line, transcript.styles, column);
    if (wrapAt > 0 && !(line.flags & (LineFlag.header | LineFlag.notice)))
        return { from: at(row.part * wrapAt), to: at((row.part + 1) * wrapAt), indent: 0 };
    if (line.width <= columns.count) return { from: 0, to: line.text.length, indent: 0 };
    return { from: at(columns.from), to: at(columns.from + columns.count), indent: Math.min(columns.from, line.width) };
}
