"""The bank's database in a backup: dumped at one moment, loaded beside the one in use, exchanged.

pg_dump reads the snapshot that this module holds open, so the rows it writes, the counts and the
offsets in the manifest are of the same moment. While a lock keeps every step of a night waiting,
the lake is of that moment too.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lifecycle.adapters.postgres import connect, database_name, other_database, unavailable
from lifecycle.backup import Offset
from lifecycle.errors import LifecycleError, NotRunning, OutcomeUnknown, UsageError

Progress = Callable[[str], None]
Program = Callable[[str], Path]
"""Where pg_dump and pg_restore are."""

JOBS = "2"
NIGHT = "hashtext('lifecycle.nightly')"
"""The lock of NightlyStore.alone."""

_TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
 WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname = 'public' ORDER BY relname
"""

_SESSIONS = """
SELECT coalesce(nullif(application_name, ''), 'process ' || pid) AS name
  FROM pg_stat_activity
 WHERE datname = ANY(%s) AND pid <> pg_backend_pid() AND backend_type = 'client backend'
 ORDER BY name
"""


class Moment:
    """One snapshot of the database, and no night at work, for as long as it is open."""

    def __init__(self, connection: psycopg.Connection[Any], database_url: str) -> None:
        self._connection = connection
        self._url = database_url

    def taken_at(self) -> dt.datetime:
        """When the snapshot was taken, by the database's clock."""
        return self._value("SELECT transaction_timestamp()")  # type: ignore[no-any-return]

    def now(self) -> dt.datetime:
        """The database's clock. Raises NotRunning when the moment was lost with its session."""
        return self._value("SELECT clock_timestamp()")  # type: ignore[no-any-return]

    def revision(self) -> str:
        """The schema revision."""
        return str(self._value("SELECT version_num FROM alembic_version"))

    def offsets(self) -> list[Offset]:
        """The offset rows of every group."""
        rows = self._connection.execute(
            "SELECT consumer_group, topic, partition, next_offset, topic_id FROM consumer_offset "
            "ORDER BY consumer_group, topic, partition"
        )
        return [Offset(*row) for row in rows]

    def rows(self) -> dict[str, int]:
        """Table -> rows."""
        return count_rows(self._connection)

    def dump(self, folder: Path, program: Program, tables: int, progress: Progress) -> None:
        """Write the dump into a folder that does not exist yet."""
        _run(
            [
                str(program("pg_dump")),
                "--format=directory",
                "--compress=gzip:1",
                f"--jobs={JOBS}",
                f"--snapshot={self._value('SELECT pg_export_snapshot()')}",
                f"--file={folder}",
                "--no-owner",
                "--no-privileges",
                "--verbose",
            ],
            self._url,
            "dumping contents of table",
            lambda number: progress(f"database: {number} of {tables} tables"),
        )

    def _value(self, query: str) -> Any:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return row[0]


@contextmanager
def moment(database_url: str, progress: Progress) -> Iterator[Moment]:
    """Wait until no step of a night is at work, keep the next one waiting, and hold a snapshot."""
    with unavailable():
        connection = connect(database_url, autocommit=True, application_name="lifecycle backup")
        with connection:
            free = connection.execute(f"SELECT pg_try_advisory_lock({NIGHT})").fetchone()
            if not (free and free[0]):
                progress("waits until a step of the night is done")
                connection.execute(f"SELECT pg_advisory_lock({NIGHT})")
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.transaction():
                yield Moment(connection, database_url)


