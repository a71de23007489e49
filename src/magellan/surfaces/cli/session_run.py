"""What `magellan run` and a strategy's runner.py do alike: decide the mode, trade, and show how it ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from magellan.errors import FixInput
from magellan.surfaces.cli.output import emit, note

if TYPE_CHECKING:
    from datetime import datetime

    from magellan.engine.commands import Stop
    from magellan.ports.heartbeat import HeartbeatSink
    from magellan.ports.ledger import Ledger
    from magellan.ports.operator import OperatorRequests
    from magellan.settings.keys import KeyPair
    from magellan.settings.mode import Asked, Decided
    from magellan.usecases.kept_history import KeptHistory
    from magellan.usecases.load_strategy import LoadedStrategy
    from magellan.usecases.start_session import Trades
    from magellan.usecases.trade import Market
    from magellan.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSession:
    """A session whose mode, account and keys are decided. Nothing is opened yet but the ledger's file."""

    workspace: Workspace
    loaded: LoadedStrategy
    environment: Mapping[str, str]
    decided: Decided
    trades: Trades
    account: str  # its name in the ledger
    keys: KeyPair | None  # None: the account has a login instead
    secrets: tuple[str, ...]  # that nothing may repeat
    ledger: Ledger
    history: KeptHistory

    def with_newest_keys(self) -> PreparedSession:
        """The same with the keys as they are now, where they were changed since; its ledger is its own then.

        Raises as the providers of secrets do.
        """
        from magellan.settings.keys import find_keys
        from magellan.wiring.records import ledger
        from magellan.wiring.secrets import secret_providers

        if self.keys is None or self.decided.account is None:
            return self
        found = find_keys(self.decided.account.keys, secret_providers(self.workspace, self.environment)).pair
        if found is None or (found.key_id, found.secret) == (self.keys.key_id, self.keys.secret):
            return self
        secrets = (*self.secrets, found.key_id.get_secret_value(), found.secret.get_secret_value())
        return replace(
            self,
            keys=found,
            secrets=secrets,
            ledger=ledger(self.workspace, self.environment, secrets=secrets),
        )

    async def read_ahead(self, now: datetime) -> None:
        """Read what a session begins with, so that the next one need not wait for it. Raises what the sources raise.

        now: aware, UTC, by the broker's clock: a local exchange may live on another day.
        """
        from magellan.trading.timeframe import Timeframe
        from magellan.usecases.recall import recalled
        from magellan.usecases.start_session import history_from
        from magellan.usecases.trade import remembered
        from magellan.wiring.market import live_bars, vendor_environment
        from magellan.wiring.secrets import secret_providers

        account, terms = self.decided.account, self.loaded.config.data
        assert account is not None, "a deployment names its account"
        vendor = vendor_environment(secret_providers(self.workspace, self.environment))
        bars = live_bars(account.data, self.keys, vendor, address=account.address)
        try:
            symbols = tuple(dict.fromkeys((*self.loaded.config.symbols, *terms.reference_symbols)))
            timeframe = Timeframe.parse(terms.timeframe)
            await self.history.history(bars, symbols, timeframe, history_from(self.loaded, now), now)
        finally:
            await bars.close()
        remembered(self.ledger, self.account, after=recalled(self.ledger, self.account).after)

    async def trade(
        self,
        operator: OperatorRequests,
        heartbeat: HeartbeatSink,
        *,
        opened: Callable[[], None] = lambda: None,
    ) -> Stop:
        """Trade until the session stops. Raises what `usecases.trade` does.

        opened: called once the account is ours, before the broker is spoken to.
        """
        from magellan.settings.keys import named_like_secrets
        from magellan.usecases.trade import trade
        from magellan.wiring.market import calendar_of, corporate_actions, vendor_environment
        from magellan.wiring.secrets import secret_providers
        from magellan.wiring.sessions import heartbeat_file, host_lease, open_market
        from magellan.wiring.upkeep import notifier

        calendar = calendar_of(self.loaded.config.data.calendar)
        vendor = vendor_environment(secret_providers(self.workspace, self.environment))
        hidden = (*self.secrets, *named_like_secrets(vendor).values())

        async def market() -> Market:
            opened()
            there = await open_market(
                self.decided,
                self.keys,
                self.loaded.config,
                calendar,
                vendor,
                workspace=self.workspace,
                ledger=self.ledger,
            )
            if self.trades.sends:
                for sentence in there.broker.capabilities.what_is_held():
                    note(sentence)
            return replace(there, bars=self.history.over(there.bars))

        return await trade(
            self.loaded,
            trades=self.trades,
            settings=self.workspace.settings,
            calendar=calendar,
            actions=tuple(corporate_actions(self.workspace).actions),
            ledger=self.ledger,
            open_market=market,
            operator=operator,
            heartbeat=heartbeat,
            heard_before=heartbeat_file(self.workspace, self.account).trace(),
            notifier=notifier(self.workspace, self.account, hidden),
            lease=host_lease(self.workspace),
        )


