"""Sets of bars: what makes two bars belong together, and what is known about a set beside its bars."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from urllib.parse import quote, unquote

from magellan.errors import FixInput
from magellan.trading.instrument import Instrument
from magellan.trading.session import Hours
from magellan.trading.timeframe import Timeframe

SCHEMA_VERSION = 1  # of the stored columns and of the record beside them

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.\-/^=:_]{0,31}")
_UNQUOTED = "^="  # readable in a path, and in no file system's way


class Adjustment(StrEnum):
    """What the vendor had already done to the prices when they arrived. Views of our own start from RAW."""

    RAW = "raw"  # as traded: a split shows as a jump
    SPLIT = "split"  # divided back over splits
    ALL = "all"  # divided back over splits and dividends


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SetId:
    """The identity of a set of bars. Bars that differ in any of these never mix.

    A free feed has other volumes than the consolidated tape, and adjusted prices are other prices; so both
    are part of the name, and of the manifest of every run that read them.
    """

    symbol: str
    timeframe: Timeframe
    vendor: str  # who delivered it: alpaca, polygon, yahoo, generated, unknown
    feed: str  # which of the vendor's feeds: sip, iex, consolidated, unknown
    adjustment: Adjustment
    hours: Hours  # which hours the vendor delivered, not which hours a run uses

    def __post_init__(self) -> None:
        for what, name in (("vendor", self.vendor), ("feed", self.feed)):
            if _NAME.fullmatch(name) is None:
                raise FixInput(
                    f"'{name}' is not the name of a {what}",
                    next_step=f"name the {what} in lower-case letters, digits, '-' and '_', at most 40",
                )
        valid_symbol(self.symbol)

    @property
    def slug(self) -> str:
        """The set's name in paths and on the command line, for example alpaca/sip/raw/all/TSLA/1Min."""
        symbol = quote(self.symbol, safe=_UNQUOTED)
        return f"{self.vendor}/{self.feed}/{self.adjustment}/{self.hours}/{symbol}/{self.timeframe}"

    @classmethod
    def parse(cls, slug: str) -> SetId:
        """The identity that `slug` names. Raises FixInput where it names none."""
        parts = slug.split("/")
        if len(parts) != 6:
            raise FixInput(
                f"'{slug}' is not the name of a set",
                next_step="copy it from `magellan data list`: vendor/feed/adjustment/hours/symbol/timeframe",
            )
        vendor, feed, adjustment, hours, symbol, timeframe = parts
        if adjustment not in set(Adjustment):
            raise FixInput(f"'{slug}': adjustment '{adjustment}' is not one of {', '.join(Adjustment)}")
        if hours not in set(Hours):
            raise FixInput(f"'{slug}': hours '{hours}' is not one of {', '.join(Hours)}")
        return cls(
            symbol=unquote(symbol),
            timeframe=Timeframe.parse(timeframe),
            vendor=vendor,
            feed=feed,
            adjustment=Adjustment(adjustment),
            hours=Hours(hours),
        )

    def __str__(self) -> str:
        return self.slug


def valid_symbol(symbol: str) -> str:
    """The same symbol. Raises FixInput when it cannot be one."""
    if _SYMBOL.fullmatch(symbol) is None:
        raise FixInput(
            f"'{symbol}' is not a symbol",
            next_step="write it in capitals as the vendor does, for example TSLA, BRK.B, BTC/USD or ^VIX",
        )
    return symbol


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DateRange:
    """Exchange calendar dates from first_on to last_on, both included."""

    first_on: date
    last_on: date

    def __post_init__(self) -> None:
        if self.last_on < self.first_on:
            raise FixInput(f"a range from {self.first_on} to {self.last_on} ends before it begins")

    def __str__(self) -> str:
        return f"{self.first_on}..{self.last_on}"


