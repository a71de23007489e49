"""The venue's past: copies of it after every change, for reads that lag behind."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Callable

from magellan.exchange.market.market import Market
from magellan.exchange.venue.venue import Venue
from magellan.exchange.venue.wire import Reply, Request

KEPT = 500


class VenuePast:
    """What the venue would have answered a while ago.

    Copies are made only while `is_wanted` says so, since each copies every order there is.
    """

    def __init__(self, venue: Venue, market: Market, *, is_wanted: Callable[[], bool]) -> None:
        self._venue = venue
        self._market = market
        self._is_wanted = is_wanted
        self._copies: list[tuple[int, Venue]] = []

    def remember(self, now_ns: int) -> None:
        """Keep the venue as it stands; to be called after every change, and once before the first."""
        if not self._is_wanted():
            return
        # The market is shared: it never changes by what is traded.
        kept = copy.deepcopy(self._venue, {id(self._market): self._market})
        if self._copies and self._copies[-1][0] == now_ns:
            self._copies[-1] = (now_ns, kept)
        else:
            self._copies.append((now_ns, kept))
        del self._copies[:-KEPT]

    def request(self, account_id: str, request: Request, now_ns: int, as_of_ns: int) -> Reply:
        """The answer that the venue gave at an earlier instant; today's where it is not known."""
        at = bisect_right(self._copies, as_of_ns, key=lambda each: each[0])
        if at == 0 or not self._knows(self._copies[at - 1][1], account_id):
            return self._venue.request(account_id, request, now_ns)
        return self._copies[at - 1][1].request(account_id, request, as_of_ns)

    def _knows(self, venue: Venue, account_id: str) -> bool:
        return account_id in venue.snapshot()["accounts"]
