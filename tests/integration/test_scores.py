"""Scores on the running pipeline: what a night serves of them, makes again, and lets people override."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lifecycle import app
from lifecycle.errors import UsageError
from lifecycle.override import Override
from lifecycle.settings import Settings
from tests.integration.test_profiles import granted, registered, snapshot, take_in, withdrawn
from tests.support import opened, outgoing, posted, query

pytestmark = pytest.mark.integration
DAY = dt.date(2026, 3, 2)
NEXT, LAST = DAY + dt.timedelta(days=1), DAY + dt.timedelta(days=2)
ASKED = Override(
    client_id="C1", score_type="CREDIT", band="E", reason="guarantor failed", valid_until=NEXT
)


@pytest.fixture
def scored(clean: Settings) -> Settings:
    """C1 has an account for ten months and allows a marketing profile; C2 has only registered."""
    first = DAY - dt.timedelta(days=300)
    facts = [
        registered(),
        granted(),
        opened(day=first),
        posted(balance_after="5000.00"),
        snapshot(DAY, "5000.00"),
    ]
    outs = [outgoing(fact, sequence=n + 1) for n, fact in enumerate(facts)]
    take_in(clean, *outs, outgoing(registered("C2"), "C2"))
    assert app.run_nightly(clean, DAY)["published"]
    return clean


def served(settings: Settings) -> dict[tuple[str, str], tuple[str, Any]]:
    rows = query(settings, "SELECT client_id, score_type, status, override FROM risk_score")
    return {(client, kind): (status, override) for client, kind, status, override in rows}


def shown(settings: Settings, role: str) -> set[str]:
    page = app.client(settings, "C1", actor="somebody", purpose="P2_PROFILE", role=role)
    return {row["score_type"] for row in page["scores"]}


def test_a_night_serves_every_type_to_whom_may_see_it(scored: Settings) -> None:
    assert served(scored) == {
        ("C1", "CREDIT"): ("SCORED", None),
        ("C1", "MORAL"): ("SCORED", None),
        ("C1", "ATTRITION"): ("SCORED", None),
        ("C1", "AML"): ("SCORED", None),
        ("C2", "AML"): ("SCORED", None),
    }
    assert shown(scored, "RM") == {"CREDIT", "MORAL", "ATTRITION"}
    assert shown(scored, "CO") == {"CREDIT", "MORAL", "ATTRITION", "AML"}
    replayed = app.replay_scores(scored, None, None)
    assert replayed == {"date": DAY, "scores": 5, "identical": 5, "differences": []}
    with pytest.raises(UsageError, match="compliance alone"):
        app.aml(scored, "aml_review", None, None, "RM")
    (review,) = app.aml(scored, "aml_review", None, "C1", "CO")
    assert review["level"] == "LOW"


def test_a_withdrawal_takes_the_score_away_that_rests_on_the_consent(scored: Settings) -> None:
    take_in(scored, outgoing(withdrawn(NEXT), sequence=6))
    assert app.refresh_profiles(scored) is not None
    kept = query(
        scored,
        "SELECT status, value, pd, reason_codes, inputs FROM risk_score "
        "WHERE client_id = 'C1' AND score_type = 'ATTRITION'",
    )
    assert kept == [("NOT_CONSENTED", None, None, [], "null")]
    assert served(scored)["C1", "CREDIT"] == ("SCORED", None)
    assert served(scored)["C1", "AML"] == ("SCORED", None)


def test_an_override_stands_beside_the_score_until_its_last_day(scored: Settings) -> None:
    asked = app.ask_for_override(scored, ASKED, maker="ann")
    with pytest.raises(UsageError, match="waits for its answer"):
        app.ask_for_override(scored, ASKED, maker="bob")
    assert served(scored)["C1", "CREDIT"] == ("SCORED", None), "nobody said yes"
    now = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
    with app.overrides(scored) as store:
        with pytest.raises(UsageError, match="a second person"):
            store.decide(asked, "APPROVED", checker="ann", now=now)
        store.decide(asked, "APPROVED", checker="bob", now=now)
        with pytest.raises(UsageError, match="APPROVED already"):
            store.decide(asked, "REJECTED", checker="bob", now=now)
    status, override = served(scored)["C1", "CREDIT"]
    assert (status, override["band"], override["maker"], override["checker"]) == (
        "SCORED", "E", "ann", "bob",
    )  # fmt: skip
    take_in(scored, outgoing(posted(2, day=LAST, balance_after="5100.00"), sequence=6))
    assert app.run_nightly(scored, LAST)["published"]
    assert served(scored)["C1", "CREDIT"] == ("SCORED", None), "its last day is over"


@pytest.mark.parametrize(
    ("changes", "says"), [({"client_id": "C9"}, "has no score"), ({"band": "Z"}, "no band 'Z'")]
)
def test_what_may_not_be_asked_for(clean: Settings, changes: dict[str, Any], says: str) -> None:
    insert = (
        "INSERT INTO risk_score (score_id, client_id, score_type, status, value, band, calibrated,"
        " reason_codes, as_of, feature_hash, model_version) VALUES (gen_random_uuid(), 'C1', "
        "'CREDIT', 'SCORED', 700, 'A', false, '[]', '2026-03-02', 'h', 'm') RETURNING 1"
    )
    query(clean, insert)
    wanted = {name: getattr(ASKED, name) for name in ASKED.__struct_fields__} | changes
    with pytest.raises(UsageError, match=says):
        app.ask_for_override(clean, Override(**wanted), maker="ann")
