"""The server: its URL, and requests to it over one connection that is kept open."""
from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from typing import Any, Dict, NamedTuple, Optional
from urllib.parse import urlsplit

from .errors import ConfigurationError

DEFAULT_URL = "http://127.0.0.1:8000"

# What an answer may have at most. A batch of events is answered with far less.
ANSWER_MAX = 16 * 1024 * 1024


class Unreachable(Exception):
    """No answer, or one that asks to come again later, after retry_after seconds if it says so.
    sent: whether the request may have reached the server."""

    def __init__(self, message: str, retry_after: float = 0, sent: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.sent = sent


class Target(NamedTuple):
    """A server's address, taken apart."""

    scheme: str  # "http", "https" or "unix"
    host: str    # of unix: the socket's path
    port: int
    base: str    # the path before /api, without a slash at its end


def parse_url(url: str) -> Target:
    """Takes http://HOST[:PORT][/BASE], https://… and unix:PATH apart; ws and wss mean http and
    https. Raises ConfigurationError."""
    expected = "expected http://HOST:PORT, https://HOST or unix:PATH"
    if not isinstance(url, str):
        raise ConfigurationError(f"url: {expected}, got {url!r}")
    if url.startswith("unix:"):
        path = url[5:]
        if not path or len(os.fsencode(path)) > 107:
            raise ConfigurationError(
                f'"{url}": the socket\'s path is empty or too long; {expected}')
        return Target("unix", path, 0, "")
    try:
        parts = urlsplit(url if "://" in url else "http://" + url)
        port = parts.port
    except ValueError as problem:
        raise ConfigurationError(f'"{url}": {problem}; {expected}') from None
    scheme = {"http": "http", "ws": "http", "https": "https", "wss": "https"}.get(parts.scheme)
    if scheme is None:
        raise ConfigurationError(f'"{url}": unknown scheme; {expected}')
    if not parts.hostname or any(c <= " " or c == "\x7f" for c in url):
        raise ConfigurationError(f'"{url}": no valid host and port; {expected}')
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(
            f'"{url}": a server\'s URL has no user, query or fragment; {expected}')
    if port == 0:
        raise ConfigurationError(f'"{url}": no valid host and port; {expected}')
    return Target(scheme, parts.hostname, port or (443 if scheme == "https" else 80),
                  parts.path.rstrip("/"))


def check_token(token: Optional[str]) -> Optional[str]:
    """The token, or None for an empty one. It goes into a header: what could end that is
    refused."""
    if not token:
        return None
    if not isinstance(token, str) or any(not "!" <= c <= "~" for c in token):
        raise ConfigurationError("the token has characters that a header cannot carry")
    return token


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        self.sock = sock


class Response(NamedTuple):
    status: int
    headers: Any
    body: bytes


class Link:
    """One connection to a server, made when it is needed. For one thread at a time, but any may
    call end."""

    def __init__(self, target: Target, ca_file: Optional[str], timeout: float) -> None:
        self._target = target
        self._timeout = timeout
        self._context: Optional[ssl.SSLContext] = None
        if target.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=ca_file)
            except (OSError, ssl.SSLError) as problem:
                raise ConfigurationError(
                    f"{ca_file}: the file with certificates cannot be read: {problem}") from None
        self._connection: Optional[http.client.HTTPConnection] = None
        self._ended = False

    def _connect(self) -> http.client.HTTPConnection:
        target = self._target
        connection: http.client.HTTPConnection
        if target.scheme == "unix":
            connection = _UnixConnection(target.host, self._timeout)
        elif target.scheme == "https":
            connection = http.client.HTTPSConnection(target.host, target.port,
                                                     timeout=self._timeout, context=self._context)
        else:
            connection = http.client.HTTPConnection(target.host, target.port, timeout=self._timeout)
        connection.connect()
        return connection

    def request(self, method: str, path: str, body: Optional[bytes],
                headers: Dict[str, str]) -> Response:
        """One request and its whole answer. Raises Unreachable. A connection that the server closed
        while it was idle is made again at once; what is sent here may be sent twice."""
        for attempt in (1, 2):
            reused = self._connection is not None
            try:
                return self._exchange(method, path, body, headers)
            except (OSError, http.client.HTTPException) as problem:
                sent = self._connection is not None
                self.close()
                late = isinstance(problem, (TimeoutError, socket.timeout))
                if attempt == 2 or late or not reused or self._ended:
                    raise Unreachable(_reason(problem), sent=sent) from None
        raise AssertionError("unreachable")

    def _exchange(self, method: str, path: str, body: Optional[bytes],
                  headers: Dict[str, str]) -> Response:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connect()
        connection.request(method, self._target.base + path, body, headers)
        response = connection.getresponse()
        data = response.read(ANSWER_MAX)
        if not response.isclosed() or response.will_close:
            self.close()
        return Response(response.status, response.headers, data)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        sock = connection.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        connection.close()

    def end(self) -> None:
        """Closes for good; a request that is under way fails."""
        self._ended = True
        self.close()

    def forget(self) -> None:
        """After a fork: the connection is the parent's, and is left to it."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.sock is not None:
            os.close(connection.sock.detach())


def _reason(problem: BaseException) -> str:
    if isinstance(problem, ConnectionRefusedError):
        return "connection refused (does `fanfare serve` run there?)"
    if isinstance(problem, FileNotFoundError):
        return "there is no such socket (does `fanfare serve` run there?)"
    if isinstance(problem, (socket.timeout, TimeoutError)):
        return "no answer in time"
    if isinstance(problem, http.client.RemoteDisconnected):
        return "the server closed the connection"
    return str(problem) or type(problem).__name__


def retry_after(headers: Any) -> float:
    """The seconds of Retry-After, at most an hour; 0 without one."""
    value = (headers.get("Retry-After") or "").strip()
    return min(float(value), 3600.0) if value.isdigit() else 0.0


def error_text(response: Response) -> str:
    """What a refusal says, in words."""
    try:
        error = json.loads(response.body)["error"]
        return str(error.get("message") or error) if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {response.status}"
