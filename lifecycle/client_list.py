"""Many clients as they may be read for a purpose: found by conditions, listed, exported."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle.clients import reading
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.consent import ConsentFact, Permission, ledger, permissions
from lifecycle.clients.selection import FIELDS, Condition
from lifecycle.errors import UsageError
from lifecycle.events.fields import Purpose
from lifecycle.ports import ProfileRead

Row = dict[str, Any]

CLIENTS_AT_ONCE = 1_000
"""Clients whose consents are asked for in one query."""
_COLUMNS = ("client_id", "as_of", "client_type", "state", "since", "grade", *ATTRIBUTES)


@dataclass(frozen=True)
class Reader:
    """Reads for one purpose under the consents of one moment."""

    purpose: Purpose
    free: Collection[str]
    """Purposes that need no consent."""
    facts: Callable[[Collection[str]], Iterable[ConsentFact]]
    now: dt.datetime

    def matching(
        self, clients: Iterator[tuple[Row, list[Row]]], asked: Sequence[Condition]
    ) -> Iterator[tuple[Row, Permission]]:
        """Clients that meet all conditions, with what the purpose rests on; a value that may not be
        read meets none."""
        while chunk := list(islice(clients, CLIENTS_AT_ONCE)):
            allowed = self._allowed([summary["client_id"] for summary, _ in chunk])
            for summary, rows in chunk:
                own = allowed[summary["client_id"]]
                readable = reading.attributes(rows, own, self.purpose)
                values = {row["name"]: row["value"] for row in readable}
                known = {name: _text(summary[name]) for name in FIELDS} | values
                if all(condition.holds(known) for condition in asked):
                    reasons = {
                        row["name"]: row["null_reason"]
                        for row in readable
                        if row["null_reason"] not in (None, "UNKNOWN", "NOT_APPLICABLE")
                    }
                    found = summary | {"attributes": values, "withheld": reasons}
                    yield found, own[self.purpose]

    def reads(
        self, found: Iterable[tuple[Row, Permission]], actor: str, as_of: dt.date | None
    ) -> Iterator[ProfileRead]:
        """What is to be written down of a list that was read."""
        for row, asked in found:
            yield ProfileRead(
                row["client_id"],
                self.purpose,
                actor,
                as_of,
                asked.allowed,
                asked.ground,
                self.now,
            )

    def _allowed(self, clients: Sequence[str]) -> dict[str, dict[Purpose, Permission]]:
        facts: dict[str, list[ConsentFact]] = {client: [] for client in clients}
        for fact in self.facts(clients):
            facts[fact.client_id].append(fact)
        return {c: permissions(ledger(own, self.now), self.free) for c, own in facts.items()}


def export(rows: Iterable[Row], path: Path) -> None:
    """Write clients to a CSV or Parquet file, one row each, a column for each attribute; a value that
    is withheld is empty. Raises UsageError for another kind of file, or one that cannot be written."""
    flat = ({name: row.get(name, row["attributes"].get(name)) for name in _COLUMNS} for row in rows)
    try:
        if path.suffix == ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, _COLUMNS)
                writer.writeheader()
                writer.writerows(flat)
        elif path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(list(flat), _schema()), path)
        else:
            raise UsageError(f"{path} is neither .csv nor .parquet: give it one of these endings.")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error


def _schema() -> pa.Schema:
    """Attributes are decimal text, as they are served: no amount becomes a float."""
    dates = {"as_of": pa.date32(), "since": pa.date32()}
    return pa.schema([(name, dates.get(name, pa.string())) for name in _COLUMNS])


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
