"""What every client looks like at the end of a business date, as the lifecycle's rules need it.

Only joins, aggregates and window functions, so that another engine than DuckDB runs it too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import reduce
from typing import Any

import ibis
import ibis.expr.types as ir
import msgspec
from ibis import _

from lifecycle.clients.attribute import Figures, latest, rounded
from lifecycle.clients.entries import all_booked, closing_snapshots
from lifecycle.clients.facts import Facts
from lifecycle.clients.lifecycle import Observation

REGISTERED = "bank.client.registered.v1"
KYC = "bank.client.kyc_updated.v1"
DECEASED = "bank.client.deceased.v1"
DISSOLVED = "bank.client.dissolved.v1"
OPENED = "bank.account.opened.v1"
CLOSED = "bank.account.closed.v1"
SNAPSHOT = "bank.account.balance_snapshot.v1"
CARD = "bank.card.issued.v1"
DISBURSED = "bank.credit.disbursed.v1"
SETTLED = "bank.credit.settled.v1"
SOLD = "bank.product.sold.v1"
REDEEMED = "bank.product.redeemed.v1"
MATURED = "bank.product.matured.v1"
INTERACTION = "bank.interaction.logged.v1"
COMPLAINT = "bank.complaint.raised.v1"
RESOLVED = "bank.complaint.resolved.v1"

EXACT = "decimal(38,4)"
MONEY = "decimal(18,2)"
SHARE = "decimal(18,4)"
SHARE_MAX = 1_000_000
"""A share of next to nothing says no more than this, and has to fit."""
YEAR = 365


def observations(facts: Facts, figures: Figures) -> ir.Table:
    """One row per registered client: client_id and the fields of `Observation`.

    A client's accounts are those whose facts its stream carries. Amounts of several currencies are
    added up as they are booked, as in the profile.
    """
    parts = (
        _ended(facts),
        _accounts(facts),
        _live_credit(facts),
        _product_held(facts),
        _kyc(facts),
        _entries(facts),
        _deposits(facts, figures),
        _salaries(facts, figures),
        _complaints(facts),
        _categories(facts),
        _interactions(facts),
    )
    joined = reduce(_beside, parts, _clients(facts))
    defaults = {"open_accounts": 0, "live_credit": False, "product_held": False}
    defaults |= {"cit_60d": 0, "cit_90d": 0, "salaries_missed": 0}
    # A feed that carries no KYC at all says nothing against a client.
    no_kyc = (facts.table(KYC).count() == 0).as_scalar()
    share = joined.moved_out / joined.aum_before.nullif(0)
    full = joined.mutate(
        **{name: ibis.coalesce(joined[name], value) for name, value in defaults.items()},
        kyc_complete=ibis.coalesce(joined.reviewed, False) | no_kyc,
        transfer_out_share=rounded(ibis.ifelse(share > SHARE_MAX, SHARE_MAX, share), 4).cast(SHARE),
        churn_pd=ibis.null(SHARE),
    )
    return full.select("client_id", *Observation.__struct_fields__)


def to_observation(row: Mapping[str, Any]) -> Observation:
    """A row of `observations`, as Arrow gives it. Raises msgspec.ValidationError for another."""
    return msgspec.convert(row, Observation)


def _beside(table: ir.Table, part: ir.Table) -> ir.Table:
    return table.left_join(part, "client_id").drop("client_id_right")


# --- who the client is ----------------------------------------------------------------------------


def _clients(facts: Facts) -> ir.Table:
    registered = facts.table(REGISTERED)
    return latest(registered, "client_id").select(
        "client_id", "client_type", registered=_.business_date
    )


def _ended(facts: Facts) -> ir.Table:
    died = facts.table(DECEASED).select("client_id", ended=_.deceased_date)
    dissolved = facts.table(DISSOLVED).select("client_id", ended=_.dissolved_date)
    over = died.union(dissolved).filter(_.ended <= facts.business_date)
    return over.group_by("client_id").agg(ended=_.ended.min())


def _kyc(facts: Facts) -> ir.Table:
    return facts.table(KYC).group_by("client_id").agg(reviewed=_.count() > 0)


def _interactions(facts: Facts) -> ir.Table:
    logged = facts.table(INTERACTION)
    return logged.group_by("client_id").agg(last_interaction=_.business_date.max())


def _complaints(facts: Facts) -> ir.Table:
    raised = facts.table(COMPLAINT).filter(_.severity == "HIGH")
    still_open = raised.anti_join(facts.table(RESOLVED), "complaint_id")
    return still_open.group_by("client_id").agg(complaint_open_since=_.business_date.min())


# --- what the client has --------------------------------------------------------------------------


def _accounts(facts: Facts) -> ir.Table:
    accounts = _opened_and_closed(facts)
    return accounts.group_by("client_id").agg(
        first_opened=_.opened_date.min(),
        last_opened=_.opened_date.max(),
        open_accounts=_.closed_date.isnull().sum(),
    )


def _opened_and_closed(facts: Facts) -> ir.Table:
    """(client_id, account_id, account_type, opened_date, closed_date), one row per account."""
    opened = facts.table(OPENED).filter(_.opened_date <= facts.business_date)
    opened = latest(opened, "account_id").select(
        "account_id", "account_type", "opened_date", client_id=_.client
    )
    closed = facts.table(CLOSED).filter(_.closed_date <= facts.business_date)
    closed = closed.group_by("account_id").agg(closed_date=_.closed_date.min())
    return opened.left_join(closed, "account_id").drop("account_id_right")


def _relation(facts: Facts) -> ir.Table:
    """(client_id, began): since when the client has had an account without a break. Who closed all its
    accounts and came back is not measured by what it had before."""
    accounts = _opened_and_closed(facts)
    until = ibis.coalesce(accounts.closed_date, ibis.literal(dt.date.max))
    earlier = ibis.window(
        group_by=accounts.client_id,
        order_by=[accounts.opened_date, accounts.account_id],
        preceding=(None, 1),
    )
    known = accounts.mutate(had_until=until.max().over(earlier))
    begun = known.filter(known.had_until.isnull() | (known.had_until < known.opened_date))
    return begun.group_by("client_id").agg(began=_.opened_date.max())


def _live_credit(facts: Facts) -> ir.Table:
    lent = facts.table(DISBURSED).anti_join(facts.table(SETTLED), "facility_id")
    return lent.group_by("client_id").agg(live_credit=_.count() > 0)


def _product_held(facts: Facts) -> ir.Table:
    redeemed = facts.table(REDEEMED).filter(_.complete)
    held = (
        facts.table(SOLD).anti_join(redeemed, "sale_id").anti_join(facts.table(MATURED), "sale_id")
    )
    return held.group_by("client_id").agg(product_held=_.count() > 0)


def _categories(facts: Facts) -> ir.Table:
    """When each client began to use the newest of its categories: the types of its accounts,
    cards, credit, investments."""
    used = ibis.union(
        _opened_and_closed(facts).select("client_id", category=_.account_type, day=_.opened_date),
        facts.table(CARD).select("client_id", category=ibis.literal("CARDS"), day=_.issued_date),
        *(
            facts.table(name).select("client_id", category=ibis.literal(name), day=_.business_date)
            for name in (DISBURSED, SOLD)
        ),
    )
    first = used.group_by(["client_id", "category"]).agg(day=_.day.min())
    return first.group_by("client_id").agg(newest_category=_.day.max())


# --- what the client does -------------------------------------------------------------------------


def _booked(facts: Facts) -> ir.Table:
    """Booked entries up to the date, without reversals and what they reversed."""
    return all_booked(facts).filter(_.business_date <= facts.business_date)


def _entries(facts: Facts) -> ir.Table:
    booked = _booked(facts)
    elsewhere = booked.bank_id.notnull() | ibis.coalesce(booked.partner_type == "OWN", False)
    entries = booked.mutate(
        by_client=booked.initiator == "CUSTOMER",
        funds=(booked.credit_debit_indicator == "CRDT") & (booked.initiator != "BANK"),
        leaves=(booked.credit_debit_indicator == "DBIT") & elsewhere,
    )

    def lately(days: int) -> Any:
        return _.by_client & (_.business_date >= facts.since(days))

    return entries.group_by(client_id="client").agg(
        cit_60d=_.count(where=lately(60)),
        cit_90d=_.count(where=lately(90)),
        last_cit=_.business_date.max(where=_.by_client),
        first_funded=_.business_date.min(where=_.funds),
        moved_out=ibis.coalesce(_.amount.sum(where=lately(30) & _.leaves), 0).cast("float64"),
    )


def _salaries(facts: Facts, figures: Figures) -> ir.Table:
    """How many salaries are overdue, by the mean gap between the client's salary days."""
    paid = _booked(facts).filter(
        _.credit_debit_indicator == "CRDT",
        _.purpose.isin(list(figures["income_purposes"].value)),
        _.business_date >= facts.since(int(figures["salary_days"].value)),
    )
    habit = (
        paid
        .group_by(client_id="client")
        .agg(n=_.business_date.nunique(), first=_.business_date.min(), last=_.business_date.max())
        .filter(_.n >= int(figures["income_occurrences"].value), _.n > 1)
    )
    habit = habit.left_join(_relation(facts), "client_id").drop("client_id_right")
    # No salary could come while there was no account.
    waited_since = ibis.greatest(habit["last"], ibis.coalesce(habit.began, habit["last"]))
    overdue = ibis.literal(facts.business_date).delta(waited_since, unit="day")
    overdue = overdue - int(figures["salary_grace_days"].value)
    gap = habit["last"].delta(habit["first"], unit="day").cast("float64") / (habit.n - 1)
    missed = (ibis.greatest(overdue, 0) / gap).floor().cast("int64")
    return habit.select("client_id", salaries_missed=missed)


