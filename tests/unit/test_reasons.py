"""Every reason a record can be kept out for is in one table, in both languages."""

from __future__ import annotations

from typing import get_args

from expectations import raw, staged
from lifecycle.events.envelope import Reason as Refusal
from lifecycle.pipeline import PIPELINE_REASONS
from lifecycle.reasons import REASONS, worded

SUITES = {r.reason for r in (*raw.RULES, *staged.RULES) if r.action == "quarantine"}


def test_the_table_is_closed() -> None:
    assert REASONS.keys() == SUITES | PIPELINE_REASONS.keys()
    assert set(get_args(Refusal)) <= SUITES, "what decoding refuses, a suite holds"
    assert not SUITES & PIPELINE_REASONS.keys()


def test_a_reason_of_an_older_release_stands_for_itself() -> None:
    assert worded("GONE") == ("GONE", "GONE")
