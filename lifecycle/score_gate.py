"""What gate "score" judges of the scores of a night: one row a score."""

from __future__ import annotations

import datetime as dt
import itertools
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from lifecycle.clients.attribute import Figures
from lifecycle.models.metrics import psi
from lifecycle.risk import credit_score
from lifecycle.risk.score import AML, REASONS_MAX, Reason
from lifecycle.scoring import SCORERS, Models, Row, again, chosen, named

_BANDS = ("A", "B", "C", "D", "E", "LOW", "MEDIUM", "HIGH")
"""Of both scales, the best first."""
_UNEXPLAINED = frozenset({"A", "B", "LOW"})
"""Bands that may stand without a reason."""
_OF_EVERYBODY_WITH_AN_ACCOUNT = ("CREDIT", "MORAL")


def columns(
    rows: Sequence[Row],
    stages: pa.Table,
    moves: pa.Table,
    eligible: Mapping[str, Set[str]],
    models: Models,
    figures: Figures,
) -> dict[str, Sequence[Any]]:
    """Boolean columns and the key of each row. A client's facilities are judged on the rows of that client;
    `moves` are those of facilities between classes and stages, `eligible` is what `eligible` gives. What is
    judged of a champion needs as many clients as its monitoring."""
    wrong_stage, wrong_tier = _stages(stages, figures), _tiers(stages, figures)
    versions = {
        (scorer.score_type, *version)
        for scorer in SCORERS.values()
        if (version := scorer.version(models, figures))
    }
    checked = chosen(rows, int(figures["scores_made_again"].value))
    unlike = {named(row) for row in checked if again(row, models, figures) != row}
    least = float(figures["score_coverage_min"].value)
    missing = {kind for kind, share in _coverage(rows, eligible) if share < least}
    unordered = set(_unordered(rows))
    fitted = [row for row in rows if row["score_type"] == "CREDIT" and row["pd"] is not None]
    judged = len(fitted) >= int(figures["model_monitoring"].value["clients"])
    stable = not judged or _psi(fitted, models) < float(figures["score_validation"].value["psi"][0])
    calibrated = not judged or _agrees(fitted, moves, figures)
    few = _withheld_share(rows) <= float(figures["score_suppressed_share_max"].value)
    bounds = _bounds(figures)
    return {
        "key": [named(row) for row in rows],
        "ck_value": [_in_range(row, bounds) for row in rows],
        "ck_model": [
            (row["score_type"], row["model_version"], row["calibration_version"]) in versions
            for row in rows
        ],
        "is_stable": [stable] * len(rows),
        "is_pd_observed": [calibrated] * len(rows),
        "ck_pd_by_band": [row["score_type"] not in unordered for row in rows],
        "ck_reasons": [_is_explained(row) for row in rows],
        "ck_stage": [row["client_id"] not in wrong_stage for row in rows],
        "ck_tier": [row["client_id"] not in wrong_tier for row in rows],
        "is_few_suppressed": [few] * len(rows),
        "ck_again": [named(row) not in unlike for row in rows],
        "ck_coverage": [row["score_type"] not in missing for row in rows],
    }


def eligible(clients: Iterable[str], profiles: pa.Table) -> dict[str, Set[str]]:
    """Type of a score -> who has to have one: every client of money laundering, who has an account of
    credit and moral risk. `profiles` has the attribute tenure_days of everybody."""
    tenure = zip(*(profiles[c].to_pylist() for c in ("client_id", "name", "value")), strict=True)
    banked = {client for client, name, value in tenure if name == "tenure_days" and value}
    return {AML: set(clients), **dict.fromkeys(_OF_EVERYBODY_WITH_AN_ACCOUNT, banked)}


def _bounds(figures: Figures) -> dict[str, tuple[int, int]]:
    card = credit_score.card_of(figures["credit_card"].value)
    return dict.fromkeys(SCORERS, (0, 100)) | {"CREDIT": (card.lowest, card.highest)}


