"""The options that the `audit` commands share, and the ledger that they mean."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import workspace_folder

if TYPE_CHECKING:
    from magellan.ledger.chain import Head
    from magellan.ports.change_log import ChangeLog
    from magellan.ports.ledger import Ledger
    from magellan.usecases.ledger_queries import Wanted
    from magellan.workspace.workspace import Workspace

_DAY = ["%Y-%m-%d"]

AccountOption = Annotated[
    str | None, typer.Option("--account", help="The account's number; needed where the ledger has several.")
]
FromOption = Annotated[
    datetime | None, typer.Option("--from", formats=_DAY, help="First date on the exchange's clock.")
]
ToOption = Annotated[datetime | None, typer.Option("--to", formats=_DAY, help="Last date, included.")]
SymbolOption = Annotated[str | None, typer.Option("--symbol", help="Only this symbol.")]
StrategyOption = Annotated[str | None, typer.Option("--strategy", help="Only this strategy.")]
OutcomeOption = Annotated[
    str | None, typer.Option("--outcome", help="Only trades that ended so: win, loss, breakeven, open.")
]


@contextmanager
def opened_ledger(given: Path | None) -> Generator[Ledger]:
    """The workspace's ledger, for as long as the block lasts."""
    from magellan.wiring.records import ledger
    from magellan.workspace.workspace import Workspace

    opened = ledger(Workspace.at(workspace_folder(given)))
    try:
        yield opened
    finally:
        opened.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """All that is recorded in a workspace."""

    workspace: Workspace
    ledger: Ledger
    changes: ChangeLog


@contextmanager
def opened_records(given: Path | None) -> Generator[Records]:
    """The workspace's ledger and its log of changes, for as long as the block lasts."""
    from magellan.wiring.records import change_log, ledger
    from magellan.workspace.workspace import Workspace

    workspace = Workspace.at(workspace_folder(given))
    opened = ledger(workspace)
    try:
        yield Records(workspace=workspace, ledger=opened, changes=change_log(workspace))
    finally:
        opened.close()


def wanted_rows(
    first: datetime | None,
    last: datetime | None,
    symbol: str | None,
    strategy: str | None,
    outcome: str | None,
) -> Wanted:
    """What the options ask for. Raises BadParameter."""
    from magellan.ledger.trade_record import Outcome
    from magellan.usecases.ledger_queries import Wanted

    if outcome is not None and outcome not in set(Outcome):
        raise typer.BadParameter(f"an outcome is one of {', '.join(Outcome)}, not {outcome}")
    return Wanted(
        first_on=_date(first),
        last_on=_date(last),
        symbol=symbol,
        strategy=strategy,
        outcome=None if outcome is None else Outcome(outcome),
    )


def noted_head(text: str | None) -> Head | None:
    """NUMBER:HASH as it was noted. Raises BadParameter."""
    from magellan.ledger.chain import Head

    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text)
    if found is None:
        raise typer.BadParameter(f"a head is written NUMBER:HASH, with 64 digits of the hash, not {text}")
    return Head(number=int(found[1]), hash=found[2])


def _date(given: datetime | None) -> date | None:
    return None if given is None else given.date()
