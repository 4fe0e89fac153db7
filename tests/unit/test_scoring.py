"""The common form of scores, made again from their own rows, and what gate "score" looks at."""

from __future__ import annotations

import datetime as dt
import statistics
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectations.gate import GreatExpectationsGate
from lifecycle import loan_scores, score_gate, scoring
from lifecycle.alerts.rules import load_rules
from lifecycle.errors import UsageError
from lifecycle.models import artefact
from lifecycle.override import Override, check_answer, check_override
from lifecycle.risk import attrition_score
from lifecycle.risk.aml.score import Inputs, Part
from lifecycle.risk.attrition_facts import FEATURES
from lifecycle.risk.attrition_score import Knot, Model, Term
from lifecycle.risk.conduct_score import Sign
from lifecycle.risk.score import Candidate
from lifecycle.scoring import SCHEMA, SCORERS, Frame, Models
from lifecycle.settings import ROOT

RULES = load_rules(ROOT / "rules")
FIGURES = RULES.parameters
DAY = dt.date(2026, 3, 31)
MODEL = Model(
    -4.0,
    (Term("complaints", 1.0, 0.0, 3.0, 0.0, 1.0, 0.0),),
    (Knot(-4.0, 0.01), Knot(2.0, 0.9)),
    {"rows": 1},
)
CHAMPION = artefact.champion(loan_scores.CARD)
CARD = CHAMPION.model
FRAME = Frame(DAY, Models(CHAMPION, MODEL), FIGURES, RULES.hash, {"C1": "B"})

numbers = st.none() | st.floats(-1e9, 1e9)
ids = st.lists(st.text("abc", min_size=1, max_size=3), max_size=3).map(tuple)
parts = st.builds(Part, st.sampled_from(["M01", "M08", "S02"]), st.integers(1, 25), ids, st.dates())
signs = st.builds(
    Sign, st.sampled_from(["DEBTS_HIDDEN", "EVASIVE"]), ids, st.decimals(0, 1, places=3)
)
INPUTS: dict[str, st.SearchStrategy[Any]] = {
    "CREDIT": st.dictionaries(st.sampled_from(["dpd", "tenure_days", "net_cashflow"]), numbers),
    "FITTED_CREDIT": st.fixed_dictionaries({c.name: numbers for c in CARD.characteristics}),
    "ATTRITION": st.builds(
        attrition_score.Inputs,
        st.fixed_dictionaries(dict.fromkeys(FEATURES, numbers)),
        st.dictionaries(st.sampled_from(list(FEATURES)), ids),
    ),
    "OPERATING": st.lists(signs).map(tuple),
    "MORAL": st.lists(signs).map(tuple),
    "AML": st.builds(
        Inputs,
        st.lists(parts.map(lambda p: msgspec.structs.replace(p, day=None)), max_size=3).map(tuple),
        st.lists(parts, max_size=5).map(tuple),
    ),
}


def test_every_type_has_a_scorer() -> None:
    assert set(INPUTS) == set(SCORERS)


@pytest.mark.parametrize("kind", SCORERS)
@given(st.data())
def test_a_row_is_made_again_from_itself(kind: str, data: st.DataObject) -> None:
    inputs = data.draw(INPUTS[kind])
    withheld = data.draw(st.sampled_from([None, "SUPPRESSED", "UNKNOWN"]))
    (row,) = scoring.rows(kind, [Candidate("C1", inputs, withheld)], FRAME)
    (kept,) = pa.Table.from_pylist([row], SCHEMA).to_pylist()
    assert scoring.again(kept, FRAME.models, FIGURES) == kept
    assert (row["value"] is None) == (withheld is not None)
    assert len(msgspec.json.decode(row["reason_codes"])) <= 4


def test_another_model_gives_another_id() -> None:
    one = [Candidate("C1", attrition_score.Inputs({"complaints": 2.0}, {}))]
    (fitted,) = scoring.rows("ATTRITION", one, FRAME)
    (points,) = scoring.rows("ATTRITION", one, FRAME._replace(models=Models()))
    assert fitted["feature_hash"] == points["feature_hash"]
    assert fitted["score_id"] != points["score_id"]
    assert (fitted["pd"] is None, points["pd"] is None) == (False, True)


def test_a_model_that_is_gone_is_said_so() -> None:
    features = dict.fromkeys((c.name for c in CARD.characteristics), 0.0)
    (row,) = scoring.rows("FITTED_CREDIT", [Candidate("C1", features)], FRAME)
    assert (row["score_type"], row["model_version"]) == ("CREDIT", CARD.version)
    with pytest.raises(UsageError, match="not in the registry"):
        scoring.again(row, Models(), FIGURES)


