"""How soon a running session halts, by a local file and by a signal, with no connection to anywhere.

    .venv/bin/python -m benchmarks.kill_switch --times 50

A paper exchange and a session of a new strategy, each a process of its own. Measured is from `touch HALT`, or the
signal USR1, to the instant at which the ledger holds the halt on the disk: from then on no entry leaves. After each the
session is resumed as a person would. Target: at most one second.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from benchmarks.roll_back_hosts import percentile  # noqa: E402
from magellan.adapters.local.control_folder import new_request  # noqa: E402
from magellan.ports.ledger import Ledger  # noqa: E402
from magellan.surfaces.cli.own_exchange import (  # noqa: E402
    account_number,
    free_port,
    invented_pair,
    own_exchange,
)
from magellan.usecases.named_account import ledger_name  # noqa: E402
from magellan.wiring.records import ledger  # noqa: E402
from magellan.wiring.sessions import control_folder, heartbeat_file  # noqa: E402
from magellan.workspace.workspace import Workspace  # noqa: E402

_WITHIN_S = 120.0
_LOOKS_EVERY_S = 0.001


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait for it."""
    until_s = time.monotonic() + _WITHIN_S
    while not is_so():
        assert time.monotonic() < until_s, f"not within {_WITHIN_S:.0f} s: {what}"
        time.sleep(_LOOKS_EVERY_S)


def measured(book: Ledger, workspace: Workspace, account: str, times: int) -> dict[str, list[float]]:
    """Seconds until it was halted, by how it was asked."""
    beats, control = heartbeat_file(workspace, account), control_folder(workspace, account)
    until(lambda: (beat := beats.newest()) and beat[0].last_reconciled_at, "a session that is reconciled")
    beat = beats.newest()
    assert beat is not None
    pid, halt_file = beat[0].pid, workspace.state_folder / "control" / account / "HALT"
    ways: dict[str, Callable[[], object]] = {
        "file": halt_file.touch,
        "signal": lambda: os.kill(pid, signal.SIGUSR1),
    }
    took_s: dict[str, list[float]] = {way: [] for way in ways}

    def told(kind: str, after: int) -> Callable[[], object]:
        return lambda: any(each.payload.kind == kind for each in book.entries(account, after=after))

    for number in range(times):
        for way, pull in ways.items():
            time.sleep(0.05 + 0.037 * (number % 7))  # at any point between two looks of the session
            before, began_s = book.head(account).number, time.perf_counter()
            pull()
            until(told("halted", before), f"the halt by {way}")
            took_s[way].append(time.perf_counter() - began_s)
            before = book.head(account).number
            control.leave(new_request("resume", person="bench", reason="it was measured", source="command"))
            until(told("resumed", before), "the resume")
    return took_s


def main() -> None:
    """Print how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=50)
    times, port, pair = parser.parse_args().times, free_port(), invented_pair()
    magellan = [sys.executable, "-m", "magellan"]
    with tempfile.TemporaryDirectory(prefix="magellan-kill-switch-") as folder:
        root = Path(folder)
        (root / "magellan.toml").write_text("format = 1\n")
        new = [*magellan, "new", "strategy", "moods", "--symbols", "COCKLE", "--workspace", folder]
        subprocess.run(new, check=True, capture_output=True)
        with own_exchange(root, port, "--generated", "--terms-of", "dev/moods", log=root / "exchange.log"):
            number = account_number(port, pair)
            (root / "magellan.toml").write_text(
                f'[accounts.here]\nkind = "local"\nnumber = "{number}"\naddress = "http://127.0.0.1:{port}"\n'
            )
            workspace = Workspace.at(root)
            account = ledger_name(workspace.settings.accounts["here"])
            with (
                open(root / "session.log", "wb") as log,
                subprocess.Popen(
                    [*magellan, "run", "moods", "--account", "here", "--no-watchdog", "--workspace", folder],
                    env={**os.environ, "ALPACA_API_KEY": pair[0], "ALPACA_API_SECRET": pair[1]},
                    stdout=log,
                    stderr=log,
                ) as session,
            ):
                try:
                    with closing(ledger(workspace)) as book:
                        took_s = measured(book, workspace, account, times)
                finally:
                    session.send_signal(signal.SIGINT)
    for way, values in took_s.items():
        print(
            f"{way:<8} p50 {percentile(values, 0.5):.3f} s  p99 {percentile(values, 0.99):.3f} s  "
            f"max {max(values):.3f} s  n {len(values)}"
        )


if __name__ == "__main__":
    main()
