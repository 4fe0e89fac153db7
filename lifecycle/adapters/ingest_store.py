"""The ingest store on PostgreSQL: one transaction per micro-batch, fenced by compare-and-set."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from psycopg import Cursor, sql
from psycopg.copy import LibpqWriter
from psycopg.errors import (
    DeadlockDetected,
    LockNotAvailable,
    SerializationFailure,
    UniqueViolation,
)
from psycopg.rows import dict_row
from psycopg.types.string import BytesBinaryDumper

from lifecycle.adapters.postgres import connect, unavailable
from lifecycle.alerts.alert import canonical, evidence_rows
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.state import ClientState, decode_state, encode_state
from lifecycle.errors import Fenced, NotRunning, UsageError
from lifecycle.events import Event, decode, logged
from lifecycle.inbox import identify
from lifecycle.ports import (
    Arrived,
    Batch,
    Identity,
    OutboxMessage,
    Parked,
    Quarantined,
    RaisedAlert,
    Record,
    Release,
    Seen,
    Stop,
)

_QUICK = "-c statement_timeout=5s"
"""Asked on the Kafka client's own thread, which has heartbeats to send."""

# A zombie must not hold up its successor for longer than an alert may take.
_TIMEOUTS = (
    "-c idle_in_transaction_session_timeout=10s -c lock_timeout=10s -c statement_timeout=60s"
)

_STAGES = """
CREATE TEMP TABLE stage_inbox (event_key bytea, business_key bytea) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE stage_state (client_id text PRIMARY KEY, facts bigint, facts_before bigint, state bytea)
    ON COMMIT DELETE ROWS;
"""

_STATES = """
INSERT INTO client_state AS c (client_id, facts, state, updated_at)
SELECT client_id, facts, state, %s FROM stage_state ORDER BY client_id
ON CONFLICT (client_id) DO UPDATE
    SET facts = excluded.facts, state = excluded.state, updated_at = excluded.updated_at
    WHERE c.facts = (SELECT s.facts_before FROM stage_state s WHERE s.client_id = c.client_id)
"""

# A client whose facts only wait has no state to write: its row is held instead, so that whoever
# brings what they wait for comes before us, and is noticed, or after us, and sees them.
_UNTOUCHED = """
INSERT INTO client_state (client_id, facts, state, updated_at)
SELECT client_id, 0, state, %s FROM unnest(%s::text[], %s::bytea[]) AS c (client_id, state)
    ORDER BY client_id
ON CONFLICT DO NOTHING
"""
_HOLD_STATES = """
SELECT client_id, facts FROM client_state WHERE client_id = ANY(%s) ORDER BY client_id FOR SHARE
"""

_HELD_BEFORE = """
SELECT topic, partition, kafka_offset, sha256(coalesce(raw, ''))
  FROM quarantine JOIN unnest(%s::text[], %s::int[], %s::bigint[])
       AS r (topic, partition, kafka_offset) USING (topic, partition, kafka_offset)
 WHERE stage = 'raw' AND reason <> 'ORPHANED'
"""

_GAPS = """
INSERT INTO sequence_gap AS g (client_id, source, missing, opened_at)
SELECT client_id, source, missing, %s
  FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS n (client_id, source, missing)
 WHERE missing > 0
ON CONFLICT (client_id, source) DO UPDATE
    SET missing = excluded.missing, accepted = least(g.accepted, excluded.missing),
        opened_at = CASE WHEN g.missing > g.accepted THEN g.opened_at ELSE excluded.opened_at END
"""

_OFFSETS = """
UPDATE consumer_offset AS o
   SET next_offset = m.next_offset,
       received = o.received + m.received,
       applied = o.applied + m.received - m.quarantined - m.duplicates - m.parked,
       quarantined = o.quarantined + m.quarantined,
       duplicates = o.duplicates + m.duplicates,
       parked = o.parked + m.parked,
       updated_at = %s
  FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
              %s::bigint[], %s::bigint[])
       AS m (topic, partition, start, next_offset, received, quarantined, duplicates, parked)
 WHERE o.consumer_group = %s AND o.topic = m.topic AND o.partition = m.partition
   AND o.next_offset = m.start AND m.next_offset > m.start
"""

_RECOUNT = """
UPDATE consumer_offset AS o
   SET applied = o.applied + m.applied, quarantined = o.quarantined + m.quarantined,
       parked = o.parked + m.parked
  FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
       AS m (topic, partition, applied, quarantined, parked)
 WHERE o.consumer_group = %s AND o.topic = m.topic AND o.partition = m.partition
"""

