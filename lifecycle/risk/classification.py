"""Days past due, five-tier class and IFRS 9 stage per facility, with the trigger of each.

The facts are read and ordered in bulk; the fold of each debtor is `lifecycle.risk.debtor.classify`.
docs/classification.md says what counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts, arrow_of
from lifecycle.events.fields import money_text
from lifecycle.risk.debtor import Classified, Debtor, Facility, classify
from lifecycle.risk.expected_loss import expected_loss
from lifecycle.risk.facility_log import (
    MISSED,
    Inputs,
    Terms,
    debtors,
    members,
    said,
)
from lifecycle.risk.triggers import TIERS, Rules, months_after, rules_of


class Portfolio(NamedTuple):
    """Every facility that was ever paid out, as of the end of a business date."""

    debtors: dict[str, Debtor]
    terms: dict[str, Terms]
    classified: dict[str, list[Classified]]
    """Client id -> its facilities."""


def portfolio(facts: Facts, figures: Figures, inputs: Inputs = Inputs()) -> Portfolio:  # noqa: B008
    """Every facility followed from its first day. It is computed once for the same facts, so `inputs`
    are given before anything else asks."""
    return facts.computed("portfolio", lambda: _portfolio(facts, figures, inputs))


def facilities(facts: Facts, figures: Figures) -> ir.Table:
    """One row per facility that was paid out and not settled:
    (facility_id, client_id, currency, outstanding, dpd, missed_12m, tier, tier_trigger, stage, trigger
    (of the stage), group_members, expected_loss (null unless it is enabled) and the event id, time,
    topic, partition and offset of the fact that says so)."""
    return facts.once("facilities", lambda: _facilities(facts, figures))


def timelines(facts: Facts, figures: Figures) -> ir.Table:
    """One row per move of a facility between classes (scale TIER) or stages (STAGE), from the first day
    to the settlement: (facility_id, client_id, day, scale, before, after, trigger, proxy, event_id)."""
    rows = [
        (c.facility_id, client, m.on, m.scale, m.before, m.after, m.trigger, m.proxy, m.evidence)
        for client, own in portfolio(facts, figures).classified.items()
        for c in own
        for m in c.moves
    ]
    moves = ibis.memtable(arrow_of(rows, _MOVES))
    log = said(facts, figures).select("position", "event_id")
    return moves.left_join(log, "position").drop("position", "position_right")


def _facilities(facts: Facts, figures: Figures) -> ir.Table:
    rows = ibis.memtable(arrow_of(_rows(facts, figures), _FACILITIES))
    log = said(facts, figures)
    missed = _missed(facts, figures)
    joined = rows.join(log, "position").left_join(missed, "facility_id")
    return joined.mutate(
        missed_12m=ibis.coalesce(_.missed_12m, 0),
        outstanding=_.outstanding.cast("decimal(38,4)"),
        expected_loss=_.expected_loss.cast("decimal(38,4)"),
    ).drop("position", "facility_id_right")


def _rows(facts: Facts, figures: Figures) -> Iterator[tuple[Any, ...]]:
    known = portfolio(facts, figures)
    groups, rules = members(facts), rules_of(figures)
    for client, own in known.classified.items():
        of_group = ";".join(groups.get(client, ()))
        for one, facility in zip(own, known.debtors[client].facilities, strict=True):
            if facility.settled is None:
                now = one.standing
                yield (
                    one.facility_id,
                    client,
                    known.terms[one.facility_id].currency,
                    money_text(one.outstanding),
                    one.dpd,
                    TIERS[now.tier],
                    now.tier_cause.code if now.tier else "NONE",
                    now.stage,
                    now.stage_cause.code if now.stage > 1 else "NONE",
                    of_group,
                    _loss(one, facility, known, client, facts.business_date, rules),
                    now.stage_cause.evidence or facility.granted.evidence,
                )


def _loss(
    one: Classified, facility: Facility, known: Portfolio, client: str, on: dt.date, rules: Rules
) -> str | None:
    """Expected credit loss, where it is wanted and its inputs are there: a PD of 12 months and, of the
    remaining life, an end."""
    months, pds = known.terms[one.facility_id].months, [p for p in facility.pds or () if p.proxy]
    if not rules.figures["ecl_enabled"].value or not pds or months is None:
        return None
    end = months_after(facility.granted.on, months)
    left = max(0, (end.year - on.year) * 12 + end.month - on.month)
    kind = "retail" if known.debtors[client].retail else "non_retail"
    lgd = Decimal(rules.figures["ecl_lgd"].value[kind])
    owed = Decimal(max(0, one.outstanding)).scaleb(-4)
    return str(round(expected_loss(one.standing.stage, owed, max(pds).now, lgd, left), 4))


# Amounts are text: Spark takes no table in memory with a decimal that is null.
_FACILITIES = pa.schema([
    ("facility_id", pa.string()),
    ("client_id", pa.string()),
    ("currency", pa.string()),
    ("outstanding", pa.string()),
    ("dpd", pa.int64()),
    ("tier", pa.string()),
    ("tier_trigger", pa.string()),
    ("stage", pa.int64()),
    ("trigger", pa.string()),
    ("group_members", pa.string()),
    ("expected_loss", pa.string()),
    ("position", pa.int64()),
])
_MOVES = pa.schema([
    ("facility_id", pa.string()),
    ("client_id", pa.string()),
    ("day", pa.date32()),
    ("scale", pa.string()),
    ("before", pa.string()),
    ("after", pa.string()),
    ("trigger", pa.string()),
    ("proxy", pa.bool_()),
    ("position", pa.int64()),
])


def _missed(facts: Facts, figures: Figures) -> ir.Table:
    first = facts.since(int(figures["missed_days"].value))
    missed = facts.table(MISSED)
    return missed.filter(missed.due_date >= first).group_by("facility_id").agg(missed_12m=_.count())


def _portfolio(facts: Facts, figures: Figures, inputs: Inputs) -> Portfolio:
    rules = rules_of(figures)
    known, terms = debtors(facts, inputs, figures)
    classified = {
        client: classify(debtor, facts.business_date, rules) for client, debtor in known.items()
    }
    return Portfolio(known, terms, classified)
