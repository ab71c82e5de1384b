// The events of a build session: one function for each type, which checks its fields.
//
// A function throws EventRefused when an argument is not what its field demands, with the words in
// which the server would say it, so that a mistake shows where it was made even while the server is
// away. The publisher has a method of the same name for each.
import { EventRefused } from './errors.js';

/** A JSON object. Whatever JSON.stringify takes may be in it. */
export type Data = object;

/** What is to be published: where, of which type, with which fields. */
export interface BuiltEvent {
    readonly topic: string;
    readonly type: string;
    readonly data: Data;
}

/** pending, in_progress, completed, failed, or one of your own. */
export type Status = 'pending' | 'in_progress' | 'completed' | 'failed' | (string & {});
export type OutputType = 'stdout' | 'stderr';
export type ChangeType = 'created' | 'modified' | 'deleted' | 'moved';

/** An event's file content beyond this many bytes is left out, and truncated is set. */
const contentMax = 64 * 1024;

// ---- Checks: the types hold for TypeScript, these for everybody ----

function refusal(field: string, expected: string, value: unknown): EventRefused {
    let shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
    if (shown.length > 60) shown = `${shown.slice(0, 57)}...`;
    return new EventRefused(`${field} must be ${expected}, got ${shown}`, field);
}

function text(field: string, value: unknown): string {
    if (typeof value !== 'string') throw refusal(field, 'a string', value);
    return value;
}

function identifier(field: string, value: unknown): string {
    if (typeof value !== 'string' || value === '') throw refusal(field, 'a string that is not empty', value);
    return value;
}

const optionalText = (field: string, value: unknown): string | null =>
    value === undefined || value === null ? null : text(field, value);

function number(field: string, value: unknown, most: number, expected: string): number {
    if (typeof value !== 'number' || !(value >= 0 && value <= most) || value === Infinity) {
        throw refusal(field, expected, value);
    }
    return value;
}

const percentage = (field: string, value: unknown): number => number(field, value, 100, 'a number from 0 to 100');

function choice(field: string, value: unknown, choices: readonly string[]): string {
    if (!choices.includes(value as string)) {
        throw refusal(field, choices.map((each) => JSON.stringify(each)).join(' or '), value);
    }
    return value as string;
}

function object(field: string, value: unknown): Data {
    if (value === undefined || value === null) return {};
    if (typeof value !== 'object' || Array.isArray(value)) throw refusal(field, 'an object', value);
    return value;
}

function texts(field: string, value: unknown): readonly string[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw refusal(field, 'a list of strings', value);
    return value.map((element) => text(field, element));
}

const sessionEvent = (type: string, sessionId: unknown, data: Data): BuiltEvent =>
    ({ topic: `session:${identifier('sessionId', sessionId)}`, type, data });

// ---- The events ----

/** A component's state or progress (0 to 100 per cent) changed. */
export function componentUpdate(
    sessionId: string, componentId: string, status: Status, progress = 0, metadata?: Data,
): BuiltEvent {
    return sessionEvent('component_update', sessionId, {
        component_id: identifier('componentId', componentId),
        status: identifier('status', status),
        progress: percentage('progress', progress),
        metadata: object('metadata', metadata),
    });
}

/** A feature's state or progress (0 to 100 per cent) changed. */
export function featureUpdate(
    sessionId: string, featureId: string, status: Status, progress = 0, metadata?: Data,
): BuiltEvent {
    return sessionEvent('feature_update', sessionId, {
        feature_id: identifier('featureId', featureId),
        status: identifier('status', status),
        progress: percentage('progress', progress),
        metadata: object('metadata', metadata),
    });
}

/**
 * A program wrote to its terminal. For bytes that come in pieces use a TextDecoder with
 * `{ stream: true }`, which keeps characters whole.
 */
export function terminalOutput(
    sessionId: string, output: string, outputType: OutputType = 'stdout', source?: string | null,
): BuiltEvent {
    return sessionEvent('terminal_output', sessionId, {
        output: text('output', output),
        output_type: choice('outputType', outputType, ['stdout', 'stderr']),
        source: optionalText('source', source),
    });
}

/** A checkpoint was written: the tasks completed and the files created so far. */
export function checkpointUpdate(
    sessionId: string, checkpointId: string, phase?: string | null, tasks?: readonly string[],
    files?: readonly string[], metadata?: Data,
): BuiltEvent {
    return sessionEvent('checkpoint_update', sessionId, {
        checkpoint_id: identifier('checkpointId', checkpointId),
        phase: optionalText('phase', phase),
        tasks_completed: texts('tasks', tasks),
        files_created: texts('files', files),
        metadata: object('metadata', metadata),
    });
}

/** How far the build as a whole is; percent is computed when left out. */
export function buildProgress(sessionId: string, total: number, completed: number, percent?: number): BuiltEvent {
    const data = {
        total: number('total', total, Infinity, 'a number from 0'),
        completed: number('completed', completed, total, `a number from 0 to total (${total})`),
    };
    return sessionEvent('build_progress', sessionId,
        percent === undefined ? data : { ...data, percent: percentage('percent', percent) });
}

/** A file changed. Content of more than 64 KiB is left out, and truncated says so. */
export function fileChange(
    sessionId: string, filePath: string, changeType: ChangeType, content?: string,
): BuiltEvent {
    const data = {
        file_path: identifier('filePath', filePath),
        change_type: choice('changeType', changeType, ['created', 'modified', 'deleted', 'moved']),
    };
    if (content === undefined) return sessionEvent('file_change', sessionId, data);
    const fits = Buffer.byteLength(text('content', content)) <= contentMax;
    return sessionEvent('file_change', sessionId, { ...data, ...(fits ? { content } : { truncated: true }) });
}

/** Something failed. An Error brings its message, name and stack. */
export function error(
    sessionId: string, errorMessage: string | Error, errorType?: string | null, traceback?: string | null,
): BuiltEvent {
    if (errorMessage instanceof Error) {
        errorType ??= errorMessage.name;
        traceback ??= errorMessage.stack ?? null;
        errorMessage = errorMessage.message;
    }
    return sessionEvent('error', sessionId, {
        error_message: text('errorMessage', errorMessage),
        error_type: optionalText('errorType', errorType),
        traceback: optionalText('traceback', traceback),
    });
}
