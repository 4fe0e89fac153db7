"""What clients said of their needs and how they answered, from the facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.facts import Facts
from lifecycle.clients.needs.need import Answer, Mention

DECLARED = "bank.need.declared.v1"
INTERACTION = "bank.interaction.logged.v1"
PROPOSED = "bank.proposal.issued.v1"
RESPONDED = "bank.proposal.responded.v1"
SOLD = "bank.product.sold.v1"


def mentions(facts: Facts) -> ir.Table:
    """(client_id, need_code, need_class, strength, time, event_id): what `mention_of` reads."""
    declared = facts.table(DECLARED).select(
        "need_code",
        "strength",
        "time",
        "event_id",
        client_id="client",
        need_class=ibis.literal("EXPLICIT"),
    )
    tagged = facts.table(INTERACTION)
    each = tagged.select(
        "time", "event_id", client_id="client", tag=tagged.needs_mentioned.unnest()
    )
    said = each.select(
        "time",
        "event_id",
        "client_id",
        need_code=each.tag["need_code"],
        need_class=each.tag["need_class"],
        strength=each.tag["strength"],
    )
    return said.union(declared.select(*said.columns))


def answers(facts: Facts) -> ir.Table:
    """(client_id, need_code, kind, time, event_id): what `answer_of` reads. A proposal names the need;
    who declines it declines the need, and a sale on it serves it."""
    proposed = facts.table(PROPOSED).select("proposal_id", "need_code").distinct()
    declined = facts.table(RESPONDED).filter(_.response == "DECLINED")
    sold = facts.table(SOLD).filter(_.proposal_id.notnull())
    columns = ("proposal_id", "time", "event_id")
    acts = declined.select(*columns, client_id="client", kind=ibis.literal("DECLINED")).union(
        sold.select(*columns, client_id="client", kind=ibis.literal("SOLD"))
    )
    return acts.join(proposed, "proposal_id").drop("proposal_id")


def mention_of(row: Mapping[str, Any], zone: ZoneInfo) -> Mention:
    """A row of `mentions`, with its time in the bank's zone."""
    return Mention(
        need_code=row["need_code"],
        need_class=row["need_class"],
        strength=row["strength"],
        time=row["time"].astimezone(zone),
        event_id=row["event_id"],
    )


def answer_of(row: Mapping[str, Any], zone: ZoneInfo) -> Answer:
    """A row of `answers`, with its time in the bank's zone."""
    return Answer(
        need_code=row["need_code"],
        kind=row["kind"],
        time=row["time"].astimezone(zone),
        event_id=row["event_id"],
    )
