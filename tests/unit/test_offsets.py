"""What is said of a log that cannot be read on: exact ranges, and the command that decides."""

from __future__ import annotations

from lifecycle.offsets import cut, damaged, problem

PLACE = ("bank.account.v1", 3)
DECIDE = "`lifecycle offsets set bank.account.v1 3 OFFSET --reason ...`"


def test_what_can_be_read_is_no_problem() -> None:
    assert problem(PLACE, 10, 0, 20) is None
    assert problem(PLACE, 0, 0, 0) is None
    assert problem(PLACE, 20, 20, 20) is None


def test_lost_records_are_named_by_their_range() -> None:
    said = problem(PLACE, 1_000, 1_500, 2_000) or ""
    assert "bank.account.v1 partition 3: the 500 records 1,000..1,499 are lost" in said
    assert f"{DECIDE} (1,500)" in said


def test_an_offset_past_the_end_is_named() -> None:
    said = problem(PLACE, 25, 0, 20) or ""
    assert "the stored next offset 25 is 5 past the log's end 20" in said
    assert f"{DECIDE} (0)" in said


def test_a_topic_that_was_made_anew_is_named_whatever_its_offsets() -> None:
    for end in (5, 25, 500):
        said = problem(PLACE, 25, 0, end, made_anew=True) or ""
        assert "made anew after its next offset 25 was stored" in said
        assert f"nothing of the new one's {end:,} records was read" in said
        assert "`lifecycle offsets set bank.account.v1 all beginning --reason ...`" in said


def test_a_missing_row_is_named() -> None:
    assert "has no offset row" in (problem(PLACE, None, 0, 20) or "")


def test_damaged_records_are_named_by_their_range() -> None:
    said = damaged(PLACE, 1_010, 1_020)
    assert "bank.account.v1 partition 3: the 10 records 1,010..1,019 are damaged" in said
    assert f"{DECIDE} (1,020)" in said


def test_a_log_that_lost_its_end_is_named() -> None:
    said = cut(PLACE, 100, 40)
    assert "read up to 99" in said
    assert "from 40 on" in said
    assert f"{DECIDE} (40)" in said
    assert f"{DECIDE} (0)" in cut(PLACE, 100, None)