_RELINK = """
UPDATE correction AS c SET corrected_by = n.corrected_by
  FROM correction AS n WHERE c.corrected_by = n.event_key AND n.event_key = ANY(%s)
"""

_LAST_OF_THEIR_KEY = """
SELECT i.business_key, c.event_key FROM correction AS c JOIN inbox AS i ON i.event_key = c.corrected_by
 WHERE c.corrected_by = ANY(%s) AND i.business_key IS NOT NULL
"""

INBOX_LOCK = "hashtext('lifecycle.inbox')"
"""Held shared by every transaction that puts facts into the inbox, alone by a step of a purge."""

RECALL_MARGIN = dt.timedelta(days=1)
"""A fact's time may run ahead of the clock by minutes, and a day ends at another hour elsewhere."""

_FORGOTTEN = """
SELECT l.payload, c.event_key IS NOT NULL, l.topic, l.partition, l.kafka_offset
  FROM event_log AS l LEFT JOIN inbox AS i USING (event_key)
       LEFT JOIN correction AS c USING (event_key)
 WHERE l.client_id = %s AND i.event_key IS NULL
"""

_REMEMBER = """
INSERT INTO inbox (event_key, business_key, data_sha256, sequence)
SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[], %s::bigint[]) ON CONFLICT DO NOTHING
"""

_INBOX_COLUMNS = {
    "event_key": "bytea",
    "business_key": "bytea",
    "data_sha256": "bytea",
    "sequence": "int8",
}

_PARKED_COLUMNS = {
    "event_key": "bytea",
    "event_id": "text",
    "type": "text",
    "client_id": "text",
    "topic": "text",
    "partition": "int4",
    "kafka_offset": "int8",
    "waits_for": "text",
    "correction": "bool",
    "late": "bool",
    "quarantine_id": "int8",
    "payload": "bytea",
    "parked_at": "timestamptz",
}

_QUARANTINE_COLUMNS = {
    "stage": "text",
    "topic": "text",
    "partition": "int4",
    "kafka_offset": "int8",
    "record_key": "bytea",
    "raw": "bytea",
    "reason": "text",
    "expectation": "text",
    "detail": "text",
    "event_id": "text",
    "client_id": "text",
    "gate_result_id": "int8",
    "quarantined_at": "timestamptz",
}

_OUTBOX_COLUMNS = {"topic": "text", "key": "text", "value": "bytea", "created_at": "timestamptz"}

_LOG_COLUMNS = {
    "event_key": "bytea",
    "event_id": "text",
    "source": "text",
    "type": "text",
    "subject": "text",
    "client_id": "text",
    "time": "timestamptz",
    "recordedtime": "timestamptz",
    "business_date": "date",
    "topic": "text",
    "partition": "int4",
    "kafka_offset": "int8",
    "batch_id": "int8",
    "payload": "bytea",
    "correction": "bool",
    "waited": "bool",
    "late": "bool",
    "quarantine_id": "int8",
}


class PostgresIngestStore:
    """IngestStore for one consumer. Holds one connection; not to be shared between threads."""

    def __init__(
        self,
        database_url: str,
        *,
        group: str,
        consumer: str,
        code_version: str,
        rules: RuleSet,
    ) -> None:
        self._connection = connect(
            database_url, options=_TIMEOUTS, application_name=f"lifecycle {consumer}"[:63]
        )
        # The dumper that stands for bytea by default is written in Python, and is asked thrice a fact.
        self._connection.adapters.register_dumper(bytes, BytesBinaryDumper)
        self._group = group
        self._consumer = consumer
        self._code_version = code_version
        try:
            self._prepare(rules)
        except NotRunning:
            self._connection.close()
            raise

    def _prepare(self, rules: RuleSet) -> None:
        with (
            unavailable(),
            self._connection.transaction(),
            self._connection.cursor() as cursor,
        ):
            cursor.execute(_STAGES)
            cursor.execute(
                "INSERT INTO rule_set (rules_hash, content) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (rules.hash, rules.content),
            )

    @contextmanager
    def transaction(self) -> Iterator[_Unit]:
        try:
            with (
                unavailable(),
                self._connection.transaction(),
                self._connection.cursor() as cursor,
            ):
                yield _Unit(cursor, self._group, self._consumer, self._code_version)
        except (
            DeadlockDetected,
            LockNotAvailable,
            SerializationFailure,
            UniqueViolation,
        ) as error:
            raise Fenced(f"Another writer holds the rows: {error}") from error

    def close(self) -> None:
        self._connection.close()


