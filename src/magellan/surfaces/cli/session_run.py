"""What `magellan run` and a strategy's runner.py do alike: decide the mode, trade, and show how it ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from magellan.errors import FixInput
from magellan.surfaces.cli.output import emit, note

if TYPE_CHECKING:
    from magellan.engine.commands import Stop
    from magellan.settings import Asked
    from magellan.usecases.load_strategy import LoadedStrategy
    from magellan.usecases.trade import Market
    from magellan.workspace.workspace import Workspace


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
    from magellan.settings import (
        KeysFound,
        Mode,
        Refusal,
        decide_mode,
        find_keys,
        named_like_secrets,
        run_settings,
    )
    from magellan.usecases.start_session import Trades, ledger_account
    from magellan.usecases.trade import trade
    from magellan.wiring import (
        calendar_of,
        control_folder,
        corporate_actions,
        event_loop,
        heartbeat_file,
        ledger,
        notifier,
        open_market,
        secret_providers,
        vendor_environment,
    )
    from magellan.workspace.broker_account import KeyNames

    providers = secret_providers(workspace, environment)
    looked_up: dict[str, KeysFound] = {}

    def keys_of(names: KeyNames) -> KeysFound:
        return looked_up.setdefault("keys", find_keys(names, providers))

    decided = decide_mode(
        stage=loaded.folder.stage,
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
    keys = keys_of(KeyNames() if decided.account is None else decided.account.keys)
    if keys.pair is None:
        raise FixInput(
            keys.reason,
            kept="nothing was opened, and no order was sent",
            next_step="put both keys into the environment or the workspace's .env: without them nobody tells bars",
        )
    trades = Trades(
        mode=decided.mode.value,
        sends=decided.mode.sends,
        account=decided.account,
        armed_by=asked.armed_by,
        release_id=asked.approved_release,
    )
    name = ledger_account(loaded.folder.name, trades)
    calendar = calendar_of(loaded.config.data.calendar)
    note(
        f"{loaded.folder.label}: {decided.mode.value}, account {name}; `magellan halt` stops entries, Ctrl-C ends it"
    )
    vendor = vendor_environment(providers)
    secrets = (
        keys.pair.key_id.get_secret_value(),
        keys.pair.secret.get_secret_value(),
        *named_like_secrets(vendor).values(),
    )
    records = ledger(workspace, environment, secrets=secrets)
    watch: subprocess.Popen[bytes] | None = None

    async def opened() -> Market:
        # Only now is the account ours, so that the watch finds who holds it.
        nonlocal watch
        if watchdog and decided.mode.sends:
            watch = _start_watch(workspace, name, environment)
        return await open_market(decided, keys.pair, loaded.config, calendar, vendor)

    try:
        with asyncio.Runner(loop_factory=event_loop) as runner:
            stopped = runner.run(
                trade(
                    loaded,
                    trades=trades,
                    settings=workspace.settings,
                    calendar=calendar,
                    actions=tuple(corporate_actions(workspace).actions),
                    ledger=records,
                    open_market=opened,
                    operator=control_folder(workspace, name),
                    heartbeat=heartbeat_file(workspace, name),
                    heard_before=heartbeat_file(workspace, name).trace(),
                    notifier=notifier(workspace, name, secrets),
                )
            )
    finally:
        records.close()
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


def _start_watch(
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
