"""A trading session on two symbols, and a broker that takes every order and fills what is at the market at once.

It is as small as an end-to-end breach of a limit needs. What a broker may do wrong is the matter of tests/simulation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from magellan.engine import events as e
from magellan.engine.commands import Alert, AskBroker, Cancel, Command, ListenAnew, Record, Stop, Submit
from magellan.engine.session import Session
from magellan.engine.setup import SessionSetup
from magellan.ledger.entries import AnswerTo, BreakerTripped, NewEntry, OrderDenied, SessionBegan, TradeClosed
from magellan.strategy.contract import Features, NoParameters, Strategy
from magellan.strategy.trade_plan import Market, TradePlan, Units
from magellan.trading.account import AccountSnapshot, BrokerPosition
from magellan.trading.answer import Accepted, Refused
from magellan.trading.bar import Bar, Mask
from magellan.trading.capabilities import Capabilities
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderEvent,
    OrderEventKind,
    OrderRequest,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from magellan.trading.session import ExchangeCalendar, day_number
from magellan.usecases.session_limits import session_limits
from magellan.workspace.config import StrategyConfig
from magellan.workspace.workspace import Stage, WorkspaceSettings

MONDAY = date(2026, 3, 2)
OPEN = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
SESSION = timedelta(hours=6, minutes=30)
SYMBOLS = ("AMC", "GME")
CAN = Capabilities(
    name="small",
    order_types=frozenset(OrderType),
    order_classes=frozenset(OrderClass),
    times_in_force=frozenset(TimeInForce),
    asset_classes=frozenset({"us_equity"}),
    fractions=False,
    shorts=False,
    extended_hours=False,
    order_stream=True,
    replace=True,
    requests_per_minute=None,
)


class BuysEveryThirdMinute(Strategy):
    """Buys ten shares at the close of every third minute and of the day's last, and holds them for one bar more."""

    entry: Any = Market()

    def enter_long(self, f: Features, p: Any) -> Mask:
        return (f.bars.minute % 3 == 0) | (f.bars.minute == 959)

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(size=Units(units=10), entry=self.entry, hold_bars=1)


def week() -> ExchangeCalendar:
    days = [MONDAY + timedelta(days=on) for on in range(5)]
    opens = [int((OPEN + timedelta(days=on)).timestamp()) * 10**9 for on in range(5)]
    return ExchangeCalendar(
        name="XNYS",
        session_on=np.array([day_number(on) for on in days], dtype=np.int32),
        opens_at_ns=np.array(opens, dtype=np.int64),
        closes_at_ns=np.array(opens, dtype=np.int64) + int(SESSION.total_seconds()) * 10**9,
    )


