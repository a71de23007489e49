"""Evidence of zone and label: when the trading happens that a table shows, if its times are read some way.

Whoever reads an exchange's wall clock as UTC sees the session open at night. The volume knows better: most of
it falls into the regular session, and the opening bar is the loudest of the first two.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from magellan.archive.wall_clock import resolved, zone_named
from magellan.trading.bar import PRICE_COLUMNS, Bars, Floats, Instants
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import HOUR, MINUTE_NS, Timeframe

CLEARLY = 0.2  # by how much a share of the volume has to be larger for us to speak of evidence
_ENOUGH_BARS = 50
_ENOUGH_SESSIONS = 5
_LOUDER = 3.0


def regular_shares(
    wall_ns: Instants,
    volume: Floats,
    timeframe: Timeframe,
    zones: Iterable[str],
    calendar: ExchangeCalendar,
) -> dict[str, float]:
    """For each zone, the share of the volume that falls into regular sessions if the times are read there.

    Empty when that proves nothing: for daily bars, too few bars, no volume, or times outside the calendar.
    wall_ns: any order; `calendar` must be one with nights in it, such as XNYS.
    """
    if timeframe.is_daily or len(wall_ns) < _ENOUGH_BARS or not volume.sum() > 0:
        return {}
    if not _covered(wall_ns, calendar):
        return {}
    shares = {}
    for zone in zones:
        read = resolved(wall_ns, zone_named(zone))
        order = np.argsort(read.at_ns, kind="stable")
        inside = calendar.regular(_volume_only(read.at_ns[order], volume[order], timeframe))
        shares[zone] = float(volume[order][inside].sum() / volume.sum())
    return shares


def labelled_with_end(bars: Bars, calendar: ExchangeCalendar) -> bool:
    """Whether these bars look as if their labels were the ends of their spans.

    Then the bar labelled with the opening time is the last quiet one before the session, and the one after it
    is the loud one. Says no where nothing can be said: for hours and days, and for fewer than five sessions.
    """
    if bars.timeframe >= HOUR or len(bars) < _ENOUGH_BARS or not _covered(bars.opened_at_ns, calendar):
        return False
    opens = calendar.opens_at_ns[
        (calendar.opens_at_ns >= bars.opened_at_ns[0]) & (calendar.opens_at_ns <= bars.opened_at_ns[-1])
    ]
    at_open, _ = _volume_at(bars, opens)
    one_later, sessions = _volume_at(bars, opens + bars.timeframe.span_ns)
    return sessions >= _ENOUGH_SESSIONS and one_later > _LOUDER * at_open


def _volume_at(bars: Bars, at_ns: Instants) -> tuple[float, int]:
    """Volume of the bars labelled with these instants, and how many of them there are."""
    chosen = np.isin(bars.opened_at_ns, at_ns)
    return float(bars.volume[chosen].sum()), int(np.count_nonzero(chosen))


def _covered(at_ns: Instants, calendar: ExchangeCalendar) -> bool:
    if len(calendar.opens_at_ns) == 0:
        return False
    slack = 24 * 60 * MINUTE_NS  # wall times are up to a day away from their instants
    return bool(
        at_ns.min() - slack >= calendar.opens_at_ns[0] and at_ns.max() + slack <= calendar.closes_at_ns[-1]
    )


def _volume_only(at_ns: Instants, volume: Floats, timeframe: Timeframe) -> Bars:
    nothing = np.zeros(len(at_ns))
    return Bars(
        symbol="?",
        timeframe=timeframe,
        opened_at_ns=at_ns,
        volume=volume,
        **dict.fromkeys(PRICE_COLUMNS, nothing),
    )
