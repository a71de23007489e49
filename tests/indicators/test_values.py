"""Values worked out by hand, or with pandas, which was written by others."""

import numpy as np
import pandas as pd
import pytest

from magellan.indicators import (
    StreamingRsi,
    adx,
    atr,
    bollinger,
    donchian,
    ema,
    macd,
    previous_session_close,
    prior,
    relative_volume,
    roc,
    rolling_max,
    rolling_min,
    rolling_std,
    rsi,
    session_high,
    session_low,
    session_open,
    session_vwap,
    sma,
    smooth,
    true_range,
    zscore,
)

NAN = np.nan
RNG = np.random.default_rng(20240102)
CLOSE = np.round(100 * np.exp(np.cumsum(RNG.normal(0, 0.02, 300))), 2)
HIGH = CLOSE + np.round(RNG.uniform(0, 2, 300), 2)
LOW = CLOSE - np.round(RNG.uniform(0, 2, 300), 2)
VOLUME = np.floor(RNG.uniform(1e3, 1e6, 300))


def close_to(ours: np.ndarray, expected: object) -> None:
    np.testing.assert_allclose(ours, np.asarray(expected, dtype=float), rtol=1e-9, atol=1e-9)


class TestRsi:
    def test_by_hand_with_the_textbook_seed(self) -> None:
        # Changes +1, -1, +2, +1; means of the first two: gain 0.5, loss 0.5.
        # Then gain (0.5 + 2) / 2 = 1.25, loss 0.25; then gain (1.25 + 1) / 2 = 1.125, loss 0.125.
        expected = [NAN, NAN, 50.0, 100 * 1.25 / 1.5, 100 * 1.125 / 1.25]
        close_to(rsi(np.array([10.0, 11, 10, 12, 13]), 2, "wilder-sma-seed"), expected)

    def test_by_hand_without_a_seed(self) -> None:
        # Weight 1/2: gain 0, 0.5, 0.25, 1.125; loss 0, 0, 0.5, 0.25.
        expected = [NAN, 100.0, 100 * 0.25 / 0.75, 100 * 1.125 / 1.375]
        close_to(rsi(np.array([10.0, 11, 10, 12]), 2, "wilder"), expected)

    @pytest.mark.parametrize(("smoothing", "weight"), [("span", 2 / 15), ("wilder", 1 / 14)])
    def test_as_pandas_exponential_means_without_adjustment(self, smoothing: str, weight: float) -> None:
        change = pd.Series(CLOSE).diff().fillna(0.0)
        gain = change.clip(lower=0).ewm(alpha=weight, adjust=False).mean()
        loss = (-change).clip(lower=0).ewm(alpha=weight, adjust=False).mean()
        expected = 100 - 100 / (1 + gain / loss)
        ours = rsi(CLOSE, 14, smoothing)  # type: ignore[arg-type]
        close_to(ours[1:], expected[1:])
        assert np.isnan(ours[0])

    def test_span_is_about_as_quick_as_wilder_with_half_the_number(self) -> None:
        # 2/(28+1) = 1/14.5: the two names differ by a factor of two in what n means.
        apart = np.nanmean(np.abs(rsi(CLOSE, 28, "span") - rsi(CLOSE, 28, "wilder"))[60:])
        near = np.nanmean(np.abs(rsi(CLOSE, 29, "span") - rsi(CLOSE, 15, "wilder"))[60:])
        assert near < 1e-9 < 3 < apart

    def test_is_100_where_nothing_fell_and_0_where_nothing_rose(self) -> None:
        for smoothing in ("span", "wilder", "wilder-sma-seed"):
            rising = rsi(np.arange(1.0, 9.0), 3, smoothing)  # type: ignore[arg-type]
            falling = rsi(np.arange(9.0, 1.0, -1.0), 3, smoothing)  # type: ignore[arg-type]
            assert set(rising[~np.isnan(rising)]) == {100.0}
            assert set(falling[~np.isnan(falling)]) == {0.0}

    def test_incident_36_is_missing_and_not_50_as_long_as_nothing_has_moved(self) -> None:
        for smoothing in ("span", "wilder", "wilder-sma-seed"):
            values = rsi(np.array([7.0, 7, 7, 7, 8]), 3, smoothing)  # type: ignore[arg-type]
            assert np.isnan(values[:4]).all()
            assert values[4] == 100.0

    def test_incident_36_is_missing_before_it_is_defined(self) -> None:
        assert np.isnan(rsi(CLOSE, 14, "wilder-sma-seed")[:14]).all()
        assert not np.isnan(rsi(CLOSE, 14, "wilder-sma-seed")[14:]).any()

    def test_a_streaming_one_says_missing_until_then_too(self) -> None:
        running = StreamingRsi(3, "wilder-sma-seed")
        values = [running.update(close) for close in (1.0, 2.0, 3.0, 4.0)]
        assert np.isnan(values[:3]).all() and values[3] == 100.0


