"""`magellan audit verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.audit_options import AccountOption, noted_head, opened_records
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.ledger.chain import Broken, Sound
    from magellan.usecases.audit import Audited


def audit_verify(
    account: AccountOption = None,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="NUMBER:HASH",
            help="An entry of the account, or with --changes a change, that you noted elsewhere; it must be there.",
        ),
    ] = None,
    changes: Annotated[
        bool, typer.Option("--changes", help="Only the log of changes, and not the ledger.")
    ] = False,
    checkpoints: Annotated[
        Path | None,
        typer.Option("--checkpoints", metavar="FILE", help="Signed checkpoints that you kept elsewhere."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that nothing recorded was changed, removed, added or moved: the ledger, and the log of changes.

    Every entry carries the hash of the one before. Note the heads that this
    prints somewhere else from time to time, or keep a copy of the checkpoints
    that `magellan audit sign` makes: a chain that was rewritten as a whole
    shows only against such a note. Ends with 1 when anything is broken.
    """
    from magellan.audit.checkpoint import CHANGES, ledger_chain
    from magellan.errors import FixInput
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.audit import audit
    from magellan.usecases.ledger_queries import the_account
    from magellan.wiring.records import checkpoints as kept_checkpoints

    if changes and account is not None:
        raise typer.BadParameter("--changes is about the log of changes, and --account about the ledger")
    noted = noted_head(head)
    if checkpoints is not None and not checkpoints.is_file():
        raise FixInput(f"there is no file {checkpoints}", next_step="name a copy of the checkpoints")
    with opened_records(workspace) as records:
        chosen = None
        if not changes and (account is not None or noted is not None):
            chosen = ledger_chain(the_account(records.ledger, account))
        elif changes:
            chosen = CHANGES
        signed = kept_checkpoints(records.workspace).all()
        if checkpoints is not None:
            signed += kept_checkpoints(records.workspace, checkpoints).all()
        audited = audit(
            records.ledger,
            records.changes,
            signed,
            trusted_keys=records.workspace.settings.releases.trusted_keys,
            noted={} if noted is None or chosen is None else {chosen: noted},
            only=chosen,
        )
    if not audited.chains:
        raise FixInput("the ledger is empty, and nothing was changed: there is nothing to check")
    emit(_document(audited), as_json=as_json, human=lambda: say(_lines(audited)))
    if not audited.is_sound:
        raise typer.Exit(1)


def _document(audited: Audited) -> dict[str, object]:
    found: dict[str, object] = {_name(name): _chain(each) for name, each in audited.chains.items()}
    if audited.checkpoints or audited.problems:
        found["checkpoints"] = {"signed": audited.checkpoints, "problems": audited.problems}
    return found


def _chain(found: Sound | Broken) -> dict[str, object]:
    from magellan.ledger.chain import Sound

    if isinstance(found, Sound):
        return {"sound": True, "entries": found.head.number, "head": str(found.head)}
    return {"sound": False, "entry": found.number, "reason": found.reason}


def _lines(audited: Audited) -> str:
    from magellan.ledger.chain import Sound

    lines = []
    for name, found in audited.chains.items():
        if isinstance(found, Sound):
            lines.append(f"{_name(name)}: sound, {found.head.number:,} entries, head {found.head}")
        else:
            lines.append(f"{_name(name)}: BROKEN at entry {found.number:,}: {found.reason}")
    if audited.checkpoints:
        lines.append(f"checkpoints: {audited.checkpoints} signed ones, and the chains hold them")
    lines += [f"checkpoints: NOT TRUSTED: {problem}" for problem in audited.problems]
    return "\n".join(lines)


def _name(chain: str) -> str:
    return chain.removeprefix("ledger:")
