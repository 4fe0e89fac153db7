"""Profiles between two nights, in PostgreSQL: whose facts changed, what is served, who read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lifecycle.adapters import gate_results
from lifecycle.adapters.event_log import read_history
from lifecycle.adapters.postgres import connect, only
from lifecycle.clients.consent import ConsentFact, fact_of_event
from lifecycle.clients.summary import Summary, document
from lifecycle.events import Event, decode
from lifecycle.ports import ProfileRead, Verdict

# A fact that was held, discarded or corrected by another one is no evidence of consent.
_CONSENT_FACTS = """
SELECT topic, partition, kafka_offset, client_id, payload
  FROM event_log AS e
 WHERE client_id = ANY(%s) AND topic = 'bank.consent.v1'
   AND NOT EXISTS (SELECT FROM quarantine AS q WHERE q.position = e.position
                    AND q.stage = 'staged' AND q.status IN ('HELD', 'DISCARDED'))
   AND NOT EXISTS (SELECT FROM correction AS c
                    JOIN event_log AS n ON n.client_id = c.client_id AND n.event_key = c.corrected_by
                   WHERE c.client_id = e.client_id AND c.event_key = e.event_key)
 ORDER BY position
"""

_WITHDRAW = """
UPDATE client_profile
   SET value = NULL, null_reason = 'NOT_CONSENTED', confidence = 0, source_event_ids = '{}',
       source_time = NULL, derived_at = %s
 WHERE client_id = %s AND value IS NOT NULL AND purpose <> ALL(%s)
"""

_WITHHOLD = """
UPDATE risk_score
   SET status = 'NOT_CONSENTED', value = NULL, band = NULL, pd = NULL, calibrated = false,
       reason_codes = '[]', source_event_ids = '{}', inputs = 'null', override = NULL,
       feature_hash = encode(sha256('null'), 'hex')
 WHERE client_id = %s AND score_type = ANY(%s)
