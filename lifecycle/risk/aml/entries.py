"""Entries as the typologies need them: a client's own doing, in one currency, on one time line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, rounded
from lifecycle.clients.entries import POSTED, balances, customer_entries_among
from lifecycle.clients.facts import Facts

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
"""Spans of `at`, which counts microseconds."""
HOME = "CNY"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MONEY = "decimal(38, 4)"


def entries(facts: Facts, figures: Figures) -> ir.Table:
    """Customer entries of the history that is looked at (no entries of the bank, reversals, reversed
    entries, own transfers), with `at`, the microsecond it became true, and `cny`, the amount in yuan.
    One in a currency without a rate is left out: see `unconverted`."""
    return facts.once("aml_entries", lambda: _entries(facts, figures))


def _entries(facts: Facts, figures: Figures) -> ir.Table:
    known = _recent(facts, figures)
    rate = rate_of(known.currency, figures)
    days = int(figures["aml_history_days"].value)
    closing = balances(facts, days).select("account_id", "business_date", closing="balance")
    with_balance = known.left_join(closing, ["account_id", "business_date"]).drop(
        "account_id_right", "business_date_right"
    )
    return with_balance.filter(rate.notnull()).select(
        "client",
        "event_id",
        "time",
        "business_date",
        "account_id",
        "initiator",
        "purpose",
        "is_cash",
        "is_cross_border",
        "partner",
        "partner_country",
        "partner_type",
        partner_account="account_hash",
        side="credit_debit_indicator",
        at=_.time.delta(ibis.literal(_EPOCH), unit="microsecond").cast("int64"),
        cny=_yuan(_.number, rate),
        balance=_yuan(ibis.coalesce(_.balance_after.cast("float64"), _.closing), rate),
    )


def unconverted(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id): who has an entry in a currency that `aml_rates` has no rate of."""
    known = _recent(facts, figures)
    missing = known.filter(rate_of(known.currency, figures).isnull())
    return missing.select(client_id="client").distinct()


def rate_of(currency: ir.StringValue, figures: Figures) -> ir.FloatingValue:
    """Yuan for one unit of a currency; null where the rules have no rate."""
    rates: Mapping[str, str] = figures["aml_rates"].value
    return currency.cases(*((code, float(rate)) for code, rate in rates.items()))


def money(text: str) -> ir.DecimalValue:
    """An amount of the rules, to compare `cny` with."""
    return ibis.literal(Decimal(text)).cast(_MONEY)


def _yuan(number: ir.FloatingValue, rate: ir.FloatingValue) -> ir.DecimalValue:
    return rounded(number * rate, 4).cast(_MONEY)


def _recent(facts: Facts, figures: Figures) -> ir.Table:
    since = facts.since(int(figures["aml_history_days"].value))
    posted = facts.table(POSTED).filter(_.business_date >= since)
    return facts.once("aml_history", lambda: customer_entries_among(posted, facts, figures))
