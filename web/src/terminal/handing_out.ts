/* Texts that leave the page: to the clipboard, and as files. */

/** Browsers have the clipboard's interface only where the page came over a secure connection. */
export async function copyText(text: string): Promise<boolean> {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        return copyFromBox(text);
    }
}

function copyFromBox(text: string): boolean {
    const box = document.createElement('textarea');
    const before = document.activeElement;
    box.value = text;
    box.className = 'terminal-unseen';
    document.body.append(box);
    box.select();
    const done = document.execCommand('copy');
    box.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    return done;
}

export function downloadText(parts: readonly string[], name: string): void {
    const url = URL.createObjectURL(new Blob([...parts], { type: 'text/plain;charset=utf-8' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
