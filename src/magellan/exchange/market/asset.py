"""An asset: what a symbol is and under which terms it trades."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5


class AssetClass(StrEnum):
    """Alpaca's names."""

    # Tables of terms are looked up by it with every order; an enum's own hash is a call of Python.
    __hash__ = str.__hash__

    US_EQUITY = "us_equity"
    CRYPTO = "crypto"
    US_OPTION = "us_option"


def asset_id(symbol: str) -> UUID:
    """The id of a symbol: the same in every run, on every machine."""
    return uuid5(NAMESPACE_URL, f"magellan/asset/{symbol}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """The terms of one symbol."""

    id: UUID
    symbol: str
    name: str
    asset_class: AssetClass = AssetClass.US_EQUITY
    exchange: str = "NASDAQ"  # Alpaca's names: AMEX, ARCA, BATS, NYSE, NASDAQ, NYSEARCA, OTC, CRYPTO
    active: bool = True
    tradable: bool = True
    marginable: bool = True
    shortable: bool = True
    easy_to_borrow: bool = True
    fractionable: bool = True
    attributes: tuple[str, ...] = ()
    margin_requirement_long: Decimal = Decimal(30)  # percent
    margin_requirement_short: Decimal = Decimal(30)  # percent
    tick: Decimal = Decimal("0.01")  # of prices that are shown
    min_order_size: Decimal | None = None  # crypto only, as the next two
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None

    @classmethod
    def equity(cls, symbol: str) -> Asset:
        """A share with the most ordinary terms."""
        return cls(
            id=asset_id(symbol),
            symbol=symbol,
            name=f"{symbol} Common Stock",
            attributes=("fractional_eh_enabled", "has_options"),
        )

    @classmethod
    def crypto(cls, pair: str) -> Asset:
        """A pair such as BTC/USD: always open, in fractions, neither borrowed nor lent against."""
        return cls(
            id=asset_id(pair),
            symbol=pair,
            name=f"{pair.replace('/', ' / ')}",
            asset_class=AssetClass.CRYPTO,
            exchange="CRYPTO",
            marginable=False,
            shortable=False,
            easy_to_borrow=False,
            margin_requirement_long=Decimal(100),
            margin_requirement_short=Decimal(100),
            min_order_size=Decimal("0.0001"),
            min_trade_increment=Decimal("0.000000001"),
            price_increment=Decimal("0.01"),
        )
