"""Where a partition's log is damaged: found by reading it, so that no client's message is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError

from consumers.topics import ANSWER_MS, no_broker, reader

PROBES_MAX = 10
"""Polls without an answer after which an offset counts as readable: nothing says it is not."""


class Damage(NamedTuple):
    """The records [first, behind) of a partition fail their checksum; `behind` can be read."""

    topic: str
    partition: int
    first: int
    behind: int


def find_damage(bootstrap_servers: str, positions: Mapping[tuple[str, int], int]) -> list[Damage]:
    """The partitions that cannot be read at these offsets. Raises NotRunning without a broker.

    A damaged batch fails as a whole, so its end is found by asking for offsets behind it.
    """
    consumer = reader(bootstrap_servers, auto_offset_reset="none")
    try:
        places = {TopicPartition(*place): first for place, first in positions.items()}
        ends = consumer.end_offsets(list(places), timeout_ms=ANSWER_MS)
        return [
            Damage(tp.topic, tp.partition, first, _behind(consumer, tp, first, ends[tp]))
            for tp, first in places.items()
            if not _reads(consumer, tp, first, ends[tp])
        ]
    except KafkaError as error:
        raise no_broker(bootstrap_servers, error) from error
    finally:
        consumer.close()


def _behind(consumer: KafkaConsumer, tp: TopicPartition, bad: int, end: int) -> int:
    """The first offset behind `bad` that can be read; the end of the log always can."""
    step = 1
    while not _reads(consumer, tp, bad + step, end):
        bad, step = bad + step, 2 * step
    good = min(bad + step, end)
    while good - bad > 1:
        middle = (good + bad) // 2
        if _reads(consumer, tp, middle, end):
            good = middle
        else:
            bad = middle
    return good


def _reads(consumer: KafkaConsumer, tp: TopicPartition, offset: int, end: int) -> bool:
    if offset >= end:
        return True
    consumer.assign([tp])
    consumer.seek(tp, offset)
    try:
        for _ in range(PROBES_MAX):
            if consumer.poll(timeout_ms=ANSWER_MS // PROBES_MAX, max_records=1):
                return True
    except CorruptRecordError:
        return False
    return True
