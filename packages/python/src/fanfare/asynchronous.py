"""The publisher for asyncio programs."""
from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from . import events
from .publisher import Publisher, Stats, Token, confirmed
from .spool import Entry, Outcome, Receipt
from .typed import Typed


class AsyncPublisher(Typed):
    """Publishes events to a server, for `await`.

        async with fanfare.AsyncPublisher("http://127.0.0.1:8000") as p:
            await p.component_update("build_123", "auth", "in_progress", 45.5)

    An awaited call returns a Receipt when the server has acknowledged the event, and raises what it
    refuses. It does not wait for a server that is away or slow: then it returns None, at once or
    after confirm_timeout, and the event stays in the spool until the server is back. See Publisher
    for the arguments. Any event loop may use it, also several at once; one that runs in a thread of
    its own does the sending.
    """

    def __init__(self, url: Optional[str] = None, token: Token = None, **options: Any) -> None:
        self._publisher = Publisher(url, token, **options)

    async def publish(self, topic: Union[str, Sequence[str]], type: Optional[str] = None,
                      data: Optional[Mapping[str, Any]] = None, *, id: Optional[str] = None,
                      key: Optional[str] = None, time: Optional[str] = None,
                      source: Optional[str] = None, ephemeral: bool = False) -> Optional[Receipt]:
        """Publishes one event; as Publisher.publish with confirm."""
        return await self._publish(
            self._publisher._entry(topic, type, data, id, key, time, source, ephemeral))

    async def _publish_built(self, build: Callable[[], events.Event]) -> Optional[Receipt]:
        return await self._publish(self._publisher._entry(*build(), routed=True))

    async def _publish(self, entry: Entry) -> Optional[Receipt]:
        loop = asyncio.get_running_loop()
        future: "asyncio.Future[Outcome]" = loop.create_future()
        entry.waiter = partial(_resolve_soon, loop, future)
        if not self._publisher._try_accept(entry):
            await self._accept_when_room(entry)
        late = loop.call_later(self._publisher._confirm_timeout, self._give_up, entry, future)
        try:
            return confirmed(await future)
        finally:
            late.cancel()

    async def _accept_when_room(self, entry: Entry) -> None:
        """Waits for room in the spool, at most as long as for an acknowledgement."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._publisher._confirm_timeout
        while loop.time() < deadline:
            room: "asyncio.Future[Outcome]" = loop.create_future()
            self._publisher._when_room(partial(_resolve_soon, loop, room, None))
            if self._publisher._try_accept(entry):
                return
            await asyncio.wait([room], timeout=max(deadline - loop.time(), 0))
        self._publisher._force_accept(entry, late=True)

    def _give_up(self, entry: Entry, future: "asyncio.Future[Outcome]") -> None:
        if not future.done():
            self._publisher._stop_waiting(entry)
            future.set_result(None)

    async def flush(self, timeout: Optional[float] = 5.0) -> bool:
        """As Publisher.flush."""
        return await asyncio.get_running_loop().run_in_executor(
            None, self._publisher.flush, timeout)

    async def close(self, timeout: float = 5.0) -> bool:
        """As Publisher.close."""
        return await asyncio.get_running_loop().run_in_executor(
            None, self._publisher.close, timeout)

    @property
    def url(self) -> str:
        return self._publisher.url

    @property
    def stats(self) -> Stats:
        """The counters, as they are now."""
        return self._publisher.stats

    async def __aenter__(self) -> "AsyncPublisher":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


def _resolve(future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _resolve_soon(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Outcome]",
                  outcome: Outcome) -> None:
    """Resolves the loop's future from another thread."""
    try:
        loop.call_soon_threadsafe(_resolve, future, outcome)
    except RuntimeError:
        pass  # the loop was closed; nobody waits any more