class _Unit:
    """IngestUnit on an open cursor."""

    def __init__(
        self, cursor: Cursor[tuple[Any, ...]], group: str, consumer: str, code_version: str
    ) -> None:
        self._cursor = cursor
        self._group = group
        self._consumer = consumer
        self._code_version = code_version

    def recall(self, events: Collection[Event]) -> None:
        # A statement of its own: what follows sees what the purge before us has committed.
        self._cursor.execute(f"SELECT pg_advisory_xact_lock_shared({INBOX_LOCK})")
        found = self._cursor.execute("SELECT forgotten_before FROM inbox_horizon").fetchone()
        if found is None:
            return
        before = dt.datetime.combine(found[0], dt.time(), dt.UTC) + RECALL_MARGIN
        clients = sorted({event.client_id for event in events if event.time < before})
        if not clients:
            return
        self._cursor.execute(
            "INSERT INTO inbox_recalled (client_id) SELECT * FROM unnest(%s::text[]) "
            "ON CONFLICT DO NOTHING RETURNING client_id",
            (clients,),
        )
        for (client,) in self._cursor.fetchall():
            self._recall(client)

    def _recall(self, client: str) -> None:
        """Put the facts of a client's log that the inbox does not know into it again."""
        self._cursor.execute(_FORGOTTEN, (client,))
        identities = [
            (identify(decode(payload, client.encode(), *place)), corrected)
            for payload, corrected, *place in self._cursor.fetchall()
        ]
        rows = [
            (i.event_key, None if corrected else i.business_key, i.digest, i.sequence)
            for i, corrected in identities
        ]
        if rows:
            self._cursor.execute(_REMEMBER, _columns(rows))

    def put(
        self,
        identities: Sequence[Identity],
        corrected: Collection[bytes] = (),
        known: Collection[bytes] = (),
    ) -> Seen:
        replaced = [key for key in corrected if key in known]
        # Of two facts with one business key in the same batch only the later one holds it.
        holder = {i.business_key: i.event_key for i in identities if i.business_key in corrected}
        rows = (
            (
                i.event_key,
                None
                if corrected and holder.get(i.business_key, i.event_key) != i.event_key
                else i.business_key,
                i.digest,
                i.sequence,
            )
            for i in identities
        )
        try:
            with self._cursor.connection.transaction():
                if replaced:
                    self._cursor.execute(
                        "UPDATE inbox SET business_key = NULL WHERE business_key = ANY(%s)",
                        (replaced,),
                    )
                _copy(self._cursor, "inbox", _INBOX_COLUMNS, rows)
        except UniqueViolation as refusal:
            seen = self._seen(identities)
            if not seen.ids and not seen.keys:
                raise Fenced("What the inbox held was forgotten just now.") from refusal
            return seen
        return Seen({}, {})

    def _seen(self, identities: Sequence[Identity]) -> Seen:
        columns = {"event_key": "bytea", "business_key": "bytea"}
        rows = ((i.event_key, i.business_key) for i in identities)
        _copy(self._cursor, "stage_inbox", columns, rows)
        found = self._cursor.execute(
            "SELECT i.event_key, i.data_sha256 FROM stage_inbox JOIN inbox AS i USING (event_key)"
        ).fetchall()
        ids: dict[bytes, bytes] = dict(found)
        found = self._cursor.execute(
            "SELECT i.event_key, i.business_key, i.data_sha256, i.sequence "
            "FROM stage_inbox JOIN inbox AS i USING (business_key)"
        ).fetchall()
        self._cursor.execute("TRUNCATE stage_inbox")
        return Seen(ids, {row[1]: Identity(*row) for row in found})

    def held_before(self, records: Sequence[Record]) -> set[tuple[str, int, int]]:
        if not records:
            return set()
        places = [(r.topic, r.partition, r.offset) for r in records]
        held = set(self._cursor.execute(_HELD_BEFORE, _columns(places)).fetchall())
        return {
            place
            for record, place in zip(records, places, strict=True)
            if (*place, hashlib.sha256(record.value or b"").digest()) in held
        }

    def parked(self, clients: Sequence[str]) -> list[Parked]:
        return self._parked("client_id = ANY(%s) ORDER BY parked_id", (list(clients),))

    def orphans(self, parked_before: dt.datetime, limit: int) -> list[Parked]:
        return self._parked(
            "parked_at < %s ORDER BY parked_id LIMIT %s FOR UPDATE SKIP LOCKED",
            (parked_before, limit),
        )

    def _parked(self, which: str, parameters: tuple[Any, ...]) -> list[Parked]:
        self._cursor.execute(
            "SELECT parked_id, client_id, topic, partition, kafka_offset, waits_for, correction, "
            f"late, quarantine_id, payload, event_key FROM parked WHERE {which}",
            parameters,
        )
        return [_parked_fact(*row) for row in self._cursor.fetchall()]

    def hold(
        self,
        orphans: Sequence[Parked],
        held: Sequence[Quarantined],
        messages: Sequence[OutboxMessage],
        now: dt.datetime,
    ) -> None:
        events = [parked.arrived.event for parked in orphans]
        self._unpark(orphans)
        self._forget([parked.arrived.key for parked in orphans])
        self._write_quarantine(held, None, now)
        self._write_outbox(messages, now)
        self._recount([(event.topic, event.partition, 0, 1, -1) for event in events])

    def _forget(self, keys: list[bytes]) -> None:
        """Let the inbox forget facts that were never applied, and what they corrected stand again."""
        # What corrects one of them corrects what that one corrected, link by link.
        while self._cursor.execute(_RELINK, (keys,)).rowcount:
            pass
        self._cursor.execute("DELETE FROM correction WHERE event_key = ANY(%s)", (keys,))
        self._cursor.execute(_LAST_OF_THEIR_KEY, (keys,))
        standing = self._cursor.fetchall()
        self._cursor.execute("DELETE FROM correction WHERE corrected_by = ANY(%s)", (keys,))
        self._cursor.execute("DELETE FROM inbox WHERE event_key = ANY(%s)", (keys,))
        self._cursor.executemany(
            "UPDATE inbox SET business_key = %s WHERE event_key = %s", standing
        )
        # A fact that waits for its turn and corrected only these corrects nothing any more.
        self._cursor.execute(
            "UPDATE parked SET correction = false WHERE correction AND NOT EXISTS "
            "(SELECT FROM correction AS c WHERE c.corrected_by = parked.event_key)"
        )

    def states(self, clients: Sequence[str]) -> dict[str, ClientState]:
        self._cursor.execute(
            "SELECT client_id, state FROM client_state WHERE client_id = ANY(%s)", (list(clients),)
        )
        return {client: decode_state(state) for client, state in self._cursor.fetchall()}

    def degraded(self, clients: Sequence[str], besides: int | None) -> frozenset[str]:
        # The view, less one record that is about to leave quarantine.
        self._cursor.execute(
            "SELECT d.client_id FROM degraded_client AS d LEFT JOIN quarantine AS q "
            "ON q.quarantine_id = %s AND q.client_id = d.client_id AND q.status = 'HELD' "
            "WHERE d.client_id = ANY(%s) AND d.held > (q.quarantine_id IS NOT NULL)::int",
            (besides, list(clients)),
        )
        return frozenset(client for (client,) in self._cursor.fetchall())

    def write(self, batch: Batch) -> None:
        gate_result_id, batch_id = self._write_batch(batch)
        _copy(self._cursor, "event_log", _LOG_COLUMNS, _log_rows(batch, batch_id))
        self._write_states(batch)
        self._write_parked(batch)
        self._write_corrections(batch)
        self._write_gaps(batch)
        self._write_alerts(batch, gate_result_id)
        self._write_quarantine(batch.quarantined, gate_result_id, batch.ingested_at)
        self._write_outbox(batch.outbox, batch.ingested_at)
        if batch.release is None:
            self._move_offsets(batch)
        else:
            self._close_quarantined(batch, batch.release)

    def _write_batch(self, batch: Batch) -> tuple[int, int]:
        verdict = batch.verdict
        self._cursor.execute(
            "WITH gate AS ("
            " INSERT INTO gate_result (stage, run_at, rows, success, evaluated, expected,"
            "  milliseconds, failures) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " RETURNING gate_result_id) "
            "INSERT INTO micro_batch (consumer, ingested_at, rules_hash, code_version,"
            " gate_result_id) SELECT %s, %s, %s, %s, gate_result_id FROM gate "
            "RETURNING gate_result_id, batch_id",
            (
                verdict.stage,
                batch.ingested_at,
                verdict.rows,
                verdict.success,
                verdict.evaluated,
                verdict.expected,
                verdict.milliseconds,
                failures_json(verdict.failures),
                self._consumer,
                batch.ingested_at,
                batch.rules_hash,
                self._code_version,
            ),
        )
        row = self._cursor.fetchone()
        assert row is not None
        return row[0], row[1]

    def _write_states(self, batch: Batch) -> None:
        if not batch.states:
            return
        rows = (
            (client, state.facts, batch.facts_before[client], encode_state(state))
            for client, state in batch.states.items()
        )
        columns = {"client_id": "text", "facts": "int8", "facts_before": "int8", "state": "bytea"}
        _copy(self._cursor, "stage_state", columns, rows)
        self._cursor.execute(_STATES, (batch.ingested_at,))
        if self._cursor.rowcount != len(batch.states):
            raise Fenced("A client's state was changed by another consumer.")

    def _write_alerts(self, batch: Batch, gate_result_id: int) -> None:
        if batch.alerts:
            self._cursor.executemany(
                INSERT_ALERT,
                [self._alert_row(raised, batch, gate_result_id) for raised in batch.alerts],
            )
        if batch.repeats:
            self._cursor.executemany(
                "UPDATE alert SET hit_count = %s, last_seen = %s, max_value = %s "
                "WHERE alert_id = %s",
                [
                    (r.hit_count, r.last_seen, r.max_value, r.alert_id)
                    for r in batch.repeats.values()
                ],
            )

    def _alert_row(self, raised: RaisedAlert, batch: Batch, gate_result_id: int) -> dict[str, Any]:
        alert = raised.alert
        return {
            **msgspec.structs.asdict(alert),
            "origin": "STREAM",
            "detected_at": batch.ingested_at,
            "evidence": json.dumps(evidence_rows(alert.evidence)),
            "decision": canonical(alert),
            "state_before": encode_state(raised.state_before),
            "gate_result_id": gate_result_id,
            "code_version": self._code_version,
        }

    def _write_parked(self, batch: Batch) -> None:
        if batch.waited_before:
            self._none_came(batch.waited_before)
        if batch.parked:
            idle = {p.arrived.event.client_id for p in batch.parked} - batch.states.keys()
            self._still(sorted(idle), batch)
            _copy(self._cursor, "parked", _PARKED_COLUMNS, _parked_rows(batch))
        if batch.unparked:
            self._unpark(batch.unparked)
            places = [(p.arrived.event.topic, p.arrived.event.partition) for p in batch.unparked]
            self._recount([(*place, n, 0, -n) for place, n in Counter(places).items()])

    def _none_came(self, waited_before: Mapping[str, int]) -> None:
        """Fail when another writer parked a fact of these clients, whose states are written now."""
        clients = list(waited_before)
        self._cursor.execute("SELECT count(*) FROM parked WHERE client_id = ANY(%s)", (clients,))
        row = self._cursor.fetchone()
        if row is None or row[0] != sum(waited_before.values()):
            raise Fenced("A fact was parked by another writer just now.")

    def _still(self, clients: Sequence[str], batch: Batch) -> None:
        """Fail when another writer touched these clients since their states were read."""
        states = [encode_state(ClientState(client)) for client in clients]
        self._cursor.execute(_UNTOUCHED, (batch.ingested_at, list(clients), states))
        self._cursor.execute(_HOLD_STATES, (list(clients),))
        for client, facts in self._cursor.fetchall():
            if facts != batch.facts_before[client]:
                raise Fenced("A client's state was changed by another consumer.")

    def _unpark(self, parked: Sequence[Parked]) -> None:
        ids = [p.parked_id for p in parked]
        self._cursor.execute("DELETE FROM parked WHERE parked_id = ANY(%s)", (ids,))
        if self._cursor.rowcount != len(ids):
            raise Fenced("A parked fact was taken by another writer.")

    def _write_corrections(self, batch: Batch) -> None:
        if not batch.corrections:
            return
        client_of = {
            f.key: f.event.client_id
            for f in (*batch.facts, *(p.arrived for p in batch.parked))
            if f.event.correction
        }
        self._cursor.executemany(
            "INSERT INTO correction (event_key, corrected_by, client_id, corrected_at) "
            "VALUES (%s, %s, %s, %s)",
            [
                (old, new, client_of[new], batch.ingested_at)
                for old, new in batch.corrections.items()
            ],
        )

    def _write_gaps(self, batch: Batch) -> None:
        rows = [(*place, missing) for place, missing in batch.gaps.items()]
        closed = [place for place, missing in batch.gaps.items() if not missing]
        if len(rows) > len(closed):
            self._cursor.execute(_GAPS, (batch.ingested_at, *_columns(rows)))
        if closed:
            self._cursor.execute(
                "DELETE FROM sequence_gap WHERE (client_id, source) IN "
                "(SELECT * FROM unnest(%s::text[], %s::text[]))",
                _columns(closed),
            )

    def _write_quarantine(
        self, held: Sequence[Quarantined], gate_result_id: int | None, now: dt.datetime
    ) -> None:
        if not held:
            return
        rows = (
            (
                "raw",
                q.record.topic,
                q.record.partition,
                q.record.offset,
                q.record.key,
                q.record.value,
                q.reason,
                q.expectation,
                _text(q.detail),
                _text(q.event_id),
                _text(q.client_id),
                gate_result_id,
                now,
            )
            for q in held
        )
        _copy(self._cursor, "quarantine", _QUARANTINE_COLUMNS, rows)

    def _write_outbox(self, messages: Sequence[OutboxMessage], now: dt.datetime) -> None:
        if messages:
            rows = ((m.topic, _text(m.key), m.value, now) for m in messages)
            _copy(self._cursor, "outbox", _OUTBOX_COLUMNS, rows)

    def _recount(self, counts: Sequence[tuple[str, int, int, int, int]]) -> None:
        """Move facts between the books: (topic, partition, applied, quarantined, parked)."""
        places = Counter[tuple[str, int, int]]()
        for topic, partition, *numbers in counts:
            for column, number in enumerate(numbers):
                places[topic, partition, column] += number
        rows = [
            (topic, partition, *(places[topic, partition, column] for column in range(3)))
            for topic, partition in sorted({place[:2] for place in places})
        ]
        self._cursor.execute(_RECOUNT, (*_columns(rows), self._group))

    def _close_quarantined(self, batch: Batch, release: Release) -> None:
        self._cursor.execute(
            "UPDATE quarantine_request SET status = 'APPROVED', checker = %s, decided_at = %s "
            "WHERE request_id = %s AND status = 'WAITING'",
            (release.checker, batch.ingested_at, release.request_id),
        )
        if self._cursor.rowcount != 1:
            raise Fenced(f"Request {release.request_id} was decided by somebody else just now.")
        self._cursor.execute(
            "UPDATE quarantine SET status = 'RELEASED', closed_at = %s "
            "WHERE quarantine_id = %s AND status = 'HELD' AND stage = 'raw' "
            "RETURNING topic, partition",
            (batch.ingested_at, release.quarantine_id),
        )
        place = self._cursor.fetchone()
        if place is None:
            raise Fenced(f"Record {release.quarantine_id} is not held any more.")
        parked = len(batch.parked)
        self._recount([(*place, 1 - parked, -1, parked)])

    def _move_offsets(self, batch: Batch) -> None:
        columns = _columns([msgspec.structs.astuple(move) for move in batch.moves])
        self._cursor.execute(_OFFSETS, (batch.ingested_at, *columns, self._group))
        if self._cursor.rowcount != len(batch.moves):
            raise Fenced("A partition's offset was moved by another consumer.")
        for row in _stop_rows(self._group, batch.stops, batch.ingested_at):
            self._cursor.execute(_STOP, row)