"""


class ProfileStore:
    """One connection, autocommit: each method is its own transaction."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no step of a night runs now; none begins while this is held."""
        lock = "hashtext('lifecycle.nightly')"
        row = self._connection.execute(f"SELECT pg_try_advisory_lock({lock})").fetchone()
        free = bool(row and row[0])
        try:
            yield free
        finally:
            if free:
                self._connection.execute(f"SELECT pg_advisory_unlock({lock})")

    def changed(self) -> tuple[int, dict[str, dt.date], frozenset[str]]:
        """The newest position of the log; clients with facts since the last refresh, first come
        first, each with its newest business date; and those of them whose consents changed."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            # Positions are given before they are committed: what is in flight would be passed over.
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            cursor.execute("LOCK TABLE event_log IN SHARE MODE")
            cursor.execute("SELECT coalesce(max(position), 0) FROM event_log")
            through = only(cursor)
            cursor.execute("SELECT max(through_position) FROM profile_refresh")
            after = only(cursor)
        rows = self._connection.execute(
            "SELECT client_id, max(business_date), bool_or(topic = 'bank.consent.v1') "
            "FROM event_log WHERE position > %s AND position <= %s "
            "GROUP BY client_id ORDER BY min(position)",
            (after or 0, through),
        ).fetchall()
        consents = frozenset(client for client, _, consent in rows if consent)
        return through, {client: day for client, day, _ in rows}, consents

    def newest_position(self) -> int:
        """The position of the newest fact of the log; 0 when there is none."""
        row = self._connection.execute(
            "SELECT coalesce(max(position), 0) FROM event_log"
        ).fetchone()
        return int(row[0]) if row else 0

    def refreshed(self, through: int, now: dt.datetime) -> None:
        """Everything up to a position was looked at."""
        with self._connection.transaction():
            self._connection.execute("DELETE FROM profile_refresh")
            self._connection.execute(
                "INSERT INTO profile_refresh (through_position, refreshed_at) VALUES (%s, %s)",
                (through, now),
            )

    def served_date(self) -> dt.date | None:
        """The business date of what the nights serve, None before the first night."""
        row = self._connection.execute("SELECT max(as_of) FROM publication").fetchone()
        return row[0] if row else None

    def knows(self, client_id: str) -> bool:
        """Whether a fact of the client was ever accepted."""
        row = self._connection.execute(
            "SELECT EXISTS (SELECT FROM event_log WHERE client_id = %s)", (client_id,)
        ).fetchone()
        return bool(row and row[0])

    def consent_facts(self, clients: Collection[str]) -> list[ConsentFact]:
        """Every fact of consent of some clients that stands, in the order of arrival."""
        rows = self._connection.execute(_CONSENT_FACTS, (list(clients),))
        return [
            fact_of_event(decode(payload, client.encode(), topic, partition, offset))
            for topic, partition, offset, client, payload in rows
        ]

    def history(self, client_id: str, through: int) -> list[tuple[int, Event]]:
        """A client's facts up to a position with their positions, in the order of arrival."""
        rows = self._connection.execute(
            "SELECT position FROM event_log WHERE client_id = %s AND position <= %s ORDER BY position",
            (client_id, through),
        )
        events = read_history(self._connection, client_id, through)
        return list(zip((position for (position,) in rows), events, strict=True))

    def withdraw(
        self,
        permitted: Mapping[str, Collection[str]],
        forbidden: Mapping[str, Collection[str]],
        now: dt.datetime,
    ) -> int:
        """Take away every served value whose purposes are not among those permitted to its client
        (client id -> purposes as rows have them), and what scores of the forbidden types say. Returns how
        many values."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            taken = 0
            for client, purposes in permitted.items():
                cursor.execute(_WITHDRAW, (now, client, list(purposes)))
                taken += cursor.rowcount
            for client, types in forbidden.items():
                cursor.execute(_WITHHOLD, (client, list(types)))
            # What was inferred from them goes too; a rebuild brings back what may stay.
            cursor.execute(
                "UPDATE client_summary SET checks = '[]', needs = '[]', questions = '[]' "
                "WHERE client_id = ANY(%s)",
                (list(permitted),),
            )
            return taken

    def record_gate(self, verdict: Verdict, business_date: dt.date, now: dt.datetime) -> int:
        return gate_results.record(self._connection, verdict, business_date, now)

    def serve(self, rows: Sequence[dict[str, Any]], summaries: Sequence[Summary]) -> None:
        """Put rows of the profile in the place of those of the same client and name, and what follows
        from them beside where the client stands, which only a night moves."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM client_profile AS p USING unnest(%s::text[], %s::text[]) "
                "AS r (client_id, name) WHERE p.client_id = r.client_id AND p.name = r.name",
                ([row["client_id"] for row in rows], [row["name"] for row in rows]),
            )
            columns = list(rows[0])
            with cursor.copy(f"COPY client_profile ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row([row[name] for name in columns])
            cursor.executemany(
                "UPDATE client_summary SET grade = %s, profile_quality = %s, quality = %s, "
                "checks = %s, needs = %s, questions = %s WHERE client_id = %s",
                [
                    (
                        s.quality.grade,
                        s.quality.profile_quality,
                        *map(document, (s.quality, s.checks, s.needs, s.questions)),
                        s.client_id,
                    )
                    for s in summaries
                ],
            )

    def record_reads(self, reads: Iterable[ProfileRead]) -> None:
        """Keep who read which profiles, for what, and whether that was allowed."""
        columns = ", ".join(ProfileRead._fields)
        with (
            self._connection.transaction(),
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY profile_read ({columns}) FROM STDIN") as copy,
        ):
            for read in reads:
                copy.write_row(read)

    def reads(self, client_id: str) -> list[ProfileRead]:
        """Who read a client's profile, oldest first."""
        rows = self._connection.execute(
            "SELECT client_id, purpose, actor, as_of, allowed, ground, read_at FROM profile_read "
            "WHERE client_id = %s ORDER BY read_id",
            (client_id,),
        )
        return [ProfileRead(*row) for row in rows]
