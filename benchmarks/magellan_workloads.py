"""Magellan on the same workloads, through the same door as any strategy: `run_backtest` with its full result.

The result holds every fill and decision, and the trades made of them. Excursions, the equity curve and that of buy
and hold are made when a report or a gate asks for them, and nobody does so here. Nothing here is special to
benchmarks; the strategies are what a user would write.

`--form` chooses how the decision is put: `declared` (columns), `woken` (plain Python on the bars that a
declared condition picks) or `plain` (plain Python on every bar). All three give the same trades.
"""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    # A user's installation has no SciPy; the development environment does, and Numba loads it when it is there.
    sys.modules.setdefault("scipy", None)  # type: ignore[arg-type]

import numpy as np

from benchmarks.measure import Answer, Prepare, Run, main
from benchmarks.outcome import NO_EXIT, Outcome, SweepOutcome
from benchmarks.reference import (
    ATR_PERIOD,
    CRASH_FRACTION,
    POSITIONS_MAX,
    RISK_FRACTION,
    STOP_IN_ATR,
    VOLUME_MULTIPLE,
    VOLUME_WINDOW,
)
from benchmarks.workloads import (
    CASH_USD,
    RSI_LOWER,
    RSI_PERIOD,
    RSI_UPPER,
    SLIPPAGE_FRACTION,
    CrashBars,
    Job,
    TrendBars,
    sweep_sets,
)
from magellan.adapters.local.threads import ThreadExecutor
from magellan.backtest.market import Market
from magellan.backtest.replay import Terms
from magellan.backtest.result import BacktestResult, RunManifest
from magellan.backtest.run import run_backtest, terms_of, views_of
from magellan.backtest.sweep import Sweep
from magellan.indicators import atr, previous_session_close, prior, relative_volume, rsi, session_low
from magellan.ports.executor import Work
from magellan.strategy.contract import Enter, Exit, Features, Moment, Parameters, Strategy
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import CashFraction, RiskFraction, SessionExit, TradePlan, Trailing, fixed
from magellan.trading.bar import Bars, Floats, Mask
from magellan.trading.timeframe import MINUTE
from magellan.workspace.config import (
    AccountTerms,
    DataTerms,
    ExecutionTerms,
    Identity,
    InstrumentTerms,
    Limits,
    StrategyConfig,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

_SETS_PER_CHUNK = 100  # neighbours of the grid, which share an RSI
SLIPPAGE_BPS = SLIPPAGE_FRACTION * 10_000


class RsiLevels(Parameters):
    """W1's and W3's parameters."""

    period: int = RSI_PERIOD
    upper: float = RSI_UPPER
    lower: float = RSI_LOWER


class Hysteresis(Strategy):
    """W1: long above the upper level, flat below the lower one."""

    Parameters = RsiLevels

    def features(self, bars: MarketView, p: RsiLevels) -> Mapping[str, Floats]:
        return {"rsi": rsi(bars.close, p.period, "wilder-sma-seed")}

    def enter_long(self, f: Features, p: RsiLevels) -> Mask:
        return f.rsi > p.upper

    def exit_long(self, f: Features, p: RsiLevels) -> Mask:
        return f.rsi < p.lower

    def plan(self, f: Features, p: RsiLevels) -> TradePlan:
        return TradePlan(size=CashFraction(fraction=1.0))


class PlainHysteresis(Strategy):
    """W1, decided in plain Python on every bar."""

    Parameters = RsiLevels
    features = Hysteresis.features
    plan = Hysteresis.plan

    def decide(self, now: Moment, p: RsiLevels) -> Enter | Exit | None:
        if now.holding.is_flat:
            return Enter() if now["rsi"] > p.upper else None
        return Exit() if now["rsi"] < p.lower else None


class WokenHysteresis(PlainHysteresis):
    """W1, decided in plain Python where the RSI is beyond either level."""

    def wake(self, f: Features, p: RsiLevels) -> Mask:
        return (f.rsi > p.upper) | (f.rsi < p.lower)


class Reclaim(Strategy):
    """W2: buys the reclaim of a session low after a crash."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, Floats | Mask]:
        former_low = np.where(bars.session.first, math.nan, prior(session_low(bars.low, bars.day)))
        change = bars.close / previous_session_close(bars.close, bars.day) - 1.0
        atr_usd = atr(bars.high, bars.low, bars.close, ATR_PERIOD, "wilder-sma-seed")
        return {
            "reclaims": (bars.low < former_low)
            & (bars.close > former_low)
            & (change <= CRASH_FRACTION)
            & (relative_volume(bars.volume, VOLUME_WINDOW) >= VOLUME_MULTIPLE)
            & ~bars.session.last,
            "atr_usd": atr_usd,
            "first_stop": bars.close - STOP_IN_ATR * atr_usd,
        }

    def enter_long(self, f: Features, p: Any) -> Mask:
        reclaims: Mask = f.reclaims
        return reclaims

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(
            size=RiskFraction(fraction=RISK_FRACTION),
            stop=fixed(f.first_stop),
            trailing=Trailing(column=f.atr_usd, multiple=STOP_IN_ATR),
            session_exit=SessionExit(),
        )


class WokenReclaim(Strategy):
    """W2, decided in plain Python on the bars where the condition holds."""

    features = Reclaim.features
    plan = Reclaim.plan

    def wake(self, f: Features, p: Any) -> Mask:
        reclaims: Mask = f.reclaims
        return reclaims

    def decide(self, now: Moment, p: Any) -> Enter | None:
        return Enter() if now.holding.is_flat else None


class PlainReclaim(WokenReclaim):
    """W2, decided in plain Python on every bar."""

    wake = Strategy.wake

    def decide(self, now: Moment, p: Any) -> Enter | None:
        return Enter() if now["reclaims"] and now.holding.is_flat else None


STRATEGIES: dict[str, dict[str, type[Strategy]]] = {
    "w1": {"declared": Hysteresis, "woken": WokenHysteresis, "plain": PlainHysteresis},
    "w2": {"declared": Reclaim, "woken": WokenReclaim, "plain": PlainReclaim},
}
FORM = "declared"


def hysteresis(job: Job, bars: TrendBars) -> Run:
    """W1."""
    market = Market.of([_bars("W1", bars.start_ns, bars)])
    return _timed(STRATEGIES["w1"][FORM](), market, _hysteresis_config(), {"W1": RsiLevels()})


def sweep(job: Job, bars: TrendBars) -> Run:
    """W3: `Sweep`, which computes each RSI once, on all cores through the executor that `magellan sweep` uses."""
    market = Market.of([_bars("W1", bars.start_ns, bars)])
    sets = [
        RsiLevels(period=int(period), upper=upper, lower=lower)
        for period, upper, lower in sweep_sets(job.size).tolist()
    ]
    strategy = STRATEGIES["w1"][FORM]()

    def begin(terms: Terms) -> Callable[[Sequence[RsiLevels]], NDArray[np.void]]:
        return Sweep(strategy, market, terms, views=views_of(market)).summaries

    work = Work(begin=begin, given=terms_of(_hysteresis_config()), describe=str)

    def run() -> Answer:
        chunks = [sets[at : at + _SETS_PER_CHUNK] for at in range(0, len(sets), _SETS_PER_CHUNK)]
        measured = np.concatenate(ThreadExecutor(os.cpu_count() or 1).map(work, chunks))
        outcome = SweepOutcome(trades=measured["trades"], equity_final_usd=measured["equity_end_usd"])
        return Answer(
            trade_count=outcome.trade_count,
            equity_final_usd=float(outcome.equity_final_usd.sum()),
            outcome=lambda: outcome,
        )

    return run


def crash_and_reclaim(job: Job, bars: CrashBars) -> Run:
    """W2."""
    names = tuple(f"S{symbol:02d}" for symbol in range(len(bars.close)))
    market = Market.of([_bars(name, bars.start_ns, bars, symbol) for symbol, name in enumerate(names)])
    strategy = STRATEGIES["w2"][FORM]()
    return _timed(
        strategy,
        market,
        StrategyConfig(
            strategy=Identity(name="w2", version="1.0.0", kind="intraday"),
            symbols=names,
            data=DataTerms(timeframe="1Min", hours="all"),
            account=AccountTerms(cash_usd=CASH_USD),
            execution=ExecutionTerms(slippage_bps=SLIPPAGE_BPS),
            limits=Limits(open_positions_max=POSITIONS_MAX),
        ),
        dict.fromkeys(names, strategy.Parameters()),
    )


def _hysteresis_config() -> StrategyConfig:
    return StrategyConfig(
        strategy=Identity(name="w1", version="1.0.0", kind="trend"),
        symbols=("W1",),
        data=DataTerms(timeframe="1Min", hours="all"),
        account=AccountTerms(cash_usd=CASH_USD),
        execution=ExecutionTerms(slippage_bps=SLIPPAGE_BPS, size_at="fill"),
        instruments={"W1": InstrumentTerms(quantity_step=0.0)},
    )


def _bars(symbol: str, start_ns: Any, columns: TrendBars | CrashBars, row: int | None = None) -> Bars:
    def column(name: str) -> Floats:
        whole: Floats = getattr(columns, name)
        return whole if row is None else whole[row]

    return Bars(
        symbol=symbol,
        timeframe=MINUTE,
        opened_at_ns=start_ns,
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        volume=column("volume"),
    )


def _timed(
    strategy: Strategy, market: Market, config: StrategyConfig, parameters: Mapping[str, Parameters]
) -> Run:
    manifest = RunManifest(
        strategy=strategy.name(),
        strategy_version=strategy.version,
        code_sha256="",
        config_sha256="",
        config={},
        data=(),
        actions_sha256="",
        from_on=None,
        to_on=None,
        versions={},
        seed=0,
    )

    def run() -> Answer:
        result = run_backtest(strategy, market, config, parameters, manifest)
        return Answer(
            trade_count=len(result.trades),
            equity_final_usd=float(result.equity_end_usd),
            outcome=lambda: _outcome(result),
        )

    return run


def _outcome(result: BacktestResult) -> Outcome:
    trades = result.trades
    first_row = result.market.offsets[trades.symbol]
    return Outcome(
        symbol=trades.symbol,
        entry_bar=trades.entry_row - first_row,
        exit_bar=np.where(trades.is_open, NO_EXIT, trades.exit_row - first_row),
        entry_price_usd=trades.entry_price,
        exit_price_usd=np.where(trades.is_open, math.nan, trades.exit_price),
        shares=trades.units,
        equity_final_usd=float(result.equity_end_usd),
    )


WORKLOADS: dict[str, Prepare] = {"w1": hysteresis, "w2": crash_and_reclaim, "w3": sweep}


def _version() -> str:
    import magellan

    return magellan.__version__


if __name__ == "__main__":
    for argument in [each for each in sys.argv[1:] if each.startswith("--form=")]:
        sys.argv.remove(argument)
        FORM = argument.removeprefix("--form=")
    main(f"Magellan, {FORM}", _version, WORKLOADS)
