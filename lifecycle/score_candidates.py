"""All that the step "scores" of a night finds: who is to be scored and on what, and what else it learns of
facilities and of money laundering."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from lifecycle import aml_scoring, attrition, conduct, credit, profiling
from lifecycle.clients.attribute import Figures
from lifecycle.clients.checks import Check
from lifecycle.clients.facts import Facts
from lifecycle.clients.summary import Summary, document
from lifecycle.ports import Engine
from lifecycle.risk.score import AML, Candidate
from lifecycle.scoring import FITTED_CREDIT, Models

USED = ("client_id", "name", "value", "sources")
"""The columns of the profiles that scores look at."""
SUMMARY = ("client_id", "client_type", "grade", "checks")
"""The same of the summaries."""


class Found(NamedTuple):
    """What a night scores and keeps."""

    candidates: dict[str, list[Candidate]]
    """By scorer."""
    products: dict[str, pa.Table]
    """What the lake keeps besides the scores, by name."""
    aml: aml_scoring.AmlNight


def attributes_used(figures: Figures) -> list[str]:
    """The attributes that scores rest on."""
    return sorted({*credit.attributes_used(figures), *conduct.ATTRIBUTES_USED})


def find(
    engine: Engine,
    facts: Facts,
    profiles: pa.Table,
    summaries: pa.Table,
    degraded: frozenset[str],
    models: Models,
    figures: Figures,
) -> Found:
    """`profiles` are the columns `USED` of `attributes_used`, `summaries` the columns `SUMMARY`, both of the
    facts' date; clients in `degraded` are to be suppressed."""
    stages = credit.stages(engine, facts, figures)
    allowed = profiling.allowed_purposes(engine, facts, figures)
    aml = aml_scoring.aml_night(engine, facts, figures, degraded)
    fitted = (
        credit.fitted_candidates(engine, facts, models.credit.model, degraded, figures)
        if models.credit
        else []
    )
    by_champion = {one.client_id for one in fitted}
    by_points = credit.candidates(profiles, stages, degraded, figures)
    candidates = {
        "CREDIT": [one for one in by_points if one.client_id not in by_champion],
        **({FITTED_CREDIT: fitted} if models.credit else {}),
        "ATTRITION": attrition.candidates(engine, facts, allowed, degraded, figures),
        **_conduct(engine, facts, profiles, summaries, degraded, figures),
        AML: aml.candidates,
    }
    products = {
        "facility_stage": stages,
        "facility_timeline": credit.timelines(engine, facts, figures),
        "aml_hit": aml.hits,
        "aml_factor": aml.factors,
        "large_transaction": aml.large,
    }
    return Found(candidates, products, aml)


def summary_rows(summaries: Iterable[Summary]) -> pa.Table:
    """Summaries that no night kept, with the columns `SUMMARY`."""
    return pa.Table.from_pylist([
        {
            "client_id": one.client_id,
            "client_type": one.client_type,
            "grade": one.quality.grade,
            "checks": document(one.checks),
        }
        for one in summaries
    ])


def reviews(
    aml: aml_scoring.AmlNight,
    rows: Iterable[Mapping[str, Any]],
    business_date: dt.date,
    figures: Figures,
) -> pa.Table:
    """When whom compliance looks at again; see `aml_scoring.reviews`. `rows` are the scores of the night."""
    levels = {row["client_id"]: row["band"] for row in rows if row["score_type"] == AML}
    return aml_scoring.reviews(aml, levels, business_date, figures)


def _conduct(
    engine: Engine,
    facts: Facts,
    profiles: pa.Table,
    summaries: pa.Table,
    degraded: frozenset[str],
    figures: Figures,
) -> dict[str, list[Candidate]]:
    signs = conduct.signs(engine, facts, figures)
    traced = conduct.proceeds(engine, facts, figures)
    found: dict[str, list[Candidate]] = {"OPERATING": [], "MORAL": []}
    judged = _judged(summaries)
    for kind, one in conduct.candidates(profiles, judged, signs, traced, degraded, figures):
        found[kind].append(one)
    return found


def _judged(summaries: pa.Table) -> Iterator[conduct.Judged]:
    columns = ("client_id", "client_type", "checks")
    for client, kind, text in zip(*(summaries[c].to_pylist() for c in columns), strict=True):
        yield conduct.Judged(client, kind, msgspec.json.decode(text, type=list[Check]))
