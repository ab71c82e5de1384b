"""What the tests stand on: real servers, a wire that can be cut, waiting for conditions."""
import json
import logging
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from urllib.parse import quote

PACKAGE = pathlib.Path(__file__).resolve().parent.parent
PROJECT = PACKAGE.parent.parent
sys.path.insert(0, str(PACKAGE / "src"))
BINARY = os.environ.get("FANFARE_BIN") or str(PROJECT / "build/release/fanfare")
os.environ["FANFARE_PROGRAM"] = BINARY
for name in ("FANFARE_URL", "FANFARE_TOKEN", "FANFARE_SESSION"):
    os.environ.pop(name, None)
logging.getLogger("fanfare").addHandler(logging.NullHandler())  # the tests ask on_problem
PATIENCE = 10 * float(os.environ.get("FANFARE_TEST_SLOWNESS", "1"))

from fanfare.target import Link, parse_url  # noqa: E402


def wait_for(condition, what="the condition"):
    """What condition() returns, as soon as that is true."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s in vain for {what}")
        time.sleep(0.005)


class Server:
    """A server on a Unix socket: its address is the same after a restart, and while it is down."""

    def __init__(self, directory, *arguments):
        self.directory = directory
        self.url = f"unix:{directory}/fanfare.sock"
        self.arguments = arguments
        self.process = None

    def start(self):
        self.log = open(os.path.join(self.directory, "server.log"), "ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--listen", self.url, "--listen", "127.0.0.1:0", "--drain", "0s",
             "--data", os.path.join(self.directory, "data"), *self.arguments],
            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        urls = [self.process.stdout.readline().decode().strip() for _ in range(2)]
        self.http_url = next((url for url in urls if url.startswith("http")), None)
        if not self.http_url:
            raise AssertionError(f"the server did not start: {urls}")
        return self

    def stop(self):
        if self.process:
            self.thaw()
            self.process.terminate()
            code = self.process.wait(PATIENCE)
            self.process.stdout.close()
            self.log.close()
            self.process = None
            if code:
                log = pathlib.Path(self.directory, "server.log").read_text()
                raise AssertionError(f"the server's end: {code}\n{log}")

    def freeze(self):
        """Stops the process in its tracks, as a machine that hangs does; returns when it stands."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        wait_for(lambda: all((task / "stat").read_text().rpartition(") ")[2][0] == "T"
                             for task in tasks.iterdir()), "the server to stand still")

    def thaw(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)

    def get(self, path, token=None):
        link = Link(parse_url(self.url), None, PATIENCE)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = link.request("GET", path, None, headers)
        link.close()
        return json.loads(response.body)

    def history(self, topic, token=None):
        found = self.get(f"/api/v1/topics/{quote(topic, safe='')}/history?since=0&limit=10000",
                         token)
        return found.get("events", [])


class Wire:
    """Between a publisher and a server: a listener on a Unix socket that passes bytes on. It can
    swallow answers, as a connection that breaks just then does, and answer in the server's place.
    """

    def __init__(self, directory, server):
        path = os.path.join(directory, "wire.sock")
        self.url = f"unix:{path}"
        self.swallow = 0  # so many answers never arrive
        self.answer = None  # what every request is answered with, instead of the server's answer
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.answer:
                threading.Thread(target=self._refuse, args=(client, self.answer),
                                 daemon=True).start()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server.url[len("unix:"):])
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()
            threading.Thread(target=self._carry_back, args=(server, client), daemon=True).start()

    @staticmethod
    def _refuse(client, answer):
        with client, client.makefile("rb") as request:
            length = 0
            for line in iter(request.readline, b"\r\n"):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            request.read(length)
            try:
                client.sendall(answer)
            except OSError:
                pass  # the publisher was closed

    @staticmethod
    def _carry(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _carry_back(self, server, client):
        try:
            while data := server.recv(65536):
                if self.swallow:
                    self.swallow -= 1
                    break
                client.sendall(data)
        except OSError:
            pass
        for each in (client, server):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()


class Case(unittest.TestCase):
    """A test with a temporary directory, and servers that end with it."""

    def setUp(self):
        # Short: a Unix socket's path has at most 107 bytes.
        self.directory = tempfile.mkdtemp(prefix="fanfare-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def server(self, *arguments, start=True):
        server = Server(self.directory, *arguments)
        self.addCleanup(server.stop)
        return server.start() if start else server

    def wire(self, server):
        wire = Wire(self.directory, server)
        self.addCleanup(wire.close)
        return wire
