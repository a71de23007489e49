"""The book follows from the entries, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.samples import BEGAN, SESSION_ON, entry, execution, intended, one_of_every_kind, seen, told
from magellan.ledger.book import Book
from magellan.ledger.entries import (
    AccountMarked,
    AnswerIs,
    AnswerTo,
    BreakerReset,
    BreakerTripped,
    CashMoved,
    Halted,
    NewEntry,
    OrderAnswered,
    OrderEventSeen,
    PositionAdopted,
    ReplaceIntended,
    Resumed,
    SessionEnded,
    SplitApplied,
    WorkDone,
)
from magellan.ledger.trade_record import Outcome
from magellan.trading.order import Execution, OrderEventKind, OrderSide, OrderStatus, OrderType
from magellan.trading.purpose import OrderPurpose


def book_of(*entries: NewEntry | Sequence[NewEntry]) -> Book:
    flat: list[NewEntry] = []
    for each in entries:
        flat.extend([each] if isinstance(each, NewEntry) else each)
    return Book.of("PA1", flat)


@st.composite
def trading(draw: st.DrawFn, most: int = 25) -> list[NewEntry]:
    """Executions of two symbols in any direction, with fractions, commissions and splits between them."""
    entries: list[NewEntry] = []
    for at in range(draw(st.integers(1, most))):
        symbol = draw(st.sampled_from(("AMC", "BRK.B")))
        if draw(st.integers(0, 9)) == 0:
            new, old = draw(st.sampled_from(((2, 1), (3, 2), (1, 7), (10, 1))))
            split = SplitApplied(
                split_id=f"s-{at}",
                symbol=symbol,
                new_shares=new,
                old_shares=old,
                effective_at=entry(BEGAN).at,
            )
            entries.append(entry(split, minutes=at))
            continue
        quantity = draw(st.decimals("-50", "50", places=3).filter(bool))
        price = draw(st.decimals("0.01", "900", places=4))
        commission = draw(st.decimals("0", "2", places=2))
        entries += seen(
            execution(f"x-{at}", quantity, price, commission=str(commission), minutes=at, symbol=symbol)
        )
    return entries


@given(entries=trading(), prices=st.tuples(*[st.decimals("0.01", "900", places=4)] * 2))
def test_realised_plus_unrealised_is_cash_flow_plus_market_value_to_the_last_digit(
    entries: list[NewEntry], prices: tuple[Decimal, Decimal]
) -> None:
    book = book_of(entries)
    at = dict(zip(("AMC", "BRK.B"), prices, strict=True))
    unrealised, value = book.unrealised_usd(at), book.market_value_usd(at)
    assert unrealised is not None and value is not None
    assert book.realised_total_usd + unrealised == sum(book.cash_flow_usd.values()) + value


@given(entries=trading(), data=st.data())
def test_a_ledger_read_in_two_parts_gives_the_same_book(entries: list[NewEntry], data: st.DataObject) -> None:
    entries = one_of_every_kind() + entries
    cut = data.draw(st.integers(0, len(entries)))
    first = Book.of("PA1", entries[:cut])
    untouched = Book.of("PA1", entries[:cut])
    second = first.copy()
    for each in entries[cut:]:
        second.apply(each)
    assert second == Book.of("PA1", entries)
    assert first == untouched


@given(entries=trading(), data=st.data())
def test_executions_told_again_at_any_later_time_change_nothing(
    entries: list[NewEntry], data: st.DataObject
) -> None:
    repeated = list(entries)
    for each in data.draw(st.lists(st.sampled_from(entries), max_size=10)):
        repeated.insert(data.draw(st.integers(repeated.index(each) + 1, len(repeated))), each)
    once, again = book_of(entries), book_of(repeated)
    for each_field in fields(Book):
        if each_field.name != "last_at":
            assert getattr(again, each_field.name) == getattr(once, each_field.name), each_field.name


@given(entries=trading())
def test_the_trades_of_a_flat_book_add_up_to_its_realised_profit(entries: list[NewEntry]) -> None:
    book = book_of(entries)
    for symbol, position in list(book.positions.items()):
        leave = execution(f"out-{symbol}", -position.quantity, "10", symbol=symbol, minutes=99)
        for each in seen(leave):
            book.apply(each)
    assert book.is_flat and not book.open_trades
    profits = [trade.profit_loss for trade in book.closed_trades]
    assert sum(profits) == book.realised_total_usd == sum(book.cash_flow_usd.values())
    assert sum(trade.commission for trade in book.closed_trades) == book.commission_usd
    assert sum(day.net_usd for day in book.by_day.values()) == book.realised_total_usd - book.commission_usd


def test_a_trade_that_is_entered_and_left_in_parts_has_one_record() -> None:
    book = book_of(
        entry(BEGAN),
        entry(intended()),
        seen(
            execution("x-1", "60", "5.01", commission="0.30"),
            execution("x-2", "40", "5.02", commission="0.20", minutes=2),
            execution("x-3", "-50", "5.51", order="mg1-exit", commission="0.25", minutes=5),
        ),
        entry(
            intended(
                "mg1-exit", purpose=OrderPurpose.EXIT, side=OrderSide.SELL, reason="session end", idea=None
            )
        ),
        seen(execution("x-4", "-50", "5.61", order="mg1-exit", commission="0.25", minutes=11)),
    )
    (trade,) = book.closed_trades
    assert (
        trade.quantity == 100 and trade.price == Decimal("5.014") and trade.total_value == Decimal("501.40")
    )
    assert trade.exit_price == Decimal("5.56") and trade.exit_quantity == 100
    assert trade.profit_loss == Decimal("54.60") and trade.net_profit_loss == Decimal("53.60")
    assert trade.outcome is Outcome.WIN and trade.hold_duration_seconds == 600
    assert trade.slippage == Decimal("1.40")  # 1.4 cents a share above the decision's 5.00
    assert trade.r_multiple == Decimal("1.042802")  # 53.60 of the 51.40 between 5.014 and the stop at 4.50
    assert trade.exit_reasoning == "session end" and trade.strategy_name == "bear_trap"
    assert (trade.run_id, trade.release_id, trade.config_hash) == ("run-7f", "2026-01-19T2100Z", "c0ffee")
    assert trade.execution_mode == "PAPER" and trade.account_id == "PA1" and trade.executions == 4


def test_a_short_that_gains_is_a_win_and_its_slippage_counts_the_other_way() -> None:
    short = entry(intended(side=OrderSide.SELL))
    book = book_of(
        short,
        seen(execution("x-1", "-100", "4.99"), execution("x-2", "100", "4.00", order="cover", minutes=2)),
    )
    (trade,) = book.closed_trades
    assert (trade.action, trade.profit_loss, trade.slippage) == ("SELL", Decimal("99.00"), Decimal("1.00"))


def test_an_execution_that_turns_a_long_into_a_short_ends_one_trade_and_begins_another() -> None:
    book = book_of(
        seen(execution("x-1", "100", "5"), execution("x-2", "-150", "6", commission="0.30", minutes=2))
    )
    (trade,) = book.closed_trades
    assert (trade.trade_id, trade.profit_loss, trade.commission) == ("x-1", 100, Decimal("0.20"))
    assert book.quantity("AMC") == -50
    assert book.open_trades["AMC"].trade_id == "x-2"
    assert book.open_trades["AMC"].commission_usd == Decimal("0.10")


def test_an_execution_told_twice_with_other_numbers_is_a_contradiction_and_the_first_counts() -> None:
    book = book_of(seen(execution("x-1", "100", "5"), execution("x-1", "100", "5.01", minutes=2)))
    assert book.quantity("AMC") == 100 and book.cash_flow_usd["AMC"] == -500
    assert book.contradictions == {"x-1": "first told as buy 100 AMC at 5, then as buy 100 AMC at 5.01"}


def test_the_same_execution_from_stream_and_rest_counts_once_though_its_time_and_fee_differ() -> None:
    book = book_of(
        seen(execution("x-1", "100", "5"), execution("x-1", "100", "5", commission="0.01", minutes=1.001))
    )
    assert book.quantity("AMC") == 100 and not book.contradictions and book.commission_usd == 0


def test_a_split_changes_units_and_never_what_they_cost() -> None:
    split = SplitApplied(
        split_id="s", symbol="AMC", new_shares=3, old_shares=1, effective_at=entry(BEGAN, minutes=3).at
    )
    book = book_of(seen(execution("x-1", "100", "10")), entry(split, minutes=3), entry(split, minutes=4))
    position = book.positions["AMC"]
    assert (position.quantity, position.cost_usd) == (300, 1000)
    assert position.average_price == Decimal("3.333333333333")
    for each in seen(execution("x-2", "-300", "3.5", minutes=5)):
        book.apply(each)
    (trade,) = book.closed_trades
    assert (trade.quantity, trade.exit_quantity, trade.profit_loss) == (300, 300, 50)


def test_cash_in_lieu_of_a_fraction_is_what_the_fraction_was_sold_for() -> None:
    split = SplitApplied(
        split_id="s",
        symbol="AMC",
        new_shares=1,
        old_shares=10,
        effective_at=entry(BEGAN, minutes=3).at,
        fraction_sold=Decimal("0.5"),
        cash_in_lieu_usd=Decimal("24.80"),
    )
    book = book_of(seen(execution("x-1", "105", "5")), entry(split, minutes=3))
    assert book.quantity("AMC") == 10
    assert book.realised_usd["AMC"] == Decimal("-0.20")  # the half share had cost 25.00
    assert book.positions["AMC"].cost_usd == 500


def test_units_adopted_from_the_broker_are_held_at_the_brokers_price_and_counted_once() -> None:
    adopted = PositionAdopted(
        adoption_id="a",
        strategy="bear_trap",
        symbol="AMC",
        quantity=Decimal(-7),
        price=Decimal("5.5"),
        at=entry(BEGAN).at,
        reason="bought by hand",
        person="Ada",
    )
    book = book_of(entry(adopted), entry(adopted, minutes=1))
    assert book.quantity("AMC") == -7
    assert book.open_trades["AMC"].record().entry_type == "adopted"


# --- Orders --------------------------------------------------------------------------------------------------


def answered(
    answer: AnswerIs, *, to: AnswerTo = AnswerTo.SUBMIT, name: str = "mg1-entry", **more: object
) -> NewEntry:
    return entry(OrderAnswered(client_order_id=name, to=to, answer=answer, **more), minutes=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answers", "unresolved"),
    [
        ([], True),
        ([AnswerIs.UNKNOWN], True),
        ([AnswerIs.UNKNOWN, AnswerIs.ABSENT], False),
        ([AnswerIs.REFUSED], False),
        ([AnswerIs.RATE_LIMITED], False),
        ([AnswerIs.ACCEPTED], False),
        ([AnswerIs.ACCEPTED, AnswerIs.UNKNOWN], False),
    ],
)
def test_an_intent_is_unresolved_until_somebody_knows_whether_the_broker_has_it(
    answers: list[AnswerIs], unresolved: bool
) -> None:
    book = book_of(entry(intended()), [answered(answer) for answer in answers])
    assert bool(book.unresolved_intents) is unresolved


def test_units_that_changed_hands_resolve_an_intent_whose_answer_was_lost() -> None:
    book = book_of(entry(intended()), answered(AnswerIs.UNKNOWN), seen(execution("x-1", "30", "5")))
    assert not book.unresolved_intents
    assert book.orders["mg1-entry"].broker_order_id == "b-mg1-entry"
    assert book.orders["mg1-entry"].filled_quantity == 30


def test_the_legs_of_a_bracket_belong_to_the_order_that_they_protect() -> None:
    legs = (
        told("t", status=OrderStatus.HELD, type=OrderType.LIMIT, side=OrderSide.SELL),
        told("s", status=OrderStatus.HELD, type=OrderType.STOP, side=OrderSide.SELL),
    )
    book = book_of(entry(intended()), answered(AnswerIs.ACCEPTED, order=told(legs=legs)))
    assert book.orders["t"].purpose is OrderPurpose.TARGET and book.orders["t"].parent == "mg1-entry"
    assert book.orders["s"].purpose is OrderPurpose.STOP and book.orders["s"].strategy == "bear_trap"
    for each in seen(execution("x-1", "100", "5"), execution("x-2", "-100", "4.5", order="s", minutes=3)):
        book.apply(each)
    assert book.closed_trades[0].exit_reasoning == "stop"


def test_a_leg_told_before_its_parent_was_known_is_ours_as_soon_as_the_parent_tells_of_it() -> None:
    leg = told("s", status=OrderStatus.NEW, type=OrderType.STOP, side=OrderSide.SELL)
    early = entry(OrderEventSeen(event=OrderEventKind.NEW, order=leg, source="stream"))
    book = book_of(entry(intended()), answered(AnswerIs.UNKNOWN), early)
    assert not book.orders["s"].ours
    book.apply(answered(AnswerIs.ACCEPTED, to=AnswerTo.LOOK_UP, order=told(legs=(leg,))))
    assert book.orders["s"].ours and book.orders["s"].purpose is OrderPurpose.STOP


def test_what_replaces_a_leg_is_for_what_the_leg_was_for() -> None:
    leg = told("s", status=OrderStatus.NEW, type=OrderType.STOP, side=OrderSide.SELL)
    moved = told("s2", type=OrderType.STOP, side=OrderSide.SELL, replaces="b-s", minutes=3)
    intent = ReplaceIntended(
        client_order_id="s2", replaces_client_order_id="s", broker_order_id="b-s", reason="follows the low"
    )
    book = book_of(
        entry(intended()), answered(AnswerIs.ACCEPTED, order=told(legs=(leg,))), entry(intent, minutes=2)
    )
    assert [order.client_order_id for order in book.unresolved_intents] == ["s2"]
    book.apply(answered(AnswerIs.ACCEPTED, to=AnswerTo.REPLACE, name="s2", order=moved))
    assert not book.unresolved_intents
    assert (book.orders["s2"].purpose, book.orders["s2"].parent) == (OrderPurpose.STOP, "mg1-entry")


def test_an_order_that_someone_else_sent_is_in_the_book_and_not_ours() -> None:
    stranger = entry(OrderEventSeen(event=OrderEventKind.NEW, order=told("by-hand"), source="stream"))
    book = book_of(seen(execution("x-1", "5", "5", order="by-hand")), stranger)
    order = book.orders["by-hand"]
    assert not order.ours and order.is_open and order.filled_quantity == 5


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([OrderEventKind.NEW, OrderEventKind.PARTIAL_FILL, OrderEventKind.NEW], OrderStatus.PARTIALLY_FILLED),
        ([OrderEventKind.CANCELED, OrderEventKind.FILL], OrderStatus.CANCELED),
        ([OrderEventKind.PENDING_CANCEL, OrderEventKind.CANCEL_REJECTED], OrderStatus.NEW),
        ([OrderEventKind.RESTATED], OrderStatus.NEW),
    ],
)
def test_events_move_an_order_by_the_state_table(events: list[OrderEventKind], status: OrderStatus) -> None:
    told_events = [
        entry(OrderEventSeen(event=event, order=told(), source="stream"), minutes=at)
        for at, event in enumerate([OrderEventKind.NEW, *events])
    ]
    assert book_of(entry(intended()), told_events).orders["mg1-entry"].status is status


def test_an_answer_that_is_older_than_the_events_takes_nothing_back() -> None:
    filled = entry(
        OrderEventSeen(
            event=OrderEventKind.FILL, order=told(status=OrderStatus.FILLED, minutes=5), source="stream"
        )
    )
    book = book_of(
        entry(intended()), filled, answered(AnswerIs.ACCEPTED, order=told(status=OrderStatus.PENDING_NEW))
    )
    assert book.orders["mg1-entry"].status is OrderStatus.FILLED
    assert book.orders["mg1-entry"].told is not None
    assert book.orders["mg1-entry"].told.status is OrderStatus.FILLED


def test_a_cancel_that_came_to_nothing_shows_when_the_order_is_looked_up_later() -> None:
    pending = entry(
        OrderEventSeen(
            event=OrderEventKind.PENDING_CANCEL,
            order=told(status=OrderStatus.PENDING_CANCEL),
            source="stream",
        )
    )
    looked = answered(AnswerIs.ACCEPTED, to=AnswerTo.LOOK_UP, order=told(status=OrderStatus.NEW, minutes=2))
    assert book_of(entry(intended()), pending, looked).orders["mg1-entry"].status is OrderStatus.NEW


# --- Records, marks, safety ----------------------------------------------------------------------------------


def test_a_trade_is_due_for_recording_until_its_record_is_an_entry() -> None:
    book = book_of(seen(execution("x-1", "100", "5"), execution("x-2", "-100", "6", minutes=2)))
    assert [each.kind for each in book.trades_to_record] == ["trade_opened", "trade_closed"]
    for each in book.trades_to_record:
        book.apply(entry(each, minutes=3))
    assert not book.trades_to_record


def test_a_breaker_stays_tripped_with_its_first_reason_until_a_person_lets_it_go() -> None:
    book = book_of(
        entry(BreakerTripped(breaker="daily_loss", reason="lost 3.1 %")),
        entry(BreakerTripped(breaker="daily_loss", reason="lost 3.4 %"), minutes=1),
    )
    assert book.breakers["daily_loss"].reason == "lost 3.1 %"
    book.apply(entry(BreakerReset(breaker="daily_loss", person="Ada", reason="looked"), minutes=2))
    assert not book.breakers


def test_a_halt_ends_when_a_person_says_so() -> None:
    book = book_of(entry(Halted(source="file", person=None, reason="HALT file")))
    assert book.is_halted
    book.apply(entry(Resumed(person="Ada", reason="looked"), minutes=1))
    assert not book.is_halted


def test_a_halt_is_told_as_the_first_of_them_and_as_who_had_everything_left() -> None:
    book = book_of(
        entry(Halted(source="http", person="Ada", reason="the feed")),
        entry(Halted(source="http", person="Bob", reason="weekend", flattens=True), minutes=1),
        entry(Halted(source="file", person=None, reason="HALT file"), minutes=2),
    )
    assert book.halt is not None
    assert (book.halt.person, book.halt.reason) == ("Bob", "weekend")


@pytest.mark.parametrize(("person", "reason"), [("", "looked"), ("Ada", "  ")])
def test_nobody_lets_a_breaker_go_without_a_name_and_a_reason(person: str, reason: str) -> None:
    with pytest.raises(ValueError, match="names the person and the reason"):
        BreakerReset(breaker="daily_loss", person=person, reason=reason)
    with pytest.raises(ValueError, match="names the person and the reason"):
        Resumed(person=person, reason=reason)


def test_work_is_marked_done_for_its_session_date_alone() -> None:
    book = book_of(entry(WorkDone(name="signals", session_on=SESSION_ON)))
    assert book.was_done("signals", SESSION_ON)
    assert not book.was_done("signals", date(2026, 1, 21))
    assert not book.was_done("orders", SESSION_ON)


def test_a_session_without_its_end_was_killed() -> None:
    book = book_of(entry(BEGAN))
    assert book.last_session is not None and book.last_session.ended_at is None
    book.apply(entry(SessionEnded(reason="SIGTERM", flat=True), minutes=1))
    assert book.last_session.ended_at is not None


def test_the_peak_of_equity_is_the_highest_ever_marked() -> None:
    def mark(equity: str | None) -> AccountMarked:
        return AccountMarked(
            session_on=SESSION_ON,
            cash_usd=None,
            equity_usd=None if equity is None else Decimal(equity),
            last_equity_usd=None,
            buying_power_usd=None,
            occasion="hourly",
        )

    book = book_of(
        *(entry(mark(equity), minutes=at) for at, equity in enumerate(("100", "120.5", None, "90")))
    )
    assert book.equity_peak_usd == Decimal("120.5")
    assert book.marks_by_day[SESSION_ON].equity_usd == 100


def test_fees_and_dividends_are_profit_and_deposits_are_not() -> None:
    def moved(name: str, amount: str, is_profit: bool) -> CashMoved:
        return CashMoved(
            movement_id=name,
            amount_usd=Decimal(amount),
            reason="",
            symbol=None,
            at=entry(BEGAN).at,
            is_profit=is_profit,
        )

    fee = moved("m-1", "-0.35", True)
    book = book_of(entry(fee), entry(fee), entry(moved("m-2", "5000", False)))
    assert book.by_day[SESSION_ON].net_usd == Decimal("-0.35")
    assert book.cash_moved_usd == Decimal("4999.65")


def test_a_price_that_is_missing_makes_unrealised_profit_unknown() -> None:
    book = book_of(seen(execution("x-1", "100", "5")))
    assert book.unrealised_usd({}) is None and book.market_value_usd({}) is None
    assert book.unrealised_usd({"AMC": Decimal("5.25")}) == 25


def test_a_day_is_the_exchanges_day() -> None:
    late = execution(
        "x-1", "1", "5", commission="1", minutes=10 * 60 + 29
    )  # 00:59 UTC: still evening in New York
    assert list(book_of(seen(late)).by_day) == [SESSION_ON]
    assert isinstance(late, Execution) and late.at.date() != SESSION_ON


@settings(max_examples=30)
@given(
    quantities=st.lists(st.decimals("0.000000001", "1000000", places=9), min_size=1, max_size=20),
    price=st.decimals("0.0001", "1000000", places=6),
)
def test_many_long_fractions_are_summed_without_rounding(quantities: list[Decimal], price: Decimal) -> None:
    book = book_of(seen(*(execution(f"x-{at}", each, price) for at, each in enumerate(quantities))))
    for each in seen(execution("out", -book.quantity("AMC"), price, minutes=30)):
        book.apply(each)
    assert book.realised_total_usd == 0
