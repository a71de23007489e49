"""The log of a session: readable, rotated, without secrets, and never a reason to stop."""

from __future__ import annotations

import io
import json
import resource
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from magellan.adapters.live_log import Redaction, RotatedLines, live_log
from magellan.errors import AskOperator
from magellan.ledger.known_secrets import HIDDEN, KnownSecrets

NOW = datetime(2026, 1, 20, 14, 30, 1, 500_000, tzinfo=UTC)
CANARY = "canary-key-5417"


class Desk:
    """A log, its console and its file."""

    def __init__(self, folder: Path, *, largest: int = 10_000, kept: int = 2) -> None:
        self.console = io.StringIO()
        self.path = folder / "logs/session.jsonl"
        self.file = RotatedLines(self.path, largest=largest, kept=kept)
        self.log = live_log(
            console=self.console,
            file=self.file,
            redaction=Redaction(KnownSecrets([CANARY, "ab", ""])),
            clock=lambda: NOW,
        )

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_line_is_json_in_the_file_and_words_on_the_console(desk: Desk) -> None:
    desk.log.bind(session="s-1").warning("bar late", symbol="AMC", age_s=75.5, price=Decimal("5.0100"))
    assert desk.lines == [
        {
            "at": "2026-01-20T14:30:01.500000Z",
            "session": "s-1",
            "symbol": "AMC",
            "age_s": 75.5,
            "price": "5.0100",
            "event": "bar late",
            "level": "warning",
        }
    ]
    console = desk.console.getvalue()
    assert console.startswith("14:30:01Z [warning") and "bar late" in console and "symbol=AMC" in console
    assert "\x1b" not in console


def test_what_is_below_the_least_level_is_not_written(desk: Desk) -> None:
    desk.log.debug("noise")
    assert desk.lines == [] and desk.console.getvalue() == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": "anything"},
        {"APCA-API-SECRET-KEY": "anything"},
        {"headers": {"Authorization": "Basic anything", "accept": "json"}},
        {"url": f"https://host/?key={CANARY}&x=1"},
        {"nested": [{"deep": (f"a{CANARY}b",)}]},
        {f"name {CANARY}": 1},
        {"error": ValueError(f"refused: {CANARY}")},
        {"password": 1234},
        {"token": ["anything"]},
    ],
)
def test_no_secret_reaches_file_or_console(desk: Desk, fields: dict[str, Any]) -> None:
    desk.log.info(f"sent with {CANARY}", **fields)
    for text in (desk.path.read_text(), desk.console.getvalue()):
        assert CANARY not in text and "anything" not in text and "1234" not in text
        assert HIDDEN in text


def test_an_exception_is_logged_with_its_traceback_and_without_secrets(desk: Desk) -> None:
    try:
        raise ConnectionError(f"401 for {CANARY}")
    except ConnectionError:
        desk.log.exception("broker")
    assert "ConnectionError: 401 for [hidden]" in desk.lines[0]["exception"]
    assert "Traceback" in desk.lines[0]["exception"] and CANARY not in desk.console.getvalue()


def test_ordinary_names_and_numbers_are_left_alone(desk: Desk) -> None:
    desk.log.info(
        "order", client_order_id="mg1-bear_trap-AMC", tokens_left=None, abbreviation="ab", missing=None
    )
    (line,) = desk.lines
    assert (line["client_order_id"], line["abbreviation"]) == ("mg1-bear_trap-AMC", "ab")


def test_a_full_file_is_rotated_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    desk = Desk(tmp_path, largest=300, kept=2)
    for number in range(30):
        desk.log.info("tick", number=number)
    names = sorted(each.name for each in desk.path.parent.iterdir())
    assert names == ["session.jsonl", "session.jsonl.1", "session.jsonl.2"]
    numbers = [
        json.loads(line)["number"]
        for name in reversed(names)
        for line in (desk.path.parent / name).read_bytes().splitlines()
    ]
    assert numbers == list(range(numbers[0], 30)) and numbers[0] > 0
    assert all((desk.path.parent / name).stat().st_size <= 300 for name in names)


def test_a_log_is_carried_on_after_a_restart(tmp_path: Path) -> None:
    for number in range(2):
        desk = Desk(tmp_path)
        desk.log.info("began", number=number)
        desk.file.close()
    assert [line["number"] for line in desk.lines] == [0, 1]


def test_a_log_that_cannot_be_written_stops_nobody_and_says_so_once(desk: Desk) -> None:
    desk.log.info("before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (desk.path.stat().st_size, limits[1]))
    try:
        desk.log.info("one")
        desk.log.info("two")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    desk.log.info("after")
    assert [line["event"] for line in desk.lines] == ["before", "lines were lost", "after"]
    assert desk.lines[1]["lines"] == 2
    assert desk.console.getvalue().count("cannot be written") == 1
    assert "two" in desk.console.getvalue()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file stands there")
    with pytest.raises(AskOperator, match=r"session\.jsonl cannot be written|logs cannot be written"):
        Desk(tmp_path)
