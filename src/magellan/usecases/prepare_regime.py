"""Prepare the regime model: let its kernels be compiled by another process than the one that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from magellan.compiled import is_kept
from magellan.regime.config import RegimeConfig
from magellan.regime.hidden_markov import forward
from magellan.regime.quality.scenario import scenario
from magellan.regime.step import advance
from magellan.usecases.analyse_regime import run_model
from magellan.usecases.regime_bars import of_bars

_MARKETS: Final = ("eq3", "intra4")  # days, and minutes, which have a day profile
_BARS: Final = 2520


def is_prepared() -> bool:
    """Whether a market can be read without compiling, which takes seconds, and 200 MiB until the process ends."""
    return is_kept(forward) and is_kept(advance)  # a first fit, and every bar, call them


@dataclass(frozen=True, slots=True)
class Preparation:
    """Reads generated markets, so that every kernel which that takes is compiled and kept on disk."""

    def __call__(self, report: object) -> None:
        """Takes seconds where one is compiled."""
        for name in _MARKETS:
            bars = scenario(name, seed=0, bars=_BARS).bars
            run_model(of_bars(bars, name, generated=True), RegimeConfig()).reading()
