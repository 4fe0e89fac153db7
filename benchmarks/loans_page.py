"""What `loans.measure` gives, for people: a part of docs/evaluation.md, and the validation report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation_page import table
from benchmarks.loans import Judgement, Measurement, TwelveMonths
from lifecycle.models import report
from lifecycle.models.evaluation import Judged
from lifecycle.models.figures import Figures
from lifecycle.models.metrics import Measured
from lifecycle.models.report import Section, Told
from lifecycle.models.scorecard import Characteristic, Scorecard

PART = "loans"
"""The name of the markers on the page."""
RANKING = ("auc", "ks", "pr_auc", "capture_10")
CALIBRATION = ("brier", "calibration_slope", "calibration_in_the_large")
SIGNS = {
    "overdrawn_12m": "baseline: overdrawn within a year before",
    "min_balance_90d": "baseline: lowest balance of 90 days",
}
TEST, FOLDS = "card of 1993-95, grants of 1996", "card of 1993-96, five times five folds"
RANKS = ("", "loans", "bad", "AUC", "KS", "PR-AUC", "share of bads in the worst tenth")
TRUE = ("", "mean PD", "bad rate", "Brier", "slope", "in the large (log-odds)")
TWELVE = (
    "",
    "mean 12-month PD",
    "defaults within 12 months: seen",
    "of bads with a date",
    "12-month rate, estimated",
    "mean PD / rate",
)
YEARS = ("granted", "loans", "bad in the end", "mean 12-month PD", "PSI of the score")
DRIFT = ("characteristic", "PSI")


def markdown(found: Measurement) -> str:
    """The part of the page."""
    shipped = found.shipped
    weak, explained = found.explained
    return "\n".join((
        f"Card `{shipped.model_version}`: {shipped.training.rows} loans, {shipped.training.bads} bad. "
        f"Fitted anew it is `{found.again}`. Made by `lifecycle bench loans --write docs/evaluation.md "
        "--report docs/berka-validation.html`. In brackets: 95 % of 500 resamples of the loans.\n",
        table(RANKS, ranks(found)),
        table(TRUE, truths(found)),
        "PDs of twelve months, each shifted by what was known of the loans it was fitted on:\n",
        table(TWELVE, twelve(found)),
        "The card of the package on every year; of the last two no outcome is known here:\n",
        table(YEARS, years(found)),
        "Grants of 1997-98 against those of 1993-96, bin by bin:\n",
        table(DRIFT, drift(found)),
        f"{explained} of {weak} loans in bands D and E have a reason.\n",
    ))


def ranks(found: Measurement) -> Iterator[tuple[Any, ...]]:
    """How well the card ranks, beside the single signs."""
    yield _ranked(TEST, [found.test.card])
    for name, said in SIGNS.items():
        yield _ranked(said, [found.test.signs[name]])
    yield _ranked(FOLDS, [one.card for one in found.folds])
    for name, said in SIGNS.items():
        yield _ranked(said, [found.folds[0].signs[name]])


def _ranked(said: str, found: Sequence[Measured]) -> tuple[Any, ...]:
    return said, found[0].n, found[0].n_bad, *(_reach(found, name) for name in RANKING)


def _reach(found: Sequence[Measured], name: str) -> str:
    """The mean over repeats of a value, and of both ends of its interval."""
    middle = np.mean([one.values[name] for one in found])
    low, high = np.mean([one.intervals[name] for one in found], axis=0)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def truths(found: Measurement) -> Iterator[tuple[Any, ...]]:
    """Whether PDs of the outcome in the end are true."""
    for said, own in ((TEST, [found.test.card]), (FOLDS, [one.card for one in found.folds])):
        yield (
            said,
            f"{np.mean([one.mean_pd for one in own]):.3f}",
            f"{own[0].bad_rate:.3f}",
            *(_reach(own, name) for name in CALIBRATION),
        )


def twelve(found: Measurement) -> Iterator[tuple[Any, ...]]:
    """Whether PDs of twelve months are."""
    for said, own in ((TEST, found.test.year), (FOLDS, found.folds[0].year)):
        yield said, *_twelve(own)


def _twelve(own: TwelveMonths) -> tuple[Any, ...]:
    return (
        f"{own.mean_pd:.3f}",
        own.seen,
        own.dated,
        f"{own.rate:.3f} ({own.rate_interval[0]:.3f} to {own.rate_interval[1]:.3f})",
        f"{own.ratio:.2f} ({own.ratio_interval[0]:.2f} to {own.ratio_interval[1]:.2f})",
    )


def years(found: Measurement) -> Iterator[tuple[Any, ...]]:
    """Stability over the years of the grants."""
    for year in found.years:
        bads = "not told" if year.bads is None else year.bads
        yield str(year.year), year.loans, bads, f"{year.mean_pd:.3f}", f"{year.psi:.3f}"


def drift(found: Measurement) -> Iterator[tuple[Any, ...]]:
    """How far each characteristic moved."""
    return ((name, f"{psi:.3f}") for name, psi in found.drift.items())


def write_report(path: Path, found: Measurement, figures: Figures) -> None:
    """Write the validation report of the card: the product's, with parts of its own."""
    own, card = found.folds[0], found.shipped.model
    report.save(path, _judged(own), _told(found, figures), figures, card)


