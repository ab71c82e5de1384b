import { useRef } from 'preact/hooks';
import { token, tokenOptional, tokenWanted, useToken } from '../store/server.ts';

/** Asks for a token, when the server wants one. */
export function TokenBox() {
    const input = useRef<HTMLInputElement>(null);
    const submit = (event: Event) => {
        event.preventDefault();
        useToken(input.current!.value);
    };
    return (
        <main class="token-page" id="main">
            <form class="card token-box" onSubmit={submit}>
                <h1>{tokenOptional.value ? 'Use a token' : 'Token needed'}</h1>
                <p role={tokenOptional.value ? undefined : 'alert'}>{tokenWanted.value}</p>
                <label class="field">
                    <span>Token</span>
                    <input
                        ref={input}
                        class="input mono"
                        type="password"
                        name="token"
                        autocomplete="off"
                        spellcheck={false}
                        required
                        autofocus
                    />
                </label>
                <p class="faint">
                    It is kept until this tab is closed. Who runs the server can make one:{' '}
                    <code>fanfare token mint --sub you</code>
                </p>
                <button class="button primary" type="submit">
                    Continue
                </button>
                {tokenOptional.value && (
                    <button class="button" type="button" onClick={() => useToken(token.peek())}>
                        Go back
                    </button>
                )}
            </form>
        </main>
    );
}
