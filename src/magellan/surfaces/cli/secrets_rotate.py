"""`magellan secrets rotate`."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.secret_options import Safe, records_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from magellan.plan.carry_out import Outcome
    from magellan.plan.plan import Plan
    from magellan.ports.secrets import SecretStore
    from magellan.usecases.recorded_plan import Records
    from magellan.usecases.rotate_secrets import SecretChange
    from magellan.usecases.secret_inventory import NeededSecret
    from magellan.workspace.workspace import Workspace


def secrets_rotate(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="As `magellan secrets list` shows them.")
    ],
    why: Annotated[
        str, typer.Option("--reason", "--why", metavar="TEXT", help="Why. It is recorded.")
    ] = "due",
    by: Annotated[
        str | None, typer.Option("--by", metavar="PERSON", help="Who; default: this machine's user.")
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Forget the old values, once nothing that runs can use them.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after a kill.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take an unfinished rotation back.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put new values of secrets in place, without a session that misses a beat.

    The new values are read from standard input, one a line in the order of
    the names; on a terminal they are asked for, and do not show. Both keys of
    an account go together, and are tried at the broker first.

    A session that runs keeps the pair with which it began. The old values
    stay as NAME__PREVIOUS until `--finish`, which refuses while a session runs
    that began with them. Revoke them at whoever issued them after that.
    """
    from magellan.plan.carry_out import Finished
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.rotate_secrets import PREVIOUS

    if sum((finish, resume, undo, dry_run)) > 1:
        raise typer.BadParameter("--finish, --resume, --undo and --dry-run are told one at a time")
    safe = Safe.of(workspace)
    chosen = _chosen(names, safe.needed())
    used_by = chosen[0].used_by
    store = _store(safe, chosen)
    records = records_of(safe.workspace, by)
    action = "secrets finish" if finish else "secrets rotate"
    change = records.change(action, used_by, store.place, why)
    if finish:
        _refuse_while_used(safe.workspace, chosen)
    world = _world(safe, store, chosen, asks=not (finish or undo))
    plan, journal = _plan(world, chosen, used_by, records, finish=finish, again=resume or undo)
    old_left = [name for name, mark in world.marks([each.name + PREVIOUS for each in chosen]).items() if mark]
    if dry_run:
        from magellan.plan.preview import preview
        from magellan.plan.rendering import as_text

        found = asyncio.run(preview(plan, world))
        emit({"would": as_text(found.status), "refusals": found.refusals}, as_json=as_json,
             human=lambda: say(as_text(found.status)))  # fmt: skip
        return
    from magellan.usecases.recorded_plan import carry_out_recorded

    outcome: Outcome = asyncio.run(
        carry_out_recorded(plan, world, records, change, journal_name=journal, back=undo)
    )
    if not finish and isinstance(outcome, Finished):
        for each in chosen:
            world.ages.since(each.name, world.new[each.name], now=records.clock())
    ended = "done" if isinstance(outcome, Finished) else outcome.why
    document = {"secrets": [each.name for each in chosen], "outcome": type(outcome).__name__, "ended": ended}

    def show() -> None:
        if not isinstance(outcome, Finished):
            say(f"{outcome.status.word}: {outcome.why}")
        elif finish and not old_left:
            say(f"no old values of {' and '.join(each.name for each in chosen)} are kept in {store.place}")
        elif finish:
            say("the old values are forgotten here; revoke them at whoever issued them")
        else:
            say(f"replaced in {store.place}; sessions that run keep the old values until their next start")
            say(f"then: magellan secrets rotate {' '.join(each.name for each in chosen)} --finish")

    emit(document, as_json=as_json, human=show)
    if not isinstance(outcome, Finished) and not undo:
        raise typer.Exit(1)


def _chosen(names: Sequence[str], needed: Sequence[NeededSecret]) -> tuple[NeededSecret, ...]:
    from magellan.errors import FixInput

    known = {each.name: each for each in needed}
    for name in names:
        if name not in known:
            raise FixInput(
                f"magellan.toml names no secret {name}",
                next_step=f"there are: {', '.join(known) or 'none'}; secrets.also takes others",
            )
    chosen = tuple(known[name] for name in dict.fromkeys(names))
    if len({(each.used_by, each.source) for each in chosen}) > 1:
        raise FixInput(
            "these belong to different things", next_step="rotate those of one account or channel at a time"
        )
    if chosen[0].account is not None:
        pair = [each.name for each in needed if each.account == chosen[0].account]
        if len(chosen) < len(pair):
            raise FixInput(
                f"{chosen[0].used_by} opens with {' and '.join(pair)} together",
                next_step=f"magellan secrets rotate {' '.join(pair)}",
            )
    return chosen


