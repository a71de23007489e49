"""A trading session: what it does with an event. Pure and synchronous; the same events give the same commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from magellan.engine.commands import Command
from magellan.engine.events import Event
from magellan.engine.setup import SessionSetup
from magellan.ledger.entries import LedgerEntry


class Session:
    """One strategy on one account, from `Started` until `Stop`.

    recorded: the account's ledger, oldest first. All that a session remembers is a fold of it.
    """

    def __init__(self, setup: SessionSetup, recorded: Iterable[LedgerEntry]) -> None:
        self._setup = setup

    @property
    def asks_since(self) -> datetime | None:
        """Since when `Started` must tell orders and executions; None: nothing is recorded, a day is enough."""
        raise NotImplementedError

    def handle(self, event: Event) -> list[Command]:
        """What is to be done about an event, in this order. Never raises for anything that an event can say."""
        raise NotImplementedError
