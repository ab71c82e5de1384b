import { signal } from '@preact/signals';
import { learnTime } from './clock.ts';

/* The server that this page came from: its address, the token for it, and plain requests. */

const tokenKey = 'fanfare.token';

/** Where the page's own address ends and the server's paths begin. */
export const base = new URL('.', location.href);

function storedToken(): string {
    try {
        return sessionStorage.getItem(tokenKey) ?? '';
    } catch {
        return '';
    }
}

/** The token in use; '': none. It lasts as long as the browser's tab. */
export const token = signal(storedToken());

/** Why a token is asked for; null: it is not. */
export const tokenWanted = signal<string | null>(null);

export function useToken(text: string): void {
    token.value = text.trim();
    tokenWanted.value = null;
    tokenOptional.value = false;
    try {
        if (token.value) sessionStorage.setItem(tokenKey, token.value);
        else sessionStorage.removeItem(tokenKey);
    } catch {
        // It lasts until the page is loaded again.
    }
}

export function wantToken(): void {
    tokenOptional.value = false;
    tokenWanted.value = token.peek()
        ? 'The server does not accept this token (it may have expired).'
        : 'This server asks for a token.';
}

/** Whether the reader wants to be somebody else, and may think better of it. */
export const tokenOptional = signal(false);

export function askForToken(): void {
    tokenOptional.value = true;
    tokenWanted.value = 'What the page shows, and what it may follow, is up to the token.';
}

/** An answer that is not a success. */
export class Refusal extends Error {
    constructor(
        readonly status: number,
        message: string,
    ) {
        super(message);
    }
}

interface Request {
    method?: 'GET' | 'POST';
    signal?: AbortSignal;
}

/** Asks the server for JSON; path is relative to the base. Throws Refusal, or TypeError when nobody answers. */
export async function ask<T>(path: string, { method = 'GET', signal }: Request = {}): Promise<T> {
    const headers: Record<string, string> = token.peek() ? { Authorization: `Bearer ${token.peek()}` } : {};
    const response = await fetch(new URL(path, base), { method, headers, signal: signal ?? null, cache: 'no-store' });
    learnTime(Date.parse(response.headers.get('Date') ?? ''));
    if (response.ok) return (await response.json()) as T;
    if (response.status === 401) wantToken();
    throw new Refusal(response.status, await reasonOf(response));
}

async function reasonOf(response: Response): Promise<string> {
    const body: unknown = await response.json().catch(() => null);
    const error = (body as { error?: { message?: string } | string } | null)?.error;
    const message = typeof error === 'string' ? error : error?.message;
    return message ?? `the server answered ${response.status} ${response.statusText}`;
}
