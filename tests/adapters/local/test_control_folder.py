"""The control folder: requests from other processes, plain files and signals, none lost and none acted on twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from magellan.adapters.local.control_folder import ControlFolder, new_request
from magellan.ports.operator import OperatorRequest


def _told(
    folder: ControlFolder, count: int, *, once_it_looks: Callable[[], None] = lambda: None
) -> list[OperatorRequest]:
    """The first `count` requests that a session hears; `once_it_looks` runs when it has begun to listen."""

    async def listen() -> list[OperatorRequest]:
        requests = folder.requests()
        found: list[OperatorRequest] = []
        asyncio.get_running_loop().call_later(0.05, once_it_looks)
        async with asyncio.timeout(10):
            while len(found) < count:
                found.append(await anext(requests))
        await requests.aclose()
        return found

    return asyncio.run(listen())


def test_a_request_left_while_no_session_ran_is_told_when_one_begins(tmp_path: Path) -> None:
    folder = ControlFolder(tmp_path)
    left = new_request("halt", person="ada", reason="odd fills", source="command")
    folder.leave(left)
    assert _told(ControlFolder(tmp_path), 1) == [left]


def test_a_request_comes_again_until_it_is_acknowledged_and_then_never(tmp_path: Path) -> None:
    folder = ControlFolder(tmp_path)
    left = new_request("flatten", person="ada", reason="leaving", source="command")
    folder.leave(left)
    assert _told(folder, 1) == [left]
    assert _told(folder, 1) == [left], "the session was killed before it acted on it"
    assert not folder.is_acknowledged(left)
    folder.acknowledge(left)
    assert folder.is_acknowledged(left)
    later = new_request("resume", person="ada", reason="looked", source="command")
    folder.leave(later)
    assert _told(folder, 1) == [later]


def test_acknowledging_twice_is_acknowledging_once(tmp_path: Path) -> None:
    folder = ControlFolder(tmp_path)
    left = new_request("halt", person="ada", reason="odd fills", source="command")
    folder.leave(left)
    folder.acknowledge(left)
    folder.acknowledge(left)
    assert folder.is_acknowledged(left)


@pytest.mark.parametrize(("name", "asks"), [("HALT", "halt"), ("FLATTEN", "flatten")])
def test_a_plain_file_is_a_request_of_whoever_put_it_there(tmp_path: Path, name: str, asks: str) -> None:
    (tmp_path / name).write_text("the feed looks wrong\n")
    folder = ControlFolder(tmp_path)
    (request,) = _told(folder, 1)
    assert (request.asks, request.reason, request.source) == (asks, "the feed looks wrong", "file")
    assert request.person
    folder.acknowledge(request)
    assert not (tmp_path / name).exists()
    assert [kept.name.endswith(name) for kept in (tmp_path / "done").iterdir()] == [True]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"asks": "halt"}',
        b'{"request_id": "x", "asks": "buy", "person": "", "reason": "", "source": ""}',
        b"\xff\xfe",
    ],
)
def test_a_request_that_cannot_be_read_halts(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / "x.json").write_bytes(content)
    folder = ControlFolder(tmp_path)
    (request,) = _told(folder, 1)
    assert request.asks == "halt"
    assert "x.json" in request.reason
    folder.acknowledge(request)
    assert list((tmp_path / "requests").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "asks"),
    [
        (signal.SIGTERM, "stop"),
        (signal.SIGINT, "stop"),
        (signal.SIGUSR1, "halt"),
        (signal.SIGUSR2, "flatten"),
    ],
)
def test_signals_ask_too(tmp_path: Path, number: signal.Signals, asks: str) -> None:
    (request,) = _told(ControlFolder(tmp_path), 1, once_it_looks=lambda: os.kill(os.getpid(), number))
    assert (request.asks, request.source) == (asks, "signal")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"asks": "resume", "person": "  "}, "names a person and a reason"),
        ({"asks": "resume", "reason": ""}, "names a person and a reason"),
        ({"source": "carrier pigeon"}, "it comes from 'carrier pigeon'"),
    ],
)
def test_a_resume_of_nobody_and_a_source_that_is_none_halt_and_say_why(
    tmp_path: Path, changed: dict[str, str], told: str
) -> None:
    folder = ControlFolder(tmp_path)
    folder.leave(replace(new_request("halt", person="ada", reason="odd fills", source="command"), **changed))
    (heard,) = _told(ControlFolder(tmp_path), 1)
    assert heard.asks == "halt"
    assert told in heard.reason
    assert heard.person


def test_the_first_sigterm_asks_and_the_second_ends_the_process(tmp_path: Path) -> None:
    """Also where the loop hears nothing any more."""
    code = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from magellan.adapters.local.control_folder import ControlFolder\n"
        "async def main():\n"
        "    requests = ControlFolder(Path(sys.argv[1])).requests()\n"
        "    asyncio.get_running_loop().call_later(0.2, hang)\n"
        "    await anext(requests)\n"
        "def hang():\n"
        "    print('hangs', flush=True)\n"
        "    while True: pass\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "hangs\n"
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM
    process.stdout.close()
