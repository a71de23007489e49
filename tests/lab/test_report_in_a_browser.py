"""The report in a real browser, without a network: it draws, and asks nobody for anything. `make lab`."""

import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BROWSER = (
    os.environ.get("MAGELLAN_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome") or ""
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=15000",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """The report of a backtest on the sample market, as a newcomer makes it."""
    folder = tmp_path_factory.mktemp("lab") / "workspace"
    for words in (["init", str(folder)], ["backtest", "hourly_swing", "--workspace", str(folder)]):
        command = [sys.executable, "-m", "magellan", *words]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    (found,) = (folder / ".magellan" / "runs").glob("*/report.html")
    return found


def browse(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    if not BROWSER:
        pytest.fail("make lab needs chromium, or the path of a browser in MAGELLAN_BROWSER")
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)


def watched(report: Path, into: Path) -> Path:
    """The report, forbidden to load anything from anywhere, and noting whatever goes wrong in it."""
    policy = (
        "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:"
    )
    head = (
        f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">'
        "<script>"
        "const note = text => document.documentElement.dataset.broken = text;"
        "window.onerror = message => note(message);"
        "document.addEventListener('securitypolicyviolation', event => note('asked for ' + event.blockedURI));"
        "</script>"
    )
    page = into / "watched.html"
    page.write_text(report.read_text().replace("<head>", head, 1))
    return page


def test_the_report_draws_its_charts_without_a_network_and_without_an_error(report, tmp_path):
    drawn = browse(watched(report, tmp_path), tmp_path / "profile", "--dump-dom").stdout
    broken = re.search(r'<html[^>]* data-broken="([^"]*)"', drawn)
    assert broken is None, html.unescape(broken[1])
    assert drawn.count('class="main-svg"') >= 3, "fewer than three charts were drawn"


def test_the_watch_notices_a_page_that_asks_for_something(report, tmp_path):
    asking = tmp_path / "asking.html"
    asking.write_text(report.read_text().replace("</body>", '<img src="http://127.0.0.1:9/x.png"></body>', 1))
    drawn = browse(watched(asking, tmp_path), tmp_path / "profile", "--dump-dom").stdout
    assert "asked for http://127.0.0.1:9/x.png" in drawn


def test_the_report_has_a_picture_of_itself(report, tmp_path):
    picture = tmp_path / "report.png"
    browse(report, tmp_path / "profile", f"--screenshot={picture}", "--window-size=1200,2000")
    assert picture.stat().st_size > 40_000, "the page is (nearly) blank"
