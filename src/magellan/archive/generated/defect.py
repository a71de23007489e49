"""Defects: what can be wrong with bars, and how to do it to sound ones.

Each is a value that says where and how much; `applied` does it. A defect that finds no place (a date without
rows, a phantom day that is a session) is refused, so that a test never passes because nothing was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from magellan.archive.generated.chance import uniforms
from magellan.archive.generated.rows import COLUMNS, Rows, on_tick, put_together
from magellan.errors import FixInput
from magellan.trading.bar import PRICE_COLUMNS, Floats, nanoseconds
from magellan.trading.corporate_action import ConfirmedMove, CorporateAction, Split
from magellan.trading.session import ExchangeCalendar, day_number, exchange_midnight
from magellan.trading.timeframe import DAY_NS, HOUR_NS, MINUTE_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class UnadjustedSplit:
    """From `on` the rows are on a new share basis: 10 new shares for 1 old divide prices by 10."""

    on: date
    new_shares: int
    old_shares: int
    recorded: bool = True  # whether the corporate actions that come with the rows explain it


@dataclass(frozen=True, slots=True, kw_only=True)
class GenuineJump:
    """From `on` prices stand at `factor` times theirs, by news alone: volume stays what it was."""

    on: date
    factor: float
    confirmed: bool = True  # whether the corporate actions that come with the rows explain it


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingSession:
    """The vendor has no row of that session."""

    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Trading stops `after_open_minutes` into the session, for `minutes`: no rows, and a jump at the end."""

    on: date
    after_open_minutes: int
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRows:
    """The vendor lost a share of the rows, here and there."""

    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BadPrint:
    """Rows at `factor` times the true price, from `after_open_minutes` into the session (any daily row)."""

    on: date
    factor: float = 3.0
    after_open_minutes: int = 60
    rows: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomDay:
    """Rows on a date that is no session (a Saturday, a holiday), with less than 1 % of a day's volume."""

    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRows:
    """That many rows are there twice, under the same time."""

    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedRows:
    """That many rows repeat prices and volume of the row before, under their own time."""

    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroVolumeRows:
    """That many rows say that nothing was traded, and give prices all the same."""

    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherInstrument:
    """A share of the rows belongs to another instrument, which trades near `price_usd` (incident 12)."""

    share: float = 0.018
    price_usd: float = 250.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """The vendor returned only these dates and said nothing (incident 21)."""

    first_on: date
    last_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenValue:
    """One value of the first row of `on` is replaced, for example by NaN or by a negative price."""

    on: date
    column: str  # open, high, low, close or volume
    value: float


Defect = (
    UnadjustedSplit
    | GenuineJump
    | MissingSession
    | Halt
    | MissingRows
    | BadPrint
    | PhantomDay
    | DuplicateRows
    | RepeatedRows
    | ZeroVolumeRows
    | OtherInstrument
    | Truncated
    | BrokenValue
)


def applied(defect: Defect, rows: Rows, seed: int, calendar: ExchangeCalendar) -> Rows:
    """The rows with the defect. Raises FixInput where it finds no place in them."""
    match defect:
        case UnadjustedSplit(on=on, new_shares=new, old_shares=old):
            return _rebased(rows, on, price_factor=old / new, volume_factor=new / old)
        case GenuineJump(on=on, factor=factor):
            return _rebased(rows, on, price_factor=factor, volume_factor=1.0)
        case MissingSession(on=on):
            return rows.chosen(np.setdiff1d(np.arange(len(rows)), _rows_on(rows, on)))
        case Halt(on=on, after_open_minutes=after, minutes=minutes):
            begins = _after_open(on, after, rows, calendar)
            ends = begins + minutes * MINUTE_NS
            lost = (rows.opened_at_ns >= begins) & (rows.opened_at_ns < ends)
            return _without(rows, lost, f"a halt on {on}")
        case MissingRows(share=share):
            return _without(rows, _chances(seed, rows, "missing") < share, f"{share:.1%} missing rows")
        case BadPrint(on=on, factor=factor, after_open_minutes=after, rows=count):
            return _misprinted(rows, on, factor, _after_open(on, after, rows, calendar), count)
        case PhantomDay(on=on):
            return _with_phantom_day(rows, on, calendar)
        case DuplicateRows(rows=count):
            return put_together((rows, rows.chosen(_some(seed, rows, "duplicate", count))))
        case RepeatedRows(rows=count):
            chosen = _some(seed, rows, "repeated", count)
            before = np.maximum(chosen - 1, 0)
            return _replaced(rows, chosen, {name: getattr(rows, name)[before] for name in COLUMNS})
        case ZeroVolumeRows(rows=count):
            chosen = _some(seed, rows, "zero volume", count)
            return _replaced(rows, chosen, {"volume": np.zeros(len(chosen))})
        case OtherInstrument(share=share, price_usd=price_usd):
            return _polluted(rows, seed, share, price_usd)
        case Truncated(first_on=first_on, last_on=last_on):
            kept = (rows.session_day >= day_number(first_on)) & (rows.session_day <= day_number(last_on))
            return _without(rows, ~kept, f"a truncation to {first_on}..{last_on}")
        case BrokenValue(on=on, column=column, value=value):
            return _replaced(rows, _rows_on(rows, on)[:1], {column: np.array([value])})


