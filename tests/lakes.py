"""A lake of facts without a broker or a database, and the profile of it."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from lifecycle import profiling
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts
from lifecycle.events import Fact, Outgoing, decoded
from tests.support import outgoing

CHUNK = 50_000
ZONE = ZoneInfo("Asia/Shanghai")


def lake_of(path: Path, facts: Iterable[Outgoing]) -> Lake:
    """The facts sealed in the order they come."""
    lake = Lake(path)
    events = enumerate(map(decoded, facts), start=1)
    for version, chunk in enumerate(iter(lambda: list(itertools.islice(events, CHUNK)), [])):
        lake.append(chunk, seal_id=1, version=version)
    return lake


def lake_of_one(path: Path, *facts: Fact, client: str = "C1") -> Lake:
    """The facts of one client."""
    return lake_of(path, [outgoing(f, client, sequence=n) for n, f in enumerate(facts, start=1)])


def profile_of(lake: Lake, day: dt.date, rules: RuleSet, zone: ZoneInfo = ZONE) -> pa.Table:
    """Every attribute of every client as of the end of a date."""
    with DuckDBEngine(lake) as engine:
        facts = Facts(engine, day, zone, frozenset())
        consents = profiling.allowed_purposes(engine, facts, rules.parameters)
        parts = profiling.attributes(engine, facts, rules.parameters, consents)
        return pa.concat_tables(rows for _, rows in parts)
