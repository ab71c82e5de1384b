import { effect, signal, type Signal } from '@preact/signals';

/* What a reader has chosen, kept in the browser where it allows that. */

function kept<T extends string>(name: string, fallback: T, allowed: readonly T[]): Signal<T> {
    const key = `fanfare.${name}`;
    let initial = fallback;
    try {
        const stored = localStorage.getItem(key) as T | null;
        if (stored !== null && allowed.includes(stored)) initial = stored;
    } catch {
        // Storage is forbidden: it lasts as long as the page.
    }
    const setting = signal(initial);
    effect(() => {
        try {
            if (setting.value === fallback) localStorage.removeItem(key);
            else localStorage.setItem(key, setting.value);
        } catch {
            // As above.
        }
    });
    return setting;
}

export type Theme = 'system' | 'light' | 'dark';
export const theme = kept<Theme>('theme', 'system', ['system', 'light', 'dark']);
export const shortcuts = kept('shortcuts', 'on', ['on', 'off']);
export const notifications = kept('notifications', 'off', ['on', 'off']);
/** Whether the components stand beside the terminal, where there is room. */
export const side = kept('side', 'open', ['open', 'closed']);

const darkSystem = matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(darkSystem.matches);
darkSystem.addEventListener('change', (change) => (systemIsDark.value = change.matches));

export const isDark = signal(false);

effect(() => {
    isDark.value = theme.value === 'dark' || (theme.value === 'system' && systemIsDark.value);
    document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light';
});

export function nextTheme(): void {
    const order: Theme[] = systemIsDark.value ? ['system', 'light', 'dark'] : ['system', 'dark', 'light'];
    theme.value = order[(order.indexOf(theme.value) + 1) % order.length]!;
}
