"""The events that wait to be acknowledged, in order and bounded.

A spool knows no threads and no network: whoever uses it holds a lock around every call.
"""
from __future__ import annotations

from collections import deque
from typing import Callable, Deque, List, NamedTuple, Optional, Tuple, Union

from .errors import FanfareError

# What an entry takes besides its line, about: the object, its place in the queue.
ENTRY_COST = 160


class Receipt(NamedTuple):
    """Where an acknowledged event stands."""

    topic: str
    offset: Optional[int]  # in its topic; None for an ephemeral event
    epoch: str
    time: str
    duplicate: bool        # the id was known: this is the first one's place, nothing was published
    others: Tuple["Receipt", ...] = ()  # the places in the second topic and after


# What a waiter hears: the receipt, why there will be none, or None: not known yet, the event stays
# in the spool and is sent when the server can be reached.
Outcome = Union[Receipt, FanfareError, None]
Waiter = Callable[[Outcome], None]


class Entry:
    """One event in the spool."""

    __slots__ = ("line", "label", "waiter", "number", "cost")

    def __init__(self, line: bytes, label: str,
                 waiter: Optional[Waiter] = None) -> None:
        self.line = line
        self.label = label
        self.waiter = waiter
        self.number = 0
        self.cost = len(line) + ENTRY_COST

    def settle(self, outcome: Outcome) -> bool:
        """Tells who waits. False: nobody does, or not any more."""
        waiter, self.waiter = self.waiter, None
        if waiter is None:
            return False
        waiter(outcome)
        return True


class Spool:
    """Entries in the order in which they were accepted: those on their way, then the rest."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.accepted = 0  # also the number of the last entry
        self._unsent: Deque[Entry] = deque()
        self._in_flight: List[Entry] = []

    def __len__(self) -> int:
        return len(self._unsent) + len(self._in_flight)

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def fits(self, cost: int) -> bool:
        return self.bytes + cost <= self.limit

    def add(self, entry: Entry) -> None:
        self.accepted += 1
        entry.number = self.accepted
        self.bytes += entry.cost
        self._unsent.append(entry)

    def drop_oldest(self) -> Optional[Entry]:
        """Removes the oldest entry that is not on its way; None when all are."""
        if not self._unsent:
            return None
        entry = self._unsent.popleft()
        self.bytes -= entry.cost
        return entry

    def take(self, most: int, most_cost: int) -> List[Entry]:
        """Sends the oldest entries on their way: at least one, when there is any."""
        batch: List[Entry] = []
        cost = 0
        while self._unsent and len(batch) < most:
            cost += self._unsent[0].cost
            if batch and cost > most_cost:
                break
            batch.append(self._unsent.popleft())
        self._in_flight = batch
        return batch

    def arrived(self, again: List[Entry]) -> None:
        """What was on its way is done, except for some that go back to the front."""
        self.bytes -= sum(entry.cost for entry in self._in_flight)
        self.bytes += sum(entry.cost for entry in again)
        self._in_flight = []
        self._unsent.extendleft(reversed(again))

    def put_back(self) -> None:
        """Nothing is known of what was on its way: it is sent once more."""
        self.arrived(self._in_flight)

    def withdraw_waiting(self) -> List[Entry]:
        """Puts back what was on its way, and removes all entries whose waiters are to be told that
        they will not be sent."""
        self.put_back()
        waiting = [entry for entry in self._unsent if entry.waiter]
        self._unsent = deque(entry for entry in self._unsent if not entry.waiter)
        self.bytes -= sum(entry.cost for entry in waiting)
        return waiting

    def oldest(self) -> int:
        """The number up to which everything is done, plus one."""
        if self._in_flight:
            return self._in_flight[0].number
        return self._unsent[0].number if self._unsent else self.accepted + 1

    def all(self) -> List[Entry]:
        return self._in_flight + list(self._unsent)

    def clear(self) -> None:
        self.bytes = 0
        self._unsent.clear()
        self._in_flight = []
