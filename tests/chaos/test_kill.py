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
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from consumers.publish import publish
from lifecycle import app, platform, settings
from lifecycle.settings import Settings
from lifecycle.sources.simulator import SimulatorSource
from tests.support import query, received, wait_for

pytestmark = pytest.mark.chaos
KILLS = int(os.environ.get("LIFECYCLE_CHAOS_KILLS", "6"))
EVENTS = int(os.environ.get("LIFECYCLE_CHAOS_EVENTS", "20000"))
SEED = int(os.environ.get("LIFECYCLE_CHAOS_SEED", "1"))
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


def test_nothing_is_lost_or_doubled(supervised: Settings) -> None:
    print(f"seed {SEED}, {KILLS} kills, {EVENTS} events")
    chance = random.Random(SEED)
    days = max(20, EVENTS // 120)
    source = SimulatorSource(
        seed=SEED,
        clients=max(50, EVENTS // days),
        first_day=dt.date(2026, 1, 1),
        days=min(days, 180),
        timezone=supervised.timezone,
    )
    sent = publish(source.events(None, None), supervised.kafka_bootstrap)
    for number in range(KILLS):
        time.sleep(chance.uniform(0.3, 1.5))
        _kill(supervised.home, VICTIMS[number % len(VICTIMS)])
        wait_for(lambda: platform.status(supervised.home).healthy, 120, "the platform heals itself")
    wait_for(lambda: received(supervised) == sent.events, 120, "catch up")
    books = app.operations(supervised)["reconciliation"]
    assert books["balanced"], books
    assert (books["in"], books["applied"]) == (sent.events, sent.events)
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
