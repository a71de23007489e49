"""Hypothesis strategies: small markets in which interesting things happen, and plans whose levels lie near the bars.

A whole run is decoded from one string of bytes, four to a bar and one to each choice: that makes thousands of runs a
minute possible, and as a zero means the plainest choice, a failing run still shrinks towards flat bars and no extras.
Prices lie on a grid whose steps are powers of two unless the market is stretched; levels are taken from the bars
themselves, often from the very bar that will be filled. Both make exact ties (a low that equals a stop) common, and
free of rounding noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

from magellan.strategy import trade_plan as tp
from magellan.strategy.trade_plan import Price, Reading, TimeInForce, TradePlan
from magellan.trading.bar import Floats
from magellan.trading.session import EXCHANGE_ZONE
from magellan.workspace.config import (
    AccountTerms,
    DataTerms,
    ExecutionTerms,
    Identity,
    InstrumentTerms,
    Limits,
    StrategyConfig,
)
from reference.plain_market import Action, Row, RunInput, SymbolInput

NS = 1_000_000_000
MINUTE_NS = 60 * NS
NAN = math.nan

T = TypeVar("T")


class Picks:
    """Choices read off a string of bytes; once it is used up, always the first."""

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._at = 0

    def bytes(self, count: int) -> bytes:
        self._at += count
        return self._code[self._at - count : self._at].ljust(count, b"\0")

    def one_of(self, *options: T) -> T:
        return options[self.bytes(1)[0] % len(options)]

    def mostly(self, *options: T) -> T:
        """The first in more than half of the cases."""
        return self.one_of(*(options[:1] * len(options)), *options)

    def number(self, first: int, last: int) -> int:
        return first + self.bytes(1)[0] % (last - first + 1)


# A Thursday, a Friday, and a Monday after the clocks went forward; then a holiday on a Friday.
DAYS = tuple(date(2024, 3, day) for day in (7, 8, 11, 12, 13, 14, 15, 18, 19, 20, 21, 22, 25, 26, 27, 28))

# What the nibbles of a bar's bytes mean, in grid steps; 0 is nothing at all, so that a market shrinks to a flat line.
GAPS = (0, 0, 0, 0, 0, 0, 1, -1, 1, -1, 2, -2, 4, -4, 9, -9)
BODIES = (0, 0, 1, -1, 1, -1, 2, -2, 2, -2, 3, -3, 4, -4, 6, -6)
WICKS = (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 8, 15)
VOLUMES = (1000, 1000, 100, 100, 50, 50, 20, 20, 10, 10, 3, 1, 0, 0, 100_000, 640)
ENTRIES = ("", "", "", "", "L", "L", "L", "L", "S", "S", "S", "S", "LS", "LS", "LS", "")
EXITS = ("", "", "", "", "", "", "", "", "", "l", "l", "s", "s", "ls", "ls", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What all symbols of a market share."""

    minutes: int  # of a bar; 1440 for daily bars
    bars_per_day: int
    days: int
    half_days: tuple[int, ...]  # numbers of days that hold half of the bars
    missing_at_the_end: int  # bars of the last session that are not there yet
    has_calendar: bool  # without one nobody knows when a session closes
    step: float  # of the price grid
    start: float
    stretch: float  # 1, or what the grid is multiplied with so that prices are not round


def instants(shape: Shape) -> list[tuple[int, int, int, float]]:
    """(opened_at_ns, day, minute, minutes to the close) of every bar that a symbol may have."""
    found = []
    for number, on in enumerate(DAYS[: shape.days]):
        day = (on - date(1970, 1, 1)).days
        if shape.minutes == 1440:
            found.append((day * 86_400 * NS, day, 0, NAN))
            continue
        first = datetime.combine(on, time(9, 30), tzinfo=EXCHANGE_ZONE).astimezone(UTC)
        bars = shape.bars_per_day // 2 if number in shape.half_days else shape.bars_per_day
        for k in range(bars):
            at = first + timedelta(minutes=k * shape.minutes)
            left = float((bars - k) * shape.minutes) if shape.has_calendar else NAN
            found.append((int(at.timestamp()) * NS, day, 570 + k * shape.minutes, left))
    return found[: max(1, len(found) - shape.missing_at_the_end)]


