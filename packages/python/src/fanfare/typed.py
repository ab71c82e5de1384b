"""The typed methods of every kind of publisher, made of the functions that build the events."""
from __future__ import annotations

from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Callable

from . import events

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec
    P = ParamSpec("P")


def publishes(build: "Callable[P, events.Event]") -> "Callable[Concatenate[Any, P], Any]":
    """Makes a publisher's method of a function that builds an event: same arguments, same
    documentation; what is built goes to the publisher's _publish_built."""
    @wraps(build)
    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return self._publish_built(lambda: build(*args, **kwargs))

    shape = signature(build)
    me = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    setattr(method, "__signature__", shape.replace(
        parameters=[me, *shape.parameters.values()], return_annotation="Optional[Receipt]"))
    return method


class Typed:
    """A new event is a function in events.py, a line here, and a line in broadcast.py."""

    component_update = publishes(events.component_update)
    feature_update = publishes(events.feature_update)
    terminal_output = publishes(events.terminal_output)
    checkpoint_update = publishes(events.checkpoint_update)
    build_progress = publishes(events.build_progress)
    file_change = publishes(events.file_change)
    error = publishes(events.error)

    project_updated = publishes(events.project_updated)
    project_deleted = publishes(events.project_deleted)
    agent_status_changed = publishes(events.agent_status_changed)
    agent_connected = publishes(events.agent_connected)
    agent_disconnected = publishes(events.agent_disconnected)
    workflow_started = publishes(events.workflow_started)
    workflow_progress = publishes(events.workflow_progress)
    workflow_completed = publishes(events.workflow_completed)
    workflow_failed = publishes(events.workflow_failed)
    pr_created = publishes(events.pr_created)
    pr_updated = publishes(events.pr_updated)
    pr_closed = publishes(events.pr_closed)
    issue_created = publishes(events.issue_created)
    issue_updated = publishes(events.issue_updated)
    issue_closed = publishes(events.issue_closed)
    ai_suggestion = publishes(events.ai_suggestion)
    ai_analysis_complete = publishes(events.ai_analysis_complete)
