"""The events: one function for each type, which checks its fields and returns an Event.

A function raises EventRefused when an argument is not what its field demands, with the words in
which the server would say it, so that a mistake shows where it was made even while the server is
away. Publishers turn every function into a method; see typed.py.
"""
from __future__ import annotations

import datetime
import enum
import json
import math
import pathlib
import re
import uuid
from traceback import format_exception
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

from .errors import EventRefused

# An event's file content beyond this is left out, and truncated is set.
CONTENT_MAX = 64 * 1024


class Event(NamedTuple):
    """What is to be published: where, of which type, with which fields."""

    topic: str
    type: str
    data: Dict[str, Any]


# ---- Checks ----

_SURROGATES = re.compile("[\ud800-\udfff]")


def _refuse(field: str, expected: str, value: object) -> EventRefused:
    shown = repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return EventRefused(f"{field} must be {expected}, got {shown}", field)


def clean_text(value: str) -> str:
    """The text without lone surrogates, which are no Unicode: each becomes U+FFFD."""
    return _SURROGATES.sub("\ufffd", value)


def _text(field: str, value: object) -> str:
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, (uuid.UUID, pathlib.PurePath)):
        value = str(value)
    if not isinstance(value, str):
        raise _refuse(field, "a string", value)
    return value


def _identifier(field: str, value: object) -> str:
    text = _text(field, value)
    if not text:
        raise _refuse(field, "a string that is not empty", value)
    return text


def _optional_text(field: str, value: object) -> Optional[str]:
    return None if value is None else _text(field, value)


