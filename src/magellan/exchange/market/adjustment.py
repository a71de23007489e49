"""Adjustment: bars as if the corporate actions known now had always been in force, as Alpaca adjusts them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from magellan.archive.adjust import action_at
from magellan.errors import FixInput
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.corporate_action import CashDividend, CorporateAction, Split

_WORDS = frozenset({"raw", "split", "dividend", "spin-off", "all"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Which corporate actions are taken out of prices.

    Splits divide prices and multiply volumes; a cash dividend multiplies earlier prices by one minus its share
    of the close before it. Spin-offs can be asked for; the table of corporate actions knows none.
    """

    splits: bool = False
    dividends: bool = False

    @classmethod
    def parse(cls, text: str) -> Adjustment:
        """Read 'raw', 'split', 'dividend', 'spin-off', 'all', or a comma-separated list. Raises FixInput."""
        words = frozenset(text.split(","))
        if not words <= _WORDS:
            raise FixInput(f"'{text}' is not an adjustment")
        return cls(splits=bool(words & {"split", "all"}), dividends=bool(words & {"dividend", "all"}))


RAW = Adjustment()


def adjust(
    bars: Bars, actions: Iterable[CorporateAction], adjustment: Adjustment, closes_before: dict[int, float]
) -> Bars:
    """The bars on today's basis.

    actions:       of this symbol, all in force now. closes_before: for each dividend's instant (nanoseconds),
                   the last close before it, as traded.
    """
    factor, shares = np.ones(len(bars)), np.ones(len(bars))
    for action in actions:
        at_ns = nanoseconds(action_at(action))
        before = bars.opened_at_ns < at_ns
        if isinstance(action, Split) and adjustment.splits:
            factor[before] *= action.price_factor
            shares[before] *= action.share_factor
        elif isinstance(action, CashDividend) and adjustment.dividends and at_ns in closes_before:
            factor[before] *= 1.0 - float(action.amount_usd) / closes_before[at_ns]
    if (factor == 1.0).all():
        return bars
    return replace(
        bars,
        open=np.round(bars.open * factor, 4),
        high=np.round(bars.high * factor, 4),
        low=np.round(bars.low * factor, 4),
        close=np.round(bars.close * factor, 4),
        volume=np.round(bars.volume * shares),
    )
