"""Deterministic simulation: the real consumer loop, crashed at every step, by several owners at once.

Hypothesis chooses what is produced, which loop moves, where it is hit and when; whatever it finds
it shrinks to the shortest history, and the same history always ends the same.
"""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from consumers import loop
from lifecycle.alerts.decide import decider
from lifecycle.alerts.rules import load_rules
from lifecycle.errors import OffsetImpossible
from lifecycle.events import Fact, Outgoing
from lifecycle.settings import ROOT
from tests.simulation.world import STEPS, World
from tests.support import DAY, disbursed, due, made, missed, opened, outgoing, posted

RULES = decider(load_rules(ROOT / "rules"))

CLIENTS = ("C1", "C2")


def _facts(number: int, day: int) -> tuple[Fact, ...]:
    on = DAY + dt.timedelta(days=day)
    return (
        opened(day=on),
        posted(number, day=on, balance_after="10.00"),
        posted(number, day=on, balance_after="-10.00", credit_debit_indicator="DBIT"),
        disbursed(on),
        due(1 + number % 4, on),
        made(f"P{number}", on),
        missed(1 + number % 4, on),
    )


KINDS = len(_facts(0, 0))
HOSTILE = (b"{", b"", None, b"\xff", b"[1]", b'{"specversion": "2.0"}')


class Stream(RuleBasedStateMachine):
    """Every history ends with the oracle."""

    @initialize(ahead=st.booleans())
    def begin(self, ahead: bool) -> None:
        self.world = World(RULES, ahead=ahead)
        self.sent: list[Outgoing] = []

    @rule(
        client=st.sampled_from(CLIENTS),
        kind=st.integers(0, KINDS - 1),
        number=st.integers(1, 6),
        day=st.integers(0, 40),
        sequence=st.integers(0, 4),
    )
    def produce(self, client: str, kind: int, number: int, day: int, sequence: int) -> None:
        out = outgoing(_facts(number, day)[kind], client, sequence=sequence)
        self.sent.append(out)
        self.world.send(out)

    @rule(which=st.integers(0, 1_000))
    def produce_again(self, which: int) -> None:
        if self.sent:
            self.world.send(self.sent[which % len(self.sent)])

    @rule(value=st.sampled_from(HOSTILE), client=st.sampled_from(CLIENTS))
    def produce_rubbish(self, value: bytes | None, client: str) -> None:
        self.world.send_bytes("bank.account.v1", client.encode(), value)

    @rule(loop=st.integers(0, 3))
    def turn(self, loop: int) -> None:
        self.world.turn(loop)

    @rule(loop=st.integers(0, 3), step=st.sampled_from(STEPS))
    def turn_and_be_hit(self, loop: int, step: str) -> None:
        self.world.arm(step)
        self.world.turn(loop)
        self.world.turn(loop)

    @rule(loop=st.integers(0, 3))
    def rebalance(self, loop: int) -> None:
        self.world.revoke(loop)

    @rule(loop=st.integers(0, 3), other=st.integers(0, 3), step=st.sampled_from(STEPS[:-1]))
    def turn_and_rebalance(self, loop: int, other: int, step: str) -> None:
        self.world.arm(step, lambda: self.world.revoke(other))
        self.world.turn(loop)
        self.world.turn(loop)

    @rule()
    def another_owner(self) -> None:
        if len(self.world.loops) < 3:
            self.world.start_loop()

    @rule(hours=st.integers(1, 100))
    def time_passes(self, hours: int) -> None:
        self.world.now += dt.timedelta(hours=hours)
        self.world.expire()

    def teardown(self) -> None:
        self.world.drain()
        self.world.check()


Stream.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStream = Stream.TestCase


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_life_that_is_hit_at_every_step_ends_the_same(step: str, ahead: bool) -> None:
    def live(fault: str | None) -> World:
        world = World(RULES, ahead=ahead)
        for number in range(1, 5):
            for fact in _facts(number, number):
                world.send(outgoing(fact))
                if fault:
                    world.arm(fault)
                world.turn(0)
        world.drain()
        world.check()
        return world

    hit, calm = live(step), live(None)
    assert hit.store.states() == calm.store.states()
    # Topics are not ordered among each other, so what a rule knew may differ; what it raised not.
    assert hit.store.alerts().keys() == calm.store.alerts().keys()


@pytest.mark.parametrize("while_it_reads", [True, False])
def test_a_topic_made_anew_is_not_read_from_the_old_offset(while_it_reads: bool) -> None:
    world = World(RULES)
    world.send(outgoing(opened()))
    world.send(outgoing(posted(1)))
    world.drain()
    world.broker.make_anew("bank.account.v1")
    for number in range(2, 9):
        world.send(outgoing(posted(number)))
    if not while_it_reads:
        world.loops.clear()
    with pytest.raises(OffsetImpossible, match="made anew"):
        world.drain()
    assert len(world.store.log) == 2, "nothing of the new topic was taken"


def test_a_member_whose_assignment_was_dropped_joins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python loses an assignment when a poll ends between the two answers of a rebalance."""
    world = World(RULES)
    world.send(outgoing(opened()))
    world.drain()
    world.revoke(0, answered=False)
    world.send(outgoing(posted(1)))
    for _ in range(5):
        world.turn(0)
    assert len(world.store.log) == 1, "without partitions nothing is read"
    monkeypatch.setattr(loop, "REJOIN_SECONDS", 0)
    world.drain()
    world.check()
    assert len(world.store.log) == 2
