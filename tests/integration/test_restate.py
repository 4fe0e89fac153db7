"""Restate: exactly the decisions and attributes that late facts would have changed."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from random import Random
from typing import Any

import pytest

from consumers.publish import publish
from lifecycle import app
from lifecycle.errors import UsageError
from lifecycle.events import Outgoing
from lifecycle.settings import Settings
from lifecycle.sources.simulator import SimulatorSource
from tests.support import consumer, query, received, wait_for

pytestmark = pytest.mark.integration
FIRST = dt.date(2026, 1, 1)
DAYS = 100
AS_OF = FIRST + dt.timedelta(days=70)
LATE_TYPE = "bank.account.transaction_posted.v1"


def take_in(configured: Settings, facts: list[Outgoing]) -> None:
    before = received(configured)
    publish(iter(facts), configured.kafka_bootstrap)
    with consumer(configured):
        wait_for(lambda: received(configured) == before + len(facts), 60, "consume")


def split(configured: Settings) -> tuple[list[Outgoing], list[Outgoing]]:
    """The facts in the order they come, and one posting in a hundred that comes up to thirty days
    late."""
    source = SimulatorSource(
        seed=5, clients=50, first_day=FIRST, days=DAYS, timezone=configured.timezone
    )
    random = Random(3)
    on_time, late = [], []
    for fact in source.events(None, None):
        chosen = fact.type == LATE_TYPE and random.random() < 0.01
        (late if chosen else on_time).append(fact)
    return on_time, late


def test_late_facts_change_what_they_touch_and_nothing_else(clean: Settings) -> None:
    on_time, late = split(clean)
    end = dt.datetime.combine(AS_OF + dt.timedelta(days=1), dt.time(), clean.timezone)
    take_in(clean, [fact for fact in on_time if fact.time < end])
    app.run_nightly(clean, AS_OF)
    assert app.restate(clean, AS_OF)["decisions"] == []

    # They come within the month that follows, and with it what is on time.
    take_in(clean, [fact for fact in on_time if fact.time >= end])
    take_in(clean, late)
    app.run_nightly(clean, FIRST + dt.timedelta(days=DAYS - 1))
    late_clients = {fact.key for fact in late}
    touched = {fact.key for fact in late if fact.time < end}
    assert 5 < len(touched) < 50

    found = app.restate(clean, AS_OF)

    # What is late by less than a day is on time.
    assert len(late) - 3 <= found["facts"] <= len(late)
    assert found["clients"] <= len(late_clients)
    changed = {row["client_id"] for row in found["attributes"]}
    assert changed <= touched
    assert len(changed) > len(touched) * 0.8, "a posting before the date is in its client's flows"
    assert {row["client_id"] for row in found["scores"]} <= touched
    assert {change["client_id"] for change in found["decisions"]} <= late_clients
    for change in found["decisions"]:
        assert change["because"]
    # What the night raised on late facts is what they would have raised in time.
    raised = {key for (key,) in query(clean, "SELECT alert_key FROM alert WHERE late")}
    gained = {c["alert_key"] for c in found["decisions"] if c["change"] == "GAINED"}
    assert raised <= gained

    stored = query(clean, "SELECT count(*), count(DISTINCT alert_key) FROM alert")
    assert app.restate(clean, AS_OF) == found, "it alters nothing"
    assert query(clean, "SELECT count(*), count(DISTINCT alert_key) FROM alert") == stored
    assert app.prove(clean).equal


def test_it_speaks_json_and_plain_words(clean: Settings) -> None:
    environment = {**os.environ, "LIFECYCLE_HOME": str(clean.home)}

    def restate(*arguments: str) -> Any:
        command = [sys.executable, "-m", "lifecycle.cli", "restate", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    shown = json.loads(restate("--json").stdout)
    assert shown == {
        "clients": 0,
        "facts": 0,
        "decisions": [],
        "date": None,
        "attributes": [],
        "scores": [],
    }
    assert "0 alerts would be others" in restate().stdout
    with pytest.raises(UsageError, match="no night of that date"):
        app.restate(clean, AS_OF)
