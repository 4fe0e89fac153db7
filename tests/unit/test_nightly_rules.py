"""The nightly rules: what a move of class or stage raises, and that it can be decided again."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from lifecycle.alerts.nightly import (
    UNSEEN,
    Classified,
    Move,
    decide_move,
    decode_move,
    encode_move,
)
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.state import Source


def move(before: Classified, after: Classified) -> Move:
    return Move(
        facility_id="L1",
        client_id="C1",
        business_date=dt.date(2026, 3, 2),
        as_of=dt.datetime(2026, 3, 2, 16, tzinfo=dt.UTC),
        before=before,
        after=after,
        trigger="X",
        evidence=Source("e", "bank.credit.v1", 0, 1),
    )


WATCH = Classified("SPECIAL_MENTION", 2, 35)
BAD = Classified("SUBSTANDARD", 3, 95)
CASES = [
    (UNSEEN, UNSEEN, []),
    (UNSEEN, WATCH, [("NT-02", "P2"), ("NT-03", "P2")]),
    (UNSEEN, BAD, [("NT-02", "P1"), ("NT-03", "P2")]),
    (WATCH, BAD, [("NT-02", "P1"), ("NT-03", "P2")]),
    (BAD, WATCH, []),
    (WATCH, Classified("SPECIAL_MENTION", 2, 60), []),
]


@pytest.mark.parametrize(("before", "after", "expected"), CASES)
def test_what_a_move_raises(
    rule_set: RuleSet, before: Classified, after: Classified, expected: list[tuple[str, str]]
) -> None:
    found = decide_move(move(before, after), rule_set)
    assert [(a.alert.rule_id, a.alert.severity) for a in found] == expected


def test_a_group_is_assessed_and_none_of_it_downgraded(rule_set: RuleSet) -> None:
    one = msgspec.structs.replace(move(WATCH, BAD), group=("C2", "C3"))
    found = [a.alert for a in decide_move(one, rule_set)]
    of_group = [(a.rule_id, a.client_id, a.entity) for a in found if a.client_id != "C1"]
    assert of_group == [("NT-21", "C2", "client/C2"), ("NT-21", "C3", "client/C3")]
    assert len({a.alert_key for a in found}) == 4
    assert "C2" in found[-2].message_zh
    assert "L1" in found[-2].message_en
    still = msgspec.structs.replace(one, before=BAD)
    assert decide_move(still, rule_set) == [], "it was one before"


def test_a_move_of_before_the_rule_decides_the_same(rule_set: RuleSet) -> None:
    """Neither its bytes nor its alerts change with what was added later."""
    stored = encode_move(move(UNSEEN, BAD))
    assert b"group" not in stored
    rules = {name: rule for name, rule in rule_set.rules.items() if name != "NT-21"}
    earlier = msgspec.structs.replace(rule_set, rules=rules)
    decided = decide_move(decode_move(stored), earlier)
    assert [a.alert.rule_id for a in decided] == ["NT-02", "NT-03"]
    assert encode_move(decided[0].move) == stored


def test_a_stored_move_decides_the_same(rule_set: RuleSet) -> None:
    one = move(UNSEEN, BAD)
    assert decide_move(decode_move(encode_move(one)), rule_set) == decide_move(one, rule_set)
