"""A broker and its consumers in memory: partitions are lists, nothing moves by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lifecycle.ports import Record


class Place(NamedTuple):
    """A partition; equal to Kafka's own name of it."""

    topic: str
    partition: int


class MemoryBroker:
    """Topics with one log per partition; `append` decides the partition by the key."""

    def __init__(self, topics: Iterable[str], partitions: int) -> None:
        self.logs: dict[Place, list[Record]] = {
            Place(topic, n): [] for topic in topics for n in range(partitions)
        }
        self._partitions = partitions
        self.topic_ids = {topic: f"{topic}#1" for topic, _ in self.logs}

    def make_anew(self, topic: str) -> None:
        """Delete a topic with all its records and make it again."""
        for place in self.logs:
            if place.topic == topic:
                self.logs[place] = []
        name, _, number = self.topic_ids[topic].partition("#")
        self.topic_ids[topic] = f"{name}#{int(number) + 1}"

    def append(self, topic: str, key: bytes | None, value: bytes | None) -> Record:
        """Append a record to the partition of its key; return it with its offset."""
        place = Place(topic, sum(key or b"") % self._partitions)
        log = self.logs[place]
        log.append(Record(topic, place.partition, len(log), key, value))
        return log[-1]


class MemoryConsumer:
    """What the consumer loop needs of a Kafka consumer, on a MemoryBroker.

    It is given all partitions when it is made, and believes in them until it is dropped: two of
    them are two owners of everything, the worst that a group can come to.
    """

    def __init__(self, broker: MemoryBroker, assigned: Callable[[set[Place]], None]) -> None:
        self._broker = broker
        self._assigned = assigned
        self._positions: dict[Place, int] = dict.fromkeys(broker.logs, 0)
        self._paused: set[Place] = set()
        self._joined = False

    def poll(self, timeout_ms: int, max_records: int) -> Mapping[Place, Sequence[Record]]:
        """The next records of every partition that is not paused, at most `max_records`."""
        if not self._joined:
            self._joined = True
            self._assigned(set(self._broker.logs))
        found: dict[Place, Sequence[Record]] = {}
        left = max_records
        for place, log in self._broker.logs.items():
            records = log[self._positions[place] :][:left]
            if records and place not in self._paused:
                found[place] = records
                self._positions[place] += len(records)
                left -= len(records)
        return found

    def rejoin(self) -> None:
        """Its partitions were taken: the next poll gives them back."""
        self._joined = False

    def seek(self, partition: Any, offset: int) -> None:
        self._positions[Place(*partition)] = offset

    def assignment(self) -> set[Place]:
        return set(self._positions)

    def topic_id(self, topic: str) -> str | None:
        return self._broker.topic_ids.get(topic)

    def pause(self, *partitions: Any) -> None:
        self._paused |= {Place(*p) for p in partitions}

    def resume(self, *partitions: Any) -> None:
        self._paused -= {Place(*p) for p in partitions}

    def beginning_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return {p: len(self._broker.logs[Place(*p)]) for p in partitions}

    def commit_async(self, offsets: Any) -> None:
        """Kafka's own offsets are for dashboards; here nobody looks."""

    def close(self, **options: Any) -> None:
        """Nothing is open."""
