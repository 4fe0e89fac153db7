"""Quarantine that heals: a bad record is seen, mended by two people, and applied as if it had come
right; what depended on it is decided then."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumers.relay import producer_for, send
from lifecycle import app
from lifecycle.clients.state import decode_state
from lifecycle.errors import AnswerIsNo, UsageError
from lifecycle.events import Outgoing, minor_units
from lifecycle.ports import OutboxMessage
from lifecycle.settings import Settings
from tests.support import consumer, opened, outgoing, posted, query, received, wait_for

pytestmark = pytest.mark.integration
OVERDRAWN = outgoing(posted(2, credit_debit_indicator="DBIT", balance_after="-5000.00"))
BROKEN = OVERDRAWN.value.replace(b'"100.00"', b"100.0")
"""Money as a JSON number: refused with SCHEMA."""


def lifecycle(configured: Settings, *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    answer = subprocess.run(
        [sys.executable, "-m", "lifecycle.cli", *arguments],
        env={**os.environ, "LIFECYCLE_HOME": str(configured.home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    return answer.returncode, answer.stdout, answer.stderr


def answer(configured: Settings, *arguments: str) -> Any:
    """What a command that has to succeed prints with --json."""
    status, said, complained = lifecycle(configured, *arguments, "--json")
    assert status == 0, complained
    return json.loads(said)


def take_in(configured: Settings, records: Sequence[tuple[str, str, bytes]]) -> None:
    """Publish (topic, key, bytes) and consume until all are accounted for."""
    before = received(configured)
    producer = producer_for(configured.kafka_bootstrap)
    send(producer, [OutboxMessage(*record) for record in records])
    producer.close()
    with consumer(configured):
        wait_for(lambda: received(configured) == before + len(records), 60, "consume")


def as_sent(*outs: Outgoing) -> list[tuple[str, str, bytes]]:
    return [(out.topic, out.key, out.value) for out in outs]


@pytest.fixture
def held(clean: Settings) -> Settings:
    """Client C1 with an account, two entries, and between them one that could not be read."""
    take_in(
        clean,
        [
            *as_sent(outgoing(opened()), outgoing(posted(1))),
            (OVERDRAWN.topic, "C1", BROKEN),
            *as_sent(outgoing(opened("A2", "C2"), "C2")),
        ],
    )
    return clean


def number(configured: Settings) -> int:
    """The only quarantined record."""
    (row,) = app_records(configured)
    return int(row["quarantine_id"])


def app_records(configured: Settings) -> list[dict[str, Any]]:
    with app.quarantine(configured) as store:
        return store.records(100)


def ask(configured: Settings, corrected: bytes | None, action: str = "RELEASE") -> int:
    return app.ask_for_quarantined(
        configured,
        number(configured),
        action,  # type: ignore[arg-type]
        corrected,
        reason="the core system sent a number",
        maker="li",
    )


def raised(configured: Settings) -> list[dict[str, Any]]:
    with app.alerts(configured) as store:
        return store.list()


def degraded(configured: Settings, client: str) -> bool:
    return bool(app.client(configured, client)["degraded"])


def test_a_corrected_record_changes_the_state_and_raises_its_alert(
    held: Settings, tmp_path: Path
) -> None:
    """The whole story at the command line, as two people live it."""
    (row,) = answer(held, "quarantine", "list", "--reason", "SCHEMA", "--client", "C1")
    assert (row["status"], row["expectation"], row["stage"]) == ("HELD", "raw-07", "raw")
    record = str(row["quarantine_id"])
    shown = answer(held, "quarantine", "show", record)
    assert shown["requests"] == shown["released_as"] == []
    assert "100.0" in lifecycle(held, "quarantine", "show", record)[1]
    assert degraded(held, "C1")
    assert not degraded(held, "C2")
    assert "degraded" in lifecycle(held, "client", "C1")[1]
    assert raised(held) == []

    corrected = tmp_path / "corrected.json"
    corrected.write_bytes(OVERDRAWN.value + b"\n")
    told = ("--reason", "the core system sent a number", "--actor", "li")
    asked = answer(held, "quarantine", "release", record, *told, "--corrected", str(corrected))
    request = str(asked["request_id"])
    status, _, complained = lifecycle(held, "quarantine", "approve", request, "--actor", " LI ")
    assert status == 2
    assert "another person has to decide it" in complained
    assert degraded(held, "C1"), "the same person changed nothing"

    done = answer(held, "quarantine", "approve", request, "--actor", "wang")
    assert (done["status"], done["facts"], done["alerts"]) == ("RELEASED", 1, 1)
    assert not degraded(held, "C1")
    ((state,),) = query(held, "SELECT state FROM client_state WHERE client_id = 'C1'")
    assert decode_state(state).accounts["A1"].balance == minor_units("-5000.00")
    (alert,) = raised(held)
    assert (alert["rule_id"], alert["client_id"]) == ("RT-03", "C1")
    shown = answer(held, "quarantine", "show", record)
    (fact,) = shown["released_as"]
    assert (fact["event_id"], fact["client_id"]) == (OVERDRAWN.id, "C1")
    (wish,) = shown["requests"]
    assert (wish["maker"], wish["checker"], wish["status"]) == ("li", "wang", "APPROVED")
    assert answer(held, "prove")["equal"]
    assert app.replay_alerts(held, None)["identical"] == 1
    assert app.operations(held)["reconciliation"]["balanced"]

    # The source mends itself later and sends the fact again: it is known.
    take_in(held, as_sent(OVERDRAWN))
    assert app.operations(held)["reconciliation"]["duplicates"] == 1
    assert answer(held, "prove")["equal"]


def test_bytes_that_are_still_wrong_are_refused_and_may_be_asked_for_again(held: Settings) -> None:
    request = ask(held, BROKEN.replace(b"100.0", b"1e5"))
    with pytest.raises(AnswerIsNo, match="SCHEMA"):
        app.decide_quarantined(held, request, "APPROVE", checker="wang")
    (row,) = app_records(held)
    assert (row["status"], row["request_id"]) == ("HELD", request), "it waits for another answer"
    app.decide_quarantined(held, request, "REJECT", checker="wang")
    again = ask(held, OVERDRAWN.value)
    assert app.decide_quarantined(held, again, "APPROVE", checker="wang")["facts"] == 1
    with app.quarantine(held) as store:
        statuses = [r["status"] for r in store.show(row["quarantine_id"])["requests"]]
    assert statuses == ["REJECTED", "APPROVED"]
    assert app.prove(held).equal


def test_a_correction_may_not_smuggle_in_another_client(held: Settings) -> None:
    other = outgoing(posted(9, account_id="A2"), "C2")
    request = ask(held, other.value)
    with pytest.raises(AnswerIsNo, match="KEY_MISMATCH"):
        app.decide_quarantined(held, request, "APPROVE", checker="wang")
    assert degraded(held, "C1")


def test_the_original_is_let_in_after_a_rule_was_mended(clean: Settings, tmp_path: Path) -> None:
    """A limit was too narrow: with the right one the record passes as it came."""
    old = outgoing(posted(1), time=dt.datetime(1985, 3, 2, tzinfo=dt.UTC))
    take_in(clean, as_sent(outgoing(opened()), old))
    (row,) = app_records(clean)
    assert row["reason"] == "TIME_OUT_OF_RANGE"
    request = ask(clean, None)
    with pytest.raises(AnswerIsNo, match="TIME_OUT_OF_RANGE"):
        app.decide_quarantined(clean, request, "APPROVE", checker="wang")
    shutil.copytree(clean.rules, tmp_path / "rules")
    limits = tmp_path / "rules" / "operations" / "ingest.yaml"
    limits.write_text(limits.read_text().replace('"1990-01-01', '"1980-01-01'))
    mended = replace(clean, rules=tmp_path / "rules")
    assert app.decide_quarantined(mended, request, "APPROVE", checker="wang")["facts"] == 1
    assert app.prove(mended).equal


def test_what_waited_for_the_record_is_released_with_it(clean: Settings) -> None:
    account = outgoing(opened())
    take_in(
        clean,
        [
            (account.topic, "C1", account.value.replace(b'"CACC"', b'"CURR"')),
            *as_sent(OVERDRAWN),
        ],
    )
    assert query(clean, "SELECT count(*) FROM parked") == [(1,)]
    done = app.decide_quarantined(clean, ask(clean, account.value), "APPROVE", checker="wang")
    assert (done["facts"], done["alerts"]) == (2, 1)
    assert query(clean, "SELECT count(*) FROM parked") == [(0,)]
    assert app.prove(clean).equal


def test_a_discarded_record_no_longer_degrades_its_client(held: Settings) -> None:
    done = app.decide_quarantined(held, ask(held, None, "DISCARD"), "APPROVE", checker="wang")
    assert done["status"] == "DISCARDED"
    assert not degraded(held, "C1")
    assert app.prove(held).equal
    with pytest.raises(UsageError, match="is DISCARDED already"):
        ask(held, None)


def test_of_two_who_decide_at_once_one_is_told(held: Settings) -> None:
    request = ask(held, OVERDRAWN.value)

    def decide(checker: str) -> str:
        try:
            return str(app.decide_quarantined(held, request, "APPROVE", checker=checker)["status"])
        except UsageError as error:
            return str(error)

    with ThreadPoolExecutor(2) as both:
        said = sorted(both.map(decide, ("wang", "zhao")))
    assert sum(text == "RELEASED" for text in said) == 1, said
    assert any("already" in text or "somebody else" in text for text in said), said
    assert query(held, "SELECT count(*) FROM event_log WHERE event_id = %s", OVERDRAWN.id) == [(1,)]
    assert app.prove(held).equal


def test_a_mistake_gets_one_sentence(held: Settings) -> None:
    release = ("quarantine", "release", str(number(held)))
    for arguments, sentence in (
        (("quarantine", "show", "99999"), "There is no quarantined record 99999"),
        (("quarantine", "approve", "99999", "--actor", "wang"), "There is no request 99999"),
        ((*release, "--reason", " "), "need a reason"),
        ((*release, "--reason", "x", "--corrected", "/no/such/file"), "cannot be read"),
    ):
        status, _, complained = lifecycle(held, *arguments)
        assert status == 2, arguments
        assert sentence in " ".join(complained.split())
        assert "Traceback" not in complained


def test_filters_show_what_they_name(held: Settings) -> None:
    take_in(held, [("bank.credit.v1", "C2", b"{"), ("bank.account.v1", "C1", b"\xff")])
    for filters, found in (
        ({"reason": "UNPARSABLE"}, 2),
        ({"topic": "bank.credit.v1"}, 1),
        ({"client_id": "C1"}, 2),
        ({"client_id": "C1", "reason": "SCHEMA"}, 1),
        ({"status": "RELEASED"}, 0),
        ({"stage": "staged"}, 0),
    ):
        with app.quarantine(held) as store:
            assert len(store.records(100, **filters)) == found, filters
