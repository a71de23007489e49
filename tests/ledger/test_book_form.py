"""A book that was written down and read back is the same book, and goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.samples import entry, execution, intended, one_of_every_kind, seen, told
from ledger.test_book import trading
from magellan.ledger.book import Book
from magellan.ledger.book_form import book_from, book_lines
from magellan.ledger.entries import AnswerIs, AnswerTo, NewEntry, OrderAnswered, OrderEventSeen
from magellan.trading.order import OrderEventKind, OrderStatus


def put_away(book: Book) -> Book:
    return book_from(iter(b"\n".join(book_lines(book)).split(b"\n")))


def some_orders() -> list[NewEntry]:
    """One that is filled, one that works, one of which nobody knows what became, and one that fills too early."""
    return [
        *(entry(intended(name)) for name in ("mg1-filled", "mg1-works", "mg1-unknown")),
        *(
            entry(
                OrderAnswered(
                    client_order_id=name, to=AnswerTo.SUBMIT, answer=AnswerIs.ACCEPTED, order=told(name)
                )
            )
            for name in ("mg1-filled", "mg1-works")
        ),
        *seen(execution("x-filled", "100", "5.01", order="mg1-filled")),
        entry(
            OrderEventSeen(
                event=OrderEventKind.FILL,
                order=told("mg1-filled", status=OrderStatus.FILLED),
                source="stream",
            )
        ),
        *seen(execution("x-early", "3", "5.02", order="nobody-told-of-it")),
        *seen(execution("x-filled", "90", "5.01", order="mg1-filled")),  # told again, and otherwise
    ]


def assert_same(book: Book, wanted: Book) -> None:
    assert book == wanted
    assert list(book.orders) == list(wanted.orders)
    assert list(book.executions) == list(wanted.executions)
    assert book.open_orders == wanted.open_orders
    assert book.unresolved_intents == wanted.unresolved_intents


@settings(max_examples=25, deadline=None)
@given(entries=trading(most=12), cuts=st.lists(st.floats(0, 1), max_size=3))
def test_a_book_put_away_at_any_entry_goes_on_to_the_same_book(
    entries: Sequence[NewEntry], cuts: list[float]
) -> None:
    # Among every kind is a split that sells a fraction of BRK.B, so that some of it is held by then.
    held = seen(execution("x-held", "10", "300", symbol="BRK.B"))
    entries = [*some_orders(), *held, *one_of_every_kind(), *entries]
    book, done = Book(account="PA1"), 0
    for cut in sorted(int(each * len(entries)) for each in cuts):
        for each in entries[done:cut]:
            book.apply(each)
        book, done = put_away(book), cut
    for each in entries[done:]:
        book.apply(each)
    assert_same(book, Book.of("PA1", entries))


def test_an_order_that_is_over_is_not_read_before_somebody_asks_for_it() -> None:
    book = put_away(Book.of("PA1", some_orders()))
    assert [order.client_order_id for order in book.open_orders] == ["mg1-works"]
    assert [order.client_order_id for order in book.unresolved_intents] == ["mg1-unknown"]
    assert "mg1-filled" not in {order.client_order_id for order in book.orders.at_hand()}  # type: ignore[attr-defined]
    assert book.orders["mg1-filled"].status is OrderStatus.FILLED


def test_a_copy_of_a_book_that_was_put_away_is_a_book_of_its_own() -> None:
    book = put_away(Book.of("PA1", some_orders()))
    twin = book.copy()
    twin.apply(entry(intended("mg1-new")))
    assert "mg1-new" in twin.orders and "mg1-new" not in book.orders
