"""Stage "alert": one row per facility the nightly rules looked at."""

from __future__ import annotations

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    check_column(
        "alert-01", "ck_unique", "NOT_UNIQUE", "block", "预警键重复", "an alert key occurs twice"
    ),
    check_column(
        "alert-02",
        "ck_rule_known",
        "RULE_UNKNOWN",
        "block",
        "规则不在目录中",
        "an alert names a rule that is not in the rule set",
    ),
    check_column(
        "alert-03",
        "ck_owner",
        "OWNER",
        "block",
        "预警负责人不允许",
        "an alert's owner may not own its kind",
    ),
    check_column(
        "alert-04",
        "ck_evidence",
        "NO_EVIDENCE",
        "block",
        "预警没有证据",
        "an alert has no evidence",
    ),
)