# --- the gate -------------------------------------------------------------------------------------

NO_STAGES = pa.table({
    "client_id": pa.array([], pa.string()),
    "dpd": pa.array([], pa.int64()),
    "stage": pa.array([], pa.int64()),
    "tier": pa.array([], pa.string()),
})
NO_MOVES = pa.table({
    "client_id": pa.array([], pa.string()),
    "scale": pa.array([], pa.string()),
    "day": pa.array([], pa.date32()),
    "after": pa.array([], pa.string()),
})


def night(clients: int = 4) -> list[dict[str, Any]]:
    known = {
        "CREDIT": lambda n: {"dpd": float(n), "tenure_days": 400.0},
        "ATTRITION": lambda n: attrition_score.Inputs({"complaints": float(n)}, {}),
        "MORAL": lambda _: (Sign("DEBTS_HIDDEN", ("e1",)),),
    }
    return [
        row
        for kind, inputs in known.items()
        for row in scoring.rows(
            kind, [Candidate(f"C{n}", inputs(n)) for n in range(clients)], FRAME
        )
    ]


def failed(
    rows: list[dict[str, Any]],
    stages: pa.Table = NO_STAGES,
    moves: pa.Table = NO_MOVES,
    eligible: dict[str, set[str]] | None = None,
) -> dict[str, str]:
    """Expectation -> what it does, of those that do not hold."""
    columns = score_gate.columns(rows, stages, moves, eligible or {}, FRAME.models, FIGURES)
    verdict = GreatExpectationsGate().check("score", columns, len(rows))
    assert verdict.evaluated == verdict.expected
    return {failure.expectation: failure.action for failure in verdict.failures}


def facility(**changes: Any) -> pa.Table:
    return pa.Table.from_pylist([
        {"client_id": "C1", "dpd": 0, "stage": 1, "tier": "PASS"} | changes
    ])


def test_a_sound_night_passes() -> None:
    assert failed(night()) == {}


@pytest.mark.parametrize(
    ("row", "changes", "expectation", "action"),
    [
        (0, {"value": 900}, "score-01", "block"),
        (0, {"value": None}, "score-01", "block"),
        (5, {"pd": 1.0}, "score-01", "block"),
        (0, {"client_id": "C2"}, "score-02", "block"),
        (0, {"model_version": "expert-of-old"}, "score-03", "block"),
        (5, {"calibration_version": "calibration-of-old"}, "score-03", "block"),
        (0, {"band": "D", "reason_codes": "[]"}, "score-07", "quarantine"),
        (
            9,
            {"reason_codes": '[{"code":"X","zh":"","en":"x","points":1}]'},
            "score-07",
            "quarantine",
        ),
        (0, {"inputs": '{"dpd":90.0,"tenure_days":400.0}'}, "score-11", "block"),
    ],
)
def test_a_row_that_is_wrong(
    row: int, changes: dict[str, Any], expectation: str, action: str
) -> None:
    rows = night()
    rows[row] = rows[row] | changes
    assert failed(rows)[expectation] == action


@pytest.mark.parametrize(
    ("stages", "expectation"),
    [
        (facility(dpd=91, stage=2, tier="SUBSTANDARD"), "score-08"),
        (facility(dpd=31, stage=1), "score-08"),
        (facility(dpd=91, stage=3, tier="SPECIAL_MENTION"), "score-09"),
    ],
)
def test_facilities_have_to_agree_with_their_days(stages: pa.Table, expectation: str) -> None:
    assert failed(night(), stages) == {expectation: "block"}


def test_pds_have_to_rise_with_the_bands() -> None:
    rows = night()
    fitted = [row for row in rows if row["score_type"] == "ATTRITION"]
    worst, best = max(fitted, key=lambda r: r["pd"]), min(fitted, key=lambda r: r["pd"])
    assert worst["band"] != best["band"]
    worst["pd"], best["pd"] = best["pd"], worst["pd"]
    assert failed(rows)["score-06"] == "block"


def champions(good: int, bad: int) -> list[dict[str, Any]]:
    """Scores of the champion: of clients that have money, and of overdrawn ones."""
    rich = {
        "overdrawn_12m": 0.0,
        "min_balance_180d": 30_000.0,
        "balance_cv_180d": 0.2,
        "instalment_to_balance": 0.02,
        "second_person": 1.0,
    }
    poor = rich | {"overdrawn_12m": 1.0, "min_balance_180d": -500.0, "second_person": 0.0}
    candidates = [
        Candidate(f"{kind}{n}", inputs)
        for kind, inputs, many in (("G", rich, good), ("B", poor, bad))
        for n in range(many)
    ]
    return list(scoring.rows("FITTED_CREDIT", candidates, FRAME))


