import { now } from '../store/clock.ts';
import { identity } from '../store/identity.ts';
import { askForToken, token, useToken } from '../store/server.ts';
import { elapsedText } from '../text/format.ts';
import { Icon } from './Icon.tsx';
import { Menu } from './Menu.tsx';

/** Who the page is to the server, and how to be somebody else. */
export function TokenMenu() {
    const who = identity.value;
    const name = who?.user ?? (token.value ? 'Token' : 'No token');
    const summary = (
        <>
            <Icon name="key" />
            <span class="token-name">{name}</span>
        </>
    );
    return (
        <Menu summary={summary} label={`Token: ${name}`} class="token-menu" quiet>
            <div class="menu-body">
                <h2 class="menu-title">
                    {who ? `You are ${who.user}` : token.value ? 'A token is in use' : 'No token is in use'}
                </h2>
                {who ? (
                    <dl class="metadata token-claims">
                        <div>
                            <dt>Reads</dt>
                            <dd>
                                {who.admin ? 'everything (admin)' : (who.rooms?.join(' ') ?? 'as the server has it')}
                            </dd>
                        </div>
                        {who.expires !== null && (
                            <div>
                                <dt>Ends</dt>
                                <dd class="num">
                                    {who.expires > now.value
                                        ? `in ${elapsedText(who.expires - now.value)}`
                                        : 'has ended'}
                                </dd>
                            </div>
                        )}
                    </dl>
                ) : (
                    <p class="faint token-none">What is shown is what the server shows to everybody.</p>
                )}
                <button type="button" class="button wide" onClick={() => askForToken()}>
                    {token.value ? 'Use another token' : 'Use a token'}
                </button>
                {token.value && (
                    <button type="button" class="button wide" onClick={() => useToken('')}>
                        Forget the token
                    </button>
                )}
            </div>
        </Menu>
    );
}
