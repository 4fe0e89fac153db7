"""Topics and offset rows: created once, by an explicit command, never by accident."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from lifecycle.errors import NotRunning, OffsetImpossible, UsageError
from lifecycle.events import OUTPUT_TOPICS, SOURCE_TOPICS
from lifecycle.events.catalogue import PROFILE
from lifecycle.ports import OffsetBook

_DAY_MS = 86_400_000
ANSWER_MS = 3_000
"""A page and a command wait for this long; kafka-python's own limit is 30 s."""
METADATA_MS = 30_000
"""A consumer asks this often what partitions there are; kafka-python's own figure is 5 minutes."""
RETENTION_DAYS = {
    "bank.client.v1": 90,
    "bank.consent.v1": -1,
    "bank.account.v1": 30,
    "bank.credit.v1": 90,
    "bank.interaction.v1": 90,
    "bank.product.v1": 90,
    "bank.alert.v1": 400,
    "bank.quarantine.v1": 180,
    "bank.profile.v1": -1,
}
"""Days a record stays by its broker time; -1 is for ever."""


class Client(KafkaConsumer):  # type: ignore[misc]
    """kafka-python's consumer, which also says which topic a name stands for."""

    def topic_id(self, topic: str) -> str | None:
        """The broker's id of a topic, as of the newest metadata; None when it is not known."""
        found = self._cluster.topic_id(topic)
        return str(found) if found else None


def bootstrap(bootstrap_servers: str, partitions: int, group: str, book: OffsetBook) -> int:
    """Create missing topics, and an offset row at the log start for every partition without one.

    Returns the number of rows created. Idempotent: an existing row is never moved. Raises
    OffsetImpossible when a partition has lost records that no row accounts for.
    """
    admin = _admin(bootstrap_servers)
    try:
        existing = set(admin.list_topics())
        missing = [t for t in (*SOURCE_TOPICS, *OUTPUT_TOPICS) if t not in existing]
        if missing:
            # All have the same number, also when it was raised after the setting was made.
            known = partition_counts(bootstrap_servers, existing.intersection(SOURCE_TOPICS))
            partitions = max(partitions, *known.values(), 0)
            admin.create_topics({t: _topic(t, partitions) for t in missing}, wait_for_metadata=True)
    finally:
        admin.close()
    known = book.offsets(group)
    starts = {
        place: offset
        for place, offset in source_offsets(bootstrap_servers, partitions, "beginning").items()
        if place not in known
    }
    lost = {place: offset for place, offset in starts.items() if offset > 0}
    if lost:
        (topic, partition), offset = next(iter(lost.items()))
        raise OffsetImpossible(
            f"{topic} partition {partition} starts at offset {offset} and no offset row says that "
            f"0..{offset - 1} was read: restore the database, or insert the row by hand."
        )
    book.create_offsets(group, starts)
    return len(starts)


def raise_partitions(
    bootstrap_servers: str, partitions: int, group: str, book: OffsetBook
) -> dict[str, int]:
    """Give every source topic this many partitions; returns topic -> how many it had.

    Consumers notice within METADATA_MS and read each new partition from its first record.
    Idempotent. Raises UsageError when a topic has more already.
    """
    before = partition_counts(bootstrap_servers, SOURCE_TOPICS)
    missing = [topic for topic, count in before.items() if not count]
    if missing:
        raise NotRunning(f"There is no topic {missing[0]}: run `lifecycle bootstrap` first.")
    most = max(before.values())
    if most > partitions:
        topic = max(before, key=lambda name: before[name])
        raise UsageError(
            f"{topic} has {most} partitions and Kafka never takes one away: say {most} or more."
        )
    # The rows come first: a consumer that is given a partition without one stops. Only partitions
    # that do not exist yet get one here, so there is nothing before offset 0 to be lost.
    new = [(topic, n) for topic, count in before.items() for n in range(count, partitions)]
    book.create_offsets(group, dict.fromkeys(new, 0))
    fewer = {topic: partitions for topic, count in before.items() if count < partitions}
    if fewer:
        _create_partitions(bootstrap_servers, fewer)
    return before


