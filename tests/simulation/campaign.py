"""Simulated trading days: one seed decides market, strategy, broker, network, disk and kills.

`simulate(seed)` raises `Broken`, naming the invariant, when a session does what it must never do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from engine.scripted import ANYTHING_GOES, EVERYTHING, NEVER_TRIPS
from magellan.adapters.simulated.bar_tape import BarTape
from magellan.adapters.simulated.broker_core import BrokerCore
from magellan.adapters.simulated.faults import BrokerFaults
from magellan.engine import events as e
from magellan.engine.session import Session
from magellan.engine.setup import AtTheEnd, Differing, SessionSetup, Timings
from magellan.ledger.entries import AnswerIs, SessionBegan
from magellan.strategy import trade_plan as tp
from magellan.strategy.contract import Features, NoParameters, Parameters, Strategy
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Bars, instant, nanoseconds
from magellan.trading.corporate_action import Split
from magellan.trading.order import OrderType, TimeInForce
from magellan.trading.purpose import OrderPurpose
from magellan.trading.session import EXCHANGE_ZONE, ExchangeCalendar, day_number
from magellan.trading.timeframe import HOUR_NS, MINUTE_NS, SECOND_NS, Timeframe
from magellan.workspace.config import AccountTerms, DataTerms, ExecutionTerms, Identity, StrategyConfig
from simulation.world import NO_DAY_FAULTS, DayFaults, WireFaults, World

FIRST_ON = date(2024, 3, 4)
WARM_UP_BARS = 10
UNPROTECTED_S_MAX = (
    300.0  # of what the session knows that it holds, in an open market, with every fault at work
)
RECONCILED_EVERY_S = 240.0  # within the bound: where orders are cancelled unasked, and word of it can be lost
RECONCILED_SELDOM_S = 3600.0
CLOCK_SKEW_S_MAX = Decimal(2)
CLOCK_READ_EVERY_S = 900.0
SEEN_WRONG_WITHIN_S = CLOCK_READ_EVERY_S + 60.0  # questions are lost, and asked again
SPLIT_BEFORE_S = 5 * 3600  # before the opening
ZERO = Decimal(0)


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    days: int
    trades: int
    kills: int
    world: World


# --- The market -----------------------------------------------------------------------------------------------


def calendar(days: int) -> ExchangeCalendar:
    """Weekdays from a fixed date on, across the change of clocks; every seventh session closes at one."""
    found: list[tuple[int, int, int]] = []
    on = FIRST_ON
    while len(found) < days + 4:
        if on.weekday() < 5:
            closes = time(13) if len(found) % 7 == 3 else time(16)
            found.append(
                (
                    day_number(on),
                    nanoseconds(datetime.combine(on, time(9, 30), tzinfo=EXCHANGE_ZONE)),
                    nanoseconds(datetime.combine(on, closes, tzinfo=EXCHANGE_ZONE)),
                )
            )
        on += timedelta(days=1)
    days_, opens, closes_ = zip(*found, strict=True)
    return ExchangeCalendar(
        name="SIM",
        session_on=np.array(days_, dtype=np.int32),
        opens_at_ns=np.array(opens, dtype=np.int64),
        closes_at_ns=np.array(closes_, dtype=np.int64),
    )


def market(
    symbol: str, cal: ExchangeCalendar, span: Timeframe, first: int, count: int, rng: np.random.Generator
) -> Bars:
    """Bars of sessions `first` to `first + count`, on a walk with gaps over night."""
    starts: list[int] = []
    gaps: list[bool] = []
    for session in range(first, first + count):
        at, closes = int(cal.opens_at_ns[session]), int(cal.closes_at_ns[session])
        gaps.append(True)
        while at < closes:
            starts.append(at)
            at += span.span_ns
            gaps.append(False)
        gaps.pop()
    n = len(starts)
    moves = rng.normal(0, 0.004, n) + np.where(gaps[:n], rng.normal(0, 0.01, n), 0)
    close = np.round(50 * np.exp(np.cumsum(moves)), 2)
    open_ = np.round(np.concatenate(([50.0], close[:-1])) * np.exp(rng.normal(0, 0.001, n)), 2)
    reach = np.abs(rng.normal(0, 0.003, (2, n)))
    return Bars(
        symbol=symbol,
        timeframe=span,
        opened_at_ns=np.array(starts, dtype=np.int64),
        open=open_,
        high=np.round(np.maximum(open_, close) * (1 + reach[0]), 2),
        low=np.round(np.minimum(open_, close) * (1 - reach[1]), 2),
        close=close,
        volume=np.full(n, 10_000.0),
    )


# --- The strategy ---------------------------------------------------------------------------------------------


class Restless(Strategy):
    """Enters and leaves often, by what the last digits of prices say; its plan is drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        chance = random.Random(f"plan {seed}")
        self.entry = chance.choice(("market", "market", "limit", "stop", "scheduled"))
        self.stop = chance.choice((0.006, 0.012, None)) if self.entry != "stop" else 0.01
        self.targets = chance.choice((0, 1, 2))
        self.trails = chance.random() < 0.3
        self.leaves = chance.choice((None, tp.SessionExit(), tp.SessionExit(before_close_minutes=30)))
        self.hold_bars = chance.choice((None, None, 6))
        self.moving = chance.random() < 0.3

    def features(self, bars: MarketView, p: Parameters) -> dict[str, Any]:
        cents = np.rint(bars.close * 100).astype(np.int64)
        return {
            "digit": ((cents * 7 + self._seed) % 11).astype(np.float64),
            "floor": np.minimum(bars.low, bars.close * 0.994),
        }

    def enter_long(self, f: Features, p: Parameters) -> Any:
        return f.digit < 2

    def exit_long(self, f: Features, p: Parameters) -> Any:
        return f.digit > 9

    def plan(self, f: Features, p: Parameters) -> tp.TradePlan:
        close = f.bars.close
        entry: tp.EntryOrder = tp.Market()
        if self.entry == "limit":
            entry = tp.Limit(price=tp.fixed(close * 0.998), time_in_force=TimeInForce.DAY)
        elif self.entry == "stop":
            entry = tp.Stop(price=tp.fixed(close * 1.002), time_in_force=TimeInForce.GTC)
        elif self.entry == "scheduled":
            entry = tp.Market(at=time(11, 0))
        stop = None
        if self.stop is not None:
            stop = tp.moving(f.floor) if self.moving else tp.entry_price().plus(fraction=-self.stop)
        return tp.TradePlan(
            size=tp.EquityFraction(fraction=0.15),
            entry=entry,
            stop=stop,
            trailing=tp.Trailing(fraction=0.015) if self.trails else None,
            targets=tuple(
                tp.Target(
                    price=tp.entry_price().plus(fraction=0.005 * (number + 1)),
                    fraction=0.4,
                    then_stop=tp.entry_price() if number == 0 and stop is not None else None,
                )
                for number in range(self.targets)
            ),
            hold_bars=self.hold_bars,
            session_exit=self.leaves,
            cooldown_bars=1,
        )


