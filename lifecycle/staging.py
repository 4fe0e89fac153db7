"""The staged checks: typed facts of a night as one table of boolean check columns.

One row per sealed posting, instalment or repayment: (position, ck_...). A check that does not
apply to a row is True there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.profile import OPENED, POSTED, Figures
from lifecycle.ports import Engine
from lifecycle.risk.classification import DISBURSED, DUE, MADE

CHECKS = (
    "ck_amount_positive",
    "ck_currency",
    "ck_unique",
    "ck_account_known",
    "ck_after_opening",
    "ck_balance_chain",
    "ck_allocation",
    "ck_due_after_grant",
)


class Night(NamedTuple):
    """Which facts a night judges: what its seals brought in, and the whole of its day."""

    business_date: dt.date
    seals: tuple[int, ...]

    def covers(self, facts: ir.Table) -> ir.BooleanValue:
        """A day that a later night has sealed already is judged again when it is run again."""
        return (facts.business_date == self.business_date) | facts.seal_id.isin(self.seals)


def staged_checks(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    """All rows of a night with their checks: (position, one boolean column per check)."""
    return ibis.union(
        _postings(engine, night, figures),
        _repayments(engine, night),
        _instalments(engine, night),
    )


def _postings(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    posted = engine.table(POSTED)
    sealed = posted.filter(night.covers(posted))
    # The chain needs the entries before the night too, but only of accounts it touched.
    ledger = posted.semi_join(sealed, "account_id")
    in_order = ibis.window(group_by=ledger.account_id, order_by=[ledger.time, ledger.position])
    sign = ibis.ifelse(ledger.credit_debit_indicator == "DBIT", -1, 1)
    expected = ledger.balance_after.lag().over(in_order) + ledger.amount * sign
    off = (ledger.balance_after - expected).abs()
    twins = ibis.window(group_by=[ledger.account_id, ledger.transaction_id])
    checked = ledger.mutate(
        chained=ibis.coalesce(off <= float(figures["balance_chain_tolerance"].value), True),
        alone=ledger.count().over(twins) == 1,
    )
    checked = checked.filter(night.covers(checked))
    opened = engine.table(OPENED).select("account_id", "opened_date")
    joined = checked.left_join(opened, "account_id")
    return _row(
        joined,
        ck_amount_positive=joined.amount > 0,
        ck_currency=joined.currency.isin(list(figures["currencies"].value)),
        ck_unique=joined.alone,
        ck_account_known=joined.opened_date.notnull(),
        ck_after_opening=ibis.coalesce(joined.business_date >= joined.opened_date, True),
        ck_balance_chain=joined.chained,
    )


def _repayments(engine: Engine, night: Night) -> ir.Table:
    made = engine.table(MADE)
    made = made.filter(night.covers(made))
    parts = [
        made.allocation[name].cast("decimal(18,4)")
        for name in ("principal", "interest", "penalty", "fees")
    ]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    return _row(made, ck_amount_positive=made.amount > 0, ck_allocation=total == made.amount)


def _instalments(engine: Engine, night: Night) -> ir.Table:
    due = engine.table(DUE)
    due = due.filter(night.covers(due))
    granted = engine.table(DISBURSED).group_by("facility_id").agg(granted=_.business_date.min())
    joined = due.left_join(granted, "facility_id")
    return _row(
        joined,
        ck_amount_positive=joined.total > 0,
        ck_due_after_grant=ibis.coalesce(joined.due_date >= joined.granted, True),
    )


def _row(table: ir.Table, **checks: Any) -> ir.Table:
    columns: Mapping[str, Any] = {
        name: ibis.coalesce(checks[name], False) if name in checks else ibis.literal(True)
        for name in CHECKS
    }
    return table.select(position=table.position, **columns)
