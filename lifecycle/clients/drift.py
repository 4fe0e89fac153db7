"""How far a figure's distribution moved: Kullback-Leibler divergence over the reference's own bins."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

SMOOTHING = 0.5
"""Added to the count of each bin, so that an empty one does not make the divergence infinite."""


def divergence(reference: Sequence[float], today: Sequence[float], bins: int) -> float:
    """KL(today || reference) in nats; 0 is the same. The bins hold equal shares of the reference, and
    values that are the same stay in one bin. Both need a value at least."""
    ordered = sorted(reference)
    cuts = sorted({ordered[len(ordered) * n // bins] for n in range(1, bins)})
    before, after = _shares(reference, cuts), _shares(today, cuts)
    return sum(p * math.log(p / q) for p, q in zip(after, before, strict=True))


def _shares(values: Sequence[float], cuts: Sequence[float]) -> list[float]:
    counts = [SMOOTHING] * (len(cuts) + 1)
    for value in values:
        counts[bisect_right(cuts, value)] += 1
    total = sum(counts)
    return [count / total for count in counts]
