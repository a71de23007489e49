"""Sizing: how a config.json says how much a position may be, for strategies that leave it to their config.

    class MyParameters(Parameters):
        size: SizeChoice = EquityShare(fraction=0.1)

and in `plan`: `TradePlan(size=p.size.size)`. In the config: `"size": {"kind": "cash", "fraction": 1.0}`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from magellan.strategy.contract import Parameters
from magellan.strategy.trade_plan import CashFraction, EquityFraction, Notional, Units

Fraction = Annotated[float, Field(gt=0, le=1)]


class EquityShare(Parameters):
    """A fraction of the account's equity."""

    kind: Literal["equity"] = "equity"
    fraction: Fraction = Field(description="0.1 is a tenth of the account")

    @property
    def size(self) -> EquityFraction:
        return EquityFraction(fraction=self.fraction)


class CashShare(Parameters):
    """A fraction of the cash that is free."""

    kind: Literal["cash"] = "cash"
    fraction: Fraction = Field(description="1 is all of it, after costs")

    @property
    def size(self) -> CashFraction:
        return CashFraction(fraction=self.fraction)


class Amount(Parameters):
    """As many units as a stated amount buys."""

    kind: Literal["amount"] = "amount"
    usd: float = Field(gt=0)

    @property
    def size(self) -> Notional:
        return Notional(usd=self.usd)


class NumberOfUnits(Parameters):
    """A stated number of shares or contracts."""

    kind: Literal["units"] = "units"
    units: float = Field(gt=0)

    @property
    def size(self) -> Units:
        return Units(units=self.units)


SizeChoice = Annotated[EquityShare | CashShare | Amount | NumberOfUnits, Field(discriminator="kind")]
