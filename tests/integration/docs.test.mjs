// The documents in the tree.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { projectRoot, test } from './harness.mjs';

test('relative links of the documents lead somewhere', () => {
    const documents = ['README.md', 'CONTRIBUTING.md', 'bench/README.md',
        ...fs.readdirSync(path.join(projectRoot, 'docs'), { recursive: true }).filter((f) => f.endsWith('.md')).map((f) => `docs/${f}`)];
    for (const document of documents) {
        const text = fs.readFileSync(path.join(projectRoot, document), 'utf8');
        for (const [, link] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
            if (/^[a-z]+:/.test(link)) continue;
            assert.ok(fs.existsSync(path.join(projectRoot, path.dirname(document), link)), `${document}: ${link}`);
        }
    }
});
