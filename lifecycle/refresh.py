"""Profiles between two nights: a withdrawn consent takes effect at once, and clients whose facts
changed get their attributes anew.

What a refresh makes is served like what a night makes, through the same gate. A night starts from the
lake and replaces it all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from lifecycle import profiling
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients import reading
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.consent import ledger, permissions
from lifecycle.clients.facts import Facts
from lifecycle.errors import GateFailed
from lifecycle.events import Event
from lifecycle.ports import Engine, Gate, ServedProfiles

PURPOSE_TEXTS = {a.purpose: a.purposes for a in ATTRIBUTES.values()}


@dataclass(frozen=True)
class Refresh:
    """What a refresh needs; made by the composition root."""

    store: ServedProfiles
    open_engine: Callable[[Iterable[tuple[int, Event]]], AbstractContextManager[Engine]]
    """An engine over the facts it is given, and nothing else."""
    gate: Gate
    rules: RuleSet
    zone: ZoneInfo
    held: Callable[[], frozenset[int]]
    """Positions of facts that do not count."""
    corrected: Callable[[], frozenset[int]]
    """Of these, what a later fact corrected."""
    now: Callable[[], dt.datetime]


class Refreshed(NamedTuple):
    """What a refresh did: values taken away, clients built anew, and those left for the night."""

    withdrawn: int
    clients: int
    left: int


def refresh(made: Refresh) -> Refreshed | None:
    """One look at what changed since the last one; None while a night runs, whose rows will be newer."""
    with made.store.alone() as free:
        if not free:
            return None
        through, changed, consents = made.store.changed()
        withdrawn = _withdraw(consents, made)
        # Consents come first: what they allow or forbid should not wait for the night.
        order = sorted(changed, key=lambda client: client not in consents)
        chosen = order[: int(made.rules.parameters["refresh_clients_max"].value)]
        if chosen:
            _rebuild(chosen, max(changed[client] for client in chosen), through, made)
        made.store.refreshed(through, made.now())
        return Refreshed(withdrawn, len(chosen), len(order) - len(chosen))


def _withdraw(clients: Collection[str], made: Refresh) -> int:
    """Take away what the clients' consents no longer allow."""
    now = made.now()
    figures = made.rules.parameters
    free = figures["purposes_without_consent"].value
    facts = made.store.consent_facts(clients)
    permitted, forbidden = {}, {}
    for client in sorted(clients):
        own = permissions(ledger((f for f in facts if f.client_id == client), now), free)
        permitted[client] = [
            text
            for text, needed in PURPOSE_TEXTS.items()
            if all(own[purpose].allowed for purpose in needed)
        ]
        forbidden[client] = reading.forbidden_scores(own, figures)
    return made.store.withdraw(permitted, forbidden, now)


def _rebuild(clients: list[str], newest: dt.date, through: int, made: Refresh) -> None:
    """The attributes of some clients from their own facts. Raises GateFailed when the gate blocks."""
    business_date = max(newest, made.store.served_date() or newest)
    histories = (fact for client in clients for fact in made.store.history(client, through))
    with made.open_engine(histories) as engine:
        facts = Facts(engine, business_date, made.zone, made.held(), made.corrected())
        for new in profiling.make(engine, facts, made.rules.parameters):
            _serve(new, facts, made)


def _serve(new: profiling.Made, facts: Facts, made: Refresh) -> None:
    figures, business_date = made.rules.parameters, facts.business_date
    known = len(new.clients)
    judged = profiling.gate_columns(new, facts, figures)
    verdict = made.gate.check("profile", judged, known)
    made.store.record_gate(verdict, business_date, made.now())
    if verdict.blocking:
        first = verdict.blocking[0]
        raise GateFailed(
            f"Gate profile blocks the refresh of {known} clients: {first.reason_en} "
            f"({first.expectation}, {first.count} clients); what was served before stays served."
        )
    rows = profiling.suppressed(new.rows, judged, figures)
    # What looks at other clients too can only be told by a night, which sees them all.
    alone = [name for name, attribute in ATTRIBUTES.items() if not attribute.across]
    rows = rows.filter(pc.is_in(rows["name"], pa.array(alone)))
    served = profiling.served([rows], business_date, made.now())
    made.store.serve(list(served), new.summaries)
