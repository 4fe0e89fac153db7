"""The drill: back to an earlier moment, and from there to the same state by reading Kafka again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from consumers.topics import partition_counts
from lifecycle import app, settings
from lifecycle.adapters.backup_database import moment
from lifecycle.adapters.backup_files import files_of
from lifecycle.adapters.nightly_store import NightlyStore
from lifecycle.adapters.retention import Retention
from lifecycle.clients.state import decode_state
from lifecycle.errors import NotRunning, UsageError
from lifecycle.events import SOURCE_TOPICS
from tests.chaos.rig import EVENTS, Rig
from tests.support import query, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

OUTCOME = (
    "SELECT client_id, facts FROM client_state ORDER BY 1",
    "SELECT alert_id, alert_key, decision, hit_count FROM alert ORDER BY 1",
    "SELECT event_key, payload, topic, partition, kafka_offset FROM event_log ORDER BY 1",
    "SELECT topic, partition, next_offset, received, applied, quarantined, duplicates, parked "
    "FROM consumer_offset ORDER BY 1, 2",
    "SELECT event_key, business_key FROM inbox ORDER BY 1",
)


def lifecycle(rig: Rig, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as users run it."""
    return subprocess.run(
        [sys.executable, "-m", "lifecycle.cli", *arguments],
        env={
            **os.environ,
            "LIFECYCLE_HOME": str(rig.settings.home),
            "LIFECYCLE_CONSUMER_GROUP": rig.settings.consumer_group,
        },
        capture_output=True,
        text=True,
    )


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def outcome(rig: Rig) -> list[list[tuple[Any, ...]]]:
    """Topics may come in another order than the first time, and with them the entries of a state; what
    an alert knew of another topic may differ too, and is for the proof to judge."""
    states = query(rig.settings, "SELECT client_id, state FROM client_state ORDER BY 1")
    return [
        [(client_id, decode_state(state)) for client_id, state in states],
        *(query(rig.settings, text) for text in OUTCOME),
    ]


def lake(rig: Rig) -> dict[str, bytes]:
    folder = rig.settings.lake
    return {name: (folder / name).read_bytes() for name in files_of(folder)}


def told(rig: Rig) -> Counter[str]:
    """Idempotency key -> messages that reached the owners."""
    found: Counter[str] = Counter()
    for path in (rig.settings.home / "notifications").glob("*.ndjson"):
        found.update(json.loads(line)["key"] for line in path.read_text().splitlines())
    return found


def seal(rig: Rig) -> None:
    """The step of a night that writes facts to the lake."""
    app.nightly_step(rig.settings, "seal", rig.ask("SELECT max(business_date) FROM event_log"))


def sweep(rig: Rig) -> None:
    """Sweeps until nothing more reaches anybody; one takes so many messages."""
    while app.dispatch(rig.settings).delivered:
        pass


