"""What `make demo` shows: a simulated bank's life, streamed; a night in Airflow; what was found."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from typing import Any

from lifecycle import app, platform
from lifecycle.commands.console import err, new_table
from lifecycle.errors import AnswerIsNo
from lifecycle.settings import Settings

SEED = 1
CLIENTS = 200
FIRST_DAY = dt.date(2026, 1, 1)
DAYS = 150
DRAIN_SECONDS_MAX = 120


def show_demo(configured: Settings) -> None:
    """Stream, drain, run the night in Airflow, compare what was planted with what was raised.

    Raises AnswerIsNo when a part of it did not work.
    """
    source = app.simulator(configured, seed=SEED, clients=CLIENTS, first_day=FIRST_DAY, days=DAYS)
    err.print(f"streaming {DAYS} days in the life of a bank with {CLIENTS} clients")
    published = app.publish(
        configured, source, first=None, last=None, speed=None, progress=lambda count: None
    )
    err.print(f"{published.events:,} events published in {published.seconds:.1f} s; consuming them")
    _drain(configured)
    last_day = FIRST_DAY + dt.timedelta(days=DAYS - 1)
    err.print(f"running the night of {last_day} in Airflow")
    state = platform.run_dag(configured.home, "nightly", {"business_date": last_day.isoformat()})
    if state != "success":
        raise AnswerIsNo("The nightly DAG failed: its task logs in Airflow say why.")
    err.print("bringing the alerts to their owners")
    platform.run_dag(configured.home, "alert_dispatch", {})
    _show_found(source.labels(), _alerts(configured))
    proof = app.prove(configured)
    if not proof.equal:
        raise AnswerIsNo("The stream's state differs from the log: `lifecycle prove` says where.")
    err.print(
        f"proof: {proof.clients:,} clients, {proof.events:,} facts and {proof.alerts:,} alerts "
        "folded again, equal byte for byte"
    )


def _drain(configured: Settings) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while time.monotonic() < deadline:
        now = app.operations(configured)
        if sum(sum(partitions.values()) for partitions in now["lag"].values()) == 0:
            return
        time.sleep(0.5)
    raise AnswerIsNo(f"The consumers did not catch up within {DRAIN_SECONDS_MAX} s.")


def _alerts(configured: Settings) -> list[dict[str, Any]]:
    with app.alerts(configured) as store:
        return store.list()


def _show_found(labels: list[Any], alerts: list[dict[str, Any]]) -> None:
    raised = Counter((alert["client_id"], alert["rule_id"]) for alert in alerts)
    rules = sorted({alert["rule_id"] for alert in alerts})
    table = new_table(
        "planted story", "clients", *rules, title="Planted, and raised for those clients"
    )
    for story in sorted({label.story for label in labels}):
        clients = {label.client_id for label in labels if label.story == story}
        counts = [sum(raised[client, rule] for client in clients) for rule in rules]
        table.add_row(story, str(len(clients)), *(str(n) if n else "" for n in counts))
    planted = {label.client_id for label in labels}
    others = [
        sum(
            n
            for (client, rule_id), n in raised.items()
            if rule_id == rule and client not in planted
        )
        for rule in rules
    ]
    table.add_row("(no story)", "", *(str(n) if n else "" for n in others))
    err.print(table)
