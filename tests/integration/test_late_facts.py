"""Late facts on the real broker, database and lake: the stream is quiet, the night says it once."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from consumers.relay import producer_for, send
from lifecycle import app
from lifecycle.commands import application
from lifecycle.events import Fact
from lifecycle.events.client import ClientRegistered
from lifecycle.ports import OutboxMessage
from lifecycle.settings import Settings
from tests.support import consumer, opened, outgoing, posted, query, received, wait_for

pytestmark = pytest.mark.integration


def _deliver(configured: Settings, *facts: tuple[Fact, dt.datetime]) -> None:
    """Facts of the core system, read to the end."""
    outs = [outgoing(fact, time=time, source="/core") for fact, time in facts]
    before = received(configured)
    producer = producer_for(configured.kafka_bootstrap)
    send(producer, [OutboxMessage(out.topic, out.key, out.value) for out in outs])
    producer.close()
    with consumer(configured):
        wait_for(lambda: received(configured) == before + len(outs), 60, "consume")


def _alerts(configured: Settings) -> list[tuple[Any, ...]]:
    return query(
        configured,
        "SELECT rule_id, origin, late, alert_id::text, message_zh, message_en FROM alert",
    )


def _client(since: dt.datetime, configured: Settings) -> list[tuple[Fact, dt.datetime]]:
    day = since.astimezone(configured.timezone).date()
    person = ClientRegistered(business_date=day, client_id="C1", client_type="INDIVIDUAL")
    return [(person, since), (opened(day=day), since)]


def _entry(number: int, time: dt.datetime, amount: str, balance: str, configured: Settings) -> Fact:
    return posted(
        number,
        day=time.astimezone(configured.timezone).date(),
        amount=amount.removeprefix("-"),
        credit_debit_indicator="DBIT" if amount.startswith("-") else "CRDT",
        booking_datetime=time,
        balance_after=balance,
    )


def test_a_late_fact_is_decided_by_the_night_and_one_out_of_reach_asks_for_a_backfill(
    clean: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFECYCLE_HOME", str(clean.home))
    now = dt.datetime.now(dt.UTC)
    today = now.astimezone(clean.timezone).date()
    ago = [now - dt.timedelta(days=days) for days in range(61)]
    _deliver(clean, *_client(ago[60], clean), (_entry(1, now, "600.00", "500.00", clean), now))
    _deliver(clean, (_entry(2, ago[3], "-150.00", "-100.00", clean), ago[3]))
    assert _alerts(clean) == [], "the stream leaves it to the night"
    assert app.prove(clean).equal

    result = app.run_nightly(clean, today)
    assert (result["published"], result["equal"]) == (True, True)
    ((rule, origin, late, alert_id, zh, en),) = _alerts(clean)
    assert (rule, origin, late) == ("RT-03", "LATE", True)
    assert zh.startswith("迟到事实")
    assert en.startswith("Late fact")
    again = app.run_nightly(clean, today)
    assert (again["steps"][0].rows, again["steps"][4].rows) == (0, 0)
    assert len(_alerts(clean)) == 1, "a second run raises nothing more"
    assert app.prove(clean).equal
    replayed = app.replay_alerts(clean, None)
    assert (replayed["identical"], replayed["alerts"]) == (1, 1), replayed["differences"]
    assert app.replay_alerts(clean, alert_id)["identical"] == 1
    (message,) = query(clean, "SELECT value FROM outbox WHERE key = %s", alert_id)
    assert json.loads(message[0])["data"]["late"] is True
    assert _ask("alerts", "list")[0]["late"] is True
    explained = _ask("explain", alert_id)
    assert explained["known_before"]["state"]["facts"] == 2, "what had happened before it"
    assert explained["gate"]["stage"] == "alert"

    assert app.backfill_requests(clean) == [], "what the night reaches needs no backfill"
    _deliver(clean, (_entry(3, ago[40], "50.00", "50.00", clean), ago[40]))
    app.run_nightly(clean, today)
    day = today - dt.timedelta(days=40)
    (request,) = _ask("backfill", "list")
    assert (request["business_date"], request["facts"], request["clients"]) == (str(day), 1, 1)
    assert f"--from-date {day} --to-date {day}" in request["command"]
    tiles = {tile.id: tile for tile in app.operations(clean)["tiles"]}
    assert (tiles["backfills"].value, tiles["backfills"].state) == (1, "warn")
    assert app.run_nightly(clean, day)["equal"]
    assert app.backfill_requests(clean) == []
    assert query(clean, "SELECT status, done_at IS NOT NULL FROM backfill_request") == [
        ("DONE", True)
    ]
    assert len(_alerts(clean)) == 1
    assert app.prove(clean).equal


def test_a_night_of_an_older_day_raises_what_its_seal_brought_in(clean: Settings) -> None:
    now = dt.datetime.now(dt.UTC)
    today = now.astimezone(clean.timezone).date()
    five = now - dt.timedelta(days=5)
    begun = now - dt.timedelta(days=60)
    _deliver(clean, *_client(begun, clean), (_entry(2, now, "600.00", "500.00", clean), now))
    app.run_nightly(clean, today)
    _deliver(clean, (_entry(1, five, "-150.00", "-100.00", clean), five))
    older = app.run_nightly(clean, five.astimezone(clean.timezone).date())
    assert older["steps"][5].gate == "newer served"
    assert [row[:3] for row in _alerts(clean)] == [("RT-03", "LATE", True)]
    app.run_nightly(clean, today)
    assert len(_alerts(clean)) == 1


def _ask(*arguments: str) -> Any:
    result: Result = CliRunner().invoke(application, [*arguments, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)
