"""A quote: what could be bought and sold at one instant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Best bid and offer. Prices in USD on the asset's tick, sizes in units; 0 means that there is none."""

    bid: float
    ask: float
    bid_size: float
    ask_size: float
    at_ns: int  # when it was made, UTC; never later than the instant that was asked for
