"""The journeys share one furnished workspace."""

from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.desk import furnished, workspace
from magellan.surfaces.cli.app import run

__all__ = ["furnished", "workspace"]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`command("backtest", "moods", at=workspace)`: the same door within this process, for tables of many lines.

    Returns exit code, standard output, standard error.
    """

    def call(*arguments: str, at: Path) -> tuple[int, str, str]:
        monkeypatch.chdir(at)
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
