"""The option board: generated contracts on every share of a market, priced from its bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np

from magellan.exchange.market.asset import Asset, AssetClass, asset_id
from magellan.exchange.market.option_contract import (
    OptionContract,
    Right,
    is_listed,
    listed_expiries,
    listed_strikes,
)
from magellan.exchange.market.option_pricing import (
    YEAR_S,
    Greeks,
    greeks,
    option_prices,
    volatility,
)
from magellan.exchange.market.trading_hours import day_start_ns
from magellan.trading.bar import Bars
from magellan.trading.timeframe import HOUR_NS, SECOND_NS

_EXPIRES_AFTER_NS = 16 * HOUR_NS  # 16:00 on the exchange's clock
_CONTRACTS_PER_SHARE = 0.0004  # an option's volume as a share of its underlying's


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionState:
    """What the model says about a contract at one instant."""

    implied_volatility: float
    greeks: Greeks


class OptionBoard:
    """Contracts on the shares of a market. Nothing about them is history: prices come from a model."""

    def __init__(self, underlyings: frozenset[str], seed: int) -> None:
        self._underlyings = underlyings
        self._seed = seed
        self.contract: Callable[[str], OptionContract | None] = lru_cache(maxsize=65536)(self._parsed)

    def asset(self, symbol: str) -> Asset | None:
        """The terms of a contract; None for a symbol that names none on these shares."""
        contract = self.contract(symbol)
        if contract is None:
            return None
        return Asset(
            id=asset_id(symbol),
            symbol=symbol,
            name=contract.name,
            asset_class=AssetClass.US_OPTION,
            exchange="OPRA",
            marginable=False,
            shortable=False,
            easy_to_borrow=False,
            fractionable=False,
        )

    def chain(self, underlying: str, price: float, today: date) -> Iterator[OptionContract]:
        """The listed contracts of one share, by expiry, calls before puts, by strike."""
        strikes = listed_strikes(price)
        for expires_on in listed_expiries(today):
            for right in Right:
                for strike in strikes:
                    yield OptionContract(
                        underlying=underlying, expires_on=expires_on, right=right, strike=strike
                    )

    def was_listed(self, contract: OptionContract, today: date) -> bool:
        """Whether the contract trades on a date or has expired before it: its history can be asked for."""
        return is_listed(contract, min(today, contract.expires_on))

    def bars(self, contract: OptionContract, bars: Bars) -> Bars:
        """The contract's bars, from those of its share's regular sessions. None after it has expired."""
        live = bars.rows(bars.opened_at_ns < self.expires_ns(contract))
        if len(live) == 0:
            return replace(live, symbol=contract.symbol)
        years = (self.expires_ns(contract) - live.opened_at_ns) / SECOND_NS / YEAR_S
        # One volatility for all of them, so that a bar's corners are those of its share's bar.
        sigma = self._sigma(contract, float(live.open[0]))
        corners = {
            name: option_prices(contract, getattr(live, name), years, sigma)
            for name in ("open", "high", "low", "close")
        }
        if contract.right is Right.PUT:
            corners["high"], corners["low"] = corners["low"], corners["high"]
        return Bars(
            symbol=contract.symbol,
            timeframe=live.timeframe,
            opened_at_ns=live.opened_at_ns,
            volume=np.maximum(1.0, np.floor(live.volume * _CONTRACTS_PER_SHARE)),
            **corners,
        )

    def state(self, contract: OptionContract, spot: float, day_open: float, now_ns: int) -> OptionState:
        """Implied volatility and greeks now. spot: the share's price; day_open: its first of the day."""
        years = (self.expires_ns(contract) - now_ns) / SECOND_NS / YEAR_S
        sigma = self._sigma(contract, day_open)
        return OptionState(implied_volatility=round(sigma, 4), greeks=greeks(contract, spot, years, sigma))

    def expires_ns(self, contract: OptionContract) -> int:
        """The instant at which the contract ceases to trade."""
        return day_start_ns(contract.expires_on) + _EXPIRES_AFTER_NS

    def _sigma(self, contract: OptionContract, reference: float) -> float:
        return volatility(self._seed, contract, reference)

    def _parsed(self, symbol: str) -> OptionContract | None:
        contract = OptionContract.parse(symbol)
        return contract if contract is not None and contract.underlying in self._underlyings else None
