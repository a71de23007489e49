"""Asking the market data API in tests."""

from datetime import date
from decimal import Decimal
from functools import cache

from exchange.market.sample_market import HALF_DAY, MONDAY, at, new_york
from magellan.exchange.data_api.data_api import DataApi
from magellan.exchange.data_api.entitlement import ALGO_TRADER_PLUS
from magellan.exchange.market.generated_bars import GeneratedBars
from magellan.exchange.market.market import Market
from magellan.trading.bar import Bars, instant
from magellan.trading.corporate_action import CashDividend, Split

SYMBOLS = ("AAA", "BBB", "BTC/USD")
CALL, PUT = "AAA250711C00245000", "AAA250711P00245000"
NOW_NS = at(MONDAY, 11, 15, 20.5)
FIRST_NS, LAST_NS = at(HALF_DAY, 0), at(date(2025, 7, 8), 0)
ACTIONS = (
    Split(symbol="AAA", effective_at=instant(at(MONDAY, 0)), new_shares=2, old_shares=1),
    Split(symbol="BBB", effective_at=instant(at(date(2025, 7, 8), 0)), new_shares=1, old_shares=10),
    CashDividend(symbol="BBB", ex_at=instant(at(MONDAY, 0)), amount_usd=Decimal("0.25")),
)

# One query per endpoint: (path, parameters). Parameters keep the answers small where they can be.
DAY = {"start": "2025-07-07"}
EVERY_ENDPOINT = [
    ("/v2/stocks/bars", {"symbols": "AAA,BBB", "timeframe": "5Min", **DAY}),
    ("/v2/stocks/AAA/bars", {"timeframe": "1Day", "start": "2025-07-01", "adjustment": "all"}),
    ("/v2/stocks/quotes", {"symbols": "AAA,BBB", "start": "2025-07-07T15:14:00Z"}),
    ("/v2/stocks/AAA/quotes", {"start": "2025-07-07T15:14:00Z", "sort": "desc"}),
    ("/v2/stocks/trades", {"symbols": "AAA,BBB", "start": "2025-07-07T15:10:00Z"}),
    ("/v2/stocks/BBB/trades", {"start": "2025-07-07T15:10:00Z", "feed": "iex"}),
    ("/v2/stocks/auctions", {"symbols": "AAA,BBB", "start": "2025-07-03"}),
    ("/v2/stocks/AAA/auctions", {"start": "2025-07-03"}),
    ("/v2/stocks/bars/latest", {"symbols": "AAA,BBB"}),
    ("/v2/stocks/AAA/bars/latest", {"feed": "iex"}),
    ("/v2/stocks/quotes/latest", {"symbols": "AAA,BBB"}),
    ("/v2/stocks/AAA/quotes/latest", {"feed": "delayed_sip"}),
    ("/v2/stocks/trades/latest", {"symbols": "AAA,BBB"}),
    ("/v2/stocks/AAA/trades/latest", {}),
    ("/v2/stocks/snapshots", {"symbols": "AAA,BBB"}),
    ("/v2/stocks/AAA/snapshot", {"feed": "iex"}),
    ("/v2/stocks/meta/exchanges", {}),
    ("/v2/stocks/meta/conditions/trade", {"tape": "A"}),
    ("/v1/corporate-actions", {"start": "2025-07-01"}),
    ("/v1beta3/crypto/us/bars", {"symbols": "BTC/USD", "timeframe": "1Hour", **DAY}),
    ("/v1beta3/crypto/us/quotes", {"symbols": "BTC/USD", "start": "2025-07-07T15:14:00Z"}),
    ("/v1beta3/crypto/us/trades", {"symbols": "BTC/USD", "start": "2025-07-07T15:14:00Z"}),
    ("/v1beta3/crypto/us/latest/bars", {"symbols": "BTC/USD"}),
    ("/v1beta3/crypto/us/latest/quotes", {"symbols": "BTC/USD"}),
    ("/v1beta3/crypto/us/latest/trades", {"symbols": "BTC/USD"}),
    ("/v1beta3/crypto/us/latest/orderbooks", {"symbols": "BTC/USD"}),
    ("/v1beta3/crypto/us/snapshots", {"symbols": "BTC/USD"}),
    ("/v1beta1/options/bars", {"symbols": f"{CALL},{PUT}", "timeframe": "1Hour", **DAY}),
    ("/v1beta1/options/trades", {"symbols": CALL, "start": "2025-07-07T15:00:00Z"}),
    ("/v1beta1/options/trades/latest", {"symbols": f"{CALL},{PUT}"}),
    ("/v1beta1/options/quotes/latest", {"symbols": f"{CALL},{PUT}"}),
    ("/v1beta1/options/snapshots", {"symbols": f"{CALL},{PUT}"}),
    ("/v1beta1/options/snapshots/AAA", {"expiration_date": "2025-07-11", "limit": "5"}),
    ("/v1beta1/options/meta/exchanges", {}),
    ("/v1beta1/options/meta/conditions/quote", {}),
    ("/v1beta1/screener/stocks/most-actives", {}),
    ("/v1beta1/screener/stocks/movers", {}),
    ("/v1beta1/news", {}),
    ("/v1beta1/forex/latest/rates", {"currency_pairs": "USDJPY"}),
    ("/v1beta1/forex/rates", {"currency_pairs": "USDJPY"}),
    ("/v1beta1/fixed_income/latest/prices", {"isins": "US912797LX82"}),
    ("/v1beta1/fixed_income/latest/quotes", {"isins": "US912797LX82"}),
]


@cache
def bars() -> dict[str, Bars]:
    """The minutes of a half day, a weekend and a Monday."""
    source = GeneratedBars(SYMBOLS, new_york(), seed=7)
    return {symbol: source.bars(symbol, FIRST_NS, LAST_NS) for symbol in SYMBOLS}


@cache
def api() -> DataApi:
    """The API over those minutes."""
    return DataApi(Market(bars(), new_york(), actions=ACTIONS, seed=7))


def ask(path, query=None, *, now_ns=NOW_NS, entitlement=ALGO_TRADER_PLUS, over=None):
    """The reply to one GET. query: one value per name."""
    values = {name: [str(value)] for name, value in (query or {}).items()}
    return (over or api()).answer(path, values, now_ns, entitlement)


def body(path, query=None, **rest):
    """The body of a reply that must be good."""
    reply = ask(path, query, **rest)
    assert reply.status == 200, reply
    return reply.body
