// A code editor's server, much reduced: watches a directory and tells every open editor.
//
// Compiled as build.mts is; then
//
//     fanfare serve &
//     node editor.mjs DIRECTORY       # and: curl -N 'http://127.0.0.1:8000/events?topic=channel:files'
import fs from 'node:fs';
import path from 'node:path';
import { EventBroadcaster, Publisher } from 'fanfare-publisher';

const directory = process.argv[2] ?? '.';
const publisher = new Publisher({ source: 'editor' });
const broadcaster = new EventBroadcaster(publisher);

const watcher = fs.watch(directory, (kind, name) => {
    if (name === null) return;
    const exists = fs.existsSync(path.join(directory, name));
    const event = kind === 'change' ? 'change' : exists ? 'add' : 'unlink';
    void broadcaster.fileChanged(name, event);
});
console.log(`watching ${directory}`);

process.once('SIGTERM', () => {
    watcher.close();
    void publisher.close();
});