# --- deposits -------------------------------------------------------------------------------------


def _deposits(facts: Facts, figures: Figures) -> ir.Table:
    spans = stepwise(deposit_changes(facts, figures), facts)
    end = facts.business_date + dt.timedelta(days=1)
    former_end = end - dt.timedelta(days=int(figures["churned_silent_days"].value))
    windows = {
        "aum_30d": (facts.since(30), end),
        "aum_90d": (facts.since(90), end),
        "aum_prev90d": (facts.since(180), facts.since(90)),
        "aum_180d": (facts.since(180), end),
        "aum_former_12m": (former_end - dt.timedelta(days=YEAR), former_end),
    }
    means = {
        name: rounded(mean_of(spans, *window), 2).cast(MONEY) for name, window in windows.items()
    }
    before = spans.total.sum(
        where=(spans.start < facts.since(30)) & (spans.until >= facts.since(30))
    )
    return spans.group_by("client_id").agg(
        aum=spans.total.sum(where=spans.until == end).cast(MONEY),
        aum_before=before.cast("float64"),
        aum_peak_12m=spans.total.max(where=spans.until > facts.since(YEAR)).cast(MONEY),
        **means,
    )


def mean_of(spans: ir.Table, first: dt.date, end: dt.date) -> Any:
    """The mean of the days of a window in which the client had an account; `end` is after it."""
    until = ibis.least(spans.until, ibis.literal(end))
    days = ibis.greatest(
        until.delta(ibis.greatest(spans.start, ibis.literal(first)), unit="day"), 0
    )
    return (spans.total.cast("float64") * days).sum() / days.sum().nullif(0)


