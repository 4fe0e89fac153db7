"""Alerts in people's hands, on the real database: ack and close, files and mails, the numbers."""

from __future__ import annotations

import datetime as dt
import email
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import Message

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from lifecycle import app
from lifecycle.adapters.nightly_turn import FORGOTTEN_AFTER, take_turn
from lifecycle.errors import UsageError
from lifecycle.settings import Settings
from tests.support import DAY, at, insert_alert, query

pytestmark = pytest.mark.integration
ALERT = "00000000-0000-0000-0000-000000000001"


class Sink:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Message]] = []
        self.refuses = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuses:
            return "451 try again later"
        assert isinstance(envelope.content, bytes)
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, str]]:
    kept = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    yield kept, f"127.0.0.1:{port}"
    controller.stop()


def test_alerts_reach_their_owners_once_by_file_and_mail(
    clean: Settings, sink: tuple[Sink, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    configured = replace(clean, smtp=sink[1], home=home)
    insert_alert(clean, alert_id=ALERT, owner="CO", message_zh="大额交易")
    insert_alert(clean, owner="RM+RO")
    done = app.dispatch(configured)
    assert (done.delivered, done.failed, done.errors) == (6, 0, {})
    assert app.dispatch(configured).delivered == 0
    assert {to for (to,), _ in sink[0].mails} == {"co@localhost", "rm@localhost", "ro@localhost"}
    (mail,) = [m for (to,), m in sink[0].mails if to == "co@localhost"]
    assert mail["X-Idempotency-Key"] == f"{ALERT}/CO:mail"
    assert str(make_header(decode_header(mail["Subject"]))) == "[P2] RT-03 account/A1"
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert "大额交易" in body.decode()
    (line,) = (home / "notifications" / "CO.ndjson").read_text().splitlines()
    assert json.loads(line)["key"] == f"{ALERT}/CO:file"
    assert "大额交易" not in (home / "notifications" / "RM.ndjson").read_text()


def test_a_message_says_that_its_client_is_degraded(
    clean: Settings, sink: tuple[Sink, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By any gate, until the record is released or discarded."""
    configured = replace(clean, smtp=sink[1], home=tmp_path_factory.mktemp("home"))
    rows = (("C1", "HELD"), ("C2", "RELEASED"), ("C3", "DISCARDED"))
    for offset, (client, status) in enumerate(rows):
        query(
            clean,
            "INSERT INTO quarantine (stage, topic, partition, kafka_offset, reason, detail, client_id,"
            " status, quarantined_at) VALUES ('staged', 't', 0, %s, 'CURRENCY', '', %s, %s, now()) "
            "RETURNING 1",
            offset,
            client,
            status,
        )
        insert_alert(clean, client_id=client)
    app.dispatch(configured)
    lines = (configured.home / "notifications" / "RM.ndjson").read_text().splitlines()
    said = {
        client: any(f"client: {client}" in line and "degraded" in line for line in lines)
        for client, _ in rows
    }
    assert said == {"C1": True, "C2": False, "C3": False}


def test_a_mail_server_that_refuses_is_tried_again(
    clean: Settings, sink: tuple[Sink, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    configured = replace(clean, smtp=sink[1], home=tmp_path_factory.mktemp("home"))
    insert_alert(clean, alert_id=ALERT)
    sink[0].refuses = True
    done = app.dispatch(configured)
    assert (done.delivered, done.failed) == (1, 1)
    assert "RM:mail" in done.errors
    waiting = app.operations(clean)["deliveries"]
    assert [(row["channel"], row["waiting"], row["failing"]) for row in waiting] == [
        ("RM:mail", 1, 1)
    ]
    assert app.waiting_alerts(clean) == 1
    sink[0].refuses = False
    query(
        clean,
        "UPDATE alert_delivery SET last_attempt_at = last_attempt_at - interval '1 h' RETURNING 1",
    )
    assert app.dispatch(configured).delivered == 1
    assert app.waiting_alerts(clean) == 0
    with app.alerts(clean) as store:
        deliveries = {row["channel"]: row for row in store.show(ALERT)["deliveries"]}
    assert deliveries["RM:mail"]["attempts"] == 2
    assert deliveries["RM:mail"]["error"] is None


def test_operations_is_told_without_a_database(
    sink: tuple[Sink, str], clean: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    configured = replace(clean, database_url="", smtp=sink[1], home=tmp_path_factory.mktemp("home"))
    app.tell_operations(configured, "title", "正文", "nightly/1")
    assert [to for to, _ in sink[0].mails] == [["ops@localhost"]]


def test_an_alert_is_acknowledged_and_closed_with_who_and_why(clean: Settings) -> None:
    insert_alert(clean, alert_id=ALERT, alert_key="K")
    now = at(DAY)
    with app.alerts(clean) as store:
        assert store.act("ack", "K", actor="ann", reason="seen", now=now)["status"] == "ACKED"
        with pytest.raises(UsageError, match="acknowledged before"):
            store.act("ack", ALERT, actor="bob", reason="seen", now=now)
        store.act("close", ALERT, actor="ann", reason="called the client", now=now)
        row = store.show(ALERT)
        assert row["status"] == "CLOSED"
        assert [(a["action"], a["actor"], a["reason"]) for a in row["actions"]] == [
            ("ack", "ann", "seen"),
            ("close", "ann", "called the client"),
        ]
        with pytest.raises(UsageError, match="There is no alert nothing"):
            store.show("nothing")


def test_only_one_of_two_people_acknowledges(clean: Settings) -> None:
    insert_alert(clean, alert_id=ALERT)
    answers: list[str] = []
    ready = threading.Barrier(2)

    def acknowledge(actor: str) -> None:
        with app.alerts(clean) as store:
            ready.wait(10)
            try:
                store.act("ack", ALERT, actor=actor, reason="mine", now=at(DAY))
                answers.append("done")
            except UsageError:
                answers.append("late")

    threads = [threading.Thread(target=acknowledge, args=(name,)) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == ["done", "late"]
    assert query(clean, "SELECT count(*) FROM alert_action") == [(1,)]


def test_alerts_are_listed_gravest_first_and_filtered(clean: Settings) -> None:
    insert_alert(clean, severity="P3", owner="CO", client_id="C2")
    insert_alert(clean, severity="P1", owner="RO")
    with app.alerts(clean) as store:
        assert [row["severity"] for row in store.list()] == ["P1", "P3"]
        assert [row["client_id"] for row in store.list(owner="CO")] == ["C2"]
        assert store.list(owner="CO", severity="P1") == []
        assert {"alert_id", "alert_key", "rule_id", "rule_version", "evidence"} <= set(
            store.list()[0]
        )


def test_the_numbers_are_those_of_the_tables(clean: Settings) -> None:
    insert_alert(clean, severity="P1", detected_at=dt.datetime.now(dt.UTC))
    insert_alert(clean, severity="P1", status="ACKED", detected_at=at(DAY))
    insert_alert(clean, severity="P2", status="CLOSED")
    query(
        clean,
        "INSERT INTO gate_result (stage, run_at, rows, success, evaluated, expected, milliseconds,"
        ' failures) VALUES (\'staged\', now(), 1, false, 1, 1, 1, \'[{"expectation": "staged-01",'
        ' "reason": "BALANCE", "action": "block", "count": 1}]\') RETURNING 1',
    )
    shown = app.operations(clean)
    (row,) = shown["alerts"]
    assert (row["severity"], row["open"], row["new"]) == ("P1", 2, 1)
    assert (row["under_1h"], row["under_1d"], row["older"]) == (1, 0, 1)
    gates = {gate["stage"]: gate for gate in shown["gates"]}
    assert list(gates) == ["raw", "raw_hour", "staged", "profile", "standing", "score", "alert"]
    assert (gates["staged"]["runs"], gates["staged"]["blocked"], gates["raw"]["runs"]) == (1, 1, 0)
    assert gates["staged"]["last_failure"][0]["reason"] == "BALANCE"
    assert shown["lag_total"] == 0
    assert shown["unknown"] == {}


def test_a_dead_broker_is_said_within_seconds(clean: Settings) -> None:
    before = dt.datetime.now(dt.UTC)
    shown = app.operations(replace(clean, kafka_bootstrap="127.0.0.1:1"))
    assert dt.datetime.now(dt.UTC) - before < dt.timedelta(seconds=8)
    assert list(shown["unknown"]) == ["broker"]
    assert shown["lag_total"] is None
    assert shown["reconciliation"]["balanced"]


def test_nights_of_a_backfill_take_turns_by_date(clean: Settings) -> None:
    url, now = clean.database_url, at(DAY)
    first, second = DAY, DAY + dt.timedelta(days=1)
    assert not take_turn(url, second, now), "the first ask only makes it known"
    assert not take_turn(url, first, now)
    assert not take_turn(url, second, now), "the first date waits too"
    assert take_turn(url, first, now)
    query(
        clean,
        "INSERT INTO nightly_run (business_date, started_at, status) "
        "VALUES (%s, %s, 'RUNNING') RETURNING 1",
        first,
        now,
    )
    later = now + dt.timedelta(minutes=3)
    take_turn(url, second, later - dt.timedelta(seconds=15))
    assert not take_turn(url, second, later), "the first date is running"
    query(clean, "UPDATE nightly_run SET status = 'PUBLISHED', finished_at = %s RETURNING 1", later)
    assert take_turn(url, second, later)


def test_a_night_that_stopped_asking_holds_nobody_up(clean: Settings) -> None:
    url, now = clean.database_url, at(DAY)
    take_turn(url, DAY, now)
    later = now + FORGOTTEN_AFTER + dt.timedelta(seconds=1)
    take_turn(url, DAY + dt.timedelta(days=1), later)
    assert take_turn(url, DAY + dt.timedelta(days=1), later)
