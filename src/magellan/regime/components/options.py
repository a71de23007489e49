"""Components of options: what chains say that bars do not. Each is off, with the reason, where there is no chain."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import ChainMarket, Output
from magellan.regime.option_chain import ChainColumns
from magellan.regime.option_greeks import greeks
from magellan.trading.bar import Floats

NO_CHAIN: Final = "there is no option chain for this symbol"


class Straddle:
    """Volatility: the price of straddles around the money over the price, among its own last values."""

    name: ClassVar[str] = "straddle"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY,)

    def __init__(self, terms: config.Straddle) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 2  # straddles over price and root of time, smoothed; their percentile

    def absent(self, chain: ChainColumns | None) -> str | None:
        return None if chain is not None else NO_CHAIN

    def extend(self, market: ChainMarket, start: int, out: Output) -> None:
        chain = market.chain
        near = _around(chain, self._terms.strikes)
        price = chain.call_price[:, 0, near] + chain.put_price[:, 0, near]
        # A straddle at the money costs about 0.8 x volatility x root of time: over that root it is comparable.
        cost = _mean(price) / market.close[start:] / np.sqrt(np.maximum(chain.years[:, 0], 1e-6))
        _smooth(out.work, 0, cost, start, 2.0 / (self._terms.ema_bars + 1.0))
        _percentile(out.work, 0, 1, start, self._terms.window_bars)
        out.score[start:, 0] = np.clip(2.0 * out.work[start:, 1] - 1.0, -1.0, 1.0)

    def value(self, out: Output, row: int) -> float:
        """Percentile of what straddles cost, from 0 to 1."""
        return float(out.work[row, 1])


class GreeksSentiment:
    """Trend: open calls against open puts around the money, each weighed by its greeks."""

    name: ClassVar[str] = "greeks_sentiment"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)

    def __init__(self, terms: config.GreeksSentiment) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 1  # sentiment, smoothed

    def absent(self, chain: ChainColumns | None) -> str | None:
        return None if chain is not None else NO_CHAIN

    def extend(self, market: ChainMarket, start: int, out: Output) -> None:
        terms, chain = self._terms, market.chain
        near = _around(chain, terms.strikes)
        away = np.abs(np.arange(chain.strike.shape[2])[near] - chain.middle)
        decay = (terms.otm_decay**away)[None, None, :]
        days = chain.years * 365.0
        nearness = np.where(days <= terms.near_expiry_days, terms.near_expiry_factor, 1.0)[:, :, None]
        calls, puts = (
            greeks(
                market.close[start:, None, None], chain.strike[:, :, near], chain.years[:, :, None],
                iv[:, :, near],
            )
            for iv in (chain.call_iv, chain.put_iv)
        )  # fmt: skip
        total, known = np.zeros(len(days)), np.zeros(len(days))
        for weight, call, put in (
            (terms.delta_weight, calls.call_delta, -puts.put_delta),
            (terms.gamma_weight, calls.gamma, puts.gamma),
            (terms.vega_weight, calls.vega, puts.vega),
            (terms.theta_weight, -calls.call_theta, -puts.put_theta),
        ):
            bulls = np.nansum(call * chain.call_interest[:, :, near] * decay * nearness, axis=(1, 2))
            bears = np.nansum(put * chain.put_interest[:, :, near] * decay * nearness, axis=(1, 2))
            both = np.abs(bulls) + np.abs(bears)
            total += np.where(both > 0.0, weight * (bulls - bears) / np.where(both > 0.0, both, 1.0), 0.0)
            known += np.where(both > 0.0, weight, 0.0)
        sentiment = np.where(known > 0.0, total / np.where(known > 0.0, known, 1.0), np.nan)
        _smooth(out.work, 0, sentiment, start, terms.smoothing)
        size = np.abs(out.work[start:, 0])
        strength = np.interp(
            size, (0.0, terms.bullish_above, terms.extreme_above, 1.0), (0.0, 0.25, 0.75, 1.0)
        )
        out.score[start:, 0] = np.where(np.isnan(size), np.nan, np.sign(out.work[start:, 0]) * strength)

    def value(self, out: Output, row: int) -> float:
        """From -1, puts alone, to 1, calls alone."""
        return float(out.work[row, 0])


class OpenInterest:
    """Trend: price and open interest together. Both up: longs build; price down, interest up: shorts build; price up,
    interest down: shorts cover; both down: longs leave. What is being built counts in full, what is being left half.
    """

    name: ClassVar[str] = "open_interest"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)

    def __init__(self, terms: config.OpenInterest) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 2  # open interest of all strikes, its change over the window

    def absent(self, chain: ChainColumns | None) -> str | None:
        return None if chain is not None else NO_CHAIN

    def extend(self, market: ChainMarket, start: int, out: Output) -> None:
        terms, chain = self._terms, market.chain
        held = np.nansum(chain.call_interest, axis=(1, 2)) + np.nansum(chain.put_interest, axis=(1, 2))
        out.work[start:, 0] = np.where(held > 0.0, held, np.nan)
        rows = np.arange(start, len(market.close))
        before = np.maximum(rows - terms.window_bars, 0)
        known = rows + market.offset >= terms.window_bars
        interest = out.work[rows, 0] / out.work[before, 0] - 1.0
        moved = market.close[rows] / market.close[before] - 1.0
        out.work[start:, 1] = interest
        decided = np.clip(moved / terms.price_change, -1.0, 1.0)
        change = np.clip(interest / terms.interest_change, -1.0, 1.0)
        score = decided * np.where(change >= 0.0, change, -0.5 * change)
        out.score[start:, 0] = np.where(known, score, np.nan)

    def value(self, out: Output, row: int) -> float:
        """Change of open interest over the window, as a fraction."""
        return float(out.work[row, 1])


class IvPercentile:
    """Volatility: implied volatility at the money of the nearest expiry, among its own last values."""

    name: ClassVar[str] = "iv_percentile"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY,)

    def __init__(self, terms: config.IvPercentile) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 2  # implied volatility, its percentile

    def absent(self, chain: ChainColumns | None) -> str | None:
        return None if chain is not None else NO_CHAIN

    def extend(self, market: ChainMarket, start: int, out: Output) -> None:
        terms, chain = self._terms, market.chain
        out.work[start:, 0] = _at_the_money(chain)[:, 0]
        _percentile(out.work, 0, 1, start, terms.window_bars)
        width = terms.high_percentile - terms.low_percentile
        out.score[start:, 0] = np.clip((out.work[start:, 1] - terms.low_percentile) / width - 0.5, -1.0, 1.0)

    def value(self, out: Output, row: int) -> float:
        """The percentile, from 0 to 1."""
        return float(out.work[row, 1])


class IvSkew:
    """Trend: implied volatility of the highest strike's call less the lowest strike's put. Dear puts are fear."""

    name: ClassVar[str] = "iv_skew"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)

    def __init__(self, terms: config.IvSkew) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 1  # the risk reversal

    def absent(self, chain: ChainColumns | None) -> str | None:
        return None if chain is not None else NO_CHAIN

    def extend(self, market: ChainMarket, start: int, out: Output) -> None:
        terms, chain = self._terms, market.chain
        reversal = chain.call_iv[:, 0, -1] - chain.put_iv[:, 0, 0]
        out.work[start:, 0] = reversal
        middle = 0.5 * (terms.greed_above + terms.fear_below)
        half = 0.5 * (terms.greed_above - terms.fear_below)
        out.score[start:, 0] = np.clip(0.25 * (reversal - middle) / max(half, 1e-9), -1.0, 1.0)

    def value(self, out: Output, row: int) -> float:
        """The risk reversal, in volatility per year."""
        return float(out.work[row, 0])


class IvSurface:
    """Volatility and structure: implied volatility of the farthest expiry over the nearest. A near one above the far
    one expects something soon; a jump of the surface is a break.
    """

    name: ClassVar[str] = "iv_surface"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY, Axis.STRUCTURE)

    def __init__(self, terms: config.IvSurface) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = (
            4  # slope of the term structure, its mean and mean square, deviations from the mean
        )

    def absent(self, chain: ChainColumns | None) -> str | None:
        if chain is None:
            return NO_CHAIN
        return "the chain has one expiry" if chain.strike.shape[1] < 2 else None

    def extend(self, market: ChainMarket, start: int, out: Output) -> None:
        terms = self._terms
        at_the_money = _at_the_money(market.chain)
        slope = at_the_money[:, -1] / at_the_money[:, 0] - 1.0
        out.work[start:, 0] = slope
        share = 2.0 / (terms.window_bars + 1.0)
        deviations = out.work[start:, 3]
        if start == 0:
            before_mean, before_square = np.nan, np.nan
        else:
            before_mean, before_square = out.work[start - 1, 1], out.work[start - 1, 2]
        for at, value in enumerate(slope):
            # Held against what came before, so that a jump does not hide itself.
            spread = np.sqrt(max(before_square - before_mean**2, 0.0))
            deviations[at] = (value - before_mean) / spread if spread > 0.0 else 0.0
            if np.isnan(before_mean):
                before_mean, before_square = value, value * value
            elif not np.isnan(value):
                before_mean += share * (value - before_mean)
                before_square += share * (value * value - before_square)
            out.work[start + at, 1], out.work[start + at, 2] = before_mean, before_square
        out.score[start:, 0] = np.clip(-0.5 * slope / terms.contango, -1.0, 1.0)
        out.score[start:, 1] = np.where(np.isnan(slope), np.nan, 0.0)
        jump = np.abs(deviations) / terms.abnormal_sigma
        known = np.arange(start, len(market.close)) + market.offset >= 20
        out.breaking[start:] = np.where(known & (jump >= 1.0), np.minimum(jump - 0.5, 1.0), 0.0)

    def value(self, out: Output, row: int) -> float:
        """Far over near implied volatility, less 1."""
        return float(out.work[row, 0])


def _around(chain: ChainColumns, strikes: int) -> slice:
    """That many strikes with the one nearest the money in the middle."""
    half = min(strikes // 2, chain.middle)
    return slice(chain.middle - half, chain.middle + half + 1)


def _at_the_money(chain: ChainColumns) -> Floats:
    """Mean implied volatility of call and put at the money, shape (rows, expiries)."""
    middle = chain.middle
    mean: Floats = 0.5 * (chain.call_iv[:, :, middle] + chain.put_iv[:, :, middle])
    return mean


def _mean(values: Floats) -> Floats:
    """Mean over the last axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _smooth(work: Floats, column: int, values: Floats, start: int, share: float) -> None:
    """Exponential mean into a work column, going on from the row before; a missing value changes nothing."""
    before = work[start - 1, column] if start else np.nan
    for at, value in enumerate(values.tolist()):
        if value == value:
            before = value if before != before else before + share * (value - before)
        work[start + at, column] = before


def _percentile(work: Floats, column: int, into: int, start: int, window: int) -> None:
    """Where a work column stands among its own last values, from 0 to 1; NaN until twenty are known."""
    for row in range(start, len(work)):
        past = work[max(0, row - window + 1) : row, column]
        past = past[np.isfinite(past)]
        value = work[row, column]
        known = np.isfinite(value) and len(past) >= min(20, window - 1)
        work[row, into] = (
            ((past < value).sum() + 0.5 * (past == value).sum() + 0.5) / (len(past) + 1) if known else np.nan
        )
