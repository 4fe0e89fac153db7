"""What the statements of a company say of distress and of made-up earnings: Altman and Beneish.

Ratios are Ibis expressions over the lines of a statement (`Statement`); a weighted sum takes them, or
plain numbers, alike. Weights, zones and cut-offs are those of rules/conduct.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import ibis
import ibis.expr.types as ir

Zone = Literal["SAFE", "GREY", "DISTRESS"]
_Number = TypeVar("_Number")


def weighted(weights: Mapping[str, str], terms: Mapping[str, _Number]) -> _Number:
    """The weight CONSTANT, where there is one, and each other weight times the term of its name."""
    total: Any = float(weights.get("CONSTANT", "0"))
    for name, weight in weights.items():
        if name != "CONSTANT":
            total += float(weight) * terms[name]  # type: ignore[operator]
    return total  # type: ignore[no-any-return]


def zone(z: float, limits: Mapping[str, str], shift: float = 0.0) -> Zone:
    """The zone of a score by its limits {DISTRESS, SAFE}: below the first, above the second, or GREY
    from the one to the other. `shift` moves both, as a variant with another constant has them."""
    if z < float(limits["DISTRESS"]) + shift:
        return "DISTRESS"
    return "SAFE" if z > float(limits["SAFE"]) + shift else "GREY"


def altman_ratios(year: Any) -> dict[str, ir.NumericValue]:
    """X1 to X5 of a statement; none where a denominator is not above zero.

    Book value of equity in X4, as in Z' and Z'' (Altman, Hotchkiss, Wang 2019).
    """
    return {
        "X1": over(year.current_assets - year.current_liabilities, year.total_assets),
        "X2": over(year.retained_earnings, year.total_assets),
        "X3": over(year.ebit, year.total_assets),
        "X4": over(year.equity, year.total_liabilities),
        "X5": over(year.revenue, year.total_assets),
    }


def beneish_indexes(now: Any, before: Any) -> dict[str, ir.NumericValue]:
    """The eight indexes of Beneish (1999) from two years of statements; none where a denominator is
    not above zero. Accruals are net income less operating cash flow."""
    return {
        "DSRI": over(over(now.receivables, now.revenue), over(before.receivables, before.revenue)),
        "GMI": over(_margin(before), _margin(now)),
        "AQI": over(_soft(now), _soft(before)),
        "SGI": over(now.revenue, before.revenue),
        "DEPI": over(_worn(before), _worn(now)),
        "SGAI": over(over(now.sga, now.revenue), over(before.sga, before.revenue)),
        "TATA": over(now.net_income - now.cfo, now.total_assets),
        "LVGI": over(_debt(now), _debt(before)),
    }


def over(above: ir.NumericValue, below: ir.NumericValue) -> ir.NumericValue:
    """A ratio; none where the denominator is not above zero."""
    return above / ibis.ifelse(below > 0, below, ibis.null("float64"))


def _margin(year: Any) -> ir.NumericValue:
    return over(year.revenue - year.cogs, year.revenue)


def _soft(year: Any) -> ir.NumericValue:
    hard = year.current_assets + year.ppe + ibis.coalesce(year.securities, 0.0)
    return 1 - over(hard, year.total_assets)


def _worn(year: Any) -> ir.NumericValue:
    return over(year.depreciation, year.depreciation + year.ppe)


def _debt(year: Any) -> ir.NumericValue:
    return over(year.current_liabilities + ibis.coalesce(year.lt_debt, 0.0), year.total_assets)


def winsorised(table: ir.Table, names: list[str], share: float, population_least: int) -> ir.Table:
    """The columns with what lies outside the quantiles `share` and 1 - `share` of the whole table moved
    to them; as they are where fewer rows have a value, since of few the quantiles are the extremes."""
    bounds = table.agg(**{
        f"{name}_{side}": ibis.ifelse(
            table[name].count() >= population_least,
            table[name].quantile(at),
            ibis.null("float64"),
        )
        for name in names
        for side, at in (("low", share), ("high", 1 - share))
    })
    joined = table.cross_join(bounds)
    # A bound that is null leaves the value as it is, and a value that is null stays so.
    moved = {
        name: ibis.ifelse(
            joined[name].notnull(),
            ibis.least(
                ibis.greatest(joined[name], ibis.coalesce(joined[f"{name}_low"], joined[name])),
                ibis.coalesce(joined[f"{name}_high"], joined[name]),
            ),
            ibis.null("float64"),
        )
        for name in names
    }
    return joined.mutate(**moved).select(*table.columns)
