"""What a night reads and writes in PostgreSQL."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from lifecycle.adapters import gate_results
from lifecycle.adapters.event_log import read_history
from lifecycle.adapters.ingest_store import INSERT_ALERT
from lifecycle.adapters.override_store import PUT_OVERRIDES
from lifecycle.adapters.postgres import connect, only
from lifecycle.alerts.alert import canonical, evidence_rows
from lifecycle.alerts.late import LateAlert, LateFact, encode_late_fact
from lifecycle.alerts.nightly import NightlyAlert, encode_move
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.lifecycle import Transition
from lifecycle.clients.tasks import Task
from lifecycle.events import Event, decode
from lifecycle.pipeline import alert_message
from lifecycle.ports import OutboxMessage, Seal, Verdict
from lifecycle.proof import Proof

PRODUCTS = (
    "client_profile",
    "client_summary",
    "risk_score",
    "facility_stage",
    "facility_timeline",
)
_ROWS_PER_FETCH = 5_000


_OF_SEAL = """
  FROM event_log AS e
 WHERE position > %(after)s AND position <= %(through)s AND business_date <= %(day)s
   AND NOT EXISTS (SELECT 1 FROM seal AS s
                    WHERE s.seal_id < %(seal)s AND s.business_date >= e.business_date
                      AND s.through_position >= e.position)
"""
_UNSEALED = f"""
SELECT position, topic, partition, kafka_offset, client_id, payload {_OF_SEAL} ORDER BY position
"""

_SEALED_LATE = """
SELECT e.client_id, s.through_position, encode(e.event_key, 'hex')
  FROM seal AS s
  JOIN event_log AS e ON e.late AND e.business_date <= s.business_date
   AND e.position <= s.through_position
   AND e.position > (SELECT coalesce(max(complete_through), 0) FROM seal AS b
                      WHERE b.seal_id < s.seal_id)
   AND NOT EXISTS (SELECT FROM seal AS b
                    WHERE b.seal_id < s.seal_id AND b.business_date >= e.business_date
                      AND b.through_position >= e.position)
 WHERE s.business_date = %s AND s.written_at IS NOT NULL
"""

# A night that was run before these facts came has to be run again. One client in two seals counts
# twice: it is a size, not a list.
_REQUEST_BACKFILLS = f"""
INSERT INTO backfill_request AS b (business_date, facts, clients, seal_id, requested_at)
SELECT business_date, count(*), count(DISTINCT client_id), %(seal)s, %(now)s
{_OF_SEAL} GROUP BY business_date
ON CONFLICT (business_date) WHERE status = 'OPEN' DO UPDATE
    SET facts = b.facts + excluded.facts, clients = b.clients + excluded.clients,
        requested_at = excluded.requested_at
"""

# A night that was under way when facts were asked for may have missed them.
_SETTLE_BACKFILL = """
UPDATE backfill_request AS b SET status = 'DONE', done_at = %s
  FROM nightly_run AS n
 WHERE b.business_date = %s AND b.status = 'OPEN'
   AND n.business_date = b.business_date AND n.started_at >= b.requested_at
"""


_LOOK_AGAIN = """
UPDATE profile_refresh
   SET through_position = least(through_position, (
       SELECT min(position) - 1 FROM event_log
        WHERE topic = 'bank.consent.v1' AND business_date > %s))
