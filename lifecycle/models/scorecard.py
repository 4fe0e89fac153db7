"""A WOE scorecard: points per bin, a PD per score, reasons. Needs no library to score a row, and is an
Ibis expression for many.

The total is a sum of whole points, and a PD, a grade and a band belong to each total: every engine
gives the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, reduce
from operator import add
from typing import Any, Literal, NamedTuple

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import msgspec

from lifecycle.errors import UsageError
from lifecycle.models.calibration import Calibration
from lifecycle.models.figures import Ratings, Scale, Text
from lifecycle.risk.score import REASONS_MAX, Reason, version_of

Kind = Literal["number", "category"]
Trend = Literal["ascending", "descending", "peak", "valley", "none"]
"""How points go with a number: peak and valley turn once; categories have none."""


class Bin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points of one bin, and what the development sample had in it."""

    points: int
    woe: float
    """ln(share of goods / share of bads)"""
    rows: int
    bads: int
    below: float | None = None
    """Numbers below it that no earlier bin took; the last bin has none and takes the rest."""
    values: tuple[str, ...] = ()
    """Categories."""


class Characteristic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of the scorecard."""

    name: str
    kind: Kind
    trend: Trend
    iv: float
    coefficient: float
    bins: tuple[Bin, ...]
    missing: Bin
    rest: Bin | None
    """Categories that no bin names, rare ones and unseen ones; None for numbers."""
    text: Text

    @property
    def best(self) -> int:
        return max(b.points for b in self.all_bins())

    def all_bins(self) -> tuple[Bin, ...]:
        return (*self.bins, self.missing, *((self.rest,) if self.rest else ()))

    def bin_of(self, value: Any) -> Bin:
        """The bin of one value. Raises UsageError for text where a number belongs."""
        if self.kind == "number":
            number = self._number(value)
            if number is None:
                return self.missing
            return next(b for b in self.bins if b.below is None or number < b.below)
        word = category(value)
        if word is None:
            return self.missing
        assert self.rest is not None
        return next((b for b in self.bins if word in b.values), self.rest)

    def _number(self, value: Any) -> float | None:
        if value is None:
            return None
        if isinstance(value, str | bytes):
            raise UsageError(f"{self.name} is {value!r}, and the model was trained on numbers.")
        number = float(value)
        return None if math.isnan(number) else number

    def points_of(self, column: ir.Value) -> ir.IntegerValue:
        """Points of a column of values, as whole numbers."""
        if self.kind == "number":
            number = column.cast("float64")
            missing = number.isnull() | number.isnan()
            *inner, last = self.bins
            cases = [(number < b.below, b.points) for b in inner]
        else:
            word = column.cast("string")
            missing = word.isnull() | (word == "")
            assert self.rest is not None
            cases = [(word.isin(b.values), b.points) for b in self.bins]
            last = self.rest
        whole = [(test, ibis.literal(points, "int64")) for test, points in cases]
        return ibis.cases(
            (missing, ibis.literal(self.missing.points, "int64")),
            *whole,
            else_=ibis.literal(last.points, "int64"),
        )

    def takes(self, kind: dt.DataType) -> bool:
        """Whether a column of this type can be scored."""
        if self.kind == "number":
            return bool(kind.is_numeric() or kind.is_boolean() or kind.is_null())
        return not kind.is_nested()


def category(value: Any) -> str | None:
    """A category as the text that engines make of it; empty text is missing."""
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or value == "" else str(value)


class Score(NamedTuple):
    """One row's score and how it came about."""

    score: int
    pd: float
    band: str
    grade: int
    reasons: tuple[Reason, ...]
    points: dict[str, int]
    """By characteristic; their sum, kept within the scale, is the score."""


class Scorecard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The whole card. Characteristics stand by falling IV, and so do equal reasons."""

    scale: Scale
    ratings: Ratings
    calibration: Calibration
    intercept: float
    characteristics: tuple[Characteristic, ...]

    @cached_property
    def version(self) -> str:
        """The card names itself by its content."""
        return version_of("scorecard", msgspec.json.encode(self))

    def pd(self, score: int) -> float:
        """The PD that belongs to a score."""
        return self.calibration.pd((self.scale.offset - score) / self.scale.factor)

    def score_row(self, row: Mapping[str, Any]) -> Score:
        """Score one row: column -> value, None where it is missing. Raises UsageError when a column
        is not there, or holds text where the model was trained on numbers."""
        self._check(row)
        points = {c.name: c.bin_of(row[c.name]).points for c in self.characteristics}
        score = self.scale.clip(sum(points.values()))
        pd = self.pd(score)
        lost = [
            Reason(c.name, c.text.zh, c.text.en, c.best - points[c.name])
            for c in self.characteristics
        ]
        lost.sort(key=lambda reason: -reason.points)
        reasons = tuple(reason for reason in lost[:REASONS_MAX] if reason.points > 0)
        return Score(score, pd, self.ratings.band(pd), self.ratings.grade(pd), reasons, points)

    def score(self, table: ir.Table, *keys: str) -> ir.Table:
        """Score many rows on any engine: `keys`, then pd, score, band, grade, and reasons as a list of
        column names. Raises UsageError when a column is not there or is of another kind."""
        self._check(table.schema())
        for c in self.characteristics:
            if not c.takes(kind := table.schema()[c.name]):
                raise UsageError(
                    f"Column {c.name} is of type {kind}, and the model was trained on "
                    f"{'numbers' if c.kind == 'number' else 'categories'}: give it as such."
                )
        pointed = table.select(
            *keys,
            **{
                f"points_{n}": c.points_of(table[c.name])
                for n, c in enumerate(self.characteristics)
            },
        )
        points = [pointed[f"points_{n}"] for n in range(len(self.characteristics))]
        total = reduce(add, points).clip(self.scale.lowest, self.scale.highest)
        scored = pointed.select(*keys, score=total, reasons=self._reasons(points))
        lowest, highest = self.scale.lowest, self.scale.highest
        pds = ibis.array([self.pd(score) for score in range(lowest, highest + 1)])
        known = scored.mutate(pd=pds[scored.score - lowest])
        return known.select(
            *keys,
            "pd",
            "score",
            band=_step(known.pd, self.ratings.bands.values(), tuple(self.ratings.bands)),
            grade=_step(known.pd, self.ratings.grades, range(1, len(self.ratings.grades) + 1)),
            reasons=known.reasons,
        )

    def _reasons(self, points: Sequence[ir.IntegerValue]) -> ir.ArrayValue:
        """Sorted whole numbers are sorted alike everywhere: points lost from above, then the place on
        the card, in one number."""
        many = len(points)
        most = max(c.best - b.points for c in self.characteristics for b in c.all_bins()) + 1
        places = [
            (most - (c.best - own)) * many + n
            for n, (c, own) in enumerate(zip(self.characteristics, points, strict=True))
        ]
        names = ibis.array([c.name for c in self.characteristics])
        lost = ibis.array(places).filter(lambda place: place < most * many)
        return lost.sort()[:REASONS_MAX].map(lambda place: names[place % many])

    def _check(self, columns: Any) -> None:
        if lacking := [c.name for c in self.characteristics if c.name not in columns]:
            raise UsageError(
                f"The model needs columns that are not there: {', '.join(lacking)}. Add them, empty "
                "where nothing is known."
            )


def _step(pd: ir.FloatingValue, uppers: Any, names: Sequence[Any]) -> ir.Value:
    *steps, last = zip(uppers, names, strict=True)
    return ibis.cases(*((pd < upper, name) for upper, name in steps), else_=last[1])
