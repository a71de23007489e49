"""One bar late: the same strategy, whose every decision is carried out a bar after it was taken.

A result that does not survive a minute's delay rests on prices that nobody can count on getting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from magellan.strategy.contract import Features, Intent, Moment, Strategy
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Floats, Mask

_ENTRIES: Final = ("enter_long", "enter_short")
_EXITS: Final = ("exit_long", "exit_short")


def one_bar_late(strategy: Strategy) -> Strategy:
    """A strategy of a class made from the given one's.

    Entries are not carried into the next session, where they would have been other orders at other prices;
    exits are, since a position has to be left. Prices of the plan are read at the later bar.
    """
    kind = type(strategy)
    later: dict[str, Any] = {}
    for name in (*_ENTRIES, *_EXITS, "wake"):
        if getattr(kind, name) is not getattr(Strategy, name):
            later[name] = _later(getattr(kind, name), within_session=name in _ENTRIES)
    if kind.decide is not Strategy.decide:
        later |= {"features": _remembering(kind), "decide": _deciding_on_the_bar_before(kind)}
    made: Strategy = type(f"{kind.__name__}OneBarLate", (kind,), later)()
    return made


def _later(method: Any, *, within_session: bool) -> Any:
    def later(self: Strategy, f: Features, p: Any) -> Mask | None:
        mask: Mask | None = method(self, f, p)
        if mask is None:
            return None
        moved = np.zeros(len(mask), dtype=bool)
        moved[1:] = mask[:-1]
        if within_session and not f.bars.timeframe.is_daily:
            moved &= ~f.bars.session.first
        return moved

    return later


def _remembering(kind: type[Strategy]) -> Any:
    """The same features; the bars are kept for `decide`, which is shown the one before."""

    def features(self: Any, bars: MarketView, p: Any) -> Mapping[str, Floats | Mask]:
        self.__dict__.setdefault("_bars_of", {})[bars.symbol] = bars.bars
        return kind.features(self, bars, p)

    return features


def _deciding_on_the_bar_before(kind: type[Strategy]) -> Any:
    def decide(self: Any, now: Moment, p: Any) -> Intent | None:
        if now.row == 0:
            return None
        before = now.row - 1
        return kind.decide(self, replace(now, row=before, bar=self._bars_of[now.symbol].bar(before)), p)

    return decide
