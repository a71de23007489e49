"""Styles: the numbers behind "large cap", "small cap", "index" and "thin"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """What kind of instrument a generated symbol behaves like."""

    INDEX = "index"  # a broad fund: moves with the market, hardly on its own
    LARGE_CAP = "large cap"  # trades in every minute of the session
    SMALL_CAP = "small cap"  # rough; a day of crash and reclaim about every three weeks
    THIN = "thin"  # about half of the session's minutes have no trade


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleNumbers:
    """How a style moves and trades. Daily figures are standard deviations of log returns, close to close."""

    lowest_price_usd: float  # the first price lies between these two
    highest_price_usd: float
    market_beta: float  # how far it moves when the market moves by 1
    own_volatility: float  # per day, beside the market's
    own_trend_per_year: float  # how far its own moods push it, up or down, in a year that stays in one mood
    shares_per_day: float  # typical volume of the regular session
    shares_per_trade: float
    extended_share: float  # volume before and after the session, as a share of the session's
    wild_days: bool  # crashes and surges, see wild_day.py


MARKET_VOLATILITY = 0.0095  # per day
MARKET_DRIFT_PER_YEAR = 0.06
MARKET_TREND_PER_YEAR = 0.08  # added in a good mood of strength 1, taken away in a bad one
OVERNIGHT_SHARE = 0.25  # of a day's variance; the rest belongs to the session

NUMBERS = {
    Style.INDEX: StyleNumbers(
        lowest_price_usd=150.0,
        highest_price_usd=450.0,
        market_beta=1.0,
        own_volatility=0.002,
        own_trend_per_year=0.0,
        shares_per_day=30e6,
        shares_per_trade=180.0,
        extended_share=0.04,
        wild_days=False,
    ),
    Style.LARGE_CAP: StyleNumbers(
        lowest_price_usd=40.0,
        highest_price_usd=320.0,
        market_beta=1.1,
        own_volatility=0.013,
        own_trend_per_year=0.15,
        shares_per_day=9e6,
        shares_per_trade=120.0,
        extended_share=0.03,
        wild_days=False,
    ),
    Style.SMALL_CAP: StyleNumbers(
        lowest_price_usd=4.0,
        highest_price_usd=14.0,
        market_beta=1.2,
        own_volatility=0.042,
        own_trend_per_year=0.3,
        shares_per_day=2.5e6,
        shares_per_trade=350.0,
        extended_share=0.06,
        wild_days=True,
    ),
    Style.THIN: StyleNumbers(
        lowest_price_usd=6.0,
        highest_price_usd=30.0,
        market_beta=0.6,
        own_volatility=0.028,
        own_trend_per_year=0.2,
        shares_per_day=45e3,
        shares_per_trade=160.0,
        extended_share=0.02,
        wild_days=False,
    ),
}