def joined(ranges: tuple[DateRange, ...]) -> tuple[DateRange, ...]:
    """The same dates in the fewest ranges, oldest first: those that touch or overlap become one."""
    result: list[DateRange] = []
    for each in sorted(ranges):
        if result and each.first_on <= result[-1].last_on + timedelta(days=1):
            last_on = max(result[-1].last_on, each.last_on)
            result[-1] = DateRange(first_on=result[-1].first_on, last_on=last_on)
        else:
            result.append(each)
    return tuple(result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where some of a set's bars came from: one file, or one download."""

    name: str  # file name without folders, or the request in words
    sha256: str  # of the file's bytes; of the bars' canonical columns for a download
    rows: int  # bars in it, before merging
    requested: DateRange | None  # what was asked for; None when nothing says so
    fetched_at: datetime  # aware, UTC: when it was downloaded or imported
    assumptions: tuple[str, ...] = ()  # what reading it took for granted, one sentence each
    repeated_rows: int = 0  # rows that it held twice, value for value, and that were dropped

    def __post_init__(self) -> None:
        if self.fetched_at.utcoffset() != timedelta(0):
            raise ValueError(f"source {self.name} is stamped {self.fetched_at!r}, not in UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What comes with bars that are merged into a set."""

    source: Source
    calendar: str = "XNYS"  # ISO 10383 market code, or another name that exchange-calendars knows
    negative_prices: bool = False  # the instrument can trade below zero (crude oil did, on 2020-04-20)
    point_value: float = 1.0  # currency earned by one unit when the price moves by 1
    generated: bool = False  # made by our generator; never history


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRecord:
    """What the catalogue knows about a set. Equal content has an equal `sha256`, whoever wrote the files."""

    id: SetId
    calendar: str
    requested: tuple[DateRange, ...]  # everything that was ever asked for, joined, oldest first
    first_at: datetime  # aware, UTC: opening of the first bar held
    last_at: datetime  # aware, UTC: opening of the last bar held
    rows: int
    sha256: str  # of the canonical columns, not of the files' bytes
    sources: tuple[Source, ...]  # oldest first
    negative_prices: bool = False
    point_value: float = 1.0
    generated: bool = False
    schema_version: int = SCHEMA_VERSION

    @property
    def fetched_at(self) -> datetime:
        """When the newest of its sources was downloaded or imported."""
        return max(source.fetched_at for source in self.sources)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What reading its sources took for granted, each sentence once."""
        return tuple(dict.fromkeys(sentence for source in self.sources for sentence in source.assumptions))

    @property
    def instrument(self) -> Instrument:
        """The terms under which the symbol trades, as far as the import named them."""
        return Instrument(
            symbol=self.id.symbol, point_value=self.point_value, negative_prices=self.negative_prices
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOutcome:
    """What one merge did."""

    record: SetRecord  # of the set as it is now
    rows_added: int
    rows_already_there: int  # given rows that the set held before, value for value

    @property
    def changed(self) -> bool:
        """Whether any bar was added. Merging the same file twice changes nothing the second time."""
        return self.rows_added > 0


def find_set(
    records: Sequence[SetRecord],
    symbol: str,
    timeframe: Timeframe,
    *,
    vendor: str | None = None,
    feed: str | None = None,
    adjustment: Adjustment | None = None,
    hours: Hours | None = None,
) -> SetRecord:
    """The one set of that symbol and timeframe which fits everything else that is given.

    Raises: SetNotFound when none fits, naming what there is; and when several do, because bars of two feeds
    are two different histories and nobody but the user can say which was meant.
    """
    wanted = {"vendor": vendor, "feed": feed, "adjustment": adjustment, "hours": hours}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    of_symbol = [record for record in records if record.id.symbol == symbol]
    fitting = [
        record
        for record in of_symbol
        if record.id.timeframe == timeframe
        and all(getattr(record.id, name) == value for name, value in wanted.items())
    ]
    if len(fitting) == 1:
        return fitting[0]
    told = " ".join([symbol, str(timeframe), *(f"{name}={value}" for name, value in wanted.items())])
    if fitting:
        raise SetNotFound(
            f"{len(fitting)} sets are called {told}: {', '.join(record.id.slug for record in fitting)}",
            next_step=_how_to_choose(fitting),
        )
    have = ", ".join(record.id.slug for record in of_symbol) or "nothing"
    meant = "" if of_symbol else meant_symbol(symbol, records)
    raise SetNotFound(
        f"the archive holds no {told}; of {symbol} it holds {have}",
        next_step=f"{meant}`magellan data list` shows every set; `magellan data import` and `data fetch` add one",
    )


def _how_to_choose(sets: Sequence[SetRecord]) -> str:
    """What to type so that one of these sets is meant: what a config can say, or what it cannot."""
    for key in ("vendor", "feed"):
        values = sorted({getattr(record.id, key) for record in sets})
        if len(values) > 1:
            choice = f"--set data.{key}={values[0]}"
            return f"say which as data.{key} in config.json ({', '.join(values)}); for one run: {choice}"
    return (
        "no config tells these apart: move the folder of the one that you do not mean out of data/bars, then run "
        "`magellan data rebuild`"
    )


def meant_symbol(symbol: str, records: Sequence[SetRecord]) -> str:
    """The question whether another symbol of the archive was meant, to begin a next step with; "" for none."""
    near = get_close_matches(symbol.upper(), {record.id.symbol for record in records}, n=1)
    return f"did you mean {near[0]}? " if near else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What making the catalogue again from the archived files found."""

    records: tuple[SetRecord, ...]
    damaged: tuple[str, ...]  # a sentence for each file that cannot be read; its set was left as it was


class SetNotFound(FixInput):
    """The archive holds no such set, or several sets fit a short name."""


class BarsDisagree(FixInput):
    """New bars contradict bars of the same instants that the set already holds. Nothing was changed."""
