"""The example that `--help` shows of a command works as printed, in a workspace as `magellan init` makes it."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from magellan.surfaces.cli.app import commands, run

Command = Callable[..., tuple[int, str, str]]

# A row is one test, in its order: what is forgotten has to be recorded before, by the same worker. Other commands need
# files, keys or an empty folder, change what is broken, or answer 1 on generated bars.
WORK_AT_ONCE = (
    ("new",), ("doctor",), ("data list",), ("data check",), ("data rebuild",),
    ("data split", "data dividend", "data confirm", "data actions", "data forget"),
    ("backtest",), ("replay",), ("sweep",), ("walkforward",),
)  # fmt: skip
EXAMPLES = {each.words: each.example for each in commands()}


@pytest.fixture(scope="module")
def as_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "my-trading"
    assert run(["init", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("row", WORK_AT_ONCE, ids=" then ".join)
def test_the_example_of_a_command_works_as_printed(
    row: tuple[str, ...], as_made: Path, command: Command
) -> None:
    for words in row:
        program, *arguments = shlex.split(EXAMPLES[words])
        assert program == "magellan"
        code, answer, notes = command(*arguments, at=as_made)
        assert code == 0, f"{words}: {notes}"
        assert answer, words
