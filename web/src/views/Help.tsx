import { useLayoutEffect, useRef } from 'preact/hooks';
import { shortcuts } from '../store/settings.ts';
import { groups, helpOpen } from '../store/shortcuts.ts';
import { CloseButton } from './CloseButton.tsx';

const keyNames: Record<string, string> = { ' ': 'Space', ArrowUp: '↑', ArrowDown: '↓', Enter: '↵' };

/** The overlay behind `?`: all shortcuts that work now. */
export function Help() {
    const dialog = useRef<HTMLDialogElement>(null);
    const open = helpOpen.value;
    // Before any other event: a `close` of the browser's that is still on its way must find it open again.
    useLayoutEffect(() => {
        const element = dialog.current;
        if (!element) return;
        if (open && !element.open) element.showModal();
        if (!open && element.open) element.close();
    }, [open]);
    const close = () => (helpOpen.value = false);
    return (
        <dialog
            ref={dialog}
            class="dialog help"
            aria-labelledby="help-title"
            onCancel={close}
            // Comes a task later, when it may be open again.
            onClose={() => dialog.current?.open || close()}
            onClick={(event) => event.target === dialog.current && close()}
        >
            <div class="dialog-body">
                <div class="dialog-head">
                    <h2 id="help-title">Keyboard shortcuts</h2>
                    <CloseButton label="Close" onClose={close} />
                </div>
                <div class="help-groups">
                    {groups.value
                        .filter((group) => group.list.length > 0)
                        .map((group) => (
                            <section key={group.title}>
                                <h3>{group.title}</h3>
                                <dl class="keys">
                                    {group.list.map(({ key, does }) => (
                                        <div key={key}>
                                            <dt>
                                                <kbd>{keyNames[key] ?? key}</kbd>
                                            </dt>
                                            <dd>{does}</dd>
                                        </div>
                                    ))}
                                </dl>
                            </section>
                        ))}
                </div>
                <label class="check help-switch">
                    <input
                        type="checkbox"
                        checked={shortcuts.value === 'on'}
                        onChange={(event) => (shortcuts.value = event.currentTarget.checked ? 'on' : 'off')}
                    />
                    <span>Shortcuts of a single key (? always works)</span>
                </label>
            </div>
        </dialog>
    );
}