class TestMeans:
    def test_simple_by_hand(self) -> None:
        close_to(sma(np.array([1.0, 2, 6, 4]), 3), [NAN, NAN, 3, 4])

    def test_simple_forgets_a_huge_value_without_a_trace(self) -> None:
        assert sma(np.array([0.1, 1e17, 0.1, 0.2, 0.3]), 2)[-1] == 0.25

    def test_simple_as_exact_sums(self) -> None:
        import math

        exact = [math.fsum(CLOSE[i - 19 : i + 1]) / 20 for i in range(19, 300)]
        assert np.array_equal(sma(CLOSE, 20)[19:], exact)

    def test_exponential_by_hand(self) -> None:
        close_to(ema(np.array([4.0, 8, 0]), 3), [4, 6, 3])

    @pytest.mark.parametrize(("smoothing", "weight"), [("span", 2 / 11), ("wilder", 1 / 10)])
    def test_exponential_as_in_pandas(self, smoothing: str, weight: float) -> None:
        expected = pd.Series(CLOSE).ewm(alpha=weight, adjust=False).mean()
        close_to(smooth(CLOSE, 10, smoothing), expected)  # type: ignore[arg-type]

    def test_wilders_own_begins_with_the_simple_mean(self) -> None:
        seeded = pd.Series(CLOSE).copy()
        seeded[:9] = NAN
        seeded[9] = CLOSE[:10].mean()
        expected = seeded.ewm(alpha=0.1, adjust=False).mean()
        close_to(smooth(CLOSE, 10, "wilder-sma-seed"), expected)


class TestRange:
    def test_true_range_by_hand(self) -> None:
        high = np.array([10.0, 12, 9, 7])
        low = np.array([8.0, 11, 8, 6.5])
        close = np.array([9.0, 11.5, 8.5, 7])
        # high - low; gap up 12 - 9; gap down 11.5 - 8; gap down 8.5 - 6.5
        close_to(true_range(high, low, close), [2, 3, 3.5, 2])

    def test_atr_by_hand(self) -> None:
        flat = np.full(4, 5.0)
        high = flat + np.array([1.0, 2, 3, 6])
        close_to(atr(high, flat, flat, 2, "simple"), [NAN, 1.5, 2.5, 4.5])
        close_to(atr(high, flat, flat, 2, "wilder-sma-seed"), [NAN, 1.5, 2.25, 4.125])
        close_to(atr(high, flat, flat, 2, "wilder"), [1, 1.5, 2.25, 4.125])
        close_to(atr(high, flat, flat, 3, "span"), [1, 1.5, 2.25, 4.125])

    def test_atr_as_in_pandas(self) -> None:
        before = pd.Series(CLOSE).shift()
        parts = [
            pd.Series(HIGH - LOW),
            (pd.Series(HIGH) - before).abs(),
            (pd.Series(LOW) - before).abs(),
        ]
        reach = pd.concat(parts, axis=1).max(axis=1)
        close_to(atr(HIGH, LOW, CLOSE, 14, "simple"), reach.rolling(14).mean())


class TestVolume:
    def test_relative_volume_by_hand(self) -> None:
        close_to(relative_volume(np.array([10.0, 30, 10, 0, 0]), 2), [NAN, 1.5, 0.5, 0, NAN])

    def test_relative_volume_as_in_pandas(self) -> None:
        volume = pd.Series(VOLUME)
        close_to(relative_volume(VOLUME, 20), volume / volume.rolling(20).mean())

    def test_session_vwap_by_hand(self) -> None:
        price = np.array([10.0, 20, 40, 50])
        volume = np.array([1.0, 3, 0, 2])
        day = np.array([1, 1, 2, 2], dtype=np.int32)
        close_to(session_vwap(price, price, price, volume, day), [10, 17.5, NAN, 50])


class TestWindows:
    def test_extremes_as_in_pandas(self) -> None:
        for n in (1, 2, 20):
            assert np.array_equal(
                rolling_max(CLOSE, n), pd.Series(CLOSE).rolling(n).max().to_numpy(), equal_nan=True
            )
            assert np.array_equal(
                rolling_min(CLOSE, n), pd.Series(CLOSE).rolling(n).min().to_numpy(), equal_nan=True
            )

    def test_spread_as_in_numpy(self) -> None:
        for ddof in (0, 1):
            expected = [CLOSE[i - 19 : i + 1].std(ddof=ddof) for i in range(19, 300)]
            close_to(rolling_std(CLOSE, 20, ddof=ddof)[19:], expected)

    def test_the_spread_of_equal_values_is_exactly_zero(self) -> None:
        assert set(rolling_std(np.full(30, 0.1), 7, ddof=0)[6:]) == {0.0}

    def test_prior_by_hand(self) -> None:
        close_to(prior(np.array([1.0, 2, np.inf, 4]), 1), [NAN, 1, 2, NAN])
        close_to(prior(np.array([1.0, 2, 3]), 5), [NAN, NAN, NAN])

    def test_bollinger_by_hand(self) -> None:
        lower, middle, upper = bollinger(np.array([1.0, 3, 5]), 2, 2.0)
        close_to(middle, [NAN, 2, 4])
        close_to(upper, [NAN, 4, 6])
        close_to(lower, [NAN, 0, 2])

    def test_donchian_by_hand(self) -> None:
        lower, upper = donchian(np.array([3.0, 5, 4]), np.array([1.0, 2, 3]), 2)
        close_to(lower, [NAN, 1, 2])
        close_to(upper, [NAN, 5, 5])


