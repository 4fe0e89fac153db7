"""Operating and moral risk: points by hand, signs from facts, and the rows of a night."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle import conduct, profiling
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet, load_rules
from lifecycle.clients.facts import Facts
from lifecycle.events import Outgoing, credit, interaction
from lifecycle.events import client as cl
from lifecycle.risk.conduct_score import Sign, score
from lifecycle.risk.score import Score, band_of
from lifecycle.settings import ROOT
from tests.lakes import ZONE, lake_of
from tests.scored import scored
from tests.unit.attributes.bank import AS_OF, Bank, Client, at, day
from tests.unit.attributes.company import BEFORE, TEXTBOOK, filed

FIGURES = load_rules(ROOT / "rules").parameters
POINTS = {"A": 40, "B": 25, "C": 20, "D": 15, "E": 10, "F": 30}
BANDS = {"HIGH": 70, "MEDIUM": 40, "LOW": 0}


TEXTS = {code: {"zh": code, "en": code} for code in POINTS}


def of(*signs: Sign) -> Score:
    return score(signs, POINTS, BANDS, TEXTS)


def told(made: Score) -> tuple[tuple[str, float], ...]:
    return tuple((reason.code, reason.points) for reason in made.reasons)


@pytest.mark.parametrize(
    ("signs", "value", "band", "reasons"),
    [
        ([], 0, "LOW", ()),
        ([Sign("B", ())], 25, "LOW", (("B", 25),)),
        ([Sign("A", ())], 40, "MEDIUM", (("A", 40),)),
        ([Sign("A", ()), Sign("F", ())], 70, "HIGH", (("A", 40), ("F", 30))),
        ([Sign("A", (), Decimal("0.5"))], 20, "LOW", (("A", 20),)),
        ([Sign("D", (), Decimal("0.5"))], 8, "LOW", (("D", 8),)),  # 7.5: halves go up
        ([Sign("A", (), Decimal("0.2")), Sign("A", (), Decimal("0.5"))], 20, "LOW", (("A", 20),)),
        ([Sign("A", (), Decimal("0.001"))], 0, "LOW", ()),
        (
            [Sign(reason, ()) for reason in "EDCBA"],
            100,
            "HIGH",
            (("A", 40), ("B", 25), ("C", 20), ("D", 15)),
        ),
    ],
)
def test_points(
    signs: list[Sign], value: int, band: str, reasons: tuple[tuple[str, int], ...]
) -> None:
    made = of(*signs)
    assert (made.value, made.band, told(made), made.pd) == (value, band, reasons, None)


def test_evidence_is_of_the_reasons_that_are_shown() -> None:
    row = of(*(Sign(reason, (f"{reason}1", "shared")) for reason in "EDCBA"))
    assert row.evidence == ("A1", "shared", "B1", "C1", "D1")
    many = of(Sign("A", tuple(map(str, range(50)))))
    assert len(many.evidence) == 20


any_signs = st.lists(
    st.builds(
        Sign,
        st.sampled_from(sorted(POINTS)),
        st.just(("e",)),
        st.decimals(0, 1, places=3),
    ),
    max_size=12,
)


@given(any_signs, any_signs)
def test_another_sign_never_lowers_a_score(some: list[Sign], more: list[Sign]) -> None:
    fewer, all_of_them = of(*some), of(*some, *more)
    assert 0 <= fewer.value <= all_of_them.value <= 100
    assert all_of_them == of(*reversed([*some, *more])), "their order says nothing"


@pytest.mark.parametrize(
    ("value", "band"),
    [(0, "LOW"), (39, "LOW"), (40, "MEDIUM"), (69, "MEDIUM"), (70, "HIGH"), (100, "HIGH")],
)
def test_bands_of_the_rules_in_whatever_order_they_are_kept(value: int, band: str) -> None:
    assert band_of(value, FIGURES["conduct_bands"].value) == band


@pytest.mark.parametrize("kind", ["operating", "moral"])
def test_every_reason_has_both_texts(kind: str) -> None:
    texts = FIGURES["conduct_reasons"].value
    for reason in FIGURES[f"{kind}_points"].value:
        assert texts[reason]["zh"], reason
        assert texts[reason]["en"], reason


def test_the_points_of_companies_make_a_hundred() -> None:
    """Distress and the grey zone exclude each other."""
    points = FIGURES["operating_points"].value
    assert sum(points.values()) - points["Z_GREY"] == 100


# --- signs from facts -----------------------------------------------------------------------------

HABIT = ("2025-10", "2025-11", "2025-12", "2026-01")


def payer(bank: Bank, name: str, months: Iterable[str], purpose: str = "SALA") -> list[str]:
    firm = bank.company(name)
    return [firm.debit(f"{month}-10", "10.00", purpose=purpose, partner="w") for month in months]


def report(client: Client, on: str, lenders: int) -> str:
    return client.add(
        credit.BureauReportReceived,
        on,
        report_id=f"{client.name}-{on}",
        report_date=day(on),
        n_lenders=lenders,
        total_debt="1",
        total_limit="1",
    )


def tried(client: Client, on: str, reached: bool = False) -> str:
    return client.add(
        interaction.ContactAttempted,
        on,
        attempt_id=f"{client.name}-{on}",
        type="CALL",
        reached=reached,
    )


def number(client: Client, on: str, phone: str) -> str:
    return client.add(
        cl.KycUpdated,
        on,
        kyc_level="FULL",
        reviewed_at=at(f"{on}T08:00"),
        next_review_date=day("2027-01-01"),
        pep=False,
        sanctions_hit=False,
        phone_hash=phone,
    )


def whole() -> tuple[Bank, dict[tuple[str, str], set[str]]]:
    """Clients, and the signs they must show with their sources; whoever is not named shows none."""
    bank, expected = Bank(), {}

    def shows(name: str, reason: str, *sources: str) -> None:
        expected[name, reason] = set(sources)

    # Four months of wages and none in February and March.
    shows("wages-stopped", "PAYMENTS_INTERRUPTED", *payer(bank, "wages-stopped", HABIT))
    shows("taxes-stopped", "PAYMENTS_INTERRUPTED", *payer(bank, "taxes-stopped", HABIT, "VATX"))
    payer(bank, "wages-go-on", [*HABIT, "2026-02"])
    payer(bank, "no-habit", HABIT[1:])
    payer(bank, "rent-stopped", HABIT, "RENT")
    person = bank.person("employer-of-a-nanny")
    for month in HABIT:
        person.debit(f"{month}-10", "10.00", purpose="SALA")

    # Due 120 days after the year, so on 30 April; 60 days later is 29 June.
    for name, on, late in (("in-june", "2025-06-29", False), ("after", "2025-06-30", True)):
        firm = bank.company(f"filed-{name}")
        source = filed(firm, "2024-12-31", on, **BEFORE)
        if late:
            shows(f"filed-{name}", "FILING_IRREGULAR", source)
    # A correction that comes late is no late filing.
    corrected = bank.company("corrected")
    filed(corrected, "2024-12-31", "2025-04-30", **BEFORE)
    filed(corrected, "2024-12-31", "2025-12-30", 2, **BEFORE)
    # The statement of 2024 never came.
    silent = bank.company("never-again")
    shows("never-again", "FILING_IRREGULAR", filed(silent, "2023-12-31", "2024-04-01", **BEFORE))

    def audited(firm: Client, period: str, on: str, auditor: str | None) -> str:
        return firm.add(
            credit.FinancialStatementFiled,
            on,
            period_end=day(period),
            version=1,
            filed_at=day(on),
            audited=True,
            gaap="PRC_GAAP",
            statement=credit.Statement(**BEFORE),
            auditor_hash=auditor,
        )

    for name, auditors, changed in (
        ("auditor-changed", ("a", "b"), True),
        ("auditor-kept", ("a", "a"), False),
        ("auditor-unknown", ("a", None), False),
    ):
        firm = bank.company(name)
        both = audited(firm, "2024-12-31", "2025-04-01", auditors[0])
        now = audited(firm, "2025-12-31", "2026-03-01", auditors[1])
        if changed:
            shows(name, "FILING_IRREGULAR", now, both)

    # 90 days began on 1 January.
    for name, before, during, gained in (
        ("two-more", [("2025-12-31", 1)], [("2026-03-01", 3)], True),
        ("one-more", [("2025-12-31", 2)], [("2026-03-01", 3)], False),
        ("two-more-within", [], [("2026-01-05", 0), ("2026-03-01", 2)], True),
        ("only-report", [], [("2026-03-01", 5)], False),
        ("long-ago", [("2025-06-01", 1), ("2025-12-31", 4)], [], False),
        ("gone-again", [("2025-12-31", 1)], [("2026-01-05", 4), ("2026-03-01", 1)], False),
    ):
        client = bank.person(name)
        base = [report(client, on, n) for on, n in before]
        new = [report(client, on, n) for on, n in during]
        if gained:
            shows(name, "MULTI_LENDING", new[-1], (base or new)[-1 if base else 0])

    # 5 of 100 is not more than 5 %; 6 of 101 is.
    for name, amount, fields, beyond in (
        ("bets-a-little", "5.00", {"mcc": "7995"}, False),
        ("bets", "6.00", {"mcc": "7995"}, True),
        ("pawns", "6.00", {"mcc": "5933"}, True),
        ("sends-to-a-casino", "6.00", {"partner_type": "GAMBLING"}, True),
    ):
        client = bank.person(name)
        client.debit("2026-02-01", "95.00", mcc="5411")
        source = client.debit("2026-02-02", amount, **fields)
        if beyond:
            shows(name, "RISKY_SPENDING", source)

    # 30 days began on 2 March.
    for name, missed, changes, evades in (
        ("evades", ["2026-03-02", "2026-03-10", "2026-03-20"], ["2026-03-15"], True),
        ("evades-too-seldom", ["2026-03-01", "2026-03-10", "2026-03-20"], ["2026-03-15"], False),
        ("same-number", ["2026-03-02", "2026-03-10", "2026-03-20"], [], False),
        ("old-change", ["2026-03-02", "2026-03-10", "2026-03-20"], ["2026-03-01"], False),
    ):
        client = bank.person(name, phone_hash="old")
        ids = [tried(client, on) for on in missed]
        ids += [number(client, on, "new") for on in changes]
        if evades:
            shows(name, "EVASIVE", *ids)
    reached = bank.person("reached", phone_hash="old")
    for on in ("2026-03-02", "2026-03-10", "2026-03-20"):
        tried(reached, on, reached=on == "2026-03-20")
    number(reached, "2026-03-15", "new")
    confirmed = bank.person("confirmed", phone_hash="old")
    for on in ("2026-03-02", "2026-03-10", "2026-03-20"):
        tried(confirmed, on)
    number(confirmed, "2026-03-15", "old")
    return bank, expected


BANK, EXPECTED = whole()
Found = dict[tuple[str, str], set[str]]


def found(path: Path, facts: Iterable[Outgoing], on: dt.date = AS_OF) -> Found:
    with DuckDBEngine(lake_of(path, facts)) as engine:
        signs = conduct.signs(engine, Facts(engine, on, ZONE, frozenset()), FIGURES)
    return {(c, s.reason): set(s.sources) for c, own in signs.items() for s in own}


def test_signs_with_their_sources(tmp_path: Path) -> None:
    assert found(tmp_path, BANK.facts) == EXPECTED


def test_later_facts_are_no_signs(tmp_path: Path) -> None:
    early = day("2026-03-12")
    end = dt.datetime(2026, 3, 12, 16, tzinfo=dt.UTC)
    known = [fact for fact in BANK.facts if fact.time < end]
    then = found(tmp_path / "then", known, early)
    assert then == found(tmp_path / "now", BANK.facts, early)
    assert ("evades", "EVASIVE") not in then
    assert then, "some signs were there"


# --- the rows of a night --------------------------------------------------------------------------


def lent(client: Client, on: str, amount: str) -> None:
    client.add(
        credit.CreditDisbursed,
        on,
        facility_id=f"{client.name}-L1",
        tranche_no=1,
        amount=amount,
        to_account_id=f"{client.name}-A1",
    )
    client.credit(on, amount, purpose="LOAN")


def declared(client: Client, **said: str) -> str:
    return client.add(cl.ProfileDeclared, "2025-01-05", **said)


def night() -> Bank:
    bank = Bank()
    # Z'' 0.3, far below 1.1, and a margin that fell while receivables rose.
    broken = bank.company("broken")
    filed(broken, "2024-12-31", "2025-03-31", **BEFORE)
    worse = {"retained_earnings": "-900.00", "ebit": "-10.00", "receivables": "700.00"}
    filed(broken, "2025-12-31", "2026-03-01", **TEXTBOOK | worse)
    for month in ("2025-08", "2025-09", *HABIT):
        broken.credit(f"{month}-05", "100.00", partner="only-buyer")
        broken.debit(f"{month}-10", "10.00", purpose="SALA", partner="w")
    grey = bank.company("grey")
    weaker = {"retained_earnings": "0.00", "ebit": "20.00"}
    filed(grey, "2025-12-31", "2026-03-01", **TEXTBOOK | weaker)
    sound = bank.company("sound")
    filed(sound, "2025-12-31", "2026-03-01", **TEXTBOOK)
    bank.company("blank")
    bank.company("held", account="2024-01-01")
    bank.company("without-account", account=None)

    liar = bank.person("liar")
    declared(liar, declared_income_monthly="1000.00", debts="1.00", employer="other")
    for month in ("2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03"):
        liar.credit(f"{month}-10", "500.00", purpose="SALA", partner="boss")
    report(liar, "2025-12-01", 1)
    liar.add(
        credit.BureauReportReceived,
        "2026-03-01",
        report_id="liar-2",
        report_date=day("2026-03-01"),
        n_lenders=3,
        total_debt="100.00",
        total_limit="100.00",
    )
    lent(liar, "2026-02-01", "1000.00")
    liar.debit("2026-02-02", "1000.00", partner_type="SECURITIES")
    half = bank.person("half")
    lent(half, "2026-02-01", "1000.00")
    half.debit("2026-02-02", "150.00", is_cash=True)
    bank.person("honest")
    return bank


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, rule_set: RuleSet) -> dict[tuple[str, str], Any]:
    figures = rule_set.parameters
    lake = lake_of(tmp_path_factory.mktemp("night") / "lake", night().facts)
    with DuckDBEngine(lake) as engine:
        facts = Facts(engine, AS_OF, ZONE, frozenset())
        (made,) = profiling.make(engine, facts, figures)
        signs = conduct.signs(engine, facts, figures)
        traced = conduct.proceeds(engine, facts, figures)
    degraded = frozenset({"held"})
    judged = [conduct.Judged(s.client_id, s.client_type, s.checks) for s in made.summaries]
    found = conduct.candidates(made.rows, judged, signs, traced, degraded, figures)
    return {
        (client, kind): row
        for kind, one in found
        for client, row in scored(kind, [one], AS_OF, rule_set).items()
    }


# CV01 FAIL 25, CV04 FAIL 25, CV02 WARN 10, proceeds 40, lenders 15: 115, cut off at 100.
NIGHT = [
    ("liar", "MORAL", 100, "HIGH", {"PROCEEDS_DIVERTED": 40, "DEBTS_HIDDEN": 25, "INCOME_MISDECLARED": 25, "MULTI_LENDING": 15}),
    ("half", "MORAL", 20, "LOW", {"PROCEEDS_DIVERTED": 20}),  # 0.15 of 0.30 is half of 40
    ("honest", "MORAL", 0, "LOW", {}),
    # Six months at 100 come to 600 a year; 1,000 filed is 1.67 times that: CV03 FAIL.
    ("broken", "OPERATING", 95, "HIGH", {"Z_DISTRESS": 40, "M_HIGH": 20, "REVENUE_OVERSTATED": 15, "PAYERS_CONCENTRATED": 10}),
    ("grey", "OPERATING", 20, "LOW", {"Z_GREY": 20}),
    ("sound", "OPERATING", 0, "LOW", {}),
]  # fmt: skip


@pytest.mark.parametrize(("client", "kind", "value", "band", "reasons"), NIGHT)
def test_rows_of_a_night(
    client: str,
    kind: str,
    value: int,
    band: str,
    reasons: dict[str, int],
    rows: dict[tuple[str, str], Any],
) -> None:
    row = rows[client, kind]
    found = {r["code"]: r["points"] for r in msgspec.json.decode(row["reason_codes"])}
    assert (row["status"], row["value"], row["band"], found) == ("SCORED", value, band, reasons)
    assert bool(row["source_event_ids"]) == bool(reasons)


def test_who_has_no_score_is_said_so(rows: dict[tuple[str, str], Any]) -> None:
    assert rows["blank", "OPERATING"]["status"] == "UNKNOWN"
    assert rows["held", "MORAL"]["status"] == "SUPPRESSED"
    assert rows["held", "MORAL"]["value"] is None
    assert ("without-account", "OPERATING") not in rows
    assert ("liar", "OPERATING") not in rows, "a person has no operating risk"
    assert rows["broken", "MORAL"]["value"] == 0, "what is of operating risk counts there only"
