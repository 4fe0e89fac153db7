"""What comes in and goes out, and what of it is nobody's income or spending."""

from __future__ import annotations

import datetime as dt

from tests.unit.attributes.bank import END, Bank, at

INSTANT = dt.timedelta(microseconds=1)
FLOWS = ("inflow_monthly", "outflow_monthly", "net_cashflow")


def cases(bank: Bank) -> None:
    _windows(bank)
    _months(bank)
    _not_the_clients(bank)
    _own_transfers(bank)
    _clocks(bank)
    _essentials(bank)
    _shares(bank)
    _currencies(bank)
    _schools(bank)


def _windows(bank: Bank) -> None:
    # Closed months: 1 is March, 3 since January, 6 since October, 12 since April 2025.
    flow = bank.person("flow")
    flow.credit("2025-03-31", "9999.00")
    c12 = flow.credit("2025-04-01", "1200.00")
    c6 = flow.credit("2025-11-10", "600.00")
    c3 = flow.credit("2026-01-01", "300.00")
    c1 = flow.credit("2026-03-31", "90.00")
    d12 = flow.debit("2025-06-10", "240.00")
    d6 = flow.debit("2025-12-31", "60.00")
    d3 = flow.debit("2026-02-10", "30.00")
    d1 = flow.debit("2026-03-01", "12.00")
    flow.expect("inflow_monthly_1m", "90.00", c1)
    flow.expect("inflow_monthly", "130.00", c1, c3)  # (90 + 300)/3
    flow.expect("inflow_monthly_6m", "165.00", c1, c3, c6)  # 990/6
    flow.expect("inflow_monthly_12m", "182.50", c1, c3, c6, c12)  # 2,190/12
    flow.expect("outflow_monthly_1m", "12.00", d1)
    flow.expect("outflow_monthly", "14.00", d1, d3)  # 42/3
    flow.expect("outflow_monthly_6m", "17.00", d1, d3, d6)  # 102/6
    flow.expect("outflow_monthly_12m", "28.50", d1, d3, d6, d12)  # 342/12
    flow.expect("net_cashflow_1m", "78.00", c1, d1)
    flow.expect("net_cashflow", "116.00", c1, c3, d1, d3)
    flow.expect("net_cashflow_6m", "148.00", c1, c3, c6, d1, d3, d6)
    flow.expect("net_cashflow_12m", "154.00", c1, c3, c6, c12, d1, d3, d6, d12)
    # 148/165 = 0.89697
    flow.expect("savings_rate", "0.8970", c1, c3, c6, d1, d3, d6)
    # On 1 March the month is not closed: December to February, of which January's 300 is in.
    flow.expect("inflow_monthly", "100.00", c3, as_of=dt.date(2026, 3, 1))
    # At the end of the year December is closed: 600 in three months.
    flow.expect("inflow_monthly", "200.00", c6, as_of=dt.date(2025, 12, 31))
    flow.expect("outflow_monthly_1m", "60.00", d6, as_of=dt.date(2025, 12, 31))

    # Twenty-one credits: the twenty newest are the sources, the sum is of all.
    busy = bank.person("busy")
    days = [busy.credit(f"2026-03-{n:02}", "1.00") for n in range(1, 22)]
    busy.expect("inflow_monthly_1m", "21.00", *days[1:])
    busy.expect("net_cashflow", "7.00", *days[1:])
    spender = bank.person("spender")
    spender.debit("2026-03-10", "30.00")
    spender.expect("net_cashflow_1m", "-30.00")
    spender.lacks("savings_rate")


def _months(bank: Bank) -> None:
    # There since 10 February: March is the only whole month, what came in February is left out.
    partial = bank.person("partial-month", account="2026-02-10")
    partial.credit("2026-02-15", "1000.00")
    whole = partial.credit("2026-03-15", "300.00")
    partial.expect("inflow_monthly", "300.00", whole)
    partial.expect("inflow_monthly_12m", "300.00", whole)
    partial.expect("outflow_monthly", "0.00", partial.opening)
    # From the first day of February on there are two months: (1,000 + 300)/2.
    first = bank.person("first-of-month", account="2026-02-01")
    both = first.credit("2026-02-15", "1000.00"), first.credit("2026-03-15", "300.00")
    first.expect("inflow_monthly", "650.00", *both)
    # Not one whole month yet.
    new = bank.person("no-whole-month", account="2026-03-02")
    new.credit("2026-03-15", "300.00")
    new.lacks(*FLOWS, *(f"{name}_{n}m" for name in FLOWS for n in (1, 6, 12)), "savings_rate")


