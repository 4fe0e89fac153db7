"""The keys of `--json` are a stable interface: more may be added, none renamed or taken away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from lifecycle.settings import Settings
from tests.support import consumer, received, wait_for

pytestmark = pytest.mark.integration

KEYS = {
    "status": {"healthy", "parts", "urls", "reconciliation", "lag"},
    "replay": {"source", "events", "seconds", "first_time", "last_time"},
    "nightly": {"date", "steps", "published", "equal"},
    "prove": {"equal", "clients", "events", "alerts", "differences"},
    "replay-alert": {"alerts", "identical", "differences"},
    "client": {
        "client_id",
        "as_of",
        "lifecycle",
        "attributes",
        "checks",
        "consents",
        "needs",
        "scores",
        "alerts",
        "degraded",
        "incomplete",
        "gaps",
    },
}
RECONCILIATION = {"in", "applied", "quarantined", "duplicates", "parked", "balanced"}
ATTRIBUTE = {
    "name",
    "value",
    "unit",
    "as_of",
    "purpose",
    "confidence",
    "null_reason",
    "source_event_ids",
}
ALERT = {
    "alert_id",
    "alert_key",
    "rule_id",
    "rule_version",
    "severity",
    "client_id",
    "owner",
    "status",
    "event_time",
    "detected_at",
    "evidence",
}


def lifecycle(configured: Settings, *arguments: str) -> Any:
    answer = subprocess.run(
        [sys.executable, "-m", "lifecycle.cli", *arguments, "--json"],
        env={**os.environ, "LIFECYCLE_HOME": str(configured.home)},
        capture_output=True,
        text=True,
    )
    return json.loads(answer.stdout), answer


def test_every_documented_key_is_there(clean: Settings) -> None:
    arguments = ("simulator", "--clients", "50", "--days", "60")
    replayed, _ = lifecycle(clean, "replay", *arguments)
    with consumer(clean):
        wait_for(lambda: received(clean) == replayed["events"], 60, "consume")
    found = {
        "replay": replayed,
        "nightly": lifecycle(clean, "nightly", "--date", "2026-03-01")[0],
        "prove": lifecycle(clean, "prove")[0],
        "replay-alert": lifecycle(clean, "replay-alert", "--all")[0],
        "client": lifecycle(clean, "client", "SIM-000004")[0],
        "status": lifecycle(clean, "status")[0],
    }
    for command, keys in KEYS.items():
        assert keys <= found[command].keys(), command
    assert found["status"]["reconciliation"].keys() >= RECONCILIATION
    assert {"name", "rows", "seconds", "gate"} <= found["nightly"]["steps"][0].keys()
    assert found["client"]["attributes"][0].keys() >= ATTRIBUTE
    alerts, _ = lifecycle(clean, "alerts", "list")
    assert alerts[0].keys() >= ALERT
    assert alerts[0]["evidence"][0]["event_id"]
    explained, _ = lifecycle(clean, "explain", alerts[0]["alert_id"])
    assert explained["facts"]
    assert explained["rule"]["id"] == alerts[0]["rule_id"]
