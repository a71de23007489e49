"""A session operated by a person who is not at its terminal: halted, resumed, flattened, watched and stopped.

Every runner is a process of its own, on a paper exchange that is another.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from journeys.live_desk import Exchange, LiveDesk, exchange, furnished_desk, live_desk, settings, until

__all__ = ["exchange", "live_desk"]

BY_JANE = ("--by", "jane", "--reason", "the feed looks wrong")


def kinds(desk: LiveDesk, *wanted: str) -> list[str]:
    return [each["kind"] for each in desk.entries(*wanted)]


# --- No session runs ---------------------------------------------------------------------------------------------


def test_without_a_session_a_halt_is_recorded_and_the_next_session_begins_halted(live_desk: LiveDesk) -> None:
    halted = live_desk.run("halt", *BY_JANE)
    assert halted.returncode == 0, halted.stderr
    assert "no session runs, and the next one begins so" in halted.stdout
    runner = live_desk.started()
    assert live_desk.status()["switch"] == "halted"
    resumed = live_desk.run("resume", "--by", "joe", "--reason", "it was the clock")
    assert "resumed by the session" in resumed.stdout
    assert live_desk.status()["switch"] == "running"
    told = [
        (each["payload"]["person"], each["payload"]["reason"])
        for each in live_desk.entries("halted", "resumed")
    ]
    assert told == [("jane", "the feed looks wrong"), ("joe", "it was the clock")]
    os.kill(runner.pid, signal.SIGTERM)
    assert live_desk.ended(runner)[0] == 0


@pytest.mark.parametrize("command", ["halt", "resume", "flatten"])
def test_who_asks_and_why_is_never_blank(live_desk: LiveDesk, command: str) -> None:
    refused = live_desk.run(command, "--by", "jane", "--reason", "  ")
    assert refused.returncode == 1
    assert "names the person and the reason" in refused.stderr
    assert live_desk.run(command, "--by", "jane").returncode == 2
    assert not (live_desk.root / ".magellan/ledger.sqlite").exists()


def test_status_of_a_workspace_without_any_session_makes_nothing_up(live_desk: LiveDesk) -> None:
    found = live_desk.status()
    assert found["running"] == "no session yet"
    assert (found["session"], found["money"], found["health"]["beat_age_s"]) == (None, None, None)
    shown = live_desk.run("status").stdout
    assert "no session yet" in shown
    assert "account: no data" in shown
    assert not (live_desk.root / ".magellan").exists(), "it only reads"


def test_an_account_is_flattened_without_a_session_while_the_broker_refuses_every_other_request(
    live_desk: LiveDesk,
) -> None:
    """Two positions, one with resting orders; 429, cut connections, web pages and lost answers meanwhile."""
    live_desk.buy("AMC", 20)
    live_desk.trading("orders", {
        "symbol": "GME", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day",
        "order_class": "bracket", "take_profit": {"limit_price": "900"}, "stop_loss": {"stop_price": "1"},
    })  # fmt: skip
    until(lambda: len(live_desk.trading("positions")) == 2)
    for kind in ("rate_limited", "reset_before", "html_page", "lost_answer"):
        live_desk.exchange.fault(kind=kind, when={"key_id": live_desk.key, "probability": 0.2})
    done = live_desk.run("flatten", *BY_JANE, "--json")
    live_desk.exchange.heal()
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["flattened"]["flat"]) == (0, True), done.stderr
    assert live_desk.trading("positions") == []
    assert live_desk.trading("orders?status=open") == []
    sold = [
        each
        for each in live_desk.trading("orders?status=all")
        if each["side"] == "sell" and each["status"] == "filled"
    ]
    assert sorted(each["symbol"] for each in sold) == ["AMC", "GME"], "each was left once"
    # Every order was intended before it was sent, and the book is as flat as the broker.
    intended = {each["payload"]["request"]["client_order_id"] for each in live_desk.entries("order_intended")}
    assert {each["client_order_id"] for each in sold} <= intended
    found = live_desk.status()
    assert (found["positions"], found["orders"], found["switch"]) == ([], [], "flattening")
    first = live_desk.run("resume", *BY_JANE)
    assert "still halted" in first.stdout
    assert "resumed" in live_desk.run("resume", *BY_JANE).stdout
    assert live_desk.status()["switch"] == "running"


def test_a_flatten_that_does_not_get_through_ends_with_1_and_says_what_is_left(live_desk: LiveDesk) -> None:
    live_desk.buy("AMC", 20)
    live_desk.exchange.fault(
        kind="refused_request", status=503, when={"key_id": live_desk.key, "route": "POST /v2/orders"}
    )
    began_s = time.monotonic()
    done = live_desk.run("flatten", *BY_JANE, "--within", "4")
    assert done.returncode == 1
    assert time.monotonic() - began_s < 40
    assert "NOT flat: 20 AMC" in done.stdout
    assert [each["qty"] for each in live_desk.trading("positions")] == ["20"]
    live_desk.exchange.heal()
    assert live_desk.run("flatten", *BY_JANE).returncode == 0


# --- A session runs ----------------------------------------------------------------------------------------------


def test_a_running_session_is_flattened_and_a_restart_stays_halted_until_a_resume(
    live_desk: LiveDesk,
) -> None:
    live_desk.buy("AMC", 20)
    runner = live_desk.started()
    assert [each["symbol"] for each in live_desk.status()["positions"]] == ["AMC"]
    done = live_desk.run("flatten", *BY_JANE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "by the session: flat" in done.stdout and "looked at for" in done.stdout
    assert "0 sent" not in done.stdout, "the session sent what there was to send"
    assert live_desk.trading("positions") == []
    until(lambda: live_desk.status()["switch"] == "flat")
    began_s = time.monotonic()
    os.kill(runner.pid, signal.SIGTERM)
    assert live_desk.ended(runner)[0] == 0
    assert time.monotonic() - began_s < 10  # two seconds on a machine that has nothing else to do
    ended = live_desk.entries("session_ended")
    assert [each["payload"]["flat"] for each in ended] == [True]
    again = live_desk.started()
    assert live_desk.status()["switch"] in ("flattening", "flat")
    os.kill(again.pid, signal.SIGINT)
    assert live_desk.ended(again)[0] == 0


def test_a_second_runner_of_an_account_is_refused_and_told_who_holds_it(live_desk: LiveDesk) -> None:
    first = live_desk.started()
    second = live_desk.start()
    code, said = live_desk.ended(second)
    assert code == 1
    assert f"held by process {first.pid} on " in said
    assert "since 20" in said
    assert "Traceback" not in said
    assert first.poll() is None
    assert live_desk.status()["running"] == "running"


def test_a_request_file_that_cannot_be_read_halts_and_a_blank_resume_does_not_resume(
    live_desk: LiveDesk,
) -> None:
    runner = live_desk.started()
    requests = live_desk.control_folder / "requests"
    (requests / "1.json").write_text("{not json")
    until(lambda: live_desk.status()["switch"] == "halted")
    blank = {"request_id": "2", "asks": "resume", "person": "  ", "reason": "", "source": "file"}
    (requests / "2.json").write_text(json.dumps(blank))
    odd = {"request_id": "3", "asks": "halt", "person": "joe", "reason": "x", "source": "carrier pigeon"}
    (requests / "3.json").write_text(json.dumps(odd))
    until(lambda: not list(requests.iterdir()))
    found = live_desk.status()
    assert (found["switch"], found["running"]) == ("halted", "running")
    assert runner.poll() is None
    assert "Traceback" not in live_desk.said(runner)
    assert kinds(live_desk, "resumed") == []


# --- It hangs, or is gone ----------------------------------------------------------------------------------------


def test_a_strategy_that_never_returns_is_flattened_past_it_and_ended_by_the_second_sigterm(
    live_desk: LiveDesk,
) -> None:
    live_desk.buy("AMC", 20)
    runner = live_desk.started("--no-watchdog")
    (live_desk.folder / "HANGS").touch()
    beat = live_desk.beat()
    until(lambda: _is_still(live_desk), within_s=40)
    halted = live_desk.run("halt", *BY_JANE)
    assert halted.returncode == 1
    assert "has not answered" in halted.stdout
    assert "NOT ACTED ON YET: halt, asked by jane" in live_desk.run("status").stdout
    done = live_desk.run("flatten", *BY_JANE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "straight at the broker: flat" in done.stdout
    assert f"kill -9 {runner.pid}" in done.stdout
    assert live_desk.trading("positions") == []
    (record,) = (live_desk.control_folder / "done").glob("*.jsonl")
    noted = [json.loads(line)["kind"] for line in record.read_text().splitlines()]
    assert noted[0] == "halted"
    assert noted.index("order_intended") < noted.index("order_answered")
    os.kill(runner.pid, signal.SIGTERM)
    time.sleep(0.5)
    assert runner.poll() is None, "the first one asks"
    os.kill(runner.pid, signal.SIGTERM)
    assert runner.wait(5) == -signal.SIGTERM
    assert beat is not None
    # What was done past it is in the broker's answers, and the next session's book is right from them.
    (live_desk.folder / "HANGS").unlink()
    again = live_desk.started()
    found = live_desk.status()
    assert (found["positions"], found["differences"], found["asked"]) == ([], [], [])
    assert found["switch"] != "running", "the requests that waited are heard now"
    os.kill(again.pid, signal.SIGTERM)
    assert live_desk.ended(again)[0] == 0


def _is_still(desk: LiveDesk) -> bool:
    """Whether the session has stopped giving signs of life."""
    file = desk.root / f".magellan/heartbeats/{desk.account}.json"
    return bool(time.time() - file.stat().st_mtime > 4)


def test_a_session_that_is_stopped_dead_raises_one_alarm_and_tells_when_it_is_back(
    live_desk: LiveDesk,
) -> None:
    settings(live_desk, watchdog={"silence_s_max": 5})
    runner = live_desk.started()
    os.kill(runner.pid, signal.SIGSTOP)
    until(lambda: "it hangs" in live_desk.said(runner), within_s=60)
    os.kill(runner.pid, signal.SIGCONT)
    until(lambda: "over: " in live_desk.said(runner), within_s=60)
    # What was late or overdue when it went on may be told beside it.
    alarms = [line for line in live_desk.said(runner).splitlines() if "[critical ]" in line]
    assert len([line for line in alarms if "it hangs" in line]) == 1
    beside = ("it hangs", "no bar has closed", "no bar of", "the broker has told nothing")
    assert all(any(words in line for words in beside) for line in alarms), alarms
    os.kill(runner.pid, signal.SIGTERM)
    assert live_desk.ended(runner)[0] == 0


def test_a_session_that_is_killed_is_left_by_its_watch_where_the_terms_say_so(live_desk: LiveDesk) -> None:
    settings(live_desk, watchdog={"silence_s_max": 5, "then": "flatten"})
    live_desk.buy("AMC", 20)
    runner = live_desk.started()
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    assert live_desk.status()["running"] == "gone"
    until(lambda: "the account is flat" in live_desk.said(runner), within_s=90)
    assert "its process is gone, and the session was not ended" in live_desk.said(runner)
    assert live_desk.trading("positions") == []
    halts = [each["payload"] for each in live_desk.entries("halted")]
    assert [(each["person"], each["source"], each["flattens"]) for each in halts] == [
        ("watchdog", "watchdog", True)
    ]
    assert live_desk.status()["switch"] == "flattening"


def test_the_runner_of_a_strategys_own_folder_trades_as_the_command_does(
    exchange: Exchange, tmp_path: Path
) -> None:
    import subprocess
    import sys

    desk = furnished_desk(tmp_path / "desk", exchange)
    with open(tmp_path / "log", "w") as log:
        runner = subprocess.Popen(
            [sys.executable, "runner.py"], cwd=desk.folder, env={**os.environ, **desk.env},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    until(lambda: desk.beat() is not None or runner.poll() is not None)
    assert desk.status()["running"] == "running", (tmp_path / "log").read_text()
    os.kill(runner.pid, signal.SIGTERM)
    assert runner.wait(30) == 0
