"""The one oracle of all faults: what is stored is exactly what the ledger says.

Every produced record is in exactly one of event log, quarantine, parked, or it is a duplicate of
one; nothing else is there; money agrees to the last digit; effects count one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from itertools import groupby
from typing import Any

import psycopg

from lifecycle import app
from lifecycle.settings import Settings
from tests.chaos.traffic import Ledger, add_money, fingerprint

SHOWN = 10
"""Findings of one kind that are printed; the count is always exact."""


def verdict(configured: Settings, ledger: Ledger, *, drained: bool = True) -> list[str]:
    """Everything that is wrong, in sentences; empty when all is as the ledger says.

    `drained` also asks that the outbox is empty and everything produced was consumed.
    """
    with psycopg.connect(configured.database_url) as connection:
        # The tables were empty a moment ago, and the planner would join them as if they still were.
        connection.execute("ANALYZE event_log, inbox, outbox, alert")
        found = [
            *_placed(connection, ledger),
            *_money(connection, ledger),
            *_books(connection, ledger, drained),
            *_effects(connection, drained),
        ]
    proof = app.prove(configured)
    if not proof.equal:
        found.append(f"prove: {len(proof.differences)} differences, first: {proof.differences[0]}")
    return found


def check(configured: Settings, ledger: Ledger, *, drained: bool = True) -> None:
    """Fail with the seed and the shortest list that says what is missing, doubled or strange."""
    found = verdict(configured, ledger, drained=drained)
    assert not found, f"seed {ledger.seed}, {len(ledger):,} records:\n  " + "\n  ".join(found)


_PLACES = {
    "applied": "SELECT payload, topic, partition, kafka_offset FROM event_log",
    "quarantined": "SELECT raw, topic, partition, kafka_offset FROM quarantine "
    "WHERE status = 'HELD'",
    "parked": "SELECT payload, topic, partition, kafka_offset FROM parked",
}


def _placed(connection: psycopg.Connection[Any], ledger: Ledger) -> list[str]:
    found = []
    for fate, query in _PLACES.items():
        places: dict[bytes, list[tuple[str, int, int]]] = defaultdict(list)
        for value, *place in connection.execute(query):
            places[fingerprint(value)].append(tuple(place))
        stored = Counter({mark: len(where) for mark, where in places.items()})
        expected = ledger.expected[fate]  # type: ignore[index]
        found += _listed(f"not {fate}", expected - stored, ledger, {})
        surplus = stored - expected
        known = Counter({m: n for m, n in surplus.items() if m in ledger.names})
        found += _listed(f"{fate} too often or against the ledger", known, ledger, places)
        found += _listed(f"{fate} but never produced", surplus - known, ledger, places)
    return found


def _listed(
    what: str,
    marks: Counter[bytes],
    ledger: Ledger,
    places: dict[bytes, list[tuple[str, int, int]]],
) -> list[str]:
    """One sentence for a kind of finding: how many, and which, as few as tell it."""
    if not +marks:
        return []
    at = sorted(place for mark in marks for place in places.get(mark, []))
    shown = runs(at) or [ledger.names.get(mark, "unknown") for mark in sorted(marks)]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return [f"{marks.total():,} records {what}: {', '.join(shown[:SHOWN])}{more}"]


def runs(places: list[tuple[str, int, int]]) -> list[str]:
    """Sorted places -> runs of neighbouring offsets: a batch that was doubled is one run."""
    found = []
    for (topic, partition), group in groupby(places, key=lambda place: place[:2]):
        offsets = [place[2] for place in group]
        for _, run in groupby(enumerate(offsets), key=lambda pair: pair[1] - pair[0]):
            numbers = [offset for _, offset in run]
            found.append(f"{topic}/{partition} {numbers[0]}..{numbers[-1]}")
    return found


def _money(connection: psycopg.Connection[Any], ledger: Ledger) -> list[str]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for (payload,) in connection.execute("SELECT payload FROM event_log"):
        add_money(sums, payload)
    wrong = [s for s in sorted(sums.keys() | ledger.money.keys()) if sums[s] != ledger.money[s]]
    return [
        f"{subject} sums to {sums[subject]} and not to {ledger.money[subject]}"
        for subject in wrong[:SHOWN]
    ]


def _books(connection: psycopg.Connection[Any], ledger: Ledger, drained: bool) -> list[str]:
    row = connection.execute(
        "SELECT sum(received), sum(applied), sum(quarantined), sum(duplicates), sum(parked) "
        "FROM consumer_offset"
    ).fetchone()
    received, applied, quarantined, duplicates, parked = map(int, row or ())
    found = []
    if received != applied + quarantined + duplicates + parked:
        found.append(
            f"the books do not balance: {received} received, {applied} applied, "
            f"{quarantined} quarantined, {duplicates} duplicates, {parked} parked"
        )
    for name, count in (("event_log", applied), ("quarantine", quarantined), ("parked", parked)):
        held = " WHERE status = 'HELD'" if name == "quarantine" else ""
        (rows,) = connection.execute(f"SELECT count(*) FROM {name}{held}").fetchone() or (0,)
        if rows != count:
            found.append(f"{name} has {rows} rows and the books say {count}")
    wanted = ledger.expected["duplicate"].total()
    if drained and not wanted <= duplicates <= wanted + ledger.resends:
        found.append(f"{duplicates} duplicates, {wanted} to {wanted + ledger.resends} expected")
    return found


def _effects(connection: psycopg.Connection[Any], drained: bool) -> list[str]:
    questions = {
        "facts are in the log twice": "SELECT count(*) - count(DISTINCT event_key) FROM event_log",
        "alert keys are there twice": "SELECT count(*) - count(DISTINCT alert_key) FROM alert",
        "alerts have no outbox message, or two": "SELECT count(*) FROM alert LEFT JOIN "
        "(SELECT key, count(*) AS n FROM outbox WHERE topic = 'bank.alert.v1' GROUP BY key) AS o "
        "ON key = alert_id::text WHERE origin = 'STREAM' AND n IS DISTINCT FROM 1",
        "facts are in the log and not in the inbox": "SELECT count(*) FROM event_log "
        "LEFT JOIN inbox USING (event_key) WHERE inbox.event_key IS NULL",
    }
    if drained:
        questions["outbox messages wait"] = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    found = []
    for what, query in questions.items():
        (count,) = connection.execute(query).fetchone() or (0,)
        if count:
            found.append(f"{count} {what}")
    return found
