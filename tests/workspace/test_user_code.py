"""User code: a trader's mistake is told at the trader's line."""

from pathlib import Path

import pytest

from magellan.errors import FixInput, TryAgain
from magellan.workspace.user_code import user_code


def run(code: str, file: Path) -> None:
    file.write_text(code)
    with user_code(file, "testing"):
        exec(compile(code, str(file), "exec"), {"boom": boom})


def boom() -> None:
    raise KeyError("rsi")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("x = 1\ny = x / 0\n", "strategy.py, line 2, while testing: ZeroDivisionError: division by zero"),
        ("\n\nboom()\n", "strategy.py, line 3, while testing: KeyError: 'rsi'"),
        ("def f():\n    raise ValueError\n\nf()\n", "strategy.py, line 2, while testing: ValueError"),
        ("import sys\nsys.exit(1)\n", "strategy.py, line 2, while testing: SystemExit: 1"),
        ("def f(:\n", "strategy.py, line 1, while testing: SyntaxError: "),
    ],
)
def test_an_error_is_told_at_its_line_with_the_line(tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(FixInput) as caught:
        run(code, tmp_path / "strategy.py")
    assert told in caught.value.message
    assert caught.value.next_step.startswith("mend that line: ")


def test_an_error_of_ours_passes(tmp_path: Path) -> None:
    with pytest.raises(TryAgain), user_code(tmp_path / "strategy.py", "testing"):
        raise TryAgain("wait")


def test_a_defect_that_never_passed_the_file_passes_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), user_code(tmp_path / "strategy.py", "testing"):
        boom()


def test_ctrl_c_is_no_mistake(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("raise KeyboardInterrupt\n", tmp_path / "strategy.py")
