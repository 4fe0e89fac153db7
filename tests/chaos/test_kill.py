"""kill -9 of the consumer, the broker and the database in the middle of a replay.

The oracle is the same for all: every published event is in exactly one of applied, quarantined or
duplicate, the stream proves equal, alerts are unique.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lifecycle import app, platform, settings
from lifecycle.settings import Settings
from tests.support import query, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
KILLS = int(os.environ.get("LIFECYCLE_CHAOS_KILLS", "6"))
EVENTS = int(os.environ.get("LIFECYCLE_CHAOS_EVENTS", "20000"))
SEED = int(os.environ.get("LIFECYCLE_CHAOS_SEED", "1"))
DAYS = 150
VICTIMS = ("consumer", "broker", "database")


@pytest.fixture
def supervised() -> Iterator[Settings]:
    """Broker, database, consumer and relay under the real supervisor."""
    home = Path(tempfile.mkdtemp(prefix="lifecycle-chaos-"))
    try:
        platform.up(home, {"consumer", "relay"})
        yield settings.load({"LIFECYCLE_HOME": str(home)})
    finally:
        platform.down(home)
        shutil.rmtree(home, ignore_errors=True)


def _kill(home: Path, part: str) -> None:
    pid = platform.status(home).parts[part]["pid"]
    if pid and psutil.pid_exists(pid):
        os.kill(pid, signal.SIGKILL)


def _replay(configured: Settings, clients: int) -> subprocess.Popen[bytes]:
    """`lifecycle replay simulator` as users run it, while the platform is being shot at."""
    arguments = ["--seed", str(SEED), "--clients", str(clients), "--days", str(DAYS)]
    return subprocess.Popen(
        [sys.executable, "-m", "lifecycle.cli", "replay", "simulator", *arguments],
        env={**os.environ, "LIFECYCLE_HOME": str(configured.home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_nothing_is_lost_or_doubled(supervised: Settings) -> None:
    clients = max(50, EVENTS // int(DAYS * 1.2))
    source = app.simulator(
        supervised, seed=SEED, clients=clients, first_day=dt.date(2026, 1, 1), days=DAYS
    )
    expected = {event.id for event in source.events(None, None)}
    print(f"seed {SEED}, {KILLS} kills, {len(expected):,} events")
    chance = random.Random(SEED)
    replay = _replay(supervised, clients)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.3, 1.5))
        _kill(supervised.home, chance.choice(VICTIMS))
        wait_for(lambda: platform.status(supervised.home).healthy, 120, "the platform heals itself")
        if replay.poll() not in (None, 0):
            replay = _replay(supervised, clients)  # what arrived is recognised by its id
    while replay.wait(300) != 0:
        replay = _replay(supervised, clients)
    wait_for(
        lambda: query(supervised, "SELECT count(*) FROM event_log") == [(len(expected),)],
        120,
        "every event is applied",
    )
    wait_for(lambda: app.operations(supervised)["lag_total"] == 0, 60, "no lag is left")
    assert {e for (e,) in query(supervised, "SELECT event_id FROM event_log")} == expected
    books = app.operations(supervised)["reconciliation"]
    assert books["balanced"], books
    assert books["quarantined"] == 0
    proof = app.prove(supervised)
    assert proof.equal, proof.differences
    assert query(supervised, "SELECT count(*) - count(DISTINCT alert_key) FROM alert") == [(0,)]
    wait_for(
        lambda: (
            query(supervised, "SELECT count(*) FROM outbox WHERE published_at IS NULL") == [(0,)]
        ),
        60,
        "the outbox drains",
    )
