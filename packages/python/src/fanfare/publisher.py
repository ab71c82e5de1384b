"""Publishing over HTTP, with a spool for the time when the server is away.

publish() encodes an event and puts it into the spool; a thread of the publisher's own sends what is
there. All that has gathered while one request was under way goes out with the next (NDJSON, see
POST /api/v1/publish), so batches grow with the load and an idle publisher sends at once. Every
event has an id: after a connection broke its batch is sent once more, and the server publishes what
it knows already only once.

While the server cannot be reached the thread tries again, with pauses that grow from a quarter of a
second to 15 s and are shortened at random, so that many publishers do not come back in step.
"""
from __future__ import annotations

import atexit
import itertools
import logging
import os
import random
import threading
import time as clock
import weakref
from collections import deque
from typing import (Any, Callable, Deque, Dict, List, Mapping, NamedTuple, Optional, Sequence,
                    Tuple, Union)

from . import answers, events
from .errors import (AccessDenied, ConfigurationError, EventRefused, FanfareError, PublisherClosed,
                     SpoolFull)
from .spool import Entry, Outcome, Receipt, Spool
from .target import (DEFAULT_URL, Link, Response, Unreachable, check_token, error_text, parse_url,
                     retry_after)
from .typed import Typed

_log = logging.getLogger("fanfare")

BATCH_EVENTS = 5000
BATCH_BYTES = 1024 * 1024
PAUSE_FIRST = 0.25
PAUSE_MOST = 15.0
POLICIES = ("drop-oldest", "drop-newest", "raise")

Token = Union[str, Callable[[], Optional[str]], None]


class Problem(NamedTuple):
    """What a publisher reports to on_problem, and to the log `fanfare`.

    kind: "unreachable" (it tries again by itself; told once for each reason), "denied" (mostly only
    another token or URL helps), "refused" (one event, by the server, for good, when nobody waited
    for its acknowledgement), "dropped" (the spool was full, or the publisher closed: `events` of
    them), "recovered" (the server is there again).
    """

    kind: str
    message: str
    status: int = 0  # HTTP's; 0 when there was no answer
    events: int = 0


class Stats(NamedTuple):
    """A publisher's counters since it was made."""

    reachable: bool    # as far as is known
    accepted: int      # events taken into the spool
    acknowledged: int  # by the server
    refused: int       # by the server, for good
    dropped: int       # because the spool was full or the publisher closed
    resent: int        # sent once more after a connection broke or the server asked for it
    spool_events: int  # waiting, or sent and not acknowledged
    spool_bytes: int


