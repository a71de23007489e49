"""The two kinds of mess go through the whole flow, in small: nothing is worse afterwards, and all of it comes back."""
# ruff: noqa: D103  (a test's name is its sentence)

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmarks.messes import doubled
from benchmarks.messes.doubled import make_doubled
from benchmarks.messes.flat import make_flat
from benchmarks.messes.flow import Command, merged, restructured

from magellan.surfaces.cli.app import run


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def typed(words: Sequence[str]) -> tuple[int, Any]:
        code = run([*words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return typed


def test_a_flat_mess_is_put_in_order_and_taken_back_to_the_byte(tmp_path: Path, command: Command) -> None:
    root = tmp_path / "flat"
    root.mkdir()
    make_flat(root, modules=20)
    found = restructured(root, command)
    assert (found.worse, found.same_after_rollback) == ((), True)
    assert found.imports_after["missing"] == found.imports_before["missing"]
    assert found.broken >= 4
    assert 0 < found.can_be_imported[0] < found.can_be_imported[1]
    assert found.moves >= 18


def test_a_doubled_package_is_made_one_and_put_in_order_and_comes_back(
    tmp_path: Path, command: Command
) -> None:
    root = tmp_path / "doubled"
    root.mkdir()
    make_doubled(root, modules=48)
    one = merged(root / doubled.NEW, root / doubled.OLD, command)
    assert (one.lost, one.same_after_rollback) == (0, True)
    assert {"identical", "conflicting definitions", "same but for formatting"} <= set(one.files)
    found = restructured(root, command, options=["--no-imports"])
    assert (found.worse, found.same_after_rollback) == ((), True)
