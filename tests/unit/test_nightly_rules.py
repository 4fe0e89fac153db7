"""The nightly rules: what a move of class or stage raises, and that it can be decided again."""

from __future__ import annotations

import datetime as dt

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


def test_a_stored_move_decides_the_same(rule_set: RuleSet) -> None:
    one = move(UNSEEN, BAD)
    assert decide_move(decode_move(encode_move(one)), rule_set) == decide_move(one, rule_set)
