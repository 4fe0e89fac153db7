"""What a fact's clocks may show."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import pytest

from tests.support import DAY, at, outgoing, posted, prepared, records

CLOCKS = {
    "an hour ago": ({}, {}, None),
    "an event of 1989": ({"time": "1989-12-31T23:59:59Z"}, {}, "TIME_OUT_OF_RANGE"),
    "recorded in 1989": ({"recordedtime": "1989-12-31T23:59:59Z"}, {}, "TIME_OUT_OF_RANGE"),
    "recorded in the year one": (
        {"recordedtime": "0001-01-01T00:00:00+14:00"},
        {},
        "TIME_OUT_OF_RANGE",
    ),
    "booked in 1989": ({}, {"business_date": "1989-12-31"}, "TIME_OUT_OF_RANGE"),
    "booked on the first day": ({}, {"business_date": "1990-01-01"}, None),
    "an event of tomorrow": ({"time": "2026-03-03T13:00:00Z"}, {}, "FUTURE_TIME"),
    "an event at the end of time": (
        {"time": "9999-12-31T23:59:59-14:00"},
        {},
        "FUTURE_TIME",
    ),
    "booked in a month": ({}, {"business_date": "2026-04-02"}, "FUTURE_TIME"),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_the_clocks_of_a_fact(name: str) -> None:
    envelope, data, reason = CLOCKS[name]
    (record,) = records([outgoing(posted())])
    body = json.loads(record.value or b"") | envelope
    body["data"] |= data
    record = msgspec.structs.replace(record, value=json.dumps(body).encode())
    found = prepared([record], at(DAY) + dt.timedelta(hours=1))
    assert [held.reason for held in found.held.values()] == ([reason] if reason else [])
