"""The plain reference, the product and the rivals in turn, round after round, on one platform."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.ingest import (
    CLIENTS_PER_EVENT,
    SECONDS_MAX,
    Rate,
    check,
    cpu_of,
    plain_progress,
    plain_tables,
    product,
    reference,
    watch,
)
from benchmarks.ingest_job.job import Job, job
from benchmarks.ingest_job.rules import Result, expected
from benchmarks.peers.catalogue import Peer, chosen
from benchmarks.peers.environment import command, install
from benchmarks.scratch import calibration_us, machine_facts, scratch_platform
from consumers.publish import publish
from lifecycle.errors import NotRunning
from lifecycle.events.catalogue import ACCOUNT
from lifecycle.settings import ROOT, Settings

END_SECONDS_MAX = 10

Note = Callable[[str], None]
Runs = dict[str, list[Rate]]
Faults = dict[str, str]
"""Name of a rival -> why it has no rate."""


def measure(events: int, rounds: int, names: Sequence[str], note: Note) -> dict[str, Any]:
    """Publish the job; in every round the reference, the product and each rival that is there."""
    peers = chosen(names)
    with scratch_platform() as configured:
        note(f"making and publishing {events:,} records")
        work = job(events, clients=max(100, round(events * CLIENTS_PER_EVENT)))
        publish(iter(work.records), configured.kafka_bootstrap)
        right = expected(work.records)
        faults = _install(peers, configured.home, note)
        runs: Runs = {name: [] for name in ("reference", "product", *(p.name for p in peers))}
        speed = []
        for number in range(1, rounds + 1):
            speed.append(calibration_us())
            note(f"round {number} of {rounds}: the plain pipeline")
            runs["reference"].append(reference(configured, work, right))
            note(f"round {number} of {rounds}: the product")
            runs["product"].append(product(configured, work, processes=1))
            for peer in (p for p in peers if p.name not in faults):
                note(f"round {number} of {rounds}: {peer.title}")
                try:
                    runs[peer.name].append(_run(peer, configured, work, right))
                except AssertionError as error:
                    faults[peer.name] = str(error)
                    note(f"{peer.title}: {error}")
    return _report(work, right, peers, runs, faults, speed)


def _install(peers: Sequence[Peer], home: Path, note: Note) -> Faults:
    faults: Faults = {}
    for peer in peers:
        note(f"installing {peer.title}")
        try:
            install(peer, _classes(home))
        except NotRunning as error:
            faults[peer.name] = str(error)
            note(str(error))
    return faults


def _classes(home: Path) -> Path:
    folder = home / "peers"
    folder.mkdir(exist_ok=True)
    return folder


def _run(peer: Peer, configured: Settings, work: Job, right: Result) -> Rate:
    """One rival on empty tables, with state and group of its own."""
    with plain_tables(configured) as connection, _process(peer, configured) as child:

        def received() -> int:
            if child.status() == psutil.STATUS_ZOMBIE:
                raise AssertionError(f"ended by itself: {_last_line(_log(peer, configured))}")
            return plain_progress(connection)

        deadline = time.monotonic() + SECONDS_MAX
        while not received() and time.monotonic() < deadline:
            time.sleep(0.01)
        processes = [child, *child.children(recursive=True)]
        rate = watch(configured, received, len(work.records), processes)
        check(connection, right)
    return rate


@contextmanager
def _process(peer: Peer, configured: Settings) -> Iterator[psutil.Process]:
    """A rival's process and all that it starts, ended together."""
    group = f"{peer.name}-{uuid.uuid4().hex[:8]}"
    folder = configured.home / "peers" / group
    folder.mkdir()
    asked = {
        "bootstrap": configured.kafka_bootstrap,
        "database": configured.database_url,
        "topic": ACCOUNT,
        "partitions": configured.partitions,
        "group": group,
        "folder": str(folder),
        "option": peer.option,
    }
    with (
        _log(peer, configured).open("wb") as log,
        subprocess.Popen(
            command(peer, _classes(configured.home), asked),
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as child,
    ):
        try:
            yield psutil.Process(child.pid)
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask, then insist; the group outlives its leader where that died first."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, how)
            child.wait(END_SECONDS_MAX)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _log(peer: Peer, configured: Settings) -> Path:
    return configured.home / "run" / f"{peer.name}.log"


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "it said nothing")


def _report(
    work: Job,
    right: Result,
    peers: Sequence[Peer],
    runs: Runs,
    faults: Faults,
    speed: Sequence[float],
) -> dict[str, Any]:
    rows = {
        "reference": _row("plain pipeline with gate, Python", "exactly once", runs, "reference"),
        "product": _row("the product, one process", "exactly once", runs, "product"),
    }
    for peer in peers:
        rows[peer.name] = {
            **_row(peer.title, peer.guarantee, runs, peer.name),
            "lines": peer.lines,
            "right": peer.name not in faults,
            "fault": faults.get(peer.name),
        }
    return {
        "records": len(work.records),
        "right_result": right._asdict(),
        "pipelines": rows,
        "calibration_us": [round(us, 2) for us in speed],
        "machine": machine_facts(),
    }


def _row(title: str, guarantee: str, runs: Runs, name: str) -> dict[str, Any]:
    """Medians over the rounds; the ratio is to the plain pipeline of the same round."""
    row: dict[str, Any] = {"title": title, "guarantee": guarantee, "right": True}
    rates = runs[name]
    if not rates:
        return row
    pairs = zip(rates, runs["reference"], strict=False)
    ratios = [mine.events_per_second / plain.events_per_second for mine, plain in pairs]
    return row | {
        "events_per_second": round(statistics.median(r.events_per_second for r in rates)),
        "ratio": round(statistics.median(ratios), 2),
        "cpu_us_per_event": cpu_of(rates),
        "peak_rss_mb": max(r.peak_rss_mb for r in rates),
        "rounds": [round(r.events_per_second) for r in rates],
    }
