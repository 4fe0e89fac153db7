"""How well attrition is told on a simulated bank whose leavers are known: fitted on the past, judged on
later dates that no label of the past reaches into.

The bank's events go straight into a lake of their own. On every date features are made as in a night;
who left is told by the facts of 150 days later. The labels of the simulator are used only to say which
kinds of clients were found.
"""

from __future__ import annotations

import datetime as dt
import random
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from benchmarks.profiles import FIRST_DAY, Note, date_of, seal, timed
from benchmarks.scratch import machine_facts
from lifecycle import app
from lifecycle.alerts.rules import load_rules
from lifecycle.attrition import Outcome, label_date, outcomes, values_of
from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.clients.observation import observations
from lifecycle.errors import UsageError
from lifecycle.models import metrics
from lifecycle.ports import Engine
from lifecycle.risk.attrition_facts import FEATURES, features
from lifecycle.risk.attrition_fit import fit
from lifecycle.risk.attrition_score import (
    Inputs,
    Model,
    Values,
    probability,
    score,
    write_model,
)
from lifecycle.risk.score import band_of
from lifecycle.settings import Settings

EVERY = 30
"""Days between two dates."""
FIRST_AGE = 210
"""Days of the bank's life before the first date: half a year of history, and some."""
TEST_DATES = 2
TOLD_BY_THE_DATE = ("tenure_years", "rate_gap")
"""Not fitted on here: all clients of this bank are new and earn the same rate, so that the two would only
tell early dates from late ones."""
TOP = 0.10
BINS = 10
RESAMPLES, SHUFFLES = 300, 50


class Sample(NamedTuple):
    """One client on one date."""

    client: str
    day: dt.date
    values: Values
    outcome: Outcome | None


