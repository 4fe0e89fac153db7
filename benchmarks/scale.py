"""How the cost of catch-up grows with the number of events, and with the number of clients."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.ingest import product
from benchmarks.ingest_job.job import job
from benchmarks.scratch import calibration_us, machine_facts, scratch_platform
from consumers.publish import publish

EVENTS = (300_000, 1_000_000, 3_000_000)
CLIENTS = (1_000, 10_000, 100_000)
CLIENTS_FIXED = 10_000
EVENTS_FIXED = 300_000

Note = Callable[[str], None]


def measure(note: Note, events: Sequence[int] = EVENTS, clients: Sequence[int] = CLIENTS) -> Any:
    """One process on backlogs of these sizes, each on a platform of its own."""
    by_events = [_point(number, CLIENTS_FIXED, note) for number in events]
    by_clients = [_point(EVENTS_FIXED, number, note) for number in clients]
    return {
        "by_events": by_events,
        "slope_of_seconds_by_events": _slope(by_events, "events", "seconds"),
        "slope_of_cpu_by_events": _slope(by_events, "events", "cpu_seconds"),
        "by_clients": by_clients,
        "slope_of_cpu_per_event_by_clients": _slope(by_clients, "clients", "cpu_us_per_event"),
        "machine": machine_facts(),
    }


def _point(events: int, clients: int, note: Note) -> dict[str, Any]:
    note(f"{events:,} events of {clients:,} clients")
    with scratch_platform() as configured:
        work = job(events, clients)
        publish(iter(work.records), configured.kafka_bootstrap)
        speed = calibration_us()
        rate = product(configured, work, processes=1)
    records = len(work.records)
    return {
        "events": records,
        "clients": clients,
        "events_per_second": round(rate.events_per_second),
        "seconds": round(records / rate.events_per_second, 1),
        "cpu_seconds": round(rate.cpu_us_per_event * records / 1e6, 1),
        "cpu_us_per_event": round(rate.cpu_us_per_event, 1),
        "peak_rss_mb": rate.peak_rss_mb,
        "calibration_us": round(speed, 2),
    }


def _slope(points: Sequence[dict[str, Any]], size: str, cost: str) -> float:
    """Of log(cost) over log(size): 1 where cost grows as size does, 0 where it does not grow."""
    fit = statistics.linear_regression(
        [math.log(point[size]) for point in points], [math.log(point[cost]) for point in points]
    )
    return round(fit.slope, 3)
