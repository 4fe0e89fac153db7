"""What the client has with the bank, day by day. The window has 90 days: January 31, February 28,
March 31."""

from __future__ import annotations

from lifecycle.events import product
from tests.unit.attributes.bank import Bank, Client, at


def cases(bank: Bank) -> None:
    _one_account(bank)
    _trend(bank)
    _several_accounts(bank)
    _overdrafts(bank)
    _chains(bank)
    _salaries(bank)


def bought(client: Client, sale: str, what: str, amount: str, on: str, risk: str = "R2") -> str:
    return client.add(
        product.ProductSold,
        on,
        sale_id=sale,
        product_id=what,
        product_risk=risk,
        amount=amount,
        disclosure_ack_id="D1",
        suitability_check_id="S1",
        initiated_by="CLIENT",
    )


def _one_account(bank: Bank) -> None:
    # 31 days of 1,000, from a balance of December, and 59 days of 500.
    saver = bank.person("saver")
    older = saver.balance("2025-12-01", "1000.00")
    newest = saver.balance("2026-02-01", "500.00")
    held = bought(saver, "saver-S1", "TD-1", "200.00", "2026-03-01")
    saver.expect("aum", "700.00", newest, held)
    # (31 x 1,000 + 59 x 500)/90 = 60,500/90 = 672.22, and 200 held.
    saver.expect("aum_90d", "872.22", older, newest)
    saver.expect("min_balance_90d", "500.00", newest)
    # Two values 500 apart, shares 31/90 and 59/90: deviation 500 x sqrt(31 x 59)/90 = 237.59;
    # 237.59/672.22 = 0.3534.
    saver.expect("balance_cv_90d", "0.3534", older, newest)
    # 59 of 90 days are at 500: the lowest tenth is.
    saver.expect("balance_p10_90d", "500.00", older, newest)

    # Ten days, 1 to 10: the tenth part lies 0.9 of a step above the lowest, 1.9 (linear).
    rising = bank.person("rising", account="2026-03-22")
    steps = [rising.balance(f"2026-03-{21 + n}", f"{n}.00") for n in range(1, 11)]
    rising.expect("balance_p10_90d", "1.90", *steps)
    rising.lacks("aum_trend")
    # One day says nothing of how much it varies.
    single = bank.person("one-day", account="2026-03-31")
    single.balance("2026-03-31", "10.00")
    single.lacks("balance_cv_90d", "aum_trend")

    # The newest snapshot of a day wins; other kinds of balances are none.
    twice = bank.person("twice-a-day")
    twice.balance("2026-03-01", "10.00", time=at("2026-03-01T09:00"))
    last = twice.balance("2026-03-01", "30.00", time=at("2026-03-01T15:00"))
    twice.expect("min_balance_90d", "30.00", last)
    twice.expect("aum", "30.00", last)


def _trend(bank: Bank) -> None:
    # 100 for 45 days, 200 for 45 days. The step h = ln 2 makes a covariance with the day's number of
    # h x (67 - 44.5)/2 = 11.25 h; the variance of 0..89 is (90^2 - 1)/12 = 674.9167.
    # 11.25 x 0.693147 = 7.797905; /674.916667 x 90 = 1.039849.
    doubled = bank.person("doubled")
    steps = doubled.balance("2026-01-01", "100.00"), doubled.balance("2026-02-15", "200.00")
    doubled.expect("aum_trend", "1.0398", *steps)
    halved = bank.person("halved")
    halved.balance("2026-01-01", "200.00")
    halved.balance("2026-02-15", "100.00")
    halved.expect("aum_trend", "-1.0398")
    # From 2 March there are thirty days, from 3 March there are too few.
    thirty = bank.person("thirty-days", account="2026-03-02")
    thirty.balance("2026-03-02", "100.00")
    thirty.expect("aum_trend", "0.0000")
    fewer = bank.person("fewer-days", account="2026-03-03")
    fewer.balance("2026-03-03", "100.00")
    fewer.lacks("aum_trend")


def _several_accounts(bank: Bank) -> None:
    # Two accounts, 100 and 50 in all days; a third in dollars is added as it was booked.
    rich = bank.person("three-accounts")
    rich.open("A2", "2024-01-01", "SVGS")
    rich.open("A3", "2024-01-01", currency="USD")
    own = (
        rich.balance("2026-01-01", "100.00"),
        rich.balance("2026-01-01", "50.00", "A2"),
        rich.balance("2026-01-01", "7.00", "A3", currency="USD"),
    )
    rich.expect("aum", "157.00", *own)
    rich.expect("aum_90d", "157.00", *own)
    rich.expect("min_balance_90d", "7.00", own[2])

    # Closed on 1 February with 900 in it, and no snapshot after: it counts for January's 31 days
    # and no longer. A1 has 100 all the time: (90 x 100 + 31 x 900)/90 = 410.
    leaving = bank.person("closed-account")
    leaving.open("A2", "2024-01-01")
    stays = leaving.balance("2026-01-01", "100.00")
    gone = leaving.balance("2026-01-01", "900.00", "A2")
    leaving.close("A2", "2026-02-01")
    leaving.expect("aum", "100.00", stays)
    leaving.expect("aum_90d", "410.00", stays, gone)
    # Closed before the window: there is nothing left to say.
    left = bank.person("closed-long-ago")
    left.balance("2025-06-01", "900.00")
    left.close("A1", "2025-12-01")
    left.lacks("aum", "aum_90d", "min_balance_90d", "balance_p10_90d", "overdraft_days_90d")


