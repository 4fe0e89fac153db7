"""The rows of a night about money laundering: scores, hits, static factors, the statutory list."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import ibis.expr.types as ir
import msgspec
import pyarrow as pa
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.attributes.identity import KYC
from lifecycle.clients.facts import Facts
from lifecycle.clients.reading import AML
from lifecycle.clients.tasks import Task
from lifecycle.ports import Engine
from lifecycle.risk.aml import score as scored
from lifecycle.risk.aml.clients import registered
from lifecycle.risk.aml.entries import unconverted
from lifecycle.risk.aml.factor import FACTORS
from lifecycle.risk.aml.large import due_date, large_transactions
from lifecycle.risk.aml.typologies import TYPOLOGIES
from lifecycle.scoring import SCHEMA as COMMON

Row = dict[str, Any]

SCHEMA = pa.schema([
    *COMMON,
    ("static_points", pa.decimal128(5, 1)),
    ("dynamic_points", pa.decimal128(5, 1)),
    ("last_review", pa.date32()),
    ("next_review", pa.date32()),
])
"""The columns of every score, and what is AML's own. `reason_codes` holds every reason as JSON:
code, points, zh, en, day, sources."""


class AmlNight(NamedTuple):
    """What a night says; every table is for role CO alone."""

    scores: pa.Table
    """One row for each registered client; see `SCHEMA`."""
    hits: pa.Table
    """(client_id, code, day, points, sources, figures), points before decay."""
    factors: pa.Table
    """(client_id, code, points, sources)."""
    large: pa.Table
    """What `large_transactions` gives, with `due_date`."""


def aml_scores(
    engine: Engine, facts: Facts, figures: Figures, degraded: frozenset[str] = frozenset()
) -> AmlNight:
    """All rows of the night of `facts`. Clients in `degraded` (their facts are in quarantine), and those
    with entries in a currency without a rate, get status SUPPRESSED and no value."""
    hits = _gathered(engine, (t.hits(facts, figures) for t in TYPOLOGIES.values()))
    factors = _gathered(engine, (f.rows(facts, figures) for f in FACTORS.values()))
    unusable = degraded | set(engine.run(unconverted(facts, figures))["client_id"].to_pylist())
    reviews = engine.run(last_reviews(facts)).sort_by("client_id").to_pylist()
    rows = _rows(reviews, hits, factors, facts.business_date, unusable, figures)
    return AmlNight(
        pa.Table.from_pylist(rows, SCHEMA), hits, factors, large_list(engine, facts, figures)
    )


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


def refresh_tasks(scores: pa.Table, business_date: dt.date, figures: Figures) -> dict[str, Task]:
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
        for row in scores.select(["client_id", "last_review", "next_review"]).to_pylist()
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


def _rows(
    reviews: Sequence[Row],
    hits: pa.Table,
    factors: pa.Table,
    business_date: dt.date,
    unusable: frozenset[str],
    figures: Figures,
) -> list[Row]:
    of_client, known = _by_client(hits), _by_client(factors)
    version = scored.model_version(figures)
    return [
        _row(
            scored.score(
                client,
                known[client],
                of_client[client],
                business_date,
                figures,
                suppressed=client in unusable,
            ),
            review["last_review"],
            version,
            business_date,
            figures,
        )
        for review in reviews
        for client in [review["client_id"]]
    ]


def _by_client(table: pa.Table) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in table.to_pylist():
        rows[row["client_id"]].append(row)
    return rows


def _row(
    made: scored.Score, last: dt.date, version: str, business_date: dt.date, figures: Figures
) -> Row:
    return {
        "score_id": made.score_id,
        "client_id": made.client_id,
        "score_type": AML,
        "status": made.status,
        "value": made.value,
        "band": made.band,
        "reason_codes": msgspec.json.encode(made.reasons).decode(),
        "feature_hash": made.feature_hash,
        "model_version": version,
        "as_of": business_date,
        "static_points": made.static,
        "dynamic_points": made.dynamic,
        "last_review": last,
        "next_review": made.band and scored.next_review(last, made.band, figures),
    }
