"""Foreign files: Parquet and CSV that others wrote, as tables with the types that the files give them."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from magellan.archive.foreign_table import ForeignColumn, ForeignTable, Kind
from magellan.errors import FixInput

if TYPE_CHECKING:
    import pyarrow

ENDINGS = (".parquet", ".pq", ".csv", ".tsv", ".txt", ".csv.gz", ".txt.gz", ".tsv.gz")

_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_SEPARATORS = ",;\t|"
_NOTHING = frozenset({"", "null", "nan", "na", "n/a", "none", "-", "#n/a"})


def read_foreign(content: bytes, file_name: str) -> ForeignTable:
    """The table in a file's bytes.

    Text is CSV with a header line, separated by comma, semicolon, tab or bar, in UTF-8, perhaps gzipped; its
    columns become numbers or ISO times where every value can be read as one.
    Raises: FixInput when the file is empty, truncated or neither Parquet nor text, naming the place.
    """
    if not content:
        raise FixInput(f"{file_name} is empty: 0 bytes", next_step="fetch the file again, or leave it out")
    if content.startswith(_PARQUET):
        return _parquet(content, file_name)
    if file_name.lower().endswith((".parquet", ".pq")):
        raise FixInput(
            f"{file_name} is not Parquet: it begins with {content[:4]!r}", next_step="fetch the file again"
        )
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise FixInput(
                f"{file_name} is truncated or damaged: {error}", next_step="fetch the file again"
            ) from error
    return _text(content, file_name)


def _parquet(content: bytes, file_name: str) -> ForeignTable:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise FixInput(
            f"{file_name} is truncated or damaged: {_first_line(error)}", next_step="fetch the file again"
        ) from error
    return ForeignTable(
        file_name=file_name,
        columns=tuple(
            _typed_column(name, column, file_name)
            for name, column in zip(table.column_names, table.columns, strict=True)
        ),
        rows=table.num_rows,
        first_line=1,
        is_text=False,
    )


def _typed_column(name: str, column: pyarrow.ChunkedArray, file_name: str) -> ForeignColumn:
    import pyarrow
    from pyarrow import compute, types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    of = column.type
    missing = _values(compute.is_null(column, nan_is_null=types.is_floating(of)).cast(pyarrow.int8())) != 0
    try:
        if types.is_integer(of):
            kind, values = Kind.NUMBER, _values(compute.fill_null(column.cast(pyarrow.int64()), 0))
        elif types.is_floating(of) or types.is_decimal(of):
            kind, values = Kind.NUMBER, _values(compute.fill_null(column.cast(pyarrow.float64()), np.nan))
        elif types.is_timestamp(of):
            kind = Kind.WALL if of.tz is None else Kind.INSTANT
            values = _nanoseconds(column, of.tz)
        elif types.is_date(of):
            kind, values = Kind.DATE, _nanoseconds(column, None)
        elif types.is_string(of) or types.is_large_string(of):
            kind, values = Kind.TEXT, _objects(compute.fill_null(column, ""))
        else:
            kind, values = Kind.OTHER, np.full(len(column), str(of), dtype=object)
    except pyarrow.ArrowInvalid as error:
        raise FixInput(f"{file_name}, column '{name}': {_first_line(error)}") from error
    return ForeignColumn(name=name, kind=kind, values=values, missing=missing)


def _nanoseconds(column: pyarrow.ChunkedArray, zone: str | None) -> Any:
    import pyarrow
    from pyarrow import compute

    return _values(compute.fill_null(column.cast(pyarrow.timestamp("ns", tz=zone)).cast(pyarrow.int64()), 0))


def _text(content: bytes, file_name: str) -> ForeignTable:
    import pyarrow
    import pyarrow.csv

    text = _decoded(content, file_name)
    header, _, _ = text.lstrip("\r\n").partition("\n")
    separator = max(_SEPARATORS, key=header.count)
    wrong: list[str] = []

    def note_wrong_row(row: pyarrow.csv.InvalidRow) -> str:
        wrong.append(f"{row.actual_columns} fields, not {row.expected_columns}: {row.text[:80]}")
        return "error"

    names = [name.strip().strip('"') for name in header.rstrip("\r").split(separator)]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FixInput(f"{file_name}, line 1: two columns are called '{twice}'")
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(text.encode()),
            read_options=pyarrow.csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=separator, invalid_row_handler=note_wrong_row, ignore_empty_lines=True
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid as error:
        line = _wrong_line(text, separator, len(names)) if wrong else ""
        raise FixInput(
            f"{file_name}{line}: {wrong[0] if wrong else _first_line(error)}", next_step="correct the file"
        ) from error
    return ForeignTable(
        file_name=file_name,
        columns=tuple(
            _guessed_column(name, column) for name, column in zip(names, table.columns, strict=True)
        ),
        rows=table.num_rows,
        first_line=2,
        is_text=True,
    )


def _decoded(content: bytes, file_name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise FixInput(
            f"{file_name}, line {line}: not UTF-8 text, so neither CSV nor Parquet",
            next_step="save the file as CSV in UTF-8",
        ) from error
    if "\0" in text:
        raise FixInput(f"{file_name} is neither CSV nor Parquet: it holds binary zeros")
    return text


def _wrong_line(text: str, separator: str, fields: int) -> str:
    """ ", line N" of the first line with another number of fields; "" where quotes hide it."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line and '"' not in line and line.count(separator) + 1 != fields:
            return f", line {number}"
    return ""


def _guessed_column(name: str, column: pyarrow.ChunkedArray) -> ForeignColumn:
    """Numbers if every value is one; else times if every value is an ISO one; else text."""
    import pyarrow
    from pyarrow import compute

    column = compute.utf8_trim_whitespace(column)
    missing = (
        _values(compute.is_in(compute.utf8_lower(column), pyarrow.array(sorted(_NOTHING))).cast("int8")) != 0
    )
    present = compute.if_else(pyarrow.array((~missing).tolist()), column, None)
    for type_ in (pyarrow.int64(), pyarrow.float64()):
        try:
            numbers = _values(compute.fill_null(present.cast(type_), 0))
        except pyarrow.ArrowInvalid:
            continue
        return ForeignColumn(name=name, kind=Kind.NUMBER, values=numbers, missing=missing)
    for zone, kind in (("UTC", Kind.INSTANT), (None, Kind.WALL)):
        try:
            times = _nanoseconds(present.cast(pyarrow.timestamp("ns", tz=zone)), zone)
        except pyarrow.ArrowInvalid:
            continue
        return ForeignColumn(name=name, kind=kind, values=times, missing=missing)
    return ForeignColumn(name=name, kind=Kind.TEXT, values=_objects(column), missing=missing)


def _values(column: pyarrow.ChunkedArray) -> Any:
    """The values as a NumPy array of our own, without PyArrow's `to_numpy`, which imports pandas."""
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks] or [np.empty(0)]
    return np.concatenate(chunks)


def _objects(column: pyarrow.ChunkedArray) -> Any:
    values = np.empty(len(column), dtype=object)
    values[:] = column.to_pylist()
    return values


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