def _number(field: str, value: object, expected: str, most: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise _refuse(field, expected, value)
    if math.isinf(value):
        raise _refuse(field, expected, value)
    return value


def _percent(field: str, value: object) -> float:
    return _number(field, value, "a number from 0 to 100", 100)


def _choice(field: str, value: object, choices: Sequence[str]) -> str:
    text = _text(field, value)
    if text not in choices:
        raise _refuse(field, " or ".join(f'"{choice}"' for choice in choices), value)
    return text


def _object(field: str, value: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _refuse(field, "a mapping (a JSON object)", value)
    return dict(value)


def _texts(field: str, value: Optional[Sequence[Any]]) -> List[str]:
    if value is None:
        return []
    if isinstance(value, (str, bytes)):
        raise _refuse(field, "a list of strings", value)
    try:
        return [_text(field, element) for element in value]
    except TypeError:
        raise _refuse(field, "a list of strings", value) from None


def _session_event(type: str, session_id: object, data: Dict[str, Any]) -> Event:
    return Event("session:" + _identifier("session_id", session_id), type, data)


# ---- The events of a build session ----

def component_update(session_id: str, component_id: str, status: str, progress: float = 0,
                     metadata: Optional[Mapping[str, Any]] = None) -> Event:
    """A component's state or progress changed. status: pending, in_progress, completed, failed (or
    one of your own); progress: 0 to 100 per cent."""
    return _session_event("component_update", session_id, {
        "component_id": _identifier("component_id", component_id),
        "status": _identifier("status", status),
        "progress": _percent("progress", progress),
        "metadata": _object("metadata", metadata),
    })


def feature_update(session_id: str, feature_id: str, status: str, progress: float = 0,
                   metadata: Optional[Mapping[str, Any]] = None) -> Event:
    """A feature's state or progress changed; as component_update."""
    return _session_event("feature_update", session_id, {
        "feature_id": _identifier("feature_id", feature_id),
        "status": _identifier("status", status),
        "progress": _percent("progress", progress),
        "metadata": _object("metadata", metadata),
    })


def terminal_output(session_id: str, output: Union[str, bytes], output_type: str = "stdout",
                    source: Optional[str] = None) -> Event:
    """A program wrote to its terminal. output may be bytes; what is not UTF-8 becomes U+FFFD. For
    output that comes in pieces see TerminalStream."""
    if isinstance(output, (bytes, bytearray, memoryview)):
        output = bytes(output).decode("utf-8", "replace")
    return _session_event("terminal_output", session_id, {
        "output": _text("output", output),
        "output_type": _choice("output_type", output_type, ("stdout", "stderr")),
        "source": _optional_text("source", source),
    })


def checkpoint_update(session_id: str, checkpoint_id: str, phase: Optional[str] = None,
                      tasks: Optional[Sequence[str]] = None,
                      files: Optional[Sequence[str]] = None,
                      metadata: Optional[Mapping[str, Any]] = None, *,
                      tasks_completed: Optional[Sequence[str]] = None,
                      files_created: Optional[Sequence[str]] = None) -> Event:
    """A checkpoint was written: the tasks completed and the files created so far. tasks_completed
    and files_created, the names that they have in the event, are other names of tasks and files."""
    tasks = tasks_completed if tasks is None else tasks
    files = files_created if files is None else files
    return _session_event("checkpoint_update", session_id, {
        "checkpoint_id": _identifier("checkpoint_id", checkpoint_id),
        "phase": _optional_text("phase", phase),
        "tasks_completed": _texts("tasks", tasks),
        "files_created": _texts("files", files),
        "metadata": _object("metadata", metadata),
    })


def build_progress(session_id: str, total: Optional[float] = None,
                   completed: Optional[float] = None, percent: Optional[float] = None, *,
                   total_components: Optional[float] = None,
                   completed_components: Optional[float] = None) -> Event:
    """How far the build as a whole is; percent is computed when left out. total_components and
    completed_components are other names of total and completed."""
    total = total_components if total is None else total
    completed = completed_components if completed is None else completed
    total = _number("total", total, "a number from 0")
    data: Dict[str, Any] = {
        "total": total,
        "completed": _number("completed", completed, f"a number from 0 to total ({total})", total),
    }
    if percent is not None:
        data["percent"] = _percent("percent", percent)
    return _session_event("build_progress", session_id, data)


def file_change(session_id: str, file_path: Union[str, pathlib.PurePath], change_type: str,
                content: Optional[str] = None) -> Event:
    """A file changed. change_type: created, modified, deleted or moved. Content of more than
    64 KiB is left out, and truncated says so."""
    data: Dict[str, Any] = {
        "file_path": _identifier("file_path", file_path),
        "change_type": _choice("change_type", change_type,
                               ("created", "modified", "deleted", "moved")),
    }
    text = _optional_text("content", content)
    if text is not None and len(text.encode("utf-8", "surrogatepass")) > CONTENT_MAX:
        data["truncated"] = True
    elif text is not None:
        data["content"] = text
    return _session_event("file_change", session_id, data)


def error(session_id: str, error_message: Union[str, BaseException],
          error_type: Optional[str] = None, traceback: Optional[str] = None) -> Event:
    """Something failed. error_message may be an exception, which brings its type and traceback."""
    if isinstance(error_message, BaseException):
        caught = error_message
        error_message = str(caught)
        error_type = type(caught).__name__ if error_type is None else error_type
        if traceback is None and caught.__traceback__:
            traceback = "".join(format_exception(type(caught), caught, caught.__traceback__))
    return _session_event("error", session_id, {
        "error_message": _text("error_message", error_message),
        "error_type": _optional_text("error_type", error_type),
        "traceback": _optional_text("traceback", traceback),
    })


# ---- As JSON ----

def _plain(value: object) -> object:
    """What people put into metadata and JSON does not know."""
    if isinstance(value, (uuid.UUID, pathlib.PurePath)):
        return str(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} has no form in JSON")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"),
                           default=_plain).encode


def encode_line(members: Dict[str, Any]) -> bytes:
    """One event as a line of NDJSON without its newline; EventRefused when data has no form in
    JSON."""
    try:
        text = _encode(members)
    except (TypeError, ValueError, RecursionError) as problem:
        reason = "NaN and infinity are not JSON" if "Out of range" in str(problem) else problem
        raise EventRefused(f"data: {reason}", "data") from None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return clean_text(text).encode()
