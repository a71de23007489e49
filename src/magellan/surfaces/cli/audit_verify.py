"""`magellan audit verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.audit_options import AccountOption, noted_head, opened_ledger
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.ledger.chain import Broken, Sound


def audit_verify(
    account: AccountOption = None,
    head: Annotated[
        str | None,
        typer.Option(
            "--head", metavar="NUMBER:HASH", help="An entry that you noted elsewhere; it must be there."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no entry of the ledger was changed, removed, added or moved.

    Every entry carries the hash of the one before. Note the head that this
    prints somewhere else from time to time: a ledger that was rewritten as a
    whole shows only against such a note. Ends with 1 when a chain is broken.
    """
    from magellan.errors import FixInput
    from magellan.ledger.chain import Sound
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.ledger_queries import the_account, verified

    noted = noted_head(head)
    with opened_ledger(workspace) as ledger:
        if account is None and noted is None:
            accounts = ledger.accounts()
        else:
            accounts = (the_account(ledger, account),)
        if not accounts:
            raise FixInput("the ledger is empty: there is nothing to check")
        found = {each: verified(ledger, each, noted) for each in accounts}
    emit(
        {each: _document(result) for each, result in found.items()},
        as_json=as_json,
        human=lambda: say("\n".join(_line(each, result) for each, result in found.items())),
    )
    if not all(isinstance(result, Sound) for result in found.values()):
        raise typer.Exit(1)


def _document(found: Sound | Broken) -> dict[str, object]:
    from magellan.ledger.chain import Sound

    if isinstance(found, Sound):
        return {"sound": True, "entries": found.head.number, "head": str(found.head)}
    return {"sound": False, "entry": found.number, "reason": found.reason}


def _line(account: str, found: Sound | Broken) -> str:
    from magellan.ledger.chain import Sound

    if isinstance(found, Sound):
        return f"{account}: sound, {found.head.number:,} entries, head {found.head}"
    return f"{account}: BROKEN at entry {found.number:,}: {found.reason}"
