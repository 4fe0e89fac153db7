"""Schemes: told by the simulated bank, and put into accounts that have a life of their own."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from benchmarks import aml_page
from benchmarks.aml import plan
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.aml_scoring import aml_night
from lifecycle.clients.facts import Facts
from lifecycle.commands import application
from lifecycle.errors import UsageError
from lifecycle.events import Outgoing, decoded, minor_units
from lifecycle.events import account as ac
from lifecycle.plots import recall_plot
from lifecycle.risk.aml.typologies import TYPOLOGIES
from lifecycle.sources.injection import SOURCE, Accounts, Planting, accounts_of, inject
from lifecycle.sources.laundering import SCHEMES
from lifecycle.sources.simulator import LAUNDERING, SimulatorSource
from tests.lakes import ZONE, lake_of

FIRST = dt.date(2026, 1, 1)
LIVED = 130


def simulated(clients: int, days: int, **stories: object) -> SimulatorSource:
    return SimulatorSource(
        seed=5, clients=clients, first_day=FIRST, days=days, timezone=ZONE, **stories
    )


def hits(path: Path, facts: list[Outgoing], days: int, rules: RuleSet) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    with DuckDBEngine(lake_of(path, facts)) as engine:
        as_of = FIRST + dt.timedelta(days=days - 1)
        night = aml_night(engine, Facts(engine, as_of, ZONE, frozenset()), rules.parameters)
    for row in night.hits.to_pylist():
        found[row["code"]].add(row["client_id"])
    return found


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.code)
def test_a_scheme_has_sizes_on_both_sides(scheme) -> None:
    assert scheme.code in TYPOLOGIES
    assert scheme.found(scheme.stated)
    assert not scheme.found(scheme.near)
    assert {scheme.found(size) for size in scheme.sizes} == {True, False}
    assert scheme.stated in scheme.sizes


def test_stated_schemes_are_found_and_near_misses_are_not(
    rule_set: RuleSet, tmp_path: Path
) -> None:
    source = simulated(100, 440, stories=LAUNDERING)
    labels = source.labels()
    found = hits(tmp_path, list(source.events(None, None)), 440, rule_set)
    told = {label.client_id: label for label in labels}
    # Peer groups of a hundred clients are too small for M05.
    assert {label.typology for label in labels} == set(SCHEMES)
    for label in labels:
        if label.typology != "M05":
            caught = label.client_id in found[label.typology]
            assert caught == label.found, label
    quiet = {f"SIM-{n:06d}" for n in range(100)} - told.keys()
    assert len(quiet) > 40
    assert not [code for code, clients in found.items() if clients & quiet]


def test_a_label_tells_the_size() -> None:
    sizes = {
        label.story: label.parameters for label in simulated(50, 440, stories=LAUNDERING).labels()
    }
    assert sizes["M03_FOUND"] == "payers=12"
    assert sizes["M03_NEAR"] == "payers=8"
    (usual,) = [x for x in simulated(50, 60).labels() if x.story == "STRUCTURING"]
    assert (usual.typology, usual.found) == ("M01", True)
    others = [x for x in simulated(50, 130).labels() if x.story != "STRUCTURING"]
    assert {(x.typology, x.found, x.parameters) for x in others} == {("", None, "")}


# --- injection ------------------------------------------------------------------------------------

WITHOUT_SLEEP = {code: s.stated for code, s in SCHEMES.items() if code not in ("M04", "M05")}


@pytest.fixture(scope="module")
def source() -> list[Outgoing]:
    return list(simulated(200, LIVED).events(None, None))


@pytest.fixture(scope="module")
def bank(source: list[Outgoing]) -> Accounts:
    return accounts_of(source)


@pytest.fixture(scope="module")
def plantings(bank: Accounts) -> list[Planting]:
    return plan(bank, WITHOUT_SLEEP, [], Random(3))


def put(bank: Accounts, plantings: list[Planting], seed: int = 7) -> dict[str, list[Outgoing]]:
    return inject(bank, plantings, seed=seed, factor=Decimal(1), timezone=ZONE)


def test_what_is_put_in_is_found(
    source: list[Outgoing],
    bank: Accounts,
    plantings: list[Planting],
    rule_set: RuleSet,
    tmp_path: Path,
) -> None:
    changed = put(bank, plantings)
    rest = [out for out in source if out.key not in changed]
    told = [out for events in changed.values() for out in events]
    found = hits(tmp_path, rest + told, LIVED, rule_set)
    for planting in plantings:
        assert set(planting.clients) <= found[planting.code], planting


def test_one_seed_gives_the_same_bytes(bank: Accounts, plantings: list[Planting]) -> None:
    assert put(bank, plantings) == put(bank, plantings)
    assert put(bank, plantings) != put(bank, plantings, seed=8)


def test_a_client_takes_part_once(plantings: list[Planting]) -> None:
    clients = [client for planting in plantings for client in planting.clients]
    assert len(clients) == len(set(clients))
    assert {planting.code for planting in plantings} == set(WITHOUT_SLEEP)


def test_balances_go_on_from_what_was_put_in(bank: Accounts, plantings: list[Planting]) -> None:
    for client, events in put(bank, plantings).items():
        told = [decoded(out).data for out in events]
        entries = [d for d in told if isinstance(d, ac.TransactionPosted)]
        own = [d for d in entries if d.account_id == bank.account_of[client]]
        assert sum(out.value.count(SOURCE.encode()) for out in events) > 0
        balance = 0
        for entry in own:
            sign = 1 if entry.credit_debit_indicator == "CRDT" else -1
            balance += sign * minor_units(entry.amount)
            assert entry.balance_after == f"{Decimal(balance) / 10_000:.2f}", client


def test_who_sleeps_does_nothing_for_a_year(bank: Accounts) -> None:
    (client, *_) = bank.account_of
    (events,) = put(bank, [Planting("M04", 120, (client,))]).values()
    own = [
        event
        for event in map(decoded, events)
        if isinstance(event.data, ac.TransactionPosted) and event.data.initiator != "BANK"
    ]
    first = next(event for event in own if event.source == SOURCE)
    before = [e for e in own if e.time < first.time]
    assert all((first.time - event.time).days >= 366 for event in before)


def test_a_bank_without_events_is_refused() -> None:
    with pytest.raises(UsageError, match="no events"):
        accounts_of([])


@pytest.mark.parametrize("factor", ["none", "0", "-1", "NaN", "Infinity"])
def test_a_factor_that_is_none_is_refused_before_anything_is_simulated(factor: str) -> None:
    answer = CliRunner().invoke(application, ["bench", "aml", "--factor", factor])
    assert answer.exit_code != 0
    assert "above zero" in str(answer.exception)


# --- the page -------------------------------------------------------------------------------------


def test_the_page_and_the_picture(tmp_path: Path) -> None:
    def row(code: str, size: int, found: bool, hit: int) -> dict[str, object]:
        return {
            "code": code,
            "size": size,
            "parameters": f"size={size}",
            "found": found,
            "planted": 4,
            "hit": hit,
            "recall": hit / 4,
        }

    quiet = [{"code": "M01", "clients": 1, "per_thousand": 2.5}]
    result = {
        "berka": {
            "clients": 10,
            "events": 99,
            "last_day": FIRST,
            "factor": Decimal("0.6"),
            "stated": [row("M01", 80, True, 4)],
            "sizes": [row("M01", 50, False, 0), row("M01", 80, True, 4)],
            "not_planted": quiet,
            "collateral": [{"code": "M06", "hits": 1, "per_thousand": 0.5}],
        },
        "simulated": {
            "clients": 50,
            "days": 440,
            "seed": 1,
            "quiet_clients": 20,
            "stated": [row("M01", 80, True, 4)],
            "near": [row("M01", 59, False, 0)],
            "not_planted": quiet,
            "bands": [{"clients": "quiet", "HIGH": 0, "MEDIUM": 1, "LOW": 19}],
        },
        "seconds": {"Berka": 1.0},
        "machine": {"cpus": 2},
    }
    text = aml_page.tables(result)
    assert "| M01 | size=50 | no | 4 | 0 | 0.000 |" in text
    assert "| M01 | 1 | 2.50 | 1 | 2.50 |" in text
    recall_plot(aml_page.panels(result), tmp_path / "recall.png")
    assert (tmp_path / "recall.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="cannot be written"):
        recall_plot(aml_page.panels(result), tmp_path / "nowhere" / "recall.png")
