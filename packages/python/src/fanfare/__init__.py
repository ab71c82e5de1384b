"""Publish events to a Fanfare server."""
from .asynchronous import AsyncPublisher
from .broadcast import (broadcast_build_progress, broadcast_checkpoint_update,
                        broadcast_component_update, broadcast_error, broadcast_feature_update,
                        broadcast_file_change, broadcast_terminal_output, close, configure, flush,
                        get_publisher)
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
    "AccessDenied", "AsyncPublisher", "CheckpointError", "ConfigurationError", "EventRefused",
    "FanfareError", "FileWatcher", "Problem", "ProgramNotFound", "Publisher", "PublisherClosed",
    "Receipt", "SpoolFull", "Stats", "TerminalStream", "WatchError", "broadcast_build_progress",
    "broadcast_checkpoint_update", "broadcast_component_update", "broadcast_error",
    "broadcast_feature_update", "broadcast_file_change", "broadcast_terminal_output",
    "calculate_completion_percentage", "close", "configure", "create_file_watcher_with_websocket",
    "extract_component_updates", "extract_feature_updates", "flush", "get_checkpoint_summary",
    "get_component_updates", "get_feature_updates", "get_publisher", "parse_checkpoint",
]
