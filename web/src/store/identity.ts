import { computed } from '@preact/signals';
import { token } from './server.ts';

/* Who the token in use is for, as it says itself; whether that is true is the server's to judge. */

export interface Identity {
    user: string;
    /** Topic patterns that may be read; null: the server's rules decide. */
    rooms: readonly string[] | null;
    admin: boolean;
    /** ms since 1970; null: it does not end. */
    expires: number | null;
}

function claimsOf(text: string): Record<string, unknown> | null {
    try {
        const base64 = text.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/');
        const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
        return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    } catch {
        return null;
    }
}

/** null: no token is in use, or it is none that can be read. */
export const identity = computed<Identity | null>(() => {
    const claims = token.value ? claimsOf(token.value) : null;
    if (typeof claims?.sub !== 'string') return null;
    return {
        user: claims.sub,
        rooms: Array.isArray(claims.rooms) ? claims.rooms.filter((each) => typeof each === 'string') : null,
        admin: claims.role === 'admin',
        expires: typeof claims.exp === 'number' ? claims.exp * 1000 : null,
    };
});
