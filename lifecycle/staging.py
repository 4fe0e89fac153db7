"""The staged checks: typed facts of a night as one table of boolean check columns.

A check is three-valued while it is computed: True, False, or null where it does not apply to the
fact. So a share is the share of the facts it applies to; the gate sees True where it does not apply.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.attributes.identity import REGISTERED
from lifecycle.clients.entries import OPENED, POSTED, SNAPSHOT
from lifecycle.events.codes import MERCHANT_BRANDS, MERCHANT_CATEGORIES, TRANSACTION_FAMILIES
from lifecycle.ports import Engine
from lifecycle.risk.credit_lifecycle import (
    APPLICATION_FACTS,
    DISTRESSED,
    FACILITY_FACTS,
    NEXT,
    RESTRUCTURED,
    STATUS_AFTER,
)
from lifecycle.risk.facility_log import DISBURSED, DUE, MADE

CLOSED = "bank.account.closed.v1"
GRANTED = "bank.consent.granted.v1"
WITHDRAWN = "bank.consent.withdrawn.v1"
STATEMENT = "bank.client.financial_statement_filed.v1"

CHECKS = (
    "ck_amount_positive",
    "ck_indicator",
    "ck_currency",
    "ck_unique",
    "ck_account_known",
    "ck_after_opening",
    "ck_before_closing",
    "ck_balance_chain",
    "is_closing_balance",
    "is_closing_flow",
    "ck_allocation",
    "ck_due_after_grant",
    "ck_due_in_order",
    "ck_credit_status",
    "ck_consent_dates",
    "ck_birth_date",
    "ck_statement",
    "ck_codes_known",
)

SHARES = {
    "is_accounts_known": ("ck_account_known", "account_known_share_min"),
    "is_chain_usual": ("ck_balance_chain", "balance_chain_share_usual"),
    "is_chain_whole": ("ck_balance_chain", "balance_chain_share_min"),
    "is_codes_known": ("ck_codes_known", "codes_known_share_min"),
}
"""Column about the whole of a night -> its check, and the figure with the least share that holds."""

MONEY = "decimal(38,4)"


class Night(NamedTuple):
    """Which facts a night judges: what its seals brought in, and the whole of its day."""

    business_date: dt.date
    seals: tuple[int, ...]
    gone: frozenset[int] = frozenset()
    """Positions of facts that count no more: corrected by a later fact, or discarded."""
    passed: frozenset[int] = frozenset()
    """Positions that two persons let pass as they are: they count, and are not judged again."""
    incomplete: frozenset[str] = frozenset()
    """Clients with a hole in a producer's numbering: a fact of theirs is still on its way, so nothing is
    said of sums over their facts. The hole itself is watched (`lifecycle gaps list`)."""

    def whole(self, facts: Any) -> ir.BooleanValue:
        """Whether all of a client's facts are here, as far as anybody can know."""
        if not self.incomplete:
            return ibis.literal(True)
        return ~facts.client.isin(sorted(self.incomplete))

    def covers(self, facts: ir.Table) -> ir.BooleanValue:
        """A day that a later night has sealed already is judged again when it is run again."""
        covered = (facts.business_date == self.business_date) | facts.seal_id.isin(self.seals)
        return covered & ~facts.position.isin(sorted(self.passed)) if self.passed else covered


