"""The nightly twin of the stream: what late facts would have raised, had they come in time. Pure.

A client's whole log is folded in the order in which things happened. What it raises depends on the
log up to a position and on the rules only, so it can be decided again at any time.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from lifecycle.alerts.alert import Alert
from lifecycle.alerts.decide import Decider, decide
from lifecycle.clients.state import ClientState
from lifecycle.events import Event, event_key


class LateFact(msgspec.Struct, frozen=True, order=True):
    """All that is needed to decide on a late fact again."""

    client_id: str
    through_position: int
    """The night that sealed the fact had seen the client's log up to here."""
    event_key: str
    """16 bytes as hex."""


class LateAlert(NamedTuple):
    """An alert and the late fact it was decided on."""

    alert: Alert
    fact: LateFact


History = Callable[[str, int], Sequence[Event]]
"""(client id, position) -> the client's facts up to it in arrival order."""

encode_late_fact = msgspec.json.Encoder(order="deterministic").encode
decode_late_fact = msgspec.json.Decoder(LateFact).decode


def decide_late(facts: Iterable[LateFact], history: History, rules: Decider) -> list[LateAlert]:
    """The alerts late facts give under a rule set; each client's log is folded once per position."""
    found = []
    for (client_id, through), some in groupby(sorted(facts), operator.attrgetter(*_FOLD)):
        by_key = {bytes.fromhex(fact.event_key): fact for fact in some}
        for key, alert in _raised(client_id, history(client_id, through), by_key, rules):
            found.append(LateAlert(_marked(alert), by_key[key]))
    return found


_FOLD = ("client_id", "through_position")


def known_before(fact: LateFact, history: History, rules: Decider) -> ClientState:
    """The client's state that the fact met: all that happened before it, whenever it came."""
    state = ClientState(fact.client_id)
    for event in in_event_time(history(fact.client_id, fact.through_position)):
        if event_key(event.source, event.id).hex() == fact.event_key:
            break
        state, _ = decide(state, event, rules)
    return state


def in_event_time(events: Iterable[Event]) -> list[Event]:
    """Facts in the order in which they happened, those of one instant in order of arrival, and
    none of them late."""
    on_time = (msgspec.structs.replace(e, late=False) if e.late else e for e in events)
    return sorted(on_time, key=operator.attrgetter("time"))


def _raised(
    client_id: str, events: Iterable[Event], late: Collection[bytes], rules: Decider
) -> Iterator[tuple[bytes, Alert]]:
    """What the late ones among a client's facts raise, each with the fact's key."""
    state = ClientState(client_id)
    for event in in_event_time(events):
        state, decisions = decide(state, event, rules)
        alerts = [decision for decision in decisions if isinstance(decision, Alert)]
        if alerts:
            key = event_key(event.source, event.id)
            if key in late:
                yield from ((key, alert) for alert in alerts)


def _marked(alert: Alert) -> Alert:
    return msgspec.structs.replace(
        alert,
        late=True,
        message_zh=f"迟到事实：{alert.message_zh}",
        message_en=f"Late fact: {alert.message_en}",
    )
