"""The market as the venue needs it; `exchange/market/market.py` keeps to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from magellan.exchange.market.asset import Asset
from magellan.exchange.market.halt import Halt
from magellan.exchange.market.instant import Instant
from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.market.quote import Quote
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar


class VenueMarket(Protocol):
    """What the venue asks a market. Instants are nanoseconds UTC; prices are floats, as in bars."""

    @property
    def calendar(self) -> ExchangeCalendar: ...

    def bar(self, symbol: str, now_ns: int) -> LiveBar | None:
        """The bar whose span contains the instant; None where nothing trades."""
        ...

    def price(self, symbol: str, now_ns: int) -> float | None:
        """The path price; the last close where no bar is; None before the first bar."""
        ...

    def quote(self, symbol: str, now_ns: int) -> Quote | None:
        """Best bid and offer."""
        ...

    def previous_close(self, symbol: str, now_ns: int) -> float | None:
        """The close of the last session that ended before the instant's own."""
        ...

    def instants(self, after_ns: int, until_ns: int) -> Iterable[Instant]:
        """What happens in (after_ns, until_ns], in order."""
        ...

    def actions(self, symbol: str, after_ns: int, until_ns: int) -> Sequence[CorporateAction]:
        """Splits and dividends that take effect in (after_ns, until_ns]."""
        ...

    def halted(self, symbol: str, now_ns: int) -> Halt | None: ...

    def asset(self, symbol: str) -> Asset | None: ...

    def assets(self) -> Sequence[Asset]: ...
