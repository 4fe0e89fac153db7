"""Scores of every client from its attributes and the classes of its facilities."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pyarrow as pa

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.ports import Engine
from lifecycle.risk import classification, credit_score
from lifecycle.risk.credit_facts import credit_facts, statuses
from lifecycle.risk.credit_lifecycle import state

SCHEMA = pa.schema([
    ("score_id", pa.string()),
    ("client_id", pa.string()),
    ("score_type", pa.string()),
    ("status", pa.string()),
    ("value", pa.int64()),
    ("band", pa.string()),
    ("reason_codes", pa.string()),
    ("feature_hash", pa.string()),
    ("model_version", pa.string()),
    ("as_of", pa.date32()),
])


def stages(engine: Engine, facts: Facts, figures: Figures) -> pa.Table:
    """Days past due, class, stage and state in the credit lifecycle of every facility, by its id."""
    rows = engine.run(classification.facilities(facts, figures).drop("time")).sort_by("facility_id")
    credits = statuses(engine.run(credit_facts(facts)).to_pylist())
    states = [
        state(credits[f["facility_id"]], facts.business_date, f["dpd"], f["stage"], figures)
        for f in rows.select(["facility_id", "dpd", "stage"]).to_pylist()
    ]
    return rows.append_column("state", pa.array(states, pa.string()))


def attributes_used(figures: Figures) -> list[str]:
    """The attributes a score is made of."""
    card = credit_score.card_of(figures["credit_card"].value)
    return ["tenure_days", *(c.feature for c in card.characteristics)]


def timelines(engine: Engine, facts: Facts, figures: Figures) -> pa.Table:
    """Every move of every facility between classes and stages, from its first day, in order."""
    rows = engine.run(classification.timelines(facts, figures))
    return rows.sort_by([(name, "ascending") for name in ("facility_id", "day", "scale")])


def scores(
    profiles: pa.Table,
    stages: pa.Table,
    business_date: dt.date,
    degraded: frozenset[str],
    figures: Figures,
) -> list[dict[str, Any]]:
    """One row for each client with an account; see `SCHEMA`. `profiles` are rows of `attributes_used`."""
    card = credit_score.card_of(figures["credit_card"].value)
    return [
        _score_row(client, values, card, business_date, degraded)
        for client, values in _features(profiles, stages, card).items()
    ]


def _features(
    profiles: pa.Table, stages: pa.Table, card: credit_score.Card
) -> dict[str, dict[str, float | None]]:
    """client id -> features, of every client that has an account."""
    features: dict[str, dict[str, float | None]] = {}
    for row in profiles.select(["client_id", "name", "value"]).to_pylist():
        value = None if row["value"] is None else float(row["value"])
        features.setdefault(row["client_id"], {})[row["name"]] = value
    for row in stages.select(["client_id", "dpd", "missed_12m"]).to_pylist():
        client = features.setdefault(row["client_id"], {"tenure_days": 0.0})
        for name in ("dpd", "missed_12m"):
            client[name] = max(client.get(name) or 0.0, float(row[name]))
    return {c: v for c, v in sorted(features.items()) if v.get("tenure_days") is not None}


def _score_row(
    client: str,
    features: dict[str, float | None],
    card: credit_score.Card,
    business_date: dt.date,
    degraded: frozenset[str],
) -> dict[str, Any]:
    made = credit_score.score(
        client, business_date.isoformat(), features, card, degraded=client in degraded
    )
    reasons = [reason._asdict() for reason in made.reasons]
    return {
        "score_id": made.score_id,
        "client_id": client,
        "score_type": credit_score.SCORE_TYPE,
        "status": made.status,
        "value": made.value,
        "band": made.band,
        "reason_codes": msgspec.json.encode(reasons).decode(),
        "feature_hash": made.feature_hash,
        "model_version": credit_score.model_version(card),
        "as_of": business_date,
    }
