"""Publish events to a Fanfare server."""
from .asynchronous import AsyncPublisher
from .broadcast import (Broadcaster, broadcast_agent_connected, broadcast_agent_disconnected,
                        broadcast_agent_status_changed, broadcast_ai_analysis_complete,
                        broadcast_ai_suggestion, broadcast_build_progress,
                        broadcast_checkpoint_update, broadcast_component_update, broadcast_error,
                        broadcast_feature_update, broadcast_file_change, broadcast_issue_closed,
                        broadcast_issue_created, broadcast_issue_updated, broadcast_pr_closed,
                        broadcast_pr_created, broadcast_pr_updated, broadcast_project_deleted,
                        broadcast_project_updated, broadcast_terminal_output,
                        broadcast_workflow_completed, broadcast_workflow_failed,
                        broadcast_workflow_progress, broadcast_workflow_started, close, configure,
                        flush, get_broadcaster, get_publisher)
from .checkpoint import (calculate_completion_percentage, extract_component_updates,
                         extract_feature_updates, get_checkpoint_summary, get_component_updates,
                         get_feature_updates, parse_checkpoint)
from .errors import (AccessDenied, CheckpointError, ConfigurationError, EventRefused, FanfareError,
                     ProgramNotFound, PublisherClosed, SpoolFull, WatchError)
from .publisher import Problem, Publisher, Stats
from .spool import Receipt
from .terminal import TerminalStream
from .watcher import FileWatcher, create_file_watcher_with_websocket

__version__ = "0.1.0"

__all__ = [
    "AccessDenied", "AsyncPublisher", "Broadcaster", "CheckpointError", "ConfigurationError",
    "EventRefused", "FanfareError", "FileWatcher", "Problem", "ProgramNotFound", "Publisher",
    "PublisherClosed", "Receipt", "SpoolFull", "Stats", "TerminalStream", "WatchError",
    "broadcast_agent_connected", "broadcast_agent_disconnected", "broadcast_agent_status_changed",
    "broadcast_ai_analysis_complete", "broadcast_ai_suggestion", "broadcast_build_progress",
    "broadcast_checkpoint_update", "broadcast_component_update", "broadcast_error",
    "broadcast_feature_update", "broadcast_file_change", "broadcast_issue_closed",
    "broadcast_issue_created", "broadcast_issue_updated", "broadcast_pr_closed",
    "broadcast_pr_created", "broadcast_pr_updated", "broadcast_project_deleted",
    "broadcast_project_updated", "broadcast_terminal_output", "broadcast_workflow_completed",
    "broadcast_workflow_failed", "broadcast_workflow_progress", "broadcast_workflow_started",
    "calculate_completion_percentage", "close", "configure", "create_file_watcher_with_websocket",
    "extract_component_updates", "extract_feature_updates", "flush", "get_broadcaster",
    "get_checkpoint_summary", "get_component_updates", "get_feature_updates", "get_publisher",
    "parse_checkpoint",
]
