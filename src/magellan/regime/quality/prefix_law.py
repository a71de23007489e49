"""Prefix law: what was said about a bar is the same whether or not later bars had come. It is what causal means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from magellan.regime.axes import Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.regime_model import RegimeModel
from magellan.trading.bar import Bars
from magellan.trading.session import session_columns

Progress = Callable[[str, float, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixLaw:
    """What was compared, and what differed."""

    prefixes: tuple[int, ...]  # lengths, in bars
    labels_compared: int  # labels and probabilities
    broken: tuple[str, ...]  # which column at which bar; empty where the law holds

    @property
    def holds(self) -> bool:
        return not self.broken


def prefix_law(
    bars: Bars,
    config: RegimeConfig,
    *,
    prefixes: int = 5,
    seed: int = 0,
    progress: Progress = lambda phase, done, total: None,
) -> PrefixLaw:
    """Run the model on the whole and on prefixes of chance lengths, and compare everything that it says.

    Equal means equal to the last bit.
    """
    whole = _said(bars, config)
    rng = np.random.default_rng(seed)
    lengths = (
        tuple(sorted(int(each) for each in rng.integers(1, len(bars), size=prefixes)))
        if len(bars) > 1
        else ()
    )
    broken: list[str] = []
    compared = 0
    for done, length in enumerate(lengths):
        progress("prefix law", done, len(lengths))
        part = _said(bars.rows(slice(0, length)), config)
        for name, column in part.items():
            compared += length
            differs = ~np.isclose(column, whole[name][:length], rtol=0.0, atol=0.0, equal_nan=True)
            if differs.any():
                row = int(np.argwhere(differs)[0][0])
                broken.append(f"{name} at bar {row}, when {length} bars were known")
    progress("prefix law", len(lengths), len(lengths))
    return PrefixLaw(prefixes=lengths, labels_compared=compared, broken=tuple(broken))


def _said(bars: Bars, config: RegimeConfig) -> dict[str, np.ndarray]:
    model = RegimeModel(bars.symbol, config)
    model.extend(bars, session_columns(bars))
    said: dict[str, np.ndarray] = {"state": model.states, "alarm": model.alarm, "regime": model.regimes}
    for axis in Axis:
        said[f"label of {axis}"] = model.labels(axis)
        said[f"age of {axis}"] = model.ages(axis)
        said[f"probabilities of {axis}"] = model.probabilities(axis)
    said["state probabilities"] = model.state_probabilities
    return said
