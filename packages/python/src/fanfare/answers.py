"""What the server answers to a batch of events."""
from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional

from .errors import EventRefused
from .spool import Receipt
from .target import Unreachable

# A pause that the server asked for without saying how long, in seconds.
LATER = 1.0


class Refusal(NamedTuple):
    error: EventRefused
    passing: bool  # it is about the moment, not about the event


class Answers(NamedTuple):
    refusals: Dict[int, Refusal]      # by line, from 1
    receipts: List[Optional[Receipt]]  # of each line, when they were asked for
    pause: Optional[float]            # seconds, when something is to be sent again


def _receipt(places: List[Dict[str, Any]]) -> Receipt:
    found = [Receipt(place["topic"], place.get("offset"), place["epoch"], place["time"],
                     bool(place.get("duplicate"))) for place in places]
    return found[0]._replace(others=tuple(found[1:]))


def _refusal(error: Dict[str, Any]) -> Refusal:
    status = int(error.get("status", 422))
    message = str(error.get("message") or error)
    return Refusal(EventRefused(message, error.get("field"), status,
                                str(error.get("code", "refused"))), status in (429, 503))


def read(body: bytes, count: int, each: bool) -> Answers:
    """Reads the answer to count lines; each: every line was to be answered. Raises Unreachable when
    the answer is not whole, after which nothing is known."""
    refusals: Dict[int, Refusal] = {}
    receipts: List[Optional[Receipt]] = []
    pause: Optional[float] = None
    try:
        *lines, last = [json.loads(line) for line in body.splitlines() if line]
        whole = last["published"] + last["failed"] == count
        for answer in lines:
            error = answer.get("error")
            if error is None:
                receipts.append(_receipt(answer.get("results") or [answer]))
                continue
            receipts.append(None)
            refusal = refusals[int(answer["line"])] = _refusal(error)
            if refusal.passing:
                pause = max(pause or 0, float(error.get("retry_after", LATER)))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreachable("the answer broke off or is not this server's") from None
    if not whole or any(not 1 <= line <= count for line in refusals) or (
            each and len(receipts) != count):
        raise Unreachable("the answer is not about the events that were sent")
    return Answers(refusals, receipts if each else [], pause)