def _not_the_clients(bank: Bank) -> None:
    # A loan paid out, money back from a fund, interest, an entry of the bank and two that are not
    # booked: of all credits 100 is left. Of the debits a fund bought, a fee and a penalty go: 40.
    mixed = bank.person("mixed")
    own = mixed.credit("2026-03-10", "100.00", partner="p")
    mixed.credit("2026-03-10", "5000.00", purpose="LOAN", partner="bank")
    mixed.credit("2026-03-10", "800.00", purpose="INVS")
    mixed.credit("2026-03-31", "3.00", purpose="INTE", initiator="BANK")
    mixed.credit("2026-03-10", "70.00", status="PDNG")
    mixed.credit("2026-03-10", "70.00", status="INFO")
    spent = mixed.debit("2026-03-11", "40.00")
    mixed.debit("2026-03-11", "500.00", purpose="INVS")
    mixed.debit("2026-03-11", "500.00", purpose="SECU")
    mixed.debit("2026-03-11", "2.00", purpose="FEES", initiator="BANK")
    mixed.debit("2026-03-11", "9.00", purpose="PENALTY", initiator="BANK")
    mixed.expect("inflow_monthly_1m", "100.00", own)
    mixed.expect("outflow_monthly_1m", "40.00", spent)
    # An instalment of a loan is money spent, what another starts is money received.
    paying = bank.person("paying")
    instalment = paying.debit("2026-03-10", "200.00", purpose="LOAN")
    pushed = paying.credit("2026-03-10", "60.00", initiator="THIRD_PARTY")
    paying.expect("outflow_monthly_1m", "200.00", instalment)
    paying.expect("inflow_monthly_1m", "60.00", pushed)

    # 500 was booked and cancelled: the entry goes by the fact that names it, the opposite by its
    # flag. A reversal of another account's T1 cancels nothing here.
    wrong = bank.person("reversed")
    wrong.open("A2", "2024-01-01")
    wrong.credit("2026-03-10", "500.00", number="T1")
    wrong.debit("2026-03-11", "500.00", number="T2", reversal=True)
    wrong.reverse("2026-03-11", "T1", "500.00")
    stands = wrong.credit("2026-03-12", "30.00", number="T1", account="A2")
    wrong.expect("inflow_monthly_1m", "30.00", stands)
    wrong.expect("outflow_monthly_1m", "0.00", wrong.opening)


def _own_transfers(bank: Bank) -> None:
    named = bank.person("named-own")
    named.credit("2026-03-10", "700.00", partner="self", partner_type="OWN")
    named.expect("inflow_monthly_1m", "0.00")

    # Two accounts: 250 leaves one on the 10th and comes to the other on the 11th.
    matched = bank.person("matched-own")
    matched.open("A2", "2024-01-01")
    matched.debit("2026-03-10", "250.00")
    matched.credit("2026-03-11", "250.00", account="A2")
    matched.expect("inflow_monthly_1m", "0.00")
    matched.expect("outflow_monthly_1m", "0.00")

    # The source calls one leg the client's own and says nothing of the other.
    half = bank.person("half-named")
    half.open("A2", "2024-01-01")
    half.debit("2026-03-10", "250.00", partner="self", partner_type="OWN")
    half.credit("2026-03-10", "250.00", account="A2")
    half.expect("inflow_monthly_1m", "0.00")
    half.expect("outflow_monthly_1m", "0.00")

    # Two days apart, another amount, another currency, one account, cash: each of them stands.
    unlike = bank.person("unlike")
    unlike.open("A2", "2024-01-01")
    stand = [unlike.credit("2026-03-10", "1.00"), unlike.credit("2026-03-10", "2.00")]
    unlike.debit("2026-03-12", "1.00", account="A2")
    unlike.debit("2026-03-10", "2.01", account="A2")
    stand.append(unlike.credit("2026-03-10", "4.00"))
    unlike.debit("2026-03-10", "4.00", account="A2", currency="USD")
    stand.append(unlike.credit("2026-03-10", "8.00"))
    unlike.debit("2026-03-10", "8.00")
    stand.append(unlike.credit("2026-03-10", "16.00", is_cash=True))
    unlike.debit("2026-03-10", "16.00", account="A2", is_cash=True)
    unlike.expect("inflow_monthly_1m", "31.00", *stand)

    # Who has one account has nothing to move; what other clients do is another matter.
    single = bank.person("single-account")
    kept = single.credit("2026-03-10", "250.00")
    single.expect("inflow_monthly_1m", "250.00", kept)

    # The coincidence the rule cannot tell from a transfer: a salary into one account on the day a
    # shop gets the same amount from the other. Both are left out.
    unlucky = bank.person("unlucky")
    unlucky.open("A2", "2024-01-01")
    unlucky.credit("2026-03-10", "900.00", purpose="SALA", partner="employer")
    unlucky.debit("2026-03-10", "900.00", account="A2", partner="shop")
    unlucky.expect("inflow_monthly_1m", "0.00")
    unlucky.expect("outflow_monthly_1m", "0.00")


