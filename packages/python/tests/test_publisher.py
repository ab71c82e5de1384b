"""The publisher against real servers: there, away at first, restarted, refusing."""
import os
import subprocess
import sys
import threading
import time

from support import BINARY, PACKAGE, PATIENCE, Case, wait_for

import fanfare
from fanfare import publisher as publisher_module


class Problems(list):
    def of(self, kind):
        return [problem for problem in self if problem.kind == kind]

    def __call__(self, problem):
        self.append(problem)


class PublisherCase(Case):
    def publisher(self, url, **options):
        self.problems = Problems()
        p = fanfare.Publisher(url, on_problem=self.problems, **options)
        self.addCleanup(p.close, 0)
        return p

    def numbers(self, server, topic):
        return [event["data"]["n"] for event in server.history(topic)]


class TestThere(PublisherCase):
    def test_every_typed_function_is_published(self):
        server = self.server()
        with self.publisher(server.url, source="tests") as p:
            p.component_update("s", "auth", "in_progress", 45.5, {"step": "compile"})
            p.feature_update("s", feature_id="login", status="completed", progress=100)
            p.terminal_output("s", b"caf\xc3\xa9 \xff\n", "stderr", "make")
            p.checkpoint_update("s", "c1", "build_1", ["t"], ["f.py"], {"by": "me"})
            p.build_progress("s", 10, 7)
            p.file_change("s", "a.md", "created", "# A\n")
            p.error("s", "no such file", "link_error", "line 1")
            self.assertTrue(p.flush())
        self.assertEqual(self.problems, [])
        found = [(e["type"], e["data"]) for e in server.history("session:s")]
        self.assertEqual(found, [
            ("component_update", {"component_id": "auth", "status": "in_progress",
                                  "progress": 45.5, "metadata": {"step": "compile"}}),
            ("feature_update", {"feature_id": "login", "status": "completed", "progress": 100,
                                "metadata": {}}),
            ("terminal_output", {"output": "caf\u00e9 \ufffd\n", "output_type": "stderr",
                                 "source": "make"}),
            ("checkpoint_update", {"checkpoint_id": "c1", "phase": "build_1",
                                   "tasks_completed": ["t"], "files_created": ["f.py"],
                                   "metadata": {"by": "me"}}),
            ("build_progress", {"total": 10, "completed": 7, "percent": 70}),
            ("file_change", {"file_path": "a.md", "change_type": "created", "content": "# A\n"}),
            ("error", {"error_message": "no such file", "error_type": "link_error",
                       "traceback": "line 1"}),
        ])
        self.assertEqual({e["source"] for e in server.history("session:s")}, {"tests"})

    def test_every_kind_of_url(self):
        server = self.server()
        for url in (server.url, server.http_url, server.http_url + "/",
                    server.http_url.replace("http://", "ws://"),
                    server.http_url.replace("http://", "")):
            with self.subTest(url=url):
                with self.publisher(url, confirm=True) as p:
                    self.assertEqual(p.publish("session:u", "tick", {"n": 1}).topic, "session:u")

    def test_a_receipt_tells_the_place(self):
        p = self.publisher(self.server().url, confirm=True)
        first = p.publish("session:a", "tick", {"n": 1}, id="one")
        self.assertEqual((first.topic, first.offset, first.duplicate), ("session:a", 1, False))
        again = p.publish("session:a", "tick", {"n": 1}, id="one")
        self.assertEqual((again.offset, again.duplicate), (1, True))
        both = p.publish(["session:a", "project:b"], "tick", {"n": 2})
        self.assertEqual((both.offset, both.others[0].topic, both.others[0].offset),
                         (2, "project:b", 1))
        self.assertIsNone(p.publish("session:a", "tick", ephemeral=True).offset)

    def test_type_may_be_left_out_on_channels(self):
        server = self.server()
        p = self.publisher(server.url, confirm=True)
        p.publish("channel:files", data={"file": "a", "event": "add"}, key="a")
        self.assertEqual(server.history("channel:files")[0]["type"], "event")

    def test_order_and_completeness_from_many_threads(self):
        server = self.server()
        p = self.publisher(server.url)

        def work(thread):
            for n in range(500):
                p.publish(f"session:t{thread}", "tick", {"n": n})

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(p.flush(PATIENCE))
        for i in range(4):
            self.assertEqual(self.numbers(server, f"session:t{i}"), list(range(500)))
        self.assertEqual(p.stats.acknowledged, 2000)

    def test_a_spool_full_of_a_fast_program_makes_it_wait(self):
        server = self.server()
        p = self.publisher(server.url, spool_bytes=20_000, confirm_timeout=PATIENCE)
        for n in range(3000):
            p.publish("session:fast", "tick", {"n": n})
        self.assertTrue(p.flush(PATIENCE))
        self.assertEqual(self.numbers(server, "session:fast"), list(range(3000)))
        self.assertEqual(p.stats.dropped, 0)

    def test_an_idle_connection_that_the_server_closed_is_no_outage(self):
        server = self.server()
        p = self.publisher(server.url, confirm=True)
        p.publish("session:a", "tick", {"n": 1})
        server.stop()
        server.start()
        receipt = p.publish("session:a", "tick", {"n": 2})
        self.assertEqual(receipt.offset, 2)
        self.assertEqual(self.problems, [])


