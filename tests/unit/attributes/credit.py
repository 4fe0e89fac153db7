"""What the client owes here and elsewhere."""

from __future__ import annotations

from typing import Any

from lifecycle.events import credit
from tests.unit.attributes.bank import Bank, Client, at, day


def cases(bank: Bank) -> None:
    _loans(bank)
    _lateness(bank)
    _lines(bank)
    _service(bank)
    _bureau(bank)
    _purposes(bank)


def lent(client: Client, on: str, amount: str, loan: str = "L1", **fields: Any) -> str:
    return client.add(
        credit.CreditDisbursed,
        on,
        facility_id=f"{client.name}-{loan}",
        tranche_no=fields.pop("tranche", 1),
        amount=amount,
        **fields,
    )


def due(client: Client, number: int, on: str, total: str = "500.00", loan: str = "L1") -> str:
    return client.add(
        credit.RepaymentDue,
        on,
        facility_id=f"{client.name}-{loan}",
        instalment_no=number,
        due_date=day(on),
        principal=total,
        total=total,
    )


def paid(client: Client, on: str, amount: str = "500.00", loan: str = "L1") -> str:
    return client.add(
        credit.RepaymentMade,
        on,
        facility_id=f"{client.name}-{loan}",
        payment_id=f"{client.name}-{on}",
        paid_at=at(f"{on}T12:00"),
        amount=amount,
        allocation=credit.Allocation(principal=amount),
    )


def settled(client: Client, on: str, loan: str = "L1") -> str:
    return client.add(
        credit.CreditSettled, on, facility_id=f"{client.name}-{loan}", settled_date=day(on)
    )


def _loans(bank: Bank) -> None:
    # 6,000 lent, 500 paid; the instalment of 1 March is 30 days late on the 31st: beyond 7 days
    # (special mention, hence stage 2), not beyond the 30 of stage 2 itself.
    late = bank.person("late-payer")
    lent(late, "2025-12-15", "6000.00")
    due(late, 1, "2026-02-01")
    paid(late, "2026-02-01")
    unpaid = due(late, 2, "2026-03-01")
    late.expect("exposures", "5500.00", unpaid)
    late.expect("days_past_due", "30", unpaid)
    late.expect("stage", "2", unpaid)
    late.expect("five_tier", "SPECIAL_MENTION", unpaid)
    late.expect("max_dpd_12m", "30", unpaid)
    late.expect("instalments_monthly", "500.00", unpaid)

    # Two loans: the worse one gives class and stage, both give the exposure.
    worse = bank.person("two-loans")
    good = lent(worse, "2025-01-01", "1000.00", "L1")
    lent(worse, "2025-01-01", "2000.00", "L2")
    bad = due(worse, 1, "2025-12-30", "50.00", "L2")  # 91 days before the end of March
    worse.expect("exposures", "3000.00", good, bad)
    worse.expect("days_past_due", "91", good, bad)
    worse.expect("stage", "3")
    worse.expect("five_tier", "SUBSTANDARD")
    worse.expect("five_tier", "SPECIAL_MENTION", as_of=day("2026-03-01"))

    done = bank.person("all-paid")
    lent(done, "2025-01-01", "1000.00")
    settled(done, "2025-06-01")
    done.expect("exposures", "0.00", done.registration)
    done.expect("instalments_monthly", "0.00", done.registration)
    done.lacks("days_past_due", "stage", "five_tier")


def _lateness(bank: Bank) -> None:
    # Due 1 May, paid 21 May: 20 days. What was paid before April 2025 is too long ago.
    slow = bank.person("slow-payer")
    lent(slow, "2024-01-01", "6000.00")
    due(slow, 1, "2025-01-01")
    paid(slow, "2025-03-31")
    late = due(slow, 2, "2025-05-01")
    paid(slow, "2025-05-21")
    slow.expect("max_dpd_12m", "20", late)
    # Paid in two parts: the second one counts. The first money pays the oldest.
    parts = bank.person("in-parts")
    lent(parts, "2025-01-01", "6000.00")
    first = due(parts, 1, "2026-01-01")
    paid(parts, "2026-01-01", "300.00")
    paid(parts, "2026-01-11", "200.00")
    parts.expect("max_dpd_12m", "10", first)
    never = bank.person("never-late")
    loan = lent(never, "2025-01-01", "6000.00")
    due(never, 1, "2026-01-01")
    paid(never, "2026-01-01")
    never.expect("max_dpd_12m", "0", loan)


