"""Regime config: everything of the regime model that a user can set, as frozen values.

One `RegimeConfig` fixes a model. It is written as TOML, JSON or a workbook; all three are read into these values, and
an unknown key is an error. Spans are in bars of the analysed timeframe where a name ends in `_bars`, in exchange
sessions where it ends in `_sessions`.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0, le=100.0)]
Bars = Annotated[int, Field(ge=1, le=100_000)]


class Values(BaseModel):
    """Base of all parts: strict types, unknown keys refused, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Component(Values):
    """What all components of the rule score have: whether they take part, and their weight among those of an axis.

    A component that is off, or has nothing to work on, is left out and the others' weights count in full; nothing
    stands in for it.
    """

    enabled: bool = True
    weight: Weight = 1.0


class AtrPercentile(Component):
    """Volatility: where the average true range, in units of price, stands among its own past."""

    weight: Weight = 2.0
    atr_bars: Bars = 14
    window_bars: Bars = 252  # of the past that the percentile is taken in
    low_percentile: Share = 0.30
    high_percentile: Share = 0.70


class Slope(Component):
    """Trend: t-statistic of the slope of log prices over a window, in units of the window's own volatility."""

    weight: Weight = 2.0
    window_bars: Annotated[int, Field(ge=5, le=10_000)] = 20
    trend_t: Annotated[float, Field(gt=0.0, le=20.0)] = 1.0  # from here on up or down
    strong_t: Annotated[float, Field(gt=0.0, le=20.0)] = 2.5  # from here on strong


class AdxStrength(Component):
    """Structure and trend: Wilder's average directional index with its two directional indicators."""

    bars: Bars = 14
    ranging_below: Annotated[float, Field(ge=0.0, le=100.0)] = 20.0
    trending_above: Annotated[float, Field(ge=0.0, le=100.0)] = 30.0


class Squeeze(Component):
    """Structure and volatility: width of the Bollinger bands against its own mean; a release is a break."""

    bars: Bars = 20
    squeezed_below: Share = 0.75  # of the mean width
    expansion_above: Annotated[float, Field(ge=1.0, le=10.0)] = 1.2


class CentralPivotRange(Component):
    """Structure: width of the previous session's central pivot range; narrow ranges come before trends."""

    weight: Weight = 0.5
    narrow_below: Annotated[float, Field(gt=0.0, le=10.0)] = 0.5  # of its mean width over the last sessions
    wide_above: Annotated[float, Field(gt=0.0, le=10.0)] = 1.5
    window_sessions: Annotated[int, Field(ge=2, le=1000)] = 20


class Pivots(Component):
    """Structure and trend: where the close stands among the levels of five families of pivots."""

    weight: Weight = 0.5
    classic_weight: Weight = 0.30
    fibonacci_weight: Weight = 0.25
    camarilla_weight: Weight = 0.20
    woodie_weight: Weight = 0.15
    demark_weight: Weight = 0.10
    breakout: Annotated[float, Field(gt=0.0, le=0.2)] = 0.002  # fraction of price beyond the outer level


class EmaAlignment(Component):
    """Trend: whether close and exponential means stand in order, fast above slow or the other way round."""

    spans: tuple[Bars, ...] = (20, 50, 100, 200)


class VwapBands(Component):
    """Trend: the session's distance from its volume-weighted average price, in that session's own deviations."""

    weight: Weight = 0.5
    trend_sigma: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    strong_sigma: Annotated[float, Field(gt=0.0, le=10.0)] = 2.0


class VolumeProfile(Component):
    """Structure: whether the close lies inside the value area of the last bars; approximate, from bars alone."""

    weight: Weight = 0.5
    window_bars: Annotated[int, Field(ge=5, le=2_000)] = 60
    bins: Annotated[int, Field(ge=5, le=200)] = 24
    value_area: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.68
    point_of_control_weight: Share = 0.7


