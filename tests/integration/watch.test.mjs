// Watching a project: what tools write as checkpoints and files becomes events, each exactly once.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import {
    binary, ms, range, runProgram, startServer, temporaryDirectory, test, uniqueName, waitFor,
} from './harness.mjs';

/** A project directory, a server that watches it as `session`, and a client that saw it all. */
async function watched(t, { prepare = () => {}, args = [] } = {}) {
    const session = uniqueName('watched');
    const project = new Project(temporaryDirectory());
    prepare(project);
    const server = await startServer({ t, args: ['--watch', `${project.root}=${session}`, ...args] });
    const client = await server.build(session);
    const { epoch } = client.greeting;
    client.send({ type: 'resume', epoch, offset: 0 });
    return { server, project, client, session };
}

class Project {
    #number = 0;

    constructor(root) {
        this.root = root;
        this.checkpoints = path.join(root, '.buildrunner/checkpoints');
        this.context = path.join(root, '.buildrunner/context');
        this.artifacts = path.join(root, '.buildrunner/artifacts');
    }

    make() {
        for (const each of [this.checkpoints, this.context, this.artifacts]) fs.mkdirSync(each, { recursive: true });
        return this;
    }

    checkpointFile(name) {
        return path.join(this.checkpoints, `checkpoint_${name}.json`);
    }

    /** Writes a checkpoint as careful tools do: beside it, then renamed. Returns its id. */
    checkpoint(fields = {}, name = `20251117_${String(++this.#number).padStart(6, '0')}`) {
        const id = `checkpoint_${name}`;
        const file = this.checkpointFile(name);
        fs.writeFileSync(`${file}.tmp`, JSON.stringify({
            id, timestamp: new Date().toISOString(), phase: 'build_1', tasks_completed: [], files_created: [],
            status: 'created', metadata: {}, ...fields,
        }));
        fs.renameSync(`${file}.tmp`, file);
        return id;
    }
}

const ofCheckpoint = (id) => (m) => m.type === 'checkpoint_update' && m.checkpoint_id === id;

const components = (count, of = () => ({})) =>
    range(count).map((i) => ({ id: `c${i}`, status: 'pending', progress: 0, ...of(i) }));

/** All events of a session from its history. */
async function eventsOf(server, session) {
    const events = [];
    for (;;) {
        const since = events.at(-1)?.offset ?? 0;
        const { json } = await server.get(`/api/v1/topics/session:${session}/history?since=${since}&limit=1000`);
        events.push(...json.events);
        if (json.events.length === 0) return events;
    }
}

const real = {
    id: 'checkpoint_20251117_213005_705272', timestamp: '2025-11-17T21:30:05.705279',
    phase: 'build_3a_batch_2_complete', tasks_completed: [], files_created: [], status: 'created',
    metadata: {
        name: 'build_3a_batch_2_complete', description: 'Completed adaptive Batch 2 with CLI layer and validation system',
        created_by: 'cli', timestamp: '2025-11-17T21:30:05.705266',
    },
};

test('a checkpoint as tools write it is published with its fields', async (t) => {
    const { server, project, client, session } = await watched(t, { prepare: (p) => p.make() });
    fs.writeFileSync(path.join(project.checkpoints, `${real.id}.json`), JSON.stringify(real));
    const message = await client.next('checkpoint_update');
    assert.equal(message.checkpoint_id, real.id);
    assert.equal(message.phase, real.phase);
    assert.deepEqual([message.tasks_completed, message.files_created], [[], []]);
    for (const [key, value] of Object.entries(real.metadata)) assert.equal(message.metadata[key], value);
    const { json: status } = await server.get(`/api/build/status/${session}`);
    assert.equal(status.phase, real.phase);
});

test('at the start the newest checkpoint is published, older ones are not', async (t) => {
    let newest;
    const { project, client, server, session } = await watched(t, {
        prepare: (p) => {
            p.make();
            for (const i of range(3)) {
                newest = p.checkpoint({ phase: `build_${i}` });
                const when = new Date(Date.now() - 60000 + i * 1000);
                fs.utimesSync(p.checkpointFile(newest.slice('checkpoint_'.length)), when, when);
            }
        },
    });
    const first = await client.next('checkpoint_update');
    assert.equal(first.checkpoint_id, newest);
    await client.next(ofCheckpoint(project.checkpoint()));
    const updates = (await eventsOf(server, session)).filter((e) => e.type === 'checkpoint_update');
    assert.equal(updates.length, 2);
});

