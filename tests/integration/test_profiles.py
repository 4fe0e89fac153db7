"""Profiles on the running pipeline: consent decides what is served and read, and reads are kept."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from consumers.publish import publish
from lifecycle import app
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.errors import UsageError
from lifecycle.events import Fact, Outgoing
from lifecycle.events.client import ClientRegistered
from lifecycle.events.consent import ConsentGranted, ConsentWithdrawn
from lifecycle.settings import Settings
from tests.support import at, consumer, opened, outgoing, posted, query, received, wait_for

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
    environment = {**os.environ, "LIFECYCLE_HOME": str(one_night.home)}

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