def _lines(bank: Bank) -> None:
    def drawn(client: Client, on: str, amount: str, limit: str, line: str = "L1") -> str:
        return client.add(
            credit.UtilisationSnapshot,
            on,
            facility_id=f"{client.name}-{line}",
            limit=limit,
            drawn=amount,
        )

    # (300 + 500)/(1,000 + 1,000); of the first line the newest counts.
    used = bank.person("two-lines")
    drawn(used, "2026-01-01", "900.00", "1000.00")
    lines = (
        drawn(used, "2026-02-01", "300.00", "1000.00"),
        drawn(used, "2026-01-01", "500.00", "1000.00", "L2"),
    )
    used.expect("utilisation", "0.4000", *lines)
    none = bank.person("no-limit")
    drawn(none, "2026-01-01", "0.00", "0.00")
    none.lacks("utilisation")
    # A line that was settled is none any more.
    gone = bank.person("line-settled")
    drawn(gone, "2026-01-01", "900.00", "1000.00")
    settled(gone, "2026-02-01")
    kept = drawn(gone, "2026-01-01", "100.00", "1000.00", "L2")
    gone.expect("utilisation", "0.1000", kept)


def _service(bank: Bank) -> None:
    # Income 5,000 in each of three months; instalments 500 and 250: 750/5,000 = 0.15. The loan
    # that was settled asks for nothing more, the instalment of April for nothing yet.
    owing = bank.person("owing")
    salary = [
        owing.credit(f"2026-0{n}-10", "5000.00", purpose="SALA", partner="e") for n in (1, 2, 3)
    ]
    for loan in ("L1", "L2", "L3"):
        lent(owing, "2025-01-01", "9000.00", loan)
    due(owing, 1, "2026-02-01", "400.00", "L1")
    first = due(owing, 2, "2026-03-01", "500.00", "L1")
    second = due(owing, 1, "2026-03-05", "250.00", "L2")
    due(owing, 1, "2026-03-05", "9000.00", "L3")
    settled(owing, "2026-03-10", "L3")
    owing.expect("instalments_monthly", "750.00", first, second)
    owing.expect("dsti", "0.1500", *salary, first, second)
    free = bank.person("owes-nothing")
    wages = [free.credit(f"2026-0{n}-10", "10.00", purpose="SALA") for n in (1, 2, 3)]
    free.expect("dsti", "0.0000", free.registration, *wages)


def _bureau(bank: Bank) -> None:
    asked = bank.person("asked-about")

    def inquire(number: str, on: str, *, hard: bool = True) -> str:
        return asked.add(
            credit.BureauInquiry,
            on,
            inquiry_id=number,
            inquirer_type="BANK",
            purpose="LOAN",
            consent_id="X",
            hard=hard,
        )

    inquire("Q1", "2025-09-30")
    hard = inquire("Q2", "2025-10-01"), inquire("Q3", "2026-03-31")
    inquire("Q4", "2026-03-01", hard=False)
    asked.expect("credit_inquiries_6m", "2", *hard)
    quiet = bank.person("never-asked")
    quiet.expect("credit_inquiries_6m", "0", quiet.registration)

    def report(number: str, on: str, debt: str, lenders: int) -> str:
        return asked.add(
            credit.BureauReportReceived,
            on,
            report_id=number,
            report_date=day(on),
            n_lenders=lenders,
            total_debt=debt,
            total_limit="0.00",
        )

    newest = report("B2", "2026-02-01", "45000.00", 3)
    report("B1", "2025-02-01", "90000.00", 7)
    asked.expect("bureau_total_debt", "45000.00", newest)
    asked.expect("bureau_lenders", "3", newest)


def _purposes(bank: Bank) -> None:
    # The newest loan is for a home. Of the payments of the 30 days after it the largest went to a
    # person; that of the 31st day and the client's own account do not count.
    spent = bank.person("spent")
    lent(spent, "2025-01-01", "10.00", "L1", declared_purpose_code="CAR")
    newest = lent(spent, "2026-02-01", "900.00", "L2", declared_purpose_code="HOME")
    spent.debit("2026-02-01", "100.00", partner="x", partner_type="COMPANY")
    largest = spent.debit("2026-03-03", "300.00", partner="y", partner_type="PERSON")
    spent.debit("2026-03-04", "500.00", partner="z", partner_type="GAMBLING")
    spent.debit("2026-02-02", "800.00", partner="me", partner_type="OWN")
    spent.debit("2026-01-31", "800.00", partner="z", partner_type="GAMBLING")
    spent.expect("loan_purpose", "HOME", newest)
    spent.expect("loan_payee_type", "PERSON", largest)
    # Paid out to the seller, not to the client.
    bound = bank.person("entrusted")
    lent(bound, "2026-02-01", "900.00", payment_mode="ENTRUSTED")
    bound.debit("2026-02-02", "100.00", partner="x", partner_type="COMPANY")
    bound.lacks("loan_payee_type", "loan_purpose")
