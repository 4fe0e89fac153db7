"""A small TCP proxy that can misbehave, in front of PostgreSQL (a Unix socket) or a Kafka node.

No server is reconfigured. Kafka tells its clients where its nodes are, so a proxy before Kafka
rewrites its own node's address in the answers; whoever connects directly is not affected.

    pass      bytes go through
    latency   every answer waits `latency` seconds
    hold      connections stay open and nothing moves: a black hole
    cut       open connections are reset, new ones refused
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Literal

LOOPBACK = "127.0.0.1"
CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends RST."""
_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The simple query COMMIT as PostgreSQL's protocol frames it."""

Mode = Literal["pass", "hold", "cut"]
OnCommit = Callable[[], Literal["pass", "cut", "lose-answer"]]
Rewrite = Callable[[bytes], bytes]


class Proxy:
    """Listens on a free loopback port; `target` is a (host, port) or the path of a Unix socket."""

    def __init__(self, target: tuple[str, int] | str, kafka: bool = False) -> None:
        self.mode: Mode = "pass"
        self.latency = 0.0
        self.on_commit: OnCommit | None = None
        """Called once, when a client's COMMIT is about to be forwarded; then it is disarmed."""
        self.hold_at: int | None = None
        """The API key of the Kafka request that turns the proxy into a black hole."""
        self._target = target
        self._kafka = kafka
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *, stay: bool = False) -> None:
        """Reset all connections; with `stay`, refuse new ones until `heal`."""
        self.mode = "cut" if stay else self.mode
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.reset()

    def heal(self) -> None:
        """Let bytes through again. What was held goes on where it stopped."""
        self.mode, self.latency, self.on_commit, self.hold_at = "pass", 0.0, None, None

    def close(self) -> None:
        self._listener.close()
        self.cut(stay=True)

    def rewrite(self, answer: bytes) -> bytes:
        """A Kafka answer with this proxy's port where the node gives its own."""
        if not self._kafka or isinstance(self._target, str):
            return answer
        host = LOOPBACK.encode()
        return answer.replace(
            host + struct.pack(">i", self._target[1]), host + struct.pack(">i", self.port)
        )

    def take_commit_hook(self) -> OnCommit | None:
        """The hook, for one connection only."""
        with self._lock:
            hook, self.on_commit = self.on_commit, None
        return hook

    def hold_when_asked(self, request: bytes) -> None:
        """Begin to hold with the request that `hold_at` names."""
        if self.hold_at is not None and self._kafka and len(request) >= 6:
            (api_key,) = struct.unpack_from(">h", request, 4)
            if api_key == self.hold_at:
                self.mode = "hold"

    def wait_while_held(self) -> None:
        while self.mode == "hold":
            time.sleep(0.02)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                if self.mode == "cut":
                    raise ConnectionRefusedError("cut")
                server = _connect(self._target)
            except OSError:
                _reset(client)
                continue
            link = _Link(self, client, server, framed=self._kafka)
            with self._lock:
                self._links.add(link)
            link.start()


class _Link:
    """One client's connection and its twin to the server, two threads."""

    def __init__(
        self, proxy: Proxy, client: socket.socket, server: socket.socket, framed: bool
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._framed = framed
        self._lose_answer = False

    def start(self) -> None:
        for work in (self._requests, self._answers):
            threading.Thread(target=self._until_closed, args=(work,), daemon=True).start()

    def reset(self) -> None:
        for end in (self._client, self._server):
            _reset(end)

    def _until_closed(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError:
            self.reset()  # one side went away: so does the other
        else:
            for end in (self._client, self._server):
                _shut(end)

    def _requests(self) -> None:
        while data := self._client.recv(CHUNK):
            self._proxy.hold_when_asked(data)
            self._proxy.wait_while_held()
            hook = self._proxy.take_commit_hook() if _COMMIT in data else None
            then = hook() if hook else "pass"
            if then == "cut":
                raise ConnectionResetError("cut before COMMIT reached the server")
            self._lose_answer = then == "lose-answer"
            self._server.sendall(data)

    def _answers(self) -> None:
        whole = b""
        while data := self._server.recv(CHUNK):
            if self._lose_answer:
                raise ConnectionResetError("cut after COMMIT, before its answer")
            if self._framed:
                whole, data = _frames(whole + data)
            if data:
                time.sleep(self._proxy.latency)
                self._proxy.wait_while_held()
                self._client.sendall(self._proxy.rewrite(data))


def _frames(data: bytes) -> tuple[bytes, bytes]:
    """Length-prefixed bytes -> (what is not whole yet, whole messages)."""
    end = 0
    while len(data) >= end + 4:
        (size,) = struct.unpack_from(">i", data, end)
        if len(data) < end + 4 + size:
            break
        end += 4 + size
    return data[end:], data[:end]


def _connect(target: tuple[str, int] | str) -> socket.socket:
    if not isinstance(target, str):
        return socket.create_connection(target, timeout=None)
    server = socket.socket(socket.AF_UNIX)
    server.connect(target)
    return server


def _reset(end: socket.socket) -> None:
    if end.family == socket.AF_INET:
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            return  # closed already
    _shut(end)
    end.close()


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed already
