"""What `loans.measure` gives, for people: a part of docs/evaluation.md, and the validation report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation_page import table
from benchmarks.loans import RANKING, Judgement, Measurement, TwelveMonths
from lifecycle.models import report
from lifecycle.models.evaluation import Judged
from lifecycle.models.figures import Figures
from lifecycle.models.metrics import Measured
from lifecycle.models.report import Section, Told
from lifecycle.models.scorecard import Characteristic, Scorecard

PART = "loans"
"""The name of the markers on the page."""
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
    "bads seen in trouble within 12 months",
    "bads seen in trouble at all",
    "12-month rate, estimated",
    "mean PD / rate",
)
YEARS = (
    "granted",
    "loans",
    "bad in the end",
    "mean 12-month PD",
    "PSI of the score",
    "PSI by chance alone",
)
DRIFT = ("characteristic", "PSI")
GATES = ("gate", "asked for", "found", "light", "remark")
LOOKS_AT = (
    ("overdrawn_12m", "1 when an account was below zero within a year, else 0", "一年内是否透支"),
    ("min_balance_180d", "the lowest balance of half a year, in Czech crowns", "半年最低余额"),
    (
        "balance_cv_180d",
        "how much balances of half a year vary: standard deviation over mean",
        "半年余额变异系数",
    ),
    (
        "instalment_to_balance",
        "the monthly instalment asked for, over the mean balance of half a year",
        "月还款额与平均余额之比",
    ),
    ("second_person", "1 when another person may use the account, else 0", "账户是否有第二人"),
)


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
        "PDs of twelve months, each by the share that was known of the loans it was fitted on:\n",
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
    return f"{middle:.3f} ({low:.3f} – {high:.3f})"


def gates(found: Measurement) -> Iterator[tuple[str, ...]]:
    """What the specification asks for beside what was found."""
    test, cv = found.test, [one.card for one in found.folds]
    for name, least in (("auc", 0.85), ("ks", 0.55)):
        value = test.card.values[name] or 0.0
        light = "green" if value >= least else "red"
        said = f"{name.upper()} out of time"
        yield said, f"{least} or more", _reach([test.card], name), light, "grants of 1996"
    yield (
        "AUC of five folds",
        "0.9 or more",
        _reach(cv, "auc"),
        "amber",
        "set for 1997-98 with complete histories; here most histories are 44 %",
    )
    near = abs(test.year.ratio - 1) <= 0.3
    yield (
        "mean 12-month PD / 12-month rate",
        "0.7 to 1.3",
        _twelve(test.year)[-1],
        "amber" if near else "red",
        "grants of 1996",
    )
    weak, explained = found.explained
    yield (
        "reasons for bands D and E",
        "all",
        f"{explained} of {weak}",
        "green" if explained == weak else "red",
        "all 682 loans",
    )


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
        f"{own.rate:.3f} ({own.rate_interval[0]:.3f} – {own.rate_interval[1]:.3f})",
        f"{own.ratio:.2f} ({own.ratio_interval[0]:.2f} – {own.ratio_interval[1]:.2f})",
    )


def years(found: Measurement) -> Iterator[tuple[Any, ...]]:
    """Stability over the years of the grants."""
    many, bins = found.shipped.training.rows, len(found.shipped.development.shares)
    for year in found.years:
        bads = "not told" if year.bads is None else year.bads
        chance = (bins - 1) * (1 / year.loans + 1 / many)
        shown = (f"{value:.3f}" for value in (year.mean_pd, year.psi, chance))
        yield year.granted, year.loans, bads, *shown


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
                "of these loans, each scored by a card of the other four fifths; the first of the five times",
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
            "Characteristics were chosen with the figures of 1996 in sight, which flatter a little for it. "
            "Loans of 1997 and 1998 have complete histories and outcomes that nobody here has seen: they "
            "are the only test that nothing was chosen on.",
            "The PD of the product is that of twelve months. The figures and pictures of this report are "
            "those of the outcome in the end, except where they say otherwise: twice as many loans are bad by "
            "it, and the step from one to the other changes no rank.",
        ),
        row=row,
        row_said=said,
        sections=(
            Section(
                "What the card looks at 评分依据",
                (
                    "All of it as it stood on the eve of the grant. What an entry found on the account is "
                    "what the one before it left, so that a missing entry hides less.",
                ),
                ("characteristic", "what it is", "特征"),
                LOOKS_AT,
            ),
            Section(
                "Against the gates of the specification 与验收标准对比",
                (
                    "A gate is a minimum that was set before. Green: met; amber: met by the middle of a wide "
                    "interval, or not comparable.",
                ),
                GATES,
                list(gates(found)),
            ),
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
                    "A loan that ended badly is taken to have defaulted when its account was first seen below "
                    "zero, or charged with penalty interest, after the grant. No good loan was ever seen "
                    "below zero. The PD of the outcome in the end times the share of bads that were in "
                    "trouble within 365 days is the PD of twelve months. Bads whose trouble is not in the "
                    "sample are taken to be like the others.",
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
    edge = c.bins[max(place - 1, 0)].below or 0.0
    if place or 0 < edge <= 1:
        return edge if place else 0.0
    return edge - abs(edge) / 10
