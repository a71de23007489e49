"""Generated options: symbols, listings, and prices that no arbitrage can laugh at."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.market.sample_market import MONDAY, at, generated
from magellan.exchange.market.asset import AssetClass
from magellan.exchange.market.option_contract import (
    OptionContract,
    Right,
    listed_expiries,
    listed_strikes,
)

NOW_NS = at(MONDAY, 11)


def chain():
    market = generated("AAA")
    return market, list(market.options.chain("AAA", market.price("AAA", NOW_NS), MONDAY))


@given(days=st.integers(0, 4000), right=st.sampled_from(list(Right)), strike=st.integers(1, 99_999_999))
def test_a_contract_is_read_back_from_its_symbol(days, right, strike):
    contract = OptionContract(
        underlying="AAA",
        expires_on=date.fromordinal(date(2024, 1, 1).toordinal() + days),
        right=right,
        strike=Decimal(strike) / 1000,
    )
    assert OptionContract.parse(contract.symbol) == contract


@pytest.mark.parametrize("symbol", ["AAA", "AAA250732C00100000", "aaa250711C00100000", "AAA250711X00100000"])
def test_other_symbols_are_no_contract(symbol):
    assert OptionContract.parse(symbol) is None
    assert generated("AAA").asset(symbol) in (None, generated("AAA").asset("AAA"))


@given(today=st.dates(date(2024, 1, 1), date(2030, 1, 1)), price=st.floats(1, 3000))
def test_expiries_are_fridays_ahead_and_strikes_surround_the_price(today, price):
    expiries, strikes = listed_expiries(today), listed_strikes(price)
    assert all(expiry.weekday() == 4 and expiry >= today for expiry in expiries)
    assert list(expiries) == sorted(set(expiries))
    assert list(strikes) == sorted(set(strikes))
    assert strikes[0] <= price <= strikes[-1]


def test_calls_fall_and_puts_rise_with_the_strike_and_both_are_worth_what_they_pay():
    market, contracts = chain()
    spot = market.price("AAA", NOW_NS)
    for expiry in {contract.expires_on for contract in contracts}:
        for right in Right:
            ladder = [each for each in contracts if each.expires_on == expiry and each.right is right]
            prices = [market.price(each.symbol, NOW_NS) for each in ladder]
            assert prices == sorted(prices, reverse=right is Right.CALL)
            for contract, price in zip(ladder, prices, strict=True):
                if right is Right.CALL:
                    assert price >= spot - float(contract.strike) - 0.02


def test_greeks_have_their_signs():
    market, contracts = chain()
    for contract in contracts[::29]:
        state = market.option_state(contract.symbol, NOW_NS)
        call = contract.right is Right.CALL
        assert (0 <= state.greeks.delta <= 1) if call else (-1 <= state.greeks.delta <= 0)
        assert state.greeks.gamma >= 0 and state.greeks.vega >= 0
        assert 0.05 < state.implied_volatility < 2.0


@given(place=st.integers(0, 540), second=st.integers(0, 59))
@settings(max_examples=30, deadline=None)
def test_an_option_has_bars_and_quotes_like_its_share(place, second):
    market, contracts = chain()
    symbol, now_ns = contracts[place % len(contracts)].symbol, NOW_NS + second * 1_000_000_000
    live, quote = market.bar(symbol, now_ns), market.quote(symbol, now_ns)
    assert live.low <= live.open <= live.high and live.low <= live.close <= live.high
    assert live.low <= market.price(symbol, now_ns) <= live.high
    assert 0 <= quote.bid < quote.ask


def test_a_contract_is_an_asset_of_its_class_and_ends_with_its_expiry():
    market = generated("AAA")
    contract = OptionContract(
        underlying="AAA", expires_on=date(2025, 7, 11), right=Right.CALL, strike=Decimal(200)
    )
    assert market.asset(contract.symbol).asset_class is AssetClass.US_OPTION
    assert market.bar(contract.symbol, at(date(2025, 7, 11), 15, 59)) is not None
    assert market.bar(contract.symbol, at(date(2025, 7, 14), 10)) is None
    assert market.option_state(contract.symbol, at(date(2025, 7, 11), 16)) is None
    assert market.asset("ZZZ250711C00200000") is None
