"""Entries to write down: one of every kind, and trades of a given shape.

As a program (`PYTHONPATH=tests .venv/bin/python -m ledger.samples`) it writes today's golden file anew, for a kind that
was added. A kind that is in use changes with its version, and keeps its old golden file.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from magellan.ledger.chain import EMPTY, sealed
from magellan.ledger.entries import (
    AccountMarked,
    AlertRaised,
    AnswerIs,
    AnswerTo,
    BreakerReset,
    BreakerTripped,
    CancelIntended,
    CashMoved,
    Decision,
    Difference,
    ExecutionSeen,
    FailureSeen,
    FlatShown,
    Halted,
    NewEntry,
    OrderAnswered,
    OrderDenied,
    OrderEventSeen,
    OrderIntended,
    Payload,
    PositionAdopted,
    Reconciliation,
    ReplaceIntended,
    Resumed,
    SessionBegan,
    SessionEnded,
    SplitApplied,
    TradeClosed,
    TradeDropped,
    TradeIdea,
    TradeMarked,
    TradeOpened,
    TradePlanned,
    WorkDone,
)
from magellan.ledger.trade_record import Outcome, TradeRecord
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderEventKind,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from magellan.trading.purpose import OrderPurpose
from magellan.trading.trade_terms import (
    EntryTerms,
    LevelTerms,
    TargetTerms,
    TradeMarks,
    TradeTerms,
    TrailTerms,
)

OPEN_AT = datetime(2026, 1, 20, 14, 30, tzinfo=UTC)
SESSION_ON = date(2026, 1, 20)

BEGAN = SessionBegan(
    run_id="run-7f",
    strategy="bear_trap",
    stage="test",
    mode="paper",
    magellan_version="0.3.0",
    config_hash="c0ffee",
    release_id="2026-01-19T2100Z",
    data_id=None,
    bar_source="alpaca sip",
    symbols=("AMC", "BRK.B"),
    timeframe="1min",
    host="desk",
    pid=4711,
    continues="s-0",
    armed_by=None,
)

IDEA = TradeIdea(
    decision_id="d-1",
    decision_price=Decimal("5.00"),
    stop_loss=Decimal("4.50"),
    target=Decimal("6.00"),
    risk_reward_ratio=Decimal(2),
    reasoning="reclaimed the low on rising volume",
    indicators_used=("day_low", "volume_ratio"),
)

PLANNED = TradePlanned(
    plan_id="mg1",
    strategy="bear_trap",
    symbol="AMC",
    side=1,
    signal_bar_at=OPEN_AT,
    reference_price=5.0,
    units=Decimal(100),
    terms=TradeTerms(
        entry=EntryTerms(type=OrderType.MARKET, time_in_force=TimeInForce.DAY),
        stop=LevelTerms(base=4.5, follows=True),
        trail=TrailTerms(fraction=0.02),
        targets=(
            TargetTerms(
                level=LevelTerms(base=6.0, part_way=0.5), fraction=0.4, then_stop=LevelTerms(base=None)
            ),
        ),
        hold_minutes=30,
        hold_bars=None,
        cooldown_bars=1,
        exits_with_session=True,
        exit_minutes_before_close=5,
    ),
)

MARKS = TradeMarks(bar_ns=1_768_919_400_000_000_000, stop=4.75, best=5.4375, risk=0.5125, targets_done=(1,))

DECISION = Decision(
    decision_id="d-1",
    strategy="bear_trap",
    symbol="AMC",
    bar_opened_at=OPEN_AT,
    bar_closed_at=OPEN_AT + timedelta(minutes=1),
    bar_received_at=OPEN_AT + timedelta(minutes=1, microseconds=250_000),
    bar_source="alpaca sip",
    action="enter_long",
    price=Decimal("5.00"),
    reasoning="reclaimed the low on rising volume – “twice”",
    indicators={"day_low": 4.97, "volume_ratio": 2.125, "vwap": None},
)


def entry(payload: Payload, *, minutes: float = 0, session: str = "s-1") -> NewEntry:
    """An entry so many minutes after the opening."""
    return NewEntry(at=OPEN_AT + timedelta(minutes=minutes), session=session, payload=payload)


def request(
    name: str = "mg1-entry", *, side: OrderSide = OrderSide.BUY, quantity: str = "100"
) -> OrderRequest:
    return OrderRequest(client_order_id=name, symbol="AMC", side=side, quantity=Decimal(quantity))


def told(
    name: str = "mg1-entry",
    *,
    status: OrderStatus = OrderStatus.NEW,
    legs: tuple[BrokerOrder, ...] = (),
    type: OrderType = OrderType.MARKET,
    side: OrderSide = OrderSide.BUY,
    minutes: float = 0,
    replaces: str | None = None,
) -> BrokerOrder:
    """An order as a broker tells it; its id at the broker is `b-` and its name."""
    return BrokerOrder(
        broker_order_id=f"b-{name}",
        client_order_id=name,
        symbol="AMC",
        side=side,
        type=type,
        order_class=OrderClass.BRACKET if legs else OrderClass.SIMPLE,
        time_in_force=TimeInForce.DAY,
        status=status,
        quantity=Decimal(100),
        filled_quantity=Decimal(0),
        filled_average_price=None,
        limit_price=Decimal("6.00") if type is OrderType.LIMIT else None,
        stop_price=Decimal("4.50") if type is OrderType.STOP else None,
        submitted_at=OPEN_AT,
        updated_at=OPEN_AT + timedelta(minutes=minutes),
        legs=legs,
        replaces=replaces,
    )


def execution(
    name: str,
    quantity: str | Decimal,
    price: str | Decimal,
    *,
    order: str = "mg1-entry",
    commission: str = "0",
    minutes: float = 1,
    symbol: str = "AMC",
) -> Execution:
    """Units bought (> 0) or sold (< 0)."""
    signed = Decimal(quantity)
    return Execution(
        execution_id=name,
        broker_order_id=f"b-{order}",
        client_order_id=order,
        symbol=symbol,
        side=OrderSide.BUY if signed > 0 else OrderSide.SELL,
        quantity=abs(signed),
        price=Decimal(price),
        at=OPEN_AT + timedelta(minutes=minutes),
        commission_usd=Decimal(commission),
    )


def seen(*executions: Execution) -> list[NewEntry]:
    """Entries that tell these executions, each at its own time."""
    return [
        NewEntry(at=each.at, session="s-1", payload=ExecutionSeen(execution=each, source="stream"))
        for each in executions
    ]


def intended(
    name: str = "mg1-entry",
    *,
    purpose: OrderPurpose = OrderPurpose.ENTRY,
    side: OrderSide = OrderSide.BUY,
    quantity: str = "100",
    reason: str = "bear trap",
    idea: TradeIdea | None = IDEA,
) -> OrderIntended:
    return OrderIntended(
        strategy="bear_trap",
        purpose=purpose,
        request=request(name, side=side, quantity=quantity),
        reason=reason,
        idea=idea,
    )


def closed_trade(
    name: str,
    net: str | None,
    *,
    symbol: str = "AMC",
    strategy: str = "bear_trap",
    minutes: float = 0,
    slippage: str | None = "1.25",
) -> TradeRecord:
    """A trade that made so much after a commission of 1 USD; `net` None is one that is open."""
    is_open = net is None
    amount = None if net is None else Decimal(net)
    return TradeRecord(
        timestamp=OPEN_AT + timedelta(minutes=minutes),
        symbol=symbol,
        action="BUY",
        quantity=Decimal(100),
        price=Decimal("5.0125"),
        total_value=Decimal("501.25"),
        order_id="mg1-entry",
        execution_mode="PAPER",
        account_id="PA1",
        strategy_name=strategy,
        entry_type="market",
        stop_loss=Decimal("4.50"),
        target=Decimal("6.00"),
        decision_reasoning="reclaimed the low",
        indicators_used=("day_low",),
        risk_reward_ratio=Decimal(2),
        outcome=(
            Outcome.OPEN
            if amount is None
            else Outcome.WIN
            if amount > 0
            else Outcome.LOSS
            if amount < 0
            else Outcome.BREAKEVEN
        ),
        profit_loss=None if amount is None else amount + 1,
        hold_duration_seconds=None if is_open else 600,
        exit_timestamp=None if is_open else OPEN_AT + timedelta(minutes=minutes + 10),
        exit_reasoning=None if is_open else "target",
        slippage=None if slippage is None else Decimal(slippage),
        commission=Decimal(1),
        net_profit_loss=amount,
        session_id="s-1",
        bot_version="0.3.0",
        config_hash="c0ffee",
        trade_id=name,
        run_id="run-7f",
        release_id=None,
        data_id=None,
        exit_price=None if is_open else Decimal("5.50"),
        exit_quantity=Decimal(0) if is_open else Decimal(100),
        decision_price=Decimal("5.00"),
        r_multiple=None if amount is None else amount / 50,
        executions=1 if is_open else 2,
    )


def one_of_every_kind() -> list[NewEntry]:
    """One entry of each kind, in an order that a session could write them in."""
    legs = (
        told("leg-target", status=OrderStatus.HELD, type=OrderType.LIMIT, side=OrderSide.SELL),
        told("leg-stop", status=OrderStatus.HELD, type=OrderType.STOP, side=OrderSide.SELL),
    )
    payloads: Iterable[Payload] = (
        BEGAN,
        AccountMarked(
            session_on=SESSION_ON,
            cash_usd=Decimal("25000.10"),
            equity_usd=Decimal("25000.10"),
            last_equity_usd=None,
            buying_power_usd=Decimal("50000.20"),
            occasion="start",
        ),
        Reconciliation(
            occasion="start",
            differences=(Difference(what="position", name="BRK.B", ours="", brokers="1.5"),),
            policy="adopt",
            result="adopted",
        ),
        PositionAdopted(
            adoption_id="a-1",
            strategy="bear_trap",
            symbol="BRK.B",
            quantity=Decimal("1.5"),
            price=Decimal("481.333333333"),
            at=OPEN_AT,
            reason="held before the first session",
            person="Ada",
        ),
        SplitApplied(
            split_id="split-1",
            symbol="BRK.B",
            new_shares=3,
            old_shares=2,
            effective_at=OPEN_AT,
            cash_in_lieu_usd=Decimal("80.22"),
            fraction_sold=Decimal("0.25"),
        ),
        CashMoved(
            movement_id="m-1",
            amount_usd=Decimal("-0.35"),
            reason="regulatory fee",
            symbol=None,
            at=OPEN_AT,
            is_profit=True,
        ),
        DECISION,
        OrderDenied(
            strategy="bear_trap",
            purpose=OrderPurpose.ENTRY,
            request=request("mg1-denied"),
            rule="max_order_notional_usd",
            reason="500.00 USD is above 400 USD",
        ),
        intended(),
        OrderAnswered(
            client_order_id="mg1-entry",
            to=AnswerTo.SUBMIT,
            answer=AnswerIs.ACCEPTED,
            order=told(legs=legs),
        ),
        OrderEventSeen(
            event=OrderEventKind.FILL, order=told(status=OrderStatus.FILLED), source="stream", event_id="e-9"
        ),
        ExecutionSeen(execution=execution("x-1", "100", "5.0125", commission="0.50"), source="stream"),
        PLANNED,
        TradeMarked(plan_id="mg1", marks=MARKS),
        TradeDropped(plan_id="mg2"),
        TradeOpened(record=closed_trade("x-1", None)),
        ReplaceIntended(
            client_order_id="mg1-stop-2",
            replaces_client_order_id="leg-stop",
            broker_order_id="b-leg-stop",
            reason="the stop follows the low",
            stop_price=Decimal("4.75"),
        ),
        CancelIntended(client_order_id="leg-target", broker_order_id="b-leg-target", reason="session end"),
        ExecutionSeen(
            execution=execution("x-2", "-100", "5.50", order="leg-target", minutes=9), source="executions"
        ),
        TradeClosed(record=closed_trade("x-1", "47.75")),
        BreakerTripped(breaker="daily_loss", reason="lost 3.1 % of 3 %", measured="3.1 %", limit="3 %"),
        BreakerReset(breaker="daily_loss", person="Ada", reason="a wrong mark, corrected by the broker"),
        Halted(source="command", person="Ada", reason="news"),
        Resumed(person="Ada", reason="news is out"),
        FailureSeen(where="bear_trap.decide", error="ZeroDivisionError: division by zero"),
        AlertRaised(severity="warning", text="AMC: no bar for 3 minutes"),
        WorkDone(name="signals", session_on=SESSION_ON, detail="2 symbols"),
        SessionEnded(reason="SIGTERM", flat=False),
        FlatShown(flat=True),
        Resumed(person="Ada", reason="all was left"),
    )
    return [entry(payload, minutes=at) for at, payload in enumerate(payloads)]


if __name__ == "__main__":
    stored, _ = sealed(one_of_every_kind(), "PA1", EMPTY)
    golden = Path(__file__).parent.parent / "golden/ledger/version_1.jsonl"
    golden.write_bytes(b"".join(each.line + b"\n" for each in stored))
