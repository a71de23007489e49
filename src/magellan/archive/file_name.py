"""File names: what a data file's name says about its content. The content is still checked against it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from magellan.archive.dataset import DateRange
from magellan.errors import FixInput
from magellan.trading.timeframe import DAY_NS, HOUR_NS, MINUTE_NS, Timeframe

_TIMEFRAME = re.compile(
    r"([1-9][0-9]{0,2})?(minutes|minute|min|m|hours|hourly|hour|h|days|daily|day|d)", re.I
)
_UNITS_NS = {"m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS}
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_SYMBOL = re.compile(r"[A-Za-z^][A-Za-z0-9.\-^=]{0,15}")
_ENDINGS = re.compile(r"(\.(parquet|pq|csv|txt|tsv|gz))+$", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSays:
    """What a name says; None where it says nothing."""

    symbol: str | None = None
    timeframe: Timeframe | None = None
    requested: DateRange | None = None


def name_says(file_name: str) -> NameSays:
    """Read SYMBOL_TIMEFRAME_FROM_TO.parquet, or as much of it as is there, in any order after the symbol.

    A name with any other word in it says nothing: `AAPL_earnings_20220101_20231231` is not about AAPL's bars,
    and `data.csv` is not about DATA. A symbol alone has to be in capitals.
    Raises: FixInput when the range in the name ends before it begins.
    """
    stem = _ENDINGS.sub("", file_name)
    symbol, *rest = stem.split("_")
    if _SYMBOL.fullmatch(symbol) is None or (not rest and symbol != symbol.upper()):
        return NameSays()
    timeframe: Timeframe | None = None
    dates: list[date] = []
    for word in rest:
        on = _date(word)
        if on is not None:
            dates.append(on)
        elif timeframe is None and _TIMEFRAME.fullmatch(word):
            timeframe = _timeframe(word)
        else:
            return NameSays()
    if len(dates) > 2:
        return NameSays()
    requested = None
    if dates:
        if dates[-1] < dates[0]:
            raise FixInput(
                f"{file_name}: the range in its name ends before it begins", next_step="rename the file"
            )
        requested = DateRange(first_on=dates[0], last_on=dates[-1])
    return NameSays(symbol=symbol.upper(), timeframe=timeframe, requested=requested)


def _date(word: str) -> date | None:
    match = _DATE.fullmatch(word)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _timeframe(word: str) -> Timeframe:
    match = _TIMEFRAME.fullmatch(word)
    assert match is not None, "the caller has matched the word"
    return Timeframe(int(match[1] or 1) * _UNITS_NS[match[2][0].lower()])