class TestTls(PublisherCase):
    def test_https_asks_for_a_certificate_that_is_trusted(self):
        key, cert = (os.path.join(self.directory, name) for name in ("key.pem", "cert.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", key,
                        "-out", cert], check=True, capture_output=True)
        server = self.server("--tls-cert", cert, "--tls-key", key)
        self.assertTrue(server.http_url.startswith("https:"))
        p = self.publisher(server.http_url, ca_file=cert, confirm=True, confirm_timeout=PATIENCE)
        self.assertEqual(p.publish("session:a", "tick").offset, 1)
        distrustful = self.publisher(server.http_url, confirm=True, confirm_timeout=PATIENCE)
        self.assertIsNone(distrustful.publish("session:a", "tick"))
        wait_for(lambda: self.problems)
        self.assertIn("certificate verify failed", self.problems[0].message)


class TestRefused(PublisherCase):
    def test_mistakes_show_where_they_are_made(self):
        p = self.publisher(f"unix:{self.directory}/nobody")
        for call, field, words in [
            (lambda: p.component_update("s", "a", "completed", 140), "progress",
             "progress must be a number from 0 to 100, got 140"),
            (lambda: p.component_update("s", "", "completed", 1), "component_id", "not empty"),
            (lambda: p.component_update("s", "a", "completed", float("nan")), "progress", "nan"),
            (lambda: p.component_update("s", "a", "completed", 1, ["x"]), "metadata", "mapping"),
            (lambda: p.component_update("s", "a", "completed", 1, {"x": object()}), "data",
             "type object has no form in JSON"),
            (lambda: p.component_update("s", "a", "completed", 1, {"x": float("inf")}), "data",
             "NaN and infinity"),
            (lambda: p.terminal_output("s", "x", "stdin"), "output_type", '"stdout" or "stderr"'),
            (lambda: p.build_progress("s", 3, 4), "completed", "from 0 to total (3), got 4"),
            (lambda: p.build_progress("s"), "total", "got None"),
            (lambda: p.checkpoint_update("s", "c", "p", "task"), "tasks", "a list of strings"),
            (lambda: p.file_change("s", "f", "touched"), "change_type", "created"),
            (lambda: p.publish("session:a", "tick", [1]), "data", "mapping"),
            (lambda: p.publish("session:a", 7), "type", "a string"),
            (lambda: p.publish(None, "tick"), "topic", "session:build_123"),
        ]:
            with self.subTest(field=field):
                with self.assertRaises(fanfare.EventRefused) as caught:
                    call()
                self.assertEqual(caught.exception.field, field)
                self.assertIn(words, str(caught.exception))
                self.assertIsInstance(caught.exception, ValueError)
        self.assertEqual(p.stats.accepted, 0)

    def test_what_the_server_refuses_is_raised_with_confirm(self):
        p = self.publisher(self.server().url, confirm=True)
        for topic, type, data, field in [
            ("planet:x", "tick", {}, "topic"),
            ("session:a b", "tick", {}, "topic"),
            ("session:a", "Not A Type", {}, "type"),
            ("session:a", "component_update", {"component_id": "a", "status": "x",
                                               "progress": 200}, "progress"),
        ]:
            with self.subTest(topic=topic, type=type):
                with self.assertRaises(fanfare.EventRefused) as caught:
                    p.publish(topic, type, data)
                self.assertEqual((caught.exception.field, caught.exception.status), (field, 422))
        self.assertEqual(self.problems, [], "who waited was told")
        self.assertEqual(p.publish("session:a", "tick").offset, 1)

    def test_what_the_server_refuses_is_reported_without_confirm(self):
        server = self.server()
        p = self.publisher(server.url)
        p.publish("session:a", "tick", {"n": 1})
        p.publish("session:a", "Not A Type", {"n": 2})
        p.publish("session:a", "tick", {"n": 3})
        self.assertTrue(p.flush(PATIENCE))
        self.assertEqual(self.numbers(server, "session:a"), [1, 3])
        self.assertEqual([problem.kind for problem in self.problems], ["refused"])
        self.assertIn("session:a Not A Type: ", self.problems[0].message)
        self.assertEqual((p.stats.refused, p.stats.acknowledged), (1, 2))

    def test_a_message_too_large_is_refused_alone(self):
        server = self.server()
        p = self.publisher(server.url, confirm=True, confirm_timeout=PATIENCE)
        with self.assertRaises(fanfare.EventRefused) as caught:
            p.publish("session:a", "tick", {"pad": "x" * 1_200_000})
        self.assertEqual(caught.exception.status, 413)
        self.assertEqual(p.publish("session:a", "tick", {"n": 1}).offset, 1)

    def test_configuration_that_cannot_work(self):
        for options, words in [
            ({"url": "ftp://x"}, "unknown scheme"), ({"url": "unix:"}, "path is empty"),
            ({"url": "http://"}, "no valid host"), ({"url": "http://x:99999"}, "expected http"),
            ({"url": "http://u@x"}, "no user"), ({"token": "a\nb"}, "cannot carry"),
            ({"policy": "panic"}, "drop-oldest"), ({"spool_bytes": 1}, "spool_bytes"),
            ({"url": "http://x y"}, "expected http"), ({"url": 7}, "expected http"),
            ({"url": "https://x", "ca_file": "/nowhere"}, "/nowhere"),
        ]:
            with self.subTest(options=options):
                with self.assertRaises(fanfare.ConfigurationError) as caught:
                    fanfare.Publisher(**options)
                self.assertIn(words, str(caught.exception))


