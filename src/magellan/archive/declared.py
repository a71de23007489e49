"""Declared: what the user says about the files of an import, because the files do not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from magellan.archive.dataset import Adjustment
from magellan.trading.session import Hours
from magellan.trading.timeframe import Timeframe


class Label(StrEnum):
    """Which end of its span a bar is labelled with, in the file. We always label with the start."""

    START = "start"
    END = "end"


class RangePolicy(StrEnum):
    """What to do when a file holds less than its name asks for."""

    RECORD = "record"  # import it; the set stays short of what was asked for, and `data check` says so
    REFUSE = "refuse"
    ACCEPT = "accept"  # import it, and take what it holds for all that was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the user says about the files. None: the file has to say it, or a stated assumption."""

    vendor: str | None = None
    feed: str | None = None
    adjustment: Adjustment | None = None
    hours: Hours | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None
    timezone: str | None = None  # of times without a zone
    label: Label | None = None
    calendar: str | None = None
    point_value: float = 1.0
    negative_prices: bool = False
    ignored_columns: frozenset[str] = frozenset()
    range_policy: RangePolicy = RangePolicy.RECORD
