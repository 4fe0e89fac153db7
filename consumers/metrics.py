"""What a consumer says of itself to Prometheus: a closed list of names, on loopback.

Labels are topics, partitions and reasons; never a client, an id or a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lifecycle.errors import NotRunning
from lifecycle.intake import Prepared
from lifecycle.ports import Batch
from lifecycle.settings import LOOPBACK

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_ROWS = (1, 10, 100, 1_000, 5_000, 10_000, 20_000)

Lag = Callable[[], Mapping[str, Mapping[str, int]]]


class Metrics:
    """The numbers of one consumer process; `serve` makes them readable."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Records taken from the broker, by topic.
        self._received = self._counter("records_received_total", "Records polled.", "topic")
        # Facts that were folded, logged and decided on.
        self._applied = self._counter("facts_applied_total", "Facts applied.", "topic")
        # Records kept out, by the reason of the closed list.
        self._quarantined = self._counter(
            "records_quarantined_total", "Records put into quarantine.", "reason"
        )
        # Records that said what had been said before.
        self._duplicates = self._counter("records_duplicate_total", "Duplicates dropped.", "topic")
        # Facts that came before what they refer to.
        self._parked = self._counter("facts_parked_total", "Facts parked.", "topic")
        # Parked facts whose reference came.
        self._released = self._counter("facts_unparked_total", "Parked facts applied.", "topic")
        # Alerts raised, by rule.
        self._alerts = self._counter("alerts_raised_total", "Alerts raised.", "rule_id")
        # Batches another owner had committed first; a zombie shows here.
        self._fenced = self._counter("batches_fenced_total", "Batches rolled back by a fence.")
        # Connections to the database that were lost.
        self._disconnected = self._counter("database_lost_total", "Database connections lost.")
        # Partitions the breaker stopped, that this consumer owns.
        self._stopped = Gauge(
            "lifecycle_partitions_stopped", "Partitions stopped.", registry=self.registry
        )
        # Seconds since the epoch when the loop last came round: the watchdog's view.
        self._turn = Gauge(
            "lifecycle_loop_turn_timestamp_seconds",
            "Last turn of the loop.",
            registry=self.registry,
        )
        # Client states held in memory.
        self._cached = Gauge(
            "lifecycle_client_states_cached", "States in the cache.", registry=self.registry
        )
        # Records per micro-batch: small when idle, large when behind.
        self._rows = Histogram(
            "lifecycle_batch_records", "Records per batch.", buckets=_ROWS, registry=self.registry
        )
        # Great Expectations, per micro-batch.
        self._gate = self._histogram("gate_seconds", "Time in the gate.")
        # From the first statement of a batch to its COMMIT.
        self._commit = self._histogram("commit_seconds", "Time in the transaction.")
        # From poll to COMMIT.
        self._batch = self._histogram("batch_seconds", "Time from poll to commit.")

    def serve(self, port: int, lag: Lag, restarts: int) -> None:
        """Answer GET /metrics on loopback. Raises NotRunning when the port is taken."""
        # How often the supervisor started this consumer again.
        Gauge(
            "lifecycle_consumer_restarts", "Restarts by the supervisor.", registry=self.registry
        ).set(restarts)
        self.registry.register(_LagCollector(lag))
        try:
            start_http_server(port, addr=LOOPBACK, registry=self.registry)
        except OSError as error:
            raise NotRunning(
                f"The metrics endpoint cannot listen on {LOOPBACK}:{port} ({error}): "
                "set LIFECYCLE_METRICS_PORT to a free port."
            ) from error

    def turned(self, cached: int, stopped: int) -> None:
        """The loop came round."""
        self._turn.set_to_current_time()
        self._cached.set(cached)
        self._stopped.set(stopped)

    def prepared(self, prepared: Prepared) -> None:
        """A batch was decoded and judged."""
        self._rows.observe(len(prepared.records))
        self._gate.observe(prepared.verdict.milliseconds / 1000)

    def committing(self) -> AbstractContextManager[object]:
        """Time the transaction of a batch."""
        return self._commit.time()

    def committed(self, batch: Batch, seconds: float) -> None:
        """A batch stands, `seconds` after it was polled."""
        self._batch.observe(seconds)
        for move in batch.moves:
            kept_out = move.quarantined + move.duplicates + move.parked
            self._received.labels(move.topic).inc(move.received)
            self._applied.labels(move.topic).inc(move.received - kept_out)
            self._duplicates.labels(move.topic).inc(move.duplicates)
            self._parked.labels(move.topic).inc(move.parked)
        for parked in batch.unparked:
            self._released.labels(parked.arrived.event.topic).inc()
        for held in batch.quarantined:
            self._quarantined.labels(held.reason).inc()
        for raised in batch.alerts:
            self._alerts.labels(raised.alert.rule_id).inc()

    def fenced(self) -> None:
        """A batch was rolled back: its partitions or clients had another writer."""
        self._fenced.inc()

    def disconnected(self) -> None:
        """The database went away; the outcome of a batch may be unknown."""
        self._disconnected.inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"lifecycle_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(f"lifecycle_{name}", text, buckets=_SECONDS, registry=self.registry)


class _LagCollector(Collector):
    """Lag asked of the broker at the moment of the scrape, not what the consumer believes."""

    def __init__(self, lag: Lag) -> None:
        self._lag = lag

    def describe(self) -> Iterable[Metric]:
        return [_lag_family()]

    def collect(self) -> Iterator[Metric]:
        family = _lag_family()
        try:
            lag = self._lag()
        except NotRunning:
            # Without an answer there is no number; an alert on absence tells the operator.
            lag = {}
        for topic, partitions in lag.items():
            for partition, records in partitions.items():
                family.add_metric([topic, partition], records)
        yield family


def _lag_family() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "lifecycle_lag_records",
        "Broker's end offset less the stored next offset.",
        labels=["topic", "partition"],
    )