class TestDenied(PublisherCase):
    def denying(self):
        """A server, and a wire that answers in its place that a token is needed."""
        server = self.server()
        wire = self.wire(server)
        text = '{"error":{"status":401,"code":"unauthorized","message":"a token is needed"}}'
        wire.answer = (f"HTTP/1.1 401 Unauthorized\r\nContent-Length: {len(text)}\r\n"
                       f"Connection: close\r\n\r\n{text}").encode()
        return server, wire

    def test_who_waits_is_told_and_other_events_stay(self):
        server, wire = self.denying()
        asked = []

        def token():
            asked.append(1)
            return "t" if wire.answer else None

        p = self.publisher(wire.url, token=token)
        with self.assertRaisesRegex(fanfare.AccessDenied, "a token is needed") as caught:
            p.publish("session:a", "tick", {"n": 0}, confirm=True)
        self.assertEqual(caught.exception.status, 401)
        p.publish("session:a", "tick", {"n": 1})
        wait_for(lambda: len(asked) >= 3, "further attempts, each with a token asked for")
        self.assertEqual(len(self.problems.of("denied")), 1)
        wire.answer = None
        self.assertTrue(p.flush(PATIENCE))
        wire.answer = None
        self.assertEqual(self.numbers(server, "session:a"), [1])

    def test_denied_again_at_once_without_asking(self):
        _, wire = self.denying()
        p = self.publisher(wire.url, confirm=True)
        for _ in range(20):
            with self.assertRaises(fanfare.AccessDenied):
                p.publish("session:a", "tick")
        self.assertEqual(p.stats.spool_events, 0)

    def test_when_access_is_given_confirmed_calls_go_on(self):
        server, wire = self.denying()
        p = self.publisher(wire.url, confirm=True)
        with self.assertRaises(fanfare.AccessDenied):
            p.publish("session:a", "tick", {"n": 0})
        wire.answer = None

        def publish():
            try:
                return p.publish("session:a", "tick", {"n": 1})
            except fanfare.AccessDenied:
                return None

        self.assertEqual(wait_for(publish).offset, 1)
        self.assertEqual(self.numbers(server, "session:a"), [1])

    def test_raise_denied_false_treats_it_as_an_outage(self):
        _, wire = self.denying()
        p = self.publisher(wire.url, confirm=True, raise_denied=False)
        self.assertIsNone(p.publish("session:a", "tick"))
        self.assertEqual(p.stats.spool_events, 1)
        wait_for(lambda: self.problems)
        self.assertEqual([(p.kind, p.status) for p in self.problems], [("denied", 401)])

    def test_a_wrong_path_is_told(self):
        p = self.publisher(self.server().http_url + "/nowhere", confirm=True)
        with self.assertRaises(fanfare.AccessDenied) as caught:
            p.publish("session:a", "tick")
        self.assertEqual(caught.exception.status, 404)

    def test_a_server_that_asks_to_come_later_is_obeyed(self):
        server, wire = self.denying()
        wire.answer = (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
                       b"Connection: close\r\n\r\n")
        p = self.publisher(wire.url)
        begun = time.monotonic()
        p.publish("session:a", "tick", {"n": 1})
        wait_for(lambda: self.problems)
        wire.answer = None
        self.assertTrue(p.flush(PATIENCE))
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        self.assertEqual(self.numbers(server, "session:a"), [1])


