"""Adjusted bars: on the basis that holds at the instant of the question."""

from datetime import date
from decimal import Decimal

import pytest

from exchange.market.sample_market import MONDAY, at, bars_of, new_york
from magellan.errors import FixInput
from magellan.exchange.market.adjustment import Adjustment
from magellan.exchange.market.bar_span import BarSpan
from magellan.exchange.market.market import Market
from magellan.trading.bar import instant
from magellan.trading.corporate_action import CashDividend, Split

TUESDAY, WEDNESDAY = date(2025, 7, 8), date(2025, 7, 9)
BARS = bars_of(
    "AAA",
    [at(MONDAY, 15, 59), at(TUESDAY, 9, 30), at(WEDNESDAY, 9, 30)],
    [(100, 100, 100, 100, 1000), (50, 50, 50, 50, 3000), (49, 49, 49, 49, 4000)],
)
ACTIONS = (
    Split(symbol="AAA", effective_at=instant(at(TUESDAY, 0)), new_shares=2, old_shares=1),
    CashDividend(symbol="AAA", ex_at=instant(at(WEDNESDAY, 0)), amount_usd=Decimal("1.00")),
)


@pytest.mark.parametrize(
    ("adjustment", "closes", "volumes"),
    [
        ("raw", [100, 50, 49], [1000, 3000, 4000]),
        ("split", [50, 50, 49], [2000, 3000, 4000]),
        ("dividend", [98, 49, 49], [1000, 3000, 4000]),
        ("all", [49, 49, 49], [2000, 3000, 4000]),
        ("split,dividend", [49, 49, 49], [2000, 3000, 4000]),
        ("spin-off", [100, 50, 49], [1000, 3000, 4000]),
        ("split,spin-off", [50, 50, 49], [2000, 3000, 4000]),
    ],
)
def test_each_adjustment_takes_its_own_actions_out_of_prices(adjustment, closes, volumes):
    market = Market({"AAA": BARS}, new_york(), actions=ACTIONS)
    now_ns = at(WEDNESDAY, 16)
    shown = market.closed_bars("AAA", BarSpan.parse("1Min"), 0, now_ns, now_ns, Adjustment.parse(adjustment))
    assert shown.close.tolist() == closes
    assert shown.volume.tolist() == volumes


def test_a_split_changes_nothing_before_it_takes_effect():
    market = Market({"AAA": BARS}, new_york(), actions=ACTIONS)
    now_ns = at(MONDAY, 20)
    shown = market.closed_bars("AAA", BarSpan.parse("1Min"), 0, now_ns, now_ns, Adjustment.parse("all"))
    assert shown.close.tolist() == [100]
    assert market.actions("AAA", at(MONDAY, 0), now_ns) == ()
    assert market.actions("AAA", now_ns, at(TUESDAY, 0)) == ACTIONS[:1]


def test_other_words_are_no_adjustment():
    with pytest.raises(FixInput):
        Adjustment.parse("splits")