class Publisher(Typed):
    """Publishes events to a server. Any thread may call any method.

        with fanfare.Publisher("http://127.0.0.1:8000") as p:
            p.component_update("build_123", "auth", "in_progress", 45.5)

    url: http://HOST:PORT, https://HOST/BASE or unix:PATH; else FANFARE_URL, else port 8000 of this
        machine. token: a string, or a function that returns one (asked before each request, for
        tokens that expire); else FANFARE_TOKEN.
    source: `source` of events that name none. ca_file: PEM file of trusted authorities instead of
        the system's.
    confirm: every call waits for the acknowledgement, at most confirm_timeout seconds and only
        while the server is there, returns a Receipt and raises what the server refuses. Without it
        calls return at once, and refusals go to on_problem and the log.
    spool_bytes: how much may wait. policy: what happens when that is full: "drop-oldest" (waiting
        events make room: the newest state arrives in the end), "drop-newest" (what waits stays) or
        "raise" (SpoolFull). While the server is there a call waits for room before that, at most
        confirm_timeout.
    timeout: seconds after which a request counts as failed.
    raise_denied: False: a server that denies access (401, 403, 404) is treated as one that is away,
        and calls with confirm do not raise AccessDenied.
    on_problem: called with each Problem, on whatever thread notices it; must not block.
    """

    def __init__(self, url: Optional[str] = None, token: Token = None, *,
                 source: Optional[str] = None, ca_file: Optional[str] = None,
                 confirm: bool = False, confirm_timeout: float = 1.0,
                 spool_bytes: int = 16 * 1024 * 1024, policy: str = "drop-oldest",
                 timeout: float = 10.0, raise_denied: bool = True,
                 on_problem: Optional[Callable[[Problem], None]] = None) -> None:
        if policy not in POLICIES:
            raise ConfigurationError(f"policy must be one of {', '.join(POLICIES)}, got {policy!r}")
        if spool_bytes < 1024 or timeout <= 0 or confirm_timeout < 0:
            raise ConfigurationError("spool_bytes must be at least 1024, timeout more than 0, "
                                     "confirm_timeout at least 0")
        self.url = url or os.environ.get("FANFARE_URL") or DEFAULT_URL
        self.token: Token = token if token is not None else os.environ.get("FANFARE_TOKEN")
        if not callable(self.token):
            self.token = check_token(self.token)
        self._link = Link(parse_url(self.url), ca_file, timeout)
        self._source = source
        self._confirm = confirm
        self._confirm_timeout = confirm_timeout
        self._policy = policy
        self._raise_denied = raise_denied
        self._on_problem = on_problem
        self._spool = Spool(spool_bytes)
        self._reset()
        _publishers.add(self)

    def _reset(self) -> None:
        """The state of a publisher that has just been made, or lives on in a forked process."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._room_waiters: Deque[Callable[[], None]] = deque()
        self._thread: Optional[threading.Thread] = None
        self._asleep = False
        self._away = False        # the last attempt failed, or acknowledgements are late
        self._denied: Optional[AccessDenied] = None
        self._denied_until = 0.0  # the next attempt, monotonic
        self._reported = ""       # the outage that was reported last
        self._dropping = 0        # dropped since that was reported
        self._closing = False
        self._closed = False
        self._lost = False        # something was left when it was closed
        self._deadline = 0.0      # of closing, monotonic
        self._failures = 0
        self._flushing = 0        # how many threads wait in flush
        self._counts = {"acknowledged": 0, "refused": 0, "dropped": 0, "resent": 0}
        self._id_prefix = os.urandom(8).hex()
        self._id_numbers = itertools.count(1)  # one step is atomic

    # ---- Publishing ----

    def publish(self, topic: Union[str, Sequence[str]], type: Optional[str] = None,
                data: Optional[Mapping[str, Any]] = None, *, id: Optional[str] = None,
                key: Optional[str] = None, time: Optional[str] = None,
                source: Optional[str] = None, ephemeral: bool = False,
                confirm: Optional[bool] = None) -> Optional[Receipt]:
        """Publishes one event to a topic, or to several at once.

        type may be left out for `channel:` topics. id: publishing the same id again within 10
        minutes publishes nothing. key: readers that are slow may get only the newest of each.
        time: RFC 3339. ephemeral: neither kept nor replayed.

        Raises EventRefused, SpoolFull, PublisherClosed; with confirm also AccessDenied. Returns
        None, or with confirm a Receipt when the server acknowledged the event in time.
        """
        entry = self._entry(topic, type, data, id, key, time, source, ephemeral)
        return self._publish(entry, self._confirm if confirm is None else confirm)

    def _publish_built(self, build: Callable[[], events.Event]) -> Optional[Receipt]:
        return self._publish(self._entry(*build(), routed=True), self._confirm)

    def _publish(self, entry: Entry, confirm: bool) -> Optional[Receipt]:
        if confirm:
            return self._publish_confirmed(entry)
        self._accept(entry)
        return None

    def _entry(self, topic: Union[str, Sequence[str], None], type: Optional[str],
               data: Optional[Mapping[str, Any]], id: Optional[str] = None,
               key: Optional[str] = None, time: Optional[str] = None,
               source: Optional[str] = None, ephemeral: bool = False,
               routed: bool = False) -> Entry:
        """routed: without a topic the server knows where it goes."""
        if data is not None and not isinstance(data, Mapping):
            raise EventRefused(f"data must be a mapping (a JSON object), got {data!r:.60}", "data")
        members: Dict[str, Any] = {"id": id if id is not None else self._next_id()}
        if isinstance(topic, str):
            members["topic"] = topic
        elif isinstance(topic, Sequence):
            members["topics"] = topic
        elif topic is not None or not routed:
            raise EventRefused('topic must be a string such as "session:build_123", or a list of '
                               f"them, got {topic!r:.60}", "topic")
        for name, value in (("type", type), ("key", key), ("time", time),
                            ("source", source if source is not None else self._source)):
            if value is not None:
                if not isinstance(value, str):
                    raise EventRefused(f"{name} must be a string, got {value!r:.60}", name)
                members[name] = value
        if ephemeral:
            members["ephemeral"] = True
        members["data"] = data if data is not None else {}
        place = "" if topic is None else f"{topic} "
        return Entry(events.encode_line(members), place + (type or "event"))

    def _next_id(self) -> str:
        return f"{self._id_prefix}-{next(self._id_numbers)}"

    def _publish_confirmed(self, entry: Entry) -> Optional[Receipt]:
        outcomes: List[Outcome] = []
        done = threading.Event()

        def waiter(outcome: Outcome) -> None:
            outcomes.append(outcome)
            done.set()

        entry.waiter = waiter
        self._accept(entry)
        if not done.wait(self._confirm_timeout):
            self._stop_waiting(entry)
        return confirmed(outcomes[0] if outcomes else None)

    # ---- Into the spool ----

    def _accept(self, entry: Entry) -> None:
        """Takes the entry into the spool, after waiting for room while the server is there."""
        if self._try_accept(entry):
            return
        with self._lock:
            self._changed.wait_for(lambda: self._spool.fits(entry.cost) or self._away
                                   or self._closing, self._confirm_timeout)
        self._force_accept(entry, late=True)

    def _check(self, entry: Entry) -> None:
        if self._closing:
            raise PublisherClosed("the publisher is closed")
        if entry.cost > self._spool.limit:
            raise SpoolFull(f"the event has {len(entry.line)} bytes, more than fit into the spool "
                            f"({self._spool.limit} bytes); raise spool_bytes")
        if entry.waiter and self._denied and clock.monotonic() < self._denied_until:
            raise AccessDenied(str(self._denied), self._denied.status)

    def _try_accept(self, entry: Entry) -> bool:
        """False: there is no room now, but may be soon."""
        with self._lock:
            self._check(entry)
            if self._spool.fits(entry.cost):
                self._add(entry)
                return True
            if not self._away:
                return False
        self._force_accept(entry)
        return True

    def _force_accept(self, entry: Entry, late: bool = False) -> None:
        """Does what the policy says when there is no room. late: the server was given time to make
        some; until it does, nobody waits for that again."""
        with self._lock:
            self._check(entry)
            self._away = self._away or late and not self._spool.fits(entry.cost)
            dropped = self._make_room(entry)
            first = bool(dropped) and self._dropping == 0
            self._dropping += len(dropped)
            self._counts["dropped"] += len(dropped)
            if self._flushing:
                self._changed.notify_all()
        full = SpoolFull(f"the spool is full ({self._spool.limit} bytes)")
        for each in dropped:
            each.settle(None)
        if first:
            which = "oldest" if self._policy == "drop-oldest" else "newest"
            self._report(Problem("dropped", f"{full}: the {which} events are dropped from now on",
                                 events=len(dropped)))
        if self._policy == "raise" and dropped:
            raise full

    def _make_room(self, entry: Entry) -> List[Entry]:
        """Adds the entry, or not. Returns what was dropped for it, which may be itself."""
        dropped: List[Entry] = []
        while not self._spool.fits(entry.cost) and self._policy == "drop-oldest":
            oldest = self._spool.drop_oldest()
            if not oldest:
                break
            dropped.append(oldest)
        if self._spool.fits(entry.cost):
            self._add(entry)
        else:
            dropped.append(entry)
        return dropped

    def _add(self, entry: Entry) -> None:
        if self._away and not self._denied:
            entry.settle(None)
        self._spool.add(entry)
        if self._asleep:
            self._asleep = False
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="fanfare-publisher", daemon=True)
            self._thread.start()

    def _stop_waiting(self, entry: Entry) -> None:
        """An acknowledgement is late: until one comes, nobody waits for any."""
        with self._lock:
            entry.waiter = None
            self._away = True
        self._wake_room_waiters()

    def _when_room(self, callback: Callable[[], None]) -> None:
        """Calls back, on any thread, when looking again for room may be of use."""
        with self._lock:
            self._room_waiters.append(callback)

    def _wake_room_waiters(self) -> None:
        with self._lock:
            waiters, self._room_waiters = self._room_waiters, deque()
            self._changed.notify_all()
        for wake in waiters:
            wake()

    # ---- The thread that sends ----

    def _run(self) -> None:
        more = True
        while more:
            batch = self._next_batch()
            if not batch:
                return
            try:
                asked = self._send(batch)
                more = not asked or self._pause(asked, self._deadline)
            except Unreachable as problem:
                more = self._pause(self._on_outage(problem))
            except AccessDenied as problem:
                more = self._pause(self._on_denied(problem))
            except Exception as problem:  # a token function that fails, say; the thread goes on
                _log.exception("fanfare: sending failed")
                more = self._pause(self._on_outage(Unreachable(repr(problem))))

    def _next_batch(self) -> List[Entry]:
        """Waits for something to send. Nothing: the publisher is closing."""
        with self._lock:
            while not self._spool.has_unsent and not self._closing:
                self._asleep = True
                self._changed.wait()
            self._asleep = False
            # What is on its way cannot make room for what is newer: most of the spool stays home.
            return self._spool.take(BATCH_EVENTS, min(BATCH_BYTES, self._spool.limit // 4))

    def _pause(self, seconds: float, deadline: float = 0) -> bool:
        """Waits before the next attempt; while the publisher is closing, only until the deadline.
        False: there is no next attempt."""
        with self._lock:
            closing = self._closing
            if closing:
                seconds = min(seconds, deadline - clock.monotonic())
            if seconds <= 0:
                return not closing
            self._changed.wait_for(lambda: self._closing != closing, seconds)
            return True

    def _headers(self) -> Dict[str, str]:
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": "fanfare-python"}
        token = check_token(self.token() if callable(self.token) else self.token)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _send(self, batch: List[Entry]) -> Optional[float]:
        """Sends a batch and settles its entries. Returns a pause that the server asked for."""
        each = any(entry.waiter for entry in batch)
        body = b"\n".join([entry.line for entry in batch]) + b"\n"
        response = self._link.request(
            "POST", f"/api/v1/publish?ack={'each' if each else 'batch'}", body, self._headers())
        self._check_status(response)
        return self._settle(batch, answers.read(response.body, len(batch), each))

    def _check_status(self, response: Response) -> None:
        status = response.status
        if status == 200:
            return
        if status in (408, 429) or status >= 500:
            raise Unreachable(f"the server answers {status}: {error_text(response)}",
                              retry_after(response.headers))
        place = response.headers.get("Location")
        raise AccessDenied(f"it redirects to {place}: use that as URL" if place
                           else error_text(response), status)

    def _settle(self, batch: List[Entry], found: answers.Answers) -> Optional[float]:
        again: List[Entry] = []
        refused: List[Tuple[Entry, EventRefused]] = []
        for line, refusal in found.refusals.items():
            entry = batch[line - 1]
            if refusal.passing:
                again.append(entry)
            else:
                refused.append((entry, refusal.error))
        # Before flush returns because of them.
        told = [(entry, error) for entry, error in refused if entry.waiter]
        for entry, error in refused:
            if not entry.waiter:
                self._report_refused(entry, error)
        with self._lock:
            self._spool.arrived(again)
            self._counts["resent"] += len(again)
            self._counts["refused"] += len(refused)
            self._counts["acknowledged"] += len(batch) - len(again) - len(refused)
            back, self._away, self._denied, self._failures = self._away, False, None, 0
        for entry, error in told:
            if not entry.settle(error):
                self._report_refused(entry, error)
        for entry in again:
            entry.settle(None)
        for entry, receipt in zip(batch, found.receipts):
            if receipt:
                entry.settle(receipt)
        self._wake_room_waiters()
        if back:
            self._on_recovery()
        return found.pause

    def _report_refused(self, entry: Entry, error: EventRefused) -> None:
        self._report(Problem("refused", f"{entry.label}: {error}", error.status, 1))

    # ---- When the server is away ----

    def _next_pause(self) -> float:
        pause = min(PAUSE_FIRST * 2 ** min(self._failures, 16), PAUSE_MOST)
        self._failures += 1
        return random.uniform(pause / 2, pause)

    def _on_outage(self, problem: Unreachable, denied: Optional[AccessDenied] = None) -> float:
        """Keeps everything, and lets nobody wait. Returns the pause before the next attempt."""
        reason = str(problem)
        with self._lock:
            waiting = self._spool.all()
            if problem.sent:
                self._counts["resent"] += self._spool.in_flight
            self._spool.put_back()
            self._away = True
            self._denied = denied if self._raise_denied else None
            pause = max(self._next_pause(), problem.retry_after)
            self._denied_until = clock.monotonic() + pause
            first, self._reported = self._reported != reason, reason
        for entry in waiting:
            entry.settle(None)
        self._wake_room_waiters()
        if first and not self._closed:
            self._report(Problem("denied" if denied else "unreachable",
                                 f"{self.url}: {reason}; trying again",
                                 denied.status if denied else 0, len(waiting)))
        return pause

    def _on_denied(self, denied: AccessDenied) -> float:
        """Who waits is told, and that event is dropped; all others stay."""
        if self._raise_denied:
            with self._lock:
                waiting = self._spool.withdraw_waiting()
                self._counts["refused"] += len(waiting)
            for entry in waiting:
                entry.settle(AccessDenied(str(denied), denied.status))
        return self._on_outage(Unreachable(f"the server refuses: {denied}"), denied)

    def _on_recovery(self) -> None:
        reported, self._reported = self._reported, ""
        with self._lock:
            dropped, self._dropping = self._dropping, 0
        if dropped:
            self._report(Problem("dropped", f"{_count(dropped)} dropped in all while the spool was "
                                            "full", events=dropped))
        if reported:
            self._report(Problem("recovered", f"{self.url}: the server is there again"))

    def _report(self, problem: Problem) -> None:
        level = {"denied": logging.ERROR, "recovered": logging.INFO}.get(problem.kind,
                                                                         logging.WARNING)
        _log.log(level, "fanfare: %s", problem.message)
        if self._on_problem is not None:
            try:
                self._on_problem(problem)
            except Exception:
                _log.exception("fanfare: on_problem failed")

    # ---- Waiting and ending ----

    def flush(self, timeout: Optional[float] = 5.0) -> bool:
        """Waits until everything that was accepted before the call is acknowledged, refused or
        dropped. False: the time was over before. timeout: seconds; None: no limit."""
        with self._lock:
            wanted = self._spool.accepted
            self._flushing += 1
            self._changed.wait_for(lambda: self._spool.oldest() > wanted or self._closed, timeout)
            self._flushing -= 1
            return self._spool.oldest() > wanted and not self._lost

    def close(self, timeout: float = 5.0) -> bool:
        """Sends what is left, at most for timeout seconds; when the server is away, with one more
        attempt. What could not be sent is dropped and reported. True: nothing was. May be called
        again."""
        with self._lock:
            self._closing = True
            self._deadline = clock.monotonic() + timeout
            self._changed.notify_all()
            thread = self._thread
        if thread and thread is not threading.current_thread():
            thread.join(timeout)
        with self._lock:
            self._closed = True
        self._link.end()
        with self._lock:
            left = self._spool.all()
            self._spool.clear()
            self._lost = self._lost or bool(left)
            self._counts["dropped"] += len(left)
            self._changed.notify_all()
        closed = PublisherClosed("the publisher was closed before the event was acknowledged")
        for entry in left:
            entry.settle(closed)
        self._wake_room_waiters()
        if left:
            self._report(Problem("dropped", f"{self.url}: {_count(len(left))} could not be sent "
                                            "before the publisher was closed", events=len(left)))
        return not self._lost

    @property
    def stats(self) -> Stats:
        """The counters, as they are now."""
        with self._lock:
            return Stats(not self._away, self._spool.accepted, **self._counts,
                         spool_events=len(self._spool), spool_bytes=self._spool.bytes)

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _after_fork(self) -> None:
        """In the child: the thread, the connection and what is in the spool are the parent's."""
        was_closed = self._closed
        self._link.forget()
        self._spool.clear()
        self._reset()
        self._closing = self._closed = was_closed


def confirmed(outcome: Outcome) -> Optional[Receipt]:
    """What an awaited call returns or raises."""
    if isinstance(outcome, FanfareError):
        raise outcome
    return outcome


def _count(events: int) -> str:
    return "1 event" if events == 1 else f"{events} events"


_publishers: "weakref.WeakSet[Publisher]" = weakref.WeakSet()


def _reset_after_fork() -> None:
    for publisher in list(_publishers):
        publisher._after_fork()


def _close_at_exit() -> None:
    """A program that ends must not take the last events with it, nor hang because of them."""
    deadline = clock.monotonic() + 2
    for publisher in list(_publishers):
        publisher.close(max(deadline - clock.monotonic(), 0))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
atexit.register(_close_at_exit)
