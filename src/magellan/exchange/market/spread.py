"""The spread model: which quote stands around a price."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from magellan.exchange.market.asset import AssetClass
from magellan.exchange.market.quote import Quote

_HALF_SPREADS = {AssetClass.US_EQUITY: 0.00005, AssetClass.CRYPTO: 0.0004, AssetClass.US_OPTION: 0.01}
_LOTS = {AssetClass.US_EQUITY: 100.0, AssetClass.CRYPTO: 0.125, AssetClass.US_OPTION: 1.0}
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadModel:
    """Bid and offer around a price, the same for the same seed, symbol and instant.

    half_spreads: by asset class, fraction of the price between the price and either side, before rounding
                  outwards to the tick.
    lots:         by asset class; sizes are whole multiples of it.
    """

    seed: int = 0
    half_spreads: Mapping[AssetClass, float] = field(default_factory=lambda: _HALF_SPREADS)
    lots: Mapping[AssetClass, float] = field(default_factory=lambda: _LOTS)

    def quote(
        self,
        symbol: str,
        price: float,
        tick: float,
        at_ns: int,
        asset_class: AssetClass = AssetClass.US_EQUITY,
    ) -> Quote:
        """The quote around `price` at an instant: bid below ask by at least a tick, neither crossed nor locked."""
        half, lot = price * self.half_spreads[asset_class], self.lots[asset_class]
        bid = math.floor((price - half) / tick + 1e-9)
        ask = math.ceil((price + half) / tick - 1e-9)
        if bid == ask:
            bid, ask = (bid - 1, ask) if at_ns // 1_000_000_000 % 2 else (bid, ask + 1)
        drawn = mixed(symbol_key(self.seed, symbol) ^ at_ns)
        return Quote(
            bid=round(max(0, bid) * tick, 9),
            ask=round(ask * tick, 9),
            bid_size=lot * (1 + (drawn & 0xF)),
            ask_size=lot * (1 + (drawn >> 4 & 0xF)),
            at_ns=at_ns,
        )


@lru_cache(maxsize=65536)
def symbol_key(seed: int, symbol: str) -> int:
    """64 bits that belong to a symbol under a seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/quotes/{symbol}".encode()).digest()[:8], "big")


def mixed(bits: int) -> int:
    """64 bits that depend on every one of the given bits (splitmix64's finaliser)."""
    bits = (bits + 0x9E3779B97F4A7C15) & _MASK
    bits = ((bits ^ bits >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ bits >> 27) * 0x94D049BB133111EB) & _MASK
    return bits ^ bits >> 31
