"""A webhook that takes every message, and answers only when it is told to."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lifecycle.adapters.notify import KEY_HEADER
from tests.chaos.proxy import LOOPBACK


class Receiver:
    """`answers` may be cleared and set at any moment; `taken` counts messages by their key."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.taken = Counter[str]()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken[self.headers[KEY_HEADER]] += 1
                if receiver.answers.wait(30):
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        # Whoever calls waits for two seconds, so that a test need not wait for longer.
        self.url = f"json://{LOOPBACK}:{self._server.server_port}/?cto=2&rto=2"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
