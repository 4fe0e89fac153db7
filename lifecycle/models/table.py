"""A labelled table of any origin: read, checked, and turned into numbers and categories.

What cannot be used is left out and named in `notes`; what makes the whole table useless is one
sentence.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from lifecycle.errors import UsageError
from lifecycle.models.scorecard import Kind

NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A"]
"""What stands for nothing in a CSV file."""
ODD_SHARE = 0.1
"""Text in no more of the values of a column of numbers is looked on as a mistake."""
MISSING = -1
"""The code of a category that is not there."""


@dataclass(frozen=True)
class Column:
    """Values of one column: numbers with NaN for missing, or codes into `levels`, MISSING for missing."""

    kind: Kind
    values: npt.NDArray[np.float64] | npt.NDArray[np.int32]
    levels: tuple[str, ...] = ()

    def take(self, rows: npt.NDArray[np.intp]) -> Column:
        return replace(self, values=self.values[rows])

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        return np.isnan(self.values) if self.kind == "number" else self.values == MISSING

    def words(self) -> npt.NDArray[np.object_]:
        """Categories as text, None for missing."""
        return np.array([*self.levels, None], dtype=object)[self.values]


@dataclass(frozen=True)
class Sample:
    """Rows with an outcome: columns to predict it from, 1 for bad, ids and dates where there are any."""

    columns: dict[str, Column]
    bad: npt.NDArray[np.int8]
    groups: npt.NDArray[np.object_] | None
    """What rows have in common that stay in one fold: their group where one is named, else their id."""
    dates: npt.NDArray[np.datetime64] | None
    rows: npt.NDArray[np.intp]
    """Places in the table."""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.bad)

    @property
    def bads(self) -> int:
        return int(self.bad.sum())

    def take(self, rows: npt.NDArray[np.intp]) -> Sample:
        return replace(
            self,
            columns={name: column.take(rows) for name, column in self.columns.items()},
            bad=self.bad[rows],
            groups=None if self.groups is None else self.groups[rows],
            dates=None if self.dates is None else self.dates[rows],
            rows=self.rows[rows],
        )


def read(path: Path, text: Sequence[str | None] = ()) -> pa.Table:
    """A Parquet or CSV file; columns in `text` are read as text, so that an id keeps its zeros.
    Raises UsageError when it is neither, has no rows or names a column twice."""
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
        elif path.suffix in {".csv", ".txt", ".tsv"}:
            table = _csv(path, text)
        else:
            raise UsageError(f"{path} is neither .csv nor .parquet: give it one of these endings.")
        names = table.column_names
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.") from None
    except (OSError, pa.ArrowException) as error:
        problem = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"{path} cannot be read as {path.suffix}: {problem}.") from error
    if len(names) == 1 and ";" in names[0]:
        raise UsageError(f"{path} is separated by semicolons: save it with commas.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{path} has several columns named {', '.join(twice)}: rename them.")
    if blank := sum(not name.strip() for name in names):
        raise UsageError(f"{path} has {blank} columns without a name: name them.")
    if not table.num_rows:
        raise UsageError(f"{path} has no rows.")
    return table


def _csv(path: Path, text: Sequence[str | None]) -> pa.Table:
    size = path.stat().st_size
    if not size:
        raise UsageError(f"{path} is empty.")
    found = pc_csv.read_csv(
        path,
        # Types are guessed from the first block only: one block is the whole file.
        read_options=pc_csv.ReadOptions(block_size=min(size + 1, 2**31 - 1)),
        parse_options=pc_csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ","),
        convert_options=pc_csv.ConvertOptions(
            null_values=NULLS,
            strings_can_be_null=True,
            column_types={name: pa.string() for name in text if name},
        ),
    )
    # What is not UTF-8 comes as bytes.
    if any(pa.types.is_binary(kind) for kind in found.schema.types):
        raise UsageError(f"{path} is not UTF-8 text: save it as UTF-8.")
    return found


def sample(
    table: pa.Table,
    target: str,
    id: str | None = None,
    date: str | None = None,
    group: str | None = None,
) -> Sample:
    """The rows that have an outcome (and a date, where one is named), and what can predict it."""
    for name in (target, id, date, group):
        if name is not None:
            require(table, name)
    notes: list[str] = []
    rows = _known(table, target, date, notes)
    known = table.take(rows)
    bad = outcome(known[target], target)
    ids = None if id is None else identities(known[id])
    if group is None and ids is not None and (again := len(ids) - len(set(ids))):
        notes.append(
            f"{again:,} rows have an id that came before; rows of one id stay in one fold."
        )
    own = [name for name in table.column_names if name not in {target, id, date, group}]
    columns = dict(_columns(known.select(own), bad, notes))
    if not columns:
        raise UsageError(f"Beside {target} there is no column that could predict it.")
    dates = None if date is None else days(known[date], date)
    groups = ids if group is None else identities(known[group])
    return Sample(columns, bad, groups, dates, rows, tuple(notes))


_LAKE = b"lifecycle.lake"


def from_lake(table: pa.Table, product: str, version: int) -> pa.Table:
    """The table with a note of the product of the lake it is, which Parquet keeps."""
    noted = {_LAKE: json.dumps({product: version}).encode()}
    return table.replace_schema_metadata((table.schema.metadata or {}) | noted)


def versions(table: pa.Table) -> dict[str, int]:
    """The note: product -> version; empty for a table of elsewhere."""
    found: dict[str, int] = json.loads((table.schema.metadata or {}).get(_LAKE, b"{}"))
    return found


def require(table: pa.Table, name: str) -> None:
    """Raises UsageError when the table has no such column."""
    if name not in table.column_names:
        raise UsageError(
            f"The table has no column {name}; its columns are {', '.join(table.column_names)}."
        )


def _known(
    table: pa.Table, target: str, date: str | None, notes: list[str]
) -> npt.NDArray[np.intp]:
    """Places of the rows that have an outcome and, where one is named, a date."""
    known = np.ones(table.num_rows, dtype=bool)
    for name in (target, date):
        if name is not None and (lacking := table[name].null_count):
            notes.append(f"{lacking:,} rows have no {name} and are left out.")
            known &= np.asarray(table[name].is_valid())
    if not known.any():
        raise UsageError(f"No row has a value in column {target}.")
    return np.flatnonzero(known)


def outcome(column: pa.ChunkedArray, name: str) -> npt.NDArray[np.int8]:
    """0 for good and 1 for bad. Raises UsageError for anything else, and for one of them alone."""
    found = {str(value) for value in pc.unique(column).to_pylist()}
    words = {"0": 0, "0.0": 0, "False": 0, "1": 1, "1.0": 1, "True": 1}
    if odd := sorted(found - words.keys()):
        raise UsageError(
            f"The target {name} must be 0 for good and 1 for bad, and has values such as {odd[0]}."
        )
    # Decimals of any scale were caught above; what is left are numbers, booleans or digits.
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast("float64")
    bad: npt.NDArray[np.int8] = np.asarray(column.cast("int8"))
    if len(classes := np.unique(bad)) < 2:
        only = "bad" if classes[0] else "good"
        raise UsageError(f"Every row is {only} in column {name}: both outcomes are needed.")
    return bad


def identities(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    """Ids as text. A whole number that came as a float is one again."""
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(column, pc.floor(column))).as_py()
        column = column.cast("int64") if whole else column
    return np.asarray(column.cast("string").to_pylist(), dtype=object)


def days(column: pa.ChunkedArray, name: str) -> npt.NDArray[np.datetime64]:
    """Days of dates, of timestamps, and of text that is written as one."""
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts = column.to_pylist()
            return np.array([dt.date.fromisoformat(t[:10]) for t in texts], dtype="datetime64[D]")
        if not (pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)):
            raise UsageError(f"Column {name} is of type {column.type} and no date.")
        return np.asarray(column.cast("date32")).astype("datetime64[D]")
    except ValueError as error:
        raise UsageError(
            f"Column {name} has a value that is no date ({error}): write dates as YYYY-MM-DD."
        ) from error


def _columns(
    table: pa.Table, bad: npt.NDArray[np.int8], notes: list[str]
) -> Iterator[tuple[str, Column]]:
    """What can predict; the rest is named in the notes."""
    for name in table.column_names:
        column = column_of(table[name])
        if column is None:
            what = f"is of type {table[name].type}; make a number or a category of it"
        elif column.missing.all():
            what = "is empty"
        elif len(np.unique(column.values[~column.missing])) < 2 and not column.missing.any():
            what = "has one value only"
        elif _counts_rows(table[name]):
            what = "counts the rows; name an id with --id"
        elif _copies(column, bad):
            what = "is the target under another name"
        else:
            if column.kind == "number" and (endless := int(np.isinf(column.values).sum())):
                notes.append(
                    f"Column {name} has {endless:,} infinite values; they fall into its outer bins."
                )
            if odd := _among_numbers(column):
                notes.append(
                    f"Column {name} is taken as text, and nearly all of its values are numbers: write "
                    f"an empty value where it says {odd!r}."
                )
            yield name, column
            continue
        notes.append(f"Column {name} is left out: it {what}.")


def column_of(array: pa.ChunkedArray) -> Column | None:
    """Numbers, booleans and text as a column; None for dates and what has parts."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = array.type
    if _is_number(kind):
        if pa.types.is_boolean(kind):
            array = array.cast("int8")
        values = array.cast("float64").to_numpy(zero_copy_only=False).astype("float64")
        # Libraries that fit count in single precision: what is beyond it is endless to them.
        beyond = np.abs(values) > np.finfo("float32").max
        return Column("number", np.where(beyond, np.copysign(np.inf, values), values))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _category(array.cast("string"))
    return None


