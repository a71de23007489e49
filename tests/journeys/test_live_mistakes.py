"""Mistakes around a session that trades: plain words, nothing lost, and what to do next. Processes of their own."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from journeys.desk import run
from journeys.live_desk import LiveDesk, exchange, live_desk, settings, until
from one_answer import answering

__all__ = ["exchange", "live_desk"]


def refused(desk: LiveDesk, *told: str, options: tuple[str, ...] = (), **env: str) -> str:
    """A runner that does not begin, and says all of it in plain words."""
    code, said = desk.ended(desk.start(*options, **env))
    plain(said, *told)
    assert code == 1, said
    assert "next: " in said
    return said


def plain(said: str, *told: str) -> None:
    assert "Traceback" not in said
    assert "defect of Magellan" not in said
    assert "Unclosed" not in said  # what a library says of connections that nobody closed
    missing = [each for each in told if each not in said]
    assert not missing, f"{missing} not in:\n{said}"


def test_incident_34_keys_that_the_broker_refuses_end_a_start_once_with_the_reason(
    live_desk: LiveDesk,
) -> None:
    live_desk.exchange.fault(
        kind="refused_request", status=401, code=40110000, message="request is not authorized",
        when={"key_id": live_desk.key},
    )  # fmt: skip
    refused(live_desk, "request is not authorized", "check the key")


def test_keys_that_expire_in_mid_session_lose_nothing_and_tell(live_desk: LiveDesk) -> None:
    live_desk.buy("AMC", 20)
    settings(live_desk, reconcile_every_s=5)
    runner = live_desk.started()
    live_desk.exchange.fault(
        kind="refused_request", status=401, code=40110000, message="request is not authorized",
        when={"key_id": live_desk.key},
    )  # fmt: skip
    until(lambda: "not authorized" in live_desk.said(runner) or runner.poll() is not None)
    plain(live_desk.said(runner), "not authorized")
    live_desk.exchange.heal()
    if runner.poll() is None:
        os.kill(runner.pid, signal.SIGTERM)
        live_desk.ended(runner)
    live_desk.started()
    assert [each["symbol"] for each in live_desk.status()["positions"]] == ["AMC"]


def test_an_order_stream_that_listens_and_says_nothing_is_told_and_begun_anew(live_desk: LiveDesk) -> None:
    settings(live_desk, reconcile_every_s=5)
    live_desk.exchange.fault(
        kind="mute_stream", after_messages=3, when={"stream": "trades", "key_id": live_desk.key, "nth": 1}
    )
    runner = live_desk.started()
    (live_desk.folder / "TRADES").touch()
    until(lambda: "the order stream is down: it listened, and did not tell" in live_desk.said(runner))
    sources = until(
        lambda: {each["payload"]["source"] for each in live_desk.entries("execution")} - {"asked"}
    )
    assert sources == {"stream"}


def test_another_account_than_the_pinned_one_is_refused(live_desk: LiveDesk) -> None:
    settings(live_desk, number="PA000000001")
    refused(live_desk, live_desk.number, "PA000000001", "nothing was sent")
    flatten = live_desk.run("flatten", "--by", "jane", "--reason", "x")
    plain(flatten.stderr, "PA000000001", "nothing was sent")
    assert flatten.returncode == 1


def test_no_network_is_told_and_nothing_begins(live_desk: LiveDesk) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings(live_desk, address=f"http://127.0.0.1:{port}")
    refused(live_desk, f"127.0.0.1:{port}", "cannot be reached")
    flatten = live_desk.run("flatten", "--by", "jane", "--reason", "x", "--within", "2")
    assert flatten.returncode == 1
    plain(flatten.stdout + flatten.stderr, "NOT known to be flat")
    status = live_desk.run("status", "--broker")
    assert status.returncode == 0
    plain(status.stdout, "the broker does not tell")


PAGE = b"<html>Welcome to the hotel's network</html>"


def test_a_server_that_answers_web_pages_is_no_broker(live_desk: LiveDesk) -> None:
    with answering(PAGE, content_type="text/html") as address:
        settings(live_desk, address=address)
        refused(live_desk, "127.0.0.1")
        flatten = live_desk.run("flatten", "--by", "jane", "--reason", "x", "--within", "2")
        assert flatten.returncode == 1
        plain(flatten.stdout + flatten.stderr, "NOT known to be flat")


def test_no_keys_half_a_pair_and_a_flag_that_contradicts_are_refused(live_desk: LiveDesk) -> None:
    refused(live_desk, "there are no keys", ALPACA_API_KEY="", ALPACA_API_SECRET="")
    refused(live_desk, "not the key that goes with it", ALPACA_API_SECRET="")
    refused(live_desk, "ALPACA_PAPER", ENVIRONMENT="production", ALPACA_PAPER="true")


def test_a_disk_that_is_full_stops_the_session_before_an_order_and_keeps_what_was_written(
    live_desk: LiveDesk,
) -> None:
    """The ledger's file may not grow any more: as on a full disk, no entry can be kept, so nothing is sent."""
    (live_desk.folder / "TRADES").touch()
    runner = live_desk.started("--no-watchdog")
    ledger = live_desk.root / ".magellan/ledger.sqlite-wal"
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (ledger.stat().st_size, ledger.stat().st_size))
    code, said = live_desk.ended(runner)
    assert code == 1
    plain(said, "the ledger", "full")
    intended = {each["payload"]["request"]["client_order_id"] for each in live_desk.entries("order_intended")}
    at_broker = {each["client_order_id"] for each in live_desk.trading("orders?status=all&nested=true")}
    assert at_broker <= intended, "no order without a recorded intent"
    assert live_desk.run("audit", "verify").returncode == 0
    live_desk.started()


