"""Bytewax: a keyed dataflow with state in memory, snapshots in its recovery store when asked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main
from confluent_kafka import OFFSET_BEGINNING

from benchmarks.ingest_job.rules import State
from benchmarks.peers.common import (
    DUPLICATE,
    ROWS,
    WINDOW_SECONDS,
    Outcome,
    Writer,
    asked,
    read,
    take,
)
from lifecycle.events import Event
from lifecycle.events.catalogue import ACCOUNT

Known = tuple[State, set[str]]
"""A client's state and the ids of its events."""


class Partition(StatelessSinkPartition):
    """Each batch that the engine hands over is one transaction."""

    def __init__(self, database: str) -> None:
        self._writer = Writer(database)

    def write_batch(self, items: list[tuple[str, Outcome]]) -> None:
        self._writer.write([outcome for _, outcome in items])


class Sink(DynamicSink):
    def __init__(self, database: str) -> None:
        self._database = database

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Partition:
        return Partition(self._database)


def parse(message: KafkaSourceMessage) -> tuple[str, tuple[bytes, Event | Outcome]]:
    key, value = message.key, message.value
    return key.decode(), (value, read(value, key, message.partition, message.offset))


def step(known: Known | None, item: tuple[bytes, Event | Outcome]) -> tuple[Known | None, Outcome]:
    value, event = item
    if isinstance(event, Outcome):
        return known, event
    state, seen = known = known or (State(), set())
    if event.id in seen:
        return known, DUPLICATE
    seen.add(event.id)
    return known, take(event, value, state)


def dataflow(given: dict[str, Any]) -> Dataflow:
    flow = Dataflow("ingest")
    source = KafkaSource(
        [given["bootstrap"]], [ACCOUNT], starting_offset=OFFSET_BEGINNING, batch_size=ROWS
    )
    messages = op.input("read", flow, source)
    outcomes = op.stateful_map("fold", op.map("parse", messages, parse), step)
    op.output("write", outcomes, Sink(given["database"]))
    return flow


def main() -> None:
    """Run until it is ended."""
    given = asked()
    flow = dataflow(given)
    if given["option"] != "recovery":
        return run_main(flow)
    store = Path(given["folder"])
    if not any(store.iterdir()):
        init_db_dir(store, 1)
    run_main(
        flow,
        epoch_interval=dt.timedelta(seconds=WINDOW_SECONDS),
        recovery_config=RecoveryConfig(str(store)),
    )


if __name__ == "__main__":
    main()
