"""What the client has with the bank, day by day."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import (
    PERSONS,
    Figures,
    attribute,
    evidence,
    foremost,
    latest,
    of_one,
)
from lifecycle.clients.attributes.income import salaries
from lifecycle.clients.attributes.products import holdings, newest_balances
from lifecycle.clients.entries import (
    POSTED,
    account_days,
    balances,
    daily_balances,
    spans,
)
from lifecycle.clients.facts import Facts


@attribute("currency", ages="balances", decimals=2, purposes=("P2_PROFILE",))
def aum(facts: Facts, figures: Figures) -> ir.Table:
    """Assets under management: balances of open accounts, and products held at what was paid."""
    own = newest_balances(facts, figures).select(
        "event_id", "time", client_id="client", amount="balance"
    )
    held = holdings(facts).select("client_id", "amount", "event_id", "time")
    parts = own.union(held)
    return parts.group_by("client_id").agg(value=_.amount.sum(), **evidence(parts))


@attribute("currency", ages="balances", decimals=2)
def balance_chain_gap(facts: Facts, figures: Figures) -> ir.Table:
    """The largest difference, within the window, between a balance and the one before it with the
    entry added."""
    entries = _chained(facts, figures)
    before = entries.balance.lag().over(
        ibis.window(group_by="account_id", order_by=["time", "position"])
    )
    gaps = entries.mutate(gap=(before + entries.signed - entries.balance).abs())
    return _largest(gaps.filter(_.gap.notnull()))


@attribute("currency", ages="balances", decimals=2)
def balance_snapshot_gap(facts: Facts, figures: Figures) -> ir.Table:
    """The largest difference, within the window, between the balance after a day's last entry and the
    closing balance of that day."""
    entries = _chained(facts, figures)
    newest = ibis.window(
        group_by=["account_id", "business_date"],
        order_by=[ibis.desc("time"), ibis.desc("position")],
    )
    last = entries.mutate(nth=ibis.row_number().over(newest)).filter(_.nth == 0)
    known = balances(facts, int(figures["balance_days"].value))
    closing = known.select("account_id", "business_date", closed="balance")
    both = last.join(closing, ["account_id", "business_date"])
    return _largest(both.mutate(gap=(both.balance - both.closed).abs()))


@attribute("currency", ages="balances", decimals=2, purposes=("P2_PROFILE",))
def aum_90d(facts: Facts, figures: Figures) -> ir.Table:
    """Mean closing balance of the days of the window, products held today added."""
    days = daily_balances(facts, int(figures["balance_days"].value))
    means = days.group_by(client_id="client").agg(mean=_.balance.mean())
    held = holdings(facts).group_by("client_id").agg(held=_.amount.sum())
    joined = means.left_join(held, "client_id")
    added = joined.select(
        client_id=joined.client_id, value=joined.mean + ibis.coalesce(joined.held, 0.0)
    )
    return _sourced(added, facts, figures)


@attribute("log per 90 days", ages="balances", decimals=4, purposes=("P2_PROFILE",), confidence=0.8)
def aum_trend(facts: Facts, figures: Figures) -> ir.Table:
    """Slope of the logarithm of closing balances over the window: 0.1 is about 10 % more."""
    window = int(figures["balance_days"].value)
    days = daily_balances(facts, window).filter(_.balance > 0)
    # In the order of the subtraction: Spark and DuckDB count from the right to the left.
    numbered = days.mutate(
        n=days.day.delta(ibis.literal(facts.since(window)), unit="day").cast("float64"),
        log=days.balance.ln(),
    )
    sums = numbered.group_by(client_id="client").agg(
        rows=_.count(),
        covariance=_.n.cov(_.log, how="pop"),
        variance=_.n.var(how="pop"),
    )
    sloped = sums.filter(_.rows >= int(figures["trend_days_least"].value), _.variance > 0)
    return _sourced(
        sloped.select("client_id", value=_.covariance / _.variance * window), facts, figures
    )


@attribute("currency", ages="balances", decimals=2)
def min_balance_90d(facts: Facts, figures: Figures) -> ir.Table:
    """The lowest closing balance of the window, over the client's accounts."""
    each = spans(facts, int(figures["balance_days"].value))
    lowest = foremost(each, "client", _.balance, _.time.desc())
    return of_one(lowest, lowest.balance)


