"""Rows of one kind as a file: CSV, Markdown, JSON Lines or Parquet. Exact: a Decimal keeps every digit in each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import orjson

from magellan.errors import FixInput


def csv_bytes(row_type: type, rows: Sequence[object]) -> bytes:
    """A line of names, then a line per row. What is missing is empty; lists and mappings are JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [each.name for each in fields(row_type)]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_csv_cell(getattr(row, name)) for name in names])
    return text.getvalue().encode()


def markdown_bytes(row_type: type, rows: Sequence[object]) -> bytes:
    """A table for people and for reviews; cells as in CSV, each on one line."""
    names = [each.name for each in fields(row_type)]
    lines = [names, ["---"] * len(names)]
    lines += [[_markdown_cell(getattr(row, name)) for name in names] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines).encode()


def jsonl_bytes(row_type: type, rows: Sequence[object]) -> bytes:
    """One JSON object per line; Decimals are strings."""
    return b"".join(orjson.dumps(row, default=_plain, option=orjson.OPT_UTC_Z) + b"\n" for row in rows)


def parquet_bytes(row_type: type, rows: Sequence[object]) -> bytes:
    """Typed columns: decimals with 18 places, instants in UTC.

    Raises FixInput for a number with more places, which Parquet's readers could not take exactly.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    hints = get_type_hints(row_type)
    columns = {}
    for name in (each.name for each in fields(row_type)):
        values = [_column_value(getattr(row, name)) for row in rows]
        try:
            columns[name] = pa.array(values, type=_arrow_type(hints[name]))
        except pa.ArrowInvalid as error:
            raise FixInput(
                f"the column {name} holds a number that has more than 18 places or 20 digits before the point",
                next_step="export it as csv or jsonl, which keep any number of digits",
            ) from error
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


FORMATS: Final[Mapping[str, Callable[[type, Sequence[object]], bytes]]] = MappingProxyType(
    {"csv": csv_bytes, "md": markdown_bytes, "jsonl": jsonl_bytes, "parquet": parquet_bytes}
)


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping | tuple):
        return orjson.dumps(value, default=_plain).decode()
    return str(value)


def _markdown_cell(value: Any) -> str:
    """Without what would end the cell or the row, or be taken for a mark-up of ours."""
    return " ".join(_csv_cell(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a row holds no {type(value).__name__}")


def _column_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return orjson.dumps(value, default=_plain).decode()
    return str(value) if isinstance(value, StrEnum) else value


def _arrow_type(hint: Any) -> Any:
    import pyarrow as pa

    if get_origin(hint) in (Union, UnionType):
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
    types = {
        Decimal: pa.decimal128(38, 18),
        datetime: pa.timestamp("us", tz="UTC"),
        date: pa.date32(),
        int: pa.int64(),
        bool: pa.bool_(),
        float: pa.float64(),
    }
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(get_args(hint)[0]))
    return types.get(hint, pa.string())  # text, enumerations, and mappings as JSON