def measure(
    configured: Settings,
    *,
    clients: int,
    days: int,
    seed: int,
    note: Note,
    berka: bool = False,
    write_to: Path | None = None,
) -> dict[str, Any]:
    """Simulate a bank that clients leave, fit on early dates, judge on later ones."""
    from lifecycle.sources.simulator import LEAVING

    figures = load_rules(configured.rules).parameters
    seconds: dict[str, float] = {}
    train_days, test_days = dates(days, figures)
    bank = app.simulator(
        configured, seed=seed, clients=clients, first_day=FIRST_DAY, days=days, stories=LEAVING
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        with timed("events", seconds, note):
            events = seal(bank.events(None, None), folder, note)
        with timed("features and outcomes", seconds, note):
            samples = {
                day: _samples(folder, configured, day, figures, note)
                for day in (*train_days, *test_days)
            }
    train = [one for day in train_days for one in samples[day]]
    test = [one for day in test_days for one in samples[day]]
    with timed("fitting", seconds, note):
        model = fitted(train, "simulated bank, synthetic", seed)
    if write_to:
        write_to.write_bytes(write_model(model))
    stories = {label.client_id: (label.story, label.day) for label in bank.labels()}
    return {
        "bank": {"clients": clients, "days": days, "seed": seed, "events": events},
        "train": _about(train, train_days),
        "test": _about(test, test_days),
        "judged": judged(model, train, test, figures, seed),
        "stories": _stories(model, test, stories, figures),
        "model": _weights(model),
        "berka": demonstrated(configured, figures, note) if berka else None,
        "seconds": seconds,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "machine": machine_facts(),
    }


def dates(days: int, figures: Figures) -> tuple[list[dt.date], list[dt.date]]:
    """Dates to fit on and to judge on: every label of the first is known before the first of the others."""
    last = date_of(days)
    every = [date_of(age) for age in range(FIRST_AGE, days, EVERY)]
    known = [day for day in every if label_date(day, figures) <= last]
    test = known[-TEST_DATES:]
    train = [day for day in known if test and label_date(day, figures) <= test[0]]
    if not train:
        raise UsageError(
            f"A bank of {days} days has no dates to fit on before those to judge on: take more days."
        )
    return train, test


def fitted(samples: Sequence[Sample], source: str, seed: int) -> Model:
    """The model of these samples."""
    return fit(
        [one.values for one in samples],
        [one.outcome is not None for one in samples],
        [one.client for one in samples],
        [name for name in FEATURES if name not in TOLD_BY_THE_DATE],
        {
            "source": source,
            "seed": seed,
            "first": min(one.day for one in samples).isoformat(),
            "last": max(one.day for one in samples).isoformat(),
        },
    )


def judged(
    model: Model, train: Sequence[Sample], test: Sequence[Sample], figures: Figures, seed: int
) -> dict[str, Any]:
    """Measures of the model, of the points, and of single features, on what was not fitted on."""
    left = [one.outcome is not None for one in test]
    pds = [probability(model, one.values) for one in test]
    points = [score(Inputs(dict(one.values), {}), None, figures).value for one in test]
    return {
        "model": ranking(pds, left) | calibration(pds, left),
        "points": ranking([float(value) for value in points], left),
        "days_since_cit": ranking([one.values["days_since_cit"] or 0.0 for one in test], left),
        "aum_trend": ranking([-(one.values["aum_trend"] or 0.0) for one in test], left),
        "shuffled_labels": _by_chance(pds, left, seed),
        "bands": _bands(pds, left, figures),
        "bins": _bins(pds, left),
        "psi": psi([probability(model, one.values) for one in train], pds),
    }


def ranking(
    scores: Sequence[float], left: Sequence[bool], resamples: int = RESAMPLES
) -> dict[str, Any]:
    """AUC with a bootstrap interval over clients' rows, PR-AUC, and lift and capture of the worst tenth."""
    whole = _counts(scores, left)
    auc = metrics.auc(whole)
    low, high = _interval(scores, left, resamples) if resamples else (auc, auc)
    worst = sorted(range(len(scores)), key=lambda n: -scores[n])[: max(1, int(TOP * len(scores)))]
    found = sum(left[n] for n in worst)
    base = sum(left) / len(left)
    return {
        "auc": round(auc, 3),
        "auc_low": low,
        "auc_high": high,
        "pr_auc": round(metrics.pr_auc(whole), 3),
        "lift": round(found / len(worst) / base, 2),
        "capture": round(found / sum(left), 3),
    }


def _counts(scores: Sequence[float], left: Sequence[bool]) -> metrics.Counts:
    return metrics.counts(np.asarray(scores, float), np.asarray(left, np.int8))


def _by_chance(pds: Sequence[float], left: Sequence[bool], seed: int) -> dict[str, Any]:
    """The measures of the same scores with the labels shuffled: means, and the 95 %, of fifty times."""
    chance, labels, drawn = random.Random(seed), list(left), []
    for _ in range(SHUFFLES):
        chance.shuffle(labels)
        drawn.append(ranking(pds, labels, resamples=0))
    aucs = sorted(one["auc"] for one in drawn)
    means = {
        name: round(sum(one[name] for one in drawn) / SHUFFLES, 3)
        for name in ("auc", "pr_auc", "lift", "capture")
    }
    return means | {"auc_low": aucs[1], "auc_high": aucs[-2]}


def _interval(scores: Sequence[float], left: Sequence[bool], resamples: int) -> tuple[float, float]:
    """The 95 % of the AUC of the resamples."""
    chance = random.Random(0)
    drawn = []
    for _ in range(resamples):
        rows = [chance.randrange(len(left)) for _ in left]
        if any(left[n] for n in rows):
            resample = _counts([scores[n] for n in rows], [left[n] for n in rows])
            drawn.append(metrics.auc(resample))
    drawn.sort()
    return round(drawn[int(0.025 * len(drawn))], 3), round(drawn[int(0.975 * len(drawn))], 3)


def calibration(pds: Sequence[float], left: Sequence[bool]) -> dict[str, float]:
    """Brier score, and the mean probability beside the share that left."""
    return {
        "brier": round(metrics.brier(_counts(pds, left)), 4),
        "mean_pd": round(sum(pds) / len(pds), 4),
        "left": round(sum(left) / len(left), 4),
    }


def psi(before: Sequence[float], now: Sequence[float]) -> float:
    """Population stability index over the tenths of `before`; a thousandth stands for nobody."""
    from bisect import bisect_right
    from math import log

    ordered = sorted(before)
    edges = sorted({ordered[len(ordered) * n // BINS] for n in range(1, BINS)})
    shares = []
    for values in (before, now):
        counts = Counter(bisect_right(edges, value) for value in values)
        shares.append([max(counts[n] / len(values), 0.001) for n in range(len(edges) + 1)])
    return round(sum((b - a) * log(b / a) for a, b in zip(*shares, strict=True)), 3)


BERKA_DAY, BERKA_END = dt.date(1993, 10, 31), dt.date(1994, 3, 31)
"""Every entry of every account is there until the second date: five months after the first."""


def demonstrated(configured: Settings, figures: Figures, note: Note) -> dict[str, Any]:
    """That features and points can be had of real entries. Nobody closes an account there: the proxy,
    no transaction of the client's own within the horizon, and the fall of assets stand for leaving."""
    horizon = BERKA_DAY + dt.timedelta(days=int(figures["attrition_horizon_days"].value))
    with TemporaryDirectory() as name:
        folder = Path(name)
        events = seal(app.berka(configured).events(None, BERKA_END), folder, note)
        with _engine(folder, configured) as (engine, facts_of):
            rows = engine.run(features(facts_of(BERKA_DAY), figures)).to_pylist()
            ahead = engine.run(observations(facts_of(horizon), figures)).to_pylist()
            left = outcomes(engine, facts_of, BERKA_DAY, figures)
    last = {row["client_id"]: row["last_cit"] for row in ahead}
    bands = Counter(score(Inputs(values_of(row), {}), None, figures).band for row in rows)
    asked = {row["client_id"] for row in rows}
    return {
        "as_of": BERKA_DAY,
        "events": events,
        "clients": len(rows),
        "silent": sum(last[client] <= BERKA_DAY for client in asked),
        "left": dict(Counter(how for client, how in left.items() if client in asked)),
        "bands": dict(bands),
    }


def _samples(
    folder: Path, configured: Settings, day: dt.date, figures: Figures, note: Note
) -> list[Sample]:
    with _engine(folder, configured) as (engine, facts_of):
        rows = engine.run(features(facts_of(day), figures)).sort_by("client_id").to_pylist()
        left = outcomes(engine, facts_of, day, figures)
    note(f"{day}: {len(rows):,} clients, {sum(row['client_id'] in left for row in rows)} left")
    return [
        Sample(row["client_id"], day, values_of(row), left.get(row["client_id"])) for row in rows
    ]


@contextmanager
def _engine(
    folder: Path, configured: Settings
) -> Iterator[tuple[Engine, Callable[[dt.date], Facts]]]:
    with app.engine_over_lake(folder) as engine:
        yield engine, lambda day: Facts(engine, day, configured.timezone, frozenset())


def _about(samples: Sequence[Sample], days: Sequence[dt.date]) -> dict[str, Any]:
    return {
        "days": [day.isoformat() for day in days],
        "rows": len(samples),
        "clients": len({one.client for one in samples}),
        "left": dict(Counter(one.outcome for one in samples if one.outcome)),
    }


def _bands(pds: Sequence[float], left: Sequence[bool], figures: Figures) -> list[dict[str, Any]]:
    limits = figures["attrition_bands"].value
    rows: dict[str, list[tuple[float, bool]]] = {
        name: [] for name in sorted(limits, key=lambda name: -float(limits[name]))
    }
    for pd, gone in zip(pds, left, strict=True):
        rows[band_of(pd, limits)].append((pd, gone))
    return [_cell("band", name, own) for name, own in rows.items()]


def _bins(pds: Sequence[float], left: Sequence[bool]) -> list[dict[str, Any]]:
    """Tenths by probability, the most likely first."""
    ranked = sorted(zip(pds, left, strict=True), key=lambda pair: -pair[0])
    size = len(ranked) / BINS
    return [
        _cell("tenth", n + 1, ranked[round(n * size) : round((n + 1) * size)]) for n in range(BINS)
    ]


def _cell(name: str, value: Any, own: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    return {
        name: value,
        "rows": len(own),
        "mean_pd": round(sum(pd for pd, _ in own) / len(own), 4) if own else None,
        "left": sum(gone for _, gone in own),
        "share": round(sum(gone for _, gone in own) / len(own), 4) if own else None,
    }


def _stories(
    model: Model,
    test: Sequence[Sample],
    stories: Mapping[str, tuple[str, dt.date]],
    figures: Figures,
) -> list[dict[str, Any]]:
    """By story, and how far off its day was: how many left, and how many stand in the worst tenth."""
    ranked = sorted(test, key=lambda one: -probability(model, one.values))
    worst = {(one.client, one.day) for one in ranked[: max(1, int(TOP * len(ranked)))]}
    horizon = int(figures["attrition_horizon_days"].value)
    groups: dict[tuple[str, str], list[Sample]] = {}
    for one in test:
        story, day = stories.get(one.client, ("COMPANY", one.day))
        away = (day - one.day).days
        if story in ("STEADY", "COMPANY"):
            when = ""
        elif away <= 0:
            when = "past"
        else:
            when = f"within {horizon} days" if away <= horizon else "later"
        groups.setdefault((story, when), []).append(one)
    return [
        {
            "story": story,
            "when": when,
            "rows": len(own),
            "left": sum(one.outcome is not None for one in own),
            "in_worst_tenth": sum((one.client, one.day) in worst for one in own),
        }
        for (story, when), own in sorted(groups.items())
    ]


def _weights(model: Model) -> list[dict[str, Any]]:
    return [
        {"feature": term.feature, "weight": round(term.weight, 3), "mean": round(term.mean, 3)}
        for term in sorted(model.terms, key=lambda term: -abs(term.weight))
    ]
