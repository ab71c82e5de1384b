"""Checkpoint files, read by the program `fanfare`: the same rules as everywhere in Fanfare.

All functions raise CheckpointError for a file that is missing, not whole or not right (the message
begins with FILE:LINE:COLUMN), and ProgramNotFound when there is no program to read it.
"""
from __future__ import annotations

import math
import os
import re
from typing import Any, Dict, List, Mapping, Sequence, Union

from .errors import CheckpointError
from .program import ProgramFailed, plain_path, run_json

Path = Union[str, "os.PathLike[str]"]
Parts = Union[Sequence[Mapping[str, Any]], Mapping[str, Mapping[str, Any]]]


def _read(path: Path, *options: str) -> Any:
    try:
        return run_json(["checkpoint", plain_path(path), "--json", *options])
    except ProgramFailed as problem:
        place = re.search(r":(\d+):(\d+): ", str(problem))
        line, column = (int(place[1]), int(place[2])) if place else (1, 1)
        raise CheckpointError(str(problem), line, column) from None


def parse_checkpoint(file_path: Path) -> Dict[str, Any]:
    """The checkpoint as it was written, with component_stats, feature_stats and overall_progress
    worked out."""
    checkpoint: Dict[str, Any] = _read(file_path)
    return checkpoint


def get_checkpoint_summary(file_path: Path) -> Dict[str, Any]:
    """id, timestamp, phase, status, component_stats, feature_stats, overall_progress; error when
    there is one."""
    summary: Dict[str, Any] = _read(file_path, "--summary")
    return summary


def extract_component_updates(file_path: Path) -> List[Dict[str, Any]]:
    """The components: component_id, status, progress, metadata of each."""
    components: List[Dict[str, Any]] = _read(file_path, "--components")
    return components


def extract_feature_updates(file_path: Path) -> List[Dict[str, Any]]:
    """The features: feature_id, status, progress, metadata of each."""
    features: List[Dict[str, Any]] = _read(file_path, "--features")
    return features


get_component_updates = extract_component_updates
get_feature_updates = extract_feature_updates


def _progress(part: Mapping[str, Any]) -> float:
    progress = part.get("progress")
    if progress is None:
        return 100.0 if part.get("status") == "completed" else 0.0
    if isinstance(progress, bool) or not isinstance(progress, (int, float)) or not (
            0 <= progress <= 100):
        raise ValueError(f"progress must be a number from 0 to 100, got {progress!r}")
    return float(progress)


def _weight(part: Mapping[str, Any]) -> float:
    weight = part.get("weight")
    if weight is None:
        return 1.0
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not (
            0 <= weight < math.inf):
        raise ValueError(f"weight must be a number from 0, got {weight!r}")
    return float(weight)


def calculate_completion_percentage(components: Parts) -> float:
    """The weighted mean of the components' progress, with one decimal; 0 for none. components: a
    list of mappings or a mapping of ids to them. One without progress counts 100 when completed,
    else 0; one without weight counts 1; weights that are all 0 count as equal."""
    parts = list(components.values() if isinstance(components, Mapping) else components)
    if not parts:
        return 0.0
    weights = [_weight(part) for part in parts]
    if sum(weights) == 0:
        weights = [1.0] * len(parts)
    total = sum(weight * _progress(part) for weight, part in zip(weights, parts))
    return math.floor(total / sum(weights) * 10 + 0.5) / 10
