"""Gaps in a producer's sequence: how old they are, what they say of the client, and the decision of
a person about what will never come."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle import app
from lifecycle.commands.console import log_in_name
from lifecycle.errors import UsageError
from lifecycle.settings import Settings
from tests.integration.test_quarantine import answer, as_sent, lifecycle, take_in
from tests.support import insert_alert, opened, outgoing, posted, query

pytestmark = pytest.mark.integration
SOURCE = "/replay/test"


@pytest.fixture
def broken(clean: Settings) -> Settings:
    """Client C1, of whose facts number 3 never came."""
    numbered(clean, 2, 4)
    return clean


def numbered(configured: Settings, *numbers: int) -> None:
    outs = [outgoing(posted(n), sequence=n) for n in numbers]
    take_in(configured, as_sent(outgoing(opened(), sequence=1), *outs))


def age(configured: Settings, minutes: int) -> None:
    query(
        configured,
        "UPDATE sequence_gap SET opened_at = now() - make_interval(mins => %s) RETURNING 1",
        minutes,
    )


def states(configured: Settings) -> list[tuple[int, str]]:
    return [(row["missing"], row["state"]) for row in app.gaps(configured)]


def gap_tile(configured: Settings) -> Any:
    (tile,) = [tile for tile in app.operations(configured)["tiles"] if tile.id == "gaps"]
    return tile


@pytest.mark.parametrize(
    ("minutes", "state", "tile", "incomplete"),
    [(9, "open", "good", False), (11, "warning", "warn", False), (1441, "critical", "bad", True)],
)
def test_an_old_gap_makes_the_client_incomplete(
    broken: Settings, minutes: int, state: str, tile: str, incomplete: bool
) -> None:
    insert_alert(broken)
    age(broken, minutes)
    assert states(broken) == [(1, state)]
    assert gap_tile(broken).state == tile
    page = answer(broken, "client", "C1")
    assert page["incomplete"] is incomplete
    assert [(gap["source"], gap["missing"]) for gap in page["gaps"]] == [(SOURCE, 1)]
    assert ("incomplete" in lifecycle(broken, "client", "C1")[1]) is incomplete
    (alert,) = answer(broken, "alerts", "list", "--client", "C1", "--rule", "RT-03")
    assert alert["incomplete"] is incomplete
    assert ("incomplete" in lifecycle(broken, "alerts", "list")[1]) is incomplete


def test_a_gap_that_cannot_close_is_accepted_and_a_new_one_opens_anew(broken: Settings) -> None:
    age(broken, 2_000)
    assert "critical" in lifecycle(broken, "gaps", "list")[1]
    why = ("--reason", "number 3 was the same entry again")
    assert lifecycle(broken, "gaps", "accept", "C1", SOURCE)[0] == 2, "without a reason"
    assert answer(broken, "gaps", "accept", "C1", SOURCE, *why)["accepted"] == 1
    assert states(broken) == []
    assert gap_tile(broken).value == 0
    assert not app.client(broken, "C1", actor="tester")["incomplete"]
    kept = query(broken, "SELECT client_id, source, missing, actor, reason FROM gap_decision")
    assert kept == [("C1", SOURCE, 1, log_in_name(), why[1])]
    with pytest.raises(UsageError, match="has no open gap"):
        app.accept_gap(broken, "C1", SOURCE, actor="li", reason="again")

    numbered(broken, 6)
    assert states(broken) == [(1, "open")], "5 is missing, since now"
    numbered(broken, 5)
    assert states(broken) == []
    numbered(broken, 8)
    assert states(broken) == [(1, "open")]
    assert app.prove(broken).equal


def test_a_gap_that_closes_is_forgotten_with_what_was_accepted_of_it(broken: Settings) -> None:
    app.accept_gap(broken, "C1", SOURCE, actor="li", reason="lost")
    numbered(broken, 3)
    assert query(broken, "SELECT count(*) FROM sequence_gap") == [(0,)]
    numbered(broken, 7)
    assert states(broken) == [(2, "open")]
