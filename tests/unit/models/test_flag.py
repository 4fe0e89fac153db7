"""A flag of which one side knows no bad is a characteristic, not nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lifecycle.alerts.rules import RuleSet
from lifecycle.models.binning import all_binned
from lifecycle.models.figures import figures_of
from lifecycle.models.table import sample


@pytest.mark.parametrize(("with_second", "cuts"), [(60, [1.0]), (4, [])])
def test_a_flag_is_cut_where_both_sides_are_large_enough(
    with_second: int, cuts: list[float], rule_set: RuleSet
) -> None:
    alone = 200 - with_second
    flags = [1.0] * with_second + [0.0] * alone
    bads = [0] * with_second + [1] * 40 + [0] * (alone - 40)
    table = pa.table({"second": flags, "other": [n % 7 for n in range(200)], "bad": bads})
    found = all_binned(sample(table, "bad", None, None), figures_of(rule_set.parameters).binning)
    assert found["second"].cuts.tolist() == cuts
    if cuts:
        assert found["second"].woe[1] > 0 > found["second"].woe[0]