def _judged(own: Judgement) -> Judged:
    return Judged(
        pd=own.pd,
        scores=own.scores,
        bad=own.bad,
        dates=np.array([loan.granted for loan in own.loans], dtype="datetime64[D]"),
        places=np.arange(len(own.loans)),
        measured=own.card,
        notes=(),
        psi_reason=None,
    )


def _told(found: Measurement, figures: Figures) -> Told:
    training, card = found.shipped.training, found.shipped.model
    row, said = _example(card)
    return Told(
        name="the scorecard for new loans, on the loans of a real bank",
        facts=(
            ("card", f"{found.shipped.model_version}, kept in the package"),
            (
                "data",
                "the Berka bank (PKDD'99), a Czech bank, 1993 to 1998; none of it is published here",
            ),
            (
                "fitted on",
                f"{training.rows} loans granted 1993 to 1996, {training.bads} of them bad",
            ),
            (
                "bad",
                "finished unpaid (status B) or running in debt (D), as the loan stood at the end of 1998: "
                "two to five years after the grant",
            ),
            (
                "figures above and pictures below",
                "of these loans, each scored by the card of four fifths of the others (its own folds)",
            ),
            ("known before", "facts from before the day of the grant only, under both clocks"),
            ("columns that could be used", ", ".join(training.columns)),
            ("hash of the training data", training.data_hash),
        ),
        limits=(
            *report.LIMITS,
            f"{training.bads} bads are few: differences below 0.03 of AUC are chance.",
            "The sample has about 44 % of the entries of most loans before 1997. Balances are known "
            "before and after each entry, so that a lowest balance is seen in more cases than its own "
            "entry, and still not in all.",
            "Loans of 1997 and 1998 have complete histories, and outcomes that nobody here has seen.",
            "The PD of the product is that of twelve months. The figures and pictures of this report are "
            "those of the outcome in the end, except where they say otherwise: it has twice the bads, and "
            "the shift between both changes no rank.",
        ),
        row=row,
        row_said=said,
        sections=(
            Section(
                "Out of time, and beside single signs 跨期检验",
                (
                    "The card was fitted once more on the grants of 1993 to 1995 alone and judged on those "
                    "of 1996. The baselines are single facts that a credit officer would look at first.",
                ),
                RANKS,
                list(ranks(found)),
            ),
            Section(
                "From the outcome in the end to twelve months 十二个月违约率",
                (
                    "A bad loan was in default within twelve months when its account was seen below zero, "
                    "or charged with penalty interest, within 365 days of the grant. No good loan was ever "
                    "seen below zero. Of some bad loans no such entry is in the sample; they are "
                    "taken to be like the others. The PD is shifted to that rate.",
                ),
                TWELVE,
                list(twelve(found)),
            ),
            Section(
                "Later grants, without their outcomes 后续放款",
                (
                    "A PSI below 0.10 says that scores are spread as before; up to 0.25 a person should "
                    "look.",
                ),
                YEARS,
                list(years(found)),
            ),
            Section(
                "Characteristics of later grants 特征稳定性",
                ("Grants of 1997-98 against those of 1993-96, bin by bin.",),
                DRIFT,
                list(drift(found)),
            ),
        ),
    )


def _example(card: Scorecard) -> tuple[Any, str]:
    """A made-up client: in each characteristic the bin of the median bad."""
    values = {c.name: _inside(c) for c in card.characteristics}
    row = card.score_row(values)
    shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
    return row, (
        f"A made-up client, nobody of the bank: {shown}. Score {row.score}, 12-month PD {row.pd:.1%}, "
        f"band {row.band}."
    )


def _inside(c: Characteristic) -> float:
    """A value in the bin that holds most bads: its lower end, or just below its upper one."""
    place = max(range(len(c.bins)), key=lambda n: c.bins[n].bads)
    if place:
        below = c.bins[place - 1].below
        assert below is not None
        return below
    upper = c.bins[0].below
    return 0.0 if upper is None else upper - abs(upper) / 10 - 0.1
