"""Runs made by hand, without the engine: seeded bars, seeded trades, honest bookkeeping in plain Python."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest

from magellan.backtest import records
from magellan.backtest.market import Market
from magellan.backtest.result import BacktestResult, DataUsed, EquityCurve, RunManifest, Trades
from magellan.trading.bar import Bars, instant
from magellan.trading.timeframe import DAY_NS, MINUTE_NS, Timeframe

FIRST_DAY = (date(2024, 1, 2) - date(1970, 1, 1)).days


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A position to put into a run: signed units; exits are (row, units, reason); rows are the symbol's."""

    symbol: str
    row: int
    units: float
    exits: tuple[tuple[int, float, int], ...]


@pytest.fixture(scope="session")
def order() -> type[Order]:
    """A position to put into a hand-made run."""
    return Order


@pytest.fixture(scope="session")
def run_of() -> Callable[..., BacktestResult]:
    """Build a run from closes and orders that fill at closes: `run_of({"AAA": [100, 110]}, [order(...)])`."""
    return hand_made_run


@pytest.fixture(scope="session")
def random_run() -> Callable[..., BacktestResult]:
    """Build a run of seeded random bars and trades."""
    return random_hand_made_run


def hand_made_run(
    closes: dict[str, list[float]],
    orders: list[Order] | None = None,
    *,
    timeframe: str = "1Day",
    cash_usd: float = 10_000.0,
    commission_rate: float = 0.0,
    slippage_usd: float = 0.0,
    generated: bool = False,
    misleading: tuple[str, ...] = (),
    blocked: dict[str, int] | None = None,
    benchmark: bool = True,
    config: dict | None = None,
    strategy: str = "by_hand",
    seed: int = 0,
    first_day: int = FIRST_DAY,
) -> BacktestResult:
    """A run whose every fill is at a close: entries and exits as ordered, equity marked at every close.

    closes:       per symbol; a value of None leaves that bar out.
    slippage_usd: per fill, noted as slippage (the price already holds it).
    """
    span = Timeframe.parse(timeframe)
    market = Market.of([_bars(symbol, span, values, first_day) for symbol, values in closes.items()])
    symbols = market.symbols
    orders = sorted(
        orders or [],
        key=lambda one: int(market.bars[symbols.index(one.symbol)].opened_at_ns[one.row]),
    )
    wanted = []  # (closing instant, order number, symbol, row of the market, units, reason)
    for number, order in enumerate(orders):
        s = symbols.index(order.symbol)
        at = int(market.offsets[s])
        events = [(order.row, order.units, records.ENTRY)]
        events += [(row, -np.sign(order.units) * units, reason) for row, units, reason in order.exits]
        for row, units, reason in events:
            closed = int(market.opened_at_ns[at + row]) + span.span_ns
            wanted.append((closed, number, s, at + row, float(units), reason))
    wanted.sort(key=lambda one: (one[0], one[1]))

    cash = cash_usd
    fills = np.zeros(len(wanted), dtype=records.fill_t)
    for at, (_, number, s, row, units, reason) in enumerate(wanted):
        price = float(market.close[row])
        fee = abs(units) * price * commission_rate
        cash -= units * price + fee
        fills[at] = (row, s, number, reason, 1, units, price, fee, -units * price - fee, slippage_usd, cash)

    instants = np.unique(market.opened_at_ns + span.span_ns)
    equity, exposure, gross = _marked(market, span, instants, fills, cash_usd)
    day = ((instants - span.span_ns) // DAY_NS).astype(np.int32)
    curve = EquityCurve(
        closed_at_ns=instants, day=day, equity_usd=equity, exposure_usd=exposure, gross_exposure_usd=gross
    )
    held = None
    if benchmark:
        bought = np.zeros(len(symbols), dtype=records.fill_t)
        for s in range(len(symbols)):
            row = int(market.offsets[s])
            price = float(market.close[row])
            share = cash_usd / len(symbols)
            bought[s] = (row, s, s, records.ENTRY, 1, share / price, price, 0, -share, 0, 0)
        value, share, whole = _marked(market, span, instants, bought, cash_usd)
        held = EquityCurve(
            closed_at_ns=instants, day=day, equity_usd=value, exposure_usd=share, gross_exposure_usd=whole
        )
    return BacktestResult(
        manifest=RunManifest(
            strategy=strategy,
            strategy_version="1.0.0",
            code_sha256="c0de" * 16,
            config_sha256="c0f1" * 16,
            config=config or _CONFIG | {"symbols": list(symbols)},
            data=tuple(
                DataUsed(
                    symbol=bars.symbol,
                    set_id=f"vendor/sip/raw/all/{bars.symbol}/{timeframe}",
                    sha256=f"{at:064x}",
                    rows=len(bars),
                    first_at=instant(int(bars.opened_at_ns[0])),
                    last_at=instant(int(bars.opened_at_ns[-1])),
                    generated=generated,
                )
                for at, bars in enumerate(market)
            ),
            actions_sha256="ac" * 32,
            from_on=None,
            to_on=None,
            versions={"magellan": "0.1.0", "numpy": "2", "numba": "0", "python": "3.11"},
            seed=seed,
        ),
        market=market,
        timeframe=timeframe,
        cash_start_usd=cash_usd,
        cash_end_usd=cash,
        equity_end_usd=float(equity[-1]),
        make_trades=lambda: _trades(market, orders, fills, span),
        fills=fills,
        decisions=np.zeros(0, dtype=records.decision_t),
        make_equity=lambda: curve,
        make_benchmark=lambda: held,
        blocked=blocked or {},
        dividends_usd=0.0,
        financing_usd=0.0,
        misleading=misleading,
        wakes=0,
    )


def random_hand_made_run(
    seed: int = 1,
    *,
    bars: int = 300,
    symbols: tuple[str, ...] = ("AAA", "BBB"),
    trades: int = 20,
    timeframe: str = "1Day",
    **terms: object,
) -> BacktestResult:
    """Random walks with random trades on them, long and short, some in two exits, the last still open."""
    chance = np.random.Generator(np.random.PCG64(seed))
    calm = min(1.0, (500 / bars) ** 0.5)  # long walks shall not run away
    closes = {
        symbol: (50.0 * np.exp(np.cumsum(calm * chance.normal(0.0003, 0.012, bars)))).round(2).tolist()
        for symbol in symbols
    }
    orders = []
    for number in range(trades):
        symbol = symbols[number % len(symbols)]
        slot = (bars - 2) * len(symbols) // trades
        start = number // len(symbols) * slot + int(chance.integers(0, max(1, slot // 4)))
        end = start + 1 + int(chance.integers(0, max(1, slot // 2)))
        if end >= bars:
            break
        units = float(chance.integers(5, 20))
        side = 1.0 if chance.random() < 0.7 else -1.0
        reason = int(chance.choice([records.STOP, records.EXIT_RULE, records.TARGET, records.TIME]))
        exits: tuple[tuple[int, float, int], ...] = ((end, units, reason),)
        if end - start > 2 and chance.random() < 0.3:
            exits = ((start + 1, 2.0, records.TARGET), (end, units - 2.0, reason))
        if number == trades - 1:
            exits = exits[:-1]
        orders.append(Order(symbol=symbol, row=start, units=side * units, exits=exits))
    return hand_made_run(
        closes,
        orders,
        timeframe=timeframe,
        **({"commission_rate": 0.0002, "slippage_usd": 0.05, "seed": seed} | terms),  # type: ignore[arg-type]
    )


_CONFIG = {
    "strategy": {"name": "by_hand", "version": "1.0.0", "kind": "trend", "description": ""},
    "parameters": {"rsi_period": 14},
    "data": {
        "timeframe": "1Day",
        "hours": "regular",
        "clock": "exchange",
        "adjust": "split",
        "calendar": "XNYS",
    },
    "account": {"cash_usd": 10_000.0, "kind": "cash", "leverage": 1.0},
    "execution": {"fill": "close", "slippage_bps": 0.0, "commission_bps": 2.0},
    "limits": {},
}


def _bars(symbol: str, span: Timeframe, closes: list[float], first_day: int) -> Bars:
    """Bars around the closes: opened at the close before; 390 minutes a day where they are intraday."""
    per_day = 1 if span.is_daily else 390 * MINUTE_NS // span.span_ns
    rows = np.arange(len(closes), dtype=np.int64)
    chosen = np.array([value is not None for value in closes])
    opens_at = 0 if span.is_daily else (14 * 60 + 30) * MINUTE_NS
    opened = (first_day + rows // per_day) * DAY_NS + opens_at + rows % per_day * span.span_ns
    close = np.array([np.nan if value is None else value for value in closes], dtype=np.float64)[chosen]
    open_ = np.concatenate((close[:1], close[:-1]))
    return Bars(
        symbol=symbol,
        timeframe=span,
        opened_at_ns=opened[chosen],
        open=open_,
        high=np.maximum(open_, close) * 1.002,
        low=np.minimum(open_, close) * 0.998,
        close=close,
        volume=np.full(len(close), 1000.0),
    )


def _marked(market: Market, span: Timeframe, instants, fills, cash_usd: float):
    """Equity, exposure and gross exposure at every instant, position by position."""
    cash = np.full(len(instants), float(cash_usd))
    exposure = np.zeros(len(instants))
    gross = np.zeros(len(instants))
    for s, bars in enumerate(market):
        own = fills[fills["symbol"] == s]
        at = np.searchsorted(instants, market.opened_at_ns[own["row"]] + span.span_ns)
        units = np.zeros(len(instants))
        np.add.at(units, at, own["units"])
        spent = np.zeros(len(instants))
        np.add.at(spent, at, own["units"] * own["price"] + own["commission"])
        cash -= np.cumsum(spent)
        newest = np.searchsorted(bars.opened_at_ns + span.span_ns, instants, side="right") - 1
        price = np.where(newest >= 0, bars.close[np.maximum(newest, 0)], 0.0)
        value = np.cumsum(units) * price
        exposure += value
        gross += np.abs(value)
    return cash + exposure, exposure, gross


def _trades(market: Market, orders: list[Order], fills, span: Timeframe) -> Trades:
    rows = []
    for number, order in enumerate(orders):
        s = market.symbols.index(order.symbol)
        own = fills[fills["trade"] == number]
        entry, exits = own[own["reason"] == records.ENTRY], own[own["reason"] != records.ENTRY]
        side = float(np.sign(order.units))
        left = abs(order.units) - float(np.abs(exits["units"]).sum())
        is_open = left > 1e-9
        last_row = int(market.offsets[s + 1]) - 1
        exit_row = last_row if is_open else int(exits["row"][-1])
        mark = float(market.close[last_row])
        entry_row, entry_price = int(entry["row"][0]), float(entry["price"][0])
        gained = float((-exits["units"] * exits["price"]).sum()) + side * left * mark
        fees = float(own["commission"].sum())
        pnl = gained - order.units * entry_price - fees
        held = slice(entry_row + 1, exit_row + 1)
        lows, highs = market.low[held], market.high[held]
        worst = 1 - lows.min() / entry_price if side > 0 else highs.max() / entry_price - 1
        best = highs.max() / entry_price - 1 if side > 0 else 1 - lows.min() / entry_price
        rows.append(
            (
                s,
                side,
                abs(order.units),
                int(market.opened_at_ns[entry_row]) + span.span_ns,
                int(market.opened_at_ns[exit_row]) + span.span_ns,
                entry_row,
                exit_row,
                entry_price,
                mark if is_open else float((exits["units"] * exits["price"]).sum() / exits["units"].sum()),
                pnl,
                pnl / (abs(order.units) * entry_price),
                fees + float(own["slippage"].sum()),
                exit_row - entry_row,
                max(0.0, worst),
                max(0.0, best),
                len(exits),
                is_open,
            )
        )
    table = list(zip(*rows, strict=True)) if rows else [()] * 17
    whole, decimal = np.int64, np.float64
    kinds = (
        whole,
        decimal,
        decimal,
        whole,
        whole,
        whole,
        whole,
        *[decimal] * 5,
        whole,
        decimal,
        decimal,
        whole,
    )
    columns = [np.array(column, dtype=kind) for column, kind in zip(table, (*kinds, np.bool_), strict=True)]
    names = (
        "symbol side units entered_at_ns exited_at_ns entry_row exit_row entry_price exit_price pnl_usd "
        "return_fraction costs_usd bars_held mae_fraction mfe_fraction exits is_open"
    )
    named = dict(zip(names.split(), columns, strict=True))
    excursions = named.pop("mae_fraction"), named.pop("mfe_fraction")
    reasons = tuple(tuple(records.REASONS[code] for _, _, code in order.exits) for order in orders)
    return Trades(
        symbols=market.symbols,
        **named,
        make_excursions=lambda: excursions,
        make_reasons=lambda: reasons,
    )
