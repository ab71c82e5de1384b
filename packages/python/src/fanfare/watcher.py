"""Watching a project's checkpoints, with the program `fanfare watch` as a child process."""
from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import pathlib
import random
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from .broadcast import broadcast_checkpoint_update, get_publisher
from .errors import WatchError
from .program import ProgramFailed, find_program, plain_path, run_json, without_prefix

_log = logging.getLogger("fanfare")

LINE_MAX = 64 * 1024 * 1024  # one event; a checkpoint may have as much
STOP_PATIENCE = 8.0          # seconds; the program itself takes at most 5 to send what it has
PAUSE_MOST = 15.0            # before the program is started again, seconds

Broadcaster = Callable[..., Any]


class FileWatcher:
    """Watches PROJECT/.buildrunner: checkpoints, context files, artifacts.

    session_id: else the directory's name.
    websocket_broadcaster: None, or fanfare.broadcast_checkpoint_update: every event goes to the
        server (checkpoint, components, features, progress, files), sent by the program itself.
        Another function, plain or async: nothing is published, and it is called for each new
        checkpoint with (session_id, checkpoint_id, phase, tasks, files, metadata).
    on_event: called with (type, data) for every event; plain or async.
    url, token: the server; else that of the broadcast functions.
    directory: instead of .buildrunner. poll: look at intervals, for network file systems.

    A function that raises is logged, and the watcher goes on; so does it when the program dies,
    which is started again.
    """

    def __init__(self, project_root: Union[str, "os.PathLike[str]"],
                 session_id: Optional[str] = None,
                 websocket_broadcaster: Optional[Broadcaster] = None, *,
                 on_event: Optional[Callable[[str, Dict[str, Any]], Any]] = None,
                 url: Optional[str] = None, token: Optional[str] = None,
                 directory: str = ".buildrunner", poll: bool = False) -> None:
        self.project_root = pathlib.Path(project_root)
        self.session_id = session_id or self.project_root.resolve().name
        publishes = websocket_broadcaster in (None, broadcast_checkpoint_update)
        self._broadcaster = None if publishes else websocket_broadcaster
        self._on_event = on_event
        self._url = url
        self._token = token
        self._directory = directory
        self._poll = poll
        self._process: Optional[asyncio.subprocess.Process] = None
        self._life: Optional["asyncio.Task[None]"] = None
        self._ready: Optional["asyncio.Future[None]"] = None

    # ---- Starting and stopping ----

    async def start(self) -> None:
        """Starts watching; when it returns, every change is noticed. Raises WatchError when the
        project cannot be watched and ProgramNotFound. Does nothing when started already."""
        if self._life:
            return
        program = find_program()
        self._ready = asyncio.get_running_loop().create_future()
        self._life = asyncio.ensure_future(self._live(program))
        try:
            await asyncio.shield(self._ready)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops watching, after what was noticed is sent. May be called again."""
        life, self._life = self._life, None
        if not life:
            return
        process = self._process
        if process and process.returncode is None:
            process.terminate()
            await asyncio.wait([life], timeout=STOP_PATIENCE)
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)

    async def __aenter__(self) -> "FileWatcher":
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    # ---- The program ----

    def _arguments(self) -> List[str]:
        arguments = ["watch", plain_path(self.project_root), "--json",
                     "--session", self.session_id, "--directory", self._directory]
        return arguments + ["--poll"] * self._poll + ["--no-publish"] * bool(self._broadcaster)

    def _environment(self) -> Mapping[str, str]:
        """The token goes through the environment, where other users cannot read it."""
        environment = dict(os.environ)
        if self._broadcaster:
            return environment
        publisher = get_publisher()._publisher
        token = publisher.token() if callable(publisher.token) else publisher.token
        environment["FANFARE_URL"] = self._url or publisher.url
        environment["FANFARE_TOKEN"] = self._token or token or ""
        return environment

    async def _live(self, program: str) -> None:
        """Keeps the program running until stop."""
        failures = 0
        while self._life:
            try:
                last = await self._run(program)
            except OSError as problem:
                last = f"{program}: {problem}"
            if self._ready and not self._ready.done():
                self._ready.set_exception(WatchError(last))
                return
            if not self._life:
                return
            failures += 1
            _log.warning("fanfare: watching %s ended (%s); starting again", self.project_root, last)
            await asyncio.sleep(min(0.25 * 2 ** min(failures, 16), PAUSE_MOST)
                                * random.uniform(0.5, 1))

    async def _run(self, program: str) -> str:
        """One life of the program. Returns its last words."""
        process = self._process = await asyncio.create_subprocess_exec(
            program, *self._arguments(), env=self._environment(), limit=LINE_MAX,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True)  # Ctrl-C is ours; we stop it
        messages = asyncio.ensure_future(self._read_messages(process))
        try:
            await self._read_events(process)
            last = await messages
            code = await process.wait()
            return last or f"fanfare watch ended with {code}"
        finally:
            messages.cancel()
            if process.returncode is None:
                process.kill()

    async def _read_messages(self, process: asyncio.subprocess.Process) -> str:
        """Logs what the program says; returns the last of it."""
        assert process.stderr
        last = ""
        async for line in process.stderr:
            text = line.decode("utf-8", "replace").rstrip()
            if text.startswith("watching "):
                if self._ready and not self._ready.done():
                    self._ready.set_result(None)
                continue
            if not text.startswith("Try: "):  # a hint for people at a shell
                last = without_prefix(text)
            if self._ready and self._ready.done():
                _log.warning("%s", text)
        return last

    async def _read_events(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            event = json.loads(line)
            await self._deliver(event["type"], event["data"])

    async def _deliver(self, type: str, data: Dict[str, Any]) -> None:
        if self._on_event:
            await _call(self._on_event, type, data)
        if self._broadcaster and type == "checkpoint_update":
            await _call(self._broadcaster, self.session_id, data["checkpoint_id"],
                        data.get("phase"), data.get("tasks_completed", []),
                        data.get("files_created", []), data.get("metadata", {}))

    # ---- What exists ----

    def _list(self, kind: str) -> List[pathlib.Path]:
        try:
            found = run_json(["watch", plain_path(self.project_root), "--list", "--json",
                              "--directory", self._directory])
        except ProgramFailed as problem:
            raise WatchError(str(problem)) from None
        return [pathlib.Path(file["path"]) for file in found[kind]]

    def get_checkpoint_files(self) -> List[pathlib.Path]:
        """The checkpoint files, newest first."""
        return self._list("checkpoints")

    def get_context_files(self) -> List[pathlib.Path]:
        """The context files, newest first."""
        return self._list("contexts")

    def get_latest_checkpoint(self) -> Optional[pathlib.Path]:
        """The newest checkpoint file; None when there is none."""
        return next(iter(self.get_checkpoint_files()), None)


async def _call(function: Callable[..., Any], *arguments: object) -> None:
    try:
        result = function(*arguments)
        if inspect.isawaitable(result):
            await result
    except Exception:
        _log.exception("fanfare: %s failed", getattr(function, "__name__", function))


async def create_file_watcher_with_websocket(
        project_root: Union[str, "os.PathLike[str]"], session_id: Optional[str] = None,
        websocket_broadcaster: Optional[Broadcaster] = None, **options: Any) -> FileWatcher:
    """A FileWatcher that has been started; see there for the arguments. To be stopped with
    `await watcher.stop()`."""
    watcher = FileWatcher(project_root, session_id, websocket_broadcaster, **options)
    await watcher.start()
    return watcher