def count_rows(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Table -> rows, of every table of the schema."""
    found = {}
    for (name,) in connection.execute(_TABLES).fetchall():
        row = connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
        ).fetchone()
        assert row is not None
        found[name] = row[0]
    return found


class Replacement:
    """A database that is loaded beside the one in use and takes its name."""

    def __init__(self, database_url: str) -> None:
        self._name = database_name(database_url)
        self._server = other_database(database_url, "postgres")
        self._fresh = f"{self._name}_restored"
        self._old = f"{self._name}_before"
        self._fresh_url = other_database(database_url, self._fresh)

    def check_unused(self) -> None:
        """Raises UsageError, naming them, when anybody uses the database, or Airflow its own."""
        with unavailable(), connect(self._server, autocommit=True) as connection:
            rows = connection.execute(_SESSIONS, ([self._name, "airflow"],)).fetchall()
        if rows:
            names = ", ".join(sorted({name for (name,) in rows}))
            raise UsageError(
                f"The database is in use by {names}: stop consumers, relay and Airflow "
                "(`lifecycle down`), then restore; nothing was changed."
            )

    def load(
        self, folder: Path, program: Program, wanted: dict[str, int], progress: Progress
    ) -> None:
        """Load a dump. Raises UsageError when its rows are not those the manifest counts."""
        self._create()
        _run(
            [
                str(program("pg_restore")),
                "--exit-on-error",
                f"--jobs={JOBS}",
                "--no-owner",
                "--no-privileges",
                "--verbose",
                str(folder),
            ],
            self._fresh_url,
            "finished item",
            lambda number: progress(f"database: {number} items loaded"),
        )
        with unavailable(), connect(self._fresh_url, autocommit=True) as connection:
            progress("database: counting")
            found = count_rows(connection)
            connection.execute("ANALYZE")
        wrong = [name for name in sorted(wanted | found) if wanted.get(name) != found.get(name)]
        if wrong:
            raise UsageError(
                f"The dump in {folder} does not hold the rows its manifest counts "
                f"({', '.join(wrong)}): take another backup; nothing was changed."
            )

    def exchange(self) -> None:
        """Give the loaded database the name of the one in use, in one transaction. Raises
        OutcomeUnknown when the server went away and cannot say whether it did."""
        try:
            with connect(self._server) as connection:
                if self._exists(connection, self._name):
                    self._rename(connection, self._name, self._old)
                self._rename(connection, self._fresh, self._name)
        except psycopg.errors.ObjectInUse as error:
            raise UsageError(
                f"Somebody began to use the database while it was being restored ({error}): stop "
                "them, then restore again; nothing was changed."
            ) from error
        except psycopg.OperationalError as error:
            if not self._is_exchanged():
                raise NotRunning(f"The database went away or refuses: {error}") from error

    def _is_exchanged(self) -> bool:
        try:
            with unavailable(), connect(self._server) as connection:
                return not self._exists(connection, self._fresh)
        except NotRunning as error:
            raise OutcomeUnknown(
                "The database went away while it was exchanged, so lake and database may be of "
                f"different moments ({error}): restore again when it is back; no night runs until "
                "then."
            ) from error

    def drop(self) -> None:
        """Remove what is loaded or replaced, whatever is there."""
        with unavailable(), connect(self._server, autocommit=True) as connection:
            for name in (self._fresh, self._old):
                connection.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )

    def _create(self) -> None:
        self.drop()
        with unavailable(), connect(self._server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(self._fresh)
                )
            )

    @staticmethod
    def _exists(connection: psycopg.Connection[Any], name: str) -> bool:
        query = "SELECT FROM pg_database WHERE datname = %s"
        return connection.execute(query, (name,)).fetchone() is not None

    @staticmethod
    def _rename(connection: psycopg.Connection[Any], name: str, to: str) -> None:
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(name), sql.Identifier(to)
            )
        )


def _run(
    command: list[str], database_url: str, counted: str, progress: Callable[[int], None]
) -> None:
    """Run a program of PostgreSQL; `counted` is the phrase of its log that means one step on."""
    parts: dict[str, Any] = conninfo_to_dict(database_url)
    # A command line can be read by every user of the machine.
    environment = dict(os.environ)
    if parts.get("password"):
        environment["PGPASSWORD"] = str(parts.pop("password"))
    process = subprocess.Popen(
        [*command[:1], f"--dbname={make_conninfo(**parts)}", *command[1:]],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
    )
    assert process.stderr is not None
    steps, last = 0, ""
    for line in process.stderr:
        last = line.strip() or last
        if counted in line:
            steps += 1
            progress(steps)
    if process.wait():
        raise _failed(Path(command[0]).name, last)


def _failed(program: str, said: str) -> LifecycleError:
    return NotRunning(
        f"{program} did not come to its end ({said}): mend that, then try again; nothing was changed."
    )
