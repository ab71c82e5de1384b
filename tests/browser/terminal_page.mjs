/*
 * A page with nothing but the terminal, under the policy that the server's pages have: what the
 * tests want to see is written into its transcript directly.
 */
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { projectRoot, temporaryDirectory } from '../integration/harness.mjs';

const policy = "default-src 'none'; script-src 'self'; style-src 'self'";
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const main = `
import { h, render } from 'preact';
import { signal } from '@preact/signals';
import { Transcript, TerminalView } from './src/terminal/index.ts';
const transcript = signal(new Transcript());
const selected = signal(location.hash.slice(1) || undefined);
window.terminal = { transcript, selected, Transcript };
const onSelect = (address) => { selected.value = address; };
function Page() {
    return h(TerminalView, { transcript: transcript.value, selected: selected.value, onSelect, name: 'test', label: 'Test' });
}
render(h(Page), document.getElementById('page'));
`;

const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Terminal</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="main.css"><link rel="stylesheet" href="whole.css"></head>
<body><main><h1>Terminal</h1><div id="page"></div></main><script type="module" src="main.js"></script></body></html>`;

async function build(directory) {
    const web = path.join(projectRoot, 'web');
    const { build: bundle } = createRequire(path.join(web, 'package.json'))('esbuild');
    await bundle({
        stdin: { contents: main, resolveDir: web, sourcefile: 'main.ts', loader: 'ts' },
        bundle: true, splitting: true, format: 'esm', target: 'es2022', jsx: 'automatic', jsxImportSource: 'preact',
        outdir: directory, entryNames: 'main', chunkNames: '[name]-[hash]', minify: true,
    });
    fs.writeFileSync(path.join(directory, 'whole.css'), ':root { color-scheme: light dark; } html, body { height: 100%; margin: 0; } main { display: flex; flex-direction: column; height: 100%; } h1 { font-size: 1rem; margin: 0; } #page { flex: 1; min-height: 0; }');
    fs.writeFileSync(path.join(directory, 'index.html'), html);
}

/** The address of the page; it is served until the test ends. */
export async function serveTerminal(t) {
    const directory = temporaryDirectory();
    await build(directory);
    const server = http.createServer((request, response) => {
        const name = path.basename(new URL(request.url, 'http://page').pathname) || 'index.html';
        const file = path.join(directory, name);
        if (name === 'favicon.ico') return response.writeHead(204).end();
        if (!fs.existsSync(file)) return response.writeHead(404).end();
        response.writeHead(200, { 'content-type': types[path.extname(name)], 'content-security-policy': policy });
        return response.end(fs.readFileSync(file));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return `http://127.0.0.1:${server.address().port}/`;
}
