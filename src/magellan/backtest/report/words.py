"""Words: how numbers, dates and instants are written in a report. What is missing is written as a dash."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Final

DASH: Final = "\N{EN DASH}"
_SPACE: Final = "\N{NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"


def percent(fraction: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """0.1234 as "12.3 %"; signed as "+12.3 %"."""
    return DASH if fraction is None else number(100.0 * fraction, digits, signed=signed) + _SPACE + "%"


def money(usd: float | None, digits: int = 0, *, signed: bool = False) -> str:
    """-1234.5 as "−$1,235"."""
    if usd is None:
        return DASH
    text = number(abs(usd), digits)
    sign = _sign(usd, text, signed)
    return f"{sign}${text}"


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A number with thousands separated and a proper minus sign. A rounded zero has no sign."""
    if value is None:
        return DASH
    assert math.isfinite(value), f"{value} has no place in a report"
    text = f"{abs(value):,.{digits}f}"
    return _sign(value, text, signed) + text


def price(value: float) -> str:
    """A price with the digits it needs: two from 1 $ on, four below."""
    return number(value, 2 if abs(value) >= 1.0 else 4)


def count(value: int) -> str:
    """12345 as "12,345"."""
    return f"{value:,}"


def many(value: int, one: str, more: str = "") -> str:
    """1 as "1 trade", 2 as "2 trades"."""
    return f"{value:,} {one if value == 1 else more or one + 's'}"


def day(on: date | None) -> str:
    """A date as "2 Jan 2024"."""
    return DASH if on is None else f"{on.day}{_SPACE}{on:%b}{_SPACE}{on.year}"


def instant_utc(at: datetime) -> str:
    """An instant as "2024-01-02 14:30 UTC"."""
    assert at.utcoffset() == timedelta(0), f"{at!r} is not in UTC"
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _sign(value: float, text: str, signed: bool) -> str:
    if not any(digit in text for digit in "123456789"):
        return ""
    return _MINUS if value < 0 else "+" if signed else ""
