"""Wiring: what a live session reaches the outside by."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from magellan.errors import FixInput

if TYPE_CHECKING:
    from magellan.adapters.local.control_folder import ControlFolder
    from magellan.adapters.local.heartbeat_file import HeartbeatFile
    from magellan.adapters.local.lease_file import LeaseFile
    from magellan.adapters.local.side_record import SideRecord
    from magellan.ports.broker import Broker
    from magellan.ports.ledger import Ledger
    from magellan.ports.pace import Pace
    from magellan.settings.keys import KeyPair
    from magellan.settings.mode import Decided
    from magellan.trading.session import ExchangeCalendar
    from magellan.usecases.feed_watchdog import Supervisor
    from magellan.usecases.trade import Market
    from magellan.workspace.broker_account import BrokerAccount
    from magellan.workspace.config import StrategyConfig
    from magellan.workspace.workspace import Workspace


def event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop, where it exists: a bar costs a session some turns of it, and an order waits for them."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def control_folder(workspace: Workspace, account: str) -> ControlFolder:
    """Where requests for the session of a ledger's account are left."""
    from magellan.adapters.local.control_folder import ControlFolder

    return ControlFolder(workspace.state_folder / "control" / account)


def heartbeat_file(workspace: Workspace, account: str) -> HeartbeatFile:
    """Where the session of a ledger's account leaves its state of health."""
    from magellan.adapters.local.heartbeat_file import HeartbeatFile

    return HeartbeatFile(workspace.state_folder / "heartbeats" / f"{account}.json")


def host_lease(workspace: Workspace) -> LeaseFile:
    """The leave to enter that the control side renews, for this machine."""
    from magellan.adapters.local.lease_file import LeaseFile

    return LeaseFile(workspace.state_folder / "host" / "lease.json")


def service_notice(environment: Mapping[str, str]) -> Supervisor:
    """What a process tells the systemd that started it; nothing where none did."""
    from magellan.adapters.systemd.notify import ServiceNotice

    return ServiceNotice(environment)


def side_record(workspace: Workspace, account: str, name: str) -> SideRecord:
    """Where it is kept what is done to an account while another process holds its ledger."""
    from magellan.adapters.local.side_record import SideRecord

    return SideRecord(workspace.state_folder / "control" / account / "done" / f"{name}.jsonl")


def account_broker(
    account: BrokerAccount,
    keys: KeyPair | None,
    *,
    workspace: Workspace,
    ledger: Ledger,
    answer_s: float = 10.0,
) -> Broker:
    """The broker of an account, for whoever looks at it or flattens it without a session.

    answer_s: how long an answer is waited for.
    Raises: FixInput for keys that are missing, or where nobody has logged in.
    """
    if account.has_keys:
        return keyed_broker(account, keys, answer_s=answer_s)
    from magellan.wiring.robinhood import robinhood_broker

    return robinhood_broker(account, workspace, ledger, answer_s=answer_s)


def keyed_broker(account: BrokerAccount, keys: KeyPair | None, *, answer_s: float = 10.0) -> Broker:
    """The broker of an account that is opened with a pair of keys. Raises FixInput for keys that are missing."""
    from magellan.adapters.alpaca.broker import AlpacaAccess, AlpacaBroker

    if keys is None:
        raise FixInput(
            "there are no keys for this account",
            next_step="put ALPACA_API_KEY and ALPACA_API_SECRET into the environment or the workspace's .env",
        )
    return AlpacaBroker(
        AlpacaAccess(
            key_id=keys.key_id,
            secret_key=keys.secret,
            live=account.kind == "live",
            base_url=account.address,
            connect_timeout_s=min(5.0, answer_s),
            read_timeout_s=answer_s,
        )
    )


async def open_market(
    decided: Decided,
    keys: KeyPair | None,
    config: StrategyConfig,
    calendar: ExchangeCalendar,
    environment: Mapping[str, str],
    *,
    workspace: Workspace,
    ledger: Ledger,
) -> Market:
    """Broker, bars and time of a session, by its mode. None of it can reach the archive.

    environment: what `vendor_environment` found.
    Raises: FixInput for keys or a login that are missing; AskOperator for a local exchange that cannot be reached, and
    for an account at Robinhood that may only be read.
    """
    from decimal import Decimal

    from magellan.adapters.alpaca.broker import AlpacaAccess, AlpacaBroker
    from magellan.adapters.local.exchange_time import exchange_time
    from magellan.adapters.local.no_broker import NoBroker
    from magellan.adapters.local.real_time import RealTime
    from magellan.settings.mode import Mode
    from magellan.usecases.trade import Market
    from magellan.wiring.market import live_bars
    from magellan.workspace.broker_account import LiveData

    account = decided.account
    if account is not None and account.broker == "robinhood":
        from magellan.wiring.robinhood import robinhood_broker

        pace: Pace = RealTime()
        polled = live_bars(account.data, None, environment, clock=pace.now)
        there = robinhood_broker(account, workspace, ledger, calendar=calendar)
        if decided.mode.sends:
            try:
                await there.must_take_orders()
            except BaseException:  # Ctrl-C too: nobody else closes it
                await there.close()
                raise
        return Market(broker=there, bars=polled, pace=pace)
    if keys is None:
        raise FixInput(
            "there are no keys, and nobody tells bars without one",
            next_step="put ALPACA_API_KEY and ALPACA_API_SECRET into the environment or the workspace's .env",
        )
    address = None if account is None else account.address
    pace = RealTime()
    if address is not None:
        streams = config.data.timeframe == "1Min"
        symbols = frozenset((*config.symbols, *config.data.reference_symbols)) if streams else frozenset()
        pace = await exchange_time(address, key_id=keys.key_id.get_secret_value(), symbols=symbols)
    data = LiveData(feed=config.data.feed) if account is None else account.data
    bars = live_bars(data, keys, environment, address=address, clock=pace.now)
    if decided.mode is Mode.DRY and account is None:
        cash = Decimal(repr(config.account.cash_usd))
        return Market(broker=NoBroker(cash, calendar, pace.now), bars=bars, pace=pace)
    assert account is not None, "only a dry run trades no account"
    broker = AlpacaBroker(
        AlpacaAccess(
            key_id=keys.key_id,
            secret_key=keys.secret,
            live=decided.mode is Mode.LIVE,
            base_url=address,
        ),
        clock=pace.now,
    )
    return Market(broker=broker, bars=bars, pace=pace)
