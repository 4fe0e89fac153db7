"""The Delta lake: one table per event type, with the name of the type, and one per product.

Arrow schemas follow from the event structs: money is decimal(18,4), nested structs stay structs.
An append carries an application transaction, so that repeating it adds nothing.
"""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from lifecycle.errors import UsageError
from lifecycle.events import CATALOGUE, Event
from lifecycle.events.fields import Money, Rate, SignedMoney

MONEY = pa.decimal128(18, 4)
RATE = pa.decimal128(12, 8)
INSTANT = pa.timestamp("us", "UTC")

ENVELOPE: dict[str, pa.DataType] = {
    "event_id": pa.string(),
    "source": pa.string(),
    "subject": pa.string(),
    "client": pa.string(),
    "time": INSTANT,
    "recordedtime": INSTANT,
    "topic": pa.string(),
    "partition": pa.int32(),
    "kafka_offset": pa.int64(),
    "position": pa.int64(),
    "seal_id": pa.int64(),
}
"""Columns every event table starts with; `client` is the client whose stream carried the fact."""

_DECIMALS = {
    get_args(annotated)[1].pattern: kind
    for annotated, kind in ((Money, MONEY), (SignedMoney, MONEY), (Rate, RATE))
}


ROWS_AT_ONCE = 50_000
_TOLD = ("client_id", "name", "value", "unit", "purpose", "confidence", "null_reason", "as_of")
"""Columns of a profile that a list of clients tells."""


