"""Days past due, five-tier class and IFRS 9 stage per facility, with the trigger of each.

Money pays the oldest instalment first, so the oldest unpaid instalment is the first one whose
running total is above everything paid: one window, no loop.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, foremost, latest
from lifecycle.clients.facts import Facts

DISBURSED = "bank.credit.disbursed.v1"
DUE = "bank.credit.repayment_due.v1"
MADE = "bank.credit.repayment_made.v1"
MISSED = "bank.credit.repayment_missed.v1"
SETTLED = "bank.credit.settled.v1"
_EVIDENCE = ("event_id", "time", "topic", "partition", "kafka_offset")


def facilities(facts: Facts, figures: Figures) -> ir.Table:
    """One row per facility that was paid out and not settled:
    (facility_id, client_id, currency, outstanding, dpd, tier, stage, trigger, missed_12m and the
    event id, time, topic, partition and offset of the fact that says so)."""
    return facts.once("facilities", lambda: _facilities(facts, figures))


def _facilities(facts: Facts, figures: Figures) -> ir.Table:
    paid = facts.table(MADE).group_by("facility_id").agg(paid=_.amount.sum())
    disbursed = facts.table(DISBURSED).anti_join(facts.table(SETTLED), "facility_id")
    newest = latest(disbursed, "facility_id").select("facility_id", *_EVIDENCE)
    lent = (
        disbursed
        .group_by("facility_id")
        .agg(client_id=_.client_id.max(), currency=_.currency.max(), lent=_.amount.sum())
        .join(newest, "facility_id")
    )
    joined = (
        lent
        .left_join(paid, "facility_id")
        .drop("facility_id_right")
        .left_join(_oldest_unpaid(facts, figures, paid), "facility_id")
        .drop("facility_id_right")
        .left_join(_missed(facts, figures), "facility_id")
    )
    return _classified(_measured(joined, facts), figures)


def _measured(joined: ir.Table, facts: Facts) -> ir.Table:
    """Days past due, amount outstanding and the fact that proves them."""
    overdue = ibis.literal(facts.business_date).delta(joined.due_date, unit="day")
    zero = ibis.literal(0).cast("decimal(18,4)")
    evidence = {name: ibis.coalesce(joined[f"unpaid_{name}"], joined[name]) for name in _EVIDENCE}
    return joined.select(
        facility_id=joined.facility_id,
        client_id=joined.client_id,
        currency=joined.currency,
        outstanding=(
            joined.lent.cast("decimal(38,4)")
            - ibis.coalesce(joined.paid.cast("decimal(38,4)"), zero)
        ),
        dpd=ibis.greatest(ibis.coalesce(overdue, 0), 0),
        missed_12m=ibis.coalesce(joined.missed_12m, 0),
        **evidence,
    )


def _oldest_unpaid(facts: Facts, figures: Figures, paid: ir.Table) -> ir.Table:
    materiality = ibis.literal(str(figures["dpd_materiality"].value)).cast("decimal(38,4)")
    due = facts.table(DUE)
    due = due.filter(due.due_date <= facts.business_date)
    running = due.mutate(
        running=due.total
        .cast("decimal(38,4)")
        .sum()
        .over(
            ibis.window(
                group_by=due.facility_id,
                order_by=[due.due_date, due.instalment_no, due.event_id],
                preceding=None,
                following=0,
            )
        )
    )
    owed = running.left_join(paid, "facility_id")
    zero = ibis.literal(0).cast("decimal(38,4)")
    unpaid = owed.filter(
        owed.running > ibis.coalesce(owed.paid.cast("decimal(38,4)"), zero) + materiality
    )
    oldest = foremost(unpaid, "facility_id", _.due_date, _.instalment_no)
    renamed = {f"unpaid_{name}": name for name in _EVIDENCE}
    return oldest.select("facility_id", "due_date", **renamed)


def _missed(facts: Facts, figures: Figures) -> ir.Table:
    first = facts.since(int(figures["missed_days"].value))
    missed = facts.table(MISSED)
    return missed.filter(missed.due_date >= first).group_by("facility_id").agg(missed_12m=_.count())


def _classified(measured: ir.Table, figures: Figures) -> ir.Table:
    """The worst trigger decides. Tier and stage follow from days past due in this release."""

    def beyond(name: str) -> ir.BooleanValue:
        return measured.dpd > int(figures[name].value)

    tier = ibis.cases(
        (beyond("dpd_loss"), "LOSS"),
        (beyond("dpd_doubtful"), "DOUBTFUL"),
        (beyond("dpd_substandard"), "SUBSTANDARD"),
        (beyond("dpd_technical"), "SPECIAL_MENTION"),
        else_="PASS",
    )
    stage = ibis.cases(
        (beyond("dpd_stage_3"), 3),
        (beyond("dpd_stage_2") | beyond("dpd_technical"), 2),
        else_=1,
    )
    trigger = ibis.cases(
        (beyond("dpd_stage_3"), "DPD_OVER_STAGE_3"),
        (beyond("dpd_stage_2"), "DPD_OVER_STAGE_2"),
        (beyond("dpd_technical"), "TIER_SPECIAL_MENTION"),
        else_="NONE",
    )
    return measured.mutate(tier=tier, stage=stage.cast("int64"), trigger=trigger)
