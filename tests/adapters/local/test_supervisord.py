"""One supervisor for a workspace, whoever asks for it from wherever; with a real supervisord."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from magellan.adapters.local.supervisord import Supervisord
from magellan.deploy.instance import Process
from magellan.errors import AskOperator
from magellan.ports.process_keeper import ProcessTerms


@pytest.fixture(params=["my trades; 100 % (old)", "d" * 120])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A socket's path cannot be as long as a folder's."""
    folder = tmp_path / request.param
    folder.mkdir()
    yield folder
    Supervisord(folder).shut_down()


def started(folder: Path) -> int:
    """An instance that sleeps; its process."""
    keeper = Supervisord(folder)
    keeper.start(
        ProcessTerms(
            key="sleeper",
            command=(sys.executable, "-c", "import time; time.sleep(600)"),
            folder=folder,
            environment={},
            log=folder / "logs" / "sleeper.log",
            stop_within_s=1.0,
        )
    )
    return pid_of(folder)


def pid_of(folder: Path) -> int:
    until_s = time.monotonic() + 30
    while (kept := Supervisord(folder).look("sleeper")).pid is None:
        assert time.monotonic() < until_s and kept.process is Process.RUNNING, kept
        time.sleep(0.02)
    return kept.pid


def test_a_login_a_timer_and_a_connection_speak_to_the_same_supervisor(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "login"))
    pid = started(folder)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "timer"))
    Supervisord(folder).start_all()
    assert pid_of(folder) == pid


def test_a_supervisor_whose_socket_is_lost_is_not_joined_by_a_second_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magellan.adapters.local.supervisord._DOWN_WITHIN_S", 0.1)
    pid, supervisor = started(folder), int((folder / "pid").read_text())
    (socket,) = (
        Path(line.removeprefix("file=").replace("%%", "%"))
        for line in (folder / "supervisord.conf").read_text().splitlines()
        if line.startswith("file=")
    )
    hidden = socket.with_name("hidden")
    socket.rename(hidden)
    with pytest.raises(AskOperator, match=f"runs as process {supervisor}"):
        Supervisord(folder).start_all()
    os.kill(pid, 0)
    hidden.rename(socket)
    assert pid_of(folder) == pid


def test_a_pid_that_another_process_has_now_keeps_nobody_from_starting(folder: Path) -> None:
    (folder / "pid").write_text(f"{os.getpid()}\n")
    started(folder)


def test_a_supervisor_that_is_on_its_way_down_is_waited_for_and_what_it_kept_has_ended(folder: Path) -> None:
    keeper = Supervisord(folder)
    slow = (
        "import signal, time; signal.signal(15, lambda *_: (time.sleep(1), exit()));"
        "print('ready', flush=True); time.sleep(600)"
    )
    log = folder / "logs" / "sleeper.log"
    keeper.start(
        ProcessTerms(
            key="sleeper",
            command=(sys.executable, "-c", slow),
            folder=folder,
            environment={},
            log=log,
            stop_within_s=10.0,
        )
    )
    until_s = time.monotonic() + 30
    while not log.exists() or not log.read_text():
        assert time.monotonic() < until_s
        time.sleep(0.02)
    os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
    looks = [keeper.look("sleeper").process for _ in range(20)]
    assert looks[-1] is Process.ENDED
    keeper.start_all()
    assert pid_of(folder)


def test_a_path_in_which_supervisord_would_find_nothing_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "trades [old]"
    folder.mkdir()
    with pytest.raises(AskOperator, match=r"\*, \? or \[ in its path: .*trades \[old\]"):
        started(folder)