def _clocks(bank: Bank) -> None:
    # At the instant the date ends a fact is of tomorrow; an instant before it is of today.
    clock = bank.person("clock")
    last = clock.credit("2026-03-31", "1.00", time=END - INSTANT)
    clock.credit("2026-03-31", "2.00", time=END)
    # What was true before and written down after could not be known; at the end it just could.
    clock.credit("2026-03-30", "4.00", recorded=END + INSTANT)
    known = clock.credit("2026-03-30", "8.00", recorded=END)
    clock.expect("inflow_monthly_1m", "9.00", last, known)
    # A reversal that nobody knew of yet reverses nothing.
    undone = bank.person("undone-later")
    stands = undone.credit("2026-03-10", "50.00", number="T1")
    undone.reverse("2026-03-31", "T1", "50.00", recorded=END + INSTANT)
    undone.expect("inflow_monthly_1m", "50.00", stands)


def _essentials(bank: Bank) -> None:
    # January 1,000 rent and 100 for power; February and March 1,000: the median is 1,000.
    # Food, and rent of December, do not count.
    tenant = bank.person("tenant")
    tenant.debit("2025-12-31", "5000.00", purpose="RENT")
    must = [tenant.debit(f"2026-0{n}-05", "1000.00", purpose="RENT") for n in (1, 2, 3)]
    must.append(tenant.debit("2026-01-20", "100.00", mcc="4900"))
    tenant.debit("2026-02-20", "70.00", mcc="5411")
    tenant.expect("essential_outflow_monthly", "1000.00", *must)
    # There since 20 January: of January a third was seen. February 1,000, March 1,200: 1,100.
    new = bank.person("new-tenant", account="2026-01-20")
    new.debit("2026-01-25", "500.00", purpose="RENT")
    seen = [
        new.debit("2026-02-25", "1000.00", purpose="RENT"),
        new.debit("2026-03-25", "1200.00", purpose="RENT"),
    ]
    new.expect("essential_outflow_monthly", "1100.00", *seen)


def _shares(bank: Bank) -> None:
    # Cash 300 of credits of 1,000; the debit in cash and the last day of 2025 do not count.
    shop = bank.person("shop")
    shop.credit("2025-12-31", "9000.00", is_cash=True)
    first = shop.credit("2026-01-01", "300.00", is_cash=True)
    second = shop.credit("2026-02-01", "700.00")
    shop.debit("2026-02-01", "55.00", is_cash=True)
    shop.expect("cash_share", "0.3000", first, second)
    all_cash = bank.person("all-cash")
    all_cash.credit("2026-02-01", "0.01", is_cash=True)
    all_cash.expect("cash_share", "1.0000")

    # 100 of a turnover of 400 crossed the border.
    trader = bank.person("trader")
    turnover = (
        trader.debit("2026-02-01", "100.00", is_cross_border=True),
        trader.credit("2026-02-01", "300.00"),
    )
    trader.expect("cross_border_share", "0.2500", *turnover)
    # Amounts of zero: a share of nothing is no share.
    empty = bank.person("zero-amounts")
    empty.credit("2026-02-01", "0.00", is_cash=True)
    empty.lacks("cash_share", "cross_border_share")


def _currencies(bank: Bank) -> None:
    # The first account is in CNY. USD: 100 - 40 = 60; EUR: -5.
    abroad = bank.person("abroad")
    abroad.open("A2", "2025-01-01", currency="USD")
    abroad.credit("2026-02-01", "1000.00")
    foreign = (
        abroad.credit("2026-02-01", "100.00", account="A2", currency="USD"),
        abroad.debit("2026-02-02", "40.00", account="A2", currency="USD"),
        abroad.debit("2026-02-03", "5.00", currency="EUR"),
    )
    abroad.expect("currency_exposure", "EUR:-5.00;USD:60.00", *foreign)
    # Flows are added up as they were booked, whatever the currency: nothing is converted.
    abroad.expect("inflow_monthly", "366.67")  # (1,000 + 100)/3
    # Both were opened on one day, and of the first one was heard last: its currency is home.
    twins = bank.person("twin-accounts", account=None)
    twins.open("A2", "2024-01-01", currency="USD", time=at("2024-01-01T11:00"))
    twins.open("A1", "2024-01-01", time=at("2024-01-01T10:00"))
    dollars = twins.credit("2026-02-01", "100.00", account="A2", currency="USD")
    twins.credit("2026-02-01", "9.00")
    twins.expect("currency_exposure", "USD:100.00", dollars)
    home = bank.person("at-home")
    home.credit("2026-02-01", "10.00")
    home.lacks("currency_exposure")


def _schools(bank: Bank) -> None:
    parent = bank.person("parent")
    parent.debit("2025-03-31", "10.00", mcc="8211")
    fees = (
        parent.debit("2025-04-01", "10.00", mcc="8211"),
        parent.debit("2026-03-01", "10.00", mcc="8299"),
    )
    parent.debit("2026-03-01", "10.00", mcc="5411")
    parent.credit("2026-03-01", "10.00", mcc="8211")
    parent.expect("tuition_payments_12m", "2", *fees)
    childless = bank.person("childless")
    childless.expect("tuition_payments_12m", "0", childless.registration)
