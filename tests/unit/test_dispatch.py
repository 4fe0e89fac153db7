"""Dispatch: once per alert and channel, failures tried again, one broken channel hurts no other."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lifecycle.adapters.memory_deliveries import MemoryDeliveries
from lifecycle.alerts.dispatch import BROKEN_AFTER, Dispatched, dispatch, text
from lifecycle.alerts.owners import Owner
from lifecycle.ports import Channel

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
RETRY_MINUTES = (1, 5)
OWNERS = {
    role: Owner(zh=role, en=role, mail=f"{role}@x", channels=("file", "mail"))
    for role in ("RM", "RO", "CO", "CP", "OPS")
}


class Postbox:
    """A channel that keeps what it takes, and can be out of order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken: list[tuple[str, str, str]] = []
        self.broken = False
        self.tried = 0

    def send(self, title: str, body: str, key: str) -> None:
        self.tried += 1
        if self.broken:
            raise ConnectionError("nobody there")
        self.taken.append((key, title, body))


def alert(
    number: int = 1, owner: str = "RM", severity: str = "P2", **changes: Any
) -> dict[str, Any]:
    row = {
        "alert_id": f"id-{number}",
        "alert_key": f"RT-03|account/{number}|1",
        "rule_id": "RT-03",
        "severity": severity,
        "owner": owner,
        "status": "NEW",
        "client_id": f"C{number}",
        "entity": f"account/{number}",
        "message_zh": "余额为负",
        "message_en": "The balance is below the limit",
        "event_time": NOW,
        "detected_at": NOW + dt.timedelta(seconds=number),
    }
    return row | changes


@pytest.fixture
def postboxes() -> dict[str, Postbox]:
    names = [f"{role}:{kind}" for role in OWNERS for kind in ("file", "mail")]
    return {name: Postbox(name) for name in names}


def sweep(
    deliveries: MemoryDeliveries, postboxes: dict[str, Postbox], minutes: float = 0
) -> Dispatched:
    channels: dict[str, Channel] = dict(postboxes)
    return dispatch(
        deliveries, OWNERS, channels, RETRY_MINUTES, NOW + dt.timedelta(minutes=minutes)
    )


def test_each_channel_of_the_owner_gets_it_once(postboxes: dict[str, Postbox]) -> None:
    deliveries = MemoryDeliveries([alert(1, "RM+RO"), alert(2, "CO")])
    assert sweep(deliveries, postboxes).delivered == 6
    assert sweep(deliveries, postboxes, 60).delivered == 0
    reached = {name: [key for key, _, _ in box.taken] for name, box in postboxes.items()}
    assert {name for name, keys in reached.items() if keys} == {
        "RM:file", "RM:mail", "RO:file", "RO:mail", "CO:file", "CO:mail",
    }  # fmt: skip
    assert reached["RM:mail"] == ["id-1/RM:mail"]
    assert reached["CO:mail"] == ["id-2/CO:mail"]


def test_the_gravest_goes_first(postboxes: dict[str, Postbox]) -> None:
    deliveries = MemoryDeliveries([alert(1, severity="P3"), alert(2, severity="P1")])
    sweep(deliveries, postboxes)
    assert [key for key, _, _ in postboxes["RM:mail"].taken] == ["id-2/RM:mail", "id-1/RM:mail"]


def test_a_failure_is_tried_again_after_growing_pauses(postboxes: dict[str, Postbox]) -> None:
    deliveries = MemoryDeliveries([alert()])
    postboxes["RM:mail"].broken = True
    first = sweep(deliveries, postboxes)
    assert (first.delivered, first.failed) == (1, 1)
    assert first.errors == {"RM:mail": "ConnectionError: nobody there"}
    assert sweep(deliveries, postboxes, 0.5).failed == 0, "not before its pause is over"
    assert sweep(deliveries, postboxes, 1).failed == 1
    assert sweep(deliveries, postboxes, 5).failed == 0, "the second pause is longer"
    postboxes["RM:mail"].broken = False
    assert sweep(deliveries, postboxes, 6).delivered == 1
    assert len(postboxes["RM:file"].taken) == 1, "what was delivered is not sent again"


