"""The life of a model: which moves may be proposed, who may decide, what is asked; NT-18."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.alerts.models import (
    LIGHTS,
    Drift,
    Reading,
    decide_drift,
    decode_drift,
    encode_drift,
    findings,
    light,
    limits_of,
)
from lifecycle.alerts.rules import RuleSet, load_rules
from lifecycle.errors import UsageError
from lifecycle.models.life import (
    STATUSES,
    TRANSITIONS,
    Registered,
    Request,
    check_decision,
    check_proposal,
    diagram,
    question,
)
from lifecycle.settings import ROOT
from tests.support import DAY, at

MODEL = Registered(
    model_version="scorecard-1",
    model_type="CREDIT",
    artefact_hash="ab" * 32,
    lake={"credit_training": 7},
    data_hash="cd" * 32,
    code_version="1",
    metrics={},
    owner="maker",
    created_at=at(DAY),
    has_report=True,
)
CHAMPION = msgspec.structs.replace(MODEL, model_version="scorecard-0", status="CHAMPION")
RULES = load_rules(ROOT / "rules")
LEGAL = {(t.before, t.after) for t in TRANSITIONS}


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_only_moves_of_the_table_may_be_proposed(before: Any, after: Any) -> None:
    model = msgspec.structs.replace(MODEL, status=before)
    if (before, after) in LEGAL:
        check_proposal(model, after, "why", None)
    else:
        with pytest.raises(UsageError, match=f"is {before}, and from there"):
            check_proposal(model, after, "why", None)


def test_every_status_is_reached_and_none_is_a_trap() -> None:
    assert {after for _, after in LEGAL} == set(STATUSES)
    assert {before for before, _ in LEGAL} == {None, *STATUSES}


CHALLENGER = msgspec.structs.replace(MODEL, status="CHALLENGER")


def against(**found: Any) -> Registered:
    whole = {"model_version": "scorecard-0", "difference": 0.02, "p": 0.01, "may_replace": True}
    return msgspec.structs.replace(CHALLENGER, metrics={"against_champion": whole | found})


REFUSED = [
    (MODEL, "CHALLENGER", " ", None, "needs a reason"),
    (
        msgspec.structs.replace(MODEL, has_report=False),
        "CHALLENGER",
        "why",
        None,
        "no validation report",
    ),
    (CHALLENGER, "CHAMPION", "why", CHAMPION, "never compared with the champion scorecard-0"),
    (against(model_version="other"), "CHAMPION", "why", CHAMPION, "never compared"),
    (against(may_replace=False, p=0.3), "CHAMPION", "why", CHAMPION, "DeLong p 0.300"),
]


@pytest.mark.parametrize(("model", "after", "reason", "champion", "said"), REFUSED)
def test_a_proposal_that_may_not_be(
    model: Registered, after: Any, reason: str, champion: Any, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        check_proposal(model, after, reason, champion)


def test_a_better_challenger_may_replace_the_champion() -> None:
    check_proposal(against(), "CHAMPION", "better", CHAMPION)


def request(**changes: Any) -> Request:
    whole: dict[str, Any] = {
        "model_version": "scorecard-1",
        "after": "CHAMPION",
        "artefact_hash": "ab" * 32,
        "reason": "it is better",
        "maker": "asker",
        "requested_at": at(DAY),
        "request_id": 4,
    }
    return Request(**(whole | changes))


@pytest.mark.parametrize("checker", ["asker", " ASKER ", "maker", "Maker", "", " "])
def test_nobody_decides_what_is_their_own(checker: str) -> None:
    with pytest.raises(UsageError, match="another person has to decide"):
        check_decision(request(), MODEL, checker)


def test_a_third_person_decides_once() -> None:
    check_decision(request(), MODEL, "checker")
    with pytest.raises(UsageError, match="APPROVED already"):
        check_decision(request(status="APPROVED"), MODEL, "checker")


def test_the_question_has_the_hash_the_validation_and_the_report() -> None:
    test = {
        "n": 1200,
        "n_bad": 80,
        "auc": 0.81,
        "ks": 0.5,
        "intervals": {"auc": (0.77, 0.85), "ks": None},
    }
    more = {"test": test, "warnings": ["Column x knows too much."]}
    model = msgspec.structs.replace(against(), metrics=against().metrics | more)
    asked = question(request(), model, CHAMPION)
    assert "scorecard-1 to CHAMPION" in asked["subject"]
    for said in (
        "ab" * 32,
        "credit_training version 7",
        "1,200 rows, 80 bad",
        "0.8100 (0.7700 to 0.8500)",
        "scorecard-0: AUC +0.0200, DeLong p 0.010, may replace it",
        "/lifecycle/models/scorecard-1/report",
        "it is better",
        "* Column x knows too much.",
    ):
        assert said in asked["body"], said
    assert "not validated" in question(request(), MODEL, None)["body"]


def test_the_page_has_the_diagram() -> None:
    page = (ROOT / "docs" / "model-life.md").read_text("utf-8")
    assert f"```mermaid\n{diagram()}\n```" in page


# --- NT-18 ----------------------------------------------------------------------------------------


def reading(**changes: Any) -> Reading:
    whole: dict[str, Any] = {
        "business_date": DAY,
        "as_of": at(DAY),
        "model_version": "scorecard-1",
        "scored": 1000,
        "psi": 0.02,
        "csi": {"days_past_due": 0.01},
        "mean_pd": 0.05,
        "cohort": 1000,
        "defaults": 50,
        "calibration_p": 0.5,
        "decisions": 1000,
        "overrides": 10,
    }
    return Reading(**(whole | changes))


LIT: list[tuple[dict[str, Any], str]] = [
    ({}, "GREEN"),
    ({"psi": 0.0999}, "GREEN"),
    ({"psi": 0.1}, "AMBER"),
    ({"psi": 0.25}, "AMBER"),
    ({"psi": 0.2501}, "RED"),
    ({"csi": {"days_past_due": 0.3}}, "RED"),
    ({"psi": 3.0, "csi": {"a": 3.0}, "scored": 199}, "GREEN"),
    ({"calibration_p": 0.0499}, "AMBER"),
    ({"calibration_p": 0.009}, "RED"),
    ({"calibration_p": 0.0, "cohort": 150}, "GREEN"),
    ({"calibration_p": None, "cohort": 0, "defaults": 0}, "GREEN"),
    ({"overrides": 50}, "AMBER"),
    ({"overrides": 100}, "AMBER"),
    ({"overrides": 101}, "RED"),
    ({"overrides": 101, "decisions": 150}, "GREEN"),
    ({"overrides": 0, "decisions": 0}, "GREEN"),
]


@pytest.mark.parametrize(("changes", "expected"), LIT)
def test_lights(changes: dict[str, Any], expected: str, rule_set: RuleSet) -> None:
    limits = limits_of(rule_set.parameters)
    assert light(findings(reading(**changes), limits)) == expected


def test_what_turns_red_is_told_once(rule_set: RuleSet) -> None:
    calm, red = reading(), reading(psi=0.4, business_date=DAY + dt.timedelta(days=1))
    raised = decide_drift(Drift(calm, red), rule_set)
    assert raised is not None
    alert = raised.alert
    assert (alert.rule_id, alert.owner, alert.severity) == ("NT-18", "MO", "P2")
    assert (alert.entity, alert.client_id) == ("model/scorecard-1", "")
    assert "psi 0.400" in alert.message_en
    assert "psi 0.400" in alert.message_zh
    assert decide_drift(Drift(red, red), rule_set) is None
    assert decide_drift(Drift(red, calm), rule_set) is None
    worse = reading(psi=0.4, csi={"days_past_due": 0.5})
    more = decide_drift(Drift(red, worse), rule_set)
    assert more is not None
    assert "csi days_past_due 0.500" in more.alert.message_en
    assert "psi 0.400," not in more.alert.message_en
    assert decide_drift(Drift(None, red), rule_set) is not None


@given(st.floats(0, 5), st.floats(0, 5))
def test_a_higher_index_is_never_a_better_light(low: float, high: float) -> None:
    limits = limits_of(RULES.parameters)
    low, high = sorted((low, high))
    lights = [light(findings(reading(psi=psi), limits)) for psi in (low, high)]
    assert LIGHTS.index(lights[0]) <= LIGHTS.index(lights[1])  # type: ignore[arg-type]


def test_a_drift_is_kept_and_read_back() -> None:
    drift = Drift(reading(), reading(psi=1.5))
    assert decode_drift(encode_drift(drift)) == drift
