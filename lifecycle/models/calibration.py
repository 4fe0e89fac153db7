"""From log-odds to a probability of default: Platt's line, and a shift to another bad rate."""

from __future__ import annotations

import math

import msgspec

LEAST = 1e-6
"""No PD is nearer to 0 or to 1 than this."""


def logit(p: float) -> float:
    return math.log(p / (1 - p))


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """pd = share * p, logit(p) = intercept + slope * log-odds of being bad + shift. The slope is above 0,
    so that a better score never has the higher PD."""

    intercept: float
    slope: float
    shift: float = 0.0
    share: float = 1.0
    """Of those who become bad, how many do so within the time that PDs are for."""

    def pd(self, log_odds: float) -> float:
        """PD to six digits, which is the same number on every machine."""
        line = self.intercept + self.slope * log_odds + self.shift
        # Either form overflows on one side.
        pd = 1 / (1 + math.exp(-line)) if line > 0 else math.exp(line) / (1 + math.exp(line))
        return float(f"{min(max(self.share * pd, LEAST), 1 - LEAST):.6g}")


def prior_shift(target: float, development: float) -> float:
    """What takes PDs from the bad rate of the development sample to another one."""
    return logit(target) - logit(development)
