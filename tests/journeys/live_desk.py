"""A live desk: a paper exchange and runners as processes of their own, on one strategy that trades by the clock.

The exchange's market is open and its time passes ten times as fast as ours: a minute bar closes every six seconds.
Each key pair has an account of its own there, so that tests share one exchange.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from journeys.desk import Done, run

SESSION_ON = "2026-01-20"
OPENS_AT = "2026-01-20T14:30:00Z"
SPEED = 10
SYMBOLS = ("AMC", "GME")
PATIENCE_S = 60.0

# Enters where the file TRADES is there, with a stop that rests at the broker; hangs with HANGS, raises with RAISES.
STRATEGY = '''"""Buy every third minute, hold for two."""

import os
from pathlib import Path

from magellan.strategy.contract import Strategy
from magellan.strategy.trade_plan import Price, TradePlan, Units

HERE = Path(os.environ["DESK"])


class ByTheClock(Strategy):
    def features(self, bars, p):
        if (HERE / "RAISES").exists():
            raise AttributeError("there is no such method")
        while (HERE / "HANGS").exists():
            pass
        return {"below": bars.close * 0.9}

    def enter_long(self, f, p):
        return (f.bars.minute % 3 == 0) & (HERE / "TRADES").exists()

    def plan(self, f, p):
        return TradePlan(size=Units(units=10), stop=Price(column=f.below), hold_bars=2)
'''
CONFIG = {
    "strategy": {"name": "by_the_clock", "version": "1.0.0", "kind": "intraday"},
    "symbols": list(SYMBOLS),
    "data": {"timeframe": "1Min", "history_days": 5},
}

T = TypeVar("T")


@dataclass
class Exchange:
    """A paper exchange that runs."""

    process: subprocess.Popen[str]
    url: str

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        return asked(f"{self.url}/_magellan/{path}", body=body, method=method)

    def fault(self, **terms: Any) -> None:
        self.control("faults", terms)

    def heal(self) -> None:
        for each in self.control("faults")["faults"]:
            self.control(f"faults/{each['id']}", method="DELETE")


@dataclass
class LiveDesk:
    """A workspace with one strategy in prod and one account at the exchange."""

    root: Path
    exchange: Exchange
    key: str
    number: str
    runners: list[subprocess.Popen[str]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        return f"alpaca-local-{self.number}"

    @property
    def folder(self) -> Path:
        return self.root / "prod/by_the_clock"

    @property
    def control_folder(self) -> Path:
        return self.root / ".magellan/control" / self.account

    def run(self, *arguments: str, **env: str) -> Done:
        """A command, waited for."""
        return run(*arguments, cwd=self.root, **{**self.env, **env})

    def start(self, *options: str, **env: str) -> subprocess.Popen[str]:
        """A runner that begins."""
        log = open(self.root / f"runner{len(self.runners)}.log", "w")  # noqa: SIM115  kept open by the process
        runner = subprocess.Popen(
            [sys.executable, "-m", "magellan", "run", "prod/by_the_clock", *options],
            cwd=self.root,
            env={**os.environ, **self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
        log.close()
        self.runners.append(runner)
        return runner

    def started(self, *options: str, **env: str) -> subprocess.Popen[str]:
        """A runner that has begun to trade."""
        before = self.beat()
        runner = self.start(*options, **env)

        def beats() -> bool:
            assert runner.poll() is None, self.said(runner)
            beat = self.beat()
            return beat is not None and beat["pid"] == runner.pid and beat != before

        until(beats)
        return runner

    def said(self, runner: subprocess.Popen[str]) -> str:
        return (self.root / f"runner{self.runners.index(runner)}.log").read_text()

    def ended(self, runner: subprocess.Popen[str], within_s: float = PATIENCE_S) -> tuple[int, str]:
        """Exit code and what it said."""
        return runner.wait(within_s), self.said(runner)

    def beat(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(
                (self.root / f".magellan/heartbeats/{self.account}.json").read_bytes()
            )
        except FileNotFoundError:
            return None
        return found

    def trading(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """A request of a person to the broker, past Magellan."""
        headers = {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": "secret"}
        return asked(f"{self.exchange.url}/v2/{path}", body=body, method=method, headers=headers)

    def buy(self, symbol: str, units: int) -> None:
        """A person buys at the broker, and has it."""
        self.trading(
            "orders",
            {"symbol": symbol, "qty": str(units), "side": "buy", "type": "market", "time_in_force": "day"},
        )
        until(lambda: any(each["symbol"] == symbol for each in self.trading("positions")))

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        """The ledger's entries of these kinds."""
        done = self.run("audit", "show", *kinds, "--last", "100000", "--json", "--account", self.account)
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def status(self, *options: str) -> dict[str, Any]:
        done = self.run("status", "--json", *options)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def close(self) -> None:
        for runner in self.runners:
            if runner.poll() is None:
                os.kill(runner.pid, signal.SIGCONT)
                runner.terminate()  # in order, so that its watch ends with it
                try:
                    runner.wait(20)
                except subprocess.TimeoutExpired:
                    runner.kill()
                    runner.wait()