class TestChange:
    def test_rate_of_change_by_hand(self) -> None:
        close_to(roc(np.array([100.0, 105, 0, 7]), 1), [NAN, 0.05, -1, NAN])

    def test_zscore_by_hand(self) -> None:
        close_to(zscore(np.array([1.0, 2, 3, 3, 3]), 3), [NAN, NAN, 1, np.sqrt(1 / 3), NAN])


class TestSessions:
    DAY = np.array([1, 1, 1, 2, 2], dtype=np.int32)

    def test_open_high_low_and_the_close_before_by_hand(self) -> None:
        values = np.array([5.0, 7, 4, 9, 8])
        close_to(session_open(values, self.DAY), [5, 5, 5, 9, 9])
        close_to(session_high(values, self.DAY), [5, 7, 7, 9, 9])
        close_to(session_low(values, self.DAY), [5, 5, 4, 9, 8])
        close_to(previous_session_close(values, self.DAY), [NAN, NAN, NAN, 4, 4])

    def test_incident_6_a_session_begins_with_its_own_first_bar_and_not_with_a_window(self) -> None:
        # A 45-minute window over a 390-minute session made its first bar the "session open".
        opens = np.arange(100.0, 100.0 + 390)
        assert set(session_open(opens, np.zeros(390, dtype=np.int32))) == {100.0}

    def test_a_high_that_misses_a_bar_is_no_session_high(self) -> None:
        values = np.array([5.0, NAN, 4, 9, 8])
        close_to(session_high(values, self.DAY), [5, NAN, NAN, 9, 9])
        close_to(session_open(np.array([NAN, 7, 4, 9, 8]), self.DAY), [NAN, NAN, NAN, 9, 9])
        close_to(previous_session_close(np.array([5, 7, NAN, 9, 8.0]), self.DAY), [NAN] * 5)


class TestTrend:
    def test_macd_by_hand(self) -> None:
        line, signal, histogram = macd(np.array([2.0, 5, 5]), 1, 3, 1)
        close_to(line, [0, 1.5, 0.75])
        close_to(signal, line)
        close_to(histogram, [0, 0, 0])

    def test_macd_as_in_pandas(self) -> None:
        close = pd.Series(CLOSE)
        line = close.ewm(span=12, adjust=False).mean() - close.ewm(span=26, adjust=False).mean()
        ours = macd(CLOSE)
        close_to(ours.line, line)
        close_to(ours.signal, line.ewm(span=9, adjust=False).mean())

    def test_adx_by_hand(self) -> None:
        # n = 2. Movements up 2, 0, 3; down 0, 3, 0; true ranges 3, 4, 5.
        high = np.array([10.0, 12, 11, 14])
        low = np.array([9.0, 11, 8, 12])
        close = np.array([9.0, 12, 9, 14])
        ours = adx(high, low, close, 2)
        # Means of the first two: up 1, down 1.5, range 3.5; then up (1 + 3) / 2 = 2, down 0.75, range 4.25.
        close_to(ours.plus_di, [NAN, NAN, 100 / 3.5, 200 / 4.25])
        close_to(ours.minus_di, [NAN, NAN, 150 / 3.5, 75 / 4.25])
        # DX 20 and 100 x 1.25 / 2.75; the ADX is their mean.
        close_to(ours.adx, [NAN, NAN, NAN, (20 + 125 / 2.75) / 2])

    def test_adx_against_a_plain_loop_of_wilders_sums(self) -> None:
        n = 14
        up = np.diff(HIGH)
        down = -np.diff(LOW)
        plus = np.where((up > down) & (up > 0), up, 0.0)
        minus = np.where((down > up) & (down > 0), down, 0.0)
        reach = np.maximum.reduce([HIGH[1:] - LOW[1:], abs(HIGH[1:] - CLOSE[:-1]), abs(LOW[1:] - CLOSE[:-1])])
        sums = [plus[:n].sum(), minus[:n].sum(), reach[:n].sum()]
        directions = []
        for i in range(n - 1, len(up)):
            if i >= n:
                sums = [s - s / n + x[i] for s, x in zip(sums, (plus, minus, reach), strict=True)]
            p, m = 100 * sums[0] / sums[2], 100 * sums[1] / sums[2]
            directions.append(100 * abs(p - m) / (p + m))
        value = np.mean(directions[:n])
        expected = [value]
        for direction in directions[n:]:
            value = (value * (n - 1) + direction) / n
            expected.append(value)
        ours = adx(HIGH, LOW, CLOSE, n).adx
        assert np.isnan(ours[: 2 * n - 1]).all()
        close_to(ours[2 * n - 1 :], expected)
