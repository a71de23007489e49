"""Bars needed: how far back a config's windows reach."""

from __future__ import annotations

from magellan.regime.config import RegimeConfig


def bars_needed(config: RegimeConfig) -> int:
    """Bars that the next one may ask about. Returns that a fit asks for are kept by the filter itself."""
    parts = config.components
    return max(
        parts.atr_percentile.window_bars + parts.atr_percentile.atr_bars,
        parts.slope.window_bars + 1,
        parts.squeeze.bars + 1,
        parts.volume_profile.window_bars,
        parts.timeframe_vote.window_bars * max(parts.timeframe_vote.multiples, default=0) + 1,
        parts.correlation.window_bars,
        parts.support_resistance.window_bars + 2 * parts.support_resistance.swing_bars,
        parts.straddle.window_bars,
        parts.iv_percentile.window_bars,
        parts.open_interest.window_bars + 1,
    )