def shape_of(picks: Picks) -> Shape:
    minutes = picks.one_of(60, 1, 1440, 30)
    step, start = picks.one_of((0.5, 100.0), (0.125, 100.0), (2.0, 1000.0), (1 / 64, 1.5))
    return Shape(
        minutes=minutes,
        bars_per_day=1 if minutes == 1440 else picks.number(2, 6),
        days=picks.number(3, 16) if minutes == 1440 else picks.number(1, 5),
        half_days=picks.mostly((), (0,), (1, 3)),
        missing_at_the_end=picks.mostly(0, 1, 3) if minutes != 1440 else 0,
        has_calendar=picks.mostly(True, False),
        step=step,
        start=start,
        stretch=picks.mostly(1.0, 1.0137),
    )


def market_of(
    picks: Picks, shape: Shape, symbol: str, *, shorts: bool, actions: bool, breaks: bool, gaps_in_time: bool
) -> dict[str, Any]:
    """Rows, masks, actions of one symbol, as arguments of SymbolInput without its plans."""
    drift = picks.one_of(0, 0, 1, -1)
    rows: list[Row] = []
    masks: dict[str, set[int]] = {name: set() for name in ("L", "S", "l", "s")}
    jumps: set[int] = set()
    close = round(shape.start / shape.step)
    unit = shape.step * shape.stretch
    for opened_at_ns, day, minute, left in instants(shape):
        first, second, third, fourth = picks.bytes(4)
        if gaps_in_time and rows and third >> 4 == 13:
            continue
        opened = max(1, close + GAPS[first >> 4])
        close = max(1, opened + BODIES[first & 15] + drift)
        row = len(rows)
        rows.append(
            Row(
                opened_at_ns=opened_at_ns,
                open=opened * unit,
                high=(max(opened, close) + WICKS[second >> 4]) * unit,
                low=max(1, min(opened, close) - WICKS[second & 15]) * unit,
                close=close * unit,
                volume=float(VOLUMES[third & 15]),
                day=day,
                minute=minute,
                minutes_to_close=left,
            )
        )
        for name in ENTRIES[fourth >> 4] + EXITS[fourth & 15]:
            masks[name].add(row)
        if breaks and third >> 4 == 14 and row > 0:
            jumps.add(row)
    found: tuple[Action, ...] = ()
    if actions and len(rows) > 1:
        found = in_order([action_of(picks, len(rows)) for _ in range(picks.number(0, 3))])
    return {
        "symbol": symbol,
        "rows": on_new_basis(rows, found),
        "enter_long": frozenset(masks["L"]),
        "enter_short": frozenset(masks["S"]) if shorts else frozenset(),
        "exit_long": frozenset(masks["l"]),
        "exit_short": frozenset(masks["s"]),
        "breaks": frozenset(jumps),
        "actions": found,
    }


def action_of(picks: Picks, rows: int) -> Action:
    row = picks.number(1, rows - 1)
    if picks.one_of(True, False):
        new, old = picks.one_of((2, 1), (3, 2), (10, 1), (1, 2), (1, 3), (1, 20))
        return Action(row=row, new_shares=new, old_shares=old)
    return Action(row=row, dividend_usd=picks.one_of(0.25, 1.0))


def in_order(actions: list[Action]) -> tuple[Action, ...]:
    """By row; several on one row apply in the order given."""
    return tuple(sorted(actions, key=lambda action: action.row))


def on_new_basis(rows: list[Row], actions: tuple[Action, ...]) -> tuple[Row, ...]:
    """The rows as an exchange would have traded them: a split divides the prices that follow it."""
    found = []
    factor = 1.0
    for at, row in enumerate(rows):
        for action in actions:
            if action.row == at:
                factor *= action.share_factor
        prices = {name: getattr(row, name) / factor for name in ("open", "high", "low", "close")}
        found.append(replace(row, **prices))
    return tuple(found)