def _is_number(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (
            pa.types.is_integer,
            pa.types.is_floating,
            pa.types.is_decimal,
            pa.types.is_boolean,
            pa.types.is_null,
        )
    )


def _category(array: pa.ChunkedArray) -> Column:
    kept = pc.if_else(pc.equal(array, ""), None, array)
    coded = pc.dictionary_encode(kept).combine_chunks()
    levels = coded.dictionary.to_pylist()
    codes = coded.indices.fill_null(MISSING).to_numpy(zero_copy_only=False).astype("int32")
    # Codes follow the alphabet: they do not depend on the order of rows.
    order = sorted(range(len(levels)), key=levels.__getitem__)
    place = np.full(len(levels) + 1, MISSING, dtype="int32")
    place[order] = np.arange(len(levels), dtype="int32")
    return Column("category", place[codes], tuple(levels[n] for n in order))


def _among_numbers(column: Column) -> str | None:
    """The word that keeps a column from being one of numbers."""
    odd = [n for n, level in enumerate(column.levels) if not _is_written_number(level)]
    few = np.isin(column.values, odd).sum() <= ODD_SHARE * (~column.missing).sum()
    return column.levels[odd[0]] if odd and few else None


def _is_written_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _counts_rows(array: pa.ChunkedArray) -> bool:
    """Whether whole numbers are 0, 1, 2... or 1, 2, 3..., as what writes tables numbers their rows."""
    if not pa.types.is_integer(array.type) or array.null_count:
        return False
    values = array.to_numpy()
    return values[0] in {0, 1} and bool((np.diff(values) == 1).all())


