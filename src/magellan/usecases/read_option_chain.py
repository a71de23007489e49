"""Read an option chain: a user's file of option quotes, checked row by row.

The layout is a table with a quote per row. Columns `quoted_at` (an instant with its zone), `expires_on` (a date) and
`strike` must be there; the numbers of calls and puts may be left out, and what needs them is then unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from magellan.archive.foreign_table import ForeignColumn, ForeignTable, Kind
from magellan.errors import FixInput
from magellan.regime.chain_quotes import QUOTED, ChainQuotes
from magellan.trading.bar import Floats
from magellan.trading.timeframe import DAY_NS

ReadForeign = Callable[[bytes, str], ForeignTable]

_LAYOUT: Final = 'see the guide to regimes, "An option chain of your own"'
_MUST: Final = {"quoted_at": (Kind.INSTANT,), "expires_on": (Kind.DATE, Kind.WALL), "strike": (Kind.NUMBER,)}
_MEANT: Final = {
    "quoted_at": "instants with their zone, such as 2025-06-30T20:00:00Z",
    "expires_on": "dates, such as 2025-07-18",
}


def read_option_chain(path: Path, read_foreign: ReadForeign) -> ChainQuotes:
    """The quotes in a CSV or Parquet file, in order.

    Raises: FixInput naming the column or the row of a mistake; for a file that is not there or holds no quote.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FixInput(
            f"{path} cannot be read: {error.strerror}", next_step="name a file of quotes"
        ) from error
    table = read_foreign(content, path.name)
    if table.rows == 0:
        raise FixInput(f"{table.file_name} holds no quote", next_step=_LAYOUT)
    columns = _columns(table)
    numbers = {name: _numbers(table, columns.get(name)) for name in ("strike", *QUOTED)}
    _refuse(table, ~(numbers["strike"] > 0.0), "the strike is not above zero")
    for name in QUOTED:
        _refuse(table, numbers[name] < 0.0, f"{name} is below zero")
    quoted_at_ns, expires_ns = (columns[name].values for name in ("quoted_at", "expires_on"))
    _refuse(table, expires_ns % DAY_NS != 0, "expires_on is a time, not a date")
    order = np.lexsort((numbers["strike"], expires_ns, quoted_at_ns))
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for values in (quoted_at_ns, expires_ns, numbers["strike"]):
        same &= values[order[1:]] == values[order[:-1]]
    twice = np.zeros(table.rows, dtype=bool)
    twice[order[1:][same]] = True
    _refuse(table, twice, "that strike of that expiry was quoted at that time in a row before")
    return ChainQuotes(
        source=table.file_name,
        quoted_at_ns=quoted_at_ns[order],
        expires_day=expires_ns[order] // DAY_NS,
        **{name: values[order] for name, values in numbers.items()},
    )


def _columns(table: ForeignTable) -> Mapping[str, ForeignColumn]:
    """By name. Raises FixInput for one that is missing, not known, or holds something else than it should."""
    columns = {column.name: column for column in table.columns}
    for name in _MUST:
        if name not in columns:
            raise FixInput(f"{table.file_name} has no column '{name}'", next_step=_LAYOUT)
    for name, column in columns.items():
        if name not in _MUST and name not in QUOTED:
            raise FixInput(
                f"{table.file_name}: no column is called '{name}'",
                next_step=f"leave it out, or call it one of {', '.join((*_MUST, *QUOTED))}",
            )
        nothing = name in QUOTED and bool(column.missing.all())
        if not nothing and column.kind not in _MUST.get(name, (Kind.NUMBER,)):
            raise FixInput(
                f"{table.file_name}, column '{name}': {column.kind}, not {_MEANT.get(name, 'numbers')}",
                next_step=_LAYOUT,
            )
        if name in _MUST:
            _refuse(table, column.missing, f"{name} is missing")
    return columns


def _numbers(table: ForeignTable, column: ForeignColumn | None) -> Floats:
    """NaN where there is none."""
    if column is None or column.missing.all():
        return np.full(table.rows, np.nan)
    numbers = np.where(column.missing, np.nan, column.values.astype(np.float64))
    _refuse(table, np.isinf(numbers), f"{column.name} is not finite")
    return numbers


def _refuse(table: ForeignTable, wrong: Any, what: str) -> None:
    """Raises FixInput for the first row that is wrong."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        more = f"; {len(rows) - 1} more rows likewise" if len(rows) > 1 else ""
        raise FixInput(f"{table.place(int(rows[0]))}: {what}{more}", next_step="correct the file")
