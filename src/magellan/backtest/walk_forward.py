"""Walk-forward: choose parameters on one window of sessions, judge them on the next, and roll on.

The rules, in full:

1. Windows are counted in sessions of the traded symbols. Test windows follow one another without gap or overlap; the
   last may be shorter. A training window ends where its test window begins. Rolling ones all have the same length;
   anchored ones all begin with the first session.
2. A training window is run as `magellan backtest --from ... --to ...` would run it: indicators see its bars only.
3. The best set is that with the best metric among those with enough trades. Where there is none, the test window is
   stood aside: its money earns nothing, and the result says so.
4. In the test window, indicators see the training window's bars, too, so they are warm. The first decision to enter is
   taken at the close of the test window's first bar. Nothing is held from before.
5. What is still held at the test window's last close is valued there, and not carried over. No cost is charged for
   leaving; the result says how many trades ended so.
6. Every window starts with the account's configured money. The out-of-sample equity chains what the test windows
   gained or lost.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records
from magellan.backtest.drawdown import depths
from magellan.backtest.equity_curve import equity_curve
from magellan.backtest.market import Market
from magellan.backtest.missing import Measured, Missing
from magellan.backtest.parameter_space import Setting
from magellan.backtest.result import EquityCurve
from magellan.backtest.returns import (
    ACCOUNT_LOST,
    SESSIONS_PER_YEAR,
    bar_returns,
    periods_per_year,
    session_returns,
    sharpe_ratio,
)
from magellan.backtest.run import point_values, replay_strategy, terms_of, views_of
from magellan.backtest.trades import trades_of
from magellan.errors import FixInput
from magellan.strategy.contract import Features, Parameters, Strategy, decides_in_python
from magellan.trading.bar import Bars, Floats, Mask
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, SessionClock, day_date, day_number, session_columns
from magellan.trading.timeframe import Timeframe
from magellan.workspace.config import StrategyConfig

SESSIONS_FOR_A_YEARLY_RATE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Consecutive sessions; both dates included."""

    first_on: date
    last_on: date
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is trained on, and what is tested next."""

    train: Stretch
    test: Stretch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """What a stretch leaves of the bars. Symbols without a bar in it are left out."""

    bars: tuple[Bars, ...]
    reference: tuple[Bars, ...]  # from their beginning on
    breaks: Mapping[str, Mask]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The set that was chosen on a training window, and what it had done there."""

    setting: Setting
    fit: int  # sets that could have been chosen
    return_fraction: float
    sharpe: float | None  # of bar returns, per year
    trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoodAside:
    """Why no set was chosen."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutOfSample:
    """What a chosen set did in the test window, from the account's configured money on."""

    equity: EquityCurve  # at the test window's closes
    trade_pnl_usd: Floats  # shape (trades,); those cut off at the last close valued there
    cut_off: int  # trades that were still open at the last close

    @property
    def trades(self) -> int:
        return len(self.trade_pnl_usd)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowResult:
    """One window: what was chosen, and what came of it."""

    window: Window
    chosen: Trained | StoodAside
    tested: OutOfSample  # a flat line where nothing was chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How much one parameter's choice moved from window to window."""

    name: str
    values: tuple[Any, ...]  # chosen, per window in which there was a choice
    different: int
    most_frequent: Any
    most_frequent_share: float
    changes_share: float | None  # of the steps from one choice to the next; None with fewer than two choices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WalkForward:
    """A finished walk-forward. None: could not be computed, and `missing` says why."""

    windows: tuple[WindowResult, ...]
    names: tuple[str, ...]
    equity: EquityCurve  # the chain of all test windows
    cash_start_usd: float
    equity_end_usd: float
    return_fraction: float
    return_yearly_fraction: float | None  # per 252 sessions, out of sample
    return_yearly_fraction_trained: float | None  # the chosen sets', in their training windows
    efficiency: float | None  # of these two: out of sample over in sample
    sharpe: float | None  # of bar returns, per year, out of sample
    sharpe_daily: float | None  # of session returns, per year, out of sample
    sharpe_trained: float | None  # mean of the chosen sets', in their training windows
    drawdown_fraction_max: float
    trades: int
    cut_off: int
    win_rate: float | None
    profit_factor: float | None
    gaining_windows_share: float | None  # of the test windows in which something was traded
    stood_aside: int
    stability: tuple[Stability, ...]
    missing: Mapping[str, str]


