"""The exchange's page in a real browser: it draws what happens, and writes what clients send as text."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import requests

BROWSER = (
    os.environ.get("MAGELLAN_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome") or ""
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--virtual-time-budget=4000",
)
KEYS = {"APCA-API-KEY-ID": "PK<b>1</b>", "APCA-API-SECRET-KEY": "secret"}
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def traded(exchange: dict[str, str]) -> str:
    """An exchange with an order whose id is HTML, and a fault; the address of its page."""
    order = {"symbol": "AAPL", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}
    placed = requests.post(
        exchange["trading"] + "/v2/orders", json={**order, "client_order_id": NASTY}, headers=KEYS, timeout=20
    )
    assert placed.status_code == 200
    requests.post(exchange["control"] + "faults", json={"kind": "lost_event", "name": NASTY}, timeout=20)
    return exchange["page"]


def browse(page: str, profile: Path, *options: str) -> str:
    if not BROWSER:
        pytest.fail("make lab needs chromium, or the path of a browser in MAGELLAN_BROWSER")
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", *options, page]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout


def test_the_page_shows_accounts_orders_and_faults_and_no_html_of_clients(
    traded: str, tmp_path: Path
) -> None:
    drawn = browse(traded, tmp_path, "--dump-dom")
    assert "market open" in drawn
    assert "&lt;img src=x onerror=alert(1)&gt;" in drawn
    assert "<img" not in drawn
    assert "PK&lt;b&gt;1&lt;/b&gt;" in drawn
    for part in ("Accounts", "Positions", "Orders", "lost_event", "AAPL"):
        assert part in drawn


def test_the_log_is_told_in_words(exchange: dict[str, str], traded: str, tmp_path: Path) -> None:
    until_s = time.monotonic() + 60
    while not requests.get(exchange["trading"] + "/v2/positions", headers=KEYS, timeout=20).json():
        assert time.monotonic() < until_s, "the order was not filled"
        time.sleep(0.1)  # each look is a line of the log, of which the page shows the newest hundred
    drawn = browse(traded, tmp_path, "--dump-dom")
    assert re.search(r"FILL buy 3 AAPL at \d+(\.\d+)?<", drawn), "the price as it came, 584.3 too"
    assert "PK&lt;b&gt;1&lt;/b&gt; trades account" in drawn
    assert "seed 0, symbols 2" in drawn


@pytest.mark.parametrize("size", ["390,844", "1280,900"])
def test_the_page_can_be_looked_at_on_a_phone_and_on_a_desk(traded: str, tmp_path: Path, size: str) -> None:
    picture = tmp_path / "page.png"
    browse(traded, tmp_path / "profile", f"--window-size={size}", f"--screenshot={picture}")
    assert picture.stat().st_size > 10_000
