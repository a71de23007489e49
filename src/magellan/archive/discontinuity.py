"""Discontinuities: jumps from one bar to the next that nothing in the corporate-action table explains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from magellan.archive.adjust import first_row_from
from magellan.errors import FixInput
from magellan.trading.bar import Bars, Floats, Mask, instant
from magellan.trading.corporate_action import CashDividend, ConfirmedMove, CorporateAction, Split

JUMP_FACTOR = 1.5
"""A price that moves by more than half between two bars is looked at; a split of 3 for 2 moves it by that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discontinuity:
    """One jump that a position must not be held through, because nobody has said what it was."""

    symbol: str
    before_at: datetime  # aware, UTC: opening of the last bar before it
    at: datetime  # aware, UTC: opening of the first bar after it
    row: int  # of the first bar after it
    close_before: float
    open_after: float
    factor: float  # open_after / close_before
    expected_factor: (
        float  # what the table's splits and dividends at this row make it; 1.0 where there are none
    )

    @property
    def explanation(self) -> str:
        """What is wrong, in one sentence."""
        seen = f"{self.close_before:g} to {self.open_after:g} (x{self.factor:.3g})"
        if self.expected_factor == 1.0:
            return f"the price goes from {seen} and no corporate action says why"
        return f"the corporate actions say x{self.expected_factor:.3g}, but the price goes from {seen}"


def discontinuities(
    bars: Bars, actions: Iterable[CorporateAction], threshold: float = JUMP_FACTOR
) -> tuple[Discontinuity, ...]:
    """Every jump between the close of one bar and the open of the next that the table does not explain.

    A jump is unexplained when open / close, divided by what the table's splits and dividends at that row make
    of the price, is beyond `threshold` or below 1 / `threshold`. So is a split that the prices do not show:
    holding through it would multiply shares whose price never fell. A confirmed move explains whatever
    happens at its row. A price at or below zero on either side is always a jump.

    actions:   of any symbols; those of other symbols are passed over. Leave out what the vendor has already
               done to the prices: see `still_in_prices`.
    threshold: > 1; 1.5 lets a price fall to two thirds or rise by half.
    Source:    docs/guides/data.md, "Jumps and splits".
    """
    if not threshold > 1:
        raise FixInput(f"a jump factor of {threshold} is not above 1")
    if len(bars) < 2:
        return ()
    split_factor, dividend, confirmed = _explanations(bars, actions)
    before, after = bars.close[:-1], bars.open[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = after / before
        expected = split_factor[1:] - dividend[1:] / before
        residual = observed / expected
    sound = (before > 0) & (after > 0) & (expected > 0)
    explained = sound & (residual <= threshold) & (residual >= 1 / threshold)
    explained &= ~_declared_but_not_seen(observed, split_factor[1:], sound)
    explained |= confirmed[1:]
    return tuple(
        Discontinuity(
            symbol=bars.symbol,
            before_at=instant(int(bars.opened_at_ns[row])),
            at=instant(int(bars.opened_at_ns[row + 1])),
            row=int(row) + 1,
            close_before=float(before[row]),
            open_after=float(after[row]),
            factor=float(observed[row]),
            expected_factor=float(expected[row]),
        )
        for row in np.flatnonzero(~explained)
    )


def _explanations(bars: Bars, actions: Iterable[CorporateAction]) -> tuple[Floats, Floats, Mask]:
    """Per row: price factor of its splits, dividends leaving the price, whether a move is confirmed."""
    split_factor, dividend = np.ones(len(bars)), np.zeros(len(bars))
    confirmed = np.zeros(len(bars), dtype=bool)
    for action in actions:
        if action.symbol != bars.symbol:
            continue
        match action:
            case Split(effective_at=at):
                row = first_row_from(bars, at)
                if row < len(bars):
                    split_factor[row] *= action.price_factor
            case CashDividend(ex_at=at):
                row = first_row_from(bars, at)
                if row < len(bars):
                    dividend[row] += float(action.amount_usd)
            case ConfirmedMove(at=at):
                row = first_row_from(bars, at)
                if row < len(bars):
                    confirmed[row] = True
    return split_factor, dividend, confirmed


def _declared_but_not_seen(observed: Floats, split_factor: Floats, sound: Mask) -> Mask:
    """Rows whose split fits the prices worse than no split would, however small its ratio.

    A split of 5 for 4 lies inside any sensible jump factor; prices that the vendor had already divided would
    pass for split ones without this.
    """
    declared = sound & (split_factor != 1.0)
    missing = np.zeros(len(observed), dtype=bool)
    log_observed, log_split = np.log(observed[declared]), np.log(split_factor[declared])
    missing[declared] = np.abs(log_observed) < np.abs(log_observed - log_split)
    return missing