# --- Plans ----------------------------------------------------------------------------------------------------


def column_of(picks: Picks, rows: tuple[Row, ...], moved: float) -> Floats:
    """A price column beside the bars: one of their prices, of this bar or of a later one, moved."""
    source = picks.one_of("close", "low", "high", "open")
    ahead = picks.number(0, 2)
    holes = picks.one_of(0, 0, 0, 0, 0, 0, 3, 4)
    found = (
        np.array([getattr(rows[min(at + ahead, len(rows) - 1)], source) for at in range(len(rows))]) + moved
    )
    if holes:
        found[::holes] = NAN
    return found


def price_of(
    picks: Picks, rows: tuple[Row, ...], toward: int, step: float, *, has_risk: bool, favour: int
) -> Price:
    """A level on the side `toward` (+1 above, -1 below) of the market; `favour` is +1 where that is good for us."""
    kind = picks.one_of("fixed", "fixed", "moving", "same", "usd", "entry", "risk")
    near = toward * picks.one_of(2, 0, 1, 3, 4, 5, 6, 1, 2, -1) * step
    if kind == "usd":
        return Price(usd=rows[0].close + near)
    if kind == "entry" or (kind == "risk" and not has_risk):
        if picks.one_of(True, False):
            return Price(plus_usd=favour * picks.one_of(2, 1, 3, 4, 5, 6, 0) * step)
        return Price(plus_fraction=favour * picks.one_of(1 / 64, 1 / 128, 1 / 32, 1 / 16, 0.0))
    if kind == "risk":
        return Price(plus_risk=picks.one_of(1.0, 0.5, 2.0))
    reading = {"fixed": Reading.SIGNAL, "moving": Reading.PRIOR, "same": Reading.SAME}[kind]
    return Price(
        column=column_of(picks, rows, near),
        reading=reading,
        part_way=picks.mostly(1.0, 0.5),
        plus_fraction=picks.mostly(0.0, favour / 64),
        plus_usd=picks.mostly(0.0, favour * step),
    )


ENTRY_KINDS = ("market", "market", "limit", "limit", "stop", "stop", "stop limit", "scheduled")


def entry_of(picks: Picks, rows: tuple[Row, ...], side: int, step: float, kind: str) -> tp.EntryOrder:
    tif = picks.one_of(TimeInForce.DAY, TimeInForce.DAY, TimeInForce.GTC, *TimeInForce)
    if kind == "scheduled":
        at = picks.one_of(time(9, 30), time(10, 30), time(9, 32), time(11, 30))
        return tp.Market(
            at=at, time_in_force=TimeInForce.DAY if tif in (TimeInForce.OPG, TimeInForce.CLS) else tif
        )
    if kind == "market":
        return tp.Market(time_in_force=tif)

    def below() -> Price:
        return price_of(picks, rows, -side, step, has_risk=False, favour=-1)

    def above() -> Price:
        return price_of(picks, rows, side, step, has_risk=False, favour=1)

    if kind == "limit":
        return tp.Limit(price=below(), time_in_force=tif)
    if kind == "stop":
        return tp.Stop(price=above(), time_in_force=tif)
    return tp.StopLimit(stop=above(), limit=picks.one_of(above, below)(), time_in_force=tif)


def size_of(picks: Picks, rows: tuple[Row, ...], *, has_stop: bool) -> tp.Size:
    kind = picks.one_of("units", "notional", "cash", "equity", "column", "risk")
    if kind == "notional":
        return tp.Notional(usd=picks.one_of(500.0, 2500.0))
    if kind == "cash":
        return tp.CashFraction(fraction=picks.one_of(1.0, 0.5))
    if kind == "equity":
        return tp.EquityFraction(fraction=picks.one_of(0.25, 1.0, 2.0))
    if kind == "column":
        return tp.EquityFraction(
            fraction=np.array([(0.25, 0.5, 1.0, 0.0)[at % 4] for at in range(len(rows))])
        )
    if kind == "risk" and has_stop:
        return tp.RiskFraction(
            fraction=picks.one_of(0.01, 0.02, 0.1), notional_max_usd=picks.one_of(None, None, 1500.0)
        )
    return tp.Units(units=picks.one_of(1.0, 10.0, 7.0, 33.0, 100.0))


