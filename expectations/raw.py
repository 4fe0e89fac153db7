"""Stage "raw": one micro-batch of Kafka records, before anything is stored.

Columns (`lifecycle.intake.raw_columns`): one `ck_` boolean per way a record can be refused, so the
reason a record is quarantined for is the expectation it fails. The figures about a whole batch
(`is_on_time`, `is_in_sequence`, `digest`) say little of a handful of records, so they are judged
from WHOLE_ROWS on.
"""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.gate import Rule, held

WHOLE_ROWS = 1_000

RULES: tuple[Rule, ...] = (
    held("raw-01", "ck_envelope", "ENVELOPE"),
    held("raw-01-json", "ck_parsable", "UNPARSABLE"),
    held("raw-01-names", "ck_names_once", "DUPLICATE_NAME"),
    Rule(
        "raw-02",
        "REPEATED",
        "warn",
        "批内重复率过高",
        "more than one record in a hundred repeats an earlier one",
        gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(column="event_key", min_value=0.99),
        min_rows=WHOLE_ROWS,
    ),
    held("raw-03", "ck_specversion", "SPECVERSION"),
    held("raw-04", "ck_type", "UNKNOWN_TYPE"),
    held("raw-05", "ck_time_format", "TIME_FORMAT"),
    held("raw-05-range", "ck_time", "TIME_OUT_OF_RANGE"),
    held("raw-06", "ck_not_future", "FUTURE_TIME"),
    held("raw-07", "ck_schema", "SCHEMA"),
    held("raw-07-version", "ck_schema_version", "SCHEMA_VERSION"),
    Rule(
        "raw-09",
        "LATE",
        "warn",
        "迟到超过 24 小时的事件过多",
        "more than one fact in a hundred is later than 24 hours",
        gxe.ExpectColumnValuesToBeInSet(column="is_on_time", value_set=[True], mostly=0.99),
        min_rows=WHOLE_ROWS,
    ),
    held("raw-10", "ck_key", "KEY_MISMATCH"),
    held("raw-10-subject", "ck_subject", "SUBJECT_MISMATCH"),
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
