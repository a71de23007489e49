"""A flatten past every session: whatever the broker refuses, loses or tells late, it leaves everything once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.errors import AskOperator, FixInput, TryAgain
from magellan.ledger.book import Book
from magellan.ledger.entries import ExecutionSeen, NewEntry, OrderIntended, Payload, PositionAdopted
from magellan.ports.broker import Accepted, BrokerClock, Refused, Requested, Unknown
from magellan.ports.operator import OperatorRequest
from magellan.trading.account import AccountSnapshot, BrokerPosition
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from magellan.usecases.flatten_account import KEYS_REFUSED, Flattened, Flattening
from magellan.usecases.named_account import NamedAccount, named_account
from magellan.usecases.operate_session import (
    Acted,
    Around,
    Operated,
    PastTheSession,
    flatten,
    halt,
    outcome_of,
)
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.workspace import WorkspaceSettings

AT = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)


@dataclass
class Trouble:
    """What goes wrong, by chance. Rates between 0 and 1."""

    rate: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def strikes(self) -> bool:
        return self.chance.random() < self.rate


@dataclass
class SmallBroker:
    """As much of `ports.broker.Broker` as a flatten asks for. Fills at the market at once, unless it is closed."""

    held: dict[str, Decimal]
    resting: list[BrokerOrder] = field(default_factory=list)
    trouble: Trouble = field(default_factory=Trouble)
    open: bool = True
    number: str = "PA1"
    keys: bool = True
    sent: list[OrderRequest] = field(default_factory=list)
    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)

    def _read(self) -> None:
        if not self.keys:
            raise FixInput("request is not authorized")
        if self.trouble.strikes():
            raise TryAgain("a web page instead of an answer")

    async def account(self) -> AccountSnapshot:
        self._read()
        return AccountSnapshot(
            account_id=self.number, as_of=AT, cash_usd=None, equity_usd=None, last_equity_usd=None,
            buying_power_usd=None, multiplier=None, shorting_enabled=None, trading_blocked=None,
        )  # fmt: skip

    async def clock(self) -> BrokerClock:
        self._read()
        return BrokerClock(at=AT, is_open=self.open)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        self._read()
        return tuple(each for each in (*self.resting, *self.orders.values()) if not each.status.is_terminal)

    async def positions(self) -> tuple[BrokerPosition, ...]:
        self._read()
        return tuple(
            BrokerPosition(
                symbol=symbol, quantity=units, available=units - self._reserved(symbol),
                average_entry_price=Decimal(10), market_price=Decimal(10), as_of=AT,
            )
            for symbol, units in self.held.items() if units
        )  # fmt: skip

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        self._read()
        return self.orders.get(client_order_id)

    async def executions_since(self, at: datetime) -> tuple[Execution, ...]:
        self._read()
        return tuple(self.executions)

    async def orders_since(self, at: datetime) -> tuple[BrokerOrder, ...]:
        self._read()
        return tuple(self.orders.values())

    async def cancel(self, broker_order_id: str) -> Requested | Refused | Unknown:
        if self.trouble.strikes():
            return Refused(code="429", message="too many requests", rate_limited=True)
        for row, each in enumerate(self.resting):
            if each.broker_order_id == broker_order_id:
                self.resting[row] = replace(each, status=OrderStatus.CANCELED)
        return Unknown(why="timed out") if self.trouble.strikes() else Requested()

    async def submit(self, request: OrderRequest) -> Any:
        if self.trouble.strikes():
            return Refused(code="429", message="too many requests", rate_limited=True)
        if self.trouble.strikes():
            return Unknown(why="the connection was cut before it arrived")
        if request.client_order_id in self.orders:
            return Unknown(why="client_order_id must be unique")
        assert request.quantity is not None
        free = abs(self.held[request.symbol] - self._reserved(request.symbol))
        if request.quantity > free:
            return Refused(code="40310000", message="insufficient qty available")
        self.sent.append(request)
        order = resting_order(request.client_order_id, request.symbol, request.side, request.quantity)
        if self.open:
            order = replace(order, status=OrderStatus.FILLED, filled_quantity=request.quantity)
            self.held[request.symbol] += request.side.sign * request.quantity
            self.executions.append(
                Execution(
                    execution_id=f"x{len(self.executions)}", broker_order_id=order.broker_order_id,
                    client_order_id=order.client_order_id, symbol=order.symbol, side=order.side,
                    quantity=request.quantity, price=Decimal(10), at=AT,
                )
            )  # fmt: skip
        self.orders[request.client_order_id] = order
        return Unknown(why="timed out") if self.trouble.strikes() else Accepted(order=order)

    async def close(self) -> None:
        pass

    def _reserved(self, symbol: str) -> Decimal:
        working = [*self.resting, *self.orders.values()]
        side = OrderSide.SELL if self.held[symbol] > 0 else OrderSide.BUY
        units = sum(
            (each.open_quantity for each in working if each.symbol == symbol and each.side is side),
            Decimal(0),
        )
        return units if self.held[symbol] > 0 else -units


def resting_order(name: str, symbol: str, side: OrderSide, units: Decimal) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=f"b-{name}", client_order_id=name, symbol=symbol, side=side, type=OrderType.MARKET,
        order_class=OrderClass.SIMPLE, time_in_force=TimeInForce.DAY, status=OrderStatus.NEW, quantity=units,
        filled_quantity=Decimal(0), filled_average_price=None, limit_price=None, stop_price=None,
        submitted_at=AT, updated_at=AT,
    )  # fmt: skip


class Desk:
    """A flatten whose time passes only while it rests."""

    def __init__(self, broker: SmallBroker, units: dict[str, Decimal] | None = None) -> None:
        self.broker = broker
        self.units = units
        self.recorded: list[Payload] = []
        self.now_s = 0.0
        self.pauses: list[float] = []

    def flatten(self, within_s: float = 600.0) -> Flattened:
        async def rest(seconds: float) -> None:
            self.pauses.append(seconds)
            self.now_s += seconds

        def record(payloads: Sequence[Payload]) -> None:
            self.recorded += payloads

        return asyncio.run(
            Flattening(
                broker=self.broker,  # type: ignore[arg-type]
                account="alpaca-paper-PA1", number="PA1", strategy="moods", asked_at=AT, record=record,
                monotonic_s=lambda: self.now_s, sleep=rest, units=self.units,
            ).carry_out(within_s)
        )  # fmt: skip


def protected() -> SmallBroker:
    """Long, short, and a stop that holds all shares of one."""
    return SmallBroker(
        held={"AMC": Decimal(20), "GME": Decimal("-7"), "SPY": Decimal("1.5")},
        resting=[resting_order("stop", "AMC", OrderSide.SELL, Decimal(20))],
    )


@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.0, 0.2, 0.5, 0.8]))
@settings(max_examples=60, deadline=None)
def test_everything_is_left_once_whatever_answers_are_lost(seed: int, rate: float) -> None:
    broker = protected()
    broker.trouble = Trouble(rate, random.Random(seed))
    desk = Desk(broker)
    done = desk.flatten(within_s=100_000.0)
    assert done.flat
    assert set(broker.held.values()) == {Decimal(0)}, "nothing is left, and nothing was left twice"
    assert all(each.status.is_terminal for each in broker.resting)
    intended = [each.request.client_order_id for each in desk.recorded if isinstance(each, OrderIntended)]
    assert len(intended) == len(set(intended)), "one intent, one name"
    assert {each.client_order_id for each in broker.sent} <= set(intended)
    assert len(broker.sent) == 3


def test_what_changed_hands_is_recorded() -> None:
    desk = Desk(protected())
    assert desk.flatten().flat
    seen = [each.execution.symbol for each in desk.recorded if isinstance(each, ExecutionSeen)]
    assert sorted(seen) == ["AMC", "GME", "SPY"]


def test_units_that_the_record_had_never_heard_of_leave_it_flat_and_not_short() -> None:
    desk = Desk(protected(), units={"AMC": Decimal(5)})
    assert desk.flatten().flat
    book = Book(account="PA1")
    book.apply(_entry(PositionAdopted(
        adoption_id="before", strategy="moods", symbol="AMC", quantity=Decimal(5), price=Decimal(9), at=AT, reason="",
    )))  # fmt: skip
    for payload in desk.recorded:
        book.apply(_entry(payload))
    assert book.is_flat, book.positions
    assert [each for each in desk.recorded if isinstance(each, PositionAdopted)]


def _entry(payload: Payload) -> NewEntry:
    return NewEntry(at=AT, session="flatten", payload=payload)


def test_names_follow_from_the_request_so_that_two_at_once_send_each_order_once() -> None:
    one, other = protected(), protected()
    Desk(one).flatten()
    Desk(other).flatten()
    assert [each.client_order_id for each in one.sent] == [each.client_order_id for each in other.sent]
    assert all(len(each.client_order_id) <= 48 for each in one.sent)


def test_pauses_grow_while_nothing_is_answered_and_it_gives_up_in_its_time() -> None:
    desk = Desk(protected())
    desk.broker.trouble = Trouble(1.0)
    done = desk.flatten(within_s=20.0)
    assert (done.flat, done.positions, done.sent) == (False, None, ())
    assert desk.pauses == sorted(desk.pauses)
    assert desk.now_s <= 20.0
    assert "a web page" in done.trouble


def test_when_the_market_is_closed_orders_wait_and_none_is_sent_twice() -> None:
    desk = Desk(protected())
    desk.broker.open = False
    done = desk.flatten(within_s=30.0)
    assert not done.flat
    assert len(desk.broker.sent) == 3
    assert {each.client_order_id for each in done.open_orders or ()} == set(done.sent)


def test_keys_that_are_refused_again_and_again_end_it() -> None:
    desk = Desk(protected())
    desk.broker.keys = False
    with pytest.raises(FixInput, match="not authorized"):
        desk.flatten()
    assert len(desk.pauses) == KEYS_REFUSED - 1


def test_another_account_is_never_touched() -> None:
    desk = Desk(protected())
    desk.broker.number = "PA2"
    with pytest.raises(FixInput, match="pins PA1"):
        desk.flatten()
    assert (desk.broker.sent, desk.recorded) == ([], [])


def test_an_account_that_is_flat_is_left_alone() -> None:
    desk = Desk(SmallBroker(held={}))
    assert desk.flatten().flat
    assert desk.recorded == []


@pytest.mark.parametrize(
    ("acted", "did"),
    [(Acted.BROKER, "2 orders cancelled, 1 sent in 0.5 s"), (Acted.SESSION, "looked at for 0.5 s")],
)
def test_what_a_session_did_is_not_counted_by_who_only_looked(acted: Acted, did: str) -> None:
    flattened = Flattened(
        flat=True, positions=(), open_orders=(), cancelled=2, sent=("mg1-x",), trouble="", took_s=0.5
    )
    assert outcome_of(flattened, acted=acted).endswith(f"neither a position nor an open order; {did}")


PAPER = BrokerAccount(kind="paper", number="PA1")
JANES = OperatorRequest(
    request_id="r1", asks="flatten", person="jane", reason="the server is gone", source="command"
)


class FailingLedger:
    """A ledger that answers up to one step and refuses from there on; as a flatten and a halt ask it."""

    def __init__(self, fails_at: str) -> None:
        self.fails_at = fails_at

    def accounts(self) -> tuple[str, ...]:
        self._pass("holder")
        return ("alpaca-paper-PA1",)

    def holder(self, account: str) -> None:
        self._pass("holder")

    @contextmanager
    def writer(self, account: str) -> Iterator[FailingLedger]:
        self._pass("writer")
        yield self

    def entries(self, account: str) -> tuple[()]:
        self._pass("entries")
        return ()

    def append(self, entries: Sequence[NewEntry]) -> None:
        self._pass("append")

    def _pass(self, step: str) -> None:
        if step == self.fails_at:
            raise AskOperator(f"the ledger fails at {step}")


@dataclass
class ControlDesk:
    """Requests that were left; no session acts on them."""

    full: bool = False
    left: list[OperatorRequest] = field(default_factory=list)

    def leave(self, request: OperatorRequest) -> None:
        if self.full:
            raise AskOperator("no space left on the device")
        self.left.append(request)

    def is_acknowledged(self, request: OperatorRequest) -> bool:
        return False

    def around(self, ledger: FailingLedger) -> Around:
        passed_s = 0.0

        async def rest(seconds: float) -> None:
            nonlocal passed_s
            passed_s += seconds

        return Around(
            ledger=ledger,  # type: ignore[arg-type]
            desk=self,  # type: ignore[arg-type]
            now=lambda: AT, monotonic_s=lambda: passed_s, sleep=rest,
        )  # fmt: skip


@pytest.mark.parametrize("disk_is_full", [False, True])
@pytest.mark.parametrize("fails_at", ["holder", "writer", "entries", "append"])
def test_a_ledger_that_fails_holds_no_flatten_back(fails_at: str, disk_is_full: bool) -> None:
    broker, desk = protected(), ControlDesk(full=disk_is_full)
    beside: list[NewEntry] = []
    told: list[str] = []

    def keep(entries: Sequence[NewEntry]) -> None:
        if disk_is_full:
            raise AskOperator("no space left on the device")
        beside.extend(entries)

    operated = asyncio.run(
        flatten(
            NamedAccount(ledger="alpaca-paper-PA1", name="paper", terms=PAPER), JANES,
            desk.around(FailingLedger(fails_at)),
            PastTheSession(
                open_broker=lambda: broker,  # type: ignore[arg-type, return-value]
                beside=keep, beside_name="beside", within_s=600.0, tell=told.append,
            ),
        )
    )  # fmt: skip
    assert operated.flattened is not None and operated.flattened.flat
    assert set(broker.held.values()) == {Decimal(0)}
    assert (operated.acted, operated.recorded_in) == (Acted.BROKER, "beside")
    assert operated.ledger_trouble == f"the ledger fails at {fails_at}"
    assert any(operated.ledger_trouble in each for each in told), "a person is told what was gone past"
    intended = {
        each.payload.request.client_order_id for each in beside if isinstance(each.payload, OrderIntended)
    }
    if disk_is_full:
        assert any("not recorded" in each for each in told)
    else:
        assert {each.client_order_id for each in broker.sent} == intended


def _halted(fails_at: str, desk: ControlDesk) -> Operated:
    account = NamedAccount(ledger="alpaca-paper-PA1", name="paper", terms=PAPER)
    return asyncio.run(halt(account, JANES, desk.around(FailingLedger(fails_at))))


@pytest.mark.parametrize("fails_at", ["holder", "writer", "entries", "append"])
def test_a_halt_that_the_ledger_does_not_take_waits_for_the_next_session(fails_at: str) -> None:
    desk = ControlDesk()
    halted = _halted(fails_at, desk)
    assert (halted.acted, halted.ledger_trouble) == (Acted.NOBODY, f"the ledger fails at {fails_at}")
    assert desk.left == [JANES]


def test_a_halt_that_can_be_kept_nowhere_says_so() -> None:
    with pytest.raises(AskOperator, match="no space left"):
        _halted("holder", ControlDesk(full=True))


@pytest.mark.parametrize("named", ["paper", None])
def test_the_one_account_of_a_workspace_is_known_while_its_ledger_does_not_answer(named: str | None) -> None:
    settings_ = WorkspaceSettings(accounts={"paper": PAPER})
    found = named_account(settings_, FailingLedger("holder"), named)  # type: ignore[arg-type]
    assert (found.name, found.ledger) == ("paper", "alpaca-paper-PA1")


def test_which_of_two_accounts_is_meant_is_not_guessed_while_the_ledger_does_not_answer() -> None:
    two = WorkspaceSettings(accounts={"paper": PAPER, "other": PAPER.model_copy(update={"number": "PA2"})})
    with pytest.raises(AskOperator, match="fails at holder"):
        named_account(two, FailingLedger("holder"), None)  # type: ignore[arg-type]
