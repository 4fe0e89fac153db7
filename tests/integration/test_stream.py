"""The stream on the real broker and the real database: books balance, alerts equal the data."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from consumers.publish import publish
from consumers.relay import producer_for, send
from lifecycle import app
from lifecycle.clients.state import decode_state, encode_state
from lifecycle.errors import AnswerIsNo, UsageError
from lifecycle.ports import OutboxMessage
from lifecycle.settings import Settings
from lifecycle.sources.simulator import SimulatorSource
from tests.conftest import BERKA, needs_berka
from tests.support import consumer, opened, outgoing, posted, query, received, wait_for

pytestmark = pytest.mark.integration
TO = dt.date(1994, 3, 30)


def test_good_and_bad_records_are_all_accounted_for(clean: Settings) -> None:
    good = [outgoing(opened()), *(outgoing(posted(n)) for n in range(20))]
    messages = [OutboxMessage(o.topic, o.key, o.value) for o in good]
    messages += [messages[3], messages[3]]
    messages += [
        OutboxMessage("bank.account.v1", "C1", raw) for raw in (b"{", b"", b"null", b"\xff")
    ]
    messages.append(
        OutboxMessage("bank.account.v1", "C1", good[1].value.replace(b'"100.00"', b"100.0"))
    )
    messages.append(OutboxMessage("bank.account.v1", "C1", good[1].value.replace(b"CNY", b"USD")))
    producer = producer_for(clean.kafka_bootstrap)
    send(producer, messages)
    producer.close()
    with consumer(clean):
        wait_for(lambda: received(clean) == len(messages), 60, "consume")
    books = app.operations(clean)["reconciliation"]
    assert books["balanced"]
    assert (books["in"], books["applied"], books["quarantined"], books["duplicates"]) == (
        29,
        21,
        6,
        2,
    )
    reasons = Counter(reason for (reason,) in query(clean, "SELECT reason FROM quarantine"))
    assert reasons == {"UNPARSABLE": 3, "ENVELOPE": 1, "SCHEMA": 1, "ID_REUSE": 1}
    assert app.prove(clean).equal


def test_a_night_of_a_simulated_bank(clean: Settings) -> None:
    first = dt.date(2026, 1, 1)
    source = SimulatorSource(seed=5, clients=50, first_day=first, days=100, timezone=clean.timezone)
    sent = publish(source.events(None, None), clean.kafka_bootstrap)
    with consumer(clean):
        wait_for(lambda: received(clean) == sent.events, 60, "consume")
    last = first + dt.timedelta(days=99)
    result = app.run_nightly(clean, last)
    assert (result["published"], result["equal"]) == (True, True)
    assert [step.gate for step in result["steps"] if step.gate] == ["passed"] * 4 + ["equal"]
    again = app.run_nightly(clean, last)
    assert again["steps"][0].rows == 0, "a second night seals nothing twice"
    assert query(
        clean, "SELECT count(*), count(DISTINCT alert_key) FROM alert WHERE origin = 'NIGHTLY'"
    )
    page = app.client(clean, "SIM-000003", actor="tester")
    assert {a["name"] for a in page["attributes"]} >= {"age", "tenure_days", "min_balance_90d"}
    assert page["facilities"][0]["stage"] == 2 or page["facilities"][0]["stage"] == 3
    assert page["facilities"][0]["state"] in ("ARREARS", "DEFAULT")
    replayed = app.replay_alerts(clean, None)
    assert replayed["identical"] == replayed["alerts"] > 0


def test_a_backdated_night_sees_no_later_fact(clean: Settings) -> None:
    first = dt.date(2026, 1, 1)
    source = SimulatorSource(seed=5, clients=50, first_day=first, days=60, timezone=clean.timezone)
    sent = publish(source.events(None, None), clean.kafka_bootstrap)
    with consumer(clean):
        wait_for(lambda: received(clean) == sent.events, 60, "consume")
    early = first + dt.timedelta(days=20)
    app.run_nightly(clean, early)
    rows = query(
        clean, "SELECT value FROM client_profile WHERE name = 'tenure_days' AND value IS NOT NULL"
    )
    assert {value for (value,) in rows} == {"20"}
    app.run_nightly(clean, first + dt.timedelta(days=59))
    app.run_nightly(clean, early)
    rows = query(clean, "SELECT DISTINCT as_of FROM client_profile")
    assert rows == [(first + dt.timedelta(days=59),)], "an older night is never put before a newer"


def test_a_gate_that_fails_blocks_and_marks_what_is_served_stale(clean: Settings) -> None:
    from lifecycle.errors import GateFailed

    first = dt.date(2026, 1, 1)
    source = SimulatorSource(seed=5, clients=50, first_day=first, days=10, timezone=clean.timezone)
    sent = publish(source.events(None, None), clean.kafka_bootstrap)
    with consumer(clean):
        wait_for(lambda: received(clean) == sent.events, 60, "consume")
    app.run_nightly(clean, first + dt.timedelta(days=9))
    served = query(clean, "SELECT count(*) FROM client_profile")
    with pytest.raises(GateFailed, match="no rows"):
        app.run_nightly(clean, first + dt.timedelta(days=200))
    assert query(clean, "SELECT count(*) FROM client_profile") == served
    assert {stale for (stale,) in query(clean, "SELECT stale FROM publication")} == {True}


def test_a_changed_state_is_found_by_the_proof(clean: Settings) -> None:
    outs = [outgoing(opened()), outgoing(posted(balance_after="-1.00"))]
    producer = producer_for(clean.kafka_bootstrap)
    send(producer, [OutboxMessage(out.topic, out.key, out.value) for out in outs])
    producer.close()
    with consumer(clean):
        wait_for(lambda: received(clean) == len(outs), 60, "consume")
    assert app.prove(clean).equal
    query(clean, "UPDATE alert SET hit_count = 7 RETURNING 1")
    query(clean, "UPDATE client_state SET state = 'x' RETURNING 1")
    proof = app.prove(clean)
    assert not proof.equal
    assert len(proof.differences) == 2


def _rows(name: str) -> list[dict[str, str]]:
    with (BERKA / name).open(newline="", encoding="latin-1") as file:
        return list(csv.DictReader(file, delimiter=";"))


@needs_berka
def test_berka_alerts_equal_a_direct_query_of_the_data(clean: Settings, tmp_path: Path) -> None:
    sent = publish(app.berka(clean).events(None, TO), clean.kafka_bootstrap)
    with consumer(clean):
        wait_for(lambda: received(clean) == sent.events, 120, "consume")
    entries = [r for r in _rows("trans_1993-01_1994-03.asc") if r["date"] <= "940330"]
    logged = query(
        clean,
        "SELECT count(*) FROM event_log WHERE type = 'bank.account.transaction_posted.v1'",
    )
    assert logged == [(len(entries),)]
    owner = {r["account_id"]: r["client_id"] for r in _rows("disp.asc") if r["type"] == "OWNER"}
    overdrawn = {owner[r["account_id"]] for r in entries if float(r["balance"]) < 0}
    found = query(clean, "SELECT DISTINCT client_id FROM alert WHERE rule_id = 'RT-03'")
    assert {client for (client,) in found} == overdrawn
    assert _missed_in_the_data(entries) == {
        entity for (entity,) in query(clean, "SELECT entity FROM alert WHERE rule_id = 'RT-01'")
    }
    result = app.run_nightly(clean, TO)
    assert (result["published"], result["equal"]) == (True, True)
    broken = query(clean, "SELECT count(*) FROM quarantine WHERE reason = 'BALANCE_CHAIN'")
    assert broken == [(0,)], "the chain holds for every day but the last, which is not replayed"


def _missed_in_the_data(entries: list[dict[str, str]]) -> set[str]:
    """Instalments due by the 29th without a payment on the due day or the day after."""
    paid = {(r["account_id"], r["date"]) for r in entries if r["k_symbol"] == "UVER"}
    missed = set()
    for loan in _rows("loan.asc"):
        year, month = int(loan["date"][:2]), int(loan["date"][2:4])
        month += int(loan["date"][4:6]) >= 12
        for number in range(1, int(loan["duration"]) + 1):
            year, month = (year + 1, month - 12) if month > 12 else (year, month)
            days = [f"{year:02d}{month:02d}{day}" for day in (12, 13)]
            if days[1] > "940330":
                break
            if not any((loan["account_id"], day) in paid for day in days):
                missed.add(f"facility/LOAN-{loan['loan_id']}#{number}")
            month += 1
    return missed


def test_an_event_that_is_too_large_is_named(clean: Settings) -> None:
    large = replace(outgoing(opened()), value=b"x" * 3_000_000)
    with pytest.raises(UsageError, match=r"Event 2 .*3,000,000 bytes.* the 1 before it"):
        publish(iter([outgoing(opened()), large]), clean.kafka_bootstrap)


def test_commands_answer_with_json_and_one_sentence(clean: Settings, tmp_path: Path) -> None:
    import subprocess
    import sys

    def lifecycle(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lifecycle.cli", *arguments],
            env={**__import__("os").environ, "LIFECYCLE_HOME": str(clean.home), **environ},
            capture_output=True,
            text=True,
        )

    assert json.loads(lifecycle("prove", "--json").stdout)["equal"] is True
    assert json.loads(lifecycle("alerts", "list", "--json").stdout) == []
    for bad in (
        ("client", "nobody"),
        ("explain", "nothing"),
        ("replay-alert", "nothing"),
        ("replay", "nowhere.ndjson"),
        ("replay", "simulator", "--days", "999999999"),
        ("replay", "simulator", "--labels", str(tmp_path)),
        ("replay", "simulator", "--from", "2026-02-01", "--to", "2026-01-01"),
        ("nightly", "--date", "soon"),
        ("nightly", "--date", "2062-05-30"),
        ("alerts", "list", "--status", "new or so"),
        ("quarantine", "show", "1"),
    ):
        answer = lifecycle(*bad)
        assert answer.returncode == 2, bad
        assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    answer = lifecycle("prove", LIFECYCLE_DATABASE_URL="bank")
    assert answer.returncode == 2
    assert "LIFECYCLE_DATABASE_URL is no libpq URL" in answer.stderr
    with pytest.raises(AnswerIsNo):
        raise AnswerIsNo("the tree of errors keeps its exit codes")


def test_states_of_an_earlier_version_are_folded_again(clean: Settings) -> None:
    first = dt.date(2026, 1, 1)
    source = SimulatorSource(seed=4, clients=50, first_day=first, days=60, timezone=clean.timezone)
    sent = publish(source.events(None, None), clean.kafka_bootstrap)
    with consumer(clean):
        wait_for(lambda: received(clean) == sent.events, 60, "consume")
    stored = query(clean, "SELECT client_id, facts, state FROM client_state ORDER BY 1")
    older = {c: encode_state(replace(decode_state(s), version=1)) for c, _, s in stored}
    for client, state in older.items():
        query(
            clean,
            "UPDATE client_state SET state = %s WHERE client_id = %s RETURNING 1",
            state,
            client,
        )
    with pytest.raises(UsageError, match="lifecycle rebuild"):
        decode_state(older[stored[0][0]])
    app.migrate(clean)
    again = query(clean, "SELECT client_id, facts, state FROM client_state ORDER BY 1")
    assert again == stored
    assert app.prove(clean).equal
    assert app.rebuild(clean) == {"clients": 0, "events": 0}, "there is nothing to do"
