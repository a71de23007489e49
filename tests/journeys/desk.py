"""A trader's desk: a small workspace, and what the journeys do at it. `magellan` runs as a process throughout."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.archive.generated.defect import Defect, UnadjustedSplit
from magellan.archive.generated.generate import generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.timeframe import DAY
from rights import MAY_EVERYTHING

Done = subprocess.CompletedProcess[str]
Magellan = Callable[..., Done]

_CAPBSET_DROP, _DAC_OVERRIDE, _DAC_READ_SEARCH = 24, 1, 2  # Linux: prctl(2), capabilities(7)

SYMBOLS = ("ANCHOR", "BRIDGE", "GALLEY")
SPLIT_ON = date(2023, 6, 12)  # of GALLEY, 4 for 1

# Buys what rises and sells what falls. With WAIT_AT it stops where a test says, so that the test can stop it.
MOODS = '''"""Hold what rises."""

import os

from magellan.indicators import ema
from magellan.strategy.contract import Parameters, Strategy
from magellan.strategy.trade_plan import EquityFraction, TradePlan


class Periods(Parameters):
    fast: int = 5
    slow: int = 20


class Moods(Strategy):
    Parameters = Periods

    def features(self, bars, p):
        if os.environ.get("WAIT_AT"):
            open(os.environ["WAIT_AT"]).close()
        return {"fast": ema(bars.close, p.fast), "slow": ema(bars.close, p.slow)}

    def enter_long(self, f, p):
        return f.fast > f.slow

    def exit_long(self, f, p):
        return f.fast < f.slow

    def plan(self, f, p):
        return TradePlan(size=EquityFraction(fraction=0.3))
'''
CONFIG = """{
  "strategy": {"name": "moods", "version": "1.0.0", "kind": "trend"},
  "symbols": ["ANCHOR", "BRIDGE", "GALLEY"],
  "parameters": {"fast": 5, "slow": 20},
  "data": {"timeframe": "1Day", "warmup_bars": 20},
  "execution": {"slippage_bps": 2.0}
}
"""
RUNNER = "from magellan.surfaces.runner import main\n\nraise SystemExit(main(__file__))\n"


def bars_of(symbol: str, *defects: Defect, first_on: date = date(2022, 1, 3), last_on: date) -> Bars:
    """Daily bars that no market ever had."""
    market = Market(
        symbol=symbol,
        style=Style.LARGE_CAP,
        first_on=first_on,
        last_on=last_on,
        timeframe=DAY,
        defects=tuple(defects),
    )
    return generate(market, load_calendar("XNYS"), seed=11).bars()


def csv_of(bars: Bars) -> str:
    """The bars as a vendor would write them."""
    days = np.datetime_as_string(bars.opened_at_ns.astype("datetime64[ns]").astype("datetime64[D]"))
    columns = [getattr(bars, name).tolist() for name in (*PRICE_COLUMNS, "volume")]
    rows = [f"{day},{','.join(map(repr, row))}" for day, *row in zip(days, *columns, strict=True)]
    return "\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""])


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two years of three symbols and one strategy; nobody changes it."""
    root = tmp_path_factory.mktemp("furnished") / "desk"
    run("init", root, "--no-sample", cwd=root.parent)
    files = root.parent / "files"
    files.mkdir()
    for symbol in SYMBOLS:
        defects = [UnadjustedSplit(on=SPLIT_ON, new_shares=4, old_shares=1)] if symbol == "GALLEY" else []
        bars = bars_of(symbol, *defects, last_on=date(2023, 12, 29))
        (files / f"{symbol}_1day_20220103_20231229.csv").write_text(csv_of(bars))
    done = run("data", "import", files, "--vendor", "desk", "--feed", "one", "--hours", "regular", cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    run("data", "split", "GALLEY", "--on", str(SPLIT_ON), "--ratio", "4:1", cwd=root)
    strategy = root / "dev" / "moods"
    strategy.mkdir(parents=True)
    (strategy / "strategy.py").write_text(MOODS)
    (strategy / "config.json").write_text(CONFIG)
    (strategy / "runner.py").write_text(RUNNER)
    return root


@pytest.fixture
def workspace(furnished: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil; its path has a space and letters that are not ASCII in it."""
    copied = tmp_path / "Größe 大 desk"
    shutil.copytree(furnished, copied, symlinks=True)
    return copied


def run(*arguments: str | Path, cwd: Path, limits: Callable[[], None] | None = None, **env: str) -> Done:
    """`magellan ...` as a process of its own, without a terminal.

    limits: called in the process before it begins, to take something away from it.
    """
    return subprocess.run(
        [sys.executable, "-m", "magellan", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **env},
        preexec_fn=limits,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def started(*arguments: str | Path, cwd: Path, **env: str) -> "subprocess.Popen[str]":
    """The same, not waited for."""
    return subprocess.Popen(
        [sys.executable, "-m", "magellan", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def reached(pipe: Path, process: "subprocess.Popen[str]") -> int:
    """Wait until the process has opened the named pipe to read; returns our end of it.

    The process reads on once that end is closed.
    """
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            try:
                process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"it ended before it came there: {process.communicate()}") from None


def refused(done: Done, *told: str, code: int = 1) -> None:
    """The command ended with `code`, in plain words, and said all of `told`."""
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    assert "Traceback" not in text
    assert "defect of Magellan" not in text
    missing = [each for each in told if each not in text]
    assert not missing, f"{missing} not in:\n{text}"


def kept(workspace: Path, *folders: str) -> dict[str, str]:
    """{file: sha256} of all that a person could lose: archive, runs, strategies, settings."""
    found = {}
    for folder in folders or ("data", ".magellan/runs", "dev", "prod", "test"):
        for path in sorted((workspace / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                found[str(path.relative_to(workspace))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def list_of(names: Sequence[str]) -> str:
    """The names as an option takes them."""
    return ",".join(names)


def as_a_plain_user() -> None:
    """Take from a process of the superuser the rights to pass over a file's own; for `limits`."""
    if not MAY_EVERYTHING:
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
        if prctl(_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "the superuser's rights could not be dropped")
