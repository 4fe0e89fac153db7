"""`lifecycle up`, `down` and `status`: what a person says to the platform of this machine."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lifecycle.errors import NotRunning, UsageError
from lifecycle.platform import address as addresses
from lifecycle.platform import airflow, database
from lifecycle.platform.address import Address
from lifecycle.platform.parts import layout, with_dependencies
from lifecycle.platform.supervisor import sweep
from lifecycle.settings import LOOPBACK

MEMORY_GB_NEEDED = 3
DISK_GB_NEEDED = 2
UP_SECONDS_MAX = 240
RESTARTS_MAX = 4
"""A part that died this often while starting will not come up by itself."""
LOG_LINES_SHOWN = 15
DOWN = "the platform is down: run `lifecycle up`"
"""The detail of every part when no supervisor is there."""

Progress = Callable[[str, str], None]
"""Called with (part, detail) whenever a part's detail changes."""


@dataclass(frozen=True)
class PlatformStatus:
    """Health of every part, where Airflow is, and how to log in."""

    healthy: bool
    parts: dict[str, dict[str, Any]]
    urls: dict[str, str]
    log_in: dict[str, str]


def up(
    home: Path,
    parts: set[str] | None = None,
    progress: Progress = lambda part, detail: None,
    *,
    brokers: int | None = None,
    consumers: int | None = None,
) -> PlatformStatus:
    """Start what is not running and wait until all is healthy. Idempotent.

    `brokers` is fixed at the first start of a home; `consumers` may change while it is down.

    Raises UsageError when the machine lacks something, NotRunning when a part does not come up.
    """
    known = addresses.read(home)
    if known and _supervisor_alive(known) and consumers not in (None, known.consumers):
        raise UsageError(
            f"The platform runs with {known.consumers} consumers: run `lifecycle down`, then "
            f"`lifecycle up --consumers {consumers}`."
        )
    address = addresses.create(home, brokers, consumers)
    every = layout(address.brokers, address.consumers)
    names = parts or set(every)
    if not _supervisor_alive(address):
        _preflight(address)
        sweep(address)
        (address.run / "status.json").unlink(missing_ok=True)
        _spawn_supervisor(address, names)
    _wait(address, {part.name for part in with_dependencies(names, every)}, progress)
    return status(home)


def down(home: Path, progress: Progress = lambda part, detail: None) -> None:
    """Stop every process of this platform, also when its supervisor was killed."""
    address = addresses.read(home)
    if address is None:
        return
    if _supervisor_alive(address):
        look = _changes(progress, _read_status(address))
        os.kill(int((address.run / "supervisor.pid").read_text()), 15)
        while _supervisor_alive(address):
            look(_read_status(address))
            time.sleep(0.1)
        look(_read_status(address))
    sweep(address)
    database.remove_socket(address)


def status(home: Path) -> PlatformStatus:
    """What the supervisor last wrote; every part is unhealthy when it is not there."""
    address = addresses.read(home)
    if address is None:
        return PlatformStatus(False, {}, {}, {})
    alive = _supervisor_alive(address)
    known = _read_status(address)
    parts = {
        part.name: known[part.name] if alive else _not_supervised(known[part.name])
        for part in layout(address.brokers, address.consumers).values()
        if part.name in known
    }
    return PlatformStatus(
        healthy=alive and bool(parts) and all(p["healthy"] for p in parts.values()),
        parts=parts,
        urls={"airflow": address.airflow_url, **_metrics(address)},
        log_in={"user": "admin", "passwords": str(address.passwords)},
    )


def _metrics(address: Address) -> dict[str, str]:
    """Consumer -> where it answers Prometheus."""
    return {
        addresses.numbered(
            "consumer", number
        ): f"http://{LOOPBACK}:{address.metrics_port(number)}/metrics"
        for number in range(1, address.consumers + 1)
    }


@contextmanager
def storage(home: Path, progress: Progress = lambda part, detail: None) -> Iterator[None]:
    """The database and the brokers alone, for the length of the block.

    Starts them when nothing runs here, and stops them again. Raises UsageError, naming them, when
    parts are up that read or write facts.
    """
    known = addresses.read(home)
    if known is None or not _supervisor_alive(known):
        address = addresses.create(home)
        brokers = {addresses.numbered("broker", node) for node in range(1, address.brokers + 1)}
        up(home, {"database", *brokers}, progress)
        try:
            yield
        finally:
            down(home, progress)
        return
    at_work = [name for name, part in _read_status(known).items() if _works(name, part)]
    if at_work:
        raise UsageError(
            f"{', '.join(at_work)} of the platform in {home} are running: run `lifecycle down`, "
            "restore, then run `lifecycle up`."
        )
    yield


