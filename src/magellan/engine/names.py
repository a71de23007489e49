"""Names of orders: made from what an order is meant for, so that the same intent always has the same name.

mg1-bear_trap-3f9a-AMC-hx2k7L-e1n2
|   |         |    |   |     |   the plan's second order: an entry, of the portion that target 1 sells
|   |         |    |   |     long (L) or short (S)
|   |         |    |   start of the bar that was decided on, in minutes since 1970, base 36
|   |         |    symbol
|   |         the account and the whole name of the strategy, as a hash
|   the strategy, shortened
the scheme
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from magellan.trading.timeframe import MINUTE_NS

SCHEME: Final = "mg1"
_LENGTH_MAX: Final = 48
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_ORDER: Final = re.compile(r"(.+)-([epxfr])(\d+)n(\d+)")

ENTRY, PROTECTION, EXIT, FLATTEN, REPLACEMENT = "e", "p", "x", "f", "r"


def plan_id(strategy: str, account: str, symbol: str, bar_ns: int, side: int) -> str:
    """The name of a plan: what the names of all its orders begin with."""
    when = _base36(bar_ns // MINUTE_NS)
    return f"{_stem(strategy, account, symbol)}-{when}{'L' if side > 0 else 'S'}"


def order_name(plan: str, letter: str, portion: int, number: int) -> str:
    """The client_order_id of a plan's order; `number` counts the plan's orders from 1."""
    name = f"{plan}-{letter}{portion}n{number}"
    assert len(name) <= _LENGTH_MAX, f"{name} is longer than {_LENGTH_MAX} characters"
    return name


def parts(name: str) -> tuple[str, str, int, int] | None:
    """Plan, letter, portion and number of one of our names; None for anybody else's."""
    if not name.startswith(SCHEME + "-"):
        return None
    found = _ORDER.fullmatch(name)
    return None if found is None else (found[1], found[2], int(found[3]), int(found[4]))


@lru_cache(maxsize=4096)
def _stem(strategy: str, account: str, symbol: str) -> str:
    """What the names of all plans of a symbol begin with."""
    run = blake2b(f"{account}\0{strategy}".encode(), digest_size=2).hexdigest()
    short = re.sub(r"[^A-Za-z0-9.]", "", symbol)
    if len(short) > 8 or short != symbol:
        short = short[:4] + blake2b(symbol.encode(), digest_size=2).hexdigest()
    return f"{SCHEME}-{strategy[:10]}-{run}-{short}"


def _base36(value: int) -> str:
    digits = ""
    while value:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
