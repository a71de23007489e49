"""Masks: on which bars a strategy wants to enter or leave, packed a bit a row as the replay reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records as r
from magellan.backtest.market import Market
from magellan.backtest.plan_arrays import minute_of_day
from magellan.errors import FixInput
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import Market as MarketOrder
from magellan.strategy.trade_plan import SessionExit, TradePlan
from magellan.trading.bar import Mask

_WORDS_KEPT = 64  # as many masks as a sweep keeps of each kind
# Masks of `SymbolDecisions`, and whether they begin to hold only behind the warm-up.
DECLARED: Final = (
    ("enter_long", True),
    ("enter_short", True),
    ("exit_long", False),
    ("exit_short", False),
    ("wake", True),
    ("breaks", False),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SymbolDecisions:
    """What a strategy decides on one symbol's bars; masks of shape (bars,), None: nowhere true."""

    enter_long: Mask | None = None
    enter_short: Mask | None = None
    exit_long: Mask | None = None
    exit_short: Mask | None = None
    wake: Mask | None = None
    breaks: Mask | None = None  # bars that open after an unexplained jump
    plan_long: TradePlan
    plan_short: TradePlan


class PackedMask(NamedTuple):
    """The masks of all symbols behind each other, a bit per row."""

    words: NDArray[np.uint64]
    address: int  # of the words, which nobody else keeps alive; 0: nowhere true


class Words:
    """Masks as words, packed once: runs of a sweep decide by the same ones over and over."""

    def __init__(self, offsets: NDArray[np.int64]) -> None:
        self._offsets = offsets
        self._known: dict[tuple[int, ...], tuple[list[Mask | None], PackedMask]] = {}

    def of(self, masks: list[Mask | None], late: int = 0) -> PackedMask:
        """The masks of all symbols behind each other, nowhere true before row `late`; see `packed`."""
        key = (late, *map(id, masks))  # no other array takes a mask's place in memory while we keep it
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _WORDS_KEPT:
                self._known.clear()
            given = masks if late == 0 else [None if mask is None else _after(mask, late) for mask in masks]
            words = packed(given, self._offsets)
            address = int(words.ctypes.data) if words.size else 0
            known = self._known[key] = (masks, PackedMask(words, address))
        return known[1]


def mask_words(
    known: Words,
    decisions: Sequence[SymbolDecisions],
    warmup_bars: int,
    session_exit: NDArray[np.uint64],
    scheduled: NDArray[np.uint64],
) -> r.MaskWords:
    """All masks of a run: those that strategies declare, and those two of the plans' times."""
    declared = {
        name: known.of([getattr(decided, name) for decided in decisions], warmup_bars if late else 0).words
        for name, late in DECLARED
    }
    return r.MaskWords(**declared, session_exit=session_exit, scheduled=scheduled)


def timed_masks(
    market: Market, decisions: Sequence[SymbolDecisions], views: Sequence[MarketView]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Where the plans' session exits and schedules fall due."""
    exits: list[Mask | None] = []
    schedules: list[Mask | None] = []
    for decided, view in zip(decisions, views, strict=True):
        rule = decided.plan_long.session_exit
        if rule != decided.plan_short.session_exit or _waits_until(decided.plan_long) != _waits_until(
            decided.plan_short
        ):
            raise FixInput(
                f"{view.symbol}: the plans of long and short trades differ in their session exit or schedule",
                next_step="give plan() and plan_short() the same session_exit, and entries with the same time",
            )
        exits.append(None if rule is None else session_exit_mask(view, rule))
        at = _waits_until(decided.plan_long)
        schedules.append(None if at is None else first_at_or_after(view, minute_of_day(at)))
    return packed(exits, market.offsets), packed(schedules, market.offsets)


def _waits_until(plan: TradePlan) -> time | None:
    """The time of day that the plan's entry waits for; None when it waits for none."""
    return plan.entry.at if isinstance(plan.entry, MarketOrder) else None


def session_exit_mask(view: MarketView, rule: SessionExit) -> Mask:
    """Bars at whose close a session exit is due."""
    due = session_ends(view)
    if rule.at is not None:
        due |= view.minute >= minute_of_day(rule.at)
    if rule.before_close_minutes is not None:
        with np.errstate(invalid="ignore"):
            due |= view.minutes_to_close <= rule.before_close_minutes
    return due


def session_ends(view: MarketView) -> Mask:
    """Bars with which their session is over: a later bar tells by its date, of the newest one only the calendar can.

    That the data end with a bar says nothing; without a calendar it is unknown, so no. A daily bar is its session.
    """
    ends = view.session.last.copy()
    if len(ends) and not view.timeframe.is_daily:
        ends[-1] = view.closes_session(np.array([len(ends) - 1]))[0]
    return ends


def first_at_or_after(view: MarketView, minute: int) -> Mask:
    """The first bar of each day that opens at or after that minute of the day."""
    late = view.minute >= minute
    before = np.zeros(len(late), dtype=bool)
    before[1:] = late[:-1] & ~view.session.first[1:]
    return late & ~before


def packed(masks: Sequence[Mask | None], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Masks of all symbols behind each other, 64 rows to a word; of length 0 when nothing is true anywhere."""
    if all(mask is None for mask in masks):
        return np.zeros(0, dtype=np.uint64)
    rows = int(offsets[-1])
    joined = masks[0] if len(masks) == 1 else np.zeros(rows, dtype=bool)
    assert joined is not None, "a mask that is alone is not None"
    if len(masks) > 1:
        for s, mask in enumerate(masks):
            if mask is not None:
                joined[offsets[s] : offsets[s + 1]] = mask
    words = np.zeros(-(-rows // 64), dtype=np.uint64)
    words.view(np.uint8)[: -(-rows // 8)] = np.packbits(joined, bitorder="little")
    return words


def _after(mask: Mask, rows: int) -> Mask:
    late = mask.copy()
    late[:rows] = False
    return late
