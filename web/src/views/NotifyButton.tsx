import { announce } from '../store/announce.ts';
import { canNotify, notifyDenied, notifyIsOn, toggleNotify } from '../store/notify.ts';
import { Icon } from './Icon.tsx';

const results = {
    on: 'You will be notified when a build ends.',
    off: 'Notifications are off.',
    denied: 'The browser does not allow notifications from this page.',
};

export async function switchNotifications(): Promise<void> {
    announce(results[await toggleNotify()]);
}

export function NotifyButton() {
    if (!canNotify) return null;
    const on = notifyIsOn();
    const title = notifyDenied.value
        ? 'The browser does not allow notifications from this page'
        : on
          ? 'Notifications when a build ends: on (n)'
          : 'Notify me when a build ends (n)';
    return (
        <button
            type="button"
            class={`button quiet notify ${on ? 'on' : ''}`}
            aria-pressed={on}
            disabled={notifyDenied.value}
            aria-label="Notify me when a build ends"
            title={title}
            onClick={switchNotifications}
        >
            <Icon name={on ? 'bell' : 'bellOff'} />
        </button>
    );
}
