"""Bring undelivered alerts to their owners: once per alert and channel, repaired by every sweep.

An alert counts as delivered when the channel took it. A dispatcher that dies between the two sends
again with the same key; the receiver recognises it by the key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from lifecycle.ports import Channel

Row = dict[str, Any]


class Deliveries(Protocol):
    """Where it is written which alert has to reach which channel, and whether it did."""

    def expect(self, channels: dict[str, list[str]]) -> None: ...
    def due(self, now: dt.datetime) -> AbstractContextManager[tuple[Any, Row | None]]: ...
    def attempted(self, unit: Any, row: Row, now: dt.datetime, error: str | None) -> None: ...


class Dispatched(msgspec.Struct):
    """What one sweep did."""

    delivered: int = 0
    failed: int = 0


def dispatch(
    deliveries: Deliveries,
    channels_of: Mapping[str, list[str]],
    channels: Mapping[str, Channel],
    now: dt.datetime,
) -> Dispatched:
    """Send everything that is due; a channel that fails is tried again by a later sweep."""
    done = Dispatched()
    deliveries.expect(by_owner(channels_of))
    while True:
        with deliveries.due(now) as (unit, row):
            if row is None:
                return done
            error = _send(channels[row["channel"]], row)
            deliveries.attempted(unit, row, now, error)
            if error:
                done.failed += 1
            else:
                done.delivered += 1


def by_owner(channels_of: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Role -> channels, also for owners that are two roles ("RM+RO"). AML roles never share."""
    roles = list(channels_of)
    owners = {role: list(channels_of[role]) for role in roles}
    for first in roles:
        for second in roles:
            if first != second and "CO" not in (first, second):
                owners[f"{first}+{second}"] = [*channels_of[first], *channels_of[second]]
    return owners


def text(row: Row) -> tuple[str, str]:
    """Title and body of the message for one alert, in both languages."""
    title = f"[{row['severity']}] {row['rule_id']} {row['entity']}"
    body = (
        f"{row['message_zh']}\n{row['message_en']}\n\n"
        f"客户 / client: {row['client_id']}   负责人 / owner: {row['owner']}\n"
        f"事件时间 / event time: {row['event_time'].isoformat()}"
    )
    return title, body


def _send(channel: Channel, row: Row) -> str | None:
    title, body = text(row)
    try:
        channel.send(title, body, f"{row['alert_id']}/{row['channel']}")
    except Exception as error:
        # Any failure of a channel is that channel's: the others, and later sweeps, go on.
        return f"{type(error).__name__}: {error}"[:500]
    return None
