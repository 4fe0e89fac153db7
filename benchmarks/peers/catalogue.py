"""The table of rivals: what runs, in which version, and what it promises about PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lifecycle.errors import UsageError

HERE = Path(__file__).parent
KAFKA_STREAMS = (
    "org.apache.kafka:kafka-streams:4.2.0",
    "com.fasterxml.jackson.core:jackson-databind:2.19.2",
    "com.kohlschutter.junixsocket:junixsocket-common:2.10.1",
    "com.kohlschutter.junixsocket:junixsocket-native-common:2.10.1",
    "org.postgresql:postgresql:42.7.8",
    "org.slf4j:slf4j-simple:2.0.16",
)
"""junixsocket: the database listens on a Unix socket only, and the JDBC driver knows none."""
_BYTEWAX = ("bytewax==0.21.1", "confluent-kafka==2.16.1")


class Peer(NamedTuple):
    """One rival."""

    name: str
    title: str
    script: str
    """Its file in this folder."""
    pins: tuple[str, ...]
    """Packages of PyPI (name==version), or Maven coordinates where the script is Java."""
    guarantee: str
    """Into PostgreSQL, when the process is killed at any moment."""
    option: str = ""
    """What the script is told apart from the addresses."""

    @property
    def is_java(self) -> bool:
        return self.script.endswith(".java")

    @property
    def lines(self) -> int:
        """Non-blank lines of the script; what it shares with the others is not counted."""
        return sum(1 for line in (HERE / self.script).read_text().splitlines() if line.strip())


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "kafka-streams",
            "Kafka Streams 4.2.0, RocksDB",
            "KafkaStreamsIngest.java",
            KAFKA_STREAMS,
            "at least once; rows are inserted once by their key",
            "rocksdb",
        ),
        Peer(
            "kafka-streams-memory",
            "Kafka Streams 4.2.0, in memory",
            "KafkaStreamsIngest.java",
            KAFKA_STREAMS,
            "at least once; rows are inserted once by their key",
            "memory",
        ),
        Peer(
            "quix",
            "Quix Streams 3.28.1",
            "quix.py",
            ("quixstreams==3.28.1",),
            "at least once; rows are inserted once by their key",
        ),
        Peer(
            "bytewax",
            "Bytewax 0.21.1, no recovery",
            "bytewax.py",
            _BYTEWAX,
            "none: a restart reads everything again",
        ),
        Peer(
            "bytewax-recovery",
            "Bytewax 0.21.1, recovery store",
            "bytewax.py",
            _BYTEWAX,
            "at least once from the last snapshot; rows are inserted once by their key",
            "recovery",
        ),
        Peer(
            "faust",
            "faust-streaming 0.15.3",
            "faust.py",
            ("faust-streaming==0.15.3",),
            "at least once; rows are inserted once by their key",
        ),
        Peer(
            "pathway",
            "Pathway 0.33.0, no persistence (BUSL 1.1, run for evaluation)",
            "pathway.py",
            ("pathway==0.33.0",),
            "none: a restart reads everything again",
        ),
    )
}


def chosen(names: Sequence[str]) -> list[Peer]:
    """The rivals with these names, or all."""
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise UsageError(f"There is no peer {unknown[0]!r}: choose among {', '.join(PEERS)}.")
    return [PEERS[name] for name in names] or list(PEERS.values())
