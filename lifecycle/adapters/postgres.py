"""PostgreSQL: one way to connect, one way to bring the schema up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    QueryCanceled,
    SerializationFailure,
)

from lifecycle.errors import NotRunning
from lifecycle.settings import ROOT


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


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn a lost connection into NotRunning; other database errors pass as they are."""
    try:
        yield
    except (DeadlockDetected, LockNotAvailable, SerializationFailure, QueryCanceled):
        raise
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        IdleInTransactionSessionTimeout,  # the session is gone with it
    ) as error:
        raise NotRunning(
            f"The database went away in the middle of a transaction: {error}"
        ) from error


def create_database(database_url: str) -> None:
    """Create the database the URL names when it does not exist yet."""
    from sqlalchemy import URL, make_url

    url: URL = make_url(database_url)
    server = url.set(database="postgres").render_as_string(hide_password=False)
    with connect(server, autocommit=True) as connection:
        known = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (url.database,)
        ).fetchone()
        if known is None:
            name = sql.Identifier(str(url.database))
            connection.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8'").format(name))


def migrate(database_url: str) -> None:
    """Bring the schema to the newest migration; does nothing when it is there already."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option(
        "sqlalchemy.url",
        database_url.replace("postgresql://", "postgresql+psycopg://", 1).replace("%", "%%"),
    )
    command.upgrade(config, "head")