def _in_range(row: Row, bounds: Mapping[str, tuple[int, int]]) -> bool:
    value, pd = row["value"], row["pd"]
    if row["status"] != "SCORED":
        return value is None and pd is None
    lowest, highest = bounds[row["score_type"]]
    return value is not None and lowest <= value <= highest and (pd is None or 0 < pd < 1)


def _is_explained(row: Row) -> bool:
    reasons = msgspec.json.decode(row["reason_codes"], type=list[dict[str, Any]])
    fields = set(Reason._fields)
    whole = all(set(r) == fields and r["zh"] and r["en"] and r["points"] > 0 for r in reasons)
    needed = row["status"] == "SCORED" and row["band"] not in _UNEXPLAINED
    return whole and len(reasons) <= REASONS_MAX and (bool(reasons) or not needed)


def _stages(stages: pa.Table, figures: Figures) -> set[str]:
    """Clients with a facility whose stage is better than its days past due allow."""
    third, second = (figures[name].value for name in ("dpd_stage_3", "dpd_stage_2"))
    return {
        f["client_id"]
        for f in stages.select(["client_id", "dpd", "stage"]).to_pylist()
        if f["stage"] < (3 if f["dpd"] > third else 2 if f["dpd"] > second else 1)
    }


def _tiers(stages: pa.Table, figures: Figures) -> set[str]:
    """Clients with a facility whose class is better than its days past due allow."""
    limit = figures["dpd_substandard"].value
    return {
        f["client_id"]
        for f in stages.select(["client_id", "dpd", "tier"]).to_pylist()
        if f["dpd"] > limit and f["tier"] in ("PASS", "SPECIAL_MENTION")
    }


def _coverage(rows: Sequence[Row], eligible: Mapping[str, Set[str]]) -> Iterator[tuple[str, float]]:
    """Of each type, the share of those who have to have a score that has a row."""
    there: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        there[row["score_type"]].add(row["client_id"])
    for kind, clients in eligible.items():
        yield kind, len(clients & there[kind]) / max(1, len(clients))


def _withheld_share(rows: Sequence[Row]) -> float:
    return Counter(row["status"] for row in rows)["SUPPRESSED"] / max(1, len(rows))


def _psi(fitted: Sequence[Row], models: Models) -> float:
    """How far the champion's scores are from those of its development."""
    assert models.credit is not None, "there is no PD without a champion"
    development = models.credit.development
    scores = np.array([row["value"] for row in fitted], dtype=float)
    return psi(development.shares, development.spread(scores))


def _agrees(fitted: Sequence[Row], moves: pa.Table, figures: Figures) -> bool:
    """Whether the mean PD of 12 months is near the rate of defaults of the last months, over a year. Who
    defaulted was one of those that might have."""
    limits = figures["score_pd_observed"].value
    since = fitted[0]["as_of"] - dt.timedelta(days=limits["days"])
    rows = moves.select(["client_id", "scale", "day", "after"]).to_pylist()
    defaulted = {
        m["client_id"]
        for m in rows
        if (m["scale"], m["after"]) == ("STAGE", "3") and m["day"] > since
    }
    exposed = len(fitted) + len(defaulted - {row["client_id"] for row in fitted})
    observed = len(defaulted) / exposed * 365 / limits["days"]
    mean = statistics.fmean(row["pd"] for row in fitted)
    return bool(abs(mean - observed) <= float(limits["share"]) * observed)


def _unordered(rows: Sequence[Row]) -> Iterator[str]:
    """Types whose median PD does not rise from band to band."""
    pds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["pd"] is not None:
            pds[row["score_type"]][row["band"]].append(row["pd"])
    for kind, by_band in pds.items():
        medians = [statistics.median(by_band[band]) for band in _BANDS if band in by_band]
        if any(after <= before for before, after in itertools.pairwise(medians)):
            yield kind
