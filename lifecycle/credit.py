"""The credit side of a night: classes and stages of facilities, and what the credit score rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.models.scorecard import Scorecard
from lifecycle.ports import Engine
from lifecycle.risk import classification, credit_score
from lifecycle.risk.credit_facts import credit_facts, statuses
from lifecycle.risk.credit_features import features
from lifecycle.risk.credit_lifecycle import state
from lifecycle.risk.credit_training import LEARNT, labels
from lifecycle.risk.history import History, Subject
from lifecycle.risk.score import Candidate

Features = dict[str, float | None]


def stages(engine: Engine, facts: Facts, figures: Figures) -> pa.Table:
    """Days past due, class, stage and state in the credit lifecycle of every facility, by its id."""
    rows = engine.run(classification.facilities(facts, figures).drop("time")).sort_by("facility_id")
    credits = statuses(engine.run(credit_facts(facts)).to_pylist())
    states = [
        state(credits[f["facility_id"]], facts.business_date, f["dpd"], f["stage"], figures)
        for f in rows.select(["facility_id", "dpd", "stage"]).to_pylist()
    ]
    return rows.append_column("state", pa.array(states, pa.string()))


def timelines(engine: Engine, facts: Facts, figures: Figures) -> pa.Table:
    """Every move of every facility between classes and stages, from its first day, in order."""
    rows = engine.run(classification.timelines(facts, figures))
    return rows.sort_by([(name, "ascending") for name in ("facility_id", "day", "scale")])


def attributes_used(figures: Figures) -> list[str]:
    """The attributes that the points of the card are for."""
    card = credit_score.card_of(figures["credit_card"].value)
    return ["tenure_days", *(c.feature for c in card.characteristics)]


def fitted_candidates(
    engine: Engine, facts: Facts, card: Scorecard, degraded: frozenset[str], figures: Figures
) -> list[Candidate]:
    """Every client of a kind the champion was made for, by id, with the features of its card: live credit
    that is old enough, and not in default."""
    date = facts.business_date
    known = labels(classification.portfolio(facts, figures), [date], figures)
    subjects = [
        Subject(one.client_id, one.client_id, date) for one in known if one.outcome in LEARNT
    ]
    if not subjects:
        return []
    history = History(engine, subjects, facts.zone, facts.held)
    rows = engine.run(features(history, figures)).sort_by("subject_id").to_pylist()
    names = [c.name for c in card.characteristics]
    return [
        Candidate(
            row["subject_id"],
            {name: row[name] for name in names},
            "SUPPRESSED" if row["subject_id"] in degraded else None,
        )
        for row in rows
    ]


def candidates(
    profiles: pa.Table, stages: pa.Table, degraded: frozenset[str], figures: Figures
) -> list[Candidate]:
    """Every client with an account, by id, with the features of the points. `profiles` are rows of
    `attributes_used`, `stages` those of `stages`."""
    card = credit_score.card_of(figures["credit_card"].value)
    known = _features(profiles, stages)
    return [
        Candidate(
            client,
            {c.feature: own.get(c.feature) for c in card.characteristics},
            "SUPPRESSED" if client in degraded else None,
        )
        for client, own in sorted(known.items())
        if own.get("tenure_days") is not None
    ]


def _features(profiles: pa.Table, stages: pa.Table) -> Mapping[str, Features]:
    features: dict[str, Features] = {}
    for row in profiles.select(["client_id", "name", "value"]).to_pylist():
        value = None if row["value"] is None else float(row["value"])
        features.setdefault(row["client_id"], {})[row["name"]] = value
    for row in stages.select(["client_id", "dpd", "missed_12m"]).to_pylist():
        own: dict[str, Any] = features.setdefault(row["client_id"], {"tenure_days": 0.0})
        for name in ("dpd", "missed_12m"):
            own[name] = max(own.get(name) or 0.0, float(row[name]))
    return features
