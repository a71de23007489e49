"""The backtester and a client of the venue who sends the same orders have the same fills.

Random minute markets; a market entry with a stop and one target. The backtester decides at a bar's close and fills at
the next open; the client sends a bracket right after that close. Every fill has the same bar, reason, quantity, price
and commission. A time exit is sent a second before the close that it is decided on.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.venue.trading_floor import OPENS_NS, Floor, bars_of
from magellan.backtest import records as r
from magellan.backtest.market import Market
from magellan.backtest.masks import SymbolDecisions
from magellan.backtest.replay import Terms, replay_columns
from magellan.exchange.venue.terms import Costs, VenueTerms
from magellan.strategy.trade_plan import Target, TradePlan, Units, fixed
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.timeframe import MINUTE_NS, SECOND_NS
from magellan.workspace.config import AccountTerms, ExecutionTerms, InstrumentTerms

EXAMPLES = settings().max_examples
LENGTH = 25  # bars a session
SESSIONS = (1, 2, 4)  # the last lies after a day without bars
UNITS = 10
STEP = 0.25  # USD
REASONS = {r.ENTRY: "entry", r.STOP: "stop", r.TARGET: "target", r.TIME: "time"}


class Traded(NamedTuple):
    """A fill, in words that both sides use."""

    symbol: str
    bar: int
    reason: str
    units: int
    price: Decimal
    commission: Decimal


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Situation:
    """A market, when the strategy wants to enter, and what fills cost."""

    bars: tuple[Bars, ...]
    wants: tuple[np.ndarray, ...]  # per symbol, on which bars
    side: int
    stop_steps: int
    target_steps: int
    slippage_bps: float
    half_spread_bps: float
    commission_per_unit_usd: float
    needs_through: bool
    hold_bars: int | None

    def __repr__(self) -> str:
        """Without the market: hundreds of numbers hide what matters in a failing example."""
        terms = (self.side, self.stop_steps, self.target_steps, self.slippage_bps, self.hold_bars)
        return f"Situation{terms} over {len(self.bars)} symbols"

    def level(self, bars: Bars, steps: int) -> np.ndarray:
        return bars.close + self.side * steps * STEP


@st.composite
def situations(draw: st.DrawFn, *, timed: bool = False) -> Situation:
    stop_steps = draw(st.integers(6, 60))
    target_steps = draw(st.integers(6, 60))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    symbols = ("AAPL", "MSFT")[: draw(st.integers(1, 2))]
    wild = draw(st.sampled_from((3, 10, 40)))
    return Situation(
        bars=tuple(_bars(symbol, chance, wild) for symbol in symbols),
        wants=tuple(
            chance.random(LENGTH * len(SESSIONS)) < draw(st.sampled_from((0.1, 0.5, 1.0))) for _ in symbols
        ),
        side=draw(st.sampled_from((1, -1))),
        stop_steps=stop_steps,
        target_steps=target_steps,
        slippage_bps=draw(st.sampled_from((0.0, 1.0, 7.3))),
        half_spread_bps=draw(st.sampled_from((0.0, 0.5))),
        commission_per_unit_usd=draw(st.sampled_from((0.0, 0.01))),
        needs_through=draw(st.booleans()),
        hold_bars=draw(st.integers(1, 6)) if timed else None,
    )


def _bars(symbol: str, chance: np.random.Generator, wild: int) -> Bars:
    """Within a session an open lies at most 5 steps from the close before; overnight anywhere.

    Steps are powers of two, so that a level that equals a bar's high is the same float however it was computed.
    """
    sessions = {}
    close = 4_000
    for session in SESSIONS:
        rows = []
        close += int(chance.integers(-80, 81))
        for _ in range(LENGTH):
            open_ = close + int(chance.integers(-5, 6))
            close = open_ + int(chance.integers(-wild, wild + 1))
            high = max(open_, close) + int(chance.integers(0, wild))
            low = min(open_, close) - int(chance.integers(0, wild))
            rows.append((open_ * STEP, high * STEP, low * STEP, close * STEP))
        sessions[session] = rows
    return bars_of(symbol, sessions)


def backtested(situation: Situation) -> list[Traded]:
    """What the backtester makes of it."""
    market = Market.of(situation.bars)
    decisions = []
    for bars, wants in zip(market.bars, situation.wants, strict=True):
        plan = TradePlan(
            size=Units(units=UNITS),
            stop=fixed(situation.level(bars, -situation.stop_steps)),
            targets=(Target(price=fixed(situation.level(bars, situation.target_steps))),),
            hold_bars=situation.hold_bars,
        )
        long, short = (wants, None) if situation.side > 0 else (None, wants)
        decisions.append(SymbolDecisions(enter_long=long, enter_short=short, plan_long=plan, plan_short=plan))
    terms = Terms(
        execution=ExecutionTerms(
            slippage_bps=situation.slippage_bps,
            half_spread_bps=situation.half_spread_bps,
            commission_per_unit_usd=situation.commission_per_unit_usd,
            limit_needs="through" if situation.needs_through else "touch",
        ),
        account=AccountTerms(kind="margin", leverage=4.0),
        instruments={bars.symbol: InstrumentTerms(tick_size=0.01) for bars in situation.bars},
    )
    found = replay_columns(market, decisions, terms)
    return [
        Traded(
            symbol=market.symbols[fill["symbol"]],
            bar=int(fill["row"]) - int(market.offsets[fill["symbol"]]),
            reason=REASONS[int(fill["reason"])],
            units=int(fill["units"]),
            price=Decimal(repr(float(fill["price"]))).quantize(Decimal("0.01")),
            commission=Decimal(repr(float(fill["commission"]))).quantize(Decimal("0.0001")),
        )
        for fill in found.fills
    ]


class Client:
    """Sends what the strategy decides, at the instants at which a live session would."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.floor = Floor(
            situation.bars,
            terms=VenueTerms(
                costs=Costs(
                    slippage=situation.slippage_bps / 10_000,
                    half_spread=situation.half_spread_bps / 10_000,
                    commission_per_unit_usd=situation.commission_per_unit_usd,
                    limit_needs_through=situation.needs_through,
                )
            ),
            now_ns=OPENS_NS[1] - MINUTE_NS,
        )
        self.entered: dict[str, int] = {}

    def run(self) -> list[Traded]:
        times = self.situation.bars[0].opened_at_ns.tolist()
        traded: list[Traded] = []
        for bar, starts_ns in enumerate(times):
            ends_ns = starts_ns + MINUTE_NS
            self.floor.to(starts_ns + MINUTE_NS // 2 + SECOND_NS)
            traded += self._take()
            self._leave_by_time(bar, ends_ns)
            # What is held is known when the bar is over; the next bar's open may take it away before an entry arrives.
            self.floor.to(ends_ns - 1_000)
            flat = [bars.symbol for bars in self.situation.bars if self._is_flat(bars.symbol)]
            self.floor.to(ends_ns)
            traded += self._take()
            self._enter(bar, flat)
        return sorted(traded, key=_by_bar)

    def _is_flat(self, symbol: str) -> bool:
        orders = self.floor.get("/orders", symbols=symbol)
        return not orders and not self.floor.position(symbol)

    def _enter(self, bar: int, flat: list[str]) -> None:
        for bars, wants in zip(self.situation.bars, self.situation.wants, strict=True):
            if not wants[bar] or bars.symbol not in flat:
                continue
            self.floor.order(
                symbol=bars.symbol,
                side="buy" if self.situation.side > 0 else "sell",
                qty=UNITS,
                time_in_force="gtc",
                order_class="bracket",
                take_profit={
                    "limit_price": float(self.situation.level(bars, self.situation.target_steps)[bar])
                },
                stop_loss={"stop_price": float(self.situation.level(bars, -self.situation.stop_steps)[bar])},
            )

    def _leave_by_time(self, bar: int, ends_ns: int) -> None:
        """The cancel has to land before the shares are free to be sold."""
        hold = self.situation.hold_bars
        due = [
            symbol
            for symbol, entered in self.entered.items()
            if hold is not None and bar - entered >= hold and self.floor.position(symbol)
        ]
        self.floor.to(ends_ns - 1_400_000_000)
        for symbol in due:
            for order in self.floor.get("/orders"):
                if order["symbol"] == symbol and order["status"] == "new":
                    assert self.floor.cancel(order).status == 204
        self.floor.to(ends_ns - SECOND_NS)
        for symbol in due:
            assert self.floor.call("DELETE", f"/positions/{symbol}").status == 200

    def _take(self) -> list[Traded]:
        found = []
        times = self.situation.bars[0].opened_at_ns
        for update in self.floor.updates():
            if update["event"] != "fill":
                continue
            order = update["order"]
            at_ns = nanoseconds(datetime.fromisoformat(update["timestamp"]))
            bar = int(np.searchsorted(times, at_ns, side="right")) - 1
            if order["order_class"] == "":
                reason = "time"
            elif order["type"] == "market":
                reason = "entry"
                self.entered[order["symbol"]] = bar
            else:
                reason = {"stop": "stop", "limit": "target"}[order["type"]]
            units = int(update["qty"]) * (1 if order["side"] == "buy" else -1)
            commission = Decimal(repr(self.situation.commission_per_unit_usd)) * abs(units)
            found.append(
                Traded(
                    order["symbol"],
                    bar,
                    reason,
                    units,
                    Decimal(update["price"]),
                    commission.quantize(Decimal("0.0001")),
                )
            )
        return found


def _by_bar(traded: Traded) -> tuple[int, str, bool]:
    return traded.bar, traded.symbol, traded.reason != "entry"


def assert_they_agree(situation: Situation) -> None:
    expected = sorted(backtested(situation), key=_by_bar)
    client = Client(situation)
    assert client.run() == expected
    fees = sum((each.commission for each in expected), Decimal(0))
    flow = sum((-each.units * each.price for each in expected), Decimal(0))
    assert client.floor.money("cash") == 100_000 + flow - fees


@settings(max_examples=max(10, EXAMPLES // 4))
@given(situation=situations())
def test_brackets_fill_as_the_backtest_says(situation: Situation) -> None:
    assert_they_agree(situation)


@settings(max_examples=max(10, EXAMPLES // 8))
@given(situation=situations(timed=True))
def test_time_exits_sent_before_the_close_fill_as_the_backtest_says(situation: Situation) -> None:
    assert_they_agree(situation)
