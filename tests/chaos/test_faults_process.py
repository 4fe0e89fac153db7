"""Faults 1 to 4: consumers are killed, stopped, too slow, and come and go."""

from __future__ import annotations

import random
import signal
import socket
import time
from urllib.request import urlopen

import pytest

from tests.chaos.proxy import LOOPBACK
from tests.chaos.rig import EVENTS, PATIENCE, SEED, Rig
from tests.chaos.traffic import Produced
from tests.support import wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
BATCH = max(100, EVENTS // 20)
POINTS = (
    "after-poll",
    "before-begin",
    "mid-batch",
    "in-quarantine",
    "before-commit",
    "after-commit",
)
# It stands still for as long as the others read, and is to wake up, not to be ended for it.
PATIENT = ("--watchdog", "3600")


def _with_bad_ones(records: list[Produced]) -> list[Produced]:
    """Every fiftieth record is followed by bytes that are no event."""
    mixed = []
    for number, record in enumerate(records):
        mixed.append(record)
        if number % 50 == 0:
            raw = f"{{broken {number}".encode()
            mixed.append(Produced(record.topic, record.key, raw, "quarantined", f"bad {number}"))
    return mixed


def test_fault_01_kill_9_at_every_point(rig: Rig) -> None:
    """Inject: kill -9 after poll, before BEGIN, in the middle of the log, in the quarantine insert,
    before COMMIT and after COMMIT, one after the other on one backlog. Expect: 0 lost, 0 doubled.
    """
    rig.publish(_with_bad_ones(rig.traffic()))
    for number, point in enumerate(POINTS):
        victim = rig.faulty(
            "--die-at", point, "--batch", str(BATCH), "--group", f"once-{number}-{time.time_ns()}"
        )
        assert victim.wait(60) == -signal.SIGKILL, victim.said()[-2000:]
    assert 0 < rig.received() < len(rig.ledger), "some batches were committed, others were not"
    rig.finish()


def test_fault_02_a_zombie_is_fenced(rig: Rig) -> None:
    """Inject: SIGSTOP right before BEGIN, past the session timeout; a replacement reads on;
    SIGCONT. Expect: the zombie's batch is rolled back and counted as fenced, 0 lost, 0 doubled."""
    rig.publish(rig.traffic())
    stops = ["--die-at", "before-begin", "--signal", "SIGSTOP", *PATIENT]
    zombie = rig.faulty(*stops, "--batch", str(BATCH))
    zombie.wait_stopped()
    with rig.running(rig.consume()):
        rig.wait_received()
        zombie.send(signal.SIGCONT)
        wait_for(lambda: "fenced" in zombie.said(), 30, "the zombie is fenced")
        zombie.stop()
        rig.settle()


def test_fault_02_a_zombie_in_a_transaction_holds_nobody_up(rig: Rig) -> None:
    """Inject: SIGSTOP before COMMIT, with the transaction open; a replacement starts; SIGCONT.
    Expect: the transaction ends after its idle timeout (10 s), the replacement reads on, the
    zombie goes on as an ordinary member; 0 lost, 0 doubled."""
    rig.publish(rig.traffic())
    stops = ["--die-at", "before-commit", "--signal", "SIGSTOP", *PATIENT]
    zombie = rig.faulty(*stops, "--batch", str(BATCH))
    zombie.wait_stopped()
    with rig.running(rig.consume()):
        started = time.monotonic()
        rig.wait_received()
        assert time.monotonic() - started < 30 + PATIENCE
        zombie.send(signal.SIGCONT)
        wait_for(
            lambda: "database_lost" in zombie.said() or "fenced" in zombie.said(),
            30,
            "the zombie notices that its transaction is gone",
        )
        zombie.stop()
        rig.settle()


def test_fault_02_two_share_a_backlog_one_is_paused_one_is_killed(rig: Rig) -> None:
    """Inject: two members share a backlog; one is stopped right before BEGIN, past the session
    timeout; the other is killed in the middle of the log; a third reads on; SIGCONT. Expect: the
    stopped one's batch is fenced and counted, no alert twice; 0 lost, 0 doubled."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    fault = ["--batch", str(BATCH // 4), "--after", "3", "--die-at"]
    stops = ["before-begin", "--signal", "SIGSTOP", *PATIENT]
    paused = rig.faulty(*fault, *stops, LIFECYCLE_METRICS_PORT=str(port))
    killed = rig.faulty(*fault, "mid-batch")
    wait_for(lambda: len(rig.members()) == 2, 60, "both are members")
    rig.publish(rig.traffic())
    paused.wait_stopped()
    assert killed.wait(60) == -signal.SIGKILL, killed.said()[-2000:]
    assert 0 < rig.received() < len(rig.ledger), "both are in the middle"
    with rig.running(rig.consume()):
        rig.wait_received()
        paused.send(signal.SIGCONT)
        wait_for(lambda: _fenced(port) > 0, 30, "the paused one is fenced")
        paused.stop()
        rig.settle()


def _fenced(port: int) -> float:
    """What a consumer's own counter says."""
    with urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    (line,) = [
        row for row in text.splitlines() if row.startswith("lifecycle_batches_fenced_total ")
    ]
    return float(line.split()[1])


def test_fault_03_a_batch_slower_than_the_poll_interval(rig: Rig) -> None:
    """Inject: one batch takes longer than max_poll_interval; another member starts. Expect: the
    log says which limit was passed and what to do, the partitions move, the late batch is
    discarded; 0 lost, 0 doubled."""
    rig.publish(rig.traffic())
    late = ["--slow-gate", "3600", "--max-poll-ms", "6000", *PATIENT]
    slow = rig.faulty(*late, "--batch", str(BATCH))
    # Before anybody else joins: somebody who asks for partitions may be quicker than this limit.
    wait_for(lambda: "max_poll_interval" in slow.said(), 40, "the client says what is too slow")
    with rig.running(rig.consume()):
        rig.wait_received()
        # Not earlier: of two that read the same records, whoever commits first is right.
        slow.send(signal.SIGUSR1)
        wait_for(
            lambda: "batch_discarded" in slow.said() or "fenced" in slow.said(),
            30,
            "the late batch is discarded",
        )
        slow.stop()
        rig.settle()


def test_fault_04_a_storm_of_joins_and_leaves(rig: Rig) -> None:
    """Inject: members join, leave and are killed at random while facts arrive. Expect: every
    partition moves within 30 s of the last change; 0 lost, 0 doubled."""
    chance = random.Random(SEED)
    records = rig.traffic()
    members = [rig.faulty("--batch", str(BATCH)) for _ in range(2)]
    changes = 6
    for number in range(changes):
        share = len(records) // changes
        last = None if number == changes - 1 else (number + 1) * share
        rig.publish(records[number * share : last])
        time.sleep(chance.uniform(0.5, 1.5))
        if len(members) > 1 and chance.random() < 0.5:
            leaver = members.pop(chance.randrange(len(members)))
            leaver.kill() if chance.random() < 0.5 else leaver.send(signal.SIGTERM)
        else:
            members.append(rig.faulty("--batch", str(BATCH)))
    changed = time.monotonic()
    rig.wait_received()
    assert time.monotonic() - changed < 30 + EVENTS / 500
    for member in members:
        member.stop()
    rig.finish()