class SmallSession:
    """Drives a session, and remembers what it recorded and sent."""

    def __init__(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        workspace: Mapping[str, Any] | None = None,
        symbols: tuple[str, ...] = ("AMC",),
        recorded: tuple[...] = (),
        **setup: Any,
    ) -> None:
        self.config = StrategyConfig.model_validate(
            {
                "strategy": {"name": "buys", "version": "1.0.0", "kind": "intraday"},
                "symbols": list(symbols),
                "data": {"timeframe": "1Min"},
                **(config or {}),
            }
        )
        settings = WorkspaceSettings.model_validate(workspace or {})
        limits = session_limits(
            self.config, settings, stage=Stage.TEST, account=settings.accounts.get("paper")
        )
        self.entries: list[NewEntry] = list(recorded)
        self.sent: list[OrderRequest] = []
        self.alerts: list[str] = []
        self.stopped: Stop | None = None
        self.asked = 0  # how often the broker was asked; `broker_tells` answers
        self.cash, self.held = Decimal(100_000), dict.fromkeys(symbols, Decimal(0))
        self.price = dict.fromkeys(symbols, Decimal(100))
        self.equity: Decimal | None = None  # told instead of what it comes to
        self.last_equity: Decimal | None = Decimal(100_000)  # at the close of the session before
        self.buying_power: Decimal | None = Decimal(100_000)
        self.blocked: bool | None = False
        self.refuses: str | None = None  # why the broker refuses every order
        self.is_mute = False  # the order stream listens, and says nothing
        self.untold: deque[e.OrderTold] = deque()  # what it kept back
        self.listened_anew: list[str] = []  # why the order stream was to be begun anew
        self.now = OPEN
        self.executions: list[Execution] = []
        self._events: deque[e.Event] = deque()
        began = SessionBegan(
            run_id="run", strategy="buys", stage="test", mode="paper", magellan_version="0",
            config_hash="0" * 64, release_id=None, data_id=None, bar_source="small iex", symbols=symbols,
            timeframe="1Min", host="here", pid=1,
        )  # fmt: skip
        self.session = Session(
            SessionSetup(
                session_id=f"s{len(recorded)}",
                account="PA3",
                began=began,
                config=self.config,
                strategy=setup.pop("strategy", BuysEveryThirdMinute()),
                parameters=dict.fromkeys(symbols, NoParameters()),
                calendar=week(),
                capabilities=CAN,
                limits=limits.orders,
                breaker_limits=limits.breakers,
                **setup,
            ),
            recorded,
        )

    # --- What happens ---------------------------------------------------------------------------------------------

    def start(self, at: datetime = OPEN, *, broker_at: datetime | None = None) -> SmallSession:
        self.now = at
        facts = self.facts(broker_at=broker_at)
        self.tell(e.Started(at=at, facts=facts, history={}, source="small iex"))
        self.tell(e.OrdersUp(at=at))
        return self

    def bar(
        self, close: float | None = None, *, late_s: float = 0.5, opened_at: datetime | None = None
    ) -> None:
        """A minute passes: a bar of every symbol closes at `close`, and reaches us `late_s` seconds after that."""
        opened_at = opened_at or self.now.replace(second=0, microsecond=0)
        if close is not None:
            self.price = dict.fromkeys(self.price, Decimal(str(close)))
        self.now = max(self.now, opened_at + timedelta(seconds=59.2))
        self.tell(e.Woke(at=self.now, name="next"))  # what is left at the close is left a second before
        self.now = opened_at + timedelta(minutes=1, seconds=late_s)
        for symbol in self.held:
            price = float(self.price[symbol])
            bar = Bar(opened_at=opened_at, open=price, high=price, low=price, close=price, volume=1e6)
            self.tell(e.BarClosed(at=self.now, symbol=symbol, bar=bar, source="small iex"))

    def broker_tells(
        self,
        *,
        after_s: float = 0.1,
        clock_skew_s: float = 0.0,
        is_open: bool | None = None,
        changes_at: datetime | None = None,
    ) -> None:
        self.now += timedelta(seconds=after_s)
        broker_at = self.now - timedelta(seconds=clock_skew_s)
        facts = self.facts(broker_at=broker_at, is_open=is_open, changes_at=changes_at)
        self.tell(e.BrokerTold(at=self.now, facts=facts))

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.tell(e.Woke(at=self.now, name="next"))

    def trade(self, profit: int) -> None:
        """Every symbol is bought at 100 $ and sold so that each trade makes this much, in dollars."""
        closed = self.closed
        self.bar(100)
        self.bar(100)
        self.bar(100 + profit / 10)
        assert self.closed == closed + len(self.held), "nothing was traded"
        self.broker_tells()

    def tell(self, event: e.Event) -> None:
        """Hand an event over, and whatever the broker says to what comes of it."""
        self._events.append(event)
        while self._events:
            for command in self.session.handle(self._events.popleft()):
                if isinstance(command, Record):
                    self.entries += command.entries
                else:
                    self._carry_out(command)

    def facts(
        self,
        *,
        broker_at: datetime | None = None,
        is_open: bool | None = None,
        changes_at: datetime | None = None,
    ) -> e.BrokerFacts:
        worth = sum((self.held[symbol] * self.price[symbol] for symbol in self.held), self.cash)
        return e.BrokerFacts(
            account=AccountSnapshot(
                account_id="PA3", as_of=self.now, cash_usd=self.cash,
                equity_usd=worth if self.equity is None else self.equity, last_equity_usd=self.last_equity,
                buying_power_usd=self.buying_power, multiplier=Decimal(1), shorting_enabled=False,
                trading_blocked=self.blocked,
            ),
            positions=tuple(
                BrokerPosition(
                    symbol=symbol, quantity=held, available=held, average_entry_price=self.price[symbol],
                    market_price=self.price[symbol], as_of=self.now,
                )
                for symbol, held in self.held.items() if held
            ),
            orders=(),
            executions=tuple(self.executions),
            clock=e.ClockRead(
                asked_at=self.now, broker_at=broker_at or self.now, told_at=self.now, is_open=is_open,
                changes_at=changes_at,
            ),
        )  # fmt: skip

    # --- What came of it ------------------------------------------------------------------------------------------

    @property
    def bought(self) -> list[OrderRequest]:
        return [request for request in self.sent if request.side.sign > 0]

    @property
    def denied(self) -> list[OrderDenied]:
        return [entry.payload for entry in self.entries if isinstance(entry.payload, OrderDenied)]

    @property
    def closed(self) -> int:
        return sum(isinstance(entry.payload, TradeClosed) for entry in self.entries)

    @property
    def tripped(self) -> list[str]:
        return [entry.payload.breaker for entry in self.entries if isinstance(entry.payload, BreakerTripped)]

    # --- The broker -----------------------------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, Submit):
            self.sent.append(command.request)
            self._answer(command.request)
        elif isinstance(command, AskBroker):
            self.asked += 1
        elif isinstance(command, Alert):
            self.alerts.append(command.text)
        elif isinstance(command, Stop):
            self.stopped = command
        elif isinstance(command, ListenAnew):
            self.listened_anew.append(command.why)
        elif isinstance(command, Cancel):
            raise AssertionError(f"{command.client_order_id} is filled at once: there is nothing to cancel")

    def _answer(self, request: OrderRequest) -> None:
        if self.refuses is not None:
            refused = Refused(code="403", message=self.refuses)
            self._events.append(
                e.Answered(
                    at=self.now, to=AnswerTo.SUBMIT, client_order_id=request.client_order_id, answer=refused
                )
            )
            return
        order = BrokerOrder(
            broker_order_id=f"b-{request.client_order_id}", client_order_id=request.client_order_id,
            symbol=request.symbol, side=request.side, type=request.type, order_class=request.order_class,
            time_in_force=request.time_in_force, status=OrderStatus.NEW, quantity=request.quantity,
            filled_quantity=Decimal(0), filled_average_price=None, limit_price=request.limit_price,
            stop_price=request.stop_price, submitted_at=self.now, updated_at=self.now,
        )  # fmt: skip
        self._events.append(
            e.Answered(
                at=self.now,
                to=AnswerTo.SUBMIT,
                client_order_id=request.client_order_id,
                answer=Accepted(order=order),
            )
        )
        if request.type is OrderType.MARKET and OPEN <= self.now < OPEN + SESSION:
            self._fill(request, order)

    def _fill(self, request: OrderRequest, order: BrokerOrder) -> None:
        assert request.quantity is not None, "it sends quantities"
        price = self.price[request.symbol]
        execution = Execution(
            execution_id=f"x-{request.client_order_id}", broker_order_id=order.broker_order_id,
            client_order_id=request.client_order_id, symbol=request.symbol, side=request.side,
            quantity=request.quantity, price=price, at=self.now,
        )  # fmt: skip
        self.executions.append(execution)
        self.held[request.symbol] += execution.signed_quantity
        self.cash -= execution.signed_quantity * price
        filled = replace(
            order, status=OrderStatus.FILLED, filled_quantity=request.quantity, filled_average_price=price
        )
        event = OrderEvent(kind=OrderEventKind.FILL, order=filled, at=self.now, execution=execution)
        (self.untold if self.is_mute else self._events).append(e.OrderTold(at=self.now, event=event))
