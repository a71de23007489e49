"""Interventions: what somebody other than the client does to orders, accounts and trading."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from typing import Any, Literal

from magellan.errors import FixInput
from magellan.exchange.market.halt import Halt
from magellan.exchange.server.disturbed_market import DisturbedMarket
from magellan.exchange.venue.broker_side import (
    CancelNow,
    FillNow,
    ForcedClose,
    Happened,
    ManualOrder,
    RejectAfterAccept,
    Restrict,
    SplitNow,
    StuckPendingCancel,
)
from magellan.exchange.venue.venue import Venue
from magellan.exchange.venue.wire import Reply, Request

Restriction = Literal["trading_blocked", "account_blocked", "trade_suspended_by_user"]
Side = Literal["buy", "sell"]
_REASONS = {
    "T1": "Halt - News Pending",
    "T12": "Halt - Additional Information Requested",
    "LUDP": "Volatility Trading Pause",
}
_WHOLE, _NINE_DIGITS = Decimal(1), Decimal("0.000000001")


class Interventions:
    """Carries out what the broker, the exchange or a person by hand does; control API and fault plans call it.

    tell_status: told of a halt or its end (None), to be published.
    """

    def __init__(
        self, market: DisturbedMarket, venue: Venue, *, tell_status: Callable[[str, int, Halt | None], None]
    ) -> None:
        self._market = market
        self._venue = venue
        self._tell_status = tell_status

    # -- orders --------------------------------------------------------------------------------------------

    def stick_cancel(self, account_id: str, order_id: str) -> None:
        """Let the order's cancel be accepted and never land."""
        self._let(account_id, StuckPendingCancel(order_id=order_id))

    def fill_before_cancel(self, account_id: str, order_id: str, now_ns: int) -> None:
        """Fill the order before its cancel arrives, at its limit or at the price now."""
        order = self._order(account_id, order_id, now_ns)
        if order is not None:
            self._let(account_id, FillNow(order_id=order_id, price=self._price(order, now_ns)))

    def reject(self, account_id: str, order_id: str) -> None:
        """Let the exchange reject an order that was accepted."""
        self._let(account_id, RejectAfterAccept(order_id=order_id))

    def fill_part_then_cancel(self, account_id: str, order_id: str, fraction: float, now_ns: int) -> None:
        """Fill part of an order, in whole units where there is more than one, and cancel the rest."""
        order = self._order(account_id, order_id, now_ns)
        if order is None or order["qty"] is None:
            return
        asked = Decimal(order["qty"])
        step = _WHOLE if asked > 1 else _NINE_DIGITS
        part = max(step, (asked * Decimal(str(fraction))).quantize(step, ROUND_DOWN))
        self._let(account_id, FillNow(order_id=order_id, price=self._price(order, now_ns), qty=part))
        self._let(account_id, CancelNow(order_id=order_id))

    def order(self, account_id: str, symbol: str, side: Side, qty: Decimal) -> None:
        """Enter an order in the account, as a person by hand. Raises FixInput where the venue refuses it."""
        self._venue.external(account_id, ManualOrder(symbol=symbol, side=side, qty=qty))

    def close(self, account_id: str, symbol: str) -> None:
        """Close a position, as the broker does; nothing where there is none."""
        self._let(account_id, ForcedClose(symbol=symbol))

    def restrict(self, account_id: str, restriction: Restriction) -> None:
        """Restrict an account."""
        self._let(account_id, Restrict(restriction=restriction))

    def _let(self, account_id: str, what: Happened) -> bool:
        """Let something happen where it can; returns whether it could.

        A plan names what may be gone when its time comes (an order that has filled), which is no mistake in it.
        """
        try:
            self._venue.external(account_id, what)
        except FixInput:
            return False
        return True

    def _order(self, account_id: str, order_id: str, now_ns: int) -> dict[str, Any] | None:
        found: Reply = self._venue.request(
            account_id, Request(method="GET", path=f"/orders/{order_id}"), now_ns
        )
        return None if found.is_error else found.body

    def _price(self, order: dict[str, Any], now_ns: int) -> Decimal:
        if order["limit_price"] is not None:
            return Decimal(order["limit_price"])
        price = self._market.price(order["symbol"], now_ns)
        assert price is not None, "an order that was accepted has a price to fill at"
        return Decimal(str(round(price, 4)))

    # -- market --------------------------------------------------------------------------------------------

    def split(self, account_ids: list[str], symbol: str, new_shares: int, old_shares: int) -> None:
        """Let a split take effect; the venue does so for all accounts at once."""
        if account_ids:
            self._let(account_ids[0], SplitNow(symbol=symbol, new_shares=new_shares, old_shares=old_shares))

    def halt(self, symbol: str, reason_code: str, now_ns: int) -> None:
        """Halt trading in a symbol until it is resumed."""
        reason = _REASONS.get(reason_code, "Halt")
        halt = Halt(symbol=symbol, from_ns=now_ns, until_ns=None, reason_code=reason_code, reason=reason)
        self._market.order_halt(halt)
        self._tell_status(symbol, now_ns, halt)

    def resume(self, symbol: str, now_ns: int) -> None:
        """End a halt; nothing where there is none."""
        if self._market.resume(symbol, now_ns):
            self._tell_status(symbol, now_ns, None)