for (const count of [0, 1, 50, 5000]) {
    test(`a checkpoint of ${count} components gives an update for each`, async (t) => {
        const { project, client, server, session } = await watched(t, { prepare: (p) => p.make() });
        const of = (i) => (i % 2 ? { status: 'completed', progress: 100 } : { status: 'in_progress', progress: 25 });
        const id = project.checkpoint({ components: components(count, of) });
        await client.next(ofCheckpoint(id), ms(15000));
        const last = project.checkpoint({ phase: 'done', components: components(count, of) });
        await client.next(ofCheckpoint(last), ms(15000));
        const events = await eventsOf(server, session);
        const updates = events.filter((e) => e.type === 'component_update');
        assert.deepEqual(updates.map((e) => e.data.component_id).sort(), components(count).map((c) => c.id).sort());
        if (count > 0) {
            assert.equal(updates[0].data.progress, of(Number(updates[0].data.component_id.slice(1))).progress);
            const progress = events.find((e) => e.type === 'build_progress');
            assert.deepEqual([progress.data.total, progress.data.completed], [count, Math.floor(count / 2)]);
        }
    });
}

test('only what changed since the last checkpoint is updated', async (t) => {
    const { project, client, server, session } = await watched(t, { prepare: (p) => p.make() });
    await client.next(ofCheckpoint(project.checkpoint({ components: components(50), features: { f: { status: 'pending' } } })));
    const id = project.checkpoint({
        components: components(50, (i) => (i === 7 ? { status: 'completed', progress: 100 } : {})),
        features: { f: { status: 'in_progress', progress: 50 } },
    });
    await client.next(ofCheckpoint(id));
    // What a checkpoint changed comes behind it: the fourth ends behind what the third did.
    for (const _ of range(2)) await client.next(ofCheckpoint(project.checkpoint({ components: components(50) })));
    const events = await eventsOf(server, session);
    const seventh = events.filter((e) => e.type === 'component_update').slice(50);
    assert.deepEqual(seventh.slice(0, 2).map((e) => [e.data.component_id, e.data.status]), [['c7', 'completed'], ['c7', 'pending']]);
    const features = events.filter((e) => e.type === 'feature_update').map((e) => [e.data.feature_id, e.data.status]);
    assert.deepEqual(features.slice(0, 2), [['f', 'pending'], ['f', 'in_progress']]);
});

test('a file written in pieces gives one event with the final content', async (t) => {
    const { project, client, server, session } = await watched(t, { prepare: (p) => p.make() });
    const text = JSON.stringify({ ...real, components: components(20) }, null, 2);
    const file = fs.openSync(path.join(project.checkpoints, 'pieces.json'), 'w');
    for (let at = 0; at < text.length; at += Math.ceil(text.length / 6)) {
        fs.writeSync(file, text.slice(at, at + Math.ceil(text.length / 6)));
        await new Promise((resolve) => setTimeout(resolve, 60)); // the writer's own pace
    }
    fs.closeSync(file);
    await client.next(ofCheckpoint(real.id));
    await client.next(ofCheckpoint(project.checkpoint({ components: components(20) })));
    const events = await eventsOf(server, session);
    assert.equal(events.filter((e) => e.type === 'checkpoint_update').length, 2);
    assert.equal(events.filter((e) => e.type === 'component_update').length, 20);
    assert.equal(events.filter((e) => e.type === 'error').length, 0);
});

test('a file that is never whole is reported with its position, and the watcher goes on', async (t) => {
    const { project, client } = await watched(t, { prepare: (p) => p.make() });
    fs.writeFileSync(path.join(project.checkpoints, 'broken.json'), '{\n  "id": "x",\n  "phase": "bu');
    const error = await client.next('error', ms(10000));
    assert.equal(error.error_type, 'checkpoint_parse');
    assert.match(error.error_message, /broken\.json:3:\d+/);
    await client.next(ofCheckpoint(project.checkpoint()));
    fs.writeFileSync(path.join(project.checkpoints, 'wrong.json'), '{"id":"x","components":7}');
    assert.match((await client.next('error', ms(10000))).error_message, /wrong\.json:1:\d+.*components/);
});

