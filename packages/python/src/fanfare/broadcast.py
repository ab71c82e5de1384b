"""The functions with which a backend broadcasts, over one publisher for the whole program.

    await broadcast_component_update(session_id="build_123", component_id="auth",
                                     status="in_progress", progress=45.5)

They return when the server has acknowledged the event. When it is away they return at once: the
event waits in memory and is sent when the server is back. What the server refuses is raised.
"""
from __future__ import annotations

import threading
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Optional

from . import events
from .asynchronous import AsyncPublisher
from .publisher import Token
from .spool import Receipt

if TYPE_CHECKING:
    from typing_extensions import ParamSpec
    P = ParamSpec("P")

_lock = threading.Lock()
_publisher: Optional[AsyncPublisher] = None


def configure(url: Optional[str] = None, token: Token = None, **options: Any) -> AsyncPublisher:
    """Says where the broadcast functions publish to, and how; see Publisher for the arguments. To
    be called at start. A publisher that was in use before is closed, which may take up to 5 s."""
    global _publisher
    publisher = AsyncPublisher(url, token, **options)
    with _lock:
        previous, _publisher = _publisher, publisher
    if previous:
        previous._publisher.close()
    return publisher


def get_publisher() -> AsyncPublisher:
    """The publisher of the broadcast functions; without configure, the one that FANFARE_URL and
    FANFARE_TOKEN name."""
    global _publisher
    with _lock:
        if _publisher is None:
            _publisher = AsyncPublisher()
        return _publisher


async def flush(timeout: Optional[float] = 5.0) -> bool:
    """Waits until all that was broadcast is acknowledged, at most timeout seconds; False: it is
    not."""
    return await get_publisher().flush(timeout)


async def close(timeout: float = 5.0) -> bool:
    """Sends what is left, at most for timeout seconds, and ends; the next broadcast begins anew.
    False: something could not be sent. At the program's end this happens by itself, with 2 s."""
    global _publisher
    with _lock:
        publisher, _publisher = _publisher, None
    return publisher is None or await publisher.close(timeout)


def broadcasts(build: "Callable[P, events.Event]") -> "Callable[P, Awaitable[Optional[Receipt]]]":
    """Makes a broadcast function of one that builds an event."""
    @wraps(build)
    async def broadcast(*args: Any, **kwargs: Any) -> Optional[Receipt]:
        return await get_publisher()._publish_built(lambda: build(*args, **kwargs))

    broadcast.__name__ = broadcast.__qualname__ = f"broadcast_{build.__name__}"
    broadcast.__module__ = __name__
    setattr(broadcast, "__signature__",
            signature(build).replace(return_annotation="Optional[Receipt]"))
    return broadcast


broadcast_component_update = broadcasts(events.component_update)
broadcast_feature_update = broadcasts(events.feature_update)
broadcast_terminal_output = broadcasts(events.terminal_output)
broadcast_checkpoint_update = broadcasts(events.checkpoint_update)
broadcast_build_progress = broadcasts(events.build_progress)
broadcast_file_change = broadcasts(events.file_change)
broadcast_error = broadcasts(events.error)

broadcast_project_updated = broadcasts(events.project_updated)
broadcast_project_deleted = broadcasts(events.project_deleted)
broadcast_agent_status_changed = broadcasts(events.agent_status_changed)
broadcast_agent_connected = broadcasts(events.agent_connected)
broadcast_agent_disconnected = broadcasts(events.agent_disconnected)
broadcast_workflow_started = broadcasts(events.workflow_started)
broadcast_workflow_progress = broadcasts(events.workflow_progress)
broadcast_workflow_completed = broadcasts(events.workflow_completed)
broadcast_workflow_failed = broadcasts(events.workflow_failed)
broadcast_pr_created = broadcasts(events.pr_created)
broadcast_pr_updated = broadcasts(events.pr_updated)
broadcast_pr_closed = broadcasts(events.pr_closed)
broadcast_issue_created = broadcasts(events.issue_created)
broadcast_issue_updated = broadcasts(events.issue_updated)
broadcast_issue_closed = broadcasts(events.issue_closed)
broadcast_ai_suggestion = broadcasts(events.ai_suggestion)
broadcast_ai_analysis_complete = broadcasts(events.ai_analysis_complete)


class Broadcaster:
    """The broadcast functions as methods, for backends that have them on an object:

        broadcaster = get_broadcaster()
        await broadcaster.broadcast_project_updated(project_id=project.id, status="active")
    """

    broadcast_component_update = staticmethod(broadcast_component_update)
    broadcast_feature_update = staticmethod(broadcast_feature_update)
    broadcast_terminal_output = staticmethod(broadcast_terminal_output)
    broadcast_checkpoint_update = staticmethod(broadcast_checkpoint_update)
    broadcast_build_progress = staticmethod(broadcast_build_progress)
    broadcast_file_change = staticmethod(broadcast_file_change)
    broadcast_error = staticmethod(broadcast_error)
    broadcast_project_updated = staticmethod(broadcast_project_updated)
    broadcast_project_deleted = staticmethod(broadcast_project_deleted)
    broadcast_agent_status_changed = staticmethod(broadcast_agent_status_changed)
    broadcast_agent_connected = staticmethod(broadcast_agent_connected)
    broadcast_agent_disconnected = staticmethod(broadcast_agent_disconnected)
    broadcast_workflow_started = staticmethod(broadcast_workflow_started)
    broadcast_workflow_progress = staticmethod(broadcast_workflow_progress)
    broadcast_workflow_completed = staticmethod(broadcast_workflow_completed)
    broadcast_workflow_failed = staticmethod(broadcast_workflow_failed)
    broadcast_pr_created = staticmethod(broadcast_pr_created)
    broadcast_pr_updated = staticmethod(broadcast_pr_updated)
    broadcast_pr_closed = staticmethod(broadcast_pr_closed)
    broadcast_issue_created = staticmethod(broadcast_issue_created)
    broadcast_issue_updated = staticmethod(broadcast_issue_updated)
    broadcast_issue_closed = staticmethod(broadcast_issue_closed)
    broadcast_ai_suggestion = staticmethod(broadcast_ai_suggestion)
    broadcast_ai_analysis_complete = staticmethod(broadcast_ai_analysis_complete)


_broadcaster = Broadcaster()


def get_broadcaster() -> Broadcaster:
    """The broadcast functions, over the publisher that configure or the environment name."""
    return _broadcaster
