"""The validation report: one HTML file with everything in it, for people who did not build the model."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jinja2 import Environment, FileSystemLoader

from lifecycle import plots
from lifecycle.errors import UsageError
from lifecycle.models import metrics
from lifecycle.models.artefact import Stored
from lifecycle.models.evaluation import Judged, Question, by_grade
from lifecycle.models.figures import Figures, Validation
from lifecycle.models.metrics import Floats
from lifecycle.models.scorecard import Bin, Characteristic, Score, Scorecard
from lifecycle.models.table import conform, read

GROUPS = 10
NUMERIC = re.compile(r"[+-]?[\d.,]+ ?%?")
PERIODS = {"M": "month", "Q": "quarter", "Y": "year"}
PERIOD_ROWS = 30
"""A point of a picture over time has as many rows on average, where years allow it."""
MEANING = {
    "auc": "chance that a bad has a higher PD than a good; 0.5 is guessing",
    "gini": "2 AUC - 1",
    "ks": "largest distance between goods and bads along the score",
    "pr_auc": "mean precision when looking for bads; the bad rate is guessing",
    "brier": "mean square of PD less outcome; lower is better",
    "calibration_slope": "1 is right; below 1 PDs are too far apart",
    "calibration_in_the_large": "0 is right; above 0 PDs are too low (log-odds)",
    "capture_10": "share of bads among the tenth with the highest PDs",
    "psi": "how far scores moved since development",
}
LIMITS = (
    "An interval says what chance alone does to a figure on this many bads; it says nothing of another "
    "year, another product or another way of choosing clients.",
    "Who was declined has no outcome: what is said holds for clients like those in the labels.",
    "A score informs people. It is no decision, and a reason is where points were lost, not why somebody "
    "will fail to pay.",
    "A PD is an average for rows with the same score, for the period and the definition of bad that the "
    "target has.",
)


class Section(NamedTuple):
    """A part of its own: paragraphs, and a table where there are heads."""

    title: str
    said: Sequence[str]
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()


class Told(NamedTuple):
    """What a report says beside what was measured."""

    name: str
    facts: Sequence[tuple[str, str]]
    limits: Sequence[str]
    row: Score | None
    """The one that is explained point by point."""
    row_said: str
    psi_reason: str | None = None
    sections: Sequence[Section] = ()


def write(
    path: Path, asked: Question, judged: Judged, figures: Figures, model: Stored[Any] | None
) -> None:
    """Write the report of a file of scores. Raises UsageError when the file cannot be written."""
    card = model.model if model and isinstance(model.model, Scorecard) else None
    row, row_said = _row(asked, judged, card)
    told = Told(
        name=model.model_version if model else asked.scores.name,
        facts=list(_facts(asked, judged, model)),
        limits=[*LIMITS, *_own_limits(judged, model)],
        row=row,
        row_said=row_said,
        psi_reason=judged.psi_reason,
    )
    save(path, judged, told, figures, card)


def save(path: Path, judged: Judged, told: Told, figures: Figures, card: Scorecard | None) -> None:
    """Write a report of anything judged. Raises UsageError when the file cannot be written."""
    html = _html(judged, told, figures, card)
    try:
        path.write_text(html, "utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error


def _html(judged: Judged, told: Told, figures: Figures, card: Scorecard | None) -> str:
    with plots.any_language():
        images = _images(judged, card, told.row)
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    environment.tests["numeric"] = lambda cell: NUMERIC.fullmatch(str(cell)) is not None
    return environment.get_template("report.html").render(
        told=told,
        summary=_summary(judged),
        summary_zh=_summary_zh(judged),
        tiles=list(_tiles(judged)),
        metrics=list(_metrics(judged, figures.validation)),
        interval_head=f"{figures.validation.coverage:.0%} interval",
        grades=list(_grades(judged, figures)),
        rank_order=_rank_order(judged, figures),
        cards=[_card(c) for c in card.characteristics] if card else [],
        images=images,
        period=PERIODS[_period(judged.dates)] if judged.dates is not None else "",
        row_reasons=[(r.en, r.zh, r.points) for r in told.row.reasons] if told.row else [],
    )


def _tiles(judged: Judged) -> Iterator[tuple[str, str]]:
    found = judged.measured
    yield f"{found.n_bad:,} of {found.n:,}", "became bad"
    for name, said in (("auc", "AUC"), ("ks", "KS"), ("capture_10", "of bads in the worst tenth")):
        low, high = found.intervals[name] or (0.0, 0.0)
        shown = f"{{:{'.0%' if name == 'capture_10' else '.3f'}}}"
        yield (
            shown.format(found.values[name]),
            f"{said} ({shown.format(low)} to {shown.format(high)})",
        )
    yield f"{found.mean_pd:.1%}", f"mean PD; {found.bad_rate:.1%} became bad"


def _summary(judged: Judged) -> str:
    found = judged.measured
    low, high = found.intervals["auc"] or (0.0, 0.0)
    return (
        f"Of {found.n:,} rows {found.n_bad:,} became bad ({found.bad_rate:.2%}); the mean PD was "
        f"{found.mean_pd:.2%}. The AUC is {found.values['auc']:.3f} ({low:.3f} to {high:.3f})."
    )


def _summary_zh(judged: Judged) -> str:
    found = judged.measured
    low, high = found.intervals["auc"] or (0.0, 0.0)
    return (
        f"共{found.n:,}笔，其中{found.n_bad:,}笔违约（{found.bad_rate:.2%}）；平均PD为{found.mean_pd:.2%}。"
        f"AUC为{found.values['auc']:.3f}（{low:.3f}至{high:.3f}）。"
    )


def _metrics(judged: Judged, limits: Validation) -> Iterator[tuple[str, ...]]:
    for name, said in MEANING.items():
        value, interval = judged.measured.values[name], judged.measured.intervals[name]
        if value is not None and interval is not None:
            reach = f"{interval[0]:.4f} to {interval[1]:.4f}"
            yield name, f"{value:.4f}", reach, _light(name, value, limits), said


def _light(name: str, value: float, limits: Validation) -> str:
    if name == "psi":
        return "green" if value < limits.psi[0] else "amber" if value <= limits.psi[1] else "red"
    if name == "calibration_slope":
        return "green" if limits.slope[0] <= value <= limits.slope[1] else "red"
    return ""


def _own_limits(judged: Judged, model: Stored[Any] | None) -> Iterator[str]:
    if judged.measured.n_bad < 100:
        yield (
            f"There are {judged.measured.n_bad} bads only: differences between models of this size are "
            "chance."
        )
    if model and (test := model.training.test_from) is None:
        yield (
            "The model was trained without --test-from: when these rows are those it was fitted on, the "
            "figures flatter it."
        )
    elif model and judged.dates is not None and str(judged.dates.min()) < str(test):
        yield f"Some rows are from before {test}: the model was fitted on rows of that time."
    yield from judged.notes
    yield from model.warnings if model else ()


def _facts(asked: Question, judged: Judged, model: Stored[Any] | None) -> Iterator[tuple[str, str]]:
    yield "scores", asked.scores.name
    yield "labels", f"{asked.labels.name}, bad is {asked.target} = 1"
    if judged.dates is not None:
        yield "dates", f"{judged.dates.min()} to {judged.dates.max()}"
    if model is None:
        return
    own = model.training
    yield "trained on", f"{own.rows:,} rows, {own.bads:,} bads; target {own.target}"
    if own.first_date:
        yield "dates of training", f"{own.first_date} to {own.last_date}"
    yield "columns that could be used", ", ".join(own.columns)
    yield "hash of the training data", own.data_hash
    yield "PDs shifted to a bad rate of", "no" if own.prior is None else f"{own.prior:.2%}"
    yield "libraries", ", ".join(f"{name} {number}" for name, number in model.libraries.items())


def _grades(judged: Judged, figures: Figures) -> Iterator[tuple[Any, ...]]:
    for g in by_grade(judged, figures):
        shares = (f"{g.mean_pd:.2%}", f"{g.bad_rate:.2%}", f"{g.p:.3f}")
        yield g.grade, f"{g.upper:.2%}", f"{g.n:,}", f"{g.n_bad:,}", *shares, g.light


def _rank_order(judged: Judged, figures: Figures) -> str:
    rates = [grade.bad_rate for grade in by_grade(judged, figures)]
    if rates == sorted(rates):
        return "The bad rate rises from grade to grade."
    return "The bad rate does not rise from grade to grade everywhere: see how many rows those grades have."


def _card(c: Characteristic) -> dict[str, Any]:
    said = f"{c.text.en} / {c.text.zh}. IV {c.iv:.3f}, trend {c.trend}, coefficient {c.coefficient:.3f}."
    bins = [(label, *_counted(own)) for label, own in _labelled(c)]
    return {"name": c.name, "said": said, "bins": bins}


def _counted(own: Bin) -> tuple[Any, ...]:
    rate = f"{own.bads / own.rows:.2%}" if own.rows else ""
    return f"{own.rows:,}", f"{own.bads:,}", rate, f"{own.woe:.3f}", own.points


def _labelled(c: Characteristic) -> Iterator[tuple[str, Bin]]:
    before = None
    for own in c.bins:
        yield (", ".join(own.values) if c.kind == "category" else _between(before, own.below)), own
        before = own.below
    yield "missing", c.missing
    if c.rest:
        yield "the rest", c.rest


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return "all" if high is None else f"below {high:g}"
    return f"from {low:g}" if high is None else f"{low:g} to below {high:g}"


def _row(asked: Question, judged: Judged, card: Scorecard | None) -> tuple[Score | None, str]:
    """The row of the middle score among the bads, scored again where the labels have its columns."""
    if card is None:
        return None, "Points are shown for a scorecard that is named with --model."
    labels = read(asked.labels, (asked.id,))
    if lacking := [c.name for c in card.characteristics if c.name not in labels.column_names]:
        return None, f"The labels do not have the model's columns ({', '.join(lacking)})."
    bads = np.flatnonzero(judged.bad == 1)
    middle = bads[np.argsort(judged.scores[bads], kind="stable")[len(bads) // 2]]
    table = labels.take(pa.array([judged.places[middle]]))
    values = conform(table, {c.name: c.kind for c in card.characteristics}).to_pylist()[0]
    row = card.score_row(values)
    said = (
        f"The bad with the middle score: {row.score} points, PD {row.pd:.2%}, band {row.band}. The "
        "picture starts from what an average row of the training data scores."
    )
    return row, said


def _images(judged: Judged, card: Scorecard | None, row: Score | None) -> Mapping[str, str]:
    drawn = {
        "roc": _roc(judged),
        "ks": _ks(judged),
        "capture": _capture(judged),
        "spread": plots.spread_plot(judged.scores[judged.bad == 0], judged.scores[judged.bad == 1]),
        "calibration": _calibration(judged),
    }
    if judged.dates is not None:
        drawn["time"] = _over_time(judged)
    if card:
        drawn["woe"] = plots.woe_plot([_curve(c) for c in card.characteristics])
    if card and row:
        drawn["waterfall"] = _waterfall(card, row)
    return {
        name: f"data:image/png;base64,{base64.b64encode(png).decode()}"
        for name, png in drawn.items()
    }


def _worst_first(judged: Judged) -> tuple[Floats, Floats]:
    """Shares of rows and of bads with each PD or a higher one, from 0 on."""
    c = metrics.counts(judged.pd, judged.bad)
    rows, bads = (np.append(0, np.cumsum(own[::-1])) for own in (c.rows, c.bads))
    return rows / rows[-1], bads / bads[-1]


def _roc(judged: Judged) -> bytes:
    rows, bads = _worst_first(judged)
    rate = judged.measured.bad_rate
    goods = (rows - bads * rate) / (1 - rate)
    return plots.roc_plot(goods, bads, judged.measured.values["auc"] or 0.0)


def _ks(judged: Judged) -> bytes:
    c = metrics.counts(judged.scores, judged.bad)
    return plots.ks_plot(c.pd, np.cumsum(c.goods) / c.goods.sum(), np.cumsum(c.bads) / c.bads.sum())


def _capture(judged: Judged) -> bytes:
    return plots.capture_plot(*_worst_first(judged))


def _calibration(judged: Judged) -> bytes:
    """Groups of equal size by PD."""
    parts = np.array_split(np.argsort(judged.pd, kind="stable"), min(GROUPS, len(judged.pd)))
    pd = np.array([judged.pd[part].mean() for part in parts])
    return plots.calibration_plot(pd, *_rates(judged, parts))


def _rates(judged: Judged, parts: Sequence[Any]) -> tuple[Floats, Floats, Floats]:
    """Bad rates of parts, with Wilson's intervals."""
    rate = np.array([judged.bad[part].mean() for part in parts])
    n, z = np.array([len(part) for part in parts]), 1.96
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # At 0 and at 1 rounding would put the rate outside by a hair.
    return rate, np.minimum(middle - reach, rate), np.maximum(middle + reach, rate)


