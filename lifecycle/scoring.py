"""The scores of a night: every type by the same steps, kept in one table with all they rest on.

candidates (facts, profiles, checks) -> a scorer of each type -> rows -> gate "score" -> served.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.attribute import Figures
from lifecycle.errors import UsageError
from lifecycle.models.artefact import Stored
from lifecycle.models.scorecard import Scorecard
from lifecycle.risk import attrition_score, conduct_score, credit_score
from lifecycle.risk.aml import score as aml_score
from lifecycle.risk.conduct_score import Sign
from lifecycle.risk.score import (
    AML,
    Candidate,
    Score,
    Version,
    canonical,
    feature_hash,
    score_id,
    version_of,
)

Row = dict[str, Any]
FITTED_CREDIT = "FITTED_CREDIT"

SCHEMA = pa.schema([
    ("score_id", pa.string()),
    ("client_id", pa.string()),
    ("score_type", pa.string()),
    ("status", pa.string()),
    ("value", pa.int64()),
    ("band", pa.string()),
    ("pd", pa.float64()),
    ("reason_codes", pa.string()),
    ("source_event_ids", pa.list_(pa.string())),
    ("inputs", pa.string()),
    ("feature_hash", pa.string()),
    ("model_version", pa.string()),
    ("calibration_version", pa.string()),
    ("data_quality_grade", pa.string()),
    ("rules_hash", pa.string()),
    ("as_of", pa.date32()),
])
"""`status` is SCORED, or why there is no value; `reason_codes` are JSON: code, zh, en, points; `inputs` are
what the scorer was given, as JSON."""


class Models(NamedTuple):
    """The fitted models in force; where there is none, points of the rules stand in."""

    credit: Stored[Scorecard] | None = None
    attrition: attrition_score.Model | None = None


class Scorer(NamedTuple):
    """How one type of score is made."""

    score_type: str
    inputs: Any
    """The type of its inputs."""
    score: Callable[[Any, dt.date, Models, Figures], Score]
    version: Callable[[Models, Figures], Version | None]
    """None where its model is not there."""


def _credit(inputs: Mapping[str, Any], _as_of: dt.date, _models: Models, figures: Figures) -> Score:
    return credit_score.score(inputs, credit_score.card_of(figures["credit_card"].value))


def _fitted_credit(
    inputs: Mapping[str, Any], _as_of: dt.date, models: Models, _figures: Figures
) -> Score:
    assert models.credit is not None, "inputs of a champion are only made where there is one"
    made = models.credit.model.score_row(inputs)
    return Score(made.score, made.band, made.pd, made.reasons)


def _fitted_version(models: Models, _figures: Figures) -> Version | None:
    if models.credit is None:
        return None
    card = models.credit.model
    calibration = version_of("calibration", msgspec.json.encode(card.calibration))
    return Version(card.version, calibration)


def _attrition(inputs: Any, _as_of: dt.date, models: Models, figures: Figures) -> Score:
    return attrition_score.score(inputs, models.attrition, figures)


def _aml(inputs: Any, as_of: dt.date, _models: Models, figures: Figures) -> Score:
    return aml_score.score(inputs, as_of, figures)


def _conduct(score_type: str, points: str) -> Scorer:
    def score(inputs: Any, _as_of: dt.date, _models: Models, figures: Figures) -> Score:
        own, bands, texts = (figures[n].value for n in (points, "conduct_bands", "conduct_reasons"))
        return conduct_score.score(inputs, own, bands, texts)

    def version(_models: Models, figures: Figures) -> Version:
        return conduct_score.version(points, figures)

    return Scorer(score_type, tuple[Sign, ...], score, version)


SCORERS: dict[str, Scorer] = {
    "CREDIT": Scorer(
        "CREDIT",
        dict[str, float | None],
        _credit,
        lambda _, figures: Version(credit_score.card_of(figures["credit_card"].value).version),
    ),
    FITTED_CREDIT: Scorer("CREDIT", dict[str, float | None], _fitted_credit, _fitted_version),
    "ATTRITION": Scorer(
        "ATTRITION",
        attrition_score.Inputs,
        _attrition,
        lambda models, figures: attrition_score.version(models.attrition, figures),
    ),
    "OPERATING": _conduct("OPERATING", "operating_points"),
    "MORAL": _conduct("MORAL", "moral_points"),
    AML: Scorer(
        AML, aml_score.Inputs, _aml, lambda _, figures: Version(aml_score.model_version(figures))
    ),
}
"""How scores are made. Credit has two ways: the champion of who has credit it was made for, and points."""


class Frame(NamedTuple):
    """What all rows of a night share."""

    as_of: dt.date
    models: Models
    figures: Figures
    rules_hash: str
    grades: Mapping[str, str]
    """Client -> quality grade of its profile."""


def rows(name: str, candidates: Iterable[Candidate], frame: Frame) -> Iterator[Row]:
    """One row of `SCHEMA` for each candidate of a scorer. Raises UsageError when its model is not there."""
    scorer = SCORERS[name]
    version = scorer.version(frame.models, frame.figures)
    if version is None:
        raise UsageError(f"The model of {name} is not in the registry any more: restore it.")
    for one in candidates:
        made = None
        if one.withheld is None:
            made = scorer.score(one.inputs, frame.as_of, frame.models, frame.figures)
        yield _row(scorer.score_type, one, made, version, frame)


def again(row: Row, models: Models, figures: Figures) -> Row:
    """The same row made from its own inputs. Equal to `row`, unless models or figures are others."""
    fitted = row["score_type"] == "CREDIT" and row["calibration_version"] is not None
    name = FITTED_CREDIT if fitted else row["score_type"]
    inputs = msgspec.json.decode(row["inputs"], type=SCORERS[name].inputs | None)
    withheld = None if row["status"] == "SCORED" else row["status"]
    frame = Frame(
        row["as_of"],
        models,
        figures,
        row["rules_hash"],
        {row["client_id"]: row["data_quality_grade"]},
    )
    (made,) = rows(name, [Candidate(row["client_id"], inputs, withheld)], frame)
    return made


def chosen(rows: Sequence[Row], many: int) -> list[Row]:
    """The rows whose names hash lowest: others each night, the same whenever they are asked for."""
    return heapq.nsmallest(many, rows, key=lambda row: feature_hash(f"{named(row)}|{row['as_of']}"))


def unlike(rows: Iterable[Row], rules: Mapping[str, RuleSet], models: Models) -> Iterator[str]:
    """Names of rows that do not come out the same to the byte, by the rules of then. Raises UsageError when
    these are gone."""
    for row in rows:
        if row["rules_hash"] not in rules:
            raise UsageError(
                f"The rules {row['rules_hash'][:12]} that made the scores of {row['as_of']} in the lake are "
                "not kept: what made them was never published. Run the night again."
            )
        made = again(row, models, rules[row["rules_hash"]].parameters)
        if canonical(made) != canonical(row):
            yield named(row)


def named(row: Row) -> str:
    """Which score of a night a row is."""
    return f"{row['score_type']}|{row['client_id']}"


def suppressed(row: Row) -> Row:
    """The row without anything it says: a gate refused it."""
    return row | {
        "status": "SUPPRESSED",
        "value": None,
        "band": None,
        "pd": None,
        "reason_codes": "[]",
        "source_event_ids": [],
    }


def served(parts: Iterable[pa.Table]) -> Iterator[Row]:
    """Rows of the lake as the table `risk_score` takes them."""
    for part in parts:
        for row in part.to_pylist():
            yield row | {"calibrated": row["pd"] is not None}


def _row(
    score_type: str, one: Candidate, made: Score | None, version: Version, frame: Frame
) -> Row:
    inputs = canonical(one.inputs)
    digest = feature_hash(inputs)
    reasons = [reason._asdict() for reason in made.reasons] if made else []
    return {
        "score_id": score_id(score_type, one.client_id, frame.as_of, digest, version.model),
        "client_id": one.client_id,
        "score_type": score_type,
        "status": one.withheld or "SCORED",
        "value": made.value if made else None,
        "band": made.band if made else None,
        "pd": made.pd if made else None,
        "reason_codes": msgspec.json.encode(reasons).decode(),
        "source_event_ids": list(made.evidence) if made else [],
        "inputs": inputs,
        "feature_hash": digest,
        "model_version": version.model,
        "calibration_version": version.calibration,
        "data_quality_grade": frame.grades.get(one.client_id),
        "rules_hash": frame.rules_hash,
        "as_of": frame.as_of,
    }
