"""What is only needed for a while: old identities of the inbox, published messages of the outbox.

The inbox stays one table, because only one unique index knows a fact again whatever the day it
comes; its old rows go in short steps. The outbox has a partition for each day, dropped whole.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from psycopg import sql
from psycopg.errors import LockNotAvailable

from lifecycle.adapters.ingest_store import INBOX_LOCK
from lifecycle.adapters.postgres import connect, unavailable
from lifecycle.errors import NotRunning

PAGES_PER_STEP = 256
"""2 MB of the inbox, about 17,000 facts: consumers wait for one step, about a tenth of a second."""
LOCK_SECONDS = 10
"""How long a step waits for the consumers to finish their batches."""
DAYS_AHEAD = 7
"""Partitions made in advance; a message of a day without one goes to `outbox_other`."""

_OLD_INBOX = """
inbox AS i WHERE received_on < %(before)s
   AND NOT EXISTS (SELECT FROM parked AS p WHERE p.event_key = i.event_key)
"""

_HORIZON = """
INSERT INTO inbox_horizon (forgotten_before) VALUES (%(before)s)
ON CONFLICT (single) DO UPDATE
    SET forgotten_before = greatest(inbox_horizon.forgotten_before, excluded.forgotten_before)
"""

_PARTITIONS = """
SELECT c.relname FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
 WHERE inhparent = 'outbox'::regclass AND c.relname LIKE 'outbox\\_2%' ORDER BY c.relname
"""


class Purged(msgspec.Struct):
    """What went, or would go."""

    inbox_before: dt.date
    """Identities of facts received before this day are forgotten."""
    outbox_before: dt.date
    """Messages decided before this day are gone, those that still wait excepted."""
    inbox: int = 0
    outbox: int = 0
    outbox_days: int = 0
    """Whole days of the outbox that were dropped."""
    outbox_waiting: int = 0
    """Old messages that were never published: they stay."""


class Retention:
    """One connection, autocommit: each step is its own transaction."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(
            database_url,
            autocommit=True,
            options=f"-c lock_timeout={LOCK_SECONDS}s -c timezone=UTC",
            application_name="lifecycle purge",
        )

    def close(self) -> None:
        self._connection.close()

    def count(self, inbox_before: dt.date, outbox_before: dt.date) -> Purged:
        """What a purge would take."""
        with unavailable():
            found = Purged(inbox_before, outbox_before)
            found.inbox = self._number(
                f"SELECT count(*) FROM {_OLD_INBOX}", {"before": inbox_before}
            )
            old = "SELECT count(*) FROM outbox WHERE created_at < %s AND published_at IS "
            found.outbox = self._number(f"{old} NOT NULL", (outbox_before,))
            found.outbox_waiting = self._number(f"{old} NULL", (outbox_before,))
            return found

    def purge(
        self,
        inbox_before: dt.date,
        outbox_before: dt.date,
        today: dt.date,
        progress: Callable[[str], None],
    ) -> Purged:
        """Forget what is old. May be stopped at any moment and repeated."""
        with unavailable():
            done = Purged(inbox_before, outbox_before)
            for rows, step, steps in self._forget(inbox_before):
                done.inbox += rows
                progress(f"inbox: step {step:,} of {steps:,}, {done.inbox:,} facts forgotten")
            progress("outbox")
            self.prepare_days(today)
            for rows in self._drop_days(outbox_before):
                done.outbox_days += 1
                done.outbox += rows
            done.outbox += self._connection.execute(
                "DELETE FROM outbox WHERE created_at < %s AND published_at IS NOT NULL",
                (outbox_before,),
            ).rowcount
            done.outbox_waiting = self.count(inbox_before, outbox_before).outbox_waiting
            return done

    def prepare_days(self, today: dt.date) -> int:
        """Make the outbox's partitions of the next days; return how many are new."""
        with unavailable():
            known = set(self._partitions())
            days = [today + dt.timedelta(days=n) for n in range(DAYS_AHEAD)]
            return sum(self._prepare(day) for day in days if _partition(day) not in known)

    def _forget(self, before: dt.date) -> Iterator[tuple[int, int, int]]:
        """(rows, step, steps). The horizon is raised first: from then on old facts are looked up.

        It is raised only when there is something to forget, so that looking up costs nothing before.
        """
        figures: dict[str, Any] = {"before": before}
        if not self._number(
            f"SELECT count(*) FROM (SELECT FROM {_OLD_INBOX} LIMIT 1) AS o", figures
        ):
            return
        with self._alone():
            self._connection.execute(_HORIZON, figures)
        size = "SELECT pg_relation_size('inbox') / current_setting('block_size')::int"
        starts = range(0, self._number(size, ()), PAGES_PER_STEP)
        for step, start in enumerate(starts, start=1):
            figures |= {"first": f"({start},0)", "end": f"({start + PAGES_PER_STEP},0)"}
            with self._alone():
                # Who was looked up before this step is looked up again after it.
                self._connection.execute("DELETE FROM inbox_recalled")
                rows = self._connection.execute(
                    f"DELETE FROM {_OLD_INBOX} AND ctid >= %(first)s::tid AND ctid < %(end)s::tid",
                    figures,
                ).rowcount
            yield rows, step, len(starts)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A transaction during which nobody puts facts into the inbox. Raises NotRunning when a
        consumer is at a batch for longer than a purge waits."""
        with self._connection.transaction():
            try:
                self._connection.execute(f"SELECT pg_advisory_xact_lock({INBOX_LOCK})")
            except LockNotAvailable:
                raise NotRunning(
                    f"A consumer was at one batch for more than {LOCK_SECONDS} s, so the inbox could "
                    "not be purged further: what was forgotten until then stays so; run "
                    "`lifecycle purge` again."
                ) from None
            yield

    def _drop_days(self, before: dt.date) -> Iterator[int]:
        """Drop whole days whose messages have all left; their numbers of messages."""
        for name in self._partitions():
            if _day(name) + dt.timedelta(days=1) > before:
                return
            table = sql.Identifier(name)
            with self._connection.transaction():
                self._connection.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
                waiting, rows = self._pair(
                    sql.SQL(
                        "SELECT count(*) FILTER (WHERE published_at IS NULL), count(*) FROM {}"
                    ).format(table)
                )
                if waiting:
                    continue
                self._connection.execute(sql.SQL("DROP TABLE {}").format(table))
            yield rows

    def _prepare(self, day: dt.date) -> bool:
        """False when messages of that day are in `outbox_other` already: they stay there."""
        bounds = (day, day + dt.timedelta(days=1))
        with self._connection.transaction():
            self._connection.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
            taken = "SELECT count(*) FROM outbox_other WHERE created_at >= %s AND created_at < %s"
            if self._number(taken, bounds):
                return False
            self._connection.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} PARTITION OF outbox FOR VALUES FROM ({}) TO ({})"
                ).format(sql.Identifier(_partition(day)), *map(str, bounds))
            )
        return True

    def _partitions(self) -> list[str]:
        return [name for (name,) in self._connection.execute(_PARTITIONS).fetchall()]

    def _number(self, query: str, parameters: Any) -> int:
        row = self._connection.execute(query, parameters).fetchone()
        assert row is not None
        return int(row[0])

    def _pair(self, query: sql.Composed) -> tuple[int, int]:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return row[0], row[1]


def _partition(day: dt.date) -> str:
    return f"outbox_{day:%Y%m%d}"


def _day(partition: str) -> dt.date:
    return dt.datetime.strptime(partition, "outbox_%Y%m%d").replace(tzinfo=dt.UTC).date()