def _overdrafts(bank: Bank) -> None:
    # Below zero from 1 to 3 March on one account and on 3 and 4 March on the other: four days.
    below = bank.person("overdrawn")
    below.open("A2", "2024-01-01")
    below.balance("2026-01-01", "10.00")
    below.balance("2026-01-01", "10.00", "A2")
    red = [below.balance("2026-03-01", "-50.00")]
    below.balance("2026-03-04", "0.00")
    red.append(below.balance("2026-03-03", "-5.00", "A2"))
    last = below.balance("2026-03-05", "20.00", "A2")
    below.expect("overdraft_days_90d", "4", *red, newest=last)
    below.expect("min_balance_90d", "-50.00", red[0])
    # In the red on every day until today, on both: ninety days, not twice as many.
    deep = bank.person("deep-red")
    deep.open("A2", "2024-01-01")
    both = deep.balance("2025-12-01", "-1.00"), deep.balance("2025-12-01", "-2.00", "A2")
    deep.expect("overdraft_days_90d", "90", *both)
    never = bank.person("never-red")
    last = never.balance("2026-03-01", "0.00")
    never.expect("overdraft_days_90d", "0", last)


def _chains(bank: Bank) -> None:
    # 100, then -30 should leave 70 and the source says 60; the day closes at 55.
    broken = bank.person("broken-chain")
    broken.credit("2026-03-01", "100.00", balance_after="100.00", time=at("2026-03-01T09:00"))
    gap = broken.debit("2026-03-01", "30.00", balance_after="60.00", time=at("2026-03-01T10:00"))
    fee = broken.debit(
        "2026-03-02",
        "1.00",
        balance_after="59.00",
        time=at("2026-03-02T10:00"),
        initiator="BANK",
    )
    broken.balance("2026-03-01", "55.00")
    broken.balance("2026-03-02", "59.01")
    assert fee
    broken.expect("balance_chain_gap", "10.00", gap)
    broken.expect("balance_snapshot_gap", "5.00", gap)
    whole = bank.person("whole-chain")
    whole.credit("2026-03-01", "0.10", balance_after="0.10", time=at("2026-03-01T09:00"))
    whole.credit("2026-03-01", "0.20", balance_after="0.30", time=at("2026-03-01T10:00"))
    whole.balance("2026-03-01", "0.30")
    whole.expect("balance_chain_gap", "0.00")
    whole.expect("balance_snapshot_gap", "0.00")
    # One entry has none before it.
    short = bank.person("one-entry")
    short.credit("2026-03-01", "1.00", balance_after="9.00")
    short.lacks("balance_chain_gap", "balance_snapshot_gap")


def _salaries(bank: Bank) -> None:
    # 1,000 on 5 March; 100 is a tenth of it and not less; on 10 March 99.99 are left: five days.
    paid = bank.person("spends-fast")
    paid.balance("2026-03-01", "50.00")
    paid.credit("2026-02-05", "900.00", purpose="SALA", partner="e")
    salary = paid.credit("2026-03-05", "1000.00", purpose="SALA", partner="e")
    paid.balance("2026-03-05", "1050.00")
    paid.balance("2026-03-08", "100.00")
    paid.balance("2026-03-10", "99.99")
    paid.expect("salary_to_zero_days", "5", salary)
    kept = bank.person("keeps-it")
    kept.credit("2026-03-05", "1000.00", purpose="SALA", partner="e")
    kept.balance("2026-03-05", "1000.00")
    kept.lacks("salary_to_zero_days")
    # Two salaries on one day: the newest in time, 1,000, is the one looked at, whatever came first.
    two = bank.person("two-salaries")
    two.credit("2026-03-05", "10.00", purpose="SALA", partner="a", time=at("2026-03-05T10:00"))
    newest = two.credit(
        "2026-03-05", "1000.00", purpose="SALA", partner="b", time=at("2026-03-05T11:00")
    )
    two.balance("2026-03-05", "1010.00")
    two.balance("2026-03-07", "90.00")
    two.expect("salary_to_zero_days", "2", newest)
