"""Nights whose staged gate finds something: how the source or two people mend it."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle import app
from lifecycle.errors import GateFailed
from lifecycle.events import Outgoing
from lifecycle.settings import Settings
from tests.integration.test_quarantine import as_sent, ask, degraded, take_in
from tests.support import DAY, at, opened, outgoing, posted, query

pytestmark = pytest.mark.integration


def entry(number: int, balance: str | None, sequence: int = 0, **changes: Any) -> Outgoing:
    """A credit of 100, so many minutes after noon."""
    fact = posted(number, balance_after=balance, **changes)
    return outgoing(fact, time=at(DAY, 12 + number // 60, number % 60), sequence=sequence)


def staged(configured: Settings) -> tuple[int, str | None]:
    """Seal the day and judge it: rows and the gate's word."""
    app.nightly_step(configured, "seal", DAY)
    step = app.nightly_step(configured, "staged", DAY)
    return step.rows, step.gate


def test_a_correction_of_the_source_opens_a_gate_that_blocked(clean: Settings) -> None:
    balances = ("100.00", "900.00", "300.00", "400.00")
    take_in(
        clean,
        as_sent(
            outgoing(opened(), sequence=1),
            *(entry(n, balance, n + 2) for n, balance in enumerate(balances)),
        ),
    )
    with pytest.raises(GateFailed, match="staged-07-share"):
        staged(clean)
    assert query(clean, "SELECT count(*) FROM quarantine") == [(0,)]
    (failures,) = query(clean, "SELECT failures FROM gate_result WHERE stage = 'staged'")[0]
    assert {row["expectation"]: row["count"] for row in failures}["staged-07"] == 2
    assert "900" not in str(failures), "no value of a fact is kept with a verdict"
    right = entry(1, "200.00", 9)
    corrected = right.value.replace(right.id.encode(), b"corrected")
    take_in(clean, [(right.topic, right.key, corrected)])
    assert staged(clean) == (4, "passed")


@pytest.fixture
def one_bad(clean: Settings) -> Settings:
    """An account with many entries, one of which has no amount."""
    many = [entry(n, None, n + 2) for n in range(250)]
    many[7] = entry(7, None, 9, amount="0")
    take_in(clean, as_sent(outgoing(opened(), sequence=1), *many))
    return clean


@pytest.mark.parametrize(("action", "rows"), [("DISCARD", 249), ("RELEASE", 249)])
def test_what_two_people_decided_is_not_judged_again(
    one_bad: Settings, action: str, rows: int
) -> None:
    assert staged(one_bad) == (250, "quarantined")
    assert degraded(one_bad, "C1")
    assert staged(one_bad) == (250, "quarantined"), "a repeat holds it once"
    done = app.decide_quarantined(one_bad, ask(one_bad, None, action), "APPROVE", checker="wang")
    assert done["status"] == {"DISCARD": "DISCARDED", "RELEASE": "RELEASED"}[action]
    assert not degraded(one_bad, "C1")
    assert staged(one_bad) == (rows, "passed")


def test_a_night_in_which_too_many_rows_fail_puts_none_into_quarantine(clean: Settings) -> None:
    take_in(clean, as_sent(outgoing(opened()), *(entry(n, None, amount="0") for n in range(3))))
    with pytest.raises(GateFailed, match=r"fails 3 of 3 rows .*\(staged-01: 3\): none was put"):
        staged(clean)
    assert query(clean, "SELECT count(*) FROM quarantine") == [(0,)]
