"""How Alpaca writes numbers, instants and dates: numbers as text without trailing zeros, instants in UTC with a Z."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from magellan.trading.bar import instant, nanoseconds
from magellan.trading.session import EXCHANGE_ZONE, exchange_midnight
from magellan.trading.timeframe import SECOND_NS

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
HUNDREDTH_CENT = Decimal("0.0001")
NANO = Decimal("0.000000001")  # the finest quantity and average price


def text(number: Decimal) -> str:
    """A number as Alpaca sends it: "2", "174.78", "-0.5"."""
    written = format(number, "f")
    if "." in written:
        written = written.rstrip("0").rstrip(".")
        if written == "-0":
            return "0"
    return written


def optional_text(number: Decimal | None) -> str | None:
    """A number as Alpaca sends it, or none."""
    return None if number is None else text(number)


def money_text(number: Decimal) -> str:
    """An amount of money to the cent."""
    return text(number.quantize(CENT))


@lru_cache(maxsize=4096)
def instant_text(at_ns: int) -> str:
    """An instant in RFC 3339, UTC, to the microsecond."""
    seconds, rest_ns = divmod(at_ns, SECOND_NS)
    fraction = f".{rest_ns // 1000:06d}" if rest_ns >= 1000 else ""
    return f"{_to_the_second(seconds)}{fraction}Z"


def shown_ns(at_ns: int) -> int:
    """The instant that clients read in `instant_text`. Lists are cut at it: a client that asks for what is after an
    instant it was shown does not get the same again."""
    return at_ns - at_ns % 1000


@lru_cache(maxsize=1024)
def _to_the_second(at_s: int) -> str:
    return instant(at_s * SECOND_NS).isoformat()[:19]


def optional_instant_text(at_ns: int | None) -> str | None:
    """An instant in RFC 3339, or none."""
    return None if at_ns is None else instant_text(at_ns)


def exchange_text(at_ns: int) -> str:
    """An instant as the clock endpoint writes it: on the exchange's wall clock, with its offset."""
    return instant(at_ns).astimezone(EXCHANGE_ZONE).isoformat()


def number(value: Any) -> Decimal | None:
    """A number as clients send it: JSON number or text. None where it is neither, or not finite."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        found = value
    elif isinstance(value, int):
        found = Decimal(value)
    elif isinstance(value, float):
        found = Decimal(repr(value))
    elif isinstance(value, str):
        try:
            found = Decimal(value.strip())
        except InvalidOperation:
            return None
    else:
        return None
    return found if found.is_finite() and abs(found) < 10**12 else None


def instant_of(value: str) -> int | None:
    """The instant that a client's RFC 3339 text or date names, in ns UTC; a date is its midnight on the exchange's
    clock. None where the text is neither."""
    try:
        if len(value) == 10:
            return nanoseconds(exchange_midnight(date.fromisoformat(value)))
        read = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError:
        return None
    if read.tzinfo is None:
        read = read.replace(tzinfo=instant(0).tzinfo)
    return nanoseconds(read)


def date_of(value: str) -> date | None:
    """The date that a client's text names; an RFC 3339 instant names its own date."""
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None


def is_true(value: str | None) -> bool:
    """A truth value in a query: "true", "True", "1"."""
    return value is not None and value.lower() in ("true", "1", "t", "yes")
