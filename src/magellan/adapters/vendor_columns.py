"""From the rows of a vendor's answers to bars: in order, each once, daily ones under their exchange date."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magellan.archive.dataset import DateRange, SetId
from magellan.ports.vendor import VendorUnreadable
from magellan.trading.bar import PRICE_COLUMNS, Bars, Floats, Instants, Mask
from magellan.trading.session import day_number, exchange_offset_ns
from magellan.trading.timeframe import DAY_NS

COLUMNS = (*PRICE_COLUMNS, "volume")


def bars_of(
    set_id: SetId, dates: DateRange, opened_at_ns: Instants, columns: Mapping[str, ArrayLike]
) -> Bars:
    """Bars of the exchange dates in `dates`, oldest first.

    opened_at_ns: shape (n,), UTC, in any order; a daily bar at any instant of its exchange date.
    columns:      open, high, low, close and volume, n values each.
    Rows outside the dates are left out (vendors round a range up). A row that came twice is kept once.
    Raises: VendorUnreadable for rows that are not numbers, or two rows of one instant that differ.
    """
    try:
        values = {name: np.asarray(columns[name], dtype=np.float64) for name in COLUMNS}
    except (TypeError, ValueError) as error:
        raise VendorUnreadable(
            f"{set_id.vendor}'s bars of {set_id.symbol} hold no number: {error}"
        ) from error
    day = (opened_at_ns + exchange_offset_ns(opened_at_ns)) // DAY_NS
    label_ns = day * DAY_NS if set_id.timeframe.is_daily else opened_at_ns
    wanted = np.flatnonzero((day >= day_number(dates.first_on)) & (day <= day_number(dates.last_on)))
    rows = wanted[np.argsort(label_ns[wanted], kind="stable")]
    again = np.zeros(len(rows), dtype=bool)
    np.equal(label_ns[rows[1:]], label_ns[rows[:-1]], out=again[1:])
    _must_repeat(set_id, values, rows, again)
    kept = rows[~again]
    return Bars(
        symbol=set_id.symbol,
        timeframe=set_id.timeframe,
        opened_at_ns=label_ns[kept].astype(np.int64),
        **{name: values[name][kept] for name in COLUMNS},
    )


def _must_repeat(
    set_id: SetId,
    values: dict[str, Floats],
    rows: NDArray[np.intp],
    again: Mask,
) -> None:
    for row in np.flatnonzero(again).tolist():
        if any(values[name][rows[row]] != values[name][rows[row - 1]] for name in COLUMNS):
            raise VendorUnreadable(
                f"{set_id.vendor} sent two bars of {set_id.symbol} for one instant, and they differ",
                next_step="report it to the vendor; fetch a range without that day meanwhile",
            )
