"""Order terms: what is wrong with a new order whatever the account holds: its kind, size, hours, prices."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.venue import options
from magellan.exchange.venue.account import Account
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.booked_price import price_step
from magellan.exchange.venue.order_kinds import refused_kind
from magellan.exchange.venue.ticket import Ticket
from magellan.exchange.venue.trading_times import refused_window
from magellan.exchange.venue.wire_format import CENT, text


def asset_refused(asset: Asset) -> Refusal | None:
    """Whether the asset can be traded at all."""
    if not asset.active:
        return refusal("asset_not_active", symbol=asset.symbol)
    if not asset.tradable:
        return refusal("asset_not_tradable", symbol=asset.symbol)
    return None


def refused_terms(book: Book, account: Account, ticket: Ticket, asset: Asset) -> Refusal | None:
    """What is wrong with the order's terms, whatever the account holds."""
    refused = refused_kind(asset.asset_class, ticket.order_class, ticket.tif, ticket.type)
    checks: tuple[Callable[[], Refusal | None], ...] = (
        lambda: _size_refused(account, ticket, asset),
        lambda: _extended_refused(book, ticket, asset),
        lambda: refused_window(book, ticket.tif),
        lambda: _steps_refused(ticket, asset),
        lambda: options.refused_contract(book, account, ticket, asset),
        lambda: _market_price_refused(book, ticket, asset),
    )
    for check in checks:
        if refused is not None:
            return refused
        refused = check()
    return refused


def _size_refused(account: Account, ticket: Ticket, asset: Asset) -> Refusal | None:
    """Fractions, notional amounts, and the least size of coins."""
    if asset.asset_class is AssetClass.US_OPTION:
        if ticket.notional is not None:
            return refusal("option_notional")
        return refusal("option_whole") if ticket.fractional else None
    if asset.asset_class is AssetClass.CRYPTO:
        least = asset.min_order_size
        if least is not None and ticket.qty is not None and ticket.qty < least:
            return refusal("crypto_size", minimum=text(least))
        return None
    if not ticket.fractional:
        return None
    if not account.settings.fractional_trading:
        return refusal("fractional_off")
    if not asset.fractionable:
        return refusal("not_fractionable", symbol=asset.symbol)
    if ticket.order_class != "simple":
        return refusal("fractional_simple")
    if ticket.tif != "day":
        return refusal("fractional_day")
    if ticket.type == "trailing_stop":
        return refusal("fractional_types")
    if ticket.notional is not None and ticket.type != "market":
        return refusal("notional_market")
    return None


def _extended_refused(book: Book, ticket: Ticket, asset: Asset) -> Refusal | None:
    if not ticket.extended_hours:
        return None
    if asset.asset_class is AssetClass.US_OPTION:
        return refusal("option_extended")
    if asset.asset_class is AssetClass.CRYPTO:
        return None
    if ticket.order_class != "simple":
        return refusal("extended_complex")
    if not book.era.extended_gtc:
        if ticket.type != "limit" or ticket.tif != "day":
            return refusal("extended_day_limit")
    elif ticket.type != "limit" or ticket.tif not in ("day", "gtc"):
        return refusal("extended_limit")
    return None


def _steps_refused(ticket: Ticket, asset: Asset) -> Refusal | None:
    """Prices that are finer than the exchange takes."""
    prices = (
        ("limit_price", ticket.limit_price),
        ("stop_price", ticket.stop_price),
        ("take_profit.limit_price", ticket.take_profit),
        ("stop_loss.stop_price", ticket.stop_loss),
        ("stop_loss.limit_price", ticket.stop_loss_limit),
    )
    for name, price in prices:
        refused = None if price is None else refused_step(asset, name, price)
        if refused is not None:
            return refused
    return None


def refused_step(asset: Asset, name: str, price: Decimal | None) -> Refusal | None:
    """Whether a price is finer than the exchange takes."""
    if price is None:
        return None
    if asset.asset_class is AssetClass.US_OPTION:
        return refusal("option_decimals") if price % CENT != 0 else None
    if price % price_step(asset, price) != 0:
        return refusal("sub_penny", name=name, value=text(price))
    return None


def _market_price_refused(book: Book, ticket: Ticket, asset: Asset) -> Refusal | None:
    """Stops on the wrong side of the market, and exits on the wrong side of the price they start from."""
    current = book.price(asset.symbol)
    if current is None:
        return refusal("no_price", symbol=asset.symbol)
    if ticket.stop_price is not None:
        refused = refused_stop(ticket.side, ticket.stop_price, current)
        if refused is not None:
            return refused
    if ticket.order_class == "simple":
        return None
    if ticket.order_class == "oco":
        return _oco_refused(ticket, current)
    base = ticket.limit_price or ticket.stop_price or current
    return _exits_refused(ticket, base)


def refused_stop(side: str, stop: Decimal, current: Decimal) -> Refusal | None:
    """A stop that the market has passed already would be a market order in disguise."""
    if side == "sell" and stop >= current:
        return refusal("stop_below_market", market_price=text(current), stop_price=text(stop))
    if side == "buy" and stop <= current:
        return refusal("stop_above_market", market_price=text(current), stop_price=text(stop))
    return None


def _exits_refused(ticket: Ticket, base: Decimal) -> Refusal | None:
    """Exits of a bracket or OTO, seen from the entry's price."""
    long = ticket.side == "buy"
    target, stop = ticket.take_profit, ticket.stop_loss
    if target is not None:
        if long and target < base + CENT:
            return refusal("take_profit_above", base_price=text(base))
        if not long and target > base - CENT:
            return refusal("take_profit_below", base_price=text(base))
    if stop is not None:
        if long and stop > base - CENT:
            return refusal("stop_loss_below", base_price=text(base))
        if not long and stop < base + CENT:
            return refusal("stop_loss_above", base_price=text(base))
    return None


def _oco_refused(ticket: Ticket, current: Decimal) -> Refusal | None:
    """The two exits of an OCO, seen from each other and from the market."""
    target = ticket.take_profit or ticket.limit_price
    stop = ticket.stop_loss
    assert target is not None and stop is not None, "checked with the ticket's shape"
    if ticket.side == "sell" and target <= stop:
        return refusal("take_profit_over_stop")
    if ticket.side == "buy" and target >= stop:
        return refusal("take_profit_under_stop")
    return refused_stop(ticket.side, stop, current)
