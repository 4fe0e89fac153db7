"""What only companies have."""

from __future__ import annotations

from lifecycle.events import credit
from lifecycle.events.client import RelationLinked
from tests.unit.attributes.bank import Bank, Client, day
from tests.unit.attributes.credit import lent

MONTHS = ("2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03")
TEXTBOOK = {
    "revenue": "1000.00",
    "cogs": "600.00",
    "sga": "100.00",
    "depreciation": "50.00",
    "ebit": "120.00",
    "interest_expense": "40.00",
    "net_income": "60.00",
    "cfo": "40.00",
    "cash": "90.00",
    "receivables": "200.00",
    "inventory": "150.00",
    "current_assets": "450.00",
    "ppe": "450.00",
    "securities": "50.00",
    "total_assets": "1000.00",
    "payables": "120.00",
    "current_liabilities": "250.00",
    "lt_debt": "250.00",
    "total_liabilities": "600.00",
    "retained_earnings": "200.00",
    "equity": "400.00",
}
BEFORE = {
    "revenue": "800.00",
    "cogs": "440.00",
    "sga": "88.00",
    "depreciation": "60.00",
    "net_income": "70.00",
    "cfo": "80.00",
    "cash": "100.00",
    "receivables": "120.00",
    "current_assets": "400.00",
    "ppe": "440.00",
    "securities": "60.00",
    "total_assets": "1000.00",
    "current_liabilities": "200.00",
    "lt_debt": "200.00",
}


def cases(bank: Bank) -> None:
    _revenue(bank)
    _partners(bank)
    _regularity(bank)
    _seasons(bank)
    _statements(bank)
    _scores(bank)
    _groups(bank)
    _balances(bank)
    _forecast(bank)


def filed(client: Client, period: str, on: str, version: int = 1, **lines: str) -> str:
    return client.add(
        credit.FinancialStatementFiled,
        on,
        period_end=day(period),
        version=version,
        filed_at=day(on),
        audited=True,
        gaap="PRC_GAAP",
        statement=credit.Statement(**lines),
    )


def _revenue(bank: Bank) -> None:
    # There since 15 December: three whole months, 300 + 300 + 600 = 1,200; a year's is four times.
    young = bank.company("young", account="2025-12-15")
    young.credit("2025-12-20", "5000.00")
    seen = [
        young.credit("2026-01-10", "300.00", partner="a"),
        young.credit("2026-02-10", "300.00", partner="b"),
        young.credit("2026-03-10", "600.00", is_cash=True),
    ]
    young.credit("2026-03-10", "9000.00", purpose="LOAN")
    young.expect("revenue_observed_12m", "4800.00", *seen)
    newer = bank.company("too-young", account="2026-01-02")
    newer.credit("2026-02-10", "300.00")
    newer.lacks("revenue_observed_12m")


def _partners(bank: Bank) -> None:
    # Six payers of 50, 40, 30, 20, 10 and 10: the five largest have 150 of 160. A loan paid out is
    # no customer's money.
    seller = bank.company("seller")
    came = [
        seller.credit("2026-02-10", f"{amount}.00", partner=f"payer-{n}")
        for n, amount in enumerate((50, 40, 30, 20, 10, 10))
    ]
    seller.credit("2026-02-10", "9000.00", purpose="LOAN", partner="bank")
    seller.expect("customer_concentration", "0.9375", *came)
    # Payees of 70 and 30 after wages, and after a fund bought: both are among the five.
    went = [
        seller.debit("2026-02-11", "70.00", partner="s1"),
        seller.debit("2026-02-11", "30.00", partner="s2"),
    ]
    seller.debit("2026-02-11", "500.00", partner="worker", purpose="SALA")
    seller.debit("2026-02-11", "500.00", partner="fund", purpose="INVS")
    seller.expect("supplier_concentration", "1.0000", *went)
    buyer = bank.company("buyer")
    for n in range(10):
        buyer.debit("2026-02-11", "10.00", partner=f"s{n}")
    buyer.expect("supplier_concentration", "0.5000")
    # The day before the year began.
    old = bank.company("old-partners")
    old.credit("2025-03-31", "10.00", partner="a")
    old.lacks("customer_concentration", "supplier_concentration")
    # Entries of nothing have no shares, and must not stop the night.
    zero = bank.company("zero-payers")
    zero.credit("2026-02-10", "0.00", partner="a")
    zero.debit("2026-02-10", "0.00", partner="a")
    zero.lacks("customer_concentration", "supplier_concentration")


