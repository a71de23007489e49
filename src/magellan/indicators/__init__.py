"""Indicators: causal columns computed from bars. One row uses its own bar and earlier ones, never later ones.

Every indicator is named by its variant, is NaN until it is defined, and comes twice: as a function over columns, and
as a small class with `update`, which gives the same values, to the last bit, one bar at a time.

Names are imported from their modules on first use, so that a strategy pays only for what it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magellan.indicators.average_range import atr, true_range
    from magellan.indicators.relative_strength import RsiSmoothing, rsi
    from magellan.indicators.rolling import prior, rolling_max, rolling_min, rolling_std
    from magellan.indicators.sessions import previous_session_close, session_high, session_low, session_open
    from magellan.indicators.smoothing import Smoothing, ema, sma, smooth
    from magellan.indicators.traded_volume import relative_volume, session_vwap

_MODULES = {
    "average_range": ("atr", "true_range"),
    "relative_strength": ("RsiSmoothing", "rsi"),
    "rolling": ("prior", "rolling_max", "rolling_min", "rolling_std"),
    "sessions": ("previous_session_close", "session_high", "session_low", "session_open"),
    "smoothing": ("Smoothing", "ema", "sma", "smooth"),
    "traded_volume": ("relative_volume", "session_vwap"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "RsiSmoothing", "Smoothing",
    "atr", "ema", "previous_session_close", "prior", "relative_volume", "rolling_max", "rolling_min", "rolling_std",
    "rsi", "session_high", "session_low", "session_open", "session_vwap", "sma", "smooth", "true_range",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"magellan.indicators has no '{name}'; it has {', '.join(__all__)}")
    return getattr(import_module(f"magellan.indicators.{module}"), name)
