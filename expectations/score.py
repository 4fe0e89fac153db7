"""Stage "score": one row per scored client."""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    check_column(
        "score-01",
        "ck_value",
        "VALUE_RANGE",
        "block",
        "评分超出范围",
        "a score is out of range, or suppressed with a value",
    ),
    Rule(
        "score-02",
        "NOT_UNIQUE",
        "block",
        "客户评分重复",
        "a client has two scores",
        gxe.ExpectColumnValuesToBeUnique(column="key"),
    ),
    check_column(
        "score-07",
        "ck_reasons",
        "NO_REASON",
        "block",
        "C 级及以下缺少原因码",
        "a score of band C or worse has no reason",
    ),
    check_column(
        "score-08",
        "ck_stage",
        "STAGE",
        "block",
        "阶段或五级分类与逾期天数不符",
        "stage or tier does not agree with the days past due",
    ),
)
