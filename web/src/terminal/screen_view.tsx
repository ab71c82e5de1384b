/* What a full-screen program shows: its rows as they are, and its cursor. */
import type { JSX } from 'preact';
import { characterAt } from './cells.ts';
import { Piece } from './row.tsx';
import { segmentsOf } from './segments.ts';
import type { StyleTable } from './style.ts';
import type { Screen } from './transcript.ts';

export function ScreenView({ screen, styles }: { screen: Screen; styles: StyleTable }): JSX.Element {
    const { rows, columns, cursor } = screen;
    return (
        <div class="terminal-screen" tabIndex={0} role="group" aria-label={`A full-screen program, ${columns} by ${rows.length} characters`}>
            <div class="terminal-screen-rows" style={{ width: `${columns}ch` }}>
                {rows.map((row, y) => <ScreenRow key={y} row={row} styles={styles} cursor={cursor?.y === y ? cursor.x : undefined} />)}
            </div>
        </div>
    );
}

function ScreenRow({ row, styles, cursor }: { row: Screen['rows'][number]; styles: StyleTable; cursor: number | undefined }): JSX.Element {
    let shown = row;
    let at: { from: number; to: number; current: boolean } | undefined;
    if (cursor !== undefined) {
        shown = row.width > cursor ? row : { ...row, text: row.text + ' '.repeat(cursor + 1 - row.width), width: cursor + 1 };
        const from = characterAt(shown, styles, cursor);
        at = { from, to: characterAt(shown, styles, cursor + 1), current: false };
    }
    const segments = segmentsOf(shown, styles, 0, shown.text.length, [], at);
    return (
        <div class="terminal-screen-row">
            {segments.map((each, i) => each.selected
                ? <span key={i} class="terminal-cursor"><Piece segment={{ ...each, selected: false, style: 0 }} styles={styles} /></span>
                : <Piece key={i} segment={each} styles={styles} />)}
        </div>
    );
}