def _copies(column: Column, bad: npt.NDArray[np.int8]) -> bool:
    if column.missing.any() or len(values := np.unique(column.values)) != 2:
        return False
    same = (column.values == values[1]) == (bad == 1)
    return bool(same.all() or not same.any())


def conform(table: pa.Table, kinds: Mapping[str, Kind]) -> pa.Table:
    """The columns a model wants, of the kinds it was trained on: text that is written as a number is
    one. Raises UsageError when a column is not there or has another kind of value."""
    if lacking := [name for name in kinds if name not in table.column_names]:
        raise UsageError(
            f"The model needs columns that are not there: {', '.join(lacking)}. Add them, empty where "
            "nothing is known."
        )
    return pa.table({
        name: _as_number(table[name], name) if kind == "number" else _as_text(table[name], name)
        for name, kind in kinds.items()
    })


def _as_number(array: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    plain = array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array
    if _is_number(plain.type):
        return plain
    if not (pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type)):
        raise UsageError(
            f"Column {name} is of type {array.type}, and the model was trained on numbers."
        )
    known = pc.if_else(pc.is_in(plain, pa.array(NULLS, plain.type)), None, plain)
    try:
        return known.cast("float64")
    except pa.ArrowInvalid:
        row, value = next((n, v) for n, v in enumerate(known.to_pylist(), 1) if not _numeric(v))
        raise UsageError(
            f"Column {name} has the text {value!r} in row {row:,}, and the model was trained on numbers."
        ) from None


def _numeric(value: str | None) -> bool:
    try:
        pa.scalar(value, pa.string()).cast("float64")
    except pa.ArrowInvalid:
        return False
    return True


def _as_text(array: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    plain = array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array
    if pa.types.is_nested(plain.type):
        raise UsageError(
            f"Column {name} is of type {array.type}, and the model was trained on categories."
        )
    return plain.cast("string")
