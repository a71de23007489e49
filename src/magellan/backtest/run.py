"""Run: a strategy, a market and a config in; a result out. Pure: reads no file, no clock, no environment."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records as r
from magellan.backtest.decision_columns import DecisionColumns
from magellan.backtest.market import Market
from magellan.backtest.replay import Replayed, Run, Terms
from magellan.backtest.result import BacktestResult, RunManifest
from magellan.errors import FixInput
from magellan.strategy.contract import Parameters, Strategy, decides_in_python
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Bars, Mask
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, SessionClock
from magellan.trading.timeframe import MINUTE_NS
from magellan.workspace.config import StrategyConfig

_TOO_FEW_TO_TELL = 20  # bars of a thin symbol may all lie further apart


def versions() -> dict[str, str]:
    """Versions of everything whose change may change a result."""
    found = {name: version(name) for name in ("numpy", "numba")}
    return {"magellan": version("magellan-trading"), "python": platform.python_version(), **found}


def terms_of(config: StrategyConfig) -> Terms:
    """The part of a config that the replay itself reads."""
    return Terms(
        execution=config.execution,
        account=config.account,
        limits=config.limits,
        instruments=dict(config.instruments),
        warmup_bars=config.data.warmup_bars,
    )


def views_of(
    market: Market,
    *,
    clock: SessionClock = SessionClock.EXCHANGE,
    calendar: ExchangeCalendar | None = None,
    reference: Sequence[Bars] = (),
) -> list[MarketView]:
    """What a strategy's features may read, per symbol; all see all symbols and the reference symbols."""
    others = {bars.symbol: bars for bars in (*market.bars, *reference)}
    return [MarketView(bars, clock=clock, calendar=calendar, others=others) for bars in market.bars]


def replay_strategy(
    strategy: Strategy,
    market: Market,
    parameters: Sequence[Parameters],
    terms: Terms,
    *,
    views: Sequence[MarketView],
    breaks: Sequence[Mask | None] | None = None,
    actions: Sequence[CorporateAction] = (),
) -> tuple[Run, Replayed]:
    """Evaluate a strategy on every symbol and carry its decisions through the bars.

    parameters: one set per symbol, in the market's order.
    breaks:     per symbol, bars that open after an unexplained jump.
    """
    columns = [
        DecisionColumns(strategy, view, breaks=None if breaks is None else breaks[s])
        for s, view in enumerate(views)
    ]
    decisions = [each.decisions(own) for each, own in zip(columns, parameters, strict=True)]
    asks = decides_in_python(strategy)
    everywhere = asks and all(decided.wake is None for decided in decisions)
    run = Run(market, decisions, terms, views=views, actions=actions, wake_everywhere=everywhere)
    on_wake: Callable[[Run, int, int], None] | None = None
    if asks:
        from magellan.backtest.python_decisions import PythonDecisions

        features = [each.features(own) for each, own in zip(columns, parameters, strict=True)]
        on_wake = PythonDecisions(strategy, features, parameters)
    return run, run.carry_on(on_wake)


def run_backtest(
    strategy: Strategy,
    market: Market,
    config: StrategyConfig,
    parameters: Mapping[str, Parameters],
    manifest: RunManifest,
    *,
    calendar: ExchangeCalendar | None = None,
    reference: Sequence[Bars] = (),
    breaks: Mapping[str, Mask] | None = None,
    actions: Sequence[CorporateAction] = (),
) -> BacktestResult:
    """A whole backtest.

    market:     bars as the strategy shall see and trade them (hours chosen, adjusted if so wished).
    parameters: per symbol.
    calendar:   for rules about the session's close; None where no rule asks.
    breaks:     per symbol, bars that open after a jump that no corporate action explains.
    actions:    splits and dividends to apply to positions; without splits when the bars are adjusted for them.
    Raises FixInput for a strategy or config that cannot work, AskOperator for a position before an unexplained jump.
    """
    from magellan.backtest.equity_curve import buy_and_hold, equity_curve
    from magellan.backtest.trades import trades_of

    must_match_timeframe(market, config)
    clock = SessionClock(config.data.clock)
    views = views_of(market, clock=clock, calendar=calendar, reference=reference)
    run, replayed = replay_strategy(
        strategy,
        market,
        [parameters[symbol] for symbol in market.symbols],
        terms_of(config),
        views=views,
        breaks=None if breaks is None else [breaks.get(symbol) for symbol in market.symbols],
        actions=actions,
    )
    points = point_values(market, config)
    cash_usd = config.account.cash_usd
    return BacktestResult(
        manifest=manifest,
        market=market,
        timeframe=str(market.timeframe),
        cash_start_usd=config.account.cash_usd,
        cash_end_usd=replayed.cash_usd,
        equity_end_usd=replayed.cash_usd + open_value(market, replayed, points),
        fills=replayed.fills,
        decisions=replayed.decisions,
        blocked={r.BLOCKED[code]: int(count) for code, count in enumerate(replayed.blocked) if count},
        dividends_usd=replayed.dividends_usd,
        financing_usd=replayed.financing_usd,
        misleading=(*config.misleading(), *run.reads_the_future()),
        wakes=replayed.wakes,
        breaks=dict(breaks or {}),
        make_trades=lambda: trades_of(replayed, market, points),
        make_equity=lambda: equity_curve(market, replayed.fills, run.actions, cash_usd, points, clock),
        make_benchmark=lambda: buy_and_hold(market, run.actions, cash_usd, clock),
    )


def must_match_timeframe(market: Market, config: StrategyConfig) -> None:
    """Refuse bars that are not spaced as the config says they are. A daily strategy once ran on minutes."""
    declared = config.data.timeframe
    if str(market.timeframe) != declared:
        raise FixInput(
            f"the config decides on {declared} bars, the market holds {market.timeframe} bars",
            next_step="change data.timeframe in the config, or choose bars of that timeframe",
        )
    for bars, (too_near, spaced) in zip(market.bars, market.spacings, strict=True):
        if too_near >= 0:
            gap_s = (bars.opened_at_ns[too_near] - bars.opened_at_ns[too_near - 1]) / 1e9
            raise FixInput(
                f"{bars.symbol}: bars {too_near - 1} and {too_near} lie {gap_s:g} s apart, less than {declared}",
                next_step="run `magellan data check`; the set holds bars of another timeframe",
            )
        if spaced == 0 and len(bars) > _TOO_FEW_TO_TELL and not bars.timeframe.is_daily:
            median_min = np.median(np.diff(bars.opened_at_ns)) / MINUTE_NS
            raise FixInput(
                f"{bars.symbol}: no two bars lie {declared} apart (median {median_min:g} min)",
                next_step="run `magellan data check`; the set holds bars of another timeframe",
            )


def point_values(market: Market, config: StrategyConfig) -> NDArray[np.float64]:
    """Currency per point and unit, per symbol; shape (symbols,)."""
    return np.array([config.instrument(symbol).point_value for symbol in market.symbols])


def open_value(market: Market, replayed: Replayed, points: NDArray[np.float64]) -> float:
    """Market value of what is still held, each symbol at its own last close."""
    last = market.close[market.offsets[1:] - 1]
    return float(np.sum(replayed.positions["units"] * last * points))
