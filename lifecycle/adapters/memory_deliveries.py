"""Deliveries in memory: for tests, and for trying a channel without a database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from lifecycle.alerts.dispatch import Due, Row


@dataclass
class _Delivery:
    attempts: int = 0
    last_attempt_at: dt.datetime | None = None
    delivered_at: dt.datetime | None = None
    error: str | None = None
    held: bool = False


class MemoryDeliveries:
    """Deliveries of the alerts given: rows with the columns of the alert table."""

    def __init__(self, alerts: Iterable[Row], degraded: Collection[str] = ()) -> None:
        self._degraded = degraded
        self._alerts = {alert["alert_id"]: alert for alert in alerts}
        self._rows: dict[tuple[str, str], _Delivery] = {}

    def unplanned(self) -> list[tuple[str, str]]:
        planned = {alert_id for alert_id, _ in self._rows}
        return [
            (alert_id, alert["owner"])
            for alert_id, alert in self._alerts.items()
            if alert["status"] != "CLOSED" and alert_id not in planned
        ]

    def plan(self, pairs: Sequence[tuple[str, str]]) -> None:
        for pair in pairs:
            self._rows.setdefault(pair, _Delivery())

    def due(
        self, now: dt.datetime, channels: Sequence[str], retry_minutes: Sequence[int], limit: int
    ) -> list[Due]:
        found: dict[str, list[Due]] = {channel: [] for channel in channels}
        for (alert_id, channel), row in self._rows.items():
            if row.delivered_at is None and channel in found and _ready(row, now, retry_minutes):
                found[channel].append(Due(alert_id, channel, row.attempts))
        of_each = [sorted(due, key=self._gravest_first)[:limit] for due in found.values()]
        return sorted(chain.from_iterable(of_each), key=self._gravest_first)

    @contextmanager
    def claim(self, due: Due) -> Iterator[Row | None]:
        row = self._rows[due.alert_id, due.channel]
        if row.held or row.delivered_at is not None or row.attempts != due.attempts:
            yield None
            return
        row.held = True
        try:
            alert = self._alerts[due.alert_id]
            yield alert | {"degraded": alert["client_id"] in self._degraded}
        finally:
            row.held = False

    def settle(self, due: Due, now: dt.datetime, error: str | None) -> None:
        row = self._rows[due.alert_id, due.channel]
        row.attempts += 1
        row.last_attempt_at, row.error = now, error
        row.delivered_at = None if error else now

    def _gravest_first(self, due: Due) -> tuple[str, dt.datetime, str, str]:
        alert = self._alerts[due.alert_id]
        return alert["severity"], alert["detected_at"], alert["alert_key"], due.channel


def _ready(row: _Delivery, now: dt.datetime, retry_minutes: Sequence[int]) -> bool:
    if row.last_attempt_at is None:
        return True
    minutes = retry_minutes[min(row.attempts, len(retry_minutes)) - 1]
    return row.last_attempt_at + dt.timedelta(minutes=minutes) <= now
