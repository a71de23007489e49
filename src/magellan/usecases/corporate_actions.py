"""Corporate actions: record splits, dividends and confirmed moves, and take them out again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from magellan.archive.actions import KINDS
from magellan.errors import FixInput
from magellan.ports.corporate_actions import CorporateActionStore
from magellan.trading.corporate_action import CorporateAction


def list_actions(store: CorporateActionStore, symbols: Sequence[str] = ()) -> tuple[CorporateAction, ...]:
    """The recorded actions by symbol and instant; of these symbols only, where any are named."""
    wanted = {symbol.upper() for symbol in symbols}
    return tuple(action for action in store.read().actions if not wanted or action.symbol in wanted)


def record_action(store: CorporateActionStore, action: CorporateAction) -> None:
    """Add one action to the table. Raises FixInput when the table holds one of its kind at its instant."""
    store.write(store.read().with_action(action))


def forget_action(store: CorporateActionStore, kind: str, symbol: str, at: datetime) -> None:
    """Take one action out of the table. Raises FixInput when it is not there, naming what is."""
    if kind not in KINDS:
        raise FixInput(f"'{kind}' is not one of {', '.join(KINDS)}")
    store.write(store.read().without(kind, symbol, at))
