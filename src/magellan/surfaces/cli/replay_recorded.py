"""`magellan replay SESSION`: a session of the ledger, replayed and shown."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

from magellan.errors import FixInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from magellan.trading.bar import Bars
    from magellan.usecases.load_strategy import LoadedStrategy
    from magellan.usecases.replay_session import RecordedSession, ReplayedSession
    from magellan.workspace.workspace import Workspace

_SHOWN = 50  # differences; --json has all


def replay_recorded(workspace: Workspace, recorded: RecordedSession, *, from_broker: bool) -> ReplayedSession:
    """Replay a session. Raises FixInput for a strategy that is gone, and for bars that cannot be had."""
    from magellan.surfaces.cli.run_options import chosen_strategy
    from magellan.usecases.replay_session import ends_at, replay_session, starts_at, taking_part
    from magellan.wiring.market import calendar_of

    began = recorded.began
    loaded = chosen_strategy(
        workspace, f"{began.stage}/{began.strategy}" if began.stage else began.strategy, None, {}
    )
    calendar = calendar_of(loaded.config.data.calendar)
    first_at, last_at = starts_at(recorded, loaded), ends_at(recorded)
    if from_broker:
        bars, source = asyncio.run(_from_broker(workspace, recorded, loaded, first_at, last_at))
    else:
        bars, source = _from_archive(workspace, loaded, first_at, last_at)
    return replay_session(
        recorded,
        loaded,
        taking_part(
            bars, calendar, regular=loaded.config.data.hours == "regular", first_at=first_at, end_at=last_at
        ),
        calendar,
        bars_from=source,
    )


def session_document(again: ReplayedSession) -> dict[str, Any]:
    """The answer for programs."""
    return {
        "session": again.recorded.session,
        "account": again.recorded.account,
        "strategy": again.recorded.began.strategy,
        "bars_from": again.bars_from,
        "compared": again.compared,
        "identical": again.identical,
        "changed": again.changed,
        "unasked": again.unasked,
        "differences": again.differences,
    }


def show_session(again: ReplayedSession) -> None:
    """The answer for people."""
    from magellan.surfaces.cli.output import say

    began = again.recorded.began
    say(
        f"session {again.recorded.session} of {began.stage}/{began.strategy}: {again.compared:,} decisions, "
        f"computed again over bars of {again.bars_from}"
    )
    for each in again.changed:
        say(f"changed since: {each}")
    if again.unasked:
        say(f"not compared: {again.unasked}")
    for differs in again.differences[:_SHOWN]:
        say(
            f"differs: {differs.symbol} {differs.bar_opened_at:%Y-%m-%d %H:%M}Z, {differs.what}: recorded "
            f"{differs.recorded}, replayed {differs.replayed}"
        )
    if len(again.differences) > _SHOWN:
        say(f"and {len(again.differences) - _SHOWN:,} more; --json lists all")
    if again.identical:
        say("no decision differs" if again.compared else "nothing was decided in it")


def _from_archive(
    workspace: Workspace, loaded: LoadedStrategy, first_at: datetime, last_at: datetime
) -> tuple[Mapping[str, Bars], str]:
    from magellan.trading.session import exchange_date
    from magellan.usecases.prepare_run import prepare_data
    from magellan.wiring.market import bar_archive, calendar_of, corporate_actions

    prepared = prepare_data(
        loaded.config,
        archive=bar_archive(workspace),
        actions=corporate_actions(workspace),
        calendar_of=calendar_of,
        from_on=exchange_date(first_at),
        to_on=exchange_date(last_at),
    )
    bars = {each.symbol: each for each in (*prepared.market.bars, *prepared.reference)}
    return bars, "the archive"


async def _from_broker(
    workspace: Workspace,
    recorded: RecordedSession,
    loaded: LoadedStrategy,
    first_at: datetime,
    last_at: datetime,
) -> tuple[Mapping[str, Bars], str]:
    from magellan.surfaces.cli.operate_options import keys_of
    from magellan.trading.timeframe import Timeframe
    from magellan.usecases.named_account import NamedAccount, ledger_name
    from magellan.wiring.market import live_bars, vendor_environment
    from magellan.wiring.secrets import secret_providers

    account = next(
        (
            NamedAccount(ledger=recorded.account, name=name, terms=terms)
            for name, terms in workspace.settings.accounts.items()
            if ledger_name(terms) == recorded.account
        ),
        None,
    )
    if account is None or account.terms is None:
        raise FixInput(
            f"magellan.toml names no account {recorded.account}, whose broker could tell the bars",
            next_step="leave --from-broker out, and read them from the archive",
        )
    source = live_bars(
        account.terms.data,
        keys_of(workspace, account),
        vendor_environment(secret_providers(workspace, os.environ)),
        address=account.terms.address,
    )
    symbols = tuple(dict.fromkeys((*recorded.began.symbols, *loaded.config.data.reference_symbols)))
    try:
        bars = await source.history(symbols, Timeframe.parse(loaded.config.data.timeframe), first_at, last_at)
    finally:
        await source.close()
    return bars, source.source
