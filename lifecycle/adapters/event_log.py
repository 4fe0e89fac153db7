"""The event log on PostgreSQL, read in one repeatable-read snapshot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, IsolationLevel

from lifecycle.adapters.postgres import connect
from lifecycle.events import Event, logged
from lifecycle.ports import LiveAlert, LoggedFact

_ROWS_PER_FETCH = 5_000


class PostgresEventLog:
    """EventLog; one connection, read only."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url)
        self._connection.isolation_level = IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True

    @contextmanager
    def snapshot(self) -> Iterator[PostgresEventLog]:
        with self._connection.transaction():
            yield self

    def facts(self, client_id: str | None = None) -> Iterator[LoggedFact]:
        rules_of = self._rules_by_batch()
        where, parameters = _of_client(client_id)
        with self._connection.cursor(name="facts") as cursor:
            cursor.itersize = _ROWS_PER_FETCH
            cursor.execute(
                "SELECT batch_id, topic, partition, kafka_offset, client_id, payload, correction,"
                f" waited, late FROM event_log {where} ORDER BY position",
                parameters,
            )
            for batch_id, *row in cursor:
                yield LoggedFact(rules_of(batch_id), *row)

    def _rules_by_batch(self) -> Any:
        """batch id -> rules hash, as the steps at which the hash changed."""
        steps = self._connection.execute(
            "SELECT batch_id, rules_hash FROM (SELECT batch_id, rules_hash, "
            "lag(rules_hash) OVER (ORDER BY batch_id) AS earlier FROM micro_batch) AS b "
            "WHERE earlier IS DISTINCT FROM rules_hash ORDER BY batch_id"
        ).fetchall()
        firsts = [batch_id for batch_id, _ in steps]
        return lambda batch_id: steps[bisect_right(firsts, batch_id) - 1][1]

    def states(self) -> dict[str, bytes]:
        # A client whose facts only wait has a row and no fact.
        return dict(
            self._connection.execute("SELECT client_id, state FROM client_state WHERE facts > 0")
        )

    def alerts(self, client_id: str | None = None) -> dict[str, LiveAlert]:
        where, parameters = _of_client(client_id, "origin = 'STREAM'")
        rows = self._connection.execute(
            "SELECT alert_id::text, decision, state_before, hit_count, last_seen, max_value "
            f"FROM alert {where}",
            parameters,
        )
        return {row[0]: LiveAlert(*row) for row in rows}

    def history(self, client_id: str, through_position: int) -> list[Event]:
        return read_history(self._connection, client_id, through_position)

    def moved(self) -> dict[str, list[str]]:
        """client id -> ids of its late and correcting facts, of every client that has any."""
        rows = self._connection.execute(
            "SELECT client_id, array_agg(event_id ORDER BY position) FROM event_log "
            "WHERE late OR correction GROUP BY client_id ORDER BY client_id"
        )
        return dict(rows.fetchall())

    def standing(self, client_id: str) -> list[Event]:
        """A client's facts that count, in arrival order: none that was corrected, or discarded."""
        rows = self._connection.execute(
            "SELECT topic, partition, kafka_offset, payload, waited FROM event_log AS e "
            "WHERE client_id = %s AND NOT EXISTS (SELECT FROM quarantine AS q "
            " WHERE q.position = e.position AND q.stage = 'staged' AND q.status = 'DISCARDED') "
            "AND NOT EXISTS (SELECT FROM correction AS c JOIN event_log AS n "
            "  ON n.client_id = c.client_id AND n.event_key = c.corrected_by "
            " WHERE c.client_id = e.client_id AND c.event_key = e.event_key) ORDER BY position",
            (client_id,),
        )
        return [
            logged(payload, client_id, topic, partition, offset, correction=False, waited=waited)
            for topic, partition, offset, payload, waited in rows
        ]

    def arrived(self, client_id: str) -> list[Event]:
        """A client's facts as they came, with what the pipeline knew of them."""
        return [
            logged(
                fact.payload,
                fact.client_id,
                fact.topic,
                fact.partition,
                fact.offset,
                correction=fact.correction,
                waited=fact.waited,
                late=fact.late,
            )
            for fact in self.facts(client_id)
        ]

    def nightly_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        return self._alerts_of_nights("NIGHTLY", client_id)

    def late_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        return self._alerts_of_nights("LATE", client_id)

    def model_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        return self._alerts_of_nights("MODEL", client_id)

    def _alerts_of_nights(self, origin: str, client_id: str | None) -> list[tuple[LiveAlert, str]]:
        where, parameters = _of_client(client_id, f"origin = '{origin}'")
        rows = self._connection.execute(
            "SELECT rules_hash, alert_id::text, decision, state_before, hit_count, last_seen, "
            f"max_value FROM alert {where}",
            parameters,
        )
        return [(LiveAlert(*row), rules_hash) for rules_hash, *row in rows]

    def rule_sets(self) -> dict[str, str]:
        return dict(self._connection.execute("SELECT rules_hash, content FROM rule_set"))

    def close(self) -> None:
        self._connection.close()


def read_history(connection: Connection[Any], client_id: str, through_position: int) -> list[Event]:
    """A client's facts up to a position in arrival order, none of them marked late."""
    rows = connection.execute(
        "SELECT topic, partition, kafka_offset, payload, correction, waited FROM event_log "
        "WHERE client_id = %s AND position <= %s ORDER BY position",
        (client_id, through_position),
    )
    return [
        logged(payload, client_id, topic, partition, offset, correction=correction, waited=waited)
        for topic, partition, offset, payload, correction, waited in rows
    ]


def _of_client(client_id: str | None, *conditions: str) -> tuple[str, tuple[str, ...]]:
    if client_id is not None:
        conditions = (*conditions, "client_id = %s")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return where, (client_id,) if client_id is not None else ()
