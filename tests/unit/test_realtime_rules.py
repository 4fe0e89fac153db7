"""The real-time rules and their suppression, as tables of facts and what they raise."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest

from lifecycle.alerts.alert import Alert, Decision, Repeat, canonical
from lifecycle.alerts.decide import Decider, decide
from lifecycle.clients.state import ClientState
from lifecycle.events import Fact
from lifecycle.events.client import ClientRegistered
from lifecycle.events.credit import PenaltyInterestCharged
from tests.support import DAY, at, due, event, made, missed, opened, posted


def decisions(rules: Decider, *facts: Fact, client: str = "C1") -> list[Decision]:
    state, found = ClientState(client), []
    for number, data in enumerate(facts):
        time = at(data.business_date, 8) + dt.timedelta(minutes=number)
        state, new = decide(state, event(data, client, number, time), rules)
        found += new
    return found


def alerts(rules: Decider, *facts: Fact) -> list[Alert]:
    return [d for d in decisions(rules, *facts) if isinstance(d, Alert)]


def raised(rules: Decider, *facts: Fact) -> Counter[str]:
    return Counter(alert.rule_id for alert in alerts(rules, *facts))


MONTHS = [dt.date(2026, m, 12) for m in range(1, 9)]


def test_rt01_is_graver_the_second_time(rules: Decider) -> None:
    found = alerts(
        rules, due(1, MONTHS[0]), missed(1, MONTHS[0]), due(2, MONTHS[1]), missed(2, MONTHS[1])
    )
    assert [a.severity for a in found if a.rule_id == "RT-01"] == ["P3", "P2"]


def test_rt01_forgets_after_half_a_year(rules: Decider) -> None:
    later = MONTHS[0] + dt.timedelta(days=200)
    found = alerts(rules, missed(1, MONTHS[0]), made("P", MONTHS[1]), missed(2, later))
    assert [a.severity for a in found if a.rule_id == "RT-01"] == ["P3", "P3"]


@pytest.mark.parametrize(
    ("months", "thresholds"), [(1, []), (2, ["30"]), (3, ["30", "60"]), (4, ["30", "60", "90"])]
)
def test_rt02_names_each_threshold_once(rules: Decider, months: int, thresholds: list[str]) -> None:
    facts = [f for n, day in enumerate(MONTHS[:months], 1) for f in (due(n, day), missed(n, day))]
    found = [a for a in alerts(rules, *facts) if a.rule_id == "RT-02"]
    assert [a.entity.split(">")[1] for a in found] == thresholds
    assert all(a.owner == "RO" for a in found)


def test_rt02_starts_again_with_a_new_episode(rules: Decider) -> None:
    late = [due(1, MONTHS[0]), due(2, MONTHS[1]), made("A", MONTHS[1], "1000.00")]
    again = [due(3, MONTHS[4]), due(4, MONTHS[5])]
    assert raised(rules, *late, *again)["RT-02"] == 2


@pytest.mark.parametrize(
    ("limit", "balance", "expected"),
    [("0", "-0.01", 1), ("0", "0.00", 0), ("100.00", "-100.00", 0), ("100.00", "-100.01", 1)],
)
def test_rt03_looks_beyond_the_limit(
    rules: Decider, limit: str, balance: str, expected: int
) -> None:
    assert raised(rules, opened(limit=limit), posted(balance_after=balance))["RT-03"] == expected


def test_rt03_keeps_quiet_for_three_days_unless_it_grows(rules: Decider) -> None:
    def overdrawn(number: int, days: int, balance: str) -> Fact:
        return posted(number, day=DAY + dt.timedelta(days=days), balance_after=balance)

    same = decisions(rules, overdrawn(1, 0, "-100"), overdrawn(2, 1, "-120"))
    assert [type(d) for d in same] == [Alert, Repeat]
    assert isinstance(same[1], Repeat)
    assert (same[1].hit_count, same[1].max_value) == (2, 120)
    assert raised(rules, overdrawn(1, 0, "-100"), overdrawn(2, 1, "-150"))["RT-03"] == 2
    assert raised(rules, overdrawn(1, 0, "-100"), overdrawn(2, 3, "-100"))["RT-03"] == 2


def test_rt04_hears_every_penalty_but_says_it_once_a_month(rules: Decider) -> None:
    def penalty(days: int) -> Fact:
        return PenaltyInterestCharged(
            business_date=DAY + dt.timedelta(days=days),
            facility_id="L1",
            amount="3.00",
            currency="CNY",
        )

    assert raised(rules, penalty(0), penalty(10), penalty(31))["RT-04"] == 2


def _person(kind: str = "INDIVIDUAL") -> Fact:
    return ClientRegistered(business_date=DAY, client_id="C1", client_type=kind)  # type: ignore[arg-type]


RT07 = {
    "cash at the threshold": ([("50000.00", True, "CRDT")], "INDIVIDUAL", 1),
    "cash below it": ([("49999.99", True, "CRDT")], "INDIVIDUAL", 0),
    "cash adds up": ([("30000", True, "CRDT"), ("20000", True, "CRDT")], "INDIVIDUAL", 1),
    "directions do not add up": (
        [("30000", True, "CRDT"), ("30000", True, "DBIT")],
        "INDIVIDUAL",
        0,
    ),
    "a person's transfer": ([("500000", False, "DBIT")], "INDIVIDUAL", 1),
    "a company's same transfer": ([("500000", False, "DBIT")], "CORPORATE", 0),
    "a company's large transfer": ([("2000000", False, "DBIT")], "CORPORATE", 1),
}


@pytest.mark.parametrize("name", RT07)
def test_rt07_statutory_thresholds(rules: Decider, name: str) -> None:
    entries, kind, expected = RT07[name]
    facts = [
        posted(n, amount=amount, is_cash=cash, credit_debit_indicator=side)
        for n, (amount, cash, side) in enumerate(entries)
    ]
    found = alerts(rules, _person(kind), *facts)
    assert len([a for a in found if a.rule_id == "RT-07"]) == expected
    assert all(a.owner == "CO" for a in found)


def test_rt07_does_not_add_what_the_bank_books(rules: Decider) -> None:
    interest = posted(1, amount="60000.00", is_cash=True, initiator="BANK")
    assert raised(rules, _person(), interest)["RT-07"] == 0


def test_rt07_is_one_alert_a_day_with_all_its_entries(rules: Decider) -> None:
    facts = [posted(n, amount="30000", is_cash=True) for n in range(4)]
    (first, *rest) = decisions(rules, _person(), *facts)
    assert isinstance(first, Alert)
    assert len(first.evidence) == 2
    assert [type(d) for d in rest] == [Repeat, Repeat]


def test_rt07_is_not_repeated_by_an_entry_that_adds_nothing(rules: Decider) -> None:
    large, interest = (
        posted(1, amount="60000", is_cash=True),
        posted(2, is_cash=True, initiator="BANK"),
    )
    assert [type(d) for d in decisions(rules, _person(), large, interest)] == [Alert]


def test_rt07_repeats_a_sum_of_more_than_64_bits(rules: Decider) -> None:
    largest = "9999999999999.99"
    found = decisions(rules, _person(), *(posted(n, amount=largest) for n in range(200)))
    last = found[-1]
    assert isinstance(last, Repeat)
    assert last.max_value == 200 * Decimal(largest)


def test_an_alert_names_what_made_it(rules: Decider) -> None:
    (alert,) = alerts(rules, opened(), posted(balance_after="-1.00"))
    assert alert.rules_hash == rules.rules_hash
    assert alert.evidence[0].event_id == event(posted(balance_after="-1.00")).id
    assert "A1" in alert.message_zh
    assert "A1" in alert.message_en
    assert canonical(alert) == canonical(alert)


def test_the_same_facts_give_the_same_decisions(rules: Decider) -> None:
    facts = [opened(), posted(1, balance_after="-5"), due(1, MONTHS[0]), missed(1, MONTHS[0])]
    assert decisions(rules, *facts) == decisions(rules, *facts)
