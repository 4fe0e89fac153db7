"""What a person decides about offsets, one partition or all of a topic, each decision kept."""

from __future__ import annotations

import pytest

from lifecycle import app
from lifecycle.settings import Settings
from tests.integration.test_quarantine import answer, as_sent, lifecycle, take_in
from tests.support import opened, outgoing, query

pytestmark = pytest.mark.integration
TOPIC = "bank.account.v1"
DECISIONS = "SELECT action, partition, from_offset, to_offset FROM offset_decision ORDER BY 2"


def test_all_partitions_of_a_topic_go_to_the_beginning(clean: Settings) -> None:
    take_in(clean, as_sent(outgoing(opened())))
    ends = {r["partition"]: r["next_offset"] for r in app.offsets(clean) if r["topic"] == TOPIC}
    arguments = ("offsets", "set", TOPIC, "all", "beginning", "--reason", "made anew")
    done = answer(clean, *arguments)
    assert [(row["partition"], row["to"]) for row in done] == [(p, 0) for p in sorted(ends)]
    assert query(clean, DECISIONS) == [("SET", p, ends[p], 0) for p in sorted(ends)]
    rows = app.offsets(clean)
    assert {row["next_offset"] for row in rows if row["topic"] == TOPIC} == {0}
    assert f"{TOPIC} partition 0 is read on from offset 0" in lifecycle(clean, *arguments)[1]


def test_one_partition_is_decided_as_before(clean: Settings) -> None:
    why = ("--reason", "tried")
    assert answer(clean, "offsets", "set", TOPIC, "1", "0", *why)["to"] == 0
    assert answer(clean, "offsets", "set", TOPIC, "2", "beginning", *why)["partition"] == 2
    assert [row[:2] for row in query(clean, DECISIONS)] == [("SET", 1), ("SET", 2)]


def test_an_offset_the_log_cannot_serve_changes_nothing(clean: Settings) -> None:
    """No consumer could start with it: one mistyped number would stop them all."""
    take_in(clean, as_sent(outgoing(opened())))
    (row,) = [r for r in app.offsets(clean) if r["topic"] == TOPIC and r["partition"] == 0]
    end = row["log_end"]
    for offset in (str(end + 1), "9" * 30):
        arguments = ("set", TOPIC, "0", offset, "--reason", "mistyped")
        status, _, complained = lifecycle(clean, "offsets", *arguments)
        assert status == 2
        assert f"can be read on from 0 to {end:,}, not from {int(offset):,}" in complained
    assert query(clean, DECISIONS) == []
    assert answer(clean, "offsets", "set", TOPIC, "0", str(end), "--reason", "ok")["to"] == end


def test_an_offset_past_the_end_hides_no_lag(clean: Settings) -> None:
    take_in(clean, as_sent(outgoing(opened())))
    move = "UPDATE consumer_offset SET next_offset = %s WHERE topic = %s AND partition = %s RETURNING 1"
    read, *others = sorted(app.offsets(clean), key=lambda row: -row["log_end"])
    query(clean, move, 0, read["topic"], read["partition"])
    query(clean, move, 999_999_999, others[0]["topic"], others[0]["partition"])
    assert app.operations(clean)["lag_total"] == read["log_end"]
    assert sum(row["lag"] for row in app.offsets(clean)) == read["log_end"]


def test_what_is_stopped_is_resumed_together(clean: Settings) -> None:
    query(
        clean,
        "UPDATE consumer_offset SET stopped_at = now(), stopped_reason = 'bad' "
        "WHERE topic = %s AND partition IN (1, 3) RETURNING 1",
        TOPIC,
    )
    done = answer(clean, "offsets", "resume", TOPIC, "all", "--reason", "mended")
    assert [row["partition"] for row in done] == [1, 3]
    assert [row[:2] for row in query(clean, DECISIONS)] == [("RESUME", 1), ("RESUME", 3)]
    assert query(clean, "SELECT 1 FROM consumer_offset WHERE stopped_at IS NOT NULL") == []


def test_a_mistake_gets_one_sentence(clean: Settings) -> None:
    why = ("--reason", "x")
    for arguments, sentence in (
        (("set", TOPIC, "every", "0", *why), "say a number, or all"),
        (("set", TOPIC, "0", "start", *why), "say a number, or beginning"),
        (("set", TOPIC, "all", "beginning", "--reason", " "), "needs a reason"),
        (("set", "bank.none.v1", "all", "beginning", *why), "nothing to decide about any"),
        (("set", TOPIC, "99", "0", *why), "nothing to decide about partition 99"),
        (("resume", TOPIC, "all", *why), "nothing to decide about any"),
        (("resume", TOPIC, "0", *why), "is not stopped"),
    ):
        status, _, complained = lifecycle(clean, "offsets", *arguments)
        assert status == 2, arguments
        assert sentence in " ".join(complained.split()), complained