class Lake:
    """A folder of Delta tables."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, events: Sequence[tuple[int, Event]], seal_id: int, version: int) -> None:
        """Append (position, event) pairs to the tables of their types, once per `version`."""
        by_type: dict[str, list[tuple[int, Event]]] = {}
        for position, event in events:
            by_type.setdefault(event.type, []).append((position, event))
        for name, rows in by_type.items():
            if self._done(name) < version:
                write_deltalake(
                    str(self._path / name),
                    _arrow_table(name, rows, seal_id),
                    mode="append",
                    schema_mode="merge",  # a type may have got a field since the table was made
                    commit_properties=_once(name, version),
                )

    def append_table(self, event_type: str, rows: pa.Table) -> None:
        """Append rows of a type as they stand; columns they lack are null. Raises ValueError for
        columns the type has not."""
        schema = event_schema(event_type)
        if foreign := set(rows.column_names) - set(schema.names):
            raise ValueError(f"{event_type} has no {', '.join(sorted(foreign))}.")
        columns = [
            rows[field.name].cast(field.type)
            if field.name in rows.column_names
            else pa.nulls(rows.num_rows, field.type)
            for field in schema
        ]
        table = pa.table(columns, schema=schema)
        write_deltalake(str(self._path / event_type), table, mode="append")

    def replace(self, name: str, rows: pa.Table | pa.RecordBatchReader, as_of: dt.date) -> None:
        """Make a product hold exactly these rows for `as_of`; other days stay as they are."""
        path = str(self._path / name)
        if DeltaTable.is_deltatable(path):
            write_deltalake(
                path,
                rows,
                mode="overwrite",
                predicate=f"as_of = '{as_of}'",
                schema_mode="merge",  # a product may have got a column since the table was made
            )
        else:
            write_deltalake(path, rows, partition_by=["as_of"])

    @contextmanager
    def draft(self, name: str, as_of: dt.date) -> Iterator[Draft]:
        """Rows of a product that wait beside the lake, part by part, until they are kept."""
        self._path.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f"draft-{name}-", dir=self._path) as folder:
            yield Draft(Path(folder), lambda rows: self.replace(name, rows, as_of))

    def version(self, name: str) -> int:
        """The version of a product as it stands. Raises TableNotFoundError before the first."""
        return DeltaTable(str(self._path / name)).version()

    def read_version(self, name: str, version: int, as_of: dt.date) -> pa.Table:
        """A product's rows of one business date as a version has them. Raises UsageError when there is
        no such version."""
        if not self._has(name) or not 0 <= version <= self.version(name):
            raise UsageError(f"The lake has no version {version} of {name}.")
        table = DeltaTable(str(self._path / name), version=version)
        return table.to_pyarrow_table(filters=[("as_of", "=", as_of)])

    def read(self, name: str, as_of: dt.date, columns: Sequence[str] | None = None) -> pa.Table:
        """A product's rows of one business date, or some columns of them. Raises TableNotFoundError
        before the first."""
        return self._rows(name, as_of, columns)

    def parts(self, name: str, as_of: dt.date) -> Iterator[pa.Table]:
        """The same, some rows at a time."""
        rows = DeltaTable(str(self._path / name)).to_pyarrow_dataset([("as_of", "=", str(as_of))])
        for batch in rows.to_batches(batch_size=ROWS_AT_ONCE):
            yield pa.Table.from_batches([batch])

    def has(self, name: str, as_of: dt.date) -> bool:
        """Whether a product has rows of one business date."""
        if not self._has(name):
            return False
        parts = DeltaTable(str(self._path / name)).partitions()
        return any(part["as_of"] == str(as_of) for part in parts)

    def attributes(
        self,
        as_of: dt.date,
        names: Collection[str] = (),
        columns: Sequence[str] = ("client_id", "name", "value", "null_reason"),
    ) -> pa.Table | None:
        """Some columns of some attributes, or of all when none is named, of the profiles of one business
        date; None when no night of it made any."""
        if not self._has("client_profile"):
            return None
        only = [("name", "in", sorted(names))] if names else []
        rows = self._rows("client_profile", as_of, columns, only)
        return rows if rows.num_rows else None

    def read_before(self, name: str, as_of: dt.date) -> pa.Table | None:
        """A product's rows of the newest business date before one; None when there is none."""
        if not self._has(name):
            return None
        table = DeltaTable(str(self._path / name))
        days = [dt.date.fromisoformat(p["as_of"]) for p in table.partitions()]
        earlier = [day for day in days if day < as_of]
        return self.read(name, max(earlier)) if earlier else None

    def client(self, client_id: str, as_of: dt.date) -> dict[str, Any]:
        """One client's {as_of, attributes, summary} as a night made them, the way they are served.
        Raises UsageError when no night of that date did."""
        attributes = self._of_client("client_profile", client_id, as_of)
        if not attributes:
            raise UsageError(
                f"There is no profile of {client_id} as of {as_of}: no night of that date made one."
            )
        summaries = self._of_client("client_summary", client_id, as_of)
        documents = ("standing", "quality", "checks", "needs", "questions")
        return {
            "as_of": as_of,
            "attributes": [
                {
                    **{name: value for name, value in row.items() if name != "sources"},
                    "source_event_ids": row["sources"] or [],
                }
                for row in attributes
            ],
            "summary": {
                **summaries[0],
                **{n: msgspec.json.decode(summaries[0][n]) for n in documents},
            }
            if summaries
            else None,
        }

    def everybody(self, as_of: dt.date) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Every client of a night in the order of ids: its summary without documents, and its
        attributes. Raises UsageError when no night of that date made any."""
        columns = ("client_id", "client_type", "state", "since", "grade", "as_of")
        made = self._has("client_summary")
        summaries = self.read("client_summary", as_of, columns).to_pylist() if made else []
        if not summaries:
            raise UsageError(
                f"There are no profiles as of {as_of}: no night of that date made any."
            )
        known = {row["client_id"]: row for row in summaries}
        ordered = self.read("client_profile", as_of, _TOLD).sort_by("client_id")
        for client, own in itertools.groupby(_streamed(ordered), operator.itemgetter("client_id")):
            yield known[client], list(own)

    def _of_client(self, name: str, client_id: str, as_of: dt.date) -> list[dict[str, Any]]:
        if not self._has(name):
            return []
        own = self._rows(name, as_of, only=[("client_id", "=", client_id)])
        rows: list[dict[str, Any]] = own.to_pylist()
        return rows

    def _rows(
        self,
        name: str,
        as_of: dt.date,
        columns: Sequence[str] | None = None,
        only: Sequence[tuple[str, str, Any]] = (),
    ) -> pa.Table:
        """Rows of a product of a date for which every (column, operator, value) of `only` holds."""
        return DeltaTable(str(self._path / name)).to_pyarrow_table(
            filters=[("as_of", "=", as_of), *only], columns=list(columns) if columns else None
        )

    def files(self, event_type: str) -> list[str]:
        """Parquet files of an event table as it stands; none when no such fact was sealed."""
        path = str(self._path / event_type)
        return DeltaTable(path).file_uris() if DeltaTable.is_deltatable(path) else []

    def _has(self, name: str) -> bool:
        return bool(DeltaTable.is_deltatable(str(self._path / name)))

    def _done(self, name: str) -> int:
        path = str(self._path / name)
        if not DeltaTable.is_deltatable(path):
            return -1
        version = DeltaTable(path).transaction_version(name)
        return -1 if version is None else version


class Draft:
    """Parts of a product as files of a folder, which is gone after the draft."""

    def __init__(self, folder: Path, keep: Callable[[pa.RecordBatchReader], None]) -> None:
        self._folder = folder
        self._keep = keep
        self._parts = 0

    def add(self, rows: pa.Table) -> None:
        """One more part."""
        pq.write_table(rows, self._folder / f"{self._parts:06}.parquet")
        self._parts += 1

    def keep(self) -> None:
        """Make the product hold exactly the rows added, in whatever order; without any, it stays as it
        is."""
        files = [self._folder / f"{number:06}.parquet" for number in range(self._parts)]
        if not files:
            return
        schema = pq.read_schema(files[0])
        batches = itertools.chain.from_iterable(pq.read_table(f).to_batches() for f in files)
        self._keep(pa.RecordBatchReader.from_batches(schema, batches))


def event_schema(event_type: str) -> pa.Schema:
    """The Arrow schema of an event table."""
    fields = msgspec.structs.fields(CATALOGUE[event_type].data)
    own = {field.name: _arrow_type(field.type) for field in fields}
    return pa.schema([*ENVELOPE.items(), *own.items()])


def _streamed(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows as dicts, a batch at a time: those of a whole bank at once would not fit into memory."""
    for batch in rows.to_batches(max_chunksize=ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _once(name: str, version: int) -> CommitProperties:
    return CommitProperties(app_transactions=[Transaction(name, version)])


def _arrow_table(name: str, rows: Sequence[tuple[int, Event]], seal_id: int) -> pa.Table:
    schema = event_schema(name)
    events = [event for _, event in rows]
    columns: dict[str, Iterable[Any]] = {
        "event_id": [e.id for e in events],
        "source": [e.source for e in events],
        "subject": [e.subject for e in events],
        "client": [e.client_id for e in events],
        "time": [e.time for e in events],
        "recordedtime": [e.recordedtime for e in events],
        "topic": [e.topic for e in events],
        "partition": [e.partition for e in events],
        "kafka_offset": [e.offset for e in events],
        "position": [position for position, _ in rows],
        "seal_id": [seal_id] * len(rows),
    }
    for field in schema:
        if field.name not in columns:
            columns[field.name] = [getattr(e.data, field.name) for e in events]
    return pa.table([_array(columns[f.name], f.type) for f in schema], schema=schema)


def _array(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind):
        return pa.array(values, pa.string()).cast(kind)
    if pa.types.is_nested(kind):
        values = [_plain(v) for v in values]
    return pa.array(values, kind)


def _plain(value: Any) -> Any:
    """A struct as a dict of all its fields: on the wire a field at its default is left out."""
    if isinstance(value, msgspec.Struct):
        # What the class holds: `msgspec.structs.fields` evaluates annotations at every call.
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return {written: _plain(getattr(value, name)) for written, name in names}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _arrow_type(annotation: Any) -> pa.DataType:
    return _of(msgspec.inspect.type_info(annotation), nested=False)


def _of(info: Any, *, nested: bool) -> pa.DataType:
    """One msgspec type as an Arrow type. Decimals inside nested structs stay text."""
    kinds: Mapping[type, Any] = {
        msgspec.inspect.DateType: pa.date32(),
        msgspec.inspect.DateTimeType: INSTANT,
        msgspec.inspect.BoolType: pa.bool_(),
        msgspec.inspect.IntType: pa.int64(),
        msgspec.inspect.LiteralType: pa.string(),
    }
    if isinstance(info, msgspec.inspect.Metadata):
        return _of(info.type, nested=nested)
    if type(info) in kinds:
        return kinds[type(info)]
    if isinstance(info, msgspec.inspect.StrType):
        return pa.string() if nested else _DECIMALS.get(info.pattern, pa.string())
    if isinstance(info, msgspec.inspect.UnionType):
        some = [t for t in info.types if not isinstance(t, msgspec.inspect.NoneType)]
        return _of(some[0], nested=nested)
    if isinstance(info, msgspec.inspect.VarTupleType):
        return pa.list_(_of(info.item_type, nested=True))
    assert isinstance(info, msgspec.inspect.StructType), info
    return pa.struct([(field.encode_name, _of(field.type, nested=True)) for field in info.fields])
