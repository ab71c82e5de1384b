/* What happened, in a line: what people want to know of an event before they open it. */

type Data = Record<string, unknown>;

const lengthMost = 300;

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const percent = (value: unknown) => (typeof value === 'number' ? `${Math.round(value * 10) / 10} %` : '');
/** The beginning of an id is enough to tell one from another. */
const short = (id: unknown) => (/^[0-9a-f]{8}-/.test(text(id)) ? text(id).slice(0, 8) : text(id));
const joined = (...parts: string[]) => parts.filter(Boolean).join(' · ');

function changesOf({ changes }: Data): string {
    if (typeof changes !== 'object' || changes === null) return '';
    return Object.entries(changes)
        .map(([name, value]) => (typeof value === 'string' ? `${name}: ${value}` : name))
        .join(', ');
}

/** "Step 2 of 5" where the step has a number, else its name alone. */
export function stepText(step: string, total: number | null): string {
    return total !== null && /\d$/.test(step) ? `${step} of ${total}` : step;
}

function workflow(data: Data): string {
    const { total_steps: total } = data;
    const step = stepText(text(data.current_step), typeof total === 'number' ? total : null);
    return joined(step, text(data.status), percent(data.progress), `workflow ${short(data.workflow_id)}`);
}

const lines: Record<string, (data: Data) => string> = {
    'project.updated': (data) =>
        joined(
            text(data.project_name) || short(data.project_id),
            changesOf(data),
            data.updated_by ? `by ${short(data.updated_by)}` : '',
        ),
    'project.deleted': (data) => joined(short(data.project_id), data.deleted_by ? `by ${short(data.deleted_by)}` : ''),
    agent: (data) =>
        joined(text(data.agent_name) || short(data.agent_id), text(data.status), percent(data.availability)),
    workflow,
    pr: (data) =>
        joined(text(data.title), text(data.status), text(data.author) && `by ${text(data.author)}`, text(data.branch)),
    issue: (data) => joined(text(data.title), text(data.status), text(data.priority)),
    'ai.suggestion': (data) =>
        joined(
            text(data.severity),
            text(data.title),
            typeof data.confidence === 'number' ? percent(data.confidence * 100) : '',
        ),
    'ai.analysis_complete': (data) => text(data.summary),
};

/** A type may be called as something that every object has. */
const lineOf = (name: string) => (Object.hasOwn(lines, name) ? lines[name] : undefined);

/** As it is, where nothing better is known. */
function plain(data: Data): string {
    return Object.entries(data)
        .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
        .join(' · ');
}

/** One line, of bounded length; '' for an event without data. */
export function summaryOf(type: string, data: Data): string {
    const line = (lineOf(type) ?? lineOf(type.split('.')[0]!))?.(data) || plain(data);
    return line.replace(/\s+/g, ' ').slice(0, lengthMost);
}

export type Family = 'project' | 'agent' | 'workflow' | 'pr' | 'issue' | 'ai' | 'other';

/** What kind of thing the event is about. */
export function familyOf(type: string): Family {
    const [family] = type.split('.');
    return /^(project|agent|workflow|pr|issue|ai)$/.test(family!) ? (family as Family) : 'other';
}

/** Whether it is good or bad news. */
export function toneOfEvent(type: string, { severity, status }: Data): 'good' | 'bad' | 'warn' | 'plain' {
    if (/\.failed$|^error$|\.deleted$/.test(type) || severity === 'critical' || status === 'failed') return 'bad';
    if (severity === 'warning') return 'warn';
    if (/\.completed$/.test(type) || status === 'completed') return 'good';
    return 'plain';
}
