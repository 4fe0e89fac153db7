"""The script that the bulk benchmark measures against gives the rows of the product: on the bank it is
measured with, and on a simulated one, which has what that bank lacks (reversals, own transfers, closed
accounts, overdrafts, currencies)."""

from __future__ import annotations

import datetime as dt
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
from lifecycle.sources.simulator import SimulatorSource
from tests.lakes import ZONE, lake_of, profile_of

FIRST_DAY = bulk_bank.FIRST_DAY
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
    return FIRST_DAY + dt.timedelta(days=days - 1)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bulk.Bank:
    """The benchmark's own bank."""
    folder = tmp_path_factory.mktemp("plain")
    postings = bulk_bank.make(folder / "lake", clients=60, days=100, note=lambda text: None)
    return bulk.Bank(folder, day(100), postings)


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> bulk.Bank:
    """A simulated bank, of which the script reads what it knows."""
    folder = tmp_path_factory.mktemp("lively")
    events = SimulatorSource(seed=3, clients=80, first_day=FIRST_DAY, days=400, timezone=ZONE)
    lake_of(folder / "lake", (e for e in events.events(None, None) if e.type in bulk.READ))
    return bulk.Bank(folder, day(400), 0)


@pytest.fixture(scope="module")
def both(plain: bulk.Bank, lively: bulk.Bank, rule_set: RuleSet) -> list[tuple[Rows, Rows]]:
    """(product's rows, script's rows) of both banks."""
    return [(by_product(bank, rule_set), by_script(bank, rule_set)) for bank in (plain, lively)]


def by_product(bank: bulk.Bank, rules: RuleSet) -> Rows:
    return keyed(profile_of(Lake(bank.lake), bank.day, rules))


def by_script(bank: bulk.Bank, rules: RuleSet) -> Rows:
    bulk.complete(bank)
    with duckdb.connect() as connection:
        return keyed(bulk.sql_rows(connection, bank, rules.parameters, ZONE).read_all())


def keyed(rows: pa.Table) -> Rows:
    found = {}
    for row in rows.to_pylist():
        row["confidence"] = round(row["confidence"], 9)
        found[row["client_id"], row["name"]] = tuple(row[column] for column in COLUMNS)
    assert len(found) == rows.num_rows
    return found


@pytest.mark.parametrize("bank", [0, 1], ids=["plain", "lively"])
def test_the_script_gives_every_row_of_the_product(
    bank: int, both: list[tuple[Rows, Rows]]
) -> None:
    product, script = both[bank]
    assert product.keys() == script.keys()
    different = [
        (key, column, one, other)
        for key in product
        for column, one, other in zip(COLUMNS, product[key], script[key], strict=True)
        if one != other
    ]
    assert different == []


def test_every_attribute_that_the_script_computes_has_values_in_the_banks(
    both: list[tuple[Rows, Rows]],
) -> None:
    valued = {name for rows, _ in both for (_, name), (value, *_) in rows.items() if value}
    assert valued == ATTRIBUTES.keys() - UNKNOWN


def test_facts_the_script_does_not_read_are_refused(tmp_path: Path) -> None:
    app.append_table_to_lake(tmp_path / "lake", "bank.need.declared.v1", pa.table({}))
    with pytest.raises(UsageError, match=r"does not read bank\.need\.declared\.v1"):
        bulk.complete(bulk.Bank(tmp_path, FIRST_DAY, 0))


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