def windows_of(days: NDArray[np.int32], *, train: int, test: int, anchored: bool) -> tuple[Window, ...]:
    """Cut sessions into windows.

    days:  session dates, each once, oldest first (days since 1970-01-01).
    train: sessions of a training window; of the first one where they are anchored.
    test:  sessions of a test window.
    Raises FixInput when not even one window with a whole test fits.
    """
    if train < 1 or test < 1:
        raise FixInput(f"windows of {train} and {test} sessions: each needs at least one")
    if len(days) < train + test:
        raise FixInput(
            f"{len(days)} sessions are too few: one window needs {train} to train on and {test} to test on",
            next_step="choose shorter windows, or a longer range",
        )
    return tuple(
        Window(
            train=_stretch(days[0 if anchored else start - train : start]),
            test=_stretch(days[start : start + test]),
        )
        for start in range(train, len(days), test)
    )


def sessions_of(bars: Sequence[Bars], clock: SessionClock) -> NDArray[np.int32]:
    """The dates on which any of these symbols has a bar, each once, oldest first."""
    return np.unique(np.concatenate([np.unique(session_columns(one, clock).day) for one in bars]))


def stretch_of(
    stretch: Stretch,
    bars: Sequence[Bars],
    reference: Sequence[Bars],
    breaks: Mapping[str, Mask],
    clock: SessionClock,
) -> Part:
    """The rows that belong to a stretch."""
    chosen: list[Bars] = []
    kept: dict[str, Mask] = {}
    for one in bars:
        rows = _rows(one, clock, stretch.first_on, stretch.last_on)
        if rows.start < rows.stop:
            chosen.append(one.rows(rows))
            if one.symbol in breaks:
                kept[one.symbol] = breaks[one.symbol][rows]
    until = [one.rows(_rows(one, clock, None, stretch.last_on)) for one in reference]
    return Part(bars=tuple(chosen), reference=tuple(one for one in until if len(one)), breaks=kept)


def entering_from(strategy: Strategy, first_ns: int) -> Strategy:
    """The same strategy, which decides to enter only on bars that open at or after that instant.

    Everything else is its own: it is of a class derived from the strategy's.
    """
    kind = type(strategy)

    def late(f: Features) -> Mask:
        return np.asarray(f.bars.opened_at_ns >= first_ns)

    def only_late(name: str) -> Callable[[Any, Features, Any], Mask | None]:
        def answer(self: Any, f: Features, p: Any) -> Mask | None:
            mask: Mask | None = getattr(kind, name)(self, f, p)
            return mask if mask is None else mask & late(f)

        return answer

    own: dict[str, Any] = {
        name: only_late(name)
        for name in ("enter_long", "enter_short", "wake")
        if getattr(kind, name) is not getattr(Strategy, name)
    }
    if decides_in_python(strategy) and "wake" not in own:
        # Nothing can be held before, so there is nothing else to decide.
        own["wake"] = lambda self, f, p: late(f)
    made: Strategy = type(kind.__name__, (kind,), own)()
    return made


def run_out_of_sample(
    window: Window,
    strategy: Strategy,
    parameters: Mapping[str, Parameters],
    config: StrategyConfig,
    bars: Sequence[Bars],
    *,
    calendar: ExchangeCalendar | None = None,
    reference: Sequence[Bars] = (),
    breaks: Mapping[str, Mask] | None = None,
    actions: Sequence[CorporateAction] = (),
) -> OutOfSample:
    """Run a chosen set on a test window, indicators warm from the training window.

    Raises as `run_backtest` does.
    """
    clock = SessionClock(config.data.clock)
    both = Stretch(
        first_on=window.train.first_on,
        last_on=window.test.last_on,
        sessions=window.train.sessions + window.test.sessions,
    )
    part = stretch_of(both, bars, reference, breaks or {}, clock)
    market = Market.of(part.bars)
    views = views_of(market, clock=clock, calendar=calendar, reference=part.reference)
    first_ns = min(
        int(one.opened_at_ns[rows.start])
        for one in market
        if (rows := _rows(one, clock, window.test.first_on, None)).start < len(one)
    )
    run, replayed = replay_strategy(
        entering_from(strategy, first_ns),
        market,
        [parameters[symbol] for symbol in market.symbols],
        terms_of(config),
        views=views,
        breaks=[part.breaks.get(symbol) for symbol in market.symbols],
        actions=actions,
    )
    points = point_values(market, config)
    curve = equity_curve(market, replayed.fills, run.actions, config.account.cash_usd, points, clock)
    trades = trades_of(replayed, market, points)
    rows = slice(int(np.searchsorted(curve.closed_at_ns, first_ns, side="right")), None)
    return OutOfSample(
        equity=EquityCurve(
            closed_at_ns=curve.closed_at_ns[rows],
            day=curve.day[rows],
            equity_usd=curve.equity_usd[rows],
            exposure_usd=curve.exposure_usd[rows],
            gross_exposure_usd=curve.gross_exposure_usd[rows],
        ),
        trade_pnl_usd=trades.pnl_usd,
        cut_off=int(trades.is_open.sum()),
    )


