"""How far a profile can be trusted: is it complete, is it fresh, does it agree with itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec

from lifecycle.clients.attribute import Attribute, Figures, Value
from lifecycle.clients.checks import Check

_NOTHING, _ALL = Decimal(0), Decimal(1)
_FAULT = {"FAIL": _ALL, "WARN": Decimal("0.5")}
_DAY = dt.timedelta(days=1)


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Shares from 0 to 1, rounded to four decimals, and the grade that follows from the last."""

    completeness: Decimal
    freshness: Decimal
    validity: Decimal
    profile_quality: Decimal
    grade: str
    """A, B, C or D; with D nothing is proposed, but alerts go on."""


def quality(
    profile: Mapping[str, Value],
    checks: Iterable[Check],
    attributes: Mapping[str, Attribute],
    as_of: dt.datetime,
    figures: Figures,
) -> Quality:
    """Quality of one client's profile as of an instant, the end of a business date.

    What the client did not consent to or cannot have counts neither for nor against it.
    """
    parts = {
        "completeness": completeness(profile, attributes, figures),
        "freshness": freshness(profile, attributes, as_of, figures),
        "validity": validity(checks),
    }
    shares = figures["quality_shares"].value
    whole = sum((Decimal(shares[name]) * part for name, part in parts.items()), _NOTHING)
    rounded = {name: _rounded(part) for name, part in parts.items()}
    grades = figures["quality_grades"].value
    grade = next((g for g, least in grades.items() if _rounded(whole) >= Decimal(least)), "D")
    return Quality(**rounded, profile_quality=_rounded(whole), grade=grade)


def completeness(
    profile: Mapping[str, Value], attributes: Mapping[str, Attribute], figures: Figures
) -> Decimal:
    """Weight of the attributes with a value, among those that may and can have one."""
    why = {n: profile[n].null_reason if n in profile else "UNKNOWN" for n in attributes}
    asked = [n for n, reason in why.items() if reason not in {"NOT_CONSENTED", "NOT_APPLICABLE"}]
    return _mean({name: Decimal(why[name] is None) for name in asked}, figures)


def freshness(
    profile: Mapping[str, Value],
    attributes: Mapping[str, Attribute],
    as_of: dt.datetime,
    figures: Figures,
) -> Decimal:
    """Weighted mean over the values there are: 1 when new, one half after the half-life of their
    kind. What is missing is for `completeness` to say."""
    present = [n for n in attributes if n in profile and profile[n].null_reason is None]
    half_lives = figures["freshness_half_life"].value
    return _mean(
        {n: _freshness(profile[n], half_lives[attributes[n].ages], as_of) for n in present}, figures
    )


def validity(checks: Iterable[Check]) -> Decimal:
    """1 less the share of faults among the checks that could be made; a warning is half a fault."""
    made = [check.result for check in checks if check.result != "NA"]
    faults = sum((_FAULT.get(result, _NOTHING) for result in made), _NOTHING)
    return _ALL - faults / len(made) if made else _ALL


def _freshness(value: Value, half_life: int | None, as_of: dt.datetime) -> Decimal:
    if half_life is None:
        return _ALL
    if value.source_time is None:
        return _NOTHING
    return _halved(max(0, (as_of - value.source_time) // _DAY), half_life)


@lru_cache(maxsize=4096)
def _halved(days: int, half_life: int) -> Decimal:
    return Decimal(2) ** (Decimal(-days) / half_life)


def _mean(shares: Mapping[str, Decimal], figures: Figures) -> Decimal:
    """The mean by weight of the attributes; 0 of nothing."""
    weights = figures["attribute_weights"].value
    weight = {name: Decimal(weights.get(name, 1)) for name in shares}
    whole = sum(weight.values(), _NOTHING)
    return sum((weight[n] * shares[n] for n in shares), _NOTHING) / whole if whole else _NOTHING


def _rounded(share: Decimal) -> Decimal:
    return share.quantize(Decimal("0.0001"))
