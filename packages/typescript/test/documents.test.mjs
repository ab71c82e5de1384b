// The README's examples, the example programs, and what npm makes of the package.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { ms, projectRoot, startServer, temporaryDirectory, test, waitFor } from '../../../tests/integration/harness.mjs';

const run = promisify(execFile);
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
const timeout = ms(60_000);

/** A program's directory in which the package is installed, and TypeScript compiled: its directory. */
async function compiled(sources) {
    const directory = temporaryDirectory();
    fs.mkdirSync(path.join(directory, 'node_modules/@types'), { recursive: true });
    fs.symlinkSync(root, path.join(directory, 'node_modules/fanfare-publisher'));
    fs.symlinkSync(path.join(root, 'node_modules/@types/node'), path.join(directory, 'node_modules/@types/node'));
    fs.symlinkSync(path.join(root, 'node_modules/undici-types'), path.join(directory, 'node_modules/undici-types'));
    fs.writeFileSync(path.join(directory, 'package.json'), '{"type":"module"}');
    for (const [name, text] of Object.entries(sources)) fs.writeFileSync(path.join(directory, name), text);
    try {
        await run(process.execPath, [tsc, '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module',
            'nodenext', '--types', 'node', ...Object.keys(sources)], { cwd: directory });
    } catch (error) {
        assert.fail(error.stdout);
    }
    return directory;
}

const types = async (server, topic) =>
    (await server.get(`/api/v1/topics/${topic}/history?since=0`)).json.events.map((event) => event.type);

test('the examples of the README run and print what is said', { timeout }, async (t) => {
    const server = await startServer({ t });
    const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8').replaceAll('http://127.0.0.1:8000', server.url);
    const blocks = [...readme.matchAll(/```ts\n(.*?)```\n(?:\n<!-- prints -->\n```\n(.*?)```)?/gs)];
    assert.equal(blocks.length, 2);
    const directory = await compiled(Object.fromEntries(blocks.map(([, text], i) => [`example${i}.ts`, text])));
    for (const [i, [, , printed = '']] of blocks.entries()) {
        const { stdout } = await run(process.execPath, [`example${i}.js`], { cwd: directory });
        assert.equal(stdout, printed);
    }
    assert.deepEqual(await types(server, 'session:build_123'),
        ['component_update', 'terminal_output', 'build_progress', 'deploy.started']);
    for (const channel of ['files', 'diagnostics', 'ai-response', 'search', 'validation', 'git', 'deploys']) {
        assert.deepEqual(await types(server, `channel:${channel}`), ['event']);
    }
});

test('docs/publishers.md says the same in every language', { timeout }, async (t) => {
    const page = fs.readFileSync(path.join(projectRoot, 'docs/publishers.md'), 'utf8');
    for (const language of ['sh', 'python', 'ts']) {
        const server = await startServer({ t });
        const text = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(page)[1].replaceAll('http://127.0.0.1:8000', server.url);
        if (language === 'sh') await run('bash', ['-euc', text]);
        if (language === 'python') {
            await run('python3', ['-c', text], { env: { ...process.env, PYTHONPATH: path.join(projectRoot, 'packages/python/src') } });
        }
        if (language === 'ts') await run(process.execPath, ['page.js'], { cwd: await compiled({ 'page.ts': text }) });
        const { json } = await server.get('/api/v1/topics/session:web/history?since=0');
        const [component, terminal, deploy] = json.events.map(({ data }) => data);
        assert.equal(component.progress, 45.5, language);
        assert.equal(terminal.output, 'Compiling...\n');
        assert.deepEqual(deploy, { to: 'staging' });
        const again = await server.publish({ topic: 'session:web', type: 'deploy.started', id: 'deploy-17' });
        assert.equal(again.duplicate, true);
    }
});

