"""Trade: run a strategy's session on one account, from taking the ledger to giving it back."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from magellan.collector import uncollected
from magellan.engine.commands import Stop
from magellan.ledger.entries import PAYLOADS, Decision, LedgerEntry
from magellan.ports.broker import Broker
from magellan.ports.heartbeat import HeartbeatSink
from magellan.ports.lease import HostLease
from magellan.ports.ledger import Ledger
from magellan.ports.live_bars import LiveBars
from magellan.ports.notifier import Notifier
from magellan.ports.operator import OperatorRequests
from magellan.ports.pace import Pace
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.recall import put_away_if_long, recalled
from magellan.usecases.run_session import World, run_session
from magellan.usecases.start_session import Trades, history_from, ledger_account, new_session
from magellan.workspace.workspace import WorkspaceSettings

_DECISIONS_KEPT: Final = 5_000  # of the newest entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What a session reaches the outside by. Made in the loop that uses it."""

    broker: Broker
    bars: LiveBars
    pace: Pace


async def trade(
    loaded: LoadedStrategy,
    *,
    trades: Trades,
    settings: WorkspaceSettings,
    calendar: ExchangeCalendar,
    actions: tuple[CorporateAction, ...],
    ledger: Ledger,
    open_market: Callable[[], Awaitable[Market]],
    operator: OperatorRequests,
    heartbeat: HeartbeatSink,
    heard_before: str | None,
    notifier: Notifier,
    lease: HostLease,
) -> Stop:
    """Run until the session stops, and say how it ended.

    heard_before: what an earlier session of this account left beside the ledger; None: nothing. With an empty ledger,
    it means that records were lost.

    Raises: AccountHeld when another process trades this account; what `new_session` and `run_session` raise.
    """
    name = ledger_account(loaded.folder.name, trades)
    # The account before anything else: whoever holds it is the only one that speaks to the broker.
    with ledger.writer(name) as writer:
        with uncollected():
            known = recalled(ledger, name)
            recorded = remembered(ledger, name, after=known.after)
        market = await open_market()
        with uncollected():
            session, setup = new_session(
                loaded,
                trades=trades,
                settings=settings,
                calendar=calendar,
                capabilities=market.broker.capabilities,
                bar_source=market.bars.source,
                bookmark=known.lines,
                recorded=recorded,
                heard_before=heard_before,
                at=market.pace.now(),
            )
            put_away_if_long(writer, session, known)
        if trades.sends:
            for sentence in market.broker.capabilities.what_is_held():
                notifier.tell("warning", sentence, market.pace.now())
        return await run_session(
            session,
            setup,
            World(
                broker=market.broker,
                bars=market.bars,
                writer=writer,
                pace=market.pace,
                operator=operator,
                heartbeat=heartbeat,
                notifier=notifier,
                lease=lease,
            ),
            history_from=history_from(loaded, market.pace.now()),
            account_number=None if trades.account is None else trades.account.number,
            actions=actions,
        )


def remembered(ledger: Ledger, account: str, *, after: int = 0) -> tuple[LedgerEntry, ...]:
    """What a session remembers of the ledger behind an entry: everything but old decisions, which are most of it.

    The newest decisions say which bar was decided on last. A bar that is older than those kept is too late to be
    decided on again.
    """
    since = ledger.head(account).number - _DECISIONS_KEPT
    rest = ledger.entries(account, after=after, kinds=PAYLOADS.keys() - {Decision.kind})
    newest = ledger.entries(account, after=max(0, since, after), kinds={Decision.kind})
    return tuple(heapq.merge(rest, newest, key=lambda entry: entry.number))
