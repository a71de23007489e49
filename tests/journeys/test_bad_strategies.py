"""Broken strategies: every mistake is told at its own line, and never taken for a defect of Magellan."""

from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.desk import kept, refused, run

COLUMNS = """        return {"fast": ema(bars.close, p.fast), "slow": ema(bars.close, p.slow)}
"""
ENTERS = """    def enter_long(self, f, p):
        return f.fast > f.slow

    def exit_long(self, f, p):
        return f.fast < f.slow
"""
PLAN = """        return TradePlan(size=EquityFraction(fraction=0.3))
"""

MISTAKES = {
    # (what is replaced, by what, what is said)
    "broken syntax": (ENTERS, "    def enter_long(self, f, p:\n", ["line 23, while loading it: SyntaxError"]),
    "a module that is not there": (
        "import os\n",
        "import os\n\nimport nosuchmodule\n",
        ["line 5, while loading it: ModuleNotFoundError", "next: mend that line: import nosuchmodule"],
    ),
    "an exception in features": (
        COLUMNS,
        '        return {"fast": bars.other["X"]}\n',
        ["line 21, while running it: TypeError", 'next: mend that line: return {"fast": bars.other["X"]}'],
    ),
    "features of the wrong length": (
        COLUMNS,
        '        return {"fast": bars.close[1:], "slow": bars.close}\n',
        ["strategy Moods on ANCHOR: feature 'fast' is (500,), not one value per bar (501,)"],
    ),
    "features that are no columns": (
        COLUMNS,
        "        return bars.close\n",
        ["features() returned ndarray, not a dict of columns"],
    ),
    "a feature that nobody computed": (
        ENTERS,
        ENTERS.replace("f.slow", "f.slwo"),
        ["line 24, while running it: AttributeError: no feature is called 'slwo'", "gives fast, slow"],
    ),
    "a mask that is no mask": (
        ENTERS,
        ENTERS.replace("f.fast > f.slow", "f.fast - f.slow"),
        ["enter_long() returned float64(501,), not one truth value per bar (501,)"],
    ),
    "a method of another shape": (
        ENTERS,
        ENTERS.replace("enter_long(self, f, p)", "enter_long(self, f)"),
        ["'enter_long' takes (self, f); it is called with (self, f, p)"],
    ),
    "a method that is misspelt": (
        ENTERS,
        ENTERS.replace("exit_long", "exit_lnog"),
        ["nothing calls 'exit_lnog'; did you mean 'exit_long'?"],
    ),
    "a plan that is none": (PLAN, "        return 0.3\n", ["plan() returned float, not a TradePlan"]),
    "a plan with a bare number": (
        PLAN,
        "        return TradePlan(size=0.3)\n",
        ["while running it: TypeError: a plan's size is of type float"],
    ),
    "an attempt to end the process": (
        COLUMNS,
        f'        raise SystemExit("enough")\n{COLUMNS}',
        ["line 21, while running it: SystemExit: enough"],
    ),
    "a decision that raises": (
        ENTERS,
        "    def decide(self, now, p):\n        return 1 / (now['fast'] - now['fast'])\n",
        ["line 24, while running it: ZeroDivisionError", "mend that line: return 1 / ("],
    ),
    "a decision that is none": (
        ENTERS,
        "    def decide(self, now, p):\n        return 'buy'\n",
        ["Moods.decide returned str, which is not an intent", "next: return Enter, Exit"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_strategy_is_told_at_its_line(
    mistake: str, workspace: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    before, after, told = MISTAKES[mistake]
    file = workspace / "dev/moods/strategy.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    archive = kept(workspace)
    code, answer, notes = command("backtest", "moods", at=workspace)
    assert (code, answer) == (1, "")
    assert str(file) in notes or "Moods" in notes
    missing = [each for each in told if each not in notes]
    assert not missing, f"{missing} not in:\n{notes}"
    assert "\nnext: " in notes
    assert "defect" not in notes
    assert kept(workspace) == archive


def test_every_command_tells_a_mistake_in_the_same_words(workspace: Path) -> None:
    file = workspace / "dev/moods/strategy.py"
    file.write_text(file.read_text().replace(COLUMNS, "        return {'fast': 1 / 0}\n"))
    for line in (
        "sweep moods --grid fast=3,4",
        "replay moods --check-lookahead",
        "walkforward moods --grid fast=3,4",
    ):
        refused(run(*line.split(), cwd=workspace), f"{file}, line 21, while ", "ZeroDivisionError")
    shut = run("gate", "moods", cwd=workspace)
    refused(shut, "SHUT", "ZeroDivisionError")
    looked = run("doctor", cwd=workspace)
    assert "Traceback" not in looked.stdout + looked.stderr


def test_a_jump_under_a_position_is_refused_with_the_two_ways_to_go_on_incident_10(workspace: Path) -> None:
    table = workspace / "data/corporate_actions.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    file = workspace / "dev/moods/strategy.py"
    file.write_text(
        file.read_text().replace("f.fast > f.slow", "f.close > 0").replace("f.fast < f.slow", "f.close < 0")
    )
    before = kept(workspace)
    done = run("backtest", "moods", cwd=workspace)
    refused(
        done,
        "GALLEY: the price jumps x0.2",
        "at 2023-06-12, no corporate action on record explains it, and a position of ",
        "kept: nothing was written; the run stopped before the jump",
        "`magellan data split GALLEY --on 2023-06-12 --ratio NEW:OLD`",
        "`magellan data confirm GALLEY --at 2023-06-12 --reason TEXT --by NAME`",
    )
    assert kept(workspace) == before

    # The first way, as it was told.
    assert (
        run("data", "split", "GALLEY", "--on", "2023-06-12", "--ratio", "4:1", cwd=workspace).returncode == 0
    )
    assert run("backtest", "moods", cwd=workspace).returncode == 0
    # And the second one, instead of the first.
    assert run("data", "forget", "split", "GALLEY", "--on", "2023-06-12", cwd=workspace).returncode == 0
    confirmed = run(
        "data", "confirm", "GALLEY", "--at", "2023-06-12", "--reason", "news", "--by", "ann", cwd=workspace
    )
    assert confirmed.returncode == 0, confirmed.stderr
    assert run("backtest", "moods", cwd=workspace).returncode == 0