def _store(safe: Safe, chosen: Sequence[NeededSecret]) -> SecretStore:
    from magellan.errors import FixInput
    from magellan.wiring.secrets import secret_stores

    (store,) = (each for each in secret_stores(safe.workspace) if each.source == chosen[0].source)
    for each in chosen:
        holder = next(
            (p for p in safe.providers if p.source == each.source and p.secret(each.name) is not None), None
        )
        if holder is not None and holder.place != store.place:
            raise FixInput(
                f"{each.name} is in {holder.place}, which this process cannot change",
                next_step="change it where it is set; or unset it there, and keep it in the workspace's .env",
            )
    return store


def _world(safe: Safe, store: SecretStore, chosen: Sequence[NeededSecret], *, asks: bool) -> SecretChange:
    from magellan.usecases.rotate_secrets import SecretChange
    from magellan.wiring.secrets import secret_ages

    return SecretChange(
        store=store,
        ages=secret_ages(safe.workspace),
        new=_new_values(chosen) if asks else {},
        try_out=_trial(safe, chosen),
    )


def _new_values(chosen: Sequence[NeededSecret]) -> dict[str, SecretStr]:
    from pydantic import SecretStr

    from magellan.errors import FixInput

    values = {}
    for each in chosen:
        if sys.stdin.isatty():
            value = getpass.getpass(f"new value of {each.name}: ")
        else:
            value = sys.stdin.readline()
        if not value.strip():
            raise FixInput(
                f"there is no new value of {each.name}",
                next_step="write one value a line into standard input, in the order of the names",
            )
        values[each.name] = SecretStr(value.strip())
    return values


def _trial(
    safe: Safe, chosen: Sequence[NeededSecret]
) -> Callable[[Mapping[str, SecretStr]], Awaitable[None]] | None:
    """For an account: ask its broker with the new pair, and hold the answer to the number that is pinned."""
    if chosen[0].account is None:
        return None
    from magellan.errors import FixInput, MagellanError
    from magellan.ledger.known_secrets import KnownSecrets
    from magellan.settings.keys import KeyPair
    from magellan.wiring.sessions import keyed_broker

    account = safe.workspace.settings.accounts[chosen[0].account]
    # In the order of the inventory: the id, then the secret, however they were typed.
    key_id, secret = (each.name for each in safe.needed() if each.account == chosen[0].account)

    async def ask(new: Mapping[str, SecretStr]) -> None:
        broker = keyed_broker(account, KeyPair(key_id=new[key_id], secret=new[secret], place="new"))
        try:
            told = (await broker.account()).account_id
        except MagellanError as error:
            # Into a journal: without what a library may quote of a request.
            known = KnownSecrets(each.get_secret_value() for each in new.values())
            raise FixInput(f"the new pair opens nothing: {known.hidden_in(error.message)}") from None
        finally:
            await broker.close()
        if told != account.number:
            raise FixInput(f"the new pair opens the account {told}, and magellan.toml pins {account.number}")

    return ask


def _refuse_while_used(workspace: Workspace, chosen: Sequence[NeededSecret]) -> None:
    if chosen[0].account is None:
        return
    from magellan.errors import FixInput
    from magellan.usecases.named_account import ledger_name
    from magellan.wiring.records import ledger
    from magellan.wiring.secrets import secret_ages

    name = ledger_name(workspace.settings.accounts[chosen[0].account])
    opened = ledger(workspace)
    try:
        holder = opened.holder(name)
    finally:
        opened.close()
    if holder is None:
        return
    safe = Safe.of(workspace.root)
    for each in chosen:
        for provider in safe.providers:
            value = provider.secret(each.name) if provider.source == each.source else None
            if value is None:
                continue
            since = secret_ages(workspace).since(each.name, value, now=holder.since)
            if since > holder.since:
                raise FixInput(
                    f"{holder} trades {name} with the old {each.name}",
                    kept="both values",
                    next_step="start that session anew, then run this again",
                )


def _plan(
    world: SecretChange,
    chosen: Sequence[NeededSecret],
    used_by: str,
    records: Records,
    *,
    finish: bool,
    again: bool,
) -> tuple[Plan[SecretChange], str | None]:
    from magellan.usecases.recorded_plan import unfinished
    from magellan.usecases.rotate_secrets import forgetting, rotation, rotation_begun

    if finish:
        return forgetting(world, [each.name for each in chosen], used_by=used_by), None
    if not again:
        return rotation(world, used_by=used_by), None
    journal = unfinished(records, f"secrets/{used_by}")
    return rotation_begun(records.journals.read(journal), world, used_by=used_by), journal
