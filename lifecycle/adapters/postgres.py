"""PostgreSQL: one way to connect, one way to bring the schema up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    ReadOnlySqlTransaction,
    SerializationFailure,
)

from lifecycle.errors import NotRunning, UsageError
from lifecycle.settings import ROOT

if TYPE_CHECKING:
    from alembic.config import Config


def connect(
    database_url: str, *, autocommit: bool = False, **parameters: Any
) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection to the bank's database; raises NotRunning when it does not answer."""
    if not database_url:
        raise NotRunning("No database is configured: run `lifecycle up` first.")
    try:
        return psycopg.connect(
            database_url, autocommit=autocommit, connect_timeout=10, **parameters
        )
    except psycopg.OperationalError as error:
        raise NotRunning(
            f"The database does not answer ({str(error).splitlines()[-1].strip()}): "
            "run `lifecycle up`, then `lifecycle status`."
        ) from error
    except psycopg.ProgrammingError as error:
        raise UsageError(
            f"LIFECYCLE_DATABASE_URL is no libpq URL ({str(error).strip()}): write it as "
            "postgresql://user@host/bank."
        ) from error


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn a database that is lost, full, slow or read-only into NotRunning: waiting helps. Other
    errors pass as they are."""
    try:
        yield
    except (DeadlockDetected, LockNotAvailable, SerializationFailure):
        raise
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        ReadOnlySqlTransaction,
        IdleInTransactionSessionTimeout,
    ) as error:
        raise NotRunning(f"The database went away or refuses: {error}") from error


def only(cursor: psycopg.Cursor[Any]) -> Any:
    """The one value of the one row that a query always gives."""
    row = cursor.fetchone()
    assert row is not None
    return row[0]


def create_database(database_url: str) -> None:
    """Create the database the URL names when it does not exist yet."""
    name = database_name(database_url)
    with connect(other_database(database_url, "postgres"), autocommit=True) as connection:
        known = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (name,)
        ).fetchone()
        if known is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8'").format(sql.Identifier(name))
            )


def database_name(database_url: str) -> str:
    """The database a URL names."""
    from sqlalchemy import make_url

    return str(make_url(database_url).database)


def other_database(database_url: str, name: str) -> str:
    """The URL of another database on the same server."""
    from sqlalchemy import make_url

    return make_url(database_url).set(database=name).render_as_string(hide_password=False)


def migrate(database_url: str) -> None:
    """Bring the schema to the newest migration; does nothing when it is there already."""
    from alembic import command

    config = _migrations()
    config.set_main_option(
        "sqlalchemy.url",
        database_url.replace("postgresql://", "postgresql+psycopg://", 1).replace("%", "%%"),
    )
    command.upgrade(config, "head")


def newest_revision() -> str:
    """The schema revision this code works with."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_migrations()).get_current_head()
    assert head is not None
    return head


def _migrations() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config
