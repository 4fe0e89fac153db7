"""Entries and balances as every attribute needs them: what is a client's own doing, what is not.

Interest, fees and penalties are the bank's; an entry that was reversed, its opposite, and money that
only moves between a client's own accounts are nobody's income or spending. A day without entries
keeps the balance of the day before.
"""

from __future__ import annotations

import datetime as dt

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, foremost, latest
from lifecycle.clients.facts import Facts
from lifecycle.errors import UsageError

POSTED = "bank.account.transaction_posted.v1"
REVERSED = "bank.account.transaction_reversed.v1"
OPENED = "bank.account.opened.v1"
CLOSED = "bank.account.closed.v1"
SNAPSHOT = "bank.account.balance_snapshot.v1"


def customer_entries(facts: Facts, figures: Figures, first: dt.date) -> ir.Table:
    """Booked entries from a business date on that a customer or a payer made: no interest, fees,
    penalties, reversals, nor money between the client's own accounts. Raises UsageError for a date from
    before the entries a night reads."""
    apart, horizon = int(figures["own_transfer_days"].value), _horizon(facts, figures)
    if first < horizon + dt.timedelta(days=apart):
        raise UsageError(
            f"An attribute asks for the entries since {first}, and a night of {facts.business_date} "
            f"reads those since {horizon}: raise entries_days in rules/profile.yaml."
        )
    entries = facts.once(
        "customer_entries",
        lambda: _of_customers(booked(facts, figures), facts, figures),
    )
    return entries.filter(_.business_date >= first)


def customer_entries_among(posted: ir.Table, facts: Facts, figures: Figures) -> ir.Table:
    """The same of some posted facts, however old."""
    return _of_customers(_booked(posted, facts), facts, figures)


def _of_customers(
    entries: ir.Table, facts: Facts, figures: Figures, among: ir.Table | None = None
) -> ir.Table:
    """Entries that are no bank's and no own transfer, whose opposite is `among` some, else among them."""
    own = entries.filter(_.initiator != "BANK")
    others = own if among is None else among.filter(_.initiator != "BANK")
    return _without_own_transfers(own, others, facts, int(figures["own_transfer_days"].value))


def income_entries(facts: Facts, figures: Figures) -> ir.Table:
    """Entries of all times that say they are salary or pension, own transfers left out. There are few,
    so that reading them from the whole log costs little."""
    purposes = list(figures["income_purposes"].value)

    def found() -> ir.Table:
        posted = facts.table(POSTED)
        # The opposite of what is called a salary need not be called one.
        of_several = posted.semi_join(_several_accounts(facts), "client")
        among = _booked(of_several, facts)
        paid = _booked(posted.filter(_.purpose.isin(purposes)), facts)
        return _of_customers(paid, facts, figures, among)

    return facts.once("income_entries", found)


def booked(facts: Facts, figures: Figures) -> ir.Table:
    """Booked entries of the window a night reads that stand: no reversal, and nothing that was
    reversed. `number` is the amount as a float, `partner` who is on the other side, `category` the kind
    of merchant."""
    horizon = _horizon(facts, figures)
    return facts.once(
        "booked",
        lambda: _booked(facts.table(POSTED).filter(_.business_date >= horizon), facts),
    )


def all_booked(facts: Facts) -> ir.Table:
    """The same of all times: for who needs few of their rows or columns."""
    return _booked(facts.table(POSTED), facts)


def _horizon(facts: Facts, figures: Figures) -> dt.date:
    """The first business date whose entries a night reads: what is older costs it nothing."""
    return facts.since(int(figures["entries_days"].value))