class TimeframeVote(Component):
    """Trend: slope votes of longer timeframes, each from its completed bars only."""

    multiples: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (1, 5, 15, 30, 60)  # of the analysed bars
    weights: tuple[Weight, ...] = (0.30, 0.35, 0.20, 0.10, 0.05)
    window_bars: Annotated[int, Field(ge=5, le=1000)] = 20
    agreeing_min: Annotated[int, Field(ge=1, le=20)] = 2  # timeframes on one side before the vote counts
    consensus: Share = 0.40  # of the weight, on one side
    divergence_penalty: Share = 0.2

    @model_validator(mode="after")
    def _one_weight_each(self) -> TimeframeVote:
        if len(self.multiples) != len(self.weights):
            raise ValueError(f"{len(self.multiples)} timeframes, {len(self.weights)} weights")
        return self


class Correlation(Component):
    """Volatility: correlation of returns with the other symbols of the analysis; off when there is none."""

    weight: Weight = 0.5
    window_bars: Annotated[int, Field(ge=5, le=10_000)] = 50
    high: Share = 0.7


class SupportResistance(Component):
    """Structure: distance to levels that the price has turned at before."""

    weight: Weight = 0.5
    window_bars: Annotated[int, Field(ge=10, le=10_000)] = 252
    swing_bars: Annotated[int, Field(ge=1, le=50)] = 3  # bars on each side that confirm a turn
    tolerance: Annotated[float, Field(gt=0.0, le=0.1)] = 0.002  # fraction of price that counts as one level
    touches: Annotated[int, Field(ge=1, le=20)] = 2


class Straddle(Component):
    """Volatility (options): what at-the-money straddles cost against their own past, over several strikes."""

    strikes: Annotated[int, Field(ge=1, le=21)] = 3
    window_bars: Bars = 252
    ema_bars: Bars = 20


class GreeksSentiment(Component):
    """Trend (options): call against put exposure, by greek, over the strikes around the money."""

    weight: Weight = 2.0
    delta_weight: Weight = 0.25
    gamma_weight: Weight = 0.35
    vega_weight: Weight = 0.25
    theta_weight: Weight = 0.15
    strikes: Annotated[int, Field(ge=1, le=21)] = 5
    otm_decay: Share = 0.8  # weight per strike away from the money
    near_expiry_days: Annotated[float, Field(ge=0.0, le=60.0)] = 3.0
    near_expiry_factor: Annotated[float, Field(ge=0.1, le=10.0)] = 1.5
    smoothing: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3  # weight of the newest value
    bullish_above: Share = 0.6
    extreme_above: Share = 0.8


class OpenInterest(Component):
    """Trend (options): open interest against price: build-up, covering and unwinding on both sides."""

    weight: Weight = 1.5
    window_bars: Bars = 20
    price_change: Annotated[float, Field(gt=0.0, le=0.2)] = 0.005
    interest_change: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05


class IvPercentile(Component):
    """Volatility (options): rank of the at-the-money implied volatility in its own past."""

    window_bars: Bars = 252
    low_percentile: Share = 0.30
    high_percentile: Share = 0.70


class IvSkew(Component):
    """Trend (options): 25-delta risk reversal; dear puts are fear."""

    fear_below: Annotated[float, Field(ge=-1.0, le=0.0)] = -0.05
    greed_above: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05


class IvSurface(Component):
    """Volatility and structure (options): slope of the term structure of implied volatility."""

    contango: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05  # far over near - 1
    abnormal_sigma: Annotated[float, Field(gt=0.0, le=10.0)] = 2.5
    window_bars: Bars = 252


class Components(Values):
    """The components of the rule score. Those of options are off, with the reason, where there is no chain."""

    atr_percentile: AtrPercentile = AtrPercentile()
    slope: Slope = Slope()
    adx: AdxStrength = AdxStrength()
    squeeze: Squeeze = Squeeze()
    central_pivot_range: CentralPivotRange = CentralPivotRange()
    pivots: Pivots = Pivots()
    ema_alignment: EmaAlignment = EmaAlignment()
    vwap_bands: VwapBands = VwapBands()
    volume_profile: VolumeProfile = VolumeProfile()
    timeframe_vote: TimeframeVote = TimeframeVote()
    correlation: Correlation = Correlation()
    support_resistance: SupportResistance = SupportResistance()
    straddle: Straddle = Straddle()
    greeks_sentiment: GreeksSentiment = GreeksSentiment()
    open_interest: OpenInterest = OpenInterest()
    iv_percentile: IvPercentile = IvPercentile()
    iv_skew: IvSkew = IvSkew()
    iv_surface: IvSurface = IvSurface()


