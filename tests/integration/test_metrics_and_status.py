"""What a running consumer says of itself: numbers, a log without payloads, what stands still."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumers.metrics import Metrics
from consumers.relay import producer_for, send
from lifecycle import app
from lifecycle.ports import OutboxMessage
from lifecycle.settings import LOOPBACK, ROOT, Settings
from tests.support import missed, opened, outgoing, posted, query, received, wait_for

pytestmark = pytest.mark.integration
SECRET = b"zhang-san-13800000000"
"""What stands in a payload must stand nowhere else."""


@contextmanager
def observed(configured: Settings, log: Path, **environment: str) -> Iterator[int]:
    """A consumer with a metrics port of its own; its log goes to `log`."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = int(free.getsockname()[1])
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "lifecycle.cli", "consume"],
            env={
                **os.environ,
                "LIFECYCLE_HOME": str(configured.home),
                "LIFECYCLE_METRICS_PORT": str(port),
                **environment,
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield port
    finally:
        child.terminate()
        assert child.wait(30) == 0, log.read_text()


def scraped(port: int) -> dict[str, dict[tuple[str, ...], float]]:
    """Name of a sample -> label values, by label -> value. Every name of the closed list has to be
    there, also before it has a sample, and to say what it is."""
    with urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    assert {f.name for f in Metrics().registry.collect()} < {f.name for f in families}
    page = re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    said = {f.name for f in families if not f.name.endswith("_created")}
    assert {name.removesuffix("_total") for name in page} == said
    assert all(family.documentation for family in families)
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for sample in chain.from_iterable(family.samples for family in families):
        labels = tuple(value for _, value in sorted(sample.labels.items()))
        found.setdefault(sample.name, {})[labels] = sample.value
    return found


def published(configured: Settings, records: list[tuple[str, str, bytes]]) -> None:
    producer = producer_for(configured.kafka_bootstrap)
    send(producer, [OutboxMessage(*record) for record in records])
    producer.close()


def test_every_number_is_there_and_right(clean: Settings, tmp_path: Path) -> None:
    facts = [outgoing(opened()), *(outgoing(posted(n)) for n in range(10))]
    records = [(o.topic, o.key, o.value) for o in facts]
    records += [records[3], ("bank.account.v1", "C1", b"{" + SECRET)]
    alone = outgoing(missed(1, posted(1).business_date))
    records.append((alone.topic, alone.key, alone.value))
    log = tmp_path / "consumer.log"
    with observed(clean, log, LIFECYCLE_RESTARTS="3") as port:
        published(clean, records)
        wait_for(lambda: received(clean) == len(records), 60, "consume")
        found = scraped(port)
    account, credit = ("bank.account.v1",), ("bank.credit.v1",)
    assert found["lifecycle_records_received_total"] == {account: 13, credit: 1}
    assert found["lifecycle_facts_applied_total"][account] == 11
    assert found["lifecycle_records_duplicate_total"][account] == 1
    assert found["lifecycle_facts_parked_total"][credit] == 1
    assert found["lifecycle_records_quarantined_total"] == {("UNPARSABLE",): 1}
    assert found["lifecycle_batches_fenced_total"] == {(): 0}
    assert found["lifecycle_consumer_restarts"] == {(): 3}
    assert found["lifecycle_partitions_stopped"] == {(): 0}
    assert found["lifecycle_client_states_cached"][()] == 1
    assert found["lifecycle_loop_turn_timestamp_seconds"][()] > 1_700_000_000
    for name in ("gate", "commit", "batch"):
        assert found[f"lifecycle_{name}_seconds_count"][()] >= 1
    assert found["lifecycle_batch_records_sum"][()] == 14
    lag = {(str(r["partition"]), r["topic"]): r["lag"] for r in app.offsets(clean)}
    assert found["lifecycle_lag_records"] == lag

    said = log.read_bytes()
    assert SECRET not in said
    assert b"100.00" not in said
    for line in said.decode().splitlines():
        assert {"event", "level", "timestamp"} <= json.loads(line).keys(), line


def test_status_says_what_stands_still_and_what_to_do(clean: Settings, tmp_path: Path) -> None:
    limit = 20
    rules = tmp_path / "rules"
    shutil.copytree(clean.rules, rules)
    figures = rules / "operations" / "ingest.yaml"
    figures.write_text(figures.read_text().replace("value: 1000\n", f"value: {limit}\n"))
    parked = outgoing(missed(1, posted(1).business_date))
    bad = [("bank.account.v1", "C1", b"{%d" % n) for n in range(2 * limit)]
    with observed(clean, tmp_path / "consumer.log", LIFECYCLE_RULES=str(rules)) as port:
        published(clean, [(parked.topic, parked.key, parked.value), *bad])
        stops = (
            "SELECT topic, partition, next_offset FROM consumer_offset WHERE stopped_at IS NOT NULL"
        )
        wait_for(lambda: bool(query(clean, stops)), 60, "the breaker trips")
        wait_for(lambda: received(clean) == limit + 1, 30, "the other topic flows")
        assert scraped(port)["lifecycle_partitions_stopped"] == {(): 1}
        ((topic, partition, at),) = query(clean, stops)
        status = shown(clean, "--json")
        (stopped,) = json.loads(status)["stopped"]
        assert (stopped["topic"], stopped["partition"], stopped["next_offset"]) == (
            topic,
            partition,
            at,
        )
        (waiting,) = json.loads(status)["parked"]
        assert (waiting["facts"], waiting["waits_for"]) == (1, "facility")
        text = " ".join(shown(clean).split())
        assert f"lifecycle offsets resume {topic} {partition}" in text
        assert "1 bank.credit.repayment_missed.v1 wait for their facility since" in text
        assert f"{limit} records by gate raw: UNPARSABLE" in text
        app.decide_offset(clean, topic, partition, None, actor="op", reason="the deploy was undone")
        wait_for(lambda: received(clean) == 2 * limit + 1, 60, "the rest is accounted for")
    assert app.operations(clean)["reconciliation"]["balanced"]


def shown(configured: Settings, *arguments: str) -> str:
    """What `lifecycle status` prints."""
    answer: Any = subprocess.run(
        [sys.executable, "-m", "lifecycle.cli", "status", *arguments],
        env={**os.environ, "LIFECYCLE_HOME": str(configured.home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    return str(answer.stdout)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIFECYCLE_METRICS_PORT", "abc"),
        ("LIFECYCLE_PARTITIONS", "-1"),
        ("LIFECYCLE_TIMEZONE", "Mars/Olympus"),
    ],
)
def test_a_wrong_setting_gets_one_sentence(clean: Settings, name: str, value: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "lifecycle.cli", "status"],
        env={**os.environ, "LIFECYCLE_HOME": str(clean.home), name: value},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2
    assert name in answer.stderr
    assert "Traceback" not in answer.stderr