test('touching a checkpoint without changing it says nothing', async (t) => {
    const { project, client, server, session } = await watched(t, { prepare: (p) => p.make() });
    const id = project.checkpoint({}, 'same');
    await client.next(ofCheckpoint(id));
    const file = project.checkpointFile('same');
    fs.writeFileSync(file, fs.readFileSync(file));
    fs.utimesSync(file, new Date(), new Date());
    await client.next(ofCheckpoint(project.checkpoint()));
    const updates = (await eventsOf(server, session)).filter((e) => e.type === 'checkpoint_update');
    assert.deepEqual(updates.map((e) => e.data.checkpoint_id).filter((each) => each === id).length, 1);
});

test('a burst of 2,000 checkpoints: none missed, none twice, the last state right', { timeout: 90000 }, async (t) => {
    const { project, server, session } = await watched(t, { prepare: (p) => p.make() });
    const ids = range(2000).map((i) => project.checkpoint({
        phase: `build_${i}`, components: [{ id: 'only', status: i === 1999 ? 'completed' : 'in_progress', progress: i === 1999 ? 100 : i / 20 }],
    }));
    const seen = async () => (await eventsOf(server, session)).filter((e) => e.type === 'checkpoint_update');
    await waitFor(async () => (await seen()).length >= ids.length, 'all checkpoints', ms(40000));
    const marker = project.checkpoint({ phase: 'after', components: [{ id: 'only', status: 'completed', progress: 100 }] });
    await waitFor(async () => (await seen()).some((e) => e.data.checkpoint_id === marker), 'the marker');
    const published = (await seen()).map((e) => e.data.checkpoint_id);
    assert.deepEqual([...published].sort(), [...ids, marker].sort());
    const { json: status } = await server.get(`/api/build/status/${session}`);
    assert.equal(status.phase, 'after');
    assert.equal(status.components.only.status, 'completed');
    assert.equal(status.components.only.progress, 100);
});

test('directories that are missing are waited for, and may come and go', async (t) => {
    const { project, client } = await watched(t);
    project.make();
    await client.next(ofCheckpoint(project.checkpoint()));
    for (const _ of range(3)) {
        fs.rmSync(path.join(project.root, '.buildrunner'), { recursive: true });
        project.make();
        await client.next(ofCheckpoint(project.checkpoint()));
    }
});

test('context files come with their content, artifacts without surprise', async (t) => {
    const { project, client } = await watched(t, { prepare: (p) => (p.make(), p.checkpoint()) });
    await client.next('checkpoint_update');
    const notes = path.join(project.context, 'notes.md');
    const change = (file, type) => client.next((m) => m.type === 'file_change' && m.file_path.endsWith(file) &&
        (!type || m.change_type === type));
    fs.writeFileSync(notes, '# Notes\n');
    assert.deepEqual(await change('notes.md').then((m) => [m.change_type, m.content]), ['created', '# Notes\n']);
    fs.writeFileSync(notes, '# More\n');
    assert.equal((await change('notes.md', 'modified')).content, '# More\n');
    fs.mkdirSync(path.join(project.artifacts, 'deep/er'), { recursive: true });
    fs.writeFileSync(path.join(project.artifacts, 'deep/er/app.bin'), Buffer.from([0, 1, 2, 255]));
    assert.match((await change('app.bin')).file_path, /deep\/er\/app\.bin$/);
    fs.rmSync(notes);
    await change('notes.md', 'deleted');
});

test('links out of the project are not followed, loops do no harm', async (t) => {
    const outside = temporaryDirectory();
    fs.writeFileSync(path.join(outside, 'secret.md'), 'outside-of-the-project');
    const { project, client, server, session } = await watched(t, { prepare: (p) => p.make() });
    fs.symlinkSync(outside, path.join(project.artifacts, 'out'));
    fs.symlinkSync(path.join(outside, 'secret.md'), path.join(project.context, 'secret.md'));
    fs.symlinkSync('..', path.join(project.artifacts, 'loop'));
    fs.writeFileSync(path.join(outside, 'secret.md'), 'outside-of-the-project, again');
    await client.next(ofCheckpoint(project.checkpoint()));
    assert.ok(!JSON.stringify(await eventsOf(server, session)).includes('outside-of-the-project'));
});