def _regularity(bank: Bank) -> None:
    employer = bank.company("employer")
    wages = [
        employer.debit(f"{month}-28", "100.00", purpose="SALA", partner="w1") for month in MONTHS
    ]
    march = employer.debit("2026-03-28", "90.00", purpose="SALA", partner="w2")
    taxes = [
        employer.debit(f"{month}-15", "10.00", purpose="TAXS")
        for month in MONTHS
        if month != "2026-01"
    ]
    employer.expect("payroll_regular", "1", *wages, march)
    # w1 twice would be one person: w1 and w2.
    employer.expect("payroll_headcount", "2", wages[-1], march)
    # January lacks.
    employer.expect("tax_payment_regular", "0", *taxes)
    # Two whole months old: six regular ones cannot be told yet.
    fresh = bank.company("fresh-employer", account="2026-01-15")
    for month in MONTHS[3:]:
        fresh.debit(f"{month}-28", "100.00", purpose="SALA", partner="w1")
        fresh.debit(f"{month}-28", "100.00", purpose="VATX", partner="w1")
    fresh.lacks("payroll_regular", "tax_payment_regular")
    fresh.expect("payroll_headcount", "1")


def _seasons(bank: Bank) -> None:
    # December 600, April 300, nothing else: 900 in twelve months, a mean of 75; 600/75 = 8.
    seasonal = bank.company("seasonal", account="2025-04-01")
    sales = seasonal.credit("2025-12-10", "600.00"), seasonal.credit("2025-04-10", "300.00")
    seasonal.expect("seasonality_index", "8.0000", *sales)
    later = bank.company("eleven-months", account="2025-04-02")
    later.credit("2025-12-10", "600.00")
    later.lacks("seasonality_index")


def _statements(bank: Bank) -> None:
    firm = bank.company("textbook")
    before = filed(firm, "2024-12-31", "2025-03-31", **BEFORE)
    filed(firm, "2025-12-31", "2026-02-01", 1, **TEXTBOOK | {"revenue": "1.00"})
    now = filed(firm, "2025-12-31", "2026-03-01", 2, **TEXTBOOK)
    both = now, before
    firm.expect("revenue_declared", "1000.00", now)
    firm.expect("revenue_growth", "0.2500", *both)  # 1,000/800 - 1
    firm.expect("receivable_days", "73.0", now)  # 200/1,000 x 365
    firm.expect("inventory_days", "91.3", now)  # 150/600 x 365 = 91.25
    firm.expect("payable_days", "73.0", now)  # 120/600 x 365
    firm.expect("current_ratio", "1.8000", now)  # 450/250
    firm.expect("interest_cover", "3.0000", now)  # 120/40
    firm.expect("leverage", "0.6000", now)  # 600/1,000
    firm.expect("operating_margin", "0.1200", now)  # 120/1,000
    firm.expect("statement_cash_change", "-10.00", *both)  # 90 - 100
    # A version that comes in February says 1 instead of 1,000.
    firm.expect("revenue_declared", "1.00", as_of=day("2026-02-28"))

    # Lines that are not there, or nought below the line: no figure is made up.
    bare = bank.company("bare-statement")
    filed(bare, "2025-12-31", "2026-03-01", revenue="0.00", cogs="0.00", interest_expense="0.00", receivables="5.00", ebit="5.00", inventory="5.00", payables="5.00", total_assets="0.00", current_assets="5.00", current_liabilities="0.00", total_liabilities="0.00", retained_earnings="1.00", equity="1.00")  # fmt: skip
    bare.expect("revenue_declared", "0.00")
    bare.lacks(
        "receivable_days",
        "inventory_days",
        "payable_days",
        "current_ratio",
        "interest_cover",
        "leverage",
        "operating_margin",
        "altman_z2",
        "beneish_m",
        "revenue_growth",
        "statement_cash_change",
    )
    # The year between is missing: two years apart say nothing of growth.
    gap = bank.company("gap-year")
    filed(gap, "2023-12-31", "2024-03-31", **BEFORE)
    filed(gap, "2025-12-31", "2026-03-01", **TEXTBOOK)
    gap.lacks("revenue_growth", "statement_cash_change", "beneish_m")
    # Filed in April: in March nobody could know it, whatever the period.
    unfiled = bank.company("unfiled")
    unfiled.add(
        credit.FinancialStatementFiled,
        "2026-03-30",
        period_end=day("2025-12-31"),
        version=1,
        filed_at=day("2026-04-01"),
        audited=True,
        gaap="PRC_GAAP",
        statement=credit.Statement(**TEXTBOOK),
    )
    unfiled.lacks("revenue_declared")


