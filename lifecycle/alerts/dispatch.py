"""Bring undelivered alerts to their owners: once per alert and channel, repaired by every sweep.

A delivery is a row that is locked while its message is sent and marked in the same transaction.
So two dispatchers never send the same message side by side, and a message that was marked is never
sent again. A dispatcher that dies after the receiver took the message and before the mark is
committed leaves it to the next sweep, which sends it again with the same key: at least once, and
the receiver can tell by the key.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import msgspec

from lifecycle.alerts.owners import Owner, routes
from lifecycle.ports import Channel

Row = dict[str, Any]

SWEEP_MESSAGES_MAX = 2_000
"""A sweep ends after this many (a mail takes about 0.1 s), and the next one goes on."""
BROKEN_AFTER = 3
"""A channel that failed this often in one sweep is left alone until the next."""


class Due(NamedTuple):
    """A delivery that is due, and how often it was tried."""

    alert_id: str
    channel: str
    attempts: int


class Deliveries(Protocol):
    """Which alert has to reach which channel, and whether it did."""

    def unplanned(self) -> list[tuple[str, str]]:
        """(alert id, owner) of open alerts that no delivery was planned for."""

    def plan(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write down that these alerts have to reach these channels."""

    def due(
        self, now: dt.datetime, channels: Sequence[str], retry_minutes: Sequence[int], limit: int
    ) -> list[Due]:
        """What is to be sent now, gravest and oldest first; of each channel at most `limit`, so
        that one which fails for long keeps no other out."""

    def claim(self, due: Due) -> AbstractContextManager[Row | None]:
        """Hold one delivery for the length of the block and give its alert, with whether its client
        is `degraded` now; None when it is delivered, was tried meanwhile, or is held by another
        dispatcher."""

    def settle(self, due: Due, now: dt.datetime, error: str | None) -> None:
        """Record the attempt, inside the claim's block: delivered when there is no error."""


class Dispatched(msgspec.Struct):
    """What one sweep did."""

    delivered: int = 0
    failed: int = 0
    left: int = 0
    """Not tried: their channel failed too often in this sweep."""
    errors: dict[str, str] = {}
    """Channel -> its last error."""
    unrouted: list[str] = []
    """Owners of alerts that reach nobody: no role of rules/operations/owners.yaml."""


def dispatch(
    deliveries: Deliveries,
    owners: Mapping[str, Owner],
    channels: Mapping[str, Channel],
    retry_minutes: Sequence[int],
    now: dt.datetime,
) -> Dispatched:
    """Send everything that is due; a channel that fails is tried again by a later sweep."""
    done = Dispatched()
    _plan(deliveries, owners, done)
    failures: Counter[str] = Counter()
    for due in deliveries.due(now, list(channels), retry_minutes, SWEEP_MESSAGES_MAX):
        if done.delivered + done.failed == SWEEP_MESSAGES_MAX:
            break
        if failures[due.channel] >= BROKEN_AFTER:
            done.left += 1
            continue
        with deliveries.claim(due) as alert:
            if alert is None:
                continue
            error = _send(channels[due.channel], due, alert)
            deliveries.settle(due, now, error)
        if error is None:
            done.delivered += 1
        else:
            done.failed += 1
            done.errors[due.channel] = error
            failures[due.channel] += 1
    return done


def _plan(deliveries: Deliveries, owners: Mapping[str, Owner], done: Dispatched) -> None:
    """A channel that is added later gets new alerts only, not every alert there ever was."""
    pairs = []
    unrouted = set()
    for alert_id, owner in deliveries.unplanned():
        names = routes(owner, owners)
        pairs += [(alert_id, name) for name in names]
        if not names:
            unrouted.add(owner)
    deliveries.plan(pairs)
    done.unrouted = sorted(unrouted)


DEGRADED = (
    "数据不全：该客户有记录在隔离区，本预警可能缺少相应事实。\n"
    "degraded: records of this client are in quarantine, so this alert may lack facts.\n\n"
)


def message_key(due: Due) -> str:
    """The idempotency key: the same for every attempt at one alert and channel."""
    return f"{due.alert_id}/{due.channel}"


def text(alert: Row) -> tuple[str, str]:
    """Title and body of the message for one alert, in both languages."""
    title = f"[{alert['severity']}] {alert['rule_id']} {alert['entity']}"
    body = (
        f"{alert['message_zh']}\n{alert['message_en']}\n\n{DEGRADED if alert['degraded'] else ''}"
        f"客户 client: {alert['client_id'] or '-'}\n"
        f"负责 owner: {alert['owner']}\n"
        f"事件时间 event time: {alert['event_time'].isoformat()}\n"
        f"预警编号 alert: {alert['alert_id']}\n\n"
        f"证据 evidence: lifecycle explain {alert['alert_id']}\n"
        f"确认 acknowledge: lifecycle alerts ack {alert['alert_id']}"
    )
    return title, body


def _send(channel: Channel, due: Due, alert: Row) -> str | None:
    title, body = text(alert)
    try:
        channel.send(title, body, message_key(due))
    except Exception as error:
        # Any failure of a channel is that channel's: the others, and later sweeps, go on.
        return f"{type(error).__name__}: {error}"[:500]
    return None