def _booked(posted: ir.Table, facts: Facts) -> ir.Table:
    reversed_ = facts.table(REVERSED)
    standing = posted.filter(posted.status == "BOOK", ~posted.reversal)
    cancelled = [
        standing.account_id == reversed_.account_id,
        standing.transaction_id == reversed_.original_transaction_id,
    ]
    entries = standing.anti_join(reversed_, cancelled)
    return entries.select(
        "client",
        "event_id",
        "time",
        "position",
        "business_date",
        "account_id",
        "credit_debit_indicator",
        "amount",
        "currency",
        "initiator",
        "purpose",
        "is_cash",
        "is_cross_border",
        "balance_after",
        number=entries.amount.cast("float64"),
        bank_id=entries.counterparty["bank_id"],
        name_hash=entries.counterparty["name_hash"],
        account_hash=entries.counterparty["account_hash"],
        partner=ibis.coalesce(
            entries.counterparty["name_hash"], entries.counterparty["account_hash"]
        ),
        partner_country=entries.counterparty["country"],
        partner_type=entries.counterparty["type"],
        category=ibis.coalesce(entries.merchant_details["merchant_category_code"], entries.mcc),
    )


def flows(facts: Facts, figures: Figures, first: dt.date, end: dt.date) -> ir.Table:
    """Customer entries of the business dates [first, end) without disbursements of loans, and without
    money that goes into products or comes back from them."""
    borrowed = list(figures["flow_excluded_credit_purposes"].value)
    invested = list(figures["flow_excluded_purposes"].value)
    entries = customer_entries(facts, figures, first).filter(_.business_date < end)
    lent = (entries.credit_debit_indicator == "CRDT") & entries.purpose.isin(borrowed)
    moved = entries.purpose.isin(invested)
    return entries.filter(~(lent | moved).fill_null(False))


def first_full_month(facts: Facts) -> ir.Table:
    """(client_id, event_id, time, first_month): the first month that lies wholly behind the opening
    of a client's first account, and the fact that says so."""
    return facts.once("first_full_month", lambda: _first_full_month(facts))


def _first_full_month(facts: Facts) -> ir.Table:
    opened = foremost(facts.table(OPENED), "client", _.opened_date, _.time)
    month = opened.opened_date.truncate("M")
    return opened.select(
        "event_id",
        "time",
        client_id="client",
        first_month=ibis.ifelse(
            month == opened.opened_date, month, month + ibis.interval(months=1)
        ).cast("date"),
    )


def in_whole_months(entries: ir.Table, facts: Facts) -> ir.Table:
    """Entries without those of a partial first month of their client."""
    began = first_full_month(facts)
    return entries.semi_join(
        began,
        [entries.client == began.client_id, entries.business_date >= began.first_month],
    )


def spans(facts: Facts, days: int) -> ir.Table:
    """Closing balances within the last `days` as spans of unchanged balance, none of which outlasts its
    account: (client, account_id, event_id, time, balance, start, until, days), both signs, `until`
    excluded."""
    return facts.once(f"spans_{days}", lambda: spans_of(balances(facts, days), facts, days))


def spans_of(snapshots: ir.Table, facts: Facts, days: int) -> ir.Table:
    """The same of closing balances as `closing_balances` gives them."""
    closed = facts.table(CLOSED).group_by("account_id").agg(closed_date=_.closed_date.min())
    snapshots = snapshots.left_join(closed, "account_id").drop("account_id_right")
    followed = ibis.coalesce(
        snapshots.business_date.lead().over(
            ibis.window(group_by=snapshots.account_id, order_by=snapshots.business_date)
        ),
        ibis.literal(facts.business_date + dt.timedelta(days=1)),
    )
    until = ibis.least(followed, ibis.coalesce(snapshots.closed_date, followed))
    start = ibis.greatest(snapshots.business_date, ibis.literal(facts.since(days)))
    return (
        snapshots
        .mutate(start=start, until=until)
        .mutate(days=lambda t: t.until.delta(t.start, unit="day"))
        .filter(_.days > 0)
        .select(
            "client",
            "account_id",
            "event_id",
            "time",
            "balance",
            "start",
            "until",
            "days",
        )
    )


