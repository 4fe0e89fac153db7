"""Divergence of a figure's distribution from its reference."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.clients.drift import divergence

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def test_the_same_is_zero_and_a_shift_is_not() -> None:
    values = [float(n) for n in range(100)]
    assert divergence(values, values, 10) == 0
    assert divergence(values, [v + 5 for v in values], 10) < 0.2
    assert divergence(values, [v + 90 for v in values], 10) > 1


def test_a_hand_worked_case() -> None:
    # Two bins cut at 2: the reference has 2 and 2, today 1 and 3; half a count is added to each.
    # (1.5/5) ln(1.5/2.5) + (3.5/5) ln(3.5/2.5) = 0.3 * -0.5108 + 0.7 * 0.3365 = 0.0823
    expected = 0.3 * math.log(1.5 / 2.5) + 0.7 * math.log(3.5 / 2.5)
    assert math.isclose(divergence([1, 1, 2, 2], [1, 2, 2, 2], 2), expected)
    assert math.isclose(expected, 0.0823, abs_tol=0.0001)


@given(VALUES, VALUES)
def test_it_is_never_negative_nor_infinite(before: list[float], after: list[float]) -> None:
    assert -1e-9 <= divergence(before, after, 10) < math.inf