def trailing_of(picks: Picks, rows: tuple[Row, ...], step: float) -> tp.Trailing | None:
    kind = picks.one_of("none", "none", "none", "usd", "fraction", "column")
    if kind == "none":
        return None
    if kind == "usd":
        return tp.Trailing(usd=picks.number(1, 8) * step)
    if kind == "fraction":
        return tp.Trailing(fraction=picks.one_of(1 / 32, 1 / 64, 1 / 8))
    ranges = np.array([row.high - row.low + step for row in rows])
    if picks.one_of(False, True):
        ranges[::3] = NAN
    return tp.Trailing(column=ranges, multiple=picks.one_of(1.0, 0.5, 2.0))


def target_of(picks: Picks, rows: tuple[Row, ...], side: int, step: float, *, has_stop: bool) -> tp.Target:
    then = picks.one_of("stays", "stays", "entry", "level")
    then_stop = None
    if then == "entry":
        then_stop = tp.entry_price()
    elif then == "level":
        then_stop = price_of(picks, rows, -side, step, has_risk=has_stop, favour=-1)
    return tp.Target(
        price=price_of(picks, rows, side, step, has_risk=has_stop, favour=1),
        fraction=picks.one_of(1.0, 0.5, 0.25, 0.75),
        then_stop=then_stop,
        later_bar=picks.one_of(False, False, True),
    )


def plan_of(
    picks: Picks,
    rows: tuple[Row, ...],
    side: int,
    step: float,
    kind: str,
    session_exit: tp.SessionExit | None,
) -> TradePlan:
    has_stop = picks.one_of(False, True, True)
    stop = price_of(picks, rows, -side, step, has_risk=False, favour=-1) if has_stop else None
    return TradePlan(
        size=size_of(picks, rows, has_stop=has_stop),
        entry=entry_of(picks, rows, side, step, kind),
        stop=stop,
        trailing=trailing_of(picks, rows, step),
        targets=tuple(
            target_of(picks, rows, side, step, has_stop=has_stop) for _ in range(picks.number(0, 3))
        ),
        hold_minutes=picks.mostly(None, 60, 121, 2880),
        hold_bars=picks.mostly(None, 1, 2, 5),
        session_exit=session_exit,
        cooldown_bars=picks.mostly(0, 0, 0, 1, 2, 4),
    )


# --- Terms ----------------------------------------------------------------------------------------------------


