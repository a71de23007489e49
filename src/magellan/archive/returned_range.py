"""Returned range: what a vendor left out of the dates it was asked for, and whether anything explains it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from magellan.archive.dataset import DateRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The sessions of an asked range of which nothing came back, each in one group, oldest first."""

    lost: tuple[date, ...]  # the symbol traded, as the witness says: the vendor left them out
    before: tuple[date, ...]  # before the first day known: not yet listed, or the vendor's history is shorter
    between: tuple[date, ...]  # no trade between two days with trades: halted, or thin
    after: tuple[date, ...]  # after the last day known: delisted, or not yet published

    def __bool__(self) -> bool:
        return bool(self.lost or self.before or self.between or self.after)


def absent(
    sessions: tuple[date, ...], present: frozenset[date], traded: frozenset[date], known: frozenset[date]
) -> Absent:
    """Which sessions have no bar, and why that may be.

    sessions: of the asked range, oldest first.
    present:  dates of the bars that came back.
    traded:   dates on which a witness (the vendor's daily bars) says that the symbol traded.
    known:    further dates between which the symbol is known to trade: those that the archive holds already.
    """
    missing = tuple(each for each in sessions if each not in present)
    lost = tuple(each for each in missing if each in traded)
    rest = tuple(each for each in missing if each not in traded)
    alive = present | traded | known
    if not alive:
        return Absent(lost=(), before=rest, between=(), after=())
    first_on, last_on = min(alive), max(alive)
    return Absent(
        lost=lost,
        before=tuple(each for each in rest if each < first_on),
        between=tuple(each for each in rest if first_on <= each <= last_on),
        after=tuple(each for each in rest if each > last_on),
    )


def settled(asked: DateRange, absent: Absent) -> DateRange | None:
    """The part of the asked range that need not be asked for again; None when that is nothing.

    Days at an edge may get their bars later (a listing that the vendor adds, a day it has yet to publish).
    """
    first_on, last_on = asked.first_on, asked.last_on
    if absent.before:
        first_on = absent.before[-1] + timedelta(days=1)
    if absent.after:
        last_on = absent.after[0] - timedelta(days=1)
    return DateRange(first_on=first_on, last_on=last_on) if first_on <= last_on else None
