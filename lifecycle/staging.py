"""The staged checks: typed facts of a night as one table of boolean check columns.

One row per sealed posting, instalment or repayment: (position, ck_...). A check that does not
apply to a row is True there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def staged_checks(engine: Engine, seals: Sequence[int], figures: Figures) -> ir.Table:
    """All rows of these seals with their checks: (position, one boolean column per check)."""
    return ibis.union(
        _postings(engine, seals, figures),
        _repayments(engine, seals),
        _instalments(engine, seals),
    )


def _postings(engine: Engine, seals: Sequence[int], figures: Figures) -> ir.Table:
    posted = engine.table(POSTED)
    sealed = posted.filter(posted.seal_id.isin(list(seals)))
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
    ).filter(_.seal_id.isin(list(seals)))
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


def _repayments(engine: Engine, seals: Sequence[int]) -> ir.Table:
    made = engine.table(MADE).filter(_.seal_id.isin(list(seals)))
    parts = [made.allocation[name].cast("decimal(18,4)") for name in ("principal", "interest", "penalty", "fees")]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    return _row(made, ck_amount_positive=made.amount > 0, ck_allocation=total == made.amount)


def _instalments(engine: Engine, seals: Sequence[int]) -> ir.Table:
    due = engine.table(DUE).filter(_.seal_id.isin(list(seals)))
    granted = (
        engine.table(DISBURSED).group_by("facility_id").agg(granted=_.business_date.min())
    )
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
