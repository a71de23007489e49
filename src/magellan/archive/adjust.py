"""Adjusted views: prices as if every split inside the bars had always been in force, from raw bars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import numpy as np

from magellan.archive.dataset import Adjustment
from magellan.errors import FixInput
from magellan.trading.bar import PRICE_COLUMNS, Bars, nanoseconds
from magellan.trading.corporate_action import CashDividend, ConfirmedMove, CorporateAction, Split
from magellan.trading.session import day_number, exchange_date
from magellan.trading.timeframe import DAY_NS

View = Literal["raw", "split"]


def adjusted(bars: Bars, actions: Iterable[CorporateAction], view: View) -> Bars:
    """The bars as `view` shows them.

    "raw":   as traded; the same object.
    "split": for every split that takes effect inside these bars, prices of the rows before it are multiplied
             by its price factor and volumes divided by it. The last bar is always as traded, so the same set
             cut off earlier may show other levels; returns from bar to bar are the same in both.

    Not causal in levels: a price before a split is shown on a basis that nobody knew that day, so a rule that
    compares a price with a fixed amount of money (a minimum price, a size in dollars) sees the future. Rules
    that use ratios, differences divided by price, or ranks do not.

    actions: of any symbols; those of other symbols, dividends and confirmed moves are passed over.
             Leave out what the vendor has already done to the prices: see `still_in_prices`.
    Source:  docs/guides/data.md, "Splits".
    """
    if view == "raw":
        return bars
    if view != "split":
        raise FixInput(f"'{view}' is not a view of prices", next_step="choose raw or split")
    new, old = np.ones(len(bars)), np.ones(len(bars))
    for action in actions:
        if isinstance(action, Split) and action.symbol == bars.symbol:
            row = first_row_from(bars, action.effective_at)
            if 0 < row < len(bars):
                new[:row] *= action.new_shares
                old[:row] *= action.old_shares
    if not (new != old).any():
        return bars
    # Multiplied by whole numbers first and divided once, so that 10 for 1 gives exactly price / 10.
    return Bars(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        opened_at_ns=bars.opened_at_ns,
        **{name: getattr(bars, name) * old / new for name in PRICE_COLUMNS},
        volume=bars.volume * new / old,
    )


def first_row_from(bars: Bars, at: datetime) -> int:
    """The first row that a corporate action at `at` applies to; `len(bars)` when it lies behind them all.

    That is the first bar that opens at or after it. A daily bar is labelled with midnight UTC, before
    anything traded, so daily bars go by date: the bar of the action's exchange date is the first one.
    """
    if bars.timeframe.is_daily:
        from_ns = day_number(exchange_date(at)) * DAY_NS
    else:
        from_ns = nanoseconds(at)
    return int(np.searchsorted(bars.opened_at_ns, from_ns))


def still_in_prices(
    actions: Iterable[CorporateAction], adjustment: Adjustment
) -> tuple[CorporateAction, ...]:
    """The actions that a set's prices still show: all in raw ones, no split once the vendor removed it."""
    removed: tuple[type, ...] = {
        Adjustment.RAW: (),
        Adjustment.SPLIT: (Split,),
        Adjustment.ALL: (Split, CashDividend),
    }[adjustment]
    return tuple(action for action in actions if not isinstance(action, removed))


def action_at(action: CorporateAction) -> datetime:
    """The instant (UTC) from which an action counts."""
    match action:
        case Split():
            return action.effective_at
        case CashDividend():
            return action.ex_at
        case ConfirmedMove():
            return action.at
