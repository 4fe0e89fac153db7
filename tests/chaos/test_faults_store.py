"""Faults 7 to 10: the database dies, the answer to COMMIT is lost, an older copy takes over, the
database is there and refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import psutil
import psycopg
import pytest

from lifecycle import app
from lifecycle.clients.state import decode_state
from tests.chaos.rig import EVENTS, PATIENCE, Rig
from tests.support import query, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
BATCH = str(max(100, EVENTS // 20))
ROOM_BYTES = 200 * EVENTS
"""What is left on the small disk: less than half of the events need, whatever lies there."""


def _kill_postmaster(rig: Rig) -> Literal["pass"]:
    os.kill(rig.pid("database"), signal.SIGQUIT)
    return "pass"


def test_fault_07_the_database_stops_at_once_in_commit(rig: Rig) -> None:
    """Inject: immediate shutdown of PostgreSQL while a COMMIT is under way, three times. Expect:
    the consumer reconnects, re-reads the offset row and goes on; 0 lost, 0 doubled."""
    rig.publish(rig.traffic())
    consumer = rig.faulty("--batch", BATCH, through=rig.proxied)
    for number in range(3):
        rig.wait_received()
        before = rig.pid("database")
        rig.database.on_commit = lambda: _kill_postmaster(rig)
        rig.publish(rig.traffic(EVENTS // 3, f"D{number}-"))
        rig.wait_new("database", before)
    with rig.running(consumer):
        rig.settle()
    assert consumer.said().count("database_lost") + consumer.said().count("database_away") >= 3


@pytest.mark.parametrize("then", ["lose-answer", "cut"])
def test_fault_08_the_connection_is_cut_at_commit(rig: Rig, then: str) -> None:
    """Inject: TCP reset after COMMIT was done and before its answer (lose-answer), or before
    COMMIT arrives (cut). Expect: nobody retries blindly, the offset row tells; 0 lost, 0 doubled.
    """
    cuts = []

    def at_commit() -> str:
        cuts.append(rig.received())
        return then

    records = rig.traffic()
    rig.publish(records[: len(records) // 2])
    with rig.running(rig.faulty("--batch", BATCH, through=rig.proxied)) as consumer:
        rig.wait_received()
        rig.database.on_commit = at_commit  # type: ignore[assignment]
        rig.publish(records[len(records) // 2 :])
        rig.wait_received()
        assert cuts, "the cut happened"
        assert consumer.said().count("database_lost") == 1
        rig.settle()


def test_fault_09_an_older_copy_takes_over(rig: Rig) -> None:
    """Inject: the database is replaced by a consistent copy from before the second half, as after
    a restore or when a lagging replica is promoted. Expect: the gap is replayed by itself to the
    same facts, states and alerts, under the same alert keys."""
    records = rig.traffic()
    half = len(records) // 2
    rig.publish(records[:half])
    with rig.running(rig.consume()):
        rig.wait_received()
    server = rig.settings.database_url.replace("/bank?", "/postgres?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS older")
        connection.execute("CREATE DATABASE older TEMPLATE bank")
    rig.publish(records[half:])
    with rig.running(rig.consume()):
        rig.settle()
    older = replace(rig.settings, database_url=rig.settings.database_url.replace("bank?", "older?"))
    with rig.instead(older), rig.running(rig.consume(older)):
        rig.settle()
    # Topics may come in another order than the first time, and with them the entries of a state.
    states = "SELECT client_id, state FROM client_state ORDER BY 1"
    again, first = (
        {client: decode_state(state) for client, state in query(place, states)}
        for place in (older, rig.settings)
    )
    assert again == first
    for table in (
        "SELECT alert_id, alert_key, decision FROM alert ORDER BY 1",
        "SELECT event_key, payload FROM event_log ORDER BY 1",
    ):
        assert query(older, table) == query(rig.settings, table), table


# --- the database is there and refuses ------------------------------------------------------


@contextmanager
def _small_disk(rig: Rig) -> Iterator[None]:
    """The log's table on a disk of its own with hardly any room left; full until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="lifecycle-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "mode=0777", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        data = folder / "space"
        data.mkdir()
        owner = (rig.settings.home / "postgres").stat()
        os.chown(data, owner.st_uid, owner.st_gid)
        data.chmod(0o700)
        rig.tell(f"CREATE TABLESPACE small LOCATION '{data}'")
        rig.tell("ALTER TABLE event_log SET TABLESPACE small")
        _limit_disk(folder, str(psutil.disk_usage(str(folder)).used + ROOM_BYTES))
        yield
    finally:
        _limit_disk(folder, "50%")
        rig.after.append(lambda: _remove_disk(rig, folder))


