"""How good the scorecard for new loans is on the real loans of Berka whose outcome is told: those of 1993 to
1996. Of the later ones only features and scores are looked at, which need no outcome.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from lifecycle import app
from lifecycle.alerts.rules import load_rules
from lifecycle.clients.attribute import Figures as Rules
from lifecycle.loan_scores import (
    CARD,
    TRAINED_BEFORE,
    defaulted_12m,
    labelled,
    loan_scores,
    share_12m,
    told_before,
    train_card,
)
from lifecycle.models import artefact, metrics
from lifecycle.models.artefact import Stored
from lifecycle.models.figures import Figures, figures_of
from lifecycle.models.fitting import Fitted, fit
from lifecycle.models.metrics import Floats, Measured
from lifecycle.models.scorecard import Characteristic, Scorecard
from lifecycle.models.table import Sample, sample
from lifecycle.settings import Settings
from lifecycle.sources.berka_loans import GrantedLoan

Note = Callable[[str], None]
TEST_FROM = dt.date(1996, 1, 1)
"""The card of the grants before is judged on those of this year."""
REPEATS = 5
SIGNS = {"overdrawn_12m": 1, "min_balance_90d": -1}
"""Single features to beat; 1 where more of it is worse, -1 where less is."""

RANKING = ("auc", "ks", "pr_auc", "capture_10")
"""Metrics that need no PD."""


class TwelveMonths(NamedTuple):
    """Mean PD of twelve months beside the rate of default within them."""

    mean_pd: float
    seen: int
    """Bad loans that were seen in trouble within a year of the grant."""
    dated: int
    """Bad loans that were seen in trouble at all."""
    rate: float
    rate_interval: tuple[float, float]
    ratio: float
    """Mean PD to rate."""
    ratio_interval: tuple[float, float]


class Judgement(NamedTuple):
    """A card on loans it was not fitted on. PDs are those of the outcome in the end."""

    loans: list[GrantedLoan]
    pd: Floats
    scores: Floats
    card: Measured
    signs: dict[str, Measured]
    year: TwelveMonths

    @property
    def bad(self) -> Any:
        return np.array([bool(loan.bad) for loan in self.loans], dtype=np.int8)


class Year(NamedTuple):
    """Grants of a year or more: what is told of them, and what the card of this package says."""

    granted: str
    loans: int
    bads: int | None
    mean_pd: float
    psi: float
    """Of the score, against all grants of 1993-96."""


class Measurement(NamedTuple):
    """All that was measured."""

    shipped: Stored[Scorecard]
    again: str
    """The version of the card that training gives now."""
    test: Judgement
    folds: list[Judgement]
    years: list[Year]
    drift: dict[str, float]
    """PSI of each characteristic, grants from 1997 on against those before."""
    explained: tuple[int, int]
    """Loans in bands D and E, and those of them with a reason."""


def measure(configured: Settings, note: Note) -> Measurement:
    """Fit, judge, and compare."""
    rules = load_rules(configured.rules).parameters
    rows, loans = app.berka_loans(configured, note)
    shipped = artefact.champion(CARD)
    scored = list(loan_scores(rows, loans, shipped.model))
    return Measurement(
        shipped=shipped,
        again=train_card(rows, loans, rules, note).model_version,
        test=out_of_time(rows, loans, rules),
        folds=list(_folds(rows, loans, rules, note)),
        years=list(_years(loans, scored, shipped)),
        drift=_drift(rows, loans, shipped.model),
        explained=_explained(scored),
    )


def out_of_time(rows: pa.Table, loans: Sequence[GrantedLoan], rules: Rules) -> Judgement:
    """The card of 1993 to 1995 on the grants of 1996."""
    figures = figures_of(rules)
    early, before = _sample(rows, told_before(loans, TEST_FROM), rules)
    fitted = fit(early, figures)
    late = [loan for loan in told_before(loans) if loan.granted >= TEST_FROM]
    scores = [row["score"] for row in loan_scores(rows, late, fitted.scorecard)]
    return _judged(rows, late, fitted, before, scores, figures)


def _folds(
    rows: pa.Table, loans: Sequence[GrantedLoan], rules: Rules, note: Note
) -> Iterator[Judgement]:
    """Five times five folds of 1993 to 1996, each loan by the card of the other folds; the first time
    those of the card of this package."""
    figures = figures_of(rules)
    whole, own = _sample(rows, told_before(loans), rules)
    for repeat in range(REPEATS):
        note(f"folds, time {repeat + 1} of {REPEATS}")
        cut = msgspec.structs.replace(figures.fit, seed=figures.fit.seed + repeat)
        fitted = fit(whole, msgspec.structs.replace(figures, fit=cut))
        scale = figures.scale
        scores = [scale.clip(scale.offset - scale.factor * odds) for odds in fitted.unseen]
        yield _judged(rows, own, fitted, own, scores, figures)


def _sample(
    rows: pa.Table, told: Sequence[GrantedLoan], rules: Rules
) -> tuple[Sample, list[GrantedLoan]]:
    """What a card is fitted on, and its loans in the same order."""
    made = sample(labelled(rows, told, rules), "bad", "subject_id")
    by_id = {loan.loan_id: loan for loan in told}
    assert made.groups is not None
    return made, [by_id[key] for key in made.groups]


def _judged(
    rows: pa.Table,
    loans: list[GrantedLoan],
    fitted: Fitted,
    learnt: Sequence[GrantedLoan],
    scores: Sequence[int],
    figures: Figures,
) -> Judgement:
    pd = np.array([fitted.scorecard.pd(score) for score in scores])
    bad = np.array([bool(loan.bad) for loan in loans], dtype=np.int8)
    return Judgement(
        loans,
        pd,
        np.array(scores, dtype=float),
        metrics.measured(pd, bad, figures.validation),
        {name: _sign(rows, loans, bad, name, figures) for name in SIGNS},
        _twelve_months(loans, pd * share_12m(learnt), figures),
    )


def _sign(
    rows: pa.Table, loans: Sequence[GrantedLoan], bad: Any, name: str, figures: Figures
) -> Measured:
    """How well one feature ranks: its ranks stand in for PDs, so that only what ranks is of use."""
    by_id = dict(zip(rows["subject_id"].to_pylist(), rows[name].to_pylist(), strict=True))
    values = np.array([by_id[loan.loan_id] for loan in loans], dtype=float) * SIGNS[name]
    levels, place = np.unique(values, return_inverse=True)
    return metrics.measured((place + 0.5) / len(levels), bad, figures.validation)


def _twelve_months(loans: Sequence[GrantedLoan], pd: Floats, figures: Figures) -> TwelveMonths:
    draw = np.random.default_rng(metrics.SEED)
    found = []
    for _ in range(figures.validation.resamples):
        chosen = draw.integers(0, len(loans), len(loans))
        again = [loans[n] for n in chosen]
        if any(map(defaulted_12m, again)):
            rate = _rate_12m(again)
            found.append((rate, float(pd[chosen].mean()) / rate))
    rates, ratios = zip(*found, strict=True)
    rate = _rate_12m(loans)
    return TwelveMonths(
        float(pd.mean()),
        sum(map(defaulted_12m, loans)),
        sum(bool(loan.bad and loan.trouble) for loan in loans),
        rate,
        metrics.interval(rates, figures.validation.coverage),
        float(pd.mean()) / rate,
        metrics.interval(ratios, figures.validation.coverage),
    )


def _rate_12m(loans: Sequence[GrantedLoan]) -> float:
    return sum(bool(loan.bad) for loan in loans) / len(loans) * share_12m(loans)


def _years(
    loans: Sequence[GrantedLoan], scored: Sequence[Mapping[str, Any]], shipped: Stored[Scorecard]
) -> Iterator[Year]:
    first, end = loans[0].granted.year, TRAINED_BEFORE.year
    last = loans[-1].granted.year
    for low, high in (*((year, year) for year in range(first, last + 1)), (end, last)):
        own = [n for n, loan in enumerate(loans) if low <= loan.granted.year <= high]
        told = [bool(loans[n].bad) for n in own if loans[n].granted < TRAINED_BEFORE]
        scores = np.array([scored[n]["score"] for n in own], dtype=float)
        spread = shipped.development
        yield Year(
            str(low) if low == high else f"{low} to {high}",
            len(own),
            sum(told) if told else None,
            float(np.mean([scored[n]["pd"] for n in own])),
            metrics.psi(spread.shares, spread.spread(scores)),
        )


def _drift(rows: pa.Table, loans: Sequence[GrantedLoan], card: Scorecard) -> dict[str, float]:
    late = {loan.loan_id for loan in loans if loan.granted >= TRAINED_BEFORE}
    values = [row for row in rows.to_pylist() if row["subject_id"] in late]
    return {c.name: _psi(c, [row[c.name] for row in values]) for c in card.characteristics}


def _psi(c: Characteristic, values: Sequence[Any]) -> float:
    bins = c.all_bins()
    places = [bins.index(c.bin_of(value)) for value in values]
    before = np.array([own.rows for own in bins]) / sum(own.rows for own in bins)
    return metrics.psi(before.tolist(), np.bincount(places, minlength=len(bins)).astype(float))


def _explained(scored: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    weak = [row for row in scored if row["band"] in "DE"]
    return len(weak), sum(bool(row["reason_1"]) for row in weak)


def document(found: Measurement) -> dict[str, Any]:
    """All that was measured, as plain numbers without any loan."""
    weak, explained = found.explained
    return {
        "model_version": found.shipped.model_version,
        "trained_again": found.again,
        "out_of_time": _document(found.test),
        "folds": [_document(one) for one in found.folds],
        "years": [year._asdict() for year in found.years],
        "psi": found.drift,
        "bands_d_and_e": {"loans": weak, "with_a_reason": explained},
    }


def _document(one: Judgement) -> dict[str, Any]:
    return {
        **metrics.document(one.card),
        "baselines": {
            name: {metric: (sign.values[metric], sign.intervals[metric]) for metric in RANKING}
            for name, sign in one.signs.items()
        },
        "twelve_months": one.year._asdict(),
    }