def _works(name: str, part: dict[str, Any]) -> bool:
    """Whether this part is there to read or write facts."""
    return part["pid"] is not None and name.startswith(("consumer", "relay", "airflow"))


def run_dag(home: Path, dag_id: str, conf: dict[str, str], seconds_max: float = 240) -> str:
    """Run a DAG of this platform's Airflow to its end; returns its state."""
    address = addresses.read(home)
    if address is None:
        raise NotRunning("Nothing is running here: `lifecycle up` starts the platform.")
    return airflow.run_dag(address, dag_id, conf, seconds_max)


def _not_supervised(part: dict[str, Any]) -> dict[str, Any]:
    return part | {"healthy": False, "detail": DOWN}


def _changes(
    progress: Progress, before: dict[str, dict[str, Any]]
) -> Callable[[dict[str, dict[str, Any]]], None]:
    """A look at every part -> `progress` for those whose detail is another than at the last look."""
    shown = {name: part["detail"] for name, part in before.items()}

    def look(parts: dict[str, dict[str, Any]]) -> None:
        for name, part in parts.items():
            if shown.get(name) != part["detail"]:
                shown[name] = part["detail"]
                progress(name, part["detail"])

    return look


def _wait(address: Address, names: set[str], progress: Progress) -> None:
    look = _changes(progress, {})
    deadline = time.monotonic() + UP_SECONDS_MAX
    while True:
        known = _read_status(address)
        look(known)
        missing = names - known.keys()
        waiting = [n for n in names & known.keys() if not known[n]["healthy"]]
        if known and missing:
            raise UsageError(
                f"This platform runs without {', '.join(sorted(missing))}: "
                "run `lifecycle down`, then `lifecycle up`."
            )
        if known and not waiting:
            return
        for name in waiting:
            if known[name]["restarts"] >= RESTARTS_MAX:
                raise _did_not_start(address, name, known[name]["detail"])
        if time.monotonic() > deadline:
            late = waiting[0] if waiting else "supervisor"
            raise _did_not_start(address, late, f"not healthy after {UP_SECONDS_MAX} s")
        if not _supervisor_alive(address) and time.monotonic() > deadline - UP_SECONDS_MAX + 10:
            raise _did_not_start(address, "supervisor", "it ended")
        time.sleep(0.1)


def _did_not_start(address: Address, name: str, detail: str) -> NotRunning:
    log = address.log(name)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    tail = "\n".join(f"  {line}" for line in lines[-LOG_LINES_SHOWN:])
    return NotRunning(f"{name} does not start ({detail}); the end of {log}:\n{tail}")


def _spawn_supervisor(address: Address, names: set[str]) -> None:
    environment = {
        **os.environ,
        "LIFECYCLE_HOME": str(address.home),
        "LIFECYCLE_INSTANCE": address.instance,
        "LIFECYCLE_PART": "supervisor",
    }
    with address.log("supervisor").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "lifecycle.platform.supervisor", *sorted(names)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def _supervisor_alive(address: Address) -> bool:
    """Whether somebody holds the supervisor's lock; the lock goes with the process."""
    path = address.run / "supervisor.lock"
    if not path.exists():
        return False
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _read_status(address: Address) -> dict[str, dict[str, Any]]:
    path = address.run / "status.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _preflight(address: Address) -> None:
    """One sentence for what is missing, before anything is started."""
    free_memory = psutil.virtual_memory().available / 2**30
    if free_memory < MEMORY_GB_NEEDED:
        raise UsageError(
            f"The platform needs {MEMORY_GB_NEEDED} GB of free memory and this machine has "
            f"{free_memory:.1f}: stop something else first."
        )
    free_disk = shutil.disk_usage(address.home).free / 2**30
    if free_disk < DISK_GB_NEEDED:
        raise UsageError(
            f"{address.home} has {free_disk:.1f} GB of free disk and the platform needs "
            f"{DISK_GB_NEEDED}: free some, or set LIFECYCLE_HOME to another disk."
        )
    _ports_free(address)


def _ports_free(address: Address) -> None:
    listening = {
        c.laddr.port: c.pid
        for c in psutil.net_connections("tcp")
        if c.status == psutil.CONN_LISTEN and c.laddr
    }
    for name, port in address.ports.items():
        pid = listening.get(port)
        if pid is not None and not _ours(pid, address):
            raise UsageError(
                f"Port {port} ({name}) is taken by process {pid}: set "
                f"{addresses.PORT_ENV}{name.upper().replace('-', '_')} to a free port, or stop that process."
            )


def _ours(pid: int, address: Address) -> bool:
    try:
        return psutil.Process(pid).environ().get("LIFECYCLE_INSTANCE") == address.instance
    except psutil.Error:
        return False
