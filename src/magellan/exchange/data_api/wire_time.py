"""Instants as Alpaca writes and reads them: RFC 3339 in UTC, to the nanosecond."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import numpy as np

from magellan.exchange.market.trading_hours import day_start_ns
from magellan.trading.bar import Instants, nanoseconds
from magellan.trading.session import day_date, day_number
from magellan.trading.timeframe import DAY_NS, SECOND_NS

_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def rfc3339(at_ns: int) -> str:
    """An instant as Alpaca writes it, for example 2024-03-11T13:30:00.5Z; trailing zeros are left out."""
    seconds, rest = divmod(at_ns, SECOND_NS)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def rfc3339_seconds(at_ns: Instants) -> list[str]:
    """Instants on whole seconds, as Alpaca writes them."""
    seconds = (at_ns // SECOND_NS).astype("datetime64[s]")
    return [f"{text}Z" for text in np.datetime_as_string(seconds).tolist()]


def parse_instant(text: str, *, utc: bool, end_of_day: bool = False) -> int:
    """Read an RFC 3339 instant with its zone, or a date. Raises ValueError for anything else.

    utc:        a date's midnight is UTC's (crypto), not the exchange's.
    end_of_day: a date stands for its last nanosecond (an inclusive end), not for its first.
    """
    if _DATE.fullmatch(text):
        on = date.fromisoformat(text)
        following = day_date(day_number(on) + 1) if end_of_day else on
        starts_ns = day_number(following) * DAY_NS if utc else day_start_ns(following)
        return starts_ns - 1 if end_of_day else starts_ns
    match = _RFC3339.fullmatch(text.replace(" ", "+"))  # a plus sign that was not escaped arrives as a space
    if match is None:
        raise ValueError(f"'{text}' is neither an instant with its zone nor a date")
    on_text, clock, fraction, zone = match.groups()
    at = datetime.fromisoformat(f"{on_text}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    return nanoseconds(at) + int((fraction or "").ljust(9, "0"))
