"""Prepare a run: the bars that a strategy's config asks for, as it shall see and trade them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np

from magellan.archive.actions import CorporateActionTable
from magellan.archive.adjust import adjusted, first_row_from, still_in_prices
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import SetRecord, find_set
from magellan.archive.discontinuity import Discontinuity, discontinuities
from magellan.backtest.market import Market
from magellan.backtest.result import DataUsed
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.trading.bar import Bars, Mask, instant
from magellan.trading.corporate_action import CashDividend, CorporateAction, Split
from magellan.trading.session import (
    ExchangeCalendar,
    Hours,
    exchange_date,
    exchange_midnight,
    session_columns,
)
from magellan.trading.timeframe import Timeframe
from magellan.workspace.config import DataTerms, StrategyConfig

_OPENS, _CLOSES = 9 * 60 + 30, 16 * 60  # minutes after midnight

CalendarOf = Callable[[str], ExchangeCalendar]  # by market code
Progress = Callable[[str, float, float], None]  # (phase, done, total)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedData:
    """Everything that a run reads of the archive."""

    market: Market
    reference: tuple[Bars, ...]  # symbols that features read and nobody trades
    calendar: ExchangeCalendar
    breaks: Mapping[str, Mask]  # per symbol, bars that open after an unexplained jump
    jumps: tuple[Discontinuity, ...]  # the same, in words
    actions: tuple[CorporateAction, ...]  # to apply to positions; no splits where bars are adjusted for them
    used: tuple[DataUsed, ...]
    records: tuple[SetRecord, ...]  # of the traded symbols' sets


def prepare_data(
    config: StrategyConfig,
    *,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
    from_on: date | None = None,
    to_on: date | None = None,
    progress: Progress = lambda phase, done, total: None,
) -> PreparedData:
    """Read, filter and adjust the bars of a config's symbols.

    from_on, to_on: exchange dates, both included; None leaves that side open.
    Raises: SetNotFound for a symbol that the archive does not hold; FixInput for a range without bars.
    """
    if from_on is not None and to_on is not None and to_on < from_on:
        raise FixInput(
            f"the range from {from_on} to {to_on} ends before it begins",
            next_step="put the earlier date first",
        )
    terms = config.data
    calendar = calendar_of(terms.calendar)
    catalogue = archive.sets()
    traded = []
    for done, symbol in enumerate(config.symbols):
        progress("read bars", done, len(config.symbols))
        traded.append(_read_symbol(symbol, terms, catalogue, archive, actions, calendar, from_on, to_on))
    progress("read bars", len(traded), len(traded))
    reference = [
        _read_symbol(symbol, terms, catalogue, archive, actions, calendar, from_on, to_on)
        for symbol in terms.reference_symbols
        if symbol not in config.symbols
    ]
    return PreparedData(
        market=Market.of([one.bars for one in traded]),
        reference=tuple(one.bars for one in reference),
        calendar=calendar,
        breaks={one.bars.symbol: one.breaks for one in traded if one.breaks.any()},
        jumps=tuple(jump for one in traded for jump in one.jumps),
        actions=tuple(action for one in traded for action in one.actions),
        used=tuple(one.used for one in (*traded, *reference)),
        records=tuple(one.record for one in traded),
    )


def dates_of(bars: Bars) -> tuple[date, date]:
    """Exchange dates of the first and the last bar."""
    ends = (instant(int(bars.opened_at_ns[0])), instant(int(bars.opened_at_ns[-1])))
    first, last = (at.date() if bars.timeframe.is_daily else exchange_date(at) for at in ends)
    return first, last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Symbol:
    bars: Bars
    breaks: Mask
    jumps: tuple[Discontinuity, ...]
    actions: tuple[CorporateAction, ...]
    used: DataUsed
    record: SetRecord


def _read_symbol(
    symbol: str,
    terms: DataTerms,
    catalogue: Sequence[SetRecord],
    archive: BarArchive,
    table: CorporateActionTable,
    calendar: ExchangeCalendar,
    from_on: date | None,
    to_on: date | None,
) -> _Symbol:
    timeframe = Timeframe.parse(terms.timeframe)
    record = find_set(catalogue, symbol, timeframe, vendor=terms.vendor, feed=terms.feed)
    if terms.hours == "all" and record.id.hours is Hours.REGULAR:
        raise FixInput(
            f"{symbol}: the config decides on all hours, the archive holds regular hours only ({record.id.slug})",
            next_step="set data.hours to regular, or fetch bars of all hours",
        )
    start_at = None if from_on is None else _begins(from_on, timeframe)
    end_at = None if to_on is None else _begins(to_on + timedelta(days=1), timeframe)
    raw = archive.read(record.id, start_at, end_at)
    if len(raw) and terms.hours != "all":
        raw = raw.rows(calendar.regular(raw) if terms.hours == "regular" else _by_clock(raw))
    if len(raw) == 0:
        held = f"{record.first_at.date()} to {record.last_at.date()}"
        asked = f"{from_on or 'the beginning'} to {to_on or 'the end'}"
        raise FixInput(
            f"{symbol}: no {terms.hours} {timeframe} bar from {asked}; the archive holds {held}",
            next_step="choose another range, or import or fetch the bars that are missing",
        )
    relevant = still_in_prices(table.of(symbol), record.id.adjustment)
    jumps = discontinuities(raw, relevant, terms.jump_factor)
    breaks = np.zeros(len(raw), dtype=bool)
    breaks[[jump.row for jump in jumps]] = True
    applied = relevant
    bars = raw
    if terms.adjust == "split":
        bars = adjusted(raw, relevant, "split")
        applied = tuple(_on_basis_of_last_bar(action, raw, relevant) for action in relevant)
        applied = tuple(action for action in applied if not isinstance(action, Split))
    used = DataUsed(
        symbol=symbol,
        set_id=record.id.slug,
        sha256=content_sha256(raw),
        rows=len(raw),
        first_at=instant(int(raw.opened_at_ns[0])),
        last_at=instant(int(raw.opened_at_ns[-1])),
        generated=record.generated,
    )
    return _Symbol(bars=bars, breaks=breaks, jumps=jumps, actions=applied, used=used, record=record)


def _by_clock(bars: Bars) -> Mask:
    """Bars of which any part lies between 09:30 and 16:00 on the exchange's clock, session or not."""
    if bars.timeframe.is_daily:
        return np.ones(len(bars), dtype=bool)
    minute = session_columns(bars).minute
    return np.asarray((minute + bars.timeframe.minutes > _OPENS) & (minute < _CLOSES))


def _begins(on: date, timeframe: Timeframe) -> datetime:
    """The instant from which bars belong to that date."""
    return datetime.combine(on, time(), tzinfo=UTC) if timeframe.is_daily else exchange_midnight(on)


def _on_basis_of_last_bar(
    action: CorporateAction, bars: Bars, actions: Sequence[CorporateAction]
) -> CorporateAction:
    """A dividend per share as adjusted bars count shares; any other action as it is."""
    if not isinstance(action, CashDividend):
        return action
    amount_usd = action.amount_usd
    for split in actions:
        if (
            isinstance(split, Split)
            and split.effective_at > action.ex_at
            and first_row_from(bars, split.effective_at) < len(bars)
        ):
            amount_usd = amount_usd * Decimal(split.old_shares) / Decimal(split.new_shares)
    return replace(action, amount_usd=amount_usd)
