"""Lag per partition: the broker's end offsets less the stored next offsets."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import TopicPartition
from kafka.errors import KafkaError

from consumers.topics import reader
from lifecycle.errors import NotRunning
from lifecycle.events import SOURCE_TOPICS

ANSWER_MS = 3_000
"""A page and a command wait for this; kafka-python's own limit is 30 s."""


def lag(
    bootstrap_servers: str, partitions: int, stored: Mapping[tuple[str, int], int]
) -> dict[str, dict[str, int]]:
    """topic -> partition -> records not consumed yet. Raises NotRunning without a broker.

    `stored` are the next offsets of the offset rows, by (topic, partition); they are read before
    the broker is asked, so a moving stream shows a little more lag than it has, never less.
    """
    consumer = reader(bootstrap_servers, bootstrap_timeout_ms=ANSWER_MS)
    try:
        ends = consumer.end_offsets(
            [TopicPartition(topic, p) for topic in SOURCE_TOPICS for p in range(partitions)],
            timeout_ms=ANSWER_MS,
        )
    except KafkaError as error:
        raise NotRunning(
            f"The broker at {bootstrap_servers} does not give its offsets ({error}): "
            "look at `lifecycle status`."
        ) from error
    finally:
        consumer.close()
    found: dict[str, dict[str, int]] = {}
    for place, end in sorted(ends.items()):
        start = stored.get((place.topic, place.partition), 0)
        found.setdefault(place.topic, {})[str(place.partition)] = end - start
    return found
