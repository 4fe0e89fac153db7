"""The rivals' job has a known result, and their table is well-formed."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from benchmarks.ingest_job.job import job
from benchmarks.ingest_job.rules import AMOUNT, DEBITS, State, expected, fold
from benchmarks.peers.catalogue import HERE, KAFKA_STREAMS, PEERS, Peer, chosen
from lifecycle.errors import UsageError
from lifecycle.events import Event, decode, encode, money_text
from lifecycle.events.account import TransactionPosted
from lifecycle.platform import read_lock

NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def posted(number: int, amount: int, balance: int) -> Event:
    """A debit of one client; amounts in ten-thousandths of the currency unit."""
    time = NOON + dt.timedelta(minutes=number)
    data = TransactionPosted(
        business_date=time.date(),
        account_id="B1",
        transaction_id=f"T{number}",
        amount=money_text(amount),
        currency="CNY",
        credit_debit_indicator="DBIT",
        booking_datetime=time,
        balance_after=money_text(balance),
    )
    out = encode(data, source="/test", client_id="C1", time=time)
    return decode(out.value, out.key.encode(), out.topic, 0, number)


def test_the_java_rival_has_the_thresholds_of_the_job() -> None:
    source = (HERE / "KafkaStreamsIngest.java").read_text(encoding="utf-8")
    found = dict(re.findall(r"long (AMOUNT|DEBITS) = ([0-9_]+)L;", source))
    assert {name: int(text) for name, text in found.items()} == {"AMOUNT": AMOUNT, "DEBITS": DEBITS}


def test_each_of_the_three_rules_can_fire() -> None:
    state, alerts = State(), []
    fold(state, posted(0, AMOUNT, 10_000), alerts)
    assert alerts == []
    fold(state, posted(1, AMOUNT + 100, -10_000), alerts)
    assert [alert[0] for alert in alerts] == ["OVERDRAWN", "DEBITS", "AMOUNT"]


def test_the_result_of_the_job_is_known_beforehand() -> None:
    work = job(20_000, clients=250)
    right = expected(work.records)
    assert right[:2] == (work.applied, work.quarantined)
    assert right.folded == work.applied
    assert right.clients == 250
    assert right.alerts > 0
    assert right == expected(work.records)


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS.keys())
def test_a_peer_is_pinned_and_says_what_it_promises(peer: Peer) -> None:
    assert (HERE / peer.script).is_file()
    assert peer.lines > 0
    assert peer.guarantee.startswith(("at least once", "none"))
    exact = r"[\w.-]+:[\w.-]+:\d[\w.]*" if peer.is_java else r"[\w-]+==\d[\w.]*"
    assert all(re.fullmatch(exact, pin) for pin in peer.pins)
    assert any(number in peer.title for pin in peer.pins for number in re.split("[:=]+", pin)[-1:])


def test_the_jars_of_the_java_peer_are_locked() -> None:
    locked = read_lock(HERE / "kafka_streams.lock")
    assert {"-".join(pin.split(":")[1:]) + ".jar" for pin in KAFKA_STREAMS} <= locked.keys()
    assert list(read_lock(HERE / "ecj.lock")) == ["ecj-3.42.0.jar"]


def test_an_unknown_peer_is_answered_with_those_that_are_there() -> None:
    assert chosen([]) == list(PEERS.values())
    with pytest.raises(UsageError, match=r"no peer 'spark'.*quix"):
        chosen(["spark"])