def stood_aside(window: Window, bars: Sequence[Bars], clock: SessionClock, cash_usd: float) -> OutOfSample:
    """A test window in which nothing is traded."""
    market = Market.of(stretch_of(window.test, bars, (), {}, clock).bars)
    nothing = records.ActionArrays(
        row=np.zeros(0, dtype=np.int64),
        share_factor=np.zeros(0),
        dividend=np.zeros(0),
        offsets=np.zeros(len(market.bars) + 1, dtype=np.int64),
    )
    fills = np.zeros(0, dtype=records.fill_t)
    curve = equity_curve(market, fills, nothing, cash_usd, np.ones(len(market.bars)), clock)
    return OutOfSample(equity=curve, trade_pnl_usd=np.zeros(0), cut_off=0)


def walked_forward(
    windows: Sequence[WindowResult], names: tuple[str, ...], *, cash_usd: float, timeframe: Timeframe
) -> WalkForward:
    """Put the windows together. windows: oldest first, at least one."""
    missing: dict[str, str] = {}

    def value(name: str, measured: Measured) -> float | None:
        if isinstance(measured, Missing):
            missing[name] = measured.reason
            return None
        return measured

    curve, factors = _chained(windows, cash_usd)
    per_year = periods_per_year(timeframe)
    per_session = session_returns(curve)
    chosen = [
        (each.window, each.chosen, _gain(each.tested, cash_usd))
        for each in windows
        if isinstance(each.chosen, Trained)
    ]
    outside = _yearly((_gain(each.tested, cash_usd), each.window.test.sessions) for each in windows)
    outside_chosen = _yearly((gain, window.test.sessions) for window, _, gain in chosen)
    inside = _yearly((trained.return_fraction, window.train.sessions) for window, trained, _ in chosen)
    trained_sharpes = [trained.sharpe for _, trained, _ in chosen if trained.sharpe is not None]
    pnl = np.concatenate(
        [each.tested.trade_pnl_usd * factor for each, factor in zip(windows, factors, strict=True)]
    )
    lost = float(-pnl[pnl < 0.0].sum())
    no_choice = Missing("nothing was chosen in any window")
    no_trade = Missing("nothing was traded in any test window")
    return WalkForward(
        windows=tuple(windows),
        names=names,
        equity=curve,
        cash_start_usd=cash_usd,
        equity_end_usd=float(curve.equity_usd[-1]),
        return_fraction=float(curve.equity_usd[-1]) / cash_usd - 1.0,
        return_yearly_fraction=value("return_yearly_fraction", outside),
        return_yearly_fraction_trained=value("return_yearly_fraction_trained", inside),
        efficiency=value("efficiency", _efficiency(outside_chosen, inside)),
        sharpe=value("sharpe", sharpe_ratio(bar_returns(curve.equity_usd), per_year)),
        sharpe_daily=value(
            "sharpe_daily",
            sharpe_ratio(
                per_session if isinstance(per_session, Missing) else per_session.returns,
                float(SESSIONS_PER_YEAR),
            ),
        ),
        sharpe_trained=value(
            "sharpe_trained", float(np.mean(trained_sharpes)) if trained_sharpes else no_choice
        ),
        drawdown_fraction_max=float(depths(curve.equity_usd, cash_usd).max()),
        trades=len(pnl),
        cut_off=sum(each.tested.cut_off for each in windows),
        win_rate=value("win_rate", float((pnl > 0.0).mean()) if len(pnl) else no_trade),
        profit_factor=value(
            "profit_factor",
            (float(pnl[pnl > 0.0].sum()) / lost if lost > 0.0 else Missing("no trade lost"))
            if len(pnl)
            else no_trade,
        ),
        gaining_windows_share=value(
            "gaining_windows_share",
            float(np.mean([gain > 0.0 for _, _, gain in chosen])) if chosen else no_choice,
        ),
        stood_aside=len(windows) - len(chosen),
        stability=_stability(names, [trained.setting for _, trained, _ in chosen]),
        missing=missing,
    )


