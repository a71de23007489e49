"""Stream kinds: which channels each data stream has, and what its subscription message lists."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamKind:
    """One family of streams. Source: documented."""

    name: str
    channels: tuple[str, ...]  # that can be subscribed to, in the order of the acknowledgement
    implied: tuple[str, ...] = ()  # that come with trades, and are acknowledged too


STOCKS = StreamKind(
    name="stocks",
    channels=("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds"),
    implied=("corrections", "cancelErrors"),
)
CRYPTO = StreamKind(
    name="crypto", channels=("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
)
OPTIONS = StreamKind(name="options", channels=("trades", "quotes"))
NEWS = StreamKind(name="news", channels=("news",))

# The letter that marks each channel's messages.
LETTERS = {
    "trades": "t",
    "quotes": "q",
    "orderbooks": "o",
    "bars": "b",
    "updatedBars": "u",
    "dailyBars": "d",
    "statuses": "s",
    "lulds": "l",
    "corrections": "c",
    "cancelErrors": "x",
    "news": "n",
}
CHANNELS = frozenset(LETTERS)
