/* The data of each event of the event table. */

/** The data of each event type. */
export interface EventData {
    component_update: { component_id: string; status: string; progress?: number | null; metadata?: Record<string, unknown> | null };
    feature_update: { feature_id: string; status: string; progress?: number | null; metadata?: Record<string, unknown> | null };
    terminal_output: { output: string; output_type?: 'stdout' | 'stderr' | null; source?: string | null };
    checkpoint_update: { checkpoint_id: string; phase?: string | null; tasks_completed?: string[] | null; files_created?: string[] | null; metadata?: Record<string, unknown> | null };
    build_progress: { total: number; completed: number; percent?: number | null };
    file_change: { file_path: string; change_type: 'created' | 'modified' | 'deleted' | 'moved'; content?: string | null; truncated?: boolean | null };
    error: { error_message: string; error_type?: string | null; traceback?: string | null };
    run_started: { command?: unknown; cwd?: string | null; pid?: number | null };
    run_finished: { exit_code?: number | null; signal?: unknown; duration?: number | null };
}