def config_of(picks: Picks, symbols: tuple[str, ...], *, volume: bool) -> StrategyConfig:
    kind = picks.one_of("margin", "margin", "margin", "cash")
    volume_share = picks.one_of(1.0, 0.5, 0.1, None) if volume else None
    impact = picks.mostly(0.0, 0.01, 0.1) if volume else 0.0
    return StrategyConfig(
        strategy=Identity(name="agreement", version="1.0.0", kind="swing"),
        symbols=symbols,
        data=DataTerms(warmup_bars=picks.mostly(0, 3)),
        account=AccountTerms(
            cash_usd=picks.one_of(10_000.0, 100_000.0, 10_000.0, 1_000.0, 250.0),
            kind=kind,
            leverage=picks.mostly(1.0, 2.0, 4.0) if kind == "margin" else 1.0,
            maintenance_fraction=picks.mostly(0.25, 0.9, 0.5),
        ),
        execution=ExecutionTerms(
            fill=picks.mostly("next-open", "close"),
            size_at=picks.mostly("decision", "fill"),
            slippage_bps=picks.mostly(0.0, 10.0, 100.0),
            half_spread_bps=picks.mostly(0.0, 5.0),
            impact=impact,
            volume_share_max=volume_share,
            commission_bps=picks.mostly(0.0, 2.0),
            commission_per_unit_usd=picks.mostly(0.0, 0.005),
            commission_min_usd=picks.mostly(0.0, 1.0),
            borrow_rate=picks.mostly(0.0, 0.1),
            borrow_units_max=picks.mostly(None, None, 5.0),
            stop_fill=picks.mostly("gap-aware", "at-level"),
            limit_fill=picks.mostly("gap-aware", "at-level"),
            limit_needs=picks.mostly("touch", "through"),
            unexplained_jumps=picks.one_of("refuse", "hold"),
        ),
        instruments={
            symbol: InstrumentTerms(
                quantity_step=picks.mostly(1.0, 10.0, 0.25, 0.0),
                point_value=picks.mostly(1.0, 2.0),
                tick_size=picks.mostly(0.0, 0.125, 0.01),
                shortable=picks.mostly(True, True, True, True, False),
                slippage_bps=picks.mostly(None, 20.0),
                commission_min_usd=picks.mostly(None, 1.0),
            )
            for symbol in symbols
        },
        limits=Limits(
            trades_per_day_max=picks.mostly(None, None, 1, 2),
            trades_counted_at=picks.mostly("entry", "exit"),
            loss_per_day_fraction_max=picks.mostly(None, None, 0.01),
            loss_per_day_usd_max=picks.mostly(None, None, 20.0),
            open_positions_max=picks.mostly(None, None, 1, 2),
            position_usd_max=picks.mostly(None, None, 1200.0),
        ),
    )


# --- Whole runs -----------------------------------------------------------------------------------------------


def run_of(
    code: bytes,
    *,
    symbols_max: int,
    actions: bool,
    breaks: bool,
    volume: bool,
    entry_kinds: tuple[str, ...],
) -> RunInput:
    picks = Picks(code)
    names = tuple("ABCD"[: picks.number(1, symbols_max)])
    shape = shape_of(picks)
    config = config_of(picks, names, volume=volume)
    shorts = config.account.kind == "margin" or picks.one_of(False, False, True)
    gaps_in_time = picks.one_of(False, True)
    has_closes = shape.minutes != 1440 and shape.has_calendar
    session_exit = picks.one_of(
        None,
        None,
        None,
        tp.SessionExit(),
        tp.SessionExit(at=time(11, 30)),
        tp.SessionExit(at=time(9, 32)),
        tp.SessionExit(before_close_minutes=60) if has_closes else None,
    )
    # On a stretched market levels keep off the bars' own grid, where a tie would hang on the last bit of a sum.
    step = shape.step if shape.stretch == 1.0 else shape.step * 0.9371
    found = []
    for name in names:
        kinds = picks.one_of(*entry_kinds), picks.one_of(*entry_kinds)
        market = market_of(
            picks, shape, name, shorts=shorts, actions=actions, breaks=breaks, gaps_in_time=gaps_in_time
        )
        rows = market["rows"]
        long = plan_of(picks, rows, 1, step, kinds[0], session_exit)
        # A schedule belongs to a symbol and not to a side, so both sides share the plan that has one.
        shares = "scheduled" in kinds
        short = long if shares else plan_of(picks, rows, -1, step, kinds[1], session_exit)
        found.append(SymbolInput(plan_long=long, plan_short=short, **market))
    return RunInput(symbols=tuple(found), span_ns=shape.minutes * MINUTE_NS, config=config)


def runs(
    *,
    symbols_max: int = 2,
    actions: bool = False,
    breaks: bool = False,
    volume: bool = False,
    entry_kinds: tuple[str, ...] = ENTRY_KINDS,
) -> st.SearchStrategy[RunInput]:
    """A market, a plan per symbol and side, and the terms of the run."""
    length = 60 + 240 * symbols_max
    return st.binary(min_size=length, max_size=length).map(
        lambda code: run_of(
            code,
            symbols_max=symbols_max,
            actions=actions,
            breaks=breaks,
            volume=volume,
            entry_kinds=entry_kinds,
        )
    )
