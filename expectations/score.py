"""Stage "score": one row a score."""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    check_column(
        "score-01",
        "ck_value",
        "VALUE_RANGE",
        "block",
        "评分或违约概率超出范围",
        "a score or its PD is out of range, or a withheld score has a value",
    ),
    Rule(
        "score-02",
        "NOT_UNIQUE",
        "block",
        "同一客户同类评分重复",
        "a client has two scores of one type",
        gxe.ExpectColumnValuesToBeUnique(column="key"),
    ),
    check_column(
        "score-03",
        "ck_model",
        "UNKNOWN_MODEL",
        "block",
        "评分模型或校准版本未登记",
        "a score is of a model or a calibration that is not in force",
    ),
    check_column(
        "score-04",
        "is_stable",
        "PSI",
        "warn",
        "评分分布较建模时发生偏移",
        "scores are spread otherwise than when their model was made",
    ),
    check_column(
        "score-05",
        "is_pd_observed",
        "PD_OBSERVED",
        "warn",
        "平均违约概率与近期实际违约率偏差过大",
        "the mean PD is far from the defaults of the last months",
    ),
    check_column(
        "score-06",
        "ck_pd_by_band",
        "PD_NOT_MONOTONE",
        "block",
        "违约概率中位数未随等级递增",
        "the median PD does not rise from band to band",
    ),
    check_column(
        "score-07",
        "ck_reasons",
        "NO_REASON",
        "quarantine",
        "C 级或中风险及以下缺少有效原因码",
        "a score of band C, MEDIUM or worse has no reason, or one that says nothing",
    ),
    check_column(
        "score-08",
        "ck_stage",
        "STAGE",
        "block",
        "IFRS 9 阶段与逾期天数不符",
        "an IFRS 9 stage does not agree with the days past due",
    ),
    check_column(
        "score-09",
        "ck_tier",
        "TIER",
        "block",
        "五级分类与逾期天数不符",
        "a five-tier class does not agree with the days past due",
    ),
    check_column(
        "score-10",
        "is_few_suppressed",
        "SUPPRESSED_SHARE",
        "warn",
        "暂停评分占比过高",
        "too many scores are suppressed",
    ),
    check_column(
        "score-11",
        "ck_again",
        "NOT_REPRODUCIBLE",
        "block",
        "评分无法由其输入重现",
        "a score is not what its inputs give",
    ),
    check_column(
        "score-12",
        "ck_coverage",
        "COVERAGE",
        "block",
        "应评分客户覆盖不足",
        "clients who have to have a score have none",
    ),
)
