"""A position: lots, first in first out, whose costs are conserved to the last digit.

A lot keeps what its units cost together, and not a price per unit: a split changes how many units there are and never
what they cost. What is sold takes its share of the cost, and the rest keeps the rest, so that always

    realised + unrealised = cash flow + market value
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Final

from magellan.ledger.exact import ZERO, minus, plus, quotient, times

_SMALLEST_UNIT: Final = Decimal("1e-9")  # the finest fraction of a unit that a broker books


@dataclass(frozen=True, slots=True)
class Lot:
    """Units that were bought (or sold short) together."""

    quantity: Decimal  # signed: long > 0, short < 0; never 0
    cost_usd: Decimal  # signed as the quantity: paid > 0, received for a short < 0; before commission


@dataclass(frozen=True, slots=True)
class Position:
    """What an account holds of one symbol, by our own book."""

    symbol: str
    lots: tuple[Lot, ...] = ()  # oldest first, all of one sign
    quantity: Decimal = ZERO  # signed; the lots' sum

    @property
    def cost_usd(self) -> Decimal:
        """What the units held cost, signed as the quantity; before commission."""
        total = ZERO
        for lot in self.lots:
            total = plus(total, lot.cost_usd)
        return total

    @property
    def average_price(self) -> Decimal | None:
        """Cost per unit held, to 12 places; None when flat."""
        return None if self.quantity == 0 else quotient(self.cost_usd, self.quantity)

    def value_usd(self, price: Decimal) -> Decimal:
        """What the units are worth at a price; negative for a short."""
        return times(self.quantity, price)

    def unrealised_usd(self, price: Decimal) -> Decimal:
        """Profit of the units held at a price, before commission."""
        return minus(self.value_usd(price), self.cost_usd)

    def after(self, quantity: Decimal, amount_usd: Decimal) -> tuple[Position, Decimal]:
        """The position after `quantity` units (signed) came in for `amount_usd` (signed alike), and what it realised.

        Units that would take the position through zero must be split by the caller, into what closes and what opens.
        """
        if self.quantity == 0 or (self.quantity > 0) == (quantity > 0):
            lots = (*self.lots, Lot(quantity, amount_usd))
            return Position(self.symbol, lots, plus(self.quantity, quantity)), ZERO
        assert abs(quantity) <= abs(self.quantity), f"{self.symbol}: {quantity} units would cross zero"
        left, given_up = _taken(self.lots, minus(ZERO, quantity))
        # What left cost `given_up` and brought `-amount`.
        realised = minus(minus(ZERO, amount_usd), given_up)
        return Position(self.symbol, left, plus(self.quantity, quantity)), realised

    def split(self, new_shares: int, old_shares: int) -> Position:
        """`old_shares` became `new_shares`. What no broker can hold (below 1e-9 units) is cut off; costs stay."""
        lots = []
        for lot in self.lots:
            quantity = rebased(lot.quantity, new_shares, old_shares)
            lots.append(Lot(quantity, lot.cost_usd))
        whole = rebased(self.quantity, new_shares, old_shares)
        if lots:
            # The lots were cut one by one and the position in one piece; the newest lot takes what lies between.
            others = _total(lots[:-1])
            lots[-1] = Lot(minus(whole, others), lots[-1].cost_usd)
        return Position(self.symbol, tuple(lots), whole)


def rebased(quantity: Decimal, new_shares: int, old_shares: int) -> Decimal:
    """Units on the basis after a split, cut to what a broker can hold."""
    value = quotient(times(quantity, Decimal(new_shares)), Decimal(old_shares), 30)
    cut = value.quantize(_SMALLEST_UNIT, rounding=ROUND_DOWN)
    return value if cut == value else cut


def _total(lots: Sequence[Lot]) -> Decimal:
    total = ZERO
    for lot in lots:
        total = plus(total, lot.quantity)
    return total


def _taken(lots: tuple[Lot, ...], quantity: Decimal) -> tuple[tuple[Lot, ...], Decimal]:
    """Take units (signed as the lots) from the oldest lots: what is left, and what the units taken had cost."""
    cost = ZERO
    for at, lot in enumerate(lots):
        if abs(quantity) < abs(lot.quantity):
            share = quotient(times(lot.cost_usd, quantity), lot.quantity)
            rest = Lot(minus(lot.quantity, quantity), minus(lot.cost_usd, share))
            return (rest, *lots[at + 1 :]), plus(cost, share)
        cost = plus(cost, lot.cost_usd)
        quantity = minus(quantity, lot.quantity)
        if quantity == 0:
            return lots[at + 1 :], cost
    raise AssertionError("the lots hold less than the position")
