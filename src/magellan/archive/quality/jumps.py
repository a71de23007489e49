"""Jumps: those that the corporate actions explain, those that nothing explains, and gaps worth a look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import log

import numpy as np

from magellan.archive.actions import described
from magellan.archive.adjust import action_at, first_row_from, still_in_prices
from magellan.archive.dataset import Adjustment, SetRecord
from magellan.archive.discontinuity import JUMP_FACTOR, Discontinuity, discontinuities
from magellan.archive.quality.finding import Finding, Kind, Severity, counted, few, told
from magellan.trading.bar import Bars, Mask, instant
from magellan.trading.corporate_action import CashDividend, CorporateAction
from magellan.trading.session import ExchangeCalendar, exchange_date

LARGE_GAP = 1.2
ABSENCE = 5  # sessions
_SMALLEST_HINT = 1.8  # below it, news is as likely
_USUAL_RATIOS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 80, 100, 150, 200, 250, 500)


def jump_findings(
    bars: Bars, record: SetRecord, actions: Iterable[CorporateAction], calendar: ExchangeCalendar
) -> Iterator[Finding]:
    """Steps between the close of one bar and the open of the next, held against the corporate actions."""
    actions = tuple(action for action in actions if action.symbol == bars.symbol)
    expected = still_in_prices(actions, record.id.adjustment)
    jumps = discontinuities(bars, expected)
    unseen = _after_absence(bars, calendar)
    yield from _unexplained(bars, record, tuple(jump for jump in jumps if not unseen[jump.row]))
    yield from _unseen_moves(bars, tuple(jump for jump in jumps if unseen[jump.row]))
    yield from _explained(bars, expected, jumps)
    yield from _large_gaps(bars, expected, jumps, unseen)


def _after_absence(bars: Bars, calendar: ExchangeCalendar) -> Mask:
    """Bars with more than ABSENCE sessions between them and the bar before: what happened then, nobody sees."""
    opened = np.searchsorted(calendar.opens_at_ns, bars.opened_at_ns)
    return np.asarray(np.diff(opened, prepend=opened[:1]) > ABSENCE)


def _unexplained(bars: Bars, record: SetRecord, jumps: tuple[Discontinuity, ...]) -> Iterator[Finding]:
    if not jumps:
        return
    daily = bars.timeframe.is_daily
    vendor_adjusted = record.id.adjustment is not Adjustment.RAW
    first = jumps[0]
    on = first.at.date() if daily else exchange_date(first.at)
    yield Finding(
        kind=Kind.UNEXPLAINED_JUMPS,
        severity=Severity.REFUSE,
        count=len(jumps),
        first_at=first.at,
        measured=f"{counted(len(jumps), 'step')} beyond a factor of {JUMP_FACTOR:g}",
        expected="a corporate action or a confirmed move for each",
        explanation="prices jump and no corporate action says why"
        + ("; the vendor says that splits are already taken out" if vendor_adjusted else ""),
        examples=few([f"{_told(jump, daily)}: {jump.explanation}{_looks_like(jump)}" for jump in jumps[:5]]),
        advice=f"a split: `magellan data split {bars.symbol} --on {on} --ratio NEW:OLD`; news:"
        f" `magellan data confirm {bars.symbol} --at {_told(first, daily)} --reason ... --by ...`",
    )


def _unseen_moves(bars: Bars, jumps: tuple[Discontinuity, ...]) -> Iterator[Finding]:
    if jumps:
        daily = bars.timeframe.is_daily
        yield Finding(
            kind=Kind.UNSEEN_MOVES,
            severity=Severity.WARN,
            count=len(jumps),
            first_at=jumps[0].at,
            measured=f"{counted(len(jumps), 'step')} beyond a factor of {JUMP_FACTOR:g}",
            expected="bars in between",
            explanation="prices moved far while the set has no bars: nobody sees by what",
            examples=few(
                [
                    f"{_told(jump, daily)}: last bar {jump.before_at:%Y-%m-%d}, x{jump.factor:.3g}"
                    for jump in jumps
                ]
            ),
            advice="run on one side of the gap, or fetch what is missing; the engine holds nothing through it",
        )


def _explained(
    bars: Bars, actions: tuple[CorporateAction, ...], unexplained: tuple[Discontinuity, ...]
) -> Iterator[Finding]:
    broken = {jump.row for jump in unexplained}
    seen = [
        (row, action)
        for action in actions
        if 0 < (row := first_row_from(bars, action_at(action))) < len(bars)
        and row not in broken
        and not isinstance(action, CashDividend)
    ]
    if not seen:
        return
    yield Finding(
        kind=Kind.EXPLAINED_JUMPS,
        severity=Severity.NOTE,
        count=len(seen),
        first_at=instant(int(bars.opened_at_ns[seen[0][0]])),
        measured=counted(len(seen), "jump"),
        expected="what the corporate actions say, within a factor of 1.5",
        explanation="prices jump where the corporate actions say that they do",
        examples=few(
            [
                f"{described(action)}: x{bars.open[row] / bars.close[row - 1]:.3g} seen"
                for row, action in seen[:5]
            ]
        ),
        advice="shares held are multiplied at a split; indicators on raw prices see the jump: --adjust split",
    )


def _large_gaps(
    bars: Bars, actions: tuple[CorporateAction, ...], jumps: tuple[Discontinuity, ...], unseen: Mask
) -> Iterator[Finding]:
    if len(bars) < 2:
        return
    accounted = {jump.row for jump in jumps} | set(np.flatnonzero(unseen).tolist())
    accounted |= {first_row_from(bars, action_at(action)) for action in actions}
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = bars.open[1:] / bars.close[:-1]
    large = np.flatnonzero((factor > 0) & ((factor >= LARGE_GAP) | (factor <= 1 / LARGE_GAP))) + 1
    rows = [row for row in large.tolist() if row not in accounted]
    if rows:
        yield Finding(
            kind=Kind.LARGE_GAPS,
            severity=Severity.NOTE,
            count=len(rows),
            first_at=instant(int(bars.opened_at_ns[rows[0]])),
            measured=f"{counted(len(rows), 'step')} of {LARGE_GAP:g} to {JUMP_FACTOR:g} times",
            expected="few, each with news behind it",
            explanation="prices gap, but not so far that it could only be a split",
            examples=few(
                [
                    f"{told(int(bars.opened_at_ns[row]), daily=bars.timeframe.is_daily)}:"
                    f" {bars.close[row - 1]:g} to {bars.open[row]:g} (x{factor[row - 1]:.3g})"
                    for row in rows[:5]
                ]
            ),
        )


def _told(jump: Discontinuity, daily: bool) -> str:
    return f"{jump.at:%Y-%m-%d}" if daily else f"{jump.at:%Y-%m-%dT%H:%MZ}"


def _looks_like(jump: Discontinuity) -> str:
    """Which split it could be. Only a hint: news has looked like a split, and splits have missed their ratio."""
    if not jump.factor > 0 or jump.expected_factor != 1.0 or abs(log(jump.factor)) < log(_SMALLEST_HINT):
        return ""
    ratio = min(_USUAL_RATIOS, key=lambda each: abs(abs(log(jump.factor)) - log(each)))
    if abs(abs(log(jump.factor)) - log(ratio)) > log(1.35):
        return ""
    return f"; it could be a split of {f'{ratio} for 1' if jump.factor < 1 else f'1 for {ratio}'}"