@attribute("ratio", ages="balances", decimals=4, confidence=0.9)
def balance_cv_90d(facts: Facts, figures: Figures) -> ir.Table:
    """Coefficient of variation of the closing balances of the days of the window."""
    days = daily_balances(facts, int(figures["balance_days"].value))
    spread = days.group_by(client_id="client").agg(
        mean=_.balance.mean(), deviation=_.balance.std(how="pop"), n=_.count()
    )
    varied = spread.filter(_.mean > 0, _.n > 1)
    return _sourced(varied.select("client_id", value=_.deviation / _.mean), facts, figures)


@attribute("currency", ages="balances", decimals=2, purposes=("P2_PROFILE",))
def balance_p10_90d(facts: Facts, figures: Figures) -> ir.Table:
    """The closing balance that nine days in ten of the window were above."""
    days = daily_balances(facts, int(figures["balance_days"].value))
    return _sourced(
        days.group_by(client_id="client").agg(value=_.balance.quantile(0.1)), facts, figures
    )


@attribute("days", ages="balances")
def overdraft_days_90d(facts: Facts, figures: Figures) -> ir.Table:
    """Days of the window that any account closed below zero."""
    window = int(figures["balance_days"].value)
    days = account_days(facts, window)
    red = ibis.ifelse(days.balance < 0, days.day, ibis.null("date"))
    counts = days.group_by(client_id="client").agg(value=red.nunique().cast("float64"))
    each = spans(facts, window)
    below = each.balance < 0
    sources = each.group_by(client_id="client").agg(
        sources=ibis.ifelse(
            below.any(), evidence(each, below)["sources"], evidence(each)["sources"][:1]
        ),
        source_time=each.time.max(),
    )
    return counts.join(sources, "client_id")


@attribute("days", ages="income", purposes=("P2_PROFILE",), confidence=0.8, clients=PERSONS)
def salary_to_zero_days(facts: Facts, figures: Figures) -> ir.Table:
    """Days from the newest salary until less than a tenth of it was left; empty if it never was."""
    window = int(figures["balance_days"].value)
    paid = salaries(facts, figures, facts.since(window))
    newest = latest(paid, "client").select(
        "client", "event_id", "time", paid_on="business_date", salary="number"
    )
    share = float(figures["salary_left_share"].value)
    days = daily_balances(facts, window).join(newest, "client")
    gone = days.filter(_.day >= _.paid_on, _.balance < _.salary * share)
    ended = gone.group_by("client").agg(
        first=_.day.min(), paid_on=_.paid_on.max(), event_id=_.event_id.max(), time=_.time.max()
    )
    return ended.select(
        client_id="client",
        value=ended.first.delta(ended.paid_on, unit="day").cast("float64"),
        sources=ibis.array([ended.event_id]),
        source_time="time",
    )


def own_deposits(facts: Facts, figures: Figures) -> ir.Table:
    """What is in a client's open accounts, as an attribute is derived."""
    newest = newest_balances(facts, figures)
    return newest.group_by(client_id="client").agg(value=_.balance.sum(), **evidence(newest))


def _chained(facts: Facts, figures: Figures) -> ir.Table:
    """Booked entries of the window that tell the balance after them, the bank's own among them."""
    first = facts.since(int(figures["balance_days"].value))
    posted = facts.table(POSTED).filter(
        _.status == "BOOK", _.balance_after.notnull(), _.business_date >= first
    )
    sign = ibis.ifelse(posted.credit_debit_indicator == "DBIT", -1.0, 1.0)
    return posted.select(
        "client",
        "account_id",
        "event_id",
        "time",
        "position",
        "business_date",
        signed=posted.amount.cast("float64") * sign,
        balance=posted.balance_after.cast("float64"),
    )


def _largest(gaps: ir.Table) -> ir.Table:
    largest = foremost(gaps, "client", _.gap.desc(), _.time.desc())
    return of_one(largest, largest.gap)


def _sourced(values: ir.Table, facts: Facts, figures: Figures) -> ir.Table:
    """Values of daily balances with the closing balances they stem from."""
    each = spans(facts, int(figures["balance_days"].value))
    sources = each.group_by(client_id="client").agg(**evidence(each))
    return values.join(sources, "client_id")
