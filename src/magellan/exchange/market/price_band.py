"""Price bands: the limits within which a share may trade under the Limit Up-Limit Down plan."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.trading.timeframe import MINUTE_NS

REFERENCE_NS = 5 * MINUTE_NS  # the reference price is the mean price of the trades of so long
_DOUBLED_NS = 25 * MINUTE_NS  # bands are doubled in the last 25 minutes of the session


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBand:
    """No trade below `down` or above `up`, in USD to the cent."""

    up: float
    down: float
    at_ns: int  # when it was set, UTC


def price_band(reference: float, at_ns: int, closes_at_ns: int, *, tier_one: bool = True) -> PriceBand:
    """The band around a reference price.

    tier_one: whether the share is in the large indices (5 %) or not (10 %).
    Source: the plan as amended in 2020: 5 or 10 % above 3.00 USD, 20 % from 0.75 USD on, and 75 % or 0.15 USD,
    whichever is less, below that; doubled before the close for tier one and for prices up to 3.00 USD.
    Ours: the reference follows every closed minute, where the plan waits for a change of 1 %.
    """
    if reference > 3.0:
        width = reference * (0.05 if tier_one else 0.10)
    elif reference >= 0.75:
        width = reference * 0.20
    else:
        width = min(0.15, reference * 0.75)
    if closes_at_ns - at_ns <= _DOUBLED_NS and (tier_one or reference <= 3.0):
        width *= 2.0
    return PriceBand(up=round(reference + width, 2), down=round(max(0.01, reference - width), 2), at_ns=at_ns)