class TestAway(PublisherCase):
    def test_down_at_first_then_up(self):
        server = self.server(start=False)
        p = self.publisher(server.url)
        for n in range(100):
            p.publish("session:a", "tick", {"n": n})
        wait_for(lambda: self.problems.of("unreachable"), "the outage to be reported")
        self.assertIn("does `fanfare serve` run there?", self.problems[0].message)
        self.assertFalse(p.stats.reachable)
        server.start()
        self.assertTrue(p.flush(PATIENCE))
        self.assertEqual(self.numbers(server, "session:a"), list(range(100)))
        self.assertEqual([problem.kind for problem in self.problems], ["unreachable", "recovered"])

    def test_restarted_in_the_middle(self):
        server = self.server()
        p = self.publisher(server.url)
        sent = 0

        def publish(count):
            nonlocal sent
            for _ in range(count):
                p.publish("session:a", "tick", {"n": sent})
                sent += 1

        publish(100)
        self.assertTrue(p.flush(PATIENCE))
        server.stop()
        publish(100)
        wait_for(lambda: not p.stats.reachable)
        server.start()
        publish(100)
        self.assertTrue(p.flush(PATIENCE))
        self.assertEqual(self.numbers(server, "session:a"), list(range(300)))
        self.assertEqual(p.stats.acknowledged, 300)

    def test_an_answer_that_is_lost_doubles_nothing(self):
        server = self.server()
        wire = self.wire(server)
        p = self.publisher(wire.url)
        wire.swallow = 2  # the second attempt's too
        for n in range(50):
            p.publish("session:a", "tick", {"n": n})
        self.assertTrue(p.flush(PATIENCE))
        self.assertEqual(self.numbers(server, "session:a"), list(range(50)))
        self.assertGreater(p.stats.resent, 0)
        self.assertEqual(p.stats.acknowledged, 50)

    def test_confirmed_calls_do_not_wait_for_a_server_that_is_away(self):
        p = self.publisher(f"unix:{self.directory}/nobody", confirm=True, confirm_timeout=PATIENCE)
        begun = time.monotonic()
        for n in range(50):
            self.assertIsNone(p.publish("session:a", "tick", {"n": n}))
        self.assertLess(time.monotonic() - begun, PATIENCE / 2)
        self.assertEqual(p.stats.spool_events, 50)

    def test_a_server_that_hangs_costs_one_wait(self):
        server = self.server()
        p = self.publisher(server.url, confirm=True, confirm_timeout=0.2, timeout=PATIENCE)
        p.publish("session:a", "tick", {"n": 0})
        server.freeze()
        begun = time.monotonic()
        for n in range(1, 100):
            self.assertIsNone(p.publish("session:a", "tick", {"n": n}))
        self.assertLess(time.monotonic() - begun, 0.2 * PATIENCE)
        server.thaw()
        self.assertTrue(p.flush(PATIENCE))
        self.assertEqual(self.numbers(server, "session:a"), list(range(100)))

    def test_a_server_that_hangs_behind_a_full_spool_costs_one_wait(self):
        server = self.server()
        p = self.publisher(server.url, spool_bytes=10_000, confirm_timeout=0.2, timeout=PATIENCE)
        p.publish("session:a", "tick", {"n": 0}, confirm=True)
        server.freeze()
        begun = time.monotonic()
        for n in range(1, 200):
            p.publish("session:a", "tick", {"n": n})
        self.assertLess(time.monotonic() - begun, 0.2 * PATIENCE)
        server.thaw()
        self.assertTrue(p.flush(PATIENCE))
        self.assertEqual(self.numbers(server, "session:a")[-1], 199)

    def test_close_ends_a_request_that_hangs(self):
        server = self.server()
        p = self.publisher(server.url, timeout=60)
        p.publish("session:a", "tick", {"n": 0}, confirm=True)
        server.freeze()
        p.publish("session:a", "tick", {"n": 1})
        self.assertFalse(p.close(0.1))
        p._thread.join(PATIENCE)
        self.assertFalse(p._thread.is_alive())
        self.assertEqual([problem.kind for problem in self.problems], ["dropped"])

    def overflow(self, policy):
        server = self.server(start=False)
        p = self.publisher(server.url, spool_bytes=10_000, policy=policy)
        p.publish("session:a", "tick", {"n": 0})
        wait_for(lambda: not p.stats.reachable)
        return server, p

    def finish(self, server, p):
        stats = p.stats
        self.assertEqual(stats.accepted + (stats.dropped if p._policy != "drop-oldest" else 0), 200)
        self.assertLessEqual(stats.spool_bytes, 10_000)
        self.assertEqual(len(self.problems.of("dropped")), 1)
        server.start()
        self.assertTrue(p.flush(PATIENCE))
        wait_for(lambda: self.problems.of("recovered"))
        self.assertEqual(sum(p.events for p in self.problems.of("dropped")[1:]), stats.dropped)
        return self.numbers(server, "session:a"), stats

    def test_overflow_drops_the_oldest(self):
        server, p = self.overflow("drop-oldest")
        for n in range(1, 200):
            p.publish("session:a", "tick", {"n": n})
        numbers, stats = self.finish(server, p)
        self.assertEqual(numbers, list(range(stats.dropped, 200)))

    def test_overflow_drops_the_newest(self):
        server, p = self.overflow("drop-newest")
        for n in range(1, 200):
            p.publish("session:a", "tick", {"n": n})
        numbers, stats = self.finish(server, p)
        self.assertEqual(numbers, list(range(200 - stats.dropped)))

    def test_overflow_raises(self):
        server, p = self.overflow("raise")
        refused = 0
        for n in range(1, 200):
            try:
                p.publish("session:a", "tick", {"n": n})
            except fanfare.SpoolFull:
                refused += 1
        numbers, stats = self.finish(server, p)
        self.assertEqual((len(numbers), stats.dropped), (200 - refused, refused))

    def test_close_waits_as_long_as_a_server_asks_if_there_is_time(self):
        wire = self.wire(self.server())
        text = ('{"error":{"status":429,"code":"rate_limited","message":"later",'
                '"retry_after":60},"line":1}\n{"published":0,"failed":1,"topics":{}}\n')
        wire.answer = (f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n"
                       f"Connection: close\r\n\r\n{text}").encode()
        p = self.publisher(wire.url)
        p.publish("session:a", "tick")
        wait_for(lambda: p.stats.resent)
        begun = time.process_time()
        self.assertFalse(p.close(0.3))
        self.assertLess(time.process_time() - begun, 0.2, "it waits, and does not spin")
        self.assertLessEqual(p.stats.resent, 3)

    def test_an_event_that_could_never_fit(self):
        p = self.publisher(f"unix:{self.directory}/nobody", spool_bytes=2000)
        with self.assertRaisesRegex(fanfare.SpoolFull, "raise spool_bytes"):
            p.publish("session:a", "tick", {"pad": "x" * 3000})

    def test_pauses_grow_and_are_random(self):
        p = self.publisher(f"unix:{self.directory}/nobody")
        pauses = [p._next_pause() for _ in range(12)]
        for failures, pause in enumerate(pauses):
            full = min(publisher_module.PAUSE_FIRST * 2 ** failures, publisher_module.PAUSE_MOST)
            self.assertTrue(full / 2 <= pause <= full, pauses)
        self.assertGreater(len(set(pauses[7:])), 1)