test('docs/platform.md says the same in every language', { timeout }, async (t) => {
    const page = fs.readFileSync(path.join(projectRoot, 'docs/platform.md'), 'utf8');
    const project = 'project:550e8400-e29b-41d4-a716-446655440000';
    for (const language of ['sh', 'python', 'ts']) {
        const server = await startServer({ t });
        const env = { ...process.env, FANFARE_URL: server.url, PYTHONPATH: path.join(projectRoot, 'packages/python/src') };
        const text = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(page)[1].replaceAll('http://127.0.0.1:8000', server.url);
        if (language === 'sh') await run('bash', ['-euc', text]);
        if (language === 'python') await run('python3', ['-c', text], { env });
        if (language === 'ts') await run(process.execPath, ['page.js'], { cwd: await compiled({ 'page.ts': text }), env });
        assert.deepEqual(await types(server, project), ['project.updated', 'workflow.progress'], language);
        assert.deepEqual(await types(server, 'user:ada'), ['project.updated'], language);
        assert.deepEqual(await types(server, 'global'), ['agent.status_changed'], language);
        const [updated] = (await server.get(`/api/v1/topics/${project}/history?since=0`)).json.events;
        assert.deepEqual(updated.data.changes, { status: 'active' }, language);
    }
    const server = await startServer({ t });
    const [, , rest] = /```sh\n(.*?)```.*?```sh\n(.*?)```/s.exec(page);
    const { stdout } = await run('bash', ['-euc', rest.replaceAll('http://127.0.0.1:8000', server.url)]);
    assert.match(stdout, /"projects":\[\{.*"project_name":"Engine"/);
});

test('the README names every option', () => {
    const named = fs.readFileSync(path.join(root, 'README.md'), 'utf8').split('| Option |')[1].split('\n\n')[0]
        .split('\n').slice(2).flatMap((row) => [...row.split('|')[1].matchAll(/`(\w+)`/g)].map(([, name]) => name));
    const source = fs.readFileSync(path.join(root, 'src/publisher.ts'), 'utf8');
    const declared = /interface PublisherOptions \{(.*?)\n\}/s.exec(source)[1];
    assert.deepEqual(named.sort(), [...declared.matchAll(/^ {4}(\w+)\?:/gm)].map(([, name]) => name).sort());
});

test('the example programs', { timeout }, async (t) => {
    const server = await startServer({ t });
    const source = (name) => fs.readFileSync(path.join(projectRoot, 'examples/typescript', name), 'utf8');
    const directory = await compiled({ 'build.mts': source('build.mts'), 'editor.mts': source('editor.mts') });
    const env = { ...process.env, FANFARE_URL: server.url };
    await run(process.execPath, ['build.mjs'], { cwd: directory, env });
    const { json: state } = await server.get('/api/build/status/example');
    assert.equal(state.build_progress.percent, 100);

    const workspace = temporaryDirectory();
    const editor = spawn(process.execPath, ['editor.mjs', workspace], { cwd: directory, env });
    t.after(() => editor.kill('SIGKILL'));
    let stdout = '';
    editor.stdout.on('data', (text) => (stdout += text));
    await waitFor(() => stdout.includes('\n'), 'the editor to start');
    fs.writeFileSync(path.join(workspace, 'a.ts'), 'x');
    await waitFor(async () => (await types(server, 'channel:files').catch(() => [])).length > 0, 'the change');
    editor.kill();
    assert.deepEqual(await once(editor, 'close'), [0, null]);
});

test('npm packs the built files and nothing else', { timeout }, async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
    const names = JSON.parse(stdout)[0].files.map((file) => file.path);
    const modules = fs.readdirSync(path.join(root, 'src')).map((file) => `dist/${path.basename(file, '.ts')}`);
    assert.deepEqual(names.sort(), ['LICENSE', 'README.md', 'package.json',
        ...modules.flatMap((name) => [`${name}.d.ts`, `${name}.js`])].sort());
    const { version, dependencies } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
    assert.equal(dependencies, undefined);
    assert.ok(fs.readFileSync(path.join(projectRoot, 'CMakeLists.txt'), 'utf8').includes(`project(fanfare VERSION ${version}`));
});
