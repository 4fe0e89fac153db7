"""Stage "profile": one row per client and attribute."""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    Rule(
        "profile-01",
        "NOT_UNIQUE",
        "block",
        "客户属性重复",
        "a client has an attribute twice",
        gxe.ExpectColumnValuesToBeUnique(column="key"),
    ),
    check_column(
        "profile-02",
        "ck_complete",
        "INCOMPLETE",
        "block",
        "客户属性不齐全",
        "not every client has every attribute",
    ),
    check_column(
        "profile-04",
        "ck_sourced",
        "NO_SOURCE",
        "block",
        "属性没有来源事件",
        "an attribute has a value and no source",
    ),
    Rule(
        "profile-05",
        "CONSENT",
        "block",
        "属性用途未经授权",
        "an attribute serves a purpose that needs consent",
        gxe.ExpectColumnValuesToBeInSet(column="purpose", value_set=["P1_SERVICE"]),
    ),
    check_column(
        "profile-07",
        "ck_null_explained",
        "NULL_REASON",
        "block",
        "空值没有原因",
        "a missing value has no reason, or a value has one",
    ),
    check_column(
        "profile-08", "ck_ratio", "RATIO", "block", "比率超出范围", "a ratio is outside 0 to 1"
    ),
)
