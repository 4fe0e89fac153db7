"""What a client looks like, from its facts; and stories told in facts, night by night, to a state."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import msgspec
import pytest

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake, event_schema
from lifecycle.alerts.rules import load_rules
from lifecycle.clients.facts import Facts
from lifecycle.clients.lifecycle import STATES, Observation, Standing, Transition, step
from lifecycle.clients.observation import KYC, observations, to_observation
from lifecycle.events import Event, Fact
from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import credit as cr
from lifecycle.events import interaction as it
from lifecycle.events import product as pr
from lifecycle.settings import ROOT
from tests.support import DAY, at, event

ZONE = ZoneInfo("Asia/Shanghai")
FIGURES = load_rules(ROOT / "rules").parameters


def ago(days: int) -> dt.date:
    return DAY - dt.timedelta(days=days)


class Client:
    """The facts of one client. Days are counted back from DAY."""

    def __init__(self, name: str, registered: int = 1_000, **fields: Any) -> None:
        self.name = name
        self.events: list[Event] = []
        common = {"client_type": "INDIVIDUAL", "client_id": name}
        self.add(registered, cl.ClientRegistered, **(common | fields))

    def add(self, days: int, kind: type[Fact], **fields: Any) -> Client:
        if "client_id" in kind.__struct_fields__:
            fields.setdefault("client_id", self.name)
        if "currency" in kind.__struct_fields__:
            fields.setdefault("currency", "CNY")
        fact = kind(business_date=ago(days), **fields)
        number = len(self.events)
        self.events.append(event(fact, self.name, number, at(ago(days), 1, number % 60)))
        return self

    def account(self, days: int, name: str = "A", kind: Any = "CACC") -> Client:
        party = ac.Party(client_id=self.name, role="OWNER")
        return self.add(
            days,
            ac.AccountOpened,
            account_id=self.name + name,
            account_type=kind,
            opened_date=ago(days),
            parties=(party,),
        )

    def closes(self, days: int, name: str = "A", balance: str = "0") -> Client:
        return self.add(
            days,
            ac.AccountClosed,
            account_id=self.name + name,
            closed_date=ago(days),
            reason="CUSTOMER",
            final_balance=balance,
        )

    def entry(self, days: int, amount: str = "10", side: Any = "DBIT", **fields: Any) -> Client:
        common = {
            "account_id": self.name + "A",
            "transaction_id": f"{self.name}-{len(self.events)}",
            "amount": amount,
            "credit_debit_indicator": side,
            "booking_datetime": at(ago(days)),
        }
        return self.add(days, ac.TransactionPosted, **(common | fields))

    def entries(self, days: Iterable[int], **fields: Any) -> Client:
        for day in days:
            self.entry(day, **fields)
        return self

    def closing(self, days: int, amount: str, name: str = "A", **fields: Any) -> Client:
        common = {"balance_type": "CLBD", "amount": amount, "credit_debit_indicator": "CRDT"}
        return self.add(days, ac.BalanceSnapshot, account_id=self.name + name, **(common | fields))

    def kyc(self, days: int) -> Client:
        return self.add(
            days,
            cl.KycUpdated,
            kyc_level="FULL",
            reviewed_at=at(ago(days)),
            next_review_date=ago(days - 365),
            pep=False,
            sanctions_hit=False,
        )

    def complaint(self, days: int, severity: str = "HIGH", name: str = "K") -> Client:
        return self.add(
            days,
            it.ComplaintRaised,
            complaint_id=self.name + name,
            category="FEES",
            severity=severity,
            due_at=ago(days),
        )

    def answered(self, days: int, name: str = "K") -> Client:
        return self.add(
            days, it.ComplaintResolved, complaint_id=self.name + name, outcome="EXPLAINED"
        )

    def met(self, days: int) -> Client:
        number = f"{self.name}-{len(self.events)}"
        return self.add(days, it.InteractionLogged, interaction_id=number, type="CALL")

    def borrows(self, days: int) -> Client:
        return self.add(
            days, cr.CreditDisbursed, facility_id=self.name + "L", tranche_no=1, amount="9"
        )

    def settles(self, days: int) -> Client:
        return self.add(days, cr.CreditSettled, facility_id=self.name + "L", settled_date=ago(days))

    def buys(self, days: int) -> Client:
        return self.add(
            days,
            pr.ProductSold,
            sale_id=self.name + "S",
            product_id="F1",
            product_risk="R1",
            amount="9",
            disclosure_ack_id="D",
            suitability_check_id="S",
            initiated_by="CLIENT",
        )

    def redeems(self, days: int, complete: bool) -> Client:
        return self.add(
            days,
            pr.ProductRedeemed,
            sale_id=self.name + "S",
            redemption_id=f"{self.name}-{len(self.events)}",
            amount="4",
            complete=complete,
        )

    def matures(self, days: int) -> Client:
        return self.add(
            days, pr.ProductMatured, sale_id=self.name + "S", matured_date=ago(days), amount="9"
        )


def sealed(path: Path, clients: Iterable[Client]) -> Lake:
    lake = Lake(path)
    events = [one for client in clients for one in client.events]
    lake.append(list(enumerate(events)), 1, 1)
    return lake


def observed(lake: Lake, on: dt.date, held: frozenset[int] = frozenset()) -> dict[str, Observation]:
    with DuckDBEngine(lake) as engine:
        table = engine.run(observations(Facts(engine, on, ZONE, held), FIGURES))
    return {row["client_id"]: to_observation(row) for row in table.to_pylist()}


# --- columns ----------------------------------------------------------------------------------------

SALARY: dict[str, Any] = {"side": "CRDT", "purpose": "SALA", "initiator": "THIRD_PARTY"}
OTHER_BANK = ac.Counterparty(bank_id="B2")

CASES: dict[str, tuple[Callable[[Client], Any], dict[str, Any]]] = {
    "nothing but a name": (
        lambda c: c,
        {
            "client_type": "INDIVIDUAL",
            "registered": ago(1_000),
            "first_opened": None,
            "open_accounts": 0,
            "live_credit": False,
            "product_held": False,
            "kyc_complete": False,
            "cit_60d": 0,
            "cit_90d": 0,
            "last_cit": None,
            "aum": None,
            "aum_30d": None,
            "salaries_missed": 0,
            "transfer_out_share": None,
            "churn_pd": None,
        },
    ),
    "two accounts, one closed": (
        lambda c: c.account(900).account(300, "B").closes(100),
        {"first_opened": ago(900), "last_opened": ago(300), "open_accounts": 1},
    ),
    "an account that closes tomorrow": (
        lambda c: c.account(9).add(
            0,
            ac.AccountClosed,
            account_id=c.name + "A",
            closed_date=ago(-1),
            reason="CUSTOMER",
            final_balance="0",
        ),
        {"open_accounts": 1},
    ),
    "KYC": (lambda c: c.kyc(9), {"kyc_complete": True}),
    "died": (lambda c: c.add(3, cl.ClientDeceased, deceased_date=ago(5)), {"ended": ago(5)}),
    "dissolved": (
        lambda c: c.add(3, cl.ClientDissolved, dissolved_date=ago(4), reason="LIQUIDATION"),
        {"ended": ago(4)},
    ),
    "will be dissolved": (
        lambda c: c.add(3, cl.ClientDissolved, dissolved_date=ago(-4), reason="MERGER"),
        {"ended": None},
    ),
    "windows of CIT": (
        lambda c: c.account(900).entries([0, 59, 60, 89, 90]),
        {"cit_60d": 2, "cit_90d": 4, "last_cit": DAY},
    ),
    "what is no CIT": (
        lambda c: (
            c
            .account(900)
            .entry(1, initiator="BANK")
            .entry(2, initiator="THIRD_PARTY")
            .entry(3, status="PDNG")
            .entry(4, reversal=True)
            .entry(5, transaction_id=c.name + "U")
            .add(
                4,
                ac.TransactionReversed,
                account_id=c.name + "A",
                original_transaction_id=c.name + "U",
                reason="AC04",
                amount="10",
            )
            .entry(6)
        ),
        {"cit_60d": 1, "last_cit": ago(6), "first_funded": None},
    ),
    "who comes back is not measured by what was there before": (
        lambda c: (
            c
            .account(400)
            .closing(400, "900")
            .entries([190, 160, 130, 101], amount="50", **SALARY)
            .closes(100)
            .account(40, "B")
            .closing(40, "300", "B")
        ),
        {
            "first_opened": ago(400),
            "aum_30d": Decimal("300.00"),
            "aum_180d": Decimal("300.00"),
            "aum_prev90d": None,
            "aum_peak_12m": Decimal("300.00"),
            "salaries_missed": 1,
        },
    ),
    "an account that follows on another without a break": (
        lambda c: c.account(400).closing(400, "900").closes(40).account(40, "B").closing(40, "300", "B"),
        {"aum_180d": Decimal("763.33"), "aum_peak_12m": Decimal("900.00")},
    ),
    "first funding": (
        lambda c: (
            c
            .account(900)
            .entry(80, side="CRDT", initiator="BANK")
            .entry(70, side="CRDT", initiator="THIRD_PARTY")
            .entry(60, side="CRDT")
        ),
        {"first_funded": ago(70)},
    ),
    "a balance is carried over days without entries": (
        lambda c: c.account(300).closing(300, "1000").closing(15, "2000"),
        {
            "aum": Decimal("2000.00"),
            "aum_30d": Decimal("1533.33"),  # 14 days of 1000, 16 of 2000
            "aum_90d": Decimal("1177.78"),
            "aum_prev90d": Decimal("1000.00"),
            "aum_180d": Decimal("1088.89"),
            "aum_peak_12m": Decimal("2000.00"),
            "aum_former_12m": Decimal("1000.00"),
        },
    ),
    "a mean begins with the account": (
        lambda c: c.account(9).closing(4, "1000"),
        {"aum_30d": Decimal("500.00"), "aum_180d": Decimal("500.00"), "aum_prev90d": None},
    ),
    "accounts add up": (
        lambda c: (
            c
            .account(400)
            .account(400, "B", "SVGS")
            .closing(400, "100")
            .closing(40, "300", "B")
            .closing(20, "0")
        ),
        {"aum": Decimal("300.00"), "aum_peak_12m": Decimal("400.00")},
    ),
    "an overdraft is no deposit": (
        lambda c: c.account(400).closing(400, "100").closing(2, "70", credit_debit_indicator="DBIT"),
        {"aum": Decimal("0.00"), "aum_peak_12m": Decimal("100.00")},
    ),
    "nor is a loan account or a balance of the day": (
        lambda c: (
            c
            .account(400)
            .account(400, "B", "LOAN")
            .closing(9, "100", "B")
            .closing(9, "50", balance_type="ITBD")
        ),
        {"aum": Decimal("0.00")},
    ),
    "a closed account is not carried": (
        lambda c: c.account(400).closing(400, "100").closing(10, "70").closes(10),
        {"aum": Decimal("0.00"), "aum_30d": Decimal("63.33")},
    ),
    "a peak of more than a year ago": (
        lambda c: c.account(800).closing(800, "900").closing(365, "20"),
        {"aum_peak_12m": Decimal("20.00"), "aum_former_12m": Decimal("451.56")},
    ),
    "a peak that lasted into the year": (
        lambda c: c.account(800).closing(800, "900").closing(363, "20"),
        {"aum_peak_12m": Decimal("900.00")},
    ),
    "money that moved to another bank": (
        lambda c: (
            c
            .account(400)
            .closing(400, "800")
            .closing(29, "100")
            .entry(29, "500", counterparty=OTHER_BANK)
            .entry(5, "200", counterparty=ac.Counterparty(type="OWN"))
            .entry(30, "77", counterparty=OTHER_BANK)
            .entry(5, "77", counterparty=ac.Counterparty(type="PERSON"))
            .entry(5, "77", counterparty=OTHER_BANK, initiator="THIRD_PARTY")
            .entry(5, "77", "CRDT", counterparty=OTHER_BANK)
        ),
        {"transfer_out_share": Decimal("0.8750")},
    ),
    "money moved out of nothing": (
        lambda c: c.account(10).entry(5, "500", counterparty=OTHER_BANK),
        {"transfer_out_share": None},
    ),
    "more than any share": (
        lambda c: (
            c
            .account(400)
            .closing(400, "0.01")
            .entry(5, "9999999999999", counterparty=OTHER_BANK)
        ),
        {"transfer_out_share": Decimal(1_000_000)},
    ),
    "a salary that is awaited": (
        lambda c: c.account(400).entries([155, 125, 95, 65, 35], **SALARY),
        {"salaries_missed": 1, "cit_60d": 0},
    ),
    "a salary within its days of grace": (
        lambda c: c.account(400).entries([154, 124, 94, 64, 34], **SALARY),
        {"salaries_missed": 0},
    ),
    "two salaries missed": (
        lambda c: c.account(400).entries([155, 125, 95, 65], **SALARY),
        {"salaries_missed": 2},
    ),
    "no habit yet": (
        lambda c: c.account(400).entries([155, 125], **SALARY),
        {"salaries_missed": 0},
    ),
    "other money is no salary": (
        lambda c: c.account(400).entries([155, 125, 95], **(SALARY | {"purpose": "RENT"})),
        {"salaries_missed": 0},
    ),
    "complaints": (
        lambda c: (
            c
            .complaint(50)
            .answered(40)
            .complaint(30, name="K2")
            .complaint(20, name="K3")
            .complaint(60, "MEDIUM", "K4")
        ),
        {"complaint_open_since": ago(30)},
    ),
    "a live credit": (
        lambda c: c.account(900).borrows(30),
        {"live_credit": True, "newest_category": ago(30)},
    ),
    "a settled credit": (lambda c: c.account(900).borrows(30).settles(2), {"live_credit": False}),
    "a product": (
        lambda c: c.account(900).buys(30).redeems(20, complete=False),
        {"product_held": True, "newest_category": ago(30)},
    ),
    "a product redeemed": (lambda c: c.buys(30).redeems(2, complete=True), {"product_held": False}),
    "a product at its end": (lambda c: c.buys(30).matures(2), {"product_held": False}),
    "the second account of a type is nothing new": (
        lambda c: c.account(900).account(40, "B").account(50, "C", "SVGS"),
        {"newest_category": ago(50)},
    ),
    "a card": (
        lambda c: c.account(900).add(
            8,
            ac.CardIssued,
            card_id=c.name,
            account_id=c.name + "A",
            card_product="GOLD",
            issued_date=ago(8),
        ),
        {"newest_category": ago(8)},
    ),
    "contacts": (lambda c: c.met(90).met(7), {"last_interaction": ago(7)}),
    "tomorrow is not known": (
        lambda c: c.account(900).entry(-1).complaint(-1).closing(-1, "9"),
        {"cit_60d": 0, "complaint_open_since": None, "aum": Decimal("0.00")},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observation]:
    """Case -> its client as it is seen on DAY; all are clients of one bank."""
    clients = [Client(f"C{number}") for number in range(len(CASES))]
    for client, (live, _) in zip(clients, CASES.values(), strict=True):
        live(client)
    found = observed(sealed(tmp_path_factory.mktemp("lake"), clients), DAY)
    return {case: found[client.name] for case, client in zip(CASES, clients, strict=True)}


@pytest.mark.parametrize("case", CASES)
def test_columns(cases: dict[str, Observation], case: str) -> None:
    seen = msgspec.structs.asdict(cases[case])
    expected = CASES[case][1]
    assert {name: seen[name] for name in expected} == expected


def test_every_registered_client_has_one_row(tmp_path: Path) -> None:
    twice = Client("C1", 50).add(10, cl.ClientRegistered, client_id="C1", client_type="CORPORATE")
    stranger = Client("C2").account(9)
    stranger.events = stranger.events[1:]
    found = observed(sealed(tmp_path, [twice, stranger]), DAY)
    assert found.keys() == {"C1"}
    assert found["C1"].client_type == "CORPORATE"


def test_a_fact_that_the_gate_held_is_not_seen(tmp_path: Path) -> None:
    lake = sealed(tmp_path, [Client("C1").account(9).entry(3).entry(2)])
    assert observed(lake, DAY)["C1"].cit_60d == 2
    assert observed(lake, DAY, frozenset({3}))["C1"].last_cit == ago(3)


def test_a_feed_without_kyc_says_nothing_against_a_client(tmp_path: Path) -> None:
    assert observed(sealed(tmp_path, [Client("C1")]), DAY)["C1"].kyc_complete


def test_deposits_are_those_of_counting_every_day(tmp_path: Path) -> None:
    """Random accounts, against the plain sum over days."""
    chance = random.Random(7)
    clients, days = [], {}
    for number in range(25):
        client = Client(f"C{number}")
        held: list[tuple[int, int, list[int]]] = []
        for account in "ABC"[: chance.randint(1, 3)]:
            opened = chance.randrange(1, 699)
            client.account(opened, account)
            changes = sorted(chance.sample(range(opened), min(opened, 6)), reverse=True)
            balances = {day: chance.randrange(-500, 1_000) for day in changes}
            closed = min(changes) if chance.random() < 0.3 else None
            for day, balance in balances.items():
                side = "CRDT" if balance >= 0 else "DBIT"
                client.closing(day, str(abs(balance)), account, credit_debit_indicator=side)
            if closed is not None:
                client.closes(closed, account)
                balances[closed] = 0
            balance, totals = 0, [0] * 700
            for day in range(opened, -1, -1):
                balance = balances.get(day, balance)
                totals[day] = max(balance, 0)
            held.append((opened, -1 if closed is None else closed, totals))
        clients.append(client)
        # A day on which nothing had been open before, so that what came earlier does not count.
        began = min(
            opened
            for opened, _, _ in held
            if all(closed > opened for before, closed, _ in held if before > opened)
        )
        counted = [totals for opened, _, totals in held if opened <= began]
        days[client.name] = [sum(each) for each in zip(*counted, strict=True)][: began + 1]
    found = observed(sealed(tmp_path, clients), DAY)
    for name, totals in days.items():
        seen = found[name]
        for column, (first, last) in {
            "aum_30d": (0, 30),
            "aum_90d": (0, 90),
            "aum_prev90d": (90, 180),
            "aum_180d": (0, 180),
            "aum_former_12m": (180, 545),
        }.items():
            window = totals[first:last]
            mean = sum(window) / len(window) if window else None
            value = getattr(seen, column)
            assert (value is None) == (mean is None), (name, column)
            assert value is None or abs(float(value) - mean) < 0.006, (name, column)
        assert seen.aum == totals[0]
        assert seen.aum_peak_12m == max(totals[:365])


def test_the_columns_are_those_of_an_observation_and_other_engines_take_the_expression() -> None:
    class Unbound:
        def table(self, name: str) -> Any:
            return ibis.table(ibis.Schema.from_pyarrow(event_schema(name)), name.replace(".", "_"))

    table = observations(Facts(Unbound(), DAY, ZONE, frozenset()), FIGURES)  # type: ignore[arg-type]
    assert table.columns == ("client_id", *Observation.__struct_fields__)
    # The dialect of Spark that Ibis compiles to without a running Spark.
    assert KYC.replace(".", "_") in ibis.to_sql(table, dialect="databricks")


# --- stories ----------------------------------------------------------------------------------------

NIGHTS = (300, 299, 200, 199, 61, 60, 30, 29, *range(18, -1, -1))
"""Days before DAY: pairs of nights in a row, with 31 December and 31 January among them, then 19."""


def customer(client: Client, until: int = 0) -> Client:
    """Years with the bank, an account with 5,000, something done every 20 days."""
    client.account(900).kyc(890).entry(890, side="CRDT").closing(890, "5000")
    return client.entries(range(880, until - 1, -20))


STORIES: dict[str, tuple[Callable[[Client], Any], list[str]]] = {
    "one who only asked": (
        lambda c: c.add(10, cl.ProfileDeclared, client_id=c.name),
        ["PROSPECT"],
    ),
    "one who was forgotten, and called": (
        lambda c: c.met(16),
        ["PROSPECT", "PROSPECT_LAPSED", "PROSPECT"],
    ),
    "one who begins well": (
        lambda c: c.account(16).kyc(15).entry(15, side="CRDT").entries([14, 13, 12]),
        ["PROSPECT", "ONBOARDING", "ACTIVE"],
    ),
    "one who begins and stops": (
        lambda c: c.account(100).kyc(99).entry(98, side="CRDT"),
        ["PROSPECT", "ONBOARDING", "DORMANT"],
    ),
    "a loyal one": (customer, ["ACTIVE"]),
    "one who complains": (
        lambda c: customer(c).complaint(220).answered(150),
        ["ACTIVE", "AT_RISK", "ACTIVE"],
    ),
    "one who brings more": (
        lambda c: customer(c).closing(150, "50000"),
        ["ACTIVE", "GROWING"],
    ),
    "one who goes without a word, and comes back": (
        lambda c: customer(c, until=290).closing(290, "0").closing(18, "4000").entries([18, 17, 16]),
        ["ACTIVE", "AT_RISK", "CHURNED", "WON_BACK"],
    ),
    "one who sleeps long, and wakes": (
        lambda c: customer(c, until=570).entries([61, 18, 17, 16]),
        ["ACTIVE", "DORMANT", "REACTIVATING", "WON_BACK"],
    ),
    "one who sleeps shortly, and wakes": (
        lambda c: customer(c, until=430).entries([30, 18, 17]),
        ["ACTIVE", "DORMANT", "REACTIVATING", "ACTIVE"],
    ),
    "one who leaves, and opens anew": (
        lambda c: customer(c, until=200).closing(200, "0").closes(200).account(18, "B"),
        ["ACTIVE", "CLOSED", "WON_BACK"],
    ),
    "one who leaves but owes": (
        lambda c: customer(c).borrows(500).closes(20),
        ["ACTIVE", "AT_RISK"],
    ),
    "one who dies": (
        lambda c: customer(c, until=30).add(30, cl.ClientDeceased, deceased_date=ago(31)),
        ["ACTIVE", "DECEASED"],
    ),
}  # fmt: skip
REGISTERED = {
    "one who only asked": 10,
    "one who was forgotten, and called": 310,
    "one who begins well": 18,
    "one who begins and stops": 210,
}


class Lived(msgspec.Struct):
    """A story as the machine tells it."""

    standing: Standing | None = None
    moves: list[Transition] = []


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lived]:
    """Story -> what the machine made of it, all nights in order; each night is run twice."""
    clients = {
        story: Client(f"C{number}", REGISTERED.get(story, 1_000))
        for number, story in enumerate(STORIES)
    }
    for story, (live, _) in STORIES.items():
        live(clients[story])
    lake = sealed(tmp_path_factory.mktemp("lake"), clients.values())
    lived = {story: Lived() for story in STORIES}
    for night in NIGHTS:
        seen = observed(lake, ago(night))
        for story, client in clients.items():
            if client.name in seen:
                told = lived[story]
                told.standing, move = step(told.standing, seen[client.name], ago(night), FIGURES)
                told.moves += [move] if move else []
                assert (told.standing, move) == step(
                    told.standing, seen[client.name], ago(night), FIGURES
                )
    return lived


@pytest.mark.parametrize("story", STORIES)
def test_a_story_in_facts_goes_through_its_states(lives: dict[str, Lived], story: str) -> None:
    assert [move.to_state for move in lives[story].moves] == STORIES[story][1]


def test_the_stories_tell_of_every_state(lives: dict[str, Lived]) -> None:
    told: Sequence[str] = [move.to_state for lived in lives.values() for move in lived.moves]
    assert set(told) == set(STATES)


def test_a_story_says_what_decided(lives: dict[str, Lived]) -> None:
    won_back = lives["one who goes without a word, and comes back"].moves[-1]
    assert (won_back.rule_id, won_back.on) == ("LC-13", ago(15))
    assert won_back.evidence == {"cit_60d": "3", "aum": "4000.00", "former_aum": "4301.37"}
    begun = lives["one who begins and stops"].standing
    assert begun is not None
    assert begun.flags == ("FAILED_ONBOARDING",)
