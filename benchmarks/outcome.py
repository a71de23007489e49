"""What a run of a workload ends with, and how two of them are compared."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_EXIT = -1  # exit_bar of a trade that is still open after the last bar
RELATIVE_TOLERANCE = 1e-9  # of prices, shares and equity; bars and symbols must be equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Every trade of one backtest, ordered by entry bar, then symbol. Columns have shape (trades,)."""

    symbol: Ints  # row of the symbol in the workload's bars
    entry_bar: Ints
    exit_bar: Ints  # NO_EXIT where the position is still open
    entry_price_usd: Floats  # after slippage
    exit_price_usd: Floats  # after slippage; NaN where still open
    shares: Floats
    equity_final_usd: float

    @property
    def trade_count(self) -> int:
        return len(self.symbol)

    def save(self, path: Path) -> None:
        _save(self, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOutcome:
    """One row per parameter set, in the order of `sweep_sets`. Columns have shape (sets,)."""

    trades: Ints  # entries filled, one still open included
    equity_final_usd: Floats

    @property
    def trade_count(self) -> int:
        return int(self.trades.sum())

    def save(self, path: Path) -> None:
        _save(self, path)


def load(path: Path) -> Outcome | SweepOutcome:
    """What `save` wrote."""
    with np.load(path) as stored:
        columns = {name: stored[name] for name in stored.files}
    if "trades" in columns:
        return SweepOutcome(**columns)
    columns["equity_final_usd"] = float(columns["equity_final_usd"])
    return Outcome(**columns)


def differences(measured: Outcome | SweepOutcome, reference: Outcome | SweepOutcome) -> tuple[str, ...]:
    """What the engine did otherwise than the reference, in plain words; empty where nothing differs."""
    if isinstance(measured, SweepOutcome) or isinstance(reference, SweepOutcome):
        if type(measured) is not type(reference):
            return ("one of the two is a sweep and the other is not",)
        return _sweep_differences(measured, reference)  # type: ignore[arg-type]
    found: list[str] = []
    if measured.trade_count != reference.trade_count:
        found.append(f"{measured.trade_count:,} trades instead of {reference.trade_count:,}")
    if (first := _first_unequal_trade(measured, reference)) is not None:
        found.append(f"first trade at another bar: number {first:,}")
    elif measured.trade_count == reference.trade_count:
        for name in ("entry_price_usd", "exit_price_usd", "shares"):
            error = _relative_error(getattr(measured, name), getattr(reference, name))
            if not error <= RELATIVE_TOLERANCE:
                found.append(f"{name} differs by up to {error:.1e} of its value")
    error = abs(measured.equity_final_usd / reference.equity_final_usd - 1.0)
    if not error <= RELATIVE_TOLERANCE:
        found.append(f"final equity differs by {error:.1e} of its value")
    return tuple(found)


def _sweep_differences(measured: SweepOutcome, reference: SweepOutcome) -> tuple[str, ...]:
    if len(measured.trades) != len(reference.trades):
        return (f"{len(measured.trades):,} parameter sets instead of {len(reference.trades):,}",)
    found = []
    if other := int(np.count_nonzero(measured.trades != reference.trades)):
        found.append(f"{other:,} of {len(reference.trades):,} sets have another number of trades")
    error = _relative_error(measured.equity_final_usd, reference.equity_final_usd)
    if not error <= RELATIVE_TOLERANCE:
        found.append(f"final equity differs by up to {error:.1e} of its value")
    return tuple(found)


def _first_unequal_trade(measured: Outcome, reference: Outcome) -> int | None:
    common = min(measured.trade_count, reference.trade_count)
    unequal = np.zeros(common, dtype=bool)
    for name in ("symbol", "entry_bar", "exit_bar"):
        unequal |= getattr(measured, name)[:common] != getattr(reference, name)[:common]
    return int(np.argmax(unequal)) if unequal.any() else None


def _relative_error(measured: Floats, reference: Floats) -> float:
    """Largest relative difference; infinite where only one of the two is NaN."""
    missing = np.isnan(reference)
    if not np.array_equal(missing, np.isnan(measured)):
        return float("inf")
    there = ~missing
    if not there.any():
        return 0.0
    return float(np.max(np.abs(measured[there] / reference[there] - 1.0)))


def _save(outcome: Outcome | SweepOutcome, path: Path) -> None:
    columns = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    with path.open("wb") as file:
        np.savez(file, **columns)