_STOP = """
UPDATE consumer_offset SET stopped_at = %s, stopped_reason = %s
 WHERE consumer_group = %s AND topic = %s AND partition = %s
"""

INSERT_ALERT = """
INSERT INTO alert (alert_id, alert_key, origin, rule_id, rule_version, rules_hash, severity,
    client_id, entity, owner, event_time, detected_at, value, unit, hit_count, last_seen, max_value,
    message_zh, message_en, evidence, decision, state_before, gate_result_id, code_version)
VALUES (%(alert_id)s, %(alert_key)s, %(origin)s, %(rule_id)s, %(rule_version)s, %(rules_hash)s,
    %(severity)s, %(client_id)s, %(entity)s, %(owner)s, %(event_time)s, %(detected_at)s, %(value)s,
    %(unit)s, 1, %(event_time)s, %(value)s, %(message_zh)s, %(message_en)s, %(evidence)s,
    %(decision)s, %(state_before)s, %(gate_result_id)s, %(code_version)s)
"""


class PostgresOffsetBook:
    """OffsetBook; opens a short connection per call, so it may be used from any thread."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        return self._known("next_offset", group)

    def topics(self, group: str) -> dict[tuple[str, int], str]:
        return self._known("topic_id", group)

    def belong(self, group: str, topics: Mapping[tuple[str, int], str]) -> None:
        with (
            unavailable(),
            connect(self._database_url, options=_QUICK) as connection,
            connection.cursor() as cursor,
        ):
            cursor.executemany(
                "UPDATE consumer_offset SET topic_id = %s WHERE consumer_group = %s "
                "AND topic = %s AND partition = %s AND topic_id IS NULL",
                [(topic_id, group, *place) for place, topic_id in topics.items()],
            )

    def stops(self, group: str) -> dict[tuple[str, int], str]:
        return self._known("stopped_reason", group)

    def _known(self, column: str, group: str) -> dict[tuple[str, int], Any]:
        """(topic, partition) -> a column, for the rows of the group in which it stands."""
        query = (
            f"SELECT topic, partition, {column} FROM consumer_offset "
            f"WHERE consumer_group = %s AND {column} IS NOT NULL"
        )
        with unavailable(), connect(self._database_url, options=_QUICK) as connection:
            rows = connection.execute(query, (group,))
            return {(topic, partition): value for topic, partition, value in rows}

    def stop(self, group: str, stops: Sequence[Stop], now: dt.datetime) -> None:
        with (
            unavailable(),
            connect(self._database_url) as connection,
            connection.cursor() as cursor,
        ):
            cursor.executemany(_STOP, _stop_rows(group, stops, now))

    def create_offsets(self, group: str, starts: Mapping[tuple[str, int], int]) -> None:
        with (
            unavailable(),
            connect(self._database_url) as connection,
            connection.cursor() as cursor,
        ):
            cursor.executemany(
                "INSERT INTO consumer_offset (consumer_group, topic, partition, next_offset) "
                "VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [
                    (group, topic, partition, offset)
                    for (topic, partition), offset in starts.items()
                ],
            )


class PostgresOffsetDesk:
    """What people decide about offsets, each decision kept with its reason."""

    def __init__(self, database_url: str, group: str) -> None:
        self._database_url = database_url
        self._group = group

    def rows(self) -> list[dict[str, Any]]:
        """Every offset row of the group."""
        with unavailable(), connect(self._database_url, row_factory=dict_row) as connection:
            return connection.execute(
                "SELECT topic, partition, topic_id, next_offset, received, applied, quarantined,"
                " duplicates, parked, stopped_at, stopped_reason FROM consumer_offset "
                "WHERE consumer_group = %s ORDER BY topic, partition",
                (self._group,),
            ).fetchall()  # type: ignore[return-value]

    def decide(
        self,
        topic: str,
        partition: int,
        offset: int | None,
        *,
        actor: str,
        reason: str,
        now: dt.datetime,
    ) -> tuple[int, int]:
        """Read on at `offset`, or where the partition stands; return the offset before and after.

        Raises UsageError when there is no such row, or nothing to decide.
        """
        with unavailable(), connect(self._database_url) as connection:
            row = connection.execute(
                "SELECT next_offset, stopped_at FROM consumer_offset WHERE consumer_group = %s "
                "AND topic = %s AND partition = %s FOR UPDATE",
                (self._group, topic, partition),
            ).fetchone()
            if row is None:
                raise UsageError(
                    f"There is no offset row for {topic} partition {partition}: "
                    "`lifecycle offsets show` has them all."
                )
            before, stopped_at = row
            if offset is None and stopped_at is None:
                raise UsageError(
                    f"{topic} partition {partition} is not stopped: nothing to resume."
                )
            after = before if offset is None else offset
            connection.execute(
                # An offset that a person sets counts in the topic that is there now.
                "UPDATE consumer_offset SET next_offset = %s, stopped_at = NULL,"
                " stopped_reason = NULL, updated_at = %s,"
                " topic_id = CASE WHEN %s THEN topic_id END "
                "WHERE consumer_group = %s AND topic = %s AND partition = %s",
                (after, now, offset is None, self._group, topic, partition),
            )
            connection.execute(
                "INSERT INTO offset_decision (consumer_group, topic, partition, action, from_offset,"
                " to_offset, actor, reason, decided_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    self._group,
                    topic,
                    partition,
                    "RESUME" if offset is None else "SET",
                    before,
                    after,
                    actor,
                    reason,
                    now,
                ),
            )
            return before, after


class PostgresOutbox:
    """Outbox; the rows stay locked while they are sent, so two relays never take the same ones."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, application_name="lifecycle relay")

    def publish(self, limit: int, send: Callable[[list[OutboxMessage]], None]) -> int:
        with unavailable(), self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT outbox_id, topic, key, value FROM outbox WHERE published_at IS NULL "
                "ORDER BY outbox_id LIMIT %s FOR UPDATE SKIP LOCKED",
                (limit,),
            )
            rows = cursor.fetchall()
            if rows:
                send([OutboxMessage(*row[1:]) for row in rows])
                cursor.execute(
                    "UPDATE outbox SET published_at = clock_timestamp() WHERE outbox_id = ANY(%s)",
                    ([row[0] for row in rows],),
                )
        return len(rows)

    def close(self) -> None:
        self._connection.close()


