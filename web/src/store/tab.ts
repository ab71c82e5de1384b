/* What the browser's tab says of a session: its title and its sign. */

const ring = 2 * Math.PI * 12;
const colours = { in_progress: '#3b82f6', completed: '#22c55e', failed: '#ef4444', pending: '#8b8b94' };

export interface TabState {
    session: string;
    status: keyof typeof colours;
    /** null: nobody says. */
    percent: number | null;
    errors: number;
    /** The connection is away. */
    away: boolean;
}

export function titleOf({ session, status, percent, errors, away }: TabState): string {
    const count = errors ? `(${errors}) ` : '';
    const sign = { in_progress: percent === null ? '' : `${Math.floor(percent)} % · `, completed: '✓ ', failed: '✗ ', pending: '' }[status];
    return `${away ? '… ' : ''}${count}${sign}${session} · Fanfare`;
}

function signOf({ status, percent }: TabState): string {
    const colour = colours[status];
    const head =
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke-linecap="round" stroke-linejoin="round">';
    const mark = (path: string) =>
        `${head}<circle cx="16" cy="16" r="15" fill="${colour}"/><path d="${path}" stroke="#fff" stroke-width="3.500"/></svg>`;
    if (status === 'completed') return mark('M9.500 16.500l4.500 4.500 8.500-9.500');
    if (status === 'failed') return mark('M11 11l10 10m0-10L11 21');
    const arc = (ring * Math.max(percent ?? 0, 4)) / 100;
    return (
        `${head}<circle cx="16" cy="16" r="12" stroke="${colour}" stroke-opacity=".3" stroke-width="6"/>` +
        (status === 'in_progress'
            ? `<circle cx="16" cy="16" r="12" stroke="${colour}" stroke-width="6" stroke-linecap="butt" stroke-dasharray="${arc.toFixed(1)} ${ring.toFixed(1)}" transform="rotate(-90 16 16)"/>`
            : '') +
        '</svg>'
    );
}

let shownSign = '';
let ownSign: string | null = null;

function setSign(address: string): void {
    const link = document.querySelector<HTMLLinkElement>('link[rel=icon]');
    if (!link || shownSign === address) return;
    ownSign ??= link.href;
    shownSign = address;
    link.href = address;
}

export function showTab(state: TabState): void {
    document.title = titleOf(state);
    // A ring that moves in steps of two per cent: browsers load the sign anew each time.
    setSign(
        `data:image/svg+xml,${encodeURIComponent(signOf({ ...state, percent: Math.round((state.percent ?? 0) / 2) * 2 }))}`,
    );
}

export function resetTab(title: string): void {
    document.title = title;
    if (ownSign) setSign(ownSign);
}
