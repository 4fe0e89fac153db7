"""Profiles on their way: consents and facts -> attributes -> gate "profile" -> rows to serve.

The night does it for every client, a refresh for those whose facts changed: the same steps. Rows come in
parts of some thousand clients each, as those of a whole bank would not fit into memory.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from lifecycle.clients.attribute import Figures, Value, foremost, latest
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.attributes.identity import REGISTERED
from lifecycle.clients.consent import (
    allowed,
    consent_facts,
    fact_of,
)
from lifecycle.clients.entries import OPENED
from lifecycle.clients.facts import Facts
from lifecycle.clients.needs import Answer, Mention
from lifecycle.clients.needs.said import answer_of, answers, mention_of, mentions
from lifecycle.clients.profile import METHOD_VERSION, profile
from lifecycle.clients.summary import Client, Summary, summary
from lifecycle.events.fields import Purpose
from lifecycle.ports import Engine

CLIENTS_AT_ONCE = 5_000

_T = TypeVar("_T")

Allowed = Mapping[str, frozenset[Purpose]]


def allowed_purposes(engine: Engine, facts: Facts, figures: Figures) -> Allowed:
    """client id -> purposes allowed as of the facts' date, for who ever gave a consent."""
    rows = engine.run(consent_facts(facts)).to_pylist()
    return allowed(map(fact_of, rows), facts.as_of, figures["purposes_without_consent"].value)


def attributes(
    engine: Engine, facts: Facts, figures: Figures, consents: Allowed
) -> Iterator[tuple[Sequence[str], pa.Table]]:
    """Every attribute of every client known, by client and name: ids of some clients, and their rows.
    See `clients.profile.profile`."""
    every = engine.keep(profile(facts, figures, consents))
    clients = known_clients(engine, facts)
    for first in range(0, len(clients), CLIENTS_AT_ONCE):
        ids = clients[first : first + CLIENTS_AT_ONCE]
        own = engine.run(every.filter(_.client_id >= ids[0], _.client_id <= ids[-1]))
        yield ids, own.sort_by([("client_id", "ascending"), ("name", "ascending")])


def known_clients(engine: Engine, facts: Facts) -> list[str]:
    """Who is registered as of the facts' date, in order."""
    registered = engine.run(facts.table(REGISTERED).select("client_id").distinct())
    return sorted(registered["client_id"].to_pylist())


class Said(NamedTuple):
    """What summaries need besides attributes, by client id."""

    mentions: Mapping[str, list[Mention]]
    answers: Mapping[str, list[Answer]]
    kinds: Mapping[str, Mapping[str, Any]]
    """The client's type, and its currency."""


def said(engine: Engine, facts: Facts, figures: Figures) -> Said:
    """What every client said and answered, and what it is."""
    return Said(
        _by_client(engine.run(mentions(facts)), lambda row: mention_of(row, facts.zone)),
        _by_client(engine.run(answers(facts)), lambda row: answer_of(row, facts.zone)),
        {row["client_id"]: row for row in engine.run(_kinds(facts, figures)).to_pylist()},
    )


def summaries(
    rows: pa.Table, known: Said, consents: Allowed, facts: Facts, figures: Figures
) -> list[Summary]:
    """What follows from each client's attributes, in the order of the clients' ids."""
    free = frozenset(figures["purposes_without_consent"].value)
    return [
        summary(
            Client(
                client_id=client,
                client_type=known.kinds[client]["client_type"],
                currency=known.kinds[client]["currency"],
                profile={row["name"]: _value(row) for row in own},
                mentions=known.mentions.get(client, []),
                answers=known.answers.get(client, []),
                allowed=free | consents.get(client, frozenset()),
            ),
            facts.business_date,
            facts.as_of,
            figures,
        )
        for client, own in itertools.groupby(rows.to_pylist(), lambda row: row["client_id"])
    ]


