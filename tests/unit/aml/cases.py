"""Hand-worked cases of every typology: just inside, just outside, at the edges of a window, with
reversed entries, entries of the bank and own transfers.

As of 31 March 2026. A client's name is the case; `hits` are the days on which it must have one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

from lifecycle.events import client as clients
from lifecycle.events import credit as credits
from lifecycle.events import product as products
from tests.unit.attributes.bank import Bank, Client, at, day


class Case(NamedTuple):
    """What one typology must say of one client."""

    code: str
    client: str
    days: tuple[str, ...]
    sources: tuple[str, ...] | None = None
    figures: dict[str, str] | None = None


class Cases:
    """A bank, and what is expected of it."""

    def __init__(self) -> None:
        self.bank = Bank()
        self.expected: list[Case] = []

    def person(self, name: str, **known: object) -> Client:
        return self.bank.person(name, **known)

    def company(self, name: str, **known: object) -> Client:
        return self.bank.company(name, **known)

    def hit(self, code: str, client: Client, *days: str, sources=None, **figures: str) -> None:
        self.expected.append(Case(code, client.name, days, sources, figures or None))

    def none(self, code: str, client: Client) -> None:
        self.expected.append(Case(code, client.name, ()))


def cash(client: Client, on: str, amount: str, side: str = "credit", **fields: object) -> str:
    return getattr(client, side)(on, amount, is_cash=True, **fields)


# --- M01 ------------------------------------------------------------------------------------------


def structuring(c: Cases) -> None:
    one = c.person("m01-three", account="2026-01-01")
    ids = [cash(one, f"2026-03-0{n}", "40000") for n in (1, 3, 5)]
    c.hit("M01", one, "2026-03-05", sources=tuple(ids), entries="3.00", total="120000.00")

    lowest = c.person("m01-lowest")  # 60 % of 50,000 counts
    for n in (1, 2, 3):
        cash(lowest, f"2026-03-0{n}", "30000")
    c.hit("M01", lowest, "2026-03-03", entries="3.00", total="90000.00")

    below = c.person("m01-below")
    for n, amount in enumerate(("29999.99", "40000", "40000"), start=1):
        cash(below, f"2026-03-0{n}", amount)
    c.none("M01", below)

    reported = c.person("m01-reported")  # what reaches 50,000 is reported anyway
    for n, amount in enumerate(("50000", "49999.99", "40000"), start=1):
        cash(reported, f"2026-03-0{n}", amount)
    c.none("M01", reported)

    inside = c.person("m01-window-inside")
    for on in ("2026-03-01T04:00", "2026-03-04T04:00", "2026-03-08T03:59:59.999999"):
        cash(inside, on[:10], "40000", time=at(on))
    c.hit("M01", inside, "2026-03-08")

    outside = c.person("m01-window-outside")
    for on in ("2026-03-01T04:00", "2026-03-04T04:00", "2026-03-08T04:00"):
        cash(outside, on[:10], "40000", time=at(on))
    c.none("M01", outside)

    over_weeks = c.person("m01-over-weeks")  # no calendar week holds three, a sliding one does
    for on in ("2026-03-06", "2026-03-08", "2026-03-09"):
        cash(over_weeks, on, "45000")
    c.hit("M01", over_weeks, "2026-03-09")

    both = c.person("m01-both-sides")
    for on, side in (("2026-03-01", "credit"), ("2026-03-02", "debit"), ("2026-03-03", "credit")):
        cash(both, on, "45000", side)
    c.none("M01", both)

    out = c.person("m01-withdrawals")
    for n in (1, 2, 3):
        cash(out, f"2026-03-0{n}", "45000", "debit")
    c.hit("M01", out, "2026-03-03")

    reversed_ = c.person("m01-reversed")
    for n in (1, 2, 3):
        cash(reversed_, f"2026-03-0{n}", "40000", number=f"T{n}")
    reversed_.reverse("2026-03-04", "T2", "40000")
    c.none("M01", reversed_)

    banks = c.person("m01-by-the-bank")
    for n, who in enumerate(("CUSTOMER", "BANK", "CUSTOMER"), start=1):
        cash(banks, f"2026-03-0{n}", "40000", initiator=who)
    c.none("M01", banks)

    pending = c.person("m01-pending")
    for n, status in enumerate(("BOOK", "PDNG", "BOOK"), start=1):
        cash(pending, f"2026-03-0{n}", "40000", status=status)
    c.none("M01", pending)

    dollars = c.person("m01-dollars")  # 7.2 yuan each: 43,200
    for n in (1, 2, 3):
        cash(dollars, f"2026-03-0{n}", "6000", currency="USD")
    c.hit("M01", dollars, "2026-03-03", entries="3.00", total="129600.00")

    five = c.person("m01-five")  # every day that has a window of three
    for n in range(1, 6):
        cash(five, f"2026-03-0{n}", "31000")
    c.hit("M01", five, "2026-03-03", "2026-03-04", "2026-03-05")


# --- M02 ------------------------------------------------------------------------------------------


def rapid_in_out(c: Cases) -> None:
    def case(
        name: str, inflow: str, out: str, left: str, hours: str, hit: bool = True, **fields: object
    ) -> None:
        client = c.person(f"m02-{name}")
        began = at("2026-03-02T01:00")
        first = client.credit("2026-03-02", inflow, time=began, balance_after=inflow, partner="X")
        later = began + dt.timedelta(hours=float(hours))
        second = client.debit(
            (later + dt.timedelta(hours=8)).date().isoformat(),
            out,
            time=later,
            balance_after=left,
            partner="Y",
            **fields,
        )
        if hit:
            on = (later + dt.timedelta(hours=8)).date().isoformat()
            c.hit("M02", client, on, sources=(first, second))
        else:
            c.none("M02", client)

    case("at-once", "100000", "95000", "5000", "3")
    case("four-fifths", "100000", "80000", "9999.99", "3")
    case("less-out", "100000", "79999.99", "5000", "3", hit=False)
    case("tenth-left", "100000", "90000", "10000", "3", hit=False)
    case("small", "99999.99", "95000", "0", "3", hit=False)
    case("last-moment", "100000", "95000", "5000", "48")
    case("too-late", "100000", "95000", "5000", "48.001", hit=False)
    case("fee", "100000", "95000", "5000", "3", hit=False, initiator="BANK")

    in_parts = c.person("m02-in-parts")
    ids = [in_parts.credit("2026-03-02", "200000", time=at("2026-03-02T01:00"), partner="X")]
    for n, left in ((2, "140000"), (3, "80000"), (4, "15000")):
        ids.append(
            in_parts.debit(
                "2026-03-02",
                "60000" if n < 4 else "65000",
                time=at(f"2026-03-02T0{n}:00"),
                balance_after=left,
                partner="Y",
            )
        )
    c.hit(
        "M02",
        in_parts,
        "2026-03-02",
        sources=tuple(ids),
        inflow="200000.00",
        outflow="185000.00",
        balance="15000.00",
    )

    closing = c.person("m02-closing-balance")  # a source that tells no balance after an entry
    closing.credit("2026-03-02", "100000", time=at("2026-03-02T01:00"), partner="X")
    closing.debit("2026-03-03", "95000", time=at("2026-03-03T01:00"), partner="Y")
    closing.balance("2026-03-03", "5000")
    c.hit("M02", closing, "2026-03-03")

    unknown = c.person("m02-no-balance")
    unknown.credit("2026-03-02", "100000", time=at("2026-03-02T01:00"), partner="X")
    unknown.debit("2026-03-02", "95000", time=at("2026-03-02T02:00"), partner="Y")
    c.none("M02", unknown)

    own = c.person("m02-own-transfer")
    own.open("A2", "2024-01-01", "SVGS")
    own.credit("2026-03-02", "100000", time=at("2026-03-02T01:00"), balance_after="100000")
    own.debit(
        "2026-03-02", "95000", time=at("2026-03-02T02:00"), balance_after="5000", partner_type="OWN"
    )
    c.none("M02", own)

    undone = c.person("m02-reversed")
    undone.credit("2026-03-02", "100000", time=at("2026-03-02T01:00"), balance_after="100000")
    undone.debit(
        "2026-03-02", "95000", time=at("2026-03-02T02:00"), balance_after="5000", number="T9"
    )
    undone.reverse("2026-03-03", "T9", "95000")
    c.none("M02", undone)


# --- M03 ------------------------------------------------------------------------------------------


def funnel(c: Cases) -> None:
    def case(
        name: str,
        payers: int,
        payees: int,
        amount: str = "20000",
        hit: bool = True,
        scatter: bool = False,
        spread: dt.timedelta = dt.timedelta(0),
        **fields: object,
    ) -> None:
        client = c.person(f"m03-{name}")
        many, few = ("debit", "credit") if scatter else ("credit", "debit")
        start = at("2026-03-02T02:00")
        for n in range(payers):
            getattr(client, many)(
                "2026-03-02",
                amount,
                time=start + dt.timedelta(minutes=n),
                partner=f"P{n}",
                **fields,
            )
        for n in range(payees):
            end = start + dt.timedelta(minutes=payers + n) + spread
            getattr(client, few)(
                (end + dt.timedelta(hours=8)).date().isoformat(), "90000", time=end, partner=f"Q{n}"
            )
            last = end
        if hit:
            c.hit("M03", client, (last + dt.timedelta(hours=8)).date().isoformat())
        else:
            c.none("M03", client)

    case("ten-in-one-out", 10, 1)
    case("ten-in-two-out", 10, 2)
    case("nine-in", 9, 1, "30000", hit=False)
    case("little", 10, 1, "19999.99", hit=False)
    case("scatter", 10, 1, scatter=True)
    case("payroll", 10, 1, hit=False, scatter=True, purpose="SALA")
    case("week", 10, 1, spread=dt.timedelta(days=7) - dt.timedelta(minutes=10, seconds=1))
    case("longer", 10, 1, spread=dt.timedelta(days=7), hit=False)

    three_out = c.person("m03-three-out-first")
    for n in range(3):
        three_out.debit("2026-03-01", "100", partner=f"Q{n}")
    for n in range(10):
        three_out.credit("2026-03-02", "20000", partner=f"P{n}")
    c.none("M03", three_out)

    same = c.person("m03-same-payer")
    for _ in range(10):
        same.credit("2026-03-02", "20000", partner="P")
    same.debit("2026-03-02", "90000", partner="Q")
    c.none("M03", same)

    only_in = c.person("m03-only-in")
    for n in range(12):
        only_in.credit("2026-03-02", "20000", partner=f"P{n}")
    c.none("M03", only_in)

    undone = c.person("m03-reversed")
    for n in range(10):
        undone.credit("2026-03-02", "20000", partner=f"P{n}", number=f"T{n}")
    undone.debit("2026-03-02", "90000", partner="Q")
    undone.reverse("2026-03-03", "T3", "20000")
    c.none("M03", undone)


# --- M04 ------------------------------------------------------------------------------------------


def dormant(c: Cases) -> None:
    def case(name: str, last: str, woken: str, amount: str, hit: bool = True) -> None:
        client = c.person(f"m04-{name}")
        client.debit("2025-02-01", "10", time=at(last))
        client.credit("2026-03-02", amount, time=at(woken), partner="X")
        c.hit("M04", client, "2026-03-02") if hit else c.none("M04", client)

    case("a-year", "2025-03-02T02:00", "2026-03-02T02:00", "50000")
    case("nearly-a-year", "2025-03-02T02:00:01", "2026-03-02T02:00", "50000", hit=False)
    case("little", "2025-02-01T02:00", "2026-03-02T02:00", "49999.99", hit=False)

    in_parts = c.person("m04-in-parts")
    in_parts.debit("2025-02-01", "10")
    ids = [
        in_parts.credit(
            "2026-03-02", "30000", time=at("2026-03-02T02:00"), initiator="THIRD_PARTY"
        ),
        in_parts.credit("2026-03-05", "20000", time=at("2026-03-05T01:59:59.999999")),
    ]
    c.hit("M04", in_parts, "2026-03-05", sources=tuple(ids), days_asleep="393.00", total="50000.00")

    too_slow = c.person("m04-too-slow")
    too_slow.debit("2025-02-01", "10")
    too_slow.credit("2026-03-02", "30000", time=at("2026-03-02T02:00"))
    too_slow.credit("2026-03-05", "20000", time=at("2026-03-05T02:00"))
    c.none("M04", too_slow)

    both_sides = c.person("m04-both-sides")  # what came in went out again: 30,000 moved, not 60,000
    both_sides.debit("2025-02-01", "10")
    both_sides.credit("2026-03-02", "30000")
    both_sides.debit("2026-03-02", "30000")
    c.none("M04", both_sides)

    fees = c.person("m04-fees")  # the bank's own entries do not wake an account
    fees.debit("2025-02-01", "10")
    fees.debit("2025-12-31", "5", initiator="BANK")
    fees.credit("2026-03-02", "50000")
    c.hit("M04", fees, "2026-03-02")

    third = c.person("m04-third-party")  # nor does what others pay in
    third.debit("2025-02-01", "10")
    third.credit("2025-12-31", "5", initiator="THIRD_PARTY", partner="X")
    third.credit("2026-03-02", "50000")
    c.hit("M04", third, "2026-03-02")

    never = c.person("m04-never-used", account="2025-03-02")
    never.credit("2026-03-02", "50000")
    c.hit("M04", never, "2026-03-02")

    young = c.person("m04-young", account="2025-03-03")
    young.credit("2026-03-02", "50000")
    c.none("M04", young)


# --- M07 ------------------------------------------------------------------------------------------


def beyond_the_profile(c: Cases) -> None:
    def case(name: str, *entries: tuple[str, str, str], hit: str | None, **fields: object) -> None:
        client = c.person(f"m07-{name}")
        client.add(clients.ProfileDeclared, "2024-01-02", declared_income_monthly="10000")
        for on, amount, purpose in entries:
            client.credit(on, amount, purpose=purpose or None, **fields)
        c.hit("M07", client, hit) if hit else c.none("M07", client)

    case("more", ("2026-03-02", "50000.01", ""), hit="2026-03-02")
    case("five-times", ("2026-03-02", "50000", ""), hit=None)
    case("month", ("2026-03-01", "30000", ""), ("2026-03-30", "20001", ""), hit="2026-03-30")
    case("longer", ("2026-02-28", "30000", ""), ("2026-03-31", "20001", ""), hit=None)
    case("loan", ("2026-03-01", "30000", ""), ("2026-03-02", "20001", "LOAN"), hit=None)
    case("product", ("2026-03-01", "30000", ""), ("2026-03-02", "20001", "INVS"), hit=None)
    case("own", ("2026-03-02", "50001", ""), hit=None, partner_type="OWN")
    case("bank", ("2026-03-02", "50001", ""), hit=None, initiator="BANK")

    abroad = c.person("m07-other-currencies")  # 10,000 dollars are 72,000 yuan
    abroad.add(
        clients.ProfileDeclared, "2024-01-02", declared_income_monthly="10000", currency="USD"
    )
    abroad.credit("2026-03-02", "359999")
    abroad.credit("2026-03-03", "2")
    c.hit(
        "M07",
        abroad,
        "2026-03-03",
        inflow="360001.00",
        expected="72000.00",
        excessive_from="360000.00",
    )

    silent = c.person("m07-undeclared")
    silent.credit("2026-03-02", "900000")
    c.none("M07", silent)

    for name, amount, hit in (("revenue", "200000.01", True), ("twice", "200000", False)):
        firm = c.company(f"m07-{name}")
        firm.add(
            credits.FinancialStatementFiled,
            "2025-04-02",
            period_end=day("2024-12-31"),
            version=1,
            filed_at=day("2025-04-02"),
            audited=True,
            gaap="PRC_GAAP",
            statement=credits.Statement(revenue="1200000"),
        )
        firm.credit("2026-03-02", amount)
        c.hit("M07", firm, "2026-03-02") if hit else c.none("M07", firm)

    undone = c.person("m07-reversed")
    undone.add(clients.ProfileDeclared, "2024-01-02", declared_income_monthly="10000")
    undone.credit("2026-03-02", "60000", number="T1")
    undone.reverse("2026-03-03", "T1", "60000")
    c.none("M07", undone)


# --- M08 ------------------------------------------------------------------------------------------


def round_amounts(c: Cases) -> None:
    def case(name: str, rounds: int, others: int, hit: bool, spread: int = 1) -> None:
        client = c.person(f"m08-{name}")
        days = [day("2026-03-01") + dt.timedelta(days=n * spread) for n in range(rounds + others)]
        amounts = ["123.45"] * others + ["3000"] * rounds
        for on, amount in zip(days, amounts, strict=True):
            client.debit(on.isoformat(), amount)
        c.hit("M08", client, days[-1].isoformat()) if hit else c.none("M08", client)

    case("seven-of-ten", 7, 3, True)
    case("six-of-ten", 6, 4, False)
    case("nine", 9, 0, False)
    case("slow", 10, 0, False, spread=3 + 1)
    almost = c.person("m08-almost-round")
    for n in range(10):
        almost.debit(f"2026-03-{n + 1:02d}", "3000.01" if n < 4 else "3000")
    c.none("M08", almost)


# --- M09 ------------------------------------------------------------------------------------------


def cross_border(c: Cases) -> None:
    def abroad(client: Client, on: str, amount: str, side: str = "debit", **fields: object) -> str:
        return getattr(client, side)(on, amount, is_cross_border=True, partner="X", **fields)

    single = c.person("m09-single")
    one = abroad(single, "2026-03-02", "200000")
    c.hit("M09", single, "2026-03-02", sources=(one,), total="200000.00", largest_before="0.00")

    together = c.person("m09-together")
    abroad(together, "2026-03-02", "120000")
    abroad(together, "2026-03-02", "80000")
    c.hit("M09", together, "2026-03-02")

    below = c.person("m09-below")
    abroad(below, "2026-03-02", "199999.99")
    c.none("M09", below)

    sides = c.person("m09-sides")
    abroad(sides, "2026-03-02", "120000")
    abroad(sides, "2026-03-02", "80000", "credit")
    c.none("M09", sides)

    two_days = c.person("m09-two-days")
    abroad(two_days, "2026-03-02", "120000")
    abroad(two_days, "2026-03-03", "80000")
    c.none("M09", two_days)

    grown = c.person("m09-grown")
    abroad(grown, "2025-12-02", "10000")
    abroad(grown, "2026-03-02", "30000")
    c.hit("M09", grown, "2026-03-02", total="30000.00", largest_before="10000.00")

    less_grown = c.person("m09-less-grown")
    abroad(less_grown, "2025-12-02", "10000")
    abroad(less_grown, "2026-03-02", "29999.99")
    c.none("M09", less_grown)

    small = c.person("m09-small")
    abroad(small, "2025-12-02", "100")
    abroad(small, "2026-03-02", "19999.99")
    c.none("M09", small)

    firm = c.company("m09-firm")
    abroad(firm, "2026-03-02", "900000")
    c.none("M09", firm)

    domestic = c.person("m09-domestic")
    domestic.debit("2026-03-02", "900000", partner="X")
    c.none("M09", domestic)

    undone = c.person("m09-reversed")
    abroad(undone, "2026-03-02", "200000", number="T1")
    undone.reverse("2026-03-03", "T1", "200000")
    c.none("M09", undone)


# --- M10 ------------------------------------------------------------------------------------------


def company_to_persons(c: Cases) -> None:
    def case(
        name: str,
        count: int,
        amount: str,
        hit: bool,
        gap: int = 1,
        person: bool = False,
        **fields: object,
    ) -> None:
        client = (c.person if person else c.company)(f"m10-{name}")
        days = [day("2026-03-01") + dt.timedelta(days=n * gap) for n in range(count)]
        for n, on in enumerate(days):
            kind = {"partner": f"E{n}", "partner_type": "PERSON"} | fields
            client.debit(on.isoformat(), amount, **kind)
        c.hit("M10", client, days[-1].isoformat()) if hit else c.none("M10", client)

    case("ten", 10, "2000", True)
    case("nine", 9, "2000", False)
    case("much", 2, "250000", True)
    case("less", 2, "249999.99", False)
    case("slow", 8, "60000", False, gap=4)
    case("wages", 10, "60000", False, purpose="SALA")
    case("firms", 10, "60000", False, partner_type="COMPANY")
    case("person", 10, "60000", False, person=True)
    case("cash", 10, "60000", False, is_cash=True)

    steady = c.company("m10-steady")  # the same every month is a wage, whatever it is called
    for month in ("2025-12", "2026-01", "2026-02", "2026-03"):
        for n in range(12):
            steady.debit(f"{month}-10", "8000", partner=f"E{n}", partner_type="PERSON")
    c.none("M10", steady)

    undone = c.company("m10-reversed")
    undone.debit("2026-03-02", "600000", partner="E", partner_type="PERSON", number="T1")
    undone.reverse("2026-03-03", "T1", "600000")
    c.none("M10", undone)


# --- M11 ------------------------------------------------------------------------------------------


def early_settlement(c: Cases) -> None:
    def case(
        name: str,
        income: str | None,
        repaid: str,
        hit: bool,
        early: bool = True,
        paid_on: str = "2026-03-02",
    ) -> None:
        client = c.person(f"m11-{name}")
        facility = f"F-{name}"
        if income:
            client.add(clients.ProfileDeclared, "2024-01-02", declared_income_monthly=income)
        client.add(
            credits.CreditDisbursed,
            "2025-03-01",
            facility_id=facility,
            client_id=client.name,
            tranche_no=1,
            amount="100000",
        )
        client.add(
            credits.RepaymentDue,
            "2025-04-01",
            facility_id=facility,
            instalment_no=1,
            due_date=day("2025-04-01"),
            principal="4000",
            total="4200",
        )
        paid = client.add(
            credits.RepaymentMade,
            paid_on,
            facility_id=facility,
            payment_id=f"P-{name}",
            paid_at=at(f"{paid_on}T02:00"),
            amount=repaid,
            allocation=credits.Allocation(principal=repaid),
        )
        client.add(
            credits.CreditSettled,
            "2026-03-02",
            facility_id=facility,
            settled_date=day("2026-03-02"),
            early=early,
        )
        if hit:
            c.hit("M11", client, "2026-03-02", sources=(paid,))
        else:
            c.none("M11", client)

    case("poor", "12599", "50000", True)
    case("three-times", "12600", "50000", False)
    case("less-than-half", "12599", "49999.99", False)
    case("in-time", "12599", "50000", False, early=False)
    case("unknown", None, "50000", False)
    case("thirty-days", "12599", "50000", True, paid_on="2026-02-01")
    case("long-before", "12599", "50000", False, paid_on="2026-01-31")


# --- M12 ------------------------------------------------------------------------------------------


def circular_flow(c: Cases) -> None:
    def ring(
        name: str, amounts: tuple[str, str, str], days: tuple[str, str, str], hit: bool
    ) -> None:
        names = [f"m12-{name}-{letter}" for letter in "abc"]
        members = [c.person(n) for n in names]
        ids = []
        for n, (amount, on) in enumerate(zip(amounts, days, strict=True)):
            payee = names[(n + 1) % 3]
            ids.append(members[n].debit(on, amount, partner_account=f"{payee}-A1"))
        for member in members:
            if hit:
                c.hit("M12", member, days[2], sources=tuple(ids))
            else:
                c.none("M12", member)

    same_week = ("2026-03-02", "2026-03-04", "2026-03-08")
    ring("same", ("60000", "60000", "60000"), same_week, True)
    ring("within", ("60000", "57000", "63000"), same_week, True)
    ring("beyond", ("60000", "56999.99", "60000"), same_week, False)
    ring("small", ("9999", "9999", "9999"), same_week, False)
    ring("longer", ("60000",) * 3, ("2026-03-02", "2026-03-04", "2026-03-09"), False)
    ring("backwards", ("60000",) * 3, ("2026-03-04", "2026-03-02", "2026-03-03"), True)
    c.expected = [  # a circle has no beginning: the last payment in time closes it
        case._replace(days=("2026-03-04",)) if case.client.startswith("m12-backwards") else case
        for case in c.expected
    ]

    sender, receiver = c.person("m12-outside-a"), c.person("m12-outside-c")
    sent = sender.debit("2026-03-02", "60000", partner="STRANGER")
    passed = receiver.credit("2026-03-03", "60000", partner="STRANGER")
    back = receiver.debit("2026-03-04", "60000", partner_account="m12-outside-a-A1")
    for client in (sender, receiver):
        c.hit("M12", client, "2026-03-04", sources=(sent, passed, back))

    one, two = c.person("m12-pair-a"), c.person("m12-pair-b")
    one.debit("2026-03-02", "60000", partner_account="m12-pair-b-A1")
    two.debit("2026-03-03", "60000", partner_account="m12-pair-a-A1")
    for client in (one, two):
        c.none("M12", client)

    named = [c.person(f"m12-named-{n}", name_hash=f"hash-{n}") for n in "abc"]
    for n, client in enumerate(named):
        client.debit(f"2026-03-0{n + 2}", "60000", partner=f"hash-{'abc'[(n + 1) % 3]}")
    for client in named:
        c.hit("M12", client, "2026-03-04")

    undone = [c.person(f"m12-undone-{n}") for n in "abc"]
    for n, client in enumerate(undone):
        client.debit(
            "2026-03-02",
            "60000",
            partner_account=f"m12-undone-{'abc'[(n + 1) % 3]}-A1",
            number="T1",
        )
    undone[1].reverse("2026-03-03", "T1", "60000")
    for client in undone:
        c.none("M12", client)


# --- M05, M06, M13: among many --------------------------------------------------------------------

PEERS = 40


def peers(c: Cases) -> None:
    """People of one age and an income nobody knows, most of whom use cash for a tenth."""
    crowd = [c.person(f"peer-{n:02d}", birth_date=day("1990-01-01")) for n in range(PEERS)]
    for n, client in enumerate(crowd):
        client.credit("2026-03-02", f"{9_000 + 100 * n}", partner="E")
        cash(client, "2026-03-03", "1000")
    for client in crowd:
        c.none("M05", client)

    heavy = c.person("m05-heavy", birth_date=day("1990-01-01"))
    ids = [cash(heavy, f"2026-03-{n:02d}", "30000") for n in range(5, 9)]
    c.hit("M05", heavy, "2026-03-08", sources=tuple(ids))
    c.hit("M06", heavy, "2026-03-08")

    little = c.person("m05-little-cash", birth_date=day("1990-01-01"))
    cash(little, "2026-03-05", "20000")
    little.credit("2026-03-05", "1000", partner="E")
    c.none("M05", little)

    alone = c.person("m05-alone", birth_date=day("1950-01-01"))
    cash(alone, "2026-03-05", "300000")
    c.none("M05", alone)
    c.none("M06", alone)
    c.none("M06", crowd[PEERS // 2])


def shared(c: Cases) -> None:
    for name, others, hit in (("m13-six", 6, True), ("m13-five", 5, False)):
        one = c.person(name, phone_hash=f"{name}-phone")
        for n in range(others):
            c.person(f"{name}-{n}", phone_hash=f"{name}-phone")
        if hit:
            c.hit("M13", one, "2026-03-31", sources=(one.registration,), clients="6.00")
        else:
            c.none("M13", one)


SECTIONS: tuple[Callable[[Cases], None], ...] = (
    structuring,
    rapid_in_out,
    funnel,
    dormant,
    beyond_the_profile,
    round_amounts,
    cross_border,
    company_to_persons,
    early_settlement,
    circular_flow,
    peers,
    shared,
)


def all_cases() -> Cases:
    """The whole bank."""
    cases = Cases()
    for section in SECTIONS:
        section(cases)
    return cases


def whole_bank() -> Bank:
    """The cases of all typologies, and some clients of factors and of the list."""
    bank = all_cases().bank
    bank.company("s01")
    exposed = bank.person("s02")
    for on, pep in (("2026-01-01", True), ("2025-01-01", False)):
        exposed.add(
            clients.KycUpdated,
            on,
            kyc_level="FULL",
            reviewed_at=dt.datetime.combine(day(on), dt.time(), dt.UTC),
            next_review_date=day("2026-12-31"),
            pep=pep,
            sanctions_hit=False,
        )
    bank.person("s03-nation", nationality="IR")
    bank.person("s03-lives", nationality="CN", country_of_residence="KP")
    pays = bank.person("s03-pays")
    pays.debit("2025-04-01", "10", partner="X", partner_country="IR")
    paid = bank.person("s03-paid-long-ago")
    paid.debit("2025-03-31", "10", partner="X", partner_country="IR")
    bank.company("s04", industry_code="H62")
    bank.company("s04-other", industry_code="C13")
    bank.person("s05", source_channel="MOBILE")
    bank.person("s05-met", source_channel="BRANCH")
    for name, owners in (
        ("s06-layer", ["s01"]),
        ("s06-many", ["a", "b", "c", "d"]),
        ("s06-few", ["a", "b", "c"]),
    ):
        firm = bank.company(name)
        for owner in owners:
            firm.add(clients.RelationLinked, "2025-01-01", other_client_id=owner, relation="UBO")
    gold = bank.person("s07")
    gold.add(
        products.ProductSold,
        "2026-01-01",
        sale_id="S1",
        product_id="AU-GOLD",
        product_risk="R4",
        amount="1000",
        initiated_by="CLIENT",
        suitability_check_id="K1",
        disclosure_ack_id="D1",
    )
    _large(bank)
    return bank


def _large(bank: Bank) -> None:
    once = bank.person("large-cash")
    cash(once, "2026-03-27", "50000")
    together = bank.person("large-cash-together")
    for _ in range(2):
        cash(together, "2026-03-27", "25000")
    apart = bank.person("large-cash-apart")
    cash(apart, "2026-03-26", "25000")
    cash(apart, "2026-03-27", "25000")
    cash(apart, "2026-03-27", "25000", "debit")
    dollars = bank.person("large-cash-dollars")
    cash(dollars, "2026-03-27", "10000", currency="USD")
    euros = bank.person("large-cash-euros")  # 9,000 euros are 9,750 dollars, 10,000 are more
    cash(euros, "2026-03-26", "9000", currency="EUR")
    cash(euros, "2026-03-27", "10000", currency="EUR")
    bank.person("large-person").debit("2026-03-27", "500000", partner="X")
    bank.person("large-person-less").debit("2026-03-27", "499999.99", partner="X")
    bank.person("large-abroad").debit("2026-03-27", "200000", partner="X", is_cross_border=True)
    bank.company("large-firm").debit("2026-03-27", "2000000", partner="X")
    bank.company("large-firm-less").debit("2026-03-27", "1999999.99", partner="X")
    bank.person("large-own").debit("2026-03-27", "900000", partner_type="OWN")
    undone = bank.person("large-reversed")
    undone.debit("2026-03-27", "900000", partner="X", number="T1")
    undone.reverse("2026-03-28", "T1", "900000")
    bank.person("large-old").debit("2026-02-24", "900000", partner="X")
    bank.person("large-oldest").debit("2026-02-25", "900000", partner="X")
    bank.person("no-rate").credit("2026-03-27", "10", currency="THB", partner="X")
