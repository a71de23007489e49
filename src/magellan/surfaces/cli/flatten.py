"""`magellan flatten`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.operate_options import (
    AccountOption,
    ByOption,
    Desk,
    ReasonOption,
    opened_desk,
    show,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.ports.broker import Broker
    from magellan.ports.operator import OperatorRequest
    from magellan.usecases.operate_session import Operated


def flatten(
    by: ByOption,
    reason: ReasonOption,
    account: AccountOption = None,
    within_s: Annotated[
        float,
        typer.Option("--within", metavar="SECONDS", min=1, help="How long it goes on before it gives up."),
    ] = 60.0,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Cancel every order, leave every position at the market, and look until the broker shows neither.

    A session that runs is asked first. Where none runs, or it has not acted within a few seconds (its strategy hangs),
    this goes past it, straight to the broker, through refusals and lost answers. The account stays halted until
    `magellan resume`. Ends with 1 when the account is not flat in that time.
    """
    from magellan.adapters.local.control_folder import new_request
    from magellan.surfaces.cli.output import say
    from magellan.usecases.operate_session import must_name

    must_name(by, reason, "a flatten")
    request = new_request("flatten", person=by, reason=reason, source="command")
    with opened_desk(workspace, account) as desk:
        operated = asyncio.run(flattened(desk, request, within_s=within_s))
    show(operated, as_json=as_json, human=lambda: say(_outcome(operated)))
    if operated.flattened is None or not operated.flattened.flat:
        raise typer.Exit(1)


async def flattened(desk: Desk, request: OperatorRequest, *, within_s: float) -> Operated:
    """Flatten the account of a desk. Raises as the use case does."""
    from magellan.surfaces.cli.output import note
    from magellan.usecases.operate_session import PastTheSession
    from magellan.usecases.operate_session import flatten as flatten_it
    from magellan.wiring.sessions import account_broker, side_record

    account, keys = desk.account, desk.keys()
    beside = side_record(desk.workspace, account.ledger, request.request_id)

    def open_broker() -> Broker:
        assert account.terms is not None, "the use case has looked"
        return account_broker(account.terms, keys, workspace=desk.workspace, ledger=desk.ledger, answer_s=5.0)

    return await flatten_it(
        account,
        request,
        desk.around,
        PastTheSession(
            open_broker=open_broker,
            beside=beside.append,
            beside_name=str(beside.file),
            within_s=within_s,
            tell=note,
        ),
    )


def _outcome(operated: Operated) -> str:
    from magellan.usecases.operate_session import Acted, outcome_of

    assert operated.flattened is not None, "a flatten has an outcome"
    by = "by the session" if operated.acted is Acted.SESSION else "straight at the broker"
    lines = [f"{operated.account}, {by}: {outcome_of(operated.flattened, acted=operated.acted)}"]
    lines.append(f"recorded in {operated.recorded_in}; halted until `magellan resume`")
    if operated.acted is not Acted.SESSION and operated.holder is not None:
        lines.append(
            f"{operated.holder} still holds the ledger and hangs: stop it (kill -9 {operated.holder.pid}); the next "
            "session finds in the broker's answers what was done"
        )
    return "\n".join(lines)
