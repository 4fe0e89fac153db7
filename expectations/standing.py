"""Stage "standing": where each client stands after a night, one row per client."""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    check_column(
        "profile-06",
        "ck_state",
        "LIFECYCLE",
        "block",
        "生命周期状态或迁移不合法",
        "a client is in a lifecycle state, or moved into it, as the machine does not know it",
    ),
    Rule(
        "profile-10",
        "INCOME_UNSEEN",
        "warn",
        "活跃客户的收入识别率偏低",
        "the income of too many active clients is not seen",
        gxe.ExpectColumnValuesToBeInSet(column="is_income_seen", value_set=[True], mostly=0.8),
        min_rows=100,
    ),
    Rule(
        "profile-11",
        "MANY_MOVES",
        "warn",
        "单日生命周期变化客户占比偏高",
        "unusually many clients changed their lifecycle state in one day",
        gxe.ExpectColumnValuesToBeInSet(column="is_settled", value_set=[True], mostly=0.97),
        min_rows=100,
    ),
    Rule(
        "profile-11b",
        "TOO_MANY_MOVES",
        "block",
        "单日生命周期变化客户占比超过上限",
        "more clients changed their lifecycle state in one day than can be true",
        gxe.ExpectColumnValuesToBeInSet(column="ck_moves", value_set=[True]),
        min_rows=100,
    ),
    check_column(
        "profile-12",
        "ck_no_drift",
        "DRIFT",
        "warn",
        "关键指标分布与30天前相比明显偏移",
        "the distribution of a key attribute moved since thirty days ago",
    ),
)
