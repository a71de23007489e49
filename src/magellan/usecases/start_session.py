"""Start a session: everything that a strategy needs to trade one account, checked before anything is opened."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import magellan
from magellan.engine.session import Session
from magellan.engine.session_form import account_from
from magellan.engine.setup import AtTheEnd, Differing, SessionSetup, Timings
from magellan.errors import FixInput
from magellan.ledger.entries import LedgerEntry, SessionBegan, SessionEnded
from magellan.risk.limits import RiskLimits
from magellan.trading.capabilities import Capabilities
from magellan.trading.order import OrderClass, OrderType, TimeInForce
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import HOUR, Timeframe
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.named_account import ledger_name
from magellan.usecases.session_limits import session_limits
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.workspace import WorkspaceSettings

# Days of bars that features read before the first decision, where the config does not say: enough for recursive
# indicators of some hundred bars to have forgotten where they began.
_HISTORY_DAYS: Final[Mapping[str, int]] = {"minutes": 10, "hours": 180, "days": 1500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades:
    """Which account a session trades, and as what."""

    mode: str  # as `settings.Mode`
    sends: bool  # False: it decides and records, and sends nothing
    account: BrokerAccount | None  # None only where nothing is sent
    armed_by: str | None = None
    release_id: str | None = None


def ledger_account(strategy: str, trades: Trades) -> str:
    """The name under which the ledger keeps an account: its broker and its number, whatever a file calls it.

    A dry run has one of its own per strategy, so that what it supposes is never taken for what was done.
    """
    if trades.account is None or not trades.sends:
        return f"dry-{strategy}"
    return ledger_name(trades.account)


def new_session(
    loaded: LoadedStrategy,
    *,
    trades: Trades,
    settings: WorkspaceSettings,
    calendar: ExchangeCalendar,
    capabilities: Capabilities,
    bar_source: str,
    recorded: tuple[LedgerEntry, ...],
    heard_before: str | None,
    at: datetime,
    timings: Timings | None = None,
    bookmark: Sequence[bytes] | None = None,
) -> tuple[Session, SessionSetup]:
    """A session that goes on where the account's ledger stands.

    recorded:     the account's entries, oldest first; those behind the bookmark, where there is one.
    bookmark:   what `Session.put_away` gave of the entries before.
    heard_before: what an earlier session of the account left beside the ledger; None: nothing.
    Raises: FixInput when the broker cannot do what the strategy needs, is not asked often enough for the limits, or
    tells other bars.
    """
    config, stage, account = loaded.config, loaded.folder.stage, trades.account
    must_be_able(loaded, capabilities)
    must_be_fed(loaded, account)
    limits = session_limits(config, settings, stage=stage, account=account)
    timings = timings or _timings(account)
    must_be_told_in_time(timings, limits.orders)
    name = ledger_account(loaded.folder.name, trades)
    session_id = f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    setup = SessionSetup(
        session_id=session_id,
        account=name,
        began=SessionBegan(
            run_id=session_id,
            strategy=loaded.folder.name,
            stage="" if stage is None else stage.value,
            mode=trades.mode,
            magellan_version=magellan.__version__,
            config_hash=loaded.config_sha256,
            release_id=trades.release_id,
            data_id=None,
            bar_source=bar_source,
            symbols=config.symbols,
            timeframe=config.data.timeframe,
            host=socket.gethostname(),
            pid=os.getpid(),
            continues=_never_ended(recorded, bookmark),
            armed_by=trades.armed_by,
        ),
        config=config,
        strategy=loaded.strategy,
        parameters=loaded.parameters,
        calendar=calendar,
        capabilities=capabilities,
        heard_before=heard_before,
        sends=trades.sends,
        timings=timings,
        differing=Differing(account.reconcile) if account is not None else Differing.ADOPT,
        at_the_end=AtTheEnd(account.on_stop) if account is not None else AtTheEnd.HOLD,
        limits=limits.orders,
        breaker_limits=limits.breakers,
    )
    return Session(setup, recorded, None if bookmark is None else iter(bookmark)), setup


def _never_ended(recorded: tuple[LedgerEntry, ...], bookmark: Sequence[bytes] | None) -> str | None:
    """The newest session, if it never came to its end; None: there was none, or it did."""
    ended: set[str] = set()
    for entry in reversed(recorded):
        if isinstance(entry.payload, SessionEnded):
            ended.add(entry.session)
        elif isinstance(entry.payload, SessionBegan):
            return None if entry.session in ended else entry.session
    before = None if bookmark is None else account_from(iter(bookmark))[0].last_session
    if before is None or before.ended_at is not None or before.session in ended:
        return None
    return before.session


def history_from(loaded: LoadedStrategy, at: datetime) -> datetime:
    """The first bar that a session asks for."""
    terms = loaded.config.data
    timeframe = Timeframe.parse(terms.timeframe)
    kind = "days" if timeframe.is_daily else "minutes" if timeframe < HOUR else "hours"
    return at - timedelta(days=terms.history_days or _HISTORY_DAYS[kind])


def must_be_able(loaded: LoadedStrategy, can: Capabilities) -> None:
    """Refuse a strategy whose instruments or account this broker does not have.

    Raises FixInput naming what is missing.
    """
    config = loaded.config
    lacks = []
    if not can.fractions and any(config.instrument(each).quantity_step % 1 for each in config.symbols):
        lacks.append("fractions of a unit (instruments.SYMBOL.quantity_step)")
    elif not {OrderType.STOP, OrderType.LIMIT} <= can.fraction_types and any(
        config.instrument(each).quantity_step % 1 for each in config.symbols
    ):
        lacks.append("stops for fractions of a unit, so that nothing could protect them (quantity_step)")
    futures = [each for each in config.symbols if config.instrument(each).point_value != 1.0]
    if futures:
        lacks.append(f"contracts worth more than their price ({', '.join(futures)}: point_value)")
    if config.account.kind == "margin" and not can.shorts and _goes_short(loaded):
        lacks.append("short positions")
    for what, needed, there in (
        ("order types", {OrderType.MARKET, OrderType.STOP, OrderType.LIMIT}, can.order_types),
        ("times in force", {TimeInForce.DAY}, can.times_in_force),
        ("order classes", {OrderClass.SIMPLE}, can.order_classes),
    ):
        if not needed <= there:
            lacks.append(f"{what} {', '.join(sorted(needed - there))}")
    if lacks:
        raise FixInput(
            f"{can.name} cannot trade {loaded.folder.label}: it has no {'; no '.join(lacks)}",
            kept="nothing was sent",
            next_step="choose another broker, or change the strategy's config",
        )


def must_be_fed(loaded: LoadedStrategy, account: BrokerAccount | None) -> None:
    """Refuse bars that the strategy was not made for: another feed has other volumes, and other bars (incident 5).

    Raises FixInput naming both feeds.
    """
    wanted = loaded.config.data.feed
    if account is None or wanted is None or wanted == account.data.feed_read:
        return
    raise FixInput(
        f"{loaded.folder.label} decides on bars of the feed '{wanted}' (data.feed in its config.json), and the account "
        f"{account.number} reads '{account.data.feed_read}' (data.feed in magellan.toml)",
        kept="nothing was sent",
        next_step="make the two the same; with another feed, backtest the strategy on that one first",
    )


def must_be_told_in_time(timings: Timings, limits: RiskLimits) -> None:
    """Refuse comparisons with the broker that are further apart than entries let its word grow old.

    Such a session would refuse every entry for most of the time, and nothing would be wrong.
    Raises FixInput naming both keys.
    """
    every_s = timings.reconcile_every_s
    for key in ("account_age_s_max", "reconciliation_age_s_max"):
        allowed_s = getattr(limits, key)
        if every_s >= allowed_s:
            raise FixInput(
                f"the broker is asked every {every_s:g} s (reconcile_every_s of the account), and risk.{key} refuses "
                f"entries once its word is {allowed_s:f} s old: most would be refused",
                kept="nothing was sent",
                next_step=f"ask more often, or allow a greater risk.{key}",
            )


def _goes_short(loaded: LoadedStrategy) -> bool:
    from magellan.strategy.contract import Strategy

    kind = type(loaded.strategy)
    return kind.enter_short is not Strategy.enter_short


def _timings(account: BrokerAccount | None) -> Timings:
    return Timings() if account is None else Timings(reconcile_every_s=account.reconcile_every_s)
