"""Option chain: what components of options read, as columns of the same bars.

Where a chain comes from is an adapter's matter. It hands in, for every bar, what was known of the chain when that bar
closed; NaN where a quote is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from magellan.trading.bar import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainColumns:
    """Chains over bars. Shape (n, expiries, strikes) where not said otherwise; the strike nearest the money stands in
    the middle, lower ones before it. Expiries: the nearest first.
    """

    source: str  # who says so
    strike: Floats
    years: Floats  # (n, expiries): to expiry
    call_price: Floats
    put_price: Floats
    call_iv: Floats  # implied volatility per year
    put_iv: Floats
    call_interest: Floats  # open interest, contracts
    put_interest: Floats

    def __len__(self) -> int:
        return len(self.strike)

    @property
    def middle(self) -> int:
        """Where the strike nearest the money stands."""
        return int(self.strike.shape[2]) // 2

    def rows(self, chosen: slice) -> ChainColumns:
        """The chosen bars; shares memory."""
        return ChainColumns(
            source=self.source,
            strike=self.strike[chosen],
            years=self.years[chosen],
            call_price=self.call_price[chosen],
            put_price=self.put_price[chosen],
            call_iv=self.call_iv[chosen],
            put_iv=self.put_iv[chosen],
            call_interest=self.call_interest[chosen],
            put_interest=self.put_interest[chosen],
        )
