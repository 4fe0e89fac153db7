"""All rows of a night: scores, factors, the statutory list; and what a night may know."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet, load_rules
from lifecycle.aml_scoring import AmlNight, aml_night, reviews
from lifecycle.clients.facts import Facts, end_of
from lifecycle.events import Outgoing
from lifecycle.risk.aml.typologies import TYPOLOGIES
from lifecycle.settings import ROOT
from tests.lakes import ZONE, lake_of
from tests.scored import scored
from tests.unit.aml.cases import cash, whole_bank
from tests.unit.attributes.bank import AS_OF, Bank, day

RULES = load_rules(ROOT / "rules")


def night_of(
    path: Path,
    facts: Iterable[Outgoing],
    on: dt.date = AS_OF,
    held: frozenset[int] = frozenset(),
    degraded: frozenset[str] = frozenset(),
) -> AmlNight:
    with DuckDBEngine(lake_of(path, facts)) as engine:
        return aml_night(engine, Facts(engine, on, ZONE, held), RULES.parameters, degraded)


def of(table: pa.Table, client: str) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if row["client_id"] == client]


@pytest.fixture(scope="module")
def bank() -> Bank:
    return whole_bank()


@pytest.fixture(scope="module")
def night(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> AmlNight:
    return night_of(tmp_path_factory.mktemp("aml") / "lake", bank.facts)


STATIC = [
    ("s01", ["S01"]),
    ("s02", ["S02"]),
    ("s03-nation", ["S03"]),
    ("s03-lives", ["S03"]),
    ("s03-pays", ["S03"]),
    ("s03-paid-long-ago", []),
    ("s04", ["S01", "S04"]),
    ("s04-other", ["S01"]),
    ("s05", ["S05"]),
    ("s05-met", []),
    ("s06-layer", ["S01", "S06"]),
    ("s06-many", ["S01", "S06"]),
    ("s06-few", ["S01"]),
    ("s07", ["S07"]),
]


@pytest.mark.parametrize(("client", "codes"), STATIC)
def test_factors(night: AmlNight, client: str, codes: list[str]) -> None:
    rows = of(night.factors, client)
    assert [row["code"] for row in rows] == codes
    assert all(row["sources"] for row in rows)


LARGE = [
    ("large-cash", ["cash CRDT 50000 CNY True 1"]),
    ("large-cash-together", ["cash CRDT 50000 CNY False 2"]),
    ("large-cash-apart", []),
    ("large-cash-dollars", ["cash CRDT 10000 USD True 1"]),
    ("large-cash-euros", ["cash CRDT 10833.3333 USD True 1"]),
    ("large-person", ["transfer_individual DBIT 500000 CNY True 1"]),
    ("large-person-less", []),
    ("large-abroad", ["cross_border_individual DBIT 200000 CNY True 1"]),
    ("large-firm", ["transfer_corporate DBIT 2000000 CNY True 1"]),
    ("large-firm-less", []),
    ("large-own", []),
    ("large-reversed", []),
    ("large-old", []),
    ("large-oldest", ["transfer_individual DBIT 900000 CNY True 1"]),
]


@pytest.mark.parametrize(("client", "rows"), LARGE)
def test_the_statutory_list(night: AmlNight, client: str, rows: list[str]) -> None:
    found = of(night.large, client)
    told = [
        f"{r['kind']} {r['side']} {r['amount'].normalize():f} {r['currency']} {r['single']} {r['entries']}"
        for r in found
    ]
    assert told == rows
    for row in found:
        assert len(row["sources"]) == row["entries"]
        if row["day"] == dt.date(2026, 3, 27):
            assert row["due_date"] == dt.date(2026, 4, 3)


def test_every_client_has_one_score_of_the_common_form(night: AmlNight, bank: Bank) -> None:
    registered = {f.key for f in bank.facts if f.type == "bank.client.registered.v1"}
    rows = scored("AML", night.candidates, AS_OF, RULES)
    assert list(rows) == sorted(registered)
    row = rows["m01-three"]
    assert (row["value"], row["band"], row["status"]) == (19, "LOW", "SCORED")  # 25 * 2^(-26/60)
    (reason,) = msgspec.json.decode(row["reason_codes"])
    (hit,) = of(night.hits, "m01-three")
    assert (reason["code"], reason["points"]) == ("M01", 18.5)
    assert row["source_event_ids"] == hit["sources"]
    (part,) = msgspec.json.decode(row["inputs"])["hits"]
    assert (part["day"], part["sources"]) == ("2026-03-05", hit["sources"])
    review = reviewed(night)["m01-three"]
    assert (review["static_points"], review["dynamic_points"]) == (0, Decimal("18.5"))
    assert review["next_review"] == dt.date(2026, 1, 1)  # registered on 2024-01-01, LOW: 24 months


def reviewed(night: AmlNight) -> dict[str, dict[str, Any]]:
    rows = scored("AML", night.candidates, AS_OF, RULES)
    levels = {client: row["band"] for client, row in rows.items()}
    table = reviews(night, levels, AS_OF, RULES.parameters)
    return {row["client_id"]: row for row in table.to_pylist()}


def test_the_newest_review_counts(night: AmlNight) -> None:
    assert reviewed(night)["s02"]["last_review"] == dt.date(2026, 1, 1)


def test_who_cannot_be_judged_is_told_so(bank: Bank, tmp_path: Path) -> None:
    night = night_of(tmp_path, bank.facts, degraded=frozenset({"m01-three"}))
    rows, due = scored("AML", night.candidates, AS_OF, RULES), reviewed(night)
    for client in ("no-rate", "m01-three"):
        assert (rows[client]["status"], rows[client]["value"]) == ("SUPPRESSED", None)
        assert due[client]["next_review"] is due[client]["dynamic_points"] is None


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_arrival_says_nothing(
    night: AmlNight, bank: Bank, tmp_path: Path, seed: int
) -> None:
    facts = list(bank.facts)
    random.Random(seed).shuffle(facts)
    assert night_of(tmp_path, facts) == night


@pytest.mark.parametrize("on", ["2026-03-03", "2026-03-05"])
def test_what_comes_after_the_date_changes_nothing(bank: Bank, tmp_path: Path, on: str) -> None:
    date = day(on)
    end = end_of(date, ZONE)
    known = night_of(tmp_path / "then", (f for f in bank.facts if f.time < end), date)
    assert night_of(tmp_path / "now", bank.facts, date) == known
    assert known.hits.num_rows


def test_a_fact_the_gate_held_is_not_there(tmp_path: Path) -> None:
    bank = Bank()
    client = bank.person("held", account="2026-01-01")
    for n in (1, 2, 3):
        cash(client, f"2026-03-0{n}", "40000")
    assert night_of(tmp_path / "all", bank.facts).hits.num_rows == 1
    held = frozenset({len(bank.facts)})
    assert night_of(tmp_path / "held", bank.facts, held=held).hits.num_rows == 0


DAYS = st.dates(dt.date(2026, 2, 1), AS_OF).map(dt.date.isoformat)
AMOUNTS = st.decimals(20_000, 60_000, places=2).map(str)
ENTRIES = st.lists(st.tuples(DAYS, AMOUNTS), max_size=12)


def hits_with(entries: list[tuple[str, str]], company: bool) -> dict[str, int]:
    """Hits by typology of a client that gets cash, or of a company that pays persons."""
    bank = Bank()
    client = (bank.company if company else bank.person)("C1")
    for n, (on, amount) in enumerate(entries):
        if company:
            client.debit(on, amount, partner=f"P{n}", partner_type="PERSON")
        else:
            cash(client, on, amount)
    return {code: len(rows) for code, rows in hits_of(bank, "M01", "M10").items()}


def hits_of(bank: Bank, *codes: str) -> dict[str, list[dict[str, Any]]]:
    """The hits of some typologies, without the rest of a night."""
    with TemporaryDirectory() as folder, DuckDBEngine(lake_of(Path(folder), bank.facts)) as engine:
        facts = Facts(engine, AS_OF, ZONE, frozenset())
        found = {
            code: engine.run(TYPOLOGIES[code].hits(facts, RULES.parameters)).to_pylist()
            for code in codes
        }
    assert all(len(row["sources"]) <= 20 for rows in found.values() for row in rows)
    return found


@settings(max_examples=12)
@given(ENTRIES, ENTRIES, st.booleans())
def test_more_entries_never_lower_a_count_of_hits(
    entries: list[tuple[str, str]], more: list[tuple[str, str]], company: bool
) -> None:
    # Payees of one payment each are no payroll, so that more of them make none.
    less, all_of_them = hits_with(entries, company), hits_with(entries + more, company)
    assert all(less[code] <= all_of_them[code] for code in less)


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 20 * 24), st.integers(25_000, 55_000)), max_size=9))
def test_structuring_is_what_a_count_by_hand_finds(entries: list[tuple[int, int]]) -> None:
    """The sliding window against every window of seven days there is."""
    bank = Bank()
    client = bank.person("C1")
    start = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    times = [start + dt.timedelta(hours=hours) for hours, _ in entries]
    for time, (_, amount) in zip(times, entries, strict=True):
        on = time.astimezone(ZONE).date().isoformat()
        cash(client, on, str(amount), time=time)
    below = [
        (time, Decimal(amount))
        for time, (_, amount) in zip(times, entries, strict=True)
        if 30_000 <= amount < 50_000
    ]
    week = dt.timedelta(days=7)
    by_hand = {
        end.astimezone(ZONE).date()
        for end, _ in below
        for inside in [[a for t, a in below if end - week < t <= end]]
        if len(inside) >= 3 and sum(inside) >= 50_000
    }
    assert {row["day"] for row in hits_of(bank, "M01")["M01"]} == by_hand


def test_figures_have_a_text_in_both_languages(rule_set: RuleSet) -> None:
    for name, figure in rule_set.parameters.items():
        if name.startswith(("aml_m", "aml_s")):
            assert figure.value["zh"], name
            assert figure.value["en"], name