def prepared_session(
    workspace: Workspace, loaded: LoadedStrategy, asked: Asked, environment: Mapping[str, str]
) -> PreparedSession:
    """Decide what the session trades, and with which keys. Raises FixInput for every contradiction."""
    from magellan.settings.decide_mode import decide_mode
    from magellan.settings.environment import run_settings
    from magellan.settings.keys import KeysFound, KeyState, find_keys, named_like_secrets
    from magellan.settings.mode import Mode, Refusal
    from magellan.usecases.kept_history import KeptHistory
    from magellan.usecases.start_session import Trades, ledger_account
    from magellan.wiring.market import vendor_environment
    from magellan.wiring.records import ledger
    from magellan.wiring.secrets import secret_providers
    from magellan.workspace.broker_account import KeyNames

    providers = secret_providers(workspace, environment)
    looked_up: dict[str, KeysFound] = {}

    def keys_of(names: KeyNames) -> KeysFound:
        return looked_up.setdefault("keys", find_keys(names, providers))

    decided = decide_mode(
        stage=loaded.folder.stage,
        strategy=loaded.folder.name,
        said=run_settings(environment),
        workspace=workspace.settings,
        asked=asked,
        keys_of=keys_of,
    )
    if isinstance(decided, Refusal):
        raise decided.as_error()
    if decided.mode is Mode.ARCHIVED:
        raise FixInput(
            "a session does not replay archived bars",
            next_step="use `magellan backtest`, or serve them with `magellan exchange --archive` and trade there",
        )
    pair = None
    if decided.account is None or decided.account.has_keys:
        keys = keys_of(KeyNames() if decided.account is None else decided.account.keys)
        pair = keys.pair
        if pair is None:
            raise FixInput(
                keys.reason,
                kept="nothing was opened, and no order was sent",
                next_step="unset one of them, or let both hold the same key"
                if keys.state is KeyState.CONTRADICTING
                else "put both keys into the environment or the workspace's .env: without them nobody tells bars",
            )
    trades = Trades(
        mode=decided.mode.value,
        sends=decided.mode.sends,
        account=decided.account,
        armed_by=asked.armed_by,
        release_id=asked.approved_release,
    )
    own = () if pair is None else (pair.key_id.get_secret_value(), pair.secret.get_secret_value())
    secrets = (*own, *named_like_secrets(vendor_environment(providers)).values())
    return PreparedSession(
        workspace=workspace,
        loaded=loaded,
        environment=environment,
        decided=decided,
        trades=trades,
        account=ledger_account(loaded.folder.name, trades),
        keys=pair,
        secrets=secrets,
        ledger=ledger(workspace, environment, secrets=secrets),
        history=KeptHistory(),
    )


def run_session_and_show(
    workspace: Workspace,
    loaded: LoadedStrategy,
    asked: Asked,
    environment: Mapping[str, str],
    *,
    watchdog: bool,
    as_json: bool,
) -> Stop:
    """Trade until the session stops. Raises what refuses: contradictions, keys, a second session.

    watchdog: start a process beside this one that raises the alarm when it goes silent. A dry run needs none.
    """
    from magellan.wiring.sessions import control_folder, event_loop, heartbeat_file

    prepared = prepared_session(workspace, loaded, asked, environment)
    name = prepared.account
    note(
        f"{loaded.folder.label}: {prepared.trades.mode}, account {name}; `magellan halt` stops entries, Ctrl-C ends it"
    )
    watch: subprocess.Popen[bytes] | None = None

    def opened() -> None:
        # Only now is the account ours, so that the watch finds who holds it.
        nonlocal watch
        if watchdog and prepared.trades.sends:
            watch = start_watch(workspace, name, environment)

    try:
        with asyncio.Runner(loop_factory=event_loop) as runner:
            stopped = runner.run(
                prepared.trade(
                    control_folder(workspace, name), heartbeat_file(workspace, name), opened=opened
                )
            )
    finally:
        prepared.ledger.close()
        if watch is not None:
            watch.terminate()
            watch.wait()
    answer: dict[str, Any] = {
        "account": name,
        "reason": stopped.reason,
        "flat": stopped.flat,
        "in_order": stopped.in_order,
    }
    emit(
        answer,
        as_json=as_json,
        human=lambda: note(f"ended: {stopped.reason}; {'flat' if stopped.flat else 'not flat'}"),
    )
    return stopped


def start_watch(
    workspace: Workspace, account: str, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """A watch that Ctrl-C does not reach, and that outlives this process when it is killed."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "magellan", "watch", "--until-ended"),
            *("--account", account, "--workspace", str(workspace.root)),
        ],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
