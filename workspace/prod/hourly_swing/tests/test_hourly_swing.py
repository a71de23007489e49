"""Hourly Swing, told in small series of hourly closes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from magellan.archive.generated.small_market import small_market
from magellan.backtest.market import Market
from magellan.backtest.result import Trade
from magellan.backtest.run import replay_strategy, terms_of, views_of
from magellan.backtest.trades import trades_of
from magellan.errors import FixInput
from magellan.indicators import rsi
from magellan.strategy.lookahead import check_lookahead
from magellan.trading.bar import Bars
from magellan.trading.timeframe import HOUR
from magellan.usecases.backtest import Changes, changed
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy

FOLDER = Path(__file__).parents[1]
BARS = small_market(11, 700, symbol="TEST", timeframe=HOUR, volatility=0.01)  # a hundred sessions


def strategy(**settings: Any) -> LoadedStrategy:
    """The strategy with its config, trading one made-up symbol; `__` stands for a dot."""
    words = {key.replace("__", "."): value for key, value in settings.items()}
    return changed(load_strategy(FOLDER), Changes(symbols=("TEST",), settings=words))


def trades(bars: Bars = BARS, **settings: Any) -> list[Trade]:
    loaded = strategy(**settings)
    market = Market.of([bars])
    terms = terms_of(loaded.config)
    _, replayed = replay_strategy(
        loaded.strategy, market, [loaded.parameters["TEST"]], terms, views=views_of(market)
    )
    return list(trades_of(replayed, market, np.ones(1)))


def test_it_holds_from_above_the_upper_threshold_to_below_the_lower_one() -> None:
    strength = rsi(BARS.close, 14, "span")
    held, entries, exits = False, [], []
    for row in range(84, len(BARS) - 1):
        if not held and strength[row] > 60:
            held = True
            entries.append(BARS.open[row + 1])
        elif held and strength[row] < 40:
            held = False
            exits.append(BARS.open[row + 1])
    found = trades()
    assert [trade.entry_price for trade in found] == pytest.approx(entries)
    assert [trade.exit_price for trade in found if not trade.is_open] == pytest.approx(exits)
    assert len(exits) > 5


def test_it_holds_over_night() -> None:
    over_night = [
        trade
        for trade in trades()
        if trade.exited_at is not None and trade.exited_at.date() > trade.entered_at.date()
    ]
    assert over_night


def test_it_waits_until_the_rsi_no_longer_leans_on_where_it_began() -> None:
    first = min(trade.entered_at for trade in trades(data__warmup_bars=84))
    assert first >= BARS.bar(84).opened_at


def test_it_trades_the_regular_session_unless_the_config_says_otherwise() -> None:
    assert load_strategy(FOLDER).config.data.hours == "regular"
    assert strategy(data__hours="all").config.data.hours == "all"


def test_a_band_with_its_sides_exchanged_is_refused() -> None:
    with pytest.raises(FixInput, match=r"lower \(60\) is above upper \(40\)"):
        strategy(upper=40.0, lower=60.0)


def test_it_does_not_look_ahead() -> None:
    loaded = strategy()
    report = check_lookahead(loaded.strategy, [BARS], loaded.parameters)
    assert report.passed, report.findings
