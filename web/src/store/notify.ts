import { signal } from '@preact/signals';
import { notifications } from './settings.ts';

/* Desktop notifications when a build ends, for those who want them. */

export const canNotify = typeof Notification !== 'undefined' && isSecureContext;

/** Whether the browser has forbidden them. */
export const notifyDenied = signal(canNotify && Notification.permission === 'denied');

export function notifyIsOn(): boolean {
    return canNotify && notifications.value === 'on' && Notification.permission === 'granted';
}

/** On or off; asks the browser's user the first time. Returns what it is then. */
export async function toggleNotify(): Promise<'on' | 'off' | 'denied'> {
    if (!canNotify) return 'denied';
    if (notifyIsOn()) {
        notifications.value = 'off';
        return 'off';
    }
    const answer =
        Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission;
    notifyDenied.value = answer === 'denied';
    notifications.value = answer === 'granted' ? 'on' : 'off';
    return answer === 'granted' ? 'on' : 'denied';
}

/** Only for who does not look at the page. */
export function notify(title: string, body: string, tag: string): void {
    if (!notifyIsOn() || (document.visibilityState === 'visible' && document.hasFocus())) return;
    try {
        const shown = new Notification(title, { body, tag, icon: 'icon.svg' });
        shown.onclick = () => {
            focus();
            shown.close();
        };
    } catch {
        // Phones have notifications for service workers only.
    }
}
