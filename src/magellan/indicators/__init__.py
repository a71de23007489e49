"""Indicators: causal columns computed from bars. A row uses its own bar and earlier ones, never later ones.

Every indicator is named by its variant, is NaN until it is defined, and comes twice: as a function over
columns, and as a small class whose `update` gives the same values to the last bit, one bar at a time.

Names are imported from their modules on first use, so that a strategy pays only for what it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magellan.indicators.average_range import StreamingAtr, StreamingTrueRange, atr, true_range
    from magellan.indicators.bands import (
        Bollinger,
        Donchian,
        StreamingBollinger,
        StreamingDonchian,
        bollinger,
        donchian,
    )
    from magellan.indicators.change import StreamingRoc, StreamingZscore, roc, zscore
    from magellan.indicators.relative_strength import RsiSmoothing, StreamingRsi, rsi
    from magellan.indicators.rolling import (
        StreamingMax,
        StreamingMin,
        StreamingPrior,
        StreamingStd,
        prior,
        rolling_max,
        rolling_min,
        rolling_std,
    )
    from magellan.indicators.sessions import (
        StreamingPreviousSessionClose,
        StreamingSessionHigh,
        StreamingSessionLow,
        StreamingSessionOpen,
        previous_session_close,
        session_high,
        session_low,
        session_open,
    )
    from magellan.indicators.smoothing import (
        Smoothing,
        StreamingEma,
        StreamingSma,
        StreamingSmooth,
        ema,
        sma,
        smooth,
    )
    from magellan.indicators.traded_volume import (
        StreamingRelativeVolume,
        StreamingSessionVwap,
        relative_volume,
        session_vwap,
    )
    from magellan.indicators.trend import Adx, Macd, StreamingAdx, StreamingMacd, adx, macd

# fmt: off
_MODULES = {
    "average_range": ("StreamingAtr", "StreamingTrueRange", "atr", "true_range"),
    "bands": (
        "Bollinger", "Donchian", "StreamingBollinger", "StreamingDonchian", "bollinger", "donchian",
    ),
    "change": ("StreamingRoc", "StreamingZscore", "roc", "zscore"),
    "relative_strength": ("RsiSmoothing", "StreamingRsi", "rsi"),
    "rolling": (
        "StreamingMax", "StreamingMin", "StreamingPrior", "StreamingStd",
        "prior", "rolling_max", "rolling_min", "rolling_std",
    ),
    "sessions": (
        "StreamingPreviousSessionClose", "StreamingSessionHigh", "StreamingSessionLow",
        "StreamingSessionOpen",
        "previous_session_close", "session_high", "session_low", "session_open",
    ),
    "smoothing": ("Smoothing", "StreamingEma", "StreamingSma", "StreamingSmooth", "ema", "sma", "smooth"),
    "traded_volume": ("StreamingRelativeVolume", "StreamingSessionVwap", "relative_volume", "session_vwap"),
    "trend": ("Adx", "Macd", "StreamingAdx", "StreamingMacd", "adx", "macd"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Adx", "Bollinger", "Donchian", "Macd", "RsiSmoothing", "Smoothing", "StreamingAdx",
    "StreamingAtr", "StreamingBollinger", "StreamingDonchian", "StreamingEma", "StreamingMacd",
    "StreamingMax", "StreamingMin", "StreamingPreviousSessionClose", "StreamingPrior",
    "StreamingRelativeVolume", "StreamingRoc", "StreamingRsi", "StreamingSessionHigh",
    "StreamingSessionLow", "StreamingSessionOpen", "StreamingSessionVwap", "StreamingSma",
    "StreamingSmooth", "StreamingStd", "StreamingTrueRange", "StreamingZscore",
    "adx", "atr", "bollinger", "donchian", "ema", "macd", "previous_session_close", "prior",
    "relative_volume", "roc", "rolling_max", "rolling_min", "rolling_std", "rsi", "session_high",
    "session_low", "session_open", "session_vwap", "sma", "smooth", "true_range", "zscore",
]
# fmt: on


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"magellan.indicators has no '{name}'; it has {', '.join(__all__)}")
    return getattr(import_module(f"magellan.indicators.{module}"), name)