def failures_json(failures: Iterable[Any]) -> str:
    """Failures without row positions: what is kept of a gate's verdict."""
    return json.dumps([
        {"expectation": f.expectation, "reason": f.reason, "action": f.action, "count": f.count}
        for f in failures
    ])


def _stop_rows(
    group: str, stops: Sequence[Stop], now: dt.datetime
) -> list[tuple[dt.datetime, str, str, str, int]]:
    return [(now, stop.reason, group, stop.topic, stop.partition) for stop in stops]


def _log_rows(batch: Batch, batch_id: int) -> Iterator[tuple[Any, ...]]:
    for e, payload, key, quarantine_id in batch.facts:
        yield (
            key,
            e.id,
            e.source,
            e.type,
            e.subject,
            e.client_id,
            e.time,
            e.recordedtime,
            e.business_date,
            e.topic,
            e.partition,
            e.offset,
            batch_id,
            payload,
            e.correction,
            e.waited,
            e.late,
            quarantine_id,
        )


def _parked_rows(batch: Batch) -> Iterator[tuple[Any, ...]]:
    for (e, payload, key, quarantine_id), waits_for, _ in batch.parked:
        yield (
            key,
            e.id,
            e.type,
            e.client_id,
            e.topic,
            e.partition,
            e.offset,
            waits_for,
            e.correction,
            e.late,
            quarantine_id,
            payload,
            batch.ingested_at,
        )


