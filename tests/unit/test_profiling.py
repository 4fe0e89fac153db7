"""Profiles on their way: what the gate judges finds each kind of corruption, and what is out of its
bounds is taken away and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from lifecycle import profiling
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.memory import MemoryGate
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients import reading
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.consent import permissions
from lifecycle.clients.facts import Facts
from lifecycle.ports import Verdict
from lifecycle.profiling import (
    Made,
    attributes,
    gate_columns,
    said,
    summaries,
    suppressed,
)
from tests.lakes import ZONE, lake_of
from tests.unit.attributes.bank import AS_OF, END, PURPOSES, Bank

Row = dict[str, Any]
Tamper = Callable[[list[Row]], object]
ALLOWED = {"asked": frozenset(PURPOSES)}
CLIENTS = ["asked", "unasked"]
INSTANT = dt.timedelta(microseconds=1)


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory, rule_set: RuleSet) -> Any:
    """Facts, their engine, and what follows from their profile as it should be."""
    bank = Bank()
    for name, consents in (("asked", PURPOSES), ("unasked", ())):
        client = bank.person(name, consents=consents)
        client.credit("2026-03-10", "60.00", is_cash=True)
        client.credit("2026-03-11", "40.00")
        client.balance("2026-03-11", "100.00")
    with DuckDBEngine(lake_of(tmp_path_factory.mktemp("profiling") / "lake", bank.facts)) as engine:
        known = Facts(engine, AS_OF, ZONE, frozenset())
        figures = rule_set.parameters
        ((_, right),) = attributes(engine, known, figures, ALLOWED)
        told = said(engine, known, figures)
        yield known, engine, summaries(right, told, ALLOWED, known, figures)


@pytest.fixture(scope="module")
def rows(facts: Any, rule_set: RuleSet) -> pa.Table:
    known, engine, _ = facts
    ((clients, made),) = attributes(engine, known, rule_set.parameters, ALLOWED)
    assert clients == CLIENTS
    return made


def judged(
    rows: pa.Table, facts: Any, rules: RuleSet, clients: Sequence[str] = CLIENTS
) -> dict[str, Any]:
    made = Made(clients, rows, facts[2], ALLOWED)
    return gate_columns(made, facts[0], rules.parameters)


def tampered(rows: pa.Table, tamper: Tamper) -> pa.Table:
    changed = rows.to_pylist()
    tamper(changed)
    return pa.Table.from_pylist(changed, schema=rows.schema)


def change(name: str, client: str = "unasked", /, **columns: Any) -> Tamper:
    def made(rows: list[Row]) -> None:
        (row,) = [r for r in rows if (r["client_id"], r["name"]) == (client, name)]
        row.update(columns)

    return made


def drop(name: str) -> Tamper:
    return lambda rows: rows.remove(
        next(r for r in rows if (r["client_id"], r["name"]) == ("unasked", name))
    )


def repeat(name: str) -> Tamper:
    return lambda rows: rows.append(
        dict(next(r for r in rows if (r["client_id"], r["name"]) == ("unasked", name)))
    )


def replace_by_another(rows: list[Row]) -> None:
    """As many rows as there should be, one of them twice."""
    drop("age")(rows)
    repeat("tenure_days")(rows)


def test_a_profile_as_it_is_made_passes(rows: pa.Table, facts: Any, rule_set: RuleSet) -> None:
    columns = judged(rows, facts, rule_set)
    assert columns.pop("key") == ["asked", "unasked"]
    assert columns == {name: [True, True] for name in columns}
    assert len(columns) == 9
    assert rows.num_rows == len(CLIENTS) * len(ATTRIBUTES)


SOME = {"value": "5.00", "null_reason": None, "sources": ["e1"], "source_time": END - INSTANT}
CORRUPT: dict[str, tuple[Tamper, str]] = {
    "an attribute lacks": (drop("age"), "ck_complete"),
    "an attribute is there twice": (repeat("age"), "ck_complete"),
    "one instead of another": (replace_by_another, "ck_complete"),
    "a name nobody knows": (change("age", name="agee"), ""),
    "no sources": (change("cash_share", sources=None), "ck_sourced"),
    "an empty list of sources": (change("cash_share", sources=[]), "ck_sourced"),
    "a source at the end of the date": (
        change("cash_share", source_time=END),
        "ck_no_future_source",
    ),
    "a value without consent": (change("aum", **SOME), "ck_consent"),
    "one of two consents": (change("household_size", **SOME), "ck_consent"),
    "a null without a reason": (change("aum", null_reason=None), "ck_null_explained"),
    "a value with a reason": (change("cash_share", null_reason="UNKNOWN"), "ck_null_explained"),
    "too much": (change("cash_share", value="1.0001"), "ck_bounds"),
    "too little": (change("cash_share", value="-0.0001"), "ck_bounds"),
}
FINE: dict[str, Tamper] = {
    "the last instant": change("cash_share", source_time=END - INSTANT),
    "at the upper bound": change("cash_share", value="1.0000"),
    "at the lower bound": change("cash_share", value="0.0000"),
    "a value that is allowed": change("assets_declared", "asked", **SOME),
    "a value that needs no consent": change("assets_declared", **SOME),
}


@pytest.mark.parametrize(("tamper", "column"), CORRUPT.values(), ids=CORRUPT)
def test_a_corruption_is_found_and_named(
    rows: pa.Table, facts: Any, rule_set: RuleSet, tamper: Tamper, column: str
) -> None:
    columns = judged(tampered(rows, tamper), facts, rule_set)
    wrong = {name: values for name, values in columns.items() if False in values}
    assert wrong == ({column: [True, False]} if column else {})


@pytest.mark.parametrize("tamper", FINE.values(), ids=FINE)
def test_what_is_just_right_passes(
    rows: pa.Table, facts: Any, rule_set: RuleSet, tamper: Tamper
) -> None:
    columns = judged(tampered(rows, tamper), facts, rule_set)
    assert all(False not in values for values in columns.values())


def test_a_client_without_a_profile_is_found(rows: pa.Table, facts: Any, rule_set: RuleSet) -> None:
    columns = judged(rows, facts, rule_set, clients=[*CLIENTS, "third"])
    assert columns["ck_everybody"] == [False, False]


def gated(columns: dict[str, Any]) -> Verdict:
    return MemoryGate().check("profile", columns, len(columns["key"]))


def test_exactly_what_is_out_of_bounds_is_suppressed(
    rows: pa.Table, facts: Any, rule_set: RuleSet
) -> None:
    def tamper(changed: list[Row]) -> None:
        change("cash_share", value="1.5000")(changed)
        change("dsti", "asked", **SOME | {"value": "5.0001"})(changed)
        change("age", "asked", **SOME | {"value": "330"})(changed)

    wrong = tampered(rows, tamper)
    columns = judged(wrong, facts, rule_set)
    assert gated(columns).quarantined()
    kept = suppressed(wrong, columns, rule_set.parameters)
    assert kept.schema == rows.schema
    taken = {"value": None, "null_reason": "SUPPRESSED", "confidence": 0.0}
    expected = wrong.to_pylist()
    change("cash_share", **taken)(expected)
    change("dsti", "asked", **taken)(expected)
    assert kept.to_pylist() == expected
    # What was suppressed passes, and a second time nothing is taken away.
    columns = judged(kept, facts, rule_set)
    assert gated(columns).success
    assert suppressed(kept, columns, rule_set.parameters).equals(kept)


def test_nothing_is_taken_from_what_is_right(rows: pa.Table, facts: Any, rule_set: RuleSet) -> None:
    columns = judged(rows, facts, rule_set)
    assert suppressed(rows, columns, rule_set.parameters).equals(rows)


def test_a_bank_in_parts_is_the_same_bank(
    rows: pa.Table, facts: Any, rule_set: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, engine, _ = facts
    monkeypatch.setattr(profiling, "CLIENTS_AT_ONCE", 1)
    parts = list(attributes(engine, known, rule_set.parameters, ALLOWED))
    assert [clients for clients, _ in parts] == [[client] for client in CLIENTS]
    assert pa.concat_tables(own for _, own in parts).to_pylist() == rows.to_pylist()


def read(purpose: str, serves: str, reason: str | None, *, free: tuple[str, ...]) -> Row:
    row = {
        "name": "x",
        "value": None if reason else "1",
        "null_reason": reason,
        "confidence": 1.0,
        "source_event_ids": ["e1"],
        "source_time": END,
        "purpose": serves,
    }
    found: list[Row] = reading.attributes([row], permissions([], free), purpose)  # type: ignore[arg-type]
    return found[0]


HIDDEN = {"value": None, "confidence": 0.0, "source_event_ids": [], "source_time": None}


@pytest.mark.parametrize(
    ("purpose", "serves", "free", "seen"),
    [
        ("P1_SERVICE", "P1_SERVICE", ("P1_SERVICE",), True),
        ("P1_SERVICE", "P2_PROFILE", ("P1_SERVICE",), False),
        ("P2_PROFILE", "P1_SERVICE", ("P1_SERVICE",), False),
        ("P2_PROFILE", "P1_SERVICE", ("P1_SERVICE", "P2_PROFILE"), True),
        ("P2_PROFILE", "P2_PROFILE+P6_SENSITIVE", ("P2_PROFILE",), False),
        ("P2_PROFILE", "P2_PROFILE+P6_SENSITIVE", ("P2_PROFILE", "P6_SENSITIVE"), True),
    ],
)
def test_a_value_is_read_only_for_what_is_allowed(
    purpose: str, serves: str, free: tuple[str, ...], seen: bool
) -> None:
    row = read(purpose, serves, None, free=free)
    if seen:
        assert (row["value"], row["null_reason"]) == ("1", None)
    else:
        assert row["null_reason"] == "NOT_CONSENTED"
        assert {name: row[name] for name in HIDDEN} == HIDDEN


def test_that_a_value_does_not_apply_needs_no_consent() -> None:
    assert read("P2_PROFILE", "P2_PROFILE", "NOT_APPLICABLE", free=())["null_reason"] == (
        "NOT_APPLICABLE"
    )
    assert read("P2_PROFILE", "P2_PROFILE", "UNKNOWN", free=())["null_reason"] == "NOT_CONSENTED"
