"""Await: the asyncio publisher and the broadcast functions."""
import asyncio
import inspect
import os
import subprocess
import sys
import threading
import time
import uuid

from support import PACKAGE, PATIENCE, Case, wait_for

import fanfare


class TestAsyncPublisher(Case):
    def test_awaited_calls_are_acknowledged(self):
        server = self.server()

        async def main():
            async with fanfare.AsyncPublisher(server.url) as p:
                first = await p.component_update("s", "a", "completed", 100)
                second = await p.publish("session:s", "tick", {"n": 2}, id="x")
                again = await p.publish("session:s", "tick", {"n": 2}, id="x")
                return first.offset, second.offset, again.duplicate

        self.assertEqual(asyncio.run(main()), (1, 2, True))

    def test_refusals_are_raised_by_the_await(self):
        server = self.server()

        async def main():
            async with fanfare.AsyncPublisher(server.url) as p:
                late = p.component_update("s", "a", "completed", 140)  # nothing raised yet
                with self.assertRaisesRegex(fanfare.EventRefused, "from 0 to 100, got 140"):
                    await late
                with self.assertRaises(fanfare.EventRefused) as caught:
                    await p.publish("session:s", "Not A Type")
                self.assertEqual(caught.exception.field, "type")

        asyncio.run(main())

    def test_many_tasks_at_once_keep_order_and_wait_for_room(self):
        server = self.server()

        async def main():
            options = {"spool_bytes": 30_000, "confirm_timeout": PATIENCE}
            async with fanfare.AsyncPublisher(server.url, **options) as p:
                return await asyncio.gather(
                    *[p.publish("session:s", "tick", {"n": n}) for n in range(2000)])

        receipts = asyncio.run(main())
        self.assertEqual(sorted(r.offset for r in receipts), list(range(1, 2001)))
        numbers = [e["data"]["n"] for e in server.history("session:s")]
        self.assertEqual(sorted(numbers), list(range(2000)))

    def test_a_server_that_is_away_holds_nobody_up(self):
        server = self.server(start=False)

        async def main():
            async with fanfare.AsyncPublisher(server.url, confirm_timeout=PATIENCE) as p:
                begun = time.monotonic()
                for n in range(50):
                    self.assertIsNone(await p.publish("session:s", "tick", {"n": n}))
                self.assertLess(time.monotonic() - begun, PATIENCE / 2)
                server.start()
                self.assertTrue(await p.flush(PATIENCE))

        asyncio.run(main())
        self.assertEqual([e["data"]["n"] for e in server.history("session:s")], list(range(50)))

    def test_a_server_that_hangs_costs_one_wait_and_the_loop_goes_on(self):
        server = self.server()

        async def main():
            async with fanfare.AsyncPublisher(server.url, confirm_timeout=0.2,
                                              timeout=PATIENCE) as p:
                await p.publish("session:s", "tick")
                server.freeze()
                try:
                    begun = time.monotonic()
                    results = [await p.publish("session:s", "tick") for _ in range(50)]
                    self.assertLess(time.monotonic() - begun, 0.2 * PATIENCE)
                    self.assertEqual(set(results), {None})
                finally:
                    server.thaw()
                self.assertTrue(await p.flush(PATIENCE))

        asyncio.run(main())

    def test_a_task_that_is_cancelled_leaves_its_event(self):
        server = self.server(start=False)
        server.start()

        async def main():
            async with fanfare.AsyncPublisher(server.url, confirm_timeout=PATIENCE) as p:
                await p.publish("session:s", "tick", {"n": 0})
                server.freeze()
                task = asyncio.ensure_future(p.publish("session:s", "tick", {"n": 1}))
                await asyncio.sleep(0)
                task.cancel()
                server.thaw()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                self.assertTrue(await p.flush(PATIENCE))

        asyncio.run(main())
        self.assertEqual([e["data"]["n"] for e in server.history("session:s")], [0, 1])


