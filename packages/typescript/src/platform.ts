// The events of an agent platform: projects, agents, workflows, pull requests, issues, AI.
//
// Each has a function of the name that other languages have it under, with the fields of its data as
// one object. None names a topic: the server knows where each belongs (docs/events.md), and every
// reader gets it once.
import { EventRefused } from './errors.js';
import { Publisher, type Published, type PublisherOptions } from './publisher.js';

type Maybe<T> = T | null | undefined;
type Json = Record<string, unknown>;

export interface ProjectUpdated {
    /** A UUID. */
    project_id: string;
    project_name?: Maybe<string>;
    repository_url?: Maybe<string>;
    status?: Maybe<string>;
    /** The user, who hears of it, too. */
    updated_by?: Maybe<string>;
    /** The fields that changed, and their new values. */
    changes?: Maybe<Json>;
}

export interface ProjectDeleted {
    project_id: string;
    deleted_by?: Maybe<string>;
}

export interface AgentStatus {
    agent_id: string;
    agent_name?: Maybe<string>;
    status?: Maybe<'online' | 'offline' | 'busy' | (string & {})>;
    /** How much of it is free, 0 to 100 per cent. */
    availability?: Maybe<number>;
    metadata?: Maybe<Json>;
}

export interface Workflow {
    workflow_id: string;
    /** Without one everybody hears of it. */
    project_id?: Maybe<string>;
    status?: Maybe<'pending' | 'running' | 'completed' | 'failed' | 'cancelled'>;
    /** 0 to 100 per cent. */
    progress?: Maybe<number>;
    current_step?: Maybe<string>;
    total_steps?: Maybe<number>;
    /** Seconds. */
    estimated_time_remaining?: Maybe<number>;
    logs?: Maybe<readonly unknown[]>;
    errors?: Maybe<readonly unknown[]>;
}

export interface PullRequest {
    pr_id: string | number;
    project_id?: Maybe<string>;
    title?: Maybe<string>;
    description?: Maybe<string>;
    author?: Maybe<string>;
    /** The one that is to be merged. */
    branch?: Maybe<string>;
    github_url?: Maybe<string>;
    status?: Maybe<string>;
    created_at?: Maybe<string>;
}

export interface Issue {
    issue_id: string | number;
    project_id?: Maybe<string>;
    title?: Maybe<string>;
    description?: Maybe<string>;
    status?: Maybe<string>;
    priority?: Maybe<string>;
    /** The user who takes care of it, and hears of it. */
    assigned_to?: Maybe<string>;
    updated_at?: Maybe<string>;
}

export interface Suggestion {
    suggestion_id: string;
    target_type?: Maybe<string>;
    target_id?: Maybe<string>;
    category?: Maybe<string>;
    title?: Maybe<string>;
    description?: Maybe<string>;
    severity?: Maybe<'info' | 'warning' | 'critical'>;
    /** 0 to 1. */
    confidence?: Maybe<number>;
    suggested_action?: unknown;
    /** Without one everybody hears of it. */
    project_id?: Maybe<string>;
    metadata?: Maybe<Json>;
}

export interface Analysis {
    analysis_id: string;
    target_type?: Maybe<string>;
    target_id?: Maybe<string>;
    summary?: Maybe<string>;
    suggestions?: Maybe<readonly unknown[]>;
    project_id?: Maybe<string>;
    metadata?: Maybe<Json>;
}

// ---- Checks: the types hold for TypeScript, these for everybody ----

/** What a field must be, in the server's words, and whether a value is that. */
type Check = readonly [expected: string, holds: (value: unknown) => boolean];

const between = (least: number, most: number) => (value: unknown) =>
    typeof value === 'number' && value >= least && value <= most;
const oneOf = (...choices: string[]): Check =>
    [`one of ${choices.join(', ')}`, (value) => choices.includes(value as string)];

const text: Check = ['a string', (value) => typeof value === 'string'];
const uuid: Check = ['a UUID', (value) =>
    typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)];
const id: Check = ['a string that is not empty, or a number', (value) =>
    (typeof value === 'string' && value !== '') || Number.isFinite(value)];
const percentage: Check = ['a number from 0 to 100', between(0, 100)];
const fraction: Check = ['a number from 0 to 1', between(0, 1)];
const amount: Check = ['a number of at least 0', between(0, Number.MAX_VALUE)];
const count: Check = ['a whole number of at least 0', (value) => Number.isInteger(value) && (value as number) >= 0];
const list: Check = ['a list', Array.isArray];
const object: Check = ['an object', (value) => typeof value === 'object' && !Array.isArray(value)];
const anything: Check = ['any value', () => true];

type Checks<Fields> = Readonly<Record<keyof Fields, Check>>;

const workflowStatus = oneOf('pending', 'running', 'completed', 'failed', 'cancelled');

