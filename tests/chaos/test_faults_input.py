"""Faults 11 and 14 to 20: what arrives is hostile, doubled, out of order, late, or of another
version. All but the breaker's need no broken machine, only a consumer that is not misled."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from lifecycle import app
from lifecycle.events.envelope import Reason
from lifecycle.settings import ROOT
from tests.chaos.rig import EVENTS, PATIENCE, RECORD_BYTES_MAX, SEED, Rig
from tests.chaos.traffic import Fate, Produced, good
from tests.hostile import corpus
from tests.samples import client_life
from tests.support import at, disbursed, made, opened, outgoing, posted, query, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
TOPIC = "bank.account.v1"
REASONS = set(get_args(Reason))


def _reasons(rig: Rig) -> Counter[str]:
    return Counter(reason for (reason,) in query(rig.settings, "SELECT reason FROM quarantine"))


def _bad(value: bytes | None, name: str, topic: str = TOPIC, key: str | None = "C1") -> Produced:
    return Produced(topic, key, value, "quarantined", name)


def _changed(produced: Produced, fate: Fate = "quarantined", **envelope: Any) -> Produced:
    """The same record with other attributes; `data=` merges into the data."""
    body = json.loads(produced.value or b"{}")
    body["data"] |= envelope.pop("data", {})
    body |= envelope
    return produced._replace(value=json.dumps(body).encode(), fate=fate)


def _between_good(records: Sequence[Produced]) -> list[Produced]:
    """The same with two good entries of nothing behind each bad one, so that the breaker, which looks
    at a partition, leaves it alone."""
    found: list[Produced] = []
    for number, record in enumerate(records):
        found.append(record)
        if record.fate == "quarantined":
            found += [_one(number=f"between-{number}-{n}", amount="0") for n in range(2)]
    return found


# --- 11: hostile bytes ------------------------------------------------------------------------


def test_fault_11_hostile_bytes(rig: Rig) -> None:
    """Inject: mutations of every type of the catalogue (bad UTF-8, truncated, null, empty, nested
    5,000 deep, doubled names, NaN, Infinity, floats as money, other types and versions, 1970 and
    2300, SQL and formulas), at least 2,000, one after every good one. Expect: each is in quarantine
    whole, with a reason of the closed list; every good one is applied; the consumer lives and then
    idles."""
    chance = random.Random(SEED)
    hostile = [
        Produced(h.topic, h.key, h.value, "quarantined", h.name)
        for _, wrong in corpus(SEED)
        for h in wrong
    ]
    hostile = chance.sample(hostile, min(len(hostile), max(2_000, EVENTS // 10)))
    life = good(client_life(f"H{SEED}", SEED))
    facts = [*life, *rig.traffic(max(EVENTS, 2_000) - len(life))]
    mixed = [record for pair in zip_longest(facts, hostile) for record in pair if record]
    rig.publish(mixed)
    with rig.running(rig.consume(LIFECYCLE_RULES=str(_rules(rig, breaker_run=10**6)))) as consumer:
        rig.settle()
        before = consumer.cpu_seconds()
        time.sleep(2)
        assert consumer.cpu_seconds() - before < 1.0, "it spins"
    assert _reasons(rig).keys() == REASONS


def test_fault_11_two_megabytes(rig: Rig) -> None:
    """Inject: a record of 2 MB that is no event, in the middle of good ones. Expect: in quarantine
    whole; the others are applied and their alerts leave."""
    _allow_large(rig)
    huge = b'{"specversion":"1.0","id":"' + b"x" * 2 * 2**20 + b'"}'
    records = rig.traffic(200)
    rig.publish([*records[:100], _bad(huge, "2 MB"), *records[100:]])
    with rig.running(rig.consume()):
        rig.wait_received()
        assert rig.ask("SELECT raw FROM quarantine") == huge
        with rig.running(rig.relay()):
            leaves = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            wait_for(lambda: rig.ask(leaves) == 0, 15, "the outbox drains")
        rig.settle()


def _allow_large(rig: Rig) -> None:
    """The topic takes records of 4 MiB, so that one of 2 MB can get to the consumer at all."""
    admin = KafkaAdminClient(bootstrap_servers=rig.settings.kafka_bootstrap)
    try:
        admin.alter_configs([
            ConfigResource(
                ConfigResourceType.TOPIC, TOPIC, {"max.message.bytes": str(RECORD_BYTES_MAX)}
            )
        ])
    finally:
        admin.close()


# --- 14: everything is bad --------------------------------------------------------------------


def _rules(rig: Rig, **figures: Any) -> Path:
    """The rule files with other limits for the consumers."""
    folder = rig.settings.home / f"rules-{'-'.join(map(str, figures.values()))}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "rules", folder)
    path = folder / "operations" / "ingest.yaml"
    text = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, value in figures.items():
        text["parameters"][name]["value"] = value
    if "breaker_run" in figures:
        text["parameters"]["breaker_window"]["value"] = 10 * figures["breaker_run"]
    path.write_text(yaml.safe_dump(text, allow_unicode=True), encoding="utf-8")
    return folder


def test_fault_14_a_bad_deploy(rig: Rig) -> None:
    """Inject: one partition brings only bad records, the others good ones. Expect: the breaker
    stops that partition at its limit, the stored offset right behind the last record taken; the
    others flow; when a person says so it reads on, and everything is accounted for."""
    limit = 50
    rules = str(_rules(rig, breaker_run=limit))
    partition = 3
    start = _next(rig, partition)
    records = rig.traffic(EVENTS // 2)
    bad = [_bad(b"{deploy %d" % n, f"bad {n}") for n in range(2 * limit)]
    rig.publish(bad, partition)
    others = [r for r in records if r.topic != TOPIC]
    assert others
    with rig.running(rig.faulty("--batch", "10000", LIFECYCLE_RULES=rules)) as consumer:
        wait_for(lambda: "partition_stopped" in consumer.said(), PATIENCE, "the breaker trips")
        assert _next(rig, partition) == start + limit, "right behind the record that tripped it"
        assert rig.ask("SELECT count(*) FROM quarantine") == limit
        rig.publish(records)  # what goes to the stopped partition waits, the rest flows
        flows = "SELECT count(*) FROM event_log WHERE topic <> 'bank.account.v1' OR partition <> 3"
        wait_for(lambda: rig.ask(flows) > 0, PATIENCE, "other partitions flow")
        assert _next(rig, partition) == start + limit
        _resume(rig, partition)
        wait_for(
            lambda: _next(rig, partition) >= start + 2 * limit, PATIENCE, "the rest of the bad ones"
        )
        if rig.ask("SELECT count(*) FROM consumer_offset WHERE stopped_at IS NOT NULL"):
            _resume(rig, partition)
        rig.settle()


def _next(rig: Rig, partition: int) -> int:
    return int(
        rig.ask(
            "SELECT next_offset FROM consumer_offset WHERE topic = %s AND partition = %s",
            TOPIC,
            partition,
        )
    )


def _resume(rig: Rig, partition: int) -> None:
    app.decide_offset(rig.settings, TOPIC, partition, None, actor="op", reason="deploy undone")


# --- 15 to 17: twice, too early, too late -----------------------------------------------------


def test_fault_15_the_same_id_again(rig: Rig) -> None:
    """Inject: every tenth fact comes again, byte for byte, and every tenth id comes again with
    another amount. Expect: the first is kept; the second is a duplicate, or is in quarantine as
    ID_REUSE."""
    records = rig.traffic()
    amounts = [r for r in records if b"transaction_posted" in (r.value or b"")]
    again = [r._replace(fate="duplicate") for r in records[::10]]
    reused = [_changed(r, data={"amount": "666.00"}) for r in amounts[::10]]
    chance = random.Random(SEED)
    rig.publish([*records, *chance.sample([*again, *reused], len(again) + len(reused))])
    with rig.running(rig.consume()):
        rig.settle()
    assert _reasons(rig) == {"ID_REUSE": len(reused)}


def test_fault_16_effects_before_causes(rig: Rig) -> None:
    """Inject: entries before their account, a repayment before its loan, a sixth of the accounts
    never come. Expect: orphans are parked, not applied and not quarantined; each is released in
    the transaction that brings what it waits for; the rest stays parked."""
    records = rig.traffic()
    accounts = [r for r in records if b"account.opened" in (r.value or b"")]
    loans = [r for r in records if b"credit.disbursed" in (r.value or b"")]
    causes = {r.name for r in (*accounts, *loans)}
    never = {r.key for r in accounts[::6]}
    effects = [
        r._replace(fate="parked" if r.key in never and r.topic == TOPIC else "applied")
        for r in records
        if r.name not in causes
    ]
    rig.publish(effects)
    with rig.running(rig.consume()):
        rig.wait_received(len(effects))
        assert rig.ask("SELECT count(*) FROM parked") == len(effects)
        assert rig.ask("SELECT count(*) FROM event_log") == 0
        rig.publish([*loans, *(r for r in accounts if r.key not in never)])
        rig.settle()
    assert rig.ask("SELECT count(*) FROM quarantine") == 0


def test_fault_17_thirty_days_late(rig: Rig) -> None:
    """Inject: for a tenth of the clients every entry comes thirty days after younger ones, among
    them a passing overdraft. Expect: stored and folded, balances are the newest ones, and no alert
    is raised about the past that the present has overtaken."""
    day = dt.date(2026, 6, 1)
    on_time, late = [], []
    for number in range(max(10, EVENTS // 40)):
        account, client = f"LATE-{number}", f"LC-{number}"
        on_time.append(outgoing(opened(account, client, day=day - dt.timedelta(days=60)), client))
        newest = posted(1, account_id=account, day=day, balance_after="500.00")
        on_time.append(outgoing(newest, client))
        if number % 10 == 0:
            old = day - dt.timedelta(days=30)
            overdrawn = posted(0, account_id=account, day=old, balance_after="-100.00")
            late.append(outgoing(overdrawn, client))
    rig.publish(good(on_time))
    with rig.running(rig.consume()):
        rig.wait_received()
        rig.publish(good(late))
        rig.settle()
    states = app.prove(rig.settings)
    assert states.equal
    storm = rig.ask("SELECT count(*) FROM alert")
    assert storm == 0, f"{storm} alerts about a balance of thirty days ago"


# --- 18 to 20: times, versions, money ---------------------------------------------------------


def _one(**changes: Any) -> Produced:
    """One posting of its own as a producer would send it."""
    number = changes.pop("number")
    return good([outgoing(posted(number, account_id="A1", **changes))])[0]


def test_fault_18_times_that_cannot_be(rig: Rig) -> None:
    """Inject: 1970, ten years ahead, epoch seconds, milli-, micro- and nanoseconds, no zone, a
    date without time. Expect: quarantined, the reason names the bound or the format; the records
    around them are applied."""
    instant = int(at(dt.date(2026, 3, 2)).timestamp())
    times = {
        "1970-01-01T00:00:00Z": "TIME_OUT_OF_RANGE",
        "2036-11-24T00:00:00Z": "FUTURE_TIME",
        "2026-03-02T12:00:00": "TIME_FORMAT",
        "2026-03-02": "TIME_FORMAT",
        instant * 1_000: "TIME_FORMAT",
        instant * 1_000_000: "TIME_FORMAT",
        instant * 1_000_000_000: "TIME_FORMAT",
        instant: "TIME_FORMAT",
    }
    records = [good([outgoing(opened())])[0]]
    wanted: Counter[str] = Counter()
    for round_ in range(max(1, EVENTS // (2 * len(times)))):
        for number, (when, reason) in enumerate(times.items()):
            records.append(_one(number=f"{round_}-{number}-good"))
            records.append(_changed(_one(number=f"{round_}-{number}"), time=when))
            wanted[reason] += 1
    rig.publish(records)
    with rig.running(rig.consume()):
        rig.settle()
    assert _reasons(rig) == wanted
    (detail,) = query(
        rig.settings, "SELECT detail FROM quarantine WHERE reason = 'TIME_OUT_OF_RANGE' LIMIT 1"
    )[0]
    assert ": before 1990-01-01" in detail


def test_fault_19_schema_versions(rig: Rig) -> None:
    """Inject: a minor version with a new field, a required field missing, a type changed, an
    unknown enum value, a major version, a version that is none. Expect: the additive one is
    applied with its bytes kept; the others are quarantined, and the reason names the version."""
    schema = "urn:bank:schema:account.transaction_posted"
    records = [good([outgoing(opened())])[0]]
    wanted: Counter[str] = Counter()
    for n in range(EVENTS // 16):
        newer = {"dataschema": f"{schema}:1.7.0", "data": {"loyalty_points": n}}
        records.append(_changed(_one(number=f"{n}-a"), "applied", **newer))
        missing = json.loads(_one(number=f"{n}-b").value or b"")
        del missing["data"]["currency"]
        bad = [
            _one(number=f"{n}-b")._replace(value=json.dumps(missing).encode(), fate="quarantined"),
            _changed(_one(number=f"{n}-c"), data={"is_cash": "yes"}),
            _changed(_one(number=f"{n}-d"), data={"credit_debit_indicator": "BOTH"}),
            _changed(_one(number=f"{n}-e"), dataschema=f"{schema}:2.0.0"),
            _changed(_one(number=f"{n}-f"), dataschema=f"{schema}:latest"),
        ]
        records += bad
        wanted += Counter({"SCHEMA": 3, "SCHEMA_VERSION": 2})
    rig.publish(_between_good(records))
    with rig.running(rig.consume()):
        rig.settle()
    assert _reasons(rig) == wanted
    details = query(rig.settings, "SELECT DISTINCT reason, detail FROM quarantine")
    assert all(schema in detail for _, detail in details), details


def test_fault_20_money(rig: Rig) -> None:
    """Inject: amounts as floats, exponents, too long, negative, with five decimals, a currency
    missing or three-decimal yen; and exact ones at the limits. Expect: exact ones are kept to the
    last digit, the others are quarantined; control totals agree."""
    exact = ("0", "0.01", "0.1", "9999999999999.99", "1234567.89")
    wrong: tuple[Any, ...] = (
        1.1,
        1e3,
        "1e3",
        "99999999999999",
        "-5.00",
        "0.001",
        "",
        "1,5",
        "NaN",
    )
    records = [good([outgoing(opened())])[0]]
    rounds = EVENTS // 35
    for n in range(rounds):
        records += [_one(number=f"{n}-{i}", amount=a) for i, a in enumerate(exact)]
        records += [
            _changed(_one(number=f"{n}-w{i}"), data={"amount": amount})
            for i, amount in enumerate(wrong)
        ]
        records.append(_changed(_one(number=f"{n}-none"), data={"currency": None}))
    rig.publish(_between_good(records))
    with rig.running(rig.consume()):
        rig.settle()
    assert _reasons(rig) == {"SCHEMA": rounds * (len(wrong) + 1)}
    total = sum((Decimal(a) for a in exact), Decimal()) * rounds
    assert rig.ledger.money["account/A1"] == total


def test_fault_20_more_decimals_than_the_currency_has(rig: Rig) -> None:
    """Inject: yen with three decimals. Expect: quarantined."""
    yen = _changed(_one(number="yen"), data={"amount": "100.123", "currency": "JPY"})
    rig.publish([good([outgoing(opened())])[0], yen])
    with rig.running(rig.consume()):
        rig.settle()


def test_fault_16_a_repayment_before_its_loan(rig: Rig) -> None:
    """Inject: the repayment of a loan is read long before its disbursement, from one topic.
    Expect: parked with what it waits for, then applied once."""
    day = dt.date(2026, 4, 2)
    rig.publish(good([outgoing(made("P1", day))]))
    with rig.running(rig.consume()):
        rig.wait_received()
        assert rig.ask("SELECT waits_for FROM parked") == "facility/L1"
        rig.publish(good([outgoing(disbursed())]))
        rig.settle()
    assert rig.ask("SELECT count(*) FROM parked") == 0
