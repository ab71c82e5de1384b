import { computed } from '@preact/signals';
import { Fanfare } from '../../client/src/fanfare.ts';
import { base, token } from './server.ts';

/** The client library with the token in use: streams of sessions, and their history. */
export const client = computed(() => new Fanfare(base.href, token.value ? { token: token.value } : {}));
