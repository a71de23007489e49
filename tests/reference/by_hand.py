"""Small runs that can be worked out on paper: bars as tuples in, fills as tuples out.

Every run goes through both engines, and they must agree before anything else is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from magellan.strategy.trade_plan import TradePlan, Units
from magellan.trading.session import EXCHANGE_ZONE
from magellan.workspace.config import (
    AccountTerms,
    ExecutionTerms,
    Identity,
    InstrumentTerms,
    Limits,
    StrategyConfig,
)
from reference import compiled, plain_engine
from reference.agreement import differences
from reference.plain_market import Action, PlainFill, PlainOutcome, Row, RunInput, SymbolInput

NS = 1_000_000_000
THURSDAY = date(2024, 3, 7)
FRIDAY = date(2024, 3, 8)
MONDAY = date(2024, 3, 11)

Prices = tuple[float, ...]  # open, high, low, close and, if it matters, volume
TEN = TradePlan(size=Units(units=10.0))


def hours(*bars: Prices, on: date = THURSDAY, first: time = time(9, 30)) -> list[Row]:
    """Hourly bars of one session, the first at 09:30 New York. The session closes at 16:30."""
    opened_at = datetime.combine(on, first, tzinfo=EXCHANGE_ZONE)
    closes_at = datetime.combine(on, time(16, 30), tzinfo=EXCHANGE_ZONE)
    found = []
    for k, prices in enumerate(bars):
        at = opened_at + timedelta(hours=k)
        found.append(
            _row(
                prices,
                opened_at_ns=int(at.astimezone(UTC).timestamp()) * NS,
                day=(on - date(1970, 1, 1)).days,
                minute=60 * at.hour + at.minute,
                minutes_to_close=(closes_at - at).total_seconds() / 60,
            )
        )
    return found


def days(*bars: Prices, on: Sequence[date] = ()) -> list[Row]:
    """Daily bars: on weekdays from Thursday 2024-03-07, or on the dates given."""
    dates = on or [day for day in (THURSDAY + timedelta(days=k) for k in range(60)) if day.weekday() < 5]
    found = []
    for prices, day in zip(bars, dates, strict=False):
        number = (day - date(1970, 1, 1)).days
        found.append(_row(prices, opened_at_ns=number * 86_400 * NS, day=number, minute=0))
    return found


def _row(prices: Prices, **times: Any) -> Row:
    opened, high, low, close, *volume = prices
    return Row(
        open=float(opened),
        high=float(high),
        low=float(low),
        close=float(close),
        volume=float(volume[0]) if volume else 1e6,
        **times,
    )


def symbol(
    rows: list[Row],
    plan: TradePlan = TEN,
    *,
    name: str = "A",
    short_plan: TradePlan | None = None,
    long: Collection[int] = (),
    short: Collection[int] = (),
    leave_long: Collection[int] = (),
    leave_short: Collection[int] = (),
    jumps: Collection[int] = (),
    actions: Sequence[Action] = (),
) -> SymbolInput:
    """One symbol; `long` and `short` are the rows at whose close an entry is decided."""
    return SymbolInput(
        symbol=name,
        rows=tuple(rows),
        enter_long=frozenset(long),
        enter_short=frozenset(short),
        exit_long=frozenset(leave_long),
        exit_short=frozenset(leave_short),
        breaks=frozenset(jumps),
        actions=tuple(actions),
        plan_long=plan,
        plan_short=plan if short_plan is None else short_plan,
    )


def play(
    *symbols: SymbolInput,
    cash: float = 10_000.0,
    margin: bool = False,
    leverage: float = 1.0,
    maintenance: float = 0.25,
    limits: Mapping[str, Any] | None = None,
    instruments: Mapping[str, Mapping[str, Any]] | None = None,
    **execution: Any,
) -> PlainOutcome:
    """Run the symbols through both engines; what they agree on."""
    names = tuple(one.symbol for one in symbols)
    rows = symbols[0].rows
    is_daily = rows[0].opened_at_ns % (86_400 * NS) == 0
    given = RunInput(
        symbols=symbols,
        span_ns=(86_400 if is_daily else 3_600) * NS,
        config=StrategyConfig(
            strategy=Identity(name="by_hand", version="1.0.0", kind="swing"),
            symbols=names,
            account=AccountTerms(
                cash_usd=cash,
                kind="margin" if margin else "cash",
                leverage=leverage,
                maintenance_fraction=maintenance,
            ),
            execution=ExecutionTerms(**execution),
            limits=Limits(**(limits or {})),
            instruments={name: InstrumentTerms(**terms) for name, terms in (instruments or {}).items()},
        ),
    )
    ours, theirs = plain_engine.simulate(given), compiled.replay(given)
    found = differences(ours, theirs)
    assert not found, "the engines disagree\n" + "\n".join(found)
    return theirs


def told(outcome: PlainOutcome) -> list[tuple[int, float, float, str]]:
    """Each fill as (bar, units bought, price, reason); sales are negative."""
    return [_told(fill) for fill in outcome.fills]


def _told(fill: PlainFill) -> tuple[int, float, float, str]:
    return fill.row, round(fill.units, 9), round(fill.price, 9), fill.reason