def _scores(bank: Bank) -> None:
    firm = bank.company("scored")
    before = filed(firm, "2024-12-31", "2025-03-31", **BEFORE)
    now = filed(firm, "2025-12-31", "2026-03-01", **TEXTBOOK)
    # Z'' = 6.56 X1 + 3.26 X2 + 6.72 X3 + 1.05 X4
    # X1 = (450 - 250)/1,000 = 0.2    6.56 x 0.2  = 1.312
    # X2 = 200/1,000 = 0.2            3.26 x 0.2  = 0.652
    # X3 = 120/1,000 = 0.12           6.72 x 0.12 = 0.8064
    # X4 = 400/600 = 0.666667         1.05 x X4   = 0.7
    firm.expect("altman_z2", "3.4704", now)
    # DSRI = (200/1,000)/(120/800) = 0.2/0.15               1.333333 x  0.92  =  1.226667
    # GMI  = ((800 - 440)/800)/((1,000 - 600)/1,000)        1.125    x  0.528 =  0.594
    # AQI  = (1 - 950/1,000)/(1 - 900/1,000) = 0.05/0.1     0.5      x  0.404 =  0.202
    # SGI  = 1,000/800                                      1.25     x  0.892 =  1.115
    # DEPI = (60/(60 + 440))/(50/(50 + 450)) = 0.12/0.1     1.2      x  0.115 =  0.138
    # SGAI = (100/1,000)/(88/800) = 0.1/0.11                0.909091 x -0.172 = -0.156364
    # TATA = (60 - 40)/1,000                                0.02     x  4.679 =  0.09358
    # LVGI = (500/1,000)/(400/1,000)                        1.25     x -0.327 = -0.40875
    # sum 2.804133 - 4.84 = -2.035867
    firm.expect("beneish_m", "-2.0359", now, before)

    # Z' = .717 X1 + .847 X2 + 3.107 X3 + .420 X4 + .998 X5, of who makes something (GB/T 4754 C):
    # 0.1434 + 0.1694 + 0.37284 + 0.28 + 0.998 x 1,000/1,000 = 1.96364
    maker = bank.company("maker", industry_code="C13")
    maker.expect("altman_z1", "1.9636", filed(maker, "2025-12-31", "2026-03-01", **TEXTBOOK))
    firm.lacks("altman_z1")

    # Two years old on the day the newest statement ended, and a day younger.
    for name, born in (("two-years-old", "2023-12-31"), ("younger", "2024-01-01")):
        young = bank.company(name, incorporation_date=day(born))
        filed(young, "2024-12-31", "2025-03-31", **BEFORE)
        filed(young, "2025-12-31", "2026-03-01", **TEXTBOOK)
        if name == "younger":
            young.lacks("beneish_m")
        else:
            young.expect("beneish_m", "-2.0359")

    # Without costs of sales and depreciation those indexes are 1; nothing soft before: AQI is 1.
    # 1.226667 + 0.594 + 0.404 + 1.115 + 0.115 - 0.172 + 0.09358 - 0.40875 = 2.967497 - 4.84
    lines = {k: v for k, v in TEXTBOOK.items() if k not in ("sga", "depreciation")}
    part = bank.company("part-scored")
    filed(part, "2024-12-31", "2025-03-31", **BEFORE | {"securities": "160.00"})
    filed(part, "2025-12-31", "2026-03-01", **lines)
    part.expect("beneish_m", "-1.8725")
    # A margin below zero now, or nothing sold before: the index of it cannot be had, so no score.
    loss = bank.company("negative-margin")
    filed(loss, "2024-12-31", "2025-03-31", **BEFORE)
    filed(loss, "2025-12-31", "2026-03-01", **TEXTBOOK | {"cogs": "1100.00"})
    loss.lacks("beneish_m")
    # Equity below zero is a figure like another: 1.05 x -100/600 = -0.175; 2.7704 - 0.175 = 2.5954.
    deep = bank.company("negative-equity")
    filed(deep, "2025-12-31", "2026-03-01", **TEXTBOOK | {"equity": "-100.00"})
    deep.expect("altman_z2", "2.5954")
    # Without debts X4 has no denominator.
    pure = bank.company("no-debts")
    filed(pure, "2025-12-31", "2026-03-01", **TEXTBOOK | {"total_liabilities": "0.00"})
    pure.lacks("altman_z2")
    # Banks live of what would be distress elsewhere: neither score says anything of them.
    lender = bank.company("lender", industry_code="J66")
    filed(lender, "2024-12-31", "2025-03-31", **BEFORE)
    filed(lender, "2025-12-31", "2026-03-01", **TEXTBOOK)
    lender.lacks("altman_z2", "beneish_m")


