"""The compiled replay and the plain engine, written separately from one specification, give the same trades.

Every fill (bar, symbol, trade, reason, units, price, commission, cash after it), the money at the end, what is left
open and how many entries were blocked for which reason. A disagreement means that one of the two reads
docs/assumptions.md, "One bar, step by step", wrongly.

MAGELLAN_HYPOTHESIS_PROFILE=deep runs twenty times as many markets.
"""

import pytest
from hypothesis import given, settings

from magellan.backtest import replay
from reference import compiled, plain_engine
from reference.agreement import differences
from reference.markets import runs
from reference.plain_market import RunInput

EXAMPLES = settings().max_examples


def assert_they_agree(given: RunInput) -> None:
    found = differences(plain_engine.simulate(given), compiled.replay(given))
    assert not found, "\n".join(found)


@settings(max_examples=10 * EXAMPLES)
@given(run=runs(symbols_max=1))
def test_one_symbol_gives_the_same_trades(run: RunInput) -> None:
    assert_they_agree(run)


@settings(max_examples=10 * EXAMPLES)
@given(run=runs(symbols_max=3))
def test_symbols_that_share_the_money_give_the_same_trades(run: RunInput) -> None:
    assert_they_agree(run)


@settings(max_examples=8 * EXAMPLES)
@given(run=runs(symbols_max=2, volume=True))
def test_orders_that_fill_in_parts_give_the_same_trades(run: RunInput) -> None:
    assert_they_agree(run)


@settings(max_examples=8 * EXAMPLES)
@given(run=runs(symbols_max=2, actions=True))
def test_splits_and_dividends_give_the_same_trades(run: RunInput) -> None:
    assert_they_agree(run)


@settings(max_examples=5 * EXAMPLES)
@given(run=runs(symbols_max=2, breaks=True))
def test_unexplained_jumps_refuse_the_same_runs(run: RunInput) -> None:
    assert_they_agree(run)


@pytest.mark.parametrize("kind", ["market", "limit", "stop", "stop limit", "scheduled"])
def test_each_kind_of_entry_order_gives_the_same_trades_under_all_conditions_at_once(kind: str) -> None:
    @settings(max_examples=3 * EXAMPLES)
    @given(run=runs(symbols_max=4, actions=True, breaks=True, volume=True, entry_kinds=(kind,)))
    def they_agree(run: RunInput) -> None:
        assert_they_agree(run)

    they_agree()


@settings(max_examples=EXAMPLES // 2)
@given(run=runs(symbols_max=2, volume=True))
def test_a_run_that_outgrows_its_room_for_fills_gives_the_same_trades(run: RunInput) -> None:
    roomy = replay._FIRST_ROOM
    replay._FIRST_ROOM = 0
    try:
        assert_they_agree(run)
    finally:
        replay._FIRST_ROOM = roomy
