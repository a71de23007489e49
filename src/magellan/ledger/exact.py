"""Exact arithmetic for booked money: a sum, difference or product that had to be rounded is an error here, not a cent.

Python's own Decimal operators round to 28 digits without a word. These hold 200, and refuse more.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Final

_EXACT: Final = Context(prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_ROUNDED: Final = Context(
    prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)

ZERO: Final = Decimal(0)

plus = _EXACT.add
minus = _EXACT.subtract
times = _EXACT.multiply


def quotient(dividend: Decimal, divisor: Decimal, places: int = 12) -> Decimal:
    """The quotient, exactly where it ends within `places` digits after the point, and rounded to them elsewhere.

    Whoever divides an amount books the rest too, so that no part of it is lost: `rest = amount - share`.
    """
    value = _ROUNDED.divide(dividend, divisor)
    if -value.as_tuple().exponent <= places:  # type: ignore[operator]  # finite, so the exponent is a number
        return value
    return value.quantize(Decimal(1).scaleb(-places), context=_ROUNDED)
