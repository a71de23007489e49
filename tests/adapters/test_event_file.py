"""Files of dates: what they may say, and that a mistake is named by its place."""

from datetime import date
from pathlib import Path

import pytest

from magellan.adapters.event_file import read_events
from magellan.deploy.freeze import DatedEvent
from magellan.errors import FixInput

FOMC = DatedEvent(name="FOMC", first_on=date(2026, 1, 27), last_on=date(2026, 1, 28))
NVDA = DatedEvent(name="NVDA earnings", first_on=date(2026, 2, 25), last_on=date(2026, 2, 25), symbol="NVDA")

CSV = "on,last_on,name,symbol\n2026-01-27,2026-01-28,FOMC,\n2026-02-25,,,nvda\n"
TOML = """
[[event]]
on = 2026-01-27
last_on = "2026-01-28"
name = "FOMC"

[[event]]
on = 2026-02-25
symbol = "NVDA"
"""


@pytest.mark.parametrize(("name", "text"), [("dates.csv", CSV), ("dates.toml", TOML)])
def test_both_forms_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = read_events(tmp_path / name, called=name)
    assert found.events == (FOMC, NVDA)
    assert found.known_until == date(2026, 2, 25)


def test_a_file_with_a_header_alone_holds_no_date(tmp_path: Path) -> None:
    (tmp_path / "fomc.csv").write_text("on,name\n")
    assert read_events(tmp_path / "fomc.csv", called="fomc.csv").known_until is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "date,name\n2026-01-27,FOMC\n", "its first line is date,name"),
        ("a.csv", "on,name\n27.01.2026,FOMC\n", "line 2: on: found '27.01.2026'"),
        ("a.csv", "on,name\n2026-01-27,\n", "line 2: it has neither a name nor a symbol"),
        ("a.csv", "on,name\n2026-01-27,FOMC,more\n", "line 2: unknown more"),
        ("a.csv", "on,last_on,name\n2026-01-27,2026-01-26,FOMC\n", "it ends on 2026-01-26, before it begins"),
        ("a.csv", "on,name\n,FOMC\n", "line 2: on: found None"),
        ("a.toml", "event = 3\n", "something else than tables"),
        ("a.toml", "[[events]]\non = 2026-01-27\n", "something else than tables"),
        ("a.toml", "[[event]]\nname = 'FOMC'\n", "event 1: on: found None"),
        ("a.toml", "[[event]]\non = 2026-01-27\nnmae = 'FOMC'\n", "event 1: unknown nmae"),
        ("a.toml", "[[event]\n", "a.toml: "),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FixInput) as refused:
        read_events(tmp_path / name, called=name)
    assert message in refused.value.message


def test_a_file_that_magellan_toml_names_and_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match="does not exist"):
        read_events(tmp_path / "fomc.csv", called="fomc.csv")
