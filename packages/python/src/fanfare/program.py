"""The program `fanfare`, which reads checkpoints and watches projects for this package."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, List

from .errors import FanfareError, ProgramNotFound

# Reading even the largest checkpoint takes far less, in seconds.
PATIENCE = 60


class ProgramFailed(FanfareError):
    """The program ended with an error; the message is the program's."""


def find_program() -> str:
    """The program's path: FANFARE_PROGRAM, or `fanfare` in PATH. Raises ProgramNotFound."""
    named = os.environ.get("FANFARE_PROGRAM")
    found = shutil.which(named or "fanfare")
    if found:
        return found
    if named:
        raise ProgramNotFound(f"FANFARE_PROGRAM is {named}, which is no program that can be run")
    raise ProgramNotFound("the program fanfare is not in PATH: install it, or set FANFARE_PROGRAM "
                          "to its path")


def plain_path(path: "str | os.PathLike[str]") -> str:
    """The path as an argument that cannot be taken for an option."""
    text = os.fspath(path)
    return os.path.join(os.curdir, text) if text.startswith("-") else text


def without_prefix(message: str) -> str:
    """A message of the program without "fanfare COMMAND: " in front."""
    head, colon, rest = message.partition(": ")
    return rest if colon and head.startswith("fanfare ") else message


def run_json(arguments: List[str]) -> Any:
    """Runs the program to its end and reads the JSON that it prints. Raises ProgramNotFound and
    ProgramFailed."""
    program = find_program()
    try:
        done = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PATIENCE)
        if done.returncode == 0:
            return json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as problem:
        raise ProgramFailed(f"{program}: {problem}") from None
    message = done.stderr.decode("utf-8", "replace").strip()
    raise ProgramFailed(without_prefix(message) or f"{program} ended with {done.returncode}")
