/*
 * Runs the page's TypeScript in Node: a module and what it imports from web/src are bundled by the
 * esbuild that Vite brings, next to web/node_modules so that packages are found.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const web = fileURLToPath(new URL('../../web/', import.meta.url));
const require = createRequire(path.join(web, 'package.json'));

/** What the modules, named as in web/src, export together. */
export async function load(...modules) {
    const { build } = require('esbuild');
    const directory = mkdtempSync(path.join(web, 'node_modules', '.test-'));
    try {
        const outfile = path.join(directory, 'bundle.mjs');
        await build({
            stdin: {
                contents: modules.map((each) => `export * from './src/${each}';`).join('\n'),
                resolveDir: web, sourcefile: 'tests.ts', loader: 'ts',
            },
            bundle: true, format: 'esm', platform: 'node', target: 'node18', packages: 'external', outfile,
        });
        return await import(pathToFileURL(outfile));
    } finally {
        rmSync(directory, { recursive: true });
    }
}
