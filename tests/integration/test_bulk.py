"""The script that the bulk benchmark measures against gives the rows of the product: on the bank it is
measured with, on a simulated one, and on the cases that are worked by hand for each attribute."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from benchmarks import bulk, bulk_bank
from lifecycle import app, settings
from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.errors import UsageError
from lifecycle.events import Outgoing
from lifecycle.sources.simulator import SimulatorSource
from tests.lakes import ZONE, lake_of, profile_of
from tests.unit.attributes.bank import AS_OF
from tests.unit.attributes.test_values import BANK

COLUMNS = ("value", "null_reason", "sources", "source_time", "unit", "purpose", "confidence")
UNKNOWN = {
    "application_income_declared",
    "bureau_lenders",
    "bureau_total_debt",
    "goals",
    "guarantees_given",
    "ubo_list",
    "utilisation",
}
"""Attributes of facts the script does not read."""

Rows = dict[tuple[str, str], tuple[Any, ...]]


def day(days: int) -> dt.date:
    return bulk_bank.FIRST_DAY + dt.timedelta(days=days - 1)


def of_facts(folder: Path, facts: Iterable[Outgoing], last_day: dt.date) -> bulk.Bank:
    """A bank of the facts that the script reads."""
    lake_of(folder / "lake", (fact for fact in facts if fact.type in bulk.READ))
    bank = bulk.Bank(folder, last_day, 0)
    bulk.complete(bank)
    return bank


def measured(folder: Path) -> bulk.Bank:
    postings = bulk_bank.make(folder / "lake", clients=60, days=70, note=lambda text: None)
    bank = bulk.Bank(folder, day(70), postings)
    bulk.complete(bank)
    return bank


def simulated(folder: Path) -> bulk.Bank:
    bank = SimulatorSource(
        seed=3, clients=50, first_day=bulk_bank.FIRST_DAY, days=400, timezone=ZONE
    )
    return of_facts(folder, bank.events(None, None), day(400))


def worked_by_hand(folder: Path) -> bulk.Bank:
    return of_facts(folder, BANK.facts, AS_OF)


BANKS = (measured, simulated, worked_by_hand)


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, rule_set: RuleSet
) -> dict[str, tuple[Rows, Rows]]:
    """Bank -> (the product's rows, the script's rows)."""
    banks = {made.__name__: made(tmp_path_factory.mktemp(made.__name__)) for made in BANKS}
    return {
        name: (by_product(bank, rule_set), by_script(bank, rule_set))
        for name, bank in banks.items()
    }


def by_product(bank: bulk.Bank, rules: RuleSet) -> Rows:
    return keyed(profile_of(Lake(bank.lake), bank.day, rules))


def by_script(bank: bulk.Bank, rules: RuleSet) -> Rows:
    with duckdb.connect() as connection:
        return keyed(bulk.sql_rows(connection, bank, rules.parameters, ZONE).read_all())


def keyed(rows: pa.Table) -> Rows:
    found = {}
    for row in rows.to_pylist():
        row["confidence"] = round(row["confidence"], 9)
        found[row["client_id"], row["name"]] = tuple(row[column] for column in COLUMNS)
    assert len(found) == rows.num_rows
    return found


@pytest.mark.parametrize("bank", [made.__name__ for made in BANKS])
def test_the_script_gives_every_row_of_the_product(
    bank: str, both: dict[str, tuple[Rows, Rows]]
) -> None:
    product, script = both[bank]
    product, script = (
        {key: row for key, row in rows.items() if key[1] not in bulk.NOT_COMPARED}
        for rows in (product, script)
    )
    assert product.keys() == script.keys()
    different = [
        (key, column, one, other)
        for key in product
        for column, one, other in zip(COLUMNS, product[key], script[key], strict=True)
        if one != other
    ]
    assert different == []


def test_every_attribute_that_the_script_computes_has_a_value_in_a_bank(
    both: dict[str, tuple[Rows, Rows]],
) -> None:
    rows = [item for product, _ in both.values() for item in product.items()]
    assert {name for (_, name), (value, *_) in rows if value} == ATTRIBUTES.keys() - UNKNOWN


def test_facts_the_script_does_not_read_are_refused(tmp_path: Path) -> None:
    app.append_table_to_lake(
        tmp_path / "lake", "bank.need.declared.v1", pa.table({"client": ["C1"]})
    )
    with pytest.raises(UsageError, match=r"does not read bank\.need\.declared\.v1"):
        bulk.complete(bulk.Bank(tmp_path, day(1), 0))


def test_without_spark_nothing_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    configured = settings.load({"LIFECYCLE_HOME": str(tmp_path)})
    with pytest.raises(UsageError, match="not installed"):
        bulk.measure(configured, clients=10, days=60, rounds=1, spark=True, note=print)


def test_a_measurement_tells_what_each_run_took(tmp_path: Path) -> None:
    configured = settings.load({"LIFECYCLE_HOME": str(tmp_path)})
    result = bulk.measure(
        configured, clients=20, days=60, rounds=1, spark=False, note=lambda text: None
    )
    assert list(result["runs"]) == ["sql", "attributes", "night"]
    assert result["bank"]["postings"] > 0
    for row in result["runs"].values():
        assert row["rounds"] == [row["seconds"]]
        assert row["cpu_seconds"] > 0
        assert row["peak_rss_mb"] > 50
    parts = result["runs"]["night"]["parts"]
    assert sum(parts.values()) == pytest.approx(result["runs"]["night"]["seconds"], abs=1)
