"""Strategies read regimes as features: the same columns in a backtest and bar by bar, and a gate that unknown shuts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from magellan.engine.deciding import Decider, Outlook
from magellan.engine.history import History, Taken
from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, Axis
from magellan.regime.config import FilterConfig, RegimeConfig
from magellan.regime.quality.scenario import Scenario
from magellan.regime.strategy_features import regime_features
from magellan.strategy.contract import Features, NoParameters, Strategy
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Bars, Floats, Mask
from magellan.trading.session import ExchangeCalendar

Made = Callable[..., Scenario]
CONFIG = RegimeConfig(filter=FilterConfig(first_fit_bars=200, states_max=2, level_half_lives=()))


class Gated(Strategy):
    """Long in calm markets, with a stop that depends on the regime."""

    def features(self, bars: MarketView, p: NoParameters) -> Mapping[str, Floats | Mask]:
        regime = regime_features(bars, CONFIG)
        stop = regime.choose(Axis.VOLATILITY, {"low": 1.0, "medium": 2.0, "high": 3.0}, unknown=9.0)
        return {"calm": regime.gate(volatility=("low", "medium")), "stop_atr": stop, **regime.columns()}

    def enter_long(self, f: Features, p: NoParameters) -> Mask:
        return f.calm

    def exit_long(self, f: Features, p: NoParameters) -> Mask:
        return ~f.calm


def no_sessions() -> ExchangeCalendar:
    nothing = np.zeros(0, dtype=np.int64)
    return ExchangeCalendar(
        name="none", session_on=nothing.astype(np.int32), opens_at_ns=nothing, closes_at_ns=nothing
    )


def test_a_live_session_decides_on_the_columns_that_a_backtest_sees(made: Made) -> None:
    bars = made("vol2", 5, 460).bars
    strategy = Gated()
    whole = strategy.features(MarketView(bars), NoParameters())
    assert 0 < whole["calm"].sum() < len(bars)
    decider = Decider(Gated(), {bars.symbol: NoParameters()}, no_sessions())
    for length in range(430, len(bars) + 1):
        outlook = decider.outlook(bars.rows(slice(0, length)), {}, warmed_up=True)
        assert isinstance(outlook, Outlook), outlook
        assert outlook.enter_long == whole["calm"][length - 1]
        for name, column in outlook.features.columns.items():
            np.testing.assert_array_equal(column, whole[name][:length], err_msg=name)


def test_what_was_told_of_a_bar_is_not_written_to_again(made: Made) -> None:
    bars = made("eq3", 9, 700).bars
    history = History(bars.rows(slice(0, 300)))
    told = []
    for at in range(300, len(bars)):
        history.add(bars.bar(at))
        found = regime_features(MarketView(history.bars), CONFIG)
        told.append((found, {name: column.copy() for name, column in found.columns().items()}))
    for found, as_told in told:
        for name, column in found.columns().items():
            np.testing.assert_array_equal(column, as_told[name], err_msg=name)
    with pytest.raises(ValueError, match="read-only"):
        found.confidence[Axis.TREND][0] = 1.0


def test_a_bar_that_a_history_corrects_changes_what_is_said_from_it_on(made: Made) -> None:
    bars = made("vol2", 11, 400).bars
    history = History(bars)
    before = regime_features(MarketView(history.bars), CONFIG)
    corrected = replace(bars.bar(350), low=bars.bar(350).low * 0.8)
    assert history.add(corrected) is Taken.CHANGED
    after = regime_features(MarketView(history.bars), CONFIG)
    trusted, doubted = (each.probabilities[Axis.VOLATILITY] for each in (before, after))
    np.testing.assert_array_equal(trusted[:350], doubted[:350])
    assert not np.array_equal(trusted[350:], doubted[350:])


def test_a_bar_that_was_corrected_is_not_remembered_as_it_was(made: Made) -> None:
    bars = made("vol2", 6, 300).bars
    before = regime_features(MarketView(bars), CONFIG)
    close = bars.close.copy()
    close[150:] *= 1.2
    changed = Bars(
        symbol=bars.symbol, timeframe=bars.timeframe, opened_at_ns=bars.opened_at_ns, open=bars.open,
        high=np.maximum(bars.high, close), low=np.minimum(bars.low, close), close=close, volume=bars.volume,
    )  # fmt: skip
    after = regime_features(MarketView(changed), CONFIG)
    again = regime_features(MarketView(bars), CONFIG)
    assert not np.array_equal(
        before.probabilities[Axis.TREND], after.probabilities[Axis.TREND], equal_nan=True
    )
    np.testing.assert_array_equal(before.probabilities[Axis.TREND], again.probabilities[Axis.TREND])


def test_what_is_unknown_shuts_the_gate_and_takes_the_value_for_unknown(made: Made) -> None:
    regime = regime_features(MarketView(made("vol2", 7, 12).bars), CONFIG)
    assert not regime.gate(volatility=("low", "medium")).any()
    values = regime.choose(Axis.VOLATILITY, {"low": 1.0, "medium": 2.0, "high": 3.0}, unknown=9.0)
    assert (values == 9.0).all()


def test_a_gate_that_asks_about_nothing_is_open(made: Made) -> None:
    assert regime_features(MarketView(made("vol2", 7, 12).bars), CONFIG).gate().all()


def test_every_class_of_a_chosen_parameter_is_named_and_no_other(made: Made) -> None:
    regime = regime_features(MarketView(made("vol2", 7, 12).bars), CONFIG)
    with pytest.raises(FixInput, match="no value for high"):
        regime.choose(Axis.VOLATILITY, {"low": 1.0, "medium": 2.0}, unknown=1.0)
    with pytest.raises(FixInput, match="no class 'wild'"):
        regime.gate(volatility=("wild",))


def test_a_gate_on_confidence_is_never_wider_than_one_without(made: Made) -> None:
    regime = regime_features(MarketView(made("eq3", 8, 600).bars), CONFIG)
    wide, narrow = (regime.gate(trend=("up", "strong_up"), confidence_min=least) for least in (0.0, 0.5))
    assert (narrow <= wide).all()
    assert wide.sum() > narrow.sum()


def test_trend_is_signed_and_the_rest_counts_from_zero(made: Made) -> None:
    columns = regime_features(MarketView(made("eq3", 8, 600).bars), CONFIG).columns()
    for axis, lowest in ((Axis.VOLATILITY, 0), (Axis.TREND, -2), (Axis.STRUCTURE, 0)):
        known = columns[f"regime_{axis}"][np.isfinite(columns[f"regime_{axis}"])]
        assert set(known) <= set(range(lowest, lowest + len(CLASSES[axis])))
