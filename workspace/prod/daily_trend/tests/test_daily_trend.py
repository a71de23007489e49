"""Daily Trend, told in small series of closes."""

from collections.abc import Sequence
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
from magellan.trading.timeframe import DAY, DAY_NS
from magellan.usecases.backtest import Changes, changed
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy

FOLDER = Path(__file__).parents[1]


def strategy(**settings: Any) -> LoadedStrategy:
    """The strategy with its config, trading one made-up symbol, without a warm-up; `__` stands for a dot."""
    words = {"data.warmup_bars": 0, **{key.replace("__", "."): value for key, value in settings.items()}}
    return changed(load_strategy(FOLDER), Changes(symbols=("TEST",), settings=words))


def daily(closes: Sequence[float]) -> Bars:
    """Daily bars that open at the close before."""
    close = np.array(closes, dtype=float)
    opens = np.concatenate((close[:1], close[:-1]))
    return Bars(
        symbol="TEST",
        timeframe=DAY,
        opened_at_ns=np.arange(len(close), dtype=np.int64) * DAY_NS,
        open=opens,
        high=np.maximum(opens, close),
        low=np.minimum(opens, close),
        close=close,
        volume=np.full(len(close), 1e6),
    )


def trades(bars: Bars, **settings: Any) -> list[Trade]:
    loaded = strategy(**settings)
    market = Market.of([bars])
    terms = terms_of(loaded.config)
    _, replayed = replay_strategy(
        loaded.strategy, market, [loaded.parameters["TEST"]], terms, views=views_of(market)
    )
    return list(trades_of(replayed, market, np.ones(1)))


# Rises, then falls a little, then falls a lot.
UP, PAUSE, DOWN = [100.0, 110, 120, 130], [127.0, 125], [100.0, 80, 60]


def test_it_buys_the_open_after_an_rsi_above_the_upper_threshold() -> None:
    (trade,) = trades(daily(UP), rsi_period=5)
    assert trade.entry_price == 110.0  # the third bar opens at the close of the second, whose RSI is 100
    assert trade.is_open


def test_it_keeps_what_it_holds_in_the_middle_of_the_band() -> None:
    bars = daily(UP + PAUSE)
    middle = rsi(bars.close, 5, "span")[-1]
    assert 45 < middle < 95
    (trade,) = trades(bars, rsi_period=5, upper=95.0, lower=45.0)
    assert trade.is_open


def test_it_sells_the_open_after_an_rsi_below_the_lower_threshold() -> None:
    bars = daily(UP + PAUSE + DOWN)
    (trade,) = trades(bars, rsi_period=5)
    signal = int(np.flatnonzero(rsi(bars.close, 5, "span") < 45)[0])
    assert trade.exit_price == bars.open[signal + 1]
    assert trade.reasons == ("exit rule",)


def test_it_is_the_level_that_counts_and_not_the_crossing() -> None:
    # After the warm-up the RSI has been above the threshold for days; it buys at once.
    (trade,) = trades(daily([100.0 + day for day in range(12)]), data__warmup_bars=8)
    assert trade.entry_price == 108.0


def test_a_smoothing_of_another_name_is_another_strategy() -> None:
    bars = small_market(3, 800, symbol="TEST", timeframe=DAY, volatility=0.02)
    span, wilder = trades(bars), trades(bars, rsi_smoothing="wilder")
    assert [trade.entered_at for trade in span] != [trade.entered_at for trade in wilder]


def test_it_takes_a_tenth_of_the_account_in_whole_shares_and_no_more_than_the_limit() -> None:
    (trade,) = trades(daily(UP), rsi_period=5, limits__position_usd_max=None)
    assert trade.units == 90  # 10,000 of 100,000 USD, decided at 110
    (trade,) = trades(daily(UP), rsi_period=5, limits__position_usd_max=5000.0)
    assert trade.units == 45


def test_a_config_can_put_all_cash_into_it() -> None:
    settings = {"size": {"kind": "cash", "fraction": 1.0}, "limits__position_usd_max": None}
    (trade,) = trades(daily(UP), rsi_period=5, execution__size_at="fill", **settings)
    assert trade.units == 100_000 // (110 * 1.00015)


def test_nothing_is_decided_where_the_rsi_is_not_known() -> None:
    assert trades(daily([100.0] * 40)) == []


def test_a_band_with_its_sides_exchanged_is_refused() -> None:
    with pytest.raises(FixInput, match=r"lower \(60\) is above upper \(40\)"):
        strategy(upper=40.0, lower=60.0)


def test_it_does_not_look_ahead() -> None:
    loaded = strategy()
    report = check_lookahead(
        loaded.strategy, [small_market(5, 400, symbol="TEST", timeframe=DAY)], loaded.parameters
    )
    assert report.passed, report.findings
