"""Channels that reach people: a file of notifications, mail, and whatever Apprise has a URL for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

import apprise

from lifecycle.errors import UsageError

KEY_HEADER = "X-Idempotency-Key"


class FileChannel:
    """One JSON line per message, on disk before it counts as delivered."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    def send(self, title: str, body: str, key: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"key": key, "title": title, "body": body}, ensure_ascii=False)
        with self._path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


class AppriseChannel:
    """Mail, chat or webhook by an Apprise URL. The key travels as a header where the service has
    headers (mail, json, xml and form webhooks), and always as the last line of the text."""

    def __init__(self, name: str, url: str, *, throttled: bool = True) -> None:
        self.name = name
        service = apprise.Apprise.instantiate(url)
        if service is None:
            raise UsageError(
                f"Channel {name} has an address that Apprise does not understand: "
                "it has to be an Apprise URL such as mailtos://... (see docs/operations.md)."
            )
        if not throttled:
            # Apprise waits 5.5 s between messages to be polite to public services.
            service.request_rate_per_sec = 0
        self._service = service

    def send(self, title: str, body: str, key: str) -> None:
        headers = getattr(self._service, "headers", None)
        if isinstance(headers, dict):
            headers[KEY_HEADER] = key
        with apprise.LogCapture(  # type: ignore[no-untyped-call]
            level=apprise.logging.INFO, fmt="%(message)s"
        ) as said:
            sent = self._service.notify(
                title=title, body=f"{body}\n\n[{key}]", body_format=apprise.NotifyFormat.TEXT
            )
            if not sent:
                why = "; ".join(said.getvalue().split("\n")).strip("; ")
                raise ConnectionError(
                    f"the receiver did not take the message: {why or 'no reason'}"
                )


def mail_url(server: str, address: str) -> str:
    """The Apprise URL of a plain mail over `server` (host:port) without a log-in."""
    return (
        f"mailto://{server}?from={quote('lifecycle@localhost')}&to={quote(address)}"
        "&mode=insecure&format=text"
    )