def staged_checks(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    """One row per fact the night judges, in order of arrival: (position, one boolean per check)."""
    parts = [check(engine, night, figures) for check in _CHECKED]
    return (
        ibis
        .union(*parts)
        .group_by("position")
        .agg(**{name: _[name].all() for name in CHECKS})
        .order_by("position")
    )


def portfolio(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    """The closing balances of the night per currency: (currency, accounts, accounts_off, gap,
    turnover). `gap` is what entries and closing balances differ by, both over all accounts."""
    closing = _closing_days(engine, night, figures)
    return closing.group_by("currency").agg(
        accounts=_.account_id.nunique(),
        accounts_off=_.account_id.nunique(where=~_.is_closing_balance),
        gap=ibis.coalesce((_.flow - _.delta).sum(), 0),
        turnover=ibis.coalesce(_.turnover.sum(where=_.delta.notnull()), 0),
    )


def gate_columns(checked: pa.Table, totals: pa.Table, figures: Figures) -> dict[str, Any]:
    """Columns of stage "staged": `staged_checks` and `portfolio` as they were run -> boolean arrays.

    What is said of the whole night is the same in every row.
    """
    whole = {
        name: _share(checked[check]) >= float(figures[figure].value)
        for name, (check, figure) in SHARES.items()
    }
    whole["is_closings_whole"] = _accounts_close(totals.to_pylist(), figures)
    whole["is_portfolio_even"] = _is_even(totals.to_pylist(), figures)
    rows = {name: pc.fill_null(checked[name], True).to_numpy() for name in CHECKS}
    return rows | {name: [holds] * checked.num_rows for name, holds in whole.items()}


def _share(check: pa.ChunkedArray) -> float:
    """The share of the rows a check applies to in which it holds; 1 when it applies to none."""
    share = pc.mean(check.cast(pa.int8())).as_py()
    return 1.0 if share is None else float(share)


def _accounts_close(totals: Sequence[Mapping[str, Any]], figures: Figures) -> bool:
    """Whether few enough accounts have a closing balance that is not that of their last entry."""
    accounts = sum(row["accounts"] for row in totals)
    off = sum(row["accounts_off"] for row in totals)
    return bool(off <= accounts * Decimal(figures["closing_balance_share_max"].value))


def _is_even(totals: Sequence[Mapping[str, Any]], figures: Figures) -> bool:
    """Whether entries and closing balances move by the same amount, in every currency."""
    share = Decimal(figures["portfolio_gap_share_max"].value)
    return all(abs(row["gap"]) <= share * row["turnover"] for row in totals)


# --- one function per family of facts: (position, the checks that are its own) ------------------


def _postings(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    posted = _facts(engine, night, POSTED)
    # The chain needs the entries before the night too, but only of accounts it touched.
    ledger = posted.semi_join(posted.filter(posted.tonight), "account_id")
    ledger = ledger.mutate(booked=ledger.status == "BOOK")
    in_order = ibis.window(
        group_by=[ledger.account_id, ledger.booked], order_by=[ledger.time, ledger.position]
    )
    twins = ibis.window(group_by=[ledger.account_id, ledger.transaction_id])
    checked = ledger.mutate(
        before=ledger.balance_after.lag().over(in_order), alone=ledger.count().over(twins) == 1
    )
    joined = checked.filter(checked.tonight).left_join(_accounts(engine, night), "account_id")
    off = joined.balance_after - joined.before - _signed(joined)
    code = joined.bank_transaction_code
    family = code["domain"] + "-" + code["family"]
    category = joined.mcc.isin(sorted(MERCHANT_CATEGORIES)) | joined.mcc.between(*MERCHANT_BRANDS)
    return _row(
        joined,
        ck_amount_positive=_holds(joined.amount > 0),
        ck_indicator=_holds(joined.credit_debit_indicator.isin(["CRDT", "DBIT"])),
        ck_currency=_holds(joined.currency.isin(list(figures["currencies"].value))),
        ck_unique=_holds(joined.alone),
        ck_account_known=joined.opened_date.notnull(),
        ck_after_opening=_where(
            joined.opened_date.notnull(), joined.business_date >= joined.opened_date
        ),
        ck_before_closing=_where(
            joined.closed_date.notnull(), joined.business_date <= joined.closed_date
        ),
        ck_balance_chain=_where(
            joined.booked & off.notnull() & night.whole(joined),
            off.abs() <= float(figures["balance_chain_tolerance"].value),
        ),
        ck_codes_known=_where(
            joined.mcc.notnull() | family.notnull(),
            ibis.coalesce(category, True)
            & ibis.coalesce(family.isin(sorted(TRANSACTION_FAMILIES)), True),
        ),
    )


def _accounts(engine: Engine, night: Night) -> ir.Table:
    """(account_id, opened_date, closed_date) of every account that was opened."""
    opened = (
        _facts(engine, night, OPENED).group_by("account_id").agg(opened_date=_.opened_date.min())
    )
    closed = (
        _facts(engine, night, CLOSED).group_by("account_id").agg(closed_date=_.closed_date.max())
    )
    return opened.left_join(closed, "account_id").drop("account_id_right")


def _closings(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    days = _closing_days(engine, night, figures)
    return _row(
        days,
        is_closing_balance=days.is_closing_balance,
        is_closing_flow=_where(
            days.delta.notnull(),
            (days.flow - days.delta).abs() <= float(figures["closing_flow_tolerance"].value),
        ),
    )


def _closing_days(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    """One row per closing booked balance (CLBD) of the night: (position, account_id, currency,
    is_closing_balance, delta, flow, turnover).

    `delta` is what the balance moved by since the CLBD before, null for an account's first one;
    `flow` and `turnover` are the entries booked since then, credits less debits and all together.
    """
    snapshots = _facts(engine, night, SNAPSHOT).filter(_.balance_type == "CLBD", night.whole(_))
    posted = _facts(engine, night, POSTED).filter(_.status == "BOOK")
    posted = posted.semi_join(snapshots.filter(_.tonight), "account_id")
    newest_first = ibis.window(
        group_by=[posted.account_id, posted.business_date],
        order_by=[posted.time.desc(), posted.position.desc()],
    )
    entries = posted.mutate(is_last=ibis.row_number().over(newest_first) == 0)
    nothing = ibis.null(MONEY)
    days = ibis.union(
        entries.select(
            "account_id",
            "business_date",
            position=ibis.null("int64"),
            currency=ibis.null("string"),
            tonight=ibis.literal(False),
            closing=nothing,
            last=ibis.ifelse(entries.is_last, entries.balance_after.cast(MONEY), nothing),
            flow=_signed(entries),
            turnover=entries.amount.cast(MONEY),
        ),
        snapshots.select(
            "account_id",
            "business_date",
            "position",
            "currency",
            "tonight",
            closing=_signed(snapshots),
            last=nothing,
            flow=ibis.literal(0).cast(MONEY),
            turnover=ibis.literal(0).cast(MONEY),
        ),
    )
    days = days.group_by(["account_id", "business_date"]).agg(
        position=_.position.max(),
        currency=_.currency.max(),
        tonight=_.tonight.any(),
        closing=_.closing.max(),
        last=_.last.max(),
        flow=_.flow.sum(),
        turnover=_.turnover.sum(),
    )
    so_far = ibis.cumulative_window(group_by=days.account_id, order_by=days.business_date)
    closings = days.mutate(
        flow=days.flow.sum().over(so_far), turnover=days.turnover.sum().over(so_far)
    ).filter(_.closing.notnull())
    by_day = ibis.window(group_by=closings.account_id, order_by=closings.business_date)
    between = {
        name: closings[name] - closings[name].lag().over(by_day) for name in ("flow", "turnover")
    }
    tolerance = float(figures["closing_balance_tolerance"].value)
    return closings.mutate(
        delta=closings.closing - closings.closing.lag().over(by_day),
        is_closing_balance=(closings.closing - closings.last).abs() <= tolerance,
        **between,
    ).filter(_.tonight)


def _repayments(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    made = _facts(engine, night, MADE).filter(_.tonight)
    parts = [
        made.allocation[name].cast("decimal(18,4)")
        for name in ("principal", "interest", "penalty", "fees")
    ]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    return _row(
        made,
        ck_amount_positive=_holds(made.amount > 0),
        ck_allocation=_holds(total == made.amount),
    )


def _instalments(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    due = _facts(engine, night, DUE)
    plan = due.semi_join(due.filter(due.tonight), "facility_id")
    in_order = ibis.window(
        group_by=[plan.facility_id, plan.schedule_version], order_by=plan.instalment_no
    )
    plan = plan.mutate(before=plan.due_date.lag().over(in_order)).filter(_.tonight)
    granted = (
        _facts(engine, night, DISBURSED).group_by("facility_id").agg(granted=_.business_date.min())
    )
    joined = plan.left_join(granted, "facility_id")
    return _row(
        joined,
        # A new schedule may let an instalment fall away.
        ck_amount_positive=_holds((joined.total > 0) | (joined.schedule_version > 1)),
        ck_due_after_grant=_where(joined.granted.notnull(), joined.due_date >= joined.granted),
        ck_due_in_order=_where(joined.before.notnull(), joined.due_date >= joined.before),
    )


def _credits(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    """Each step in the life of an application or facility, by the status that it met."""
    parts = [
        _steps(engine, night, fact, entity)
        for entity, facts in (("application", APPLICATION_FACTS), ("facility", FACILITY_FACTS))
        for fact in facts
    ]
    steps = ibis.union(*parts)
    steps = steps.semi_join(steps.filter(steps.tonight), "entity")
    in_order = {"group_by": steps.entity, "order_by": [steps.time, steps.position]}
    moves = steps.status.count()
    steps = steps.mutate(
        # How often the status had changed before the fact, and with it.
        met=ibis.coalesce(moves.over(ibis.window(**in_order, preceding=(None, 1))), 0),
        made=moves.over(ibis.cumulative_window(**in_order)),
    )
    before = steps.filter(steps.status.notnull()).select("entity", met=_.made, before=_.status)
    judged = steps.filter(steps.tonight).left_join(before, ["entity", "met"])
    status = ibis.coalesce(judged.before, "NONE")
    lawful = [
        (status == name) & judged.fact.isin(list(facts)) for name, facts in NEXT.items() if facts
    ]
    return _row(judged, ck_credit_status=_holds(ibis.or_(*lawful)))


def _steps(engine: Engine, night: Night, fact: str, entity: str) -> ir.Table:
    facts = _facts(engine, night, fact)
    name = ibis.literal(fact)
    if fact == RESTRUCTURED:
        name = ibis.ifelse(facts.distressed, DISTRESSED, fact)
    return facts.select(
        "position",
        "time",
        "tonight",
        entity=ibis.literal(f"{entity}/") + facts[f"{entity}_id"],
        fact=name,
        status=name.cases(*STATUS_AFTER.items()),
    )


def _withdrawals(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    withdrawn = _facts(engine, night, WITHDRAWN).filter(_.tonight)
    granted = (
        _facts(engine, night, GRANTED).group_by("consent_id").agg(granted_at=_.granted_at.min())
    )
    joined = withdrawn.left_join(granted, "consent_id")
    return _row(
        joined,
        ck_consent_dates=_where(
            joined.granted_at.notnull(), joined.granted_at <= joined.withdrawn_at
        ),
    )


def _registrations(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    registered = _facts(engine, night, REGISTERED).filter(_.tonight)
    earliest = dt.date.fromisoformat(figures["birth_date_earliest"].value)
    born = registered.birth_date
    return _row(
        registered,
        ck_birth_date=_where(born.notnull(), (born >= earliest) & (born <= _.business_date)),
    )


def _statements(engine: Engine, night: Night, figures: Figures) -> ir.Table:
    filed = _facts(engine, night, STATEMENT).filter(_.tonight)
    assets, liabilities, equity = (
        filed.statement[name].cast("decimal(18,4)")
        for name in ("total_assets", "total_liabilities", "equity")
    )
    off = (assets - liabilities - equity).abs()
    limit = assets * ibis.literal(float(figures["statement_gap_share_max"].value))
    return _row(filed, ck_statement=_where(off.notnull(), off <= limit))


_CHECKED: tuple[Callable[[Engine, Night, Figures], ir.Table], ...] = (
    _postings,
    _closings,
    _repayments,
    _instalments,
    _credits,
    _withdrawals,
    _registrations,
    _statements,
)


# --- words ----------------------------------------------------------------------------------------


def _facts(engine: Engine, night: Night, event_type: str) -> ir.Table:
    """All sealed facts of a type that count, and whether the night judges them (`tonight`)."""
    facts = engine.table(event_type)
    if night.gone:
        facts = facts.filter(~facts.position.isin(sorted(night.gone)))
    return facts.mutate(tonight=night.covers(facts))


def _signed(table: ir.Table) -> Any:
    """The amount with its side: debits are negative."""
    sign = ibis.ifelse(table.credit_debit_indicator == "DBIT", -1, 1)
    return (table.amount * sign).cast(MONEY)


def _holds(condition: Any) -> Any:
    """A check that applies to every row of its table; one that has no answer fails."""
    return ibis.coalesce(condition, False)


def _where(applies: Any, condition: Any) -> Any:
    """A check that applies to some rows only; one that has no answer where it applies fails."""
    return ibis.ifelse(applies, _holds(condition), ibis.null("boolean"))


def _row(table: ir.Table, **checks: Any) -> ir.Table:
    """(position, all checks); the ones that are not given do not apply."""
    columns = {name: checks.get(name, ibis.null("boolean")) for name in CHECKS}
    return table.select(position=table.position, **columns)
