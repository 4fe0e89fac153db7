"""Expected credit loss of a facility: an option, off unless a bank has its PD and LGD.

ECL = PD x LGD x EAD with what is outstanding as EAD. A simplification, and said so: in stage 2 the
12-month PD is taken for every year of the remaining life at the same rate, an instalment loan does not
pay down on its way, and nothing is discounted. Each of these makes it larger, never smaller.
"""

from __future__ import annotations

from decimal import Decimal


def expected_loss(
    stage: int, outstanding: Decimal, pd_12m: Decimal, lgd: Decimal, remaining_months: int
) -> Decimal:
    """12 months in stage 1, the remaining life in stage 2, all of it in stage 3, in the currency of
    `outstanding`."""
    return _pd_of(stage, pd_12m, remaining_months) * lgd * outstanding


def _pd_of(stage: int, pd_12m: Decimal, remaining_months: int) -> Decimal:
    if stage == 3:
        return Decimal(1)
    # A loan of 8 months is counted for a year in stage 1 too: a PD of a part of a year needs a curve.
    years = max(1, -(-remaining_months // 12)) if stage == 2 else 1
    return 1 - (1 - pd_12m) ** years
