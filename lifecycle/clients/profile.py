"""The profile (画像) of every client as of a date: one row a client and attribute.

An attribute is computed only for who allows every purpose it serves; a row without a value says why.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from lifecycle.clients.attribute import Attribute, Figures, rounded
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.attributes.identity import REGISTERED
from lifecycle.clients.facts import Facts, arrow_of
from lifecycle.events.fields import Purpose

METHOD_VERSION = "4"

_PERMITTED = pa.schema([("client_id", pa.string()), ("purpose", pa.string())])


def profile(facts: Facts, figures: Figures, allowed: Mapping[str, frozenset[Purpose]]) -> ir.Table:
    """One row per registered client and attribute:
    (client_id, name, value, unit, purpose, confidence, null_reason, sources, source_time).
    `allowed` says which purposes a client allows; who is not in it never gave a consent."""
    registered = facts.table(REGISTERED)
    clients = registered.select("client_id", "client_type").distinct()
    free = frozenset(figures["purposes_without_consent"].value)
    permitted = _permitted(allowed)
    return ibis.union(*[
        _rows(_standing(clients, attribute, free, permitted), attribute, facts, figures)
        for attribute in ATTRIBUTES.values()
    ])


def _permitted(allowed: Mapping[str, frozenset[Purpose]]) -> ir.Table:
    pairs = [
        (client, purpose) for client, own in sorted(allowed.items()) for purpose in sorted(own)
    ]
    return ibis.memtable(arrow_of(pairs, _PERMITTED))


def _standing(
    clients: ir.Table, attribute: Attribute, free: frozenset[str], permitted: ir.Table
) -> ir.Table:
    """Clients with `hindrance`: why the attribute is not computed for a client, null when it is."""
    others = [] if set(attribute.clients) == {"INDIVIDUAL", "CORPORATE"} else attribute.clients
    concerned = clients.client_type.isin(others) if others else ibis.literal(True)
    needed = [purpose for purpose in attribute.purposes if purpose not in free]
    if not needed:
        return clients.mutate(
            hindrance=ibis.ifelse(concerned, ibis.null("string"), "NOT_APPLICABLE")
        )
    granted = (
        permitted
        .filter(_.purpose.isin(needed))
        .group_by("client_id")
        .agg(granted=_.purpose.nunique())
        .filter(_.granted == len(needed))
    )
    joined = clients.left_join(granted, "client_id")
    return joined.select(
        client_id=joined.client_id,
        hindrance=ibis.cases(
            (~concerned, "NOT_APPLICABLE"),
            (joined.granted.isnull(), "NOT_CONSENTED"),
            else_=ibis.null("string"),
        ),
    )


def _rows(clients: ir.Table, attribute: Attribute, facts: Facts, figures: Figures) -> ir.Table:
    derived = attribute.derive(facts, figures)
    lawful = derived.semi_join(clients.filter(_.hindrance.isnull()), "client_id")
    joined = clients.left_join(lawful, "client_id")
    missing = joined.value.isnull()
    return joined.select(
        client_id=joined.client_id,
        name=ibis.literal(attribute.name),
        value=_text(joined.value, attribute.decimals),
        unit=ibis.literal(attribute.unit),
        purpose=ibis.literal(attribute.purpose),
        confidence=ibis.ifelse(missing, 0.0, attribute.confidence),
        null_reason=ibis.ifelse(
            missing, ibis.coalesce(joined.hindrance, "UNKNOWN"), ibis.null("string")
        ),
        sources=joined.sources,
        source_time=joined.source_time,
    )


def _text(value: ir.Value, decimals: int | None) -> ir.Value:
    if decimals is None:
        return value.cast("string")
    return rounded(value, decimals).cast("string")
