"""Every attribute, worked by hand: value, sources and time, and why there is none."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.attribute import SOURCES_MAX
from lifecycle.clients.attributes import ATTRIBUTES
from tests.lakes import lake_of, profile_of
from tests.unit.attributes import (
    balances,
    cashflow,
    company,
    contact,
    credit,
    identity,
    income,
    products,
)
from tests.unit.attributes.bank import AS_OF, Bank, Expected

SECTIONS = (identity, income, cashflow, balances, products, credit, contact, company)
# Of who is registered and nothing else these are known: there is none of it.
NONE_OF_IT = {
    "exposures",
    "instalments_monthly",
    "credit_inquiries_6m",
    "tuition_payments_12m",
    "open_complaints",
}
Rows = dict[tuple[dt.date, str, str], dict[str, Any]]


def whole_bank() -> Bank:
    bank = Bank()
    for section in SECTIONS:
        section.cases(bank)
    bank.person("nobody", account=None)
    bank.company("no-firm", account=None)
    bank.person("unasked", account=None, consents=())
    bank.company("unasked-firm", account=None, consents=())
    return bank


BANK = whole_bank()


@pytest.fixture(scope="module")
def rows(rule_set: RuleSet, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The profile's rows by date, client and attribute."""
    lake = lake_of(tmp_path_factory.mktemp("attributes") / "lake", BANK.facts)
    return {
        (as_of, row["client_id"], row["name"]): row
        for as_of in BANK.dates()
        for row in profile_of(lake, as_of, rule_set).to_pylist()
    }


def case_id(case: Expected) -> str:
    return f"{case.client}-{case.name}" + ("" if case.as_of == AS_OF else f"-{case.as_of}")


@pytest.mark.parametrize("case", BANK.expected, ids=case_id)
def test_a_value_is_what_was_worked_out(rows: Rows, case: Expected) -> None:
    row = rows[case.as_of, case.client, case.name]
    assert (row["value"], row["null_reason"]) == (case.value, case.reason)
    if case.sources is not None:
        assert sorted(row["sources"]) == sorted(case.sources)
        times = BANK.times()
        telling = [case.newest] if case.newest else case.sources
        assert row["source_time"] == max(times[source] for source in telling)


def test_every_attribute_has_a_case_with_its_sources() -> None:
    worked = {case.name for case in BANK.expected if case.sources}
    assert worked == set(ATTRIBUTES)


def test_a_value_has_sources_and_a_null_has_none(rows: Rows) -> None:
    known = BANK.times()
    for row in rows.values():
        if row["value"] is None:
            assert row["confidence"] == 0.0
            continue
        assert row["confidence"] == pytest.approx(ATTRIBUTES[row["name"]].confidence)
        assert 0 < len(row["sources"]) <= SOURCES_MAX, row
        assert len(set(row["sources"])) == len(row["sources"]), row
        assert set(row["sources"]) <= set(known), row


@pytest.mark.parametrize(("client", "kind"), [("nobody", "INDIVIDUAL"), ("no-firm", "CORPORATE")])
def test_of_who_did_nothing_nothing_is_known(rows: Rows, client: str, kind: str) -> None:
    for name, attribute in ATTRIBUTES.items():
        row = rows[AS_OF, client, name]
        if kind not in attribute.clients:
            assert row["null_reason"] == "NOT_APPLICABLE", name
        elif name in NONE_OF_IT or (name, kind) == ("group_exposure", "CORPORATE"):
            assert float(row["value"]) == 0.0, name
        else:
            assert row["null_reason"] == "UNKNOWN", name


@pytest.mark.parametrize(
    ("client", "kind"), [("unasked", "INDIVIDUAL"), ("unasked-firm", "CORPORATE")]
)
def test_what_needs_a_consent_is_not_computed_without(rows: Rows, client: str, kind: str) -> None:
    for name, attribute in ATTRIBUTES.items():
        row = rows[AS_OF, client, name]
        if kind not in attribute.clients:
            assert row["null_reason"] == "NOT_APPLICABLE", name
        elif attribute.purposes != ("P1_SERVICE",):
            assert row["null_reason"] == "NOT_CONSENTED", name
        else:
            assert row["null_reason"] != "NOT_CONSENTED", name
