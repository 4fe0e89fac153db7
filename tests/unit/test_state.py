"""The fold: what each fact does to a client's state."""

from __future__ import annotations

import datetime as dt

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.clients.state import (
    DAY_TOTALS_KEPT,
    ClientState,
    days_past_due,
    decode_state,
    encode_state,
    fold,
)
from lifecycle.events import Event, Fact, business_key, minor_units
from lifecycle.events.consent import ConsentGranted, ConsentWithdrawn
from lifecycle.events.credit import CreditSettled
from tests.support import DAY, at, due, event, made, missed, opened, posted

MONTHS = [dt.date(2026, m, 12) for m in (1, 2, 3, 4)]


def after(*facts: Fact) -> ClientState:
    state = ClientState("C1")
    for number, data in enumerate(facts):
        state = fold(state, event(data, offset=number))
    return state


def test_an_account_is_opened_and_its_balance_followed() -> None:
    state = after(opened(limit="50.00"), posted(balance_after="-20.00"))
    account = state.accounts["A1"]
    assert (account.balance, account.overdraft_limit, account.currency) == (
        -200_000,
        500_000,
        "CNY",
    )
    assert state.facts == 2


def test_the_fold_takes_an_entry_before_its_account() -> None:
    early = after(posted(balance_after="7.00"), opened(limit="50.00"))
    late = after(opened(limit="50.00"), posted(balance_after="7.00"))
    assert early.accounts == late.accounts


def _rescheduled(number: int, day: dt.date, total: str) -> Event:
    """An instalment as its second schedule has it, as a fact that corrects the first."""
    data = msgspec.structs.replace(due(number, day, total), schedule_version=2)
    return msgspec.structs.replace(event(data), correction=True)


def test_an_instalment_scheduled_anew_is_owed_once() -> None:
    state = after(due(1, MONTHS[0]), made("P1", MONTHS[0], "200.00"))
    (owed,) = fold(state, _rescheduled(1, MONTHS[1], "450.00")).facilities["L1"].unpaid
    assert (owed.due_date, owed.total - owed.paid) == (MONTHS[1], 2_500_000)
    paid = after(due(1, MONTHS[0]), made("P1", MONTHS[0]))
    assert fold(paid, _rescheduled(1, MONTHS[1], "450.00")).facilities == paid.facilities


def test_an_instalment_has_one_key_in_all_its_schedules() -> None:
    first, second = due(1, MONTHS[0]), _rescheduled(1, MONTHS[1], "450.00").data
    assert business_key(first, at(DAY)) == business_key(second, at(DAY)) == "L1|1"


def test_a_paid_instalment_is_not_owed() -> None:
    facility = after(due(1, MONTHS[0]), made("P1", MONTHS[0])).facilities["L1"]
    assert facility.unpaid == ()
    assert facility.prepaid == 0


def test_money_pays_the_oldest_instalment_first() -> None:
    state = after(due(1, MONTHS[0]), due(2, MONTHS[1]), made("P1", MONTHS[1], "600.00"))
    (left,) = state.facilities["L1"].unpaid
    assert (left.number, left.paid) == (2, 1_000_000)


def test_money_that_came_early_waits_for_the_instalment() -> None:
    state = after(made("P1", MONTHS[0], "700.00"), due(1, MONTHS[0]))
    facility = state.facilities["L1"]
    assert facility.unpaid == ()
    assert facility.prepaid == 2_000_000


def test_what_is_said_of_a_paid_instalment_owes_nothing() -> None:
    state = after(due(1, MONTHS[0]), made("P1", MONTHS[0]))
    for late in (due(1, MONTHS[0]), due(1, MONTHS[0], "400.00"), missed(1, MONTHS[0])):
        facility = fold(state, event(late, offset=9)).facilities["L1"]
        assert (facility.unpaid, facility.prepaid) == ((), 0)
    early = after(made("P1", MONTHS[0]), due(1, MONTHS[0]), missed(1, MONTHS[0]))
    assert early.facilities["L1"].unpaid == ()
    assert len(early.facilities["L1"].missed) == 1, "that it was missed is remembered"


def test_a_corrected_payment_pays_once() -> None:
    paid = after(due(1, MONTHS[0]), made("P1", MONTHS[0], "60.00"))
    corrected = event(made("P1", MONTHS[0], "50.00"), offset=9)
    again = fold(paid, msgspec.structs.replace(corrected, correction=True))
    assert again.facilities == paid.facilities