def until(true: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """Wait until something is so, and hand it back."""
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
    return found


def asked(
    url: str, *, body: Any = None, method: str | None = None, headers: dict[str, str] | None = None
) -> Any:
    """What a server answers in JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json", **(headers or {})}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@contextmanager
def exchange_process(folder: Path, *options: str) -> Generator[Exchange]:
    """A paper exchange, for as long as the block lasts."""
    log = folder / "exchange.log"
    with open(log, "w") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "magellan", "exchange", "--port", "0", "--generated"),
                *("--symbols", ",".join(SYMBOLS), *options),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            text=True,
        )

    def address() -> str:
        assert process.poll() is None, log.read_text()
        lines = [line.split() for line in log.read_text().splitlines()]
        return next((line[1] for line in lines if len(line) == 2 and line[0] == "page"), "")

    try:
        yield Exchange(process, until(address).rstrip("/"))
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """One exchange for all tests; whoever breaks it, mends it."""
    folder = tmp_path_factory.mktemp("exchange")
    with exchange_process(folder, "--session", SESSION_ON, "--clock", "stepped") as running:
        # It begins five minutes before the open, half a minute of ours in which nobody could trade.
        running.control("clock/step", {"to": OPENS_AT})
        running.control("clock", {"mode": "paced", "speed": SPEED})
        yield running


_KEYS = iter(range(10**6))


@pytest.fixture
def live_desk(exchange: Exchange, tmp_path: Path) -> Iterator[LiveDesk]:
    """A desk with an account of its own."""
    desk = furnished_desk(tmp_path / "desk", exchange)
    yield desk
    desk.close()
    exchange.heal()


def furnished_desk(root: Path, exchange: Exchange, **account: Any) -> LiveDesk:
    key = f"desk{os.getpid()}x{next(_KEYS)}"
    desk = LiveDesk(root, exchange, key, number="")
    desk.number = desk.trading("account")["account_number"]
    desk.env = {"ALPACA_API_KEY": key, "ALPACA_API_SECRET": "secret", "DESK": str(desk.folder)}
    desk.folder.mkdir(parents=True)
    (desk.folder / "strategy.py").write_text(STRATEGY)
    (desk.folder / "config.json").write_text(json.dumps(CONFIG))
    (desk.folder / "runner.py").write_text(
        "from magellan.surfaces.runner import main\n\nraise SystemExit(main(__file__))\n"
    )
    settings(desk, **account)
    return desk


def settings(desk: LiveDesk, **account: Any) -> None:
    """Write magellan.toml; what is given changes or adds to its account."""
    terms: dict[str, Any] = {
        "kind": "local",
        "number": desk.number,
        "address": desk.exchange.url,
        "data": {"feed": "sip"},
        "reconcile": "adopt",
        **account,
    }
    lines = ["format = 1", "", "[accounts.desk]"]
    lines += [f"{name} = {_toml(value)}" for name, value in terms.items()]
    lines += ["", "[stages.prod]", 'account = "desk"', ""]
    (desk.root / "magellan.toml").write_text("\n".join(lines))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
    return json.dumps(value)


__all__ = ["Exchange", "LiveDesk", "exchange", "live_desk", "settings", "until", "urllib"]