def explanation(defect: Defect, symbol: str) -> CorporateAction | None:
    """The entry for the table of corporate actions that explains the defect; None where none does."""
    match defect:
        case UnadjustedSplit(on=on, new_shares=new, old_shares=old, recorded=True):
            return Split(symbol=symbol, effective_at=exchange_midnight(on), new_shares=new, old_shares=old)
        case GenuineJump(on=on, confirmed=True):
            return ConfirmedMove(
                symbol=symbol,
                at=exchange_midnight(on),
                reason="generated as a genuine jump",
                confirmed_by="the generator",
            )
    return None


def _rebased(rows: Rows, on: date, *, price_factor: float, volume_factor: float) -> Rows:
    after = rows.session_day >= day_number(on)
    if not after.any() or after.all():
        raise FixInput(f"{rows.symbol}: no rows on both sides of {on}")
    prices = {
        name: np.where(after, on_tick(getattr(rows, name) * price_factor), getattr(rows, name))
        for name in PRICE_COLUMNS
    }
    volume = np.where(after, np.maximum(1.0, np.rint(rows.volume * volume_factor)), rows.volume)
    return rows.changed(volume=volume, **prices)


def _misprinted(rows: Rows, on: date, factor: float, from_ns: int, count: int) -> Rows:
    chosen = _rows_on(rows, on)
    if not rows.timeframe.is_daily:
        chosen = chosen[rows.opened_at_ns[chosen] + rows.timeframe.span_ns > from_ns][:count]
    if len(chosen) == 0:
        raise FixInput(f"{rows.symbol}: no row to misprint so late on {on}")
    wrong = {name: on_tick(getattr(rows, name)[chosen] * factor) for name in PRICE_COLUMNS}
    return _replaced(rows, chosen, wrong)


def _with_phantom_day(rows: Rows, on: date, calendar: ExchangeCalendar) -> Rows:
    if calendar.hours(on) is not None:
        raise FixInput(f"{rows.symbol}: {on} is a session of {calendar.name}, not a phantom day")
    before = np.flatnonzero(rows.session_day < day_number(on))
    if len(before) == 0:
        raise FixInput(f"{rows.symbol}: no row before {on}")
    close = rows.close[before[-1]]
    # What a vendor shows there: a few trades of the early morning, at about the last price.
    span_ns = rows.timeframe.span_ns
    if rows.timeframe.is_daily:
        count, first_ns = 1, day_number(on) * DAY_NS
    else:
        count, first_ns = max(1, HOUR_NS // span_ns // 4), nanoseconds(exchange_midnight(on)) + 4 * HOUR_NS
    wiggle = np.cos(np.arange(count + 1))
    edge = on_tick(close * (1 + 0.001 * wiggle))
    per_row = rows.volume[rows.session_day == rows.session_day[before[-1]]].sum() * 0.004 / count
    phantom = Rows(
        symbol=rows.symbol,
        timeframe=rows.timeframe,
        opened_at_ns=first_ns + np.arange(count, dtype=np.int64) * span_ns,
        session_day=np.full(count, day_number(on), dtype=np.int32),
        open=edge[:-1],
        high=np.maximum(edge[:-1], edge[1:]),
        low=np.minimum(edge[:-1], edge[1:]),
        close=edge[1:],
        volume=np.full(count, max(1.0, float(np.rint(per_row)))),
    )
    return put_together((rows, phantom))


def _polluted(rows: Rows, seed: int, share: float, price_usd: float) -> Rows:
    chosen = np.flatnonzero(_chances(seed, rows, "other instrument") < share)
    if len(chosen) == 0:
        raise FixInput(f"{rows.symbol}: {len(rows)} rows are too few for {share:.1%} of another instrument")
    # The other instrument wanders with this one, on its own level.
    scale = price_usd / rows.close[chosen]
    moved = {name: on_tick(getattr(rows, name)[chosen] * scale) for name in PRICE_COLUMNS}
    return _replaced(rows, chosen, moved)


def _replaced(rows: Rows, chosen: NDArray[np.intp], columns: dict[str, Floats]) -> Rows:
    changed = {}
    for name, values in columns.items():
        if name not in COLUMNS:
            raise FixInput(f"{rows.symbol}: bars have no column '{name}'")
        changed[name] = getattr(rows, name).copy()
        changed[name][chosen] = values
    return rows.changed(**changed)


def _without(rows: Rows, lost: NDArray[np.bool_], what: str) -> Rows:
    if not lost.any():
        raise FixInput(f"{rows.symbol}: {what} takes no row away")
    return rows.chosen(~lost)


def _rows_on(rows: Rows, on: date) -> NDArray[np.intp]:
    chosen = np.flatnonzero(rows.session_day == day_number(on))
    if len(chosen) == 0:
        raise FixInput(f"{rows.symbol}: no row on {on}")
    return chosen


def _after_open(on: date, minutes: int, rows: Rows, calendar: ExchangeCalendar) -> int:
    hours = calendar.hours(on)
    if hours is None:
        raise FixInput(f"{rows.symbol}: {on} is no session of {calendar.name}")
    return nanoseconds(hours[0]) + minutes * MINUTE_NS


def _some(seed: int, rows: Rows, what: str, count: int) -> NDArray[np.intp]:
    """`count` rows chosen by chance, in order; never the first, which repeats nothing."""
    if count < 1 or count >= len(rows):
        raise FixInput(f"{rows.symbol}: {count} of {len(rows)} rows cannot be made {what}")
    return np.sort(1 + np.argsort(_chances(seed, rows, what)[1:], kind="stable")[:count])


def _chances(seed: int, rows: Rows, what: str) -> Floats:
    chances: Floats = uniforms(seed, f"{rows.symbol}/{what}", 0, 0, len(rows))[0]
    return chances