def defaults(many: int, days_ago: int = 30) -> pa.Table:
    day = DAY - dt.timedelta(days=days_ago)
    return pa.Table.from_pylist([
        {"client_id": f"D{n}", "scale": "STAGE", "day": day, "after": "3"} for n in range(many)
    ])


def test_a_champion_is_held_against_its_development_and_against_what_happened() -> None:
    few = champions(100, 20)
    assert failed(few) == {}, "nothing is said of few"
    many = champions(200, 40)
    mean = statistics.fmean(row["pd"] for row in many)
    # Of 240 and those who defaulted within 90 days, so many are a year's rate of the mean PD.
    expected = round(240 * mean * 90 / 365)
    found = failed(many, moves=defaults(expected))
    assert found == {"score-04": "warn"}, "two kinds of clients are no bank"
    assert set(failed(many, moves=defaults(expected * 3))) == {"score-04", "score-05"}
    assert set(failed(many, moves=defaults(expected, days_ago=91))) == {"score-04", "score-05"}


def test_who_has_to_have_a_score_has_one() -> None:
    there = {f"C{n}" for n in range(4)}
    assert failed(night(), eligible={"CREDIT": there}) == {}
    assert failed(night(), eligible={"CREDIT": there | {"C9"}}) == {"score-12": "block"}
    profiles = pa.table({
        "client_id": ["C1", "C2", "C3"],
        "name": ["tenure_days", "tenure_days", "min_balance_90d"],
        "value": ["10", None, "5"],
    })
    assert score_gate.eligible(["C1", "C2", "C3"], profiles) == {
        "AML": {"C1", "C2", "C3"},
        "CREDIT": {"C1"},
        "MORAL": {"C1"},
    }


def test_many_suppressed_scores_are_told_of() -> None:
    rows = night()
    assert failed([scoring.suppressed(rows[0]), *rows[1:]]) == {"score-10": "warn"}


# --- overrides ------------------------------------------------------------------------------------


def wanted(**changes: Any) -> Override:
    given = {
        "client_id": "C1",
        "score_type": "CREDIT",
        "band": "D",
        "reason": "guarantor failed",
        "valid_until": dt.date(2026, 6, 30),
    }
    return Override(**given | changes)


def test_an_override_that_may_be_asked_for() -> None:
    check_override(wanted(), "SCORED", "B", DAY, 180)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"score_type": "AML", "band": "HIGH"}, "no override"),
        ({"band": "HIGH"}, "no band 'HIGH'"),
        ({"score_type": "MORAL"}, "no band 'D'"),
        ({"band": "B"}, "Band B counts already"),
        ({"reason": "  "}, "needs a reason"),
        ({"valid_until": DAY}, "until a day after"),
        ({"valid_until": dt.date(2027, 1, 1)}, "2026-09-27 at most"),
    ],
)
def test_an_override_that_may_not(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_override(wanted(**changes), "SCORED", "B", DAY, 180)


@pytest.mark.parametrize("status", ["SUPPRESSED", "UNKNOWN", "NOT_CONSENTED"])
def test_a_score_without_a_value_has_no_override(status: str) -> None:
    with pytest.raises(UsageError, match=f"is {status}"):
        check_override(wanted(), status, None, DAY, 180)


@pytest.mark.parametrize(
    ("changes", "answer", "checker", "says"),
    [
        ({}, "APPROVED", "bob", None),
        ({}, "APPROVED", "Ann ", "a second person"),
        ({}, "REJECTED", "ann", "a second person"),
        ({}, "APPROVED", " ", "a second person"),
        ({"status": "APPROVED"}, "APPROVED", "bob", "APPROVED already"),
        ({"as_of": None}, "APPROVED", "bob", "count nowhere"),
        ({"as_of": dt.date(2026, 7, 1)}, "APPROVED", "bob", "count nowhere"),
        ({"as_of": None}, "REJECTED", "bob", None),
    ],
)
def test_who_may_decide_what(
    changes: dict[str, Any], answer: Any, checker: str, says: str | None
) -> None:
    row = {
        "override_id": 1,
        "status": "WAITING",
        "maker": "ann",
        "as_of": DAY,
        "valid_until": dt.date(2026, 6, 30),
    } | changes
    if says is None:
        check_answer(row, answer, checker)
    else:
        with pytest.raises(UsageError, match=says):
            check_answer(row, answer, checker)
