"""What the client earns."""

from __future__ import annotations

from lifecycle.events import client as said
from lifecycle.events import credit
from tests.unit.attributes.bank import Bank, day

MONTHS = ("2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03")


def cases(bank: Bank) -> None:
    _recurring(bank)
    _not_recurring(bank)
    _partial_month(bank)
    _stability(bank)
    _payers(bank)
    _applications(bank)


def _recurring(bank: Bank) -> None:
    # Salary 10,000 and once 12,000; rent of 2,000 from a tenant; a gift of 5,000 came once.
    # Months: five of 12,000 and one of 14,000; the median is 12,000. Declared: 15,000.
    earner = bank.person("earner")
    steady = []
    for month in MONTHS:
        salary = "12000.00" if month == "2026-03" else "10000.00"
        steady.append(earner.credit(f"{month}-10", salary, purpose="SALA", partner="employer"))
        steady.append(earner.credit(f"{month}-05", "2000.00", partner="tenant"))
    earner.credit("2026-02-20", "5000.00", partner="aunt")
    said_so = earner.add(said.ProfileDeclared, "2025-06-01", declared_income_monthly="15000.00")
    earner.expect("income_observed_monthly", "12000.00", *steady)
    earner.expect("income_months", "6", *steady)
    earner.expect("income_declared_monthly", "15000.00", said_so)
    earner.expect("income_gap_ratio", "0.8000")  # 12,000/15,000
    modest = bank.person("modest")
    wages = [modest.credit(f"{month}-10", "300.00", purpose="SALA") for month in MONTHS[3:]]
    more = modest.add(said.ProfileDeclared, "2025-06-01", declared_income_monthly="400.00")
    modest.expect("income_gap_ratio", "0.7500", *wages, more)  # 300/400

    # Weekly wages of a closed half-year are more than twenty: the sources stop there.
    weekly = bank.person("weekly")
    for month in MONTHS:
        for date in ("01", "02", "03", "05"):
            weekly.credit(f"{month}-{date}", "500.00", purpose="SALA")
    weekly.expect("income_observed_monthly", "2000.00")
    # The employer changed, the purpose is the same: it recurs.
    changed = bank.person("changed-employer")
    for month, employer in zip(MONTHS, ("a", "a", "b", "b", "c", "c"), strict=True):
        changed.credit(f"{month}-10", "800.00", purpose="SALA", partner=employer)
    changed.expect("income_observed_monthly", "800.00")


def _not_recurring(bank: Bank) -> None:
    def paid(name: str, *entries: tuple[str, str]) -> None:
        client = bank.person(name)
        for on, amount in entries:
            client.credit(on, amount, partner="payer")
        found.append(client)

    found: list = []
    paid("twice-only", ("2026-01-10", "100.00"), ("2026-02-10", "100.00"))
    # Days 1 to 7 of the month are 6 apart.
    paid("days-apart", ("2026-01-01", "100.00"), ("2026-02-04", "100.00"), ("2026-03-07", "100.00"))
    # Mean 1333.33, deviation 471.40: a variation of 0.3536, above 0.35.
    paid("uneven", ("2026-01-10", "1000.00"), ("2026-02-10", "1000.00"), ("2026-03-10", "2000.00"))
    # The first of the three is older than six closed months.
    paid("too-old", ("2025-09-30", "100.00"), ("2026-02-27", "100.00"), ("2026-03-30", "100.00"))
    for client in found:
        client.lacks("income_observed_monthly", "income_months", "income_gap_ratio", "dsti")
    found.clear()

    # Mean 1316.67, deviation 447.83: 0.3401; days 2 to 7 are 5 apart.
    paid(
        "just-even", ("2026-01-02", "1000.00"), ("2026-02-04", "1000.00"), ("2026-03-07", "1950.00")
    )
    found.pop().expect("income_observed_monthly", "1000.00")

    # Half the money of each month comes from the client's own savings: it is no income.
    saver = bank.person("own-payer")
    for month in MONTHS:
        saver.credit(f"{month}-10", "100.00", partner="self", partner_type="OWN")
    saver.lacks("income_observed_monthly")


