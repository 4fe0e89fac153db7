"""Who is learnt from, and what became of them: cases of one client worked by hand, and the table of a
lake."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts
from lifecycle.errors import AnswerIsNo, UsageError
from lifecycle.events import Fact
from lifecycle.events import credit as cr
from lifecycle.model_training import window
from lifecycle.risk.classification import portfolio
from lifecycle.risk.credit_features import FEATURES
from lifecycle.risk.credit_training import (
    Label,
    apart,
    default_days,
    labels,
    month_ends,
    observation_dates,
    require_bads,
    training_rows,
)
from lifecycle.risk.timeline import Move
from lifecycle.risk.triggers import NPL, TIERS, months_after
from tests.lakes import ZONE, lake_of_one
from tests.support import DAY, disbursed, due, made

DUES = [months_after(DAY, n) for n in range(1, 25)]
DATES = month_ends(DAY, dt.date(2027, 2, 28))
KNOWN = dt.date(2028, 3, 31)


def paid(*numbers: int, late: dict[int, int] | None = None) -> list[Fact]:
    """Instalments of two years, the named ones paid on their days, others so many days late."""
    facts: list[Fact] = [disbursed(), *(due(n, day) for n, day in enumerate(DUES, start=1))]
    days = {n: DUES[n - 1] for n in numbers}
    days |= {n: DUES[n - 1] + dt.timedelta(days=after) for n, after in (late or {}).items()}
    facts += [made(f"P{n}", day) for n, day in days.items()]
    return facts


EVERY = range(1, 25)


def without(*numbers: int) -> list[int]:
    return [n for n in EVERY if n not in numbers]


def marked(day: dt.date, kind: type[Fact], **fields: Any) -> Fact:
    return kind(business_date=day, facility_id="L1", **fields)


AUTUMN = dt.date(2026, 10, 15)
SETTLED = marked(AUTUMN, cr.CreditSettled, settled_date=AUTUMN)
WRITTEN_OFF = marked(AUTUMN, cr.CreditWrittenOff, amount="100.00", currency="CNY")
DECLARED = marked(AUTUMN, cr.DefaultDeclared, criterion="UTP")
RESTRUCTURED = marked(
    AUTUMN, cr.CreditRestructured, reason="HARDSHIP", forbearance_type="EXTENSION", distressed=True
)

# One letter a month-end from March 2026 on. Lent on 2 March: three months on book at the end of June.
CASES: dict[str, tuple[list[Fact], str]] = {
    "always on its day": (paid(*EVERY), "---GGGGGGGGG"),
    "thirty days late is good": (paid(*without(9), late={9: 30}), "---GGGGGGGGG"),
    # The ninth is due on 2 December 2026: more than 30 days past due from 2 to 15 January, which every
    # window up to that of December holds. (Money of the tenth would have paid it.)
    "31 days late for a while": (paid(*without(9, 10), late={9: 45, 10: 14}), "---IIIIIIIGG"),
    # Unpaid since 2 December: 91 days past due on 3 March 2027.
    "never again": (paid(*range(1, 9)), "---BBBBBBBBB"),
    # Unpaid since 2 June: 91 days past due on 1 September.
    "in default already": (paid(1, 2), "---BBB......"),
    "settled": ([*paid(*range(1, 8)), SETTLED], "---GGGG"),
    "written off": ([*paid(*EVERY), WRITTEN_OFF], "---BBBB....."),
    "unlikely to pay": ([*paid(*EVERY), DECLARED], "---BBBB....."),
    "restructured in distress": ([*paid(*EVERY), RESTRUCTURED], "---BBBB....."),
}
LETTERS = {
    "GOOD": "G",
    "BAD": "B",
    "INDETERMINATE": "I",
    "DEFAULTED_BEFORE": ".",
    "TOO_YOUNG": "-",
}


def told(path: Path, rules: RuleSet, facts: list[Fact]) -> list[Label]:
    facts = sorted(facts, key=lambda fact: fact.business_date)
    with DuckDBEngine(lake_of_one(path / "lake", *facts)) as engine:
        known = portfolio(Facts(engine, KNOWN, ZONE, frozenset()), rules.parameters)
        return list(labels(known, DATES, rules.parameters))


@pytest.mark.parametrize(("facts", "expected"), CASES.values(), ids=CASES)
def test_outcomes(facts: list[Fact], expected: str, tmp_path: Path, rule_set: RuleSet) -> None:
    found = told(tmp_path, rule_set, facts)
    assert "".join(LETTERS[label.outcome] for label in found) == expected
    assert [label.date for label in found] == DATES[: len(expected)]


def test_the_table_has_features_of_each_date_and_no_target_for_the_indeterminate(
    tmp_path: Path, rule_set: RuleSet
) -> None:
    facts = sorted(CASES["31 days late for a while"][0], key=lambda fact: fact.business_date)
    with DuckDBEngine(lake_of_one(tmp_path / "lake", *facts)) as engine:
        known = portfolio(Facts(engine, KNOWN, ZONE, frozenset()), rule_set.parameters)
        own = list(labels(known, DATES, rule_set.parameters))
        table = training_rows(engine, own, ZONE, rule_set.parameters)
    assert table.column_names == ["id", "date", "client", *FEATURES, "target"]
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == [f"C1/{date}" for date in DATES[3:]]
    assert Counter(row["target"] for row in rows) == {None: 7, 0: 2}
    # Nothing is past due at the end of November; on 31 December the ninth is.
    past_due = {row["date"]: row["days_past_due"] for row in rows}
    assert past_due[dt.date(2026, 11, 30)] == 0
    assert past_due[dt.date(2026, 12, 31)] == 29


def test_no_feature_sees_what_came_after_its_date(tmp_path: Path, rule_set: RuleSet) -> None:
    date = dt.date(2026, 12, 31)
    own = [Label("C1", date, "BAD")]
    facts = sorted(CASES["never again"][0], key=lambda fact: fact.business_date)
    tables = []
    for name, known in (("all", facts), ("past", [f for f in facts if f.business_date <= date])):
        with DuckDBEngine(lake_of_one(tmp_path / name, *known)) as engine:
            tables.append(training_rows(engine, own, ZONE, rule_set.parameters))
    assert len(facts) > 20
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize(
    "as_of", [dt.date(2026, 7, 31), dt.date(2026, 8, 30), dt.date(2028, 2, 29)]
)
def test_the_rules_name_as_many_month_ends_as_they_say(as_of: dt.date, rule_set: RuleSet) -> None:
    first, last = window(as_of, rule_set.parameters)
    dates = observation_dates(first, last, as_of, rule_set.parameters)
    assert len(dates) == rule_set.parameters["credit_training"].value["months"]
    assert months_after(dates[-1], 12) <= as_of < months_after(dates[-1], 14)


MOVES = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([*TIERS, None, "1", "2", "3"])), max_size=12
)


@given(MOVES)
def test_days_in_default_are_those_in_stage_3_or_of_an_npl(drawn: list[tuple[int, Any]]) -> None:
    moves = [
        Move(
            DAY + dt.timedelta(days=day),
            "STAGE" if after in ("1", "2", "3") else "TIER",
            None,
            after,
            "T",
            0,
        )
        for day, after in sorted(drawn, key=lambda move: move[0])
    ]
    spans = list(default_days(moves))
    for number in range(45):
        day = DAY + dt.timedelta(days=number)
        held: dict[str, Any] = {move.scale: move.after for move in moves if move.on <= day}
        bad = held.get("STAGE") == "3" or held.get("TIER") in TIERS[NPL:]
        assert any(span.covers(day) for span in spans) == bad


def test_dates_are_ends_of_months_whose_outcome_is_known(rule_set: RuleSet) -> None:
    figures = rule_set.parameters
    first, last, known = dt.date(2026, 1, 31), dt.date(2026, 3, 30), dt.date(2027, 2, 28)
    assert observation_dates(first, last, known, figures) == [
        dt.date(2026, 1, 31),
        dt.date(2026, 2, 28),
    ]
    with pytest.raises(UsageError, match="let --to be 2026-02-27 or earlier"):
        observation_dates(first, last, known - dt.timedelta(days=1), figures)
    with pytest.raises(UsageError, match="no end of a month"):
        observation_dates(dt.date(2026, 2, 1), dt.date(2026, 2, 27), known, figures)


def test_no_outcome_of_the_development_reaches_into_the_test(
    tmp_path: Path, rule_set: RuleSet
) -> None:
    facts = sorted(CASES["never again"][0], key=lambda fact: fact.business_date)
    with DuckDBEngine(lake_of_one(tmp_path / "lake", *facts)) as engine:
        known = portfolio(Facts(engine, KNOWN, ZONE, frozenset()), rule_set.parameters)
        dates = month_ends(DAY, dt.date(2027, 6, 30))
        own = list(labels(known, dates, rule_set.parameters))
        table = training_rows(engine, own, ZONE, rule_set.parameters)
    test_from = dt.date(2027, 7, 31)
    kept = apart(table, test_from, rule_set.parameters)["date"].to_pylist()
    assert kept == [dt.date(2026, 6, 30), dt.date(2026, 7, 31)]
    early = dt.date(2026, 12, 31)
    assert apart(table, early, rule_set.parameters)["date"].to_pylist() == [
        dt.date(2026, 12, 31),
        dt.date(2027, 1, 31),
        dt.date(2027, 2, 28),
    ]
    require_bads(table, early, 6)
    with pytest.raises(AnswerIsNo, match="6 are bad, and 3 of those"):
        require_bads(table, early, 7)
    with pytest.raises(AnswerIsNo, match="9 are bad, and 0 of those"):
        require_bads(table, test_from, 2)