class FilterConfig(Values):
    """The hidden Markov filter on raw returns, and on wicks where these foretell returns better."""

    enabled: bool = True
    states_max: Annotated[int, Field(ge=1, le=5)] = 4  # the number is chosen by BIC, from 1 to this
    first_fit_bars: Annotated[int, Field(ge=200, le=100_000)] = 500
    refit_every_sessions: Annotated[int, Field(ge=1, le=1000)] = 63
    fit_window_bars: Annotated[int, Field(ge=500, le=10_000_000)] = 20_000  # of the newest bars, per fit
    fit_steps: Annotated[int, Field(ge=1, le=500)] = 60  # of expectation and maximisation, at most
    sticky_bars: Annotated[float, Field(ge=0.0, le=10_000.0)] = 20.0  # stays counted before any was seen
    day_profile_sessions: Annotated[float, Field(ge=0.0, le=1000.0)] = 15.0  # of a flat day, mixed in
    level_half_lives: tuple[Annotated[int, Field(ge=10, le=100_000)], ...] = (250, 500, 1000)
    weight: Weight = 3.0  # of the filter beside the rule score, on an axis


class AlarmConfig(Values):
    """The change-point alarm: it lowers confidence and never names a regime."""

    enabled: bool = True
    run_bars: Annotated[float, Field(ge=10.0, le=100_000.0)] = 250.0  # expected between changes
    ring_at: Share = 0.5  # probability of a change in the last bars
    recent_bars: Annotated[int, Field(ge=1, le=1000)] = 10
    confidence_factor: Share = 0.5  # what confidence is multiplied by while it rings


class DecisionConfig(Values):
    """From probabilities to a label: one dial, and limits that block. Nothing here forces a switch."""

    stability: Share = 0.6  # 0 follows the most probable regime at once; 1 hardly ever switches
    confidence_min: Share = 0.0  # below it the label is unknown
    minimum_bars: Annotated[int, Field(ge=1, le=10_000)] = 1  # in a regime before it may be left
    cooldown_bars: Annotated[int, Field(ge=0, le=10_000)] = 0  # after a switch, before the next
    confirmation_bars: Annotated[int, Field(ge=1, le=1000)] = 1  # that must agree, one after another
    switches_per_session_max: Annotated[int, Field(ge=1, le=1000)] | None = None
    direct_reversals: bool = True  # from up to down, or back, without the middle in between
    noise_sigma: Annotated[float, Field(gt=0.0, le=100.0)] | None = None  # no switch on a bar beyond it


class Limits(Values):
    """Where classes of the filter's states begin."""

    low_volatility_below: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.80  # of the typical volatility
    high_volatility_above: Annotated[float, Field(gt=1.0, le=10.0)] = 1.33
    # Drift in units of its uncertainty over the state's own expected stay.
    trend_above: Annotated[float, Field(gt=0.0, le=10.0)] = 0.5
    strong_above: Annotated[float, Field(gt=0.0, le=10.0)] = 2.0


class ViewRow(Values):
    """One named regime: the classes of each axis that it covers; "*" covers all."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    volatility: tuple[str, ...] = ("*",)
    trend: tuple[str, ...] = ("*",)
    structure: tuple[str, ...] = ("*",)


class ViewTable(Values):
    """A user's own names for combinations of axes; checked for holes and overlaps when it is loaded."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    rows: tuple[ViewRow, ...]


class RegimeConfig(Values):
    """Everything that fixes the regime model."""

    schema_version: ClassVar[str] = "1"

    view: str = "18"  # names for combinations of axes: "18", "12", "8", or one of `views`
    views: tuple[ViewTable, ...] = ()  # the user's own
    filter: FilterConfig = FilterConfig()
    alarm: AlarmConfig = AlarmConfig()
    decision: DecisionConfig = DecisionConfig()
    limits: Limits = Limits()
    components: Components = Components()

    @cached_property
    def sha256(self) -> str:
        """Digest of every value, defaults included."""
        document = {"schema": self.schema_version, **self.model_dump(mode="json")}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
