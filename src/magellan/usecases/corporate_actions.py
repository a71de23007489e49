"""Corporate actions: record splits, dividends and confirmed moves, and take them out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from magellan.archive.actions import KINDS
from magellan.archive.adjust import action_at, first_row_from, still_in_prices
from magellan.archive.dataset import valid_symbol
from magellan.archive.discontinuity import discontinuities
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.ports.corporate_actions import CorporateActionStore
from magellan.trading.corporate_action import CorporateAction

_AROUND = timedelta(days=10)  # so that the bar before is there, whatever holidays lie between


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one set's prices do at a corporate action."""

    set: str  # its slug
    at: datetime  # aware, UTC: opening of the first bar that the action applies to
    factor: float  # open of that bar over the close before
    explained: bool  # whether the table now accounts for it


def list_actions(store: CorporateActionStore, symbols: Sequence[str] = ()) -> tuple[CorporateAction, ...]:
    """The recorded actions by symbol and instant; of these symbols only, where any are named."""
    wanted = {valid_symbol(symbol.upper()) for symbol in symbols}
    return tuple(action for action in store.read().actions if not wanted or action.symbol in wanted)


def record_action(
    store: CorporateActionStore, archive: BarArchive, action: CorporateAction
) -> tuple[Sighting, ...]:
    """Add one action to the table, and look what the archived prices do there.

    Raises FixInput when the table holds one of its kind at its instant.
    """
    table = store.read().with_action(action)
    store.write(table)
    sightings = []
    for record in archive.sets():
        if record.id.symbol != action.symbol:
            continue
        at = action_at(action)
        bars = archive.read(record.id, at - _AROUND, at + _AROUND)
        row = first_row_from(bars, at)
        if 0 < row < len(bars):
            jumps = discontinuities(bars, still_in_prices(table.of(action.symbol), record.id.adjustment))
            sightings.append(
                Sighting(
                    set=record.id.slug,
                    at=bars.bar(row).opened_at,
                    factor=float(bars.open[row] / bars.close[row - 1]),
                    explained=row not in {jump.row for jump in jumps},
                )
            )
    return tuple(sightings)


def forget_action(store: CorporateActionStore, kind: str, symbol: str, at: datetime) -> None:
    """Take one action out of the table. Raises FixInput when it is not there, naming what is."""
    if kind not in KINDS:
        raise FixInput(f"'{kind}' is not one of {', '.join(KINDS)}")
    store.write(store.read().without(kind, valid_symbol(symbol), at))
