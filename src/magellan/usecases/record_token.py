"""Record what is done to a token: whoever lets somebody in, or shuts him out, is in the audit log before it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from magellan.audit.change import Change, Result
from magellan.errors import MagellanError
from magellan.plan.actor import Actor
from magellan.ports.change_log import ChangeLog


@contextmanager
def recorded_token(
    action: str, name: str, note: str, changes: ChangeLog, actor: Actor, clock: Callable[[], datetime]
) -> Iterator[None]:
    """The block does it. Before it the log says that it is begun, and after it what came of it; never the token.

    action: the command's words. note: what is to come of it. clock: now, aware, UTC.
    """
    begun = Change(
        at=clock(), by=actor, action=action, subject=f"token {name}", where="api", why="by the command",
        result=Result.BEGUN, note=note,
    )  # fmt: skip
    changes.append(begun)
    try:
        yield
    except MagellanError as error:
        changes.append(replace(begun, at=clock(), result=Result.REFUSED, note=error.message))
        raise
    changes.append(replace(begun, at=clock(), result=Result.DONE))
