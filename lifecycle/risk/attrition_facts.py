"""What tells that a client may leave, and whether it left: Ibis expressions over the facts of a date."""

from __future__ import annotations

import datetime as dt
from functools import reduce

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, evidence, latest, rounded
from lifecycle.clients.attributes.contact import RAISED, RESOLVED
from lifecycle.clients.attributes.products import (
    MATURED,
    REDEEMED,
    SOLD,
    holdings,
    wallet_breadth,
)
from lifecycle.clients.entries import booked
from lifecycle.clients.facts import Facts
from lifecycle.clients.observation import (
    EXACT,
    deposit_changes,
    mean_of,
    observations,
    stepwise,
)

CANCELLED = "bank.account.standing_order_cancelled.v1"
ATTEMPTED = "bank.contact.attempted.v1"
YEAR = 365
DAYS_MAX = 365
DECIMALS = 6

FEATURES = (
    "cit_trend",
    "days_since_cit",
    "aum_trend",
    "salaries_missed",
    "transfer_out_share",
    "orders_cancelled",
    "maturing_share",
    "failed_contacts",
    "complaints",
    "rate_gap",
    "tenure_years",
    "breadth",
)
"""Columns of `features`, as a model and the card of points take them."""
SOURCED = (
    "transfer_out_share",
    "orders_cancelled",
    "maturing_share",
    "failed_contacts",
    "complaints",
)
"""Features that single facts show; `<feature>_sources` are their ids. The others rest on every entry and
balance of half a year, of which the newest ones stand for all: `sources`."""


def features(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, assets, sources, FEATURES..., <feature>_sources...), one row for each client that has
    been there long enough, has enough, and is still in business with the bank: it has an open account,
    did something lately, and did not leave already. A feature that cannot be had is null.

    cit_trend: customer-initiated transactions of 30 days for each of a mean month of 180 days.
    days_since_cit: at most 365. aum_trend: mean assets of 30 days by those of 180, less one.
    salaries_missed: expected salaries that did not come. transfer_out_share: to other banks in 30 days,
    of the deposits before them, at most 1. orders_cancelled, failed_contacts, complaints: within 90 days;
    a complaint that is open counts however old. maturing_share: products that end within 60 days, of the
    assets. rate_gap: what the market pays less interest of a year by mean deposits. tenure_years.
    breadth: kinds of products.
    """
    clients = _clients(facts, figures)
    parts = [
        _transactions(facts, figures),
        _transfers(facts, figures),
        _cancelled(facts, figures),
        _maturing(facts, figures),
        _missed_contacts(facts, figures),
        _complained(facts, figures),
        _interest(facts, figures),
        wallet_breadth.derive(facts, figures).select("client_id", breadth="value"),
    ]
    joined = reduce(_beside, parts, clients)
    counts = ("orders_cancelled", "failed_contacts", "complaints")
    market = float(figures["attrition_market_rate"].value)
    made = joined.mutate(
        cit_trend=ibis.coalesce(joined.cit_30d * 6.0 / joined.cit_180d.nullif(0), 0.0),
        days_since_cit=ibis.least(
            ibis.coalesce(
                ibis.literal(facts.business_date).delta(joined.last_cit, unit="day"), DAYS_MAX
            ),
            DAYS_MAX,
        ).cast("float64"),
        aum_trend=joined.mean_30d / joined.mean_180d.nullif(0) - 1,
        salaries_missed=joined.salaries_missed.cast("float64"),
        transfer_out_share=ibis.least(
            ibis.coalesce(joined.transfer_out_share.cast("float64"), 0.0), 1.0
        ),
        maturing_share=ibis.least(ibis.coalesce(joined.maturing, 0.0) / joined.assets, 1.0),
        rate_gap=market - ibis.coalesce(joined.interest, 0.0) / joined.mean_year.nullif(0),
        tenure_years=ibis
        .literal(facts.business_date)
        .delta(joined.first_opened, unit="day")
        .cast("float64")
        / YEAR,
        **{name: ibis.coalesce(joined[name], 0).cast("float64") for name in counts},
    )
    # Engines add floats in different orders.
    exact = {name: rounded(made[name], DECIMALS).cast("float64") for name in ("assets", *FEATURES)}
    return made.mutate(**exact).select(
        "client_id", "assets", "sources", *FEATURES, *(f"{name}_sources" for name in SOURCED)
    )


def fallen(facts: Facts, as_of: dt.date, figures: Figures) -> ir.Table:
    """(client_id) of clients whose assets fell, within the horizon after `as_of`, to so small a part of
    what they were on it, and stayed there as long as a fall must. `facts` are of a date that far ahead."""
    horizon, stays = (
        int(figures[name].value) for name in ("attrition_horizon_days", "attrition_stays_days")
    )
    left = 1 - float(figures["attrition_fall"].value)
    steps = assets(facts, figures)
    then = steps.filter(_.start <= as_of, _.until > as_of).select("client_id", before="total")
    after = steps.filter(_.until > as_of + dt.timedelta(days=1)).join(then, "client_id")
    tomorrow = ibis.literal(as_of + dt.timedelta(days=1))
    above = after.filter(_.total.cast("float64") > _.before.cast("float64") * left).select(
        "client_id", "until", start=ibis.greatest(_.start, tomorrow)
    )
    # On the date itself everybody is above.
    today = then.select("client_id", until=tomorrow, start=ibis.literal(as_of))
    spans = above.union(today)
    end = ibis.literal(facts.business_date + dt.timedelta(days=1))
    again = spans.start.lead().over(ibis.window(group_by=spans.client_id, order_by=spans.start))
    gaps = spans.mutate(gap=ibis.coalesce(again, end).delta(spans.until, unit="day"))
    last_day = as_of + dt.timedelta(days=horizon)
    return gaps.filter(_.gap >= stays, _.until <= last_day).select("client_id").distinct()


def assets(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, start, until, total): deposits, and products at what was paid for them, as steps."""
    return facts.once(
        "assets_stepwise",
        lambda: stepwise(deposit_changes(facts, figures).union(_product_changes(facts)), facts),
    )