// The first field of each is needed.
const projectUpdated: Checks<ProjectUpdated> = {
    project_id: uuid, project_name: text, repository_url: text, status: text, updated_by: text, changes: object,
};
const projectDeleted: Checks<ProjectDeleted> = { project_id: uuid, deleted_by: text };
const agentStatus: Checks<AgentStatus> = {
    agent_id: uuid, agent_name: text, status: text, availability: percentage, metadata: object,
};
const workflow: Checks<Workflow> = {
    workflow_id: uuid, project_id: uuid, status: workflowStatus, progress: percentage, current_step: text,
    total_steps: count, estimated_time_remaining: amount, logs: list, errors: list,
};
const pullRequest: Checks<PullRequest> = {
    pr_id: id, project_id: uuid, title: text, description: text, author: text, branch: text, github_url: text,
    status: text, created_at: text,
};
const issue: Checks<Issue> = {
    issue_id: id, project_id: uuid, title: text, description: text, status: text, priority: text,
    assigned_to: text, updated_at: text,
};
const suggestion: Checks<Suggestion> = {
    suggestion_id: uuid, target_type: text, target_id: uuid, category: text, title: text, description: text,
    severity: oneOf('info', 'warning', 'critical'), confidence: fraction, suggested_action: anything,
    project_id: uuid, metadata: object,
};
const analysis: Checks<Analysis> = {
    analysis_id: text, target_type: text, target_id: uuid, summary: text, suggestions: list, project_id: uuid,
    metadata: object,
};

/** The fields of each type, the needed one first. */
export const platformFields: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
    'project.updated': projectUpdated,
    'project.deleted': projectDeleted,
    'agent.status_changed': agentStatus,
    'agent.connected': agentStatus,
    'agent.disconnected': agentStatus,
    'workflow.started': workflow,
    'workflow.progress': workflow,
    'workflow.completed': workflow,
    'workflow.failed': workflow,
    'pr.created': pullRequest,
    'pr.updated': pullRequest,
    'pr.closed': pullRequest,
    'issue.created': issue,
    'issue.updated': issue,
    'issue.closed': issue,
    'ai.suggestion': suggestion,
    'ai.analysis_complete': analysis,
};

/** The data, when it is what the type's fields demand. Other fields pass as they are. */
function checked(type: string, data: object): object {
    if (typeof data !== 'object' || data === null) throw new EventRefused('the fields must be an object');
    const values = data as Json;
    Object.entries(platformFields[type]!).forEach(([field, [expected, holds]], position) => {
        const value = values[field];
        const missing = value === undefined || value === null;
        if (missing ? position > 0 : holds(value)) return;
        const shown = missing ? 'nothing' : JSON.stringify(value) ?? String(value);
        throw new EventRefused(`${field} must be ${expected}, got ${shown.slice(0, 60)}`, field);
    });
    return data;
}

/**
 * Broadcasts the events of an agent platform.
 *
 *     const broadcaster = new PlatformBroadcaster('http://127.0.0.1:8000');
 *     broadcaster.broadcast_project_updated({ project_id, status: 'active', changes: { status: 'active' } });
 *
 * target: a Publisher, its options or a URL. What a method returns: see Publisher; none has to be
 * awaited.
 */
export class PlatformBroadcaster {
    /** Where the events go; one that was made here is to be closed by the caller. */
    readonly publisher: Publisher;

    constructor(target: Publisher | PublisherOptions | string = {}) {
        this.publisher = target instanceof Publisher ? target : new Publisher(target);
    }

    broadcast_project_updated = (fields: ProjectUpdated): Published => this.#publish('project.updated', fields);
    broadcast_project_deleted = (fields: ProjectDeleted): Published => this.#publish('project.deleted', fields);

    broadcast_agent_status_changed = (fields: AgentStatus): Published =>
        this.#publish('agent.status_changed', fields);

    broadcast_agent_connected = (fields: AgentStatus): Published => this.#publish('agent.connected', fields);
    broadcast_agent_disconnected = (fields: AgentStatus): Published => this.#publish('agent.disconnected', fields);

    broadcast_workflow_started = (fields: Workflow): Published => this.#publish('workflow.started', fields);
    broadcast_workflow_progress = (fields: Workflow): Published => this.#publish('workflow.progress', fields);
    broadcast_workflow_completed = (fields: Workflow): Published => this.#publish('workflow.completed', fields);
    broadcast_workflow_failed = (fields: Workflow): Published => this.#publish('workflow.failed', fields);

    broadcast_pr_created = (fields: PullRequest): Published => this.#publish('pr.created', fields);
    broadcast_pr_updated = (fields: PullRequest): Published => this.#publish('pr.updated', fields);
    broadcast_pr_closed = (fields: PullRequest): Published => this.#publish('pr.closed', fields);

    broadcast_issue_created = (fields: Issue): Published => this.#publish('issue.created', fields);
    broadcast_issue_updated = (fields: Issue): Published => this.#publish('issue.updated', fields);
    broadcast_issue_closed = (fields: Issue): Published => this.#publish('issue.closed', fields);

    broadcast_ai_suggestion = (fields: Suggestion): Published => this.#publish('ai.suggestion', fields);
    broadcast_ai_analysis_complete = (fields: Analysis): Published => this.#publish('ai.analysis_complete', fields);

    #publish(type: string, fields: object): Published {
        return this.publisher.publishRouted(type, () => checked(type, fields));
    }
}

let shared: PlatformBroadcaster | undefined;

/** One broadcaster for the whole program, to the server that FANFARE_URL and FANFARE_TOKEN name. */
export function getBroadcaster(): PlatformBroadcaster {
    shared ??= new PlatformBroadcaster();
    return shared;
}
