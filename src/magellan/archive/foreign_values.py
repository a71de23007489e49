"""Foreign values: prices and volumes as columns of floats, or a refusal by the file's own line numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from magellan.archive.dataset import Adjustment
from magellan.archive.declared import Declared
from magellan.archive.foreign_table import ForeignColumn, ForeignTable, Kind
from magellan.archive.layout import NotBars, Roles
from magellan.archive.notes import Notes
from magellan.errors import FixInput
from magellan.trading.bar import PRICE_COLUMNS, Floats, Mask

VALUES = (*PRICE_COLUMNS, "volume")


def numbers(table: ForeignTable, column: ForeignColumn, rows: NDArray[np.intp]) -> Floats:
    """The column as floats, NaN where missing."""
    if column.kind is not Kind.NUMBER:
        wrong = next((row for row in rows.tolist() if not _is_number(column.values[row])), int(rows[0]))
        raise FixInput(
            f"{table.place(wrong)}: '{column.values[wrong]}' in column '{column.name}' is not a number",
            next_step="correct the file; numbers are written like 1234.5",
        )
    values: Floats = column.values[rows].astype(np.float64)
    values[column.missing[rows]] = np.nan
    return values


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def without_empty(
    table: ForeignTable, rows: NDArray[np.intp], values: dict[str, Floats], notes: Notes
) -> tuple[NDArray[np.intp], dict[str, Floats], int]:
    """Drop rows without any price, which some vendors write for holidays. A row with a hole is refused."""
    holes = {name: np.isnan(column) for name, column in values.items()}
    empty: Mask = np.logical_and.reduce([holes[name] for name in PRICE_COLUMNS])
    for name, hole in holes.items():
        broken = np.flatnonzero(hole & ~empty)
        if len(broken):
            raise FixInput(
                f"{table.place(int(rows[broken[0]]))}: no {name}, though the row has other values",
                next_step="correct the file; a bar needs all of open, high, low, close and volume",
            )
    count = int(np.count_nonzero(empty))
    if count == len(rows):
        raise NotBars(
            f"{table.file_name} holds no prices: every row is empty", next_step="leave the file out"
        )
    if count:
        notes.assumptions.append(f"{count} rows without any price were dropped")
    kept = ~empty
    return rows[kept], {name: column[kept] for name, column in values.items()}, count


def adjust_to_adjusted_close(
    table: ForeignTable,
    roles: Roles,
    rows: NDArray[np.intp],
    values: dict[str, Floats],
    declared: Declared,
    notes: Notes,
) -> None:
    """Say what a column like 'Adj Close' means for the other prices; changes `values` where it scales."""
    column = roles.adjusted_close
    if column is None:
        return
    if declared.adjustment is None:
        raise FixInput(
            f"{table.file_name} has a column '{column.name}', so its other prices may be adjusted as well",
            next_step="say what open to close are: --adjustment split (as Yahoo delivers them) or raw;"
            f" or --adjustment all to scale them by '{column.name}'",
        )
    if declared.adjustment is not Adjustment.ALL:
        notes.assumptions.append(
            f"'{column.name}' is not kept; open to close are taken as they stand ({declared.adjustment})"
        )
        return
    adjusted_close = numbers(table, column, rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = adjusted_close / values["close"]
    broken = np.flatnonzero(~(np.isfinite(factor) & (factor > 0)))
    if len(broken):
        raise FixInput(f"{table.place(int(rows[broken[0]]))}: '{column.name}' gives no factor to adjust by")
    for name in ("open", "high", "low"):
        values[name] = values[name] * factor
    values["close"] = adjusted_close
    # Scaling by a rounded factor can push open or high past each other in the last digit.
    values["high"] = np.maximum.reduce([values[name] for name in PRICE_COLUMNS])
    values["low"] = np.minimum.reduce([values[name] for name in PRICE_COLUMNS])
    notes.assumptions.append(f"open, high and low are scaled by '{column.name}' / close")


def must_be_sound(
    table: ForeignTable, rows: NDArray[np.intp], values: dict[str, Floats], declared: Declared
) -> None:
    """The same rules as `Bars.checked`, told by the file's own line numbers."""
    inside = np.minimum(values["open"], values["close"])
    above = np.maximum(values["open"], values["close"])
    infinite = ~np.logical_and.reduce([np.isfinite(column) for column in values.values()])
    faults: list[tuple[Mask, str, str]] = [
        (infinite, "a value is infinite", "correct the file"),
        (values["high"] < values["low"], "high lies below low", "correct the file"),
        (
            (values["low"] > inside) | (values["high"] < above),
            "open or close lies outside low to high",
            "correct the file",
        ),
        (values["volume"] < 0, "the volume is negative", "correct the file"),
    ]
    if not declared.negative_prices:
        next_step = "if the instrument can trade there (crude oil did): --allow-negative-prices"
        faults.append((values["low"] <= 0, "a price is not above zero", next_step))
    for fault, what, next_step in faults:
        broken = np.flatnonzero(fault)
        if len(broken):
            row = int(broken[0])
            told = ", ".join(f"{name} {values[name][row]:g}" for name in VALUES)
            more = f" (and {len(broken) - 1} more rows)" if len(broken) > 1 else ""
            raise FixInput(f"{table.place(int(rows[row]))}: {what}: {told}{more}", next_step=next_step)
