"""Stage "raw": one micro-batch of Kafka records, before anything is stored.

Columns: one `ck_` boolean per way a record can be refused (see `lifecycle.pipeline.raw_columns`),
so the reason a row is quarantined for is the expectation it fails.
"""

from __future__ import annotations

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    check_column(
        "raw-01",
        "ck_parsable",
        "UNPARSABLE",
        "quarantine",
        "不是有效的 JSON",
        "the bytes are not JSON",
    ),
    check_column(
        "raw-02",
        "ck_envelope",
        "ENVELOPE",
        "quarantine",
        "CloudEvents 必填属性缺失或无效",
        "a required CloudEvents attribute is missing or invalid",
    ),
    check_column(
        "raw-03",
        "ck_type",
        "UNKNOWN_TYPE",
        "quarantine",
        "事件类型不在目录中",
        "the event type is not in the catalogue of this topic",
    ),
    check_column(
        "raw-04",
        "ck_schema",
        "SCHEMA",
        "quarantine",
        "数据字段不符合该类型的结构",
        "the data does not match the struct of its type",
    ),
    check_column(
        "raw-05",
        "ck_key",
        "KEY_MISMATCH",
        "quarantine",
        "记录键与事件分区键不一致",
        "the record key is not the event's partition key",
    ),
    check_column(
        "raw-06",
        "ck_not_future",
        "FUTURE_TIME",
        "quarantine",
        "事件时间在未来",
        "the event time is in the future",
    ),
)