def _rows(bars: Bars, clock: SessionClock, first_on: date | None, last_on: date | None) -> slice:
    """The rows of a symbol from one date to another, both included."""
    day = session_columns(bars, clock).day
    start = 0 if first_on is None else int(np.searchsorted(day, day_number(first_on)))
    stop = len(day) if last_on is None else int(np.searchsorted(day, day_number(last_on), side="right"))
    return slice(start, max(start, stop))


def _stretch(days: NDArray[np.int32]) -> Stretch:
    return Stretch(first_on=day_date(int(days[0])), last_on=day_date(int(days[-1])), sessions=len(days))


def _chained(windows: Sequence[WindowResult], cash_usd: float) -> tuple[EquityCurve, list[float]]:
    """The test windows' curves behind each other, and what each was multiplied with to begin where one ended."""
    factors = []
    factor = 1.0
    for each in windows:
        factors.append(factor)
        factor *= float(each.tested.equity.equity_usd[-1]) / cash_usd
    curves = [each.tested.equity for each in windows]

    def joined(name: str) -> Floats:
        return np.concatenate([getattr(one, name) * own for one, own in zip(curves, factors, strict=True)])

    curve = EquityCurve(
        closed_at_ns=np.concatenate([one.closed_at_ns for one in curves]),
        day=np.concatenate([one.day for one in curves]),
        equity_usd=joined("equity_usd"),
        exposure_usd=joined("exposure_usd"),
        gross_exposure_usd=joined("gross_exposure_usd"),
    )
    assert bool((np.diff(curve.closed_at_ns) > 0).all()), "test windows follow one another without overlap"
    return curve, factors


def _gain(tested: OutOfSample, cash_usd: float) -> float:
    return float(tested.equity.equity_usd[-1]) / cash_usd - 1.0


def _yearly(gains: Iterable[tuple[float, int]]) -> Measured:
    """Gains of several stretches, each with its sessions, as one compound rate per 252 sessions."""
    growth, sessions = 1.0, 0
    for gain, of in gains:
        if gain <= -1.0:
            return ACCOUNT_LOST
        growth *= 1.0 + gain
        sessions += of
    if sessions == 0:
        return Missing("nothing was chosen in any window")
    if sessions < SESSIONS_FOR_A_YEARLY_RATE:
        return Missing(f"{sessions} sessions, and a yearly rate needs {SESSIONS_FOR_A_YEARLY_RATE}")
    return float(growth ** (SESSIONS_PER_YEAR / sessions) - 1.0)


def _efficiency(outside: Measured, inside: Measured) -> Measured:
    """Yearly rate out of sample over that in sample, over the windows in which something was chosen.

    Source: R. Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd edition, 2008, chapter 11.
    """
    if isinstance(inside, Missing):
        return inside
    if isinstance(outside, Missing):
        return outside
    if inside <= 0.0:
        return Missing("the chosen sets earned nothing in their training windows")
    return outside / inside


def _stability(names: Sequence[str], settings: Sequence[Setting]) -> tuple[Stability, ...]:
    if not settings:
        return ()
    found = []
    for at, name in enumerate(names):
        values = [setting[at] for setting in settings]
        spelled = [json.dumps(value) for value in values]
        most, count = Counter(spelled).most_common(1)[0]
        moves = [one != other for one, other in pairwise(spelled)]
        found.append(
            Stability(
                name=name,
                values=tuple(values),
                different=len(set(spelled)),
                most_frequent=json.loads(most),
                most_frequent_share=count / len(values),
                changes_share=sum(moves) / len(moves) if moves else None,
            )
        )
    return tuple(found)
