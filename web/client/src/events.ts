/* Generated from the event catalogue by `make docs`. */

/** A component's state or progress changed. */
export interface ComponentUpdateData {
    /** The component. */
    component_id: string;
    /** Its state now. */
    status: 'pending' | 'in_progress' | 'completed' | 'failed' | (string & {});
    /** Per cent done. */
    progress?: number | null;
    /** Whatever else is known about it. */
    metadata?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** A feature's state or progress changed. */
export interface FeatureUpdateData {
    /** The feature. */
    feature_id: string;
    /** Its state now. */
    status: 'pending' | 'in_progress' | 'completed' | 'failed' | (string & {});
    /** Per cent done. */
    progress?: number | null;
    /** Whatever else is known about it. */
    metadata?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** A program wrote to its terminal. */
export interface TerminalOutputData {
    /** What the program wrote, escape sequences included. */
    output: string;
    /** Where it wrote to. */
    output_type?: 'stdout' | 'stderr' | null;
    /** Who wrote it. */
    source?: string | null;
    /** How many bytes of output are missing here; `output` says so in words. */
    left_out?: number | null;
    [more: string]: unknown;
}

/** A build checkpoint was written. */
export interface CheckpointUpdateData {
    /** The checkpoint. */
    checkpoint_id: string;
    /** The build's phase. */
    phase?: string | null;
    /** Tasks done so far. */
    tasks_completed?: string[] | null;
    /** Files made so far. */
    files_created?: string[] | null;
    /** Whatever else the checkpoint says. */
    metadata?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** How far the build as a whole is. */
export interface BuildProgressData {
    /** How many steps there are. */
    total: number;
    /** How many of them are done; at most total. */
    completed: number;
    /** Per cent done; computed from the other two when left out. */
    percent?: number | null;
    [more: string]: unknown;
}

/** A watched file changed. */
export interface FileChangeData {
    /** The file. */
    file_path: string;
    /** What happened to it. */
    change_type: 'created' | 'modified' | 'deleted' | 'moved';
    /** Its text, when it has at most 64 KiB; else left out, and truncated is true. */
    content?: string | null;
    /** Whether the content was left out. */
    truncated?: boolean | null;
    [more: string]: unknown;
}

/** Something failed. Every filter lets it pass. */
export interface ErrorData {
    /** What went wrong. */
    error_message: string;
    /** What kind of error it is. */
    error_type?: string | null;
    /** Where it happened. */
    traceback?: string | null;
    [more: string]: unknown;
}

/** `fanfare run` started a command. */
export interface RunStartedData {
    /** The command and its arguments. */
    command?: unknown;
    /** The directory in which it runs. */
    cwd?: string | null;
    /** Its process id. */
    pid?: number | null;
    /** Whether it writes to a terminal. */
    pty?: boolean | null;
    /** The terminal's width, where there is one. */
    cols?: number | null;
    /** Its height. */
    rows?: number | null;
    [more: string]: unknown;
}

/** The command that `fanfare run` started has ended. */
export interface RunFinishedData {
    /** How it exited; null after a signal, 126 or 127 when it could not be started. */
    exit_code?: number | null;
    /** The signal that ended it, "SIGTERM" for instance, or null. */
    signal?: unknown;
    /** Seconds it took. */
    duration?: number | null;
    /** Its process id, as in `run_started`. */
    pid?: number | null;
    /** The command once more, for readers that have not seen `run_started`. */
    command?: unknown;
    /** Likewise its directory. */
    cwd?: string | null;
    [more: string]: unknown;
}

/** Code began to run. */
export interface ExecutionStartData {
    /** The execution. */
    execution_id: string;
    /** The language. */
    language: string;
    /** The first 100 characters of the code. */
    code_preview?: string | null;
    [more: string]: unknown;
}

/** Running code wrote something. */
export interface ExecutionOutputData {
    /** The execution. */
    execution_id: string;
    /** What it wrote. */
    output: string;
    /** Where it wrote to. */
    stream?: 'stdout' | 'stderr' | null;
    [more: string]: unknown;
}

/** Code ran to its end. */
export interface ExecutionCompleteData {
    /** The execution. */
    execution_id: string;
    /** How it ended. */
    result: Record<string, unknown>;
    [more: string]: unknown;
}

/** Code could not run, or not to its end. */
export interface ExecutionErrorData {
    /** The execution. */
    execution_id: string;
    /** What went wrong. */
    error: string;
    /** What kind of error it is. */
    error_type?: 'timeout' | 'memory' | 'output_limit' | 'unsupported_language' | 'sandbox_unavailable' | 'queue_full' | 'cancelled' | 'server_restarted' | (string & {}) | null;
    /** As far as it got. */
    result?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** An answer is coming, or no longer. Best published as ephemeral. */
export interface AiTypingData {
    /** Whether an answer is coming. */
    is_typing: boolean;
    [more: string]: unknown;
}

/** An answer, whole. */
export interface AiResponseData {
    /** The whole answer. */
    message: Record<string, unknown>;
    [more: string]: unknown;
}

/** A part of an answer, as it is written. */
export interface AiChunkData {
    /** The message of which this is a part. */
    id: string;
    /** The part. */
    chunk: string;
    /** Parts before it. */
    index?: number | null;
    /** Whether it is the last part. */
    finished?: boolean | null;
    [more: string]: unknown;
}

/** There will be no answer. */
export interface AiErrorData {
    /** What went wrong. */
    error: string;
    /** What kind of error it is. */
    error_type?: string | null;
    [more: string]: unknown;
}

/** A hook's occasion came. */
export interface HookTriggeredData {
    /** The hook. */
    hook_type: 'on_run' | 'on_error' | 'on_save';
    /** What it was about. */
    context?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** Something of the session changed; data says what, in words of the clients' own. */
export interface SessionUpdateData {
    [more: string]: unknown;
}

/** A file was saved. */
export interface FileSavedData {
    /** The file. */
    file_id: string;
    /** Its name. */
    file_name: string;
    /** Its language. */
    language?: string | null;
    /** Its text, where the session keeps it instead of a workspace. */
    content?: string | null;
    [more: string]: unknown;
}

/** A project changed. */
export interface ProjectUpdatedData {
    /** The project. */
    project_id: string;
    /** Its name. */
    project_name?: string | null;
    /** Its repository. */
    repository_url?: string | null;
    /** Its state now. */
    status?: string | null;
    /** The user who changed it. */
    updated_by?: string | null;
    /** What changed. */
    changes?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** A project is gone. */
export interface ProjectDeletedData {
    /** The project. */
    project_id: string;
    /** The user who removed it. */
    deleted_by?: string | null;
    [more: string]: unknown;
}

/** An agent's state changed. */
export interface AgentStatusChangedData {
    /** The agent. */
    agent_id: string;
    /** Its name. */
    agent_name?: string | null;
    /** Its state now. */
    status?: 'online' | 'offline' | 'busy' | (string & {}) | null;
    /** How much of it is free, per cent. */
    availability?: number | null;
    /** Whatever else is known about it. */
    metadata?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** An agent is there. */
export interface AgentConnectedData {
    /** The agent. */
    agent_id: string;
    /** Its name. */
    agent_name?: string | null;
    /** Its state now. */
    status?: 'online' | 'offline' | 'busy' | (string & {}) | null;
    /** How much of it is free, per cent. */
    availability?: number | null;
    /** Whatever else is known about it. */
    metadata?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** An agent is gone. */
export interface AgentDisconnectedData {
    /** The agent. */
    agent_id: string;
    /** Its name. */
    agent_name?: string | null;
    /** Its state now. */
    status?: 'online' | 'offline' | 'busy' | (string & {}) | null;
    /** How much of it is free, per cent. */
    availability?: number | null;
    /** Whatever else is known about it. */
    metadata?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** A workflow began. */
export interface WorkflowStartedData {
    /** The workflow. */
    workflow_id: string;
    /** Its project. */
    project_id?: string | null;
    /** Its state now. */
    status?: 'pending' | 'running' | 'completed' | 'failed' | 'cancelled' | null;
    /** Per cent done. */
    progress?: number | null;
    /** What it does now. */
    current_step?: string | null;
    /** How many steps there are. */
    total_steps?: number | null;
    /** Seconds to go. */
    estimated_time_remaining?: number | null;
    /** What it wrote. */
    logs?: unknown[] | null;
    /** What went wrong. */
    errors?: unknown[] | null;
    [more: string]: unknown;
}

/** A workflow goes on. */
export interface WorkflowProgressData {
    /** The workflow. */
    workflow_id: string;
    /** Its project. */
    project_id?: string | null;
    /** Its state now. */
    status?: 'pending' | 'running' | 'completed' | 'failed' | 'cancelled' | null;
    /** Per cent done. */
    progress?: number | null;
    /** What it does now. */
    current_step?: string | null;
    /** How many steps there are. */
    total_steps?: number | null;
    /** Seconds to go. */
    estimated_time_remaining?: number | null;
    /** What it wrote. */
    logs?: unknown[] | null;
    /** What went wrong. */
    errors?: unknown[] | null;
    [more: string]: unknown;
}

/** A workflow is done. */
export interface WorkflowCompletedData {
    /** The workflow. */
    workflow_id: string;
    /** Its project. */
    project_id?: string | null;
    /** Its state now. */
    status?: 'pending' | 'running' | 'completed' | 'failed' | 'cancelled' | null;
    /** Per cent done. */
    progress?: number | null;
    /** What it does now. */
    current_step?: string | null;
    /** How many steps there are. */
    total_steps?: number | null;
    /** Seconds to go. */
    estimated_time_remaining?: number | null;
    /** What it wrote. */
    logs?: unknown[] | null;
    /** What went wrong. */
    errors?: unknown[] | null;
    [more: string]: unknown;
}

/** A workflow failed. */
export interface WorkflowFailedData {
    /** The workflow. */
    workflow_id: string;
    /** Its project. */
    project_id?: string | null;
    /** Its state now. */
    status?: 'pending' | 'running' | 'completed' | 'failed' | 'cancelled' | null;
    /** Per cent done. */
    progress?: number | null;
    /** What it does now. */
    current_step?: string | null;
    /** How many steps there are. */
    total_steps?: number | null;
    /** Seconds to go. */
    estimated_time_remaining?: number | null;
    /** What it wrote. */
    logs?: unknown[] | null;
    /** What went wrong. */
    errors?: unknown[] | null;
    [more: string]: unknown;
}

/** A pull request was opened. */
export interface PrCreatedData {
    /** The pull request. */
    pr_id: unknown;
    /** Its project. */
    project_id?: string | null;
    /** Its title. */
    title?: string | null;
    /** Its text. */
    description?: string | null;
    /** Who opened it. */
    author?: string | null;
    /** The branch that is to be merged. */
    branch?: string | null;
    /** Where it can be seen. */
    github_url?: string | null;
    /** Its state now. */
    status?: string | null;
    /** When it was opened. */
    created_at?: string | null;
    [more: string]: unknown;
}

/** A pull request changed. */
export interface PrUpdatedData {
    /** The pull request. */
    pr_id: unknown;
    /** Its project. */
    project_id?: string | null;
    /** Its title. */
    title?: string | null;
    /** Its text. */
    description?: string | null;
    /** Who opened it. */
    author?: string | null;
    /** The branch that is to be merged. */
    branch?: string | null;
    /** Where it can be seen. */
    github_url?: string | null;
    /** Its state now. */
    status?: string | null;
    /** When it was opened. */
    created_at?: string | null;
    [more: string]: unknown;
}

/** A pull request was closed. */
export interface PrClosedData {
    /** The pull request. */
    pr_id: unknown;
    /** Its project. */
    project_id?: string | null;
    /** Its title. */
    title?: string | null;
    /** Its text. */
    description?: string | null;
    /** Who opened it. */
    author?: string | null;
    /** The branch that is to be merged. */
    branch?: string | null;
    /** Where it can be seen. */
    github_url?: string | null;
    /** Its state now. */
    status?: string | null;
    /** When it was opened. */
    created_at?: string | null;
    [more: string]: unknown;
}

/** An issue was opened. */
export interface IssueCreatedData {
    /** The issue. */
    issue_id: unknown;
    /** Its project. */
    project_id?: string | null;
    /** Its title. */
    title?: string | null;
    /** Its text. */
    description?: string | null;
    /** Its state now. */
    status?: string | null;
    /** How urgent it is. */
    priority?: string | null;
    /** The user who takes care of it. */
    assigned_to?: string | null;
    /** When it changed. */
    updated_at?: string | null;
    [more: string]: unknown;
}

/** An issue changed. */
export interface IssueUpdatedData {
    /** The issue. */
    issue_id: unknown;
    /** Its project. */
    project_id?: string | null;
    /** Its title. */
    title?: string | null;
    /** Its text. */
    description?: string | null;
    /** Its state now. */
    status?: string | null;
    /** How urgent it is. */
    priority?: string | null;
    /** The user who takes care of it. */
    assigned_to?: string | null;
    /** When it changed. */
    updated_at?: string | null;
    [more: string]: unknown;
}

/** An issue was closed. */
export interface IssueClosedData {
    /** The issue. */
    issue_id: unknown;
    /** Its project. */
    project_id?: string | null;
    /** Its title. */
    title?: string | null;
    /** Its text. */
    description?: string | null;
    /** Its state now. */
    status?: string | null;
    /** How urgent it is. */
    priority?: string | null;
    /** The user who takes care of it. */
    assigned_to?: string | null;
    /** When it changed. */
    updated_at?: string | null;
    [more: string]: unknown;
}

/** A model suggests something. */
export interface AiSuggestionData {
    /** The suggestion. */
    suggestion_id: string;
    /** What kind of thing it is about. */
    target_type?: string | null;
    /** What it is about. */
    target_id?: string | null;
    /** What kind of suggestion it is. */
    category?: string | null;
    /** It in short. */
    title?: string | null;
    /** It in full. */
    description?: string | null;
    /** How much it matters. */
    severity?: 'info' | 'warning' | 'critical' | null;
    /** How sure the model is. */
    confidence?: number | null;
    /** What to do. */
    suggested_action?: unknown;
    /** Its project. */
    project_id?: string | null;
    /** Whatever else is known about it. */
    metadata?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** A model has analysed something. */
export interface AiAnalysisCompleteData {
    /** The analysis. */
    analysis_id: string;
    /** What kind of thing was analysed. */
    target_type?: string | null;
    /** What was analysed. */
    target_id?: string | null;
    /** What came out. */
    summary?: string | null;
    /** What to do. */
    suggestions?: unknown[] | null;
    /** Its project. */
    project_id?: string | null;
    /** Whatever else is known about it. */
    metadata?: Record<string, unknown> | null;
    [more: string]: unknown;
}

/** The data of each event type. Declare your own types here, too. */
export interface EventData {
    'component_update': ComponentUpdateData;
    'feature_update': FeatureUpdateData;
    'terminal_output': TerminalOutputData;
    'checkpoint_update': CheckpointUpdateData;
    'build_progress': BuildProgressData;
    'file_change': FileChangeData;
    'error': ErrorData;
    'run_started': RunStartedData;
    'run_finished': RunFinishedData;
    'execution_start': ExecutionStartData;
    'execution_output': ExecutionOutputData;
    'execution_complete': ExecutionCompleteData;
    'execution_error': ExecutionErrorData;
    'ai_typing': AiTypingData;
    'ai_response': AiResponseData;
    'ai_chunk': AiChunkData;
    'ai_error': AiErrorData;
    'hook_triggered': HookTriggeredData;
    'session_update': SessionUpdateData;
    'file_saved': FileSavedData;
    'project.updated': ProjectUpdatedData;
    'project.deleted': ProjectDeletedData;
    'agent.status_changed': AgentStatusChangedData;
    'agent.connected': AgentConnectedData;
    'agent.disconnected': AgentDisconnectedData;
    'workflow.started': WorkflowStartedData;
    'workflow.progress': WorkflowProgressData;
    'workflow.completed': WorkflowCompletedData;
    'workflow.failed': WorkflowFailedData;
    'pr.created': PrCreatedData;
    'pr.updated': PrUpdatedData;
    'pr.closed': PrClosedData;
    'issue.created': IssueCreatedData;
    'issue.updated': IssueUpdatedData;
    'issue.closed': IssueClosedData;
    'ai.suggestion': AiSuggestionData;
    'ai.analysis_complete': AiAnalysisCompleteData;
}