def _over_time(judged: Judged) -> bytes:
    assert judged.dates is not None
    starts = _starts(judged.dates, _period(judged.dates))
    own = np.unique(starts)
    parts = [np.flatnonzero(starts == start) for start in own]
    days: list[dt.date] = own.astype("datetime64[D]").tolist()
    pd = np.array([judged.pd[part].mean() for part in parts])
    return plots.time_plot(
        days, pd, *_rates(judged, parts), np.array([_auc(judged, part) for part in parts])
    )


def _period(dates: Any) -> str:
    """The shortest period that has enough rows."""
    enough = (p for p in PERIODS if len(dates) >= PERIOD_ROWS * len(np.unique(_starts(dates, p))))
    return next(enough, "Y")


def _starts(dates: Any, period: str) -> Any:
    """The first month of the period each date is in."""
    months = dates.astype("datetime64[M]")
    size = {"M": 1, "Q": 3, "Y": 12}[period]
    return (months.astype(int) // size * size).astype("datetime64[M]")


def _auc(judged: Judged, part: Any) -> float:
    if len(np.unique(judged.bad[part])) < 2:
        return float("nan")
    return metrics.auc(metrics.counts(judged.pd[part], judged.bad[part]))


def _curve(c: Characteristic) -> tuple[str, list[str], list[float]]:
    seen = [(label, own.woe) for label, own in _labelled(c) if own.rows]
    return c.name, [label[:24] for label, _ in seen], [woe for _, woe in seen]


def _waterfall(card: Scorecard, row: Score) -> bytes:
    means = {c.name: _mean(c) for c in card.characteristics}
    gains = {name: row.points[name] - means[name] for name in means}
    order = sorted(gains, key=lambda name: gains[name])
    title = f"From an average score to {sum(row.points.values())}"
    return plots.waterfall_plot(order, [gains[name] for name in order], sum(means.values()), title)


def _mean(c: Characteristic) -> int:
    bins = [b for b in c.all_bins() if b.rows]
    return round(sum(b.points * b.rows for b in bins) / sum(b.rows for b in bins))