def _limit_disk(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def _remove_disk(rig: Rig, folder: Path) -> None:
    rig.tell("ALTER TABLE event_log SET TABLESPACE pg_default")
    rig.tell("DROP TABLESPACE small")
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@contextmanager
def _read_only(rig: Rig) -> Iterator[None]:
    rig.tell("ALTER SYSTEM SET default_transaction_read_only = on")
    rig.tell("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        rig.tell("ALTER SYSTEM RESET default_transaction_read_only")
        rig.tell("SELECT pg_reload_conf()")


@contextmanager
def _no_connections(rig: Rig) -> Iterator[None]:
    """No session is left for anybody who is no superuser of the reserve; ours are cut."""
    held = []
    try:
        while True:
            held.append(psycopg.connect(rig.settings.database_url))
    except psycopg.OperationalError:
        rig.database.cut()  # the consumer has to come back, and finds no room
    try:
        yield
    finally:
        for connection in held:
            connection.close()


@contextmanager
def _rows_locked(rig: Rig) -> Iterator[None]:
    """Somebody holds the offset rows for longer than lock_timeout (10 s)."""
    with psycopg.connect(rig.settings.database_url) as connection:
        connection.execute("SELECT * FROM consumer_offset FOR UPDATE")
        yield


REFUSALS = {
    "disk_full": (_small_disk, "database_lost", "No space left"),
    "read_only": (_read_only, "database_lost", "read-only"),
    "connections": (_no_connections, "database_away", "too many clients"),
    "locks": (_rows_locked, "fenced", "lock timeout"),
}


@pytest.mark.parametrize(
    "refusal",
    [
        "disk_full",
        "read_only",
        "connections",
        "locks",
    ],
)
def test_fault_10_the_database_refuses(rig: Rig, refusal: str) -> None:
    """Inject: its disk is full, it is read-only, it has no connection left, or another session
    holds the rows. Expect: the consumer lives, tries again with a growing pause, says why; not one
    good record goes to quarantine; then it catches up: 0 lost, 0 doubled."""
    inject, event, why = REFUSALS[refusal]
    records = rig.traffic()
    rig.publish(records[: len(records) // 2])
    consumer = rig.faulty("--batch", BATCH, through=rig.proxied)
    rig.wait_received(1)
    with inject(rig):
        before = _safely_received(rig)
        rig.publish(records[len(records) // 2 :])
        wait_for(
            lambda: event in consumer.said() or not consumer.alive(), PATIENCE, f"it says {event}"
        )
        time.sleep(2)
        assert consumer.alive(), consumer.said()[-3000:]
        assert why in consumer.said(), consumer.said()[-3000:]
    assert before < len(rig.ledger)
    with rig.running(consumer):
        rig.settle()
    assert query(rig.settings, "SELECT count(*) FROM quarantine") == [(0,)]
    assert app.operations(rig.settings)["reconciliation"]["balanced"]


def _safely_received(rig: Rig) -> int:
    try:
        return rig.received()
    except psycopg.OperationalError:
        return 0  # no connection left for us either


def test_fault_10_deadlock_and_serialization_failure(rig: Rig) -> None:
    """Inject: another session takes the same clients' rows in the opposite order, again and again.
    Expect: the batch is rolled back and read again, at most once per conflict; 0 lost, 0 doubled.
    """
    records = rig.traffic()
    half = len(records) // 2
    rig.publish(records[:half])
    consumer = rig.faulty("--batch", BATCH)
    rig.wait_received()
    with psycopg.connect(rig.settings.database_url) as other:
        other.execute("SET deadlock_timeout = '30s'")  # the consumer is the one to be chosen
        other.execute("SELECT * FROM consumer_offset FOR UPDATE")
        # Few: who has waited for longer than its deadlock_timeout looks for no deadlock any more.
        rig.publish(records[half : half + 100])
        wait_for(
            lambda: bool(
                rig.ask(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype <> 'relation'"
                )
            ),
            30,
            "the consumer waits for our rows",
        )
        other.execute("SET lock_timeout = '5s'")
        # The consumer holds its clients' states and waits for the offsets that we hold.
        other.execute("SELECT * FROM client_state ORDER BY client_id FOR UPDATE")
    wait_for(lambda: "deadlock detected" in consumer.said(), 10, "the consumer says why")
    rig.publish(records[half + 100 :])
    with rig.running(consumer):
        rig.settle()