def test_days_past_due_count_from_the_oldest_unpaid() -> None:
    facility = after(due(1, MONTHS[0]), due(2, MONTHS[1])).facilities["L1"]
    assert days_past_due(facility, dt.date(2026, 2, 12), 0) == 31
    assert days_past_due(facility, dt.date(2026, 1, 12), 0) == 0
    assert days_past_due(facility, dt.date(2026, 2, 12), 5_000_000) == 0


def test_a_missed_instalment_is_owed_even_before_its_due_fact() -> None:
    state = after(missed(1, MONTHS[0]))
    assert state.facilities["L1"].unpaid[0].due_date == MONTHS[0]
    again = fold(state, event(due(1, MONTHS[0]), offset=9))
    assert len(again.facilities["L1"].unpaid) == 1


def test_settlement_ends_what_is_owed() -> None:
    settled = CreditSettled(business_date=DAY, facility_id="L1", settled_date=DAY)
    facility = after(due(1, MONTHS[0]), settled).facilities["L1"]
    assert (facility.status, facility.unpaid) == ("SETTLED", ())


def test_consents_stand_until_withdrawn() -> None:
    granted = ConsentGranted(
        business_date=DAY,
        client_id="C1",
        consent_id="K1",
        purpose="P2_PROFILE",
        legal_basis="CONSENT",
        granted_at=at(DAY),
        text_version="1",
    )
    withdrawn = ConsentWithdrawn(
        business_date=DAY,
        client_id="C1",
        consent_id="K1",
        purpose="P2_PROFILE",
        withdrawn_at=at(DAY),
    )
    assert after(granted).consents == {"P2_PROFILE": "K1"}
    assert after(granted, withdrawn).consents == {}


def test_no_sum_is_too_large_to_keep() -> None:
    largest = "9999999999999.99"
    entries = [posted(n, amount=largest, is_cash=True) for n in range(200)]
    paid = [made(f"P{n}", DAY, largest) for n in range(200)]
    state = after(*entries, *paid)
    back = decode_state(encode_state(state))
    assert back == state
    assert int(back.day_totals[0].total) == 200 * minor_units(largest) > 2**63
    assert int(back.facilities["L1"].prepaid) == 200 * minor_units(largest)
    small = after(*entries[:1]).day_totals[0].total
    assert small == minor_units(largest), "what fits stays a number"


def test_day_totals_are_bounded() -> None:
    days = [DAY + dt.timedelta(days=n) for n in range(10)]
    state = after(*(posted(n, day=day) for n, day in enumerate(days)))
    assert len(state.day_totals) == DAY_TOTALS_KEPT
    many = after(*(posted(n) for n in range(50)))
    assert many.day_totals[0].total == 50 * 1_000_000
    assert len(many.day_totals[0].sources) <= 20


amounts = st.integers(1, 10**9).map(lambda n: f"{n // 100}.{n % 100:02d}")


@given(st.lists(st.tuples(st.sampled_from(["due", "made"]), amounts), max_size=30))
def test_nothing_owed_or_paid_is_lost(moves: list[tuple[str, str]]) -> None:
    """What fell due less what was paid is what is owed less what waits, whatever the order."""
    from lifecycle.events import minor_units

    facts = [
        due(n, MONTHS[0] + dt.timedelta(days=n), amount)
        if kind == "due"
        else made(str(n), DAY, amount)
        for n, (kind, amount) in enumerate(moves, start=1)
    ]
    facility = after(opened(), *facts).facilities.get("L1")
    owed = sum(i.total - i.paid for i in facility.unpaid) if facility else 0
    waits = int(facility.prepaid) if facility else 0
    balance = sum(minor_units(a) * (1 if kind == "due" else -1) for kind, a in moves)
    assert owed - waits == balance
    assert owed == 0 or waits == 0


@given(st.lists(st.sampled_from(["open", "post", "due", "made", "missed"]), max_size=20))
def test_a_state_survives_storage(kinds: list[str]) -> None:
    makers = {
        "open": lambda n: opened(f"A{n}"),
        "post": lambda n: posted(n),
        "due": lambda n: due(n + 1, DAY),
        "made": lambda n: made(str(n), DAY, "100.00"),
        "missed": lambda n: missed(n + 1, DAY),
    }
    state = after(*(makers[kind](n) for n, kind in enumerate(kinds)))
    assert decode_state(encode_state(state)) == state