def test_drill_restore_and_replay(rig: Rig, tmp_path: Path) -> None:
    """Inject: the database and the lake go back to a backup from before the second half. Expect:
    the gap is replayed from Kafka by itself to the same facts, states, alerts and counts; the next
    night seals it into the lake; what was delivered after the backup is delivered again under the
    same key, what was delivered before is not."""
    rig.settings = dataclasses.replace(rig.settings, smtp="127.0.0.1:1")
    shutil.rmtree(rig.settings.home / "notifications", ignore_errors=True)
    records = rig.traffic()
    rig.publish(records[: len(records) // 2])
    with rig.running(rig.consume()):
        rig.wait_received()
        rig.drain()
    seal(rig)
    sweep(rig)
    told_before, lake_before = told(rig), lake(rig)

    saved = answer(lifecycle(rig, "backup", "--to", str(tmp_path), "--json"))
    rig.publish(records[len(records) // 2 :])
    with rig.running(rig.consume()):
        rig.settle()
    seal(rig)
    sweep(rig)
    wanted, told_after, lake_after = outcome(rig), told(rig), lake(rig)
    assert lake_after != lake_before
    assert wanted[1], "there are alerts"

    restored = answer(lifecycle(rig, "restore", saved["folder"], "--yes", "--json"))
    assert sum(row["records"] for row in restored["replay"]) == len(records) - len(records) // 2
    assert lake(rig) == lake_before
    assert {name: rig.ask(f"SELECT count(*) FROM {name}") for name in saved["tables"]} == (
        saved["tables"]
    )
    with rig.running(rig.consume()):
        rig.settle()
    assert outcome(rig) == wanted
    assert app.prove(rig.settings).equal
    seal(rig)
    assert sum(map(_rows, rig.settings.lake.iterdir())) == rig.ask("SELECT count(*) FROM event_log")

    sweep(rig)
    again = told(rig)
    assert again.keys() == told_after.keys(), "the keys are the same"
    assert {key: again[key] for key in told_before} == dict(told_before), "told before: once"
    assert max(again.values()) <= 2


def _rows(table: Path) -> int:
    from deltalake import DeltaTable

    return int(DeltaTable(str(table)).to_pyarrow_table().num_rows)


def test_a_backup_of_a_moving_stream_is_of_one_moment(rig: Rig, tmp_path: Path) -> None:
    """Inject: a backup while a consumer commits. Expect: its log, states and offsets agree, and
    the consumer goes from there to the end."""
    records = rig.traffic()
    rig.publish(records)
    with rig.running(rig.faulty("--batch", "50")):
        rig.wait_received(50)
        saved = answer(lifecycle(rig, "backup", "--to", str(tmp_path), "--json"))
        rig.wait_received()
    answer(lifecycle(rig, "restore", saved["folder"], "--yes", "--json"))
    assert app.operations(rig.settings)["reconciliation"]["balanced"]
    assert app.prove(rig.settings).equal
    rig.finish()


def test_nothing_is_touched_when_a_restore_is_refused(rig: Rig, tmp_path: Path) -> None:
    """Inject: a consumer at work, a damaged file, nobody to ask. Expect: one sentence each, and
    every row as it was."""
    rig.publish(rig.traffic(100))
    with rig.running(rig.consume()):
        rig.wait_received()
    saved = answer(lifecycle(rig, "backup", "--to", str(tmp_path), "--json"))["folder"]
    rig.publish(rig.traffic(100, "D"))
    with rig.running(rig.consume()):
        rig.wait_received()
        wanted = outcome(rig)
        refused = lifecycle(rig, "restore", saved, "--yes")
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert "lifecycle consume" in refused.stderr
    unasked = lifecycle(rig, "restore", saved)
    assert unasked.returncode == 2
    assert "--yes" in unasked.stderr
    dump = next(Path(saved, "database").glob("*.gz"))
    dump.write_bytes(dump.read_bytes()[:-1])
    damaged = lifecycle(rig, "restore", saved, "--yes")
    assert damaged.returncode == 2
    assert f"database/{dump.name} is damaged" in damaged.stderr
    assert outcome(rig) == wanted
    names = query(rig.settings, "SELECT datname FROM pg_database ORDER BY 1")
    assert [name for (name,) in names if name.startswith("bank")] == ["bank"]


def test_a_night_and_a_backup_wait_for_each_other(rig: Rig) -> None:
    """Inject: a step of a night asks to start while a backup holds its moment, and the other way
    round. Expect: neither starts before the other is done."""
    free = "SELECT pg_try_advisory_lock(hashtext('lifecycle.nightly'))"
    said: list[str] = []
    with moment(rig.settings.database_url, said.append):
        assert rig.ask(free) is False
    night = NightlyStore(rig.settings.database_url)
    with ThreadPoolExecutor(1) as pool:
        with night.alone():
            waiting = pool.submit(
                lambda: moment(rig.settings.database_url, said.append).__enter__()
            )
            wait_for(lambda: bool(said), 20, "the backup says that it waits")
            assert not waiting.done()
        waiting.result(20)
    night.close()
    assert said == ["waits until a step of the night is done"]


def test_a_restore_that_is_killed_changes_nothing_or_is_finished_by_the_next(
    rig: Rig, tmp_path: Path
) -> None:
    """Inject: SIGKILL at every stage of a restore. Expect: the database is whole, of before or of
    the backup; no night runs on a mixture; the next restore comes to its end."""
    rig.publish(rig.traffic(200))
    with rig.running(rig.consume()):
        rig.wait_received()
    seal(rig)
    saved = answer(lifecycle(rig, "backup", "--to", str(tmp_path), "--json"))["folder"]
    backup = (outcome(rig), lake(rig))
    rig.publish(rig.traffic(200, "D"))
    with rig.running(rig.consume()):
        rig.wait_received()
    seal(rig)
    before = (outcome(rig), lake(rig))
    for stage in ("items loaded", "counting", "lake: ", "exchange"):
        _killed_restore(rig, saved, stage)
        found = (outcome(rig), lake(rig))
        assert found in (before, backup), stage
    answer(lifecycle(rig, "restore", saved, "--yes", "--json"))
    assert (outcome(rig), lake(rig)) == backup
    assert sorted(path.name for path in rig.settings.home.glob("lake*")) == ["lake"]
    rig.finish()


def _killed_restore(rig: Rig, folder: str, stage: str) -> None:
    """Restore in a process of its own that is killed when it first says `stage`."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from lifecycle import app, settings\n"
        "def progress(now):\n"
        "    if sys.argv[2] in now: os.kill(os.getpid(), signal.SIGKILL)\n"
        "app.restore(settings.load(), pathlib.Path(sys.argv[1]), progress, lambda shown: None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, folder, stage],
        env={
            **os.environ,
            "LIFECYCLE_HOME": str(rig.settings.home),
            "LIFECYCLE_CONSUMER_GROUP": rig.settings.consumer_group,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_no_night_runs_between_a_lake_and_a_database_of_different_moments(rig: Rig) -> None:
    """Inject: what a restore leaves behind that was killed between the two exchanges. Expect: a
    night is refused with the command that mends it."""
    left = rig.settings.lake.with_name("lake.before")
    left.mkdir()
    rig.after.append(lambda: shutil.rmtree(left, ignore_errors=True))
    with pytest.raises(UsageError, match="A restore was interrupted"):
        app.run_nightly(rig.settings, dt.date(2026, 3, 2))


def test_a_purge_under_load_forgets_nothing_that_matters(rig: Rig) -> None:
    """Inject: all facts are sent three times while the inbox is emptied again and again. Expect:
    each is applied once, the rest are duplicates; state and log agree."""
    records = rig.traffic()
    retention = Retention(rig.settings.database_url)
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    steps: list[str] = []
    with rig.running(rig.faulty("--batch", str(max(100, EVENTS // 20)))):
        for times in range(1, 4):
            rig.publish(records)
            while rig.received() < times * len(records):
                # A busy machine may be at one batch for longer than a purge waits.
                with suppress(NotRunning):
                    retention.purge(tomorrow, tomorrow, tomorrow, steps.append)
    retention.close()
    counts = "SELECT sum(received), sum(applied), sum(duplicates) FROM consumer_offset"
    assert query(rig.settings, counts) == [(3 * len(records), len(records), 2 * len(records))]
    assert rig.ask("SELECT count(DISTINCT event_key) FROM event_log") == len(records)
    assert len(steps) > 10
    assert app.prove(rig.settings).equal


def test_partitions_are_raised_under_a_running_consumer(rig: Rig) -> None:
    """Inject: four more partitions for every source topic, while a consumer runs and facts come.
    Expect: the new ones are read from their first record, nobody is told to stop, fewer are
    refused; 0 lost, 0 doubled."""
    (had,) = set(partition_counts(rig.settings.kafka_bootstrap, SOURCE_TOPICS).values())
    records = rig.traffic()
    rig.publish(records[: len(records) // 2])
    with rig.running(rig.consume()):
        rig.wait_received()
        answer(lifecycle(rig, "partitions", str(had + 4), "--json"))
        rig.publish(records[len(records) // 2 :])
        rig.settle()
    new = "SELECT sum(received) FROM consumer_offset WHERE partition >= %s"
    assert rig.ask(new, had) > 0, "the new partitions carried facts"
    assert rig.problems() == []
    fewer = lifecycle(rig, "partitions", str(had))
    assert fewer.returncode == 2
    assert f"has {had + 4} partitions" in fewer.stderr
    again = answer(lifecycle(rig, "partitions", str(had + 4), "--json"))
    assert set(again["before"].values()) == {had + 4}
    assert settings.load({"LIFECYCLE_HOME": str(rig.settings.home)}).partitions == had + 4
    app.bootstrap(rig.settings)
    assert len(app.offsets(rig.settings)) == 6 * (had + 4)
    assert app.prove(rig.settings).equal
