"""Profiles on the running pipeline: consent decides what is served and read, and reads are kept."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from consumers.publish import publish
from lifecycle import app, client_list
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.errors import UsageError
from lifecycle.events import Fact, Outgoing
from lifecycle.events.client import ClientRegistered
from lifecycle.events.consent import ConsentGranted, ConsentWithdrawn
from lifecycle.settings import Settings
from tests.support import (
    at,
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
DAY = dt.date(2026, 3, 2)
GATED = {name for name, a in ATTRIBUTES.items() if "P2_PROFILE" in a.purposes}
PERSONAL = {name for name, a in ATTRIBUTES.items() if "INDIVIDUAL" in a.clients}


def registered(client: str = "C1") -> Fact:
    return ClientRegistered(
        business_date=DAY,
        client_id=client,
        client_type="INDIVIDUAL",
        birth_date=dt.date(1980, 5, 5),
    )


def granted(client: str = "C1", purpose: Any = "P2_PROFILE") -> Fact:
    return ConsentGranted(
        business_date=DAY,
        client_id=client,
        consent_id=f"{client}-{purpose}",
        purpose=purpose,
        legal_basis="CONSENT",
        granted_at=at(DAY, 8),
        text_version="2026-01",
        channel="BRANCH",
    )


def withdrawn(day: dt.date, client: str = "C1", purpose: Any = "P2_PROFILE") -> Fact:
    return ConsentWithdrawn(
        business_date=day,
        client_id=client,
        consent_id=f"{client}-{purpose}",
        purpose=purpose,
        withdrawn_at=at(day, 9),
        channel="MOBILE",
    )


def take_in(configured: Settings, *facts: Outgoing) -> None:
    before = received(configured)
    publish(iter(facts), configured.kafka_bootstrap)
    with consumer(configured):
        wait_for(lambda: received(configured) == before + len(facts), 60, "consume")


def snapshot(day: dt.date, amount: str) -> Fact:
    from lifecycle.events.account import BalanceSnapshot

    return BalanceSnapshot(
        business_date=day,
        account_id="A1",
        balance_type="CLBD",
        amount=amount,
        credit_debit_indicator="CRDT",
        currency="CNY",
    )


@pytest.fixture
def one_night(clean: Settings) -> Settings:
    """Client C1 allows a marketing profile, C2 does not; one night was published."""
    facts = [registered(), granted(), opened(), posted(), snapshot(DAY, "100.00")]
    outs = [outgoing(fact, sequence=n + 1) for n, fact in enumerate(facts)]
    other = [registered("C2"), opened("A2", "C2")]
    outs += [outgoing(fact, "C2", sequence=n + 1) for n, fact in enumerate(other)]
    take_in(clean, *outs)
    assert app.run_nightly(clean, DAY)["published"]
    return clean


def by_name(page: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in page["attributes"]}


def test_a_night_computes_only_what_is_allowed(one_night: Settings) -> None:
    rows = query(one_night, "SELECT client_id, name, value, null_reason FROM client_profile")
    values = {(client, name): (value, why) for client, name, value, why in rows}

    assert values["C1", "aum"] == ("100.00", None)
    assert values["C2", "aum"] == (None, "NOT_CONSENTED")
    assert values["C2", "tenure_days"] == ("0", None)
    assert values["C1", "household_size"] == (None, "NOT_CONSENTED"), "P6 was never granted"
    assert values["C1", "altman_z2"] == (None, "NOT_APPLICABLE")
    assert {name for _, name in values} == set(ATTRIBUTES)


def test_a_withdrawal_takes_the_values_away_and_leaves_credit(one_night: Settings) -> None:
    before = app.client(one_night, "C1", actor="rm", purpose="P2_PROFILE")
    assert by_name(before)["aum"]["value"] == "100.00"

    take_in(one_night, outgoing(withdrawn(DAY + dt.timedelta(days=1)), sequence=6))

    # A read looks at the consents itself: it does not wait for what is served.
    at_once = app.client(one_night, "C1", actor="rm", purpose="P2_PROFILE")
    reasons = {name: row["null_reason"] for name, row in by_name(at_once).items()}
    assert {reasons[name] for name in GATED & PERSONAL} == {"NOT_CONSENTED"}
    assert query(
        one_night, "SELECT value FROM client_profile WHERE client_id = 'C1' AND name = 'aum'"
    )[0][0]

    done = app.refresh_profiles(one_night)
    assert done is not None
    assert done.withdrawn > 0
    rows = query(
        one_night,
        "SELECT DISTINCT value, null_reason, source_event_ids FROM client_profile "
        "WHERE client_id = 'C1' AND purpose LIKE '%%P2_PROFILE%%' AND null_reason <> 'NOT_APPLICABLE'",
    )
    assert rows == [(None, "NOT_CONSENTED", [])]

    after = app.client(one_night, "C1", actor="rm", purpose="P2_PROFILE")
    for unchanged in ("scores", "facilities", "alerts"):
        assert after[unchanged] == before[unchanged]
    service = by_name(app.client(one_night, "C1", actor="rm"))
    assert service["min_balance_90d"]["value"] == "100.00", "servicing needs no consent"

    reads = query(
        one_night, "SELECT purpose, actor, allowed, ground FROM profile_read ORDER BY read_id"
    )
    assert reads == [
        ("P2_PROFILE", "rm", True, "GRANTED"),
        ("P2_PROFILE", "rm", False, "WITHDRAWN"),
        ("P2_PROFILE", "rm", False, "WITHDRAWN"),
        ("P1_SERVICE", "rm", True, "NOT_NEEDED"),
    ]


def test_a_read_for_marketing_without_consent_shows_nothing_at_all(one_night: Settings) -> None:
    rows = by_name(app.client(one_night, "C2", actor="rm", purpose="P2_PROFILE"))
    assert {row["value"] for row in rows.values()} == {None}
    assert {row["null_reason"] for row in rows.values()} == {"NOT_CONSENTED", "NOT_APPLICABLE"}


def test_a_new_consent_and_new_facts_are_served_before_the_night(one_night: Settings) -> None:
    next_day = DAY + dt.timedelta(days=1)
    take_in(
        one_night,
        outgoing(granted("C2"), "C2", time=at(next_day), sequence=3),
        outgoing(posted(2, day=next_day, balance_after="250.00"), sequence=6),
        outgoing(snapshot(next_day, "250.00"), sequence=7),
    )

    done = app.refresh_profiles(one_night)

    assert done is not None
    assert (done.clients, done.left) == (2, 0)
    rows = query(one_night, "SELECT client_id, value, as_of FROM client_profile WHERE name = 'aum'")
    assert sorted(rows) == [("C1", "250.00", next_day), ("C2", None, next_day)]
    why = query(
        one_night,
        "SELECT null_reason FROM client_profile WHERE client_id = 'C2' AND name = 'aum'",
    )
    assert why == [("UNKNOWN",)], "allowed now, but no balance was ever told"
    assert app.refresh_profiles(one_night) is not None
    assert query(one_night, "SELECT count(*) FROM gate_result WHERE stage = 'profile'") == [(2,)]


def test_a_past_profile_is_read_under_the_consents_of_today(one_night: Settings) -> None:
    past = by_name(app.client(one_night, "C1", actor="rm", as_of=DAY))
    assert past["aum"]["value"] == "100.00"

    take_in(one_night, outgoing(withdrawn(DAY + dt.timedelta(days=1)), sequence=6))

    past = by_name(app.client(one_night, "C1", actor="rm", as_of=DAY))
    assert past["aum"]["null_reason"] == "NOT_CONSENTED"
    assert past["tenure_days"]["value"] == "0"
    with pytest.raises(UsageError, match="no night of that date"):
        app.client(one_night, "C1", actor="rm", as_of=dt.date(2020, 1, 1))


def test_the_ledger_is_shown_with_its_evidence(one_night: Settings) -> None:
    take_in(one_night, outgoing(withdrawn(DAY + dt.timedelta(days=1)), sequence=6))
    environment = {**os.environ, "LIFECYCLE_HOME": str(one_night.home), "COLUMNS": "160"}

    def consent(*arguments: str) -> Any:
        command = [sys.executable, "-m", "lifecycle.cli", "consent", "C1", *arguments]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout) if "--json" in arguments else answer.stdout

    shown = consent("--json")
    purposes = {row["purpose"]: row for row in shown["purposes"]}
    assert purposes["P2_PROFILE"]["ground"] == "WITHDRAWN"
    assert len(purposes["P2_PROFILE"]["event_ids"]) == 2
    assert purposes["P1_SERVICE"]["allowed"]
    assert purposes["P4_AUTOMATED"]["ground"] == "NEVER_ASKED"
    (given,) = shown["consents"]
    assert (given["status"], given["granted"]["channel"]) == ("WITHDRAWN", "BRANCH")
    before = consent("--json", "--as-of", DAY.isoformat())
    assert {r["purpose"]: r["ground"] for r in before["purposes"]}["P2_PROFILE"] == "GRANTED"
    assert "the client took it back" in consent()


def test_nobody_knows_an_unknown_client(clean: Settings) -> None:
    with pytest.raises(UsageError, match="no client X"):
        app.consent(clean, "X", None)
    with pytest.raises(UsageError, match="no client X"):
        app.client(clean, "X", actor="rm")
    assert query(clean, "SELECT count(*) FROM profile_read") == [(0,)]


def test_clients_are_found_listed_and_exported_as_they_may_be_read(
    one_night: Settings, tmp_path: Path
) -> None:
    rich = app.clients(one_night, "aum >= 100", purpose="P2_PROFILE", actor="rm")
    assert [row["client_id"] for row in rich] == ["C1"]
    assert rich[0]["attributes"]["tenure_days"] == "0"
    everybody = app.clients(one_night, "", actor="rm")
    assert [row["client_id"] for row in everybody] == ["C1", "C2"]
    assert everybody[1]["attributes"]["aum"] is None
    assert everybody[1]["withheld"]["aum"] == "NOT_CONSENTED"
    assert app.clients(one_night, "tenure_days = 0", purpose="P4_AUTOMATED", actor="rm") == []
    assert app.clients(one_night, "state = ONBOARDING", actor="rm", as_of=DAY) != []
    with pytest.raises(UsageError, match="no night of that date"):
        app.clients(one_night, "", actor="rm", as_of=dt.date(2020, 1, 1))

    client_list.export(everybody, tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["aum"], first["state"], second["aum"]) == ("100.00", "ONBOARDING", "")
    client_list.export(everybody, tmp_path / "all.parquet")
    rows = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert [row["aum"] for row in rows] == ["100.00", None]
    with pytest.raises(UsageError, match=r"neither \.csv nor \.parquet"):
        client_list.export(everybody, tmp_path / "all.xls")
    with pytest.raises(UsageError, match="cannot be written"):
        client_list.export(everybody, tmp_path / "no" / "all.csv")

    reads = query(one_night, "SELECT client_id, purpose, allowed FROM profile_read ORDER BY 1, 2")
    assert reads == [
        ("C1", "P1_SERVICE", True),
        ("C1", "P1_SERVICE", True),
        ("C1", "P2_PROFILE", True),
        ("C2", "P1_SERVICE", True),
        ("C2", "P1_SERVICE", True),
    ]


def test_a_night_tells_where_a_client_stands_and_moves_it_once(one_night: Settings) -> None:
    page = app.client(one_night, "C1", actor="rm")
    assert page["lifecycle"]["state"] == "ONBOARDING"
    assert page["quality"]["grade"] in "ABCD"
    assert {check["id"] for check in page["checks"]} >= {"CV01", "CV09"}
    moves = query(one_night, "SELECT client_id, from_state, to_state FROM lifecycle_transition")
    assert sorted(moves) == [("C1", "NONE", "ONBOARDING"), ("C2", "NONE", "ONBOARDING")]
    told = "SELECT key, value FROM outbox WHERE topic = 'bank.profile.v1' ORDER BY key"
    messages = [(key, json.loads(value)) for key, value in query(one_night, told)]
    assert [key for key, _ in messages] == ["C1", "C2"]
    assert messages[0][1]["type"] == "bank.profile.lifecycle_changed.v1"
    assert messages[0][1]["data"]["to"] == "ONBOARDING"

    app.run_nightly(one_night, DAY)

    assert len(query(one_night, told)) == 2, "the same night again tells nothing twice"


def test_a_conflict_becomes_a_task_until_it_is_gone(one_night: Settings) -> None:
    next_day = DAY + dt.timedelta(days=1)
    expired = msgspec.structs.replace(registered("C3"), id_expiry=DAY)
    take_in(one_night, outgoing(expired, "C3", time=at(next_day, 1), sequence=1))
    app.run_nightly(one_night, next_day)
    page = app.client(one_night, "C3", actor="rm")
    (task,) = page["tasks"]
    assert (task["check_id"], task["owner"]) == ("CV09", "RM")
    assert task["due"] > next_day
    assert any(question["about"] == "CV09" for question in page["questions"])

    third_day = next_day + dt.timedelta(days=1)
    take_in(one_night, outgoing(posted(3, day=third_day, balance_after="200.00"), sequence=6))
    app.run_nightly(one_night, third_day)
    assert app.client(one_night, "C3", actor="rm")["tasks"] == [task], (
        "the same task, the same date"
    )

    renewed = msgspec.structs.replace(registered("C3"), id_expiry=dt.date(2036, 1, 1))
    out = outgoing(renewed, "C3", time=at(next_day, 1), sequence=2)
    # A corrected fact is a fact of its own: the same business key, another id, a later sequence.
    take_in(
        one_night,
        msgspec.structs.replace(out, value=out.value.replace(out.id.encode(), b"corrected")),
    )
    app.run_nightly(one_night, third_day)
    assert app.client(one_night, "C3", actor="rm")["tasks"] == []
    closed = query(one_night, "SELECT opened_as_of, closed_as_of FROM client_task")
    assert closed == [(next_day, third_day)]


def test_what_compliance_owns_is_for_compliance(one_night: Settings) -> None:
    insert_alert(one_night, rule_id="RT-08", owner="CO", client_id="C1")
    insert_alert(one_night, rule_id="RT-03", owner="RM", client_id="C1")

    def seen(role: str | None) -> tuple[set[str], set[str]]:
        page = app.client(one_night, "C1", actor="x", role=role)
        rules = {alert["rule_id"] for alert in page["alerts"]}
        return rules, {check["id"] for check in page["checks"]} & {"CV06", "CV08", "CV14"}

    assert seen("RM") == ({"RT-03"}, set())
    assert seen("CO") == ({"RT-03", "RT-08"}, {"CV06", "CV08", "CV14"})
    assert seen(None) == seen("CO")


def test_a_page_is_printed_in_both_languages_and_drawn(one_night: Settings, tmp_path: Path) -> None:
    environment = {**os.environ, "LIFECYCLE_HOME": str(one_night.home), "COLUMNS": "160"}

    def client(*arguments: str) -> str:
        command = [sys.executable, "-m", "lifecycle.cli", "client", "C1", *arguments]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    drawn = tmp_path / "c1.png"
    english = client("--plot", str(drawn))
    assert "getting started" in english or "ONBOARDING" in english or "first seen" in english
    assert "assets held here" in english
    assert drawn.read_bytes().startswith(b"\x89PNG")
    chinese = client("--lang", "zh")
    assert "在本行的资产" in chinese
    assert "assets held here" not in chinese
