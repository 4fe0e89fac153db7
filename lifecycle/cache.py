"""What a consumer remembers so that it need not ask: states of its clients, facts it stored lately.

The store is the authority: a state read from here is checked when it is written, and a fact that is
not here may still be in the inbox. Both forget the oldest first and are dropped with the partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from lifecycle.clients.state import ClientState
from lifecycle.ports import Identity

STATES_MAX = 200_000
FACTS_MAX = 200_000
"""Producers send a fact again soon after the first time, so a short memory catches most of it."""


class Cache:
    """Bounded; one per consumer."""

    def __init__(self, states: Mapping[str, ClientState] | None = None) -> None:
        self.states: dict[str, ClientState] = dict(states or {})
        self.facts: dict[bytes, bytes] = {}
        """Event key -> digest."""

    def remember(self, states: Mapping[str, ClientState], facts: Iterable[Identity]) -> None:
        """Keep what a committed batch left behind."""
        for client, state in states.items():
            # Put at the end: the order is the order of last use.
            self.states.pop(client, None)
            self.states[client] = state
        for fact in facts:
            self.facts[fact.event_key] = fact.digest
        _forget(self.states, STATES_MAX)
        _forget(self.facts, FACTS_MAX)


def _forget(held: dict[Any, Any], most: int) -> None:
    """Down to half at once, so that it is not done for every batch."""
    if len(held) > most:
        for key in list(islice(held, len(held) - most // 2)):
            del held[key]
