"""A vendor of bars: whoever sells or lends them over the network.

Kept by `adapters/alpaca`, `adapters/polygon` and `adapters/yahoo`, and held to by tests/adapters. Asking
changes nothing, so a vendor repeats a request by itself where that can help (a time-out, "too many requests",
a fault at the vendor's), and raises one of the errors below where it cannot, or did not.
"""

from __future__ import annotations

from typing import Protocol

from magellan.archive.dataset import Adjustment, DateRange, SetId
from magellan.errors import FixInput, TryAgain
from magellan.trading.bar import Bars
from magellan.trading.session import Hours
from magellan.trading.timeframe import Timeframe


class VendorRefused(FixInput):
    """The vendor will not answer this request however often it is asked: wrong key, plan, symbol or range."""


class VendorBusy(TryAgain):
    """The vendor is not ready: too many requests, or a fault on its side."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after_s = retry_after_s  # what the vendor asked us to wait; None when it did not say


class VendorUnreachable(TryAgain):
    """No answer came, or only a part of one: no connection, a time-out, a connection cut in the middle."""


class VendorUnreadable(TryAgain):
    """What came back is not what the vendor's documents promise: a web page, other fields, another symbol."""


class BarVendor(Protocol):
    """One vendor, with the user's key."""

    @property
    def name(self) -> str:
        """As in `SetId.vendor`, for example alpaca."""
        ...

    def set_id(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        feed: str | None,
        adjustment: Adjustment | None,
        hours: Hours | None,
    ) -> SetId:
        """The set that such a request fills. None means what the vendor delivers by itself.

        Raises: VendorRefused for what the vendor does not deliver, naming what it does.
        """
        ...

    def days_per_request(self, timeframe: Timeframe) -> int:
        """How many calendar days to ask for at once: as much as is lost when a request is interrupted."""
        ...

    def bars(self, set_id: SetId, dates: DateRange) -> Bars:
        """All bars of those exchange dates, pages put together; empty where the vendor has none.

        Daily bars are labelled with midnight UTC of their date. Nothing is said about completeness: a vendor
        may leave out what it likes, see `usecases/fetch_bars.py`.
        Raises: VendorRefused, VendorBusy, VendorUnreachable, VendorUnreadable.
        """
        ...
