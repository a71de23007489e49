"""The market data API: a path and a query at an instant, to a reply. The table of its endpoints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from magellan.exchange.data_api import corporate_actions, crypto, options, reference_data, screener, stocks
from magellan.exchange.data_api.entitlement import Entitlement
from magellan.exchange.data_api.query import Query
from magellan.exchange.data_api.reply import Refused, Reply, error_reply
from magellan.exchange.market.market import Market

Handler = Callable[..., Reply]  # (market, query, now_ns, entitlement, *what stands in the path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path, its parameters, and the function that answers."""

    path: str  # as Alpaca's documents write it
    pattern: re.Pattern[str]
    parameters: frozenset[str]
    answer: Handler


def _endpoint(path: str, parameters: frozenset[str], answer: Handler) -> Endpoint:
    pattern = re.compile(re.sub(r"\{\w+\}", "([^/]+)", path) + "/?")
    return Endpoint(path=path, pattern=pattern, parameters=parameters, answer=answer)


def _multi(answer: Handler) -> Handler:
    """A share's endpoint, asked for the symbols of its query."""
    return lambda market, query, now_ns, entitlement: answer(market, query, now_ns, entitlement, None)


ENDPOINTS: tuple[Endpoint, ...] = (
    _endpoint("/v2/stocks/bars", stocks.BARS | stocks.SYMBOLS, _multi(stocks.bars)),
    _endpoint("/v2/stocks/quotes", stocks.HISTORICAL | stocks.SYMBOLS, _multi(stocks.quotes)),
    _endpoint("/v2/stocks/trades", stocks.HISTORICAL | stocks.SYMBOLS, _multi(stocks.trades)),
    _endpoint("/v2/stocks/auctions", stocks.HISTORICAL | stocks.SYMBOLS, _multi(stocks.auctions)),
    _endpoint("/v2/stocks/bars/latest", stocks.LATEST | stocks.SYMBOLS, _multi(stocks.latest_bars)),
    _endpoint("/v2/stocks/quotes/latest", stocks.LATEST | stocks.SYMBOLS, _multi(stocks.latest_quotes)),
    _endpoint("/v2/stocks/trades/latest", stocks.LATEST | stocks.SYMBOLS, _multi(stocks.latest_trades)),
    _endpoint("/v2/stocks/snapshots", stocks.LATEST | stocks.SYMBOLS, _multi(stocks.snapshots)),
    _endpoint("/v2/stocks/meta/exchanges", reference_data.NOTHING, reference_data.stock_exchanges),
    _endpoint(
        "/v2/stocks/meta/conditions/{ticktype}", reference_data.CONDITIONS, reference_data.stock_conditions
    ),
    _endpoint("/v2/stocks/{symbol}/bars", stocks.BARS, stocks.bars),
    _endpoint("/v2/stocks/{symbol}/quotes", stocks.HISTORICAL, stocks.quotes),
    _endpoint("/v2/stocks/{symbol}/trades", stocks.HISTORICAL, stocks.trades),
    _endpoint("/v2/stocks/{symbol}/auctions", stocks.HISTORICAL, stocks.auctions),
    _endpoint("/v2/stocks/{symbol}/bars/latest", stocks.LATEST, stocks.latest_bars),
    _endpoint("/v2/stocks/{symbol}/quotes/latest", stocks.LATEST, stocks.latest_quotes),
    _endpoint("/v2/stocks/{symbol}/trades/latest", stocks.LATEST, stocks.latest_trades),
    _endpoint("/v2/stocks/{symbol}/snapshot", stocks.LATEST, stocks.snapshots),
    _endpoint("/v1/corporate-actions", corporate_actions.PARAMETERS, corporate_actions.corporate_actions),
    _endpoint("/v1beta3/crypto/{loc}/bars", crypto.BARS, crypto.bars),
    _endpoint("/v1beta3/crypto/{loc}/quotes", crypto.HISTORICAL, crypto.quotes),
    _endpoint("/v1beta3/crypto/{loc}/trades", crypto.HISTORICAL, crypto.trades),
    _endpoint("/v1beta3/crypto/{loc}/latest/bars", crypto.SYMBOLS, crypto.latest_bars),
    _endpoint("/v1beta3/crypto/{loc}/latest/quotes", crypto.SYMBOLS, crypto.latest_quotes),
    _endpoint("/v1beta3/crypto/{loc}/latest/trades", crypto.SYMBOLS, crypto.latest_trades),
    _endpoint("/v1beta3/crypto/{loc}/latest/orderbooks", crypto.SYMBOLS, crypto.latest_orderbooks),
    _endpoint("/v1beta3/crypto/{loc}/snapshots", crypto.SYMBOLS, crypto.snapshots),
    _endpoint("/v1beta1/options/bars", options.BARS, options.bars),
    _endpoint("/v1beta1/options/trades", options.HISTORICAL, options.trades),
    _endpoint("/v1beta1/options/trades/latest", options.LATEST, options.latest_trades),
    _endpoint("/v1beta1/options/quotes/latest", options.LATEST, options.latest_quotes),
    _endpoint("/v1beta1/options/snapshots", options.SNAPSHOTS, options.snapshots),
    _endpoint("/v1beta1/options/snapshots/{underlying_symbol}", options.CHAIN, options.chain),
    _endpoint("/v1beta1/options/meta/exchanges", reference_data.NOTHING, reference_data.option_exchanges),
    _endpoint(
        "/v1beta1/options/meta/conditions/{ticktype}",
        reference_data.NOTHING,
        reference_data.option_conditions,
    ),
    _endpoint("/v1beta1/screener/stocks/most-actives", screener.MOST_ACTIVES, screener.most_actives),
    _endpoint("/v1beta1/screener/{market_type}/movers", screener.MOVERS, screener.movers),
    _endpoint("/v1beta1/news", reference_data.NEWS, reference_data.news),
    _endpoint("/v1beta1/logos/{symbol}", reference_data.LOGO, reference_data.logo),
    _endpoint("/v1beta1/forex/latest/rates", reference_data.FOREX_LATEST, reference_data.latest_forex_rates),
    _endpoint("/v1beta1/forex/rates", reference_data.FOREX, reference_data.forex_rates),
    _endpoint("/v1beta1/fixed_income/latest/prices", reference_data.BONDS, reference_data.bond_prices),
    _endpoint("/v1beta1/fixed_income/latest/quotes", reference_data.BOND_QUOTES, reference_data.bond_quotes),
)


class DataApi:
    """Every GET of the market data API over one market. Pure: the same arguments, the same reply."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def serves(self, path: str) -> bool:
        """Whether a path (percent-decoded, with its version) belongs to this API."""
        return _matching(path) is not None

    def answer(
        self, path: str, query: Mapping[str, Sequence[str]], now_ns: int, entitlement: Entitlement
    ) -> Reply:
        """The reply to a GET.

        path:  percent-decoded, with its version: "/v2/stocks/AAPL/bars".
        query: every value of every name. now_ns: nanoseconds UTC; nothing later shows in the reply.
        """
        found = _matching(path)
        if found is None:
            return error_reply("endpoint not found")
        endpoint, parts = found
        try:
            asked = Query(query, endpoint.parameters)
            return endpoint.answer(self._market, asked, now_ns, entitlement, *parts)
        except Refused as refusal:
            return refusal.reply


def _matching(path: str) -> tuple[Endpoint, tuple[str, ...]] | None:
    for endpoint in ENDPOINTS:
        match = endpoint.pattern.fullmatch(path)
        if match is not None:
            return endpoint, match.groups()
    return None
