"""The supervisor: one detached process per platform that starts parts and keeps them running.

`python -m lifecycle.platform.supervisor [PART ...]` with LIFECYCLE_HOME set. It writes
`run/status.json` whenever something changes, and stops everything in reverse order on SIGTERM.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import psutil

from lifecycle.platform import database
from lifecycle.platform.address import Address, read, write_atomically
from lifecycle.platform.parts import Part, environment, layout, with_dependencies

TICK_SECONDS = 0.25
HEALTH_SECONDS = 2.0
STARTING_HEALTH_SECONDS = 0.25
BACKOFF_SECONDS_MAX = 30.0
STOP_SECONDS = 20.0
STABLE_SECONDS = 3.0
"""A part that was healthy this long starts again without delay when it dies: what ended it came
from outside."""


@dataclass
class PartStatus:
    """What the supervisor knows of one part."""

    healthy: bool = False
    detail: str = "waiting"
    pid: int | None = None
    restarts: int = 0
    since: float | None = None


class Watched:
    """One part's process, its health and its back-off."""

    def __init__(self, part: Part, address: Address) -> None:
        self.part = part
        self.status = PartStatus()
        self._address = address
        self._process: subprocess.Popen[bytes] | None = None
        self._start_due = 0.0
        self._health_due = 0.0
        self._failures = 0
        self._healthy_since: float | None = None

    def tick(self, ready: set[str]) -> None:
        """Start, look after or restart the part."""
        now = time.monotonic()
        if self._process is None:
            if set(self.part.after) <= ready and now >= self._start_due:
                self._start()
        elif self._process.poll() is not None:
            self._ended(self._process.returncode)
        elif now >= self._health_due and not self.part.once:
            self._look()

    def ask_to_stop(self) -> None:
        """Send the part its stop signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.part.stop_signal)

    def wait_for_end(self) -> None:
        """Wait until the part is gone; kill its process group when it does not go."""
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.status = PartStatus(detail="stopped", restarts=self.status.restarts)

    def _start(self) -> None:
        if self.part.once and self.part.done(self._address):
            self.status = PartStatus(True, "done before")
            self._start_due = float("inf")
            return
        try:
            command = self.part.command(self._address)
            self._address.heartbeat(self.part.name).unlink(missing_ok=True)
            with self._address.log(self.part.name).open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment(self.part, self._address)
                    | {"LIFECYCLE_RESTARTS": str(self.status.restarts)},
                    user=self.part.user(),
                    cwd="/" if self.part.user() else None,
                    start_new_session=True,
                )
        except Exception as error:
            self._failed(f"could not start: {error}")
            return
        self.status.pid = self._process.pid
        self.status.since = time.time()
        self.status.detail = "starting"
        self._health_due = 0.0

    def _look(self) -> None:
        wrong = self.part.health(self._address)
        starting = not self.status.healthy
        self.status.healthy = wrong is None
        if wrong is None:
            self._healthy_since = self._healthy_since or time.monotonic()
        self.status.detail = wrong or "running"
        self._health_due = time.monotonic() + (
            STARTING_HEALTH_SECONDS if starting else HEALTH_SECONDS
        )

    def _ended(self, code: int) -> None:
        self._process = None
        if self.part.once and code == 0:
            self.status = PartStatus(True, "done", restarts=self.status.restarts)
            self._start_due = float("inf")
            self.part.mark_done(self._address)
            return
        _end_children(self.part, self._address)
        if self._healthy_since and time.monotonic() - self._healthy_since > STABLE_SECONDS:
            self._failures = 0
        self._healthy_since = None
        self._failed(f"ended with status {code}")

    def _failed(self, why: str) -> None:
        delay = min(0.5 * 2**self._failures, BACKOFF_SECONDS_MAX)
        self._failures += 1
        self._start_due = time.monotonic() + delay
        self.status = PartStatus(
            detail=f"{why}; next start in {delay:.0f} s", restarts=self.status.restarts + 1
        )


def supervise(address: Address, names: set[str]) -> None:
    """Run these parts and what they need until SIGTERM."""
    stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    parts = layout(address.brokers, address.consumers)
    watched = [Watched(part, address) for part in with_dependencies(names, parts)]
    written = ""
    while not stopping:
        ready = {w.part.name for w in watched if w.status.healthy}
        for one in watched:
            one.tick(ready)
        written = _write_status(address, watched, written)
        time.sleep(TICK_SECONDS)
    for wave in waves(watched):
        for one in wave:
            one.ask_to_stop()
        for one in wave:
            one.wait_for_end()
        written = _write_status(address, watched, written)
    database.remove_socket(address)


def waves(watched: list[Watched]) -> Iterator[list[Watched]]:
    """The order to stop in: together go the parts that no running part needs."""
    left = list(watched)
    while left:
        needed = {name for one in left for name in one.part.after}
        wave = [one for one in left if one.part.name not in needed]
        yield wave
        left = [one for one in left if one not in wave]


def _write_status(address: Address, watched: list[Watched], before: str) -> str:
    text = json.dumps({w.part.name: asdict(w.status) for w in watched})
    if text != before:
        write_atomically(address.run / "status.json", text)
    return text


def _end_children(part: Part, address: Address) -> None:
    """Kill what a part left behind when it was killed: the workers of Airflow's scheduler would keep
    its port, and with its inherited connection its locks in the database."""
    for process in psutil.process_iter():
        if _belongs(process, address, part.name):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def sweep(address: Address) -> int:
    """End every process that carries this platform's instance mark; return how many there were."""
    left = [p for p in psutil.process_iter() if _belongs(p, address) and p.pid != os.getpid()]
    for process in left:
        process.terminate()
    _, alive = psutil.wait_procs(left, timeout=STOP_SECONDS)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=STOP_SECONDS)
    return len(left)


def _belongs(process: psutil.Process, address: Address, part: str | None = None) -> bool:
    try:
        environment = process.environ()
        return environment.get("LIFECYCLE_INSTANCE") == address.instance and part in (
            None,
            environment.get("LIFECYCLE_PART"),
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError):
        return False


def main() -> None:
    """Take the lock of this home, clear what an earlier supervisor left, supervise."""
    address = read(Path(os.environ["LIFECYCLE_HOME"]))
    assert address is not None
    lock = (address.run / "supervisor.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(0)  # another one is at work; there must not be two
    sweep(address)
    write_atomically(address.run / "supervisor.pid", str(os.getpid()))
    supervise(address, set(sys.argv[1:]))


if __name__ == "__main__":
    main()
