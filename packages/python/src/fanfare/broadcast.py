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