def _product_changes(facts: Facts) -> ir.Table:
    """(client_id, start, change): a sale adds what was paid, a redemption takes its amount away, and the
    end of a product what is left."""
    sold = latest(facts.table(SOLD), "sale_id")
    redeemed = facts.table(REDEEMED)
    partial = redeemed.filter(~_.complete)
    ends = redeemed.filter(_.complete).select("sale_id", day="business_date")
    ends = ends.union(facts.table(MATURED).select("sale_id", day="business_date"))
    ended = ends.group_by("sale_id").agg(day=_.day.min())
    taken = partial.group_by("sale_id").agg(taken=_.amount.cast(EXACT).sum())
    over = sold.join(ended, "sale_id").left_join(taken, "sale_id", rname="{name}_taken")
    nothing = ibis.literal(0).cast(EXACT)
    rest = ibis.greatest(over.amount.cast(EXACT) - ibis.coalesce(over.taken, nothing), nothing)
    return ibis.union(
        sold.select("client_id", start="business_date", change=_.amount.cast(EXACT)),
        partial.select("client_id", start="business_date", change=-_.amount.cast(EXACT)),
        over.select("client_id", start="day", change=-rest),
    )


def _beside(table: ir.Table, part: ir.Table) -> ir.Table:
    return table.left_join(part, "client_id").drop("client_id_right")


