"""A whole session over the wire: from a closed bar to an order, its protection, its fill, and the trade's record."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from adapters.robinhood.conftest import CALENDAR as EXCHANGE
from adapters.robinhood.conftest import Trader
from adapters.robinhood.stand_in import StandIn
from engine.scripted import Script, Scripted, setup_for
from engine.test_session import CALENDAR, CONFIG, PLAN
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.robinhood.access import CAPABILITIES
from magellan.adapters.robinhood.broker import RobinhoodBroker
from magellan.adapters.robinhood.login import KeptLogin, kept_auth
from magellan.engine.session import Session
from magellan.ledger.entries import TradeClosed
from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar, TradingStatus
from magellan.ports.operator import OperatorRequest
from magellan.trading.bar import Bars
from magellan.trading.timeframe import MINUTE, Timeframe
from magellan.usecases.run_session import World, run_session
from magellan.workspace.config import DataTerms
from usecases.test_run_session import NOW, NoLease, Quiet, StandingTime

ROW = 59  # the bar that closes now
MINUTES = CONFIG.model_copy(update={"data": DataTerms(timeframe="1Min")})
STOP_ALONE = replace(PLAN, targets=())


def minutes() -> Bars:
    """Quiet minute bars at 100, from the opening."""
    rows = np.arange(ROW + 1, dtype=np.int64)
    price = np.full(len(rows), 100.0)
    return Bars(
        symbol="A",
        timeframe=MINUTE,
        opened_at_ns=int(CALENDAR.opens_at_ns[0]) + rows * MINUTE.span_ns,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=np.full(len(rows), 1000.0),
    )


@dataclass
class OneBar:
    """Keeps `LiveBars`: what closed before, then one more."""

    source: str = "sim"

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        return {symbol: minutes().rows(slice(0, ROW)) for symbol in symbols}

    async def stream(
        self, symbols: Sequence[str]
    ) -> AsyncIterator[LiveBar | FeedUp | FeedDown | TradingStatus]:
        yield FeedUp(at=NOW)
        yield LiveBar(symbol="A", timeframe=MINUTE, bar=minutes().bar(ROW), source="sim", received_at=NOW)
        await asyncio.Event().wait()

    async def close(self) -> None:
        return None


class Nobody:
    """Keeps `OperatorRequests`: nobody asks for anything."""

    async def requests(self) -> AsyncIterator[OperatorRequest]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]

    def acknowledge(self, request: OperatorRequest) -> None:
        return None


async def until(holds: Callable[[], bool], session: asyncio.Task[object]) -> None:
    """Wait until something holds, for as long as the session goes on."""
    while not holds():
        assert not session.done(), session.exception()
        await asyncio.sleep(0.01)


def test_a_trade_with_a_stop_runs_from_its_bar_to_its_record(there: StandIn, trader: Trader) -> None:
    desk = there.desk
    desk.cash, desk.fills_at_once, desk.clock = Decimal(100_000), True, lambda: NOW
    there.fault("place_equity_order", "lost")  # the entry's answer
    ledger = MemoryLedger(lambda: NOW)
    script = Script(enter_long=frozenset({ROW}), plan_long=STOP_ALONE, plan_short=STOP_ALONE)
    setup = setup_for(Scripted({"A": script}), MINUTES, CALENDAR, capabilities=CAPABILITIES)

    async def work() -> None:
        broker = RobinhoodBroker(
            trader.access(),
            lambda: kept_auth(there.address, KeptLogin(trader.place), account="desk"),
            EXCHANGE,
            clock=lambda: NOW,
        )
        with ledger.writer("SIM") as writer:
            quiet = Quiet()
            around = World(
                broker=broker, bars=OneBar(), writer=writer, pace=StandingTime(), operator=Nobody(),
                heartbeat=quiet, notifier=quiet, lease=NoLease(),
            )  # fmt: skip
            session = asyncio.create_task(
                run_session(
                    Session(setup, []),
                    setup,
                    around,
                    history_from=NOW - timedelta(days=1),
                    account_number=None,
                )
            )
            async with asyncio.timeout(60):
                await until(lambda: len(desk.orders) == 2, session)
                entry, stop = desk.orders.values()
                assert (entry["state"], entry["side"], entry["quantity"]) == ("filled", "buy", "100")
                assert (stop["trigger"], stop["side"], stop["time_in_force"]) == ("stop", "sell", "gtc")
                assert (stop["quantity"], Decimal(stop["stop_price"])) == ("100", 98)
                desk.fill(stop["id"], "100", "97.90")
                await until(lambda: any(e.kind == "trade_closed" for e in ledger.entries("SIM")), session)
            session.cancel()
            await asyncio.gather(session, return_exceptions=True)

    asyncio.run(work())
    (closed,) = [each.payload for each in ledger.entries("SIM") if isinstance(each.payload, TradeClosed)]
    assert closed.record.exit_reasoning == "stop"
    assert len(there.desk.called("place_equity_order")) == 2, "one for each intent, whatever was lost"
