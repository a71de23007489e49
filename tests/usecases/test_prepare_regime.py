"""What a server has compiled elsewhere before it reads a market."""

from pathlib import Path

import pytest

from magellan.adapters.local.own_process import in_own_process
from magellan.compiled import is_kept
from magellan.regime.step import advance
from magellan.usecases.prepare_regime import Preparation, is_prepared


def unheard(phase: str, done: float, total: float | None) -> None:
    """Nobody looks."""


def test_a_prepared_model_is_read_without_a_compiler_in_the_process_that_answers() -> None:
    in_own_process(Preparation(), unheard, gives_way=False)
    assert is_prepared()
    assert in_own_process(ReadsOne(), unheard, gives_way=False) == ()


class ReadsOne:
    """Reads a market, and says which compiler that has brought into the process."""

    def __call__(self, report: object) -> tuple[str, ...]:
        import sys

        Preparation()(report)
        return tuple(sorted({"numba", "llvmlite"} & sys.modules.keys()))


def test_nothing_is_prepared_where_no_code_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("magellan.compiled.kept_code._folder", lambda: tmp_path)
    assert not is_kept(advance) and not is_prepared()