class TestBroadcast(Case):
    def setUp(self):
        super().setUp()
        self.live = self.server()
        fanfare.configure(self.live.url, confirm_timeout=PATIENCE)
        self.addCleanup(lambda: asyncio.run(fanfare.close()))

    def found(self, session="build_123"):
        return [(e["type"], e["data"]) for e in self.live.history(f"session:{session}")]

    def test_calls_as_backends_write_them(self):
        async def main():
            await fanfare.broadcast_component_update(
                session_id="build_123", component_id="auth_service", status="in_progress",
                progress=45.5)
            await fanfare.broadcast_feature_update("build_123", "login", "completed", 100.0,
                                                   {"by": uuid.UUID(int=1)})
            await fanfare.broadcast_terminal_output(
                session_id="build_123", output="Compiling...\n", output_type="stdout")
            await fanfare.broadcast_build_progress(
                session_id="build_123", total_components=10, completed_components=7, percent=70.0)
            await fanfare.broadcast_build_progress("build_123", 10, 8, None)
            await fanfare.broadcast_checkpoint_update(
                session_id="build_123", checkpoint_id="c1", phase="build_1", tasks=["t"],
                files=["f"], metadata={})
            await fanfare.broadcast_file_change("build_123", "a.md", "modified", "x" * 70_000)
            await fanfare.broadcast_error("build_123", ValueError("no"), traceback=None)

        asyncio.run(main())
        self.assertEqual(self.found(), [
            ("component_update", {"component_id": "auth_service", "status": "in_progress",
                                  "progress": 45.5, "metadata": {}}),
            ("feature_update", {"feature_id": "login", "status": "completed", "progress": 100.0,
                                "metadata": {"by": str(uuid.UUID(int=1))}}),
            ("terminal_output", {"output": "Compiling...\n", "output_type": "stdout",
                                 "source": None}),
            ("build_progress", {"total": 10, "completed": 7, "percent": 70.0}),
            ("build_progress", {"total": 10, "completed": 8, "percent": 80}),
            ("checkpoint_update", {"checkpoint_id": "c1", "phase": "build_1",
                                   "tasks_completed": ["t"], "files_created": ["f"],
                                   "metadata": {}}),
            ("file_change", {"file_path": "a.md", "change_type": "modified", "truncated": True}),
            ("error", {"error_message": "no", "error_type": "ValueError", "traceback": None}),
        ])

    def test_they_are_what_help_and_tools_expect(self):
        function = fanfare.broadcast_component_update
        self.assertTrue(inspect.iscoroutinefunction(function))
        self.assertEqual(function.__name__, "broadcast_component_update")
        self.assertEqual(list(inspect.signature(function).parameters),
                         ["session_id", "component_id", "status", "progress", "metadata"])
        method = fanfare.Publisher.component_update
        self.assertEqual(list(inspect.signature(method).parameters)[:2], ["self", "session_id"])

    def test_several_event_loops_share_the_publisher(self):
        def work(n):
            asyncio.run(fanfare.broadcast_terminal_output(f"loop{n}", "x"))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([len(self.found(f"loop{n}")) for n in range(3)], [1, 1, 1])

    def test_configure_again_sends_what_was_left(self):
        asyncio.run(fanfare.broadcast_terminal_output("one", "x"))
        before = fanfare.get_publisher()
        fanfare.configure(self.live.url)
        self.assertIsNot(fanfare.get_publisher(), before)
        asyncio.run(fanfare.broadcast_terminal_output("one", "y"))
        self.assertEqual(len(self.found("one")), 2)

    def test_the_environment_names_the_server(self):
        text = ("import asyncio, fanfare\n"
                "asyncio.run(fanfare.broadcast_terminal_output('environment', 'x'))\n")
        subprocess.run([sys.executable, "-c", text], check=True, timeout=PATIENCE, env={
            **os.environ, "PYTHONPATH": str(PACKAGE / "src"), "FANFARE_URL": self.live.url})
        self.assertEqual(len(self.found("environment")), 1)

    def test_a_backend_without_a_dashboard_goes_on(self):
        fanfare.configure(f"unix:{self.directory}/nobody")
        self.assertIsNone(asyncio.run(fanfare.broadcast_terminal_output("s", "x")))
        self.assertFalse(asyncio.run(fanfare.flush(0)))
        wait_for(lambda: not fanfare.get_publisher().stats.reachable)
        self.assertFalse(asyncio.run(fanfare.close(0)))
