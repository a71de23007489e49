"""Which kinds of order the venue takes: class x time in force x type, per asset class, as a table.

Documented by Alpaca. What a row leaves out is refused, with the catalogue's entry that stands beside it.
"""

from __future__ import annotations

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import AssetClass

TYPES = ("market", "limit", "stop", "stop_limit", "trailing_stop")
TIMES_IN_FORCE = ("day", "gtc", "opg", "cls", "ioc", "fok")
CLASSES = ("simple", "bracket", "oco", "oto", "mleg")

_AUCTION = ("market", "limit")
_PLAIN = ("market", "limit", "stop", "stop_limit")

KINDS: dict[AssetClass, dict[str, dict[str, tuple[str, ...]]]] = {
    AssetClass.US_EQUITY: {
        "simple": {
            "day": TYPES,
            "gtc": TYPES,
            "opg": _AUCTION,
            "cls": _AUCTION,
            "ioc": _AUCTION,
            "fok": _AUCTION,
        },
        "bracket": {"day": _PLAIN, "gtc": _PLAIN},
        "oto": {"day": _PLAIN, "gtc": _PLAIN},
        "oco": {"day": ("limit",), "gtc": ("limit",)},
    },
    AssetClass.CRYPTO: {
        "simple": {"gtc": ("market", "limit", "stop_limit"), "ioc": ("market", "limit", "stop_limit")},
    },
    AssetClass.US_OPTION: {
        "simple": {"day": _PLAIN, "gtc": _PLAIN},
        "mleg": {"day": _AUCTION, "gtc": _AUCTION},
    },
}


def refused_kind(asset_class: AssetClass, order_class: str, tif: str, type_: str) -> Refusal | None:
    """Why the venue takes no such order; None when it does."""
    by_class = KINDS[asset_class]
    if order_class not in by_class:
        if asset_class is AssetClass.CRYPTO:
            return refusal("crypto_class")
        return refusal("option_class") if asset_class is AssetClass.US_OPTION else refusal("mleg_symbol")
    by_tif = by_class[order_class]
    if tif not in by_tif:
        if asset_class is AssetClass.CRYPTO:
            return refusal("crypto_tif")
        if asset_class is AssetClass.US_OPTION:
            return refusal("option_tif")
        return refusal("complex_tif", order_class=order_class)
    if type_ not in by_tif[tif]:
        if asset_class is AssetClass.CRYPTO:
            return refusal("crypto_type")
        if asset_class is AssetClass.US_OPTION:
            return refusal("mleg_types" if order_class == "mleg" else "option_type")
        if order_class == "oco":
            return refusal("oco_limit")
        if order_class != "simple":
            return refusal("complex_type", order_class=order_class)
        return refusal("auction_types" if tif in ("opg", "cls") else "immediate_types", tif=tif)
    return None
