"""Stage "raw": one micro-batch of Kafka records, before anything is stored.

Columns (`lifecycle.intake.raw_columns`): one `ck_` boolean per way a record can be refused, so the
reason a record is quarantined for is the expectation it fails. The figures about a whole batch
(`is_on_time`, `is_in_sequence`, `digest`) say little of a handful of records, so they are judged
from WHOLE_ROWS on.
"""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.gate import Rule, check_column

WHOLE_ROWS = 1_000

RULES: tuple[Rule, ...] = (
    check_column(
        "raw-01",
        "ck_envelope",
        "ENVELOPE",
        "quarantine",
        "CloudEvents 必填属性缺失或无效",
        "a required CloudEvents attribute is missing or invalid",
    ),
    check_column(
        "raw-01-json",
        "ck_parsable",
        "UNPARSABLE",
        "quarantine",
        "不是有效的 JSON",
        "the bytes are not JSON",
    ),
    check_column(
        "raw-01-names",
        "ck_names_once",
        "DUPLICATE_NAME",
        "quarantine",
        "同一对象中字段名重复",
        "a name occurs twice in one JSON object",
    ),
    Rule(
        "raw-02",
        "REPEATED",
        "warn",
        "批内重复率过高",
        "more than one record in a hundred repeats an earlier one",
        gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(column="event_key", min_value=0.99),
        min_rows=WHOLE_ROWS,
    ),
    check_column(
        "raw-03",
        "ck_specversion",
        "SPECVERSION",
        "quarantine",
        "CloudEvents 版本不是 1.0",
        "the CloudEvents version is not 1.0",
    ),
    check_column(
        "raw-04",
        "ck_type",
        "UNKNOWN_TYPE",
        "quarantine",
        "事件类型不在目录中",
        "the event type is not in the catalogue of this topic",
    ),
    check_column(
        "raw-05",
        "ck_time_format",
        "TIME_FORMAT",
        "quarantine",
        "时间不是带时区的 RFC 3339",
        "a time is not RFC 3339 with an offset",
    ),
    check_column(
        "raw-05-range",
        "ck_time",
        "TIME_OUT_OF_RANGE",
        "quarantine",
        "事件时间早于合理下限",
        "the event time is earlier than is plausible",
    ),
    check_column(
        "raw-06",
        "ck_not_future",
        "FUTURE_TIME",
        "quarantine",
        "事件时间在未来",
        "the event time is in the future",
    ),
    check_column(
        "raw-07",
        "ck_schema",
        "SCHEMA",
        "quarantine",
        "数据字段不符合该类型的结构",
        "the data does not match the schema of its type",
    ),
    check_column(
        "raw-07-version",
        "ck_schema_version",
        "SCHEMA_VERSION",
        "quarantine",
        "数据结构的主版本不受支持",
        "the major version of the data's schema is not supported",
    ),
    Rule(
        "raw-09",
        "LATE",
        "warn",
        "迟到超过 24 小时的事件过多",
        "more than one fact in a hundred is later than 24 hours",
        gxe.ExpectColumnValuesToBeInSet(column="is_on_time", value_set=[True], mostly=0.99),
        min_rows=WHOLE_ROWS,
    ),
    check_column(
        "raw-10",
        "ck_key",
        "KEY_MISMATCH",
        "quarantine",
        "记录键与事件分区键不一致",
        "the record key is not the event's partition key",
    ),
    check_column(
        "raw-10-subject",
        "ck_subject",
        "SUBJECT_MISMATCH",
        "quarantine",
        "事件主体与数据不一致",
        "the subject is not the entity the data is about",
    ),
    Rule(
        "raw-11",
        "SEQ_GAP",
        "warn",
        "生产者序号断档过多",
        "more than one fact in a thousand leaves a gap in its producer's sequence",
        gxe.ExpectColumnValuesToBeInSet(column="is_in_sequence", value_set=[True], mostly=0.999),
        min_rows=WHOLE_ROWS,
    ),
    Rule(
        "raw-12",
        "SAME_PAYLOADS",
        "warn",
        "内容相同的事件过多",
        "more than one payload in twenty is the same as another",
        gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(column="digest", min_value=0.95),
        min_rows=WHOLE_ROWS,
    ),
)
