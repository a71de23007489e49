"""Entitlement: what a market data subscription may see, and which feeds there are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from magellan.exchange.market.spread import mixed, symbol_key
from magellan.trading.timeframe import MINUTE_NS

SIP_DELAY_NS = 15 * MINUTE_NS
_LEAST_IEX_SHARE, _MOST_IEX_SHARE = 0.020, 0.035  # of the consolidated volume


class Feed(StrEnum):
    """Sources of share data, in Alpaca's words."""

    SIP = "sip"  # all exchanges
    IEX = "iex"  # one exchange: the same prices, a small and steady share of the volume
    DELAYED_SIP = "delayed_sip"  # all exchanges, fifteen minutes late
    BOATS = "boats"  # overnight, where these markets do not trade
    OVERNIGHT = "overnight"  # likewise
    OTC = "otc"  # over the counter, which these markets do not hold


HISTORICAL_FEEDS = frozenset({Feed.SIP, Feed.IEX, Feed.BOATS, Feed.OTC})
EMPTY_FEEDS = frozenset({Feed.BOATS, Feed.OVERNIGHT, Feed.OTC})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What one subscription includes. Source: documented, "Subscription plans"."""

    name: str
    recent_sip: bool  # consolidated data of the last fifteen minutes, and the SIP stream
    opra: bool  # consolidated option data
    stream_symbols_max: int | None  # trades plus quotes on one stream; None: no limit
    option_quotes_max: int | None  # quotes on the option stream


BASIC = Entitlement(name="basic", recent_sip=False, opra=False, stream_symbols_max=30, option_quotes_max=200)
ALGO_TRADER_PLUS = Entitlement(
    name="algo trader plus", recent_sip=True, opra=True, stream_symbols_max=None, option_quotes_max=1000
)


def volume_share(feed: Feed, symbol: str) -> float:
    """The part of a share's volume that a feed sees, in (0, 1]; for IEX it belongs to the symbol. Ours."""
    if feed is not Feed.IEX:
        return 1.0
    place = mixed(symbol_key(0, symbol)) % 10_000 / 10_000.0
    return _LEAST_IEX_SHARE + place * (_MOST_IEX_SHARE - _LEAST_IEX_SHARE)