def _groups(bank: Bank) -> None:
    def link(
        client: Client, other: str, relation: str, on: str = "2025-01-01", **share: str
    ) -> str:
        return client.add(RelationLinked, on, other_client_id=other, relation=relation, **share)

    # 1,000 to the mother, 200 to the daughter, which is named twice and counts once.
    mother, daughter = bank.company("mother"), bank.company("daughter")
    loans = lent(mother, "2025-01-01", "1000.00"), lent(daughter, "2025-01-01", "200.00")
    link(mother, "daughter", "GROUP")
    link(mother, "daughter", "GROUP", "2025-02-01", share="0.5")
    mother.expect("group_exposure", "1200.00", *loans)
    # The daughter is of the same group, though only the mother said so.
    daughter.expect("group_exposure", "1200.00", *loans)
    lone = bank.company("lone")
    loan = lent(lone, "2025-01-01", "70.00")
    lone.expect("group_exposure", "70.00", loan)
    bank.company("debtless").expect("group_exposure", "0.00")

    # Shares as last said.
    link(lone, "owner-b", "UBO", share="0.4")
    owners = link(lone, "owner-b", "UBO", "2025-06-01", share="0.3"), link(lone, "owner-a", "UBO")
    lone.expect("ubo_list", "owner-a:?;owner-b:0.3", *owners)

    # Two debtors name the same guarantor: 70 and 5.
    patron = bank.person("patron")
    debtor = bank.person("debtor")
    lent(debtor, "2025-01-01", "5.00")
    named = link(lone, "patron", "GUARANTOR"), link(debtor, "patron", "GUARANTOR")
    patron.expect("guarantees_given", "75.00", *named)
    debtor.lacks("guarantees_given")


def _balances(bank: Bank) -> None:
    # 31 December 2024: 100; 31 December 2025: 130, the balance of the 20th.
    firm = bank.company("balanced")
    begin = firm.balance("2024-12-31", "100.00")
    firm.balance("2025-06-01", "500.00")
    end = firm.balance("2025-12-20", "130.00")
    firm.balance("2026-02-01", "7.00")
    filed(firm, "2025-12-31", "2026-03-01", **TEXTBOOK)
    firm.expect("bank_balance_change", "30.00", begin, end)
    # The balance has not moved for a year: a change of nothing.
    idle = bank.company("idle")
    only = idle.balance("2024-06-01", "100.00")
    filed(idle, "2025-12-31", "2026-03-01", **TEXTBOOK)
    idle.expect("bank_balance_change", "0.00", only)
    # Two accounts of that year: what was there at its beginning nobody knows.
    new = bank.company("new-accounts", account="2025-03-01")
    new.open("A2", "2025-06-01")
    new.balance("2025-03-01", "100.00")
    new.balance("2025-06-01", "100.00", "A2")
    filed(new, "2025-12-31", "2026-03-01", **TEXTBOOK)
    new.lacks("bank_balance_change")


def _forecast(bank: Bank) -> None:
    # 100 now, 300 out in six months: 50 a month, 150 in three; 100 - 150 = -50.
    short = bank.company("short-of-cash")
    now = short.balance("2026-03-31", "100.00")
    out = short.debit("2026-03-01", "300.00")
    short.expect("cash_gap_forecast_90d", "-50.00", now, out)
