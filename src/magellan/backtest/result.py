"""Result: what a run did, as tables and one value that every surface shows from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.market import Market
from magellan.trading.bar import Floats, Instants, Mask, instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One position from flat to flat, with all its partial exits."""

    symbol: str
    side: str  # long | short
    units: float  # entered in all, > 0
    entered_at: (
        datetime  # aware, UTC: open of the bar that filled the entry; its close when filled at the close
    )
    exited_at: datetime | None  # of the last exit; None while open
    entry_price: float  # average, spread and slippage included
    exit_price: float  # average of all exits; the last close while open
    pnl_usd: float  # after all costs; marked at the last close while open
    return_fraction: float  # pnl over units x entry price x point value
    costs_usd: float  # commission plus spread, slippage and impact
    bars_held: int
    mae_fraction: (
        float  # worst adverse move of the bars held, >= 0: how far price went against the entry price
    )
    mfe_fraction: float  # best favourable move likewise, >= 0
    reasons: tuple[str, ...]  # of the exits, in order
    is_open: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Trades:
    """All trades of a run as columns, in order of entry; shapes (n,).

    Excursions and the words of the reasons are made when they are first asked for.
    """

    symbols: tuple[str, ...]  # names for `symbol`
    symbol: NDArray[np.int64]
    side: NDArray[np.float64]  # +1 long, -1 short
    units: Floats
    entered_at_ns: Instants
    exited_at_ns: Instants  # of the last exit; of the last bar while open
    entry_row: NDArray[np.int64]  # row in the market's columns
    exit_row: NDArray[np.int64]
    entry_price: Floats
    exit_price: Floats
    pnl_usd: Floats
    return_fraction: Floats
    costs_usd: Floats
    bars_held: NDArray[np.int64]
    exits: NDArray[np.int64]  # number of exit fills
    is_open: NDArray[np.bool_]
    make_reasons: Callable[[], tuple[tuple[str, ...], ...]]  # of the exits, in order
    make_excursions: Callable[
        [], tuple[Floats, Floats]
    ]  # MAE and MFE, which ask for every bar of every trade

    @cached_property
    def reasons(self) -> tuple[tuple[str, ...], ...]:
        return self.make_reasons()

    @property
    def mae_fraction(self) -> Floats:
        return self._excursions[0]

    @property
    def mfe_fraction(self) -> Floats:
        return self._excursions[1]

    @cached_property
    def _excursions(self) -> tuple[Floats, Floats]:
        return self.make_excursions()

    def __len__(self) -> int:
        return len(self.symbol)

    def __iter__(self) -> Iterator[Trade]:
        for at in range(len(self)):
            yield self.trade(at)

    def trade(self, at: int) -> Trade:
        """Trade number `at`, in order of entry."""
        return Trade(
            symbol=self.symbols[int(self.symbol[at])],
            side="long" if self.side[at] > 0 else "short",
            units=float(self.units[at]),
            entered_at=instant(int(self.entered_at_ns[at])),
            exited_at=None if self.is_open[at] else instant(int(self.exited_at_ns[at])),
            entry_price=float(self.entry_price[at]),
            exit_price=float(self.exit_price[at]),
            pnl_usd=float(self.pnl_usd[at]),
            return_fraction=float(self.return_fraction[at]),
            costs_usd=float(self.costs_usd[at]),
            bars_held=int(self.bars_held[at]),
            mae_fraction=float(self.mae_fraction[at]),
            mfe_fraction=float(self.mfe_fraction[at]),
            reasons=self.reasons[at],
            is_open=bool(self.is_open[at]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EquityCurve:
    """Account value at the close of every instant of the run; shapes (n,), oldest first."""

    closed_at_ns: Instants  # UTC
    day: NDArray[np.int32]  # session date (days since 1970-01-01) each value belongs to
    equity_usd: Floats
    exposure_usd: Floats  # market value of all positions, signed
    gross_exposure_usd: Floats  # the same without signs


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUsed:
    """One set of bars that the run read."""

    symbol: str
    set_id: str
    sha256: str  # of the rows that were used
    rows: int
    first_at: datetime
    last_at: datetime
    generated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """Everything that fixes a run's result: the same manifest gives the same bytes. No clock, no host name."""

    strategy: str
    strategy_version: str
    code_sha256: str  # of the strategy's source file
    config_sha256: str  # of the effective configuration, canonical JSON
    config: Mapping[str, Any]  # effective: file plus command-line overrides
    data: tuple[DataUsed, ...]
    actions_sha256: str  # of the corporate actions in force
    from_on: date | None
    to_on: date | None
    versions: Mapping[str, str]  # magellan, numpy, numba, python
    seed: int

    @property
    def run_id(self) -> str:
        """First 12 hex digits of the SHA-256 of the manifest's canonical JSON."""
        from magellan.backtest.manifest import manifest_digest

        return manifest_digest(self)[:12]


@dataclass(frozen=True, kw_only=True, eq=False)
class BacktestResult:
    """A finished run. Trades and equity curves are made when they are first asked for."""

    manifest: RunManifest
    market: Market
    timeframe: str
    cash_start_usd: float
    cash_end_usd: float
    equity_end_usd: float
    fills: NDArray[np.void]  # records.fill_t, in time order; rows index the market's columns
    decisions: NDArray[np.void]  # records.decision_t
    blocked: Mapping[str, int]  # entries that were wanted and did not happen, by reason
    dividends_usd: float
    financing_usd: float
    misleading: tuple[str, ...]  # settings that flatter; empty for an honest run
    wakes: int  # how often Python was asked
    breaks: Mapping[str, Mask] = field(default_factory=dict)  # per symbol, bars after an unexplained jump
    make_trades: Callable[[], Trades]
    make_equity: Callable[[], EquityCurve]
    make_benchmark: Callable[[], EquityCurve | None]

    @cached_property
    def trades(self) -> Trades:
        """All trades, in order of entry."""
        return self.make_trades()

    @cached_property
    def equity(self) -> EquityCurve:
        """Account value at every instant of the run."""
        return self.make_equity()

    @cached_property
    def benchmark(self) -> EquityCurve | None:
        """The same money spread evenly over the symbols at each one's first bar, and held.

        None where that would be held through a jump that nothing explains: a split would pass for a fortune.
        """
        if any(mask.any() for mask in self.breaks.values()):
            return None
        return self.make_benchmark()

    @property
    def return_fraction(self) -> float:
        return self.equity_end_usd / self.cash_start_usd - 1.0
