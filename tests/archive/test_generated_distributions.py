"""Generated markets move and trade like markets: tails, clusters, the day's shape, no free lunch."""

from datetime import date
from functools import cache

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.archive.generated.factor import factor
from magellan.archive.generated.generate import generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.trading.bar import Bars
from magellan.trading.session import ExchangeCalendar, session_columns
from magellan.trading.timeframe import DAY, DAY_NS, MINUTE, Timeframe

SEEDS = range(6)
TEN_YEARS = date(2015, 1, 2), date(2024, 12, 31)
FOUR_MONTHS = date(2025, 9, 2), date(2025, 12, 31)


@cache
def xnys() -> ExchangeCalendar:
    return load_calendar(today=date(2026, 1, 15))


@cache
def bars_of(
    style: Style, timeframe: Timeframe, span: tuple[date, date], symbol: str = "URCHIN", seed: int = 5
) -> Bars:
    market = Market(symbol=symbol, style=style, first_on=span[0], last_on=span[1], timeframe=timeframe)
    return generate(market, xnys(), seed=seed).bars()


def returns(bars: Bars) -> np.ndarray:
    return np.diff(np.log(bars.close))


def kurtosis(values: np.ndarray) -> float:
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2)


def autocorrelation(values: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(values[lag:], values[:-lag])[0, 1])


@pytest.mark.parametrize("style", [Style.INDEX, Style.LARGE_CAP, Style.THIN])
def test_daily_returns_have_fat_tails(style):
    assert kurtosis(returns(bars_of(style, DAY, TEN_YEARS))) > 4.5  # a normal distribution has 3


def test_minute_returns_have_fatter_tails():
    assert kurtosis(returns(bars_of(Style.LARGE_CAP, MINUTE, FOUR_MONTHS))) > 8


@pytest.mark.parametrize("style", [Style.INDEX, Style.LARGE_CAP])
def test_volatility_comes_in_clusters(style):
    lags = (1, 5, 10, 120)
    sizes = [np.abs(returns(bars_of(style, DAY, TEN_YEARS, seed=seed))) for seed in SEEDS]
    day, week, fortnight, half_year = (
        np.mean([autocorrelation(size, lag) for size in sizes]) for lag in lags
    )
    assert day > week > fortnight > 0.05 > abs(half_year)
    assert day > 0.12


def test_daily_returns_themselves_are_hardly_predictable():
    for style in (Style.INDEX, Style.LARGE_CAP):
        values = np.concatenate([returns(bars_of(style, DAY, TEN_YEARS, seed=seed)) for seed in SEEDS])
        assert abs(autocorrelation(values, 1)) < 0.03


@pytest.mark.parametrize(("style", "daily"), [(Style.INDEX, 0.010), (Style.LARGE_CAP, 0.017)])
def test_a_style_is_as_volatile_as_its_numbers_say(style, daily):
    values = np.concatenate([returns(bars_of(style, DAY, TEN_YEARS, seed=seed)) for seed in SEEDS])
    assert values.std() == pytest.approx(daily, rel=0.15)


def test_volume_and_range_are_high_at_the_open_and_higher_at_the_close_than_at_noon():
    bars = bars_of(Style.LARGE_CAP, MINUTE, FOUR_MONTHS)
    minute = session_columns(bars).minute - (9 * 60 + 30)

    def mean(values: np.ndarray, first: int, last: int) -> float:
        return float(values[(minute >= first) & (minute < last)].mean())

    volume, span = bars.volume, (bars.high - bars.low) / bars.close
    assert mean(volume, 0, 15) > 2 * mean(volume, 150, 240)
    assert mean(volume, 375, 390) > 1.5 * mean(volume, 150, 240)
    assert mean(span, 0, 15) > 1.5 * mean(span, 150, 240)
    assert mean(span, 375, 390) > 1.1 * mean(span, 150, 240)


def test_minutes_that_move_trade_more():
    bars = bars_of(Style.LARGE_CAP, MINUTE, FOUR_MONTHS)
    noon = np.abs(session_columns(bars).minute - 12 * 60 - 30) < 90
    move = np.abs(np.log(bars.close / bars.open))[noon]
    assert np.corrcoef(move, bars.volume[noon])[0, 1] > 0.15


def test_symbols_of_one_seed_move_together_and_those_of_two_seeds_do_not():
    index = returns(bars_of(Style.INDEX, DAY, TEN_YEARS, symbol="OCEANS"))
    ours = returns(bars_of(Style.LARGE_CAP, DAY, TEN_YEARS))
    theirs = returns(bars_of(Style.LARGE_CAP, DAY, TEN_YEARS, seed=6))
    assert 0.4 < np.corrcoef(index, ours)[0, 1] < 0.85
    assert abs(np.corrcoef(index, theirs)[0, 1]) < 0.1


def test_minutes_of_two_symbols_move_together():
    one = bars_of(Style.LARGE_CAP, MINUTE, FOUR_MONTHS)
    other = bars_of(Style.LARGE_CAP, MINUTE, FOUR_MONTHS, symbol="ANCHOR")
    assert np.array_equal(one.opened_at_ns, other.opened_at_ns)
    assert np.corrcoef(returns(one), returns(other))[0, 1] > 0.2


