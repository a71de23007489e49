"""A restored workspace's first session, against a paper exchange on this machine: does it come as far as reconciled?

The exchange, the account and its keys exist for the rehearsal alone, and both processes see none of our environment's
keys, accounts and servers. So nothing that is trading notices, and no broker is asked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from magellan.errors import AskOperator
from magellan.surfaces.cli.own_exchange import (
    account_number,
    free_port,
    invented_pair,
    last_words,
    own_exchange,
)

if TYPE_CHECKING:
    from magellan.usecases.backup import ReconciledOnPaper
    from magellan.workspace.workspace import Workspace

_ACCOUNT: Final = "restore_drill"
_WITHIN_S: Final = 120.0
_ENDS_WITHIN_S: Final = 30.0
_LOOKS_EVERY_S: Final = 0.05
_PASSED_ON: Final = (
    "HOME", "LANG", "LC_ALL", "NUMBA_CACHE_DIR", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "XDG_CACHE_HOME",
)  # fmt: skip


def reconciled_on_paper(root: Path) -> ReconciledOnPaper | None:
    """Start a session of the restored workspace's foremost strategy, and wait until it has reconciled its book.

    root: a restored workspace that is thrown away: its magellan.toml gets an account more, and its ledger goes on.
    None: it holds no strategy. Raises AskOperator for a session that ends, or does not come so far in two minutes.
    """
    from magellan.usecases.backup import ReconciledOnPaper
    from magellan.workspace.workspace import Stage, Workspace

    began_s = time.perf_counter()
    order = (Stage.PROD, Stage.TEST, Stage.DEV)
    strategy = min(
        (each for each in Workspace.at(root).strategies() if each.stage in order),
        key=lambda each: (order.index(each.stage or Stage.DEV), each.name),
        default=None,
    )
    if strategy is None:
        return None
    port, pair, logs = free_port(), invented_pair(), root / ".magellan" / "drill"
    with own_exchange(root, port, "--generated", "--terms-of", strategy.label, log=logs / "exchange.log"):
        number = account_number(port, pair)
        with open(root / "magellan.toml", "a") as settings:
            settings.write(
                f'\n[accounts.{_ACCOUNT}]\nkind = "local"\nnumber = "{number}"\naddress = "http://127.0.0.1:{port}"\n'
            )
        _run_until_reconciled(Workspace.at(root), strategy.label, pair, logs / "session.log")
    return ReconciledOnPaper(strategy=strategy.label, took_s=time.perf_counter() - began_s)


def _run_until_reconciled(workspace: Workspace, strategy: str, pair: tuple[str, str], log: Path) -> None:
    from magellan.usecases.named_account import ledger_name
    from magellan.wiring.sessions import heartbeat_file

    beats = heartbeat_file(workspace, ledger_name(workspace.settings.accounts[_ACCOUNT]))
    command = [sys.executable, "-m", "magellan", "run", strategy, "--account", _ACCOUNT, "--no-watchdog"]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with (
        open(log, "wb") as out,
        subprocess.Popen(
            [*command, "--workspace", str(workspace.root)],
            env={**environment, "ALPACA_API_KEY": pair[0], "ALPACA_API_SECRET": pair[1]},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        ) as session,
    ):
        try:
            until_s = time.monotonic() + _WITHIN_S
            while (beat := beats.newest()) is None or beat[0].last_reconciled_at is None:
                if session.poll() is not None:
                    raise _not_reconciled(strategy, "it ended", log)
                if time.monotonic() > until_s:
                    raise _not_reconciled(strategy, f"not within {_WITHIN_S:.0f} s", log)
                time.sleep(_LOOKS_EVERY_S)
        finally:
            _end(session)


def _not_reconciled(strategy: str, why: str, log: Path) -> AskOperator:
    return AskOperator(
        f"what was restored does not trade: a session of {strategy} was not reconciled: {why}{last_words(log)}",
        kept="the backup; what was restored holds whole chains and releases",
        next_step="mend what it says; `magellan drill restore --no-session` asks for less",
    )


def _end(session: subprocess.Popen[bytes]) -> None:
    session.send_signal(signal.SIGINT)
    try:
        session.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        session.kill()  # its folder is thrown away
