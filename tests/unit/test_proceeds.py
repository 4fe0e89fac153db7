"""What the money of a loan was spent on: cases worked by hand, properties, and the facts behind them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts
from lifecycle.conduct import proceeds
from lifecycle.events import Fact
from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import credit as cr
from lifecycle.risk.classification import facilities, timelines
from lifecycle.risk.proceeds import (
    DIVERTED,
    Disbursement,
    Entry,
    Method,
    Tracing,
    followed,
    of_facilities,
    spent,
    tracing,
)
from tests.lakes import ZONE, lake_of, lake_of_one
from tests.support import opened, outgoing, posted

DAY = dt.date(2026, 3, 2)
LATER = DAY + dt.timedelta(days=60)


def entries(*moves: tuple[Any, ...]) -> list[Entry]:
    """Moves on A: (amount, use or "LOAN", days after), or with another account: A>B, B."""
    made = []
    for number, (amount, what, *rest) in enumerate(moves):
        days, account = (*rest, *(0, "A")[len(rest) :])
        source, _, target = str(account).partition(">")
        made.append(
            Entry(
                event_id=f"e{number}",
                account_id=source,
                on=DAY + dt.timedelta(days=days),
                amount=Decimal(amount),
                use="OTHER" if what == "LOAN" else what,
                payee=f"P{number}",
                loan=what == "LOAN",
                to_account=target or None,
            )
        )
    return made


def by_use(moves: list[Entry], opening: dict[str, str], method: Method) -> dict[str, str]:
    amounts = {account: Decimal(text) for account, text in opening.items()}
    found: dict[str, Decimal] = {}
    for part in spent(moves, amounts, method):
        found[part.use] = found.get(part.use, Decimal(0)) + part.amount
    return {use: str(amount) for use, amount in found.items()}


L = (1000, "LOAN")
CASES = [
    ("what was there before is the oldest", {"A": "100"}, [L, (-100, "PROHIBITED")], {}, {"PROHIBITED": "100"}),
    ("and then the loan", {"A": "100"}, [L, (-150, "PROHIBITED")], {"PROHIBITED": "50"}, {"PROHIBITED": "150"}),
    ("what comes later is the newest", {}, [L, (500, "OTHER"), (-500, "CASH")], {"CASH": "500"}, {}),
    ("which is spent before the loan by LIFO", {}, [L, (500, "OTHER"), (-700, "CASH")], {"CASH": "700"}, {"CASH": "200"}),
    ("several payments share the loan", {"A": "100"}, [L, (-600, "OTHER"), (-300, "CASH"), (-200, "RELATED")],
     {"OTHER": "500", "CASH": "300", "RELATED": "200"}, {"OTHER": "600", "CASH": "300", "RELATED": "100"}),
    ("the loan covers an overdraft first", {"A": "-200"}, [L, (-800, "OTHER")], {"OVERDRAFT": "200", "OTHER": "800"}, {"OVERDRAFT": "200", "OTHER": "800"}),
    ("what is spent beyond it is not the loan's", {}, [L, (-1500, "PROHIBITED")], {"PROHIBITED": "1000"}, {"PROHIBITED": "1000"}),
    ("nor what comes in to cover that", {}, [L, (-1500, "CASH"), (500, "OTHER"), (-1, "PROHIBITED")], {"CASH": "1000"}, {"CASH": "1000"}),
    ("nothing is spent", {"A": "5"}, [L], {}, {}),
    ("before the loan nothing is of the loan", {"A": "50"}, [(-50, "PROHIBITED"), L], {}, {}),
    ("money moved to another account keeps its mark", {}, [L, (-400, "OTHER", 0, "A>B"), (-300, "PROHIBITED", 1, "B")], {"PROHIBITED": "300"}, {"PROHIBITED": "300"}),
    ("among what was there", {"B": "250"}, [L, (-400, "OTHER", 0, "A>B"), (-300, "CASH", 1, "B")], {"CASH": "50"}, {"CASH": "300"}),
    ("and back again", {"B": "250"}, [L, (-1000, "OTHER", 0, "A>B"), (-1250, "OTHER", 1, "B>A"), (-250, "CASH", 2)], {}, {"CASH": "250"}),
    ("it covers the other account's overdraft", {"B": "-100"}, [L, (-400, "OTHER", 0, "A>B"), (-300, "CASH", 1, "B")], {"OVERDRAFT": "100", "CASH": "300"}, {"OVERDRAFT": "100", "CASH": "300"}),
    ("fen are exact", {"A": "0.01"}, [(Decimal("0.10"), "LOAN"), (Decimal("-0.07"), "CASH")], {"CASH": "0.06"}, {"CASH": "0.07"}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "opening", "moves", "fifo", "lifo"), CASES)
def test_what_is_spent_first(
    case: str,
    opening: dict[str, str],
    moves: list[tuple[Any, ...]],
    fifo: dict[str, str],
    lifo: dict[str, str],
) -> None:
    assert by_use(entries(*moves), opening, "FIFO") == fifo, case
    assert by_use(entries(*moves), opening, "LIFO") == lifo, case


amounts = st.integers(1, 10_000).map(lambda fen: Decimal(fen) / 100)
moves_ = st.lists(
    st.builds(
        lambda amount, out, use, account, target: (
            -amount if out else amount,
            use,
            0,
            f"{account}>{target}" if out and target and target != account else account,
        ),
        amounts,
        st.booleans(),
        st.sampled_from((*DIVERTED, "OTHER")),
        st.sampled_from("AB"),
        st.sampled_from(("", "", "A", "B")),
    ),
    max_size=15,
)
lives = st.tuples(
    st.dictionaries(st.sampled_from("AB"), st.integers(-5_000, 5_000).map(str), max_size=2),
    moves_,
    amounts,
    moves_,
)
methods = st.sampled_from(("FIFO", "LIFO"))


def life(parts: tuple[Any, ...]) -> tuple[dict[str, Decimal], list[Entry], Decimal]:
    opening, before, loan, after = parts
    balances = {account: Decimal(text) for account, text in opening.items()}
    return balances, entries(*before, (loan, "LOAN"), *after), loan


@given(lives, methods)
def test_no_more_is_traced_than_was_lent_or_went_out(parts: Any, method: Method) -> None:
    opening, moves, loan = life(parts)
    found = spent(moves, opening, method)
    assert sum((part.amount for part in found), Decimal(0)) <= loan
    went = {e.event_id: abs(e.amount) for e in moves}
    by_entry: dict[str, Decimal] = {}
    for part in found:
        assert part.amount > 0
        by_entry[part.event_id] = by_entry.get(part.event_id, Decimal(0)) + part.amount
    assert all(amount <= went[entry] for entry, amount in by_entry.items())


@given(lives)
def test_the_methods_agree_when_all_is_spent(parts: Any) -> None:
    """After all accounts were emptied into one kind of payee, both say that the whole loan went."""
    opening, moves, loan = life(parts)
    balances = dict(opening)
    for entry in moves:
        balances[entry.account_id] = balances.get(entry.account_id, Decimal(0)) + entry.amount
        if entry.to_account:
            balances[entry.to_account] = balances.get(entry.to_account, Decimal(0)) - entry.amount
    last = [
        Entry(f"last-{account}", account, DAY, -balance)
        for account, balance in balances.items()
        if balance > 0
    ]
    totals = {
        method: sum((p.amount for p in spent([*moves, *last], opening, method)), Decimal(0))
        for method in ("FIFO", "LIFO")
    }
    assert totals["FIFO"] == totals["LIFO"] == loan


@given(lives, methods)
def test_what_is_later_changes_nothing_that_was_traced(parts: Any, method: Method) -> None:
    opening, moves, _ = life(parts)
    whole = spent(moves, opening, method)
    for end in range(len(moves)):
        known = {entry.event_id for entry in moves[:end]}
        assert spent(moves[:end], opening, method) == [p for p in whole if p.event_id in known]


def test_own_transfers_are_one_move() -> None:
    moves = entries(
        (1000, "LOAN"), (-400, "OWN_ELSEWHERE", 0, "A"), (400, "OTHER", 1, "B"), (-400, "OTHER", 3, "A")
    )  # fmt: skip
    assert [(e.event_id, e.to_account) for e in followed(moves, 1)] == [
        ("e0", None),
        ("e1", "B"),
        ("e3", None),
    ]
    cash = entries((-400, "CASH", 0, "A"), (400, "OTHER", 0, "B"))
    assert followed(cash, 1) == cash, "cash that is paid in is money of unknown origin"


# --- verdicts -------------------------------------------------------------------------------------


def paid_out(amount: str = "100000", **changes: Any) -> Disbursement:
    fields: dict[str, Any] = {
        "event_id": "d", "facility_id": "L1", "tranche_no": 1, "client_id": "C1",
        "client_type": "INDIVIDUAL", "currency": "CNY", "paid_on": DAY, "amount": Decimal(amount),
        "account_id": "A", "payment_mode": "SELF",
    }  # fmt: skip
    return Disbursement(**(fields | changes))


VERDICTS = [
    ("nothing diverted", [(-100_000, "OTHER")], "PASS", "0.0000"),
    ("just below", [(-9_999, "CASH")], "PASS", "0.1000"),
    ("a tenth", [(-10_000, "CASH")], "WARN", "0.1000"),
    ("of several kinds", [(-4_000, "CASH"), (-3_000, "RELATED"), (-3_000, "OWN_ELSEWHERE")], "WARN", "0.1000"),
    ("just below three tenths", [(-29_999, "OWN_ELSEWHERE")], "WARN", "0.3000"),
    ("three tenths", [(-30_000, "OWN_ELSEWHERE")], "HIGH", "0.3000"),
    ("on the last day", [(-30_000, "CASH", 30)], "HIGH", "0.3000"),
    ("after the last day", [(-30_000, "CASH", 31)], "PASS", "0.0000"),
    ("repayments and an overdraft are no diversion", [(-60_000, "REPAYMENT")], "PASS", "0.0000"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "moves", "verdict", "share"), VERDICTS)
def test_verdicts(
    case: str, moves: list[tuple[Any, ...]], verdict: str, share: str, rule_set: RuleSet
) -> None:
    made = entries((100_000, "LOAN"), *moves)
    found = tracing(paid_out(), made, {}, LATER, rule_set.parameters)
    assert (found.verdict, str(found.diverted_share)) == (verdict, share), case
    speaks = [e.event_id for e in made[1:] if e.use in DIVERTED and e.on <= DAY + dt.timedelta(30)]
    assert found.evidence == ("d", *speaks)


@pytest.mark.parametrize(
    ("amount", "verdict"), [("-49999.99", "PASS"), ("-50000", "HIGH"), ("-50001", "HIGH")]
)
def test_an_amount_that_is_grave_whatever_its_share(
    amount: str, verdict: str, rule_set: RuleSet
) -> None:
    made = entries((1_000_000, "LOAN"), (amount, "PROHIBITED"))
    found = tracing(paid_out("1000000"), made, {}, LATER, rule_set.parameters)
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("client_type", "payments", "evaded"),
    [
        ("INDIVIDUAL", ["150000", "150000"], True),
        ("INDIVIDUAL", ["150000", "149999.99"], False),
        ("INDIVIDUAL", ["300000"], False),  # not split: paid in one, against the rule
        ("CORPORATE", ["150000", "150000"], False),
        ("CORPORATE", ["5000000", "5000000"], True),
    ],
)
def test_entrusted_payment_evaded(
    client_type: str, payments: list[str], evaded: bool, rule_set: RuleSet
) -> None:
    loan = sum(map(Decimal, payments))
    made = [
        *entries((loan, "LOAN")),
        *(
            Entry(f"p{n}", "A", DAY, -Decimal(payment), payee="SELLER")
            for n, payment in enumerate(payments)
        ),
    ]
    paid = paid_out(str(loan), client_type=client_type)
    found = tracing(paid, made, {}, LATER, rule_set.parameters)
    assert found.entrusted_evaded is evaded
    assert found.verdict == "PASS"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payment_mode": "ENTRUSTED"}, "ENTRUSTED"),
        ({"account_id": None}, "NO_ENTRY"),
        ({"account_id": "B"}, "NO_ENTRY"),
        ({"amount": Decimal(99_999)}, "NO_ENTRY"),
        ({"paid_on": DAY - dt.timedelta(days=2)}, "NO_ENTRY"),
        ({"paid_on": DAY - dt.timedelta(days=1)}, None),
    ],
)
def test_what_cannot_be_traced_is_said_so(
    changes: dict[str, Any], reason: str | None, rule_set: RuleSet
) -> None:
    made = entries((100_000, "LOAN"), (-60_000, "PROHIBITED"))
    found = tracing(paid_out(**changes), made, {}, LATER, rule_set.parameters)
    assert found.na_reason == reason
    assert (found.verdict == "NA") == (reason is not None)


def test_the_days_may_not_be_over(rule_set: RuleSet) -> None:
    made = entries((100_000, "LOAN"))
    for passed, complete in ((29, False), (30, True)):
        today = DAY + dt.timedelta(days=passed)
        assert tracing(paid_out(), made, {}, today, rule_set.parameters).complete is complete


def test_a_facility_is_as_grave_as_its_gravest_payment(rule_set: RuleSet) -> None:
    def one(tranche: int, out: int) -> Tracing:
        made = entries((100_000, "LOAN"), (-out, "CASH"))
        paid = paid_out(tranche_no=tranche)
        return tracing(paid, made, {}, LATER, rule_set.parameters)

    entrusted = tracing(
        paid_out(payment_mode="ENTRUSTED", tranche_no=3), [], {}, LATER, rule_set.parameters
    )
    worst = of_facilities([one(1, 5_000), one(2, 12_000), entrusted])
    assert worst["L1"].disbursement.tranche_no == 2


# --- the facts behind them ------------------------------------------------------------------------


def lent(amount: str, day: dt.date = DAY, **changes: Any) -> Fact:
    fields: dict[str, Any] = {
        "business_date": day, "facility_id": "L1", "client_id": "C1", "tranche_no": 1,
        "amount": amount, "currency": "CNY", "to_account_id": "A1",
    }  # fmt: skip
    return cr.CreditDisbursed(**(fields | changes))


def registered(client: str = "C1", **known: Any) -> Fact:
    return cl.ClientRegistered(
        business_date=DAY - dt.timedelta(days=400),
        client_id=client,
        client_type="INDIVIDUAL",
        **known,
    )


def out(number: int, amount: str, days: int = 1, **other: Any) -> Fact:
    """A debit; `other` are fields of the entry, or of who is on the other side."""
    party = {
        k: other.pop(k) for k in ("type", "name_hash", "account_hash", "bank_id") if k in other
    }
    fields = {"account_id": "A1", "credit_debit_indicator": "DBIT"} | other
    return posted(
        number,
        day=DAY + dt.timedelta(days=days),
        amount=amount,
        counterparty=ac.Counterparty(**party) if party else None,
        **fields,
    )


def balance(amount: str, days: int = -5, account: str = "A1") -> Fact:
    return ac.BalanceSnapshot(
        business_date=DAY + dt.timedelta(days=days),
        account_id=account,
        balance_type="CLBD",
        amount=amount,
        credit_debit_indicator="CRDT",
        currency="CNY",
    )


def arrived(amount: str) -> Fact:
    return posted(1, day=DAY, amount=amount, purpose="LOAN")


def traced(path: Path, rules: RuleSet, *facts: Fact, day: dt.date = LATER) -> list[Tracing]:
    lake = lake_of_one(
        path / "lake", registered(), opened(day=DAY - dt.timedelta(days=400)), *facts
    )
    with DuckDBEngine(lake) as engine:
        return proceeds(engine, Facts(engine, day, ZONE, frozenset()), rules.parameters)


LOAN = (lent("1000"), arrived("1000"))
KINDS = [
    ("securities", {"type": "SECURITIES"}, "PROHIBITED"),
    ("gambling", {"type": "GAMBLING"}, "PROHIBITED"),
    ("a wealth product", {"purpose": "INVS"}, "PROHIBITED"),
    ("a betting shop", {"mcc": "7995"}, "PROHIBITED"),
    ("a developer, of a loan for no home", {"type": "REAL_ESTATE"}, "PROHIBITED"),
    ("own account elsewhere", {"type": "OWN", "bank_id": "OTHER"}, "OWN_ELSEWHERE"),
    ("cash", {"is_cash": True}, "CASH"),
    ("the spouse, by name", {"name_hash": "SPOUSE"}, "RELATED"),
    ("the spouse, by account", {"account_hash": "A9"}, "RELATED"),
    ("an instalment", {"purpose": "LOAN"}, "REPAYMENT"),
    ("a shop", {"mcc": "5411"}, "OTHER"),
    ("a person", {"type": "PERSON", "name_hash": "ANYBODY"}, "OTHER"),
]


@pytest.mark.parametrize(("case", "other", "use"), KINDS)
def test_kinds_of_payees(
    case: str, other: dict[str, Any], use: str, tmp_path: Path, rule_set: RuleSet
) -> None:
    spouse = (
        registered("C2", name_hash="SPOUSE"),
        opened("A9", "C2"),
        cl.RelationLinked(
            business_date=DAY, client_id="C2", other_client_id="C1", relation="SPOUSE"
        ),
    )
    lake = lake_of(
        tmp_path / "lake",
        [outgoing(f, "C2", sequence=n) for n, f in enumerate(spouse, start=1)]
        + [
            outgoing(f, "C1", sequence=n)
            for n, f in enumerate((registered(), opened(), *LOAN, out(2, "400", **other)), start=1)
        ],
    )
    with DuckDBEngine(lake) as engine:
        facts = Facts(engine, LATER, ZONE, frozenset())
        (found,) = proceeds(engine, facts, rule_set.parameters)
    assert found.amounts == {use: Decimal(400)}, case


def test_a_changed_purpose_is_a_trigger_of_classification(
    tmp_path: Path, rule_set: RuleSet
) -> None:
    """30 % of 1,000 is reached with the second withdrawal, on the third day; repaying changes nothing."""
    lake = lake_of_one(
        tmp_path / "lake",
        registered(),
        opened(day=DAY - dt.timedelta(days=400)),
        *LOAN,
        out(2, "200", is_cash=True),
        out(3, "150", 2, is_cash=True),
        out(4, "100", 3, is_cash=True),
    )
    with DuckDBEngine(lake) as engine:
        facts = Facts(engine, LATER, ZONE, frozenset())
        (found,) = proceeds(engine, facts, rule_set.parameters)
        (row,) = engine.run(facilities(facts, rule_set.parameters)).to_pylist()
        moves = engine.run(timelines(facts, rule_set.parameters)).to_pylist()
    assert found.broken_by is not None
    third = DAY + dt.timedelta(days=2)
    assert (found.verdict, found.broken_by.on) == ("HIGH", third)
    assert (row["tier"], row["tier_trigger"]) == ("SPECIAL_MENTION", "PURPOSE_CHANGED")
    (move,) = [m for m in moves if m["trigger"] == "PURPOSE_CHANGED"]
    assert (move["day"], move["event_id"]) == (third, found.broken_by.event_id)


def test_a_mortgage_may_go_to_the_developer(tmp_path: Path, rule_set: RuleSet) -> None:
    loan = lent("1000", declared_purpose_code="MORTGAGE")
    (found,) = traced(tmp_path, rule_set, loan, LOAN[1], out(2, "900", type="REAL_ESTATE"))
    assert (found.verdict, found.amounts) == ("PASS", {"OTHER": Decimal(900)})


def test_the_payee_of_the_contract_is_no_diversion(tmp_path: Path, rule_set: RuleSet) -> None:
    link = cl.RelationLinked(
        business_date=DAY, client_id="C1", other_client_id="C2", relation="GROUP"
    )
    for payee, use in (("C2", "OTHER"), ("C3", "RELATED")):
        facts = (
            registered("C2", name_hash="DAUGHTER"),
            link,
            lent("1000", payee=payee),
            LOAN[1],
            out(2, "900", name_hash="DAUGHTER"),
        )
        (found,) = traced(tmp_path / payee, rule_set, *facts)
        assert found.amounts == {use: Decimal(900)}


def test_the_balance_before_counts_and_what_is_reversed_does_not(
    tmp_path: Path, rule_set: RuleSet
) -> None:
    undone = ac.TransactionReversed(
        business_date=DAY + dt.timedelta(days=2),
        account_id="A1",
        original_transaction_id="T3",
        reason="AM05",
        amount="500.00",
        currency="CNY",
    )
    back = posted(4, day=DAY + dt.timedelta(days=2), amount="500.00", reversal=True)
    (found,) = traced(
        tmp_path,
        rule_set,
        balance("40.00", -9),
        balance("30.00", -1),
        *LOAN,
        out(2, "130", is_cash=True),
        out(3, "500.00", type="GAMBLING"),
        undone,
        back,
    )
    assert found.amounts == {"CASH": Decimal(100)}
    assert (found.diverted_share, found.other_share) == (Decimal("0.1000"), Decimal("0.1300"))
    assert found.verdict == "WARN"


def test_money_is_followed_to_the_clients_other_account(tmp_path: Path, rule_set: RuleSet) -> None:
    there = posted(
        3,
        day=DAY + dt.timedelta(days=1),
        account_id="A2",
        amount="600",
        counterparty=ac.Counterparty(account_hash="A1", type="OWN"),
    )
    (found,) = traced(
        tmp_path,
        rule_set,
        opened("A2"),
        *LOAN,
        out(2, "600", account_hash="A2", type="OWN"),
        there,
        out(4, "250", 2, account_id="A2", type="SECURITIES"),
    )
    assert found.amounts == {"PROHIBITED": Decimal(250)}


def test_later_facts_change_nothing(tmp_path: Path, rule_set: RuleSet) -> None:
    known = (*LOAN, out(2, "200", 3, is_cash=True))
    later = (
        out(3, "700", 6, type="GAMBLING"),
        ac.TransactionReversed(
            business_date=DAY + dt.timedelta(days=7),
            account_id="A1",
            original_transaction_id="T2",
            reason="AM05",
            amount="200",
            currency="CNY",
        ),
        cr.CreditSettled(
            business_date=DAY + dt.timedelta(days=8), facility_id="L1", settled_date=DAY
        ),
    )
    day = DAY + dt.timedelta(days=5)
    before = traced(tmp_path / "before", rule_set, *known, day=day)
    assert before == traced(tmp_path / "after", rule_set, *known, *later, day=day)
    assert before[0].amounts == {"CASH": Decimal(200)}
    assert not traced(tmp_path / "settled", rule_set, *known, *later), "a settled loan is past"


def test_nothing_is_traced_where_nothing_was_lent(tmp_path: Path, rule_set: RuleSet) -> None:
    assert traced(tmp_path, rule_set, balance("5.00")) == []
