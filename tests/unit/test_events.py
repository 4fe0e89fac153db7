"""Events: what is accepted, what is refused and why, and that the same fact gives the same bytes."""

from __future__ import annotations

import datetime as dt
import json
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.events import (
    CATALOGUE,
    Fact,
    InvalidEvent,
    decode,
    encode,
    minor_units,
    money_text,
)
from lifecycle.events.catalogue import TIME
from lifecycle.events.client import ClientRegistered, ProfileDeclared
from lifecycle.events.fields import to_decimal
from lifecycle.inbox import identify
from tests.support import DAY, at, event, outgoing, posted


def test_a_fact_survives_the_wire() -> None:
    out = outgoing(posted())
    back = decode(out.value, b"C1", out.topic, 3, 42)
    assert back.data == posted()
    assert (back.client_id, back.partition, back.offset) == ("C1", 3, 42)
    assert back.subject == "account/A1"


def test_the_same_fact_gives_the_same_bytes_and_id() -> None:
    assert outgoing(posted()).value == outgoing(posted()).value
    assert outgoing(posted(1)).id != outgoing(posted(2)).id


def _broken(change: dict[str, object], data: dict[str, object] | None = None) -> bytes:
    body = json.loads(outgoing(posted()).value)
    body.update(change)
    body["data"].update(data or {})
    return json.dumps({k: v for k, v in body.items() if v != "(gone)"}).encode()


REFUSED = {
    "not JSON": (b"\xff\x00", "UNPARSABLE"),
    "cut off": (outgoing(posted()).value[:-20], "UNPARSABLE"),
    "no value": (None, "UNPARSABLE"),
    "an array": (b"[1]", "ENVELOPE"),
    "no id": (_broken({"id": "(gone)"}), "ENVELOPE"),
    "no time": (_broken({"time": "(gone)"}), "ENVELOPE"),
    "time without offset": (_broken({"time": "2026-03-02T12:00:00"}), "TIME_FORMAT"),
    "other specversion": (_broken({"specversion": "0.3"}), "SPECVERSION"),
    "unknown type": (_broken({"type": "bank.account.exploded.v1"}), "UNKNOWN_TYPE"),
    "type of another topic": (_broken({"type": "bank.credit.settled.v1"}), "UNKNOWN_TYPE"),
    "float money": (_broken({}, {"amount": 12.5}), "SCHEMA"),
    "negative amount": (_broken({}, {"amount": "-12.50"}), "SCHEMA"),
    "five decimals": (_broken({}, {"amount": "1.00001"}), "SCHEMA"),
    "trailing newline": (_broken({}, {"amount": "1.00\n"}), "SCHEMA"),
    "unknown code": (_broken({}, {"credit_debit_indicator": "BOTH"}), "SCHEMA"),
    "lower-case currency": (_broken({}, {"currency": "cny"}), "SCHEMA"),
    "bad UTF-8 in the data": (
        outgoing(posted(transaction_id="T?")).value.replace(b'_id":"T?"', b'_id":"T\xff"'),
        "UNPARSABLE",
    ),
    "half a surrogate pair": (_broken({}, {"transaction_id": "T\ud800"}), "UNPARSABLE"),
    "NUL in the id": (_broken({"id": "a\0b"}), "ENVELOPE"),
    "NUL in the source": (_broken({"source": "a\0b"}), "ENVELOPE"),
    "a C1 control in the source": (_broken({"source": "a\x9fb"}), "ENVELOPE"),
    "a booking before there were banks": (
        _broken({}, {"booking_datetime": "0001-01-01T00:00:00+14:00"}),
        "SCHEMA",
    ),
    "a business date at the end of time": (_broken({}, {"business_date": "9999-12-31"}), "SCHEMA"),
    "ten trillion": (_broken({}, {"amount": "10000000000000"}), "SCHEMA"),
    "key of another client": (_broken({"partitionkey": "C2"}), "KEY_MISMATCH"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_why(name: str) -> None:
    raw, reason = REFUSED[name]
    with pytest.raises(InvalidEvent) as refused:
        decode(raw, b"C1", "bank.account.v1", 0, 0)
    assert refused.value.reason == reason


def test_an_additional_field_is_accepted() -> None:
    assert decode(_broken({}, {"new_field": 1}), b"C1", "bank.account.v1", 0, 0)


REGISTERED = ClientRegistered(
    business_date=DAY, client_id="C1", client_type="INDIVIDUAL", id_check="PASS", phone_hash="h1"
)
DECLARED = ProfileDeclared(
    business_date=DAY,
    client_id="C1",
    currency="CNY",
    investment_experience_years=3,
    pension_estimated_monthly="4200.00",
)


@pytest.mark.parametrize("fact", [REGISTERED, DECLARED])
def test_a_record_of_the_version_before_is_accepted(fact: Fact) -> None:
    new = encode(fact, source="/bank/crm", client_id="C1", time=at(DAY))
    assert b":1.1.0" in new.value
    assert decode(new.value, b"C1", new.topic, 0, 0).data == fact
    body = json.loads(new.value.replace(b":1.1.0", b":1.0.0"))
    for field in (
        "id_check",
        "phone_hash",
        "investment_experience_years",
        "pension_estimated_monthly",
    ):
        body["data"].pop(field, None)
    old = decode(json.dumps(body).encode(), b"C1", new.topic, 0, 0).data
    assert old.client_id == "C1"
    assert old != fact


def test_a_check_of_the_id_number_passes_or_fails() -> None:
    out = encode(REGISTERED, source="/bank/crm", client_id="C1", time=at(DAY))
    with pytest.raises(InvalidEvent, match="id_check"):
        decode(out.value.replace(b'"PASS"', b'"OK"'), b"C1", out.topic, 0, 0)


def test_every_event_type_names_its_subject_and_key() -> None:
    for row in CATALOGUE.values():
        names = row.data.__struct_fields__
        assert row.subject[1] in names
        assert set(row.business_key) <= {*names, TIME}
        assert row.name.startswith("bank.")
        assert row.name.endswith(".v1")


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_date_of_a_fact_is_without_bounds(name: str) -> None:
    for field, kind in get_type_hints(CATALOGUE[name].data, include_extras=True).items():
        bare = kind in (dt.date, dt.datetime, dt.date | None, dt.datetime | None)
        assert not bare, f"{field}: Date or Instant"


def test_identity_is_source_and_id() -> None:
    first, again = identify(event(posted())), identify(event(posted(), offset=9))
    assert first == again
    assert identify(event(posted(2))).event_key != first.event_key


@given(st.integers(min_value=-(10**17), max_value=10**17))
def test_money_text_and_minor_units_are_inverse(units: int) -> None:
    assert minor_units(money_text(units)) == units


@pytest.mark.parametrize(
    ("text", "units"),
    [("0", 0), ("12", 120_000), ("12.5", 125_000), ("0.0001", 1), ("-3.10", -31_000)],
)
def test_minor_units(text: str, units: int) -> None:
    assert minor_units(text) == units
    assert to_decimal(units) * 10_000 == units
