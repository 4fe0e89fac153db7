"""Channels that reach people: a file of notifications, and whatever Apprise has a URL for."""

from __future__ import annotations

import json
from pathlib import Path

import apprise


class FileChannel:
    """One JSON line per message; the default, and what an auditor can read."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    def send(self, title: str, body: str, key: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"key": key, "title": title, "body": body}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class AppriseChannel:
    """Mail, chat or webhook by an Apprise URL; the key travels in the text for the receiver."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise ValueError(f"channel {name}: {url.split(':')[0]} is not an Apprise URL")
        if url.startswith("mailto"):
            for target in self._apprise:
                # Apprise waits 5.5 s between two messages; a mail server needs no such rest.
                target.request_rate_per_sec = 0

    def send(self, title: str, body: str, key: str) -> None:
        if not self._apprise.notify(title=title, body=f"{body}\n\n[{key}]"):
            raise ConnectionError(f"channel {self.name} did not take the message")
