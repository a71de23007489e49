"""Sweep table: every set of a sweep as a file for spreadsheets and notebooks."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final

from magellan.backtest.sweep_result import SweepResult, table

ENDINGS: Final = (".csv", ".parquet", ".json")


def table_bytes(result: SweepResult, ending: str) -> bytes:
    """One row per set, in the sweep's order. ending: one of ENDINGS. Missing is empty, or null."""
    columns = table(result)
    match ending:
        case ".csv":
            return _csv(columns)
        case ".json":
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            return (json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
        case ".parquet":
            return _parquet(columns)
    raise AssertionError(f"{ending} is not one of {ENDINGS}")


def _csv(columns: dict[str, list[Any]]) -> bytes:
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    written.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        written.writerow(["" if value is None else _cell(value) for value in row])
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    """Text as it stands; anything else as JSON writes it, with every digit."""
    return value if isinstance(value, str) else json.dumps(value)


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    arrays = {
        name: pyarrow.array(
            column if _is_of_one_kind(column) else [_cell(value) for value in column],
            pyarrow.string() if name == "failed" else None,
        )
        for name, column in columns.items()
    }
    pyarrow.parquet.write_table(pyarrow.table(arrays), sink, compression="zstd")
    return bytes(sink.getvalue())


def _is_of_one_kind(column: list[Any]) -> bool:
    kinds = {type(value) for value in column if value is not None}
    return kinds <= {int, float} or kinds in ({str}, {bool})