"""
"""What a night serves was lawful at the end of its date: the next refresh takes away what consents of
after it forbid."""


class NightlyStore:
    """One connection, autocommit: each method is its own transaction."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process is at a step of a night, then keep the others waiting."""
        self._connection.execute("SELECT pg_advisory_lock(hashtext('lifecycle.nightly'))")
        try:
            yield
        finally:
            self._connection.execute("SELECT pg_advisory_unlock(hashtext('lifecycle.nightly'))")

    # --- the run ------------------------------------------------------------------------------

    def begin(self, business_date: dt.date, now: dt.datetime) -> None:
        self._connection.execute(
            "INSERT INTO nightly_run (business_date, started_at, status) VALUES (%s, %s, 'RUNNING') "
            "ON CONFLICT (business_date) DO UPDATE SET started_at = excluded.started_at, "
            "finished_at = NULL, status = 'RUNNING', reason = NULL, steps = '[]', "
            "published = false, equal = NULL",
            (business_date, now),
        )

    def record_step(self, business_date: dt.date, step: dict[str, Any]) -> None:
        self._connection.execute(
            "UPDATE nightly_run SET steps = steps || %s::jsonb WHERE business_date = %s",
            (json.dumps([step]), business_date),
        )

    def finish(
        self,
        business_date: dt.date,
        now: dt.datetime,
        status: str,
        *,
        reason: str | None = None,
        equal: bool | None = None,
    ) -> None:
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE nightly_run SET finished_at = %s, status = %s, reason = %s, equal = %s "
                "WHERE business_date = %s",
                (now, status, reason, equal, business_date),
            )
            if status == "PUBLISHED":
                self._connection.execute(_SETTLE_BACKFILL, (now, business_date))

    def was_published(self, business_date: dt.date) -> bool:
        row = self._connection.execute(
            "SELECT published FROM nightly_run WHERE business_date = %s", (business_date,)
        ).fetchone()
        return bool(row and row[0])

    def record_gate(self, verdict: Verdict, business_date: dt.date, now: dt.datetime) -> int:
        return gate_results.record(self._connection, verdict, business_date, now)

    def last_gate(self, stage: str, business_date: dt.date) -> int:
        """The newest verdict of a stage for a date; 0 when the stage had nothing to judge."""
        row = self._connection.execute(
            "SELECT max(gate_result_id) FROM gate_result WHERE stage = %s AND business_date = %s",
            (stage, business_date),
        ).fetchone()
        return int(row[0] or 0) if row else 0

    def mark_stale(self, reason: str) -> None:
        self._connection.execute(
            "UPDATE publication SET stale = true, stale_reason = %s", (reason,)
        )

    # --- seal ---------------------------------------------------------------------------------

    def open_seal(self, business_date: dt.date, now: dt.datetime) -> Seal:
        """The unfinished seal, or a new one over everything committed so far."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("LOCK TABLE seal IN EXCLUSIVE MODE")
            cursor.execute(
                "SELECT seal_id, business_date, through_position FROM seal "
                "WHERE written_at IS NULL AND business_date = %s ORDER BY seal_id LIMIT 1",
                (business_date,),
            )
            unfinished = cursor.fetchone()
            if unfinished:
                seal_id, day, bound = unfinished
                return Seal(seal_id, day, bound, self._complete_through(cursor, seal_id))
            # Positions are given before they are committed: wait for the writers of the moment,
            # else a lower position could still appear behind the bound.
            cursor.execute("SET LOCAL lock_timeout = '30s'")
            cursor.execute("LOCK TABLE event_log IN SHARE MODE")
            cursor.execute("SELECT coalesce(max(position), 0) FROM event_log")
            through = only(cursor)
            after = self._complete_through(cursor)
            cursor.execute("SELECT greatest(max(business_date), %s) FROM seal", (business_date,))
            newest = only(cursor)
            cursor.execute(
                "SELECT min(position) - 1 FROM event_log "
                "WHERE position > %s AND position <= %s AND business_date > %s",
                (after, through, newest),
            )
            first_left = only(cursor)
            complete = through if first_left is None else max(after, first_left)
            cursor.execute(
                "INSERT INTO seal (business_date, through_position, complete_through, sealed_at) "
                "VALUES (%s, %s, %s, %s) RETURNING seal_id",
                (business_date, through, complete, now),
            )
            return Seal(only(cursor), business_date, through, after)

    def _complete_through(self, cursor: psycopg.Cursor[Any], before: int | None = None) -> int:
        cursor.execute(
            "SELECT coalesce(max(complete_through), 0) FROM seal "
            "WHERE %s::bigint IS NULL OR seal_id < %s",
            (before, before),
        )
        return int(only(cursor))

    def facts(self, seal: Seal, chunk: int) -> Iterator[list[tuple[int, Event]]]:
        """Facts of a seal in arrival order, in chunks of (position, event)."""
        with self._connection.transaction(), self._connection.cursor(name="sealed") as cursor:
            cursor.itersize = _ROWS_PER_FETCH
            cursor.execute(_UNSEALED, _within(seal, seal.business_date))
            rows: list[tuple[int, Event]] = []
            for position, topic, partition, offset, client, payload in cursor:
                rows.append((position, decode(payload, client.encode(), topic, partition, offset)))
                if len(rows) == chunk:
                    yield rows
                    rows = []
            if rows:
                yield rows

    def close_seal(self, seal: Seal, rows: int, now: dt.datetime, late_days: dt.timedelta) -> None:
        """The seal is in the lake; ask for the nights it brought facts of that are out of reach."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE seal SET rows = %s, written_at = %s WHERE seal_id = %s",
                (rows, now, seal.seal_id),
            )
            # What no night was published for yet has nothing to be built again.
            served = self.served_date()
            if served is not None:
                out_of_reach = seal.business_date - late_days - dt.timedelta(days=1)
                day = min(served, out_of_reach)
                self._connection.execute(_REQUEST_BACKFILLS, _within(seal, day) | {"now": now})

    def seals_of(self, business_date: dt.date) -> list[int]:
        """Ids of all written seals of a date."""
        rows = self._connection.execute(
            "SELECT seal_id FROM seal WHERE business_date = %s AND written_at IS NOT NULL",
            (business_date,),
        )
        return [row[0] for row in rows]

    # --- quarantine of staged rows ------------------------------------------------------------

    def hold(
        self, held: dict[int, tuple[str, str, str]], gate_result_id: int, now: dt.datetime
    ) -> None:
        """Put staged facts into quarantine: position -> (reason, rule id, detail). Idempotent."""
        if not held:
            return
        with self._connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO quarantine (stage, topic, partition, kafka_offset, position, record_key,"
                " raw, reason, expectation, detail, event_id, client_id, gate_result_id,"
                " quarantined_at) "
                "SELECT 'staged', e.topic, e.partition, e.kafka_offset, e.position, "
                " convert_to(e.client_id, 'UTF8'), e.payload, h.reason, h.expectation, h.detail, "
                " e.event_id, e.client_id, %s, %s "
                "FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) "
                " AS h (position, reason, expectation, detail) "
                "JOIN event_log AS e USING (position) "
                # What two persons let pass as it is, is not held again.
                "WHERE NOT EXISTS (SELECT FROM quarantine AS q WHERE q.position = e.position "
                " AND q.stage = 'staged' AND q.status = 'RELEASED') "
                "ON CONFLICT DO NOTHING",
                (
                    gate_result_id,
                    now,
                    list(held),
                    *(list(column) for column in zip(*held.values(), strict=True)),
                ),
            )

    def held(self) -> tuple[frozenset[int], frozenset[str]]:
        """Positions that do not count (held, discarded or corrected), and clients with a fact held."""
        degraded = self._connection.execute("SELECT client_id FROM degraded_client").fetchall()
        gone, _ = self.decided()
        return (
            gone | self._staged("HELD"),
            frozenset(client for (client,) in degraded),
        )

    def decided(self) -> tuple[frozenset[int], frozenset[int]]:
        """Positions no gate judges again: of facts that count no more (corrected by a later fact, or
        discarded), and of facts that were let pass as they are."""
        discarded, released = (self._staged(status) for status in ("DISCARDED", "RELEASED"))
        return discarded | self._corrected(), released

    def corrected(self) -> frozenset[int]:
        """Positions of facts that a later one corrected, and that nobody held or discarded: what was
        known until then."""
        return self._corrected() - self._staged("HELD") - self._staged("DISCARDED")

    def _corrected(self) -> frozenset[int]:
        rows = self._connection.execute(
            "SELECT e.position FROM correction AS c JOIN event_log AS e USING (client_id, event_key) "
            # What replaces it may wait for another fact: until then the old one stands.
            "WHERE EXISTS (SELECT FROM event_log AS n "
            " WHERE n.client_id = c.client_id AND n.event_key = c.corrected_by)"
        )
        return frozenset(position for (position,) in rows)

    def _staged(self, status: str) -> frozenset[int]:
        rows = self._connection.execute(
            "SELECT position FROM quarantine WHERE stage = 'staged' AND status = %s", (status,)
        )
        return frozenset(position for (position,) in rows)

    def incomplete(self) -> frozenset[str]:
        """Clients with a hole in a producer's numbering: a fact of theirs is still on its way."""
        rows = self._connection.execute("SELECT DISTINCT client_id FROM open_gap")
        return frozenset(client for (client,) in rows)

    # --- late facts ---------------------------------------------------------------------------

    def late_facts(self, business_date: dt.date) -> list[LateFact]:
        """The late facts that the seals of a date brought in."""
        rows = self._connection.execute(_SEALED_LATE, (business_date,))
        return [LateFact(*row) for row in rows]

    def history(self, client_id: str, through_position: int) -> list[Event]:
        """A client's facts up to a position in arrival order, none of them marked late."""
        return read_history(self._connection, client_id, through_position)

    def raised(self, alert_keys: Collection[str]) -> set[str]:
        """Those of these keys that an alert has already."""
        rows = self._connection.execute(
            "SELECT alert_key FROM alert WHERE alert_key = ANY(%s)", (list(alert_keys),)
        )
        return {key for (key,) in rows}

    # --- products -----------------------------------------------------------------------------

    def served_stages(self) -> dict[str, dict[str, Any]]:
        """facility id -> the classification that is served now."""
        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute("SELECT facility_id, tier, stage, dpd FROM facility_stage")
            return {row["facility_id"]: row for row in cursor}

    def served_scores(self, business_date: dt.date) -> set[str]:
        """Ids of the scores with a value that are served of a business date."""
        rows = self._connection.execute(
            "SELECT score_id::text FROM risk_score WHERE as_of = %s AND status = 'SCORED'",
            (business_date,),
        )
        return {score_id for (score_id,) in rows}

    def served_date(self) -> dt.date | None:
        """The business date of what is served, None before the first night."""
        row = self._connection.execute("SELECT max(as_of) FROM publication").fetchone()
        return row[0] if row else None

    def publish(
        self,
        business_date: dt.date,
        products: Mapping[str, Iterable[dict[str, Any]]],
        alerts: Sequence[NightlyAlert | LateAlert],
        tasks: Sequence[tuple[str, Task]],
        moves: Sequence[tuple[str, Transition, OutboxMessage]],
        *,
        rules: RuleSet,
        gate_result_id: int,
        code_version: str,
        now: dt.datetime,
    ) -> int:
        """Replace the served rows, raise the night's alerts, keep its tasks and tell its moves: all of
        it, or nothing. A task or move is a client id and what it is; a move comes with its message.
        Returns the number of rows served."""
        rows = 0
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for product in PRODUCTS:
                cursor.execute(f"DELETE FROM {product}")
                rows += _copy_rows(cursor, product, products[product])
                cursor.execute(
                    "INSERT INTO publication (product, as_of, published_at) VALUES (%s, %s, %s) "
                    "ON CONFLICT (product) DO UPDATE SET as_of = excluded.as_of, "
                    "published_at = excluded.published_at, stale = false, stale_reason = NULL",
                    (product, business_date, now),
                )
            cursor.execute(PUT_OVERRIDES)
            cursor.execute(_LOOK_AGAIN, (business_date,))
            _raise_all(cursor, alerts, rules, gate_result_id, code_version, now)
            _keep_tasks(cursor, tasks, business_date)
            _tell_moves(cursor, moves, now)
            cursor.execute(
                "UPDATE nightly_run SET published = true WHERE business_date = %s",
                (business_date,),
            )
        return rows

    def raise_late(
        self,
        alerts: Sequence[LateAlert],
        *,
        rules: RuleSet,
        gate_result_id: int,
        code_version: str,
        now: dt.datetime,
    ) -> None:
        """Raise alerts of a night that publishes nothing."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            _raise_all(cursor, alerts, rules, gate_result_id, code_version, now)

    def record_proof(self, proof: Proof, business_date: dt.date | None, now: dt.datetime) -> None:
        self._connection.execute(
            "INSERT INTO proof (proved_at, business_date, equal, clients, events, alerts, differences)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (
                now,
                business_date,
                proof.equal,
                proof.clients,
                proof.events,
                proof.alerts,
                json.dumps(proof.differences),
            ),
        )


def _within(seal: Seal, day: dt.date) -> dict[str, Any]:
    """Parameters for the facts of a seal with business date up to a day."""
    return {
        "after": seal.after_position,
        "through": seal.through_position,
        "day": day,
        "seal": seal.seal_id,
    }


def _raise_all(
    cursor: psycopg.Cursor[Any],
    alerts: Sequence[NightlyAlert | LateAlert],
    rules: RuleSet,
    gate_result_id: int,
    code_version: str,
    now: dt.datetime,
) -> None:
    cursor.execute(
        "INSERT INTO rule_set (rules_hash, content) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (rules.hash, rules.content),
    )
    cursor.execute("SELECT client_id FROM degraded_client")
    degraded = {client for (client,) in cursor.fetchall()}
    for raised in alerts:
        is_degraded = raised.alert.client_id in degraded
        _raise(cursor, raised, gate_result_id, code_version, now, degraded=is_degraded)


def _raise(
    cursor: psycopg.Cursor[Any],
    raised: NightlyAlert | LateAlert,
    gate_result_id: int,
    code_version: str,
    now: dt.datetime,
    *,
    degraded: bool,
) -> None:
    alert = raised.alert
    row = {
        **msgspec.structs.asdict(alert),
        "origin": "LATE" if isinstance(raised, LateAlert) else "NIGHTLY",
        "detected_at": now,
        "evidence": json.dumps(evidence_rows(alert.evidence)),
        "decision": canonical(alert),
        "state_before": encode_late_fact(raised.fact)
        if isinstance(raised, LateAlert)
        else encode_move(raised.move),
        "gate_result_id": gate_result_id,
        "code_version": code_version,
    }
    cursor.execute(INSERT_ALERT + "ON CONFLICT (alert_key) DO NOTHING", row)
    if cursor.rowcount:
        message = alert_message(alert, now, degraded=degraded)
        cursor.execute(
            "INSERT INTO outbox (topic, key, value, created_at) VALUES (%s, %s, %s, %s)",
            (message.topic, message.key, message.value, now),
        )


def _keep_tasks(
    cursor: psycopg.Cursor[Any], tasks: Sequence[tuple[str, Task]], business_date: dt.date
) -> None:
    """New conflicts are opened, those that came back are opened again with the date they had, and
    those that are gone are closed."""
    cursor.execute(
        "UPDATE client_task AS t SET closed_as_of = %s WHERE closed_as_of IS NULL AND NOT EXISTS ("
        "SELECT FROM unnest(%s::text[], %s::text[]) AS n (client_id, task_key) "
        "WHERE n.client_id = t.client_id AND n.task_key = t.task_key)",
        (business_date, [client for client, _ in tasks], [task.key for _, task in tasks]),
    )
    cursor.executemany(
        "INSERT INTO client_task (client_id, task_key, check_id, owner, due, reason_zh, reason_en, "
        "opened_as_of) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (client_id, task_key) DO UPDATE SET closed_as_of = NULL",
        [
            (client, t.key, t.check_id, t.owner, t.due, t.reason_zh, t.reason_en, business_date)
            for client, t in tasks
        ],
    )


def _tell_moves(
    cursor: psycopg.Cursor[Any],
    moves: Sequence[tuple[str, Transition, OutboxMessage]],
    now: dt.datetime,
) -> None:
    """Each move once; a night that is run again with another result corrects its own."""
    for client, move, message in moves:
        cursor.execute(
            "INSERT INTO lifecycle_transition AS t (client_id, on_date, from_state, to_state, "
            "rule_id, held_days, evidence) VALUES (%s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (client_id, on_date) DO UPDATE SET from_state = excluded.from_state, "
            "to_state = excluded.to_state, rule_id = excluded.rule_id, "
            "held_days = excluded.held_days, evidence = excluded.evidence "
            "WHERE (t.from_state, t.to_state, t.rule_id) IS DISTINCT FROM "
            "(excluded.from_state, excluded.to_state, excluded.rule_id)",
            (
                client,
                move.on,
                move.from_state,
                move.to_state,
                move.rule_id,
                move.held_days,
                json.dumps(move.evidence),
            ),
        )
        if cursor.rowcount:
            cursor.execute(
                "INSERT INTO outbox (topic, key, value, created_at) VALUES (%s, %s, %s, %s)",
                (message.topic, message.key, message.value, now),
            )


def _copy_rows(cursor: psycopg.Cursor[Any], table: str, rows: Iterable[dict[str, Any]]) -> int:
    """Copy rows of equal columns; their number."""
    each = iter(rows)
    first = next(each, None)
    if first is None:
        return 0
    columns = list(first)
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in itertools.chain([first], each):
            copy.write_row([row[name] for name in columns])
    return cursor.rowcount
