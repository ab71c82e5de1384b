// Tokens made without Fanfare, with node's crypto alone, so that both sides are not wrong together.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export const secret = 'a-secret-of-more-than-thirty-two-bytes';

const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const signers = {
    HS256: (text, key) => crypto.createHmac('sha256', key).update(text).digest(),
    RS256: (text, key) => crypto.sign('sha256', text, key),
    ES256: (text, key) => crypto.sign('sha256', text, { key, dsaEncoding: 'ieee-p1363' }),
    EdDSA: (text, key) => crypto.sign(null, text, key),
    none: () => Buffer.alloc(0),
};

export const now = () => Math.floor(Date.now() / 1000);

/** A token; options: alg, key, header (more members). Claims without exp get an hour. */
export function mint(claims, { alg = 'HS256', key = secret, header = {} } = {}) {
    const text = `${part({ alg, typ: 'JWT', ...header })}.${part({ exp: now() + 3600, ...claims })}`;
    return `${text}.${signers[alg](Buffer.from(text), key).toString('base64url')}`;
}

/** A token of any two texts, properly signed. */
export function mintRaw(header, claims, key = secret) {
    const text = `${part(header)}.${part(claims)}`;
    return `${text}.${signers.HS256(Buffer.from(text), key).toString('base64url')}`;
}

export const keyPairs = {
    RS256: () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: () => crypto.generateKeyPairSync('ed25519'),
};

export const pem = (publicKey) => publicKey.export({ type: 'spki', format: 'pem' });
export const jwk = (publicKey, more) => ({ ...publicKey.export({ format: 'jwk' }), ...more });
export const bearer = (token) => ({ Authorization: `Bearer ${token}` });

/** Gives a server's directory a development key, with which mint signs for its open mode. */
export function developmentKey(directory) {
    const data = path.join(directory, 'data');
    fs.mkdirSync(data, { recursive: true });
    fs.writeFileSync(path.join(data, 'dev.key'), `${secret}\n`, { mode: 0o600 });
}
