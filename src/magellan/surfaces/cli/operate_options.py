"""What `halt`, `resume`, `flatten`, `status` and `watch` share: the account that is meant, and who asks why."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import workspace_folder

if TYPE_CHECKING:
    from magellan.ports.ledger import Holder, Ledger
    from magellan.settings.keys import KeyPair
    from magellan.usecases.named_account import NamedAccount
    from magellan.usecases.operate_session import Around, Operated
    from magellan.workspace.broker_account import Watchdog
    from magellan.workspace.workspace import Workspace

AccountOption = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="NAME",
        help="In magellan.toml or in the ledger; otherwise the one whose session runs, or the only one.",
    ),
]
ByOption = Annotated[str, typer.Option("--by", metavar="PERSON", help="Who asks. It is recorded.")]
ReasonOption = Annotated[str, typer.Option("--reason", "--why", metavar="TEXT", help="Why. It is recorded.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A workspace's ledger and the account that is meant."""

    workspace: Workspace
    ledger: Ledger
    account: NamedAccount

    @property
    def around(self) -> Around:
        """What requests to its session are made with."""
        from magellan.usecases.operate_session import Around
        from magellan.wiring.sessions import control_folder

        return Around(
            ledger=self.ledger,
            desk=control_folder(self.workspace, self.account.ledger),
            now=lambda: datetime.now(UTC),
        )

    def keys(self) -> KeyPair | None:
        """The account's keys. Raises FixInput for half a pair, or one that contradicts itself."""
        return keys_of(self.workspace, self.account)


@contextmanager
def opened_desk(workspace: Path | None, account: str | None) -> Generator[Desk]:
    """The workspace's ledger, opened for as long as the block lasts, and the account. Raises FixInput."""
    from magellan.usecases.named_account import named_account
    from magellan.wiring.records import ledger
    from magellan.workspace.workspace import Workspace

    found = Workspace.at(workspace_folder(workspace))
    opened = ledger(found)
    try:
        yield Desk(workspace=found, ledger=opened, account=named_account(found.settings, opened, account))
    finally:
        opened.close()


def keys_of(workspace: Workspace, account: NamedAccount) -> KeyPair | None:
    """An account's keys. Raises FixInput for half a pair, or one that contradicts itself."""
    from magellan.errors import FixInput
    from magellan.settings.keys import KeyState, find_keys
    from magellan.wiring.secrets import secret_providers

    if account.terms is None or not account.terms.has_keys:
        return None
    found = find_keys(account.terms.keys, secret_providers(workspace, os.environ))
    if found.state in (KeyState.HALF, KeyState.CONTRADICTING):
        raise FixInput(found.reason, next_step="correct the keys; nothing was asked with them")
    return found.pair


def watch_terms(account: NamedAccount) -> tuple[Watchdog, float]:
    """What counts as silence of an account, and the seconds between two comparisons with its broker."""
    from magellan.workspace.broker_account import BrokerAccount, Watchdog

    if account.terms is None:
        return Watchdog(), float(BrokerAccount.model_fields["reconcile_every_s"].default)
    return account.terms.watchdog, account.terms.reconcile_every_s


def who_acted(operated: Operated, *, done: str) -> str:
    """Who acted on a request, in a sentence. `done`: what is so now, for example "halted"."""
    from magellan.usecases.operate_session import Acted

    match operated.acted:
        case Acted.SESSION:
            return f"{operated.account}: {done} by the session ({_words(operated.holder)})"
        case Acted.LEDGER:
            return f"{operated.account}: {done}; no session runs, and the next one begins so"
        case _ if operated.ledger_trouble:
            return (
                f"{operated.account}: asked to be {done}, and no session has answered; {operated.ledger_trouble}. The "
                f"request waits in .magellan/control, and the next session on this machine begins so; "
                f"`magellan flatten` leaves at once, without the ledger"
            )
        case _:
            return (
                f"{operated.account}: the session ({_words(operated.holder)}) has not answered. The request waits "
                f"for it in .magellan/control; `magellan flatten` goes past a session that hangs"
            )


def show(operated: Operated, *, as_json: bool, human: Callable[[], None]) -> None:
    """Show what became of a request."""
    from magellan.surfaces.cli.output import emit

    emit(
        {
            "account": operated.account,
            "acted": operated.acted,
            "request_id": operated.request.request_id,
            "by": operated.request.person,
            "reason": operated.request.reason,
            "running": operated.holder,
            "reset": operated.reset,
            "still_halted": operated.still_halted,
            "flattened": operated.flattened,
            "recorded_in": operated.recorded_in,
            "ledger_trouble": operated.ledger_trouble,
        },
        as_json=as_json,
        human=human,
    )


def _words(holder: Holder | None) -> str:
    return "whoever holds the ledger" if holder is None else str(holder)
