"""A consumer with a fault: the real loop, its ports wrapped so that it dies or stops at a point.

`python -m tests.chaos.faulty consume --die-at mid-batch --after 2`. The product has no hooks: the
broker's consumer, the ingest store and the gate are ports, and a port may be wrapped.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from kafka.coordinator.assignors.range import RangePartitionAssignor

from consumers import loop
from consumers.damage import find_damage
from consumers.loop import Loop, Ownership
from consumers.metrics import Metrics
from consumers.topics import Client
from expectations.gate import GreatExpectationsGate
from lifecycle import app, settings
from lifecycle.adapters.ingest_store import PostgresIngestStore, PostgresOffsetBook
from lifecycle.alerts.decide import decider
from lifecycle.alerts.rules import load_rules
from lifecycle.errors import LifecycleError
from lifecycle.events import SOURCE_TOPICS
from lifecycle.ports import Batch, Verdict

POINTS = (
    "after-poll",
    "before-begin",
    "mid-batch",
    "in-quarantine",
    "before-commit",
    "after-commit",
)


class Fault:
    """Sends this process a signal at the `after`-th time a point is passed."""

    def __init__(self, point: str | None, after: int, sent: signal.Signals) -> None:
        self._point = point
        self._left = after
        self._signal = sent

    def passes(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                # Sent to the process, another thread may take it, and this one goes past the point.
                signal.pthread_kill(threading.get_ident(), self._signal)

    def fuse(self, point: str, items: list[Any]) -> list[Any]:
        """The same list; read to its middle it passes the point."""
        return _Fuse(items, lambda: self.passes(point)) if point == self._point else items


class _Fuse(list[Any]):
    def __init__(self, items: list[Any], burn: Any) -> None:
        super().__init__(items)
        self._burn = burn

    def __iter__(self) -> Iterator[Any]:
        for number, item in enumerate(super().__iter__()):
            if number == len(self) // 2:
                self._burn()
            yield item


class FaultyBroker:
    """The client with small polls; everything else passes."""

    def __init__(self, consumer: Client, fault: Fault, batch: int) -> None:
        self._consumer = consumer
        self._fault = fault
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def poll(self, timeout_ms: int, max_records: int) -> Mapping[Any, Sequence[Any]]:
        polled = self._consumer.poll(timeout_ms=timeout_ms, max_records=self._batch)
        if polled:
            self._fault.passes("after-poll")
        return polled


class FaultyStore:
    """An ingest store whose transactions pass the points of a fault."""

    def __init__(self, store: PostgresIngestStore, fault: Fault) -> None:
        self._store = store
        self._fault = fault

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self._fault.passes("before-begin")
        with self._store.transaction() as unit:
            yield _FaultyUnit(unit, self._fault)
            self._fault.passes("before-commit")
        self._fault.passes("after-commit")

    def close(self) -> None:
        self._store.close()


class _FaultyUnit:
    def __init__(self, unit: Any, fault: Fault) -> None:
        self._unit = unit
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unit, name)

    def write(self, batch: Batch) -> None:
        facts = self._fault.fuse("mid-batch", batch.facts)
        held = self._fault.fuse("in-quarantine", batch.quarantined)
        self._unit.write(msgspec.structs.replace(batch, facts=facts, quarantined=held))


class SlowGate:
    """A gate that takes `seconds`, or until SIGUSR1, for the `after`-th batch of records, or fails
    on it."""

    def __init__(self, seconds: float, after: int, closed: bool) -> None:
        self._gate = GreatExpectationsGate()
        self._seconds = seconds
        self._left = after + WARM_UPS
        self._closed = closed
        self._answers = threading.Event()
        signal.signal(signal.SIGUSR1, lambda *_: self._answers.set())

    def check(self, stage: str, columns: Mapping[str, Any], rows: int) -> Verdict:
        self._left -= 1
        if self._left == 0:
            self._answers.wait(self._seconds)
            if self._closed:
                return self._gate.check(stage, {}, 0)
        return self._gate.check(stage, columns, rows)


WARM_UPS = 2
"""The loop judges this many made-up batches before it joins."""


def main() -> None:
    arguments = _arguments()
    loop.WATCHDOG_SECONDS = arguments.watchdog
    configured = settings.load()
    rule_set = load_rules(configured.rules)
    fault = Fault(arguments.die_at, arguments.after, signal.Signals[arguments.signal])
    book = PostgresOffsetBook(configured.database_url)
    ownership = Ownership(book, configured.consumer_group)

    def join() -> FaultyBroker:
        consumer = _member(configured, ownership, arguments)
        return FaultyBroker(consumer, fault, arguments.batch)

    def open_store() -> FaultyStore:
        store = PostgresIngestStore(
            configured.database_url,
            group=configured.consumer_group,
            consumer=f"faulty/{os.getpid()}",
            code_version=configured.code_version,
            rules=rule_set,
        )
        return FaultyStore(store, fault)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Loop(
        join,
        ownership,
        gate=SlowGate(arguments.slow_gate, arguments.after, arguments.closed_gate),
        open_store=open_store,
        rules=decider(rule_set),
        limits=app.ingest_limits(configured),
        metrics=_metrics(configured),
        find_damage=lambda positions: find_damage(configured.kafka_bootstrap, positions),
        heartbeat=None,
        poll_interval_max=arguments.max_poll_ms / 1000,
    ).run(stop)


def _metrics(configured: settings.Settings) -> Metrics:
    metrics = Metrics()
    if configured.metrics_port:
        metrics.serve(configured.metrics_port, dict, 0)
    return metrics


def _member(
    configured: settings.Settings, ownership: Ownership, arguments: argparse.Namespace
) -> Client:
    """What `consumers.loop.kafka_consumer` makes, with short times, so that tests need not wait."""
    consumer = Client(
        bootstrap_servers=configured.kafka_bootstrap,
        request_timeout_ms=loop.REQUEST_TIMEOUT_MS,
        group_id=arguments.group or configured.consumer_group,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        partition_assignment_strategy=[RangePartitionAssignor],
        fetch_max_wait_ms=50,
        session_timeout_ms=arguments.session_ms,
        heartbeat_interval_ms=arguments.session_ms // 3,
        max_poll_interval_ms=arguments.max_poll_ms,
    )
    ownership.consumer = consumer
    consumer.subscribe(list(SOURCE_TOPICS), listener=ownership)
    return consumer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["consume"])
    parser.add_argument("--die-at", choices=POINTS)
    parser.add_argument("--signal", choices=["SIGKILL", "SIGSTOP"], default="SIGKILL")
    parser.add_argument("--after", type=int, default=1)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--group", help="Kafka's group; the offset rows stay those of the settings")
    parser.add_argument("--session-ms", type=int, default=6_000)
    parser.add_argument("--max-poll-ms", type=int, default=300_000)
    parser.add_argument("--watchdog", type=float, default=loop.WATCHDOG_SECONDS)
    parser.add_argument("--slow-gate", type=float, default=0.0)
    parser.add_argument("--closed-gate", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except LifecycleError as error:
        raise SystemExit(str(error)) from None
