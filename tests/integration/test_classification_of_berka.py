"""The loans a real bank granted in 1993, against days past due counted from its own files by hand and
by a few lines that share no code with the product."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts
from lifecycle.events.catalogue import CREDIT
from lifecycle.risk.classification import facilities, timelines
from lifecycle.sources.berka import BerkaSource
from tests.conftest import BERKA, needs_berka
from tests.lakes import lake_of

pytestmark = [pytest.mark.integration, needs_berka]

ZONE = ZoneInfo("Europe/Prague")
AS_OF = dt.date(1994, 3, 30)


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, rule_set: RuleSet
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Facility id -> its row, and every move."""
    facts = (f for f in BerkaSource(BERKA, ZONE).events(None, AS_OF) if f.topic == CREDIT)
    with DuckDBEngine(lake_of(tmp_path_factory.mktemp("berka") / "lake", facts)) as engine:
        known = Facts(engine, AS_OF, ZONE, frozenset())
        rows = engine.run(facilities(known, rule_set.parameters)).to_pylist()
        moves = engine.run(timelines(known, rule_set.parameters)).to_pylist()
    return {row["facility_id"]: row for row in rows}, moves


def lines(name: str) -> Iterator[dict[str, str]]:
    head, *rows = Path(BERKA / name).read_text(encoding="latin-1").splitlines()
    names = [field.strip('"') for field in head.split(";")]
    for row in rows:
        yield dict(zip(names, (field.strip('"') for field in row.split(";")), strict=False))


def date(text: str) -> dt.date:
    return dt.date(1900 + int(text[:2]), int(text[2:4]), int(text[4:6]))


def paid_up(granted: dt.date, payments: int) -> int:
    """Days past due when so many whole instalments came: of the next 12th that was due."""
    first = granted.year * 12 + granted.month - 1 + (0 if granted.day < 12 else 1) + payments
    oldest = dt.date(first // 12, first % 12 + 1, 12)
    return max(0, (AS_OF - oldest).days)


def test_days_past_due_of_every_loan_equal_a_second_count(
    found: tuple[dict[str, Any], list[Any]],
) -> None:
    rows, _ = found
    paid: dict[str, int] = {}
    for entry in lines("trans_1993-01_1994-03.asc"):
        if entry.get("k_symbol") == "UVER" and date(entry["date"]) <= AS_OF:
            paid[entry["account_id"]] = paid.get(entry["account_id"], 0) + 1
    loans = [loan for loan in lines("loan.asc") if date(loan["date"]) <= AS_OF]
    expected = {
        f"LOAN-{loan['loan_id']}": paid_up(date(loan["date"]), paid.get(loan["account_id"], 0))
        for loan in loans
    }
    assert {name: row["dpd"] for name, row in rows.items()} == expected
    assert len([loan for loan in loans if loan["date"] < "940101"]) == 20


def test_the_loan_that_missed_eight_instalments(
    found: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    """Due from 1993-07-12 and paid once, on 1994-03-12: that pays July, so August is the oldest."""
    rows, moves = found
    row = rows["LOAN-5314"]
    assert (row["dpd"], row["tier"], row["stage"]) == (230, "SUBSTANDARD", 3)
    assert row["missed_12m"] == 8
    told = [(m["day"].isoformat(), m["after"], m["trigger"]) for m in moves if m["before"]]
    assert sorted(told) == [
        ("1993-07-20", "2", "TIER_SPECIAL_MENTION"),
        ("1993-07-20", "SPECIAL_MENTION", "DPD_OVER_TECHNICAL"),
        ("1993-10-11", "3", "DPD_OVER_STAGE_3"),
        ("1993-10-11", "SUBSTANDARD", "DPD_OVER_SUBSTANDARD"),
    ], "and no other loan moved"