class TestEnd(PublisherCase):
    def test_close_sends_what_is_left(self):
        server = self.server()
        p = self.publisher(server.url)
        for n in range(1000):
            p.publish("session:a", "tick", {"n": n})
        self.assertTrue(p.close(PATIENCE))
        self.assertEqual(self.numbers(server, "session:a"), list(range(1000)))
        self.assertTrue(p.close())
        with self.assertRaises(fanfare.PublisherClosed):
            p.publish("session:a", "tick")

    def test_close_does_not_wait_for_a_server_that_is_away(self):
        p = self.publisher(f"unix:{self.directory}/nobody")
        p.publish("session:a", "tick")
        p.publish("session:a", "tick")
        begun = time.monotonic()
        self.assertFalse(p.close(60))
        self.assertLess(time.monotonic() - begun, 30)
        self.assertFalse(p.flush(0))
        self.assertEqual(p.stats.dropped, 2)
        self.assertIn("2 events could not be sent", self.problems[-1].message)

    def test_flush_has_a_limit(self):
        p = self.publisher(f"unix:{self.directory}/nobody")
        p.publish("session:a", "tick")
        self.assertFalse(p.flush(0.05))

    def program(self, text, *arguments):
        return subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", text, *arguments],
            capture_output=True, text=True, timeout=PATIENCE,
            env={**os.environ, "PYTHONPATH": str(PACKAGE / "src")})

    def test_a_program_that_ends_takes_nothing_with_it(self):
        server = self.server()
        done = self.program(
            "import fanfare, sys\n"
            "p = fanfare.Publisher(sys.argv[1])\n"
            "for n in range(500): p.publish('session:end', 'tick', {'n': n})\n", server.url)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.numbers(server, "session:end"), list(range(500)))

    def test_a_program_ends_also_without_a_server(self):
        done = self.program(
            "import fanfare\n"
            f"fanfare.Publisher('unix:{self.directory}/nobody').publish('session:a', 'tick')\n")
        self.assertEqual(done.returncode, 0)
        self.assertIn("1 event could not be sent", done.stderr)

    def test_a_forked_process_publishes_its_own(self):
        server = self.server()
        done = self.program(
            "import fanfare, os, sys\n"
            "p = fanfare.Publisher(sys.argv[1])\n"
            "p.publish('session:fork', 'tick', {'n': 'parent'}, confirm=True)\n"
            "child = os.fork()\n"
            "p.publish('session:fork', 'tick', {'n': 'child' if not child else 'after'})\n"
            "ok = p.flush(10)\n"
            "if not child: os._exit(0 if ok else 1)\n"
            "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and ok\n", server.url)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(sorted(self.numbers(server, "session:fork")),
                         ["after", "child", "parent"])

    def test_a_callback_that_fails_hurts_nobody(self):
        server = self.server()

        def fail(problem):
            raise RuntimeError(problem.kind)

        p = fanfare.Publisher(server.url, on_problem=fail)
        self.addCleanup(p.close, 0)
        with self.assertLogs("fanfare", "ERROR"):
            p.publish("session:a", "Not A Type")
            self.assertTrue(p.flush(PATIENCE))
            p.publish("session:a", "tick", confirm=True)


class TestTerminalStream(PublisherCase):
    def test_characters_that_come_in_halves_are_kept_whole(self):
        server = self.server()
        p = self.publisher(server.url)
        with fanfare.TerminalStream(p, "s", source="make") as terminal:
            for piece in (b"caf\xc3", b"\xa9", b"", b"\xff!", b"\xe2\x82"):
                self.assertEqual(terminal.write(piece), len(piece))
            print("text", file=terminal)
        p.flush(PATIENCE)
        output = "".join(e["data"]["output"] for e in server.history("session:s"))
        self.assertEqual(output, "caf\u00e9\ufffd!text\n\ufffd")


assert os.path.exists(BINARY), f"{BINARY} is missing: build it, or set FANFARE_BIN"