# --- A run ----------------------------------------------------------------------------------------------------


def faults_of(chance: random.Random) -> tuple[WireFaults, BrokerFaults]:
    """Which faults strike in a run, and how hard: each in half of the runs."""

    def rate(most: float) -> float:
        return chance.choice((0.0, most * chance.random()))

    return (
        WireFaults(
            request_lost=rate(0.08),
            answer_lost=rate(0.08),
            answer_late=rate(0.1),
            question_lost=rate(0.2),
            event_lost=rate(0.08),
            event_twice=rate(0.2),
            event_late=rate(0.2),
            bar_lost=rate(0.02),
            bar_twice=rate(0.1),
            bar_late=rate(0.05),
            bar_forming=rate(0.1),
            killed=rate(0.02),
            torn=rate(0.01),
            stream_lost=rate(0.05),
        ),
        BrokerFaults(
            refused=rate(0.04),
            rate_limited=rate(0.08),
            rejected_later=rate(0.04),
            partial=rate(0.15),
            cancel_ignored=rate(0.1),
            replace_refused=rate(0.1),
            cancelled_alone=rate(0.02),
        ),
    )


NO_FAULTS = (WireFaults(), BrokerFaults())


def day_faults_of(chance: random.Random) -> DayFaults:
    """What befalls host, exchange and account in a run: each in a quarter of the runs, on every third day."""
    return DayFaults(**{each.name: chance.choice((0.0, 0.0, 0.0, 0.3)) for each in fields(DayFaults)})