def _parked_fact(
    parked_id: int,
    client_id: str,
    topic: str,
    partition: int,
    offset: int,
    waits_for: str,
    correction: bool,
    late: bool,
    quarantine_id: int | None,
    payload: bytes,
    key: bytes,
) -> Parked:
    event = logged(
        payload, client_id, topic, partition, offset, correction=correction, waited=True, late=late
    )
    return Parked(Arrived(event, payload, key, quarantine_id), waits_for, parked_id)


def _text(value: str | None) -> str | None:
    """PostgreSQL text holds no NUL; the raw bytes keep it."""
    return value.replace("\0", "\\0") if value else value


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


class _LargeBlocks(LibpqWriter):
    """Every block that is sent gives the interpreter lock away, and the thread that decodes the
    next batch keeps it for milliseconds: so few blocks are sent, of a megabyte each."""

    BYTES = 2**20

    def __init__(self, cursor: Cursor[Any]) -> None:
        super().__init__(cursor)
        self._blocks: list[Any] = []
        self._waiting = 0

    def write(self, data: Any) -> None:
        self._blocks.append(data)
        self._waiting += len(data)
        if self._waiting >= self.BYTES:
            self._send()

    def finish(self, exc: BaseException | None = None) -> None:
        if exc is None:
            self._send()
        super().finish(exc)

    def _send(self) -> None:
        blocks, self._blocks, self._waiting = self._blocks, [], 0
        if blocks:
            super().write(b"".join(blocks))


def _copy(
    cursor: Cursor[tuple[Any, ...]],
    table: str,
    columns: Mapping[str, str],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Binary COPY: the cheapest way in, about a microsecond a row on our side."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with cursor.copy(statement, writer=_LargeBlocks(cursor)) as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)
