"""Watching a project through the program."""
import asyncio
import json
import os
import pathlib
import signal
import time

from support import PATIENCE, Case

import fanfare


async def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        await asyncio.sleep(0.005)


class TestWatcher(Case):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.directory, "project")
        for part in ("checkpoints", "context"):
            (self.root / ".buildrunner" / part).mkdir(parents=True)

    def checkpoint(self, name, **fields):
        path = self.root / ".buildrunner/checkpoints" / f"{name}.json"
        beside = path.with_suffix(".tmp")
        beside.write_text(json.dumps({"id": name, "phase": "build_1", **fields}))
        beside.rename(path)
        return path

    def test_every_event_goes_to_the_server(self):
        server = self.server()
        fanfare.configure(server.url)

        def types():
            return [e["type"] for e in server.history("session:build_123")]

        async def main():
            watcher = await fanfare.create_file_watcher_with_websocket(
                project_root=str(self.root), session_id="build_123",
                websocket_broadcaster=fanfare.broadcast_checkpoint_update)
            self.checkpoint("c1", components=[{"id": "a", "status": "completed"}])
            await until(lambda: "build_progress" in types(), "the events")
            await watcher.stop()
            await watcher.stop()
            await fanfare.close()

        asyncio.run(main())
        self.assertEqual(types(), ["checkpoint_update", "component_update", "build_progress"])

    def test_a_broadcaster_of_ones_own_gets_checkpoints(self):
        calls, events = [], []

        async def broadcaster(session_id, checkpoint_id, phase, tasks, files, metadata):
            calls.append((session_id, checkpoint_id, phase, tasks, files, metadata))
            if checkpoint_id == "c1":
                raise RuntimeError("a mistake of the program's")

        async def main():
            watcher = await fanfare.create_file_watcher_with_websocket(
                self.root, "s", websocket_broadcaster=broadcaster,
                on_event=lambda type, data: events.append((type, data)))
            with self.assertLogs("fanfare", "ERROR"):
                self.checkpoint("c1", tasks_completed=["t"], files_created=["f"])
                await until(lambda: len(calls) == 1, "the first checkpoint")
                (self.root / ".buildrunner/context/plan.md").write_text("# Plan\n")
                await until(lambda: "file_change" in dict(events), "the context file")
                self.checkpoint("c2", metadata={"by": "me"})
                await until(lambda: len(calls) == 2, "the second checkpoint")
            await watcher.stop()

        asyncio.run(main())
        self.assertEqual(calls, [("s", "c1", "build_1", ["t"], ["f"], {}),
                                 ("s", "c2", "build_1", [], [], {"by": "me"})])
        self.assertEqual(dict(events)["file_change"]["content"], "# Plan\n")

    def test_the_program_is_started_again_when_it_dies(self):
        calls = []

        async def main():
            watcher = fanfare.FileWatcher(self.root, "s", lambda *call: calls.append(call))
            await watcher.start()
            await watcher.start()
            first = watcher._process
            with self.assertLogs("fanfare", "WARNING"):
                os.kill(first.pid, signal.SIGKILL)
                await until(lambda: watcher._process is not first, "a new process")
            self.checkpoint("c1")
            await until(lambda: calls, "the checkpoint")
            await watcher.stop()
            self.assertIsNotNone(watcher._process.returncode)

        asyncio.run(main())

    def test_what_exists(self):
        watcher = fanfare.FileWatcher(self.root)
        self.assertEqual(watcher.session_id, "project")
        self.assertIsNone(watcher.get_latest_checkpoint())
        old, new = self.checkpoint("c1"), self.checkpoint("c2")
        os.utime(old, (1_000_000_000, 1_000_000_000))
        context = self.root / ".buildrunner/context/plan.md"
        context.write_text("x")
        self.assertEqual(watcher.get_checkpoint_files(), [new, old])
        self.assertEqual(watcher.get_latest_checkpoint(), new)
        self.assertEqual(watcher.get_context_files(), [context])

    def test_what_cannot_be_watched_is_told(self):
        watcher = fanfare.FileWatcher(self.root / "missing", "s", lambda *call: None)
        with self.assertRaisesRegex(fanfare.WatchError, "missing"):
            asyncio.run(watcher.start())
        with self.assertRaisesRegex(fanfare.WatchError, "missing"):
            watcher.get_checkpoint_files()
        with self.assertRaisesRegex(fanfare.WatchError, "session"):
            asyncio.run(fanfare.FileWatcher(self.root, "a b", lambda *call: None).start())