def simulate(
    seed: int,
    *,
    days: int = 5,
    faults: tuple[WireFaults, BrokerFaults] | None = None,
    day_faults: DayFaults | None = None,
    minutes: int | None = None,
) -> Outcome:
    """Run a session through so many trading days. Raises Broken.

    faults, day_faults, minutes: instead of those that the seed draws; minutes of a bar. With `faults` alone, no day
    has faults of its own.
    """
    chance = random.Random(f"run {seed}")
    # From a chance of their own, so that a seed that once failed draws what it drew then.
    days_chance = random.Random(f"days {seed}")
    if day_faults is None:
        day_faults = day_faults_of(days_chance) if faults is None else NO_DAY_FAULTS
    wire, broker = faults_of(chance) if faults is None else faults
    symbols = ("AA", "BB", "CC")[: chance.choice((1, 1, 2, 3))]
    cal = calendar(days)
    rng = np.random.default_rng(seed)
    drawn = chance.choice((15, 15, 30, 60))
    span = Timeframe((drawn if minutes is None else minutes) * MINUTE_NS)
    past = {symbol: market(symbol, cal, span, 0, 2, rng) for symbol in symbols}
    future = {symbol: market(symbol, cal, span, 2, days, rng) for symbol in symbols}
    splits = splits_of(day_faults, days_chance, cal, days, symbols)
    future = {symbol: split_from(bars, splits) for symbol, bars in future.items()}
    limits = ANYTHING_GOES
    if day_faults.clock_set:
        limits = replace(limits, clock_skew_s_max=CLOCK_SKEW_S_MAX)
    config = StrategyConfig(
        strategy=Identity(name="restless", version="1.0.0", kind="intraday"),
        symbols=symbols,
        data=DataTerms(timeframe=str(span), warmup_bars=WARM_UP_BARS),
        account=AccountTerms(cash_usd=100_000.0, kind="cash"),
        execution=ExecutionTerms(slippage_bps=1.0, commission_bps=0.5),
    )
    strategy = Restless(seed)
    able = EVERYTHING
    if chance.random() < 0.3:
        able = replace(able, bracket_entry_types=frozenset({OrderType.MARKET, OrderType.LIMIT}))
    if chance.random() < 0.1:
        able = replace(able, bracket_entry_types=frozenset())
    if chance.random() < 0.1:
        able = replace(able, replace=False)

    every_s = CLOCK_READ_EVERY_S if day_faults.clock_set else RECONCILED_SELDOM_S

    def setup(start: int) -> SessionSetup:
        return SessionSetup(
            session_id=f"s{start}",
            account="SIM",
            began=SessionBegan(
                run_id="run",
                strategy="restless",
                stage="test",
                mode="simulated",
                magellan_version="0",
                config_hash="0",
                release_id=None,
                data_id=None,
                bar_source="sim",
                symbols=symbols,
                timeframe=str(span),
                host="here",
                pid=1,
            ),
            config=config,
            strategy=strategy,
            parameters={symbol: NoParameters() for symbol in symbols},
            calendar=cal,
            capabilities=able,
            timings=Timings(reconcile_every_s=every_s),
            differing=Differing.ADOPT,
            at_the_end=AtTheEnd.HOLD,
            limits=limits,
            breaker_limits=NEVER_TRIPS,
        )

    tape = BarTape({symbol: joined(past[symbol], future[symbol]) for symbol in symbols}, cal)
    watch = Watch(protects=strategy.stop is not None or strategy.trails)
    world = World(
        make_setup=setup,
        tape=tape,
        core=BrokerCore(tape, config, seed=seed, faults=broker),
        future=future,
        past=past,
        start_ns=int(cal.opens_at_ns[2]) - 1800 * SECOND_NS,
        chance=random.Random(f"world {seed}"),
        wire=wire,
        check=watch.check,
        actions=splits,
    )
    by_hand = _plan_the_operator(world, chance, cal, days, symbols, troubled=faults is None)
    if wire.event_lost > 0 and (by_hand or broker.cancelled_alone > 0):
        every_s = RECONCILED_EVERY_S
    _plan_the_days(world, day_faults, days_chance, cal, days, symbols)
    world.run(int(cal.closes_at_ns[1 + days]) + 60 * SECOND_NS)
    settle(world)
    watch.at_the_end(world)
    return Outcome(days=days, trades=len(world.ledger), kills=world.kills, world=world)