def daily_balances(facts: Facts, days: int) -> ir.Table:
    """One row per client and day of the last `days` that an account of the client has a balance:
    (client, day, balance) summed over the accounts."""
    return facts.once(f"daily_balances_{days}", lambda: _daily_balances(facts, days))


def _daily_balances(facts: Facts, days: int) -> ir.Table:
    return account_days(facts, days).group_by(["client", "day"]).agg(balance=_.balance.sum())


def account_days(facts: Facts, days: int) -> ir.Table:
    """The spans of the last `days` unfolded: a row with its `day` for each day of an account."""
    each = spans(facts, days)
    offsets = ibis.range(ibis.literal(0).cast("int64"), each.days.cast("int64"))
    unfolded = each.mutate(offset=offsets.unnest())
    day = unfolded.start + unfolded.offset.as_interval("D")
    return unfolded.mutate(day=day.cast("date"))


def balances(facts: Facts, days: int) -> ir.Table:
    """Closing booked balances of the last `days`, and the newest one from before of every account."""
    return facts.once(
        f"balances_{days}", lambda: closing_balances(facts.table(SNAPSHOT), facts, days)
    )


def closing_balances(snapshots: ir.Table, facts: Facts, days: int) -> ir.Table:
    """The rows of `closing_snapshots` with `balance`, below zero when overdrawn."""
    each = closing_snapshots(snapshots, facts, days)
    sign = ibis.ifelse(each.credit_debit_indicator == "DBIT", -1.0, 1.0)
    balance = each.amount.cast("float64") * sign
    return each.mutate(balance=balance).drop("amount", "credit_debit_indicator")


def closing_snapshots(snapshots: ir.Table, facts: Facts, days: int) -> ir.Table:
    """(client, account_id, business_date, event_id, time, amount, credit_debit_indicator) of closing
    booked balances of the last `days`, the newest of a day, and the newest one from before of every
    account, which is the balance the window begins with."""
    closing = snapshots.filter(_.balance_type == "CLBD")
    first = facts.since(days)
    within = latest(closing.filter(_.business_date >= first), "account_id", "business_date")
    # The log before a window is long: an aggregate, not a window function.
    before = closing.filter(_.business_date < first)
    columns = ("business_date", "time", "position", "client", "event_id", "amount")
    names = (*columns, "credit_debit_indicator")
    row = ibis.struct({name: before[name] for name in names})
    newest = before.group_by("account_id").agg(row=row.max())
    carried = newest.select("account_id", **{name: newest.row[name] for name in names})
    wanted = [name for name in ("account_id", *names) if name != "position"]
    return within.select(wanted).union(carried.select(wanted))


def _several_accounts(facts: Facts) -> ir.Table:
    """(client) of who has more than one account: only they can move money between them."""
    return facts.once(
        "several_accounts",
        lambda: (
            facts
            .table(OPENED)
            .group_by(client="client")
            .having(_.account_id.nunique() > 1)
            .agg(accounts=_.account_id.nunique())
        ),
    )


def _without_own_transfers(entries: ir.Table, among: ir.Table, facts: Facts, days: int) -> ir.Table:
    """Leaves out entries to an account the source calls the client's own, and entries of which
    another account of the client has the opposite `among` some, so called or not: same amount, within
    `days`, and not cash."""
    named = entries.partner_type == "OWN"
    others = entries.filter(~named.fill_null(False))
    several = _several_accounts(facts)
    moved = others.filter(~others.is_cash).semi_join(several, "client")
    other = among.filter(~among.is_cash).semi_join(several, "client").view()
    apart = moved.business_date.delta(other.business_date, unit="day")
    opposite = moved.semi_join(
        other,
        [
            moved.client == other.client,
            moved.amount == other.amount,
            moved.currency == other.currency,
            moved.account_id != other.account_id,
            moved.credit_debit_indicator != other.credit_debit_indicator,
            apart <= days,
            apart >= -days,
        ],
    )
    return others.anti_join(opposite, "event_id")
