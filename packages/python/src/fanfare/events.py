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
    """What is to be published: where, of which type, with which fields. Without a topic the server
    knows where: that is said by type and fields."""

    topic: Optional[str]
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


# ---- The events of an agent platform ----

# Ids are UUIDs, as texts or as uuid.UUID.
Id = Union[str, uuid.UUID]

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)


def _uuid(field: str, value: object) -> str:
    text = _text(field, value)
    if not _UUID.fullmatch(text):
        raise _refuse(field, "a UUID", value)
    return text.lower()


def _platform_event(type: str, optional: Mapping[str, Any], **needed: Any) -> Event:
    """What is None is left out."""
    given = {name: value for name, value in optional.items() if value is not None}
    return Event(None, type, {**needed, **given})


def _maybe(check: Any, field: str, value: Any, *more: Any) -> Any:
    return None if value is None else check(field, value, *more)


def _fraction(field: str, value: object) -> float:
    return _number(field, value, "a number from 0 to 1", 1)


def _amount(field: str, value: object) -> float:
    return _number(field, value, "a number of at least 0")


def _count(field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _refuse(field, "a whole number of at least 0", value)
    return value


def _list(field: str, value: object) -> List[Any]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
        raise _refuse(field, "a list", value)
    return list(value)


def _time(field: str, value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return _text(field, value)


def _number_or_text(field: str, value: object) -> Union[str, int]:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _identifier(field, value)


def project_updated(project_id: Id, project_name: Optional[str] = None,
                    repository_url: Optional[str] = None, status: Optional[str] = None,
                    updated_by: Optional[Id] = None,
                    changes: Optional[Mapping[str, Any]] = None) -> Event:
    """A project changed. changes: the fields that changed, and their new values."""
    return _platform_event("project.updated", {
        "project_name": _maybe(_text, "project_name", project_name),
        "repository_url": _maybe(_text, "repository_url", repository_url),
        "status": _maybe(_text, "status", status),
        "updated_by": _maybe(_text, "updated_by", updated_by),
        "changes": _object("changes", changes),
    }, project_id=_uuid("project_id", project_id))


def project_deleted(project_id: Id, deleted_by: Optional[Id] = None) -> Event:
    """A project is gone."""
    return _platform_event("project.deleted", {
        "deleted_by": _maybe(_text, "deleted_by", deleted_by),
    }, project_id=_uuid("project_id", project_id))


def _agent_event(type: str, agent_id: Id, agent_name: Optional[str], status: Optional[str],
                 availability: Optional[float], metadata: Optional[Mapping[str, Any]]) -> Event:
    return _platform_event(type, {
        "agent_name": _maybe(_text, "agent_name", agent_name),
        "status": _maybe(_text, "status", status),
        "availability": _maybe(_percent, "availability", availability),
        "metadata": _object("metadata", metadata),
    }, agent_id=_uuid("agent_id", agent_id))


def agent_status_changed(agent_id: Id, agent_name: Optional[str] = None,
                         status: Optional[str] = None, availability: Optional[float] = None,
                         metadata: Optional[Mapping[str, Any]] = None) -> Event:
    """An agent's state changed. status: online, offline, busy (or one of your own); availability:
    0 to 100 per cent."""
    return _agent_event("agent.status_changed", agent_id, agent_name, status, availability,
                        metadata)


def agent_connected(agent_id: Id, agent_name: Optional[str] = None, status: Optional[str] = None,
                    availability: Optional[float] = None,
                    metadata: Optional[Mapping[str, Any]] = None) -> Event:
    """An agent is there; as agent_status_changed."""
    return _agent_event("agent.connected", agent_id, agent_name, status, availability, metadata)


def agent_disconnected(agent_id: Id, agent_name: Optional[str] = None,
                       status: Optional[str] = None, availability: Optional[float] = None,
                       metadata: Optional[Mapping[str, Any]] = None) -> Event:
    """An agent is gone; as agent_status_changed."""
    return _agent_event("agent.disconnected", agent_id, agent_name, status, availability, metadata)


_WORKFLOW_STATUSES = ("pending", "running", "completed", "failed", "cancelled")


def _workflow_event(type: str, workflow_id: Id, status: Optional[str], progress: Optional[float],
                    current_step: Optional[str], total_steps: Optional[int],
                    estimated_time_remaining: Optional[float], logs: Optional[Sequence[Any]],
                    errors: Optional[Sequence[Any]], project_id: Optional[Id]) -> Event:
    return _platform_event(type, {
        "project_id": _maybe(_uuid, "project_id", project_id),
        "status": _maybe(_choice, "status", status, _WORKFLOW_STATUSES),
        "progress": _maybe(_percent, "progress", progress),
        "current_step": _maybe(_text, "current_step", current_step),
        "total_steps": _maybe(_count, "total_steps", total_steps),
        "estimated_time_remaining": _maybe(_amount, "estimated_time_remaining",
                                           estimated_time_remaining),
        "logs": _maybe(_list, "logs", logs),
        "errors": _maybe(_list, "errors", errors),
    }, workflow_id=_uuid("workflow_id", workflow_id))


def workflow_started(workflow_id: Id, status: Optional[str] = "pending",
                     progress: Optional[float] = None, current_step: Optional[str] = None,
                     total_steps: Optional[int] = None,
                     estimated_time_remaining: Optional[float] = None,
                     logs: Optional[Sequence[Any]] = None, errors: Optional[Sequence[Any]] = None,
                     project_id: Optional[Id] = None) -> Event:
    """A workflow began. status: pending, running, completed, failed or cancelled; progress: 0 to
    100 per cent; estimated_time_remaining: seconds; without a project everybody hears of it."""
    return _workflow_event("workflow.started", workflow_id, status, progress, current_step,
                           total_steps, estimated_time_remaining, logs, errors, project_id)


def workflow_progress(workflow_id: Id, status: Optional[str] = "running",
                      progress: Optional[float] = None, current_step: Optional[str] = None,
                      total_steps: Optional[int] = None,
                      estimated_time_remaining: Optional[float] = None,
                      logs: Optional[Sequence[Any]] = None, errors: Optional[Sequence[Any]] = None,
                      project_id: Optional[Id] = None) -> Event:
    """A workflow goes on; as workflow_started."""
    return _workflow_event("workflow.progress", workflow_id, status, progress, current_step,
                           total_steps, estimated_time_remaining, logs, errors, project_id)


def workflow_completed(workflow_id: Id, status: Optional[str] = "completed",
                       progress: Optional[float] = 100, current_step: Optional[str] = None,
                       total_steps: Optional[int] = None,
                       estimated_time_remaining: Optional[float] = None,
                       logs: Optional[Sequence[Any]] = None, errors: Optional[Sequence[Any]] = None,
                       project_id: Optional[Id] = None) -> Event:
    """A workflow is done; as workflow_started."""
    return _workflow_event("workflow.completed", workflow_id, status, progress, current_step,
                           total_steps, estimated_time_remaining, logs, errors, project_id)


def workflow_failed(workflow_id: Id, status: Optional[str] = "failed",
                    progress: Optional[float] = None, current_step: Optional[str] = None,
                    total_steps: Optional[int] = None,
                    estimated_time_remaining: Optional[float] = None,
                    logs: Optional[Sequence[Any]] = None, errors: Optional[Sequence[Any]] = None,
                    project_id: Optional[Id] = None) -> Event:
    """A workflow failed; as workflow_started."""
    return _workflow_event("workflow.failed", workflow_id, status, progress, current_step,
                           total_steps, estimated_time_remaining, logs, errors, project_id)


def _pr_event(type: str, pr_id: Union[Id, int], project_id: Optional[Id], title: Optional[str],
              description: Optional[str], author: Optional[str], branch: Optional[str],
              github_url: Optional[str], status: Optional[str], created_at: object) -> Event:
    return _platform_event(type, {
        "project_id": _maybe(_uuid, "project_id", project_id),
        "title": _maybe(_text, "title", title),
        "description": _maybe(_text, "description", description),
        "author": _maybe(_text, "author", author),
        "branch": _maybe(_text, "branch", branch),
        "github_url": _maybe(_text, "github_url", github_url),
        "status": _maybe(_text, "status", status),
        "created_at": _maybe(_time, "created_at", created_at),
    }, pr_id=_number_or_text("pr_id", pr_id))


def pr_created(pr_id: Union[Id, int], project_id: Optional[Id] = None, title: Optional[str] = None,
               description: Optional[str] = None, author: Optional[str] = None,
               branch: Optional[str] = None, github_url: Optional[str] = None,
               status: Optional[str] = "open",
               created_at: Union[str, datetime.datetime, None] = None) -> Event:
    """A pull request was opened. branch: the one that is to be merged."""
    return _pr_event("pr.created", pr_id, project_id, title, description, author, branch,
                     github_url, status, created_at)


def pr_updated(pr_id: Union[Id, int], project_id: Optional[Id] = None, title: Optional[str] = None,
               description: Optional[str] = None, author: Optional[str] = None,
               branch: Optional[str] = None, github_url: Optional[str] = None,
               status: Optional[str] = None,
               created_at: Union[str, datetime.datetime, None] = None) -> Event:
    """A pull request changed; as pr_created."""
    return _pr_event("pr.updated", pr_id, project_id, title, description, author, branch,
                     github_url, status, created_at)


def pr_closed(pr_id: Union[Id, int], project_id: Optional[Id] = None, title: Optional[str] = None,
              description: Optional[str] = None, author: Optional[str] = None,
              branch: Optional[str] = None, github_url: Optional[str] = None,
              status: Optional[str] = "closed",
              created_at: Union[str, datetime.datetime, None] = None) -> Event:
    """A pull request was closed; as pr_created."""
    return _pr_event("pr.closed", pr_id, project_id, title, description, author, branch,
                     github_url, status, created_at)


def _issue_event(type: str, issue_id: Union[Id, int], project_id: Optional[Id],
                 title: Optional[str], description: Optional[str], status: Optional[str],
                 priority: Optional[str], assigned_to: Optional[Id], updated_at: object) -> Event:
    return _platform_event(type, {
        "project_id": _maybe(_uuid, "project_id", project_id),
        "title": _maybe(_text, "title", title),
        "description": _maybe(_text, "description", description),
        "status": _maybe(_text, "status", status),
        "priority": _maybe(_text, "priority", priority),
        "assigned_to": _maybe(_text, "assigned_to", assigned_to),
        "updated_at": _maybe(_time, "updated_at", updated_at),
    }, issue_id=_number_or_text("issue_id", issue_id))


def issue_created(issue_id: Union[Id, int], project_id: Optional[Id] = None,
                  title: Optional[str] = None, description: Optional[str] = None,
                  status: Optional[str] = "open", priority: Optional[str] = None,
                  assigned_to: Optional[Id] = None,
                  updated_at: Union[str, datetime.datetime, None] = None) -> Event:
    """An issue was opened. assigned_to: the user who takes care of it, and hears of it."""
    return _issue_event("issue.created", issue_id, project_id, title, description, status,
                        priority, assigned_to, updated_at)


def issue_updated(issue_id: Union[Id, int], project_id: Optional[Id] = None,
                  title: Optional[str] = None, description: Optional[str] = None,
                  status: Optional[str] = None, priority: Optional[str] = None,
                  assigned_to: Optional[Id] = None,
                  updated_at: Union[str, datetime.datetime, None] = None) -> Event:
    """An issue changed; as issue_created."""
    return _issue_event("issue.updated", issue_id, project_id, title, description, status,
                        priority, assigned_to, updated_at)


def issue_closed(issue_id: Union[Id, int], project_id: Optional[Id] = None,
                 title: Optional[str] = None, description: Optional[str] = None,
                 status: Optional[str] = "closed", priority: Optional[str] = None,
                 assigned_to: Optional[Id] = None,
                 updated_at: Union[str, datetime.datetime, None] = None) -> Event:
    """An issue was closed; as issue_created."""
    return _issue_event("issue.closed", issue_id, project_id, title, description, status,
                        priority, assigned_to, updated_at)


def ai_suggestion(suggestion_id: Id, target_type: Optional[str] = None,
                  target_id: Optional[Id] = None, category: Optional[str] = None,
                  title: Optional[str] = None, description: Optional[str] = None,
                  severity: Optional[str] = "info", confidence: Optional[float] = None,
                  suggested_action: Any = None, metadata: Optional[Mapping[str, Any]] = None,
                  project_id: Optional[Id] = None) -> Event:
    """A model suggests something. severity: info, warning or critical; confidence: 0 to 1; without
    a project everybody hears of it."""
    return _platform_event("ai.suggestion", {
        "target_type": _maybe(_text, "target_type", target_type),
        "target_id": _maybe(_uuid, "target_id", target_id),
        "category": _maybe(_text, "category", category),
        "title": _maybe(_text, "title", title),
        "description": _maybe(_text, "description", description),
        "severity": _maybe(_choice, "severity", severity, ("info", "warning", "critical")),
        "confidence": _maybe(_fraction, "confidence", confidence),
        "suggested_action": suggested_action,
        "project_id": _maybe(_uuid, "project_id", project_id),
        "metadata": _object("metadata", metadata),
    }, suggestion_id=_uuid("suggestion_id", suggestion_id))


def ai_analysis_complete(analysis_id: Id, target_type: Optional[str] = None,
                         target_id: Optional[Id] = None, summary: Optional[str] = None,
                         suggestions: Optional[Sequence[Any]] = None,
                         metadata: Optional[Mapping[str, Any]] = None,
                         project_id: Optional[Id] = None) -> Event:
    """A model has analysed something; without a project everybody hears of it."""
    return _platform_event("ai.analysis_complete", {
        "target_type": _maybe(_text, "target_type", target_type),
        "target_id": _maybe(_uuid, "target_id", target_id),
        "summary": _maybe(_text, "summary", summary),
        "suggestions": _maybe(_list, "suggestions", suggestions),
        "project_id": _maybe(_uuid, "project_id", project_id),
        "metadata": _object("metadata", metadata),
    }, analysis_id=_identifier("analysis_id", analysis_id))


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