def _kinds(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, client_type, currency): the currency is that of the first account."""
    first = foremost(facts.table(OPENED), "client", _.opened_date, _.time)
    first = first.select("currency", client_id="client")
    clients = latest(facts.table(REGISTERED), "client_id")
    joined = clients.left_join(first, "client_id")
    return joined.select(
        client_id=joined.client_id,
        client_type=joined.client_type,
        currency=ibis.coalesce(joined.currency, figures["home_currency"].value),
    )


def _by_client(rows: pa.Table, made: Callable[[dict[str, Any]], _T]) -> dict[str, list[_T]]:
    found: dict[str, list[_T]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["client_id"], []).append(made(row))
    return found


def _value(row: Mapping[str, Any]) -> Value:
    return Value(
        name=row["name"],
        value=row["value"],
        unit=row["unit"],
        purpose=row["purpose"],
        confidence=row["confidence"],
        null_reason=row["null_reason"],
        source_event_ids=tuple(row["sources"] or ()),
        source_time=row["source_time"],
    )


class Made(NamedTuple):
    """Of some clients: attributes by client and name, what follows from them by client, and what they
    rest on."""

    clients: Sequence[str]
    """The ids of those that should be here."""
    rows: pa.Table
    summaries: list[Summary]
    consents: Allowed


def make(engine: Engine, facts: Facts, figures: Figures) -> Iterator[Made]:
    """Attributes and summaries of every client the engine's facts know, as of their date, in the order
    of their ids."""
    consents = allowed_purposes(engine, facts, figures)
    known = said(engine, facts, figures)
    for clients, rows in attributes(engine, facts, figures, consents):
        yield Made(clients, rows, summaries(rows, known, consents, facts, figures), consents)


def gate_columns(made: Made, facts: Facts, figures: Figures) -> dict[str, Sequence[Any]]:
    """What gate "profile" judges of attributes, one row a client in the order of their ids."""
    rows, weights = made.rows, dict(_weights(made.rows))
    valued = pc.is_valid(rows["value"])
    empty = pc.invert(valued)
    judged = {
        "ck_null_explained": pc.not_equal(valued, pc.is_valid(rows["null_reason"])),
        "ck_sourced": pc.or_(empty, _has_sources(rows)),
        "ck_no_future_source": pc.or_(
            pc.is_null(rows["source_time"]),
            pc.less(pc.fill_null(rows["source_time"], facts.as_of), facts.as_of),
        ),
        "ck_consent": pc.or_(empty, _permitted(rows, made.consents, figures)),
        "ck_bounds": pc.invert(out_of_bounds(rows, figures)),
    }
    each = pa.table({"key": rows["client_id"], **judged, "rows": rows["name"]})
    by_client = each.group_by("key").aggregate([
        *((name, "all") for name in judged),
        ("rows", "count_distinct"),
        ("rows", "count"),
    ])
    by_client = by_client.sort_by("key")
    keys = by_client["key"].to_pylist()
    complete = pc.and_(
        pc.equal(by_client["rows_count"], len(ATTRIBUTES)),
        pc.equal(by_client["rows_count_distinct"], len(ATTRIBUTES)),
    )
    return {
        "key": keys,
        **{name: by_client[f"{name}_all"].to_pylist() for name in judged},
        "ck_complete": complete.to_pylist(),
        "ck_quality": [_in_bounds(summary) for summary in made.summaries],
        "ck_weights": [weights.get(summary.client_id, True) for summary in made.summaries],
        "ck_everybody": [keys == list(made.clients)] * len(keys),
    }


def suppressed(rows: pa.Table, judged: Mapping[str, Sequence[Any]], figures: Figures) -> pa.Table:
    """The rows with every value that is out of its bounds taken away, and its reason in its place.
    `judged` are the gate's columns of the same clients."""
    if all(judged["ck_bounds"]):
        return rows
    wrong = out_of_bounds(rows, figures)
    taken = {
        "value": pa.scalar(None, pa.string()),
        "null_reason": pa.scalar("SUPPRESSED"),
        "confidence": pa.scalar(0.0),
    }
    for name, instead in taken.items():
        column = pc.if_else(wrong, instead.cast(rows.schema.field(name).type), rows[name])
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


def out_of_bounds(rows: pa.Table, figures: Figures) -> pa.ChunkedArray:
    """Whether a value is a number outside the bounds its attribute has."""
    wrong = pc.equal(rows["name"], "")
    for name, (least, most) in figures["profile_bounds"].value.items():
        own = pc.equal(rows["name"], name)
        number = pc.if_else(own, rows["value"], None).cast(pa.float64())
        outside = pc.or_(pc.less(number, least), pc.greater(number, most))
        wrong = pc.or_(wrong, pc.fill_null(outside, False))
    return wrong


def served(
    parts: Iterable[pa.Table], business_date: dt.date, derived_at: dt.datetime
) -> Iterator[dict[str, Any]]:
    """Rows as the table `client_profile` takes them."""
    columns = ("client_id", "name", "value", "unit", "purpose", "confidence", "null_reason")
    for rows in parts:
        for row in rows.to_pylist():
            yield {
                **{name: row[name] for name in columns},
                "as_of": business_date,
                "derived_at": derived_at,
                "method_version": METHOD_VERSION,
                "source_event_ids": row["sources"] or [],
                "source_time": row["source_time"],
            }


def _in_bounds(summary: Summary) -> bool:
    quality = summary.quality
    shares = (quality.completeness, quality.freshness, quality.validity, quality.profile_quality)
    return all(0 <= share <= 1 for share in shares) and all(
        0 <= n.score <= 100 for n in summary.needs
    )


def _weights(rows: pa.Table) -> Iterator[tuple[str, bool]]:
    """Whether the shares of the asset classes of a client add up to one; each is rounded."""
    own = rows.filter(pc.equal(rows["name"], "asset_class_weights"))
    for client, text in zip(own["client_id"].to_pylist(), own["value"].to_pylist(), strict=True):
        if text:
            shares = [float(part.rpartition(":")[2]) for part in text.split(";")]
            yield client, abs(sum(shares) - 1) <= 0.0001 * len(shares)


def _has_sources(rows: pa.Table) -> pa.ChunkedArray:
    return pc.greater(pc.fill_null(pc.list_value_length(rows["sources"]), 0), 0)


def _permitted(rows: pa.Table, consents: Allowed, figures: Figures) -> pa.ChunkedArray:
    """Whether the ledger allows a row's client all purposes of the row."""
    free = frozenset(figures["purposes_without_consent"].value)
    needs = {a.purpose: set(a.purposes) - free for a in ATTRIBUTES.values()}
    without = [text for text, needed in needs.items() if not needed]
    pairs = [
        f"{client}|{text}"
        for client, own in consents.items()
        for text, needed in needs.items()
        if needed and needed <= own
    ]
    asked = pc.binary_join_element_wise(rows["client_id"], rows["purpose"], "|")
    return pc.or_(
        pc.is_in(rows["purpose"], pa.array(without, pa.string())),
        pc.is_in(asked, pa.array(pairs, pa.string())),
    )
