// Documents that come from the program's tables are those in the tree.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { projectRoot, runProgram, test } from './harness.mjs';

test('docs/configuration.md is what the option table says; make docs writes it', async () => {
    const { code, stdout } = await runProgram(['config', '--docs']);
    assert.equal(code, 0);
    assert.equal(fs.readFileSync(path.join(projectRoot, 'docs/configuration.md'), 'utf8'), stdout);
});

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
