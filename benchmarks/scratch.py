"""A platform for one measurement: broker and database only, in a folder that is removed."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from lifecycle import platform as machine
from lifecycle import settings
from lifecycle.settings import Settings

CONSUMER_START_SECONDS_MAX = 60


@contextmanager
def scratch_platform() -> Iterator[Settings]:
    """Broker, database, schema and topics, up for as long as the block runs."""
    home = Path(tempfile.mkdtemp(prefix="lifecycle-bench-"))
    # Without this a terminated measurement would leave its processes behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        machine.up(home, {"topics"})
        yield settings.load({**os.environ, "LIFECYCLE_HOME": str(home)})
    finally:
        machine.down(home)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def consumer_process(configured: Settings, name: str = "bench") -> Iterator[psutil.Process]:
    """`lifecycle consume` as users run it; ended gracefully."""
    heartbeat = configured.home / "run" / f"{name}.heartbeat"
    heartbeat.unlink(missing_ok=True)
    environment = {
        **{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
        "LIFECYCLE_HOME": str(configured.home),
        "LIFECYCLE_HEARTBEAT": str(heartbeat),
    }
    log = (configured.home / "run" / f"{name}.log").open("ab")
    child = subprocess.Popen(
        [sys.executable, "-m", "lifecycle.cli", "consume"],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + CONSUMER_START_SECONDS_MAX
        while not heartbeat.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(30)
        log.close()


def start_over(configured: Settings) -> None:
    """Forget everything that was taken in; consumers wait at the log's start until `go`."""
    with psycopg.connect(configured.database_url) as connection:
        tables = connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('alembic_version', 'consumer_offset')"
        ).fetchall()
        connection.execute(
            f"TRUNCATE {', '.join(name for (name,) in tables)} RESTART IDENTITY CASCADE"
        )
        connection.execute(
            "UPDATE consumer_offset SET next_offset = 0, received = 0, applied = 0,"
            " quarantined = 0, duplicates = 0, parked = 0, stopped_at = now(), stopped_reason = 'wait'"
        )


def go(configured: Settings) -> None:
    """Let the consumers read."""
    with psycopg.connect(configured.database_url) as connection:
        connection.execute("UPDATE consumer_offset SET stopped_at = NULL, stopped_reason = NULL")


def peak_rss_mb(pid: int) -> int:
    """The most memory a process ever had, as the kernel counts it."""
    with open(f"/proc/{pid}/status") as status:
        line = next((text for text in status if text.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(line.split()[1]) // 1024


def machine_facts() -> dict[str, Any]:
    """What a reader needs to judge the numbers."""
    return {
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "json_loads_us": round(calibration_us(), 3),
    }


def calibration_us() -> float:
    """Microseconds to parse one event with the standard library: the speed of the machine now."""
    import json
    import timeit

    text = json.dumps({"id": "x" * 36, "data": {f"field_{i}": "1234.56" for i in range(18)}})
    return min(timeit.repeat(lambda: json.loads(text), number=2_000, repeat=5)) * 500