def stepwise(changes: ir.Table, facts: Facts) -> ir.Table:
    """(client_id, start, until, total): what the changes of a client add up to, between two days that
    changed it; up to the date of the facts."""
    daily = changes.group_by(["client_id", "start"]).agg(change=_.change.sum())
    by_day = {"group_by": daily.client_id, "order_by": daily.start}
    end = ibis.literal(facts.business_date + dt.timedelta(days=1))
    return daily.select(
        "client_id",
        "start",
        until=ibis.coalesce(daily.start.lead().over(ibis.window(**by_day)), end),
        total=daily.change.sum().over(ibis.cumulative_window(**by_day)),
    )


def deposit_changes(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, start, change): by how much an account's deposit changed on a day.

    An account starts and ends with nothing, so that a mean covers it from its opening and a balance
    is not carried past its closing. What changed before the longest window counts as one change. An
    overdraft is no deposit, and accounts from before the client
    came back do not count.
    """
    every = _opened_and_closed(facts).join(_relation(facts), "client_id")
    accounts = every.filter(
        _.account_type.isin(list(figures["deposit_account_types"].value)),
        _.opened_date >= _.began,
    ).drop("began")
    days = int(figures["churned_silent_days"].value) + YEAR
    balances = closing_snapshots(facts.table(SNAPSHOT), facts, days + 1).select(
        "account_id",
        start=_.business_date,
        balance=ibis.ifelse(_.credit_debit_indicator == "CRDT", _.amount.cast(EXACT), _nothing()),
    )
    nothing = ibis.union(
        accounts.select("account_id", start=_.opened_date, balance=_nothing()),
        accounts.filter(_.closed_date.notnull()).select(
            "account_id", start=_.closed_date, balance=_nothing()
        ),
    )
    known = balances.union(nothing).join(accounts, "account_id")
    known = known.filter(
        _.start <= facts.business_date,
        _.closed_date.isnull() | (_.start < _.closed_date) | (_.balance == 0),
    )
    days = known.group_by(["client_id", "account_id", "start"]).agg(balance=_.balance.max())
    by_day = ibis.window(group_by=days.account_id, order_by=days.start)
    before = ibis.coalesce(days.balance.lag().over(by_day), _nothing())
    return days.select("client_id", "start", change=days.balance - before)


def _nothing() -> Any:
    return ibis.literal(0).cast(EXACT)
