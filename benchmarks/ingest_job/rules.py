"""The small fold with three rules that every plain pipeline runs, and what a right run ends with.

Amounts are in ten-thousandths, times in seconds since 1970.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from lifecycle.events import Event, InvalidEvent, Outgoing, decode, minor_units

AMOUNT, DEBITS, DAY = 2_500_000, 4_000_000, 86_400.0


class State:
    """What is known of one client."""

    __slots__ = ("balance", "debits", "lowest", "n", "window")

    def __init__(self) -> None:
        self.n = self.balance = self.debits = 0
        self.lowest = 1 << 60
        self.window: deque[tuple[float, int]] = deque()


class Result(NamedTuple):
    """What a run leaves in the database: rows of each table, and sums over the states."""

    events: int
    quarantined: int
    alerts: int
    clients: int
    folded: int
    balance: int
    debits: int


def money(event: Event) -> tuple[int, str, int]:
    """Amount, side and balance of an event; nothing moves when an account is opened."""
    data = event.data
    if event.type != "bank.account.transaction_posted.v1":
        return 0, "CRDT", 0
    return minor_units(data.amount), data.credit_debit_indicator, minor_units(data.balance_after)


def fold(state: State, event: Event, alerts: list[tuple[Any, ...]]) -> None:
    """Take one event into its client's state; append (rule, client, event id, value, time)."""
    amount, side, balance = money(event)
    at = event.time.timestamp()
    state.n += 1
    state.balance = balance
    if balance < state.lowest:
        if balance < 0 <= state.lowest:
            alerts.append(("OVERDRAWN", event.client_id, event.id, balance, event.time))
        state.lowest = balance
    while state.window and state.window[0][0] <= at - DAY:
        state.debits -= state.window.popleft()[1]
    if side == "DBIT":
        state.window.append((at, amount))
        before, state.debits = state.debits, state.debits + amount
        if before <= DEBITS < state.debits:
            alerts.append(("DEBITS", event.client_id, event.id, state.debits, event.time))
        if amount > AMOUNT:
            alerts.append(("AMOUNT", event.client_id, event.id, amount, event.time))


def expected(records: Sequence[Outgoing]) -> Result:
    """What a right run over these records ends with, folded here one by one."""
    states: dict[str, State] = {}
    seen: set[str] = set()
    alerts: list[tuple[Any, ...]] = []
    quarantined = 0
    for number, record in enumerate(records):
        try:
            event = decode(record.value, record.key.encode(), record.topic, 0, number)
        except InvalidEvent:
            quarantined += 1
            continue
        if event.id not in seen:
            seen.add(event.id)
            fold(states.setdefault(event.client_id, State()), event, alerts)
    folded, balance, debits = (
        sum(getattr(state, name) for state in states.values())
        for name in ("n", "balance", "debits")
    )
    return Result(len(seen), quarantined, len(alerts), len(states), folded, balance, debits)