def _create_partitions(bootstrap_servers: str, counts: dict[str, int]) -> None:
    admin = _admin(bootstrap_servers)
    try:
        admin.create_partitions(counts)
    except KafkaError as error:
        raise NotRunning(
            f"The broker at {bootstrap_servers} did not raise the partitions ({error}): look at "
            "`lifecycle status`, then run the command again."
        ) from error
    finally:
        admin.close()


def partition_counts(bootstrap_servers: str, topics: Iterable[str]) -> dict[str, int]:
    """Topic -> its partitions; 0 for a topic that does not exist."""
    consumer = reader(bootstrap_servers, bootstrap_timeout_ms=ANSWER_MS)
    try:
        return {topic: len(consumer.partitions_for_topic(topic)) for topic in topics}
    except KafkaError as error:
        raise no_broker(bootstrap_servers, error) from error
    finally:
        consumer.close()


def topic_ids(bootstrap_servers: str) -> dict[str, str]:
    """Source topic -> the broker's id of it, for those that exist."""
    consumer = reader(bootstrap_servers, bootstrap_timeout_ms=ANSWER_MS)
    try:
        consumer.topics()
        found = {topic: consumer.topic_id(topic) for topic in SOURCE_TOPICS}
    except KafkaError as error:
        raise no_broker(bootstrap_servers, error) from error
    finally:
        consumer.close()
    return {topic: topic_id for topic, topic_id in found.items() if topic_id}


def source_offsets(
    bootstrap_servers: str, partitions: int, which: Literal["beginning", "end"]
) -> dict[tuple[str, int], int]:
    """First offset kept, or next offset to be written, per (topic, partition) of the sources.

    The broker says which partitions there are; `partitions` stands in for a topic it does not know.
    """
    consumer = reader(bootstrap_servers, bootstrap_timeout_ms=ANSWER_MS)
    ask = consumer.beginning_offsets if which == "beginning" else consumer.end_offsets
    try:
        places = [
            TopicPartition(topic, n)
            for topic in SOURCE_TOPICS
            for n in consumer.partitions_for_topic(topic) or range(partitions)
        ]
        offsets = ask(places, timeout_ms=ANSWER_MS)
    except KafkaError as error:
        raise NotRunning(
            f"The broker at {bootstrap_servers} does not give its offsets ({error}): "
            "look at `lifecycle status`."
        ) from error
    finally:
        consumer.close()
    return {(tp.topic, tp.partition): offset for tp, offset in sorted(offsets.items())}


def reader(bootstrap_servers: str, **options: Any) -> Client:
    """A consumer without a group that never decodes and never commits."""
    try:
        return Client(bootstrap_servers=bootstrap_servers, enable_auto_commit=False, **options)
    except KafkaError as error:
        raise no_broker(bootstrap_servers, error) from error


def _admin(bootstrap_servers: str) -> KafkaAdminClient:
    try:
        return KafkaAdminClient(bootstrap_servers=bootstrap_servers)
    except KafkaError as error:
        raise no_broker(bootstrap_servers, error) from error


def no_broker(bootstrap_servers: str, error: KafkaError) -> NotRunning:
    """The one sentence for a broker that does not answer."""
    return NotRunning(
        f"The broker at {bootstrap_servers or '(no address)'} does not answer ({error}): "
        "run `lifecycle up`, then `lifecycle status`."
    )


def _topic(name: str, partitions: int) -> dict[str, Any]:
    days = RETENTION_DAYS[name]
    # Consents are kept for ever, not compacted: the key is the client, so compaction would keep
    # one consent per client and lose the others.
    configs = {"retention.ms": str(days * _DAY_MS if days > 0 else -1)}
    if name == PROFILE:
        # Where each client stands: of its moves the newest is enough, all are in the database.
        configs["cleanup.policy"] = "compact"
    # -1: as many copies as the cluster keeps by default; one broker keeps one, three keep three.
    return {"num_partitions": partitions, "replication_factor": -1, "configs": configs}
