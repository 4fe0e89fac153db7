"""Drift of a hand-written card: nothing moved, one feature moved, and what people decide against it."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts
from lifecycle.errors import UsageError
from lifecycle.events.credit import CreditApproved, CreditDeclined
from lifecycle.models.artefact import Stored, Training
from lifecycle.models.drift import drift
from lifecycle.models.figures import Figures
from lifecycle.models.metrics import distribution
from lifecycle.models.scorecard import Scorecard
from lifecycle.models.scoring import by_scorecard
from lifecycle.risk.overrides import overrides
from tests.lakes import ZONE, lake_of_one
from tests.support import DAY
from tests.unit.models.cards import card

# As many rows in every bin as the card was made of: ten each.
LOADS, HOMES, AGES = (0.0, 1.0, 3.0, None), ("own", "rent", None, "boat"), (-1.0, 1.0, None)
EVERY = list(itertools.product(LOADS, HOMES, AGES))


def table(rows: list[tuple[Any, ...]]) -> pa.Table:
    loads, homes, ages = zip(*rows, strict=True)
    return pa.table({
        "load": pa.array(loads, pa.float64()),
        "home": pa.array(homes, pa.string()),
        "age": pa.array(ages, pa.float64()),
    })


@pytest.fixture(scope="session")
def stored(figures: Figures) -> Stored[Scorecard]:
    made = card(figures)
    scores = np.asarray(by_scorecard(made, table(EVERY))["score"]).astype(float)
    known = Training(120, 12, "bad", ("load", "home", "age"), None, None, None, None, "hash")
    return Stored(made.version, made, known, distribution(scores), {}, (), {})


def test_nothing_moved(stored: Stored[Scorecard]) -> None:
    found = drift(stored, table(EVERY * 3))
    assert found.scored == len(EVERY) * 3
    assert found.psi == pytest.approx(0, abs=1e-12)
    assert found.csi == pytest.approx({"load": 0, "home": 0, "age": 0}, abs=1e-12)
    pds = [
        stored.model.score_row(dict(zip(("load", "home", "age"), row, strict=True))).pd
        for row in EVERY
    ]
    assert found.mean_pd == pytest.approx(sum(pds) / len(pds))


def test_one_feature_moved(stored: Stored[Scorecard]) -> None:
    """All loads are missing: three bins of a quarter each are empty, and count as half a row."""
    rows = [(None, home, age) for _, home, age in EVERY]
    found = drift(stored, table(rows))
    none = 0.5 / len(rows)
    expected = (1 - 0.25) * math.log(1 / 0.25) + 3 * (none - 0.25) * math.log(none / 0.25)
    assert found.csi["load"] == pytest.approx(expected)
    assert found.csi["home"] == pytest.approx(0, abs=1e-12)
    assert found.psi > 0


@settings(max_examples=15)
@given(st.lists(st.sampled_from(EVERY), min_size=1, max_size=60), st.randoms())
def test_the_order_of_clients_says_nothing(
    stored: Stored[Scorecard], rows: list[tuple[Any, ...]], random: Any
) -> None:
    found = drift(stored, table(rows))
    mixed = list(rows)
    random.shuffle(mixed)
    again = drift(stored, table(mixed))
    assert again.csi == found.csi
    assert again.psi == found.psi
    assert all(value >= 0 for value in (found.psi, *found.csi.values()))


def test_a_column_that_is_not_there(stored: Stored[Scorecard]) -> None:
    with pytest.raises(UsageError, match="columns that are not there: age"):
        drift(stored, table(EVERY).drop(["age"]))


def approved(number: int, day: dt.date, pd: str | None) -> CreditApproved:
    return CreditApproved(
        business_date=day,
        application_id=f"A{number}",
        facility_id=f"F{number}",
        approved_amount="1.00",
        currency="CNY",
        term_months=12,
        rate="0",
        pd_at_origination=pd,
    )


def declined(number: int, day: dt.date, pd: str | None) -> CreditDeclined:
    return CreditDeclined(business_date=day, application_id=f"A{number}", pd_at_origination=pd)


def test_overrides_are_decisions_against_the_pd_they_carry(
    tmp_path: Path, rule_set: RuleSet
) -> None:
    early, first = DAY, DAY + dt.timedelta(days=1)
    last = first + dt.timedelta(days=89)
    facts = [
        approved(0, early, "0.5"),  # 91 days before
        approved(1, first, "0.2"),  # against: band E
        approved(2, first, "0.19"),
        approved(3, last, None),  # nobody knows on which PD
        declined(4, last, "0.02"),  # against: band B
        declined(5, last, "0.03"),
        declined(6, last, "0.9"),
    ]
    with DuckDBEngine(lake_of_one(tmp_path / "lake", *facts)) as engine:
        known = Facts(engine, last, ZONE, frozenset())
        assert engine.run(overrides(known, rule_set.parameters)).to_pylist() == [
            {"decisions": 5, "overrides": 2}
        ]
        before = Facts(engine, DAY - dt.timedelta(days=1), ZONE, frozenset())
        assert engine.run(overrides(before, rule_set.parameters)).to_pylist() == [
            {"decisions": 0, "overrides": 0}
        ]
