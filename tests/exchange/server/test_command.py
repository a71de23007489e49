"""`magellan exchange`: what it says, how it ends, what it refuses."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from journeys.desk import furnished, workspace
from magellan.surfaces.cli.app import run

__all__ = ["furnished", "workspace"]
TIMEOUT_S = 60
PAIR = '{"accounts": [{"key_id": "A", "secret_key": "hush"%s}]}'
KEYS = {"APCA-API-KEY-ID": "PK1", "APCA-API-SECRET-KEY": "secret"}


@contextmanager
def running(*options: str, cwd: Path | None = None) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The command in a process of its own, and what it said with --json when it was ready."""
    command = [sys.executable, "-m", "magellan", "exchange", "--port", "0", "--json", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line == "}\n":
                break
        try:
            yield process, json.loads(said)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_ends_cleanly(ending: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with running("--generated", "--symbols", "AAPL,MSFT", "--log", str(log)) as (process, said):
        assert said["symbols"] == ["AAPL", "MSFT"]
        answer = requests.get(said["addresses"]["trading"] + "/v2/clock", headers=KEYS, timeout=TIMEOUT_S)
        assert answer.json()["is_open"] is True
        process.send_signal(ending)
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert [json.loads(line)["what"] for line in log.read_text().splitlines()] == [
        "start",
        "account",
        "request",
    ]


def test_a_full_disk_under_the_log_is_told_at_once_and_at_the_end_and_no_client_notices() -> None:
    with running("--generated", "--symbols", "AAPL", "--step", "--log", "/dev/full") as (process, said):
        http = said["addresses"]["trading"]
        for _ in range(2):  # a line that was not taken comes before this one
            stepped = requests.post(http + "/_magellan/clock/step", json={"by_s": 3600}, timeout=TIMEOUT_S)
            assert stepped.status_code == 200
        assert process.stderr is not None
        assert "can be written no more" in process.stderr.readline()
        log = requests.get(http + "/_magellan/events", timeout=TIMEOUT_S).text.splitlines()
        assert [json.loads(line)["n"] for line in log] == list(range(1, len(log) + 1))
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 1
        told = process.stderr.read()
    assert "error: the event log /dev/full is cut off at line" in told
    assert "Traceback" not in told


def test_it_prints_the_addresses_of_each_client() -> None:
    command = [sys.executable, "-m", "magellan", "exchange", "--port", "0", "--generated"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Ctrl-C"):
                break
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0
    parts = (
        "TradingClient(",
        "StockDataStream(",
        "APCA_API_BASE_URL=http://127.0.0.1:",
        "DATA_API_URL=",
        "/stream",
        "new Alpaca({ keyId, secret, paper: true, fetchApi })",
        'fetch("http://127.0.0.1:',
    )
    for part in (*parts, "rate limit   off"):
        assert part in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "can be reached from other machines"),
        (["--accounts", "nowhere.json"], "the accounts file nowhere.json cannot be read"),
        (["--faults", "nowhere.json"], "the fault plan nowhere.json cannot be read"),
        (["--clock", "shifted", "--session", "2024-03-11"], "has no dates of its own"),
        (["--clock", "stepped", "--session", "2024-03-10"], "has no session from 2024-03-10"),
        (["--log", "/nowhere/log"], "the event log /nowhere/log cannot be written"),
        (["--symbols", "ZZZ/QQQ"], "ZZZ/QQQ cannot be generated"),
        (["--clock", "paced", "--speed", "inf"], "at most 1,000,000, not inf"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(
    options: list[str], said: str, capsys: pytest.CaptureFixture
) -> None:
    assert run(["exchange", "--generated", "--port", "0", *options]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--clock", "swift"],
        ["--feed", "moon"],
        ["--entitlement", "gold"],
        ["--generated", "--archive"],
        ["--session", "2024-03-11", "--from", "2024-03-11"],
        ["--from", "2024-03-11"],
        ["--symbols", ","],
        ["--session", "soon"],
        ["--generated", "--latency-ms", "inf"],
        ["--generated", "--speed", "60"],  # of a clock that has no speed
        ["--generated", "--step", "--clock", "paced"],  # two clocks
        ["--generated", "--timeframe", "5Min"],  # of bars that are made by the minute
    ],
)
def test_wrong_usage_is_told(options: list[str]) -> None:
    assert run(["exchange", *options]) == 2


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["exchange", "--generated", "--port", str(port)]) == 1
    told = capsys.readouterr().err
    assert f"port {port} on 127.0.0.1 is taken" in told
    assert f"--port {port + 1}" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1, column 2: this is no JSON"),
        ("{}", "accounts: this key is required"),
        ('{"accounts": []}', "accounts:"),
        ('{"accounts": [{"key_id": "A"}]}', "accounts[0].secret_key: this key is required"),
        (
            PAIR % ', "cash": 1',
            "accounts[0].cash: there is no such key; accepted are key_id",
        ),
        (
            PAIR % ', "multiplier": 3',
            "accounts[0].multiplier: it should be 1, 2 or 4",
        ),
        (
            PAIR % '}, {"key_id": "A", "secret_key": "x"',
            "the key id A stands there twice",
        ),
        (
            PAIR % ', "account_number": "PA1"}, {"key_id": "B", "secret_key": "x", "account_number": "PA1"',
            "the account number PA1 stands there twice",
        ),
        ('{"accounts": []}', "accounts: it should name an account at least"),
    ],
)
def test_a_malformed_accounts_file_is_told_without_its_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture, text: str, said: str
) -> None:
    file = tmp_path / "accounts.json"
    file.write_text(text)
    assert run(["exchange", "--generated", "--port", "0", "--accounts", str(file)]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "hush" not in told
    assert "Tuple" not in told


def test_archived_sets_are_served_on_their_own_dates(workspace: Path) -> None:
    with running("--archive", "--timeframe", "1Day", "--step", cwd=workspace) as (_, said):
        http = said["addresses"]["trading"]
        assert set(said["symbols"]) >= {"ANCHOR", "BRIDGE"}
        clock = requests.get(http + "/_magellan/clock", timeout=TIMEOUT_S).json()
        assert (clock["mode"], clock["is_open"]) == ("stepped", False)
        requests.post(http + "/_magellan/clock/step", json={"next": "bar"}, timeout=TIMEOUT_S)
        asked = "/v2/stocks/ANCHOR/bars?timeframe=1Day&start=2020-01-01"
        bars = requests.get(http + asked, headers=KEYS, timeout=TIMEOUT_S).json()["bars"]
        assert len(bars) > 100


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--symbols", "ZZZZ"], "the archive holds no ZZZZ"),
        (["--timeframe", "5Min"], "the archive holds no bars of 5Min"),
        (["--symbols", "ANCHOR", "--session", "1999-03-11"], "holds no bar from 1999-03-11"),
        (["--terms-of", "nobody"], "nobody"),
    ],
)
def test_what_the_archive_lacks_is_told(
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    options: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(workspace)
    assert run(["exchange", "--archive", "--timeframe", "1Day", "--step", "--port", "0", *options]) == 1
    assert said in capsys.readouterr().err


def test_fills_cost_what_the_strategys_config_says(workspace: Path) -> None:
    config_file = workspace / "dev/moods/config.json"
    config = json.loads(config_file.read_text())
    config["execution"] = {"commission_bps": 6.25, "slippage_bps": 10}
    config["account"] = {"cash_usd": 50_000}
    config_file.write_text(json.dumps(config))
    with running("--terms-of", "moods", "--step", cwd=workspace) as (_, said):
        http, symbol = said["addresses"]["trading"], said["symbols"][0]
        requests.post(http + "/_magellan/clock/step", json={"by_s": 600}, timeout=TIMEOUT_S)
        order = {"symbol": symbol, "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
        placed = requests.post(http + "/v2/orders", headers=KEYS, json=order, timeout=TIMEOUT_S).json()
        requests.post(http + "/_magellan/clock/step", json={"by_s": 600}, timeout=TIMEOUT_S)
        filled = requests.get(f"{http}/v2/orders/{placed['id']}", headers=KEYS, timeout=TIMEOUT_S).json()
        assert filled["status"] == "filled", filled
        account = requests.get(f"{http}/v2/account", headers=KEYS, timeout=TIMEOUT_S).json()
    notional = 10 * float(filled["filled_avg_price"])
    assert float(account["cash"]) == pytest.approx(50_000 - notional * (1 + 6.25 / 10_000), abs=0.02)