def _partial_month(bank: Bank) -> None:
    # The account is there since 15 December: of December only half was seen, so it does not count.
    # January to March: 1,000, 1,200 and 1,200, the median is 1,200. With December it were 1,100.
    moved = bank.person("moved-in", account="2025-12-15")
    moved.credit("2025-12-20", "1000.00", purpose="SALA")
    seen = [
        moved.credit("2026-01-20", "1000.00", purpose="SALA"),
        moved.credit("2026-02-20", "1200.00", purpose="SALA"),
        moved.credit("2026-03-20", "1200.00", purpose="SALA"),
    ]
    moved.expect("income_observed_monthly", "1200.00", *seen)
    moved.expect("income_months", "3", *seen)


def _stability(bank: Bank) -> None:
    # Whole months since 15 November: December to March, 1,000, 1,000, 2,000 and nothing.
    # Mean 1,000; mean of squares (1 + 1 + 4 + 0)/4 = 1.5 million, variance 0.5 million,
    # deviation 707.1068; 1 - 0.7071 = 0.2929.
    uneven = bank.person("uneven-year", account="2025-11-15")
    uneven.credit("2025-11-20", "9000.00", partner="p")
    seen = [
        uneven.credit("2025-12-10", "1000.00", partner="p"),
        uneven.credit("2026-01-10", "1000.00", partner="p"),
        uneven.credit("2026-02-10", "2000.00", partner="p"),
    ]
    uneven.expect("income_stability", "0.2929", *seen)
    even = bank.person("even-year", account="2025-12-31")
    for month in ("2026-01", "2026-02", "2026-03"):
        even.credit(f"{month}-10", "700.00", partner="p")
    even.expect("income_stability", "1.0000")
    # A single payment in twelve months: the deviation is the square root of 11 means, so zero.
    once = bank.person("once-a-year")
    once.credit("2025-08-10", "700.00")
    once.expect("income_stability", "0.0000")
    short = bank.person("two-months", account="2026-01-02")
    short.credit("2026-02-10", "700.00")
    short.credit("2026-03-10", "700.00")
    short.lacks("income_stability")


def _payers(bank: Bank) -> None:
    # First of employer c on 31 March 2025: twelve months to the day.
    worker = bank.person("worker")
    older = worker.credit("2024-02-10", "900.00", purpose="SALA", partner="a")
    first = worker.credit("2024-04-01", "900.00", purpose="SALA", partner="b")
    start = worker.credit("2025-03-31", "950.00", purpose="SALA", partner="c")
    newest = worker.credit("2026-03-10", "950.00", purpose="SALA", partner="c")
    worker.expect("job_stability_months", "12", start, newest)
    # Employer a paid before the two years began on 1 April 2024: b, then c.
    assert older != first
    worker.expect("payer_changes_24m", "1", first, start, newest)
    worker.expect("salary_payer", "c", newest)

    # From 15 January to 31 March are two months and a half.
    fresh = bank.person("fresh")
    fresh.credit("2026-01-15", "900.00", purpose="PENS")
    fresh.expect("job_stability_months", "2")
    fresh.expect("payer_changes_24m", "0")
    fresh.lacks("salary_payer")
    one_day_less = bank.person("one-day-less")
    one_day_less.credit("2025-12-31", "900.00", purpose="SALA", partner="e")
    one_day_less.expect("job_stability_months", "3")
    one_day_less.expect("job_stability_months", "1", as_of=day("2026-02-28"))


def _applications(bank: Bank) -> None:
    asked = bank.person("applicant")

    def apply(number: str, on: str, income: str | None) -> str:
        return asked.add(
            credit.ApplicationSubmitted,
            on,
            application_id=number,
            product_code="LOAN",
            requested_amount="1000.00",
            term_months=12,
            declared_income_monthly=income,
        )

    apply("P1", "2025-05-01", "8000.00")
    relied = apply("P2", "2025-06-01", "9000.00")
    apply("P3", "2025-07-01", None)
    asked.expect("application_income_declared", "9000.00", relied)
    old = bank.person("old-applicant")
    old.add(
        credit.ApplicationSubmitted,
        "2025-03-31",
        application_id="P4",
        product_code="LOAN",
        requested_amount="1000.00",
        term_months=12,
        declared_income_monthly="9000.00",
    )
    old.lacks("application_income_declared")
