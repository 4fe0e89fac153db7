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
from lifecycle import app, pipeline
from lifecycle.clients.state import decode_state
from lifecycle.commands.console import log_in_name
from lifecycle.errors import AnswerIsNo, Fenced, UsageError
from lifecycle.events import Outgoing, minor_units
from lifecycle.ports import OutboxMessage
from lifecycle.reasons import REASONS
from lifecycle.settings import Settings
from tests.support import (
    consumer,
    insert_alert,
    opened,
    outgoing,
    posted,
    query,
    received,
    wait_for,
)

pytestmark = pytest.mark.integration
OVERDRAWN = outgoing(posted(2, credit_debit_indicator="DBIT", balance_after="-5000.00"))
BROKEN = OVERDRAWN.value.replace(b'"100.00"', b"100.0")
"""Money as a JSON number: refused with SCHEMA."""


def lifecycle(configured: Settings, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    answer = subprocess.run(
        [sys.executable, "-m", "lifecycle.cli", *arguments],
        env={**os.environ, "LIFECYCLE_HOME": str(configured.home), "COLUMNS": "200", **environment},
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
    return bool(app.client(configured, client, actor="tester")["degraded"])


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
    told = ("--reason", "the core system sent a number")
    asked = answer(held, "quarantine", "release", record, *told, "--corrected", str(corrected))
    request = str(asked["request_id"])
    posing = {"LOGNAME": "wang", "USER": "wang"}
    status, _, complained = lifecycle(held, "quarantine", "approve", request, **posing)
    assert status == 2
    assert "another person has to decide it" in complained
    assert lifecycle(held, "quarantine", "approve", request, "--actor", "wang")[0] == 2
    assert degraded(held, "C1"), "the same person changed nothing"

    maker = log_in_name()
    with pytest.raises(UsageError, match="another person has to decide it"):
        app.decide_quarantined(held, int(request), "APPROVE", checker=f" {maker.upper()} ")
    done = app.decide_quarantined(held, int(request), "APPROVE", checker="wang")
    assert (done["status"], done["facts"], done["alerts"]) == ("RELEASED", 1, 1)
    assert not degraded(held, "C1")
    assert "degraded" not in lifecycle(held, "client", "C1")[1]
    ((state,),) = query(held, "SELECT state FROM client_state WHERE client_id = 'C1'")
    assert decode_state(state).accounts["A1"].balance == minor_units("-5000.00")
    (alert,) = raised(held)
    assert (alert["rule_id"], alert["client_id"]) == ("RT-03", "C1")
    shown = answer(held, "quarantine", "show", record)
    (fact,) = shown["released_as"]
    assert (fact["event_id"], fact["client_id"]) == (OVERDRAWN.id, "C1")
    (wish,) = shown["requests"]
    assert (wish["maker"], wish["checker"], wish["status"]) == (maker, "wang", "APPROVED")
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


def test_an_empty_correction_is_refused_before_anybody_has_to_decide(held: Settings) -> None:
    with pytest.raises(UsageError, match="corrected record is empty"):
        ask(held, b"")


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
        (("quarantine", "approve", "99999"), "There is no request 99999"),
        (("quarantine", "list", "--status", "WAITING"), "none of HELD, RELEASED, DISCARDED"),
        (("quarantine", "list", "--stage", "profile"), "none of raw, staged"),
        (("quarantine", "list", "--since", "yesterday"), "write it as YYYY-MM-DD"),
        (("quarantine", "requests", "--status", "HELD"), "none of WAITING, APPROVED, REJECTED"),
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
        ({"expectation": "raw-07"}, 1),
        ({"expectation": "raw-01-json"}, 2),
        ({"event_id": OVERDRAWN.id}, 1),
    ):
        with app.quarantine(held) as store:
            assert len(store.records(100, **filters)) == found, filters


def test_the_command_filters_by_day_of_the_bank_and_by_event(held: Settings) -> None:
    query(
        held,
        "UPDATE quarantine SET quarantined_at = '2026-03-01T16:30:00Z' RETURNING 1",
    )
    for arguments, found in (
        (("--since", "2026-03-02"), 1),
        (("--until", "2026-03-02"), 1),
        (("--since", "2026-03-03"), 0),
        (("--until", "2026-03-01"), 0),
        (("--event", OVERDRAWN.id, "--expectation", "raw-07", "--status", "held"), 1),
        (("--event", "another"), 0),
    ):
        assert len(answer(held, "quarantine", "list", *arguments)) == found, arguments


def test_a_reason_is_said_in_both_languages(held: Settings) -> None:
    (row,) = answer(held, "quarantine", "list")
    for shown in (row, answer(held, "quarantine", "show", str(row["quarantine_id"]))):
        assert (shown["reason_zh"], shown["reason_en"]) == REASONS[shown["reason"]]
    for command in (("list",), ("show", str(row["quarantine_id"]))):
        text = lifecycle(held, "quarantine", *command)[1]
        assert all(word in text for word in REASONS["SCHEMA"])
    asked = app.quarantine_question(held, ask(held, OVERDRAWN.value))
    assert all(word in asked["body"] for word in REASONS["SCHEMA"])


@pytest.mark.parametrize("key", [None, "C9"])
def test_a_record_with_a_wrong_key_or_none_is_healed_by_the_key_it_should_have_had(
    clean: Settings, key: str | None
) -> None:
    take_in(clean, as_sent(outgoing(opened())))
    producer = producer_for(clean.kafka_bootstrap)
    producer.send(OVERDRAWN.topic, OVERDRAWN.value, key.encode() if key else None)
    producer.flush()
    producer.close()
    before = received(clean)
    with consumer(clean):
        wait_for(lambda: received(clean) == before + 1, 60, "consume")
    if key is None:
        with pytest.raises(UsageError, match="came without a key"):
            ask(clean, None)
    else:
        as_it_came = ask(clean, None)
        with pytest.raises(AnswerIsNo, match="KEY_MISMATCH"):
            app.decide_quarantined(clean, as_it_came, "APPROVE", checker="wang")
        app.decide_quarantined(clean, as_it_came, "REJECT", checker="wang")
    done = app.decide_quarantined(clean, ask(clean, OVERDRAWN.value), "APPROVE", checker="wang")
    assert (done["facts"], done["alerts"]) == (1, 1)
    assert app.prove(clean).equal
    assert app.operations(clean)["reconciliation"]["balanced"]


@pytest.mark.parametrize("busy_times", [2, app.RELEASE_ATTEMPTS])
def test_a_release_that_meets_a_busy_client_is_tried_again(
    held: Settings, monkeypatch: pytest.MonkeyPatch, busy_times: int
) -> None:
    attempts = []

    def busy(*arguments: Any, **named: Any) -> Any:
        attempts.append(1)
        if len(attempts) <= busy_times:
            raise Fenced("A client's state was changed by another consumer.")
        return pipeline_release(*arguments, **named)

    pipeline_release = pipeline.release
    monkeypatch.setattr(pipeline, "release", busy)
    monkeypatch.setattr(app, "RELEASE_PAUSE_SECONDS", 0)
    request = ask(held, OVERDRAWN.value)
    if busy_times < app.RELEASE_ATTEMPTS:
        assert app.decide_quarantined(held, request, "APPROVE", checker="wang")["facts"] == 1
        return
    with pytest.raises(AnswerIsNo, match=f"request {request} waits: approve it again"):
        app.decide_quarantined(held, request, "APPROVE", checker="wang")
    (row,) = app_records(held)
    assert (row["status"], row["request_id"]) == ("HELD", request)


def test_everything_computed_for_a_degraded_client_says_so(held: Settings) -> None:
    insert_alert(held, alert_key="K1")
    insert_alert(held, alert_key="K2", client_id="C2")
    with app.alerts(held) as store:
        marks = {row["client_id"]: row["degraded"] for row in store.list()}
        assert store.show("K1")["degraded"]
    assert marks == {"C1": True, "C2": False}
    listed = lifecycle(held, "alerts", "list")[1]
    assert [line.split()[5] for line in listed.splitlines() if "degraded" in line] == ["C1"]
    for command in (("alerts", "show", "K1"), ("alerts", "show", "K2")):
        said = lifecycle(held, *command)[1]
        assert ("records of this client are in quarantine" in said) == ("K1" in command)
        assert ("该客户有记录在隔离区" in said) == ("K1" in command)
    _serve(held)
    page = app.client(held, "C1", actor="tester")
    rows = [*page["attributes"], *page["facilities"]]
    assert [row["degraded"] for row in rows] == [True, True]
    text = lifecycle(held, "client", "C1")[1]
    assert sum("degraded" in line for line in text.splitlines()) == 3


def _serve(configured: Settings) -> None:
    """One attribute and one facility of C1, as a night would publish them."""
    query(
        configured,
        "INSERT INTO client_profile VALUES ('C1', 'age', '40', 'years', '2026-03-01', now(), '1', "
        "'P1_SERVICE', 1, NULL, '{}') RETURNING 1",
    )
    query(
        configured,
        "INSERT INTO facility_stage VALUES ('L1', 'C1', '2026-03-01', 0, 1, 'CNY', 'NORMAL', 1, '') "
        "RETURNING 1",
    )