def test_a_broken_channel_is_left_alone_and_hurts_no_other(postboxes: dict[str, Postbox]) -> None:
    deliveries = MemoryDeliveries([alert(n) for n in range(20)])
    postboxes["RM:mail"].broken = True
    done = sweep(deliveries, postboxes)
    assert (done.delivered, done.failed, done.left) == (20, BROKEN_AFTER, 20 - BROKEN_AFTER)
    assert postboxes["RM:mail"].tried == BROKEN_AFTER


def test_a_broken_channel_with_a_full_sweep_of_messages_hurts_no_other(
    postboxes: dict[str, Postbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lifecycle.alerts.dispatch.SWEEP_MESSAGES_MAX", 10)
    grave = [alert(n, "RO", "P1") for n in range(20)]
    deliveries = MemoryDeliveries([*grave, *(alert(n, "RM") for n in range(20, 22))])
    for kind in ("file", "mail"):
        postboxes[f"RO:{kind}"].broken = True
    assert sweep(deliveries, postboxes).delivered == 4
    assert len(postboxes["RM:mail"].taken) == 2, "the others' messages are less grave, and leave"


def test_a_sweep_ends_after_so_many_messages(
    postboxes: dict[str, Postbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lifecycle.alerts.dispatch.SWEEP_MESSAGES_MAX", 10)
    deliveries = MemoryDeliveries([alert(n, "RM+RO") for n in range(3)])
    assert [sweep(deliveries, postboxes).delivered for _ in range(3)] == [10, 2, 0]


def test_an_alert_that_is_held_by_another_dispatcher_is_not_sent(
    postboxes: dict[str, Postbox],
) -> None:
    deliveries = MemoryDeliveries([alert()])
    deliveries.plan([("id-1", "RM:mail")])
    (due,) = deliveries.due(NOW, ["RM:mail"], RETRY_MINUTES, 10)
    with deliveries.claim(due):
        sweep(deliveries, postboxes)
    assert postboxes["RM:mail"].taken == []


def test_a_crash_after_sending_sends_again_with_the_same_key(postboxes: dict[str, Postbox]) -> None:
    class Dying(MemoryDeliveries):
        def settle(self, *_: Any) -> None:
            raise SystemExit

    row = alert()
    with pytest.raises(SystemExit):
        sweep(Dying([row]), postboxes)
    sweep(MemoryDeliveries([row]), postboxes)
    file_keys = [key for key, _, _ in postboxes["RM:file"].taken]
    assert file_keys == ["id-1/RM:file"] * 2


def test_an_owner_without_channels_is_named(postboxes: dict[str, Postbox]) -> None:
    done = sweep(MemoryDeliveries([alert(owner="XX")]), postboxes)
    assert done.unrouted == ["XX"]
    assert done.delivered == 0


def test_a_closed_alert_is_not_delivered(postboxes: dict[str, Postbox]) -> None:
    assert sweep(MemoryDeliveries([alert(status="CLOSED")]), postboxes).delivered == 0


def test_the_text_has_both_languages_and_says_what_to_do() -> None:
    title, body = text(alert() | {"degraded": False})
    assert title == "[P2] RT-03 account/1"
    assert "余额为负" in body
    assert "below the limit" in body
    assert "lifecycle alerts ack id-1" in body
    assert "degraded" not in body


def test_the_text_says_when_facts_of_the_client_are_in_quarantine(
    postboxes: dict[str, Postbox],
) -> None:
    sweep(MemoryDeliveries([alert(1), alert(2)], degraded={"C2"}), postboxes)
    said = {key: body for key, _, body in postboxes["RM:mail"].taken}
    assert "degraded" not in said["id-1/RM:mail"]
    assert "该客户有记录在隔离区" in said["id-2/RM:mail"]
    assert "records of this client are in quarantine" in said["id-2/RM:mail"]
