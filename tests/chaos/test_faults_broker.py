"""Faults 5, 6, 12, 13 and 21: leaders change, the broker is a black hole, its log is damaged, a
topic is missing, and what the offset rows ask for is not there any more."""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from consumers.topics import reader
from lifecycle import app
from tests.chaos.own import own_rig
from tests.chaos.rig import EVENTS, PATIENCE, Consumer, Rig
from tests.chaos.traffic import Produced, good
from tests.support import opened, outgoing, query, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
BATCH = str(max(100, EVENTS // 20))
TOPIC = "bank.account.v1"
PARTITION = 3
QUARANTINE = "bank.quarantine.v1"
STALL_SECONDS_MAX = 30
OFFSET_COMMIT = 8
"""Kafka's API key of a request that commits offsets."""


@contextmanager
def _admin(rig: Rig) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=rig.settings.kafka_bootstrap)
    try:
        yield admin
    finally:
        admin.close()


def _said(consumer: Consumer) -> str:
    return " ".join(consumer.said().split())


# --- 5 and 6: the broker changes, or does not answer ------------------------------------------


@pytest.fixture
def cluster() -> Iterator[Rig]:
    """Three brokers that keep three copies; made for one test."""
    with own_rig(brokers=3) as rig:
        yield rig


def _leaders(rig: Rig) -> dict[int, int]:
    """Partition of the account topic -> node that leads it; asked again where a node is down."""
    for attempt in range(10):
        time.sleep(attempt)
        with suppress(KafkaError), _admin(rig) as admin:
            (topic,) = admin.describe_topics([TOPIC])
            return {p["partition_index"]: p["leader_id"] for p in topic["partitions"]}
    raise AssertionError("no broker says who leads")


def _longest_stall(rig: Rig) -> float:
    """Seconds without progress while records wait, at worst, until all are accounted for."""
    worst, since, before = 0.0, time.monotonic(), rig.received()
    while before < len(rig.ledger):
        time.sleep(0.2)
        now = rig.received()
        if now > before:
            before, since = now, time.monotonic()
        worst = max(worst, time.monotonic() - since)
        assert worst < 2 * STALL_SECONDS_MAX, f"{before:,} of {len(rig.ledger):,} and no progress"
    return worst


def test_fault_05_leaders_change_mid_fetch(cluster: Rig) -> None:
    """Inject: on three brokers, kill -9 the node that leads most partitions while they are read;
    then another one. Expect: other nodes lead, what they are sent is read, and reading never rests
    for 30 s; 0 lost, 0 doubled."""
    rig = cluster
    records = rig.traffic()
    quarter = len(records) // 4
    killed: set[int] = set()
    with rig.running(rig.faulty("--batch", BATCH)) as consumer:
        for number in range(0, 4, 2):
            rig.publish(records[number * quarter : (number + 1) * quarter])
            wait_for(lambda: rig.received() > len(rig.ledger) - quarter, 60, "it reads")
            led = [node for node in _leaders(rig).values() if node not in killed]
            node = max(set(led), key=led.count)
            part = "broker" if node == 1 else f"broker-{node}"
            old = rig.pid(part)
            os.kill(old, signal.SIGKILL)
            rig.publish(records[(number + 1) * quarter : (number + 2) * quarter])
            stalled = _longest_stall(rig)
            print(f"node {node} killed, longest stall {stalled:.1f} s")
            assert stalled < STALL_SECONDS_MAX
            assert consumer.alive()
            killed.add(node)
            rig.wait_new(part, old)
        assert len(killed) == 2
        rig.settle()


@pytest.mark.parametrize("held", ["poll", "commit"])
def test_fault_06_the_broker_is_a_black_hole(rig: Rig, held: str) -> None:
    """Inject: connections to the broker stay open and nothing moves, for longer than the
    watchdog's time; from the middle of reading on (poll), or from the first commit of offsets on
    (commit). Expect: the consumer goes on by itself when bytes move again, or its watchdog ended it
    with all stacks; what comes after is read; 0 lost, 0 doubled."""
    watchdog = 20
    records = rig.traffic()
    half = len(records) // 2
    consumer = rig.faulty("--batch", BATCH, "--watchdog", str(watchdog), through=rig.proxied)
    if held == "commit":
        rig.broker.hold_at = OFFSET_COMMIT
        rig.publish(records[:half])
        wait_for(lambda: rig.broker.mode == "hold", PATIENCE, "offsets are committed")
    else:
        rig.publish(records[:half])
        rig.wait_received()
        rig.broker.mode = "hold"
    rig.publish(records[half:])
    memory = consumer.memory_mb()
    time.sleep(watchdog + 10)
    ended = not consumer.alive()
    print("the watchdog ended it" if ended else "it waits")
    if ended:
        assert "Timeout" in consumer.said(), consumer.said()[-2000:]
        assert "Thread" in consumer.said(), consumer.said()[-2000:]
    else:
        grown = consumer.memory_mb() - memory
        print(f"waiting has cost {grown:.0f} MB")
        assert grown < 200, "kafka-python keeps a callback for every turn of a poll that waits"
    assert rig.received() < len(rig.ledger), "nothing can be read from a black hole"
    rig.broker.heal()
    if ended:
        rig.finish()
    else:
        with rig.running(consumer):
            rig.settle()


# --- 12: the log is damaged -------------------------------------------------------------------


def _damage(log: Path, offset: int) -> tuple[int, int]:
    """Flip bytes in the batch that holds this offset; return the batch's first and last offset.

    A batch begins with its base offset (8 bytes) and the length of what follows (4); the offset of
    its last record, from the base, is at byte 23.
    """
    data = bytearray(log.read_bytes())
    at = 0
    while True:
        base, length = struct.unpack_from(">qi", data, at)
        (delta,) = struct.unpack_from(">i", data, at + 23)
        if base <= offset <= base + delta:
            break
        at += 12 + length
    middle = at + 12 + length // 2
    for position in range(middle, middle + 4):
        data[position] ^= 0xFF
    log.write_bytes(data)
    return base, base + delta


def test_fault_12_a_damaged_batch(rig: Rig) -> None:
    """Inject: bytes of one record batch are flipped in the broker's log of one partition. Expect:
    that partition stops and names topic, partition, the exact offsets and the command that
    decides; not one record of it is skipped, the others flow; a restarted consumer does not go
    past it either, nor one that is told to resume; after the decision the rest is applied."""
    records = _accounts(40, "CRC")
    start = int(_log(rig)["next_offset"])  # type: ignore[call-overload]
    for first in range(0, 40, 10):
        rig.publish(records[first : first + 10], PARTITION)
    place = f"{TOPIC}-{PARTITION}/{0:020}.log"
    found: list[tuple[int, int]] = []
    rig.with_broker_stopped(lambda data: found.append(_damage(data / place, start + 15)))
    ((first, last),) = found
    sentence = (
        f"{TOPIC} partition {PARTITION}: the {last - first + 1:,} records {first:,}..{last:,} are "
        "damaged in the broker's log, their checksum fails"
    )
    consumer = rig.faulty("--batch", "100")
    wait_for(lambda: "partition_stopped" in consumer.said(), PATIENCE, "the partition stops")
    assert sentence in _said(consumer), consumer.said()
    others = rig.traffic(EVENTS // 2)
    rig.publish([r for r in others if r.topic != TOPIC])
    rig.publish([r for r in others if r.topic == TOPIC], PARTITION + 1)
    flowing = len(others) + first - start
    rig.wait_received(flowing)
    with rig.running(consumer):
        assert _log(rig)["next_offset"] == first, "all before the damage, nothing of it"
    with rig.running(rig.consume()):
        time.sleep(5)
        assert _log(rig)["next_offset"] == first, "a restart does not go past it"
        app.decide_offset(rig.settings, TOPIC, PARTITION, None, actor="op", reason="try again")
        wait_for(lambda: _log(rig)["stopped_reason"] is not None, 30, "it stops again")
        assert rig.received() == flowing
        assert sentence in str(_log(rig)["stopped_reason"])
        _decide(rig, last + 1)
        rig.ledger.given_up(records[first - start : last + 1 - start])
        rig.settle()


# --- 13: the topic of the quarantine is away --------------------------------------------------


def _bad(count: int, name: str) -> list[Produced]:
    return [
        Produced(TOPIC, f"C{n}", f"{{{name} {n}".encode(), "quarantined", f"{name} {n}")
        for n in range(count)
    ]


def _read_all(rig: Rig, topic: str) -> list[bytes]:
    """Every record the topic keeps."""
    consumer = reader(rig.settings.kafka_bootstrap, auto_offset_reset="earliest")
    try:
        places = [TopicPartition(topic, p) for p in range(rig.settings.partitions)]
        wanted = sum(consumer.end_offsets(places).values())
        wanted -= sum(consumer.beginning_offsets(places).values())
        consumer.assign(places)
        found: list[bytes] = []
        deadline = time.monotonic() + 30
        while len(found) < wanted and time.monotonic() < deadline:
            found += [r.value for rs in consumer.poll(timeout_ms=500).values() for r in rs]
        return found
    finally:
        consumer.close()


def test_fault_13_the_quarantine_topic_is_missing(rig: Rig) -> None:
    """Inject: bank.quarantine.v1 is deleted; bad records arrive. Expect: the rows are committed
    all the same, the messages wait and the relay lives or is started again; when the topic is back
    each leaves exactly once."""
    bad = _bad(max(20, EVENTS // 50), "missing")
    records = rig.traffic(EVENTS // 2)
    with _admin(rig) as admin:
        admin.delete_topics([QUARANTINE])
    rig.after.append(lambda: app.bootstrap(rig.settings))
    spread = [r for pair in zip(records, bad, strict=False) for r in pair] + records[len(bad) :]
    rig.publish(spread)
    with rig.running(rig.consume()):
        rig.wait_received()
        held = rig.ask("SELECT count(*) FROM quarantine")
        assert held == len(bad), "in the database whatever the topic does"
        relay = rig.relay()
        time.sleep(10)
        waiting = "SELECT count(*) FROM outbox WHERE topic = %s AND published_at IS NULL"
        assert rig.ask(waiting, QUARANTINE) == len(bad), "nothing is dropped"
        app.bootstrap(rig.settings)
        with rig.running(relay):
            wait_for(lambda: rig.ask(waiting, QUARANTINE) == 0, 90, "the messages leave")
            rig.settle()
    published = _read_all(rig, QUARANTINE)
    assert len(published) == len(set(published)) == len(bad)


def test_fault_13_the_broker_is_a_black_hole_to_the_relay(rig: Rig) -> None:
    """Inject: nothing moves between the relay and the broker for 15 s, in the middle of sending.
    Expect: the rows are committed, nothing is dropped; afterwards all have left."""
    bad = _bad(max(20, EVENTS // 50), "held")
    relay = rig.relay(through=rig.proxied)
    with rig.running(rig.consume()):
        rig.publish(_bad(1, "first"))
        left = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL"
        wait_for(lambda: rig.ask(left) == 1, PATIENCE, "the relay sends")
        rig.broker.mode = "hold"
        rig.publish(bad)
        rig.wait_received()
        assert rig.ask("SELECT count(*) FROM quarantine") == len(bad) + 1
        time.sleep(15)
        assert rig.ask(left) == 1, "nothing is called published that has not left"
        rig.broker.heal()
        waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        with rig.running(relay):
            wait_for(lambda: rig.ask(waiting) == 0, 90, "the outbox drains")
            rig.settle()
    published = set(_read_all(rig, QUARANTINE))
    stored = query(rig.settings, "SELECT value FROM outbox WHERE topic = %s", QUARANTINE)
    assert {bytes(value) for (value,) in stored} <= published


# --- 21: what is to be read is not there ------------------------------------------------------


def _accounts(count: int, name: str) -> list[Produced]:
    """Facts that need no other fact."""
    return good([
        outgoing(opened(f"{name}-{n}", f"{name}-{n}"), f"{name}-{n}") for n in range(count)
    ])


def _log(rig: Rig, partition: int = PARTITION) -> dict[str, object]:
    """The row of `lifecycle offsets show` for one partition of the account topic."""
    (row,) = [
        r for r in app.offsets(rig.settings) if (r["topic"], r["partition"]) == (TOPIC, partition)
    ]
    return row


def _decide(rig: Rig, offset: int, topic: str = TOPIC, partition: int = PARTITION) -> None:
    app.decide_offset(
        rig.settings, topic, partition, offset, actor="op", reason="decided in a test"
    )


def _stops_itself(rig: Rig, sentence: str) -> None:
    """A consumer ends with status 3 and this sentence, and moved no offset of the partition."""
    before = _log(rig)["next_offset"]
    consumer = rig.consume()
    assert consumer.wait(60) == 3, consumer.said()[-2000:]
    assert sentence in _said(consumer), consumer.said()[-2000:]
    assert sentence in " ".join(rig.problems())
    assert _log(rig)["next_offset"] == before


def test_fault_21_retention_passed_the_offset(rig: Rig) -> None:
    """Inject: records are deleted by the broker before they were read. Expect: the consumer ends
    and names the exact range and the command that decides; a new one does the same; after the
    decision it reads from the first record kept, not from the latest."""
    rig.publish(_accounts(5, "READ"), PARTITION)
    with rig.running(rig.consume()):
        rig.wait_received()
    stored = int(_log(rig)["next_offset"])  # type: ignore[call-overload]
    lost = _accounts(7, "LOST")
    rig.publish(lost, PARTITION)
    rig.publish(_accounts(9, "KEPT"), PARTITION)
    with _admin(rig) as admin:
        admin.delete_records({TopicPartition(TOPIC, PARTITION): stored + 7})
    sentence = (
        f"{TOPIC} partition {PARTITION}: the 7 records {stored:,}..{stored + 6:,} are lost, "
        "retention passed them before they were read: accept the loss with `lifecycle offsets set "
        f"{TOPIC} {PARTITION} OFFSET --reason ...` ({stored + 7:,})"
    )
    _stops_itself(rig, sentence)
    _stops_itself(rig, sentence)
    _decide(rig, stored + 7)
    rig.ledger.given_up(lost)
    rig.finish()


def test_fault_21_the_offset_is_past_the_end(rig: Rig) -> None:
    """Inject: the stored offset is 100 past the log's end, as when the log lost its end. Expect:
    the consumer ends and names the numbers and the command that decides; it does not wait for the
    log to get there; after the decision what was read before is recognised."""
    records = _accounts(20, "READ")
    rig.publish(records, PARTITION)
    with rig.running(rig.consume()):
        rig.wait_received()
    end = int(_log(rig)["log_end"])  # type: ignore[call-overload]
    _decide(rig, end + 100)
    _stops_itself(
        rig,
        f"{TOPIC} partition {PARTITION}: the stored next offset {end + 100:,} is 100 past the "
        f"log's end {end:,}, so the topic was made anew or lost its end",
    )
    _decide(rig, end - 10)
    rig.ledger.add([r._replace(fate="duplicate") for r in records[-10:]])
    rig.publish(_accounts(10, "MORE"), PARTITION)
    rig.finish()


def _make_anew(rig: Rig) -> None:
    """Delete the account topic with all its records, and make it again."""
    with _admin(rig) as admin:
        admin.delete_topics([TOPIC])
        wait_for(lambda: TOPIC not in admin.list_topics(), 30, "the topic is gone")
    assert app.bootstrap(rig.settings) == 0, "no row is moved by making topics"


def test_fault_21_the_topic_is_made_anew(rig: Rig) -> None:
    """Inject: the account topic is deleted under a running consumer and made again, and new
    records come. Expect: the consumer ends and says for which partition, with the command that
    decides; no partition jumps; after a decision for each, all new records are read."""
    rig.publish(rig.traffic())
    consumer = rig.consume()
    rig.wait_received()
    _make_anew(rig)
    new = _accounts(3, "NEW")
    rig.publish(new, PARTITION)
    wait_for(lambda: "was deleted and made anew" in _said(consumer), 120, "it says what it lost")
    impossible = [row for row in app.offsets(rig.settings) if row["problem"]]
    assert {row["topic"] for row in impossible} == {TOPIC}
    assert not rig.ask("SELECT count(*) FROM event_log WHERE event_id = %s", new[0].name)
    consumer.kill()
    for row in impossible:
        _decide(rig, 0, partition=row["partition"])
    rig.finish()


def test_fault_21_the_topic_is_made_anew_and_has_grown(rig: Rig) -> None:
    """Inject: the account topic is deleted and made again while no consumer runs, and gets more
    records than the old one had. Expect: the consumer does not take the new topic's offsets for
    the old one's, ends and says so; after a decision nothing of the new topic is passed over."""
    rig.publish(_accounts(5, "OLD"), PARTITION)
    with rig.running(rig.consume()):
        rig.wait_received()
    _make_anew(rig)
    for row in app.offsets(rig.settings):
        if row["topic"] == TOPIC and row["partition"] != PARTITION:
            _decide(rig, 0, partition=row["partition"])
    stored = int(_log(rig)["next_offset"])  # type: ignore[call-overload]
    rig.publish(_accounts(stored + 5, "NEW"), PARTITION)
    consumer = rig.consume()
    assert consumer.wait(30) == 3
    assert "was deleted and made anew" in consumer.said()
    assert [row["partition"] for row in app.offsets(rig.settings) if row["problem"]] == [PARTITION]
    _decide(rig, 0)
    rig.finish()
