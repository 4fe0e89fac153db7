"""What a profile may know: nothing after its date, nothing the gate held; and the order in which
facts arrive says nothing."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import RuleSet, load_rules
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.facts import Facts, end_of
from lifecycle.settings import ROOT
from tests.lakes import ZONE, lake_of, profile_of
from tests.unit.attributes.bank import AS_OF, Bank
from tests.unit.attributes.test_values import BANK

RULES = load_rules(ROOT / "rules")
EARLY = dt.date(2026, 1, 31)
SHARES = ("cash_share", "cross_border_share", "income_stability", "hhi", "largest_product_share")


def derived(lake: Lake, name: str, held: frozenset[int] = frozenset()) -> dict[str, Any]:
    """One attribute by client."""
    with DuckDBEngine(lake) as engine:
        facts = Facts(engine, AS_OF, ZONE, held)
        rows = engine.run(ATTRIBUTES[name].derive(facts, RULES.parameters))
        return {row["client_id"]: row["value"] for row in rows.to_pylist()}


def differing(one: pa.Table, other: pa.Table) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
    return [(row, another) for row, another in pairs if row != another]


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return lake_of(tmp_path_factory.mktemp("in-order") / "lake", BANK.facts)


@pytest.fixture(scope="module")
def profile(in_order: Lake, rule_set: RuleSet) -> pa.Table:
    return profile_of(in_order, AS_OF, rule_set)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_arrival_says_nothing(
    profile: pa.Table, rule_set: RuleSet, tmp_path: Path, seed: int
) -> None:
    facts = list(BANK.facts)
    random.Random(seed).shuffle(facts)
    assert differing(profile_of(lake_of(tmp_path, facts), AS_OF, rule_set), profile) == []


def test_what_comes_after_the_date_changes_nothing(
    in_order: Lake, rule_set: RuleSet, tmp_path: Path
) -> None:
    end = end_of(EARLY, ZONE)
    known = lake_of(tmp_path, (fact for fact in BANK.facts if fact.time < end))
    then, now = profile_of(known, EARLY, rule_set), profile_of(in_order, EARLY, rule_set)
    assert differing(now, then) == []


def test_a_fact_the_gate_held_is_not_there(tmp_path: Path) -> None:
    bank = Bank()
    client = bank.person("held")
    client.credit("2026-03-10", "40.00", number="T1")
    client.reverse("2026-03-11", "T1", "40.00")
    client.credit("2026-03-12", "7.00")
    lake = lake_of(tmp_path, bank.facts)
    last = len(bank.facts)
    assert derived(lake, "inflow_monthly_1m") == {"held": 7.0}
    assert derived(lake, "inflow_monthly_1m", frozenset({last})) == {"held": 0.0}
    # Without its reversal the first entry stands: 40 + 7.
    assert derived(lake, "inflow_monthly_1m", frozenset({last - 1})) == {"held": 47.0}


def test_the_largest_amounts_add_up(tmp_path: Path) -> None:
    # 1,200 times nine trillion have seventeen digits before the point.
    bank = Bank()
    client = bank.person("rich")
    for _ in range(1_200):
        client.credit("2026-03-10", "9000000000000.00", currency="USD")
    assert derived(lake_of(tmp_path, bank.facts), "currency_exposure") == {
        "rich": "USD:10800000000000000.00"
    }


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["CRDT", "DBIT"]),
        st.dates(dt.date(2025, 12, 1), AS_OF),
        st.decimals(0, 10**9, places=2).map(str),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)
BALANCES = st.lists(
    st.tuples(st.dates(dt.date(2025, 12, 1), AS_OF), st.decimals(-(10**9), 10**9, places=2)),
    max_size=4,
)


@settings(max_examples=10)
@given(entries=ENTRIES, balances=BALANCES)
def test_shares_are_shares(
    entries: list[tuple[str, dt.date, str, bool, bool]],
    balances: list[tuple[dt.date, object]],
) -> None:
    bank = Bank()
    client = bank.person("shares")
    client.open("A2", "2024-01-01", "SVGS")
    for side, on, amount, cash, abroad in entries:
        post = client.credit if side == "CRDT" else client.debit
        post(str(on), amount, is_cash=cash, is_cross_border=abroad)
    for number, (on, balance) in enumerate(balances):
        client.balance(str(on), str(balance), f"A{number % 2 + 1}")
    with TemporaryDirectory() as folder:
        lake = lake_of(Path(folder) / "lake", bank.facts)
        for name in SHARES:
            least, most = RULES.parameters["profile_bounds"].value[name]
            for value in derived(lake, name).values():
                assert least <= round(value, 4) <= most, name