test('fanfare watch publishes from a process of its own, and lists what is there', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName('remote');
    const client = await server.build(session);
    const project = new Project(temporaryDirectory()).make();
    const first = project.checkpoint();
    const watcher = spawn(binary, ['watch', project.root, '--session', session, '--url', server.url],
        { stdio: 'ignore' });
    t.after(() => watcher.kill('SIGKILL'));
    await client.next(ofCheckpoint(first));
    const second = project.checkpoint();
    await client.next(ofCheckpoint(second));
    const list = await runProgram(['watch', project.root, '--list']);
    assert.equal(list.code, 0, list.stderr);
    assert.ok(list.stdout.indexOf(second) >= 0 && list.stdout.indexOf(second) < list.stdout.indexOf(first), list.stdout);
    const latest = await runProgram(['watch', project.root, '--latest']);
    assert.ok(latest.stdout.includes(second) && !latest.stdout.includes(first), latest.stdout);
});

test('fanfare watch --json prints the events, alone or beside publishing, until nobody reads', async (t) => {
    const server = await startServer({ t });
    const session = uniqueName('printed');
    const project = new Project(temporaryDirectory()).make();
    for (const options of [['--no-publish'], ['--url', server.url]]) {
        const watcher = spawn(binary, ['watch', project.root, '--session', session, '--json', ...options],
            { stdio: ['ignore', 'pipe', 'pipe'] });
        t.after(() => watcher.kill('SIGKILL'));
        const printed = [];
        const lines = readline.createInterface({ input: watcher.stdout });
        lines.on('line', (line) => printed.push(JSON.parse(line)));
        let stderr = '';
        watcher.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
        await waitFor(() => stderr.includes('watching '), 'the watcher to be ready');
        const id = project.checkpoint({ components: [{ id: 'a', status: 'completed' }] });
        const ofThis = () => printed.filter(({ data }) => data.checkpoint_id === id);
        await waitFor(() => ofThis().length > 0, 'the checkpoint');
        assert.deepEqual([ofThis()[0].topic, ofThis()[0].type], [`session:${session}`, 'checkpoint_update']);
        if (options[0] === '--url') {
            await waitFor(async () => JSON.stringify(await eventsOf(server, session)).includes(id), 'the event');
        } else {
            const { code } = await runProgram(['pub', '--url', server.url, '-'], { input: `${JSON.stringify(ofThis()[0])}\n` });
            assert.equal(code, 0, 'its lines are what pub takes');
        }
        const ended = once(watcher, 'close');
        watcher.stdout.destroy(); // the reader is gone
        assert.deepEqual(await ended, [0, null]);
    }
    const { code, stderr } = await runProgram(['watch', project.root, '--no-publish']);
    assert.equal(code, 2);
    assert.match(stderr, /--no-publish: expected --json/);
});

test('a project that names no session has one after its directory', async (t) => {
    const directory = path.join(temporaryDirectory(), 'my project');
    fs.mkdirSync(directory);
    const server = await startServer({ t, args: ['--watch', directory, '--watch', '/'] });
    const topics = (await server.get('/health')).json.sources.map(({ topic }) => topic);
    assert.deepEqual(topics.sort(), ['session:my-project', 'session:root']);
});

test('a project that is not there ends the start with its name', async () => {
    for (const [project, reason] of [['/no/such/project', /No such file/], ['/no/such/project=a', /No such file/], ['/etc/passwd', /Not a directory/]]) {
        const { code, stdout, stderr } = await runProgram(['serve', '--listen', '127.0.0.1:0', '--watch', project]);
        assert.equal(code, 1);
        assert.equal(stdout, '');
        assert.ok(stderr.startsWith(`fanfare: --watch ${project.split('=')[0]}: `), stderr);
        assert.match(stderr, reason);
    }
});
