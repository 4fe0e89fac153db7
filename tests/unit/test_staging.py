"""The staged gate, case by case: facts through the lake, the engine and the suite."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from expectations.gate import GreatExpectationsGate
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import RuleSet
from lifecycle.events import Event, Fact
from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import consent as cs
from lifecycle.events import credit as cr
from lifecycle.ports import Verdict
from lifecycle.staging import Night, gate_columns, portfolio, staged_checks
from tests.support import DAY, at, disbursed, due, event, made, missed, opened, posted

BEFORE = DAY - dt.timedelta(days=1)
LATER = DAY + dt.timedelta(days=30)
SEAL = 1


class Judged(NamedTuple):
    """What the gate said of a night."""

    verdict: Verdict
    held: dict[int, str]
    """Position -> rule id."""

    @property
    def failed(self) -> dict[str, str]:
        """Rule id -> action."""
        return {failure.expectation: failure.action for failure in self.verdict.failures}


@pytest.fixture(scope="module")
def gate() -> GreatExpectationsGate:
    return GreatExpectationsGate()


@pytest.fixture
def judge(tmp_path: Path, gate: GreatExpectationsGate, rule_set: RuleSet) -> Any:
    """Facts, at positions 0, 1, ... -> what the gate says of the night that seals them all."""

    def judged(*facts: Fact | Event, **night: Any) -> Judged:
        events = [fact if isinstance(fact, Event) else event(fact) for fact in facts]
        lake = Lake(tmp_path / "lake")
        lake.append(list(enumerate(events)), SEAL, SEAL)
        tonight = Night(DAY, (SEAL,), **night)
        figures = rule_set.parameters
        with DuckDBEngine(lake) as engine:
            checked = engine.run(staged_checks(engine, tonight, figures))
            totals = engine.run(portfolio(engine, tonight, figures))
        columns = gate_columns(checked, totals, figures)
        verdict = gate.check("staged", columns, checked.num_rows)
        assert verdict.evaluated == verdict.expected > 0
        positions = checked["position"].to_pylist()
        return Judged(
            verdict, {positions[row]: f.expectation for row, f in verdict.quarantined().items()}
        )

    return judged


def unlike(fact: Fact, **changes: Any) -> Event:
    """A fact that no producer gets past the decoder: what the lake holds is judged all the same."""
    right = event(fact)
    return msgspec.structs.replace(right, data=msgspec.structs.replace(right.data, **changes))


def clbd(amount: str, day: dt.date = DAY, account: str = "A1", side: Any = "CRDT") -> Fact:
    return ac.BalanceSnapshot(
        business_date=day,
        account_id=account,
        balance_type="CLBD",
        amount=amount,
        credit_debit_indicator=side,
        currency="CNY",
    )


def entry(number: int, balance: str, minute: int = 0, **changes: Any) -> Event:
    """A credit of 100 that leaves `balance`, at a minute of its day."""
    fact = posted(number, balance_after=balance, **changes)
    return event(fact, time=at(fact.business_date, 12, minute))


def closed(day: dt.date) -> Fact:
    return ac.AccountClosed(
        business_date=day,
        account_id="A1",
        currency="CNY",
        closed_date=day,
        reason="CUSTOMER",
        final_balance="0",
    )


def repaid(**parts: str) -> Fact:
    fact = made("P1", DAY)
    return msgspec.structs.replace(fact, allocation=cr.Allocation(**parts))


def registered(born: dt.date | None) -> Fact:
    return cl.ClientRegistered(
        business_date=DAY, client_id="C1", client_type="INDIVIDUAL", birth_date=born
    )


def consent(granted: dt.datetime, withdrawn: dt.datetime) -> list[Fact]:
    common: dict[str, Any] = {"business_date": DAY, "client_id": "C1", "consent_id": "K1"}
    return [
        cs.ConsentGranted(
            **common,
            purpose="P2_PROFILE",
            legal_basis="CONSENT",
            granted_at=granted,
            text_version="1",
        ),
        cs.ConsentWithdrawn(**common, purpose="P2_PROFILE", withdrawn_at=withdrawn),
    ]


def filed(assets: str | None, liabilities: str | None, equity: str | None) -> Fact:
    return cr.FinancialStatementFiled(
        business_date=DAY,
        client_id="C1",
        period_end=DAY,
        version=1,
        filed_at=DAY,
        audited=True,
        gaap="IFRS",
        currency="CNY",
        statement=cr.Statement(total_assets=assets, total_liabilities=liabilities, equity=equity),
    )


# --- rows ---------------------------------------------------------------------------------------

OPENED = opened(day=BEFORE)
LENT = disbursed(BEFORE)

GOOD: dict[str, list[Fact | Event]] = {
    "an entry": [OPENED, posted()],
    "an entry on the day of opening": [opened(), posted()],
    "an entry on the day of closing": [OPENED, posted(), closed(DAY)],
    "a chain": [OPENED, entry(1, "100.00"), entry(2, "200.00", 1)],
    "a chain that is rounded": [OPENED, entry(1, "100.00"), entry(2, "200.99", 1)],
    "a chain that begins the day before": [
        OPENED,
        entry(1, "100.00", day=BEFORE),
        entry(2, "200.00"),
    ],
    "an entry that is only pending": [
        OPENED,
        entry(1, "100.00"),
        entry(2, "100.00", 1, status="PDNG"),
        entry(3, "200.00", 2),
    ],
    "an entry without a balance": [
        OPENED,
        entry(1, "100.00"),
        event(posted(2, balance_after=None), time=at(DAY, 12, 1)),
    ],
    "closing balances": [
        OPENED,
        entry(1, "100.00", day=BEFORE),
        clbd("100.00", BEFORE),
        entry(2, "200.00"),
        clbd("200.00"),
    ],
    "a closing balance below zero": [
        OPENED,
        entry(1, "-100.00", credit_debit_indicator="DBIT"),
        clbd("100.00", side="DBIT"),
    ],
    "a closing balance without entries": [
        OPENED,
        entry(1, "100.00", day=BEFORE),
        clbd("100.00", BEFORE),
        clbd("100.00"),
    ],
    "a whole allocation": [LENT, repaid(principal="400.00", interest="99.50", fees="0.50")],
    "instalments": [LENT, due(1, DAY), due(2, LATER)],
    "an instalment that a new schedule lets fall away": [
        LENT,
        due(1, DAY),
        msgspec.structs.replace(due(2, LATER, "0"), schedule_version=2),
    ],
    "an instalment on the day of the grant": [LENT, due(1, BEFORE), posted(), opened()],
    "a consent": consent(at(DAY, 9), at(DAY, 9)),
    "a birth on the day": [registered(DAY)],
    "a birth long ago": [registered(dt.date(1900, 1, 1))],
    "no birth": [registered(None)],
    "a statement": [filed("1000.00", "600.00", "400.00")],
    "a statement with a rounding": [filed("1000.00", "600.00", "395.00")],
    "a statement with equity below zero": [filed("1000.00", "1200.00", "-200.00")],
    "a statement that leaves out equity": [filed("1000.00", "600.00", None)],
}


@pytest.mark.parametrize("facts", GOOD.values(), ids=GOOD)
def test_what_is_right_passes(judge: Any, facts: list[Fact | Event]) -> None:
    assert judge(*facts).failed == {}


BAD: dict[str, list[Fact | Event]] = {
    "staged-01": [OPENED, posted(amount="0")],
    "staged-02": [OPENED, unlike(posted(), credit_debit_indicator="XXXX")],
    "staged-03": [OPENED, posted(currency="NZD")],
    "staged-04": [OPENED, entry(1, "100.00"), entry(1, "200.00", 1)],
    "staged-05": [posted()],
    "staged-06": [opened(), entry(1, "100.00", day=BEFORE)],
    "staged-06-closed": [OPENED, closed(BEFORE), posted()],
    "staged-07": [OPENED, entry(1, "100.00"), entry(2, "300.00", 1)],
    "staged-10": [LENT, repaid(principal="400.00", interest="99.00")],
    "staged-11": [LENT, due(1, BEFORE - dt.timedelta(days=1))],
    "staged-11-order": [LENT, due(1, LATER), due(2, DAY)],
    "staged-12": [due(1, DAY)],
    "staged-13": consent(at(DAY, 9), at(DAY, 8)),
    "staged-14": [registered(dt.date(1899, 12, 31))],
    "staged-15": [filed("1000.00", "600.00", "394.99")],
}


@pytest.mark.parametrize(("rule", "facts"), BAD.items(), ids=BAD)
def test_what_is_wrong_is_held_by_its_rule(
    judge: Any, rule: str, facts: list[Fact | Event]
) -> None:
    judged = judge(*facts)
    assert rule in judged.held.values()
    assert judged.failed[rule] == "quarantine"


def test_only_the_wrong_row_is_held(judge: Any) -> None:
    judged = judge(OPENED, posted(1), registered(DAY + dt.timedelta(days=1)))
    assert judged.held == {2: "staged-14"}


def test_an_entry_of_both_kinds_is_one_row(judge: Any) -> None:
    """A repayment is judged by its amounts and as a step of its credit: one fact, one row."""
    judged = judge(repaid(principal="1.00"))
    assert judged.verdict.rows == 1
    assert judged.held == {0: "staged-10"}
    assert "staged-12" in judged.failed


# --- the life of a credit -------------------------------------------------------------------------


def declared(day: dt.date = DAY) -> Fact:
    return cr.DefaultDeclared(business_date=day, facility_id="L1", criterion="DPD90")


def cured() -> Fact:
    return cr.DefaultCured(business_date=DAY, facility_id="L1", criterion="DPD90")


def written_off() -> Fact:
    return cr.CreditWrittenOff(business_date=DAY, facility_id="L1", amount="1.00", currency="CNY")


def recovered() -> Fact:
    return cr.CreditRecovered(business_date=DAY, facility_id="L1", amount="1.00", currency="CNY")


def settled() -> Fact:
    return cr.CreditSettled(business_date=DAY, facility_id="L1", settled_date=DAY)


def restructured(distressed: bool = True) -> Fact:
    return cr.CreditRestructured(
        business_date=DAY,
        facility_id="L1",
        reason="INCOME",
        forbearance_type="EXTENSION",
        distressed=distressed,
    )


def tranche() -> Fact:
    return msgspec.structs.replace(disbursed(), tranche_no=2)


def submitted() -> Fact:
    return cr.ApplicationSubmitted(
        business_date=DAY,
        application_id="P1",
        client_id="C1",
        product_code="X",
        requested_amount="1.00",
        currency="CNY",
        term_months=1,
    )


def approved() -> Fact:
    return cr.CreditApproved(
        business_date=DAY,
        application_id="P1",
        facility_id="L1",
        approved_amount="1.00",
        currency="CNY",
        term_months=1,
    )


def declined() -> Fact:
    return cr.CreditDeclined(business_date=DAY, application_id="P1")


def cancelled() -> Fact:
    return cr.CreditCancelled(business_date=DAY, application_id="P1")


def in_order(facts: list[Fact]) -> list[Event]:
    return [event(fact, time=at(DAY, 10, minute)) for minute, fact in enumerate(facts)]


LAWFUL: list[list[Fact]] = [
    [disbursed(), tranche(), due(1, DAY), made("P1", DAY), settled()],
    [disbursed(), due(1, DAY), missed(1, DAY), declared(), made("P1", DAY), cured(), tranche()],
    [disbursed(), declared(), restructured(), declared(), written_off(), recovered(), recovered()],
    [disbursed(), written_off(), due(1, DAY), made("P1", DAY), written_off(), settled()],
    [disbursed(), restructured(), made("P1", DAY), cured(), tranche(), settled()],
    [disbursed(), restructured(distressed=False), tranche()],
    [submitted(), approved(), disbursed(), due(1, DAY)],
    [submitted(), approved(), cancelled()],
    [submitted(), declined()],
    [approved(), disbursed()],
]


@pytest.mark.parametrize("facts", LAWFUL)
def test_a_lawful_life_passes(judge: Any, facts: list[Fact]) -> None:
    assert judge(*in_order(facts)).failed == {}


UNLAWFUL: dict[str, list[Fact]] = {
    "cured without default": [disbursed(), cured()],
    "cured twice": [disbursed(), declared(), cured(), cured()],
    "recovered without write-off": [disbursed(), declared(), recovered()],
    "due after settled": [disbursed(), settled(), due(1, DAY)],
    "disbursed after settled": [disbursed(), settled(), tranche()],
    "settled twice": [disbursed(), settled(), settled()],
    "disbursed after write-off": [disbursed(), written_off(), tranche()],
    "disbursed in default": [disbursed(), declared(), tranche()],
    "disbursed in distress": [disbursed(), restructured(), tranche()],
    "cured of no distress": [disbursed(), restructured(distressed=False), cured()],
    "restructured after write-off": [disbursed(), written_off(), restructured()],
    "paid before it was lent": [made("P1", DAY)],
    "approved after it was declined": [submitted(), declined(), approved()],
    "declined after it was cancelled": [submitted(), cancelled(), declined()],
}


@pytest.mark.parametrize("facts", UNLAWFUL.values(), ids=UNLAWFUL)
def test_the_last_step_of_an_unlawful_life_is_held(judge: Any, facts: list[Fact]) -> None:
    assert judge(*in_order(facts)).held == {len(facts) - 1: "staged-12"}


def test_the_order_is_that_of_event_time(judge: Any) -> None:
    steps = in_order([disbursed(), declared(), cured()])
    assert judge(*reversed(steps)).failed == {}


def test_one_unlawful_step_does_not_spoil_what_follows(judge: Any) -> None:
    judged = judge(*in_order([disbursed(), settled(), tranche(), due(1, DAY), made("P1", DAY)]))
    assert judged.held == {2: "staged-12"}


# --- the whole of a night -------------------------------------------------------------------------


def chain(entries: int, broken: int) -> list[Event]:
    """One account with so many entries after its first, of which so many do not follow."""
    facts = [event(OPENED, time=at(BEFORE))]
    balance = 0
    for number in range(entries + 1):
        balance += 100 + (1_000 if 0 < number <= broken else 0)
        facts.append(event(posted(number, balance_after=f"{balance}.00"), time=_after(number)))
    return facts


def _after(number: int) -> dt.datetime:
    return at(DAY, 10) + dt.timedelta(seconds=number)


@pytest.mark.parametrize(
    ("entries", "broken", "actions"),
    [
        (1_000, 1, {"staged-07": "quarantine"}),
        (999, 1, {"staged-07": "quarantine", "staged-07-usual": "warn"}),
        (100, 1, {"staged-07": "quarantine", "staged-07-usual": "warn"}),
        (
            99,
            1,
            {"staged-07": "quarantine", "staged-07-usual": "warn", "staged-07-share": "block"},
        ),
    ],
)
def test_broken_chains_warn_below_999_and_block_below_990_in_a_thousand(
    judge: Any, entries: int, broken: int, actions: dict[str, str]
) -> None:
    assert judge(*chain(entries, broken)).failed == actions


def test_nothing_is_said_of_the_balances_of_a_client_that_lacks_a_fact(judge: Any) -> None:
    assert judge(*chain(99, 3), incomplete=frozenset({"C1"})).failed == {}
    assert "staged-07" in judge(*chain(99, 3), incomplete=frozenset({"C2"})).failed


def test_a_share_counts_only_what_its_check_applies_to(judge: Any) -> None:
    others = [
        event(msgspec.structs.replace(registered(DAY), client_id=f"C{n}")) for n in range(900)
    ]
    assert "staged-07-share" in judge(*chain(99, 1), *others).failed


@pytest.mark.parametrize(("known", "blocks"), [(99, False), (98, True)])
def test_more_than_one_entry_in_a_hundred_on_unknown_accounts_blocks(
    judge: Any, known: int, blocks: bool
) -> None:
    facts = [OPENED, *(posted(n, balance_after=None) for n in range(known))]
    failed = judge(*facts, posted(0, account_id="A2")).failed
    assert failed["staged-05"] == "quarantine"
    assert failed.get("staged-05-share") == ("block" if blocks else None)


def accounts(number: int, off: int, by: str = "0.02") -> list[Fact | Event]:
    """Accounts with one entry of 100 and a closing balance; `off` of them close by as much less."""
    facts: list[Fact | Event] = []
    for n in range(number):
        closing = f"{100 - float(by if n < off else 0):.2f}"
        facts += [
            opened(f"A{n}", day=BEFORE),
            posted(n, account_id=f"A{n}"),
            clbd(closing, account=f"A{n}"),
        ]
    return facts


def test_a_closing_balance_may_be_off_by_a_hundredth(judge: Any) -> None:
    assert judge(*accounts(10, 10, by="0.01")).failed == {}


@pytest.mark.parametrize(
    ("number", "actions"),
    [
        (1_000, {"staged-08": "warn"}),
        (999, {"staged-08": "warn", "staged-08-share": "block"}),
    ],
)
def test_closing_balances_that_are_off_warn_and_block_above_one_account_in_a_thousand(
    judge: Any, number: int, actions: dict[str, str]
) -> None:
    judged = judge(*accounts(number, 1))
    assert (judged.failed, judged.held) == (actions, {})


def two_days(account: str, first: str, amount: str, second: str) -> list[Fact | Event]:
    """An account that closed at `first` the day before, has one entry and closes at `second`."""
    return [
        opened(account, day=BEFORE),
        clbd(first, BEFORE, account),
        posted(account_id=account, amount=amount, balance_after=second),
        clbd(second, account=account),
    ]


def test_entries_that_do_not_add_up_in_one_account_warn(judge: Any) -> None:
    large = two_days("A1", "0.00", "9000000.00", "9000000.00")
    judged = judge(*large, *two_days("A2", "0.00", "100.00", "110.00"))
    assert judged.failed == {"staged-09": "warn"}


def test_entries_that_do_not_add_up_over_all_accounts_block(judge: Any) -> None:
    judged = judge(*two_days("A1", "0.00", "100.00", "100.00"), *two_days("A2", "0", "10.00", "21"))
    assert judged.failed == {"staged-09": "warn", "staged-09-portfolio": "block"}


def test_what_one_account_lacks_may_be_in_another(judge: Any) -> None:
    judged = judge(*two_days("A1", "0", "100.00", "110.00"), *two_days("A2", "0", "30.00", "20.00"))
    assert judged.failed == {"staged-09": "warn"}


def test_currencies_are_not_added_up(judge: Any) -> None:
    facts = [*two_days("A1", "0", "100.00", "110.00"), *two_days("A2", "0", "30.00", "20.00")]
    dollars = [
        msgspec.structs.replace(fact, currency="USD")
        if getattr(fact, "account_id", "") == "A2" and not isinstance(fact, ac.AccountOpened)
        else fact
        for fact in facts
    ]
    assert "staged-09-portfolio" in judge(*dollars).failed


PAID = ac.BankTransactionCode(domain="PMNT", family="CCRD", sub_family="POSD")


@pytest.mark.parametrize(
    "unknown",
    [
        {"mcc": "0001"},
        {"bank_transaction_code": msgspec.structs.replace(PAID, family="SPOT")},
        {"mcc": "5411", "bank_transaction_code": msgspec.structs.replace(PAID, family="ABCD")},
    ],
)
@pytest.mark.parametrize(("known", "warns"), [(49, False), (48, True)])
def test_codes_that_nobody_knows_warn_above_two_in_a_hundred(
    judge: Any, unknown: dict[str, Any], known: int, warns: bool
) -> None:
    codes: list[dict[str, Any]] = [{"mcc": "5411"}, {"mcc": "3007", "bank_transaction_code": PAID}]
    facts = [posted(n, balance_after=None, **codes[n % 2]) for n in range(known)]
    judged = judge(OPENED, *facts, posted(99, balance_after=None, **unknown))
    assert judged.failed == ({"staged-16": "warn"} if warns else {})


# --- which facts are judged -----------------------------------------------------------------------


def test_a_fact_that_counts_no_more_is_not_judged_and_breaks_nothing(judge: Any) -> None:
    facts = [OPENED, entry(1, "100.00"), entry(1, "900.00", 1), entry(2, "200.00", 2)]
    assert judge(*facts).failed
    assert judge(*facts, gone=frozenset({2})).failed == {}


def test_a_fact_that_was_let_pass_is_not_judged_but_counts(judge: Any) -> None:
    facts = [OPENED, entry(1, "100.00"), entry(2, "900.00", 1), entry(3, "1000.00", 2)]
    assert judge(*facts).held == {2: "staged-07"}
    assert judge(*facts, passed=frozenset({2})).failed == {}
