"""Deliver notifications beside other work: one thread per channel, so that a slow channel holds up no other."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from magellan.surfaces.cli.output import note

if TYPE_CHECKING:
    from magellan.ports.outbox import Transport
    from magellan.usecases.deliver_notifications import Round
    from magellan.workspace.workspace import Workspace

_LOOKS_EVERY_S: Final = 1.0
_ENDS_WITHIN_S: Final = 10.0


@contextmanager
def delivering(workspace: Workspace) -> Generator[None]:
    """Deliver what comes into the outbox until the block ends, and then what is still there."""
    ends = threading.Event()
    threads = [
        threading.Thread(target=_deliver, args=(workspace, name, ends), name=f"channel {name}", daemon=True)
        for name in workspace.settings.notifications.channels
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ends.set()
        for thread in threads:
            thread.join(_ENDS_WITHIN_S)


def deliver_once(workspace: Workspace, channel: str) -> Round | None:
    """One round of one channel. None: another process delivers from it. Raises FixInput, AskOperator."""
    from magellan.wiring.upkeep import transport

    return _round(workspace, channel, transport(workspace, channel, os.environ))


def _round(workspace: Workspace, channel: str, transport: Transport) -> Round | None:
    from magellan.usecases.deliver_notifications import deliver_round
    from magellan.wiring.upkeep import outbox

    with outbox(workspace).delivering(channel) as queue:
        if queue is None:
            return None
        terms = workspace.settings.notifications
        return deliver_round(queue, transport, terms, now=lambda: datetime.now(UTC))


def _deliver(workspace: Workspace, channel: str, ends: threading.Event) -> None:
    from magellan.errors import MagellanError
    from magellan.wiring.upkeep import transport

    made: Transport | None = None
    problem = ""
    while True:
        is_last = ends.is_set()
        try:
            made = made or transport(workspace, channel, os.environ)
            _round(workspace, channel, made)
            problem = ""
        except MagellanError as error:
            # Told once: what it is about waits in the queue, and the next round tries again.
            if error.message != problem:
                note(f"channel {channel}: {error.message}")
            problem = error.message
        if is_last:
            return
        ends.wait(_LOOKS_EVERY_S)
