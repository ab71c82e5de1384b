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
