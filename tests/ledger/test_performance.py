"""Closed trades taken together, by numbers that were computed by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.samples import closed_trade
from magellan.ledger.performance import performance_of


def test_the_measures_of_five_trades_are_those_computed_by_hand() -> None:
    nets = ("30", "-10", "-15", "0", "45.5")
    trades = [closed_trade(f"x-{at}", net, minutes=at * 20) for at, net in enumerate(nets)]
    measured = performance_of([*reversed(trades), closed_trade("open", None, minutes=500)])
    assert (measured.trades, measured.wins, measured.losses, measured.breakevens) == (5, 2, 2, 1)
    assert measured.net_usd == Decimal("50.5") and measured.gross_usd == Decimal("55.5")
    assert measured.commission_usd == 5
    assert measured.win_rate == Decimal("0.4")
    assert measured.profit_factor == Decimal("3.02")  # 75.5 of gains over 25 of losses
    assert measured.payoff_ratio == Decimal("3.02")  # 37.75 over 12.5
    assert measured.expectancy_usd == Decimal("10.1")
    assert (measured.best_usd, measured.worst_usd) == (Decimal("45.5"), Decimal("-15"))
    assert (measured.gains_in_a_row_max, measured.losses_in_a_row_max) == (1, 2)
    assert measured.losses_in_a_row_now == 0
    assert measured.hold_seconds_mean == 600
    assert measured.r_multiple_mean == Decimal("0.202")
    assert measured.slippage_usd == Decimal("6.25")
    assert measured.missing == {}


@pytest.mark.parametrize(
    ("nets", "missing"),
    [
        ([], {"win_rate": "no trade was closed", "profit_factor": "no trade was closed"}),
        (["5"], {"profit_factor": "no trade lost", "payoff_ratio": "no trade lost"}),
        (["-5"], {"payoff_ratio": "no trade gained"}),
    ],
)
def test_what_cannot_be_computed_is_missing_and_says_why(nets: list[str], missing: dict[str, str]) -> None:
    measured = performance_of([closed_trade(f"x-{at}", net) for at, net in enumerate(nets)])
    for name, reason in missing.items():
        assert getattr(measured, name) is None and measured.missing[name] == reason


def test_slippage_of_all_is_missing_where_one_trades_is() -> None:
    measured = performance_of([closed_trade("a", "1"), closed_trade("b", "2", slippage=None)])
    assert measured.slippage_usd is None and "decision's price" in measured.missing["slippage_usd"]


@given(nets=st.lists(st.decimals("-1000", "1000", places=2), max_size=15))
def test_every_measure_is_either_there_or_explained(nets: list[Decimal]) -> None:
    measured = performance_of([closed_trade(f"x-{at}", str(net), minutes=at) for at, net in enumerate(nets)])
    assert measured.wins + measured.losses + measured.breakevens == measured.trades == len(nets)
    assert measured.net_usd == sum(nets)
    nothing = {name for name in measured.__slots__ if getattr(measured, name) is None}
    assert nothing == set(measured.missing)