def _clients(facts: Facts, figures: Figures) -> ir.Table:
    """Who a score is made of, with the means of its assets."""
    history = dt.timedelta(days=int(figures["attrition_history_days"].value))
    seen = observations(facts, figures).filter(
        _.open_accounts > 0,
        _.ended.isnull(),
        _.first_opened <= facts.business_date - history,
        _.last_cit >= facts.since(int(figures["attrition_active_days"].value)),
    )
    steps = assets(facts, figures)
    end = facts.business_date + dt.timedelta(days=1)
    means = steps.group_by("client_id").agg(
        assets=_.total.cast("float64").sum(where=_.until == end),
        mean_30d=mean_of(steps, facts.since(30), end),
        mean_180d=mean_of(steps, facts.since(180), end),
        mean_year=mean_of(steps, facts.since(YEAR), end),
    )
    enough = means.filter(
        _.assets >= float(figures["attrition_aum_min"].value),
        _.assets >= _.mean_year * float(figures["attrition_left_share"].value),
    )
    return seen.join(enough, "client_id").select(
        "client_id",
        "first_opened",
        "last_cit",
        "salaries_missed",
        "transfer_out_share",
        "assets",
        "mean_30d",
        "mean_180d",
        "mean_year",
    )


def _transactions(facts: Facts, figures: Figures) -> ir.Table:
    entries = booked(facts, figures).filter(
        _.initiator == "CUSTOMER", _.business_date >= facts.since(180)
    )
    return entries.group_by(client_id="client").agg(
        cit_30d=_.count(where=_.business_date >= facts.since(30)),
        cit_180d=_.count(),
        sources=evidence(entries)["sources"],
    )


def _transfers(facts: Facts, figures: Figures) -> ir.Table:
    """What the share of the observation rests on: debits to another bank, or to an own account."""
    entries = booked(facts, figures).filter(
        _.initiator == "CUSTOMER",
        _.credit_debit_indicator == "DBIT",
        _.business_date >= facts.since(30),
        _.bank_id.notnull() | (_.partner_type == "OWN").fill_null(False),
    )
    return _sourced(entries, "transfer_out_share")


def _sourced(found: ir.Table, name: str) -> ir.Table:
    return found.group_by(client_id="client").agg(**{f"{name}_sources": evidence(found)["sources"]})


def _counted(found: ir.Table, name: str) -> ir.Table:
    return found.group_by(client_id="client").agg(**{
        name: found.event_id.nunique(),
        f"{name}_sources": evidence(found)["sources"],
    })


def _sign_days(facts: Facts, figures: Figures) -> dt.date:
    return facts.since(int(figures["attrition_sign_days"].value))


def _cancelled(facts: Facts, figures: Figures) -> ir.Table:
    first = _sign_days(facts, figures)
    return _counted(facts.table(CANCELLED).filter(_.business_date >= first), "orders_cancelled")


def _missed_contacts(facts: Facts, figures: Figures) -> ir.Table:
    first = _sign_days(facts, figures)
    failed = facts.table(ATTEMPTED).filter(~_.reached, _.business_date >= first)
    return _counted(failed, "failed_contacts")


def _complained(facts: Facts, figures: Figures) -> ir.Table:
    raised = facts.table(RAISED)
    resolved = facts.table(RESOLVED).select("complaint_id", answered=ibis.literal(True)).distinct()
    known = raised.left_join(resolved, "complaint_id").drop("complaint_id_right")
    counts = known.answered.isnull() | (known.business_date >= _sign_days(facts, figures))
    return _counted(known.filter(counts), "complaints")


def _maturing(facts: Facts, figures: Figures) -> ir.Table:
    until = facts.business_date + dt.timedelta(days=int(figures["attrition_maturing_days"].value))
    ends = latest(facts.table(SOLD), "sale_id").select("sale_id", "maturity_date")
    held = holdings(facts).join(ends, "sale_id")
    soon = held.filter(_.maturity_date > facts.business_date, _.maturity_date <= until)
    return soon.group_by("client_id").agg(
        maturing=_.amount.sum(), maturing_share_sources=evidence(soon)["sources"]
    )


def _interest(facts: Facts, figures: Figures) -> ir.Table:
    """Interest paid to the client within a year, as of a whole year where it was there for less."""
    purposes = list(figures["attrition_interest_purposes"].value)
    paid = booked(facts, figures).filter(
        _.credit_debit_indicator == "CRDT",
        _.initiator == "BANK",
        _.purpose.isin(purposes),
        _.business_date >= facts.since(YEAR),
    )
    return paid.group_by(client_id="client").agg(interest=_.number.sum())
