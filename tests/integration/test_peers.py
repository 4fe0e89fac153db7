"""What the rivals in Python share: the same records a second time change nothing."""

from __future__ import annotations

import pytest

from benchmarks.ingest import plain_tables
from benchmarks.ingest_job import tables
from benchmarks.ingest_job.job import job
from benchmarks.ingest_job.rules import State, expected
from benchmarks.peers.common import DUPLICATE, Outcome, Writer, from_plain, read, take, to_plain
from lifecycle.events import Outgoing
from lifecycle.settings import Settings

pytestmark = pytest.mark.integration


def outcomes(records: list[Outgoing]) -> list[Outcome]:
    """As a rival finds them, with every state stored and read back in between."""
    found, seen, states = [], set(), {}
    for offset, record in enumerate(records):
        event = read(record.value, record.key.encode(), 0, offset)
        if isinstance(event, Outcome):
            found.append(event)
        elif event.id in seen:
            found.append(DUPLICATE)
        else:
            seen.add(event.id)
            state: State = from_plain(states.get(event.client_id))
            found.append(take(event, record.value, state))
            states[event.client_id] = to_plain(state)
    return found


def test_the_writer_ends_with_the_right_result_however_often_it_writes(clean: Settings) -> None:
    work = job(2_000, clients=50)
    with plain_tables(clean) as connection:
        writer = Writer(clean.database_url)
        for _ in range(2):
            writer.write(outcomes(work.records))
            assert tables.found(connection) == expected(work.records)