def test_a_night_moves_the_price_and_the_open_differs_from_the_close_before():
    bars = bars_of(Style.LARGE_CAP, DAY, TEN_YEARS)
    night, day = np.log(bars.open[1:] / bars.close[:-1]), np.log(bars.close / bars.open)
    assert 0.15 < night.var() / (night.var() + day.var()) < 0.35


def test_a_bad_mood_lasts_for_months_falls_and_is_rougher_than_a_good_one():
    good, bad, lengths = [], [], []
    for seed in SEEDS:
        bars = bars_of(Style.INDEX, DAY, TEN_YEARS, seed=seed)
        days = bars.opened_at_ns // DAY_NS
        mood = factor(seed, "market", int(days[0]), int(days[-1])).mood[days - days[0]][1:]
        good.append(returns(bars)[mood > 0.7])
        bad.append(returns(bars)[mood < -0.7])
        lengths.append(autocorrelation(mood, 20))
    assert np.concatenate(good).mean() > np.concatenate(bad).mean()
    assert np.concatenate(bad).std() > 1.2 * np.concatenate(good).std()
    assert np.mean(lengths) > 0.3


def test_no_style_makes_or_loses_a_fortune_by_holding():
    """The mean over seeds of what a holder earns in a year, in logs, stays where a market's may be."""
    for style, least, most in (
        (Style.INDEX, -0.05, 0.15),
        (Style.LARGE_CAP, -0.10, 0.18),
        (Style.THIN, -0.25, 0.20),
    ):
        yearly = [
            np.log(b.close[-1] / b.open[0]) / 10
            for b in (bars_of(style, DAY, TEN_YEARS, seed=s) for s in SEEDS)
        ]
        assert least < np.mean(yearly) < most, style
        assert all(-0.4 < each < 0.5 for each in yearly), style


@cache
def small_cap_days(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Bars]:
    """Low over open, high over open, first row of each session, and the minutes."""
    bars = bars_of(Style.SMALL_CAP, MINUTE, FOUR_MONTHS, seed=seed)
    first = np.flatnonzero(session_columns(bars).first)
    opened = bars.open[first]
    low, high = np.minimum.reduceat(bars.low, first), np.maximum.reduceat(bars.high, first)
    return low / opened - 1, high / opened - 1, first, bars


def test_a_small_cap_crashes_by_15_to_40_per_cent_every_few_weeks():
    for seed in SEEDS:
        low, _, _, _ = small_cap_days(seed)
        assert 3 <= np.count_nonzero(low <= -0.15) <= 9
        assert low.min() > -0.5


def test_as_many_days_surge_as_crash():
    crashes = sum(np.count_nonzero(small_cap_days(seed)[0] <= -0.15) for seed in SEEDS)
    surges = sum(np.count_nonzero(small_cap_days(seed)[1] >= 0.15) for seed in SEEDS)
    assert crashes == pytest.approx(surges, rel=0.25)


def crash_day_rows() -> list[tuple[Bars, slice]]:
    found = []
    for seed in SEEDS:
        low, _, first, bars = small_cap_days(seed)
        last = np.append(first[1:], len(bars))
        found += [(bars, slice(first[day], last[day])) for day in np.flatnonzero(low <= -0.16)]
    return found


def test_a_crash_flushes_to_new_lows_with_long_wicks_on_volume():
    wicks, ordinary, busy = [], [], []
    for bars, rows in crash_day_rows():
        low, volume = bars.low[rows], bars.volume[rows]
        wick = 1 - low / np.minimum(bars.open, bars.close)[rows]
        new_low = (low <= np.minimum.accumulate(low)) & (low / bars.open[rows][0] < 0.9)
        wicks.extend(wick[new_low])
        ordinary.extend(wick[~new_low])
        busy.append(volume[new_low].mean() / np.median(volume))
    assert np.mean(wicks) > 1.5 * np.mean(ordinary)
    assert np.median(busy) > 1.7


def test_a_crash_day_trades_several_times_the_usual_volume():
    stretched = []
    for bars, rows in crash_day_rows():
        first = np.flatnonzero(session_columns(bars).first)
        usual = np.median(np.add.reduceat(bars.volume, first))
        stretched.append(bars.volume[rows].sum() / usual)
    assert np.median(stretched) > 3


def test_some_crashes_are_reclaimed_and_some_are_not():
    reclaimed = []
    for bars, rows in crash_day_rows():
        bottom = bars.low[rows].min()
        reclaimed.append((bars.close[rows][-1] - bottom) / (bars.open[rows][0] - bottom))
    assert 0.2 < np.mean(np.array(reclaimed) > 0.3) < 0.8


@pytest.mark.parametrize("minutes_later", [10, 30, 60])
def test_nobody_gains_by_buying_or_selling_every_crash(minutes_later):
    """The reference strategy buys small caps that are down 15 %: the sample must not feed it."""
    gains = []
    for seed in range(12):
        bars = bars_of(Style.SMALL_CAP, MINUTE, FOUR_MONTHS, seed=seed)
        first = np.flatnonzero(session_columns(bars).first)
        for begin, end in zip(first, np.append(first[1:], len(bars)), strict=True):
            price = bars.close[begin:end]
            down = np.flatnonzero(price <= 0.85 * bars.open[begin])
            if len(down) and down[0] + 1 < len(price):
                gains.append(price[min(down[0] + minutes_later, len(price) - 1)] / price[down[0]] - 1)
    assert len(gains) > 50
    assert abs(np.mean(gains)) < 0.012
