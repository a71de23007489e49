"""Ask the compiled replay the question that the plain engine is asked, and put its answer in the same words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.market import Market
from magellan.backtest.masks import SymbolDecisions
from magellan.backtest.replay import Replayed, Run, Terms
from magellan.errors import AskOperator
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Bars, Mask, instant
from magellan.trading.corporate_action import CashDividend, CorporateAction, Split
from magellan.trading.session import ExchangeCalendar, day_date, exchange_midnight
from magellan.trading.timeframe import DAY_NS, MINUTE_NS, Timeframe
from reference.plain_market import (
    Action,
    HeldThroughJump,
    PlainFill,
    PlainOutcome,
    RunInput,
    SymbolInput,
)


def replay(given: RunInput) -> PlainOutcome:
    """Run the compiled engine on the plain engine's input."""
    market = Market.of([bars_of(one, given.span_ns) for one in given.symbols])
    config = given.config
    calendar = calendar_of(given)
    run = Run(
        market,
        [decisions_of(one) for one in given.symbols],
        Terms(
            execution=config.execution,
            account=config.account,
            limits=config.limits,
            instruments=config.instruments,
            warmup_bars=config.data.warmup_bars,
        ),
        views=[MarketView(bars, calendar=calendar) for bars in market],
        actions=[action for one in given.symbols for action in actions_of(one)],
    )
    try:
        return outcome(given, market, run.carry_on(), refused=None)
    except AskOperator:
        account = run.state.account[0]
        symbol = int(account["symbol"])
        jump = HeldThroughJump(
            symbol=market.symbols[symbol], row=int(account["row"]) - int(market.offsets[symbol])
        )
        return outcome(given, market, run._replayed(), refused=jump)


def bars_of(one: SymbolInput, span_ns: int) -> Bars:
    return Bars(
        symbol=one.symbol,
        timeframe=Timeframe(span_ns),
        opened_at_ns=np.array([row.opened_at_ns for row in one.rows], dtype=np.int64),
        **{
            name: np.array([getattr(row, name) for row in one.rows], dtype=np.float64)
            for name in ("open", "high", "low", "close", "volume")
        },
    ).checked()


def decisions_of(one: SymbolInput) -> SymbolDecisions:
    def mask(rows: Iterable[int]) -> Mask | None:
        found = np.zeros(len(one.rows), dtype=bool)
        found[list(rows)] = True
        return found if found.any() else None

    return SymbolDecisions(
        enter_long=mask(one.enter_long),
        enter_short=mask(one.enter_short),
        exit_long=mask(one.exit_long),
        exit_short=mask(one.exit_short),
        breaks=mask(one.breaks),
        plan_long=one.plan_long,
        plan_short=one.plan_short,
    )


def calendar_of(given: RunInput) -> ExchangeCalendar | None:
    """Sessions as the rows know them: each closes `minutes_to_close` after a row of it opens."""
    if any(math.isnan(row.minutes_to_close) for one in given.symbols for row in one.rows):
        return None
    closes: dict[int, int] = {}
    opens: dict[int, int] = {}
    for one in given.symbols:
        for row in one.rows:
            opens[row.day] = min(opens.get(row.day, row.opened_at_ns), row.opened_at_ns)
            closes[row.day] = row.opened_at_ns + int(row.minutes_to_close) * MINUTE_NS
    days = sorted(closes)
    return ExchangeCalendar(
        name="TEST",
        session_on=np.array(days, dtype=np.int32),
        opens_at_ns=np.array([opens[day] for day in days], dtype=np.int64),
        closes_at_ns=np.array([closes[day] for day in days], dtype=np.int64),
    )


def actions_of(one: SymbolInput) -> list[CorporateAction]:
    """The actions with instants that lead to their rows; on one row they follow each other by a second."""
    found: list[CorporateAction] = []
    for number, action in enumerate(one.actions):
        row = one.rows[action.row]
        after = sum(later.row == action.row for later in one.actions[number + 1 :])
        before = sum(earlier.row == action.row for earlier in one.actions[:number])
        if row.opened_at_ns % DAY_NS == 0:
            # A daily bar's label lies before anything traded; daily bars go by the date in New York.
            at = exchange_midnight(day_date(row.day)) + timedelta(seconds=before)
        else:
            at = instant(row.opened_at_ns) - timedelta(seconds=after)
        found.append(action_of(one.symbol, action, at))
    return found


def action_of(symbol: str, action: Action, at: datetime) -> CorporateAction:
    if action.dividend_usd:
        return CashDividend(symbol=symbol, ex_at=at, amount_usd=Decimal(repr(action.dividend_usd)))
    return Split(symbol=symbol, effective_at=at, new_shares=action.new_shares, old_shares=action.old_shares)


def outcome(
    given: RunInput, market: Market, replayed: Replayed, *, refused: HeldThroughJump | None
) -> PlainOutcome:
    held = {
        symbol: float(units)
        for symbol, units in zip(market.symbols, replayed.positions["units"], strict=True)
        if units != 0
    }
    equity = replayed.cash_usd + sum(
        held.get(one.symbol, 0.0) * one.rows[-1].close * given.config.instrument(one.symbol).point_value
        for one in given.symbols
    )
    return PlainOutcome(
        fills=tuple(
            PlainFill(
                row=int(fill["row"]) - int(market.offsets[fill["symbol"]]),
                symbol=market.symbols[fill["symbol"]],
                trade=int(fill["trade"]),
                reason=r.REASONS[int(fill["reason"])],
                units=float(fill["units"]),
                price=float(fill["price"]),
                commission=float(fill["commission"]),
                at_close=bool(fill["at_close"]),
                cash_after=float(fill["cash_after"]),
            )
            for fill in replayed.fills
        ),
        cash=replayed.cash_usd,
        equity=equity,
        open_units=held,
        blocked={r.BLOCKED[at]: int(count) for at, count in enumerate(replayed.blocked) if count},
        dividends=replayed.dividends_usd,
        financing=replayed.financing_usd,
        refused=refused,
    )
