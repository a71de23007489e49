"""How commands show things."""

import io
import json
import sys
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from magellan.surfaces.cli.output import emit, jsonable, print_json, print_table, progress_bars


class Side(StrEnum):
    BUY = "buy"


class Level(Enum):
    HIGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    symbol: str
    price_usd: Decimal


class Parameters(BaseModel):
    period: int
    at: date


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (None, None),
        (True, True),
        (3, 3),
        ("AMC", "AMC"),
        (0.25, 0.25),
        (float("nan"), None),
        (float("inf"), None),
        (Decimal("1.10"), "1.10"),
        (Decimal("NaN"), None),
        (Side.BUY, "buy"),
        (Level.HIGH, 3),
        (datetime(2026, 1, 21, 14, 30, tzinfo=UTC), "2026-01-21T14:30:00+00:00"),
        (date(2026, 1, 21), "2026-01-21"),
        (timedelta(minutes=5), 300.0),
        (Path("reports/a.json"), "reports/a.json"),
        ((1, 2), [1, 2]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (OrderedDict(z=1, a=2), {"z": 1, "a": 2}),
        ({date(2026, 1, 21): 1}, {"2026-01-21": 1}),
        (Fill(symbol="AMC", price_usd=Decimal("4.20")), {"symbol": "AMC", "price_usd": "4.20"}),
        (Parameters(period=14, at=date(2026, 1, 21)), {"period": 14, "at": "2026-01-21"}),
        (np.float64(0.5), 0.5),
        (np.array([1.0, np.nan]), [1.0, None]),
    ],
)
def test_every_type_of_an_answer_has_one_form_in_json(value: object, becomes: object) -> None:
    assert jsonable(value) == becomes


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, b"bytes"])
def test_a_type_whose_form_would_be_a_guess_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no JSON form is agreed"):
        jsonable(value)


def test_json_is_one_document_that_keeps_every_letter(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Zürich"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": "Zürich"}
    assert "Zürich" in out


def test_an_answer_is_shown_in_one_form_only(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"rows": 2}, as_json=True, human=lambda: print("2 rows"))
    assert json.loads(capsys.readouterr().out) == {"rows": 2}
    emit({"rows": 2}, as_json=False, human=lambda: print("2 rows"))
    assert capsys.readouterr().out == "2 rows\n"


def test_a_table_in_a_pipe_is_whole_and_without_colour(capsys: pytest.CaptureFixture[str]) -> None:
    long_name = "a-name-that-is-longer-than-any-terminal-" * 5
    print_table(
        ["set", "rows"], [(long_name, 390), ("[bold]AMC[/bold]", None)], numbers=["rows"], footnote="1 min"
    )
    out = capsys.readouterr().out
    assert long_name in out
    assert "[bold]AMC[/bold]" in out
    assert "\x1b" not in out
    rows = [line.split() for line in out.splitlines()]
    assert [long_name, "390"] in rows
    assert ["[bold]AMC[/bold]", "-"] in rows


def test_numbers_stand_on_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["n"], [(1,), (1000,)], numbers=["n"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "    1" in lines


def test_progress_is_invisible_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress_bars() as bars:
        bars.report("reading", 1, 2)
        bars.report("reading", 2, 2)
    assert stderr.getvalue() == ""


def test_progress_shows_each_phase_with_what_is_done_of_what(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with progress_bars() as bars:
        bars.report("reading", 3, 4)
        bars.report("checking", 1, 2)
    assert "reading" in stderr.getvalue() and "3/4" in stderr.getvalue()
    assert "checking" in stderr.getvalue() and "1/2" in stderr.getvalue()
