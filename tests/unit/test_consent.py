"""The consent ledger: what each sequence of grants and withdrawals allows, and since when."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.clients.consent import ConsentFact, allowed, ledger, permissions
from lifecycle.events.fields import PURPOSES

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
FREE = ("P1_SERVICE",)


def day(number: int) -> dt.datetime:
    return START + dt.timedelta(days=number)


def grant(on: int, consent: str = "K1", *, until: int | None = None, **changes: Any) -> ConsentFact:
    fields: dict[str, Any] = {
        "client_id": "C1",
        "event_id": f"{consent}-given-{on}",
        "consent_id": consent,
        "purpose": "P2_PROFILE",
        "withdrawn": False,
        "at": day(on),
        "channel": "BRANCH",
        "expires_at": None if until is None else day(until),
    }
    return ConsentFact(**fields | changes)


def withdrawal(on: int, consent: str = "K1", **changes: Any) -> ConsentFact:
    return grant(on, consent, withdrawn=True, event_id=f"{consent}-taken-{on}", **changes)


P3 = {"purpose": "P3_BUREAU"}


@pytest.mark.parametrize(
    ("facts", "on", "ground", "since"),
    [
        ([], 5, "NEVER_ASKED", None),
        ([grant(1)], 5, "GRANTED", 1),
        ([grant(1)], 1, "GRANTED", 1),
        ([grant(9)], 5, "NOT_YET", 9),
        ([grant(1), withdrawal(4)], 5, "WITHDRAWN", 4),
        ([grant(1), withdrawal(5)], 5, "WITHDRAWN", 5),
        ([grant(1), withdrawal(6)], 5, "GRANTED", 1),
        ([withdrawal(4), grant(1)], 5, "WITHDRAWN", 4),
        ([grant(1), withdrawal(3), grant(4, "K2")], 5, "GRANTED", 4),
        ([grant(1), grant(4, "K2")], 5, "GRANTED", 4),
        ([grant(1), grant(2, "K2"), withdrawal(3, "K1")], 5, "WITHDRAWN", 3),
        ([grant(1, until=4)], 5, "EXPIRED", 4),
        ([grant(1, until=5)], 5, "EXPIRED", 5),
        ([grant(1, until=6)], 5, "GRANTED", 1),
        ([grant(1, until=3), withdrawal(4)], 5, "EXPIRED", 3),
        ([grant(1), grant(2, "K2", until=4)], 5, "EXPIRED", 4),
        ([grant(1), withdrawal(3, **P3)], 5, "GRANTED", 1),
        ([grant(1, **P3)], 5, "NEVER_ASKED", None),
        ([grant(1), grant(9, "K2")], 5, "GRANTED", 1),
    ],
)
def test_what_a_purpose_rests_on(
    facts: list[ConsentFact], on: int, ground: str, since: int | None
) -> None:
    found = permissions(ledger(facts, day(on)), FREE)["P2_PROFILE"]

    assert (found.ground, found.allowed) == (ground, ground == "GRANTED")
    assert found.since == (None if since is None else day(since))


def test_what_needs_no_consent_is_allowed_without_one() -> None:
    found = permissions([], FREE)

    assert found["P1_SERVICE"].ground == "NOT_NEEDED"
    assert [p for p in PURPOSES if found[p].allowed] == ["P1_SERVICE"]


def test_a_consent_keeps_what_became_of_it() -> None:
    first, second = ledger([grant(1), grant(2, "K2"), withdrawal(3, "K2")], day(5))

    assert (first.status, first.since, first.ended) == ("SUPERSEDED", day(2), second.granted)
    assert (second.status, second.ended) == ("WITHDRAWN", withdrawal(3, "K2"))


FACTS = st.lists(
    st.builds(
        lambda on, kind, purpose, n, days: grant(
            on,
            f"K{n}",
            purpose=purpose,
            withdrawn=kind,
            event_id=f"{n}",
            until=None if kind else days and on + days,
        ),
        st.integers(0, 20),
        st.booleans(),
        st.sampled_from(["P2_PROFILE", "P4_AUTOMATED"]),
        st.integers(0, 99),
        st.none() | st.integers(1, 10),
    ),
    max_size=8,
    unique_by=lambda fact: fact.event_id,
)


@given(FACTS, st.integers(0, 25), st.randoms())
def test_an_allowed_purpose_has_a_grant_that_nothing_ended(
    facts: list[ConsentFact], on: int, random: Any
) -> None:
    at = day(on)
    found = permissions(ledger(facts, at), FREE)
    for purpose in ("P2_PROFILE", "P4_AUTOMATED"):
        own = [f for f in facts if f.purpose == purpose and f.at <= at]
        if found[purpose].allowed:
            newest = max((f for f in own if not f.withdrawn), key=lambda f: (f.at, f.event_id))
            assert found[purpose].consent_id == newest.consent_id
            assert newest.expires_at is None or newest.expires_at > at
            assert not any(f.withdrawn and f.at >= newest.at for f in own)
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert permissions(ledger(shuffled, at), FREE) == found
    assert allowed(facts, at, FREE).get("C1", frozenset(FREE)) == {
        p for p, permission in found.items() if permission.allowed
    }