def _plan_the_operator(
    world: World,
    chance: random.Random,
    cal: ExchangeCalendar,
    days: int,
    symbols: tuple[str, ...],
    *,
    troubled: bool,
) -> bool:
    """Halts, resumptions, flattens, trades by hand, and streams that are lost, at random instants.

    Returns: whether somebody trades by hand, and cancels what is in the way.
    """
    trades_by_hand = False
    if not troubled:
        return trades_by_hand

    def ask(asks: e.OperatorAsks) -> Any:
        return lambda: world.tell(e.Operator(at=world.now, asks=asks, person="Ada", reason="drill"))

    def by_hand(symbol: str) -> Any:
        def act() -> None:
            held = world.core.holdings.positions.get(symbol, ZERO)
            if held > 1 and symbol not in world.core.halted and world.tape.running(symbol, world.now_ns):
                world.core.advance(world.now_ns)
                held = world.core.holdings.positions.get(symbol, ZERO)
                if held > 1:
                    world.core.trade_by_hand(symbol, -(held // 2))
                    world._broker_events()

        return act

    for session in range(2, 2 + days):
        opens, closes = int(cal.opens_at_ns[session]), int(cal.closes_at_ns[session])

        def some(low: int = opens, high: int = closes) -> int:
            return chance.randrange(low, high)

        if chance.random() < 0.1:
            at_ns = some()
            halt = chance.choice((e.OperatorAsks.HALT, e.OperatorAsks.FLATTEN))
            world.at(at_ns, "do", ask(halt))
            for later_s in (1800, 1830):
                world.at(at_ns + later_s * SECOND_NS, "do", ask(e.OperatorAsks.RESUME))
        if chance.random() < 0.1:
            world.at(some(), "do", by_hand(chance.choice(symbols)))
            trades_by_hand = True
        if chance.random() < world.wire.stream_lost * 10:
            down_ns = int(chance.uniform(1, 300) * SECOND_NS)
            world.at(some(), "do", lambda down_ns=down_ns: world.stream_down(down_ns))
    return trades_by_hand


def splits_of(
    faults: DayFaults, chance: random.Random, cal: ExchangeCalendar, days: int, symbols: tuple[str, ...]
) -> tuple[Split, ...]:
    """Splits before the opening of some sessions but the first, at most one of a symbol."""
    found: dict[str, Split] = {}
    for session in range(3, 2 + days):
        if chance.random() < faults.split:
            symbol, new = chance.choice(symbols), chance.choice((2, 3))
            at_ns = int(cal.opens_at_ns[session]) - SPLIT_BEFORE_S * SECOND_NS
            found.setdefault(
                symbol, Split(symbol=symbol, effective_at=instant(at_ns), new_shares=new, old_shares=1)
            )
    return tuple(found.values())


def split_from(bars: Bars, splits: tuple[Split, ...]) -> Bars:
    """The bars as they trade: from its instant on, on the basis that a split of their symbol makes."""
    for split in splits:
        if split.symbol == bars.symbol:
            after = bars.opened_at_ns >= nanoseconds(split.effective_at)
            prices = {
                name: np.where(
                    after, np.round(getattr(bars, name) * split.price_factor, 2), getattr(bars, name)
                )
                for name in ("open", "high", "low", "close")
            }
            bars = replace(bars, **prices)
    return bars


def _plan_the_days(
    world: World,
    faults: DayFaults,
    chance: random.Random,
    cal: ExchangeCalendar,
    days: int,
    symbols: tuple[str, ...],
) -> None:
    """What befalls host, exchange and account, at random instants."""
    for split in world.actions:
        assert isinstance(split, Split)
        world.at(nanoseconds(split.effective_at), "do", partial(world.split, split))
    for session in range(2, 2 + days):
        opens, closes = int(cal.opens_at_ns[session]), int(cal.closes_at_ns[session])

        def strikes(rate: float, what: Callable[[], None], low: int = opens, high: int = closes) -> None:
            if chance.random() < rate:
                world.at(chance.randrange(low, high), "do", what)

        def some_s(low: float, high: float) -> int:
            return int(chance.uniform(low, high) * SECOND_NS)

        sign, symbol = chance.choice((-1, 1)), chance.choice(symbols)
        strikes(faults.clock_set, partial(world.set_host_clock, sign * some_s(3, 1800)))
        strikes(faults.stands_still, partial(world.stand_still, some_s(5, 900)))
        strikes(faults.disk_full, partial(world.fill_disk, some_s(5, 900)))
        told, for_ns = chance.random() < 0.5, some_s(300, 7200)
        strikes(faults.halted, partial(world.halt, symbol, for_ns, told=told))
        moved = Decimal(sign * chance.randrange(1, 40) * 1000)
        strikes(faults.money_moved, partial(world.pay, moved, "money_moved"))
        paid = Decimal(chance.randrange(1, 50)) / 100

        def dividend(symbol: str = symbol, paid: Decimal = paid) -> None:
            world.pay(world.core.holdings.positions.get(symbol, ZERO) * paid, "dividend")

        strikes(faults.dividend, dividend, opens - 3 * HOUR_NS, opens)


def settle(world: World) -> None:
    """No fault any more; time for everything that is under way."""
    world.wire = WireFaults()
    world.disk_full_until_ns = world.still_until_ns = 0
    world.core.faults = BrokerFaults()
    if world.session is None and world.stopped is None:
        world.run(world.now_ns + 60 * SECOND_NS)
    world.tell(e.OrdersUp(at=world.now))
    world.run(world.now_ns + 400 * SECOND_NS)
    world.tell(e.OrdersUp(at=world.now))
    world.run(world.now_ns + 100 * SECOND_NS)


def joined(one: Bars, other: Bars) -> Bars:
    return Bars(
        symbol=one.symbol,
        timeframe=one.timeframe,
        opened_at_ns=np.concatenate((one.opened_at_ns, other.opened_at_ns)),
        **{
            name: np.concatenate((getattr(one, name), getattr(other, name)))
            for name in ("open", "high", "low", "close", "volume")
        },
    )


# --- Invariants -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Watch:
    """Looks at broker and session after every event."""

    protects: bool  # the plan has a stop of one kind or another
    wrong_since: int | None = (
        None  # when (ns) the session's clock began to be further from the broker's than allowed
    )
    bare_since: dict[str, int] = field(
        default_factory=dict
    )  # ns, without those in which there was no process
    seen: int = 0

    def check(self, world: World) -> None:
        core = world.core
        if abs(world.skew_s) <= CLOCK_SKEW_S_MAX or world.session is None:
            self.wrong_since = None
        elif self.wrong_since is None:
            self.wrong_since = world.now_ns
        for symbol, held in core.holdings.positions.items():
            if held < 0:
                raise Broken(f"{symbol}: {held} units in an account that never sells short")
            on_sale = core.held_by_orders(symbol)
            if on_sale > held:
                raise Broken(f"{symbol}: orders to sell {on_sale} of {held}")
        if len(world.ledger) > self.seen:
            self._entries(world)
        if self.protects and (core.holdings.positions or self.bare_since):
            self._protection(world)

    def _entries(self, world: World) -> None:
        """No entry is intended while the account is halted, or by a clock that was seen to be wrong."""
        halted = False
        for entry in world.ledger[self.seen :]:
            if entry.kind == "order_intended":
                told: Any = entry.payload
                session = world.session
                enters = told.purpose is OrderPurpose.ENTRY
                wrong_s = 0.0 if self.wrong_since is None else (world.now_ns - self.wrong_since) / SECOND_NS
                if enters and wrong_s > SEEN_WRONG_WITHIN_S:
                    raise Broken(
                        f"{told.request.client_order_id} was intended by a clock that is {world.skew_s:.0f} s off"
                    )
                halted = session is not None and session.state.book.is_halted
                if halted and enters and entry.at == world.now:
                    before = next(
                        each for each in reversed(world.ledger) if each.kind in ("halted", "resumed")
                    )
                    if before.kind == "halted" and before.at < entry.at:
                        raise Broken(f"{told.request.client_order_id} was intended while halted")
        self.seen = len(world.ledger)

    def _protection(self, world: World) -> None:
        """What is held is covered by stops at the broker, or it is being left, but for a bounded time."""
        core, session = world.core, world.session
        for symbol, there in core.holdings.positions.items():
            if session is None or world.now_ns < world.still_until_ns or not world.trades(symbol):
                self.bare_since.pop(symbol, None)
                continue
            held = min(there, session.state.book.quantity(symbol))
            covered = core.orders.stopped_units(symbol)
            if covered >= held:
                self.bare_since.pop(symbol, None)
                continue
            # Time without a process does not count, nor when it got no turn, and nothing is looked at meanwhile.
            alive_ns = world.now_ns - world.gone_ns
            since = max(self.bare_since.setdefault(symbol, alive_ns), world.still_until_ns - world.gone_ns)
            bare_s = (alive_ns - since) / SECOND_NS
            # Where the clock is set back between two starts, what was to be waited for is waited for as much longer.
            clocks = world.host_was_ahead_ns
            if bare_s > UNPROTECTED_S_MAX + (max(clocks) - min(clocks)) / SECOND_NS:
                raise Broken(f"{symbol}: {held - covered} of {held} units unprotected for {bare_s:.0f} s")
        for symbol in self.bare_since.keys() - core.holdings.positions.keys():
            del self.bare_since[symbol]

    def at_the_end(self, world: World) -> None:
        if world.stopped is not None:
            raise Broken(f"the session stopped: {world.stopped.reason}")
        session = world.session
        if session is None:
            raise Broken("the session is gone")
        limited: dict[str, int] = {}
        for entry in world.ledger:
            told: Any = entry.payload
            if entry.kind == "order_answered" and told.answer is AnswerIs.RATE_LIMITED:
                limited[told.client_order_id] = limited.get(told.client_order_id, 0) + 1
        for name, count in world.sent.items():
            if count > 1 + limited.get(name, 0):
                raise Broken(f"{name} was sent {count} times")
        book, core = session.state.book, world.core
        ours = {symbol: position.quantity for symbol, position in book.positions.items()}
        if ours != core.holdings.positions:
            raise Broken(f"the book has {ours}, the broker {core.holdings.positions}")
        if book.unresolved_intents:
            raise Broken(f"nobody knows what became of {book.unresolved_intents[0].client_order_id}")
        executed = sum(
            (-each.signed_quantity * each.price - each.commission_usd for each in core.executions), ZERO
        )
        if core.holdings.cash != Decimal("100000.0") + executed + world.money_moved_usd:
            raise Broken("the broker's cash is not conserved")
        flow = sum(book.cash_flow_usd.values(), ZERO) - book.commission_usd
        if abs(flow - executed) > Decimal("0.000001"):
            raise Broken(f"our cash flow is {flow}, the broker's {executed}")
        ours_usd = book.cash_moved_usd + flow
        if session.reconciled_at is not None and abs(ours_usd - core.holdings.cash) >= Decimal("0.01"):
            raise Broken(f"the book has {ours_usd} USD, the broker {core.holdings.cash}")
        self._rebuilt(world, session)

    def _rebuilt(self, world: World, session: Session) -> None:
        """A session that reads the ledger stands where the running one stands."""
        again = Session(world.make_setup(99), list(world.ledger)).state
        now = session.state
        for plan_id, plan in now.plans.items():
            other = again.plans.get(plan_id)
            if other is None or (other.marks, other.entered, other.sold) != (
                plan.marks,
                plan.entered,
                plan.sold,
            ):
                raise Broken(f"{plan_id} reads otherwise from the ledger")
        for name, order in now.orders.items():
            if again.orders.get(name) != order:
                raise Broken(f"{name} reads otherwise from the ledger: {again.orders.get(name)} for {order}")
        if again.decided_ns != now.decided_ns or again.book.positions != now.book.positions:
            raise Broken("the ledger leads elsewhere")


def signals(world: World) -> Mapping[tuple[str, datetime], tuple[Any, ...]]:
    """What the strategy saw on every bar that was decided on."""
    return {
        (told.symbol, told.bar_opened_at): tuple(sorted(told.indicators.items()))
        for entry in world.ledger
        if entry.kind == "decision"
        for told in [entry.payload]
    }


__all__ = [
    "NO_DAY_FAULTS",
    "NO_FAULTS",
    "Broken",
    "BrokerFaults",
    "DayFaults",
    "Outcome",
    "WireFaults",
    "signals",
    "simulate",
]