def test_a_ledger_that_was_changed_is_refused_and_left_as_it_is(live_desk: LiveDesk) -> None:
    runner = live_desk.started()
    os.kill(runner.pid, signal.SIGTERM)
    live_desk.ended(runner)
    file = live_desk.root / ".magellan/ledger.sqlite"
    with sqlite3.connect(file) as database:
        table = next(
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if "entr" in name
        )  # fmt: skip
        database.execute(
            f"UPDATE {table} SET line = replace(CAST(line AS TEXT), 'by_the_clock', 'by_the_book') WHERE number = 1"
        )
    database.close()
    refused(live_desk, "damaged")
    status = live_desk.run("status")
    assert status.returncode == 1
    plain(status.stderr, "damaged")
    file.write_bytes(b"not a database at all, but long enough to look at" * 100)
    refused(live_desk, "it is damaged")


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("magellan.toml", "[accounts.desk\n", "magellan.toml"),
        ("magellan.toml", '[accounts.desk]\nkind = "local"\nnumbr = "PA1"\n', "numbr"),
        ("prod/by_the_clock/config.json", "{", "config.json"),
        ("prod/by_the_clock/config.json", '{"symbols": []}', "config.json"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(live_desk: LiveDesk, file: str, text: str, told: str) -> None:
    (live_desk.root / file).write_text(text)
    refused(live_desk, told)


def test_a_clock_that_is_wrong_refuses_entries_and_says_so(live_desk: LiveDesk) -> None:
    """The broker's clock is far from ours: whoever compares ages by such a clock takes stale bars for fresh ones."""
    live_desk.exchange.fault(kind="clock_skew", skew_s=30)
    (live_desk.folder / "TRADES").touch()
    live_desk.started()
    until(lambda: any("clock" in each["payload"]["rule"] for each in live_desk.entries("order_denied")))
    assert live_desk.trading("orders?status=all") == []


def test_commands_outside_of_any_workspace_say_so(tmp_path: Path) -> None:
    for command in ("status", "watch"):
        done = run(command, cwd=tmp_path)
        assert done.returncode == 1
        plain(done.stderr, "magellan.toml")
