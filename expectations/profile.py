"""Stage "profile": one row per client; what is wrong with one attribute is wrong with the client's row."""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    Rule(
        "profile-01",
        "NOT_UNIQUE",
        "block",
        "客户重复",
        "a client is there twice",
        gxe.ExpectColumnValuesToBeUnique(column="key"),
    ),
    check_column(
        "profile-02",
        "ck_everybody",
        "INCOMPLETE",
        "block",
        "不是每位客户都有画像",
        "not every registered client has a profile",
    ),
    check_column(
        "profile-02b",
        "ck_complete",
        "INCOMPLETE",
        "block",
        "客户属性不齐全或重复",
        "a client lacks an attribute, or has one twice",
    ),
    check_column(
        "profile-04",
        "ck_no_future_source",
        "FUTURE_SOURCE",
        "block",
        "属性来自截止时点之后的事件",
        "an attribute stems from a fact after its date",
    ),
    check_column(
        "profile-04b",
        "ck_sourced",
        "NO_SOURCE",
        "block",
        "属性没有来源事件",
        "an attribute has a value and no source",
    ),
    check_column(
        "profile-05",
        "ck_consent",
        "CONSENT",
        "block",
        "属性用途未经授权",
        "an attribute has a value for a purpose the client does not allow",
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
        "profile-08",
        "ck_bounds",
        "RATIO",
        "quarantine",
        "数值超出合理范围",
        "a value is outside its bounds: it is suppressed",
    ),
    check_column(
        "profile-07b",
        "ck_quality",
        "QUALITY",
        "block",
        "画像质量或需求得分超出范围",
        "a quality is outside 0 to 1, or the score of a need outside 0 to 100",
    ),
    check_column(
        "profile-09",
        "ck_weights",
        "WEIGHTS",
        "block",
        "资产类别占比之和不等于1",
        "the shares of asset classes do not add up to one",
    ),
)
