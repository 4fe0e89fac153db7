"""The night's part about money laundering: hits, static factors, reviews, the statutory list."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from lifecycle.clients.attribute import SOURCES_MAX, Figures
from lifecycle.clients.attributes.identity import KYC
from lifecycle.clients.facts import Facts
from lifecycle.clients.tasks import Task
from lifecycle.ports import Engine
from lifecycle.risk.aml import score as scored
from lifecycle.risk.aml.clients import registered
from lifecycle.risk.aml.entries import unconverted
from lifecycle.risk.aml.factor import FACTORS
from lifecycle.risk.aml.large import due_date, large_transactions
from lifecycle.risk.aml.typologies import TYPOLOGIES
from lifecycle.risk.score import Candidate

Row = dict[str, Any]

REVIEWS = pa.schema([
    ("client_id", pa.string()),
    ("static_points", pa.decimal128(5, 1)),
    ("dynamic_points", pa.decimal128(5, 1)),
    ("level", pa.string()),
    ("last_review", pa.date32()),
    ("next_review", pa.date32()),
])


class AmlNight(NamedTuple):
    """What a night finds; every table is for role CO alone."""

    candidates: list[Candidate]
    """Every registered client, by id. Withheld: its facts are in quarantine, or it has entries in a
    currency without a rate."""
    hits: pa.Table
    """(client_id, code, day, points, sources, figures), points before decay."""
    factors: pa.Table
    """(client_id, code, points, sources)."""
    large: pa.Table
    """What `large_transactions` gives, with `due_date`."""
    last_reviews: dict[str, dt.date]
    """Client -> its newest review, else its registration."""


def aml_night(
    engine: Engine, facts: Facts, figures: Figures, degraded: frozenset[str] = frozenset()
) -> AmlNight:
    """All that the night of `facts` finds, and who is to be scored."""
    hits = _gathered(engine, (t.hits(facts, figures) for t in TYPOLOGIES.values()))
    factors = _gathered(engine, (f.rows(facts, figures) for f in FACTORS.values()))
    unusable = degraded | set(engine.run(unconverted(facts, figures))["client_id"].to_pylist())
    last = engine.run(last_reviews(facts)).sort_by("client_id")
    reviewed = dict(
        zip(last["client_id"].to_pylist(), last["last_review"].to_pylist(), strict=True)
    )
    of_client, known = _parts(hits), _parts(factors)
    candidates = [
        Candidate(
            client,
            scored.Inputs(tuple(known.get(client, ())), tuple(of_client.get(client, ()))),
            "SUPPRESSED" if client in unusable else None,
        )
        for client in reviewed
    ]
    return AmlNight(candidates, hits, factors, large_list(engine, facts, figures), reviewed)


def reviews(
    night: AmlNight, levels: Mapping[str, str | None], business_date: dt.date, figures: Figures
) -> pa.Table:
    """One row for each candidate: both parts of its score, its level (client -> band of the score; None
    where it is withheld, and then nothing else is said), its last review and the next one."""
    rows = [
        _review(one, levels[one.client_id], night.last_reviews, business_date, figures)
        for one in night.candidates
    ]
    return pa.Table.from_pylist(rows, REVIEWS)


def _review(
    one: Candidate,
    level: str | None,
    last: Mapping[str, dt.date],
    business_date: dt.date,
    figures: Figures,
) -> Row:
    reviewed = last[one.client_id]
    row: Row = {"client_id": one.client_id, "level": level, "last_review": reviewed}
    if level is None:
        return row
    found = scored.total(one.inputs, business_date, figures)
    return row | {
        "static_points": found.static,
        "dynamic_points": found.dynamic,
        "next_review": scored.next_review(reviewed, level, figures),
    }


def large_list(engine: Engine, facts: Facts, figures: Figures) -> pa.Table:
    """The statutory list of the last days, by client, day, kind and side, with the day each is due."""
    found = engine.run(large_transactions(facts, figures)).sort_by([
        (name, "ascending") for name in ("client_id", "day", "kind", "side", "currency")
    ])
    due = [due_date(day, figures) for day in found["day"].to_pylist()]
    return found.append_column("due_date", pa.array(due, pa.date32()))


def last_reviews(facts: Facts) -> ir.Table:
    """(client_id, last_review): the business date of the newest KYC review, else of registration."""
    reviewed = facts.table(KYC).group_by("client_id").agg(reviewed=_.business_date.max())
    clients = registered(facts).select("client_id", "business_date")
    known = clients.left_join(reviewed, "client_id").drop("client_id_right")
    return known.select("client_id", last_review=_.reviewed.coalesce(_.business_date))


def refresh_tasks(reviewed: pa.Table, business_date: dt.date, figures: Figures) -> dict[str, Task]:
    """Client -> the task its relationship manager gets when the review comes near. Its words, key and
    kind are the same for every level, and say nothing of why."""
    own = figures["aml_refresh"].value
    notice = dt.timedelta(days=int(own["notice_days"]))
    return {
        row["client_id"]: Task(
            key=f"KYC-REFRESH-{row['last_review']}",
            check_id="KYC",
            owner="RM",
            due=max(row["next_review"], business_date),
            reason_zh=own["zh"],
            reason_en=own["en"],
        )
        for row in reviewed.select(["client_id", "last_review", "next_review"]).to_pylist()
        if row["next_review"] is not None and row["next_review"] - notice <= business_date
    }


def _gathered(engine: Engine, expressions: Iterable[ir.Table]) -> pa.Table:
    """The rows of all expressions, by client, code and day."""
    tables = [engine.run(expression) for expression in expressions]
    names = tables[0].column_names
    kinds = tables[0].schema
    whole = pa.concat_tables([table.select(names).cast(kinds) for table in tables])
    keys = [name for name in ("client_id", "code", "day") if name in names]
    return whole.sort_by([(key, "ascending") for key in keys])


def _parts(table: pa.Table) -> dict[str, list[scored.Part]]:
    """Client -> its rows, in the order of the table."""
    parts: dict[str, list[scored.Part]] = defaultdict(list)
    for row in table.to_pylist():
        sources = tuple(row["sources"][:SOURCES_MAX])
        part = scored.Part(row["code"], row["points"], sources, row.get("day"))
        parts[row["client_id"]].append(part)
    return parts
