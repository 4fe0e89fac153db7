"""Restate: what late and corrected facts would have changed, had they come in time.

Pure. A client's log is folded twice under the same rules, as it arrived and as it happened; and the
profile of a night is compared with what its date looks like today. It reports and alters nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec
import pyarrow as pa

from lifecycle.alerts.alert import Alert, canonical
from lifecycle.alerts.decide import Decider, decide
from lifecycle.alerts.late import in_event_time
from lifecycle.clients import reading
from lifecycle.clients.state import ClientState
from lifecycle.events import Event

_COMPARED = ("value", "null_reason")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that would have been another: raised, not raised, or raised differently."""

    change: Literal["GAINED", "LOST", "CHANGED"]
    client_id: str
    alert_key: str
    rule_id: str
    severity: str
    event_time: dt.datetime
    message_zh: str
    message_en: str
    because: tuple[str, ...]
    """Ids of the client's late and correcting facts."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute or score of a past date, as it was told then and as it is now."""

    client_id: str
    name: str
    before: str | None
    after: str | None


def decisions(
    client_id: str,
    arrived: Sequence[Event],
    standing: Sequence[Event],
    because: Sequence[str],
    rules: Decider,
) -> Iterator[Decision]:
    """`arrived` are a client's facts as they came, `standing` those that still count; both in the order
    of arrival."""
    then = {alert.alert_key: alert for alert in _raised(client_id, arrived, rules)}
    now = {alert.alert_key: alert for alert in _raised(client_id, in_event_time(standing), rules)}
    for key in sorted(then.keys() | now.keys()):
        before, after = then.get(key), now.get(key)
        if before and after and canonical(before) == canonical(after):
            continue
        alert = after or before
        assert alert is not None
        yield Decision(
            change="CHANGED" if before and after else "GAINED" if after else "LOST",
            client_id=client_id,
            alert_key=key,
            rule_id=alert.rule_id,
            severity=alert.severity,
            event_time=alert.event_time,
            message_zh=alert.message_zh,
            message_en=alert.message_en,
            because=tuple(because),
        )


def attribute_differences(before: pa.Table, after: pa.Table) -> Iterator[Difference]:
    """Attributes whose value, or the reason why there is none, is another; rows as the lake has them."""
    then, now = _by_key(before), _by_key(after)
    for client, name in sorted(then.keys() | now.keys()):
        old, new = then.get((client, name)), now.get((client, name))
        if old != new:
            yield Difference(client_id=client, name=name, before=_told(old), after=_told(new))


def score_differences(
    before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]
) -> Iterator[Difference]:
    """Scores with another value or band; not those of money laundering, which are for compliance alone."""
    then, now = (
        {(row["client_id"], row["score_type"]): row for row in reading.scores(list(rows), None)}
        for rows in (before, after)
    )
    for client, kind in sorted(then.keys() | now.keys()):
        old, new = (_score(rows.get((client, kind))) for rows in (then, now))
        if old != new:
            yield Difference(client_id=client, name=kind, before=old, after=new)


def _raised(client_id: str, events: Iterable[Event], rules: Decider) -> Iterator[Alert]:
    state = ClientState(client_id)
    for event in events:
        state, made = decide(state, event, rules)
        yield from (decision for decision in made if isinstance(decision, Alert))


def _by_key(rows: pa.Table) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    columns = rows.select(["client_id", "name", *_COMPARED]).to_pydict()
    keys = zip(columns["client_id"], columns["name"], strict=True)
    return dict(zip(keys, zip(*(columns[name] for name in _COMPARED), strict=True), strict=True))


def _told(found: tuple[str | None, str | None] | None) -> str | None:
    """A value, or in brackets why there is none."""
    if found is None:
        return None
    value, reason = found
    return value if value is not None else f"({reason})"


def _score(row: dict[str, Any] | None) -> str | None:
    if row is None:
        return None
    return f"{row['value']} {row['band']}" if row["status"] == "SCORED" else f"({row['status']})"
