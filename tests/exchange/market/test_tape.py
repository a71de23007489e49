"""The trades inside a bar add up to it, and lie on the price's path."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.market.sample_market import MONDAY, at, bars_of, generated, new_york
from magellan.exchange.market.bar_span import BarSpan
from magellan.exchange.market.market import Market


@st.composite
def bars(draw):
    low = draw(st.integers(100, 50_000))
    high = low + draw(st.integers(0, 500))
    inside = st.integers(low, high)
    return draw(inside) / 100, high / 100, low / 100, draw(inside) / 100, float(draw(st.integers(4, 5000)))


@given(row=bars())
@settings(max_examples=120, deadline=None)
def test_the_trades_of_a_bar_make_that_bar(row):
    market = Market({"AAA": bars_of("AAA", [at(MONDAY, 9, 30)], [row])}, new_york())
    tape = market.ticks("AAA", MONDAY)
    open_, high, low, close, volume = row
    assert tape.price[0] == open_
    assert tape.price[-1] == close
    assert (tape.price.max(), tape.price.min()) == (high, low)
    assert tape.size.sum() == volume
    assert (np.diff(tape.at_ns) > 0).all()
    assert at(MONDAY, 9, 30) <= tape.at_ns[0] and tape.at_ns[-1] < at(MONDAY, 9, 31)
    shown = market.closed_bars("AAA", BarSpan.parse("1Min"), 0, at(MONDAY, 10), at(MONDAY, 10))
    assert shown.trades.tolist() == [len(tape.price)]
    assert shown.vwap[0] == pytest.approx((tape.price * tape.size).sum() / volume, abs=1e-6)
    for at_ns, price in zip(tape.at_ns[:-1].tolist(), tape.price[:-1].tolist(), strict=True):
        assert market.price("AAA", at_ns) == price


def test_a_trade_keeps_its_number_in_every_feed():
    market = generated("AAA")
    whole, seen = market.ticks("AAA", MONDAY), market.ticks("AAA", MONDAY, 0.0002)
    at_ns = dict(zip(whole.number.tolist(), whole.at_ns.tolist(), strict=True))
    assert 0 < len(seen.number) < len(whole.number)
    assert [at_ns[number] for number in seen.number.tolist()] == seen.at_ns.tolist()


@given(descending=st.booleans(), first=st.integers(0, 400), length=st.integers(0, 400))
@settings(max_examples=30, deadline=None)
def test_quotes_lie_in_their_range_and_are_those_that_were_shown_then(descending, first, length):
    market = generated("AAA")
    start_ns = at(MONDAY, 9, 28, first / 4)
    end_ns = start_ns + length * 250_000_000
    quotes = list(market.quotes("AAA", start_ns, end_ns, descending))
    instants = [quote.at_ns for quote in quotes]
    assert instants == sorted(set(instants), reverse=descending)
    assert all(start_ns <= at_ns <= end_ns for at_ns in instants)
    assert all(market.quote("AAA", quote.at_ns) == quote for quote in quotes)
